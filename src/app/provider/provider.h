/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider: a stand-in for a model provider, for drills, tests and benchmarks. It speaks OpenAI's wire: POST
 * /v1/chat/completions, streamed or not, and GET /v1/models; also without the /v1 prefix. A script also plays at /v1/messages, /v1/responses
 * and /v1/embeddings, whatever is asked.
 *
 *     echo            answers at once with a fixed shape and the beginning of the last user message
 *     sim             a simulated model (core/sim) with real delays; every answer says that it is simulated
 *     recorded:DIR    what real models once answered: DIR/questions.jsonl, DIR/answers/MODEL.jsonl
 *     script:FILE     one JSON object a line, each an answer to play, faults included; see below
 *
 * GET /weir/provider counts, so that a test sees what the provider saw:
 * {"requests", "answered", "gone" (clients that left early), "cut" (by us), "open"}. GET /weir/provider/requests lists what a script
 * was asked, in order: {"requests": [{"at_ms", "key" (its last four characters), "model", "stream"}, …]}.
 *
 * A script's line has any of these members. Lines are used in order, then from the first again.
 *
 *     status              of the answer, 200
 *     headers             object of strings; content-type too; "@date+N" is the HTTP date N seconds from now
 *     body                an object, sent as written, or a string, sent as its text
 *     events              instead of a body: an array of SSE payloads, objects or strings; [DONE] only if listed
 *     delay_ms            before the head
 *     stall_ms            a pause after the head, or where stall_after_bytes or stall_after_events says
 *     cut_after_bytes     the connection is cut there; -1: before the head. Also cut_after_events
 *     drip_bytes, drip_ms the body in pieces of so many bytes, so long apart
 *     repeat              times that this line is used in a row, 1; 0: for ever
 *
 * A caller may rely on: no callback or function of this header blocks; a client that leaves ends its answer at once.
 *
 * May include: base, core/json, core/money, core/dialect, core/sim, edge/world, edge/http,
 * app/recording.
 */
#ifndef WEIR_APP_PROVIDER_PROVIDER_H
#define WEIR_APP_PROVIDER_PROVIDER_H

#include "base/base.h"

struct provider;
struct world;

enum provider_mode {
    PROVIDER_MODE_ECHO,
    PROVIDER_MODE_SIM,
    PROVIDER_MODE_RECORDED,
    PROVIDER_MODE_SCRIPT
};

struct provider_options {
    enum provider_mode mode;
    str path; /* of the folder or file; empty for the other modes */
    str listen; /* as server_options.listen */
    bool reuse_port; /* one provider a thread on one port */
    int64_t delay_ms; /* echo, recorded: before the head, 0..DELAY_MS_MAX */
    int64_t deltas; /* echo, recorded: of a streamed answer, 1..DELTAS_MAX */
    int64_t delta_interval_ms; /* echo, recorded: between two of them, 0..DELAY_MS_MAX */
    double time_scale; /* sim: factor on every delay, 0..1000; 0 for none */
    double fault_rate; /* sim: share of calls that fail, [0, 1] */
    uint64_t seed; /* sim */
};
#define PROVIDER_DELAY_MS_MAX 3600000
#define PROVIDER_DELTAS_MAX 100000

/* echo on 127.0.0.1:0, no delays, 8 deltas, time scale 1, seed 1. */
struct provider_options provider_options_default(void);

/* "echo", "sim", "recorded:DIR", "script:FILE" into mode and path (a part of text).
 * CALLER_BAD_REQUEST with a sentence in out_why. */
NODISCARD enum err provider_mode_parse(str text, struct provider_options *out, char out_why[160]);

/* Reads the folder or file, then listens; the options' texts are copied. CALLER_BAD_REQUEST (an option out of
 * range), WEIR_CONFIG (the content of a file), WEIR_IO, WEIR_NO_MEMORY, with a sentence in out_why. */
NODISCARD enum err provider_open(struct provider **out, struct world *w,
                                 const struct provider_options *options, char out_why[256]);
uint16_t provider_port(const struct provider *p); /* the port bound */
void provider_close(struct provider *p); /* cuts what is still being answered; NULL is a no-op */

struct provider_counts {
    uint64_t
        requests; /* for answers; who only looks at the models or at these counts is not counted */
    uint64_t answered; /* whose answer was handed to the network whole */
    uint64_t gone; /* whose client left before that */
    uint64_t cut; /* that we cut, as scripted or simulated */
};
struct provider_counts provider_counts(const struct provider *p);

#endif
