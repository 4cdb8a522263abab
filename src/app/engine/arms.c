/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arms: see arms.h.
 *
 * A reader first says what it is about to read and then looks whether that still holds; the publisher first replaces it and then
 * looks who reads it. Both in one order for all threads (memory_order_seq_cst): one of the two sees the other.
 */
#include "app/engine/arms.h"

#include <stdlib.h>

static bool is_read(const struct arms_slot *slot, const struct arms *arms)
{
    for (const struct arms_reader *r = slot->readers; r; r = r->next) {
        if (atomic_load_explicit(&r->holds, memory_order_seq_cst) == arms)
            return true;
    }
    return false;
}

static void retired_free(struct arms_slot *slot)
{
    for (struct arms **at = &slot->retired; *at;) {
        struct arms *arms = *at;
        if (is_read(slot, arms)) {
            at = &arms->older;
        } else {
            *at = arms->older;
            free(arms);
        }
    }
}

void arms_publish(struct arms_slot *slot, struct arms *arms)
{
    struct arms *before = atomic_exchange_explicit(&slot->now, arms, memory_order_seq_cst);

    if (before) {
        before->older = slot->retired;
        slot->retired = before;
    }
    retired_free(slot);
}

size_t arms_retired_count(const struct arms_slot *slot)
{
    size_t n = 0;

    for (const struct arms *arms = slot->retired; arms; arms = arms->older)
        n++;
    return n;
}

void arms_slot_fini(struct arms_slot *slot)
{
    slot->readers = NULL;
    arms_publish(slot, NULL);
}

/* ---- readers ---- */

void arms_join(struct arms_slot *slot, struct arms_reader *reader)
{
    atomic_init(&reader->holds, NULL);
    reader->next = slot->readers;
    slot->readers = reader;
}

const struct arms *arms_enter(struct arms_slot *slot, struct arms_reader *reader)
{
    const struct arms *seen = atomic_load_explicit(&slot->now, memory_order_acquire);

    while (seen) {
        atomic_store_explicit(&reader->holds, seen, memory_order_seq_cst);
        const struct arms *again = atomic_load_explicit(&slot->now, memory_order_seq_cst);
        if (again == seen)
            return seen;
        seen = again; /* replaced meanwhile: it may be gone */
    }
    arms_exit(reader);
    return NULL;
}

void arms_exit(struct arms_reader *reader)
{
    atomic_store_explicit(&reader->holds, NULL, memory_order_release);
}
