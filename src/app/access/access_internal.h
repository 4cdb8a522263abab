/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of access share; nobody else includes it. */
#ifndef WEIR_APP_ACCESS_ACCESS_INTERNAL_H
#define WEIR_APP_ACCESS_ACCESS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/access/access.h"

/* An account and its lock. */
struct account {
    struct account *next; /* of the tenants' */
    str tenant; /* whose it is; empty: a key's */
    pthread_mutex_t mutex;
    struct limit_account limits;
};

struct key {
    struct key *next; /* in its bucket */
    _Atomic(struct key *) later; /* in the order of creation */
    struct key_spec spec; /* as it was added; its texts are the arena's */
    _Atomic usec_utc revoked;
    bool is_configured;
    struct account *own, *tenant; /* NULL: no limits */
};

/* ---- account.c ---- */
/* From the arena; NULL without memory or with rules that are none. */
struct account *account_new(struct arena *arena, str tenant, const struct limit_rule *rules,
                            size_t count);
void account_end(struct account *account); /* NULL is a no-op */

/* ---- keys.c ---- */
struct account *tenant_account(const struct access *a, str tenant);

#endif
