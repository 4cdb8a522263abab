/* SPDX-License-Identifier: Apache-2.0 */
/* flights: see flights_internal.h. */
#include "app/sim/flights_internal.h"

enum err flights_init(struct flights *f, struct arena *arena, size_t max)
{
    struct flight *slots = ARENA_ARRAY(arena, max, struct flight);
    struct flight_key *heap = ARENA_ARRAY(arena, max, struct flight_key);

    if (!slots || !heap)
        return WEIR_NO_MEMORY;
    *f = (struct flights){ .slots = slots, .heap = heap, .max = max };
    for (size_t i = 0; i < max; i++)
        heap[i].slot = (uint32_t)i;
    return OK;
}

void flights_add(struct flights *f, int64_t end_us, const struct flight *flight)
{
    assert(f->count < f->max);
    size_t at = f->count++;
    struct flight_key key = { end_us, f->heap[at].slot };

    f->slots[key.slot] = *flight;
    while (at > 0 && f->heap[(at - 1) / 2].end_us > end_us) {
        f->heap[at] = f->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    f->heap[at] = key;
}

const struct flight *flights_take(struct flights *f)
{
    assert(f->count > 0);
    struct flight_key first = f->heap[0], last = f->heap[--f->count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < f->count && f->heap[child + 1].end_us < f->heap[child].end_us)
            child++;
        if (child >= f->count || f->heap[child].end_us >= last.end_us)
            break;
        f->heap[at] = f->heap[child];
        at = child;
    }
    f->heap[at] = last;
    f->heap[f->count] = first; /* its slot is free */
    return &f->slots[first.slot];
}
