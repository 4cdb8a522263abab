/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local: sources that answer in this process: runs a strategy to its end against a function that answers its calls at
 * once and says how long that would have taken. Time is virtual: nothing sleeps, and equal seeds give equal latencies.
 */
#ifndef WEIR_APP_EVAL_LOCAL_H
#define WEIR_APP_EVAL_LOCAL_H

#include "app/eval/eval_internal.h"
#include "edge/world/world.h"

struct eval_local_reply {
    enum err fault;
    str text;
    struct usage usage;
    nsec took;
};

struct eval_local {
    struct eval_source source;
    struct turn turn;
    struct link jobs; /* that wait for the turn */
    bool use_json_schema;
    /* Answers a call of a job; texts live in the job's arena or longer. */
    void (*answer)(struct eval_local *l, struct eval_job *job, const struct reason_call *call,
                   struct eval_local_reply *out);
    /* The strategy has ended: what is left to say about the outcome; may be NULL. */
    void (*finish)(struct eval_local *l, struct eval_job *job);
};

/* Opens the world; the embedding source sets the rest. */
NODISCARD enum err eval_local_init(struct eval_local *l, const struct eval_source_kind *kind,
                                   const struct eval_source_options *options);
void eval_local_fini(struct eval_local *l);
/* For struct eval_source_kind. */
void eval_local_start(struct eval_source *s, struct eval_job *job);
void eval_local_cut(struct eval_source *s);

/* The price of a model today; NULL: unpriced. */
const struct price *eval_price(const struct config *config, str model);
/* How a strategy is configured in a cell. */
struct reason_config eval_reason_config(const struct eval_source *s, const struct eval_cell *cell,
                                        uint64_t seed);
/* What a strategy may know of a question's verifier. */
struct verifier eval_visible_verifier(const struct eval_question *question);

/* ---- forecast.c: runs whose calls nobody has recorded ---- */
/* By the strategy's usual calls and tokens; and by the caps of a query. COST_UNPRICED when a model has no price. */
nano_usd eval_forecast_expected(const struct eval_source *s, const struct eval_question *question,
                                const struct eval_cell *cell);
nano_usd eval_forecast_worst(const struct eval_source *s, const struct eval_question *question,
                             const struct eval_cell *cell);

#endif
