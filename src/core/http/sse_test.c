/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the framing of event streams. Events are shown as their data in brackets. */
#include <string.h>

#include "test/check.h"

#include "base/rng.h"
#include "core/http/sse.h"

/* STR() for constant tables. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static void show(void *ctx, str data)
{
    struct buf *out = ctx;

    buf_add_char(out, '[');
    buf_add(out, data);
    buf_add_char(out, ']');
}

static enum err decode(str bytes, size_t step, size_t max, struct buf *out)
{
    struct sse_decoder decoder;
    enum err e = OK;

    sse_decoder_init(&decoder, max);
    for (size_t at = 0; at < bytes.len; at += step)
        e = sse_decoder_feed(&decoder, str_slice(bytes, at, at + step), show, out);
    sse_decoder_fini(&decoder);
    sse_decoder_fini(&decoder);
    return e;
}

static void decodes_streams_in_any_split(void)
{
    static const struct {
        str bytes;
        const char *events;
    } cases[] = {
        { TEXT("data: a\n\n"), "[a]" },
        { TEXT("data:a\r\n\r\ndata:b\r\rdata:c\n\n"), "[a][b][c]" },
        { { "\xEF\xBB\xBF"
            "data: a\n\ndata: b\n\n",
            21 },
          "[a][b]" },
        { { "data: a\n\n\xEF\xBB\xBF"
            "data: b\n\n",
            21 },
          "[a]" },
        { TEXT("data: a\ndata: b\rdata:\r\n\r\n"), "[a\nb\n]" },
        { TEXT(": comment\n\nevent: x\nid: 1\nretry: 5\ndata: a\nfoo\n\n"), "[a]" },
        { TEXT("event: x\n\n"), "" },
        { TEXT("data\n\n"), "[]" },
        { TEXT("data:\n\n"), "[]" },
        { TEXT("data\ndata\n\n"), "[\n]" },
        { TEXT("data:  two\n\n"), "[ two]" },
        { TEXT("data:\ta: b\n\n"), "[\ta: b]" },
        { TEXT(" data: a\nDATA: b\ndatas: c\n\n"), "" },
        { TEXT("data: a\n"), "" },
        { TEXT("data: a"), "" },
        { TEXT("\n\n\r\n\rdata: a\n\n\n\n"), "[a]" },
        { TEXT("data: a\r\n\ndata: b\n\r"), "[a][b]" },
        { TEXT("data: x\0y\n\n"), "[x?y]" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step <= cases[i].bytes.len; step++) {
            struct buf out = { 0 };
            CHECK_ERR(decode(cases[i].bytes, step, 100, &out), OK);
            for (size_t at = 0; at < out.len; at++) {
                if (out.ptr[at] == '\0')
                    out.ptr[at] = '?';
            }
            CHECK_STR(buf_str(&out), str_from(cases[i].events));
            buf_fini(&out);
        }
    }
}

static void refuses_events_past_the_limit(void)
{
    static const struct {
        str bytes;
        enum err result;
        const char *events;
    } cases[] = {
        { TEXT("data: 12345678\n\n"), OK, "[12345678]" },
        { TEXT("data: 123456789\n\n"), PROVIDER_GARBAGE, "" },
        { TEXT("data: 1234\ndata: 678\n\n"), OK, "[1234\n678]" },
        { TEXT("data: 1234\ndata: 6789\n\n"), PROVIDER_GARBAGE, "" },
        { TEXT("data: a\n\ndata: 123456789\n\ndata: b\n\n"), PROVIDER_GARBAGE, "[a]" },
        { { "data: 1\n\n:0123456789012345678901234567890123456789012345678901234567890123456789"
            "0123456789\n\ndata: b\n\n",
            102 },
          PROVIDER_GARBAGE,
          "[1]" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step <= cases[i].bytes.len; step++) {
            struct buf out = { 0 };
            CHECK_ERR(decode(cases[i].bytes, step, 8, &out), cases[i].result);
            CHECK_STR(buf_str(&out), str_from(cases[i].events));
            buf_fini(&out);
        }
    }
}

static void finds_line_ends_far_away(void)
{
    struct buf text = { 0 }, out = { 0 }, want = { 0 };

    buf_add(&text, STR("data: "));
    buf_add_char(&want, '[');
    for (int i = 0; i < 5000; i++) {
        buf_add_char(&text, 'x');
        buf_add_char(&want, 'x');
    }
    buf_add(&text, STR("\r\r"));
    buf_add_char(&want, ']');
    CHECK_ERR(decode(buf_str(&text), text.len, 8192, &out), OK);
    CHECK_STR(buf_str(&out), buf_str(&want));
    buf_fini(&text);
    buf_fini(&out);
    buf_fini(&want);
}

static void writes_events(void)
{
    static const struct {
        const char *data, *bytes;
    } cases[] = {
        { "", "data: \n\n" },
        { "a", "data: a\n\n" },
        { "a\nb", "data: a\ndata: b\n\n" },
        { "a\r\nb\r\rc\n", "data: a\ndata: b\ndata: \ndata: c\ndata: \n\n" },
    };
    struct buf out = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&out);
        sse_event_write(&out, str_from(cases[i].data));
        CHECK_STR(buf_str(&out), str_from(cases[i].bytes));
    }
    buf_reset(&out);
    sse_comment_write(&out, STR("a\ndata: b\r"));
    CHECK_STR(buf_str(&out), STR(": a data: b \n\n"));
    buf_fini(&out);
}

static void decodes_what_it_writes(void)
{
    static const char alphabet[] = "ab:  \n{}\x80";
    struct rng rng;

    rng_init(&rng, 11);
    for (int round = 0; round < 300; round++) {
        struct buf stream = { 0 }, want = { 0 }, out = { 0 }, data = { 0 };
        for (uint64_t event = rng_below(&rng, 5); event > 0; event--) {
            buf_reset(&data);
            for (uint64_t n = rng_below(&rng, 20); n > 0; n--)
                buf_add_char(&data, alphabet[rng_below(&rng, sizeof(alphabet) - 1)]);
            sse_event_write(&stream, buf_str(&data));
            if (rng_below(&rng, 3) == 0)
                sse_comment_write(&stream, buf_str(&data));
            show(&want, buf_str(&data));
        }
        CHECK_ERR(decode(buf_str(&stream), 1 + (size_t)rng_below(&rng, stream.len + 1), 64, &out),
                  OK);
        CHECK_STR(buf_str(&out), buf_str(&want));
        buf_fini(&stream);
        buf_fini(&want);
        buf_fini(&out);
        buf_fini(&data);
    }
}

TESTS(TEST(decodes_streams_in_any_split), TEST(refuses_events_past_the_limit),
      TEST(finds_line_ends_far_away), TEST(writes_events), TEST(decodes_what_it_writes))
