/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier: checks an answer against what the caller knows. One table says what the kinds are; their checks
 * are in verify_*.c. What a check says to the model names the fault, never the expected answer.
 */
#include "core/reason/reason_internal.h"
#include "core/reason/verifier_internal.h"

static str schema_format(struct arena *arena, const struct verifier *v)
{
    return arena_printf(arena, "The final answer must be JSON that fits this JSON Schema: %.*s",
                        STR_ARG(v->spec));
}

static str regex_format(struct arena *arena, const struct verifier *v)
{
    return arena_printf(arena, "The final answer must match the pattern %.*s as a whole.",
                        STR_ARG(v->spec));
}

static str number_format(struct arena *arena, const struct verifier *v)
{
    (void)arena;
    (void)v;
    return STR("The final answer must be one number.");
}

static str schedule_format(struct arena *arena, const struct verifier *v)
{
    (void)arena;
    (void)v;
    return STR("The final answer must be a JSON array with one "
               "{\"job\": 1, \"operation\": 1, \"start\": 0} for each operation, jobs and "
               "operations counted from 1.");
}

/* clang-format off */
static const struct kind {
    const char *name;
    const char *spec; /* what it looks like, for people */
    bool is_json; /* the spec is a JSON value, else text */
    bool knows_answer;
    enum err (*check)(struct arena *arena, const struct verifier *v, str answer, struct finding *out);
    str (*format)(struct arena *arena, const struct verifier *v); /* NULL: nothing may be said */
} kinds[] = {
    [VERIFY_NONE] = { "none", "", false, false, NULL, NULL },
    [VERIFY_ARITHMETIC] = { "arithmetic", "an expression such as \"12*(3+4)\"",
                            false, true, verify_arithmetic, number_format },
    [VERIFY_REGEX] = { "regex", "a POSIX extended regular expression without back references, of modest repeats",
                       false, false, verify_regex, regex_format },
    [VERIFY_EXACT] = { "exact", "the answer", false, true, verify_exact, NULL },
    [VERIFY_JSON_SCHEMA] = { "json_schema", "a JSON Schema of the supported keywords",
                             true, false, verify_json_schema, schema_format },
    [VERIFY_NUMBER] = { "number", "{\"value\": 254.8, \"tolerance\": 0.5, \"relative\": 0.01, \"unit\": \"m\"}, all but value optional",
                        true, true, verify_number, verify_number_format },
    [VERIFY_GAME24] = { "game24", "2 to 8 numbers up to 999 with spaces between them, such as \"4 9 10 13\"",
                        false, false, verify_game24, verify_game24_format },
    [VERIFY_SCHEDULE] = { "schedule", "{\"jobs\": [[[machine, duration], ...], ...], \"makespan\": 11}",
                          true, false, verify_schedule, schedule_format },
    [VERIFY_RUBRIC] = { "rubric", "{\"need\": 1, \"points\": [{\"name\": \"...\", \"any\": [\"phrase\"]}], \"never\": [\"phrase\"]}, need at most the number of points",
                        true, true, verify_rubric, NULL },
};
/* clang-format on */

/* ---- what checks share ---- */

str finding_quote(str answer)
{
    return str_slice(answer, 0, 120);
}

void finding_refuse(struct finding *out, str why)
{
    out->verdict = VERDICT_FAIL;
    out->why = why;
}

str finding_json(str answer)
{
    str text = str_trim(answer);
    size_t line = str_find_char(text, '\n');

    if (!str_starts(text, STR("```")) || line == STR_NPOS)
        return text;
    text = str_slice(text, line + 1, text.len);
    size_t end = str_find(text, STR("```"));
    return str_trim(end == STR_NPOS ? text : str_slice(text, 0, end));
}

bool spec_has_only(struct json object, const str *names, size_t count)
{
    for (struct json_iter it = json_iter(object); json_next(&it);) {
        size_t i = 0;
        while (i < count && !str_eq(it.name, names[i]))
            i++;
        if (i == count)
            return false;
    }
    return true;
}

enum err spec_object(struct arena *arena, str spec, const str *names, size_t count,
                     struct json *out)
{
    struct json object;

    if (json_parse(arena, spec, &object, NULL) != OK)
        return arena_failed(arena) ? WEIR_NO_MEMORY : CALLER_BAD_REQUEST;
    if (!json_is(object, JSON_OBJECT) || !spec_has_only(object, names, count))
        return CALLER_BAD_REQUEST;
    *out = object;
    return OK;
}

/* ---- kinds ---- */

bool verifier_knows_answer(enum verifier_kind kind)
{
    return kinds[kind].knows_answer;
}

str verifier_format(struct arena *arena, const struct verifier *v)
{
    return kinds[v->kind].format ? kinds[v->kind].format(arena, v) : (str){ 0 };
}

enum err verifier_check(const struct verifier *v, str answer, struct arena *arena,
                        enum verdict *out, str *out_why)
{
    struct finding found = { .verdict = VERDICT_UNKNOWN };
    enum err e = kinds[v->kind].check ? kinds[v->kind].check(arena, v, answer, &found) : OK;

    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (e != OK)
        return e;
    *out = found.verdict;
    *out_why = found.why;
    return OK;
}

/* ---- reading one ---- */

/* VERIFY_NONE for an unknown name; none is not a kind that can be asked for. */
static enum verifier_kind kind_find(str name)
{
    for (size_t i = VERIFY_NONE + 1; i < ARRAY_LEN(kinds); i++) {
        if (str_eq(name, str_from(kinds[i].name)))
            return (enum verifier_kind)i;
    }
    return VERIFY_NONE;
}

static str kind_names(struct arena *arena)
{
    str names = str_from(kinds[VERIFY_NONE + 1].name);

    for (size_t i = VERIFY_NONE + 2; i < ARRAY_LEN(kinds); i++)
        names = arena_printf(arena, "%.*s, %s", STR_ARG(names), kinds[i].name);
    return names;
}

static enum err refuse(struct arena *arena, str what, str *out_what)
{
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out_what = what;
    return CALLER_BAD_REQUEST;
}

enum err verifier_parse(struct arena *arena, struct json value, struct verifier *out, str *out_what)
{
    static const str members[] = { { "kind", 4 }, { "spec", 4 } };
    struct json spec = json_get(value, STR("spec"));
    struct verifier v = { 0 };
    enum verdict verdict;
    str name, why;

    if (!json_exists(value) || !json_is(value, JSON_OBJECT) || !json_exists(spec) ||
        !spec_has_only(value, members, ARRAY_LEN(members)) ||
        !json_str(json_get(value, STR("kind")), arena, &name))
        return refuse(arena, STR("a verifier is {\"kind\": \"...\", \"spec\": ...}"), out_what);
    v.kind = kind_find(name);
    if (v.kind == VERIFY_NONE)
        return refuse(arena,
                      arena_printf(arena, "the verifier's kind \"%.*s\" is none of %.*s",
                                   STR_ARG(finding_quote(name)), STR_ARG(kind_names(arena))),
                      out_what);
    const struct kind *kind = &kinds[v.kind];
    /* A key may be any value, as it is written: 42, [1, 2]. A JSON spec may also come inside a string. */
    bool may_be_value = kind->is_json || v.kind == VERIFY_EXACT;
    if (!json_str(spec, arena, &v.spec))
        v.spec = may_be_value ? arena_str(arena, json_raw(spec)) : (str){ 0 };
    enum err e = verifier_check(&v, STR("0"), arena, &verdict, &why);
    if (e == CALLER_BAD_REQUEST)
        return refuse(
            arena,
            arena_printf(arena, "the spec of a verifier of kind %s is %s", kind->name, kind->spec),
            out_what);
    if (e != OK)
        return e;
    *out = v;
    return OK;
}
