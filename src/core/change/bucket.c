/* SPDX-License-Identifier: Apache-2.0 */
/* bucket: hashes to positions, shares as integers, units. */
#include "core/change/bucket.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

#define SHARE_DECIMALS 6 /* of SHARE_WHOLE */
#define PERCENT_DECIMALS 2

/* text = WHOLE[.FRACTION] times 10^decimals, exactly; false unless 0..SHARE_WHOLE. */
static bool decimal_scaled(str text, unsigned decimals, uint32_t *out)
{
    uint64_t value = 0;
    bool has_digit = false, is_behind_point = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && has_digit && !is_behind_point && i + 1 < text.len) {
            is_behind_point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return false;
        has_digit = true;
        if (is_behind_point && decimals == 0) {
            if (c != '0')
                return false;
            continue;
        }
        value = value * 10 + (uint64_t)(c - '0');
        decimals -= is_behind_point;
        if (value > SHARE_WHOLE)
            return false;
    }
    for (; decimals > 0; decimals--)
        value *= 10;
    if (!has_digit || value > SHARE_WHOLE)
        return false;
    *out = (uint32_t)value;
    return true;
}

bool share_parse(str text, uint32_t *out_ppm)
{
    if (str_ends(text, STR("%")))
        return decimal_scaled(str_slice(text, 0, text.len - 1), SHARE_DECIMALS - PERCENT_DECIMALS,
                              out_ppm);
    return decimal_scaled(text, SHARE_DECIMALS, out_ppm);
}

str share_format(uint32_t ppm, char out[16])
{
    uint32_t whole = ppm / 10000, fraction = ppm % 10000;
    int n = snprintf(out, 16, "%" PRIu32 ".%04" PRIu32, whole, fraction);

    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    out[n++] = '%';
    out[n] = '\0';
    return (str){ out, (size_t)n };
}

static const char *const scheme_names[BUCKET_SCHEME_COUNT] = {
    [BUCKET_WEIR] = "weir",
    [BUCKET_GROWTHBOOK_V2] = "growthbook_v2",
};

const char *bucket_scheme_name(enum bucket_scheme scheme)
{
    return scheme_names[scheme];
}

bool bucket_scheme_find(str name, enum bucket_scheme *out)
{
    for (size_t i = 0; i < BUCKET_SCHEME_COUNT; i++) {
        if (str_eq(name, str_from(scheme_names[i]))) {
            *out = (enum bucket_scheme)i;
            return true;
        }
    }
    return false;
}

/* floor(hash * 10^6 / 2^64). A part holds floor or ceiling of 2^64 / 10^6 hashes; nothing else is rounded. */
static uint32_t position_of(uint64_t hash)
{
    uint64_t high = hash >> 32, low = hash & UINT32_MAX;

    return (uint32_t)((high * SHARE_WHOLE + (low * SHARE_WHOLE >> 32)) >> 32);
}

static struct bucket weir_bucket(str salt, str unit)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 sha;
    uint64_t hash = 0;

    sha256_init(&sha);
    sha256_add(&sha, salt);
    sha256_add(&sha, STR("\x1f"));
    sha256_add(&sha, unit);
    sha256_end(&sha, digest);
    for (size_t i = 0; i < sizeof(hash); i++)
        hash = hash << 8 | digest[i];
    return (struct bucket){ .hash = hash, .position = position_of(hash) };
}

/* FNV-1a with 32 bits (Fowler, Noll, Vo), going on from `hash`. */
#define FNV_BASIS 0x811c9dc5u
static uint32_t fnv32(uint32_t hash, str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (uint8_t)bytes.ptr[i]) * 0x01000193u;
    return hash;
}

static struct bucket growthbook_bucket(str salt, str unit)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%" PRIu32, fnv32(fnv32(FNV_BASIS, salt), unit));
    uint32_t part = fnv32(FNV_BASIS, (str){ text, (size_t)n }) % 10000;

    return (struct bucket){ .hash = part, .position = part * (SHARE_WHOLE / 10000) };
}

struct bucket bucket_of(enum bucket_scheme scheme, str salt, str unit)
{
    static struct bucket (*const functions[BUCKET_SCHEME_COUNT])(str, str) = {
        [BUCKET_WEIR] = weir_bucket,
        [BUCKET_GROWTHBOOK_V2] = growthbook_bucket,
    };

    return functions[scheme](salt, unit);
}

bool bucket_name_is_valid(str name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    if (name.len == 0 || name.len > BUCKET_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '\0' || !strchr(letters, name.ptr[i]))
            return false;
    }
    return true;
}

void bucket_salt_init(struct bucket_salt *salt, str name, str seed, str purpose)
{
    int n;

    assert(bucket_name_is_valid(name));
    assert(seed.len == 0 || bucket_name_is_valid(seed));
    assert(purpose.len <= 12);
    n = snprintf(salt->text, sizeof(salt->text), "%.*s/%.*s/%.*s", STR_ARG(name), STR_ARG(seed),
                 STR_ARG(purpose));
    salt->length = (size_t)n;
}

const char *unit_kind_name(enum unit_kind kind)
{
    static const char *const names[] = {
        [UNIT_CONVERSATION] = "conversation", [UNIT_USER] = "user", [UNIT_TENANT] = "tenant",
        [UNIT_REQUEST] = "request",           [UNIT_NONE] = "none",
    };

    return names[kind];
}

struct unit unit_pick(const struct unit_ids *ids)
{
    const str by_kind[UNIT_NONE] = {
        [UNIT_CONVERSATION] = ids->conversation,
        [UNIT_USER] = ids->user,
        [UNIT_TENANT] = ids->tenant,
        [UNIT_REQUEST] = ids->request,
    };

    for (size_t i = 0; i < UNIT_NONE; i++) {
        if (by_kind[i].len > 0)
            return (struct unit){ (enum unit_kind)i, by_kind[i] };
    }
    return (struct unit){ UNIT_NONE, STR("") };
}
