/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: one HTTP call to a provider, with its attempts, timeouts and deadline; its answer whole or streamed.
 *
 * A caller embeds `struct upstream_call`, zero-initialised or ended, so starting a call allocates nothing of the caller's and
 * cannot fail: every failure arrives later, through on_done.
 *
 * A caller may rely on:
 *   - no callback runs inside a function of this header; the first comes from a later turn of the loop;
 *   - every started call ends exactly once, in on_done or in upstream_cancel(), and no callback of that call runs after its end;
 *   - a call is retried only until the owner sets is_given, having given bytes of the answer away; then never;
 *   - on_head comes just before an attempt's first on_data, or before on_answer when there was no on_data; it comes again with the
 *     next attempt;
 *   - with several keys, one that the provider refuses or limits (401, 403, 429) rests and the next is used at once; that is no retry;
 *   - an attempt that its lane's breaker refuses is not made: PROVIDER_RESTING, or what the last attempt met;
 *   - upstream_cancel() closes the call's socket at once, and may be called in any callback.
 *
 * Past connections_max a call waits its turn; WEIR_OVERLOADED when its deadline passes while it waits.
 * The process must ignore SIGPIPE: libcurl is told to leave signals alone.
 *
 * The transport behind it is an interface of function pointers (transport.h); libcurl is the one that ships.
 *
 * May include: base, core/breaker, edge/world.
 */
#ifndef WEIR_EDGE_UPSTREAM_UPSTREAM_H
#define WEIR_EDGE_UPSTREAM_UPSTREAM_H

#include "base/base.h"
#include "base/rng.h"
#include "core/breaker/breaker.h"
#include "edge/world/world.h"

struct upstream;
struct transport_call;
struct lane;

#define UPSTREAM_KEYS_MAX 16

/* What one call may take. */
struct upstream_limits {
    int attempts_max; /* max_retries + 1 */
    nsec connect_timeout;
    nsec first_byte_timeout; /* from sent to the answer's head, per attempt */
    nsec idle_timeout; /* between two reads of an answer */
    nsec backoff_base; /* first delay; doubles; full jitter; at most backoff_max */
    nsec backoff_max;
    nsec wait_max; /* a retry that must wait longer is not made; 0: the deadline alone bounds it */
    nsec
        key_rest; /* of a refused key, and of a limited one when the provider does not say how long */
    nsec total_timeout; /* all attempts and waits; 0: the deadline alone bounds them */
    size_t answer_bytes_max; /* PROVIDER_GARBAGE past it */
    struct breaker_options breaker;
};

struct upstream_options {
    struct upstream_limits limits; /* of calls that bring none */
    uint32_t connections_max; /* open sockets in all */
    uint64_t seed; /* of the jitter */
};
struct upstream_options upstream_options_default(void);

NODISCARD enum err upstream_open(struct upstream **out, struct world *w,
                                 const struct upstream_options *options);
void upstream_close(struct upstream *u); /* every call must have ended; NULL is a no-op */

struct upstream_key {
    str authorization; /* as below */
    struct lane *lane; /* NULL: whatever happens, it is used */
};

struct upstream_request {
    str url; /* "https://api.openai.com/v1/chat/completions" */
    str authorization; /* "Bearer …", or empty: no header; never logged */
    str headers; /* more header lines, each with its line feed; may hold a key: never logged */
    str body; /* JSON; POST when not empty, else GET */
    bool wants_stream; /* Accept: text/event-stream; data goes to on_data as it comes */
    nsec deadline; /* absolute, world_now's clock: covers all attempts and waits */
    const struct upstream_limits *limits; /* NULL: those of the options; must live until the end */
    const struct upstream_key
        *keys; /* in the order of use, instead of authorization; must live until the end */
    size_t key_count; /* 0: authorization; at most UPSTREAM_KEYS_MAX */
    bool has_alternative; /* somebody else can be asked when this one is left alone */
};

struct upstream_call {
    /* The caller sets these before starting; strings of the request must live until the end. */
    void *ctx;
    void (*on_head)(struct upstream_call *call, int http_status,
                    str content_type); /* optional; of the attempt that will be relayed (2xx) */
    /* Only when wants_stream and the status is 2xx. What it returns unless OK ends the attempt; after cancelling the call, OK. */
    enum err (*on_data)(struct upstream_call *call, str bytes);
    /* Optional: judges a 2xx answer that ended cleanly, and may not cancel; what it returns is what the attempt met. */
    enum err (*on_answer)(struct upstream_call *call);
    void (*on_done)(struct upstream_call *call);

    /* Readable in on_done. */
    enum err result; /* OK: a 2xx answer that ended cleanly */
    int http_status; /* of the last attempt; 0 when none answered */
    struct buf
        body; /* the whole answer when not streamed, or an error's body; the caller's to read until upstream_call_fini */
    int attempts; /* started */
    int key_walks; /* of these: because another key was refused or limited */
    bool
        is_given; /* the owner's to set: bytes of the answer went on, so that no other attempt may follow */
    nsec first_byte; /* since start; of the last attempt; 0 when none */
    nsec took; /* since start */

    /* private */
    struct upstream *owner;
    struct upstream_request request; /* with its limits */
    struct transport_call *transport; /* the attempt in flight, or NULL */
    struct timer timer; /* the earliest moment at which the machine must look again */
    struct turn turn; /* the machine looks at new facts */
    struct link waiting; /* in the owner's queue for a connection */
    str head_content_type; /* the transport's; of the attempt in flight */
    nsec started;
    nsec attempt_started;
    nsec sent; /* when the attempt's connection stood */
    nsec last_read; /* of the attempt */
    nsec resume_at; /* the end of a backoff */
    nsec retry_after; /* negative: the provider did not say */
    enum err fault; /* of the attempt */
    uint8_t state; /* upstream.c */
    bool is_sent;
    bool is_over; /* the attempt has ended, with `fault` */
    bool is_head_given; /* on_head was called */
    bool is_refused; /* no lane admitted an attempt */
    bool has_ticket; /* of the attempt in flight, from the lane of `key` */
    struct breaker_ticket ticket;
    const struct upstream_key *key; /* of the attempt */
    uint32_t keys_refused; /* a bit for each key that this call was refused with */
    bool is_final; /* another attempt would end the same way */
    bool has_slot; /* counted among the owner's connections */
    bool is_active;
};

void upstream_start(struct upstream *u, struct upstream_call *call,
                    const struct upstream_request *request);
void upstream_cancel(struct upstream_call *call); /* no-op when it has ended or never started */
void upstream_call_fini(struct upstream_call *call); /* cancels, frees the body */

/* Status → fault: 401, 403 PROVIDER_AUTH; 404 PROVIDER_NO_MODEL; 429 PROVIDER_RATE_LIMITED; 503, 529 PROVIDER_OVERLOADED; other 5xx, 408, 409, 425
 * PROVIDER_FAILED; other 4xx PROVIDER_REJECTED; 3xx PROVIDER_GARBAGE; 2xx OK. */
enum err upstream_fault_of_status(int http_status);
/* Retry-After as seconds or an HTTP date; negative when it is neither. now: the wall clock. */
nsec upstream_retry_after(str value, usec_utc now);

#endif
