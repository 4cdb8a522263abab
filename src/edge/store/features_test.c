/* SPDX-License-Identifier: Apache-2.0 */
/* features_test: packed features come back exactly, fit, and nothing else is taken for them. */
#include "edge/store/features.h"

#include <math.h>

#include "base/rng.h"
#include "test/check.h"

static str packed_str(const uint8_t *bytes, size_t len)
{
    return (str){ (const char *)bytes, len };
}

static void check_round_trip(const struct route_features *f)
{
    uint8_t bytes[LEDGER_FEATURES_MAX];
    struct route_features back;
    size_t len = features_pack(bytes, f);

    CHECK(len <= LEDGER_FEATURES_MAX);
    memset(&back, 0x5a, sizeof(back));
    REQUIRE(features_unpack(packed_str(bytes, len), &back));
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        CHECK_NEAR((double)back.dense[i], (double)f->dense[i], 0);
    CHECK_INT(back.gram_count, f->gram_count);
    for (size_t i = 0; i < f->gram_count; i++)
        CHECK(back.grams[i].bucket == f->grams[i].bucket && back.grams[i].len == 0);
}

/* Every share of the buckets, so every mix of near and far grams; dense features of any size, many of them zero. */
static void random_features_come_back(void)
{
    struct rng rng;

    rng_init(&rng, 7);
    for (int round = 0; round < 2000; round++) {
        struct route_features f = { 0 };
        uint64_t share = rng_below(&rng, 40) + 1;
        for (size_t i = 0; i < ROUTE_DENSE; i++)
            if (rng_below(&rng, 2))
                f.dense[i] = (float)ldexp(rng_normal(&rng), (int)rng_below(&rng, 60) - 30);
        for (unsigned gram = 0; gram < ROUTE_GRAMS && f.gram_count < ROUTE_GRAMS_MAX; gram++)
            if (rng_below(&rng, share) == 0)
                f.grams[f.gram_count++].bucket = (uint16_t)gram;
        check_round_trip(&f);
    }
}

static void the_ends_come_back(void)
{
    struct route_features f = { 0 };
    uint8_t bytes[LEDGER_FEATURES_MAX];

    check_round_trip(&f);
    CHECK_INT(features_pack(bytes, &f), 2 + (ROUTE_DENSE + 7) / 8 + 1);
    f.gram_count = 2;
    f.grams[1].bucket = ROUTE_GRAMS - 1;
    check_round_trip(&f);
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        f.dense[i] = -3e38f;
    /* The most grams, first as near as they can be, then with every far distance that fits. */
    f.gram_count = ROUTE_GRAMS_MAX;
    for (unsigned i = 0; i < ROUTE_GRAMS_MAX; i++)
        f.grams[i].bucket = (uint16_t)i;
    check_round_trip(&f);
    for (unsigned i = 0; i < ROUTE_GRAMS_MAX; i++)
        f.grams[i].bucket = (uint16_t)(i + 128u * (i < 28 ? i : 28));
    CHECK(f.grams[ROUTE_GRAMS_MAX - 1].bucket > ROUTE_GRAMS - 128 * 2 &&
          f.grams[ROUTE_GRAMS_MAX - 1].bucket < ROUTE_GRAMS);
    check_round_trip(&f);
}

static void what_is_not_finite_is_zero(void)
{
    struct route_features f = { 0 }, back;
    uint8_t bytes[LEDGER_FEATURES_MAX];

    f.dense[0] = NAN;
    f.dense[1] = INFINITY;
    f.dense[2] = -0.0f;
    f.dense[3] = 1;
    size_t len = features_pack(bytes, &f);
    REQUIRE(features_unpack(packed_str(bytes, len), &back));
    CHECK_NEAR((double)(back.dense[0] + back.dense[1] + back.dense[2]), 0, 0);
    CHECK_NEAR((double)back.dense[3], 1, 0);
}

static size_t a_sample(uint8_t bytes[LEDGER_FEATURES_MAX])
{
    struct route_features f = { .gram_count = 3,
                                .grams = { { .bucket = 400 }, { .bucket = 5 }, { .bucket = 6 } } };

    f.dense[1] = 2;
    f.dense[24] = -1;
    return features_pack(bytes, &f);
}

static void other_bytes_are_refused(void)
{
    uint8_t bytes[LEDGER_FEATURES_MAX + 1];
    struct route_features untouched, back;
    size_t len = a_sample(bytes);
    /* version, count, 4 of mask, two floats, count of grams, 5, 0, 393 in two bytes */
    enum { MASK = 2, FLOATS = 6, GRAMS = 14, LAST = 17 };
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } cases[] = {
        { "another version", 0, 2 },
        { "another number of dense features", 1, 24 },
        { "a feature past the last", MASK + 3, 3 },
        { "a feature that is not there", MASK, 3 },
        { "fewer grams", GRAMS, 2 },
        { "more grams", GRAMS, 4 },
        { "a gram past the last", LAST + 1, 0x7f },
        { "a distance in a long form", LAST + 1, 0 },
        { "a distance of three bytes", LAST + 1, 0x83 },
    };

    CHECK_INT(len, LAST + 2);
    memset(&untouched, 0x5a, sizeof(untouched));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t was = bytes[cases[i].at];
        bytes[cases[i].at] = cases[i].value;
        if (features_unpack(packed_str(bytes, len), &untouched))
            check_note(__FILE__, __LINE__, cases[i].what);
        bytes[cases[i].at] = was;
    }
    memset(bytes + FLOATS, 0, 4);
    CHECK(!features_unpack(packed_str(bytes, len), &untouched)); /* a zero that is said not to be */
    bytes[FLOATS + 2] = 0x80;
    bytes[FLOATS + 3] = 0x7f;
    CHECK(!features_unpack(packed_str(bytes, len), &untouched)); /* infinity */
    len = a_sample(bytes);
    bytes[LAST] = 0xf9; /* 4089 behind 6: the first that is no bucket */
    bytes[LAST + 1] = 0x1f;
    CHECK(!features_unpack(packed_str(bytes, len), &untouched));
    bytes[LAST] = 0xf8;
    CHECK(features_unpack(packed_str(bytes, len), &back) &&
          back.grams[2].bucket == ROUTE_GRAMS - 1);
    len = a_sample(bytes);
    for (size_t n = 0; n < len; n++)
        CHECK(!features_unpack(packed_str(bytes, n), &untouched));
    bytes[len] = 0;
    CHECK(!features_unpack(packed_str(bytes, len + 1), &untouched));
    CHECK(!features_unpack((str){ NULL, 0 }, &untouched));
    CHECK_INT(untouched.gram_count, 0x5a5a);
    CHECK(features_unpack(packed_str(bytes, len), &untouched));
}

static void too_many_grams_are_refused(void)
{
    struct route_features f = { .gram_count = ROUTE_GRAMS_MAX };
    uint8_t bytes[LEDGER_FEATURES_MAX + 1];
    size_t count_at = features_pack(bytes, &(const struct route_features){ 0 }) - 1;

    for (unsigned i = 0; i < ROUTE_GRAMS_MAX; i++)
        f.grams[i].bucket = (uint16_t)i;
    size_t len = features_pack(bytes, &f);
    bytes[count_at]++; /* one more than there may be, and there it is */
    bytes[len] = 0;
    CHECK(!features_unpack(packed_str(bytes, len + 1), &f));
}

TESTS(TEST(random_features_come_back), TEST(the_ends_come_back), TEST(what_is_not_finite_is_zero),
      TEST(other_bytes_are_refused), TEST(too_many_grams_are_refused))
