/* SPDX-License-Identifier: Apache-2.0 */
/* weir report --reconcile: a provider's invoice beside the ledger. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/report.h"
#include "app/report/daily.h"
#include "app/report/reconcile.h"
#include "edge/config/config.h"
#include "edge/world/world.h"

#define MEMORY_MAX ((size_t)512 << 20)
#define TOLERANCE_DEFAULT (NANO_PER_USD / 100)
#define DAY_USEC (INT64_C(86400) * 1000000)

/* The whole file, in the arena. */
static int file_read(str path, struct arena *arena, str *out)
{
    FILE *file = fopen(path.ptr, "rbe");
    char *text = file ? arena_alloc(arena, INVOICE_BYTES_MAX + 1) : NULL;
    size_t len = text ? fread(text, 1, INVOICE_BYTES_MAX + 1, file) : 0;
    bool is_read = text && !ferror(file) && len <= INVOICE_BYTES_MAX;

    if (!is_read)
        fprintf(stderr, "weir report: cannot read '%.*s': %s\n", STR_ARG(path),
                len > INVOICE_BYTES_MAX ? "it has more than 64 MiB" : strerror(errno));
    if (file)
        fclose(file);
    *out = (str){ text, len };
    return is_read ? EXIT_DONE : EXIT_USAGE;
}

/* Drops rows of other days; false when none is left. */
static bool rows_within(struct invoice *invoice, const struct day *day)
{
    size_t kept = 0;

    for (size_t i = 0; i < invoice->count; i++) {
        usec_utc at = invoice->rows[i].utc_day * DAY_USEC;
        if (at >= day->from && at < day->to)
            invoice->rows[kept++] = invoice->rows[i];
    }
    invoice->count = kept;
    return kept > 0;
}

/* The days that are compared: those that were named, or those of the invoice from the first to the last. */
static int span_find(const struct cli_args *args, struct invoice *invoice, struct report_span *out)
{
    struct report_dates dates;
    struct day day;
    char why[256];
    const char *fault = report_dates_of(args, &dates);
    const struct day_query query = {
        .date = dates.first, .last_date = dates.last, .zone = STR("UTC"), .now = world_wall()
    };

    if (fault)
        return cli_usage_error("report", "%s", fault);
    if (!str_eq(dates.zone, STR("UTC")))
        return cli_usage_error("report", "invoices are by UTC days: leave --tz out");
    *out = (struct report_span){ .from = invoice->rows[0].utc_day * DAY_USEC,
                                 .to = (invoice->rows[invoice->count - 1].utc_day + 1) * DAY_USEC };
    if (dates.first.len == 0)
        return EXIT_DONE;
    if (day_find(&query, &day, why) != OK)
        return cli_usage_error("report", "%s", why);
    if (!rows_within(invoice, &day))
        return cli_usage_error("report", "the invoice has no amounts of these days");
    out->from = day.from;
    out->to = day.to;
    return EXIT_DONE;
}

/* Leaves the calls of one provider. */
static void provider_keep(struct ledger_report *ledger, str provider)
{
    size_t kept = 0;

    for (size_t i = 0; i < ledger->calls_count; i++) {
        if (str_eq(ledger->calls[i].provider, provider))
            ledger->calls[kept++] = ledger->calls[i];
    }
    ledger->calls_count = kept;
}

static int failed(enum err e, const char *why)
{
    fprintf(stderr, "weir report: %s: %s\n", err_info(e)->text, why);
    return EXIT_UNREACHABLE;
}

static int compare(const struct cli_args *args, const struct config *config,
                   const struct invoice *invoice, const struct report_span *span,
                   nano_usd tolerance, struct arena *arena)
{
    struct ledger_report ledger;
    struct reconciliation r;
    struct buf out = { 0 };
    char why[256] = "";
    str directory;

    enum err e = report_prepare(args, config, &directory, why);
    if (e == OK)
        e = store_read_report(directory, span, arena, &ledger, why);
    if (e != OK)
        return failed(e, why);
    if (cli_has(args, "provider"))
        provider_keep(&ledger, cli_value(args, "provider"));
    e = reconcile_make(&r, invoice, &ledger, tolerance, arena);
    if (e != OK)
        return failed(e, "the amounts cannot be added up");
    if (cli_has(args, "json") || str_eq(cli_value(args, "format"), STR("json")))
        reconcile_write_json(&r, &out);
    else
        reconcile_write_text(&r, &out);
    int status = report_print(&out);
    buf_fini(&out);
    return status != EXIT_DONE || reconcile_holds(&r) ? status : EXIT_CHECK_FAILED;
}

static int tolerance_of(const struct cli_args *args, nano_usd *out)
{
    *out = TOLERANCE_DEFAULT;
    if (cli_has(args, "tolerance") && (!cost_parse(cli_value(args, "tolerance"), out) || *out < 0))
        return cli_usage_error("report", "--tolerance must be dollars, as 0.01, not '%.*s'",
                               STR_ARG(cli_value(args, "tolerance")));
    return EXIT_DONE;
}

int report_reconcile(const struct cli_args *args, const struct config *config)
{
    struct arena arena;
    struct invoice invoice;
    struct report_span span;
    nano_usd tolerance;
    char why[256] = "";
    str text;

    arena_init(&arena, MEMORY_MAX);
    int status = tolerance_of(args, &tolerance);
    if (status == EXIT_DONE)
        status = file_read(cli_value(args, "reconcile"), &arena, &text);
    if (status == EXIT_DONE && invoice_read(text, &arena, &invoice, why) != OK)
        status = cli_usage_error("report", "the invoice cannot be read: %s", why);
    if (status == EXIT_DONE)
        status = span_find(args, &invoice, &span);
    if (status == EXIT_DONE)
        status = compare(args, config, &invoice, &span, tolerance, &arena);
    arena_fini(&arena);
    return status;
}
