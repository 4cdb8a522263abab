/* SPDX-License-Identifier: Apache-2.0 */
/*
 * face: an API, other than chat completions, that clients may speak with weir: their requests as chat requests, chat completions
 * and their streams in the API's own words.
 *
 * May include: base, core/http, core/json, core/money.
 */
#ifndef WEIR_CORE_DIALECT_FACE_H
#define WEIR_CORE_DIALECT_FACE_H

#include "core/dialect/dialect.h"

struct face_stream; /* what was said in a stream so far */

struct face {
    /* Appends the chat request that says the same, for a model of this name. What chat completions have no word for is WEIR_NOT_SUPPORTED or
     * CALLER_BAD_REQUEST, with *error filled; its texts live in the arena or are constants. */
    enum err (*request)(struct buf *out, struct arena *arena, struct json root, str model,
                        struct chat_error *error);
    /* Appends a whole chat completion as an answer of this API. PROVIDER_GARBAGE, WEIR_NO_MEMORY. */
    enum err (*answer)(struct buf *out, struct arena *arena, str completion);
    /* Appends the events, framed, that one chunk of a stream becomes. The same faults. */
    enum err (*chunk)(struct face_stream *s, struct arena *scratch, str payload, struct buf *out);
    /* Appends the events that end a whole stream. */
    void (*end)(struct face_stream *s, struct buf *out);
    /* Appends the event of a stream that failed; s may be NULL. */
    void (*failed)(struct face_stream *s, enum err fault, str message, struct buf *out);
    /* Appends the body of a refusal. */
    void (*error)(struct buf *out, enum err fault, str message, str param);
};

extern const struct face face_messages; /* Anthropic's Messages */
extern const struct face face_responses; /* OpenAI's Responses: text only */

/* A stream's memory in the arena, created: seconds; NULL when the arena is used up. */
struct face_stream *face_stream_new(struct arena *arena, int64_t created);

/* One event as these APIs frame it: "event: TYPE" from the payload's member type, then the payload. The arena is scratch. */
void face_event_write(struct buf *out, struct arena *scratch, str payload);

#endif
