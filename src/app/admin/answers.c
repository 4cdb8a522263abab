/* SPDX-License-Identifier: Apache-2.0 */
/* answers: what every question to the ledger shares: its path, its parameters, its refusals. */
#include "app/admin/params.h"
#include "app/admin/reader.h"

static const struct {
    const char *path;
    void (*answer)(struct reading *r, str rest);
} paths[] = {
    { "/admin/v1/queries", queries_answer },
    { "/admin/v1/series", series_answer },
    { "/admin/v1/reports", reports_answer },
};

void reading_refuse(struct reading *r, int status, const char *code, const char *message)
{
    buf_reset(r->body);
    refusal_write(&(struct refusal){ status, code, message }, r->body);
    r->status = status;
    r->fresh = 0;
}

void reading_store_failed(struct reading *r, const char *why)
{
    reading_refuse(r, 503, "store", why);
}

bool reading_param(struct reading *r, const char *name, str *out)
{
    if (param_read(r->query, str_from(name), &r->arena, out))
        return true;
    str message = arena_printf(&r->arena, "%s is not well-formed", name);
    reading_refuse(r, 400, "bad_request", message.ptr ? message.ptr : "not well-formed");
    return false;
}

bool reading_flag(struct reading *r, const char *name, bool *out)
{
    str text;

    if (!reading_param(r, name, &text))
        return false;
    *out = str_eq(text, STR("1")) || str_eq(text, STR("true"));
    return true;
}

void reading_answer(struct reading *r)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        str path = str_from(paths[i].path);
        if (!str_starts(r->path, path))
            continue;
        r->status = 200;
        str rest = str_slice(r->path, path.len, r->path.len);
        paths[i].answer(r, str_slice(rest, 1, rest.len));
        return;
    }
    reading_refuse(r, 404, "unknown_path", "there is nothing at this path");
}
