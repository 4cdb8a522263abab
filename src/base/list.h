/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: an intrusive circular doubly linked list. A link that is not in a list points to itself, so
 * list_remove() may be called twice.
 */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include "base/base.h"

struct link {
    struct link *prev;
    struct link *next;
};

static inline void link_init(struct link *l)
{
    l->prev = l;
    l->next = l;
}

static inline bool list_empty(const struct link *head)
{
    return head->next == head;
}

static inline void list_add_tail(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void list_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}

/* The first link, taken out; NULL when the list is empty. */
static inline struct link *list_pop(struct link *head)
{
    struct link *first = head->next;

    if (first == head)
        return NULL;
    list_remove(first);
    return first;
}

/* Moves everything in `from` to the end of `to`; `from` is empty then. */
static inline void list_take(struct link *to, struct link *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    link_init(from);
}

#endif
