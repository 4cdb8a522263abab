/* SPDX-License-Identifier: Apache-2.0 */
/* features: see features.h. */
#include "edge/store/features.h"

#include <math.h>
#include <string.h>

#include "base/varint.h"

#define FEATURES_VERSION 1
#define MASK_BYTES ((ROUTE_DENSE + 7) / 8)
#define GRAM_VARINT_BYTES 2 /* of a number below 2^14 */

_Static_assert(ROUTE_GRAMS <= 1 << (7 * GRAM_VARINT_BYTES), "a bucket's number fits two bytes");
_Static_assert(2 + MASK_BYTES + ROUTE_DENSE * sizeof(float) + GRAM_VARINT_BYTES + ROUTE_GRAMS_MAX +
                       ROUTE_GRAMS / 128 <=
                   LEDGER_FEATURES_MAX,
               "any features fit");
_Static_assert(ROUTE_DENSE <= UINT8_MAX, "their count fits a byte");
_Static_assert(ROUTE_GRAMS % 64 == 0, "a set of buckets is whole words");

/* The members of a set of buckets, lowest first. */
static uint8_t *put_buckets(uint8_t *at, const uint64_t taken[ROUTE_GRAMS / 64])
{
    unsigned count = 0, least = 0; /* that the next one can be */

    for (size_t i = 0; i < ROUTE_GRAMS / 64; i++)
        count += (unsigned)__builtin_popcountll(taken[i]);
    at += varint_write(at, count);
    for (unsigned i = 0; i < ROUTE_GRAMS / 64; i++) {
        for (uint64_t left = taken[i]; left != 0; left &= left - 1) {
            unsigned bucket = i * 64 + (unsigned)__builtin_ctzll(left);
            at += varint_write(at, bucket - least);
            least = bucket + 1;
        }
    }
    return at;
}

size_t features_pack(uint8_t out[LEDGER_FEATURES_MAX], const struct route_features *features)
{
    uint8_t *mask = out + 2;
    uint8_t *at = mask + MASK_BYTES;
    uint64_t taken[ROUTE_GRAMS / 64] = { 0 };

    out[0] = FEATURES_VERSION;
    out[1] = ROUTE_DENSE;
    memset(mask, 0, MASK_BYTES);
    for (size_t i = 0; i < ROUTE_DENSE; i++) {
        float value = features->dense[i];
        if (!isfinite(value) || fpclassify(value) == FP_ZERO)
            continue;
        mask[i / 8] |= (uint8_t)(1u << i % 8);
        memcpy(at, &value, sizeof(value));
        at += sizeof(value);
    }
    assert(features->gram_count <= ROUTE_GRAMS_MAX);
    for (size_t i = 0; i < features->gram_count; i++) {
        unsigned bucket = features->grams[i].bucket;
        assert(bucket < ROUTE_GRAMS);
        taken[bucket / 64] |= UINT64_C(1) << bucket % 64;
    }
    return (size_t)(put_buckets(at, taken) - out);
}

struct unpack {
    const uint8_t *at;
    const uint8_t *end;
    bool failed; /* sticky */
};

static uint8_t get_u8(struct unpack *u)
{
    if (u->at == u->end) {
        u->failed = true;
        return 0;
    }
    return *u->at++;
}

/* Of a number of buckets or of one. */
static unsigned get_varint(struct unpack *u)
{
    str rest = { (const char *)u->at, (size_t)(u->end - u->at) };
    uint64_t v;

    if (!varint_take_shortest(&rest, &v) || v > ROUTE_GRAMS) {
        u->failed = true;
        return 0;
    }
    u->at = u->end - rest.len;
    return (unsigned)v;
}

static float get_dense(struct unpack *u)
{
    float value = 0;

    if ((size_t)(u->end - u->at) < sizeof(value)) {
        u->failed = true;
        return 0;
    }
    memcpy(&value, u->at, sizeof(value));
    u->at += sizeof(value);
    if (!isfinite(value) || fpclassify(value) == FP_ZERO)
        u->failed = true;
    return value;
}

static void get_grams(struct unpack *u, struct route_features *out)
{
    unsigned count = get_varint(u), least = 0;

    if (count > ROUTE_GRAMS_MAX) {
        u->failed = true;
        return;
    }
    out->gram_count = (uint16_t)count;
    for (unsigned i = 0; i < count && !u->failed; i++) {
        unsigned gram = least + get_varint(u);
        u->failed = u->failed || gram >= ROUTE_GRAMS;
        out->grams[i] = (struct route_gram){ .bucket = (uint16_t)gram };
        least = gram + 1;
    }
}

bool features_unpack(str packed, struct route_features *out)
{
    struct unpack u = { .at = (const uint8_t *)packed.ptr };
    struct route_features features;
    uint8_t mask[MASK_BYTES];

    if (packed.len < 2 + MASK_BYTES)
        return false;
    u.end = u.at + packed.len;
    memset(&features, 0, sizeof(features));
    if (get_u8(&u) != FEATURES_VERSION || get_u8(&u) != ROUTE_DENSE)
        return false;
    for (size_t i = 0; i < MASK_BYTES; i++)
        mask[i] = get_u8(&u);
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        if (mask[i / 8] >> i % 8 & 1)
            features.dense[i] = get_dense(&u);
    for (size_t i = ROUTE_DENSE; i < MASK_BYTES * 8; i++)
        u.failed = u.failed || (mask[i / 8] >> i % 8 & 1) != 0;
    get_grams(&u, &features);
    if (u.failed || u.at != u.end)
        return false;
    *out = features;
    return true;
}
