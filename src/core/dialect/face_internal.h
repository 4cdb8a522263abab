/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the faces share; nobody else includes it. */
#ifndef WEIR_CORE_DIALECT_FACE_INTERNAL_H
#define WEIR_CORE_DIALECT_FACE_INTERNAL_H

#include "core/dialect/face.h"
#include "core/dialect/wire_internal.h"

/* What an answer's parts are, as both faces need them: a chunk's delta or a completion's message. */
struct spoken {
    struct json root;
    str id, model, text, finish;
    struct json tool_calls; /* an array, or missing */
    struct json usage; /* missing: none yet */
};
/* Of a completion or a chunk; PROVIDER_GARBAGE. member: "message" or "delta". */
NODISCARD enum err spoken_read(struct arena *arena, str payload, const char *member,
                               struct spoken *out);

struct face_stream {
    struct arena *arena; /* of the request */
    int64_t created;
    struct usage usage;
    char finish[32];
    int64_t sequence; /* of Responses' events */
    str id, model; /* in the arena */
    str text; /* of Responses: what was said so far, in `kept` */
    char *kept; /* in the arena; grows by doubling */
    size_t text_cap;
    int block; /* of Messages: the next block's index */
    int text_block; /* the open one; -1: none */
    int block_of_tool[BLOCKS_MAX]; /* 0: none yet; otherwise the index plus one */
    bool has_started;
};
/* Reads a stream's next chunk, and keeps its id, model, usage and finish. */
NODISCARD enum err spoken_next(struct face_stream *s, struct arena *scratch, str payload,
                               struct spoken *out, bool *out_is_first);

enum err face_messages_request(struct buf *out, struct arena *arena, struct json root, str model,
                               struct chat_error *error);
enum err face_responses_request(struct buf *out, struct arena *arena, struct json root, str model,
                                struct chat_error *error);

#endif
