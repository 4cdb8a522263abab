/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens_world: for tests without fetched ranks: a table made from a small vocabulary, laid out as tools/setup-tokens does, and a
 * count by the definition alone, slow and without a line of the module's own.
 */
#ifndef WEIR_CORE_TOKENS_TOKENS_WORLD_TEST_H
#define WEIR_CORE_TOKENS_TOKENS_WORLD_TEST_H

#include <stdlib.h>

#include "core/tokens/tokens_internal.h"
#include "test/check.h"

#define WORLD_TOKENS_MAX 512
#define WORLD_SLOTS 1031
#define WORLD_LONGS 512
#define WORLD_FILTER_LOG2 11
#define WORLD_FILTER (64 + WORLD_SLOTS * 16 + 65536 * 4)
#define WORLD_BYTES (WORLD_FILTER + (1 << WORLD_FILTER_LOG2) / 8 + WORLD_LONGS)

struct token_world {
    uint8_t *bytes; /* of the table */
    struct token_table table;
    str tokens[WORLD_TOKENS_MAX]; /* by rank; the first 256 are the bytes */
    size_t count;
    uint8_t singles[256];
};

/* Some whose parts tie, overlap or are no tokens themselves, some longer than a slot. */
static const char *const world_words[] = {
    "aa",
    "th",
    "the",
    "he",
    "ab",
    "bc",
    "abc",
    "aaaa",
    " t",
    " the",
    "in",
    "ing",
    "\n\n",
    "  ",
    "    ",
    "ba",
    "aba",
    "bab",
    "cab",
    "aaaaaaaa",
    "aaaaaaaaaaaaaaaa",
    "ca",
    "ingingin",
    "inginginging",
    "inin",
    "unreachable piece",
    "zzzz",
    "123",
    "12",
    "\xEF\xBF",
    "\xEF\xBF\xBD",
    "\xE4\xB8",
    "\xE4\xB8\xAD",
    "!!",
    "abcabcabcabc",
    "abcabc",
};

static inline void world_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static inline uint64_t world_key(str token)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t key = 0, word;

    if (token.len <= 8) {
        for (size_t i = 0; i < token.len; i++)
            key |= (uint64_t)(uint8_t)token.ptr[i] << 8 * i;
        return key;
    }
    key = token.len;
    for (size_t at = 0;; at += 8) {
        bool is_last = at + 8 >= token.len;
        memcpy(&word, token.ptr + (is_last ? token.len - 8 : at), 8);
        key = (key ^ word) * factor;
        key ^= key >> 29;
        if (is_last)
            return key;
    }
}

static inline void world_slot(struct token_world *w, uint32_t rank, uint32_t *longs_len,
                              uint32_t *probe_max)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    str token = w->tokens[rank];
    uint64_t key = world_key(token);
    uint64_t mixed = (key ^ (uint64_t)token.len << 56) * factor;
    uint32_t place = (uint32_t)token.len, probe = 1;
    uint8_t *slot, *longs = w->bytes + WORLD_BYTES - WORLD_LONGS;

    mixed = (mixed ^ mixed >> 32) * factor;
    uint32_t bit = (uint32_t)mixed >> (32 - WORLD_FILTER_LOG2);
    w->bytes[WORLD_FILTER + bit / 8] |= (uint8_t)(1u << bit % 8);
    for (size_t at = (size_t)((mixed >> 32) * WORLD_SLOTS >> 32);; at = (at + 1) % WORLD_SLOTS) {
        slot = w->bytes + 64 + at * 16;
        if (slot[12] == 0)
            break;
        probe++;
    }
    *probe_max = probe > *probe_max ? probe : *probe_max;
    if (token.len > 8) {
        place |= *longs_len << 8;
        memcpy(longs + *longs_len, token.ptr, token.len);
        *longs_len += (uint32_t)token.len;
    }
    memcpy(slot, &key, 8);
    world_u32(slot + 8, rank);
    world_u32(slot + 12, place);
    if (token.len == 2)
        world_u32(w->bytes + 64 + WORLD_SLOTS * 16 +
                      4 * ((size_t)(uint8_t)token.ptr[0] << 8 | (uint8_t)token.ptr[1]),
                  rank);
}

static inline bool world_open(struct token_world *w, enum token_encoding encoding)
{
    uint32_t longs_len = 0, probe_max = 0;

    *w = (struct token_world){ .bytes = calloc(1, WORLD_BYTES) };
    if (!w->bytes)
        return false;
    memset(w->bytes + 64 + WORLD_SLOTS * 16, 0xFF, 65536 * 4);
    for (size_t i = 0; i < 256; i++) {
        w->singles[i] = (uint8_t)i;
        w->tokens[w->count++] = (str){ (const char *)&w->singles[i], 1 };
    }
    for (size_t i = 0; i < ARRAY_LEN(world_words); i++)
        w->tokens[w->count++] = str_from(world_words[i]);
    for (size_t i = 0; i < w->count; i++)
        world_slot(w, (uint32_t)i, &longs_len, &probe_max);
    memcpy(w->bytes, "weirtok1", 8);
    const uint32_t header[] = { 0x01020304,  (uint32_t)encoding, (uint32_t)w->count,
                                WORLD_SLOTS, probe_max,          32,
                                WORLD_LONGS, WORLD_FILTER_LOG2 };
    memcpy(w->bytes + 8, header, sizeof(header));
    return token_table_init(&w->table, (str){ (char *)w->bytes, WORLD_BYTES }) == OK;
}

static inline void world_close(struct token_world *w)
{
    free(w->bytes);
}

static inline size_t world_rank(const struct token_world *w, str bytes)
{
    if (bytes.len == 1)
        return (uint8_t)bytes.ptr[0];
    for (size_t i = 256; i < w->count; i++) {
        if (w->tokens[i].len == bytes.len && memcmp(w->tokens[i].ptr, bytes.ptr, bytes.len) == 0)
            return i;
    }
    return SIZE_MAX;
}

#define WORLD_PIECE_MAX 1024

/* Byte pair encoding as it is defined, in quadratic time; piece of up to WORLD_PIECE_MAX bytes. */
static inline int64_t world_piece_count(const struct token_world *w, str piece)
{
    size_t starts[WORLD_PIECE_MAX + 1], parts = piece.len;

    if (world_rank(w, piece) != SIZE_MAX)
        return 1;
    for (size_t i = 0; i <= piece.len; i++)
        starts[i] = i;
    for (;;) {
        size_t best = 0, best_rank = SIZE_MAX;
        for (size_t i = 0; i + 1 < parts; i++) {
            size_t rank = world_rank(w, str_slice(piece, starts[i], starts[i + 2]));
            best = rank < best_rank ? i : best;
            best_rank = rank < best_rank ? rank : best_rank;
        }
        if (best_rank == SIZE_MAX)
            return (int64_t)parts;
        for (size_t i = best + 1; i < parts; i++)
            starts[i] = starts[i + 1];
        parts--;
    }
}

#endif
