/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of routes and labels share: a query that was routed, and the samples that training reads. */
#ifndef WEIR_EDGE_STORE_SAMPLES_RIG_TEST_H
#define WEIR_EDGE_STORE_SAMPLES_RIG_TEST_H

#include "edge/store/features.h"
#include "edge/store/store_world.h"

struct samples {
    int count;
    int64_t ids[8];
    struct ledger_sample last; /* its texts are gone */
    char arm[64];
    char reasons[64];
    struct ledger_route route;
    struct route_features features;
    struct ledger_label labels[LABEL_SOURCE_COUNT];
};

static void take_sample(void *ctx, const struct ledger_sample *s)
{
    struct samples *samples = ctx;

    REQUIRE(samples->count < (int)ARRAY_LEN(samples->ids) && s->label_count <= LABEL_SOURCE_COUNT);
    samples->ids[samples->count++] = s->id;
    samples->last = *s;
    snprintf(samples->arm, sizeof(samples->arm), "%.*s %.*s %.*s", STR_ARG(s->domain),
             STR_ARG(s->strategy), STR_ARG(s->model));
    if (s->route) {
        samples->route = *s->route;
        snprintf(samples->reasons, sizeof(samples->reasons), "%.*s", STR_ARG(s->route->reasons));
    }
    if (s->features)
        samples->features = *s->features;
    for (size_t i = 0; i < s->label_count; i++)
        samples->labels[i] = s->labels[i];
}

static struct samples read_samples(struct world *w, usec_utc since)
{
    struct samples samples = { 0 };

    CHECK_ERR(store_read_routes(w->options.directory, since, take_sample, &samples, w->why), OK);
    return samples;
}

static int64_t routed_begin(struct ledger *l)
{
    int64_t id = ledger_query_id(l);

    query_begin(l, id);
    query_route(l, id);
    call_begin(l, id, 1);
    return id;
}

static void query_finish(struct ledger *l, int64_t id)
{
    call_done(l, id, 1);
    query_end(l, id);
}

#endif
