/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_schema: what json_schema.c (verification, evaluation) and json_assert.c (the assertions)
 * share; nobody else includes it.
 */
#ifndef WEIR_CORE_JSON_JSON_SCHEMA_H
#define WEIR_CORE_JSON_JSON_SCHEMA_H

#include "core/json/json_node.h"

/* Where in the value the evaluation stands: a chain along the C stack, written out when something is violated. */
struct place {
    const struct place *up;
    struct json_name name; /* of a member; ptr is NULL for an element */
    size_t index;
};

struct checker {
    struct arena *arena;
    struct json schema; /* the whole one, for $ref */
    enum err fault;
    str what; /* of the fault */
    str where; /* of the first violation */
    bool has_where;
    uint32_t quiet; /* inside anyOf, oneOf, not: a violation is no verdict yet */
    uint32_t depth;
    uint32_t work;
};

/* One keyword of a schema, applied. */
struct rule {
    struct json schema; /* the object the keyword stands in */
    struct json operand; /* the keyword's value */
};

/* What an operand must look like. */
enum form {
    FORM_NOTE, /* anything: an annotation */
    FORM_ANY,
    FORM_LIST, /* any array */
    FORM_BOOL,
    FORM_TYPE, /* a type's name, or an array of them */
    FORM_NAMES, /* an array of strings */
    FORM_COUNT, /* an integer that is not negative */
    FORM_NUMBER,
    FORM_STEP, /* a positive number */
    FORM_PATTERN,
    FORM_SCHEMA,
    FORM_SCHEMAS, /* a non-empty array of them */
    FORM_SCHEMA_MAP, /* an object of them */
    FORM_REF
};

/* Every keyword that weir knows, and what it asserts. */
/* clang-format off */
#define SCHEMA_ASSERTIONS(X)                                            \
    X("type",                 FORM_TYPE,       schema_type)             \
    X("enum",                 FORM_LIST,       schema_enum)             \
    X("const",                FORM_ANY,        schema_const)            \
    X("properties",           FORM_SCHEMA_MAP, schema_properties)       \
    X("required",             FORM_NAMES,      schema_required)         \
    X("additionalProperties", FORM_SCHEMA,     schema_additional)       \
    X("items",                FORM_SCHEMA,     schema_items)            \
    X("prefixItems",          FORM_SCHEMAS,    schema_prefix_items)     \
    X("minItems",             FORM_COUNT,      schema_min_items)        \
    X("maxItems",             FORM_COUNT,      schema_max_items)        \
    X("uniqueItems",          FORM_BOOL,       schema_unique)           \
    X("minLength",            FORM_COUNT,      schema_min_length)       \
    X("maxLength",            FORM_COUNT,      schema_max_length)       \
    X("pattern",              FORM_PATTERN,    schema_pattern)          \
    X("minimum",              FORM_NUMBER,     schema_minimum)          \
    X("maximum",              FORM_NUMBER,     schema_maximum)          \
    X("exclusiveMinimum",     FORM_NUMBER,     schema_above)            \
    X("exclusiveMaximum",     FORM_NUMBER,     schema_below)            \
    X("multipleOf",           FORM_STEP,       schema_multiple)         \
    X("anyOf",                FORM_SCHEMAS,    schema_any)              \
    X("oneOf",                FORM_SCHEMAS,    schema_one)              \
    X("allOf",                FORM_SCHEMAS,    schema_all)              \
    X("not",                  FORM_SCHEMA,     schema_not)              \
    X("$ref",                 FORM_REF,        schema_ref)
/* clang-format on */

/* The operands are verified before any assertion runs. False: violated, or the checker has a fault. */
typedef bool schema_assertion(struct checker *c, const struct rule *r, struct json v,
                              const struct place *at);
#define X(keyword, form, assertion) schema_assertion assertion;
SCHEMA_ASSERTIONS(X)
#undef X

/* The assertions' view of the evaluation. */
bool schema_evaluate(struct checker *c, struct json schema, struct json v, const struct place *at);
/* Ends the evaluation with a fault; the first one counts. Always false. */
bool schema_fault(struct checker *c, enum err e, str what);
/* Charges steps to the budget; false, with a fault, when it is used up. */
bool schema_work(struct checker *c, size_t steps);
/* Notes the first violation. Always false. */
bool schema_violated(struct checker *c, const struct place *at);
struct json schema_member(struct json v, const struct json_name *name);
/* The schema that a reference means; missing when there is none. */
struct json schema_ref_target(const struct checker *c, struct json ref);
/* Is it the name of a type? */
bool schema_type_known(str type);

/* A string's content as written. */
static inline str unquoted(struct json text)
{
    str raw = json_raw(text);

    return str_slice(raw, 1, raw.len - 1);
}

#endif
