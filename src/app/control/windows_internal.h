/* SPDX-License-Identifier: Apache-2.0 */
/* What windows.c and windows_save.c share; nobody else includes it. */
#ifndef WEIR_APP_CONTROL_WINDOWS_INTERNAL_H
#define WEIR_APP_CONTROL_WINDOWS_INTERNAL_H

#include "app/control/windows.h"

/* core/stats has 32 buckets an octave from 1 µs on; here are every two of them from 2^10 µs to 2^26 µs, 67 s. */
#define WINDOWS_BUCKETS 256
#define WINDOWS_BINS 10 /* of confidence */
#define WINDOWS_RINGS 4
#define WINDOWS_SLOTS 192 /* of all rings */

struct windows_bin {
    uint32_t n;
    float confidence;
    float right;
};
struct windows_slot {
    int64_t epoch; /* now / width when it was last written */
    uint32_t n, wrong, failed, priced, unpriced, hrm_n, trm_n;
    double hrm, trm, cost;
    struct windows_bin bins[WINDOWS_BINS];
    uint32_t latency[WINDOWS_BUCKETS]; /* their sum is n */
};

struct windows_ring {
    nsec width;
    uint32_t slots;
    uint32_t first; /* of its slots in a leaf */
};
extern const struct windows_ring windows_rings[WINDOWS_RINGS];

struct windows_leaf {
    struct windows_slot slots[WINDOWS_SLOTS];
};
struct windows_arm {
    char label[WINDOWS_LABEL_MAX];
    nsec newest; /* 0: a free place */
    struct windows_leaf *leaves[FEED_DOMAIN_COUNT]; /* NULL: nothing yet */
};
/* The slot of a ring that is written now, so that nothing is divided while it lasts. */
struct windows_present {
    nsec from, until;
    int64_t epoch;
    size_t slot; /* in a leaf */
};
struct windows {
    struct windows_arm arms[WINDOWS_ARMS_MAX];
    struct windows_present present[WINDOWS_RINGS];
    uint64_t lost;
};

/* Where the slot of an epoch stands in a leaf. */
static inline size_t windows_slot_index(size_t ring, int64_t epoch)
{
    return windows_rings[ring].first + (size_t)(epoch % windows_rings[ring].slots);
}

#endif
