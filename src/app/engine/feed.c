/* SPDX-License-Identifier: Apache-2.0 */
/* feed: a ring whose ends are two counters that only grow; each side writes its own and reads the other's. */
#include "app/engine/feed.h"

#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE 64

_Static_assert((FEED_SLOTS & (FEED_SLOTS - 1)) == 0, "the index wraps with a mask");

struct feed {
    _Alignas(CACHE_LINE) _Atomic uint64_t written; /* the writer's */
    uint64_t read_seen; /* what the writer last saw of `read`, so that it seldom looks */
    _Atomic uint64_t dropped;
    _Alignas(CACHE_LINE) _Atomic uint64_t read; /* the reader's */
    _Alignas(CACHE_LINE) struct feed_fact ring[FEED_SLOTS];
};

static const char *const domains[FEED_DOMAIN_COUNT] = {
#define X(name, text) [FEED_DOMAIN_##name] = text,
    FEED_DOMAIN_TABLE(X)
#undef X
};

const char *feed_domain_name(enum feed_domain d)
{
    return domains[d];
}

enum feed_domain feed_domain_of(str name)
{
    str root = str_slice(name, 0, str_find_char(name, '.'));

    for (size_t i = 0; i < FEED_DOMAIN_COUNT; i++) {
        if (str_eq(root, str_from(domains[i])))
            return (enum feed_domain)i;
    }
    return FEED_DOMAIN_OTHER;
}

enum err feed_open(struct feed **out)
{
    struct feed *f = aligned_alloc(CACHE_LINE, sizeof(*f));

    if (!f)
        return WEIR_NO_MEMORY;
    atomic_init(&f->written, 0);
    atomic_init(&f->read, 0);
    atomic_init(&f->dropped, 0);
    f->read_seen = 0;
    *out = f;
    return OK;
}

void feed_close(struct feed *f)
{
    free(f);
}

void feed_put(struct feed *f, const struct feed_fact *fact)
{
    if (!f)
        return;
    uint64_t at = atomic_load_explicit(&f->written, memory_order_relaxed);
    if (at - f->read_seen == FEED_SLOTS)
        f->read_seen = atomic_load_explicit(&f->read, memory_order_acquire);
    if (at - f->read_seen == FEED_SLOTS) {
        atomic_fetch_add_explicit(&f->dropped, 1, memory_order_relaxed);
        return;
    }
    f->ring[at % FEED_SLOTS] = *fact;
    atomic_store_explicit(&f->written, at + 1, memory_order_release);
}

size_t feed_take(struct feed *f, struct feed_fact *out, size_t max)
{
    uint64_t from = atomic_load_explicit(&f->read, memory_order_relaxed);
    uint64_t waiting = atomic_load_explicit(&f->written, memory_order_acquire) - from;
    size_t n = waiting < max ? (size_t)waiting : max;

    for (size_t i = 0; i < n; i++)
        out[i] = f->ring[(from + i) % FEED_SLOTS];
    atomic_store_explicit(&f->read, from + n, memory_order_release);
    return n;
}

uint64_t feed_dropped(const struct feed *f)
{
    return atomic_load_explicit(&f->dropped, memory_order_relaxed);
}
