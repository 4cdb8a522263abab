/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of json: numbers, strings, writers, the canonical form. */
#include "test/check.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/rng.h"
#include "core/json/json.h"

#define ARENA_BYTES ((size_t)64 << 20)

/* Parses what must parse. */
static struct json parsed(struct arena *arena, str text)
{
    struct json v = { 0 };
    struct json_error error = { 0 };

    enum err e = json_parse(arena, text, &v, &error);
    CHECK_ERR(e, OK);
    if (e != OK)
        fprintf(stderr, "    %s at %zu of %.*s\n", error.what, error.offset, STR_ARG(text));
    return v;
}

static void integers_are_exact(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "0.00", true, 0 },
        { "0e99999999999999999999", true, 0 },
        { "1.0", true, 1 },
        { "1e2", true, 100 },
        { "-12.50e1", true, -125 },
        { "100e-2", true, 1 },
        { "1000e-4", false, 0 },
        { "1.5", false, 0 },
        { "1e-1", false, 0 },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775807.0", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "9223372036854775808.0", false, 0 },
        { "-9223372036854775808", true, INT64_MIN },
        { "-9223372036854775808.0", true, INT64_MIN },
        { "-9223372036854775809.0", false, 0 },
        { "9223372036854775807e1", false, 0 },
        { "1e18", true, INT64_C(1000000000000000000) },
        { "1e19", false, 0 },
        { "1e400", false, 0 },
        { "1e99999999999999999999", false, 0 },
        { "0.000000000000000000000000000001e30", true, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        int64_t got = 7;
        arena_init(&arena, ARENA_BYTES);
        CHECK(json_i64(parsed(&arena, str_from(rows[i].text)), &got) == rows[i].ok);
        CHECK_INT(got, rows[i].ok ? rows[i].value : 7);
        if (check_failures > 0)
            fprintf(stderr, "    %s\n", rows[i].text);
        arena_fini(&arena);
    }
}

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static void doubles_are_the_nearest(void)
{
    static const char *const rows[] = {
        "0",
        "-0.0",
        "0.1",
        "1e22",
        "1e23",
        "123456789012345678",
        "5e-324",
        "2e-324",
        "1e-400",
        "-1e-99999999999999999999",
        "1.7976931348623157e308",
        "4.9406564584124654e-324",
        "2.2250738585072011e-308",
        "9007199254740993",
        "3.14159265358979323846",
        "0."
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "1",
    };
    struct arena arena;
    double got = 7;

    arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK(json_double(parsed(&arena, str_from(rows[i])), &got));
        CHECK(bits_of(got) == bits_of(strtod(rows[i], NULL)));
        if (check_failures > 0)
            fprintf(stderr, "    %s gave %.17g\n", rows[i], got);
    }
    got = 7;
    CHECK(!json_double(parsed(&arena, STR("1e400")), &got) && got == 7);
    CHECK(!json_double(parsed(&arena, STR("-1e99999999999999999999")), &got) && got == 7);
    /* Halfway between 1 and its successor, and a digit far behind that breaks the tie. */
    struct buf tie = { 0 };
    buf_add(&tie, STR("1.00000000000000011102230246251565404236316680908203125"));
    for (int i = 0; i < 900; i++)
        buf_add_char(&tie, '0');
    CHECK(json_double(parsed(&arena, buf_str(&tie)), &got) && got <= 1.0);
    buf_add_char(&tie, '1');
    CHECK(json_double(parsed(&arena, buf_str(&tie)), &got) && got > 1.0);
    buf_fini(&tie);
    arena_fini(&arena);
}

static void writes_escape(void)
{
    static const struct {
        str text;
        str want;
    } rows[] = {
        { STR(""), STR("\"\"") },
        { STR("plain"), STR("\"plain\"") },
        { STR("a\"b\\c/\b\f\n\r\t\x01\x1F\x7F"),
          STR("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"") },
        { STR("\0"), STR("\"\\u0000\"") },
        { STR("caf\xC3\xA9 \xE2\x82\xAC\xF0\x9F\x98\x80!\n\xC3\xA9"),
          STR("\"caf\xC3\xA9 \xE2\x82\xAC\xF0\x9F\x98\x80!\\n\xC3\xA9\"") },
        { STR("\xFF"), STR("\"\xEF\xBF\xBD\"") },
        { STR("a\xC3"), STR("\"a\xEF\xBF\xBD\"") },
        { STR("a\xC3\n"), STR("\"a\xEF\xBF\xBD\\n\"") },
        { STR("\xC3\xA9\x80\xC3\xA9"), STR("\"\xC3\xA9\xEF\xBF\xBD\xC3\xA9\"") },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        json_write_str(&out, rows[i].text);
        CHECK_STR(buf_str(&out), rows[i].want);
        buf_fini(&out);
    }
}

static void writes_members(void)
{
    struct buf out = { 0 };

    buf_add_char(&out, '{');
    json_member_str(&out, "s", STR("x"));
    json_member_i64(&out, "i", -5);
    json_member_double(&out, "d", 0.5);
    json_member_bool(&out, "t", true);
    json_member_bool(&out, "f", false);
    json_member_null(&out, "n");
    json_member_str_or_null(&out, "e", STR(""));
    json_member_str_or_null(&out, "q", STR("x"));
    json_key(&out, "o");
    buf_add_char(&out, '{');
    json_member_str(&out, "in\"ner", STR("}"));
    buf_add(&out, STR("}"));
    json_member_i64(&out, "last", 0);
    buf_add_char(&out, '}');
    CHECK_STR(buf_str(&out), STR("{\"s\":\"x\",\"i\":-5,\"d\":0.5,\"t\":true,\"f\":false,"
                                 "\"n\":null,\"e\":null,\"q\":\"x\","
                                 "\"o\":{\"in\\\"ner\":\"}\"},\"last\":0}"));
    buf_fini(&out);
}

static void commas_stand_between_items(void)
{
    struct buf out = { 0 };

    json_comma(&out);
    buf_add(&out, STR("{\"a\":"));
    json_comma(&out);
    buf_add_char(&out, '[');
    json_comma(&out);
    buf_add_char(&out, '1');
    json_comma(&out);
    buf_add(&out, STR("\"x\""));
    json_comma(&out);
    buf_add(&out, STR("{}"));
    json_comma(&out);
    buf_add(&out, STR("[]"));
    json_comma(&out);
    buf_add(&out, STR("2]}"));
    CHECK_STR(buf_str(&out), STR("{\"a\":[1,\"x\",{},[],2]}"));
    buf_fini(&out);
}

static void doubles_are_short_and_read_back(void)
{
    static const struct {
        double value;
        const char *want;
    } rows[] = {
        { 0.1, "0.1" },
        { 1, "1" },
        { -3, "-3" },
        { 0, "0" },
        { -0.0, "-0" },
        { 1e21, "1e+21" },
        { 123456.789, "123456.789" },
        { 5e-324, "5e-324" },
        { INFINITY, "null" },
        { -INFINITY, "null" },
        { NAN, "null" },
        { 0.30000000000000004, "0.30000000000000004" },
    };
    struct rng rng;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        json_write_double(&out, rows[i].value);
        CHECK_STR(buf_str(&out), str_from(rows[i].want));
        buf_fini(&out);
    }
    rng_init(&rng, 5);
    for (int i = 0; i < 5000; i++) {
        uint64_t bits = rng_u64(&rng);
        double value, back;
        struct buf out = { 0 };
        struct arena arena;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        arena_init(&arena, ARENA_BYTES);
        json_write_double(&out, value);
        CHECK(json_double(parsed(&arena, buf_str(&out)), &back) && bits_of(back) == bits);
        arena_fini(&arena);
        buf_fini(&out);
    }
}

static void canonical_forms(void)
{
    static const struct {
        str text;
        str want;
    } rows[] = {
        { STR(" { \"b\" : 1.0 , \"a\" : [ true , null , false ] } "),
          STR("{\"a\":[true,null,false],\"b\":1}") },
        { STR("1e2"), STR("100") },
        { STR("-0.0"), STR("0") },
        { STR("0.10"), STR("0.1") },
        { STR("12.340e1"), STR("123.4") },
        { STR("1e21"), STR("1e21") },
        { STR("100000000000000000000"), STR("100000000000000000000") },
        { STR("0.000001"), STR("0.000001") },
        { STR("0.0000001"), STR("1e-7") },
        { STR("-123e-9"), STR("-1.23e-7") },
        { STR("9007199254740993"), STR("9007199254740993") },
        { STR("1e99999999999999999999"), STR("1e99999999999999999999") },
        { STR("\"\\u0041\\/\\u00e9\\u000a\\u0001\""), STR("\"A/\xC3\xA9\\n\\u0001\"") },
        { STR("\"\\uD83D\\uDE00\""), STR("\"\xF0\x9F\x98\x80\"") },
        { STR("\"\\uD83D\""), STR("\"\\ud83d\"") },
        { STR("{\"\\u0062\":1,\"a\":{\"d\":1,\"c\":2}}"),
          STR("{\"a\":{\"c\":2,\"d\":1},\"b\":1}") },
        { STR("{\"aa\":1,\"a\":2,\"\":3,\"\xC3\xA9\":4,\"z\":5}"),
          STR("{\"\":3,\"a\":2,\"aa\":1,\"z\":5,\"\xC3\xA9\":4}") },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct buf out = { 0 };
        arena_init(&arena, ARENA_BYTES);
        json_write_canonical(&out, parsed(&arena, rows[i].text));
        CHECK_STR(buf_str(&out), rows[i].want);
        buf_fini(&out);
        arena_fini(&arena);
    }
}

/* Writes a random value; with `shuffle`, the same value in another of its spellings. */
static void value_write(struct buf *out, struct rng *shape, struct rng *shuffle, int depth)
{
    static const char *const numbers[][2] = { { "1", "1.0" },
                                              { "100", "1e2" },
                                              { "-2.5", "-25E-1" } };
    static const char *const texts[][2] = { { "\"a\"", "\"\\u0061\"" }, { "\"/\"", "\"\\/\"" } };
    uint64_t kind = rng_below(shape, depth > 0 ? 5 : 3), n = rng_below(shape, 40);
    uint64_t spelling = shuffle ? rng_below(shuffle, 2) : 0;
    uint64_t first = shuffle && n > 0 ? rng_below(shuffle, n) : 0;

    if (kind == 0)
        buf_add(out, str_from(numbers[n % 3][spelling]));
    else if (kind == 1)
        buf_add(out, str_from(texts[n % 2][spelling]));
    else if (kind == 2)
        buf_add(out, n % 2 ? STR("null") : STR("true"));
    if (kind < 3)
        return;
    buf_add_char(out, kind == 3 ? '[' : '{');
    uint64_t seed = rng_u64(shape);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = kind == 3 ? i : (i + first) % n; /* members may be turned round */
        struct rng child;
        rng_init(&child, rng_mix(seed + at));
        if (i > 0)
            buf_add(out, spelling ? STR(" ,\n") : STR(","));
        if (kind == 4)
            buf_printf(out, spelling ? "\"\\u006e%d\" :" : "\"n%d\":", (int)at);
        value_write(out, &child, shuffle, depth - 1);
    }
    buf_add_char(out, kind == 3 ? ']' : '}');
}

static void equal_values_have_equal_bytes(void)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct buf plain = { 0 }, other = { 0 }, first = { 0 }, second = { 0 }, again = { 0 };
        struct rng shape, shuffle;
        struct arena arena;
        rng_init(&shape, seed);
        value_write(&plain, &shape, NULL, 2);
        rng_init(&shape, seed);
        rng_init(&shuffle, seed + 1000);
        value_write(&other, &shape, &shuffle, 2);
        arena_init(&arena, ARENA_BYTES);
        json_write_canonical(&first, parsed(&arena, buf_str(&plain)));
        json_write_canonical(&second, parsed(&arena, buf_str(&other)));
        CHECK_STR(buf_str(&second), buf_str(&first));
        json_write_canonical(&again, parsed(&arena, buf_str(&first)));
        CHECK_STR(buf_str(&again), buf_str(&first));
        arena_fini(&arena);
        buf_fini(&plain);
        buf_fini(&other);
        buf_fini(&first);
        buf_fini(&second);
        buf_fini(&again);
    }
}

/* Any text survives writing and reading, at every length around the scanner's word. */
static void strings_round_trip(void)
{
    static const char *const pieces[] = { "a",    "\"",       "\\",           "\n",
                                          "\x01", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80" };
    struct rng rng;

    rng_init(&rng, 3);
    for (int round = 0; round < 4000; round++) {
        struct buf text = { 0 }, quoted = { 0 };
        struct arena arena;
        str got = { 0 };
        for (uint64_t n = rng_below(&rng, 40); n > 0; n--)
            buf_add(&text,
                    str_from(pieces[rng_below(&rng, 4) ? 0 : rng_below(&rng, ARRAY_LEN(pieces))]));
        json_write_str(&quoted, buf_str(&text));
        arena_init(&arena, ARENA_BYTES);
        CHECK(json_str(parsed(&arena, buf_str(&quoted)), &arena, &got));
        CHECK_STR(got, buf_str(&text));
        arena_fini(&arena);
        buf_fini(&text);
        buf_fini(&quoted);
    }
}

TESTS(TEST(integers_are_exact), TEST(doubles_are_the_nearest), TEST(writes_escape),
      TEST(writes_members), TEST(commas_stand_between_items), TEST(doubles_are_short_and_read_back),
      TEST(canonical_forms), TEST(equal_values_have_equal_bytes), TEST(strings_round_trip))
