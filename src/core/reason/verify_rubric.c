/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_rubric: does an answer in prose make enough of the points that it should, and none that it must not? A
 * point is made when any of its phrases stands in the answer, whatever the case. What the model is told
 * names no point: a rubric knows the answer.
 */
#include "core/reason/verifier_internal.h"

/* A list of phrases, none empty (an empty one stands in every answer), of which one stands in the answer. */
static enum err phrases_find(struct arena *arena, struct json list, str answer, bool *out_found)
{
    bool is_found = false;

    if (!json_is(list, JSON_ARRAY) || json_count(list) == 0)
        return CALLER_BAD_REQUEST;
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        str phrase;
        if (!json_str(it.value, arena, &phrase) || str_trim(phrase).len == 0)
            return CALLER_BAD_REQUEST;
        is_found = is_found || str_find_nocase(answer, phrase) != STR_NPOS;
    }
    *out_found = is_found;
    return OK;
}

static enum err point_read(struct arena *arena, struct json point, str answer, bool *out_made)
{
    static const str names[] = { { "name", 4 }, { "any", 3 } };
    str name;

    if (!json_is(point, JSON_OBJECT) || !spec_has_only(point, names, ARRAY_LEN(names)) ||
        !json_str(json_get(point, STR("name")), arena, &name))
        return CALLER_BAD_REQUEST;
    return phrases_find(arena, json_get(point, STR("any")), answer, out_made);
}

enum err verify_rubric(struct arena *arena, const struct verifier *v, str answer,
                       struct finding *out)
{
    static const str names[] = { { "need", 4 }, { "points", 6 }, { "never", 5 } };
    struct json spec;
    int64_t need, made = 0;
    bool is_forbidden = false;
    enum err e = spec_object(arena, v->spec, names, ARRAY_LEN(names), &spec);

    if (e != OK)
        return e;
    struct json points = json_get(spec, STR("points")), never = json_get(spec, STR("never"));
    if (!json_i64(json_get(spec, STR("need")), &need) || need < 1 || !json_is(points, JSON_ARRAY) ||
        need > (int64_t)json_count(points))
        return CALLER_BAD_REQUEST;
    for (struct json_iter it = json_iter(points); json_next(&it);) {
        bool is_made;
        e = point_read(arena, it.value, answer, &is_made);
        if (e != OK)
            return e;
        made += is_made;
    }
    bool forbids = json_exists(never) && !(json_is(never, JSON_ARRAY) && json_count(never) == 0);
    e = forbids ? phrases_find(arena, never, answer, &is_forbidden) : OK;
    if (e != OK)
        return e;
    out->verdict = VERDICT_PASS;
    if (is_forbidden)
        finding_refuse(out, STR("The answer says what it must not."));
    else if (made < need)
        finding_refuse(out, STR("The answer leaves out too much of what matters."));
    return OK;
}
