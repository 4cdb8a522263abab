/* SPDX-License-Identifier: Apache-2.0 */
/* confidence_internal: what the table and its JSON share. */
#ifndef WEIR_CORE_CALIBRATION_CONFIDENCE_INTERNAL_H
#define WEIR_CORE_CALIBRATION_CONFIDENCE_INTERNAL_H

#include "core/calibration/confidence_table.h"

#define THRESHOLDS 101 /* 0.00, 0.01, …, 1.00 */

/* Of the held-out items whose calibrated value is at least a threshold in hundredths. */
struct accepted_counts {
    uint32_t accepted[THRESHOLDS];
    uint32_t right[THRESHOLDS];
};

struct confidence_map {
    struct confidence_report report; /* and the key */
    struct fit fit; /* of the key's own labels */
    struct accepted_counts counts;
};

/* Sorted by confidence_key_cmp(): the global map (all empty) is the first, a parent stands before its children. */
struct confidence_table {
    size_t count;
    struct confidence_map *maps;
};

/* By model, then strategy, then domain. */
int confidence_key_cmp(const struct confidence_key *a, const struct confidence_key *b);
/* The share of its own fit in a map's value. */
double confidence_weight(int64_t labels);

#endif
