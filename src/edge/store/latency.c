/* SPDX-License-Identifier: Apache-2.0 */
/* latency: a histogram in few bytes: see rollup.h. */
#include <string.h>

#include "edge/store/rollup.h"

#define VARINT_BYTES_MAX 10
#define WHOLE_MAX 0x1p53

static uint8_t *put_varint(uint8_t *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (uint8_t)((v & 0x7f) | 0x80);
    *at++ = (uint8_t)v;
    return at;
}

/* The shortest form only, so that equal histograms are equal bytes. */
static bool take_varint(str *left, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < left->len && i < VARINT_BYTES_MAX; i++) {
        uint8_t byte = (uint8_t)left->ptr[i];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0)
            return false;
        *out = v;
        *left = str_slice(*left, i + 1, left->len);
        return true;
    }
    return false;
}

static uint64_t whole(double value)
{
    return value >= WHOLE_MAX ? (uint64_t)WHOLE_MAX : value > 0 ? (uint64_t)value : 0;
}

size_t latency_pack(uint8_t out[LATENCY_BYTES_MAX], const struct histogram *h)
{
    uint8_t *at = out;
    int before = -1;

    if (h->n == 0)
        return 0;
    at = put_varint(at, whole(h->min));
    at = put_varint(at, whole(h->max));
    at = put_varint(at, whole(h->sum));
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->counts[i] == 0)
            continue;
        at = put_varint(at, (uint64_t)(i - before - 1));
        at = put_varint(at, h->counts[i]);
        before = i;
    }
    return (size_t)(at - out);
}

struct latency_head {
    uint64_t min, max, sum;
};

static bool take_head(str *left, struct latency_head *out)
{
    return take_varint(left, &out->min) && take_varint(left, &out->max) &&
           take_varint(left, &out->sum) && out->min <= out->max &&
           out->max <= (uint64_t)WHOLE_MAX && out->sum <= (uint64_t)WHOLE_MAX;
}

/* The next bucket after *index, and its count. */
static bool take_bucket(str *left, int *index, uint64_t *out_count)
{
    uint64_t distance, count;

    if (!take_varint(left, &distance) || !take_varint(left, &count) || count == 0 ||
        count > (uint64_t)WHOLE_MAX || distance >= (uint64_t)(HISTOGRAM_BUCKETS - 1 - *index))
        return false;
    *index += (int)distance + 1;
    *out_count = count;
    return true;
}

/* Every bucket can be read, and there is one. */
static bool buckets_are_sound(str left)
{
    uint64_t count, n = 0;
    int index = -1;

    do {
        if (!take_bucket(&left, &index, &count))
            return false;
        n += count;
    } while (left.len > 0);
    return n <= (uint64_t)WHOLE_MAX;
}

bool latency_add(struct histogram *h, str packed)
{
    struct latency_head head;
    uint64_t count;
    int index = -1;

    if (packed.len == 0)
        return true;
    if (!take_head(&packed, &head) || !buckets_are_sound(packed))
        return false;
    h->min = h->n == 0 || (double)head.min < h->min ? (double)head.min : h->min;
    h->max = h->n == 0 || (double)head.max > h->max ? (double)head.max : h->max;
    h->sum += (double)head.sum;
    while (packed.len > 0 && take_bucket(&packed, &index, &count)) {
        h->counts[index] += count;
        h->n += count;
    }
    return true;
}
