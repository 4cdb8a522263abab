/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: what is spoken with a provider in one call, as tables. A dialect is a provider's family; for each API that a client's request
 * may be written in it has a wire, or none: how the provider's body is made of the client's, and what an answer or an event means.
 *
 * A wire relays (the answer's bytes are the client's) or translates between chat completions and the provider's own API.
 *
 * May include: base, core/http, core/json, core/money.
 */
#ifndef WEIR_CORE_DIALECT_WIRE_H
#define WEIR_CORE_DIALECT_WIRE_H

#include "core/dialect/dialect.h"

/* What a client's request is written in. */
enum api { API_CHAT, API_EMBEDDINGS, API_MESSAGES, API_RESPONSES, API_COUNT };

struct wire_stream; /* what a wire remembers from one event of a stream to the next */

struct wire {
    const char *path; /* behind the provider's base_url: "/chat/completions" */
    int64_t
        output_tokens_max; /* assumed of a request that names no maximum; 0: it yields no tokens */
    /* Appends the provider's body for a client's request. What the provider's API cannot say is WEIR_NOT_SUPPORTED or
     * CALLER_BAD_REQUEST, with *error filled. Texts of *error live in the arena. */
    enum err (*request)(struct buf *out, struct arena *arena, const struct chat_request *request,
                        str model, struct chat_error *error);
    /* Reads a whole answer, as chat_answer_parse() does; created: seconds, for translations. */
    enum err (*answer)(struct arena *arena, str body, int64_t created, struct chat_answer *out);
    /* Reads one event's payload, as chat_chunk_parse() does. What it yields lives in the scratch arena. */
    enum err (*event)(struct wire_stream *s, struct arena *scratch, str payload,
                      struct chat_chunk *out);
    bool has_state; /* event() needs a wire_stream; otherwise it may be NULL */
};

/* A stream's memory in the arena; NULL when that is used up. */
struct wire_stream *wire_stream_new(struct arena *arena, int64_t created);

struct dialect {
    const char *name; /* as providers.*.dialect has it */
    bool takes_bearer; /* the key goes out as Authorization: Bearer; otherwise as key_header */
    const char *key_header; /* "x-api-key: ", or NULL */
    const char *headers; /* more header lines, each with its line end; may be empty */
    const struct wire *wires[API_COUNT]; /* NULL: it has no such API */
};
/* NULL for a name that nobody knows. */
const struct dialect *dialect_find(str name);

/* How a request carries a key, both in the arena. The Authorization header's value: empty without a key, and where it is no bearer. */
str dialect_authorization(const struct dialect *dialect, struct arena *arena, str key);
/* The dialect's header lines; the key's among them where it is no bearer. */
str dialect_headers(const struct dialect *dialect, struct arena *arena, str key);

/* A request that is only relayed: model, stream and the output limit are read, the rest is the provider's to judge. Messages are left
 * out: message_count is 0. Faults as chat_request_parse(). */
NODISCARD enum err relay_request_parse(struct arena *arena, enum api api, str body,
                                       struct chat_request *out, struct chat_error *out_error);

/* A call that weir itself makes, over any wire. Where that has to translate, *out_chat is what was translated, in the arena; NULL
 * where the body itself is a chat request. */
NODISCARD enum err wire_call_write(const struct wire *wire, struct buf *out, struct arena *arena,
                                   const struct chat_call *call,
                                   const struct chat_request **out_chat);

#endif
