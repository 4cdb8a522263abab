/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: what every file may lean on: must-use results, the faults table, units, checked integers.
 *
 * Includes nothing of ours. Nothing here touches the world.
 */
#ifndef WEIR_BASE_BASE_H
#define WEIR_BASE_BASE_H

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define CONTAINER_OF_CONST(ptr, type, member)                                                      \
    ((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

/* Marks a fact of the whole function family: the result is unused on purpose. */
#define IGNORE(expression)                                                                         \
    do {                                                                                           \
        if (expression) {                                                                          \
        }                                                                                          \
    } while (0)

/* Durations and instants of a monotonic clock, in nanoseconds. */
typedef int64_t nsec;
#define NSEC_PER_USEC INT64_C(1000)
#define NSEC_PER_MS INT64_C(1000000)
#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_NEVER INT64_MAX

/* Wall-clock time: microseconds since 1970-01-01 UTC. */
typedef int64_t usec_utc;

/* Money: 10^-9 US dollars. */
typedef int64_t nano_usd;
#define NANO_PER_USD INT64_C(1000000000)
/* The cost of something whose price nobody knows; never zero. */
#define COST_UNPRICED INT64_MIN

/* Sums and products of foreign numbers: *out is written only when the result fits. */
NODISCARD static inline bool i64_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

NODISCARD static inline bool i64_mul(int64_t a, int64_t b, int64_t *out)
{
    int64_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

NODISCARD static inline bool size_add(size_t a, size_t b, size_t *out)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

#endif
