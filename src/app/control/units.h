/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units: which units were seen, so that each is counted once. Bounded: when it is full nobody is new any more, of whatever
 * arm, so the counts stop and keep their ratio.
 *
 * They are written in parts of UNITS_PART in the order in which they came: a part that is full never changes again, so writing
 * what came since last costs the last part and not all of them.
 *
 *     | part 0, written | part 1, written | part 2: some written, some new |        the tail begins with part 2
 *
 * May include: base.
 */
#ifndef WEIR_APP_CONTROL_UNITS_H
#define WEIR_APP_CONTROL_UNITS_H

#include "base/base.h"

#define UNITS_MAX ((size_t)1 << 20) /* 16 MB of table; 8 MB written */
#define UNITS_PART ((size_t)4096) /* units in a part; 32 KB */

struct units { /* zero-initialised is empty */
    uint64_t *slots; /* 0: free */
    size_t capacity; /* a power of two */
    size_t count;
    uint64_t *tail; /* from the first part on that was not written whole */
    size_t tail_count, tail_room;
    int64_t tail_part; /* number of its first part */
    size_t unsaved; /* units that came since the last units_saved() */
};
/* Is it new? Then it is known from now on. */
bool units_add(struct units *u, uint64_t unit);
void units_fini(struct units *u); /* empty again */

/* The i-th part that has to be written (its number and bytes, which are appended); false: there is none. */
bool units_part(const struct units *u, size_t i, int64_t *out_number, struct buf *out);
/* All that units_part() gives has been written, durably. */
void units_saved(struct units *u);
/* Takes a part back, in order from number 0 on. False when it is not the next one or damaged: then the rest is forgotten too,
 * and what comes is written over it. */
bool units_restore(struct units *u, int64_t number, str bytes);

#endif
