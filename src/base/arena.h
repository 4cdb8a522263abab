/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: a request's memory. Allocations are freed all at once; a ceiling bounds them; running over
 * it (or out of memory) is sticky: allocations then give NULL and arena_failed() says so, to be
 * checked at the ends of steps.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/base.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used; /* bytes handed out, alignment included */
    size_t max; /* ceiling in bytes */
    bool failed;
};

void arena_init(struct arena *a, size_t max_bytes); /* allocates nothing yet */
void arena_fini(struct arena *a); /* frees everything; the arena may be used again */
bool arena_failed(const struct arena *a);

/* Zeroed memory, aligned for any type; NULL when the arena failed. */
void *arena_alloc(struct arena *a, size_t size);
/* Zeroed array of n elements; the product is checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Where items that grow one by one have room for one more behind `count`: where they are, or in a copy with twice the room, which *cap
 * then tells; the old ones stay in the arena. NULL when the arena failed, with nothing changed. */
void *arena_room(struct arena *a, void *items, size_t count, size_t *cap, size_t size);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_array((a), (n), sizeof(type)))

/* Copies; the empty str when the arena failed. arena_str adds a NUL behind the text (not in len). */
str arena_str(struct arena *a, str s);
str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
