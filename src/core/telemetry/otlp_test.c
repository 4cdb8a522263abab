/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of OTLP: the wire format of Protocol Buffers, what answers mean, messages; that whole bodies are right is for
 * test/oracle/otlp.py, where opentelemetry-proto reads them. */
#include "core/telemetry/otlp.h"

#include "core/telemetry/messages.h"
#include "core/telemetry/protobuf.h"
#include "test/check.h"

static void fields_have_the_bytes_of_the_encoding_s_own_examples(void)
{
    struct buf out = { 0 };

    protobuf_u64(&out, 1, 150);
    protobuf_bytes(&out, 2, STR("testing"));
    size_t mark = protobuf_begin(&out, 3);
    protobuf_u64(&out, 1, 150);
    protobuf_end(&out, mark);
    CHECK_STR(buf_str(&out), STR("\x08\x96\x01\x12\x07testing\x1A\x03\x08\x96\x01"));
    buf_fini(&out);
}

static void messages_of_any_length_are_closed(void)
{
    static const size_t lengths[] = { 0, 1, 127, 128, 16383, 16384, 70000 };

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct buf out = { 0 };
        struct protobuf_field field;
        bool is_bad;
        size_t outer = protobuf_begin(&out, 5), inner = protobuf_begin(&out, 6);
        for (size_t k = 0; k < lengths[i]; k++)
            buf_add_char(&out, (char)k);
        protobuf_end(&out, inner);
        protobuf_end(&out, outer);
        protobuf_fixed64(&out, 7, UINT64_C(0x0102030405060708));
        str rest = buf_str(&out);
        REQUIRE(protobuf_next(&rest, &field, &is_bad));
        CHECK_INT(field.number, 5);
        str inside = field.bytes;
        REQUIRE(protobuf_next(&inside, &field, &is_bad));
        CHECK_INT(field.number, 6);
        CHECK_INT(field.bytes.len, lengths[i]);
        for (size_t k = 0; k < field.bytes.len; k++)
            CHECK(field.bytes.ptr[k] == (char)k);
        CHECK_INT(inside.len, 0);
        REQUIRE(protobuf_next(&rest, &field, &is_bad));
        CHECK(field.number == 7 && field.value == UINT64_C(0x0102030405060708));
        CHECK(!protobuf_next(&rest, &field, &is_bad) && !is_bad);
        buf_fini(&out);
    }
}

static void what_is_malformed_is_refused(void)
{
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        { "\x08", 1 }, /* no value */
        { "\x08\x96", 2 }, /* half a varint */
        { "\x12\x07test", 6 }, /* shorter than it says */
        { "\x12\x05test", 6 }, /* by one byte */
        { "\x09\x01\x02\x03", 4 }, /* half of 64 bits */
        { "\x00\x01", 2 }, /* field 0 */
        { "\x0B", 1 }, /* a group */
        { "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11 }, /* more than 64 bits */
        { "\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11 }, /* a length of 2^64 - 1 */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str rest = { rows[i].bytes, rows[i].n };
        struct protobuf_field field;
        bool is_bad = false;
        CHECK(!protobuf_next(&rest, &field, &is_bad));
        CHECK(is_bad);
    }
}

static void text_is_always_utf_8(void)
{
    struct buf out = { 0 };

    protobuf_text(&out, 1, STR("a\xFF\xC3\xA9\xC3"));
    CHECK_STR(buf_str(&out), STR("\x0A\x09"
                                 "a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD"));
    buf_fini(&out);
}

static void answers_mean_what_the_protocol_says(void)
{
    static const struct {
        int status;
        str body;
        enum otlp_verdict verdict;
        int64_t rejected;
    } rows[] = {
        { 200, { "", 0 }, OTLP_TAKEN, 0 },
        { 202, { "{}", 2 }, OTLP_TAKEN, 0 },
        { 200, { "\x0A\x05\x08\x03\x12\x01x", 7 }, OTLP_TAKEN, 3 }, /* partial success */
        { 200, { "\x0A\x0B\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 13 }, OTLP_TAKEN, 0 },
        { 200, { "\x0A\x7F\x08\x03", 4 }, OTLP_TAKEN, 0 }, /* malformed */
        { 400, { "", 0 }, OTLP_REFUSED, 0 },
        { 401, { "", 0 }, OTLP_REFUSED, 0 },
        { 429, { "", 0 }, OTLP_RETRY, 0 },
        { 500, { "", 0 }, OTLP_REFUSED, 0 },
        { 501, { "", 0 }, OTLP_REFUSED, 0 },
        { 502, { "", 0 }, OTLP_RETRY, 0 },
        { 503, { "", 0 }, OTLP_RETRY, 0 },
        { 504, { "", 0 }, OTLP_RETRY, 0 },
        { 505, { "", 0 }, OTLP_REFUSED, 0 },
        { 302, { "", 0 }, OTLP_REFUSED, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t rejected = -1;
        CHECK_INT(otlp_verdict_of(rows[i].status, rows[i].body, &rejected), rows[i].verdict);
        CHECK_INT(rejected, rows[i].rejected);
    }
}

static void prompts_become_talks(void)
{
    static const struct {
        const char *captured, *parts, *plain;
    } rows[] = {
        { "", "", "[]" },
        { "[{\"role\":\"user\",\"content\":\"a\\\"b\"}]",
          "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"a\\\"b\"}]}]",
          "[{\"role\":\"user\",\"content\":\"a\\\"b\"}]" },
        { "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"x\"},{\"content\":[1]}"
          "]}",
          "[{\"role\":\"system\",\"parts\":[{\"type\":\"text\",\"content\":\"x\"}]},"
          "{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"[1]\"}]}]",
          "[{\"role\":\"system\",\"content\":\"x\"},{\"role\":\"user\",\"content\":\"[1]\"}]" },
        { "[{\"role\":\"us", /* cut */
          "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"[{\\\"role\\\":\\\"us\"}"
          "]}]",
          "[{\"role\":\"user\",\"content\":\"[{\\\"role\\\":\\\"us\"}]" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        messages_write_parts(&out, str_from(rows[i].captured));
        CHECK_STR(buf_str(&out), str_from(rows[i].parts));
        buf_reset(&out);
        messages_write_plain(&out, str_from(rows[i].captured));
        CHECK_STR(buf_str(&out), str_from(rows[i].plain));
        buf_fini(&out);
    }
}

TESTS(TEST(fields_have_the_bytes_of_the_encoding_s_own_examples),
      TEST(messages_of_any_length_are_closed), TEST(what_is_malformed_is_refused),
      TEST(text_is_always_utf_8), TEST(answers_mean_what_the_protocol_says),
      TEST(prompts_become_talks))
