/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys: POST and GET /admin/v1/keys, and the keys that control.db remembers.
 *
 * A key is the events about it: that it was created, with the hash of its text, and that it was revoked; each with its actor and
 * reason. An event is durable before the key opens anything, or stops opening it.
 */
#include "app/control/control_internal.h"

#include <stdio.h>
#include <string.h>

#include "app/access/access.h"
#include "edge/store/spending.h"

#define KIND STR("key")
#define MINT_ATTEMPTS 8 /* an id of 32 bits may be taken */

/* ---- events ---- */

static void digest_write(const uint8_t digest[SHA256_BYTES], struct buf *out)
{
    char hex[2 * SHA256_BYTES];

    hex_write(hex, digest, SHA256_BYTES);
    json_member_str(out, "sha256", (str){ hex, sizeof(hex) });
}

static bool digest_read(struct json object, struct arena *arena, uint8_t out[SHA256_BYTES])
{
    str hex;

    if (!json_str(json_get(object, STR("sha256")), arena, &hex) || hex.len != 2 * SHA256_BYTES)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Appends an event; spec is NULL but for a creation. */
static enum err event_append(struct controller *c, str id, const char *operation,
                             const struct api_request *request, const struct key_spec *spec)
{
    struct buf text = { 0 };
    int64_t sequence;

    buf_add_char(&text, '{');
    json_member_str(&text, "operation", str_from(operation));
    if (spec) {
        digest_write(spec->digest, &text);
        key_spec_write(spec, &text);
    }
    json_member_str(&text, "actor", request->actor);
    json_member_str(&text, "note", request->reason);
    buf_add_char(&text, '}');
    struct control_event event = {
        .at = c->wall, .kind = KIND, .subject = id, .text = buf_str(&text)
    };
    enum err e = text.failed ? WEIR_NO_MEMORY : transaction_begin(c);
    if (e == OK) {
        e = control_append(c->store, &event, &sequence);
        e = transaction_end(c, "key", e);
    }
    buf_fini(&text);
    return e;
}

struct restoring {
    struct access *access;
    enum err fault;
};

static enum err event_apply(struct access *access, const struct control_event *event,
                            struct arena *arena)
{
    struct json root;
    struct key_spec spec;
    str operation;

    if (json_parse(arena, event->text, &root, NULL) != OK ||
        !json_str(json_get(root, STR("operation")), arena, &operation))
        return WEIR_STORE;
    if (str_eq(operation, STR("revoke")))
        return access_revoke(access, event->subject, event->at) ? OK : WEIR_STORE;
    if (key_spec_read(root, arena, &spec) || !digest_read(root, arena, spec.digest))
        return WEIR_STORE;
    spec.id = event->subject;
    spec.created = event->at;
    return access_add(access, &spec);
}

static void on_event(void *ctx, const struct control_event *event)
{
    struct restoring *r = ctx;
    struct arena arena;

    if (r->fault != OK)
        return;
    arena_init(&arena, (size_t)1 << 20);
    r->fault = event_apply(r->access, event, &arena);
    arena_fini(&arena);
}

/* ---- what was used before the start ---- */

static void on_spending(void *ctx, const struct spending *row)
{
    struct controller *c = ctx;
    const struct limit_amounts used = {
        { [LIMIT_REQUESTS] = row->requests, [LIMIT_TOKENS] = row->tokens, [LIMIT_COST] = row->cost }
    };

    access_restore(c->options.access, row->key, row->tenant, c->wall, row->at, &used);
}

/* Counters are the ledger's: what the last process counted went with it. */
static enum err spending_restore(struct controller *c, char out_why[256])
{
    usec_utc since = c->wall - 2 * limit_window_length(LIMIT_MONTH);

    if (!access_has_limits(c->options.access))
        return OK;
    return store_read_spending(c->options.directory, since, c->wall, on_spending, c, out_why);
}

enum err keys_restore(struct controller *c, char out_why[256])
{
    struct restoring r = { .access = c->options.access };

    if (!r.access)
        return OK;
    enum err e =
        control_events(c->store, KIND, STR(""), 0, (int64_t)ACCESS_KEYS_MAX * 2, on_event, &r);
    if (e == OK)
        e = r.fault;
    if (e != OK) {
        snprintf(out_why, 256, "control.db: its keys cannot be read");
        return e;
    }
    return spending_restore(c, out_why);
}

/* ---- writing ---- */

static void view_write(const struct access_view *v, struct buf *out)
{
    const struct limit_view *l = &v->limit;

    buf_add_char(out, '{');
    json_member_str(out, "of", str_from(limit_kind_name(l->rule.kind)));
    if (l->rule.kind != LIMIT_CONCURRENT)
        json_member_str(out, "per", str_from(limit_window_name(l->rule.window)));
    json_member_i64(out, "most", l->rule.most);
    json_member_i64(out, "used", l->used);
    json_member_i64(out, "reserved", l->held);
    json_member_i64(out, "left", l->left);
    json_member_bool(out, "is_tenants", v->is_tenants);
    buf_add_char(out, '}');
}

/* Never the digest: nobody needs it. */
static void key_write(const struct controller *c, const struct key *key, struct buf *out)
{
    struct access_view views[2 * LIMIT_RULES_MAX];
    size_t count = access_views(key, c->wall, views);
    struct key_spec spec = key_describe(key);

    json_member_str(out, "id", spec.id);
    json_member_str(out, "tenant", spec.tenant);
    json_member_bool(out, "configured", key_is_configured(key));
    api_member_utc(out, "created", spec.created);
    api_member_utc(out, "expires", spec.expires);
    api_member_utc(out, "revoked", spec.revoked);
    json_key(out, "models");
    buf_add_char(out, '[');
    for (size_t i = 0; i < spec.model_count; i++) {
        json_comma(out);
        json_write_str(out, spec.models[i]);
    }
    buf_add_char(out, ']');
    json_key(out, "limits");
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_comma(out);
        view_write(&views[i], out);
    }
    buf_add_char(out, ']');
}

struct listing {
    const struct controller *c;
    struct buf *out;
};

static void on_key(void *ctx, const struct key *key)
{
    struct listing *l = ctx;

    json_comma(l->out);
    buf_add_char(l->out, '{');
    key_write(l->c, key, l->out);
    buf_add_char(l->out, '}');
}

static void keys_list(struct controller *c, struct exchange *x)
{
    struct buf body = { 0 };
    struct listing listing = { c, &body };

    buf_add(&body, STR("{\"object\":\"list\",\"data\":["));
    access_each(c->options.access, on_key, &listing);
    buf_add(&body, STR("]}"));
    api_answer(x, 200, &body);
    buf_fini(&body);
}

/* ---- creating and revoking ---- */

static enum err mint(const struct controller *c, char text[KEY_TEXT_CHARS + 1],
                     struct key_spec *spec)
{
    uint8_t random[KEY_RANDOM_BYTES];

    for (int i = 0; i < MINT_ATTEMPTS; i++) {
        enum err e = world_random(random, sizeof(random));
        if (e != OK)
            return e;
        key_digest(key_mint(random, text, &spec->id), spec->digest);
        explicit_bzero(random, sizeof(random));
        if (!access_key(c->options.access, spec->id))
            return OK;
    }
    return WEIR_OVERLOADED;
}

static void key_create(struct controller *c, struct exchange *x)
{
    const struct api_error failed = { 503, "failed", STR("the key cannot be created") };
    char text[KEY_TEXT_CHARS + 1];
    struct api_request request;
    struct key_spec spec;
    struct buf body = { 0 };

    if (!api_read(x, &request))
        return;
    const char *why = key_spec_read(request.body, exchange_arena(x), &spec);
    if (!why && spec.expires != 0 && spec.expires <= c->wall)
        why = "expires_us has passed";
    if (why) {
        const struct api_error error = { 400, "bad_request", str_from(why) };
        api_refuse(x, &error);
        return;
    }
    spec.created = c->wall;
    enum err e = mint(c, text, &spec);
    bool is_minted = e == OK;
    if (e == OK)
        e = event_append(c, spec.id, "create", &request, &spec);
    bool is_written = e == OK;
    if (e == OK)
        e = access_add(c->options.access, &spec);
    if (e != OK) {
        explicit_bzero(text, sizeof(text));
        api_refuse(x, is_minted && !is_written ? api_store_error(c) : &failed);
        return;
    }
    buf_add_char(&body, '{');
    json_member_str(&body, "key", str_from(text)); /* here and never again */
    key_write(c, access_key(c->options.access, spec.id), &body);
    buf_add_char(&body, '}');
    api_answer(x, 200, &body);
    explicit_bzero(body.ptr, body.len);
    explicit_bzero(text, sizeof(text));
    buf_fini(&body);
}

static void key_revoke(struct controller *c, struct exchange *x, str id)
{
    const struct api_error unknown = {
        404, "unknown_key",
        STR("no key that was created here has this id; those of server.keys "
            "are taken out of the configuration")
    };
    struct api_request request;
    struct buf body = { 0 };

    if (!api_read(x, &request))
        return;
    const struct key *key = access_key(c->options.access, id);
    if (!key) {
        api_refuse(x, &unknown);
        return;
    }
    bool is_revoked = key_describe(key).revoked != 0;
    if (!is_revoked && event_append(c, id, "revoke", &request, NULL) != OK) {
        api_refuse(x, api_store_error(c));
        return;
    }
    IGNORE(access_revoke(c->options.access, id, c->wall));
    buf_add_char(&body, '{');
    key_write(c, key, &body);
    buf_add_char(&body, '}');
    api_answer(x, 200, &body);
    buf_fini(&body);
}

void api_keys(struct controller *c, struct exchange *x, str rest)
{
    str method = exchange_method(x), end = STR("/revoke");

    if (!c->options.access) {
        api_refuse(x, &api_unknown_path);
    } else if (rest.len == 0 && str_eq(method, STR("GET"))) {
        keys_list(c, x);
    } else if (rest.len == 0 && str_eq(method, STR("POST"))) {
        key_create(c, x);
    } else if (rest.len > end.len && str_ends(rest, end) && str_eq(method, STR("POST"))) {
        key_revoke(c, x, str_slice(rest, 0, rest.len - end.len));
    } else {
        bool is_path = rest.len == 0 || str_ends(rest, end);
        api_refuse(x, is_path ? &api_bad_method : &api_unknown_path);
    }
}
