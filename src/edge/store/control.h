/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: the durable state of what watches and changes production: documents (a rollout, the alert machine), bytes in
 * parts (windows, exposed units), a journal of events that is only ever appended to, and an outbox of messages. A database of its own, directory/control.db, beside the
 * ledger: few rows, each synchronous=FULL, because a transition must be durable before it takes effect.
 *
 * A caller may rely on:
 *   - what stands between control_begin() and control_commit() becomes durable together or not at all;
 *   - a message whose key is there already is not added again, so that a crash between "decided" and "known to be decided"
 *     neither repeats nor loses one;
 *   - no function keeps a pointer into its arguments.
 *
 * One thread uses a control_store; several processes may open one directory (SQLite's locks), one of them writing.
 *
 * May include: base.
 */
#ifndef WEIR_EDGE_STORE_CONTROL_H
#define WEIR_EDGE_STORE_CONTROL_H

#include "base/base.h"

struct control_store;

enum control_mode { CONTROL_WRITE, CONTROL_READ };

/* WEIR_STORE with a sentence in out_why. CONTROL_READ of a directory without a control.db fails, and so does a control.db that
 * has a second name (a hard link): SQLite's log is found by the name, so two names would be two truths. */
NODISCARD enum err control_open(struct control_store **out, str directory, enum control_mode mode,
                                char out_why[256]);
void control_close(struct control_store *s); /* rolls back what is open; NULL is a no-op */
const char *control_message(const struct control_store *s); /* of the last failure */
bool control_is_locked(const struct control_store *s); /* the last failure: somebody else held it */
/* How long a function waits for somebody else's lock before it fails: five seconds until this is called. 0: not at all. */
void control_set_patience(struct control_store *s, int milliseconds);

NODISCARD enum err control_begin(struct control_store *s);
NODISCARD enum err control_commit(struct control_store *s);
void control_rollback(struct control_store *s);

/* Can it be used? Cheap: begins to write and rolls back, and writes only when the newest write failed. Never waits for another
 * process: one that writes just now is no fault. Outside a transaction. */
NODISCARD enum err control_probe(struct control_store *s);

/* ---- documents, by key ---- */
NODISCARD enum err control_put(struct control_store *s, str key, str text);
/* Appends the text to *out; *out_found is false where there is none. */
NODISCARD enum err control_get(struct control_store *s, str key, struct buf *out, bool *out_found);

/* ---- bytes, by key, in numbered parts: so that what only grows need not be written whole ---- */
NODISCARD enum err control_part_put(struct control_store *s, str key, int64_t number, str bytes);
/* All parts of a key in the order of their numbers. The bytes are valid inside on_part only, which must not call into this
 * store. */
NODISCARD enum err control_parts(struct control_store *s, str key,
                                 void (*on_part)(void *ctx, int64_t number, str bytes), void *ctx);
/* Forgets every part of all keys that begin with a prefix but those of `keep`. */
NODISCARD enum err control_parts_forget(struct control_store *s, str prefix, str keep);

/* ---- events ---- */
struct control_event {
    int64_t sequence; /* given by control_append(), growing */
    usec_utc at;
    str kind; /* "rollout", "experiment", "alert", "operation" */
    str subject; /* the rollout's name, … */
    str text; /* JSON */
};
NODISCARD enum err control_append(struct control_store *s, const struct control_event *event,
                                  int64_t *out_sequence);
/* Of a kind and, unless it is empty, a subject, after a sequence, oldest first, at most max. The texts are valid inside on_event only,
 * which must not call into this store. */
NODISCARD enum err control_events(struct control_store *s, str kind, str subject, int64_t after,
                                  int64_t max,
                                  void (*on_event)(void *ctx, const struct control_event *event),
                                  void *ctx);

/* ---- the outbox ---- */
enum outbox_state { OUTBOX_PENDING, OUTBOX_SENT, OUTBOX_DEAD };

struct outbox_message {
    int64_t id;
    str key; /* unique: the idempotency key that the receiver is told where it has one */
    str channel;
    str body;
    usec_utc created;
    usec_utc due; /* not before */
    int64_t attempts;
    enum outbox_state state;
    str error; /* of the last attempt; empty: none */
};
NODISCARD enum err outbox_add(struct control_store *s, const struct outbox_message *message);
/* The oldest pending message of a channel, whether or not it is due: messages of a channel leave in order. Texts are appended to
 * *space and are valid until it changes. */
NODISCARD enum err outbox_first(struct control_store *s, str channel, struct outbox_message *out,
                                struct buf *space, bool *out_found);
/* Sets attempts, due, state and error of the message with this id. */
NODISCARD enum err outbox_update(struct control_store *s, const struct outbox_message *message);
/* Newest first, of one state, at most max. As control_events(). */
NODISCARD enum err outbox_each(struct control_store *s, enum outbox_state state, int64_t max,
                               void (*on_message)(void *ctx, const struct outbox_message *message),
                               void *ctx);
NODISCARD enum err outbox_count(struct control_store *s, enum outbox_state state, int64_t *out);
/* Forgets messages sent before an instant. */
NODISCARD enum err outbox_prune(struct control_store *s, usec_utc before);

#endif
