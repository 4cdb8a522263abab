/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: a token's rank by its bytes. An open hash table, made by tools/setup-tokens and read where it lies.
 *
 * A slot is {key: 8 bytes, rank: 4, place: 4}, little-endian. A token of up to 8 bytes is its own key, and place is its
 * length; a longer one's key is a hash, and place is its offset among `longs` << 8 | its length. Place 0 is an empty slot.
 *
 * Merging mostly asks for what is no token, and the slots are larger than a core's cache. So a filter stands before them, eight
 * bits or more for a token: where the bit of a hash is not set, no slot need be read.
 */
#include <string.h>

#include "core/tokens/tokens_internal.h"

#define MAGIC "weirtok1"
#define BYTE_ORDER_MARK 0x01020304u
#define HEADER_BYTES 64
#define SLOT_BYTES 16
#define PAIRS_BYTES ((size_t)65536 * 4)
#define SHORT_MAX 8
#define FILTER_LOG2_MIN 3
#define FILTER_LOG2_MAX 32
#define LONGS_MAX ((size_t)1 << 24)
/* 2^64 divided by the golden ratio: odd, and its bits have no pattern. */
#define FACTOR UINT64_C(0x9E3779B97F4A7C15)

struct header {
    char magic[8];
    uint32_t byte_order;
    uint32_t encoding;
    uint32_t token_count;
    uint32_t slot_count;
    uint32_t probe_max;
    uint32_t token_bytes_max;
    uint32_t longs_len;
    uint32_t filter_log2;
    uint32_t unused[6];
};
_Static_assert(sizeof(struct header) == HEADER_BYTES, "the header has no gaps");

struct slot {
    uint64_t key;
    uint32_t rank;
    uint32_t place;
};
_Static_assert(sizeof(struct slot) == SLOT_BYTES, "a slot has no gaps");

static const char *const names[TOKEN_ENCODING_COUNT] = {
    [TOKEN_O200K_BASE] = "o200k_base",
    [TOKEN_CL100K_BASE] = "cl100k_base",
};

const char *token_encoding_name(enum token_encoding encoding)
{
    return names[encoding];
}

bool token_encoding_parse(str name, enum token_encoding *out)
{
    for (int i = 0; i < TOKEN_ENCODING_COUNT; i++) {
        if (str_eq(name, str_from(names[i]))) {
            *out = (enum token_encoding)i;
            return true;
        }
    }
    return false;
}

enum err token_table_init(struct token_table *table, str bytes)
{
    struct header h;

    assert((uintptr_t)bytes.ptr % 8 == 0);
    if (bytes.len < sizeof(h))
        return WEIR_CONFIG;
    memcpy(&h, bytes.ptr, sizeof(h));
    if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 || h.byte_order != BYTE_ORDER_MARK ||
        h.encoding >= TOKEN_ENCODING_COUNT || h.slot_count == 0 || h.longs_len > LONGS_MAX ||
        h.filter_log2 < FILTER_LOG2_MIN || h.filter_log2 > FILTER_LOG2_MAX)
        return WEIR_CONFIG;
    size_t filter = (size_t)1 << h.filter_log2 >> 3;
    size_t slots = (size_t)h.slot_count * SLOT_BYTES;
    if (bytes.len != HEADER_BYTES + slots + PAIRS_BYTES + filter + h.longs_len)
        return WEIR_CONFIG;
    const uint8_t *start = (const uint8_t *)bytes.ptr;
    *table = (struct token_table){
        .encoding = (enum token_encoding)h.encoding,
        .slots = start + HEADER_BYTES,
        .pairs = (const uint32_t *)(const void *)(start + HEADER_BYTES + slots),
        .filter = start + HEADER_BYTES + slots + PAIRS_BYTES,
        .longs = start + HEADER_BYTES + slots + PAIRS_BYTES + filter,
        .filter_shift = 32 - h.filter_log2,
        .slot_count = h.slot_count,
        .probe_max = h.probe_max < h.slot_count ? h.probe_max : h.slot_count,
        .token_bytes_max = h.token_bytes_max < 255 ? h.token_bytes_max : 255,
        .longs_len = h.longs_len,
    };
    return OK;
}

static uint64_t load64(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint64_t load32(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* Up to 8 bytes as a number, the first lowest, without reading past them: two loads that overlap agree where they do. */
static uint64_t short_key(const uint8_t *bytes, size_t len)
{
    if (len >= 4)
        return load32(bytes) | load32(bytes + len - 4) << 8 * (len - 4);
    return (uint64_t)bytes[0] | (uint64_t)bytes[len / 2] << 8 * (len / 2) |
           (uint64_t)bytes[len - 1] << 8 * (len - 1);
}

static uint64_t long_key_step(uint64_t key, uint64_t word)
{
    key = (key ^ word) * FACTOR;
    return key ^ key >> 29;
}

static uint64_t long_key(const uint8_t *bytes, size_t len)
{
    uint64_t key = len;

    for (size_t at = 0; at + 8 < len; at += 8)
        key = long_key_step(key, load64(bytes + at));
    return long_key_step(key, load64(bytes + len - 8));
}

/* Its upper half says where the token is at home, its lower half which bit of the filter is its. */
static uint64_t mix(uint64_t key, size_t len)
{
    uint64_t mixed = (key ^ (uint64_t)len << 56) * FACTOR;

    return (mixed ^ mixed >> 32) * FACTOR;
}

static bool may_be_token(const struct token_table *table, uint64_t mixed)
{
    uint32_t bit = (uint32_t)mixed >> table->filter_shift;

    return table->filter[bit >> 3] >> (bit & 7) & 1;
}

/* A hash proves nothing, so a long token's bytes are compared. */
static bool is_same(const struct token_table *table, const struct slot *slot, const uint8_t *bytes,
                    size_t len)
{
    size_t offset = slot->place >> 8;

    if (len <= SHORT_MAX)
        return slot->place == len;
    return (slot->place & 255) == len && offset + len <= table->longs_len &&
           memcmp(table->longs + offset, bytes, len) == 0;
}

uint32_t token_rank(const struct token_table *table, const uint8_t *bytes, size_t len)
{
    if (len > table->token_bytes_max)
        return TOKEN_NO_RANK;
    uint64_t key = len <= SHORT_MAX ? short_key(bytes, len) : long_key(bytes, len);
    uint64_t mixed = mix(key, len);
    if (!may_be_token(table, mixed))
        return TOKEN_NO_RANK;
    uint32_t at = (uint32_t)((mixed >> 32) * table->slot_count >> 32);
    for (uint32_t probe = 0; probe < table->probe_max; probe++) {
        struct slot slot;
        memcpy(&slot, table->slots + (size_t)at * SLOT_BYTES, sizeof(slot));
        if (slot.place == 0)
            return TOKEN_NO_RANK;
        if (slot.key == key && is_same(table, &slot, bytes, len))
            return slot.rank;
        at = at + 1 < table->slot_count ? at + 1 : 0;
    }
    return TOKEN_NO_RANK;
}
