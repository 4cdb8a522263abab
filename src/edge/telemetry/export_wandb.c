/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export_wandb: aggregates to Weights & Biases. The main thread adds a line now and then; the thread sends what waits, behind the
 * lines that the server has.
 *
 *     begin (UpsertBucket) --> stream: lines, summary; {} each HEARTBEAT --> complete
 *                  `-- refused, or somebody stopped the run: quiet from then on, lines are dropped and counted
 */
#include <stdlib.h>

#include "base/rng.h"
#include "core/json/json.h"
#include "core/telemetry/wandb.h"
#include "edge/config/config.h"
#include "edge/telemetry/exporter.h"
#include "edge/world/world.h"

#define LINES_MAX 1440 /* a day of minutes */
#define LINES_AT_ONCE 256
#define HEARTBEAT (30 * NSEC_PER_SEC)
#define ARENA_BYTES ((size_t)4 << 20)
#define RUN_ID_LETTERS 8

struct point {
    double timestamp; /* seconds since 1970 */
    double runtime; /* seconds since the process began */
    str members; /* on the heap, behind this struct */
};

struct wandb {
    const struct config *config;
    str version;
    char run_id[sizeof("weir-") + RUN_ID_LETTERS];
    struct buf authorization, graphql_url, stream_url;
    struct metrics_totals last; /* the main thread's */
    bool has_last;
    usec_utc started;

    struct point *points[LINES_MAX]; /* under the exporter's lock: a ring */
    size_t head, count;
    bool is_quiet;

    bool has_begun; /* the thread's own, like what follows */
    int64_t offset;
    double runtime_before;
    nsec last_post;
    struct buf body;
};

/* ---- a line ---- */

static double ratio(uint64_t part, uint64_t whole)
{
    return (double)part / (double)whole;
}

static void member_quantile(struct buf *out, const char *name, const struct wandb *w,
                            const struct metrics_totals *now, double share)
{
    double seconds = metrics_duration_quantile(&w->last, now, share);

    if (seconds >= 0)
        json_member_double(out, name, seconds * 1e3);
}

static void members_cost(struct buf *out, const struct wandb *w, const struct metrics_totals *now)
{
    uint64_t queries = now->queries - w->last.queries;
    double cost = (double)(now->cost_nano_usd - w->last.cost_nano_usd) / 1e9;

    json_member_double(out, "cost_usd", cost);
    if (queries > 0)
        json_member_double(out, "cost_per_query_usd", cost / (double)queries);
    json_member_double(out, "cost_usd_total", (double)now->cost_nano_usd / 1e9);
    json_member_i64(out, "unpriced_queries", (int64_t)(now->unpriced - w->last.unpriced));
}

static void members_confidence(struct buf *out, const struct wandb *w,
                               const struct metrics_totals *now)
{
    static const char *const names[] = { "confidence", "hrm_confidence", "trm_confidence" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        uint64_t n = now->confidence_count[i] - w->last.confidence_count[i];
        if (n > 0)
            json_member_double(
                out, names[i],
                ratio(now->confidence_millionths[i] - w->last.confidence_millionths[i], n) / 1e6);
    }
}

/* What was counted since the last line. A minute without a query has no rates: 0 would be a lie. */
static void members_write(struct buf *out, const struct wandb *w, const struct metrics_totals *now)
{
    uint64_t queries = now->queries - w->last.queries;
    uint64_t answered = now->answered - w->last.answered, faults = now->faults - w->last.faults;

    json_member_i64(out, "queries", (int64_t)queries);
    json_member_i64(out, "queries_total", (int64_t)now->queries);
    json_member_i64(out, "faults", (int64_t)faults);
    if (answered + faults > 0)
        json_member_double(out, "success_rate", ratio(answered, answered + faults));
    json_member_i64(out, "calls", (int64_t)(now->calls - w->last.calls));
    json_member_i64(out, "retries", (int64_t)(now->retries - w->last.retries));
    json_member_i64(out, "input_tokens", (int64_t)(now->input_tokens - w->last.input_tokens));
    json_member_i64(out, "output_tokens", (int64_t)(now->output_tokens - w->last.output_tokens));
    if (w->config->monitoring.track_cost)
        members_cost(out, w, now);
    if (w->config->monitoring.track_latency) {
        member_quantile(out, "latency_p50_ms", w, now, 0.50);
        member_quantile(out, "latency_p95_ms", w, now, 0.95);
        member_quantile(out, "latency_p99_ms", w, now, 0.99);
    }
    if (w->config->monitoring.track_confidence)
        members_confidence(out, w, now);
}

static struct point *point_make(const struct wandb *w, const struct measurement *m,
                                const struct metrics_totals *now)
{
    struct buf text = { 0 };

    buf_add_char(&text, '{'); /* so that no comma comes first */
    members_write(&text, w, now);
    struct point *p = text.failed ? NULL : malloc(sizeof(*p) + text.len);
    if (p) {
        char *copy = (char *)(p + 1);
        for (size_t i = 1; i < text.len; i++)
            copy[i - 1] = text.ptr[i];
        *p = (struct point){ .timestamp = (double)m->now / 1e6,
                             .runtime = (double)(m->now - w->started) / 1e6,
                             .members = { copy, text.len - 1 } };
    }
    buf_fini(&text);
    return p;
}

static struct point *ring_pop(struct wandb *w)
{
    struct point *oldest = w->points[w->head];

    w->head = (w->head + 1) % LINES_MAX;
    w->count--;
    return oldest;
}

static void measure(struct exporter *x, const struct measurement *m)
{
    struct wandb *w = x->state;
    struct metrics_totals now;
    struct point *spare = NULL;

    metrics_total(m->shards, &now);
    bool is_first = !w->has_last;
    struct point *p = is_first ? NULL : point_make(w, m, &now);
    w->last = now;
    w->has_last = true;
    if (is_first)
        return; /* nothing has been counted yet */
    pthread_mutex_lock(&x->lock);
    if (w->is_quiet) {
        spare = p;
    } else if (p) {
        if (w->count == LINES_MAX)
            spare = ring_pop(w);
        w->points[(w->head + w->count++) % LINES_MAX] = p;
    }
    pthread_mutex_unlock(&x->lock);
    if (spare || !p)
        atomic_fetch_add_explicit(&x->dropped, 1, memory_order_relaxed);
    free(spare);
}

/* ---- sending ---- */

static enum sent quiet_set(struct exporter *x, enum sent sent)
{
    struct wandb *w = x->state;
    size_t lost = 0;

    pthread_mutex_lock(&x->lock);
    w->is_quiet = true;
    while (w->count > 0) {
        free(ring_pop(w));
        lost++;
    }
    pthread_mutex_unlock(&x->lock);
    atomic_fetch_add_explicit(&x->dropped, lost, memory_order_relaxed);
    return sent;
}

/* The answer is the caller's to finish. */
static enum sent post(struct exporter *x, str url, struct post_answer *answer, struct delivery *out)
{
    struct wandb *w = x->state;
    struct post_request request = { .url = url,
                                    .headers = { { STR("Authorization"),
                                                   buf_str(&w->authorization) } },
                                    .header_count = 1,
                                    .body = buf_str(&w->body) };

    if (!exporter_post(x, &request, answer, out))
        return SENT_LATER;
    w->last_post = world_now_exact();
    switch (wandb_verdict_of(answer->status)) {
    case WANDB_TAKEN:
        return SENT_TAKEN;
    case WANDB_RETRY:
        exporter_explain(x, out, answer);
        return SENT_LATER;
    case WANDB_REFUSED:
        break;
    }
    exporter_explain(x, out, answer);
    return SENT_REFUSED;
}

static enum sent bucket_take(struct exporter *x, const struct post_answer *answer,
                             struct delivery *out)
{
    struct wandb *w = x->state;
    struct wandb_bucket bucket;
    struct arena arena;
    str why;

    arena_init(&arena, ARENA_BYTES);
    enum err e = wandb_bucket_read(&arena, buf_str(&answer->body), &bucket, &why);
    if (e == OK) {
        w->offset = bucket.history_lines;
        w->runtime_before = bucket.runtime;
        buf_printf(&w->stream_url, "%.*s/files/%.*s/%.*s/%.*s/file_stream",
                   STR_ARG(w->config->wandb.endpoint), STR_ARG(bucket.entity),
                   STR_ARG(bucket.project), STR_ARG(bucket.run));
        w->has_begun = true;
    } else {
        exporter_explain(x, out, answer);
    }
    arena_fini(&arena);
    return e == OK ? SENT_TAKEN : SENT_REFUSED;
}

static enum sent begin(struct exporter *x, struct delivery *out)
{
    struct wandb *w = x->state;
    const struct config *c = w->config;
    const struct wandb_setting settings[] = { { "model", c->model },
                                              { "strategy", c->strategy },
                                              { "route_scorer", c->route.scorer },
                                              { "service", c->telemetry.service },
                                              { "weir_version", w->version } };
    const struct wandb_run run = { .id = c->wandb.run.len > 0 ? c->wandb.run : str_from(w->run_id),
                                   .project = c->wandb.project,
                                   .entity = c->wandb.entity,
                                   .name =
                                       c->wandb.run.len > 0 ? c->wandb.run : str_from(w->run_id),
                                   .settings = settings,
                                   .setting_count = ARRAY_LEN(settings) };
    struct post_answer answer;

    buf_reset(&w->body);
    wandb_upsert_write(&w->body, &run);
    enum sent sent = post(x, buf_str(&w->graphql_url), &answer, out);
    if (sent == SENT_TAKEN)
        sent = bucket_take(x, &answer, out);
    buf_fini(&answer.body);
    return sent == SENT_REFUSED ? quiet_set(x, sent) : sent;
}

/* Members of a line, with when it was; the step comes with its place. */
static void line_write(struct buf *out, const struct wandb *w, const struct point *p)
{
    buf_printf(out, "\"_runtime\":%.3f,\"_timestamp\":%.6f,%.*s", w->runtime_before + p->runtime,
               p->timestamp, STR_ARG(p->members));
}

struct batch {
    struct point *points[LINES_AT_ONCE];
    struct buf texts[LINES_AT_ONCE];
    struct wandb_line lines[LINES_AT_ONCE];
    size_t count;
};

/* The oldest lines leave the ring; batch_return() puts back what the server did not take. */
static void batch_take(struct exporter *x, struct batch *b)
{
    struct wandb *w = x->state;

    pthread_mutex_lock(&x->lock);
    for (b->count = 0; b->count < LINES_AT_ONCE && w->count > 0; b->count++)
        b->points[b->count] = ring_pop(w);
    pthread_mutex_unlock(&x->lock);
    for (size_t i = 0; i < b->count; i++) {
        line_write(&b->texts[i], w, b->points[i]);
        b->lines[i].members = buf_str(&b->texts[i]);
    }
}

/* What was not taken goes back to where it was; the ring may have filled up meanwhile. */
static void batch_return(struct exporter *x, struct batch *b)
{
    struct wandb *w = x->state;
    size_t lost = 0;

    pthread_mutex_lock(&x->lock);
    for (size_t i = b->count; i > 0; i--) {
        if (w->count == LINES_MAX) {
            free(b->points[i - 1]);
            lost++;
            continue;
        }
        w->head = (w->head + LINES_MAX - 1) % LINES_MAX;
        w->points[w->head] = b->points[i - 1];
        w->count++;
    }
    pthread_mutex_unlock(&x->lock);
    atomic_fetch_add_explicit(&x->dropped, lost, memory_order_relaxed);
}

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        buf_fini(&b->texts[i]);
    free(b);
}

/* A summary is the last line with its place. */
static void stream_write(struct wandb *w, const struct batch *b, bool is_complete)
{
    struct buf summary = { 0 };
    struct wandb_stream stream = {
        .offset = w->offset, .lines = b->lines, .line_count = b->count, .is_complete = is_complete
    };

    if (b->count > 0)
        buf_printf(&summary, "\"_step\":%" PRId64 ",%.*s", w->offset + (int64_t)b->count - 1,
                   STR_ARG(b->lines[b->count - 1].members));
    stream.summary = buf_str(&summary);
    buf_reset(&w->body);
    wandb_stream_write(&w->body, &stream);
    buf_fini(&summary);
}

static enum sent stream(struct exporter *x, bool is_complete, struct delivery *out)
{
    struct wandb *w = x->state;
    struct batch *b = calloc(1, sizeof(*b));
    struct post_answer answer;

    if (!b)
        return SENT_LATER;
    batch_take(x, b);
    stream_write(w, b, is_complete);
    enum sent sent = post(x, buf_str(&w->stream_url), &answer, out);
    bool is_stopped = sent == SENT_TAKEN && wandb_is_stopped(buf_str(&answer.body));
    buf_fini(&answer.body);
    if (sent == SENT_LATER) {
        batch_return(x, b);
    } else {
        for (size_t i = 0; i < b->count; i++)
            free(b->points[i]);
        w->offset += sent == SENT_TAKEN ? (int64_t)b->count : 0;
        atomic_fetch_add_explicit(sent == SENT_TAKEN ? &x->sent : &x->dropped, b->count,
                                  memory_order_relaxed);
    }
    batch_free(b);
    return sent == SENT_REFUSED || is_stopped ? quiet_set(x, sent) : sent;
}

static enum sent send_metrics(struct exporter *x, struct delivery *out)
{
    struct wandb *w = x->state;

    pthread_mutex_lock(&x->lock);
    bool is_quiet = w->is_quiet, has_lines = w->count > 0;
    pthread_mutex_unlock(&x->lock);
    if (is_quiet)
        return SENT_TAKEN;
    if (!w->has_begun) {
        enum sent sent = begin(x, out);
        if (sent != SENT_TAKEN)
            return sent;
    }
    if (!has_lines && world_now_exact() - w->last_post < HEARTBEAT)
        return SENT_TAKEN;
    return stream(x, false, out);
}

static void finish(struct exporter *x)
{
    struct wandb *w = x->state;
    struct delivery ignored;

    if (w->has_begun && !w->is_quiet)
        IGNORE(stream(x, true, &ignored));
}

static void close_state(void *state)
{
    struct wandb *w = state;

    while (w->count > 0)
        free(ring_pop(w));
    buf_fini(&w->authorization);
    buf_fini(&w->graphql_url);
    buf_fini(&w->stream_url);
    buf_fini(&w->body);
    free(w);
}

static const struct exporter_methods methods = { "wandb",      1,      NULL,       measure,
                                                 send_metrics, finish, close_state };

static void run_id_make(struct wandb *w, uint64_t seed)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = 0; i < 5; i++)
        w->run_id[i] = "weir-"[i];
    for (size_t i = 5; i < sizeof(w->run_id) - 1; i++)
        w->run_id[i] = letters[rng_below(&rng, sizeof(letters) - 1)];
}

enum err export_wandb_open(struct exporter **out, const struct exporter_options *options)
{
    const struct config *config = options->config;

    if (!config->monitoring.wandb_enabled || config->wandb.api_key.len == 0)
        return OK;
    struct wandb *w = calloc(1, sizeof(*w));
    if (!w)
        return WEIR_NO_MEMORY;
    w->config = config;
    w->version = options->version;
    w->started = options->started;
    run_id_make(w, options->seed);
    wandb_authorization(&w->authorization, config->wandb.api_key);
    buf_printf(&w->graphql_url, "%.*s/graphql", STR_ARG(config->wandb.endpoint));
    return exporter_open(out, &methods, w, options);
}
