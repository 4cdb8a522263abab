/* SPDX-License-Identifier: Apache-2.0 */
/* fleet: many seeds over a few threads, and what they say together. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/sim/rehearsal.h"

#define JOBS_MAX 256

struct fleet {
    const struct scenario *scenario;
    const struct rehearsal_fleet *plan;
    struct rehearsal *out;
    atomic_size_t taken;
    atomic_size_t done;
    _Atomic enum err fault;
};

static bool work_once(struct fleet *f)
{
    size_t i = atomic_fetch_add(&f->taken, 1);

    if (i >= f->plan->count || atomic_load(&f->fault) != OK)
        return false;
    enum err e = rehearsal_run(f->scenario, f->plan->first_seed + i, &f->out[i], NULL);
    if (e != OK)
        atomic_store(&f->fault, e);
    atomic_fetch_add(&f->done, 1);
    return e == OK;
}

static void *work(void *ctx)
{
    while (work_once((struct fleet *)ctx))
        continue;
    return NULL;
}

/* The calling thread works too, and says how far all are. */
enum err rehearsal_run_many(const struct scenario *s, const struct rehearsal_fleet *plan,
                            struct rehearsal *out)
{
    struct fleet f = { .scenario = s, .plan = plan, .out = out };
    pthread_t threads[JOBS_MAX];
    int helpers = 0;

    while (helpers + 1 < plan->jobs && helpers < JOBS_MAX &&
           pthread_create(&threads[helpers], NULL, work, &f) == 0)
        helpers++;
    while (work_once(&f)) {
        if (plan->on_progress)
            plan->on_progress(plan->ctx, atomic_load(&f.done));
    }
    for (int i = 0; i < helpers; i++)
        pthread_join(threads[i], NULL);
    return atomic_load(&f.fault);
}

/* ---- together ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The smallest value with at least the share q at or below it. */
static double quantile(const double *sorted, size_t n, double q)
{
    size_t rank = (size_t)ceil(q * (double)n);

    return n == 0 ? 0 : sorted[rank > 0 ? rank - 1 : 0];
}

static double value_of(const struct rehearsal *r, size_t which)
{
    const double values[] = { (double)r->detected_after_queries,
                              r->detected_after_s,
                              r->extra_failures,
                              r->extra_usd,
                              r->ended_s,
                              (double)r->canary_queries };

    return values[which];
}

enum err rehearsal_summarise(const struct rehearsal *runs, size_t n, struct rehearsal_summary *out)
{
    struct rehearsal_summary s = { .n = n };
    struct spread *spreads[] = {
        &s.detected_after_queries, &s.detected_after_s, &s.extra_failures, &s.extra_usd, &s.ended_s,
        &s.canary_queries
    };
    double *values = calloc(n + 1, sizeof(*values));

    if (!values)
        return WEIR_NO_MEMORY;
    for (size_t which = 0; which < ARRAY_LEN(spreads); which++) {
        bool is_of_detected = which < 2;
        size_t kept = 0;
        for (size_t i = 0; i < n; i++) {
            if (runs[i].is_detected || !is_of_detected)
                values[kept++] = value_of(&runs[i], which);
        }
        qsort(values, kept, sizeof(*values), by_value);
        *spreads[which] =
            (struct spread){ kept, quantile(values, kept, 0.5), quantile(values, kept, 0.95) };
    }
    free(values);
    for (size_t i = 0; i < n; i++) {
        s.ends[runs[i].end]++;
        s.pauses[runs[i].reason] += runs[i].end == REHEARSAL_PAUSED;
        s.false_rollbacks += runs[i].is_false_rollback;
        for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++)
            s.guards[m] += runs[i].guards >> m & 1;
        for (size_t a = 0; a < ALERT_RULES_MAX; a++)
            s.alerts[a] += runs[i].alerts[a] > 0;
    }
    s.false_rollback_rate = stats_rate_exact(s.false_rollbacks, (int64_t)n, 0.05);
    s.detected_rate = stats_rate_exact((int64_t)s.detected_after_queries.n, (int64_t)n, 0.05);
    *out = s;
    return OK;
}
