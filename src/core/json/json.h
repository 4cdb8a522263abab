/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: a strict RFC 8259 reader that yields byte spans, a writer, a canonical form, and JSON Schema.
 *
 * The reader promises: valid UTF-8 only; nothing after the value; depth and node count bounded;
 * duplicate names within one object are refused (else policy reads one `model` and the provider
 * another), compared after unescaping; numbers keep their text. Spans point into the caller's text, which must
 * outlive the document; nodes live in the caller's arena.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_JSON_JSON_H
#define WEIR_CORE_JSON_JSON_H

#include "base/arena.h"
#include "base/base.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

#define JSON_DEPTH_MAX 64
#define JSON_NODES_MAX 1000000u

struct json_node;

/* One value of a parsed text; passed by value. A missing value (see json_get) has node == NULL. */
struct json {
    const struct json_node *node;
    const char *text; /* the whole text that was parsed */
};

struct json_error {
    size_t offset; /* byte of the text where it went wrong */
    const char *what; /* "duplicate name", "not UTF-8", "unexpected byte", … */
};

/* Parses the whole text. CALLER_BAD_JSON with *out_error (may be NULL) filled, or WEIR_NO_MEMORY. */
NODISCARD enum err json_parse(struct arena *arena, str text, struct json *out,
                              struct json_error *out_error);

bool json_exists(struct json v);
bool json_is(struct json v, enum json_type type); /* false for a missing value */
enum json_type json_type_of(struct json v); /* the value must exist */
str json_raw(struct json v); /* its bytes, quotes and brackets included; empty when missing */
size_t json_count(struct json v); /* elements or members; 0 for the rest */

/* A member by its unescaped name; missing when v is no object or has no such member. */
struct json json_get(struct json v, str name);
/* json_get along a dotted path, "usage.prompt_tokens"; array steps are decimal indices: "choices.0.message". */
struct json json_path(struct json v, str path);
struct json json_at(struct json v, size_t index); /* O(index) */

/* Walks elements or members: struct json_iter it = json_iter(v); while (json_next(&it)) { it.name, it.value }.
 * name is the raw span without quotes (escapes not undone), empty for arrays. */
struct json_iter {
    struct json value;
    str name;
    const struct json_node *next;
    uint32_t left;
    bool is_object;
};
struct json_iter json_iter(struct json v);
bool json_next(struct json_iter *it);

/* Reads; false (and *out untouched) when the value is missing or of another type or out of range. */
bool json_str(struct json v, struct arena *arena,
              str *out); /* unescaped; points into the text when it can */
bool json_i64(struct json v,
              int64_t *out); /* integers only: 1, -2, 1e2 and 1.0 are integers, 1.5 is not */
bool json_double(struct json v, double *out);
bool json_bool(struct json v, bool *out);

/* Writers into a buffer. The caller writes the punctuation: buf_add(&b, STR("{\"a\":")); json_write_str(&b, s); … */
void json_write_str(struct buf *out, str s); /* quoted; bytes that are not UTF-8 become U+FFFD */
void json_write_double(struct buf *out,
                       double v); /* shortest that reads back; null for inf and nan */
void json_write_bool(struct buf *out, bool v);
/* Before an item of an array or an object: a comma, unless out is empty or its last byte is '{', '[' or ':'. */
void json_comma(struct buf *out);
/* {"name":value} members without fuss: with json_comma() before each. */
void json_key(struct buf *out, const char *name); /* `,"name":` */
void json_member_str(struct buf *out, const char *name, str s);
void json_member_i64(struct buf *out, const char *name, int64_t v);
void json_member_double(struct buf *out, const char *name, double v);
void json_member_bool(struct buf *out, const char *name, bool v);
void json_member_null(struct buf *out, const char *name);
void json_member_str_or_null(struct buf *out, const char *name, str s); /* null for an empty text */

/* The canonical form: members sorted by name, no white space, numbers in their shortest exact form (1.0 → 1, 1e2 → 100),
 * strings minimally escaped. Equal values have equal bytes. */
void json_write_canonical(struct buf *out, struct json v);

/* JSON Schema (the 2020-12 subset that structured outputs use): type, enum, const, properties, required,
 * additionalProperties, items, prefixItems, minItems, maxItems, uniqueItems, minLength, maxLength, pattern (POSIX extended), minimum,
 * maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, anyOf, oneOf, allOf, not, $ref to #/$defs/NAME.
 * CALLER_BAD_REQUEST when the schema uses something else (what names it); otherwise OK and *out_valid. `out_where` (may be
 * NULL) gets the path of the first violation, allocated in the arena. */
NODISCARD enum err json_schema_check(struct arena *arena, struct json schema, struct json v,
                                     bool *out_valid, str *out_where);

#endif
