/* SPDX-License-Identifier: Apache-2.0 */
/* weir report: what a day cost, and what it did. */
#include "app/cli/cli.h"
#include "app/cli/progress.h"
#include "app/report/daily.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

#define BASELINE_DEFAULT "gpt-4o"
#define MEMORY_MAX ((size_t)256 << 20) /* names and their sums; not what the ledger holds */

static str value_or(const struct cli_args *args, const char *option, str fallback)
{
    return cli_has(args, option) ? cli_value(args, option) : fallback;
}

static int print(const struct daily *d, enum daily_format format)
{
    struct buf out = { 0 };

    daily_write(d, format, &out);
    bool is_written =
        !out.failed && fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_fini(&out);
    if (is_written)
        return EXIT_DONE;
    fprintf(stderr, "weir report: the report cannot be written to stdout\n");
    return EXIT_UNREACHABLE;
}

static void show_progress(void *ctx, int64_t done, int64_t all)
{
    struct progress *p = ctx;

    if (p->total == 0)
        progress_init(p, stderr, "queries summed", (uint64_t)all, 0, world_now_exact());
    if (done < all)
        progress_show(p, (uint64_t)done, STR("once"), world_now_exact());
    else
        progress_end(p, (uint64_t)done, STR("once"), world_now_exact());
}

static int report(const struct cli_args *args, const struct config *config, const struct day *day,
                  enum daily_format format)
{
    const struct daily_options options = {
        .day = *day,
        .baseline = value_or(args, "baseline", STR(BASELINE_DEFAULT)),
        .is_simulated = cli_has(args, "simulated"),
        .prices = &config->prices,
    };
    const struct report_span span = { day->from, day->to, options.is_simulated };
    struct ledger_report ledger;
    struct daily d;
    struct arena arena;
    struct progress progress = { 0 };
    str directory = value_or(args, "ledger", config->ledger.directory);
    char why[256] = "";

    arena_init(&arena, MEMORY_MAX);
    enum err e = store_roll_up(directory, show_progress, &progress, why);
    if (e == OK)
        e = store_read_report(directory, &span, &arena, &ledger, why);
    if (e == OK)
        e = daily_make(&d, &options, &ledger, &arena);
    int status = EXIT_UNREACHABLE;
    if (e == OK)
        status = print(&d, format);
    else
        fprintf(stderr, "weir report: %s: %s\n", err_info(e)->text, why);
    arena_fini(&arena);
    return status;
}

/* --date, or --from and --to. */
static enum err day_of(const struct cli_args *args, struct day *out, char out_why[256])
{
    bool is_span = cli_has(args, "from");
    const struct day_query query = { .date = cli_value(args, is_span ? "from" : "date"),
                                     .last_date = cli_value(args, "to"),
                                     .zone = value_or(args, "tz", STR("UTC")),
                                     .now = world_wall() };

    if (is_span != cli_has(args, "to") || (is_span && cli_has(args, "date"))) {
        snprintf(out_why, 256, "say --date, or both --from and --to");
        return CALLER_BAD_REQUEST;
    }
    if ((is_span || cli_has(args, "date")) && query.date.len == 0) {
        snprintf(out_why, 256, "the date must be one of the calendar, as 2026-11-24");
        return CALLER_BAD_REQUEST;
    }
    return day_find(&query, out, out_why);
}

static int run(const struct cli_args *args)
{
    struct config *config = NULL;
    struct day day;
    enum daily_format format = cli_has(args, "json") ? DAILY_JSON : DAILY_TEXT;
    char why[256] = "";

    if (args->word_count > 0)
        return cli_usage_error("report", "'%.*s' is no option; see 'weir report --help'",
                               STR_ARG(args->words[0]));
    if (cli_has(args, "format") && !daily_format_find(cli_value(args, "format"), &format))
        return cli_usage_error("report", "--format must be text, json, csv or html, not '%.*s'",
                               STR_ARG(cli_value(args, "format")));
    if (day_of(args, &day, why) != OK)
        return cli_usage_error("report", "%s", why);
    int status = cli_config_load(args, false, &config);
    if (status != EXIT_DONE)
        return status;
    status = report(args, config, &day, format);
    config_close(config);
    return status;
}

static const struct cli_option options[] = {
    { "date", "D", "the day, as 2026-11-24 (default: today)" },
    { "from", "D", "the first day of several, with --to" },
    { "to", "D", "the last of them; at most 366" },
    { "tz", "Z", "whose day: a name of the tz database (default: UTC)" },
    { "format", "text|json|csv|html", "how it is written (default: text)" },
    { "baseline", "MODEL", "whose price savings are held against (default: " BASELINE_DEFAULT ")" },
    { "simulated", NULL, "of what simulated providers answered instead of what was paid for" },
    { "ledger", "DIR", "the ledger's directory instead of the configuration's" },
    { "config", "FILE", "configuration that names the ledger and the prices" },
    { "json", NULL, "the same as --format json" },
    { NULL, NULL, NULL },
};

const struct cli_command command_report = { "report",
                                            "",
                                            "what a day cost, saved and achieved, from the ledger",
                                            "weir report --date 2026-11-24 --tz Europe/Berlin",
                                            options,
                                            run };
