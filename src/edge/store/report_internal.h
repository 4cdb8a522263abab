/* SPDX-License-Identifier: Apache-2.0 */
/* What report.c and report_build.c share: cells of the rollups become a report. */
#ifndef WEIR_EDGE_STORE_REPORT_INTERNAL_H
#define WEIR_EDGE_STORE_REPORT_INTERNAL_H

#include "edge/store/report.h"
#include "edge/store/rollup.h"

/* Where the items of a list are, by a hash of their names: a number + 1, 0 where there is none. */
struct report_index {
    uint32_t *buckets;
    size_t cap; /* a power of two, at least twice the items */
};

struct report_build {
    const struct report_span *span;
    struct arena *arena;
    struct ledger_report *out;
    struct report_index parts_index[REPORT_AXIS_COUNT], calls_index, pairs_index;
    size_t parts_cap[REPORT_AXIS_COUNT], calls_cap, pairs_cap;
    size_t histograms; /* that were given to parts */
    bool has_overflow; /* a sum is beyond 64 bits */
};

/* WEIR_NO_MEMORY. */
NODISCARD enum err report_build_init(struct report_build *b, const struct report_span *span,
                                     struct arena *arena, struct ledger_report *out);
NODISCARD enum err report_build_take(void *build,
                                     const struct rollup_cell *cell); /* a rollup_sink */
void report_build_finish(struct report_build *b); /* sorts the lists */

#endif
