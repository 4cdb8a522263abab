/* SPDX-License-Identifier: Apache-2.0 */
/* weir report: what a day cost, or several, and what they did. */
#include "app/cli/report.h"

#include <stdio.h>

#include "app/cli/progress.h"
#include "app/report/daily.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

/* ---- what both forms share ---- */

const char *report_dates_of(const struct cli_args *args, struct report_dates *out)
{
    bool is_span = cli_has(args, "from");

    *out = (struct report_dates){ cli_value(args, is_span ? "from" : "date"), cli_value(args, "to"),
                                  cli_value_or(args, "tz", STR("UTC")) };
    if (is_span != cli_has(args, "to") || (is_span && cli_has(args, "date")))
        return "say --date, or both --from and --to";
    if ((is_span || cli_has(args, "date")) && out->first.len == 0)
        return "the date must be one of the calendar, as 2026-11-24";
    return NULL;
}

static void show_progress(void *ctx, int64_t done, int64_t all)
{
    struct progress *p = ctx;

    if (p->total == 0)
        progress_init(p, stderr, "queries summed", (uint64_t)all, 0, world_now_exact());
    if (done < all)
        progress_show(p, (uint64_t)done, STR("once for this ledger"), world_now_exact());
    else
        progress_end(p, (uint64_t)done, STR("once for this ledger"), world_now_exact());
}

enum err report_prepare(const struct cli_args *args, const struct config *config,
                        str *out_directory, char out_why[256])
{
    struct progress progress = { 0 };

    *out_directory = cli_value_or(args, "ledger", config->ledger.directory);
    return store_roll_up(*out_directory, show_progress, &progress, out_why);
}

int report_print(const struct buf *out)
{
    bool is_written =
        !out->failed && fwrite(out->ptr, 1, out->len, stdout) == out->len && fflush(stdout) == 0;

    if (is_written)
        return EXIT_DONE;
    fprintf(stderr, "weir report: the report cannot be written to stdout\n");
    return EXIT_UNREACHABLE;
}

/* ---- days ---- */

static int report(const struct cli_args *args, const struct config *config, const struct day *day,
                  enum daily_format format)
{
    struct daily_request request = { .day = *day,
                                     .baseline = cli_value(args, "baseline"),
                                     .is_simulated = cli_has(args, "simulated"),
                                     .config = config,
                                     .format = format };
    struct buf out = { 0 };
    char why[256] = "";
    int status = EXIT_UNREACHABLE;

    enum err e = report_prepare(args, config, &request.directory, why);
    if (e == OK)
        e = daily_report(&request, &out, why);
    if (e == OK)
        status = report_print(&out);
    else
        fprintf(stderr, "weir report: %s: %s\n", err_info(e)->text, why);
    buf_fini(&out);
    return status;
}

static int day_of(const struct cli_args *args, struct day *out)
{
    struct report_dates dates;
    char why[256];
    const char *fault = report_dates_of(args, &dates);
    const struct day_query query = {
        .date = dates.first, .last_date = dates.last, .zone = dates.zone, .now = world_wall()
    };

    if (!fault && day_find(&query, out, why) == OK)
        return EXIT_DONE;
    return cli_usage_error("report", "%s", fault ? fault : why);
}

static int run_days(const struct cli_args *args, const struct config *config)
{
    enum daily_format format = cli_has(args, "json") ? DAILY_JSON : DAILY_TEXT;
    struct day day;

    if (cli_has(args, "format"))
        IGNORE(daily_format_find(cli_value(args, "format"), &format)); /* run() looked at it */
    int status = day_of(args, &day);
    return status == EXIT_DONE ? report(args, config, &day, format) : status;
}

static int run(const struct cli_args *args)
{
    bool is_reconciling = cli_has(args, "reconcile");
    struct config *config = NULL;
    enum daily_format format;

    if (args->word_count > 0)
        return cli_usage_error("report", "'%.*s' is no option; see 'weir report --help'",
                               STR_ARG(args->words[0]));
    if (cli_has(args, "format") && !daily_format_find(cli_value(args, "format"), &format))
        return cli_usage_error("report", "--format must be text, json, csv or html, not '%.*s'",
                               STR_ARG(cli_value(args, "format")));
    if (is_reconciling && cli_has(args, "format") && format != DAILY_TEXT && format != DAILY_JSON)
        return cli_usage_error("report", "--reconcile writes text or json");
    if (!is_reconciling && (cli_has(args, "tolerance") || cli_has(args, "provider")))
        return cli_usage_error("report", "--tolerance and --provider go with --reconcile");
    int status = cli_config_load(args, false, &config);
    if (status != EXIT_DONE)
        return status;
    status = is_reconciling ? report_reconcile(args, config) : run_days(args, config);
    config_close(config);
    return status;
}

static const struct cli_option options[] = {
    { "date", "D", "the day, as 2026-11-24 (default: today)" },
    { "from", "D", "the first day of several, with --to" },
    { "to", "D", "the last of them; at most 366" },
    { "tz", "Z", "whose days: a name of the tz database (default: UTC)" },
    { "format", "text|json|csv|html", "how it is written (default: text)" },
    { "baseline", "MODEL", "whose price savings are held against (default: report.baseline)" },
    { "simulated", NULL, "of what simulated providers answered instead of what was paid for" },
    { "reconcile", "FILE", "hold a provider's invoice (CSV) against the ledger instead" },
    { "tolerance", "USD", "of --reconcile: the difference that passes (default: 0.01)" },
    { "provider", "NAME", "of --reconcile: only calls to this provider" },
    { "ledger", "DIR", "the ledger's directory instead of the configuration's" },
    { "config", "FILE", "configuration that names the ledger, the prices and the targets" },
    { "json", NULL, "the same as --format json" },
    { NULL, NULL, NULL },
};

const struct cli_command command_report = { "report",
                                            "",
                                            "what a day cost, saved and achieved, from the ledger",
                                            "weir report --date 2026-11-24 --tz Europe/Berlin",
                                            options,
                                            run };
