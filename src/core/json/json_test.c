/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of json: what is accepted and refused, limits, lookups. */
#include "test/check.h"

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

static const struct {
    str text;
    size_t offset;
    const char *what;
} not_json[] = {
    { STR(""), 0, "unexpected end" },
    { STR("  "), 2, "unexpected end" },
    { STR("nul"), 0, "unexpected byte" },
    { STR("nullx"), 4, "something follows the value" },
    { STR("True"), 0, "unexpected byte" },
    { STR("NaN"), 0, "unexpected byte" },
    { STR("\xEF\xBB\xBF{}"), 0, "unexpected byte" },
    { STR("{} {}"), 3, "something follows the value" },
    { STR("1 \0"), 2, "something follows the value" },
    { STR("[1,]"), 3, "unexpected byte" },
    { STR("[,1]"), 1, "unexpected byte" },
    { STR("[1 2]"), 3, "expected a comma or the end" },
    { STR("[1}"), 2, "expected a comma or the end" },
    { STR("["), 1, "unexpected end" },
    { STR("[1"), 2, "unexpected end" },
    { STR("[1,"), 3, "unexpected end" },
    { STR("]"), 0, "unexpected byte" },
    { STR("{1:2}"), 1, "expected a name" },
    { STR("{\"a\" 1}"), 5, "expected a colon" },
    { STR("{\"a\":}"), 5, "unexpected byte" },
    { STR("{\"a\":1,}"), 7, "expected a name" },
    { STR("{\"a\":1"), 6, "unexpected end" },
    { STR("{\"a\":1]"), 6, "expected a comma or the end" },
    { STR("{\"a\""), 4, "unexpected end" },
    { STR("{'a':1}"), 1, "expected a name" },
    { STR("[1\v]"), 2, "expected a comma or the end" },
    { STR("[1\xC2\xA0]"), 2, "expected a comma or the end" },
    { STR("// x\n1"), 0, "unexpected byte" },
    { STR("+1"), 0, "unexpected byte" },
    { STR("01"), 2, "unexpected end" },
    { STR("01 "), 2, "bad number" },
    { STR("-"), 1, "unexpected end" },
    { STR("- "), 1, "bad number" },
    { STR(".5"), 0, "unexpected byte" },
    { STR("1. "), 2, "bad number" },
    { STR("1.e5"), 2, "bad number" },
    { STR("1e "), 2, "bad number" },
    { STR("1e+ "), 3, "bad number" },
    { STR("0x10"), 1, "something follows the value" },
    { STR("\""), 1, "unexpected end" },
    { STR("\"a"), 2, "unexpected end" },
    { STR("\"a\nb\""), 2, "control byte in a string" },
    { STR("\"01234567\x1F\""), 9, "control byte in a string" },
    { STR("\"\0\""), 1, "control byte in a string" },
    { STR("\"\\x\""), 1, "bad escape" },
    { STR("\"\\u12g4\""), 1, "bad escape" },
    { STR("\"\\u123"), 1, "bad escape" },
    { STR("\"\\"), 1, "bad escape" },
    { STR("\"\x80\""), 1, "not UTF-8" },
    { STR("\"\xC0\x80\""), 1, "not UTF-8" },
    { STR("\"\xC1\xBF\""), 1, "not UTF-8" },
    { STR("\"\xC3\""), 1, "not UTF-8" },
    { STR("\"\xE0\x9F\xBF\""), 1, "not UTF-8" },
    { STR("\"\xED\xA0\x80\""), 1, "not UTF-8" },
    { STR("\"\xE2\x82\""), 1, "not UTF-8" },
    { STR("\"\xF0\x8F\xBF\xBF\""), 1, "not UTF-8" },
    { STR("\"\xF4\x90\x80\x80\""), 1, "not UTF-8" },
    { STR("\"\xF5\x80\x80\x80\""), 1, "not UTF-8" },
    { STR("\"\xF0\x9F\x98\""), 1, "not UTF-8" },
    { STR("\"\xC3\xA9\xFF\""), 3, "not UTF-8" },
    { STR("\xC3\xA9"), 0, "unexpected byte" },
};

static void refuses_what_is_not_json(void)
{
    for (size_t i = 0; i < ARRAY_LEN(not_json); i++) {
        struct arena arena;
        struct json v = { 0 };
        struct json_error error = { 0 };
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(json_parse(&arena, not_json[i].text, &v, &error), CALLER_BAD_JSON);
        CHECK(!json_exists(v));
        CHECK_INT(error.offset, not_json[i].offset);
        CHECK_STR(str_from(error.what), str_from(not_json[i].what));
        if (check_failures > 0)
            fprintf(stderr, "    row %zu: %.*s\n", i, STR_ARG(not_json[i].text));
        CHECK_ERR(json_parse(&arena, not_json[i].text, &v, NULL), CALLER_BAD_JSON);
        arena_fini(&arena);
    }
}

static void accepts_every_form(void)
{
    static const struct {
        str text;
        enum json_type type;
        size_t count;
    } rows[] = {
        { STR("null"), JSON_NULL, 0 },
        { STR(" true\r\n\t"), JSON_TRUE, 0 },
        { STR("false"), JSON_FALSE, 0 },
        { STR("-0"), JSON_NUMBER, 0 },
        { STR("0.0e-0"), JSON_NUMBER, 0 },
        { STR("1E+400"), JSON_NUMBER, 0 },
        { STR("\"\""), JSON_STRING, 0 },
        { STR("\"\x7F\""), JSON_STRING, 0 },
        { STR("\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF"
              "\xBF\""),
          JSON_STRING, 0 },
        { STR("\"\\ud83d\""), JSON_STRING, 0 },
        { STR("[]"), JSON_ARRAY, 0 },
        { STR("[ ]"), JSON_ARRAY, 0 },
        { STR("[[],{},\"\",0]"), JSON_ARRAY, 4 },
        { STR("{}"), JSON_OBJECT, 0 },
        { STR("{ \"\" : 1 , \"a\":2}"), JSON_OBJECT, 2 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        struct json v = parsed(&arena, rows[i].text);
        REQUIRE(json_exists(v));
        CHECK_INT(json_type_of(v), rows[i].type);
        CHECK(json_is(v, rows[i].type));
        CHECK_INT(json_count(v), rows[i].count);
        CHECK_STR(json_raw(v), str_trim(rows[i].text));
        arena_fini(&arena);
    }
}

static void depth_is_bounded(void)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    struct arena arena;
    struct json v;
    struct json_error error;

    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        arena_init(&arena, ARENA_BYTES);
        enum err e = json_parse(&arena, (str){ text, 2 * depth }, &v, &error);
        CHECK_ERR(e, depth == JSON_DEPTH_MAX ? OK : CALLER_BAD_JSON);
        arena_fini(&arena);
    }
    CHECK_INT(error.offset, JSON_DEPTH_MAX);
    CHECK_STR(str_from(error.what), STR("nested too deeply"));
}

static void node_count_is_bounded(void)
{
    struct buf text = { 0 };
    struct arena arena;
    struct json v;
    struct json_error error;

    buf_add_char(&text, '[');
    for (size_t i = 1; i < JSON_NODES_MAX; i++)
        buf_add(&text, i == 1 ? STR("0") : STR(",0"));
    for (int i = 0; i < 2; i++) {
        buf_add_char(&text, ']');
        arena_init(&arena, (size_t)256 << 20);
        enum err e = json_parse(&arena, buf_str(&text), &v, &error);
        CHECK_ERR(e, i == 0 ? OK : CALLER_BAD_JSON);
        arena_fini(&arena);
        text.len--;
        buf_add(&text, STR(",0"));
    }
    CHECK_STR(str_from(error.what), STR("too many values"));
    buf_fini(&text);
}

/* Every prefix of the arena's ceiling fails cleanly; the output stays untouched. */
static void memory_may_end_anywhere(void)
{
    struct buf text = { 0 };
    int failures = 0;

    buf_add_char(&text, '{');
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "%s\"n%d\":[%d,{}]", i ? "," : "", i, i);
    buf_add_char(&text, '}');
    for (size_t max = 0;; max += 512) {
        struct arena arena;
        struct json v = { 0 };
        struct json_error error;
        arena_init(&arena, max);
        enum err e = json_parse(&arena, buf_str(&text), &v, &error);
        arena_fini(&arena);
        if (e == OK)
            break;
        failures++;
        CHECK_ERR(e, WEIR_NO_MEMORY);
        CHECK(!v.node);
    }
    CHECK(failures > 10);
    buf_fini(&text);
}

static void duplicate_names_are_refused(void)
{
    static const struct {
        str text;
        bool ok;
        size_t offset;
    } rows[] = {
        { STR("{\"a\":1,\"a\":2}"), false, 7 },
        { STR("{\"a\":1,\"\\u0061\":2}"), false, 7 },
        { STR("{\"\\u0061\":1,\"a\":2}"), false, 12 },
        { STR("{\"\\u00e9\":1,\"\xC3\xA9\":2}"), false, 12 },
        { STR("{\"\":1,\"\":2}"), false, 6 },
        { STR("{\"\\/\":1,\"/\":2}"), false, 8 },
        { STR("{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}"), false, 18 },
        { STR("{\"x\":{\"a\":1,\"b\":2,\"a\":3}}"), false, 18 },
        { STR("{\"a\":1,\"b\":{\"a\":1}}"), true, 0 },
        { STR("[{\"a\":1},{\"a\":1}]"), true, 0 },
        { STR("{\"a\":1,\"A\":2}"), true, 0 },
        { STR("{\"\\u0061\":1,\"\\u0062\":2}"), true, 0 },
        { STR("{\"ab\":1,\"a\":2,\"abb\":3}"), true, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct json v;
        struct json_error error = { 0 };
        arena_init(&arena, ARENA_BYTES);
        enum err e = json_parse(&arena, rows[i].text, &v, &error);
        CHECK_ERR(e, rows[i].ok ? OK : CALLER_BAD_JSON);
        CHECK_INT(error.offset, rows[i].offset);
        if (!rows[i].ok)
            CHECK_STR(str_from(error.what), STR("duplicate name"));
        arena_fini(&arena);
    }
}

/* At every size and place, in the pairwise and in the sorted case: one repeated name is found, none is invented. */
static void duplicate_names_are_found_at_any_size(void)
{
    struct rng rng;

    rng_init(&rng, 11);
    for (size_t n = 2; n < 60; n++) {
        for (int round = 0; round < 6; round++) {
            struct buf text = { 0 };
            struct arena arena;
            struct json v;
            uint64_t one = rng_below(&rng, n), other = rng_below(&rng, n);
            buf_add_char(&text, '{');
            for (size_t i = 0; i < n; i++) {
                uint64_t name = i == other ? one : i;
                buf_printf(&text,
                           rng_below(&rng, 2) ? "%s\"key_%03d\":0" : "%s\"\\u006bey_%03d\":0",
                           i ? "," : "", (int)name);
            }
            buf_add_char(&text, '}');
            arena_init(&arena, ARENA_BYTES);
            enum err e = json_parse(&arena, buf_str(&text), &v, NULL);
            CHECK_ERR(e, one == other ? OK : CALLER_BAD_JSON);
            arena_fini(&arena);
            buf_fini(&text);
        }
    }
}

/* Of several duplicates in a large object the first is reported, as in a small one. */
static void the_first_duplicate_is_reported(void)
{
    for (int members = 6; members <= 40; members += 34) {
        struct buf text = { 0 };
        struct arena arena;
        struct json v;
        struct json_error error = { 0 };
        size_t want = 0;
        buf_add_char(&text, '{');
        for (int i = 0; i < members; i++) {
            /* Two names stand first and come again as the last two, in the other order. */
            int name = i == members - 1   ? 99
                       : i == members - 2 ? 98
                       : i == 0           ? 99
                       : i == 1           ? 98
                                          : i;
            buf_add(&text, i ? STR(",") : STR(""));
            if (i == members - 2)
                want = text.len;
            buf_printf(&text, "\"k%02d\":0", name);
        }
        buf_add_char(&text, '}');
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(json_parse(&arena, buf_str(&text), &v, &error), CALLER_BAD_JSON);
        CHECK_INT(error.offset, want);
        arena_fini(&arena);
        buf_fini(&text);
    }
}

/* 300,000 names that share every signature: quadratic work would take minutes here. */
static void many_names_cost_no_quadratic_time(void)
{
    struct buf text = { 0 };
    struct arena arena;
    struct json v;

    buf_add_char(&text, '{');
    for (int i = 0; i < 300000; i++)
        buf_printf(&text, "%s\"a%06dz\":0", i ? "," : "", i);
    buf_add_char(&text, '}');
    arena_init(&arena, (size_t)256 << 20);
    CHECK_ERR(json_parse(&arena, buf_str(&text), &v, NULL), OK);
    CHECK_INT(json_count(v), 300000);
    arena_fini(&arena);
    buf_fini(&text);
}

static void members_are_found(void)
{
    struct arena arena;
    int64_t number = 0;

    arena_init(&arena, ARENA_BYTES);
    struct json v =
        parsed(&arena, STR("{\"a\":{\"b\":[10,{\"c\":true},12]},\"d\\u00e9\":1,\"\":2}"));
    CHECK_STR(json_raw(json_path(v, STR("a.b.1.c"))), STR("true"));
    CHECK_STR(json_raw(json_path(v, STR("a.b.2"))), STR("12"));
    CHECK(!json_exists(json_path(v, STR("a.b.3"))));
    CHECK(!json_exists(json_path(v, STR("a.b.x"))));
    CHECK(!json_exists(json_path(v, STR("a.b.1.c.d"))));
    CHECK(!json_exists(json_path(v, STR("a.c"))));
    CHECK(json_i64(json_get(v, STR("d\xC3\xA9")), &number) && number == 1);
    CHECK(!json_exists(json_get(v, STR("d\xC3"))));
    CHECK(!json_exists(json_get(v, STR("d\xC3\xA9x"))));
    CHECK(json_i64(json_get(v, STR("")), &number) && number == 2);
    CHECK(!json_exists(json_get(json_get(v, STR("a")), STR(""))));
    CHECK(!json_exists(json_at(v, 3)));
    CHECK_STR(json_raw(json_at(v, 2)), STR("2"));

    struct json none = json_get(v, STR("nothing"));
    CHECK(!json_is(none, JSON_NULL));
    CHECK_STR(json_raw(none), STR(""));
    CHECK_INT(json_count(none), 0);
    CHECK(!json_exists(json_get(none, STR("x"))));
    CHECK(!json_exists(json_at(none, 0)));
    struct json_iter it = json_iter(none);
    CHECK(!json_next(&it));

    it = json_iter(v);
    str names[3] = { 0 };
    size_t n = 0;
    while (json_next(&it)) {
        REQUIRE(n < 3);
        CHECK_INT(it.left, 2 - n);
        names[n++] = it.name;
    }
    CHECK_INT(n, 3);
    CHECK_STR(names[0], STR("a"));
    CHECK_STR(names[1], STR("d\\u00e9"));
    CHECK_STR(names[2], STR(""));
    it = json_iter(json_path(v, STR("a.b")));
    for (n = 0; json_next(&it); n++)
        CHECK_INT(it.name.len, 0);
    CHECK_INT(n, 3);
    arena_fini(&arena);
}

static void strings_are_unescaped(void)
{
    static const struct {
        str text;
        str want;
    } rows[] = {
        { STR("\"plain\""), STR("plain") },
        { STR("\"\""), STR("") },
        { STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STR("\"\\/\b\f\n\r\t") },
        { STR("\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\""),
          STR("A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") },
        { STR("\"\\u0000\""), STR("\0") },
        { STR("\"a long plain beginning\\nand a long plain end\""),
          STR("a long plain beginning\nand a long plain end") },
        { STR("\"\xC3\xA9\\n\xF0\x9F\x98\x80\xE2\x82\xAC\""),
          STR("\xC3\xA9\n\xF0\x9F\x98\x80\xE2\x82\xAC") },
        { STR("\"\\ud83d\""), STR("\xEF\xBF\xBD") },
        { STR("\"\\ud83dx\""), STR("\xEF\xBF\xBDx") },
        { STR("\"\\ude00\\ud83d\""), STR("\xEF\xBF\xBD\xEF\xBF\xBD") },
        { STR("\"\\ud83d\\ud83d\\ude00\""), STR("\xEF\xBF\xBD\xF0\x9F\x98\x80") },
        { STR("\"\\udbff\\udfff\\ud800\\udc00\""), STR("\xF4\x8F\xBF\xBF\xF0\x90\x80\x80") },
        { STR("\"\\ud83d\\n\""), STR("\xEF\xBF\xBD\n") },
        { STR("\"\\ud83d\\ue000\""), STR("\xEF\xBF\xBD\xEE\x80\x80") },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        str got = STR("?");
        arena_init(&arena, ARENA_BYTES);
        CHECK(json_str(parsed(&arena, rows[i].text), &arena, &got));
        CHECK_STR(got, rows[i].want);
        arena_fini(&arena);
    }
}

static void reads_are_typed(void)
{
    struct arena arena;
    str text = STR("untouched");
    int64_t number = 77;
    double real = 7.5;
    bool truth = true;

    arena_init(&arena, ARENA_BYTES);
    struct json v = parsed(&arena, STR("{\"s\":\"1\",\"n\":1,\"t\":true,\"f\":false,\"z\":null}"));
    struct json_iter it = json_iter(v);
    while (json_next(&it)) {
        CHECK(json_str(it.value, &arena, &text) == json_is(it.value, JSON_STRING));
        CHECK(json_i64(it.value, &number) == json_is(it.value, JSON_NUMBER));
        CHECK(json_double(it.value, &real) == json_is(it.value, JSON_NUMBER));
    }
    CHECK(!json_bool(json_get(v, STR("z")), &truth) && truth);
    CHECK(json_bool(json_get(v, STR("f")), &truth) && !truth);
    CHECK(json_bool(json_get(v, STR("t")), &truth) && truth);
    struct json none = { 0 };
    CHECK(!json_str(none, &arena, &text) && !json_i64(none, &number));
    CHECK(!json_double(none, &real) && !json_bool(none, &truth));
    CHECK_INT(number, 1);

    struct json escaped = parsed(&arena, STR("\"\\n and something that is longer than nothing\""));
    struct arena none_left;
    arena_init(&none_left, 8);
    text = STR("untouched");
    CHECK(!json_str(escaped, &none_left, &text));
    CHECK_STR(text, STR("untouched"));
    CHECK(arena_failed(&none_left));
    arena_fini(&none_left);
    arena_fini(&arena);
}

TESTS(TEST(refuses_what_is_not_json), TEST(accepts_every_form), TEST(depth_is_bounded),
      TEST(node_count_is_bounded), TEST(memory_may_end_anywhere), TEST(duplicate_names_are_refused),
      TEST(duplicate_names_are_found_at_any_size), TEST(the_first_duplicate_is_reported),
      TEST(many_names_cost_no_quadratic_time), TEST(members_are_found), TEST(strings_are_unescaped),
      TEST(reads_are_typed))
