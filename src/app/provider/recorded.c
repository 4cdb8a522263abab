/* SPDX-License-Identifier: Apache-2.0 */
/* recorded: plays what real models once answered (app/recording). */
#include "app/provider/provider_internal.h"
#include "app/recording/recording.h"

enum err recorded_load(struct provider *p, char out_why[256])
{
    return recording_open(&p->recorded, p->options.path, out_why);
}

static void answer_found(struct provider *p, struct exchange *x, const struct chat_request *request,
                         const struct recorded_model *model, const struct recorded_answer *answer)
{
    struct completion c = { .number = p->counts.requests,
                            .created = world_wall() / 1000000,
                            .model = model->name,
                            .text = answer->output,
                            .finish = "stop",
                            .fingerprint = provider_mode_of(p)->fingerprint,
                            .prompt_tokens = answer->prompt_tokens,
                            .completion_tokens = answer->completion_tokens };
    struct play *play = play_new(p, x);

    if (!play)
        return;
    play->head_wait = p->options.delay_ms * NSEC_PER_MS;
    buf_reset(&p->body);
    if (request->stream) {
        completion_write_event_head(&p->body, &c);
        play->content_type = STR("text/event-stream");
        play->produce = play_produce_stream;
        play->stream =
            (struct stream_source){ .completion = c,
                                    .event_head = arena_str(exchange_arena(x), buf_str(&p->body)),
                                    .deltas = (size_t)p->options.deltas,
                                    .deltas_max = (size_t)p->options.deltas,
                                    .interval = p->options.delta_interval_ms * NSEC_PER_MS,
                                    .include_usage = request->include_usage };
    } else {
        completion_write(&p->body, &c);
        play->is_whole = true;
        play->body = arena_str(exchange_arena(x), buf_str(&p->body));
    }
    play_start(play);
}

void recorded_answer(struct provider *p, struct exchange *x)
{
    const struct recording *r = p->recorded;
    struct chat_request request;

    if (!request_read(p, x, &request))
        return;
    const struct recorded_model *model = recording_find_model(r, request.model);
    if (!model) {
        respond_error(p, x, 404, PROVIDER_NO_MODEL, STR("no answers of this model are recorded"),
                      STR("model"));
        return;
    }
    size_t question = recording_find_prompt(r, last_user_content(&request));
    if (question == RECORDING_NONE || !model->answers[question].output.ptr) {
        respond_error(p, x, 404, PROVIDER_REJECTED,
                      STR("no answer of this model to this question is recorded"), STR("messages"));
        return;
    }
    answer_found(p, x, &request, model, &model->answers[question]);
}

void recorded_write_models(const struct provider *p, struct buf *out)
{
    for (size_t i = 0; i < recording_model_count(p->recorded); i++)
        model_write(out, recording_model(p->recorded, i)->name);
}
