/* SPDX-License-Identifier: Apache-2.0 */
/* heap: see heap.h. */
#include "base/heap.h"

static struct heap_node *meld(struct heap *h, struct heap_node *a, struct heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (h->is_before(b, a)) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Melds a list of siblings: left to right in pairs, then the pairs right to left. */
static struct heap_node *meld_siblings(struct heap *h, struct heap_node *first)
{
    struct heap_node *pairs = NULL; /* linked through next, last pair first */

    while (first) {
        struct heap_node *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = meld(h, a, b);
        a->next = pairs;
        pairs = a;
    }
    struct heap_node *root = NULL;
    while (pairs) {
        struct heap_node *next = pairs->next;
        pairs->next = NULL;
        root = meld(h, root, pairs);
        pairs = next;
    }
    return root;
}

void heap_add(struct heap *h, struct heap_node *n)
{
    assert(!n->is_in);
    *n = (struct heap_node){ .is_in = true };
    h->root = meld(h, h->root, n);
    h->root->prev = NULL;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    assert(n->is_in);
    struct heap_node *rest = meld_siblings(h, n->child);
    if (n == h->root) {
        h->root = rest;
    } else {
        if (n->prev->child == n)
            n->prev->child = n->next;
        else
            n->prev->next = n->next;
        if (n->next)
            n->next->prev = n->prev;
        h->root = meld(h, h->root, rest);
    }
    if (h->root) {
        h->root->prev = NULL;
        h->root->next = NULL;
    }
    *n = (struct heap_node){ 0 };
}
