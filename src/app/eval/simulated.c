/* SPDX-License-Identifier: Apache-2.0 */
/* simulated: core/sim as a source, in virtual time; whatever comes out is labelled simulated. */
#include <stdlib.h>

#include "app/eval/local.h"
#include "base/rng.h"
#include "core/sim/sim.h"

struct simulated {
    struct eval_local local;
    uint64_t seed;
};

static void on_call(struct eval_local *l, struct eval_job *job, const struct reason_call *call,
                    struct eval_local_reply *out)
{
    struct simulated *s = CONTAINER_OF(l, struct simulated, local);
    str prompt = { 0 };
    struct sim_answer answer;

    for (size_t i = 0; i < call->message_count; i++)
        prompt = call->messages[i].content;
    struct sim_request request = {
        .seed = s->seed,
        .model = eval_model_of(l->source.plan, job->cell, call->model),
        .prompt = prompt,
        .schema = call->schema,
        .wants_json = call->schema.len > 0,
        .temperature = call->temperature,
        .salt = rng_mix(job->seed ^ call->id),
        .arrival = rng_mix(job->seed ^ call->id),
    };
    out->fault = sim_ask(&job->arena, &request, &answer);
    if (out->fault != OK)
        return;
    out->text = answer.text;
    out->usage = (struct usage){ .input = answer.prompt_tokens,
                                 .output = answer.completion_tokens,
                                 .is_known = true };
    out->took = answer.first_token + answer.per_token * answer.completion_tokens;
}

static void simulated_close(struct eval_source *source)
{
    struct simulated *s =
        CONTAINER_OF(CONTAINER_OF(source, struct eval_local, source), struct simulated, local);

    eval_local_fini(&s->local);
    free(s);
}

static const struct eval_source_kind kind = {
    .name = "sim",
    .is_simulated = true,
    .has_latency = true,
    .start = eval_local_start,
    .cut = eval_local_cut,
    .worst = eval_forecast_worst,
    .expected = eval_forecast_expected,
    .close = simulated_close,
};

enum err eval_simulated_open(struct eval_source **out, const struct eval_source_options *options,
                             struct buf *problems)
{
    struct simulated *s = calloc(1, sizeof(*s));

    (void)problems; /* any model's name will do */
    if (!s)
        return WEIR_NO_MEMORY;
    s->seed = options->plan->seed;
    enum err e = eval_local_init(&s->local, &kind, options);
    s->local.use_json_schema = true;
    s->local.answer = on_call;
    if (e != OK) {
        free(s);
        return e;
    }
    *out = &s->local.source;
    return OK;
}
