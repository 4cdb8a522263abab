/* SPDX-License-Identifier: Apache-2.0 */
/* account: a limit's arithmetic under a lock; a key's account before its tenant's, in every thread. */
#include "app/access/access_internal.h"

struct account *account_new(struct arena *arena, str tenant, const struct limit_rule *rules,
                            size_t count)
{
    struct account *account = ARENA_NEW(arena, struct account);
    struct limit_counter *counters = ARENA_ARRAY(arena, count, struct limit_counter);

    if (!account || !counters || limit_account_init(&account->limits, counters, rules, count) != OK)
        return NULL;
    account->tenant = arena_str(arena, tenant);
    pthread_mutex_init(&account->mutex, NULL);
    return account;
}

void account_end(struct account *account)
{
    if (account)
        pthread_mutex_destroy(&account->mutex);
}

static bool account_reserve(struct account *account, usec_utc now, const struct limit_amounts *want,
                            struct limit_hold *out, struct limit_refusal *out_why)
{
    if (!account)
        return true;
    pthread_mutex_lock(&account->mutex);
    bool is_taken = limit_reserve(&account->limits, now, want, out, out_why);
    pthread_mutex_unlock(&account->mutex);
    return is_taken;
}

static void account_settle(struct account *account, struct limit_hold *hold,
                           const struct limit_amounts *used)
{
    if (!account || !hold->is_open)
        return;
    pthread_mutex_lock(&account->mutex);
    limit_settle(&account->limits, hold, used);
    pthread_mutex_unlock(&account->mutex);
}

static bool account_limits(const struct account *account, enum limit_kind kind)
{
    for (size_t i = 0; account && i < account->limits.count; i++) {
        if (account->limits.counters[i].rule.kind == kind)
            return true;
    }
    return false;
}

bool key_limits(const struct key *key, enum limit_kind kind)
{
    return key && (account_limits(key->own, kind) || account_limits(key->tenant, kind));
}

bool access_reserve(const struct key *key, usec_utc now, const struct limit_amounts *want,
                    struct access_hold *out, struct limit_refusal *out_why)
{
    static const struct limit_amounts nothing;

    if (!key)
        return true;
    if (!account_reserve(key->own, now, want, &out->own, out_why))
        return false;
    if (account_reserve(key->tenant, now, want, &out->tenant, out_why))
        return true;
    account_settle(key->own, &out->own, &nothing);
    return false;
}

void access_settle(const struct key *key, struct access_hold *hold,
                   const struct limit_amounts *used)
{
    if (!key)
        return;
    account_settle(key->own, &hold->own, used);
    account_settle(key->tenant, &hold->tenant, used);
}

static void account_restore(struct account *account, usec_utc now, usec_utc at,
                            const struct limit_amounts *used)
{
    if (!account)
        return;
    pthread_mutex_lock(&account->mutex);
    limit_restore(&account->limits, now, at, used);
    pthread_mutex_unlock(&account->mutex);
}

void access_restore(struct access *a, str id, str tenant, usec_utc now, usec_utc at,
                    const struct limit_amounts *used)
{
    const struct key *key = access_key(a, id);

    if (key)
        account_restore(key->own, now, at, used);
    account_restore(tenant_account(a, tenant), now, at, used);
}

static size_t account_views(struct account *account, usec_utc now, bool is_tenants,
                            struct access_view *out)
{
    if (!account)
        return 0;
    pthread_mutex_lock(&account->mutex);
    for (size_t i = 0; i < account->limits.count; i++)
        out[i] = (struct access_view){ limit_view(&account->limits, now, i), is_tenants };
    pthread_mutex_unlock(&account->mutex);
    return account->limits.count;
}

size_t access_views(const struct key *key, usec_utc now,
                    struct access_view out[2 * LIMIT_RULES_MAX])
{
    if (!key)
        return 0;
    size_t count = account_views(key->own, now, false, out);
    return count + account_views(key->tenant, now, true, out + count);
}
