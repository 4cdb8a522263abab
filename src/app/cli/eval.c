/* SPDX-License-Identifier: Apache-2.0 */
/* weir eval: models and strategies on the same questions, judged, priced and compared. */
#include "app/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli/progress.h"
#include "app/eval/eval.h"
#include "edge/config/config.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

struct command {
    const struct cli_args *args;
    struct config *config;
    struct log log;
    struct eval_options options;
    struct eval *eval;
    struct progress progress;
    uint64_t done; /* of the last report of progress */
    uint64_t faulted;
    nano_usd spent;
};

/* ---- options ---- */

static bool read_share(const struct cli_args *args, const char *option, double *out)
{
    str text = cli_value(args, option);
    double value;

    if (!text.ptr)
        return true;
    if (!str_to_double(text, &value) || value <= 0 || value >= 1) {
        cli_usage_error("eval", "--%s must be a number between 0 and 1, not '%.*s'", option,
                        STR_ARG(text));
        return false;
    }
    *out = value;
    return true;
}

static bool read_expectation(const struct cli_args *args, enum eval_expectation *out)
{
    static const struct {
        str name;
        enum eval_expectation expects;
    } names[] = {
        { { "non_inferior", 12 }, EVAL_EXPECT_NON_INFERIOR },
        { { "superior", 8 }, EVAL_EXPECT_SUPERIOR },
    };
    str text = cli_value(args, "expect");

    for (size_t i = 0; i < ARRAY_LEN(names) && text.ptr; i++) {
        if (str_eq(text, names[i].name)) {
            *out = names[i].expects;
            return true;
        }
    }
    if (text.ptr)
        cli_usage_error("eval", "--expect must be non_inferior or superior, not '%.*s'",
                        STR_ARG(text));
    return !text.ptr;
}

static bool read_budget(const struct cli_args *args, nano_usd *out)
{
    str text = cli_value(args, "budget-usd");

    if (!text.ptr || cost_parse(text, out))
        return true;
    cli_usage_error("eval", "--budget-usd must be dollars like 2.50, not '%.*s'", STR_ARG(text));
    return false;
}

static bool options_read(struct command *c)
{
    const struct cli_args *args = c->args;
    int64_t seed = EVAL_SEED;
    struct eval_options o = {
        .questions = cli_value(args, "questions"),
        .models = cli_value(args, "models"),
        .strategies = cli_value(args, "strategies"),
        .cells = cli_value(args, "cells"),
        .provider = cli_has(args, "provider") ? cli_value(args, "provider") : STR("configured"),
        .peer = cli_value(args, "peer"),
        .strong = cli_value(args, "strong"),
        .out = cli_value(args, "out"),
        .ledger = cli_value(args, "ledger"),
        .baseline = cli_value(args, "baseline"),
        .margin = 0.02,
        .budget = -1,
        .runs = 1,
        .parallel = 4,
        .allows_simulated = cli_has(args, "allow-simulated"),
        .log = &c->log,
    };

    if (!cli_has(args, "questions")) {
        cli_usage_error("eval", "--questions is needed; see 'weir eval --help'");
        return false;
    }
    if (!read_share(args, "margin", &o.margin) || !read_expectation(args, &o.expects) ||
        !read_budget(args, &o.budget) ||
        !cli_integer(args, "eval", "limit", 1, 1000000, &o.limit) ||
        !cli_integer(args, "eval", "runs", 1, EVAL_RUNS_MAX, &o.runs) ||
        !cli_integer(args, "eval", "parallel", 1, EVAL_PARALLEL_MAX, &o.parallel) ||
        !cli_integer(args, "eval", "seed", 0, INT64_MAX, &seed))
        return false;
    o.seed = (uint64_t)seed;
    c->options = o;
    return true;
}

/* ---- before it starts ---- */

static int problems_print(enum err fault, const struct buf *problems)
{
    if (problems->len > 0)
        fprintf(stderr, "%.*s", STR_ARG(buf_str(problems)));
    else
        fprintf(stderr, "weir eval: %s\n", err_info(fault)->text);
    return fault == CALLER_BAD_REQUEST || fault == WEIR_CONFIG || fault == WEIR_IO ? EXIT_USAGE
           : fault == WEIR_NO_MEMORY                                               ? EXIT_DEFECT
                                     : EXIT_UNREACHABLE;
}

static void forecast_print(const struct eval_forecast *f)
{
    char expected[32], worst[32];
    str likely = cost_format(f->expected, expected), most = cost_format(f->worst, worst);

    fprintf(stderr, "weir eval: %" PRIu64 " runs", f->runs - f->done);
    if (f->done > 0)
        fprintf(stderr, " (%" PRIu64 " of %" PRIu64 " are done already)", f->done, f->runs);
    if (!f->spends)
        fprintf(stderr, ", nothing is spent; at the price table %s%.*s%s",
                f->is_exact ? "at most " : "about ", STR_ARG(likely),
                f->has_unpriced ? " and what has no price" : "");
    else
        fprintf(stderr, ", forecast %.*s, at most %.*s%s", STR_ARG(likely), STR_ARG(most),
                f->has_unpriced ? ", and what has no price" : "");
    fprintf(stderr, "\n");
}

/* Asks on a terminal before money is spent. */
static bool is_confirmed(const struct command *c, const struct eval_forecast *f)
{
    bool is_free = !f->spends || (f->expected == 0 && !f->has_unpriced);
    char answer[16];

    if (is_free || cli_has(c->args, "yes") || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return true;
    fprintf(stderr, "Go on? [y/N] ");
    fflush(stderr);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* ---- while it runs ---- */

static void note_write(const struct command *c, struct buf *out)
{
    char cost[32];

    buf_add(out, cost_format(c->spent, cost));
    if (c->faulted > 0)
        buf_printf(out, ", %" PRIu64 " faulted", c->faulted);
}

static void on_progress(void *ctx, const struct eval_progress *progress)
{
    struct command *c = ctx;
    struct buf note = { 0 };

    c->done = progress->done;
    c->faulted = progress->faulted;
    c->spent = progress->spent;
    note_write(c, &note);
    progress_show(&c->progress, c->done, buf_str(&note), world_now_exact());
    buf_fini(&note);
}

static void on_interrupt(void *ctx, uint64_t under_way)
{
    struct command *c = ctx;

    fprintf(stderr,
            "%sweir eval: stopping; %" PRIu64 " runs are under way and are waited for; once more "
            "cuts them\n",
            c->progress.has_bar ? "\n" : "", under_way);
    c->progress.has_bar = false;
}

static void resume_print(const struct command *c)
{
    if (c->options.out.len > 0)
        fprintf(stderr,
                "weir eval: interrupted; the same command resumes it: what is in %.*s is not "
                "run again\n",
                STR_ARG(c->options.out));
    else
        fprintf(stderr, "weir eval: interrupted; without --out nothing was kept\n");
}

/* ---- results ---- */

static void results_print(const struct command *c)
{
    struct eval_style style = { .has_colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") };
    struct buf out = { .max = (size_t)256 << 20 };

    if (!cli_has(c->args, "json")) {
        eval_write_text(c->eval, &style, &out);
    } else {
        eval_write_json(c->eval, &out);
        if (eval_is_refused(c->eval))
            fprintf(stderr, "weir eval: the result is refused:\n%.*s",
                    STR_ARG(eval_refusals(c->eval)));
    }
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

static int results(struct command *c)
{
    struct buf problems = { 0 };
    int status = EXIT_DONE;
    enum err fault = eval_report(c->eval);

    if (fault == OK && !eval_refuses_to_run(c->eval))
        fault = eval_write_files(c->eval, &problems);
    if (fault != OK) {
        status = problems_print(fault, &problems);
    } else {
        results_print(c);
        if (eval_is_refused(c->eval))
            status = EXIT_CHECK_FAILED;
        else if (eval_is_unreachable(c->eval))
            status = EXIT_UNREACHABLE;
        else if (!eval_meets_expectation(c->eval))
            status = EXIT_CHECK_FAILED;
    }
    buf_fini(&problems);
    return status;
}

static int perform(struct command *c)
{
    struct eval_watcher watcher = { c, on_progress, on_interrupt };
    struct eval_forecast forecast = eval_forecast(c->eval);
    enum eval_end end = EVAL_DONE;
    struct buf note = { 0 };

    forecast_print(&forecast);
    if (!is_confirmed(c, &forecast)) {
        fprintf(stderr, "weir eval: nothing was run\n");
        return EXIT_CHECK_FAILED;
    }
    c->done = forecast.done;
    progress_init(&c->progress, stderr, "runs", forecast.runs, forecast.done, world_now_exact());
    enum err fault = eval_run(c->eval, &watcher, &end);
    note_write(c, &note);
    progress_end(&c->progress, c->done, buf_str(&note), world_now_exact());
    buf_fini(&note);
    if (fault != OK) {
        fprintf(stderr, "weir eval: a run could not be kept: %s\n", err_info(fault)->text);
        return EXIT_UNREACHABLE;
    }
    if (end == EVAL_INTERRUPTED) {
        resume_print(c);
        return EXIT_CHECK_FAILED;
    }
    return results(c);
}

static int run(const struct cli_args *args)
{
    struct command c = { .args = args, .log = { LOG_WARNING, STDERR_FILENO } };
    struct buf problems = { 0 };

    if (args->word_count > 0)
        return cli_usage_error("eval", "takes options only; see 'weir eval --help'");
    if (!options_read(&c))
        return EXIT_USAGE;
    int status = cli_config_load(args, false, &c.config);
    if (status != EXIT_DONE)
        return status;
    c.options.config = c.config;
    enum err fault = eval_open(&c.eval, &c.options, &problems);
    if (fault != OK)
        status = problems_print(fault, &problems);
    else
        status = eval_refuses_to_run(c.eval) ? results(&c) : perform(&c);
    buf_fini(&problems);
    eval_close(c.eval);
    config_close(c.config);
    return status;
}

static const struct cli_option options[] = {
    { "questions", "FILE", "JSON Lines: id, domain, prompt, and answer, verifier or rubric" },
    { "models", "A,B", "each with each of --strategies" },
    { "strategies", "X,Y",
      "direct, hrm, trm, hrm_trm, self_consistency, cascade, mcts, full_stack" },
    { "cells", "LIST", "MODEL/STRATEGY or MODEL/STRATEGY:SIMULATIONS, by commas" },
    { "provider", "P", "configured (default), recorded:DIR, sim" },
    { "peer", "M", "the cascade's second opinion (cascade.peer_model)" },
    { "strong", "M", "the cascade's stronger model (cascade.strong_model)" },
    { "margin", "M", "of non-inferiority, as a share (0.02)" },
    { "baseline", "CELL", "compare the others with this cell" },
    { "expect", "V", "non_inferior or superior: exit 1 when a cell is not, against --baseline" },
    { "budget-usd", "X", "stop before more than this is spent" },
    { "out", "DIR", "keep runs and results there; an interrupted evaluation resumes from it" },
    { "ledger", "DIR", "configured: the ledger's directory (OUT/ledger, else ledger.directory)" },
    { "limit", "N", "only so many questions, drawn with the seed" },
    { "runs", "K", "of each question in each cell (1)" },
    { "parallel", "N", "configured: queries at once (4)" },
    { "seed", "N", "order, draws, simulation (1)" },
    { "yes", NULL, "do not ask before money is spent" },
    { "allow-simulated", NULL, "run what is not a measurement, labelled" },
    { "config", "FILE",
      "configuration; else ./weir.yaml, /etc/weir/weir.yaml, the built-in defaults" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_eval = { "eval",
                                          "",
                                          "compares models and strategies on a set of questions",
                                          "weir eval --questions questions.jsonl --models "
                                          "gpt-4o,gpt-4o-mini --strategies direct --out eval-1",
                                          options,
                                          run };
