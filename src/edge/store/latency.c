/* SPDX-License-Identifier: Apache-2.0 */
/* latency: a histogram in few bytes, equal ones in equal bytes: see rollup.h. */
#include <string.h>

#include "base/varint.h"
#include "edge/store/rollup.h"

#define WHOLE_MAX 0x1p53

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
    at += varint_write(at, whole(h->min));
    at += varint_write(at, whole(h->max));
    at += varint_write(at, whole(h->sum));
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->counts[i] == 0)
            continue;
        at += varint_write(at, (uint64_t)(i - before - 1));
        at += varint_write(at, h->counts[i]);
        before = i;
    }
    return (size_t)(at - out);
}

struct latency_head {
    uint64_t min, max, sum;
};

static bool take_head(str *left, struct latency_head *out)
{
    return varint_take_shortest(left, &out->min) && varint_take_shortest(left, &out->max) &&
           varint_take_shortest(left, &out->sum) && out->min <= out->max &&
           out->max <= (uint64_t)WHOLE_MAX && out->sum <= (uint64_t)WHOLE_MAX;
}

/* The next bucket after *index, and its count. */
static bool take_bucket(str *left, int *index, uint64_t *out_count)
{
    uint64_t distance, count;

    if (!varint_take_shortest(left, &distance) || !varint_take_shortest(left, &count) ||
        count == 0 || count > (uint64_t)WHOLE_MAX ||
        distance >= (uint64_t)(HISTOGRAM_BUCKETS - 1 - *index))
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
