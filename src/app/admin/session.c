/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: who may use the admin API.
 *
 * Without server.admin_key the listener is this machine's own (the caller sees to that), and a request must name this machine as its
 * host, so that no page of another site reaches it by making its name point here. With a key a request carries the key itself, or
 * the cookie of a session that was given for it. What changes something must come from a page of this origin.
 */
#include "app/admin/dashboard_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SESSION_LIFE (12 * 3600 * NSEC_PER_SEC)
#define FAILURES_MAX 10 /* wrong keys a minute, of all who try together */
#define MINUTE (60 * NSEC_PER_SEC)
#define PORT_DIGITS_MAX 5

static const struct refusal refusal_host = {
    403, "bad_host", "without server.admin_key this listener answers to localhost only"
};
static const struct refusal refusal_origin = { 403, "bad_origin",
                                               "a change must come from a page of this listener" };
static const struct refusal refusal_key = { 401, "sign_in", "the key is missing or wrong" };
static const struct refusal refusal_tries = { 429, "too_many_tries",
                                              "too many wrong keys: wait a minute" };
static const struct refusal refusal_body = { 400, "bad_request",
                                             "send {\"key\": \"...\"} as application/json" };

/* ---- hosts and origins ---- */

static str host_of(str address)
{
    size_t end = address.len;

    while (end > 0 && address.ptr[end - 1] >= '0' && address.ptr[end - 1] <= '9')
        end--;
    bool has_port = end > 0 && address.ptr[end - 1] == ':';
    str host = str_slice(address, 0, has_port ? end - 1 : address.len);
    return str_starts(host, STR("[")) && str_ends(host, STR("]")) ? str_slice(host, 1, host.len - 1)
                                                                  : host;
}

/* 127.a.b.c; no other spelling of an address, and no name that only begins so. */
static bool is_loopback_v4(str host)
{
    str field;
    int64_t fields = 0, number;

    if (!str_starts(host, STR("127.")))
        return false;
    while (str_next(&host, '.', &field)) {
        fields++;
        if (field.len > 3 || !str_to_i64(field, &number) || number < 0 || number > 255)
            return false;
    }
    return fields == 4;
}

bool dashboard_is_loopback(str listen)
{
    str host = host_of(listen);

    return str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("::1")) ||
           is_loopback_v4(host);
}

/* A browser says where a change comes from; a program that is none says nothing. */
static bool is_same_origin(const struct exchange *x, bool must_say)
{
    str site = exchange_header(x, STR("sec-fetch-site"));
    str origin = exchange_header(x, STR("origin"));
    str host = exchange_header(x, STR("host"));
    size_t scheme = str_find(origin, STR("://"));

    if (site.ptr && !str_eq(site, STR("same-origin")) && !str_eq(site, STR("none")))
        return false;
    if (origin.ptr &&
        (scheme == STR_NPOS || !str_eq_nocase(str_slice(origin, scheme + 3, origin.len), host)))
        return false;
    return site.ptr || origin.ptr || !must_say;
}

static bool is_change(const struct exchange *x)
{
    str method = exchange_method(x);

    return !str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD"));
}

/* ---- sessions ---- */

/* Cookies do not know ports: two gateways on one machine must not sign each other out. */
static void cookie_name(const struct exchange *x, char out[32])
{
    str host = exchange_header(x, STR("host"));
    size_t from = host.len;

    while (from > 0 && host.len - from < PORT_DIGITS_MAX && host.ptr[from - 1] >= '0' &&
           host.ptr[from - 1] <= '9')
        from--;
    str port = str_slice(host, from, host.len);
    snprintf(out, 32, "weir_session_%.*s", STR_ARG(port));
}

static str cookie_find(const struct exchange *x)
{
    str rest = exchange_header(x, STR("cookie")), pair;
    char name[32];

    cookie_name(x, name);
    while (str_next(&rest, ';', &pair)) {
        pair = str_trim(pair);
        size_t equals = str_find_char(pair, '=');
        if (equals != STR_NPOS && str_eq(str_slice(pair, 0, equals), str_from(name)))
            return str_slice(pair, equals + 1, pair.len);
    }
    return (str){ 0 };
}

static struct session *session_find(struct dashboard *d, str token)
{
    nsec now = world_now(d->options.world);
    struct session *found = NULL;

    if (token.len != SESSION_TOKEN_LEN)
        return NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &d->sessions.items[i];
        if (s->until > now && str_eq_secret((str){ s->token, SESSION_TOKEN_LEN }, token))
            found = s;
    }
    return found;
}

/* A new one takes the place of the one that ends first. */
static NODISCARD enum err session_make(struct dashboard *d, struct session **out)
{
    uint8_t random[SESSION_TOKEN_LEN / 2];
    struct session *s = &d->sessions.items[0];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return WEIR_IO;
    for (size_t i = 1; i < SESSIONS_MAX; i++) {
        if (d->sessions.items[i].until < s->until)
            s = &d->sessions.items[i];
    }
    hex_write(s->token, random, sizeof(random));
    s->until = world_now(d->options.world) + SESSION_LIFE;
    *out = s;
    return OK;
}

/* ---- who asks ---- */

static str admin_key(const struct dashboard *d)
{
    return d->options.config->server.admin_key;
}

static bool has_bearer(const struct dashboard *d, const struct exchange *x)
{
    str header = exchange_header(x, STR("authorization"));

    return str_eq_nocase(str_slice(header, 0, 7), STR("bearer ")) &&
           str_eq_secret(admin_key(d), str_trim(str_slice(header, 7, header.len)));
}

static bool is_known(struct dashboard *d, const struct exchange *x)
{
    return admin_key(d).len == 0 || has_bearer(d, x) || session_find(d, cookie_find(x)) != NULL;
}

/* NULL: it may. */
static const struct refusal *refusal_of(struct dashboard *d, const struct exchange *x)
{
    bool has_key = admin_key(d).len > 0;

    if (!has_key && !dashboard_is_loopback(exchange_header(x, STR("host"))))
        return &refusal_host;
    if (has_key && has_bearer(d, x))
        return NULL;
    if (is_change(x) && !is_same_origin(x, has_key))
        return &refusal_origin;
    return is_known(d, x) ? NULL : &refusal_key;
}

bool session_allows(struct dashboard *d, struct exchange *x)
{
    const struct refusal *refusal = refusal_of(d, x);

    if (refusal)
        dashboard_refuse(x, refusal);
    return refusal == NULL;
}

/* ---- /admin/v1/session ---- */

static void state_answer(struct exchange *x, bool is_required, bool is_signed_in, str cookie)
{
    struct buf body = { 0 };
    const struct answer_header headers[] = {
        { STR("Cache-Control"), STR("no-store") },
        { STR("Set-Cookie"), cookie },
    };

    buf_add_char(&body, '{');
    json_member_bool(&body, "required", is_required);
    json_member_bool(&body, "signed_in", is_signed_in);
    buf_add_char(&body, '}');
    exchange_respond(x, 200, STR("application/json"), headers,
                     cookie.len > 0 ? ARRAY_LEN(headers) : 1, buf_str(&body));
    buf_fini(&body);
}

/* Too many wrong keys within a minute end the trying until the minute is over. */
static bool may_try(struct dashboard *d)
{
    struct sessions *s = &d->sessions;
    nsec now = world_now(d->options.world);

    if (now - s->failing_since >= MINUTE) {
        s->failing_since = now;
        s->failures = 0;
    }
    return s->failures < FAILURES_MAX;
}

static bool key_read(struct exchange *x, str *out)
{
    struct json root;

    return str_starts(exchange_header(x, STR("content-type")), STR("application/json")) &&
           json_parse(exchange_arena(x), exchange_body(x), &root, NULL) == OK &&
           json_str(json_get(root, STR("key")), exchange_arena(x), out);
}

static void cookie_answer(struct exchange *x, str token, nsec life)
{
    char name[32];

    cookie_name(x, name);
    state_answer(x, true, token.len > 0,
                 arena_printf(exchange_arena(x),
                              "%s=%.*s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%" PRId64, name,
                              STR_ARG(token), life / NSEC_PER_SEC));
}

static void sign_in(struct dashboard *d, struct exchange *x)
{
    const struct refusal failed = { 503, "no_randomness", "no session can be made just now" };
    struct session *session = NULL;
    str key = { 0 };

    if (admin_key(d).len == 0) {
        state_answer(x, false, true, (str){ 0 });
    } else if (!is_same_origin(x, false)) {
        dashboard_refuse(x, &refusal_origin);
    } else if (!may_try(d)) {
        dashboard_refuse(x, &refusal_tries);
    } else if (!key_read(x, &key)) {
        dashboard_refuse(x, &refusal_body);
    } else if (!str_eq_secret(admin_key(d), key)) {
        d->sessions.failures++;
        LOG(d->options.log, LOG_WARNING, "a wrong key at the dashboard",
            LOG_TEXT("peer", exchange_peer(x)));
        dashboard_refuse(x, &refusal_key);
    } else if (session_make(d, &session) != OK) {
        dashboard_refuse(x, &failed);
    } else {
        LOG(d->options.log, LOG_INFO, "signed in at the dashboard",
            LOG_TEXT("peer", exchange_peer(x)));
        cookie_answer(x, (str){ session->token, SESSION_TOKEN_LEN }, SESSION_LIFE);
    }
}

void session_answer(struct dashboard *d, struct exchange *x)
{
    str method = exchange_method(x);
    bool has_key = admin_key(d).len > 0;

    if (!has_key && !dashboard_is_loopback(exchange_header(x, STR("host")))) {
        dashboard_refuse(x, &refusal_host);
    } else if (str_eq(method, STR("GET"))) {
        state_answer(x, has_key, is_known(d, x), (str){ 0 });
    } else if (str_eq(method, STR("POST"))) {
        sign_in(d, x);
    } else if (!str_eq(method, STR("DELETE"))) {
        dashboard_refuse(x, &refusal_method);
    } else if (!is_same_origin(x, has_key)) {
        dashboard_refuse(x, &refusal_origin);
    } else {
        struct session *session = session_find(d, cookie_find(x));
        if (session)
            session->until = 0;
        cookie_answer(x, (str){ 0 }, 0);
    }
}
