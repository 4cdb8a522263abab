/* SPDX-License-Identifier: Apache-2.0 */
/* simulated: core/sim behind the wire, with its delays and faults made real. */
#include <math.h>
#include <string.h>

#include "app/provider/provider_internal.h"
#include "core/sim/sim.h"

#define HANG (600 * NSEC_PER_SEC) /* a head that never comes; longer than any client waits */
#define BYTES_PER_TOKEN 4

/* clang-format off */
static const struct {
    enum err fault;
    int status;
    bool has_retry_after;
} refusals[] = {
    { PROVIDER_RATE_LIMITED, 429, true },
    { PROVIDER_OVERLOADED,   503, false },
    { PROVIDER_FAILED,       500, false },
};
/* clang-format on */

static nsec scaled(const struct provider *p, nsec duration)
{
    return (nsec)((double)duration * p->options.time_scale);
}

/* System messages often hold the form of the answer; the question stands behind them, marked as prompts mark it. */
static str prompt_of(struct arena *arena, const struct chat_request *request)
{
    struct buf out = { 0 };

    for (size_t i = 0; i < request->message_count; i++) {
        const struct chat_message *m = &request->messages[i];
        if (strcmp(m->role, "system") != 0 && strcmp(m->role, "developer") != 0)
            continue;
        buf_add(&out, m->content);
        buf_add_char(&out, '\n');
    }
    if (out.len == 0)
        return last_user_content(request);
    buf_add(&out, STR("Question: "));
    buf_add(&out, last_user_content(request));
    str prompt = arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return prompt;
}

static struct sim_request sim_request_of(struct provider *p, struct arena *arena,
                                         const struct chat_request *request)
{
    struct json format = request->response_format;
    str type = { 0 };
    int64_t salt = (int64_t)p->counts.requests;

    IGNORE(json_str(json_get(format, STR("type")), arena, &type));
    IGNORE(json_i64(json_get(request->root, STR("seed")), &salt));
    return (struct sim_request){
        .seed = p->options.seed,
        .model = request->model,
        .prompt = prompt_of(arena, request),
        .schema = json_raw(json_path(format, STR("json_schema.schema"))),
        .wants_json = str_starts(type, STR("json_")),
        .temperature = request->temperature < 0.0 ? 1.0 : request->temperature,
        .salt = (uint64_t)salt,
        .arrival = p->counts.requests,
        .fault_rate = p->options.fault_rate,
    };
}

/* Applies max_tokens; the text is ASCII and can be cut anywhere. */
static void limit_tokens(struct completion *c, int64_t tokens_max)
{
    if (tokens_max <= 0 || c->completion_tokens <= tokens_max)
        return;
    c->text = str_slice(c->text, 0, (size_t)tokens_max * BYTES_PER_TOKEN);
    c->completion_tokens = tokens_max;
    c->finish = "length";
}

static void play_stream(struct play *play, const struct completion *c, bool include_usage,
                        nsec per_token)
{
    struct provider *p = play->provider;
    size_t deltas = c->completion_tokens > 0 ? (size_t)c->completion_tokens : 1;

    buf_reset(&p->body);
    completion_write_event_head(&p->body, c);
    play->content_type = STR("text/event-stream");
    play->produce = play_produce_stream;
    play->stream = (struct stream_source){ .completion = *c,
                                           .event_head = arena_str(exchange_arena(play->exchange),
                                                                   buf_str(&p->body)),
                                           .deltas = deltas,
                                           .deltas_max = play->is_cut ? deltas / 2 : deltas,
                                           .interval = scaled(p, per_token),
                                           .include_usage = include_usage };
}

static void play_whole(struct play *play, const struct completion *c, nsec per_token)
{
    struct provider *p = play->provider;

    buf_reset(&p->body);
    completion_write(&p->body, c);
    play->head_wait += scaled(p, per_token * c->completion_tokens);
    play->body = arena_str(exchange_arena(play->exchange), buf_str(&p->body));
    play->is_whole = !play->is_cut;
    play->produce = play_produce_bytes;
    play->bytes = (struct bytes_source){ .bytes = play->body,
                                         .end = play->body.len / 2,
                                         .stall_at = SIZE_MAX };
}

/* Answers with a fault that comes instead of a completion; false when there is none. */
static bool play_refusal(struct play *play, enum err fault, bool wants_stream)
{
    struct provider *p = play->provider;
    size_t row = 0;

    if (fault == PROVIDER_FIRST_BYTE) {
        play->head_wait = HANG;
        play->is_cut = play->is_cut_before_head = true;
        return true;
    }
    play->is_whole = true;
    if (fault == PROVIDER_GARBAGE) {
        play->content_type = wants_stream ? STR("text/event-stream") : STR("application/json");
        play->body = wants_stream ? STR("data: {\"choices\":[{\"delta\":{\n\n")
                                  : STR("{\"id\":\"chatcmpl-simulated\",\"choices\":[{");
        return true;
    }
    while (row < ARRAY_LEN(refusals) && refusals[row].fault != fault)
        row++;
    if (row == ARRAY_LEN(refusals))
        return false;
    play->status = refusals[row].status;
    if (refusals[row].has_retry_after)
        play_add_header(play, STR("retry-after"), STR("1"));
    buf_reset(&p->body);
    chat_error_write(&p->body, fault, STR("simulated fault"), (str){ 0 });
    play->body = arena_str(exchange_arena(play->exchange), buf_str(&p->body));
    return true;
}

void simulated_answer(struct provider *p, struct exchange *x)
{
    struct arena *arena = exchange_arena(x);
    struct chat_request request;
    struct sim_answer answer;

    if (!request_read(p, x, &request))
        return;
    struct sim_request sim = sim_request_of(p, arena, &request);
    enum err e = sim_ask(arena, &sim, &answer);
    if (e != OK) {
        respond_error(p, x, 503, e, str_from(err_info(e)->text), (str){ 0 });
        return;
    }
    struct play *play = play_new(p, x);
    if (!play)
        return;
    play->head_wait = scaled(p, answer.first_token);
    play->is_cut = answer.fault == PROVIDER_CUT;
    struct completion c = { .number = p->counts.requests,
                            .created = world_wall() / 1000000,
                            .model = request.model,
                            .text = answer.text,
                            .finish = "stop",
                            .fingerprint = provider_mode_of(p)->fingerprint,
                            .prompt_tokens = answer.prompt_tokens,
                            .completion_tokens = answer.completion_tokens };
    limit_tokens(&c, request.max_tokens);
    if (!play_refusal(play, answer.fault, request.stream)) {
        play->is_whole = false;
        if (request.stream)
            play_stream(play, &c, request.include_usage, answer.per_token);
        else
            play_whole(play, &c, answer.per_token);
    }
    play_start(play);
}

void simulated_write_models(const struct provider *p, struct buf *out)
{
    size_t count;
    const struct sim_profile *profiles = sim_profiles(&count);

    (void)p;
    for (size_t i = 0; i < count; i++)
        model_write(out, str_from(profiles[i].model));
}
