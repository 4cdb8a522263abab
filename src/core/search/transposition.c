/* SPDX-License-Identifier: Apache-2.0 */
/* transposition: from a state's key and depth to its node; open addressing with linear steps, never deleted from. */
#include "core/search/search_internal.h"

uint32_t transposition_table_size(uint32_t nodes_max)
{
    return nodes_max + nodes_max / 4 + 1; /* at most four fifths full */
}

/* The slot of the key, or the empty one where it belongs. Equal depth is part of the identity, which keeps the graph free
 * of cycles. */
static uint32_t slot_of(const struct search_tree *t, uint64_t key, uint32_t depth)
{
    uint64_t hash = rng_mix(key + depth * UINT64_C(0x9e3779b97f4a7c15));
    uint32_t slot = (uint32_t)((hash >> 32) * t->table_size >> 32);

    while (t->table[slot] != 0) {
        uint32_t node = t->table[slot] - 1;
        if (t->key[node] == key && t->depth[node] == depth)
            break;
        slot = slot + 1 == t->table_size ? 0 : slot + 1;
    }
    return slot;
}

uint32_t transposition_find(const struct search_tree *t, uint64_t key, uint32_t depth)
{
    uint32_t entry = t->table[slot_of(t, key, depth)];

    return entry == 0 ? SEARCH_NONE : entry - 1;
}

void transposition_add(struct search_tree *t, uint32_t state)
{
    uint32_t slot = slot_of(t, t->key[state], t->depth[state]);

    assert(t->table[slot] == 0);
    t->table[slot] = state + 1;
}
