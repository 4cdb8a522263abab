/* SPDX-License-Identifier: Apache-2.0 */
/* exporter: see exporter.h. */
#include "edge/telemetry/exporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "edge/config/config.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define BACKOFF_MIN NSEC_PER_SEC
#define BACKOFF_MAX (60 * NSEC_PER_SEC)
#define RETRY_AFTER_MAX (300 * NSEC_PER_SEC)
#define WHY_SAID_MAX 120
#define STOP_WAIT (3 * NSEC_PER_SEC) /* for one last attempt */

void record_release(struct record *r)
{
    if (atomic_fetch_sub(&r->holders, 1) == 1)
        free(r);
}

/* ---- the queue ---- */

static struct record *queue_pop(struct exporter *x)
{
    struct record *oldest = x->ring[x->head];

    x->head = (x->head + 1) % (size_t)x->options.config->telemetry.queue_max;
    x->count--;
    x->queue_bytes -= oldest->bytes;
    return oldest;
}

void exporter_offer(struct exporter *x, struct record *r)
{
    size_t slots = (size_t)x->options.config->telemetry.queue_max;
    size_t bytes_max = (size_t)x->options.config->telemetry.queue_bytes_max;
    bool fits = r->bytes <= bytes_max;

    pthread_mutex_lock(&x->lock);
    while (fits && (x->count == slots || x->queue_bytes + r->bytes > bytes_max)) {
        record_release(queue_pop(x));
        atomic_fetch_add_explicit(&x->dropped, 1, memory_order_relaxed);
    }
    if (fits) {
        x->ring[(x->head + x->count++) % slots] = r;
        x->queue_bytes += r->bytes;
    }
    atomic_store_explicit(&x->queued, x->count, memory_order_relaxed);
    pthread_mutex_unlock(&x->lock);
    if (!fits) {
        atomic_fetch_add_explicit(&x->dropped, 1, memory_order_relaxed);
        record_release(r);
    }
}

struct batch {
    struct record *records[EXPORTER_BATCH_MAX];
    const struct trace *traces[EXPORTER_BATCH_MAX];
    size_t count;
};

static void batch_take(struct exporter *x, struct batch *b)
{
    pthread_mutex_lock(&x->lock);
    for (b->count = 0; b->count < x->methods->batch_max && x->count > 0; b->count++) {
        b->records[b->count] = queue_pop(x);
        b->traces[b->count] = b->records[b->count]->trace;
    }
    atomic_store_explicit(&x->queued, x->count, memory_order_relaxed);
    pthread_mutex_unlock(&x->lock);
}

static void batch_release(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        record_release(b->records[i]);
    b->count = 0;
}

/* ---- waiting ---- */

/* False: it is stopping. */
static bool pause_take(struct exporter *x, nsec length)
{
    struct timespec until;
    int code = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at = until.tv_nsec + length;
    until.tv_sec += at / NSEC_PER_SEC;
    until.tv_nsec = at % NSEC_PER_SEC;
    pthread_mutex_lock(&x->lock);
    while (!x->is_stopping && code == 0)
        code = pthread_cond_timedwait(&x->changed, &x->lock, &until);
    bool goes_on = !x->is_stopping;
    pthread_mutex_unlock(&x->lock);
    return goes_on;
}

static nsec backoff(struct exporter *x, int attempts, nsec retry_after)
{
    nsec wait = BACKOFF_MIN << (attempts < 6 ? attempts : 6);

    if (wait > BACKOFF_MAX)
        wait = BACKOFF_MAX;
    wait = wait / 2 + (nsec)(rng_unit(&x->rng) * (double)(wait / 2));
    if (retry_after > wait)
        wait = retry_after < RETRY_AFTER_MAX ? retry_after : RETRY_AFTER_MAX;
    return wait;
}

/* ---- sending ---- */

static bool is_out_of_time(void *ctx)
{
    struct exporter *x = ctx;
    nsec by = atomic_load(&x->stop_by);

    return by != 0 && world_now_exact() >= by;
}

bool exporter_post(struct exporter *x, struct post_request *request, struct post_answer *answer,
                   struct delivery *out)
{
    request->timeout = x->options.config->telemetry.timeout;
    request->is_cancelled = is_out_of_time;
    request->ctx = x;
    enum err e = post_send(request, answer);
    out->retry_after = answer->retry_after;
    if (e != OK)
        snprintf(out->why, sizeof(out->why), "%s%s%s", err_info(e)->text,
                 answer->error[0] ? ": " : "", answer->error);
    return e == OK;
}

/* What an endpoint says about what it does not want, on one line and cut; it may repeat our key. */
void exporter_explain(const struct exporter *x, struct delivery *out,
                      const struct post_answer *answer)
{
    struct buf said = { 0 };

    redact_add(&said, str_trim(buf_str(&answer->body)), WHY_SAID_MAX, x->options.known);
    for (size_t i = 0; i < said.len; i++)
        if ((unsigned char)said.ptr[i] < 0x20 || (unsigned char)said.ptr[i] >= 0x7F)
            said.ptr[i] = ' ';
    snprintf(out->why, sizeof(out->why), "it answered %d%s%.*s", answer->status,
             said.len > 0 ? ": " : "", STR_ARG(buf_str(&said)));
    buf_fini(&said);
}

/* Once when it begins and once when it ends: an endpoint may be down for days. */
static void failing_set(struct exporter *x, bool is_failing, const char *why)
{
    if (is_failing)
        atomic_fetch_add_explicit(&x->failures, 1, memory_order_relaxed);
    if (x->is_failing == is_failing)
        return;
    x->is_failing = is_failing;
    LOG(x->options.log, is_failing ? LOG_WARNING : LOG_INFO,
        is_failing ? "telemetry_failed" : "telemetry_recovered",
        LOG_TEXT("exporter", str_from(x->methods->name)), LOG_TEXT("why", str_from(why)));
}

static void dropped_add(struct exporter *x, size_t n)
{
    atomic_fetch_add_explicit(&x->dropped, n, memory_order_relaxed);
}

/* Sends, in halves where it must; false: later, all of it. What was taken already may be sent again: ids are the same. */
static bool send_some(struct exporter *x, const struct trace *const *traces, size_t n,
                      struct delivery *out)
{
    *out = (struct delivery){ .retry_after = -1 };
    enum sent sent = x->methods->send_traces(x, traces, n, out);

    switch (sent) {
    case SENT_TAKEN:
        atomic_fetch_add_explicit(&x->sent, n, memory_order_relaxed);
        atomic_fetch_add_explicit(&x->rejected, (uint64_t)out->rejected, memory_order_relaxed);
        failing_set(x, false, "");
        return true;
    case SENT_LATER:
        failing_set(x, true, out->why);
        return false;
    case SENT_TOO_LARGE:
        if (n > 1)
            return send_some(x, traces, n / 2, out) && send_some(x, traces + n / 2, n - n / 2, out);
        break;
    case SENT_REFUSED:
        break;
    }
    failing_set(x, true, out->why);
    dropped_add(x, n);
    return true;
}

/* False: it is stopping, and what waits was not sent. */
static bool batch_send(struct exporter *x, struct batch *b)
{
    struct delivery delivery;

    for (int attempts = 0; attempts < EXPORTER_ATTEMPTS_MAX; attempts++) {
        if (send_some(x, b->traces, b->count, &delivery))
            return true;
        if (!pause_take(x, backoff(x, attempts, delivery.retry_after))) {
            dropped_add(x, b->count);
            return false;
        }
    }
    dropped_add(x, b->count);
    return true;
}

static bool traces_send(struct exporter *x, struct batch *b)
{
    bool goes_on = true;

    if (!x->methods->send_traces)
        return true;
    for (batch_take(x, b); b->count > 0; batch_take(x, b)) {
        goes_on = batch_send(x, b);
        batch_release(b);
        if (!goes_on)
            break;
    }
    return goes_on;
}

/* What is refused is forgotten by the endpoint itself. */
static nsec metrics_send(struct exporter *x, int *failed)
{
    struct delivery delivery = { .retry_after = -1 };

    if (!x->methods->send_metrics)
        return 0;
    enum sent sent = x->methods->send_metrics(x, &delivery);
    bool is_failing = sent != SENT_TAKEN;
    if (is_failing || !x->methods->send_traces)
        failing_set(x, is_failing, delivery.why);
    *failed = sent == SENT_LATER ? *failed + 1 : 0;
    return sent == SENT_LATER ? backoff(x, *failed, delivery.retry_after) : 0;
}

static void *exporter_run(void *ctx)
{
    struct exporter *x = ctx;
    struct batch *b = calloc(1, sizeof(*b));
    nsec metrics_at = 0; /* not before */
    int failed = 0;
    bool goes_on = b != NULL;

    while (goes_on && pause_take(x, x->options.config->telemetry.interval)) {
        goes_on = traces_send(x, b);
        if (world_now_exact() >= metrics_at)
            metrics_at = world_now_exact() + metrics_send(x, &failed);
    }
    if (b && goes_on)
        IGNORE(traces_send(x, b));
    IGNORE(metrics_send(x, &failed));
    if (x->methods->finish)
        x->methods->finish(x);
    free(b);
    return NULL;
}

/* ---- opening ---- */

enum err exporter_open(struct exporter **out, const struct exporter_methods *methods, void *state,
                       const struct exporter_options *options)
{
    struct exporter *x = calloc(1, sizeof(*x));
    pthread_condattr_t attributes;

    assert(methods->batch_max <= EXPORTER_BATCH_MAX);
    if (!x) {
        methods->close(state);
        return WEIR_NO_MEMORY;
    }
    x->methods = methods;
    x->options = *options;
    x->state = state;
    rng_init(&x->rng, options->seed ^ str_hash(str_from(methods->name)));
    pthread_mutex_init(&x->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&x->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    x->ring = calloc((size_t)options->config->telemetry.queue_max, sizeof(struct record *));
    x->has_thread = x->ring && pthread_create(&x->thread, NULL, exporter_run, x) == 0;
    if (!x->has_thread) {
        exporter_close(x);
        return WEIR_NO_MEMORY;
    }
    *out = x;
    return OK;
}

void exporter_close(struct exporter *x)
{
    if (!x)
        return;
    atomic_store(&x->stop_by, world_now_exact() + STOP_WAIT);
    pthread_mutex_lock(&x->lock);
    x->is_stopping = true;
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    if (x->has_thread)
        pthread_join(x->thread, NULL);
    while (x->ring && x->count > 0)
        record_release(queue_pop(x));
    free(x->ring);
    x->methods->close(x->state);
    pthread_cond_destroy(&x->changed);
    pthread_mutex_destroy(&x->lock);
    free(x);
}
