/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of provider share; nobody else includes it. */
#ifndef WEIR_APP_PROVIDER_PROVIDER_INTERNAL_H
#define WEIR_APP_PROVIDER_PROVIDER_INTERNAL_H

#include "app/provider/provider.h"
#include "base/arena.h"
#include "base/list.h"
#include "core/dialect/dialect.h"
#include "core/json/json.h"
#include "edge/http/server.h"
#include "edge/world/world.h"

#define PLAY_HEADERS_MAX 16
#define REQUEST_ID_MAX 32

struct recording;
struct script;

struct provider {
    struct world *world;
    struct provider_options options;
    struct http_server *server;
    struct arena arena; /* lives as long as the provider: options, script */
    struct link plays; /* answers that are under way */
    struct buf body; /* scratch of one answer, reused */
    struct buf piece; /* scratch of one write, reused */
    struct buf seen; /* of a script: its requests, as JSON objects between commas */
    struct provider_counts counts;
    size_t open;
    struct recording *recorded; /* of that mode only */
    struct script *script; /* of that mode only */
};

/* ---- what a mode is (one row of the table in provider.c) ---- */

struct mode {
    const char *name;
    bool takes_path;
    const char *fingerprint; /* system_fingerprint of its answers */
    /* Reads the mode's files; NULL: nothing to read. */
    enum err (*load)(struct provider *p, char out_why[256]);
    /* Answers a POST to chat/completions; must end the exchange, now or through a play. */
    void (*answer)(struct provider *p, struct exchange *x);
    void (*write_models)(const struct provider *p, struct buf *out); /* model_write() each */
};
extern const struct mode provider_modes[];
const struct mode *provider_mode_of(const struct provider *p);

void echo_answer(struct provider *p, struct exchange *x);
void echo_write_models(const struct provider *p, struct buf *out);
void simulated_answer(struct provider *p, struct exchange *x);
void simulated_write_models(const struct provider *p, struct buf *out);
NODISCARD enum err recorded_load(struct provider *p, char out_why[256]);
void recorded_answer(struct provider *p, struct exchange *x);
void recorded_write_models(const struct provider *p, struct buf *out);
NODISCARD enum err script_load(struct provider *p, char out_why[256]);
void script_answer(struct provider *p, struct exchange *x);
void script_write_models(const struct provider *p, struct buf *out);

/* ---- seen.c ---- */
void seen_note(struct provider *p, const struct exchange *x);
void answer_seen(struct provider *p, struct exchange *x);

/* One entry of the list of models. */
void model_write(struct buf *out, str name);

/* ---- answers ---- */

/* x-request-id of the request that is being answered: "req_" and 16 hexadecimal digits. */
str request_id_format(const struct provider *p, char out[REQUEST_ID_MAX]);

/* An error in OpenAI's shape, at once. */
void respond_error(struct provider *p, struct exchange *x, int status, enum err fault, str message,
                   str param);
/* A whole JSON answer at once, with the provider's usual headers. */
void respond_json(struct provider *p, struct exchange *x, int status, str body);
/* Reads the request or answers it with an error; false: answered. */
NODISCARD bool request_read(struct provider *p, struct exchange *x, struct chat_request *out);
str last_user_content(const struct chat_request *request); /* empty when there is none */

/* One chat completion, whole or streamed. */
struct completion {
    uint64_t number; /* in the id */
    int64_t created; /* seconds */
    str model;
    str text;
    const char *finish;
    const char *fingerprint;
    int64_t prompt_tokens;
    int64_t completion_tokens;
};
void completion_write(struct buf *out, const struct completion *c);
/* The start of every event of a stream, up to the delta's value. */
void completion_write_event_head(struct buf *out, const struct completion *c);
/* One event with a delta; the first one of a stream names the role. */
void completion_write_delta(struct buf *out, str event_head, str delta, bool is_first);
/* The finish reason, the usage when wanted, [DONE]. */
void completion_write_end(struct buf *out, const struct completion *c, str event_head,
                          bool include_usage);
/* Part i of n of a text, cut between characters; the parts joined are the text. */
str text_part(str text, size_t i, size_t n);

/* ---- a play: one answer that takes time ---- */

struct play;

/* Appends the next bytes of the body and says how long to wait after them; false at the end, with nothing appended. */
typedef bool (*play_produce)(struct play *play, struct buf *out, nsec *out_wait);

struct stream_source { /* of play_stream() */
    struct completion completion;
    str event_head;
    size_t deltas;
    size_t deltas_max; /* stops there without an end, when smaller than deltas */
    size_t sent;
    nsec interval;
    bool include_usage;
    bool pads; /* an empty delta becomes a dot */
    bool has_ended;
};

struct bytes_source { /* of play_bytes() */
    str bytes;
    size_t at;
    size_t end; /* stops there: the place of a cut */
    size_t stall_at;
    nsec stall;
    size_t drip_bytes; /* 0: no drip */
    nsec drip;
};

struct play {
    /* The mode sets these before play_start(). */
    int status;
    str content_type;
    struct answer_header headers[PLAY_HEADERS_MAX];
    size_t header_count;
    nsec head_wait;
    nsec body_wait; /* between the head and the first byte */
    bool is_whole; /* the body goes at once, with its length */
    bool is_cut; /* ends by cutting the connection */
    bool is_cut_before_head;
    str body; /* when whole */
    play_produce produce; /* otherwise */
    struct stream_source stream;
    struct bytes_source bytes;

    /* private */
    struct provider *provider;
    struct exchange *exchange;
    struct link link;
    struct timer timer;
    char request_id[REQUEST_ID_MAX];
    bool has_begun;
    bool is_blocked; /* the client is slow */
};

/* In the exchange's memory, with the usual headers; NULL: no memory, and the exchange is answered. */
struct play *play_new(struct provider *p, struct exchange *x);
void play_add_header(struct play *play, str name, str value); /* past the limit: dropped */
void play_start(struct play *play);
void play_cancel(struct play *play); /* cuts the connection */
bool play_produce_stream(struct play *play, struct buf *out, nsec *out_wait);
bool play_produce_bytes(struct play *play, struct buf *out, nsec *out_wait);

/* ---- a cheap reading of a request: no document, spans only, escapes not undone ---- */

struct scan {
    str model;
    str user; /* the last text of the last user message */
    bool stream;
    bool include_usage;
};
/* Checks no more than it needs; false when the text cannot be a chat request. */
NODISCARD bool scan_request(str body, struct scan *out);

#endif
