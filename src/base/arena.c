/* SPDX-License-Identifier: Apache-2.0 */
/* arena: blocks on the heap, bump allocation. See arena.h. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t len;
    max_align_t bytes[];
};

#define ARENA_BLOCK_BYTES ((size_t)4096 - sizeof(struct arena_block))
#define ROOM_FIRST ((size_t)16)

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){ .max = max_bytes };
}

void arena_fini(struct arena *a)
{
    struct arena_block *block = a->blocks;

    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena_init(a, a->max);
}

bool arena_failed(const struct arena *a)
{
    return a->failed;
}

static struct arena_block *block_add(struct arena *a, size_t size)
{
    size_t cap = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
    struct arena_block *block = malloc(sizeof(*block) + cap);

    if (!block)
        return NULL;
    block->cap = cap;
    block->len = 0;
    block->next = a->blocks;
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = sizeof(max_align_t);
    size_t need;

    if (a->failed)
        return NULL;
    if (!size_add(size, align - 1, &need) || (need -= need % align) > a->max - a->used) {
        a->failed = true;
        return NULL;
    }
    struct arena_block *block = a->blocks;
    if (!block || block->cap - block->len < need)
        block = block_add(a, need);
    if (!block) {
        a->failed = true;
        return NULL;
    }
    void *out = (char *)block->bytes + block->len;
    block->len += need;
    a->used += need;
    memset(out, 0, size);
    return out;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, bytes);
}

void *arena_room(struct arena *a, void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    size_t wider = *cap > 0 ? 2 * *cap : ROOM_FIRST;
    void *grown = arena_array(a, wider, size);
    if (!grown)
        return NULL;
    if (count > 0)
        memcpy(grown, items, count * size);
    *cap = wider;
    return grown;
}

str arena_str(struct arena *a, str s)
{
    char *copy = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;

    if (!copy)
        return (str){ NULL, 0 };
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (str){ copy, s.len };
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *text = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text ? (str){ text, (size_t)n } : (str){ NULL, 0 };
}
