/* SPDX-License-Identifier: Apache-2.0 */
/* json_assert: what each keyword of a schema asserts. The operands were verified; see json_schema.h. */
#include "core/json/json_pattern.h"
#include "core/json/json_schema.h"

#include <stdlib.h>

static struct json_name name_of(struct json member)
{
    return json_name_of(member.node, member.text);
}

bool schema_type_known(str type)
{
    static const char *const names[] = { "null",   "boolean", "number", "integer",
                                         "string", "array",   "object" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(type, str_from(names[i])))
            return true;
    }
    return false;
}

static bool is_integer(struct json v)
{
    struct json_decimal d;

    if (!json_is(v, JSON_NUMBER))
        return false;
    json_decimal_read(json_raw(v), &d);
    return d.is_exact && d.exponent >= 0;
}

static bool type_is(struct json v, str type)
{
    if (str_eq(type, STR("integer")))
        return is_integer(v);
    switch (json_type_of(v)) {
    case JSON_NULL:
        return str_eq(type, STR("null"));
    case JSON_FALSE:
    case JSON_TRUE:
        return str_eq(type, STR("boolean"));
    case JSON_NUMBER:
        return str_eq(type, STR("number"));
    case JSON_STRING:
        return str_eq(type, STR("string"));
    case JSON_ARRAY:
        return str_eq(type, STR("array"));
    case JSON_OBJECT:
        return str_eq(type, STR("object"));
    }
    return false;
}

bool schema_type(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    struct json_iter it = json_iter(r->operand);

    if (json_is(r->operand, JSON_STRING) && type_is(v, unquoted(r->operand)))
        return true;
    while (json_next(&it)) {
        if (type_is(v, unquoted(it.value)))
            return true;
    }
    return schema_violated(c, at);
}

bool schema_enum(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    struct buf value = { 0 }, candidate = { 0 };
    struct json_iter it = json_iter(r->operand);
    bool is_found = false;

    if (!schema_work(c, json_raw(r->operand).len / 16))
        return false;
    json_write_canonical(&value, v);
    while (!is_found && json_next(&it)) {
        buf_reset(&candidate);
        json_write_canonical(&candidate, it.value);
        is_found = str_eq(buf_str(&value), buf_str(&candidate));
    }
    if (value.failed || candidate.failed)
        schema_fault(c, WEIR_NO_MEMORY, STR("out of memory"));
    buf_fini(&value);
    buf_fini(&candidate);
    return is_found || schema_violated(c, at);
}

bool schema_const(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    struct buf value = { 0 }, wanted = { 0 };

    json_write_canonical(&value, v);
    json_write_canonical(&wanted, r->operand);
    if (value.failed || wanted.failed)
        schema_fault(c, WEIR_NO_MEMORY, STR("out of memory"));
    bool is_equal = str_eq(buf_str(&value), buf_str(&wanted));
    buf_fini(&value);
    buf_fini(&wanted);
    return is_equal || schema_violated(c, at);
}

bool schema_properties(struct checker *c, const struct rule *r, struct json v,
                       const struct place *at)
{
    struct json_iter it = json_iter(r->operand);

    while (json_is(v, JSON_OBJECT) && json_next(&it)) {
        struct place below = { .up = at, .name = name_of(it.value) };
        struct json member = schema_member(v, &below.name);
        if (!schema_work(c, json_count(v)))
            return false;
        if (json_exists(member) && !schema_evaluate(c, it.value, member, &below))
            return false;
    }
    return true;
}

bool schema_required(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    struct json_iter it = json_iter(r->operand);

    while (json_is(v, JSON_OBJECT) && json_next(&it)) {
        str raw = unquoted(it.value);
        struct json_name name = { raw.ptr, (uint32_t)raw.len, it.value.node->has_escapes, NULL };
        struct place below = { .up = at, .name = name };
        if (!schema_work(c, json_count(v)))
            return false;
        if (!json_exists(schema_member(v, &name)))
            return schema_violated(c, &below);
    }
    return true;
}

bool schema_additional(struct checker *c, const struct rule *r, struct json v,
                       const struct place *at)
{
    struct json properties = json_get(r->schema, STR("properties"));
    struct json_iter it = json_iter(v);

    while (json_is(v, JSON_OBJECT) && json_next(&it)) {
        struct place below = { .up = at, .name = name_of(it.value) };
        if (!schema_work(c, json_count(properties)))
            return false;
        if (!json_exists(schema_member(properties, &below.name)) &&
            !schema_evaluate(c, r->operand, it.value, &below))
            return false;
    }
    return true;
}

bool schema_items(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    size_t skipped = json_count(json_get(r->schema, STR("prefixItems")));
    struct json_iter it = json_iter(v);

    for (size_t i = 0; json_is(v, JSON_ARRAY) && json_next(&it); i++) {
        struct place below = { .up = at, .index = i };
        if (i >= skipped && !schema_evaluate(c, r->operand, it.value, &below))
            return false;
    }
    return true;
}

bool schema_prefix_items(struct checker *c, const struct rule *r, struct json v,
                         const struct place *at)
{
    struct json_iter schemas = json_iter(r->operand), it = json_iter(v);

    for (size_t i = 0; json_is(v, JSON_ARRAY) && json_next(&it) && json_next(&schemas); i++) {
        struct place below = { .up = at, .index = i };
        if (!schema_evaluate(c, schemas.value, it.value, &below))
            return false;
    }
    return true;
}

static int64_t count_of(struct json operand)
{
    int64_t n = 0;

    /* Verified to be an integer that is not negative. */
    bool is_read = json_i64(operand, &n);
    assert(is_read);
    return n;
}

bool schema_min_items(struct checker *c, const struct rule *r, struct json v,
                      const struct place *at)
{
    bool is_few = json_is(v, JSON_ARRAY) && (int64_t)json_count(v) < count_of(r->operand);

    return !is_few || schema_violated(c, at);
}

bool schema_max_items(struct checker *c, const struct rule *r, struct json v,
                      const struct place *at)
{
    bool is_many = json_is(v, JSON_ARRAY) && (int64_t)json_count(v) > count_of(r->operand);

    return !is_many || schema_violated(c, at);
}

static int text_cmp(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

bool schema_unique(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    struct buf all = { 0 };
    struct json_iter it = json_iter(v);
    size_t count = json_count(v), n = 0;
    bool is_unique = true;

    if (!json_is(v, JSON_ARRAY) || !json_is(r->operand, JSON_TRUE) || count < 2)
        return true;
    str *texts = ARENA_ARRAY(c->arena, count, str);
    while (texts && json_next(&it)) {
        size_t from = all.len;
        json_write_canonical(&all, it.value);
        texts[n++] = (str){ NULL, all.len - from };
    }
    if (!texts || all.failed) {
        buf_fini(&all);
        return schema_fault(c, WEIR_NO_MEMORY, STR("out of memory"));
    }
    /* The buffer moves while it grows, so the pointers are set at the end. */
    for (size_t i = 0, from = 0; i < n; from += texts[i++].len)
        texts[i].ptr = all.ptr + from;
    qsort(texts, n, sizeof(*texts), text_cmp);
    for (size_t i = 1; i < n && is_unique; i++)
        is_unique = !str_eq(texts[i - 1], texts[i]);
    buf_fini(&all);
    return is_unique || schema_violated(c, at);
}

/* Characters are code points. */
static int64_t text_len(struct json text)
{
    str raw = unquoted(text);
    struct json_runes runes = { raw.ptr, raw.ptr + raw.len };
    int64_t n = 0;

    for (uint32_t rune; json_rune_next(&runes, &rune);)
        n++;
    return n;
}

bool schema_min_length(struct checker *c, const struct rule *r, struct json v,
                       const struct place *at)
{
    bool is_short = json_is(v, JSON_STRING) && text_len(v) < count_of(r->operand);

    return !is_short || schema_violated(c, at);
}

bool schema_max_length(struct checker *c, const struct rule *r, struct json v,
                       const struct place *at)
{
    bool is_long = json_is(v, JSON_STRING) && text_len(v) > count_of(r->operand);

    return !is_long || schema_violated(c, at);
}

bool schema_pattern(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    str pattern, text;
    bool is_match = false;

    if (!json_is(v, JSON_STRING))
        return true;
    if (!json_str(r->operand, c->arena, &pattern) || !json_str(v, c->arena, &text))
        return schema_fault(c, WEIR_NO_MEMORY, STR("out of memory"));
    /* A match may take a step per byte of both. */
    if (!schema_work(c, 1 + pattern.len + text.len / 8))
        return false;
    enum err e = json_pattern_match(c->arena, pattern, text, &is_match);
    if (e != OK)
        return schema_fault(c, e, STR("pattern"));
    return is_match || schema_violated(c, at);
}

/* −1, 0, 1. Integers are compared as such, the rest as doubles; what no double holds is beyond every bound. */
static int number_cmp(struct json a, struct json b)
{
    int64_t i, j;
    double x = 0, y = 0;

    if (json_i64(a, &i) && json_i64(b, &j))
        return (i > j) - (i < j);
    if (!json_double(a, &x))
        x = json_raw(a).ptr[0] == '-' ? -__builtin_inf() : __builtin_inf();
    if (!json_double(b, &y))
        y = json_raw(b).ptr[0] == '-' ? -__builtin_inf() : __builtin_inf();
    return (x > y) - (x < y);
}

bool schema_minimum(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return !json_is(v, JSON_NUMBER) || number_cmp(v, r->operand) >= 0 || schema_violated(c, at);
}

bool schema_maximum(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return !json_is(v, JSON_NUMBER) || number_cmp(v, r->operand) <= 0 || schema_violated(c, at);
}

bool schema_above(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return !json_is(v, JSON_NUMBER) || number_cmp(v, r->operand) > 0 || schema_violated(c, at);
}

bool schema_below(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return !json_is(v, JSON_NUMBER) || number_cmp(v, r->operand) < 0 || schema_violated(c, at);
}

/* Exact: both are integers times a common power of ten, so 0.3 is a multiple of 0.1. A step of more digits than an
 * int64 holds has no multiples. */
static bool is_multiple(struct json v, struct json of)
{
    struct json_decimal value, step;
    int64_t modulus;

    json_decimal_read(json_raw(v), &value);
    json_decimal_read(json_raw(of), &step);
    if (!value.is_exact || !step.is_exact)
        return false;
    int64_t common = value.exponent < step.exponent ? value.exponent : step.exponent;
    return json_decimal_scale(&step, step.exponent - common, &modulus) &&
           json_decimal_divides(&value, value.exponent - common, modulus);
}

bool schema_multiple(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return !json_is(v, JSON_NUMBER) || is_multiple(v, r->operand) || schema_violated(c, at);
}

/* How many of the operand's schemas hold, at most `enough`. */
static size_t holding(struct checker *c, const struct rule *r, struct json v, size_t enough)
{
    struct json_iter it = json_iter(r->operand);
    size_t n = 0;

    c->quiet++;
    while (n < enough && json_next(&it))
        n += schema_evaluate(c, it.value, v, NULL);
    c->quiet--;
    return n;
}

bool schema_any(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return holding(c, r, v, 1) == 1 || schema_violated(c, at);
}

bool schema_one(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return holding(c, r, v, 2) == 1 || schema_violated(c, at);
}

bool schema_all(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    struct json_iter it = json_iter(r->operand);

    while (json_next(&it)) {
        if (!schema_evaluate(c, it.value, v, at))
            return false;
    }
    return true;
}

bool schema_not(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    c->quiet++;
    bool holds = schema_evaluate(c, r->operand, v, NULL);
    c->quiet--;
    return (!holds && c->fault == OK) || schema_violated(c, at);
}

bool schema_ref(struct checker *c, const struct rule *r, struct json v, const struct place *at)
{
    return schema_evaluate(c, schema_ref_target(c, r->operand), v, at);
}
