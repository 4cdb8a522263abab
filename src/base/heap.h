/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap: an intrusive pairing heap (Fredman et al. 1986): O(1) insertion, O(log n) amortised removal
 * of any member, no allocation. A zero-initialised node is in no heap.
 */
#ifndef WEIR_BASE_HEAP_H
#define WEIR_BASE_HEAP_H

#include "base/base.h"

struct heap_node {
    struct heap_node *child;
    struct heap_node *next; /* sibling */
    struct heap_node *prev; /* previous sibling, or the parent for a first child */
    bool is_in;
};

struct heap {
    struct heap_node *root;
    bool (*is_before)(const struct heap_node *a, const struct heap_node *b);
};

void heap_add(struct heap *h, struct heap_node *n); /* n must be in no heap */
void heap_remove(struct heap *h, struct heap_node *n); /* n must be in this heap */
static inline struct heap_node *heap_first(const struct heap *h)
{
    return h->root; /* NULL when empty */
}

#endif
