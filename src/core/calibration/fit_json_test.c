/* SPDX-License-Identifier: Apache-2.0 */
/* fit_json's tests: what is written is read as the same fit, what fit_write never writes is refused. */
#include "core/calibration/fit_json.h"

#include "test/check.h"

static bool read_text(str text, struct fit *out)
{
    struct arena arena;
    struct json value;
    bool is_fit;

    arena_init(&arena, 1 << 20);
    is_fit = json_parse(&arena, text, &value, NULL) == OK && fit_read(value, out);
    arena_fini(&arena);
    return is_fit;
}

static void fits_come_back(void)
{
    static const char *const texts[] = {
        "{\"kind\":\"none\",\"n\":0}",
        "{\"kind\":\"platt\",\"n\":120,\"slope\":-3.25,\"intercept\":0.5}",
        "{\"kind\":\"isotonic\",\"n\":400,\"knots\":[[-2.5,0],[0.1,0.25],[0.2,0.25],[3,1]]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf out = { 0 };
        struct fit fit;
        REQUIRE(read_text(str_from(texts[i]), &fit));
        CHECK_INT(fit.kind, i);
        fit_write(&fit, &out);
        CHECK_STR(buf_str(&out), str_from(texts[i]));
        buf_fini(&out);
    }
}

static void what_is_no_fit_is_refused(void)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"kind\":\"none\"}",
        "{\"kind\":\"none\",\"n\":-1}",
        "{\"kind\":\"None\",\"n\":1}",
        "{\"kind\":\"platt\",\"n\":1,\"slope\":1}",
        "{\"kind\":\"platt\",\"n\":1,\"intercept\":1}",
        "{\"kind\":\"platt\",\"n\":1,\"slope\":1e999,\"intercept\":1}",
        "{\"kind\":\"isotonic\",\"n\":1}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[]}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[[1]]}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[[1,2]]}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[[1,-0.1]]}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[[1,0.5],[1,0.6]]}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[[2,0.5],[1,0.6]]}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[[1,0.6],[2,0.5]]}",
        "{\"kind\":\"isotonic\",\"n\":1,\"knots\":[[1,0.5,0]]}",
    };
    struct fit fit = { .n = 77 };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (read_text(str_from(texts[i]), &fit))
            check_note(__FILE__, __LINE__, texts[i]);
        CHECK_INT(fit.n, 77);
    }
}

static void knots_have_a_limit(void)
{
    for (int knots = FIT_KNOTS_MAX; knots <= FIT_KNOTS_MAX + 1; knots++) {
        struct buf text = { 0 };
        struct fit fit;
        buf_add(&text, STR("{\"kind\":\"isotonic\",\"n\":1,\"knots\":["));
        for (int i = 0; i < knots; i++)
            buf_printf(&text, "%s[%d,0.5]", i > 0 ? "," : "", i);
        buf_add(&text, STR("]}"));
        CHECK(read_text(buf_str(&text), &fit) == (knots <= FIT_KNOTS_MAX));
        buf_fini(&text);
    }
}

/* Knots closer than a millionth would be written as the same score, which no reader would take. */
static void rounding_keeps_a_fit_readable(void)
{
    struct fit fit = { .kind = FIT_ISOTONIC,
                       .n = 9,
                       .knots = 4,
                       .score = { 0.1, 0.20000001, 0.20000002, 0.3 },
                       .value = { 0.1, 0.3, 0.4, 0.5000004 } };
    struct buf out = { 0 };
    struct fit again;

    fit_round(&fit);
    CHECK_INT(fit.knots, 3);
    fit_write(&fit, &out);
    CHECK(read_text(buf_str(&out), &again));
    CHECK_NEAR(again.value[1], 0.4, 0);
    CHECK_NEAR(again.value[2], 0.5, 0);
    buf_fini(&out);
}

TESTS(TEST(fits_come_back), TEST(what_is_no_fit_is_refused), TEST(knots_have_a_limit),
      TEST(rounding_keeps_a_fit_readable))
