/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/spending: what keys and tenants used, from the ledger, for counters that were lost with the process that held them.
 *
 * A query that a limit refused is none; every other counts as one request, with the tokens and the cost of its calls; an interrupted
 * call costs its reserve, as everywhere in the ledger.
 */
#ifndef WEIR_EDGE_STORE_SPENDING_H
#define WEIR_EDGE_STORE_SPENDING_H

#include "edge/store/store.h"

/* Of queries that began in the same second (in the last two hours) or the same half hour (before). */
struct spending {
    str key; /* its id; never empty */
    str tenant;
    usec_utc at; /* the beginning of that second or half hour */
    int64_t requests;
    int64_t tokens; /* input and output */
    nano_usd cost; /* of priced calls */
};

/* Of queries that began at since or later, in no order. Texts are valid inside on_row only. WEIR_STORE with a sentence in out_why. */
NODISCARD enum err store_read_spending(str directory, usec_utc since, usec_utc now,
                                       void (*on_row)(void *ctx, const struct spending *row),
                                       void *ctx, char out_why[256]);

#endif
