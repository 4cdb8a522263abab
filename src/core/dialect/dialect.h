/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect: a provider's wire format to and from one canonical request, answer, delta and usage: OpenAI's chat completions. What
 * other APIs say is translated into them or relayed beside them (wire.h, face.h).
 *
 * May include: base, core/http, core/json, core/money.
 */
#ifndef WEIR_CORE_DIALECT_DIALECT_H
#define WEIR_CORE_DIALECT_DIALECT_H

#include "base/arena.h"
#include "base/base.h"
#include "core/json/json.h"
#include "core/money/money.h"

/* ---- a chat request as a client sent it ---- */
struct chat_message {
    const char *role; /* "system", "developer", "user", "assistant", "tool" */
    str content; /* text; parts of type "text" joined by a line end */
};

struct chat_request {
    struct json root; /* the whole body */
    str model;
    bool stream;
    bool include_usage; /* stream_options.include_usage as the client sent it */
    bool has_tools;
    bool has_parts; /* some content holds more than text (images, audio) */
    int64_t n; /* 1 unless given */
    double temperature; /* negative: not given */
    int64_t max_tokens; /* 0: not given; max_completion_tokens or max_tokens */
    struct chat_message *messages;
    size_t message_count;
    struct json metadata; /* the body's "metadata" object, or missing */
    struct json response_format; /* or missing */
};

struct chat_error {
    enum err fault;
    str message; /* for people: "messages must be a non-empty array" */
    str param; /* the offending field, or empty */
};

/* Types are checked (model a string, messages an array of objects with a known role, stream a boolean, …). Fields that we do
 * not know are ignored here and relayed by chat_request_splice(). A request whose last user message holds no visible character is CALLER_EMPTY_QUESTION.
 * On failure *out_error is filled. */
NODISCARD enum err chat_request_parse(struct arena *arena, str body, struct chat_request *out,
                                      struct chat_error *out_error);

/* The client's body for the provider: byte for byte, but for the model's name and, when streaming, an injected
 * stream_options.include_usage = true, and without weir's own "weir" member. */
void chat_request_splice(struct buf *out, const struct chat_request *request, str model);

/* ---- a chat request that weir itself makes ---- */
struct chat_call {
    str model;
    const struct chat_message *messages;
    size_t message_count;
    double temperature; /* negative: leave it out */
    int64_t max_tokens; /* 0: leave it out */
    str schema_name; /* empty: plain text */
    str schema; /* JSON Schema text, sent as response_format json_schema strict */
    bool stream;
};
void chat_call_write(struct buf *out, const struct chat_call *call);

/* ---- answers ---- */
struct chat_answer {
    struct json root;
    str id;
    str model;
    str content; /* of the first choice; empty for pure tool calls */
    str refusal;
    str finish; /* "stop", "length", "tool_calls", … */
    bool has_tool_calls;
    size_t choices;
    struct usage usage;
    str translated; /* the chat completion that a translated answer became; empty: the body is one */
};
/* A whole chat.completion. PROVIDER_GARBAGE when it is not one; a body with an "error" member gives PROVIDER_FAILED. */
NODISCARD enum err chat_answer_parse(struct arena *arena, str body, struct chat_answer *out);

/* One chunk of a stream (the payload of an SSE event). */
struct chat_chunk {
    bool is_done; /* [DONE] */
    bool is_error; /* an error event in the stream */
    enum err fault; /* that it names; OK: none in particular */
    bool has_choices; /* false: it carries nothing but usage, or nothing */
    bool has_usage;
    str content; /* delta.content of choice 0 */
    str finish; /* of choice 0, or empty */
    str model;
    struct usage usage; /* known when has_usage; before, some wires tell of the input already */
    str payload; /* what a client gets of it; empty: nothing */
};
NODISCARD enum err chat_chunk_parse(struct arena *arena, str payload, struct chat_chunk *out);

/* A chunk's payload without its usage, for a client that did not ask for it; the payload itself when it names none. In the arena. */
str chat_chunk_without_usage(struct arena *arena, str payload);

/* The "error.message" of a provider's error body, or empty. */
str chat_error_message(struct arena *arena, str body);

/* ---- what weir answers ---- */
struct chat_reply {
    str id; /* "chatcmpl-…" */
    int64_t created; /* seconds */
    str model;
    str content;
    const char *finish;
    struct usage usage;
    str weir; /* the `weir` member's JSON text, or empty */
};
void chat_reply_write(struct buf *out, const struct chat_reply *reply);
/* The same as SSE events: role, content in one delta, finish, usage when asked for, [DONE]. */
void chat_reply_write_events(struct buf *out, const struct chat_reply *reply, bool include_usage);
/* OpenAI's error body: {"error":{"message","type","param","code"}}. code is the fault's name in lower case, but for
 * rate_limit_exceeded and insufficient_quota. */
void chat_error_write(struct buf *out, enum err fault, str message, str param);

#endif
