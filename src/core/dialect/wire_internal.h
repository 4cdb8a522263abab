/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of core/dialect share; nobody else includes it. */
#ifndef WEIR_CORE_DIALECT_WIRE_INTERNAL_H
#define WEIR_CORE_DIALECT_WIRE_INTERNAL_H

#include "core/dialect/wire.h"

#define BLOCKS_MAX 256 /* of one Messages answer */
#define NAME_BYTES_MAX 200 /* of a provider's ids and model names, as a stream remembers them */

/* ---- reading ---- */

/* A member; missing when it is null too. Several for each event of a stream, so it is inline. */
static inline struct json given(struct json v, str name)
{
    struct json member = json_get(v, name);

    return json_is(member, JSON_NULL) ? (struct json){ NULL, NULL } : member;
}
/* Is it the string? Escapes are not undone. */
bool text_is(struct json v, const char *text);
/* Tokens at the path; nothing is written unless they are a number that is not negative. */
bool tokens_read(struct json usage, str path, int64_t *out);
/* A chat completion's usage; false when it is not whole, and nothing is written. */
bool usage_read(struct json usage, struct usage *out);
/* A client's body as an object; false with *error filled. */
bool body_object(struct arena *arena, str body, struct json *out, struct chat_error *error);
/* A provider's body as an object: PROVIDER_GARBAGE, or WEIR_NO_MEMORY. */
NODISCARD enum err body_parse(struct arena *arena, str body, struct json *out);

/* Fills *error and gives the fault; message must live as long as the request. */
enum err refuse_with(struct chat_error *error, enum err fault, str message, str param);
/* "NAME cannot be translated …": the provider's API has no word for it. */
enum err refuse_field(struct arena *arena, struct chat_error *error, str name);

/* ---- writing ---- */

/* A fault's name as it stands in errors: in lower case. */
void lower_write(struct buf *out, const char *name);
/* `,"name":raw`; nothing when v is missing. */
void member_copy(struct buf *out, const char *name, struct json v);
/* The client's body with another model's name, without the member `weir`, and with usage asked for. */
void body_splice(struct buf *out, struct json root, str old_model, str model, bool asks_usage);
/* `,"usage":{…}` as OpenAI's chat completions have it. */
void usage_write(struct buf *out, const struct usage *u);
/* max_tokens or max_completion_tokens, whichever the model takes. */
const char *limit_name(str model);
/* The raw text of an object that a text holds ("{\"a\":1}"; empty: {}); false when it holds none. */
bool object_in_text(struct arena *arena, str text, str *out);

/* ---- Messages ---- */

/* Anthropic counts what was cached beside the input, not within. */
struct messages_usage {
    int64_t input, output, cached, cache_write;
    bool has_input;
    bool has_output; /* in a stream: the final count, which comes with message_delta */
};
void messages_usage_read(struct json usage, struct messages_usage *u);
/* Known when both are; what was read of the input is there in any case. */
struct usage messages_usage_sum(const struct messages_usage *u);
/* Anthropic's stop_reason and OpenAI's finish_reason, each as the other has it; an unknown one is an ordinary end. */
const char *finish_of_stop(str stop_reason);
const char *stop_of_finish(str finish_reason);
/* The fault that an error's type says: "overloaded_error" and so on. */
enum err messages_fault(struct json error);

struct wire_stream {
    int64_t created;
    struct messages_usage usage;
    char id[NAME_BYTES_MAX];
    char model[NAME_BYTES_MAX];
    size_t id_len, model_len;
    int tool_count;
    int16_t tool_of_block[BLOCKS_MAX]; /* 0: not a tool's; otherwise its number from 1 */
    bool has_started;
    bool has_finish;
};

extern const struct wire wire_chat, wire_embeddings, wire_responses, wire_messages,
    wire_chat_as_messages;

/* One event of a Messages stream as it is accounted for; payload is the event itself. */
NODISCARD enum err messages_event_read(struct wire_stream *s, struct arena *scratch, str payload,
                                       struct json *out_root, struct chat_chunk *out);
enum err messages_request_write(struct buf *out, struct arena *arena,
                                const struct chat_request *request, str model,
                                struct chat_error *error);

#endif
