/* SPDX-License-Identifier: Apache-2.0 */
/* post: see post.h. */
#include "edge/upstream/post.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "edge/upstream/upstream.h"

/* What one post needs while it runs. */
struct post {
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *recipients;
    struct post_answer *answer;
    const struct post_request *request;
    str rest; /* of an e-mail that is not sent yet */
    size_t answer_bytes_max;
    bool failed;
};

enum err post_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? OK : WEIR_NO_MEMORY;
}

void post_fini(void)
{
    curl_global_cleanup();
}

/* ---- what comes and goes ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct post *p = ctx;

    (void)size; /* always 1 */
    size_t room = p->answer_bytes_max - p->answer->body.len;
    buf_add(&p->answer->body, (str){ bytes, count < room ? count : room });
    return count; /* what is beyond the limit is read and dropped */
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct post *p = ctx;
    str header = { line, size * count }, name = { 0 };
    static const str retry_after = { "Retry-After", 11 };

    if (str_next(&header, ':', &name) && str_eq_nocase(name, retry_after)) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        p->answer->retry_after = upstream_retry_after(
            str_trim(header), now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000);
    }
    return count;
}

static size_t on_upload(char *out, size_t size, size_t count, void *ctx)
{
    struct post *p = ctx;
    size_t n = size * count < p->rest.len ? size * count : p->rest.len;

    if (n > 0)
        memcpy(out, p->rest.ptr, n);
    p->rest = str_slice(p->rest, n, p->rest.len);
    return n;
}

static int on_progress(void *ctx, curl_off_t to_come, curl_off_t came, curl_off_t to_go,
                       curl_off_t went)
{
    const struct post *p = ctx;

    (void)to_come;
    (void)came;
    (void)to_go;
    (void)went;
    return p->request->is_cancelled(p->request->ctx);
}

/* ---- options ---- */

/* Appends a line to a list; a line break in it is refused, for it would begin another header. */
static void list_add(struct post *p, struct curl_slist **list, str first, const char *between,
                     str second)
{
    struct buf line = { 0 };

    buf_printf(&line, "%.*s%s%.*s", STR_ARG(first), between, STR_ARG(second));
    struct curl_slist *longer = NULL;
    if (str_find_char(buf_str(&line), '\n') == STR_NPOS &&
        str_find_char(buf_str(&line), '\r') == STR_NPOS)
        longer = curl_slist_append(*list, buf_cstr(&line));
    if (longer)
        *list = longer;
    else
        p->failed = true;
    buf_fini(&line);
}

#define SET(option, value) p->failed |= curl_easy_setopt(p->easy, option, value) != CURLE_OK

/* libcurl copies text options. */
static void set_text(struct post *p, CURLoption option, str text)
{
    struct buf copy = { 0 };

    if (text.len > 0) {
        buf_add(&copy, text);
        SET(option, buf_cstr(&copy));
        p->failed |= copy.failed;
        explicit_bzero(copy.ptr, copy.len);
    }
    buf_fini(&copy);
}

static void configure_http(struct post *p, const struct post_request *request)
{
    list_add(p, &p->headers, STR("Content-Type"), ": ",
             request->content_type.len > 0 ? request->content_type : STR("application/json"));
    list_add(p, &p->headers, STR("Expect"), ":", STR(""));
    for (size_t i = 0; i < request->header_count; i++)
        list_add(p, &p->headers, request->headers[i].name, ": ", request->headers[i].value);
    SET(CURLOPT_HTTPHEADER, p->headers);
    if (request->method.len > 0)
        set_text(p, CURLOPT_CUSTOMREQUEST, request->method);
    if (str_eq(request->method, STR("GET")))
        return;
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    SET(CURLOPT_POSTFIELDS, request->body.len > 0 ? request->body.ptr : "");
}

static void configure_mail(struct post *p, const struct post_request *request)
{
    p->rest = request->body;
    set_text(p, CURLOPT_MAIL_FROM, request->from);
    for (size_t i = 0; i < request->to_count; i++)
        list_add(p, &p->recipients, request->to[i], "", STR(""));
    SET(CURLOPT_MAIL_RCPT, p->recipients);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, on_upload);
    SET(CURLOPT_READDATA, p);
    set_text(p, CURLOPT_USERNAME, request->user);
    set_text(p, CURLOPT_PASSWORD, request->password);
    SET(CURLOPT_USE_SSL, (long)(request->requires_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
}

static void configure(struct post *p, const struct post_request *request)
{
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_TIMEOUT_MS, (long)(request->timeout / NSEC_PER_MS));
    SET(CURLOPT_USERAGENT, "weir");
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, p);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, p);
    if (request->is_cancelled) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, p);
    }
    set_text(p, CURLOPT_URL, request->url);
    if (str_starts(request->url, STR("smtp")))
        configure_mail(p, request);
    else
        configure_http(p, request);
}

#undef SET

static enum err fault_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK:
        return OK;
    case CURLE_OPERATION_TIMEDOUT:
        return PROVIDER_FIRST_BYTE;
    case CURLE_OUT_OF_MEMORY:
        return WEIR_NO_MEMORY;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
        return PROVIDER_TLS;
    default:
        return PROVIDER_UNREACHABLE;
    }
}

static enum err perform(struct post *p)
{
    CURLcode code = curl_easy_perform(p->easy);
    long status = 0;

    IGNORE(curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status));
    /* A refusal by SMTP is an error to libcurl and an answer to us. */
    bool is_refusal = status >= 400 && code != CURLE_OPERATION_TIMEDOUT;
    if (code != CURLE_OK && !is_refusal) {
        snprintf(p->answer->error, sizeof(p->answer->error), "%s", curl_easy_strerror(code));
        return fault_of(code);
    }
    p->answer->status = (int)status;
    return OK;
}

enum err post_send(const struct post_request *request, struct post_answer *out)
{
    struct post p = { .easy = curl_easy_init(),
                      .answer = out,
                      .request = request,
                      .answer_bytes_max = request->answer_bytes_max > 0 ? request->answer_bytes_max
                                                                        : POST_ANSWER_BYTES_MAX };
    enum err e = WEIR_NO_MEMORY;

    *out = (struct post_answer){ .retry_after = -1 };
    if (p.easy) {
        configure(&p, request);
        if (!p.failed)
            e = perform(&p);
        else
            snprintf(out->error, sizeof(out->error), "the address or a header cannot be used");
    }
    curl_easy_cleanup(p.easy);
    curl_slist_free_all(p.headers);
    curl_slist_free_all(p.recipients);
    return e;
}
