/* SPDX-License-Identifier: Apache-2.0 */
/* money's tests: golden prices and costs, exactness, dated rows, saturation. */
#include "core/money/money.h"

#include "base/rng.h"
#include "test/check.h"

#define DAY_USEC (INT64_C(86400) * 1000000)

static void prices_are_parsed_exactly(void)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {
        { "2.50", 2500 },
        { "10.00", 10000 },
        { "0.15", 150 },
        { "0.60", 600 },
        { "0.075", 75 },
        { "0.0750", 75 },
        { "3", 3000 },
        { "0", 0 },
        { "0.001", 1 },
        { "007.5", 7500 },
        { "9223372036854775.807", INT64_MAX },
        { "9223372036854775.808", -1 },
        { "92233720368547758080", -1 },
        { "0.0005", -1 },
        { "0.07501", -1 },
        { "", -1 },
        { ".", -1 },
        { ".5", -1 },
        { "5.", -1 },
        { "1.2.3", -1 },
        { "-1", -1 },
        { "+1", -1 },
        { "1e3", -1 },
        { " 1", -1 },
        { "1,5", -1 },
        { "0x10", -1 },
        { "nan", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nano_usd got = 77;
        bool is_ok = price_parse(str_from(rows[i].text), &got);
        if (is_ok != (rows[i].want >= 0) || got != (is_ok ? rows[i].want : 77))
            fprintf(stderr, "row '%s'\n", rows[i].text);
        CHECK(is_ok == (rows[i].want >= 0));
        CHECK_INT(got, is_ok ? rows[i].want : 77);
    }
}

static void dollars_are_parsed_to_the_nano(void)
{
    nano_usd got = 0;

    CHECK(cost_parse(STR("0.05"), &got));
    CHECK_INT(got, 50000000);
    CHECK(cost_parse(STR("0.000000001"), &got));
    CHECK_INT(got, 1);
    CHECK(cost_parse(STR("12"), &got));
    CHECK_INT(got, 12 * NANO_PER_USD);
    CHECK(!cost_parse(STR("0.0000000001"), &got));
    CHECK(!cost_parse(STR("9223372037"), &got));
    CHECK_INT(got, 12 * NANO_PER_USD);
}

static void a_parsed_decimal_prints_back(void)
{
    struct rng rng;

    rng_init(&rng, 42);
    for (int i = 0; i < 2000; i++) {
        nano_usd want = (nano_usd)(rng_u64(&rng) >> (1 + rng_below(&rng, 63))), got = -1;
        char out[32];
        str text = cost_format(want, out);
        CHECK(cost_parse(str_slice(text, 1, text.len), &got));
        CHECK_INT(got, want);
    }
}

static const struct price gpt_4o = {
    .model = { "gpt-4o", 6 }, .input = 2500, .output = 10000, .cached = 1250, .cache_write = -1
};

static void costs_match_golden_rows(void)
{
    static const struct price mini = {
        .model = { "gpt-4o-mini", 11 }, .input = 150, .output = 600, .cached = 75, .cache_write = -1
    };
    static const struct price haiku = { .model = { "claude-3-5-haiku", 16 },
                                        .input = 800,
                                        .output = 4000,
                                        .cached = 80,
                                        .cache_write = 1000 };
    static const struct {
        const struct price *price;
        struct usage usage;
        nano_usd want;
    } rows[] = {
        { &gpt_4o, { .input = 1000, .output = 500 }, 7500000 },
        { &gpt_4o, { .input = 1000, .output = 500, .cached = 400 }, 7000000 },
        { &gpt_4o, { .input = 1000, .output = 500, .reasoning = 300 }, 7500000 },
        { &gpt_4o, { .input = 1000, .cache_write = 1000 }, 2500000 },
        { &mini, { .input = 1000, .output = 500 }, 450000 },
        { &mini, { .input = 1000000, .output = 1000000 }, 750000000 },
        { &mini, { 0 }, 0 },
        { &haiku, { .input = 1000, .output = 10, .cached = 300, .cache_write = 200 }, 664000 },
        /* What makes no sense never makes a cost negative, nor counts a token twice. */
        { &haiku, { .input = 100, .cached = 500, .cache_write = 500 }, 8000 },
        { &haiku, { .input = -5, .output = -5, .cached = -5, .cache_write = -5 }, 0 },
        { &gpt_4o, { .input = INT64_MAX, .output = 1 }, INT64_MAX },
        { &gpt_4o, { .input = INT64_MAX / 2500, .output = INT64_MAX / 10000 }, INT64_MAX },
        { NULL, { .input = 1 }, COST_UNPRICED },
        { NULL, { 0 }, COST_UNPRICED },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(price_cost(rows[i].price, &rows[i].usage), rows[i].want);
}

static void the_row_of_the_day_holds(void)
{
    struct price rows[] = {
        { .model = STR("gpt-4o-mini"), .from_day = 100, .input = 3 },
        { .model = STR("gpt-4o"), .from_day = 200, .input = 2 },
        { .model = STR("gpt-4o"), .from_day = 100, .input = 1 },
        { .model = STR("gpt-4o-2024-05-13"), .from_day = 150, .input = 4 },
        { .model = STR("claude-3-haiku"), .from_day = -5, .input = 5 },
    };
    static const struct {
        const char *model;
        int64_t day;
        int64_t want; /* input price; 0: unpriced */
    } cases[] = {
        { "gpt-4o", 99, 0 },
        { "gpt-4o", 100, 1 },
        { "gpt-4o", 199, 1 },
        { "gpt-4o", 200, 2 },
        { "gpt-4o", 9999, 2 },
        { "gpt-4o-2024-08-06", 250, 2 },
        { "gpt-4o-2024-08-06", 50, 0 },
        { "gpt-4o-2024-05-13", 250, 4 },
        { "gpt-4o-2024-05-13", 120, 1 }, /* before its own row: the family's */
        { "claude-3-haiku-20240307", 3, 5 },
        { "claude-3-haiku-2024030", 3, 0 },
        { "claude-3-haiku-202403071", 3, 0 },
        { "claude-3-haiku-2024-3-07", 3, 0 },
        { "claude-3-haiku20240307", 3, 0 },
        { "gpt-4o-mini-x", 250, 0 },
        { "gpt-4", 250, 0 },
        { "gpt-4p", 250, 0 },
        { "-20240307", 250, 0 },
        { "", 250, 0 },
    };
    struct price_table table;

    REQUIRE(price_table_init(&table, rows, ARRAY_LEN(rows)) == OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct price *row =
            price_find(&table, str_from(cases[i].model), cases[i].day * DAY_USEC);
        if ((row ? row->input : 0) != cases[i].want)
            fprintf(stderr, "case %s at %lld\n", cases[i].model, (long long)cases[i].day);
        CHECK_INT(row ? row->input : 0, cases[i].want);
    }
    /* The last microsecond of a day is still that day, also before 1970. */
    const struct price *row = price_find(&table, STR("gpt-4o"), 200 * DAY_USEC - 1);
    CHECK(row && row->input == 1);
    CHECK(price_find(&table, STR("claude-3-haiku"), -5 * DAY_USEC - 1) == NULL);
    CHECK(price_find(&table, STR("claude-3-haiku"), -5 * DAY_USEC) != NULL);
}

static void bad_tables_are_refused(void)
{
    struct price twice[] = { { .model = STR("b") }, { .model = STR("a") }, { .model = STR("b") } };
    struct price negative[] = { { .model = STR("a"), .input = -1 } };
    struct price negative_output[] = { { .model = STR("a"), .output = -1 } };
    struct price_table table = { .count = 77 };

    CHECK_ERR(price_table_init(&table, twice, 3), CALLER_BAD_REQUEST);
    CHECK_ERR(price_table_init(&table, negative, 1), CALLER_BAD_REQUEST);
    CHECK_ERR(price_table_init(&table, negative_output, 1), CALLER_BAD_REQUEST);
    CHECK_INT(table.count, 77);
    CHECK_ERR(price_table_init(&table, NULL, 0), OK);
    CHECK(price_find(&table, STR("a"), 0) == NULL);
}

static void sums_saturate_and_unpriced_is_contagious(void)
{
    CHECK_INT(cost_add(1, 2), 3);
    CHECK_INT(cost_add(INT64_MAX, 1), INT64_MAX);
    CHECK_INT(cost_add(COST_UNPRICED, 5), COST_UNPRICED);
    CHECK_INT(cost_add(5, COST_UNPRICED), COST_UNPRICED);
    CHECK_INT(cost_add(COST_UNPRICED + 1, -1), COST_UNPRICED + 1);

    struct usage sum = { .input = 5, .output = INT64_MAX, .reasoning = 1 };
    usage_add(&sum, &(struct usage){ .input = 7,
                                     .output = 1,
                                     .cached = 2,
                                     .cache_write = 3,
                                     .reasoning = 4,
                                     .is_known = true });
    CHECK_INT(sum.input, 12);
    CHECK_INT(sum.output, INT64_MAX);
    CHECK_INT(sum.cached, 2);
    CHECK_INT(sum.cache_write, 3);
    CHECK_INT(sum.reasoning, 5);
    CHECK(sum.is_known && !sum.is_estimated);
    usage_add(&sum, &(struct usage){ .is_estimated = true });
    CHECK(sum.is_known && sum.is_estimated);
}

static void costs_are_written_exactly(void)
{
    static const struct {
        nano_usd cost;
        const char *want;
    } rows[] = {
        { 123456, "$0.000123456" },
        { 2000000, "$0.002000" },
        { 0, "$0.000000" },
        { 1, "$0.000000001" },
        { 1234567890, "$1.23456789" },
        { 20 * NANO_PER_USD, "$20.000000" },
        { -1500000000, "-$1.500000" },
        { INT64_MAX, "$9223372036.854775807" },
        { COST_UNPRICED, "unpriced" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[32];
        CHECK_STR(cost_format(rows[i].cost, out), str_from(rows[i].want));
    }
}

static void costs_for_programs_have_all_decimals(void)
{
    char text[32];

    CHECK_STR(cost_decimal(0, text), STR("0.000000000"));
    CHECK_STR(cost_decimal(55350, text), STR("0.000055350"));
    CHECK_STR(cost_decimal(-1, text), STR("-0.000000001"));
    CHECK_STR(cost_decimal(INT64_MAX, text), STR("9223372036.854775807"));
    CHECK_STR(cost_decimal(COST_UNPRICED, text), STR("unpriced"));
}

TESTS(TEST(costs_for_programs_have_all_decimals), TEST(prices_are_parsed_exactly),
      TEST(dollars_are_parsed_to_the_nano), TEST(a_parsed_decimal_prints_back),
      TEST(costs_match_golden_rows), TEST(the_row_of_the_day_holds), TEST(bad_tables_are_refused),
      TEST(sums_saturate_and_unpriced_is_contagious), TEST(costs_are_written_exactly))
