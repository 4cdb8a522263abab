/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_fuzz: the cheap scan against the strict reader. What the reader takes as a chat request without escapes, the scan
 * takes too, and sees the same fields; what the scan takes has its spans inside of the text.
 */
#include <stdlib.h>
#include <string.h>

#include "app/provider/provider_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_inside(str part, str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* The fields as the strict reader sees them; the scan's user text is checked where it is a plain string. */
static void compare(struct json root, const struct scan *scan)
{
    struct json messages = json_get(root, STR("messages"));
    struct json user = { 0 };
    str model = { 0 }, role, content;
    bool stream = false, include_usage = false;

    IGNORE(json_str(json_get(root, STR("model")), NULL, &model));
    IGNORE(json_bool(json_get(root, STR("stream")), &stream));
    IGNORE(json_bool(json_path(root, STR("stream_options.include_usage")), &include_usage));
    must(str_eq(model, scan->model));
    must(stream == scan->stream);
    must(include_usage == scan->include_usage);
    for (struct json_iter it = json_iter(messages); json_next(&it);) {
        if (json_str(json_get(it.value, STR("role")), NULL, &role) && str_eq(role, STR("user")))
            user = it.value;
    }
    if (json_str(json_get(user, STR("content")), NULL, &content))
        must(str_eq(content, scan->user));
}

static bool is_list_of_objects(struct json messages)
{
    if (!json_is(messages, JSON_ARRAY))
        return false;
    for (struct json_iter it = json_iter(messages); json_next(&it);) {
        if (!json_is(it.value, JSON_OBJECT))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str body = { (const char *)data, size };
    struct scan scan;
    struct arena arena;
    struct json root;

    bool is_scanned = scan_request(body, &scan);
    if (is_scanned)
        must(is_inside(scan.model, body) && is_inside(scan.user, body));
    /* With escapes a name may be spelled in several ways, and a text differs from its span. */
    if (size > 0 && memchr(data, '\\', size))
        return 0;
    arena_init(&arena, (size_t)64 << 20);
    if (json_parse(&arena, body, &root, NULL) == OK && json_is(root, JSON_OBJECT) &&
        is_list_of_objects(json_get(root, STR("messages")))) {
        must(is_scanned);
        compare(root, &scan);
    }
    arena_fini(&arena);
    return 0;
}
