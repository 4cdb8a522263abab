/* SPDX-License-Identifier: Apache-2.0 */
/* wire: the table of dialects, and what the wires share. */
#include "core/dialect/wire_internal.h"

#include <ctype.h>

/* clang-format off */
static const struct dialect dialects[] = {
    { "openai", true, NULL, "",
      { [API_CHAT]       = &wire_chat,
        [API_EMBEDDINGS] = &wire_embeddings,
        [API_RESPONSES]  = &wire_responses } },
    { "anthropic", false, "x-api-key: ", "anthropic-version: 2023-06-01\n",
      { [API_CHAT]       = &wire_chat_as_messages,
        [API_MESSAGES]   = &wire_messages } },
};
/* clang-format on */

const struct dialect *dialect_find(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        if (str_eq(name, str_from(dialects[i].name)))
            return &dialects[i];
    }
    return NULL;
}

str dialect_authorization(const struct dialect *dialect, struct arena *arena, str key)
{
    if (key.len == 0 || !dialect->takes_bearer)
        return STR("");
    return arena_printf(arena, "Bearer %.*s", STR_ARG(key));
}

str dialect_headers(const struct dialect *dialect, struct arena *arena, str key)
{
    if (key.len == 0 || dialect->takes_bearer)
        return str_from(dialect->headers);
    return arena_printf(arena, "%s%.*s\n%s", dialect->key_header, STR_ARG(key), dialect->headers);
}

struct wire_stream *wire_stream_new(struct arena *arena, int64_t created)
{
    struct wire_stream *s = ARENA_NEW(arena, struct wire_stream);

    if (s)
        s->created = created;
    return s;
}

enum err wire_call_write(const struct wire *wire, struct buf *out, struct arena *arena,
                         const struct chat_call *call, const struct chat_request **out_chat)
{
    struct chat_error error;
    struct buf chat = { .max = out->max };

    if (wire == &wire_chat) {
        chat_call_write(out, call);
        *out_chat = NULL;
        return OK;
    }
    struct chat_request *request = ARENA_NEW(arena, struct chat_request);
    chat_call_write(&chat, call);
    str body = chat.failed ? (str){ NULL, 0 } : arena_str(arena, buf_str(&chat));
    buf_fini(&chat);
    if (!request)
        return WEIR_NO_MEMORY;
    enum err e = chat_request_parse(arena, body, request, &error);
    if (e == OK)
        e = wire->request(out, arena, request, call->model, &error);
    if (e == OK)
        *out_chat = request;
    return e;
}

/* ---- reading ---- */

bool text_is(struct json v, const char *text)
{
    str raw = json_raw(v);

    return json_is(v, JSON_STRING) && str_eq(str_slice(raw, 1, raw.len - 1), str_from(text));
}

bool tokens_read(struct json usage, str path, int64_t *out)
{
    int64_t tokens;

    if (!json_i64(json_path(usage, path), &tokens) || tokens < 0)
        return false;
    *out = tokens;
    return true;
}

bool body_object(struct arena *arena, str body, struct json *out, struct chat_error *error)
{
    struct json_error where = { 0 };
    enum err e = json_parse(arena, body, out, &where);

    if (e != OK)
        *error =
            (struct chat_error){ e,
                                 arena_printf(arena, "the body is not valid JSON: %s at byte %zu",
                                              where.what, where.offset),
                                 { NULL, 0 } };
    else if (!json_is(*out, JSON_OBJECT))
        *error = (struct chat_error){ CALLER_BAD_REQUEST,
                                      STR("the body must be a JSON object"),
                                      { NULL, 0 } };
    else
        return true;
    return false;
}

enum err body_parse(struct arena *arena, str body, struct json *out)
{
    struct json root;
    enum err e = json_parse(arena, body, &root, NULL);

    if (e == WEIR_NO_MEMORY)
        return e;
    if (e != OK || !json_is(root, JSON_OBJECT))
        return PROVIDER_GARBAGE;
    *out = root;
    return OK;
}

enum err refuse_with(struct chat_error *error, enum err fault, str message, str param)
{
    *error = (struct chat_error){ fault, message, param };
    return fault;
}

enum err refuse_field(struct arena *arena, struct chat_error *error, str name)
{
    str param = arena_str(arena, str_slice(name, 0, 200));

    return refuse_with(
        error, WEIR_NOT_SUPPORTED,
        arena_printf(arena, "%.*s cannot be translated for this model's provider", STR_ARG(param)),
        param);
}

bool object_in_text(struct arena *arena, str text, str *out)
{
    struct json v;

    if (str_trim(text).len == 0) {
        *out = STR("{}");
        return true;
    }
    if (json_parse(arena, text, &v, NULL) != OK || !json_is(v, JSON_OBJECT))
        return false;
    *out = json_raw(v);
    return true;
}

void lower_write(struct buf *out, const char *name)
{
    for (const char *c = name; *c; c++)
        buf_add_char(out, (char)tolower((unsigned char)*c));
}

void member_copy(struct buf *out, const char *name, struct json v)
{
    if (!json_exists(v))
        return;
    json_key(out, name);
    buf_add(out, json_raw(v));
}
