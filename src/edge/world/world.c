/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: libuv behind world.h.
 *
 * libuv calls us in this order each turn: its timer (ours: fire_timers), watched descriptors, and
 * before it sleeps `settle`, which runs posted turns and turn-end hooks until there are none left.
 */
#include "edge/world/world.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#define SIGNALS_MAX 4
/* Turns that post turns are run again before sleeping, this often; then descriptors get their share. */
#define SETTLE_ROUNDS_MAX 16

struct signal_watch {
    uv_signal_t handle;
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

struct world {
    uv_loop_t loop;
    uv_timer_t alarm;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while turns wait: the loop must not sleep */
    uv_async_t async;
    struct signal_watch signals[SIGNALS_MAX];
    int signal_count;

    struct heap timers;
    bool is_firing;
    nsec alarm_at; /* what `alarm` is set to; NSEC_NEVER when it is not */
    nsec now;
    bool is_now_stale; /* set before sleeping; the first callback after it reads the clock */
    struct link turns;
    struct link hooks;

    pthread_mutex_t remote_lock;
    struct link remote_turns;
    atomic_bool is_stopping;
};

struct watch {
    uv_poll_t poll;
    struct world *world;
    void (*on_ready)(void *ctx, unsigned events);
    void *ctx;
    unsigned events;
};

nsec world_now_exact(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (nsec)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

usec_utc world_wall(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (usec_utc)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

nsec world_now(const struct world *w)
{
    return w->now;
}

/* Every way into our code from the loop passes here first. */
static void wake(struct world *w)
{
    if (!w->is_now_stale)
        return;
    w->is_now_stale = false;
    w->now = world_now_exact();
}

/* ---- timers ---- */

static bool timer_is_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct timer *first = CONTAINER_OF_CONST(a, struct timer, node);
    const struct timer *second = CONTAINER_OF_CONST(b, struct timer, node);

    return first->at < second->at;
}

bool timer_is_running(const struct timer *t)
{
    return t->node.is_in;
}

void timer_start(struct world *w, struct timer *t, nsec delay, void (*fire)(struct timer *t))
{
    timer_cancel(w, t);
    t->fire = fire;
    nsec least = w->is_firing ? 1 : 0;
    if (!i64_add(w->now, delay > least ? delay : least, &t->at))
        t->at = NSEC_NEVER;
    heap_add(&w->timers, &t->node);
}

void timer_cancel(struct world *w, struct timer *t)
{
    if (t->node.is_in)
        heap_remove(&w->timers, &t->node);
}

static struct timer *timer_first(const struct world *w)
{
    struct heap_node *first = heap_first(&w->timers);

    return first ? CONTAINER_OF(first, struct timer, node) : NULL;
}

static void on_alarm(uv_timer_t *alarm)
{
    struct world *w = alarm->data;

    w->alarm_at = NSEC_NEVER;
    wake(w);
    /* A timer's owner may free it as it fires, so it is not looked at afterwards; what is started
     * meanwhile waits for the next turn. */
    nsec now = w->now;
    w->is_firing = true;
    for (struct timer *t = timer_first(w); t && t->at <= now; t = timer_first(w)) {
        timer_cancel(w, t);
        t->fire(t);
    }
    w->is_firing = false;
}

static void alarm_set(struct world *w)
{
    const struct timer *first = timer_first(w);
    nsec at = first ? first->at : NSEC_NEVER;

    if (at == w->alarm_at)
        return;
    w->alarm_at = at;
    if (!first) {
        uv_timer_stop(&w->alarm);
        return;
    }
    nsec delay = at - world_now_exact();
    uv_update_time(&w->loop);
    uint64_t delay_ms = delay > 0 ? ((uint64_t)delay + NSEC_PER_MS - 1) / NSEC_PER_MS : 0;
    uv_timer_start(&w->alarm, on_alarm, delay_ms, 0);
}

/* ---- turns ---- */

void turn_init(struct turn *t, void (*run)(struct turn *t))
{
    link_init(&t->link);
    t->run = run;
}

void turn_post(struct world *w, struct turn *t)
{
    list_remove(&t->link);
    list_add_tail(&w->turns, &t->link);
}

void turn_cancel(struct turn *t)
{
    list_remove(&t->link);
}

static void turns_run(struct world *w)
{
    struct link batch;

    link_init(&batch);
    list_take(&batch, &w->turns);
    for (struct link *l = list_pop(&batch); l; l = list_pop(&batch)) {
        struct turn *t = CONTAINER_OF(l, struct turn, link);
        t->run(t);
    }
}

static void hooks_run(struct world *w)
{
    for (struct link *l = w->hooks.next, *next; l != &w->hooks; l = next) {
        struct turn_end *hook = CONTAINER_OF(l, struct turn_end, link);
        next = l->next;
        hook->run(hook);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active is what matters: libuv polls without sleeping */
}

static void settle(uv_prepare_t *prepare)
{
    struct world *w = prepare->data;

    wake(w);
    for (int round = 0; round < SETTLE_ROUNDS_MAX; round++) {
        turns_run(w);
        hooks_run(w);
        if (list_empty(&w->turns))
            break;
    }
    if (list_empty(&w->turns))
        uv_idle_stop(&w->idle);
    else
        uv_idle_start(&w->idle, on_idle);
    alarm_set(w);
    w->is_now_stale = true;
}

void world_on_turn_end(struct world *w, struct turn_end *hook, void (*run)(struct turn_end *hook))
{
    hook->run = run;
    list_add_tail(&w->hooks, &hook->link);
}

void world_post_remote(struct world *w, struct turn *t)
{
    pthread_mutex_lock(&w->remote_lock);
    list_add_tail(&w->remote_turns, &t->link);
    pthread_mutex_unlock(&w->remote_lock);
    uv_async_send(&w->async);
}

static void on_async(uv_async_t *async)
{
    struct world *w = async->data;

    wake(w);
    pthread_mutex_lock(&w->remote_lock);
    list_take(&w->turns, &w->remote_turns);
    pthread_mutex_unlock(&w->remote_lock);
    if (atomic_load(&w->is_stopping))
        uv_stop(&w->loop);
}

/* ---- descriptors ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = CONTAINER_OF(poll, struct watch, poll);
    unsigned ready =
        (events & UV_READABLE ? WATCH_READ : 0) | (events & UV_WRITABLE ? WATCH_WRITE : 0);

    wake(watch->world);
    if (status < 0) {
        /* libuv has stopped the handle on an error; the owner learns it by reading or writing. */
        ready = WATCH_READ | WATCH_WRITE;
        watch->events = 0;
    }
    watch->on_ready(watch->ctx, ready);
}

enum err watch_open(struct watch **out, struct world *w, int fd,
                    void (*on_ready)(void *ctx, unsigned events), void *ctx)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return WEIR_NO_MEMORY;
    if (uv_poll_init(&w->loop, &watch->poll, fd) != 0) {
        free(watch);
        return WEIR_IO;
    }
    watch->world = w;
    watch->on_ready = on_ready;
    watch->ctx = ctx;
    *out = watch;
    return OK;
}

void watch_set(struct watch *watch, unsigned events)
{
    if (watch->events == events)
        return;
    watch->events = events;
    int wanted = (events & WATCH_READ ? UV_READABLE : 0) | (events & WATCH_WRITE ? UV_WRITABLE : 0);
    if (wanted == 0)
        uv_poll_stop(&watch->poll);
    else
        uv_poll_start(&watch->poll, wanted, on_poll);
}

static void watch_free(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct watch, poll));
}

void watch_close(struct watch *watch)
{
    if (watch)
        uv_close((uv_handle_t *)&watch->poll, watch_free);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *handle, int signum)
{
    struct signal_watch *s = CONTAINER_OF(handle, struct signal_watch, handle);

    wake(handle->data);
    s->fn(s->ctx, signum);
}

enum err world_on_signal(struct world *w, int signum, void (*fn)(void *ctx, int signum), void *ctx)
{
    if (w->signal_count == SIGNALS_MAX)
        return WEIR_OVERLOADED;
    struct signal_watch *s = &w->signals[w->signal_count];
    if (uv_signal_init(&w->loop, &s->handle) != 0)
        return WEIR_IO;
    w->signal_count++;
    s->handle.data = w;
    s->fn = fn;
    s->ctx = ctx;
    return uv_signal_start(&s->handle, on_signal, signum) == 0 ? OK : WEIR_IO;
}

/* ---- the world ---- */

enum err world_open(struct world **out)
{
    struct world *w = calloc(1, sizeof(*w));

    if (!w)
        return WEIR_NO_MEMORY;
    if (uv_loop_init(&w->loop) != 0) {
        free(w);
        return WEIR_IO;
    }
    link_init(&w->turns);
    link_init(&w->hooks);
    link_init(&w->remote_turns);
    pthread_mutex_init(&w->remote_lock, NULL);
    w->timers.is_before = timer_is_before;
    w->alarm_at = NSEC_NEVER;
    w->now = world_now_exact();
    uv_timer_init(&w->loop, &w->alarm);
    uv_prepare_init(&w->loop, &w->prepare);
    uv_idle_init(&w->loop, &w->idle);
    w->alarm.data = w;
    w->prepare.data = w;
    w->async.data = w;
    uv_prepare_start(&w->prepare, settle);
    if (uv_async_init(&w->loop, &w->async, on_async) != 0) {
        world_close(w);
        return WEIR_IO;
    }
    *out = w;
    return OK;
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void world_close(struct world *w)
{
    if (!w)
        return;
    uv_walk(&w->loop, close_handle, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&w->loop);
    assert(left == 0);
    pthread_mutex_destroy(&w->remote_lock);
    free(w);
}

void world_run(struct world *w)
{
    if (!atomic_load(&w->is_stopping))
        uv_run(&w->loop, UV_RUN_DEFAULT);
}

void world_stop(struct world *w)
{
    atomic_store(&w->is_stopping, true);
    uv_async_send(&w->async);
}
