/* SPDX-License-Identifier: Apache-2.0 */
/* weir replay: logged traffic decided again under another configuration; see app/engine/replay.h for what is estimated from what. */
#include "app/cli/cli.h"

#include <math.h>

#include "app/engine/replay.h"
#include "core/json/json.h"
#include "core/money/money.h"
#include "edge/config/config.h"
#include "edge/store/store.h"

/* ---- what programs read ---- */

static void add_interval(struct buf *out, const char *name, const struct interval *i)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_double(out, "estimate", i->estimate);
    json_member_double(out, "lower", i->lower);
    json_member_double(out, "upper", i->upper);
    buf_add_char(out, '}');
}

static void add_arm(struct buf *out, const struct replay_arm *arm)
{
    double cost = replay_arm_cost(arm);

    buf_add_char(out, '{');
    json_member_str(out, "strategy", arm->strategy);
    json_member_str(out, "model", arm->model);
    json_member_i64(out, "before", arm->before);
    json_member_double(out, "after", arm->after);
    json_key(out, "cost_mean_nano_usd");
    if (cost < 0)
        buf_add(out, STR("null"));
    else
        buf_add_i64(out, llround(cost));
    buf_add_char(out, '}');
}

static bool arm_is_idle(const struct replay_arm *arm)
{
    return arm->before == 0 && !(arm->after > 0);
}

static void print_json(const struct replay *r, const struct counterfactual *c)
{
    struct buf out = { 0 };

    buf_add_char(&out, '{');
    json_member_i64(&out, "queries", r->queries);
    json_member_i64(&out, "named", r->named);
    json_member_i64(&out, "undecided", r->undecided);
    json_member_i64(&out, "decided", r->decided);
    json_member_i64(&out, "changed", r->changed);
    json_key(&out, "arms");
    buf_add_char(&out, '[');
    for (size_t i = 0; i < r->arm_count; i++) {
        if (arm_is_idle(&r->arms[i]))
            continue;
        json_comma(&out);
        add_arm(&out, &r->arms[i]);
    }
    buf_add_char(&out, ']');
    json_member_i64(&out, "cost_before_nano_usd", llround(r->cost_before));
    json_member_i64(&out, "cost_after_nano_usd", llround(r->cost_after));
    json_member_i64(&out, "cost_unknown", r->cost_unknown);
    json_member_i64(&out, "labelled", r->labelled);
    json_member_i64(&out, "without_propensity", r->without_propensity);
    json_member_i64(&out, "unsupported", r->unsupported);
    json_key(&out, "success");
    if (!c) {
        buf_add(&out, STR("null"));
    } else {
        buf_add_char(&out, '{');
        json_member_i64(&out, "n", c->n);
        json_member_double(&out, "logged", r->reward_sum / (double)r->row_count);
        add_interval(&out, "ips", &c->ips);
        add_interval(&out, "self_normalised", &c->self_normalised);
        add_interval(&out, "doubly_robust", &c->doubly_robust);
        json_member_double(&out, "effective_n", c->effective_n);
        buf_add_char(&out, '}');
    }
    buf_add(&out, STR("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

/* ---- what people see ---- */

static void print_cost(const char *what, double nano)
{
    char text[32];
    str cost = cost_format((nano_usd)llround(nano), text);

    printf("%s %.*s", what, STR_ARG(cost));
}

static void print_arms(const struct replay *r)
{
    char text[32];

    printf("\n%-18s %-28s %9s %9s  %s\n", "strategy", "model", "before", "after", "mean cost");
    for (size_t i = 0; i < r->arm_count; i++) {
        const struct replay_arm *arm = &r->arms[i];
        double cost = replay_arm_cost(arm);
        if (arm_is_idle(arm))
            continue;
        str shown = cost < 0 ? STR("unknown") : cost_format((nano_usd)llround(cost), text);
        printf("%-18.*s %-28.*s %9" PRId64 " %9.1f  %.*s\n", STR_ARG(arm->strategy),
               STR_ARG(arm->model), arm->before, arm->after, STR_ARG(shown));
    }
}

static void print_interval(const char *name, const struct interval *i)
{
    printf("  %-22s %.4f [%.4f, %.4f]\n", name, i->estimate, i->lower, i->upper);
}

static void print_success(const struct replay *r, const struct counterfactual *c)
{
    printf("\nsuccess: %" PRId64 " of %" PRId64 " decided queries have a label; of these %" PRId64
           " have no propensity, and %" PRId64
           " would go where the log never explored: nothing can be said of them\n",
           r->labelled, r->decided, r->without_propensity, r->unsupported);
    if (!c) {
        printf("  too few are left for an estimate\n");
        return;
    }
    printf("  of the %" PRId64 " that are left, worth %.1f:\n", c->n, c->effective_n);
    printf("  %-22s %.4f\n", "as it was", r->reward_sum / (double)r->row_count);
    print_interval("weighted (IPS)", &c->ips);
    print_interval("self-normalised", &c->self_normalised);
    print_interval("doubly robust", &c->doubly_robust);
}

static void print_people(const struct replay *r, const struct counterfactual *c)
{
    printf("%" PRId64 " routed queries: %" PRId64 " decided again, %" PRId64
           " named by clients, %" PRId64 " cannot be decided from what the ledger keeps\n",
           r->queries, r->decided, r->named, r->undecided);
    printf("%" PRId64 " would go another way\n", r->changed);
    print_arms(r);
    printf("\ncost at these means: ");
    print_cost("before", r->cost_before);
    print_cost(", after", r->cost_after);
    if (r->cost_unknown > 0)
        printf("  (without %" PRId64 " queries of unknown cost)", r->cost_unknown);
    printf("\n");
    print_success(r, c);
}

/* ---- the run ---- */

static int with_load(const struct cli_args *args, struct config **out)
{
    struct config_issues issues;
    enum err e = config_load(cli_value(args, "with"), out, &issues);

    for (size_t i = 0; i < issues.count; i++)
        if (!issues.items[i].is_warning)
            cli_issue_print(stderr, &issues.items[i]);
    config_issues_fini(&issues);
    return e == OK ? EXIT_DONE : EXIT_USAGE;
}

static void on_learn(void *ctx, const struct ledger_sample *s)
{
    replay_learn(ctx, s);
}

static void on_decide(void *ctx, const struct ledger_sample *s)
{
    replay_decide(ctx, s);
}

static int replay(struct replay *r, str directory, usec_utc since, bool as_json)
{
    struct counterfactual success;
    char why[256] = "";
    enum err e = store_read_routes(directory, since, on_learn, r, why);

    if (e == OK)
        e = store_read_routes(directory, since, on_decide, r, why);
    if (e == OK && (r->has_no_memory || arena_failed(&r->arena)))
        e = WEIR_NO_MEMORY;
    if (e != OK) {
        fprintf(stderr, "weir replay: %s%s%s\n", err_info(e)->text, why[0] ? ": " : "", why);
        return EXIT_UNREACHABLE;
    }
    if (r->has_too_many)
        fprintf(stderr, "weir replay: more than %d arms: those seen last are left out\n",
                REPLAY_ARMS_MAX);
    bool has_success = replay_success(r, &success);
    if (as_json)
        print_json(r, has_success ? &success : NULL);
    else
        print_people(r, has_success ? &success : NULL);
    return EXIT_DONE;
}

static int run(const struct cli_args *args)
{
    struct config *config = NULL, *with = NULL;
    usec_utc since = INT64_MIN;

    if (!cli_has(args, "with"))
        return cli_usage_error("replay", "--with FILE is needed: the configuration to decide by");
    if (!cli_since(args, "replay", &since))
        return EXIT_USAGE;
    int status = cli_config_load(args, false, &config);
    if (status == EXIT_DONE)
        status = with_load(args, &with);
    if (status == EXIT_DONE) {
        struct replay r;
        str directory =
            cli_has(args, "ledger") ? cli_value(args, "ledger") : config->ledger.directory;
        replay_init(&r, with);
        status = replay(&r, directory, since, cli_has(args, "json"));
        replay_fini(&r);
    }
    config_close(with);
    config_close(config);
    return status;
}

static const struct cli_option options[] = {
    { "with", "FILE", "the configuration to decide by" },
    { "since", "T", "YYYY-MM-DD, or 7d, 12h, 30m ago; else all that is there" },
    { "config", "FILE", "configuration that names the ledger" },
    { "ledger", "DIR", "the ledger's directory instead" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_replay = {
    "replay",
    "",
    "decides logged traffic again under another configuration: routes, cost, success",
    "weir replay --since 7d --with candidate.yaml",
    options,
    run
};
