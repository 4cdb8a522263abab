/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of varint: known bytes, every length, and what is refused. */
#include "test/check.h"

#include "base/rng.h"
#include "base/varint.h"

static void known_bytes(void)
{
    static const struct {
        uint64_t value;
        str bytes;
    } rows[] = {
        { 0, { "\0", 1 } },
        { 1, { "\x01", 1 } },
        { 127, { "\x7f", 1 } },
        { 128, { "\x80\x01", 2 } },
        { 300, { "\xac\x02", 2 } },
        { 16383, { "\xff\x7f", 2 } },
        { 16384, { "\x80\x80\x01", 3 } },
        { UINT64_MAX, { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 } },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        varint_add(&out, rows[i].value);
        CHECK_STR(buf_str(&out), rows[i].bytes);
        buf_fini(&out);
    }
}

static void what_is_written_is_read(void)
{
    struct rng rng;

    rng_init(&rng, 7);

    for (int i = 0; i < 1000; i++) {
        uint64_t value = rng_u64(&rng) >> rng_below(&rng, 64), got;
        uint8_t bytes[VARINT_BYTES_MAX + 1] = { 0 };
        size_t n = varint_write(bytes, value);
        for (size_t len = 0; len < n; len++) {
            str cut = { (const char *)bytes, len };
            CHECK(!varint_take(&cut, &got) && cut.len == len);
            CHECK(!varint_take_shortest(&cut, &got) && cut.len == len);
        }
        str one = { (const char *)bytes, n + 1 }, two = one;
        CHECK(varint_take(&one, &got) && got == value && one.len == 1);
        CHECK(varint_take_shortest(&two, &got) && got == value && two.len == 1);
    }
}

static void long_forms_and_long_numbers(void)
{
    static const str padded[] = { { "\x80\x00", 2 },
                                  { "\x81\x80\x00", 3 },
                                  { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10 } },
                     too_long[] = { { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 },
                                    { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11 } };
    uint64_t got;

    for (size_t i = 0; i < ARRAY_LEN(padded); i++) {
        str once = padded[i], strictly = padded[i];
        CHECK(varint_take(&once, &got) && once.len == 0);
        CHECK(!varint_take_shortest(&strictly, &got) && strictly.len == padded[i].len);
    }
    for (size_t i = 0; i < ARRAY_LEN(too_long); i++) {
        str rest = too_long[i];
        CHECK(!varint_take(&rest, &got) && rest.len == too_long[i].len);
    }
}

TESTS(TEST(known_bytes), TEST(what_is_written_is_read), TEST(long_forms_and_long_numbers))
