/* SPDX-License-Identifier: Apache-2.0 */
/* Invoices as providers and people write them, and what they come to beside a ledger. */
#include <string.h>

#include "app/report/daily_internal.h"
#include "app/report/reconcile.h"
#include "test/check.h"

#define DAY 20777 /* 2026-11-20 */

static void invoices_are_read(void)
{
    static const struct {
        const char *text;
        int64_t rows, lines, first_day;
        nano_usd total;
        const char *first_model;
    } rows[] = {
        { "date,model,cost\n2026-11-20,gpt-4o,1.5\n", 1, 1, DAY, 1500000000, "gpt-4o" },
        /* OpenAI's cost export: seconds, line items, snapshots. */
        { "start_time,end_time,amount_value,amount_currency,line_item,project_id\n"
          "1795132800,1795219200,0.06,usd,\"gpt-4o-2024-08-06, input\",p\n"
          "1795132800,1795219200,1.25e-05,usd,\"gpt-4o-2024-08-06, output\",p\n",
          1, 2, DAY, 60012500, "gpt-4o" },
        /* Columns in another order and case, byte order mark, CRLF, quotes, blank lines, no end of the last line. */
        { "\xef\xbb\xbf"
          "COST,\"Usage Date\",Model\r\n\r\n\"$2\",\"2026-11-20T00:00:00Z\",\"a \"\"b\"\"\"\r\n"
          "-0.5,2026-11-21 00:00:00+00:00,m",
          2, 2, DAY, 1500000000, "a \"b\"" },
        { "date,cost\n2026-11-21,1\n2026-11-20,2\n2026-11-21,4\n", 2, 3, DAY, 7000000000, "" },
        { "date,model,cost\n2026-11-20,m-20240718,1\n2026-11-20,m,1\n2026-11-20, m ,1\n", 1, 3, DAY,
          3000000000, "m" },
        { "date,model,cost\n2026-11-20,m-2024,1\n", 1, 1, DAY, 1000000000, "m-2024" },
        { "date,model,cost\n2026-11-20,m20240-718,1\n", 1, 1, DAY, 1000000000, "m20240-718" },
        { "date,model,cost\n2026-11-20,-20240718,1\n", 1, 1, DAY, 1000000000, "-20240718" },
        { "date,cost\n2026-11-20,0.0000000005\n", 1, 1, DAY, 1, "" },
        { "date,cost\n2026-11-20,-0.0000000005\n", 1, 1, DAY, -1, "" },
        { "date,cost\n2026-11-20,0.00000000049999\n", 1, 1, DAY, 0, "" },
        { "date,cost\n2026-11-20,0.1234567894999999999999\n", 1, 1, DAY, 123456789, "" },
        { "date,cost\n2026-11-20,1e3\n", 1, 1, DAY, 1000000000000, "" },
        { "date,cost\n2026-11-20,12345678901234567890e-19\n", 1, 1, DAY, 1234567890, "" },
        { "date,cost\n2026-11-20,.5\n", 1, 1, DAY, 500000000, "" },
        { "date,cost,currency\n2026-11-20,1,\n2026-11-20,1,USD\n", 1, 2, DAY, 2000000000, "" },
        { "timestamp,date,cost\n5,2026-11-20,1\n", 1, 1, DAY, 1000000000, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct invoice invoice = { 0 };
        struct arena arena;
        char why[256] = "";
        arena_init(&arena, (size_t)1 << 20);
        if (invoice_read(str_from(rows[i].text), &arena, &invoice, why) != OK) {
            check_note(__FILE__, __LINE__, why);
            fprintf(stderr, "%s\n", rows[i].text);
        } else {
            CHECK_INT((int64_t)invoice.count, rows[i].rows);
            CHECK_INT(invoice.lines, rows[i].lines);
            CHECK_INT(invoice.total, rows[i].total);
            CHECK_INT(invoice.rows[0].utc_day, rows[i].first_day);
            CHECK_STR(invoice.rows[0].model, str_from(rows[i].first_model));
        }
        arena_fini(&arena);
    }
}

static void nonsense_is_refused(void)
{
    static const struct {
        const char *text, *why; /* a part of it */
    } rows[] = {
        { "", "empty" },
        { "date,cost\n", "no amounts" },
        { "date,model\n2026-11-20,m\n", "no column of amounts" },
        { "model,cost\nm,1\n", "no column of days" },
        { "Date;Model;Cost\n2026-11-20;m;1\n", "no column of days" },
        { "date,cost\n2026-11-20,\"1,234.56\"\n", "line 2: '1,234.56' has a thousands separator" },
        { "date,cost\n2026-11-20,\"1,5\"\n", "decimal comma" },
        { "date,cost\n2026-11-20,1'234\n", "thousands" },
        { "date,cost\n2026-11-20,1 234\n", "no amount" },
        { "date,cost\n2026-11-20,\n", "no amount" },
        { "date,cost\n2026-11-20,-\n", "no amount" },
        { "date,cost\n2026-11-20,1.2.3\n", "no amount" },
        { "date,cost\n2026-11-20,1e\n", "no amount" },
        { "date,cost\n2026-11-20,0x10\n", "no amount" },
        { "date,cost\n2026-11-20,nan\n", "no amount" },
        { "date,cost\n2026-11-20,12 EUR\n", "no amount" },
        { "date,cost\n2026-11-20,1e99\n", "more than" },
        { "date,cost\n2026-11-20,9223372037\n", "more than" },
        { "date,cost\n2026-11-20,9e9\n2026-11-20,9e9\n", "more than" },
        { "date,cost,currency\n2026-11-20,1,EUR\n", "'EUR' is a currency" },
        { "date,cost\n20261120,1\n", "no day" },
        { "date,cost\n20.11.2026,1\n", "no day" },
        { "date,cost\n2026-02-30,1\n", "no day" },
        { "date,cost\n2026-11-20T00:00:00+01:00,1\n", "no day" },
        { "date,cost\n2026-11-20x,1\n", "no day" },
        { "date,cost\n2026-11-20T,1\n", "no day" },
        { "date,cost\n1969-12-31,1\n", "no day" },
        { "date,cost\n\n2026-11-20\n", "line 3: '2026-11-20' begins a row with too few fields" },
        { "date,cost\n2026-11-20,\"1\n", "does not end" },
        { "date,cost\n2026-11-20,\"1\"2\n", "behind a quoted field" },
        { "date,cost,model\n\x1b[31m,1,m\n", "'?[31m' is no day" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct invoice invoice = { .count = 7 };
        struct arena arena;
        char why[256] = "";
        arena_init(&arena, (size_t)1 << 20);
        CHECK_ERR(invoice_read(str_from(rows[i].text), &arena, &invoice, why), CALLER_BAD_REQUEST);
        if (str_find(str_from(why), str_from(rows[i].why)) == STR_NPOS)
            check_note(__FILE__, __LINE__, why);
        CHECK_INT((int64_t)invoice.count, 7);
        arena_fini(&arena);
    }
}

/* ---- beside a ledger ---- */

static struct reconciliation reconcile(const char *text, struct report_calls *calls, size_t count,
                                       nano_usd tolerance, struct arena *arena)
{
    const struct ledger_report ledger = { .calls = calls, .calls_count = count };
    struct reconciliation r = { 0 };
    struct invoice invoice = { 0 };
    char why[256] = "";

    CHECK_ERR(invoice_read(str_from(text), arena, &invoice, why), OK);
    CHECK_ERR(reconcile_make(&r, &invoice, &ledger, tolerance, arena), OK);
    return r;
}

static void both_sides_are_compared(void)
{
    struct report_calls calls[] = {
        { .model = STR("m"), .provider = STR("p"), .utc_day = DAY, .calls = 3, .cost = 1000 },
        { .model = STR("m-2024-07-18"),
          .provider = STR("q"),
          .utc_day = DAY,
          .calls = 2,
          .cost = 500,
          .unpriced = 1,
          .interrupted = 1,
          .interrupted_cost = 400 },
        { .model = STR("only ours"), .utc_day = DAY, .calls = 1, .cost = 30 },
        { .model = STR("m"), .utc_day = DAY + 1, .calls = 1, .cost = 70 },
    };
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    struct reconciliation r = reconcile("date,model,cost\n2026-11-20,m,0.000001510\n"
                                        "2026-11-21,m,0.00000007\n2026-11-22,theirs,0.00000002\n",
                                        calls, ARRAY_LEN(calls), 10, &arena);
    REQUIRE(r.count == 4);
    CHECK(r.rows[0].ours == 1500 && r.rows[0].theirs == 1510 && r.rows[0].difference == 10);
    CHECK(r.rows[0].is_within && r.rows[0].calls == 5 && r.rows[0].unpriced == 1);
    CHECK(r.rows[0].interrupted == 1 && r.rows[0].interrupted_cost == 400);
    CHECK(r.rows[1].is_ours && !r.rows[1].is_theirs && r.rows[1].difference == -30);
    CHECK(r.rows[2].is_ours && r.rows[2].is_theirs && r.rows[2].difference == 0);
    CHECK(!r.rows[3].is_ours && r.rows[3].is_theirs && r.rows[3].difference == 20);
    CHECK(r.total.ours == 1600 && r.total.theirs == 1600 && r.total.is_within);
    CHECK(r.beyond == 2 && !reconcile_holds(&r)); /* that they cancel each other out is no excuse */
    r = reconcile("date,model,cost\n2026-11-20,m,0.000001511\n", calls, 2, 10, &arena);
    CHECK(r.beyond == 1 && !r.rows[0].is_within);
    r = reconcile("date,model,cost\n2026-11-20,m,0.000001490\n", calls, 2, 10, &arena);
    CHECK(reconcile_holds(&r));
    /* Rows that hold each, and a total that does not. */
    r = reconcile("date,model,cost\n2026-11-20,m,0.000001510\n2026-11-21,m,0.000000001\n", calls, 2,
                  10, &arena);
    CHECK(r.beyond == 0 && r.total.difference == 11 && !reconcile_holds(&r));
    /* Without models: by day. */
    r = reconcile("date,cost\n2026-11-20,0.00000153\n2026-11-21,0.00000007\n", calls,
                  ARRAY_LEN(calls), 0, &arena);
    CHECK(r.count == 2 && reconcile_holds(&r) && r.rows[0].calls == 6);
    arena_fini(&arena);
}

static void what_is_written(void)
{
    struct report_calls calls[] = {
        { .model = STR("\x1b[31mred"), .utc_day = DAY, .calls = 3, .cost = 2000000000 },
    };
    struct arena arena;
    struct buf out = { 0 };

    arena_init(&arena, (size_t)1 << 20);
    struct reconciliation r =
        reconcile("date,model,cost\n2026-11-20,m,1.5\n", calls, 1, 1000000, &arena);
    reconcile_write_text(&r, &out);
    static const char *const parts[] = { "\\x1b[31mred", "only in the ledger",
                                         "only in the invoice", "-$0.500000",
                                         "Within $0.001000: 0 of 2 rows; the total" };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        CHECK(str_find(buf_str(&out), str_from(parts[i])) != STR_NPOS);
    CHECK(str_find_char(buf_str(&out), '\x1b') == STR_NPOS);
    buf_reset(&out);
    reconcile_write_json(&r, &out);
    CHECK(str_find(buf_str(&out),
                   STR("{\"ok\":false,\"tolerance_nano_usd\":1000000,\"rows_beyond\":2,"
                       "\"ledger_nano_usd\":2000000000,\"invoice_nano_usd\":"
                       "1500000000,\"difference_nano_usd\":-500000000")) == 0);
    CHECK(
        str_find(buf_str(&out), STR("{\"date\":\"2026-11-20\",\"model\":\"m\",\"in_ledger\":false,"
                                    "\"in_invoice\":true")) != STR_NPOS);
    buf_fini(&out);
    arena_fini(&arena);
}

/* Many lines of few days and models need little memory. */
static void long_invoices_are_read(void)
{
    enum { LINES = 450000 };
    struct invoice invoice = { 0 };
    struct arena arena;
    struct buf text = { .max = (size_t)64 << 20 };
    char why[256] = "";

    buf_add(&text, STR("date,model,cost\n"));
    for (int i = 0; i < LINES; i++)
        buf_printf(&text, "2026-11-%02d,\"m%d, input\",0.25\n", 1 + i % 30, i % 7);
    arena_init(&arena, (size_t)64 << 20);
    CHECK_ERR(invoice_read(buf_str(&text), &arena, &invoice, why), OK);
    CHECK(invoice.count == 210 && invoice.lines == LINES);
    CHECK_INT(invoice.total, LINES * INT64_C(250000000));
    buf_fini(&text);
    arena_fini(&arena);
}

TESTS(TEST(invoices_are_read), TEST(nonsense_is_refused), TEST(both_sides_are_compared),
      TEST(what_is_written), TEST(long_invoices_are_read))
