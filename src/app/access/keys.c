/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys: the table of keys: buckets that one thread pushes to and every thread walks. A key is whole before its bucket points to
 * it, and stays until the end.
 */
#include "app/access/access_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS ((size_t)4096) /* a power of two */
#define ARENA_BYTES_MAX ((size_t)1 << 30)

struct access {
    struct arena arena;
    _Atomic(struct key *) buckets[BUCKETS];
    _Atomic(struct key *) oldest;
    struct key *newest;
    struct key **configured;
    size_t configured_count;
    struct account *tenants;
    _Atomic size_t count;
};

/* ---- texts ---- */

str key_mint(const uint8_t random[KEY_RANDOM_BYTES], char out[KEY_TEXT_CHARS + 1], str *out_id)
{
    size_t secret_at = 5 + KEY_ID_CHARS + 1;

    memcpy(out, "weir-", 5);
    hex_write(out + 5, random, KEY_ID_CHARS / 2);
    out[secret_at - 1] = '-';
    hex_write(out + secret_at, random + KEY_ID_CHARS / 2, KEY_RANDOM_BYTES - KEY_ID_CHARS / 2);
    out[KEY_TEXT_CHARS] = '\0';
    *out_id = (str){ out + 5, KEY_ID_CHARS };
    return (str){ out, KEY_TEXT_CHARS };
}

void key_digest(str text, uint8_t out[SHA256_BYTES])
{
    struct sha256 s;

    sha256_init(&s);
    sha256_add(&s, text);
    sha256_end(&s, out);
}

static bool digest_eq(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES])
{
    return str_eq_secret((str){ (const char *)a, SHA256_BYTES },
                         (str){ (const char *)b, SHA256_BYTES });
}

/* ---- adding ---- */

struct account *tenant_account(const struct access *a, str tenant)
{
    struct account *account = a->tenants;

    while (account && !str_eq(account->tenant, tenant))
        account = account->next;
    return account;
}

static struct key *key_new(struct access *a, const struct key_spec *spec)
{
    struct key *key = ARENA_NEW(&a->arena, struct key);

    if (!key)
        return NULL;
    key->spec = *spec;
    key->spec.id = arena_str(&a->arena, spec->id);
    key->spec.tenant = arena_str(&a->arena, spec->tenant);
    for (size_t i = 0; i < spec->model_count; i++)
        key->spec.models[i] = arena_str(&a->arena, spec->models[i]);
    atomic_init(&key->revoked, spec->revoked);
    key->tenant = tenant_account(a, spec->tenant);
    if (spec->rule_count > 0)
        key->own = account_new(&a->arena, STR(""), spec->rules, spec->rule_count);
    bool is_whole = !arena_failed(&a->arena) && (spec->rule_count == 0 || key->own);
    return is_whole ? key : NULL;
}

static void key_append(struct access *a, struct key *key)
{
    if (a->newest)
        atomic_store_explicit(&a->newest->later, key, memory_order_release);
    else
        atomic_store_explicit(&a->oldest, key, memory_order_release);
    a->newest = key;
    atomic_fetch_add_explicit(&a->count, (size_t)1, memory_order_release);
}

static _Atomic(struct key *) *bucket_of(struct access *a, str id)
{
    return &a->buckets[str_hash(id) & (BUCKETS - 1)];
}

enum err access_add(struct access *a, const struct key_spec *spec)
{
    if (atomic_load_explicit(&a->count, memory_order_relaxed) >= ACCESS_KEYS_MAX)
        return WEIR_OVERLOADED;
    if (access_key(a, spec->id))
        return WEIR_DEFECT;
    struct key *key = key_new(a, spec);
    if (!key)
        return WEIR_NO_MEMORY;
    _Atomic(struct key *) *bucket = bucket_of(a, key->spec.id);
    key->next = atomic_load_explicit(bucket, memory_order_relaxed);
    atomic_store_explicit(bucket, key, memory_order_release);
    key_append(a, key);
    return OK;
}

bool access_revoke(struct access *a, str id, usec_utc at)
{
    for (struct key *key = atomic_load(bucket_of(a, id)); key; key = key->next) {
        usec_utc none = 0;
        if (!str_eq(key->spec.id, id))
            continue;
        atomic_compare_exchange_strong(&key->revoked, &none, at);
        return true;
    }
    return false;
}

/* ---- finding ---- */

const struct key *access_key(const struct access *a, str id)
{
    const struct key *key =
        atomic_load_explicit(&a->buckets[str_hash(id) & (BUCKETS - 1)], memory_order_acquire);

    while (key && !str_eq(key->spec.id, id))
        key = key->next;
    return key;
}

/* Of "weir-ID-SECRET"; empty when it is none. */
static str id_of(str text)
{
    if (text.len != KEY_TEXT_CHARS || !str_starts(text, STR("weir-")))
        return (str){ 0 };
    return str_slice(text, 5, 5 + KEY_ID_CHARS);
}

enum err access_find(const struct access *a, str text, usec_utc now, const struct key **out)
{
    uint8_t digest[SHA256_BYTES];
    const struct key *found = NULL;

    key_digest(text, digest);
    const struct key *named = access_key(a, id_of(text));
    if (named && digest_eq(named->spec.digest, digest))
        found = named;
    for (size_t i = 0; i < a->configured_count; i++) {
        if (digest_eq(a->configured[i]->spec.digest, digest))
            found = a->configured[i];
    }
    if (!found || atomic_load_explicit(&found->revoked, memory_order_acquire) != 0 ||
        (found->spec.expires != 0 && now >= found->spec.expires))
        return CALLER_UNAUTHORIZED;
    *out = found;
    return OK;
}

bool access_is_closed(const struct access *a)
{
    return atomic_load_explicit(&a->count, memory_order_acquire) > 0;
}

bool access_has_limits(const struct access *a)
{
    for (const struct key *key = atomic_load(&a->oldest); key; key = atomic_load(&key->later)) {
        if (key->own)
            return true;
    }
    return a->tenants != NULL;
}

void access_each(const struct access *a, void (*on_key)(void *ctx, const struct key *key),
                 void *ctx)
{
    for (const struct key *key = atomic_load(&a->oldest); key; key = atomic_load(&key->later))
        on_key(ctx, key);
}

str key_id(const struct key *key)
{
    return key->spec.id;
}

str key_tenant(const struct key *key)
{
    return key->spec.tenant;
}

bool key_is_configured(const struct key *key)
{
    return key->is_configured;
}

bool key_allows(const struct key *key, str model)
{
    for (size_t i = 0; i < key->spec.model_count; i++) {
        if (str_eq(key->spec.models[i], model))
            return true;
    }
    return key->spec.model_count == 0;
}

struct key_spec key_describe(const struct key *key)
{
    struct key_spec spec = key->spec;

    spec.revoked = atomic_load(&key->revoked);
    return spec;
}

/* ---- the life ---- */

static enum err tenants_open(struct access *a, const struct access_options *options)
{
    for (size_t i = 0; i < options->tenant_count; i++) {
        const struct access_tenant *t = &options->tenants[i];
        struct account *account = account_new(&a->arena, t->name, t->rules, t->rule_count);
        if (!account)
            return arena_failed(&a->arena) ? WEIR_NO_MEMORY : CALLER_BAD_REQUEST;
        account->next = a->tenants;
        a->tenants = account;
    }
    return OK;
}

/* They have no id of ours in their text, so they are in no bucket; every one is compared. */
static enum err configured_open(struct access *a, const struct access_options *options)
{
    a->configured = ARENA_ARRAY(&a->arena, options->secret_count, struct key *);
    if (!a->configured && options->secret_count > 0)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < options->secret_count; i++) {
        struct key_spec spec = { .id = arena_printf(&a->arena, "key-%zu", i + 1) };
        spec.tenant = spec.id;
        key_digest(options->secrets[i], spec.digest);
        struct key *key = key_new(a, &spec);
        if (!key)
            return WEIR_NO_MEMORY;
        key->is_configured = true;
        a->configured[a->configured_count++] = key;
        key_append(a, key);
    }
    return OK;
}

enum err access_open(struct access **out, const struct access_options *options)
{
    struct access *a = calloc(1, sizeof(*a));

    if (!a)
        return WEIR_NO_MEMORY;
    arena_init(&a->arena, ARENA_BYTES_MAX);
    enum err e = tenants_open(a, options);
    if (e == OK)
        e = configured_open(a, options);
    if (e != OK) {
        access_close(a);
        return e;
    }
    *out = a;
    return OK;
}

void access_close(struct access *a)
{
    if (!a)
        return;
    for (struct key *key = atomic_load(&a->oldest); key; key = atomic_load(&key->later))
        account_end(key->own);
    for (struct account *account = a->tenants; account; account = account->next)
        account_end(account);
    arena_fini(&a->arena);
    free(a);
}
