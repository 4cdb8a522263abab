/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_schema: verification and evaluation of the 2020-12 subset that structured outputs use.
 *
 * First the whole schema is verified against the table of keywords, so that what weir does not know
 * is refused whatever the value is; then the value is evaluated. Annotations (title, description,
 * default, format, ...) are accepted and assert nothing. A step budget bounds what a hostile schema
 * can cost (nested anyOf over a recursive $ref is exponential).
 *
 * Patterns are POSIX extended, matched by bytes, with ECMA's \d and (?: translated; see json_pattern.c.
 */
#include "core/json/json_schema.h"
#include "core/json/json_pattern.h"

#define WORK_MAX 2000000u /* steps: schemas evaluated, members compared, ... */
#define REF_DEPTH_MAX                                                                              \
    200u /* schemas within schemas while evaluating; only $ref can pass the reader's limit */

/* Both verdicts are false: a fault and a violation end the evaluation alike, and the fault is remembered. */
bool schema_fault(struct checker *c, enum err e, str what)
{
    if (c->fault == OK) {
        c->fault = e;
        c->what = what;
    }
    return false;
}

static bool refuse(struct checker *c, const char *what, str keyword)
{
    return schema_fault(c, CALLER_BAD_REQUEST,
                        arena_printf(c->arena, "%s%.*s", what, STR_ARG(keyword)));
}

bool schema_work(struct checker *c, size_t steps)
{
    if (steps > WORK_MAX - c->work)
        return refuse(c, "the schema takes too much work", STR(""));
    c->work += (uint32_t)steps;
    return true;
}

static void place_write(struct buf *out, const struct place *at)
{
    if (!at || !at->up)
        return;
    place_write(out, at->up);
    if (out->len > 0)
        buf_add_char(out, '.');
    if (!at->name.ptr) {
        buf_add_i64(out, (int64_t)at->index);
        return;
    }
    struct json_runes runes = { at->name.ptr, at->name.ptr + at->name.len };
    uint32_t rune;
    char bytes[4];
    while (json_rune_next(&runes, &rune)) {
        size_t len = json_rune_encode(rune, bytes);
        buf_add(out, (str){ bytes, len });
    }
}

bool schema_violated(struct checker *c, const struct place *at)
{
    struct buf path = { 0 };

    if (c->quiet > 0 || c->has_where || c->fault != OK)
        return false;
    place_write(&path, at);
    c->where = arena_str(c->arena, buf_str(&path));
    c->has_where = true;
    buf_fini(&path);
    return false;
}

struct json schema_member(struct json v, const struct json_name *name)
{
    for (const struct json_node *n = json_is(v, JSON_OBJECT) ? v.node->child : NULL; n;
         n = n->next) {
        struct json_name other = json_name_of(n, v.text);
        if (json_name_cmp(&other, name) == 0)
            return (struct json){ n, v.text };
    }
    return (struct json){ .node = NULL };
}

/* The schema that a reference means; missing when there is none. */
struct json schema_ref_target(const struct checker *c, struct json ref)
{
    str path = unquoted(ref), prefix = STR("#/$defs/");

    if (str_eq(path, STR("#")))
        return c->schema;
    if (!str_starts(path, prefix) || ref.node->has_escapes)
        return (struct json){ .node = NULL };
    str name = str_slice(path, prefix.len, path.len);
    return json_get(json_get(c->schema, STR("$defs")), name);
}

struct keyword {
    str name;
    enum form form;
    schema_assertion *check; /* NULL: asserts nothing */
};

static const struct keyword *keyword_find(str name)
{
    static const struct keyword keywords[] = {
#define X(keyword, form, assertion) { STR(keyword), form, assertion },
        SCHEMA_ASSERTIONS(X)
#undef X
            { STR("$defs"), FORM_SCHEMA_MAP, NULL },
        { STR("$schema"), FORM_NOTE, NULL },
        { STR("$comment"), FORM_NOTE, NULL },
        { STR("title"), FORM_NOTE, NULL },
        { STR("description"), FORM_NOTE, NULL },
        { STR("default"), FORM_NOTE, NULL },
        { STR("examples"), FORM_NOTE, NULL },
        { STR("deprecated"), FORM_NOTE, NULL },
        { STR("readOnly"), FORM_NOTE, NULL },
        { STR("writeOnly"), FORM_NOTE, NULL },
        { STR("format"), FORM_NOTE, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (str_eq(name, keywords[i].name))
            return &keywords[i];
    }
    return NULL;
}

/* ---- verification ---- */

static bool verify(struct checker *c, struct json schema);

static bool all_schemas(struct checker *c, struct json operand)
{
    struct json_iter it = json_iter(operand);

    while (json_next(&it)) {
        if (!verify(c, it.value))
            return false;
    }
    return true;
}

static bool all_strings(struct json operand, bool are_types)
{
    struct json_iter it = json_iter(operand);

    while (json_next(&it)) {
        if (!json_is(it.value, JSON_STRING))
            return false;
        if (are_types && !schema_type_known(unquoted(it.value)))
            return false;
    }
    return json_is(operand, JSON_ARRAY);
}

static bool is_type(struct json operand)
{
    return all_strings(operand, true) ||
           (json_is(operand, JSON_STRING) && schema_type_known(unquoted(operand)));
}

static bool pattern_verify(struct checker *c, struct json operand)
{
    str pattern = { 0 };
    bool is_match;

    if (!json_is(operand, JSON_STRING))
        return false;
    if (!json_str(operand, c->arena, &pattern))
        return schema_fault(c, WEIR_NO_MEMORY, STR("out of memory"));
    return json_pattern_match(c->arena, pattern, STR(""), &is_match) == OK;
}

/* Has the operand the keyword's form? */
static bool operand_verify(struct checker *c, enum form form, struct json operand)
{
    int64_t n = 0;
    double step = 0;

    switch (form) {
    case FORM_NOTE:
    case FORM_ANY:
        return true;
    case FORM_LIST:
        return json_is(operand, JSON_ARRAY);
    case FORM_BOOL:
        return json_is(operand, JSON_TRUE) || json_is(operand, JSON_FALSE);
    case FORM_TYPE:
        return is_type(operand);
    case FORM_NAMES:
        return all_strings(operand, false);
    case FORM_COUNT:
        return json_i64(operand, &n) && n >= 0;
    case FORM_NUMBER:
        return json_is(operand, JSON_NUMBER);
    case FORM_STEP:
        return json_double(operand, &step) && step > 0;
    case FORM_PATTERN:
        return pattern_verify(c, operand);
    case FORM_SCHEMA:
        return verify(c, operand);
    case FORM_SCHEMAS:
        return json_is(operand, JSON_ARRAY) && json_count(operand) > 0 && all_schemas(c, operand);
    case FORM_SCHEMA_MAP:
        return json_is(operand, JSON_OBJECT) && all_schemas(c, operand);
    case FORM_REF:
        return json_is(operand, JSON_STRING) && schema_work(c, json_count(c->schema)) &&
               json_exists(schema_ref_target(c, operand));
    }
    return false;
}

/* Depth is that of the text, bounded by the reader. */
static bool verify(struct checker *c, struct json schema)
{
    struct json_iter it = json_iter(schema);

    if (json_is(schema, JSON_TRUE) || json_is(schema, JSON_FALSE))
        return true;
    if (!json_is(schema, JSON_OBJECT))
        return refuse(c, "a schema must be an object or a boolean, not ", json_raw(schema));
    while (json_next(&it)) {
        const struct keyword *k = keyword_find(it.name);
        if (!k)
            return refuse(c, "unsupported keyword ", it.name);
        if (!operand_verify(c, k->form, it.value))
            return refuse(c, "unsupported value of ", it.name);
    }
    return true;
}

/* ---- evaluation ---- */

bool schema_evaluate(struct checker *c, struct json schema, struct json v, const struct place *at)
{
    struct json_iter it = json_iter(schema);

    if (json_is(schema, JSON_TRUE))
        return true;
    if (json_is(schema, JSON_FALSE))
        return schema_violated(c, at);
    /* Several assertions read the whole value, so its size is charged too. */
    if (!schema_work(c, 1 + json_raw(v).len / 64))
        return false;
    if (c->depth == REF_DEPTH_MAX)
        return refuse(c, "the schema refers to itself without end", STR(""));
    c->depth++;
    bool holds = true;
    while (holds && json_next(&it)) {
        const struct keyword *k = keyword_find(it.name);
        struct rule rule = { .schema = schema, .operand = it.value };
        holds = !k->check || k->check(c, &rule, v, at);
    }
    c->depth--;
    return holds;
}

enum err json_schema_check(struct arena *arena, struct json schema, struct json v, bool *out_valid,
                           str *out_where)
{
    struct checker c = { .arena = arena, .schema = schema };
    struct place top = { .up = NULL };
    bool is_valid = false;

    if (!json_exists(v))
        return CALLER_BAD_REQUEST;
    if (verify(&c, schema))
        is_valid = schema_evaluate(&c, schema, v, &top);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (out_where)
        *out_where = c.fault != OK ? c.what : c.where;
    if (c.fault != OK)
        return c.fault;
    *out_valid = is_valid;
    return OK;
}
