/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: messages as the services that people are reached through want them: Slack's incoming webhooks, PagerDuty's
 * Events API v2, Alertmanager's webhook (version "4") and its API v2, and e-mail. Bodies only: addresses, keys and signatures are
 * added where a message leaves, so that no secret is ever stored with one.
 *
 * A caller may rely on: JSON that is valid whatever a label holds; each service's documented limits are kept by cutting,
 * never by failing.
 *
 * May include: base, core/json.
 */
#ifndef WEIR_CORE_ALERT_WIRE_H
#define WEIR_CORE_ALERT_WIRE_H

#include "base/arena.h"
#include "base/base.h"
#include "core/alert/alert.h"

enum wire_kind {
    WIRE_SLACK,
    WIRE_PAGERDUTY,
    WIRE_WEBHOOK,
    WIRE_ALERTMANAGER,
    WIRE_EMAIL,
    WIRE_KIND_COUNT
};
const char *
wire_kind_name(enum wire_kind k); /* "slack", "pagerduty", "webhook", "alertmanager", "email" */
bool wire_kind_find(str name, enum wire_kind *out);

/* ---- channels ---- */
#define WIRE_RECIPIENTS_MAX 16
#define WIRE_SECRETS_MAX 4
#define WIRE_SECRET_BYTES_MAX ((size_t)128)

/* Where messages go. */
struct wire_channel {
    str name;
    enum wire_kind kind;
    str url; /* Slack's is a secret itself; PagerDuty's may be empty: the public one */
    str secrets
        [WIRE_SECRETS_MAX]; /* PagerDuty: the routing key; webhook: "whsec_…" keys, all sign while rotating */
    size_t secret_count;
    str from; /* e-mail */
    str to[WIRE_RECIPIENTS_MAX];
    size_t to_count;
    str user, password; /* e-mail; may be empty */
    enum alert_severity severity_min;
    bool sends_resolved;
};
/* NULL when the channel can be used, else what it lacks, in words without secrets. */
const char *wire_channel_fault(const struct wire_channel *c);
/* The bytes behind "whsec_" and base64; 0 when it is no such secret or longer than the limit. */
size_t wire_secret_decode(str secret, uint8_t out[WIRE_SECRET_BYTES_MAX]);

/* ---- notices ---- */
#define WIRE_NOTICE_ALERTS_MAX ALERT_MESSAGE_ALERTS_MAX

/* One alert of a notice. Text lives as long as the notice. */
struct wire_alert {
    str name; /* of its rule */
    str severity;
    str arm, domain; /* may be empty */
    str sentence; /* what fell, to what, against which threshold */
    str runbook; /* may be empty */
    uint64_t fingerprint;
    usec_utc starts;
    usec_utc ends; /* when resolved */
    bool is_resolved;
};
struct wire_notice {
    str receiver;
    str link; /* to the dashboard; may be empty */
    uint64_t group;
    struct wire_alert alerts[WIRE_NOTICE_ALERTS_MAX];
    size_t count; /* > 0 */
    size_t left_out;
    bool
        is_change; /* it tells of something that was done: nobody need act, and nothing will be resolved */
};
/* The notice of a message; link is where the dashboard is. Texts in the arena. */
void wire_notice_make(struct wire_notice *out, const struct alert_machine *m,
                      const struct alert_message *message, str link, struct arena *arena);
/* A notice that says that it is a test. */
void wire_notice_test(struct wire_notice *out, str receiver, usec_utc now);

/* How many bodies a notice makes: one, or for PagerDuty one for each alert. */
size_t wire_body_count(enum wire_kind kind, const struct wire_notice *n);
/* The i-th body. For PagerDuty without its routing_key, which wire_pagerduty_address() puts in front; for e-mail headers
 * (without From and To) and text. */
void wire_body(struct buf *out, enum wire_kind kind, const struct wire_notice *n, size_t i,
               usec_utc now);
/* {"routing_key":"…", and the body's members. */
void wire_pagerduty_address(struct buf *out, str body, str routing_key);
/* Where a body goes: url, or PagerDuty's public address when that is empty; changes go to …/change/enqueue beside it. An address that
 * does not end with /enqueue takes both. */
void wire_pagerduty_url(struct buf *out, str url, str body);

/* Standard Webhooks: what is signed, "id.seconds.body"; the caller computes the HMAC. */
void wire_webhook_signed(struct buf *out, str id, usec_utc now, str body);

/* What an answer means to a sender. */
enum wire_result {
    WIRE_DELIVERED,
    WIRE_RETRY, /* later, with backoff, or when it asks for it */
    WIRE_REFUSED, /* the same bytes will never be taken: a dead letter */
    WIRE_DISABLED, /* the address is gone for good: the channel stops */
};
enum wire_result wire_result_of(enum wire_kind kind, int http_status, str body);

#endif
