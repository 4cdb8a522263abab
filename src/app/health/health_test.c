/* SPDX-License-Identifier: Apache-2.0 */
/* health's tests: the judgements and their words. The loop, the probes and the listeners are in test/e2e/ready.py. */
#include "app/health/health.h"

#include <string.h>

#include "core/telemetry/metric.h"
#include "test/check.h"

static void a_ledger_takes_rows_or_says_why_not(void)
{
    static const struct {
        uint64_t bytes, max;
        bool is_writable;
        nsec waited;
        bool is_ok;
        const char *word;
    } rows[] = {
        { 0, 6400, true, 0, true, "takes rows" },
        { 6299, 6400, true, 0, true, "6299 bytes" },
        { 6300, 6400, true, 0, false, "6300 of 6400" }, /* the last 64th is the margin */
        { 9000, 6400, true, 0, false, "spill is full" },
        { 0, 6400, false, 0, false, "cannot be written" },
        { 0, 6400, true, 5 * NSEC_PER_SEC, true, "takes rows" },
        { 0, 6400, true, 6 * NSEC_PER_SEC, false, "for 6 s" },
        { 9000, 6400, false, 6 * NSEC_PER_SEC, false, "store thread" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char detail[200] = "";
        bool is_ok = health_ledger_judge(rows[i].bytes, rows[i].max, rows[i].is_writable,
                                         rows[i].waited, detail);
        CHECK_INT(is_ok, rows[i].is_ok);
        CHECK(strstr(detail, rows[i].word) != NULL);
    }
}

#define OK_PART                                                                                    \
    {                                                                                              \
        .name = "a", .is_known = true, .is_ok = true, .is_required = true                          \
    }
#define BROKEN_PART                                                                                \
    {                                                                                              \
        .name = "b", .is_known = true, .is_required = true, .detail = "secret place"               \
    }
#define UNKNOWN_PART                                                                               \
    {                                                                                              \
        .name = "c", .is_required = true                                                           \
    }
#define OPTIONAL_PART                                                                              \
    {                                                                                              \
        .name = "d", .is_known = true                                                              \
    }

static void the_state_is_that_of_the_required_parts(void)
{
    static const struct {
        struct health_part parts[HEALTH_PART_COUNT];
        enum health_state state;
    } rows[] = {
        { { OK_PART, OK_PART, OK_PART }, HEALTH_READY },
        { { OK_PART, OK_PART, OPTIONAL_PART }, HEALTH_READY },
        { { OK_PART, OK_PART, UNKNOWN_PART }, HEALTH_STARTING },
        { { UNKNOWN_PART, BROKEN_PART, OK_PART }, HEALTH_NOT_READY },
        { { OK_PART, OK_PART, BROKEN_PART }, HEALTH_NOT_READY },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(health_judge(rows[i].parts, HEALTH_PART_COUNT), rows[i].state);
}

static void what_is_told_depends_on_who_asks(void)
{
    struct health_report report = { HEALTH_NOT_READY, { OK_PART, BROKEN_PART, OPTIONAL_PART } };
    static const char faults[] =
        "{\"status\":\"not_ready\",\"parts\":[{\"name\":\"b\",\"ok\":false,\"required\":true,"
        "\"since\":\"1970-01-01T00:00:00.000000Z\"}]}";
    struct buf out = { 0 };

    health_write(&report, HEALTH_SHOW_FAULTS, false, &out);
    CHECK_STR(buf_str(&out), str_from(faults));
    buf_reset(&out);
    health_write(&report, HEALTH_SHOW_FAULTS, true, &out);
    CHECK(str_find(buf_str(&out), STR("\"detail\":\"secret place\"")) != STR_NPOS);
    buf_reset(&out);
    health_write(&report, HEALTH_SHOW_ALL, false, &out);
    CHECK(str_find(buf_str(&out), STR("\"name\":\"a\"")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\"name\":\"d\"")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("secret place")) == STR_NPOS);
    buf_reset(&out);
    report.state = HEALTH_READY;
    health_write(&report, HEALTH_SHOW_FAULTS, true, &out);
    CHECK_STR(buf_str(&out), STR("{\"status\":\"ready\"}"));
    buf_reset(&out);
    report.state = HEALTH_STOPPING;
    health_write(&report, HEALTH_SHOW_FAULTS, true, &out);
    CHECK_STR(buf_str(&out), STR("{\"status\":\"stopping\"}"));
    buf_fini(&out);
}

static void parts_are_gauges(void)
{
    const struct health_report report = { HEALTH_NOT_READY,
                                          { OK_PART, BROKEN_PART, OPTIONAL_PART } };
    struct buf out = { 0 };

    struct metric_text text = { .out = &out };
    struct metric_sink sink = metric_text_sink(&text);
    health_walk(&report, &sink);
    CHECK(str_find(buf_str(&out), STR("\nweir_ready{part=\"a\"} 1\nweir_ready{part=\"b\"} 0\n")) !=
          STR_NPOS);
    buf_fini(&out);
}

TESTS(TEST(a_ledger_takes_rows_or_says_why_not), TEST(the_state_is_that_of_the_required_parts),
      TEST(what_is_told_depends_on_who_asks), TEST(parts_are_gauges))
