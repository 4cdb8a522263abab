/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of redaction: what is known, what looks like a secret, what does not, and cuts. */
#include "core/telemetry/redact.h"

#include "base/rng.h"
#include "test/check.h"

static const str secrets[] = { { "hunter22", 8 }, { "tiny", 4 }, { "s\"ecr\"et", 8 } };
static const struct redact_known known = { secrets, 3 };

static void secrets_do_not_pass(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "", "" },
        { "nothing here", "nothing here" },
        { "hunter22", "[redacted]" },
        { "xhunter22x", "x[redacted]x" },
        { "a hunter22, a hunter2", "a [redacted], a hunter2" },
        { "tiny is a word", "tiny is a word" }, /* too short to be taken out */
        { "s\"ecr\"et", "[redacted]" },
        { "key sk-abcdefghijklmnop1234 end", "key [redacted] end" },
        { "sk-short", "sk-short" },
        { "task-abcdefghijklmnop1234", "task-abcdefghijklmnop1234" }, /* inside a word */
        { "\"Authorization\": \"Bearer abcdef123456\"", "\"Authorization\": \"[redacted]\"" },
        { "Bearer of news", "Bearer of news" },
        { "AKIAIOSFODNN7EXAMPLE", "[redacted]" },
        { "key=AKIAIOSFODNN7EXAMPLE", "key=[redacted]" },
        { "lsv2_pt_0123456789abcdef", "[redacted]" },
        { "xoxb-123456789012-x", "[redacted]" },
        { "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[redacted]" },
        { "hunter22hunter22", "[redacted][redacted]" },
        { "na\xC3\xAFve hunter22", "na\xC3\xAFve [redacted]" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        redact_add(&out, str_from(rows[i].text), 1000, &known);
        CHECK_STR(buf_str(&out), str_from(rows[i].want));
        buf_fini(&out);
    }
}

static void cuts_are_between_characters_and_after_secrets(void)
{
    struct buf out = { 0 };

    buf_add(&out, STR("before:"));
    redact_add(&out, STR("na\xC3\xAFve"), 3, &known); /* the third byte is half a character */
    CHECK_STR(buf_str(&out), STR("before:na"));
    buf_reset(&out);
    redact_add(&out, STR("1234567 hunter22"), 12, &known); /* half of it would be left */
    CHECK_STR(buf_str(&out), STR("1234567 [red"));
    buf_reset(&out);
    redact_add(&out, STR("abc"), 0, &known);
    CHECK_INT(out.len, 0);
    buf_fini(&out);
}

/* Wherever a known secret is put, and whatever stands around it, it is gone. */
static void no_known_secret_passes_anywhere(void)
{
    struct rng rng;

    rng_init(&rng, 1);
    for (int i = 0; i < 3000; i++) {
        struct buf text = { 0 }, out = { 0 };
        size_t n = (size_t)rng_below(&rng, 40), at = (size_t)rng_below(&rng, 40);
        for (size_t k = 0; k < n + 1; k++) {
            if (k == at || k == n)
                buf_add(&text, secrets[0]);
            buf_add_char(&text, "hsk-BearerAIza_/ \"\\n2"[rng_below(&rng, 21)]);
        }
        redact_add(&out, buf_str(&text), 1000, &known);
        CHECK(str_find(buf_str(&out), secrets[0]) == STR_NPOS);
        buf_fini(&text);
        buf_fini(&out);
    }
}

TESTS(TEST(secrets_do_not_pass), TEST(cuts_are_between_characters_and_after_secrets),
      TEST(no_known_secret_passes_anywhere))
