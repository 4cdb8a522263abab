/* SPDX-License-Identifier: Apache-2.0 */
/* files: the dashboard's own files. They hold no data, so they need no key; what a page may do is said here. */
#include "app/admin/dashboard_internal.h"

/* No script or style but from this listener, none inside the page, no frame around it, nothing from elsewhere. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "                \
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

static bool takes_gzip(const struct exchange *x)
{
    return str_find_nocase(exchange_header(x, STR("accept-encoding")), STR("gzip")) != STR_NPOS;
}

static void file_answer(struct exchange *x, const struct web_file *file)
{
    const struct answer_header headers[] = {
        { STR("ETag"), str_from(file->tag) },
        { STR("Cache-Control"), STR("no-cache") }, /* asked every time, sent when it has changed */
        { STR("Vary"), STR("Accept-Encoding") },
        { STR("Content-Security-Policy"), STR(POLICY) },
        { STR("X-Content-Type-Options"), STR("nosniff") },
        { STR("Referrer-Policy"), STR("no-referrer") },
        { STR("Cross-Origin-Opener-Policy"), STR("same-origin") },
        { STR("Content-Encoding"), STR("gzip") }, /* the last: left out where it is not taken */
    };
    bool is_packed = takes_gzip(x);
    size_t count = ARRAY_LEN(headers) - !is_packed;

    if (str_eq(exchange_header(x, STR("if-none-match")), str_from(file->tag)))
        exchange_respond(x, 304, (str){ 0 }, headers, ARRAY_LEN(headers) - 1, (str){ 0 });
    else
        exchange_respond(x, 200, str_from(file->type), headers, count,
                         is_packed ? file->gzip : file->raw);
}

bool files_answer(struct exchange *x)
{
    str method = exchange_method(x), path = exchange_path(x);

    for (size_t i = 0; i < web_file_count; i++) {
        if (!str_eq(path, str_from(web_files[i].path)))
            continue;
        if (str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")))
            file_answer(x, &web_files[i]);
        else
            dashboard_refuse(x, &refusal_method);
        return true;
    }
    return false;
}
