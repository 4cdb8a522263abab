/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket: where on the line [0, 1) a unit of traffic falls, and exact shares of that line.
 *
 * A share is an integer of parts per million, a bucket's position is one of those million parts, and a range holds the
 * positions [from, to): no comparison ever rounds, so 7 % is 70,000 parts and not 70,001. A range that grows by its end
 * keeps whom it had.
 *
 * A caller may rely on: the same unit and salt give the same bucket on every machine and in every version; different
 * salts give independent buckets.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_CHANGE_BUCKET_H
#define WEIR_CORE_CHANGE_BUCKET_H

#include "base/base.h"

#define SHARE_WHOLE 1000000u /* parts */

struct share_range { /* [from, to), parts per million; from <= to <= SHARE_WHOLE */
    uint32_t from;
    uint32_t to;
};
static inline bool share_range_holds(struct share_range range, uint32_t position)
{
    return position >= range.from && position < range.to;
}
static inline bool share_range_overlaps(struct share_range a, struct share_range b)
{
    return a.from < b.to && b.from < a.to && a.from < a.to && b.from < b.to;
}

/* "0.07", "7%" or "1" as parts per million, exactly; false for anything else: finer than a part, negative, over 100 %. */
bool share_parse(str text, uint32_t *out_ppm);
/* "7%", "0.0001%": exact. out: 16 bytes. */
str share_format(uint32_t ppm, char out[16]);

enum bucket_scheme {
    BUCKET_WEIR, /* the top 64 bits of SHA-256(salt, the byte 0x1f, unit) */
    BUCKET_GROWTHBOOK_V2, /* FNV-1a-32 of the decimal text of FNV-1a-32(salt, unit), modulo 10,000 */
    BUCKET_SCHEME_COUNT
};
const char *bucket_scheme_name(enum bucket_scheme scheme); /* "weir", "growthbook_v2" */
bool bucket_scheme_find(str name, enum bucket_scheme *out);

struct bucket {
    uint64_t hash; /* all 64 bits; with growthbook_v2 0..9999 */
    uint32_t
        position; /* parts per million: floor(hash / 2^64 * 10^6); with growthbook_v2 hash * 100 */
};
/* Any bytes; with BUCKET_WEIR the salt should not hold the byte 0x1f, else two salts may give one text. growthbook_v2
 * hashes UTF-8 bytes where GrowthBook's own code hashes UTF-16 units: they agree on ASCII. */
struct bucket bucket_of(enum bucket_scheme scheme, str salt, str unit);

/* The salt of one purpose of one experiment: NAME/SEED/PURPOSE. */
#define BUCKET_NAME_MAX 64 /* bytes of a name or a seed */
struct bucket_salt {
    char text[2 * BUCKET_NAME_MAX + 16];
    size_t length;
};
/* A name or seed: letters, digits, '_', '.', '-', at most BUCKET_NAME_MAX bytes; never '/', so that salts are unambiguous. */
bool bucket_name_is_valid(str name);
/* name and seed must be valid (an empty seed is fine); purpose at most 12 bytes. */
void bucket_salt_init(struct bucket_salt *salt, str name, str seed, str purpose);
static inline str bucket_salt_str(const struct bucket_salt *salt)
{
    return (str){ salt->text, salt->length };
}

/* What a request is known by. Absent ones are empty. */
struct unit_ids {
    str conversation;
    str user;
    str tenant;
    str request;
};
enum unit_kind { UNIT_CONVERSATION, UNIT_USER, UNIT_TENANT, UNIT_REQUEST, UNIT_NONE };
const char *unit_kind_name(enum unit_kind kind); /* "conversation", …, "none" */
struct unit {
    enum unit_kind kind;
    str id;
};
/* The first that is present of conversation, user, tenant, request: a conversation never mixes variants. */
struct unit unit_pick(const struct unit_ids *ids);

#endif
