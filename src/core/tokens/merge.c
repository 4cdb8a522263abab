/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge: byte pair encoding of one piece. Its bytes are parts; the two neighbours whose union has the lowest rank, the
 * leftmost of equals, become one part, until no two neighbours make a token.
 *
 * Most pieces are tokens, and most others are short: there the lowest rank is found by looking at all. Pieces without a
 * place to cut may be megabytes long: there a tree of minima over blocks of parts finds it in log n steps.
 */
#include <string.h>

#include "core/tokens/tokens_internal.h"

#define SHORT_PIECE 64
#define BLOCK 16
#define SCRATCH_MIN ((size_t)1024)

static uint32_t pair_rank(const struct token_table *table, const uint8_t *bytes)
{
    return table->pairs[(size_t)bytes[0] << 8 | bytes[1]];
}

/* starts[i] to starts[i + 1] is a part; ranks[i] is that of the union of parts i and i + 1. */
static int64_t merge_short(const struct token_table *table, const uint8_t *bytes, size_t len)
{
    uint8_t starts[SHORT_PIECE + 2];
    uint32_t ranks[SHORT_PIECE + 1];
    size_t parts = len;

    assert(len > 0);
    assert(len <= SHORT_PIECE);
    for (size_t i = 0; i < len; i++) {
        starts[i] = (uint8_t)i;
        ranks[i] = i + 1 < len ? pair_rank(table, bytes + i) : TOKEN_NO_RANK;
    }
    starts[len] = starts[len + 1] = (uint8_t)len;
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < parts; i++)
            best = ranks[i] < ranks[best] ? i : best;
        if (ranks[best] == TOKEN_NO_RANK)
            return (int64_t)parts;
        parts--;
        memmove(starts + best + 1, starts + best + 2, parts - best);
        memmove(ranks + best + 1, ranks + best + 2, (parts - best) * sizeof(*ranks));
        for (size_t i = best > 0 ? best - 1 : 0; i <= best; i++)
            ranks[i] = i + 1 < parts
                           ? token_rank(table, bytes + starts[i], (size_t)starts[i + 2] - starts[i])
                           : TOKEN_NO_RANK;
    }
}

/* Of a long piece; an array has an element a byte, in use where a part begins. */
struct parts {
    const struct token_table *table;
    const uint8_t *bytes;
    uint32_t len;
    uint32_t leaves; /* of the tree: a power of two, at least len / BLOCK */
    uint32_t *next; /* where the next part begins; len for the last one */
    uint32_t *before; /* where the part before begins; unused for the first */
    uint32_t *ranks; /* of the union with the next part; padded to whole blocks */
    /* tree[1] is the lowest of all ranks, tree[i] that of tree[2i] and tree[2i + 1]. */
    uint32_t *tree;
};

static uint32_t block_min(const uint32_t *ranks)
{
    uint32_t min = ranks[0];

    for (size_t i = 1; i < BLOCK; i++)
        min = ranks[i] < min ? ranks[i] : min;
    return min;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void rank_set(struct parts *p, uint32_t at, uint32_t rank)
{
    uint32_t block = at / BLOCK;

    p->ranks[at] = rank;
    uint32_t min = block_min(p->ranks + (size_t)block * BLOCK);
    for (uint32_t i = p->leaves + block; i > 0 && p->tree[i] != min; i /= 2) {
        p->tree[i] = min;
        min = i > 1 ? lower(min, p->tree[i ^ 1]) : min;
    }
}

/* The leftmost part with the lowest rank, which must be one. */
static uint32_t lowest(const struct parts *p)
{
    uint32_t min = p->tree[1], i = 1;

    while (i < p->leaves)
        i = p->tree[2 * i] == min ? 2 * i : 2 * i + 1;
    uint32_t at = (i - p->leaves) * BLOCK;
    while (p->ranks[at] != min)
        at++;
    return at;
}

static uint32_t union_rank(const struct parts *p, uint32_t at)
{
    uint32_t middle = p->next[at];

    return middle == p->len ? TOKEN_NO_RANK
                            : token_rank(p->table, p->bytes + at, p->next[middle] - at);
}

static size_t leaves_for(size_t len)
{
    size_t leaves = 1;

    while (leaves * BLOCK < len)
        leaves *= 2;
    return leaves;
}

/* Room for a piece of len bytes; what was there before stays in the arena, so it at least doubles. */
static bool scratch_reserve(struct token_scratch *scratch, size_t len)
{
    if (len <= scratch->cap)
        return true;
    size_t cap = scratch->cap * 2 > SCRATCH_MIN ? scratch->cap * 2 : SCRATCH_MIN;
    cap = cap > len ? cap : len;
    uint32_t *words = ARENA_ARRAY(scratch->arena, 3 * cap + BLOCK + 2 * leaves_for(cap), uint32_t);
    if (!words)
        return false;
    scratch->words = words;
    scratch->cap = cap;
    return true;
}

static void parts_init(struct parts *p, const struct token_table *table, uint32_t *words, str piece)
{
    uint32_t len = (uint32_t)piece.len;

    *p = (struct parts){
        .table = table,
        .bytes = (const uint8_t *)piece.ptr,
        .len = len,
        .leaves = (uint32_t)leaves_for(len),
        .next = words,
        .before = words + len,
        .ranks = words + 2 * (size_t)len,
        .tree = words + 3 * (size_t)len + BLOCK,
    };
    for (uint32_t i = 0; i < len; i++) {
        p->next[i] = i + 1;
        p->before[i] = i - 1; /* of the first one never read */
        p->ranks[i] = i + 1 < len ? pair_rank(table, p->bytes + i) : TOKEN_NO_RANK;
    }
    for (size_t i = len; i < (size_t)len + BLOCK; i++)
        p->ranks[i] = TOKEN_NO_RANK;
    for (uint32_t i = 0; i < p->leaves; i++)
        p->tree[p->leaves + i] =
            (size_t)i * BLOCK < len ? block_min(p->ranks + (size_t)i * BLOCK) : TOKEN_NO_RANK;
    for (uint32_t i = p->leaves - 1; i > 0; i--)
        p->tree[i] = lower(p->tree[2 * i], p->tree[2 * i + 1]);
}

static int64_t merge_long(struct parts *p)
{
    int64_t count = p->len;

    while (p->tree[1] != TOKEN_NO_RANK) {
        uint32_t at = lowest(p);
        uint32_t gone = p->next[at];
        uint32_t after = p->next[gone];
        p->next[at] = after;
        if (after < p->len)
            p->before[after] = at;
        rank_set(p, gone, TOKEN_NO_RANK);
        rank_set(p, at, union_rank(p, at));
        if (at > 0)
            rank_set(p, p->before[at], union_rank(p, p->before[at]));
        count--;
    }
    return count;
}

enum err token_piece_count(const struct token_table *table, struct token_scratch *scratch,
                           str piece, int64_t *out_count)
{
    const uint8_t *bytes = (const uint8_t *)piece.ptr;
    struct parts parts;

    assert(piece.len > 0 && piece.len <= TOKEN_PIECE_MAX);
    if (token_rank(table, bytes, piece.len) != TOKEN_NO_RANK) {
        *out_count = 1;
    } else if (piece.len <= SHORT_PIECE) {
        *out_count = merge_short(table, bytes, piece.len);
    } else {
        if (!scratch_reserve(scratch, piece.len))
            return WEIR_NO_MEMORY;
        parts_init(&parts, table, scratch->words, piece);
        *out_count = merge_long(&parts);
    }
    return OK;
}
