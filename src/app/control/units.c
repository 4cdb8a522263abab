/* SPDX-License-Identifier: Apache-2.0 */
/* units: open addressing, at most half full. */
#include "app/control/units.h"

#include <stdlib.h>

#define CAPACITY_FIRST 1024

static bool slot_take(uint64_t *slots, size_t capacity, uint64_t unit)
{
    size_t at = (size_t)unit & (capacity - 1);

    while (slots[at] != 0 && slots[at] != unit)
        at = (at + 1) & (capacity - 1);
    if (slots[at] == unit)
        return false;
    slots[at] = unit;
    return true;
}

static bool grow(struct units *u)
{
    size_t capacity = u->capacity > 0 ? u->capacity * 2 : CAPACITY_FIRST;
    uint64_t *slots = calloc(capacity, sizeof(*slots));

    if (!slots)
        return false;
    for (size_t i = 0; i < u->capacity; i++) {
        if (u->slots[i] != 0)
            slot_take(slots, capacity, u->slots[i]);
    }
    free(u->slots);
    u->slots = slots;
    u->capacity = capacity;
    return true;
}

bool units_add(struct units *u, uint64_t unit)
{
    if (u->count == UNITS_MAX || (u->count * 2 >= u->capacity && !grow(u)))
        return false;
    bool is_new = slot_take(u->slots, u->capacity, unit == 0 ? 1 : unit);
    u->count += is_new;
    return is_new;
}

void units_fini(struct units *u)
{
    free(u->slots);
    *u = (struct units){ .slots = NULL };
}
