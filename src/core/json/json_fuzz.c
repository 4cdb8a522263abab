/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of json: any bytes to the reader. What it accepts must be walked, read, and written canonically to a
 * fixed point; where cJSON is at hand, both must agree on what is JSON, on names, strings and numbers.
 */
#include "core/json/json.h"

#include <stdlib.h>
#include <string.h>

#ifdef WEIR_WITH_CJSON
#include <cjson/cJSON.h>
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* Reads everything in the tree; its depth is bounded. */
static size_t walk(struct arena *arena, struct json v)
{
    struct json_iter it = json_iter(v);
    size_t values = 1, children = 0;
    str text;
    int64_t number;
    double real, again;

    must(json_raw(v).len > 0);
    if (json_str(v, arena, &text))
        must(str_is_utf8(text));
    if (json_i64(v, &number) && json_double(v, &real))
        must((double)number <= real && (double)number >= real);
    if (json_double(v, &real) && str_to_double(json_raw(v), &again))
        must(memcmp(&real, &again, sizeof(real)) == 0);
    while (json_next(&it)) {
        values += walk(arena, it.value);
        children++;
        if (it.is_object && str_find_char(it.name, '\\') == STR_NPOS)
            must(json_get(v, it.name).node == it.value.node);
    }
    must(children == json_count(v));
    return values;
}

static void canonical_is_fixed(struct arena *arena, struct json v)
{
    struct buf once = { 0 }, twice = { 0 };
    struct json again;

    json_write_canonical(&once, v);
    if (json_parse(arena, buf_str(&once), &again, NULL) == OK) {
        json_write_canonical(&twice, again);
        must(str_eq(buf_str(&once), buf_str(&twice)));
    } else {
        must(arena_failed(arena));
    }
    buf_fini(&once);
    buf_fini(&twice);
}

#ifdef WEIR_WITH_CJSON
static void same_value(struct arena *arena, struct json ours, const cJSON *theirs);

static void same_children(struct arena *arena, struct json ours, const cJSON *theirs)
{
    struct json_iter it = json_iter(ours);
    const cJSON *child = theirs->child;

    for (; json_next(&it); child = child->next) {
        must(child != NULL);
        if (it.is_object)
            must(json_get(ours, str_from(child->string)).node == it.value.node);
        same_value(arena, it.value, child);
    }
    must(child == NULL);
}

static void same_value(struct arena *arena, struct json ours, const cJSON *theirs)
{
    str text;
    double real;

    switch (json_type_of(ours)) {
    case JSON_NULL:
        must(cJSON_IsNull(theirs));
        break;
    case JSON_FALSE:
        must(cJSON_IsFalse(theirs));
        break;
    case JSON_TRUE:
        must(cJSON_IsTrue(theirs));
        break;
    case JSON_NUMBER:
        must(cJSON_IsNumber(theirs));
        /* cJSON reads at most 63 bytes of a number. */
        if (json_raw(ours).len < 60 && json_double(ours, &real))
            must(real <= theirs->valuedouble && real >= theirs->valuedouble);
        break;
    case JSON_STRING:
        must(cJSON_IsString(theirs));
        if (json_str(ours, arena, &text))
            must(str_eq(text, str_from(theirs->valuestring)));
        break;
    case JSON_ARRAY:
        must(cJSON_IsArray(theirs));
        same_children(arena, ours, theirs);
        break;
    case JSON_OBJECT:
        must(cJSON_IsObject(theirs));
        same_children(arena, ours, theirs);
        break;
    }
}

/* cJSON refuses lone surrogates, which read as U+FFFD here, ends strings at \u0000, and stumbles over very long
 * numbers; such texts are not compared. */
static bool is_comparable(struct arena *arena, struct json v)
{
    struct json_iter it = json_iter(v);
    str text;

    if (json_str(v, arena, &text) &&
        (str_find_char(text, '\0') != STR_NPOS || str_find(text, STR("\xEF\xBF\xBD")) != STR_NPOS))
        return false;
    if (json_is(v, JSON_NUMBER) && json_raw(v).len >= 60)
        return false;
    while (json_next(&it)) {
        if (str_find_nocase(it.name, STR("\\u")) != STR_NPOS || !is_comparable(arena, it.value))
            return false;
    }
    return true;
}

static void same_as_cjson(struct arena *arena, str text, struct json v)
{
    /* cJSON wants the end marked, and compares names of objects only through our lookups. */
    str copy = arena_str(arena, text);

    if (!copy.ptr || !is_comparable(arena, v))
        return;
    cJSON *theirs = cJSON_ParseWithLengthOpts(copy.ptr, copy.len + 1, NULL, 1);
    must(theirs != NULL);
    same_value(arena, v, theirs);
    cJSON_Delete(theirs);
}
#else
static void same_as_cjson(struct arena *arena, str text, struct json v)
{
    must(arena && text.len > 0 && json_exists(v));
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json_error error = { .what = NULL };
    struct json v;
    str text = { (const char *)data, size };

    arena_init(&arena, (size_t)64 << 20);
    enum err e = json_parse(&arena, text, &v, &error);
    if (e == OK) {
        must(walk(&arena, v) <= JSON_NODES_MAX);
        must(str_is_utf8(text));
        canonical_is_fixed(&arena, v);
        same_as_cjson(&arena, text, v);
    } else {
        must(error.what != NULL && error.what[0] != '\0' && error.offset <= size);
    }
    arena_fini(&arena);
    return 0;
}
