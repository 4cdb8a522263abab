/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base: text, buffers, arenas, faults, generator, lists, heap. */
#include "test/check.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/rng.h"

static void integers_are_parsed_strictly(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { " 1", false, 0 },
        { "1x", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = 7;
        CHECK(str_to_i64(str_from(rows[i].text), &got) == rows[i].ok);
        CHECK_INT(got, rows[i].ok ? rows[i].value : 7);
    }
}

static void utf8_is_strict(void)
{
    CHECK(str_is_utf8(STR("plain, long enough for a word at once")));
    CHECK(str_is_utf8(STR("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")));
    CHECK(!str_is_utf8(STR("\xC0\x80"))); /* overlong */
    CHECK(!str_is_utf8(STR("\xED\xA0\x80"))); /* surrogate */
    CHECK(!str_is_utf8(STR("\xF4\x90\x80\x80"))); /* past U+10FFFF */
    CHECK(!str_is_utf8(STR("1234567\xE2\x82"))); /* cut */
}

static void hex_is_read_and_written(void)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    static const uint8_t bytes[] = { 0x00, 0x9a, 0xff };
    char text[2 * sizeof(bytes)];

    for (int c = 0; c < 256; c++) {
        const char *at = c ? strchr(digits, c) : NULL;
        int value = !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
        CHECK_INT(hex_digit((char)c), value);
    }
    hex_write(text, bytes, sizeof(bytes));
    CHECK_STR(((str){ text, sizeof(text) }), STR("009aff"));
}

/* The vectors of RFC 4648, section 10. */
static void base64_is_written(void)
{
    static const struct {
        const char *bytes, *text;
    } rows[] = { { "", "" },
                 { "f", "Zg==" },
                 { "fo", "Zm8=" },
                 { "foo", "Zm9v" },
                 { "foob", "Zm9vYg==" },
                 { "fooba", "Zm9vYmE=" },
                 { "foobar", "Zm9vYmFy" },
                 { "\xfb\xff\xfe", "+//+" } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        buf_add_base64(&out, str_from(rows[i].bytes));
        CHECK_STR(buf_str(&out), str_from(rows[i].text));
        buf_fini(&out);
    }
}

static void fields_are_split(void)
{
    str rest = STR("a,,b"), field;
    CHECK(str_next(&rest, ',', &field));
    CHECK_STR(field, STR("a"));
    CHECK(str_next(&rest, ',', &field));
    CHECK_STR(field, STR(""));
    CHECK(str_next(&rest, ',', &field));
    CHECK_STR(field, STR("b"));
    CHECK(!str_next(&rest, ',', &field));
}

static void distance_counts_edits(void)
{
    CHECK(str_eq_secret(STR("key"), STR("key")));
    CHECK(str_eq_secret(STR(""), STR("")));
    CHECK(!str_eq_secret(STR("key"), STR("kez")));
    CHECK(!str_eq_secret(STR("key"), STR("jey")));
    CHECK(!str_eq_secret(STR("key"), STR("key2")));
    CHECK(!str_eq_secret(STR("key2"), STR("key")));
    CHECK_INT(str_distance(STR("kitten"), STR("sitting")), 3);
    CHECK_INT(str_distance(STR(""), STR("abc")), 3);
    CHECK_INT(str_distance(STR("same"), STR("same")), 0);
}

static void buffer_stops_at_its_ceiling(void)
{
    struct buf b = { .max = 10 };
    buf_add(&b, STR("12345"));
    buf_add_i64(&b, -123);
    CHECK_STR(buf_str(&b), STR("12345-123"));
    buf_add(&b, STR("ab"));
    CHECK(b.failed);
    buf_add(&b, STR("x"));
    CHECK_INT(b.len, 9);
    buf_fini(&b);
}

static void buffer_writes_extreme_integers(void)
{
    struct buf b = { 0 };
    buf_add_i64(&b, INT64_MIN);
    CHECK_STR(buf_str(&b), STR("-9223372036854775808"));
    buf_consume(&b, 19);
    CHECK_STR(buf_str(&b), STR("8"));
    buf_fini(&b);
}

static void arena_failure_is_sticky(void)
{
    struct arena a;
    arena_init(&a, 100);
    CHECK(arena_alloc(&a, 64) != NULL);
    CHECK(arena_alloc(&a, 64) == NULL);
    CHECK(arena_failed(&a));
    CHECK(arena_alloc(&a, 1) == NULL);
    CHECK(arena_array(&a, SIZE_MAX, 2) == NULL);
    arena_fini(&a);
    CHECK(!arena_failed(&a));
    CHECK_STR(arena_printf(&a, "%d-%s", 4, "x"), STR("4-x"));
    arena_fini(&a);
}

static void arena_lists_keep_their_items(void)
{
    struct arena a;
    int64_t *items = NULL;
    size_t cap = 0;

    arena_init(&a, 3000);
    for (size_t n = 0; n < 100; n++) {
        int64_t *before = items;
        size_t cap_before = cap;
        items = arena_room(&a, items, n, &cap, sizeof(*items));
        REQUIRE(items && n < cap);
        CHECK((items == before) == (n < cap_before));
        items[n] = (int64_t)n;
    }
    for (size_t n = 0; n < 100; n++)
        CHECK_INT(items[n], (int64_t)n);
    size_t full = cap;
    CHECK(arena_room(&a, items, full, &cap, sizeof(*items)) == NULL); /* 256 more do not fit */
    CHECK(cap == full && arena_failed(&a));
    arena_fini(&a);
}

static void faults_have_names_and_statuses(void)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        CHECK(info->name != NULL && info->text != NULL);
        CHECK(err_from_name(info->name) == (enum err)e);
        CHECK(e == OK ? info->http_status == 200 : info->http_status >= 400);
    }
    CHECK(err_from_name("nonsense") == ERR_COUNT);
}

static void generator_is_uniform_and_repeatable(void)
{
    struct rng a, b;
    int counts[7] = { 0 };
    rng_init(&a, 42);
    rng_init(&b, 42);
    for (int i = 0; i < 70000; i++) {
        uint64_t x = rng_below(&a, 7);
        CHECK(x == rng_below(&b, 7));
        counts[x]++;
    }
    for (int i = 0; i < 7; i++)
        CHECK_NEAR(counts[i], 10000, 500);
}

static void lists_keep_order(void)
{
    struct link head, other, items[4];
    link_init(&head);
    link_init(&other);
    for (int i = 0; i < 4; i++)
        list_add_tail(i < 2 ? &head : &other, &items[i]);
    list_take(&head, &other);
    CHECK(list_empty(&other));
    list_remove(&items[1]);
    list_remove(&items[1]);
    CHECK(list_pop(&head) == &items[0]);
    CHECK(list_pop(&head) == &items[2]);
    CHECK(list_pop(&head) == &items[3]);
    CHECK(list_pop(&head) == NULL);
}

TESTS(TEST(integers_are_parsed_strictly), TEST(utf8_is_strict), TEST(hex_is_read_and_written),
      TEST(base64_is_written), TEST(fields_are_split), TEST(distance_counts_edits),
      TEST(buffer_stops_at_its_ceiling), TEST(buffer_writes_extreme_integers),
      TEST(arena_failure_is_sticky), TEST(arena_lists_keep_their_items),
      TEST(faults_have_names_and_statuses), TEST(generator_is_uniform_and_repeatable),
      TEST(lists_keep_order))
