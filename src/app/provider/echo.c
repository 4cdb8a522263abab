/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo: the benchmark's upstream. One pass over the request without a document, one buffer for the
 * answer; no memory is allocated for a whole answer without delay.
 */
#include <string.h>

#include "app/provider/provider_internal.h"

#define ECHO_BYTES_MAX 40 /* of the user's text; the whole body is then about 412 bytes */
#define MODEL_BYTES_MAX 128
#define BYTES_PER_TOKEN 4

/* The beginning of a raw JSON string as plain text: escapes become a space, so that it can be cut anywhere; text that is
 * not UTF-8 loses its upper half. */
static str plain_text(str raw, char out[ECHO_BYTES_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < raw.len && len < ECHO_BYTES_MAX; i++) {
        char c = raw.ptr[i];
        if (c == '\\') {
            i += i + 1 < raw.len && raw.ptr[i + 1] == 'u' ? 5 : 1;
            c = ' ';
        }
        out[len++] = c;
    }
    /* The ceiling may have cut a character in two. */
    for (int i = 0; i < 4 && len > 0 && !str_is_utf8((str){ out, len }); i++)
        len--;
    return (str){ out, str_is_utf8((str){ out, len }) ? len : 0 };
}

static int64_t tokens_of(size_t bytes)
{
    return (int64_t)((bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

/* A stream's texts must outlive this turn. */
static void answer_stream(struct provider *p, struct exchange *x, struct completion *c,
                          bool include_usage)
{
    struct play *play = play_new(p, x);

    if (!play)
        return;
    c->text = arena_str(exchange_arena(x), c->text);
    c->completion_tokens = p->options.deltas;
    buf_reset(&p->body);
    completion_write_event_head(&p->body, c);
    play->content_type = STR("text/event-stream");
    play->head_wait = p->options.delay_ms * NSEC_PER_MS;
    play->produce = play_produce_stream;
    play->stream =
        (struct stream_source){ .completion = *c,
                                .event_head = arena_str(exchange_arena(x), buf_str(&p->body)),
                                .deltas = (size_t)p->options.deltas,
                                .deltas_max = (size_t)p->options.deltas,
                                .interval = p->options.delta_interval_ms * NSEC_PER_MS,
                                .include_usage = include_usage,
                                .pads = true };
    play_start(play);
}

void echo_answer(struct provider *p, struct exchange *x)
{
    struct scan request;
    char text[ECHO_BYTES_MAX];

    if (!scan_request(exchange_body(x), &request)) {
        respond_error(p, x, 400, CALLER_BAD_JSON, STR("the body is not a chat request"),
                      (str){ 0 });
        return;
    }
    struct completion c = { .number = p->counts.requests,
                            .created = world_wall() / 1000000,
                            .model = str_slice(request.model, 0, MODEL_BYTES_MAX),
                            .text = plain_text(request.user, text),
                            .finish = "stop",
                            .fingerprint = provider_mode_of(p)->fingerprint,
                            .prompt_tokens = tokens_of(request.user.len) };
    c.completion_tokens = tokens_of(c.text.len);
    if (request.stream) {
        answer_stream(p, x, &c, request.include_usage);
        return;
    }
    buf_reset(&p->body);
    completion_write(&p->body, &c);
    if (p->options.delay_ms == 0) {
        respond_json(p, x, 200, buf_str(&p->body));
        return;
    }
    struct play *play = play_new(p, x);
    if (!play)
        return;
    play->is_whole = true;
    play->head_wait = p->options.delay_ms * NSEC_PER_MS;
    play->body = arena_str(exchange_arena(x), buf_str(&p->body));
    play_start(play);
}

void echo_write_models(const struct provider *p, struct buf *out)
{
    model_write(out, str_from(provider_mode_of(p)->name));
}
