/* SPDX-License-Identifier: Apache-2.0 */
/* face: what the faces share: reading what chat completions say, framing events. */
#include "core/dialect/face_internal.h"

#include <string.h>

struct face_stream *face_stream_new(struct arena *arena, int64_t created)
{
    struct face_stream *s = ARENA_NEW(arena, struct face_stream);

    if (s) {
        s->arena = arena;
        s->created = created;
        s->text_block = -1;
    }
    return s;
}

void face_event_write(struct buf *out, struct arena *scratch, str payload)
{
    struct json root;
    str type = { NULL, 0 }, rest = payload, line;

    if (json_parse(scratch, payload, &root, NULL) == OK)
        IGNORE(json_str(json_get(root, STR("type")), scratch, &type));
    if (type.len > 0 && str_find_char(type, '\n') == STR_NPOS &&
        str_find_char(type, '\r') == STR_NPOS) {
        buf_add(out, STR("event: "));
        buf_add(out, type);
        buf_add_char(out, '\n');
    }
    while (str_next(&rest, '\n', &line)) {
        buf_add(out, STR("data: "));
        buf_add(out, line);
        buf_add_char(out, '\n');
    }
    buf_add_char(out, '\n');
}

enum err spoken_read(struct arena *arena, str payload, const char *member, struct spoken *out)
{
    struct spoken p = { .id = { NULL, 0 } };
    enum err e = body_parse(arena, payload, &p.root);

    if (e != OK)
        return e;
    struct json choice = json_at(json_get(p.root, STR("choices")), 0);
    struct json said = json_get(choice, str_from(member));
    IGNORE(json_str(json_get(p.root, STR("id")), arena, &p.id));
    IGNORE(json_str(json_get(p.root, STR("model")), arena, &p.model));
    IGNORE(json_str(json_get(choice, STR("finish_reason")), arena, &p.finish));
    if (!json_str(json_get(said, STR("content")), arena, &p.text))
        IGNORE(json_str(json_get(said, STR("refusal")), arena, &p.text));
    p.tool_calls = given(said, STR("tool_calls"));
    p.usage = given(p.root, STR("usage"));
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = p;
    return OK;
}

static enum err spoken_note(struct face_stream *s, const struct spoken *p)
{
    struct usage usage;

    if (!s->has_started) {
        s->id = arena_str(s->arena, p->id);
        s->model = arena_str(s->arena, p->model);
    }
    s->has_started = true;
    if (p->finish.len > 0 && p->finish.len < sizeof(s->finish)) {
        memcpy(s->finish, p->finish.ptr, p->finish.len);
        s->finish[p->finish.len] = '\0';
    }
    if (usage_read(p->usage, &usage))
        s->usage = usage;
    return arena_failed(s->arena) ? WEIR_NO_MEMORY : OK;
}

enum err spoken_next(struct face_stream *s, struct arena *scratch, str payload, struct spoken *out,
                     bool *out_is_first)
{
    enum err e = spoken_read(scratch, payload, "delta", out);

    *out_is_first = !s->has_started;
    return e == OK ? spoken_note(s, out) : e;
}
