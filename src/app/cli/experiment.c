/* SPDX-License-Identifier: Apache-2.0 */
/* weir experiment: starts, watches and stops A/B tests through the admin API of a running gateway. */
#include "app/cli/admin.h"

#include <math.h>

#include "base/utc.h"

/* ---- for people ---- */

static void headline_print(struct admin_client *c, struct json x)
{
    printf("experiment %.*s: %.*s, generation %" PRId64 "\n", STR_ARG(admin_text(c, x, "name")),
           STR_ARG(admin_text(c, x, "state")), admin_integer(x, "generation"));
}

static void number_print(double value)
{
    if (isnan(value))
        printf(" %11s", "-");
    else
        printf(" %11.4g", value);
}

static void arms_print(struct admin_client *c, struct json x)
{
    static const char *const means[] = { "cost_usd", "latency_ms", "hrm_confidence",
                                         "trm_confidence" };
    struct json_iter it = json_iter(json_get(x, STR("arms")));

    printf("\n%-16s %7s %8s %8s %-26s %11s %11s %11s %11s\n", "arm", "share", "units", "n",
           "success", "cost $", "latency ms", "HRM", "TRM");
    while (json_next(&it)) {
        struct json success = json_get(it.value, STR("success_rate"));
        printf("%-16.*s %6.4g%% %8" PRId64 " %8" PRId64 " %6.4f [%6.4f, %6.4f]   ",
               STR_ARG(admin_text(c, it.value, "name")), 100 * admin_number(it.value, "share"),
               admin_integer(it.value, "units"), admin_integer(it.value, "n"),
               admin_number(success, "estimate"), admin_number(success, "lower"),
               admin_number(success, "upper"));
        for (size_t i = 0; i < ARRAY_LEN(means); i++)
            number_print(admin_number(it.value, means[i]));
        printf("\n");
    }
}

/* How the shares came about, where they follow the results. */
static void allocation_print(struct admin_client *c, struct json x)
{
    struct json allocation = json_get(x, STR("allocation")),
                stop = json_get(allocation, STR("stop"));
    struct json_iter epochs = json_iter(json_get(allocation, STR("epochs")));

    if (!str_eq(admin_text(c, allocation, "kind"), STR("track_and_stop")))
        return;
    printf("\nshares follow %.*s (epsilon %g, delta %g, floor %g, every %g s)\n",
           STR_ARG(admin_text(c, allocation, "metric")), admin_number(allocation, "epsilon"),
           admin_number(allocation, "delta"), admin_number(allocation, "floor"),
           admin_number(allocation, "every_seconds"));
    while (json_next(&epochs)) {
        struct json_iter arms = json_iter(json_get(epochs.value, STR("arms")));
        char since[UTC_TEXT_MAX];
        printf("  epoch %" PRId64 " since %.19s:", admin_integer(epochs.value, "epoch"),
               utc_format(admin_integer(epochs.value, "began_us"), since).ptr);
        for (const char *between = " "; json_next(&arms); between = ", ")
            printf("%s%.*s %.4g%% (n %" PRId64 ")", between,
                   STR_ARG(admin_text(c, arms.value, "name")),
                   100 * admin_number(arms.value, "share"), admin_integer(arms.value, "n"));
        printf("\n");
    }
    if (json_is(stop, JSON_OBJECT))
        printf("  %.*s\n", STR_ARG(admin_text(c, stop, "text")));
}

static void results_print(struct admin_client *c, struct json x)
{
    struct json_iter it = json_iter(json_get(x, STR("comparisons")));
    struct json srm = json_get(x, STR("srm"));

    printf("\n%-16s %-16s %12s %-27s %10s  %s\n", "arm", "metric", "difference", "interval", "p",
           "verdict");
    while (json_next(&it)) {
        bool is_known = !isnan(admin_number(it.value, "lower"));
        printf("%-16.*s %-16.*s", STR_ARG(admin_text(c, it.value, "arm")),
               STR_ARG(admin_text(c, it.value, "metric")));
        if (is_known)
            printf(" %12.4g [%11.4g, %11.4g]   %10.4g  %.*s\n", admin_number(it.value, "diff"),
                   admin_number(it.value, "lower"), admin_number(it.value, "upper"),
                   admin_number(it.value, "p"), STR_ARG(admin_text(c, it.value, "verdict")));
        else
            printf(" %12s %-27s %10s  %s\n", "-", "not enough yet", "-", "inconclusive");
    }
    printf("\nsample ratio: log Bayes factor %.2f, alarm at %.2f: %s\n",
           admin_number(srm, "log_bayes"), admin_number(srm, "alarm_at"),
           admin_flag(srm, "alarm") ? "the split is not what was meant; believe nothing above"
                                    : "as meant");
}

/* ---- words ---- */

/* The one that the second word names, or the newest. */
static int experiment_find(struct admin_client *c, struct json *out)
{
    return admin_find(c, STR("/admin/v1/experiments"), out);
}

static int status(struct admin_client *c)
{
    struct json x;
    int result = experiment_find(c, &x);

    if (result == EXIT_DONE && !admin_prints_json(c, x)) {
        headline_print(c, x);
        arms_print(c, x);
        allocation_print(c, x);
    }
    return result;
}

static int results(struct admin_client *c)
{
    struct json x;
    int result = experiment_find(c, &x);

    if (result == EXIT_DONE && !admin_prints_json(c, x)) {
        headline_print(c, x);
        arms_print(c, x);
        allocation_print(c, x);
        results_print(c, x);
    }
    return result;
}

static int start(struct admin_client *c)
{
    struct json x;
    int result = admin_start(c, STR(""), &x);

    if (result == EXIT_DONE && !admin_prints_json(c, x))
        headline_print(c, x);
    return result;
}

static int stop(struct admin_client *c)
{
    struct json x;
    int result = experiment_find(c, &x);

    if (result != EXIT_DONE)
        return result;
    const struct admin_call call = { "POST",
                                     arena_printf(&c->arena, "/admin/v1/experiments/%.*s/stop",
                                                  STR_ARG(admin_text(c, x, "name"))),
                                     { 0 },
                                     admin_integer(x, "generation") };
    result = admin_call(c, &call, &x);
    if (result == EXIT_DONE && !admin_prints_json(c, x))
        headline_print(c, x);
    return result;
}

static const struct admin_word words[] = {
    { "start", start }, { "status", status }, { "stop", stop }, { "results", results }
};

static int run(const struct cli_args *args)
{
    return admin_run("experiment", args, words, ARRAY_LEN(words),
                     "say what: start FILE, status, stop or results");
}

static const struct cli_option options[] = {
    ADMIN_OPTIONS,
    { NULL, NULL, NULL },
};

const struct cli_command command_experiment = {
    "experiment",
    "start FILE|status|stop|results",
    "an A/B test of configurations",
    "weir experiment start config/experiments/mcts.yaml",
    options,
    run
};
