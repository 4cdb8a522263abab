/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter: one endpoint's thread and queue, and what an endpoint must be able to do; for the files of edge/telemetry only.
 *
 *     collect: up to batch_max traces, oldest first <--------------------.
 *        | send                                                          |
 *        +-- taken, or refused for good (counted as dropped) ------------+
 *        +-- too large: each half alone, down to one trace, which is dropped
 *        '-- later: wait (what was asked for, or 1 s doubling to 60 s, with jitter), send again;
 *            after EXPORTER_ATTEMPTS_MAX the batch is dropped
 */
#ifndef WEIR_EDGE_TELEMETRY_EXPORTER_H
#define WEIR_EDGE_TELEMETRY_EXPORTER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "core/telemetry/redact.h"
#include "edge/telemetry/telemetry.h"
#include "edge/upstream/post.h"

#define EXPORTER_BATCH_MAX 512
#define EXPORTER_ATTEMPTS_MAX 8

/* A trace that several exporters hold. */
struct record {
    _Atomic uint32_t holders;
    size_t bytes;
    const struct trace *trace; /* in the block */
    _Alignas(max_align_t) char block[];
};
void record_release(struct record *r);

enum sent { SENT_TAKEN, SENT_LATER, SENT_REFUSED, SENT_TOO_LARGE };
struct delivery {
    nsec retry_after; /* negative: the endpoint did not say */
    int64_t rejected; /* of what was taken, how many it did not want */
    char why[256]; /* of what was not */
};

struct exporter;
struct exporter_methods {
    const char *name; /* labels metrics and logs */
    size_t batch_max; /* at most EXPORTER_BATCH_MAX */
    /* On its thread; NULL: it takes none. */
    enum sent (*send_traces)(struct exporter *x, const struct trace *const *traces, size_t n,
                             struct delivery *out);
    /* On the main thread, without waiting: keeps a measurement for the next; NULL: it takes none. */
    void (*measure)(struct exporter *x, const struct measurement *m);
    /* On its thread, again until it is taken or refused. */
    enum sent (*send_metrics)(struct exporter *x, struct delivery *out);
    void (*finish)(struct exporter *x); /* on its thread, last; may be NULL */
    void (*close)(void *state);
};

struct exporter_options {
    const struct config *config;
    const struct log *log;
    str version;
    uint64_t seed;
    usec_utc started; /* when the process began to count */
    const struct redact_known *known; /* secrets; outlives the exporter */
};

struct exporter {
    const struct exporter_methods *methods;
    struct exporter_options options;
    void *state; /* the endpoint's own */
    pthread_t thread;
    bool has_thread;
    struct rng rng;
    bool is_failing; /* said so */

    pthread_mutex_t lock; /* of what stands below, and of what measure() keeps */
    pthread_cond_t changed;
    bool is_stopping;
    struct record **ring;
    size_t head, count, queue_bytes;

    _Atomic nsec stop_by; /* 0: not yet */
    _Atomic uint64_t sent, dropped, rejected, failures, queued;
};

NODISCARD enum err exporter_open(struct exporter **out, const struct exporter_methods *methods,
                                 void *state, const struct exporter_options *options);
void exporter_close(struct exporter *x); /* NULL is a no-op */
void exporter_offer(struct exporter *x, struct record *r); /* takes over one hold */

/* Fills in timeout and cancelling. False: there was no answer, which is in out->why; the caller tries later. The answer is the caller's
 * to finish in any case. */
bool exporter_post(struct exporter *x, struct post_request *request, struct post_answer *answer,
                   struct delivery *out);
/* Puts into out->why what an answer says about why it takes nothing. */
void exporter_explain(const struct exporter *x, struct delivery *out,
                      const struct post_answer *answer);

/* ---- the endpoints: NULL in *out where the configuration does not switch them on ---- */
NODISCARD enum err export_otlp_open(struct exporter **out, const struct exporter_options *options);
NODISCARD enum err export_langsmith_open(struct exporter **out,
                                         const struct exporter_options *options);
NODISCARD enum err export_wandb_open(struct exporter **out, const struct exporter_options *options);

#endif
