/* SPDX-License-Identifier: Apache-2.0 */
/* dashboard: the paths, and what all answers share. */
#include "app/admin/reader.h"

#include <stdlib.h>

#define JSON_TYPE STR("application/json")
#define API STR("/admin/v1/")

const struct refusal refusal_path = { 404, "unknown_path", "there is nothing at this path" };
const struct refusal refusal_method = { 405, "bad_method", "this path does not take this method" };
const struct refusal refusal_busy = { 503, "busy", "too many ask at once: ask again in a moment" };

void dashboard_answer(struct exchange *x, int status, str body)
{
    const struct answer_header headers[] = {
        { STR("Cache-Control"), STR("no-store") },
        { STR("X-Content-Type-Options"), STR("nosniff") },
    };

    exchange_respond(x, status, JSON_TYPE, headers, ARRAY_LEN(headers), body);
}

void refusal_write(const struct refusal *refusal, struct buf *out)
{
    buf_add(out, STR("{\"error\":{"));
    json_member_str(out, "message", str_from(refusal->message));
    json_member_str(out, "type",
                    refusal->status == 401   ? STR("authentication_error")
                    : refusal->status >= 500 ? STR("server_error")
                                             : STR("invalid_request_error"));
    buf_add(out, STR(",\"param\":null"));
    json_member_str(out, "code", str_from(refusal->code));
    buf_add(out, STR("}}"));
}

void dashboard_refuse(struct exchange *x, const struct refusal *refusal)
{
    struct buf body = { 0 };

    refusal_write(refusal, &body);
    dashboard_answer(x, refusal->status, buf_str(&body));
    buf_fini(&body);
}

/* ---- the paths ---- */

static const struct {
    const char *path;
    void (*handle)(struct dashboard *d, struct exchange *x);
} paths[] = {
    { "/admin/v1/events", events_answer },   { "/admin/v1/queries", reader_answer },
    { "/admin/v1/series", reader_answer },   { "/admin/v1/reports", reader_answer },
    { "/admin/v1/config", settings_answer },
};

static void api_answer_any(struct dashboard *d, struct exchange *x)
{
    str path = exchange_path(x);

    if (d->options.on_operation(d->options.operator, x))
        return;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        str prefix = str_from(paths[i].path);
        str rest = str_slice(path, prefix.len, path.len);
        if (str_starts(path, prefix) && (rest.len == 0 || rest.ptr[0] == '/')) {
            paths[i].handle(d, x);
            return;
        }
    }
    controller_on_request(d->options.controller, x);
}

void dashboard_on_request(void *ctx, struct exchange *x)
{
    struct dashboard *d = ctx;
    str path = exchange_path(x);

    if (str_eq(path, STR("/admin/v1/session")))
        session_answer(d, x);
    else if (str_starts(path, API) && session_allows(d, x))
        api_answer_any(d, x);
    else if (!str_starts(path, API) && !files_answer(x))
        dashboard_refuse(x, &refusal_path);
}

/* ---- the life ---- */

enum err dashboard_open(struct dashboard **out, const struct dashboard_options *options)
{
    struct dashboard *d = calloc(1, sizeof(*d));

    if (!d)
        return WEIR_NO_MEMORY;
    d->options = *options;
    events_init(d);
    enum err e = reader_open(d);
    if (e != OK) {
        free(d);
        return e;
    }
    *out = d;
    return OK;
}

void dashboard_close(struct dashboard *d)
{
    if (!d)
        return;
    reader_close(d);
    events_fini(d);
    free(d);
}
