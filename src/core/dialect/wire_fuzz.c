/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of wire and face: any bytes as a request, an answer and a stream, over every wire and through every face. What is translated
 * must be what the other side reads: JSON, chat requests' shapes, chunks, events.
 */
#include "core/dialect/face.h"
#include "core/dialect/wire.h"
#include "core/http/sse.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static const struct face *const faces[] = { &face_messages, &face_responses };
static const char *const dialects[] = { "openai", "anthropic" };

/* JSON, unless a value that is allowed here lies too deep where it was put. */
static void must_be_json(const struct buf *out)
{
    struct arena arena;
    struct json v;
    struct json_error error = { 0 };

    arena_init(&arena, ARENA_BYTES);
    enum err e = json_parse(&arena, buf_str(out), &v, &error);
    must(e != CALLER_BAD_JSON || str_eq(str_from(error.what), STR("nested too deeply")));
    arena_fini(&arena);
}

static void requests_try(str text)
{
    struct arena arena;
    struct chat_request request;
    struct chat_error error = { .fault = OK };
    struct buf out = { 0 };

    arena_init(&arena, ARENA_BYTES);
    for (int api = 0; api < API_COUNT; api++) {
        if (relay_request_parse(&arena, (enum api)api, text, &request, &error) != OK)
            continue;
        must(request.model.len > 0 && request.message_count == 0);
        const struct face *face = api == API_MESSAGES    ? &face_messages
                                  : api == API_RESPONSES ? &face_responses
                                                         : NULL;
        buf_reset(&out);
        if (face && face->request(&out, &arena, request.root, request.model, &error) == OK)
            must_be_json(&out);
    }
    if (chat_request_parse(&arena, text, &request, &error) == OK) {
        buf_reset(&out);
        const struct wire *wire = dialect_find(STR("anthropic"))->wires[API_CHAT];
        if (wire->request(&out, &arena, &request, STR("c"), &error) == OK)
            must_be_json(&out);
    }
    buf_fini(&out);
    arena_fini(&arena);
}

static void faces_try(str completion)
{
    struct arena arena;
    struct buf out = { 0 };

    arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(faces); i++) {
        buf_reset(&out);
        if (faces[i]->answer(&out, &arena, completion) == OK)
            must_be_json(&out);
    }
    buf_fini(&out);
    arena_fini(&arena);
}

static void answers_try(str text)
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        for (int api = 0; api < API_COUNT; api++) {
            const struct wire *wire = dialect_find(str_from(dialects[i]))->wires[api];
            struct arena arena;
            struct chat_answer answer, read;
            arena_init(&arena, ARENA_BYTES);
            if (wire && wire->answer(&arena, text, 1, &answer) == OK) {
                must(answer.usage.cached >= 0 && answer.usage.cached <= answer.usage.input);
                if (answer.translated.len > 0) {
                    enum err e = chat_answer_parse(&arena, answer.translated, &read);
                    must(e == OK || e == WEIR_NO_MEMORY);
                    faces_try(answer.translated);
                }
            }
            arena_fini(&arena);
        }
    }
    faces_try(text);
}

/* A stream over one wire, and what it says through both faces. */
struct talk {
    struct arena arena;
    const struct wire *wire;
    struct wire_stream *stream;
    struct face_stream *told[ARRAY_LEN(faces)];
    struct buf out;
    bool is_chat; /* its payloads are chunks */
    bool is_over;
};

static void must_be_json_event(void *ctx, str payload)
{
    struct buf *text = ctx;

    buf_reset(text);
    buf_add(text, payload);
    must_be_json(text);
}

static void must_be_events(const struct buf *out)
{
    struct sse_decoder decoder;
    struct buf text = { 0 };

    sse_decoder_init(&decoder, ARENA_BYTES);
    must(sse_decoder_feed(&decoder, buf_str(out), must_be_json_event, &text) == OK);
    sse_decoder_fini(&decoder);
    buf_fini(&text);
}

static void on_event(void *ctx, str payload)
{
    struct talk *t = ctx;
    struct chat_chunk chunk, read;

    if (t->is_over || t->wire->event(t->stream, &t->arena, payload, &chunk) != OK) {
        t->is_over = true;
        return;
    }
    must(!chunk.has_usage || chunk.usage.is_known);
    t->is_over = chunk.is_done || chunk.is_error;
    if (!t->is_chat || chunk.payload.len == 0)
        return;
    must(t->stream == NULL || !t->wire->has_state ||
         chat_chunk_parse(&t->arena, chunk.payload, &read) == OK || arena_failed(&t->arena));
    for (size_t i = 0; i < ARRAY_LEN(faces); i++) {
        buf_reset(&t->out);
        if (t->told[i] && faces[i]->chunk(t->told[i], &t->arena, chunk.payload, &t->out) == OK)
            must_be_events(&t->out);
    }
}

static void streams_try(str text)
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        for (int api = 0; api < API_COUNT; api++) {
            struct talk t = { .wire = dialect_find(str_from(dialects[i]))->wires[api],
                              .is_chat = api == API_CHAT };
            struct sse_decoder decoder;
            if (!t.wire)
                continue;
            arena_init(&t.arena, ARENA_BYTES);
            t.stream = wire_stream_new(&t.arena, 1);
            for (size_t f = 0; f < ARRAY_LEN(faces); f++)
                t.told[f] = face_stream_new(&t.arena, 1);
            sse_decoder_init(&decoder, ARENA_BYTES);
            IGNORE(sse_decoder_feed(&decoder, text, on_event, &t) != OK);
            sse_decoder_fini(&decoder);
            for (size_t f = 0; t.is_chat && f < ARRAY_LEN(faces) && t.told[f]; f++) {
                buf_reset(&t.out);
                faces[f]->end(t.told[f], &t.out);
                must_be_events(&t.out);
            }
            buf_fini(&t.out);
            arena_fini(&t.arena);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = { (const char *)data, size };

    requests_try(text);
    answers_try(text);
    streams_try(text);
    return 0;
}
