/* SPDX-License-Identifier: Apache-2.0 */
/* json_get: looking things up in a parsed document. */
#include "core/json/json_node.h"

#include <string.h>

static const struct json missing;

bool json_exists(struct json v)
{
    return v.node != NULL;
}

bool json_is(struct json v, enum json_type type)
{
    return v.node && v.node->type == (uint8_t)type;
}

enum json_type json_type_of(struct json v)
{
    assert(v.node);
    return (enum json_type)v.node->type;
}

str json_raw(struct json v)
{
    if (!v.node)
        return (str){ NULL, 0 };
    return (str){ v.text + v.node->start, v.node->end - v.node->start };
}

size_t json_count(struct json v)
{
    return v.node ? v.node->count : 0;
}

/* name may hold any bytes, so the member's name is unescaped and compared piece by piece. */
static bool escaped_name_is(struct json_runes runes, str name)
{
    size_t at = 0;
    uint32_t rune;

    while (json_rune_next(&runes, &rune)) {
        char bytes[4];
        size_t len = json_rune_encode(rune, bytes);
        if (name.len - at < len || memcmp(name.ptr + at, bytes, len) != 0)
            return false;
        at += len;
    }
    return at == name.len;
}

static inline bool name_is(const struct json_node *n, const char *text, str name)
{
    const char *raw = text + n->name_start;

    if (n->name_has_escapes)
        return escaped_name_is((struct json_runes){ raw, raw + n->name_len }, name);
    return n->name_len == name.len && (name.len == 0 || memcmp(raw, name.ptr, name.len) == 0);
}

struct json json_get(struct json v, str name)
{
    if (!json_is(v, JSON_OBJECT))
        return missing;
    for (const struct json_node *n = v.node->child; n; n = n->next) {
        if (name_is(n, v.text, name))
            return (struct json){ n, v.text };
    }
    return missing;
}

struct json json_at(struct json v, size_t index)
{
    if (index >= json_count(v))
        return missing;
    const struct json_node *n = v.node->child;
    for (; index > 0; index--)
        n = n->next;
    return (struct json){ n, v.text };
}

struct json json_path(struct json v, str path)
{
    str rest = path, step;

    while (json_exists(v) && str_next(&rest, '.', &step)) {
        uint64_t index;
        if (json_is(v, JSON_OBJECT))
            v = json_get(v, step);
        else
            v = json_is(v, JSON_ARRAY) && str_to_u64(step, &index) ? json_at(v, index) : missing;
    }
    return v;
}

struct json_iter json_iter(struct json v)
{
    return (struct json_iter){ .value = { NULL, v.text },
                               .next = v.node ? v.node->child : NULL,
                               .left = (uint32_t)json_count(v),
                               .is_object = json_is(v, JSON_OBJECT) };
}

bool json_next(struct json_iter *it)
{
    const struct json_node *n = it->next;

    if (!n)
        return false;
    it->value.node = n;
    it->name =
        it->is_object ? (str){ it->value.text + n->name_start, n->name_len } : (str){ NULL, 0 };
    it->next = n->next;
    it->left--;
    return true;
}

bool json_str(struct json v, struct arena *arena, str *out)
{
    if (!json_is(v, JSON_STRING))
        return false;
    const char *raw = v.text + v.node->start + 1;
    size_t len = v.node->end - v.node->start - 2;
    if (!v.node->has_escapes) {
        *out = (str){ raw, len };
        return true;
    }
    /* No escape is shorter than what it stands for. */
    char *copy = arena_alloc(arena, len);
    if (!copy)
        return false;
    struct json_runes runes = { raw, raw + len };
    size_t n = 0;
    while (runes.at < runes.end) {
        size_t plain = json_plain_len(runes.at, runes.end);
        if (plain > 0)
            memcpy(copy + n, runes.at, plain);
        n += plain;
        runes.at += plain;
        uint32_t rune;
        char bytes[4];
        if (json_rune_next(&runes, &rune)) {
            size_t size = json_rune_encode(rune, bytes);
            memcpy(copy + n, bytes, size);
            n += size;
        }
    }
    *out = (str){ copy, n };
    return true;
}

bool json_bool(struct json v, bool *out)
{
    if (!json_is(v, JSON_TRUE) && !json_is(v, JSON_FALSE))
        return false;
    *out = json_is(v, JSON_TRUE);
    return true;
}
