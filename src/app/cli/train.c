/* SPDX-License-Identifier: Apache-2.0 */
/* weir train: makes a router's model and says, on rows that were held out, what it is worth. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli/progress.h"
#include "app/cli/train.h"
#include "app/cli/train_rows.h"
#include "core/calibration/confidence_table.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

#define FOLDS_DEFAULT 5

/* ---- progress ---- */

void train_on_progress(void *ctx, int done, int total)
{
    struct progress *p = ctx;

    p->total = (uint64_t)total;
    if (done < total)
        progress_show(p, (uint64_t)done, STR(""), world_now_exact());
    else
        progress_end(p, (uint64_t)done, STR(""), world_now_exact());
}

/* ---- what was found ---- */

struct training {
    struct train_rows rows;
    struct route_train_options options;
    struct arena arena;
    const struct route_model *model;
    struct route_train_report report;
};

void train_interval_write(struct buf *out, const char *name, const struct interval *interval,
                          bool is_measured)
{
    json_key(out, name);
    if (!is_measured) {
        buf_add(out, STR("null"));
        return;
    }
    buf_add_char(out, '{');
    json_member_double(out, "estimate", interval->estimate);
    json_member_double(out, "lower", interval->lower);
    json_member_double(out, "upper", interval->upper);
    buf_add_char(out, '}');
}

void train_share_write(struct buf *out, const char *name, double value, bool is_measured)
{
    json_key(out, name);
    if (is_measured)
        json_write_double(out, value);
    else
        buf_add(out, STR("null"));
}

/* The APGR and its interval; the other figures as {estimate, lower, upper}. Null: not measurable. */
static void contender_write(struct buf *out, const struct training *t, enum route_contender c)
{
    static const char *const cpt_names[ROUTE_CPT_LEVELS] = { "cpt_50", "cpt_80", "cpt_95" };
    const struct router_metrics *m = &t->report.metrics[c];
    const struct router_intervals *i = &t->report.intervals[c];

    json_key(out, route_contender_name(c));
    buf_add_char(out, '{');
    train_share_write(out, "apgr", i->apgr.estimate, m->has_gap);
    train_share_write(out, "lower", i->apgr.lower, m->has_gap);
    train_share_write(out, "upper", i->apgr.upper, m->has_gap);
    train_interval_write(out, "over_domain_table", &i->apgr_over_reference, m->has_gap);
    train_interval_write(out, "auc", &i->auc, true);
    for (int level = 0; level < ROUTE_CPT_LEVELS; level++)
        train_interval_write(out, cpt_names[level], &i->cpt[level], m->has_gap);
    train_interval_write(out, "aiq", &i->aiq, m->has_aiq);
    buf_add_char(out, '}');
}

static void calibration_write(struct buf *out, const char *name,
                              const struct calibration_metrics *m, const struct interval_pair *ece)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_double(out, "ece", m->ece);
    if (ece) {
        json_member_double(out, "ece_lower", ece->lower);
        json_member_double(out, "ece_upper", ece->upper);
    }
    json_member_double(out, "brier", m->brier);
    json_member_double(out, "auroc", m->auroc);
    json_member_double(out, "accuracy", m->accuracy);
    json_member_double(out, "mean_confidence", m->mean_confidence);
    buf_add_char(out, '}');
}

/* What a threshold would accept of the held-out answers, and whether it may be trusted. */
static void thresholds_write(struct buf *out, const struct confidence_table *table, size_t i)
{
    static const double thresholds[] = { 0.75, 0.80, 0.85, 0.90, 0.95 };
    int64_t n = confidence_table_report(table, i)->after.n;

    json_key(out, "thresholds");
    buf_add_char(out, '[');
    for (size_t k = 0; k < ARRAY_LEN(thresholds); k++) {
        struct acceptance a = confidence_table_accept(table, i, thresholds[k]);
        buf_add(out, k > 0 ? STR(",{") : STR("{"));
        json_member_double(out, "threshold", thresholds[k]);
        json_member_double(out, "coverage", n > 0 ? (double)a.accepted / (double)n : 0);
        json_member_i64(out, "accepted", a.accepted);
        json_member_i64(out, "right", a.right);
        json_member_double(out, "accuracy_lower", a.lower);
        json_member_bool(out, "met", a.is_met);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void train_confidence_write(struct buf *out, const struct confidence_table *table)
{
    json_key(out, "confidence");
    buf_add_char(out, '[');
    for (size_t i = 0; i < confidence_table_count(table); i++) {
        const struct confidence_report *report = confidence_table_report(table, i);
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "domain", report->key.domain);
        json_member_str(out, "model", report->key.model);
        json_member_str(out, "strategy", report->key.strategy);
        json_member_i64(out, "n", report->after.n);
        calibration_write(out, "before", &report->before, NULL);
        calibration_write(out, "after", &report->after, &report->after_ece);
        thresholds_write(out, table, i);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void print_json(const struct training *t, str path)
{
    const struct route_facts *facts = route_model_facts(t->model);
    const struct router_metrics *any = &t->report.metrics[ROUTE_BY_LEARNED];
    struct buf out = { 0 };

    buf_add_char(&out, '{');
    json_member_str(&out, "model_file", path);
    json_member_i64(&out, "n", facts->n);
    train_share_write(&out, "auc", facts->auc, facts->n > 0);
    train_share_write(&out, "apgr", facts->apgr, facts->has_apgr);
    train_share_write(&out, "ece", facts->ece, facts->n > 0);
    train_share_write(&out, "ece_before", t->report.gain_before.ece, facts->n > 0);
    json_member_i64(&out, "holdout", facts->holdout);
    json_member_i64(&out, "folds", facts->folds);
    json_member_i64(&out, "seed", (int64_t)facts->seed);
    json_member_str(&out, "scorer", facts->is_domain_table ? STR("domain_table") : STR("learned"));
    json_member_str(&out, "weak_model", facts->weak_model);
    json_member_str(&out, "strong_model", facts->strong_model);
    json_member_double(&out, "weak_success", any->weak);
    json_member_double(&out, "strong_success", any->strong);
    json_member_double(&out, "oracle_success", any->oracle);
    json_member_i64(&out, "skipped", (int64_t)t->rows.skipped);
    json_member_i64(&out, "faulted", (int64_t)t->rows.faulted);
    json_member_bool(&out, "simulated", t->rows.simulated > 0);
    json_key(&out, "scorers");
    buf_add_char(&out, '{');
    for (int c = 0; facts->n > 0 && c < ROUTE_CONTENDER_COUNT; c++)
        contender_write(&out, t, (enum route_contender)c);
    buf_add_char(&out, '}');
    train_confidence_write(&out, route_model_confidence(t->model));
    buf_add(&out, STR("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

static void print_interval(const struct interval *i, bool is_measured)
{
    if (is_measured)
        printf("  %5.3f [%5.3f, %5.3f]", i->estimate, i->lower, i->upper);
    else
        printf("  %-20s", "not measurable");
}

static void print_contenders(const struct training *t)
{
    printf("\n%-14s  %-20s  %-20s  %-20s  %-20s\n", "scorer", "APGR", "minus domain table",
           "CPT(80%)", "AIQ");
    for (int c = 0; c < ROUTE_CONTENDER_COUNT; c++) {
        const struct router_metrics *m = &t->report.metrics[c];
        const struct router_intervals *i = &t->report.intervals[c];
        printf("%-14s", route_contender_name((enum route_contender)c));
        print_interval(&i->apgr, m->has_gap);
        print_interval(&i->apgr_over_reference, m->has_gap);
        print_interval(&i->cpt[1], m->has_gap);
        print_interval(&i->aiq, m->has_aiq);
        printf("\n");
    }
}

static void print_router(const struct training *t)
{
    const struct route_facts *facts = route_model_facts(t->model);
    const struct router_metrics *any = &t->report.metrics[ROUTE_BY_LEARNED];

    printf("questions       %" PRId64 ", each held out once (%d folds)\n", facts->n, facts->folds);
    printf("weak            %.*s, right %.1f %%\n", STR_ARG(facts->weak_model), any->weak * 100);
    printf("strong          %.*s, right %.1f %%\n", STR_ARG(facts->strong_model),
           any->strong * 100);
    printf("a perfect router would be right %.1f %%\n", any->oracle * 100);
    printf("AUC of gain     %.3f\n", facts->auc);
    printf("ECE of gain     %.4f, calibrated %.4f\n", t->report.gain_before.ece, facts->ece);
    print_contenders(t);
    printf("\nchosen: %s\n", facts->is_domain_table
                                 ? "the table of rates by domain; the features did no better"
                                 : "learned");
}

void train_confidence_print(const struct confidence_table *table)
{
    if (confidence_table_count(table) == 0)
        return;
    printf("\n%-40s  %6s  %-10s  %s\n", "confidence of", "n", "ECE before", "after, held out");
    for (size_t i = 0; i < confidence_table_count(table); i++) {
        const struct confidence_report *r = confidence_table_report(table, i);
        char name[128];
        snprintf(name, sizeof(name), "%.*s %.*s %.*s", STR_ARG(r->key.strategy),
                 STR_ARG(r->key.model), STR_ARG(r->key.domain));
        printf("%-40s  %6" PRId64 "  %10.3f  %.3f [%.3f, %.3f]\n", i == 0 ? "everything" : name,
               r->after.n, r->before.ece, r->after.ece, r->after_ece.lower, r->after_ece.upper);
    }
}

static void print_people(const struct training *t, str path)
{
    if (route_model_facts(t->model)->n > 0)
        print_router(t);
    else
        printf("no question was answered by both models: arms and confidence only\n");
    if (t->rows.skipped > 0)
        printf("skipped         %zu questions that only one of them answered\n", t->rows.skipped);
    if (t->rows.faulted > 0)
        printf("not counted     %zu runs that ended with a fault\n", t->rows.faulted);
    if (t->rows.simulated > 0)
        printf("SIMULATED       %zu of the runs are of a simulated model: this says nothing about "
               "real ones\n",
               t->rows.simulated);
    train_confidence_print(route_model_confidence(t->model));
    printf("\nwritten: %.*s\n", STR_ARG(path));
}

/* ---- the model's file ---- */

static bool text_write(const char *path, str text)
{
    FILE *file = fopen(path, "wbe");
    bool is_written = file && fwrite(text.ptr, 1, text.len, file) == text.len;

    return file && fclose(file) == 0 && is_written;
}

/* A file is written beside itself first, so that a model that is there is replaced whole or not at all. What is no file,
 * like /dev/null, is written to: it must not be replaced. */
static bool text_save(str path, str text)
{
    struct buf draft = { 0 };
    struct stat status;

    if (stat(path.ptr, &status) == 0 && !S_ISREG(status.st_mode))
        return text_write(path.ptr, text);
    buf_printf(&draft, "%.*s.draft", STR_ARG(path));
    bool is_saved = !draft.failed && text_write(buf_cstr(&draft), text) &&
                    rename(buf_cstr(&draft), path.ptr) == 0;
    buf_fini(&draft);
    return is_saved;
}

int train_model_save(const struct route_model *model, str path)
{
    struct buf text = { 0 };

    route_model_write(model, &text);
    bool is_saved = !text.failed && text_save(path, buf_str(&text));
    buf_fini(&text);
    if (is_saved)
        return EXIT_DONE;
    fprintf(stderr, "weir train: %.*s: %s\n", STR_ARG(path), strerror(errno));
    return EXIT_UNREACHABLE;
}

int train_failed(enum err e)
{
    fprintf(stderr, "weir train: %s\n", err_info(e)->text);
    return e == WEIR_NO_MEMORY ? EXIT_UNREACHABLE : EXIT_USAGE;
}

/* ---- the command ---- */

static int rows_read(const struct cli_args *args, struct training *t)
{
    struct config *config = NULL;
    int status = cli_config_load(args, false, &config);

    if (status != EXIT_DONE)
        return status;
    status =
        train_rows_read(&t->rows, &(struct train_source){ .path = cli_value(args, "from"),
                                                          .weak_model = cli_value(args, "weak"),
                                                          .strong_model = cli_value(args, "strong"),
                                                          .prices = &config->prices,
                                                          .now = world_wall() });
    config_close(config);
    return status;
}

static int train(const struct cli_args *args, struct training *t)
{
    size_t n = t->rows.training.row_count;
    str path = cli_value(args, "out");
    struct progress progress;

    bool is_runs_only = n == 0 && t->rows.training.run_count > 0;

    if (!is_runs_only && (n < ROUTE_TRAIN_ROWS_MIN || n > ROUTE_TRAIN_ROWS_MAX))
        return cli_usage_error("train",
                               "%zu questions were answered by both models; %d to %d are needed", n,
                               ROUTE_TRAIN_ROWS_MIN, ROUTE_TRAIN_ROWS_MAX);
    t->options.weak_model = t->rows.weak_model;
    t->options.strong_model = t->rows.strong_model;
    t->options.rounds = TRAIN_ROUNDS;
    progress_init(&progress, stderr, "models", 1, 0, world_now_exact());
    t->options.ctx = &progress;
    if (isatty(STDERR_FILENO))
        t->options.on_progress = train_on_progress;
    enum err e = route_train(&t->arena, &t->rows.training, &t->options, &t->model, &t->report);
    if (e != OK)
        return train_failed(e);
    int status = train_model_save(t->model, path);
    if (status != EXIT_DONE)
        return status;
    if (cli_has(args, "json"))
        print_json(t, path);
    else
        print_people(t, path);
    return EXIT_DONE;
}

static int run(const struct cli_args *args)
{
    struct training t = { .options = { .folds = FOLDS_DEFAULT } };
    int64_t seed = 1, folds = FOLDS_DEFAULT;

    if (!cli_has(args, "from") || !cli_has(args, "out"))
        return cli_usage_error("train", "--from and --out are needed; see 'weir train --help'");
    if (!cli_integer(args, "train", "seed", 0, INT64_MAX, &seed) ||
        !cli_integer(args, "train", "folds", ROUTE_FOLDS_MIN, ROUTE_FOLDS_MAX, &folds))
        return EXIT_USAGE;
    t.options.seed = (uint64_t)seed;
    t.options.folds = (int)folds;
    if (str_eq(cli_value(args, "from"), STR("ledger")))
        return train_from_ledger(args, &t.options);
    if (cli_has(args, "ledger") || cli_has(args, "since"))
        return cli_usage_error("train", "--ledger and --since go with --from ledger");
    arena_init(&t.arena, TRAIN_ARENA_MAX);
    int status = rows_read(args, &t);
    if (status == EXIT_DONE)
        status = train(args, &t);
    train_rows_fini(&t.rows);
    arena_fini(&t.arena);
    return status;
}

static const struct cli_option options[] = {
    { "from", "ledger|FILE|DIR",
      "the labelled queries of the ledger, rows of JSON Lines, or what 'weir eval --out' wrote" },
    { "out", "FILE", "the model's file, replaced when it is there" },
    { "weak", "M", "the cheaper model; needed for a directory and for the ledger's router" },
    { "strong", "M", "the dearer model; likewise" },
    { "ledger", "DIR", "the ledger's directory instead of the configuration's" },
    { "since", "T", "of the ledger: YYYY-MM-DD, or 7d, 12h, 30m ago; else all that is there" },
    { "seed", "N", "of the folds and the intervals (1)" },
    { "folds", "N", "of the cross-validation (5)" },
    { "config", "FILE", "configuration that names the ledger and whose price table counts" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_train = {
    "train",
    "",
    "makes a router's model from what two models have answered",
    "weir train --from results/ --weak gpt-4o-mini --strong gpt-4o --out router.json",
    options,
    run
};
