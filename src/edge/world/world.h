/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: the loop: clocks, timers, watched descriptors, posted turns. libuv stays behind it. One
 * world belongs to one thread; only world_post_remote() and world_stop() may be called from others.
 *
 * A caller may rely on: no callback runs inside a function of this header but world_run() and
 * world_close(); within one turn, now does not change; a cancelled timer, closed watch or cancelled turn never calls.
 *
 * May include: base.
 */
#ifndef WEIR_EDGE_WORLD_WORLD_H
#define WEIR_EDGE_WORLD_WORLD_H

#include "base/base.h"
#include "base/heap.h"
#include "base/list.h"

struct world;

NODISCARD enum err world_open(struct world **out);
void world_close(struct world *w); /* every watch must have been closed */
void world_run(struct world *w); /* until world_stop() */
void world_stop(struct world *w); /* from any thread or a signal handler of world_on_signal */

nsec world_now(const struct world *w); /* monotonic, as of the start of this turn of the loop */
nsec world_now_exact(void); /* monotonic, read now */
usec_utc world_wall(void); /* the wall clock, read now; may step */

/* Timers, embedded by their owner; zero-initialised is idle. Starting a running timer moves it. */
struct timer {
    struct heap_node node;
    nsec at;
    void (*fire)(struct timer *timer);
};
void timer_start(struct world *w, struct timer *t, nsec delay, void (*fire)(struct timer *t));
void timer_cancel(struct world *w, struct timer *t);
bool timer_is_running(const struct timer *t);

/* Turns: a function to be called in a later turn of this loop. Embedded; posting twice is one call. */
struct turn {
    struct link link; /* link_init() before first use: turn_init() */
    void (*run)(struct turn *turn);
};
void turn_init(struct turn *t, void (*run)(struct turn *t));
void turn_post(struct world *w, struct turn *t);
void turn_cancel(struct turn *t);
/* The same from another thread; the turn must not be in use by another post until it has run. */
void world_post_remote(struct world *w, struct turn *t);

/* Called after the events of each turn, before the loop sleeps: the place for group commits. Turns
 * that it posts run before the loop sleeps. */
struct turn_end {
    struct link link;
    void (*run)(struct turn_end *hook);
};
void world_on_turn_end(struct world *w, struct turn_end *hook, void (*run)(struct turn_end *hook));

/* Watched descriptors, level-triggered. The watch does not own fd: close the watch before the fd. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch;
NODISCARD enum err watch_open(struct watch **out, struct world *w, int fd,
                              void (*on_ready)(void *ctx, unsigned events),
                              void *ctx); /* watches nothing yet; WEIR_IO, WEIR_NO_MEMORY */
void watch_set(struct watch *watch, unsigned events); /* cheap when nothing changes */
void watch_close(struct watch *watch); /* NULL is a no-op */

/* Signals, delivered as a turn. signum as in <signal.h>; at most 4 per world. */
NODISCARD enum err world_on_signal(struct world *w, int signum, void (*fn)(void *ctx, int signum),
                                   void *ctx);

/* Bytes that nobody can guess, from the system; for secrets. WEIR_IO. */
NODISCARD enum err world_random(uint8_t *out, size_t len);

/* Gives back what starting up needed and serving may not: freed heap, and the code pages of the program and its
 * libraries, which are read again from their files when they run. Call it once everything is open. */
void memory_trim(void);

#endif
