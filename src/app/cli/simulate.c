/* SPDX-License-Identifier: Apache-2.0 */
/* weir simulate: rollouts in virtual time, before they touch production. */
#include <stdlib.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cli/progress.h"
#include "app/sim/rehearsal.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

#define SEEDS_MAX 10000000
#define JOBS_MAX 256

struct wish {
    int64_t seeds, first, jobs;
    bool is_json;
    bool is_quiet; /* no timeline */
};

/* ---- one scenario ---- */

static void on_progress(void *ctx, size_t done)
{
    progress_show((struct progress *)ctx, done, STR(""), world_now_exact());
}

static enum err run_all(const struct scenario *s, const struct wish *wish, struct rehearsal *runs)
{
    struct progress progress;
    struct rehearsal_fleet fleet = { .first_seed = (uint64_t)wish->first,
                                     .count = (size_t)wish->seeds,
                                     .jobs = (int)wish->jobs,
                                     .on_progress = on_progress,
                                     .ctx = &progress };

    progress_init(&progress, stderr, "runs", fleet.count, 0, world_now_exact());
    if (!progress.is_terminal)
        fleet.on_progress = NULL;
    enum err e = rehearsal_run_many(s, &fleet, runs);
    if (progress.is_terminal)
        progress_end(&progress, fleet.count, STR(""), world_now_exact());
    return e;
}

/* The first seed again, now that it is known how long it takes. */
static enum err draw(const struct scenario *s, const struct rehearsal *first,
                     struct timeline *timeline)
{
    struct rehearsal again;

    timeline->width_s = first->ended_s / TIMELINE_COLUMNS;
    if (timeline->width_s <= 0)
        timeline->width_s = 1;
    return rehearsal_run(s, first->seed, &again, timeline);
}

static int report(const struct scenario *s, const struct wish *wish, struct rehearsal *runs,
                  struct timeline *timeline, struct buf *out)
{
    struct rehearsal_summary summary;
    struct rehearsal_check checks[REHEARSAL_CHECKS_MAX];
    bool has_timeline = !wish->is_json && !wish->is_quiet;
    enum err e = run_all(s, wish, runs);

    if (e == OK && has_timeline)
        e = draw(s, &runs[0], timeline);
    if (e == OK)
        e = rehearsal_summarise(runs, (size_t)wish->seeds, &summary);
    if (e != OK) {
        fprintf(stderr, "weir simulate: %.*s: %s\n", STR_ARG(s->path), err_info(e)->text);
        return e == WEIR_CONFIG ? EXIT_USAGE : EXIT_DEFECT;
    }
    struct rehearsal_report r = { .scenario = s,
                                  .runs = runs,
                                  .summary = &summary,
                                  .checks = checks,
                                  .check_count = rehearsal_checks(s, &summary, checks),
                                  .timeline = has_timeline ? timeline : NULL };
    if (wish->is_json)
        rehearsal_write_json(out, &r);
    else
        rehearsal_write_text(out, &r);
    for (size_t i = 0; i < r.check_count; i++) {
        if (!checks[i].is_met)
            return EXIT_CHECK_FAILED;
    }
    return EXIT_DONE;
}

static int simulate(const struct scenario *s, const struct wish *wish, struct buf *out)
{
    struct rehearsal *runs = calloc((size_t)wish->seeds, sizeof(*runs));
    struct timeline *timeline = calloc(1, sizeof(*timeline));
    int status = EXIT_DEFECT;

    if (runs && timeline)
        status = report(s, wish, runs, timeline, out);
    else
        fprintf(stderr, "weir simulate: out of memory for so many seeds\n");
    free(timeline);
    free(runs);
    return status;
}

/* ---- all of them: every file is read before anything is run ---- */

static int load(const struct cli_args *args, struct scenario *scenarios[CLI_WORDS_MAX])
{
    int status = EXIT_DONE;

    for (size_t i = 0; i < args->word_count; i++) {
        struct config_issues issues;
        if (scenario_load(args->words[i], &scenarios[i], &issues) != OK ||
            rehearsal_answers_add(scenarios[i], &issues) != OK)
            status = EXIT_USAGE;
        for (size_t k = 0; k < issues.count; k++) {
            if (!issues.items[k].is_warning)
                cli_issue_print(stderr, &issues.items[k]);
        }
        config_issues_fini(&issues);
    }
    return status;
}

static int worse(int a, int b)
{
    return a > b ? a : b;
}

static int run_scenarios(const struct cli_args *args, const struct wish *wish,
                         struct scenario *const scenarios[CLI_WORDS_MAX])
{
    bool is_list = args->word_count > 1;
    int status = EXIT_DONE;

    for (size_t i = 0; i < args->word_count; i++) {
        struct buf out = { .max = SIZE_MAX / 2 };
        if (i > 0)
            buf_add_char(&out, wish->is_json ? ',' : '\n');
        else if (is_list && wish->is_json)
            buf_add_char(&out, '[');
        status = worse(status, simulate(scenarios[i], wish, &out));
        if (wish->is_json && i + 1 == args->word_count)
            buf_add(&out, is_list ? STR("]\n") : STR("\n"));
        if (out.failed)
            status = EXIT_DEFECT;
        else if (status != EXIT_DEFECT)
            fwrite(out.ptr, 1, out.len, stdout);
        buf_fini(&out);
        fflush(stdout);
    }
    return status;
}

static int run(const struct cli_args *args)
{
    struct scenario *scenarios[CLI_WORDS_MAX] = { NULL };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct wish wish = { .seeds = 20,
                         .first = 1,
                         .jobs = cores > 0 && cores < JOBS_MAX ? cores : 1,
                         .is_json = cli_has(args, "json"),
                         .is_quiet = cli_has(args, "no-timeline") };

    if (args->word_count == 0)
        return cli_usage_error("simulate", "name a scenario; see 'weir simulate --help'");
    if (!cli_integer(args, "simulate", "seeds", 1, SEEDS_MAX, &wish.seeds) ||
        !cli_integer(args, "simulate", "seed", 0, INT64_MAX / 2, &wish.first) ||
        !cli_integer(args, "simulate", "jobs", 1, JOBS_MAX, &wish.jobs))
        return EXIT_USAGE;
    int status = load(args, scenarios);
    if (status == EXIT_DONE)
        status = run_scenarios(args, &wish, scenarios);
    for (size_t i = 0; i < args->word_count; i++)
        scenario_close(scenarios[i]);
    return status;
}

static const struct cli_option options[] = {
    { "seeds", "N", "how often, each with other luck (20)" },
    { "seed", "N", "the first seed (1); the same seed gives the same run" },
    { "jobs", "N", "threads (as many as there are cores)" },
    { "no-timeline", NULL, "only the summary" },
    { "json", NULL, "one JSON value on stdout; of several scenarios a list" },
    { NULL, NULL, NULL },
};

const struct cli_command command_simulate = {
    "simulate",
    "FILE",
    "rehearses a rollout in virtual time against simulated traffic and models",
    "weir simulate config/scenarios/quality_drop_one_domain.yaml --seeds 200",
    options,
    run
};
