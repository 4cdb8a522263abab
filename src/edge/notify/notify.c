/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: the channels' threads. Each has a connection to control.db of its own and does the same thing over and over:
 * take the oldest pending message, wait until it is due, attempt it, record what became of it.
 */
#include "edge/notify/notify.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "edge/notify/schedule.h"
#include "edge/store/control.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define TIMEOUT_DEFAULT (10 * NSEC_PER_SEC)
#define INTERVAL_DEFAULT NSEC_PER_SEC
#define LOOK_AGAIN (5 * NSEC_PER_SEC) /* also without being woken */

struct channel {
    struct notify *owner;
    const struct wire_channel *config;
    struct control_store *store;
    pthread_t thread;
    bool has_thread;
    struct rng rng;
    bool is_disabled;
};

struct notify {
    struct notify_options options;
    pthread_mutex_t lock; /* of what stands below */
    pthread_cond_t changed;
    uint64_t wakes;
    bool is_stopping;
    struct channel channels[NOTIFY_CHANNELS_MAX];
    size_t count;
};

/* ---- waiting ---- */

struct pause {
    nsec length;
    bool is_deaf; /* not even a new message ends it: the pace is kept */
};

/* Until the time is over, something was added since `seen`, or all stops; false: it stops. */
static bool pause_take(struct notify *n, uint64_t *seen, struct pause pause)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at = until.tv_nsec + pause.length;
    until.tv_sec += at / NSEC_PER_SEC;
    until.tv_nsec = at % NSEC_PER_SEC;
    pthread_mutex_lock(&n->lock);
    int code = 0;
    while (!n->is_stopping && (pause.is_deaf || n->wakes == *seen) && code == 0)
        code = pthread_cond_timedwait(&n->changed, &n->lock, &until);
    *seen = n->wakes;
    bool goes_on = !n->is_stopping;
    pthread_mutex_unlock(&n->lock);
    return goes_on;
}

/* ---- one attempt ---- */

static void record(struct channel *c, const struct outbox_message *message)
{
    /* When it cannot be recorded it leaves again later, under the same key. */
    if (outbox_update(c->store, message) != OK)
        LOG(c->owner->options.log, LOG_ERROR, "notify_not_recorded",
            LOG_TEXT("channel", c->config->name),
            LOG_TEXT("why", str_from(control_message(c->store))));
}

static void attempt(struct channel *c, struct outbox_message *message)
{
    const struct notify_options *options = &c->owner->options;
    nsec retry_after = -1;
    char why[256];
    enum wire_result result = notify_send(c->config, message->key, message->body, world_wall(),
                                          options->timeout, &retry_after, why);

    schedule_next(message, c->config->kind, result, retry_after, world_wall(), &c->rng);
    message->error = str_from(why);
    if (result == WIRE_DISABLED) {
        c->is_disabled = true;
        message->state = OUTBOX_PENDING;
    }
    if (result != WIRE_DELIVERED) {
        bool is_over = c->is_disabled || message->state == OUTBOX_DEAD;
        LOG(options->log, is_over ? LOG_ERROR : LOG_WARNING,
            c->is_disabled ? "notify_disabled" : "notify_failed",
            LOG_TEXT("channel", c->config->name), LOG_TEXT("why", str_from(why)));
    }
    record(c, message);
}

/* Attempts what is due; how long to wait before looking again. */
static struct pause channel_step(struct channel *c, struct buf *space)
{
    struct outbox_message message;
    struct pause idle = { .length = LOOK_AGAIN };
    bool is_found = false;

    buf_reset(space);
    if (c->is_disabled ||
        outbox_first(c->store, c->config->name, &message, space, &is_found) != OK || !is_found)
        return idle;
    nsec wait = (message.due - world_wall()) * NSEC_PER_USEC;
    if (wait > 0) {
        idle.length = wait < LOOK_AGAIN ? wait : LOOK_AGAIN;
        return idle;
    }
    attempt(c, &message);
    return (struct pause){ c->owner->options.interval_min, true };
}

static void *channel_run(void *ctx)
{
    struct channel *c = ctx;
    struct buf space = { 0 };
    struct pause pause = { 0 };
    uint64_t seen = 0;

    while (pause_take(c->owner, &seen, pause))
        pause = channel_step(c, &space);
    buf_fini(&space);
    return NULL;
}

/* ---- opening ---- */

static enum err channel_open(struct channel *c, struct notify *n, const struct wire_channel *config,
                             char out_why[256])
{
    *c = (struct channel){ .owner = n, .config = config };
    rng_init(&c->rng, n->options.seed ^ str_hash(config->name));
    enum err e = control_open(&c->store, n->options.directory, CONTROL_WRITE, out_why);
    if (e != OK)
        return e;
    c->has_thread = pthread_create(&c->thread, NULL, channel_run, c) == 0;
    return c->has_thread ? OK : WEIR_NO_MEMORY;
}

enum err notify_open(struct notify **out, const struct notify_options *options, char out_why[256])
{
    struct notify *n = calloc(1, sizeof(*n));
    pthread_condattr_t attributes;
    enum err e = OK;

    assert(options->channel_count <= NOTIFY_CHANNELS_MAX);
    if (!n)
        return WEIR_NO_MEMORY;
    n->options = *options;
    if (n->options.timeout == 0)
        n->options.timeout = TIMEOUT_DEFAULT;
    if (n->options.interval_min == 0)
        n->options.interval_min = INTERVAL_DEFAULT;
    pthread_mutex_init(&n->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&n->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (size_t i = 0; e == OK && i < options->channel_count; i++) {
        n->count++;
        e = channel_open(&n->channels[i], n, &options->channels[i], out_why);
    }
    if (e != OK) {
        notify_close(n);
        return e;
    }
    *out = n;
    return OK;
}

void notify_wake(struct notify *n)
{
    pthread_mutex_lock(&n->lock);
    n->wakes++;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

void notify_close(struct notify *n)
{
    if (!n)
        return;
    pthread_mutex_lock(&n->lock);
    n->is_stopping = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    for (size_t i = 0; i < n->count; i++) {
        if (n->channels[i].has_thread)
            pthread_join(n->channels[i].thread, NULL);
        control_close(n->channels[i].store);
    }
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    free(n);
}
