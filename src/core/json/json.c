/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: the reader. One pass over the text with a stack of its own, so that depth costs no C stack.
 *
 * Strings are scanned eight bytes at a time; UTF-8 is checked where a byte above 0x7F turns up, which
 * is legal inside strings only. Nodes are cut from chunks in the arena that grow with the text.
 *
 * Duplicate names: each open object keeps a set of 64 bits, one per cheap signature of a name. While
 * no bit is hit twice, no name can be. Otherwise the names are compared when the object closes:
 * each with each in small objects, sorted in large ones, so hostile input costs n log n.
 *
 * A lone surrogate escape ("\ud83d") is grammatical and occurs in practice, where a sender cut an
 * emoji in two; it is accepted and reads as U+FFFD.
 */
#include "core/json/json_node.h"

#include <stdlib.h>
#include <string.h>

#define PAIRWISE_MAX 16u /* members up to which comparing each with each beats sorting */
#define CHUNK_NODES_FIRST 64u
#define CHUNK_NODES_MAX 4096u

struct frame {
    struct json_node *container;
    struct json_node *last; /* its newest child */
    uint64_t seen; /* signatures of its names */
    bool is_suspect; /* two names share a signature */
};

struct reader {
    const char *base;
    const char *at;
    const char *end;
    struct arena *arena;
    struct json_node *free; /* unused nodes of the newest chunk */
    size_t free_count;
    size_t chunk_count; /* of the newest chunk */
    size_t node_count;
    const char *what; /* went wrong, at `at` */
    enum err fault;
    uint32_t depth;
    struct frame frames[JSON_DEPTH_MAX];
};

enum step {
    STEP_FAILED,
    STEP_ENDED, /* a value is complete */
    STEP_CHILD /* a child of the innermost container comes next */
};

static bool refuse(struct reader *r, const char *what)
{
    r->what = r->at == r->end ? "unexpected end" : what;
    r->fault = CALLER_BAD_JSON;
    return false;
}

static enum step step_refuse(struct reader *r, const char *what)
{
    refuse(r, what);
    return STEP_FAILED;
}

static struct json_node *node_refuse(struct reader *r, const char *what)
{
    refuse(r, what);
    return NULL;
}

static inline void space_skip(struct reader *r)
{
    const char *at = r->at;

    while (at < r->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    r->at = at;
}

static bool chunk_add(struct reader *r)
{
    size_t most = (size_t)(r->end - r->at) / 2 + 2; /* a value takes a byte and a separator */
    size_t count = r->chunk_count == 0 ? CHUNK_NODES_FIRST : r->chunk_count * 2;

    if (count > CHUNK_NODES_MAX)
        count = CHUNK_NODES_MAX;
    if (count > most)
        count = most;
    r->free = ARENA_ARRAY(r->arena, count, struct json_node);
    if (!r->free) {
        r->what = "out of memory";
        r->fault = WEIR_NO_MEMORY;
        return false;
    }
    r->free_count = r->chunk_count = count;
    return true;
}

static inline struct json_node *node_new(struct reader *r)
{
    if (r->node_count == JSON_NODES_MAX)
        return node_refuse(r, "too many values");
    if (r->free_count == 0 && !chunk_add(r))
        return NULL;
    r->node_count++;
    r->free_count--;
    return r->free++;
}

/* The byte behind a backslash is at `at`; what follows it is checked for \u. Gives the byte behind the escape or NULL. */
static const char *escape_skip(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    switch (*at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 1;
    case 'u':
        break;
    default:
        return NULL;
    }
    if (end - at < 5)
        return NULL;
    for (int i = 1; i <= 4; i++) {
        if (hex_digit(at[i]) < 0)
            return NULL;
    }
    return at + 5;
}

/* Reads a string whose opening quote is at r->at; r->at is then behind the closing one. */
static bool string_read(struct reader *r, bool *has_escapes)
{
    const char *at = r->at + 1;

    for (;;) {
        at += json_plain_len(at, r->end);
        r->at = at;
        if (at == r->end)
            return refuse(r, "");
        if (*at == '"')
            break;
        if (*at == '\\') {
            *has_escapes = true;
            at = escape_skip(at + 1, r->end);
            if (!at)
                return refuse(r, "bad escape");
        } else if ((unsigned char)*at < 0x20) {
            return refuse(r, "control byte in a string");
        }
        while (at < r->end && (unsigned char)*at >= 0x80) {
            size_t len = json_utf8_len(at, r->end);
            if (len == 0) {
                r->at = at;
                return refuse(r, "not UTF-8");
            }
            at += len;
        }
    }
    r->at = at + 1;
    return true;
}

static const char *digits_skip(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static bool number_read(struct reader *r)
{
    const char *at = r->at, *end = r->end, *digits;

    if (*at == '-')
        at++;
    digits = at;
    at = digits_skip(at, end);
    bool is_ok = at > digits && (*digits != '0' || at == digits + 1);
    if (is_ok && at < end && *at == '.') {
        digits = ++at;
        at = digits_skip(at, end);
        is_ok = at > digits;
    }
    if (is_ok && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        at = digits_skip(at, end);
        is_ok = at > digits;
    }
    r->at = at;
    return is_ok || refuse(r, "bad number");
}

static bool literal_read(struct reader *r, str literal)
{
    if (!str_starts((str){ r->at, (size_t)(r->end - r->at) }, literal))
        return refuse(r, "unexpected byte");
    r->at += literal.len;
    return true;
}

static bool scalar_read(struct reader *r, struct json_node *n)
{
    switch (*r->at) {
    case '"':
        n->type = JSON_STRING;
        return string_read(r, &n->has_escapes);
    case 'n':
        n->type = JSON_NULL;
        return literal_read(r, STR("null"));
    case 't':
        n->type = JSON_TRUE;
        return literal_read(r, STR("true"));
    case 'f':
        n->type = JSON_FALSE;
        return literal_read(r, STR("false"));
    default:
        n->type = JSON_NUMBER;
        if (*r->at != '-' && (*r->at < '0' || *r->at > '9'))
            return refuse(r, "unexpected byte");
        return number_read(r);
    }
}

static inline char closing(const struct json_node *container)
{
    return container->type == JSON_OBJECT ? '}' : ']';
}

/* Reads a scalar or an empty container, or opens a container. */
static enum step value_read(struct reader *r, struct json_node *n)
{
    if (r->at == r->end)
        return step_refuse(r, "");
    n->start = (uint32_t)(r->at - r->base);
    if (*r->at != '{' && *r->at != '[') {
        if (!scalar_read(r, n))
            return STEP_FAILED;
        n->end = (uint32_t)(r->at - r->base);
        return STEP_ENDED;
    }
    n->type = *r->at == '{' ? JSON_OBJECT : JSON_ARRAY;
    if (r->depth == JSON_DEPTH_MAX)
        return step_refuse(r, "nested too deeply");
    r->at++;
    space_skip(r);
    if (r->at < r->end && *r->at == closing(n)) {
        r->at++;
        n->end = (uint32_t)(r->at - r->base);
        return STEP_ENDED;
    }
    r->frames[r->depth++] = (struct frame){ .container = n };
    return STEP_CHILD;
}

/* Notes a name's signature: length, first and last byte. A name with escapes is always suspect. */
static void name_note(struct frame *f, const struct json_node *n, const char *text)
{
    const unsigned char *name = (const unsigned char *)text + n->name_start;
    uint32_t len = n->name_len;
    uint32_t mixed = len == 0 ? 0 : len * 11u + name[0] * 5u + name[len - 1] * 19u + name[len / 2];
    uint64_t bit = UINT64_C(1) << (mixed & 63);

    if ((f->seen & bit) != 0 || n->name_has_escapes)
        f->is_suspect = true;
    f->seen |= bit;
}

/* Makes the next child of the innermost container; in an object, reads its name and the colon. */
static struct json_node *child_new(struct reader *r)
{
    struct frame *f = &r->frames[r->depth - 1];

    space_skip(r);
    struct json_node *n = node_new(r);
    if (!n)
        return NULL;
    if (f->container->type == JSON_OBJECT) {
        if (r->at == r->end || *r->at != '"')
            return node_refuse(r, "expected a name");
        n->name_start = (uint32_t)(r->at + 1 - r->base);
        if (!string_read(r, &n->name_has_escapes))
            return NULL;
        n->name_len = (uint32_t)(r->at - 1 - r->base) - n->name_start;
        name_note(f, n, r->base);
        space_skip(r);
        if (r->at == r->end || *r->at != ':')
            return node_refuse(r, "expected a colon");
        r->at++;
        space_skip(r);
    }
    if (f->last)
        f->last->next = n;
    else
        f->container->child = n;
    f->last = n;
    f->container->count++;
    return n;
}

static int entry_cmp(const void *a, const void *b)
{
    return json_name_cmp(a, b);
}

/* The later of two members of one name, or NULL. *fault is set when memory ends. */
static const struct json_node *duplicate_find(struct reader *r, const struct json_node *object)
{
    struct json_name few[PAIRWISE_MAX], *names = few;
    const struct json_node *found = NULL;
    size_t n = 0;

    if (object->count > PAIRWISE_MAX) {
        names = ARENA_ARRAY(r->arena, object->count, struct json_name);
        if (!names) {
            r->fault = WEIR_NO_MEMORY;
            return NULL;
        }
    }
    for (const struct json_node *m = object->child; m; m = m->next)
        names[n++] = json_name_of(m, r->base);
    if (names == few) {
        for (size_t i = 1; i < n && !found; i++) {
            for (size_t j = 0; j < i && !found; j++)
                found = json_name_cmp(&names[i], &names[j]) == 0 ? names[i].node : NULL;
        }
        return found;
    }
    qsort(names, n, sizeof(names[0]), entry_cmp);
    for (size_t i = 1; i < n; i++) {
        if (json_name_cmp(&names[i - 1], &names[i]) != 0)
            continue;
        const struct json_node *a = names[i - 1].node, *b = names[i].node;
        const struct json_node *later = a->start > b->start ? a : b;
        if (!found || later->start < found->start)
            found = later;
    }
    return found;
}

static bool container_close(struct reader *r)
{
    const struct frame *f = &r->frames[r->depth - 1];

    r->at++;
    f->container->end = (uint32_t)(r->at - r->base);
    if (f->is_suspect) {
        const struct json_node *duplicate = duplicate_find(r, f->container);
        if (duplicate) {
            r->at = r->base + duplicate->name_start - 1;
            return refuse(r, "duplicate name");
        }
        if (r->fault != OK)
            return false;
    }
    r->depth--;
    return true;
}

/* What stands behind a complete value: a comma, or the end of its container. */
static enum step separator_read(struct reader *r)
{
    const struct frame *f = &r->frames[r->depth - 1];

    space_skip(r);
    if (r->at == r->end)
        return step_refuse(r, "");
    if (*r->at == ',') {
        r->at++;
        return STEP_CHILD;
    }
    if (*r->at != closing(f->container))
        return step_refuse(r, "expected a comma or the end");
    return container_close(r) ? STEP_ENDED : STEP_FAILED;
}

static bool document_read(struct reader *r, struct json_node *root)
{
    struct json_node *node = root;

    space_skip(r);
    for (;;) {
        enum step step = value_read(r, node);
        while (step == STEP_ENDED && r->depth > 0)
            step = separator_read(r);
        if (step == STEP_FAILED)
            return false;
        if (step == STEP_ENDED)
            break;
        node = child_new(r);
        if (!node)
            return false;
    }
    space_skip(r);
    return r->at == r->end || refuse(r, "something follows the value");
}

enum err json_parse(struct arena *arena, str text, struct json *out, struct json_error *out_error)
{
    struct reader r;
    struct json_node *root = NULL;

    /* The frames are written before they are read; zeroing them all would cost more than a small text does. */
    r.base = r.at = text.len > 0 ? text.ptr : "";
    r.end = r.base + text.len;
    r.arena = arena;
    r.free = NULL;
    r.free_count = r.chunk_count = r.node_count = 0;
    r.what = "";
    r.fault = OK;
    r.depth = 0;
    if (text.len >= UINT32_MAX)
        refuse(&r, "too long");
    else
        root = node_new(&r);
    if (root && document_read(&r, root)) {
        *out = (struct json){ .node = root, .text = r.base };
        return OK;
    }
    if (out_error)
        *out_error = (struct json_error){ .offset = (size_t)(r.at - r.base), .what = r.what };
    return r.fault;
}
