/* SPDX-License-Identifier: Apache-2.0 */
/* weir train --from ledger: a model from one's own traffic and what was said of its answers. What a log cannot tell is said to be absent. */
#include <math.h>
#include <unistd.h>

#include "app/cli/progress.h"
#include "app/cli/train.h"
#include "app/cli/train_log.h"
#include "core/calibration/confidence_table.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

#define ARMS_SHOWN 1024

struct learning {
    const struct cli_args *args;
    struct train_log log;
    struct route_train_options options;
    struct arena arena;
    const struct route_model *model;
    bool has_router;
    char why_none[200]; /* why there is no router */
    struct route_sides_report report; /* of the router */
};

static const char *const side_names[ROUTE_SIDES] = {
    [ROUTE_SIDE_WEAK] = "weak", [ROUTE_SIDE_STRONG] = "strong"
};

static int64_t arms_count(const struct learning *l)
{
    struct route_candidate arms[ARMS_SHOWN];

    return (int64_t)route_model_arms(l->model, arms, ARRAY_LEN(arms));
}

/* ---- what programs read ---- */

static void labels_write(struct buf *out, const struct train_log *log)
{
    json_key(out, "labels");
    buf_add_char(out, '{');
    json_member_i64(out, "feedback", log->labels[LABEL_FEEDBACK]);
    json_member_i64(out, "verifier", log->labels[LABEL_VERIFIER]);
    json_member_i64(out, "audit", log->labels[LABEL_AUDIT]);
    buf_add_char(out, '}');
    json_member_i64(out, "noisy", log->noisy);
    json_key(out, "propensities");
    buf_add_char(out, '{');
    json_member_i64(out, "known", log->propensities_known);
    json_member_i64(out, "unknown", log->propensities_unknown);
    buf_add_char(out, '}');
    json_key(out, "left_out");
    buf_add_char(out, '{');
    json_member_i64(out, "unlabelled", log->unlabelled);
    json_member_i64(out, "faulted", log->faulted);
    json_member_i64(out, "plain", log->plain);
    json_member_i64(out, "without_features", log->without_features);
    buf_add_char(out, '}');
}

static void side_write(struct buf *out, const struct learning *l, int side)
{
    const struct route_side_report *s = &l->report.sides[side];

    json_key(out, side_names[side]);
    buf_add_char(out, '{');
    json_member_i64(out, "n", s->n);
    json_member_i64(out, "right", s->right);
    json_member_double(out, "rate", s->rate);
    json_member_double(out, "effective_n", s->effective_n);
    json_member_double(out, "auroc", s->auroc);
    json_member_double(out, "ece", s->ece);
    json_member_i64(out, "explored", l->report.apgr_rows[side]);
    buf_add_char(out, '}');
}

static void router_write(struct buf *out, const struct learning *l)
{
    const struct route_sides_report *r = &l->report;

    json_key(out, "router");
    if (!l->has_router) {
        buf_add(out, STR("null"));
        json_member_str(out, "router_why", str_from(l->why_none));
        return;
    }
    buf_add_char(out, '{');
    for (int side = 0; side < ROUTE_SIDES; side++)
        side_write(out, l, side);
    json_member_i64(out, "propensities_known", r->propensities_known);
    json_member_i64(out, "propensities_clipped", r->propensities_clipped);
    json_member_double(out, "propensity_min", ROUTE_PROPENSITY_MIN);
    json_member_str(out, "gain_from", r->has_agreement ? STR("audits") : STR("independence"));
    json_member_i64(out, "agreement_n", r->agreement_n);
    train_share_write(out, "agreement", r->agreement, r->has_agreement);
    train_interval_write(out, "apgr_learned", &r->apgr_learned, r->has_apgr);
    train_interval_write(out, "apgr_domain_table", &r->apgr_domain_table, r->has_apgr);
    train_interval_write(out, "apgr_over_domain_table", &r->apgr_over_domain_table, r->has_apgr);
    buf_add_char(out, '}');
}

static void print_json(const struct learning *l, str path)
{
    const struct route_facts *facts = route_model_facts(l->model);
    struct buf out = { 0 };

    buf_add_char(&out, '{');
    json_member_str(&out, "model_file", path);
    json_member_i64(&out, "n", (int64_t)l->log.run_count);
    buf_add(&out, STR(",\"auc\":null"));
    train_share_write(&out, "apgr", facts->apgr, facts->has_apgr);
    buf_add(&out, STR(",\"ece\":null"));
    json_key(&out, "holdout");
    if (l->has_router)
        buf_add_i64(&out, facts->holdout);
    else
        buf_add(&out, STR("null"));
    json_member_i64(&out, "folds", l->options.folds);
    json_member_i64(&out, "seed", (int64_t)facts->seed);
    json_member_str(&out, "scorer",
                    !l->has_router           ? STR("none")
                    : facts->is_domain_table ? STR("domain_table")
                                             : STR("learned"));
    json_member_str(&out, "weak_model", l->options.weak_model);
    json_member_str(&out, "strong_model", l->options.strong_model);
    labels_write(&out, &l->log);
    json_member_i64(&out, "arms", arms_count(l));
    train_confidence_write(&out, route_model_confidence(l->model));
    router_write(&out, l);
    buf_add(&out, STR("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

/* ---- what people see ---- */

static void print_left_out(const struct train_log *log)
{
    const struct {
        int64_t n;
        const char *what;
    } groups[] = {
        { log->unlabelled, "routed queries that nobody has judged" },
        { log->faulted, "labelled queries that ended with a fault" },
        { log->plain, "labelled queries that were relayed as they were" },
        { log->without_features, "answers of the two models without features: not in the router" },
    };

    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (groups[i].n > 0)
            printf("left out        %" PRId64 " %s\n", groups[i].n, groups[i].what);
}

static void print_interval(const char *name, const struct interval *i)
{
    printf("%-15s %.3f [%.3f, %.3f]\n", name, i->estimate, i->lower, i->upper);
}

static void print_apgr(const struct route_sides_report *r)
{
    if (r->has_apgr) {
        printf("\nAPGR, held out, by inverse propensity:\n");
        print_interval("learned", &r->apgr_learned);
        print_interval("domain_table", &r->apgr_domain_table);
        print_interval("difference", &r->apgr_over_domain_table);
        return;
    }
    printf("APGR            not measurable: %" PRId64 " and %" PRId64
           " rows were chosen by lot (%d of each needed, the strong model right more often)\n",
           r->apgr_rows[ROUTE_SIDE_WEAK], r->apgr_rows[ROUTE_SIDE_STRONG], ROUTE_TRAIN_ROWS_MIN);
}

static void print_router(const struct learning *l)
{
    const struct route_facts *facts = route_model_facts(l->model);
    const struct route_sides_report *r = &l->report;
    const str models[ROUTE_SIDES] = { facts->weak_model, facts->strong_model };

    if (!l->has_router) {
        printf("router          %s\n", l->why_none);
        return;
    }
    for (int side = 0; side < ROUTE_SIDES; side++) {
        const struct route_side_report *s = &r->sides[side];
        printf("%-15s %.*s, %" PRId64
               " direct answers, worth %.1f; right %.1f %%; held out: AUROC %.3f, ECE %.4f\n",
               side_names[side], STR_ARG(models[side]), s->n, s->effective_n, s->rate * 100,
               s->auroc, s->ece);
    }
    printf("weights         %" PRId64 " of %" PRId64 " by inverse propensity, %" PRId64
           " of them clipped at %g; the others count once\n",
           r->propensities_known, facts->n, r->propensities_clipped, ROUTE_PROPENSITY_MIN);
    if (r->has_agreement)
        printf("gain            from audits: the strong model repeats %.1f %% of %" PRId64
               " right answers of the weak one\n",
               r->agreement * 100, r->agreement_n);
    else
        printf("gain            as if the two were right independently, given the question: "
               "%" PRId64 " right answers were audited, %d needed\n",
               r->agreement_n, ROUTE_TRAIN_ROWS_MIN);
    printf("AUC and ECE of gain cannot be measured: no question was answered by both\n");
    print_apgr(r);
    printf("\nchosen: %s\n", facts->is_domain_table
                                 ? "the table of rates by domain; the features did no better"
                                 : "learned");
}

static void print_people(const struct learning *l, str path)
{
    const struct train_log *log = &l->log;

    printf("answers         %zu labelled: by feedback %" PRId64 ", verifier %" PRId64
           ", audit %" PRId64 " (the first of these counts); %" PRId64 " noisy\n",
           log->run_count, log->labels[LABEL_FEEDBACK], log->labels[LABEL_VERIFIER],
           log->labels[LABEL_AUDIT], log->noisy);
    printf("propensities    %" PRId64 " known, %" PRId64 " unknown\n", log->propensities_known,
           log->propensities_unknown);
    print_left_out(log);
    printf("arms            %" PRId64 " (strategy and model)\n", arms_count(l));
    print_router(l);
    train_confidence_print(route_model_confidence(l->model));
    if (confidence_table_count(route_model_confidence(l->model)) == 0)
        printf("confidence: not calibrated: fewer than %d labelled answers have one\n",
               CONFIDENCE_LABELS_MIN);
    printf("\nwritten: %.*s\n", STR_ARG(path));
}

/* ---- the run ---- */

static bool router_is_possible(struct learning *l)
{
    const int64_t *n = l->log.sides;

    if (l->options.weak_model.len == 0) {
        snprintf(l->why_none, sizeof(l->why_none), "none: --weak and --strong name its two models");
        return false;
    }
    if (n[ROUTE_SIDE_WEAK] >= ROUTE_TRAIN_ROWS_MIN && n[ROUTE_SIDE_STRONG] >= ROUTE_TRAIN_ROWS_MIN)
        return true;
    snprintf(l->why_none, sizeof(l->why_none),
             "not enough labelled queries of both models: %" PRId64 " and %" PRId64 ", %d needed",
             n[ROUTE_SIDE_WEAK], n[ROUTE_SIDE_STRONG], ROUTE_TRAIN_ROWS_MIN);
    return false;
}

static enum err model_train(struct learning *l)
{
    struct route_training training = { .rows = l->log.rows,
                                       .row_count = l->log.row_count,
                                       .runs = l->log.runs,
                                       .run_count = l->log.run_count };
    struct progress progress;

    l->has_router = router_is_possible(l);
    if (!l->has_router) {
        struct route_train_report none;
        training.row_count = 0;
        return route_train(&l->arena, &training, &l->options, &l->model, &none);
    }
    progress_init(&progress, stderr, "models", 1, 0, world_now_exact());
    l->options.ctx = &progress;
    if (isatty(STDERR_FILENO))
        l->options.on_progress = train_on_progress;
    return route_train_sides(&l->arena, &training, &l->options, &l->model, &l->report);
}

static int learn(struct learning *l, str path)
{
    if (l->log.run_count == 0)
        return cli_usage_error("train",
                               "no answer in the ledger is labelled (%" PRId64
                               " routed queries are not): POST /v1/feedback labels them",
                               l->log.unlabelled);
    if (l->log.row_count > ROUTE_TRAIN_ROWS_MAX)
        return cli_usage_error("train", "more than %d rows: say --since", ROUTE_TRAIN_ROWS_MAX);
    enum err e = model_train(l);
    if (e != OK)
        return train_failed(e);
    int status = train_model_save(l->model, path);
    if (status != EXIT_DONE)
        return status;
    if (cli_has(l->args, "json"))
        print_json(l, path);
    else
        print_people(l, path);
    return EXIT_DONE;
}

/* Both or neither. */
static int models_read(const struct cli_args *args, struct learning *l)
{
    l->options.weak_model = cli_value(args, "weak");
    l->options.strong_model = cli_value(args, "strong");
    if ((l->options.weak_model.len == 0) != (l->options.strong_model.len == 0))
        return cli_usage_error("train", "--weak and --strong go together");
    if (l->options.weak_model.len > 0 && str_eq(l->options.weak_model, l->options.strong_model))
        return cli_usage_error("train", "--weak and --strong must be two models");
    return EXIT_DONE;
}

int train_from_ledger(const struct cli_args *args, const struct route_train_options *options)
{
    struct learning l = { .args = args, .options = *options };
    struct train_log_source source = { .since = INT64_MIN };
    struct config *config = NULL;
    int status = models_read(args, &l);

    if (status != EXIT_DONE || !cli_since(args, "train", &source.since))
        return EXIT_USAGE;
    l.options.rounds = TRAIN_ROUNDS;
    source.weak_model = l.options.weak_model;
    source.strong_model = l.options.strong_model;
    status = cli_config_load(args, false, &config);
    if (status != EXIT_DONE)
        return status;
    source.directory = cli_value_or(args, "ledger", config->ledger.directory);
    arena_init(&l.arena, TRAIN_ARENA_MAX);
    status = train_log_read(&l.log, &source);
    if (status == EXIT_DONE)
        status = learn(&l, cli_value(args, "out"));
    train_log_fini(&l.log);
    arena_fini(&l.arena);
    config_close(config);
    return status;
}
