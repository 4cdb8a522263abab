/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units: which units were seen, so that each is counted once. Bounded: when it is full nobody is new any more, of whatever
 * arm, so the counts stop and keep their ratio.
 *
 * May include: base.
 */
#ifndef WEIR_APP_CONTROL_UNITS_H
#define WEIR_APP_CONTROL_UNITS_H

#include "base/base.h"

#define UNITS_MAX ((size_t)1 << 20) /* 16 MB of table */

struct units { /* zero-initialised is empty */
    uint64_t *slots; /* 0: free */
    size_t capacity; /* a power of two */
    size_t count;
};
/* Is it new? Then it is known from now on. */
bool units_add(struct units *u, uint64_t unit);
void units_fini(struct units *u); /* empty again */

#endif
