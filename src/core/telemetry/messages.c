/* SPDX-License-Identifier: Apache-2.0 */
/* messages: see messages.h. */
#include "core/telemetry/messages.h"

#include "core/json/json.h"

#define ARENA_BYTES_MAX ((size_t)64 << 20)

/* The messages of what was captured; missing when there are none. */
static struct json messages_of(struct arena *arena, str captured)
{
    struct json root = { 0 };

    if (json_parse(arena, captured, &root, NULL) != OK)
        return (struct json){ 0 };
    struct json messages = json_is(root, JSON_ARRAY) ? root : json_get(root, STR("messages"));
    return json_is(messages, JSON_ARRAY) ? messages : (struct json){ 0 };
}

struct shape {
    const char *before_content; /* between the role and the text */
    const char *after;
};
static const struct shape parts = { ",\"parts\":[{\"type\":\"text\",\"content\":", "}]}" };
static const struct shape plain = { ",\"content\":", "}" };

/* A text that is a string of JSON already, or one that has to become one. */
static void add_message(struct buf *out, const struct shape *shape, str role, str raw, str text)
{
    json_comma(out);
    buf_add(out, STR("{\"role\":"));
    json_write_str(out, role);
    buf_add(out, str_from(shape->before_content));
    if (raw.len > 0)
        buf_add(out, raw);
    else
        json_write_str(out, text);
    buf_add(out, str_from(shape->after));
}

static void write_all(struct buf *out, const struct shape *shape, str captured)
{
    struct arena arena;
    str role;

    arena_init(&arena, ARENA_BYTES_MAX);
    struct json messages = messages_of(&arena, captured);
    struct json_iter it = json_iter(messages);
    buf_add_char(out, '[');
    while (json_exists(messages) && json_next(&it)) {
        struct json content = json_get(it.value, STR("content"));
        if (!json_str(json_get(it.value, STR("role")), &arena, &role))
            role = STR("user");
        bool is_text = json_is(content, JSON_STRING);
        add_message(out, shape, role, is_text ? json_raw(content) : STR(""), json_raw(content));
    }
    if (!json_exists(messages) && captured.len > 0)
        add_message(out, shape, STR("user"), STR(""), captured);
    buf_add_char(out, ']');
    arena_fini(&arena);
}

void messages_write_parts(struct buf *out, str captured)
{
    if (captured.len > 0)
        write_all(out, &parts, captured);
}

void messages_write_answer_parts(struct buf *out, str text)
{
    buf_add_char(out, '[');
    add_message(out, &parts, STR("assistant"), STR(""), text);
    buf_add_char(out, ']');
}

void messages_write_plain(struct buf *out, str captured)
{
    write_all(out, &plain, captured);
}
