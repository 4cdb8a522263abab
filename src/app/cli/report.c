/* SPDX-License-Identifier: Apache-2.0 */
/* weir report: what a day cost, and what it did. */
#include "app/cli/cli.h"
#include "app/cli/progress.h"
#include "app/report/daily.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

static str value_or(const struct cli_args *args, const char *option, str fallback)
{
    return cli_has(args, option) ? cli_value(args, option) : fallback;
}

static int print(const struct buf *out)
{
    bool is_written =
        !out->failed && fwrite(out->ptr, 1, out->len, stdout) == out->len && fflush(stdout) == 0;

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
    const struct daily_request request = {
        .directory = value_or(args, "ledger", config->ledger.directory),
        .day = *day,
        .baseline = cli_value(args, "baseline"),
        .is_simulated = cli_has(args, "simulated"),
        .config = config,
        .format = format,
    };
    struct progress progress = { 0 };
    struct buf out = { 0 };
    char why[256] = "";
    int status = EXIT_UNREACHABLE;

    enum err e = store_roll_up(request.directory, show_progress, &progress, why);
    if (e == OK)
        e = daily_report(&request, &out, why);
    if (e == OK)
        status = print(&out);
    else
        fprintf(stderr, "weir report: %s: %s\n", err_info(e)->text, why);
    buf_fini(&out);
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
    { "baseline", "MODEL", "whose price savings are held against (default: report.baseline)" },
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
