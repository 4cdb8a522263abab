/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access: who may ask, and how much: keys, and the accounts of keys and of their tenants.
 *
 * A key is "weir-ID-SECRET". Only its SHA-256 is kept; the secret exists once, in the answer that creates it. Keys are added and
 * never removed, so a worker holds on to one without counting: what changes of a key (that it was revoked) is atomic, and
 * holds for the next request.
 *
 * A caller may rely on:
 *   - access_find() takes the same time for a wrong secret wherever it differs;
 *   - an account is locked for the length of one reservation and of one settlement; a key without limits takes no lock;
 *   - what is reserved for a request and what it came to are added to the accounts of its key and of its key's tenant alike;
 *     where one refuses, nothing is taken from either.
 *
 * Threads: keys are added, revoked and listed by one thread; everything else may be called by any.
 *
 * May include: base, core/json, core/money, edge/config.
 */
#ifndef WEIR_APP_ACCESS_ACCESS_H
#define WEIR_APP_ACCESS_ACCESS_H

#include "base/arena.h"
#include "base/base.h"
#include "base/sha256.h"
#include "core/json/json.h"
#include "core/money/limit.h"

struct access;
struct config;
struct key;

#define ACCESS_KEYS_MAX ((size_t)100000)
#define KEY_ID_CHARS ((size_t)8)
#define KEY_RANDOM_BYTES ((size_t)24) /* 4 of the id, 20 of the secret */
#define KEY_TEXT_CHARS (sizeof("weir--") - 1 + 2 * KEY_RANDOM_BYTES)
#define KEY_MODELS_MAX ((size_t)32)
#define KEY_NAME_MAX ((size_t)100) /* bytes of a tenant, an id or a model */

/* What a tenant may use, all its keys together. */
struct access_tenant {
    str name;
    const struct limit_rule *rules;
    size_t rule_count;
};

struct access_options {
    const str *secrets; /* that the configuration lists; the i-th is called "key-<i>", from 1 */
    size_t secret_count;
    const struct access_tenant *tenants;
    size_t tenant_count;
};

/* WEIR_NO_MEMORY; CALLER_BAD_REQUEST when a tenant's rules are none (limit_account_init). Copies what it is given. */
NODISCARD enum err access_open(struct access **out, const struct access_options *options);
/* With server.keys and tenants.* of a configuration. */
NODISCARD enum err access_open_configured(struct access **out, const struct config *config);
void access_close(struct access *a); /* nobody may hold a key any more; NULL is a no-op */

/* ---- keys ---- */

/* What is known of a key, durably. */
struct key_spec {
    str id;
    uint8_t digest[SHA256_BYTES]; /* of the whole text */
    str tenant;
    struct limit_rule rules[LIMIT_RULES_MAX];
    size_t rule_count;
    str models[KEY_MODELS_MAX]; /* that may be asked for; none: all */
    size_t model_count;
    usec_utc created;
    usec_utc expires; /* 0: never */
    usec_utc revoked; /* 0: not */
};

/* The key's text and its id, which points into it, from bytes that nobody can guess. */
str key_mint(const uint8_t random[KEY_RANDOM_BYTES], char out[KEY_TEXT_CHARS + 1], str *out_id);
void key_digest(str text, uint8_t out[SHA256_BYTES]);

/*
 * The members of a key in JSON, as requests and control.db have them, without braces:
 * "tenant", "limits": [{"of": "requests"|"tokens"|"nano_usd"|"concurrent", "per": "minute"|"hour"|"day"|"month", "most": N}],
 * "models": […], "expires_us".
 */
void key_spec_write(const struct key_spec *spec, struct buf *out);
/* Reads them; texts point into the arena or the JSON. NULL, or a sentence about what is wrong. */
const char *key_spec_read(struct json object, struct arena *arena, struct key_spec *out);

/* WEIR_OVERLOADED: there are too many; WEIR_DEFECT: the id is taken; WEIR_NO_MEMORY. Copies the spec. */
NODISCARD enum err access_add(struct access *a, const struct key_spec *spec);
/* False when there is no such key. Revoking twice keeps the first instant. */
bool access_revoke(struct access *a, str id, usec_utc at);
const struct key *access_key(const struct access *a, str id); /* NULL: there is none */

/* The key of this text, if it may be used now. CALLER_UNAUTHORIZED. */
NODISCARD enum err access_find(const struct access *a, str text, usec_utc now,
                               const struct key **out);
/* There is a key: whoever has none is refused. */
bool access_is_closed(const struct access *a);
/* Oldest first; those of the configuration come first. */
void access_each(const struct access *a, void (*on_key)(void *ctx, const struct key *key),
                 void *ctx);

str key_id(const struct key *key);
str key_tenant(const struct key *key);
bool key_is_configured(
    const struct key *key); /* by the configuration: its tenant has no name of its own */
bool key_allows(const struct key *key, str model);
struct key_spec key_describe(const struct key *key); /* as it is now; texts are the key's */

/* ---- accounts; a key of NULL has no limits ---- */

/* What was taken for one request from a key's account and from its tenant's. All zero is closed. */
struct access_hold {
    struct limit_hold own, tenant;
};

/* Whether an account of the key limits this. */
bool key_limits(const struct key *key, enum limit_kind kind);
NODISCARD bool access_reserve(const struct key *key, usec_utc now, const struct limit_amounts *want,
                              struct access_hold *out, struct limit_refusal *out_why);
void access_settle(const struct key *key, struct access_hold *hold,
                   const struct limit_amounts *used);
/* Some account limits something. */
bool access_has_limits(const struct access *a);
/* Counts what the ledger says was used before the start. A key that is not there is none; the tenant's account counts. */
void access_restore(struct access *a, str id, str tenant, usec_utc now, usec_utc at,
                    const struct limit_amounts *used);
/* The key's limits, then its tenant's, as they stand; at most 2 * LIMIT_RULES_MAX. */
struct access_view {
    struct limit_view limit;
    bool is_tenants;
};
size_t access_views(const struct key *key, usec_utc now,
                    struct access_view out[2 * LIMIT_RULES_MAX]);

#endif
