/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples: queries that were routed or labelled, as training reads them.
 */
#include "edge/store/features.h"
#include "edge/store/internal.h"

struct reading {
    void (*on_sample)(void *ctx, const struct ledger_sample *s);
    void *ctx;
};

static void sample_show(void *ctx, const struct row_query *q)
{
    const struct reading *reading = ctx;
    struct route_features features;
    bool has_features = q->has_route && features_unpack(q->route.features, &features);
    struct ledger_sample sample = {
        .id = q->begin.id,
        .started = q->begin.started,
        .domain = q->has_route ? q->route.domain : q->begin.domain,
        .strategy = q->has_route ? q->route.strategy : q->begin.strategy,
        .model = q->has_route ? q->route.model : q->end.model,
        .route = q->has_route ? &q->route : NULL,
        .features = has_features ? &features : NULL,
        .fault = q->end.fault,
        .cost = q->cost,
        .latency_us = q->end.latency_us,
        .confidence = q->end.confidence,
        .is_calibrated = q->end.is_calibrated,
        .raw = q->end.raw,
        .answer_hash = q->end.answer_hash,
        .labels = q->labels,
        .label_count = q->labels_len,
    };

    reading->on_sample(reading->ctx, &sample);
}

const struct ledger_label *ledger_sample_label(const struct ledger_sample *s)
{
    static const enum ledger_source order[] = { LABEL_FEEDBACK, LABEL_VERIFIER, LABEL_AUDIT };

    for (int noisy = 0; noisy < 2; noisy++)
        for (size_t i = 0; i < ARRAY_LEN(order); i++)
            for (size_t n = 0; n < s->label_count; n++) {
                const struct ledger_label *label = &s->labels[n];
                bool is_echo = label->source == LABEL_AUDIT && label->text.len > 0 &&
                               str_eq(label->text, s->model);
                if (label->source == order[i] && label->is_noisy == (noisy == 1) && !is_echo)
                    return label;
            }
    return NULL;
}

enum err store_read_routes(str directory, usec_utc since,
                           void (*on_sample)(void *ctx, const struct ledger_sample *s), void *ctx,
                           char out_why[256])
{
    struct reading reading = { on_sample, ctx };
    const struct database_visitor visitor = { .scope = SCOPE_SAMPLES,
                                              .on_query = sample_show,
                                              .ctx = &reading };
    struct database *db = NULL;
    bool is_live;
    enum err e = directory_read(directory, &db, &is_live, out_why);

    if (e == OK)
        e = database_visit(db, since, &visitor, out_why);
    database_close(db);
    return e;
}
