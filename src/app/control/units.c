/* SPDX-License-Identifier: Apache-2.0 */
/* units: open addressing, at most half full; and the tail, in the order of arrival. */
#include "app/control/units.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 1024
#define TAIL_FIRST 256
#define UNIT_BYTES 8

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

static bool table_grow(struct units *u)
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

static bool tail_grow(struct units *u)
{
    size_t room = u->tail_room > 0 ? u->tail_room * 2 : TAIL_FIRST;
    uint64_t *tail = realloc(u->tail, room * sizeof(*tail));

    if (!tail)
        return false;
    u->tail = tail;
    u->tail_room = room;
    return true;
}

/* For one more. */
static bool has_room(struct units *u)
{
    return u->count < UNITS_MAX && (u->count * 2 < u->capacity || table_grow(u)) &&
           (u->tail_count < u->tail_room || tail_grow(u));
}

bool units_add(struct units *u, uint64_t unit)
{
    unit = unit == 0 ? 1 : unit;
    if (!has_room(u) || !slot_take(u->slots, u->capacity, unit))
        return false;
    u->count++;
    u->tail[u->tail_count++] = unit;
    u->unsaved++;
    return true;
}

void units_fini(struct units *u)
{
    free(u->slots);
    free(u->tail);
    *u = (struct units){ .slots = NULL };
}

/* ---- parts ---- */

bool units_part(const struct units *u, size_t i, int64_t *out_number, struct buf *out)
{
    size_t from = i * UNITS_PART, left = u->tail_count - from;

    if (u->unsaved == 0 || from >= u->tail_count)
        return false;
    for (size_t k = 0; k < (left < UNITS_PART ? left : UNITS_PART); k++) {
        char bytes[UNIT_BYTES];
        for (size_t b = 0; b < UNIT_BYTES; b++)
            bytes[b] = (char)(u->tail[from + k] >> 8 * b & 0xff);
        buf_add(out, (str){ bytes, sizeof(bytes) });
    }
    *out_number = u->tail_part + (int64_t)i;
    return true;
}

void units_saved(struct units *u)
{
    size_t whole = u->tail_count / UNITS_PART;

    u->unsaved = 0;
    if (whole == 0)
        return;
    u->tail_count -= whole * UNITS_PART;
    memmove(u->tail, u->tail + whole * UNITS_PART, u->tail_count * sizeof(*u->tail));
    u->tail_part += (int64_t)whole;
}

static uint64_t unit_read(const char *bytes)
{
    uint64_t unit = 0;

    for (size_t b = 0; b < UNIT_BYTES; b++)
        unit |= (uint64_t)(uint8_t)bytes[b] << 8 * b;
    return unit;
}

bool units_restore(struct units *u, int64_t number, str bytes)
{
    size_t n = bytes.len / UNIT_BYTES;

    if (number != u->tail_part || u->tail_count > 0 || bytes.len % UNIT_BYTES != 0 || n == 0 ||
        n > UNITS_PART)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!units_add(u, unit_read(bytes.ptr + i * UNIT_BYTES)))
            return false; /* twice: it was never written like this */
    }
    units_saved(u);
    return true;
}
