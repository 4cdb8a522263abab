/* SPDX-License-Identifier: Apache-2.0 */
/*
 * post: one message out, waited for: a POST, an e-mail to an SMTP server, or (without a body) a GET. For threads and commands that
 * may wait; never for a loop.
 *
 * A caller may rely on: it returns within the timeout, plus the little that closing takes; certificates are
 * checked; redirects are not followed, since they would carry a secret somewhere else; nothing is logged.
 *
 * May include: base.
 */
#ifndef WEIR_EDGE_UPSTREAM_POST_H
#define WEIR_EDGE_UPSTREAM_POST_H

#include "base/base.h"

#define POST_HEADERS_MAX 8
#define POST_RECIPIENTS_MAX 16
#define POST_ANSWER_BYTES_MAX ((size_t)64 << 10)

struct post_header {
    str name;
    str value;
};

struct post_request {
    str url; /* http, https, smtp, smtps */
    str content_type; /* of a POST; empty: application/json */
    struct post_header headers[POST_HEADERS_MAX]; /* of a POST; Content-Type is added */
    size_t header_count;
    str method; /* empty: POST */
    size_t answer_bytes_max; /* 0: POST_ANSWER_BYTES_MAX; what is beyond is dropped */
    str body; /* of an e-mail: headers and text, CRLF line ends */
    /* E-mail only. */
    str from; /* "weir@example.org" */
    str to[POST_RECIPIENTS_MAX];
    size_t to_count;
    str user, password; /* empty: no log-in */
    bool requires_tls; /* smtp://: STARTTLS or nothing */
    nsec timeout; /* of everything */
    /* Optional, asked about once a second: true ends it before its time. */
    bool (*is_cancelled)(void *ctx);
    void *ctx;
};

struct post_answer {
    int status; /* HTTP's or SMTP's; 0: there was no answer */
    nsec retry_after; /* negative: none */
    struct buf body; /* the caller's to fini */
    char error[160]; /* without secrets; empty when there is a status */
};

/* Once in a process, before any thread posts; and once at its end. */
NODISCARD enum err post_init(void);
void post_fini(void);

/* OK when there is an answer, of whatever status; PROVIDER_UNREACHABLE, PROVIDER_TLS, PROVIDER_FIRST_BYTE (too slow), WEIR_NO_MEMORY.
 * *out is written in every case. */
NODISCARD enum err post_send(const struct post_request *request, struct post_answer *out);

#endif
