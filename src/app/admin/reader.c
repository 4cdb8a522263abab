/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader: questions to the ledger, answered in a thread of its own, one after the other.
 *
 *     FREE --> ASKED ~~> READY --> ASKED        a wavy line is the thread's work
 *
 * A question is its path and query. Whoever asks the same while it is asked, or while the answer is still fresh, shares it, so that a
 * hundred viewers cost one pass over the ledger. While a question is ASKED its text, status, body and freshness are the thread's;
 * everything else, and the state itself, is the loop's.
 */
#include "app/admin/reader.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS_MAX 32
#define WAITERS_MAX 512 /* of all questions together */
#define QUESTION_BYTES_MAX 1024
#define ANSWER_BYTES_MAX ((size_t)8 << 20)
#define ARENA_BYTES_MAX ((size_t)64 << 20)

static const struct refusal refusal_long = { 414, "too_long", "the address is too long" };

enum question_state { FREE, ASKED, READY };

struct waiter { /* in its exchange's arena */
    struct link link;
    struct reader *reader;
    struct exchange *exchange;
};

struct question {
    struct link link; /* in the queue until the thread takes it */
    enum question_state state;
    char text[QUESTION_BYTES_MAX]; /* path and query */
    size_t path_len, query_len;
    struct link waiters;
    struct turn done;
    int status;
    struct buf body;
    nsec fresh_until;
};

struct reader {
    struct dashboard *dashboard;
    struct question questions[QUESTIONS_MAX];
    size_t waiting; /* exchanges */
    pthread_t thread;
    pthread_mutex_t mutex; /* over all below */
    pthread_cond_t wake;
    struct link queue;
    struct browser *browser; /* NULL: not open; the thread's, but for an interrupt */
    bool is_stopping;
};

static str path_of(const struct question *q)
{
    return (str){ q->text, q->path_len };
}

static str query_of(const struct question *q)
{
    return (str){ q->text + q->path_len, q->query_len };
}

/* ---- the thread ---- */

static void on_answer(struct turn *turn);

/* NULL, having said why: there is no ledger yet, or it cannot be read. */
static struct browser *browser_ready(struct reader *r, char why[256])
{
    struct browser *opened = NULL;

    if (r->browser)
        return r->browser;
    if (browser_open(&opened, r->dashboard->options.directory, why) != OK)
        return NULL;
    pthread_mutex_lock(&r->mutex);
    r->browser = opened;
    pthread_mutex_unlock(&r->mutex);
    return opened;
}

static void question_answer(struct reader *r, struct question *q)
{
    char why[256] = "";
    struct reading reading = { .config = r->dashboard->options.config,
                               .directory = r->dashboard->options.directory,
                               .path = path_of(q),
                               .query = query_of(q),
                               .body = &q->body,
                               .now = world_wall() };
    nsec started = world_now_exact();

    arena_init(&reading.arena, ARENA_BYTES_MAX);
    buf_reset(&q->body);
    q->body.max = ANSWER_BYTES_MAX;
    reading.browser = browser_ready(r, why);
    if (reading.browser)
        reading_answer(&reading);
    else
        reading_refuse(&reading, 503, "store", why);
    if (q->body.failed)
        reading_refuse(&reading, 500, "too_large", "the answer is too large");
    arena_fini(&reading.arena);
    q->status = reading.status;
    /* What took long is kept for longer, so that the thread is never busy with one question alone. */
    nsec now = world_now_exact(), took = 4 * (now - started);
    q->fresh_until = now + (took > reading.fresh ? took : reading.fresh);
}

static void *reader_main(void *arg)
{
    struct reader *r = arg;

    pthread_mutex_lock(&r->mutex);
    while (!r->is_stopping) {
        struct link *first = list_pop(&r->queue);
        if (!first) {
            pthread_cond_wait(&r->wake, &r->mutex);
            continue;
        }
        struct question *q = CONTAINER_OF(first, struct question, link);
        pthread_mutex_unlock(&r->mutex);
        question_answer(r, q);
        world_post_remote(r->dashboard->options.world, &q->done);
        pthread_mutex_lock(&r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* ---- the loop ---- */

static void waiter_end(struct waiter *w, const struct question *q)
{
    struct exchange *x = w->exchange;

    list_remove(&w->link);
    w->reader->waiting--;
    if (q)
        dashboard_answer(x, q->status, buf_str(&q->body));
    else
        exchange_abort(x);
}

static void on_answer(struct turn *turn)
{
    struct question *q = CONTAINER_OF(turn, struct question, done);

    q->state = READY;
    while (!list_empty(&q->waiters))
        waiter_end(CONTAINER_OF(q->waiters.next, struct waiter, link), q);
}

static void on_gone(void *ctx)
{
    waiter_end(ctx, NULL);
}

/* The one that was asked already, else a free place, else that of the answer that is over for longest; NULL: all are busy. */
static struct question *question_place(struct reader *r, str path, str query, bool *out_is_new)
{
    struct question *place = NULL;
    nsec now = world_now_exact();

    *out_is_new = true;
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        struct question *q = &r->questions[i];
        bool is_same = q->state != FREE && str_eq(path_of(q), path) && str_eq(query_of(q), query);
        bool is_over = q->state == FREE || (q->state == READY && now >= q->fresh_until);
        if (is_same && !is_over) {
            *out_is_new = false;
            return q;
        }
        if (q->state != ASKED && (!place || q->fresh_until < place->fresh_until))
            place = q;
    }
    return place;
}

static void question_put(struct reader *r, struct question *q, str path, str query)
{
    memcpy(q->text, path.ptr, path.len);
    if (query.len > 0)
        memcpy(q->text + path.len, query.ptr, query.len);
    q->path_len = path.len;
    q->query_len = query.len;
    q->state = ASKED;
    pthread_mutex_lock(&r->mutex);
    list_add_tail(&r->queue, &q->link);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
}

void reader_answer(struct dashboard *d, struct exchange *x)
{
    struct reader *r = d->reader;
    str path = exchange_path(x), query = exchange_query(x);
    struct waiter *w;
    bool is_new;

    if (!str_eq(exchange_method(x), STR("GET"))) {
        dashboard_refuse(x, &refusal_method);
        return;
    }
    if (path.len + query.len > QUESTION_BYTES_MAX) {
        dashboard_refuse(x, &refusal_long);
        return;
    }
    struct question *q = question_place(r, path, query, &is_new);
    w = q && r->waiting < WAITERS_MAX ? ARENA_NEW(exchange_arena(x), struct waiter) : NULL;
    if (!w) {
        dashboard_refuse(x, &refusal_busy);
        return;
    }
    if (is_new)
        question_put(r, q, path, query);
    *w = (struct waiter){ .reader = r, .exchange = x };
    list_add_tail(&q->waiters, &w->link);
    r->waiting++;
    if (q->state == READY)
        waiter_end(w, q);
    else
        exchange_watch(x, w, on_gone, NULL);
}

/* ---- the life ---- */

static void questions_init(struct reader *r)
{
    link_init(&r->queue);
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        struct question *q = &r->questions[i];
        link_init(&q->link);
        link_init(&q->waiters);
        turn_init(&q->done, on_answer);
    }
}

enum err reader_open(struct dashboard *d)
{
    struct reader *r = calloc(1, sizeof(*r));
    sigset_t all, before;

    if (!r)
        return WEIR_NO_MEMORY;
    r->dashboard = d;
    questions_init(r);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->wake, NULL);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&r->thread, NULL, reader_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        pthread_cond_destroy(&r->wake);
        pthread_mutex_destroy(&r->mutex);
        free(r);
        return WEIR_IO;
    }
    d->reader = r;
    return OK;
}

void reader_close(struct dashboard *d)
{
    struct reader *r = d->reader;

    if (!r)
        return;
    pthread_mutex_lock(&r->mutex);
    r->is_stopping = true;
    if (r->browser)
        browser_interrupt(r->browser);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        struct question *q = &r->questions[i];
        turn_cancel(&q->done);
        while (!list_empty(&q->waiters))
            waiter_end(CONTAINER_OF(q->waiters.next, struct waiter, link), NULL);
        buf_fini(&q->body);
    }
    browser_close(r->browser);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mutex);
    free(r);
    d->reader = NULL;
}
