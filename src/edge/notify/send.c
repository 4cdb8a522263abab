/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send: one attempt at one message: where a body from the outbox meets the channel's address and secrets.
 */
#include "edge/notify/notify.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "edge/upstream/post.h"

/* ---- signatures ---- */

static void hmac_sha256(const uint8_t *key, size_t key_len, str text, uint8_t out[SHA256_BYTES])
{
    uint8_t pad[SHA256_BLOCK] = { 0 }, inner[SHA256_BYTES];
    struct sha256 s;

    if (key_len > SHA256_BLOCK) {
        sha256_init(&s);
        sha256_add(&s, (str){ (const char *)key, key_len });
        sha256_end(&s, pad); /* 32 bytes, the rest stays zero */
    } else {
        memcpy(pad, key, key_len);
    }
    for (size_t i = 0; i < SHA256_BLOCK; i++)
        pad[i] ^= 0x36;
    sha256_init(&s);
    sha256_add(&s, (str){ (const char *)pad, sizeof(pad) });
    sha256_add(&s, text);
    sha256_end(&s, inner);
    for (size_t i = 0; i < SHA256_BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5C;
    sha256_init(&s);
    sha256_add(&s, (str){ (const char *)pad, sizeof(pad) });
    sha256_add(&s, (str){ (const char *)inner, sizeof(inner) });
    sha256_end(&s, out);
    explicit_bzero(pad, sizeof(pad));
}

/* "v1,… v1,…", one for each secret. */
static void sign(struct buf *out, const struct wire_channel *c, str key, usec_utc now, str body)
{
    struct buf text = { 0 };

    wire_webhook_signed(&text, key, now, body);
    for (size_t i = 0; i < c->secret_count; i++) {
        uint8_t secret[WIRE_SECRET_BYTES_MAX], digest[SHA256_BYTES];
        hmac_sha256(secret, wire_secret_decode(c->secrets[i], secret), buf_str(&text), digest);
        buf_add(out, i > 0 ? STR(" v1,") : STR("v1,"));
        buf_add_base64(out, (str){ (const char *)digest, sizeof(digest) });
        explicit_bzero(secret, sizeof(secret));
    }
    buf_fini(&text);
}

/* ---- requests ---- */

/* The texts that a request points to while it is under way. */
struct parcel {
    struct post_request request;
    struct buf url, body, signature, seconds;
};

static void parcel_fini(struct parcel *p)
{
    if (p->body.ptr)
        explicit_bzero(p->body.ptr, p->body.len); /* may hold a routing key */
    buf_fini(&p->url);
    buf_fini(&p->body);
    buf_fini(&p->signature);
    buf_fini(&p->seconds);
}

static void add_header(struct post_request *request, str name, str value)
{
    request->headers[request->header_count++] = (struct post_header){ name, value };
}

static void pack_webhook(struct parcel *p, const struct wire_channel *c, str key, str body,
                         usec_utc now)
{
    sign(&p->signature, c, key, now, body);
    buf_printf(&p->seconds, "%" PRId64, now / 1000000);
    add_header(&p->request, STR("webhook-id"), key);
    add_header(&p->request, STR("webhook-timestamp"), buf_str(&p->seconds));
    add_header(&p->request, STR("webhook-signature"), buf_str(&p->signature));
}

static void pack_email(struct parcel *p, const struct wire_channel *c, str body)
{
    buf_printf(&p->body, "From: %.*s\r\nTo: ", STR_ARG(c->from));
    for (size_t i = 0; i < c->to_count; i++) {
        buf_add(&p->body, i > 0 ? STR(", ") : STR(""));
        buf_add(&p->body, c->to[i]);
        p->request.to[i] = c->to[i];
    }
    buf_add(&p->body, STR("\r\n"));
    buf_add(&p->body, body);
    p->request.to_count = c->to_count;
    p->request.from = c->from;
    p->request.user = c->user;
    p->request.password = c->password;
    p->request.requires_tls = c->password.len > 0; /* a password never goes in the clear */
    p->request.body = buf_str(&p->body);
}

static bool pack(struct parcel *p, const struct wire_channel *c, str key, str body, usec_utc now)
{
    p->request.url = c->url;
    p->request.body = body;
    switch (c->kind) {
    case WIRE_SLACK:
        break;
    case WIRE_PAGERDUTY:
        wire_pagerduty_url(&p->url, c->url, body);
        p->request.url = buf_str(&p->url);
        wire_pagerduty_address(&p->body, body, c->secrets[0]);
        p->request.body = buf_str(&p->body);
        break;
    case WIRE_WEBHOOK:
        pack_webhook(p, c, key, body, now);
        break;
    case WIRE_ALERTMANAGER:
        buf_add(&p->url, c->url);
        buf_add(&p->url, str_ends(c->url, STR("/")) ? STR("api/v2/alerts") : STR("/api/v2/alerts"));
        p->request.url = buf_str(&p->url);
        break;
    case WIRE_EMAIL:
        pack_email(p, c, body);
        break;
    case WIRE_KIND_COUNT:
        return false;
    }
    return !p->url.failed && !p->body.failed && !p->signature.failed && !p->seconds.failed;
}

/* What a service said, on one line and without control bytes. Slack and PagerDuty say what was wrong. */
static void explain(char out[256], const struct post_answer *answer)
{
    str said = str_slice(str_trim(buf_str(&answer->body)), 0, 120);
    int n = snprintf(out, 256, "it answered %d%s", answer->status, said.len > 0 ? ": " : "");

    for (size_t i = 0; i < said.len && n < 255; i++) {
        unsigned char c = (unsigned char)said.ptr[i];
        out[n++] = c < 0x20 || c == 0x7F ? ' ' : (char)c;
    }
    out[n] = '\0';
}

enum wire_result notify_send(const struct wire_channel *c, str key, str body, usec_utc now,
                             nsec timeout, nsec *out_retry_after, char out_why[256])
{
    struct parcel p = { .request.timeout = timeout };
    struct post_answer answer = { .retry_after = -1 };
    enum wire_result result = WIRE_RETRY;
    enum err e = pack(&p, c, key, body, now) ? post_send(&p.request, &answer) : WEIR_NO_MEMORY;

    out_why[0] = '\0';
    if (e == OK)
        result = wire_result_of(c->kind, answer.status, buf_str(&answer.body));
    if (e != OK)
        snprintf(out_why, 256, "%s%s%s", err_info(e)->text, answer.error[0] ? ": " : "",
                 answer.error);
    else if (result != WIRE_DELIVERED)
        explain(out_why, &answer);
    *out_retry_after = answer.retry_after;
    buf_fini(&answer.body);
    parcel_fini(&p);
    return result;
}
