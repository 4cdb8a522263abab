/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: finds the few fields of a chat request that the echo needs in one pass, without a document. It
 * accepts more than JSON: what it skips it does not validate, beyond that strings and brackets close.
 */
#include <string.h>

#include "app/provider/provider_internal.h"

struct cursor {
    const char *at;
    const char *end;
    bool failed;
};

static bool fail(struct cursor *c)
{
    c->failed = true;
    return false;
}

static char peek(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
    return c->at < c->end ? *c->at : '\0';
}

static bool take(struct cursor *c, char wanted)
{
    if (peek(c) != wanted)
        return fail(c);
    c->at++;
    return true;
}

/* A string's span without its quotes. Quotes are found by memchr, since long prompts are the usual case. */
static bool take_string(struct cursor *c, str *out)
{
    if (!take(c, '"'))
        return false;
    const char *start = c->at;
    for (const char *from = start; from < c->end;) {
        const char *quote = memchr(from, '"', (size_t)(c->end - from));
        if (!quote)
            return fail(c);
        size_t escapes = 0;
        while (quote - escapes > start && quote[-1 - (ptrdiff_t)escapes] == '\\')
            escapes++;
        if (escapes % 2 == 0) {
            *out = (str){ start, (size_t)(quote - start) };
            c->at = quote + 1;
            return true;
        }
        from = quote + 1;
    }
    return fail(c);
}

/* A number, true, false or null. */
static bool take_word(struct cursor *c, str *out)
{
    (void)peek(c);
    const char *start = c->at;
    while (c->at < c->end && !memchr(",]} \n\r\t\":[{", *c->at, 12))
        c->at++;
    *out = (str){ start, (size_t)(c->at - start) };
    return out->len > 0 || fail(c);
}

static bool skip_value(struct cursor *c)
{
    int64_t depth = 0;
    str ignored;

    do {
        char next = peek(c);
        bool is_ok = true;
        if (next == '"') {
            is_ok = take_string(c, &ignored);
        } else if (next == '{' || next == '[') {
            depth++;
            c->at++;
        } else if (depth > 0 && (next == '}' || next == ']')) {
            depth--;
            c->at++;
        } else if (depth > 0 && (next == ',' || next == ':')) {
            c->at++;
        } else {
            is_ok = take_word(c, &ignored);
        }
        if (!is_ok)
            return false;
    } while (depth > 0);
    return true;
}

/* Moves to the next member or element of what `close` ends; false at its end or when it is broken. */
static bool next_item(struct cursor *c, char close, bool *is_first)
{
    char next = peek(c);

    if (next == close) {
        c->at++;
        return false;
    }
    if (!*is_first && !take(c, ','))
        return false;
    *is_first = false;
    return true;
}

static bool next_member(struct cursor *c, bool *is_first, str *out_name)
{
    return next_item(c, '}', is_first) && take_string(c, out_name) && take(c, ':');
}

/* A member that shall be a string; another type is passed over and leaves *out. */
static bool string_value(struct cursor *c, str *out)
{
    return peek(c) == '"' ? take_string(c, out) : skip_value(c);
}

static bool flag_value(struct cursor *c, bool *out)
{
    str word;

    if (peek(c) != 't' && peek(c) != 'f')
        return skip_value(c);
    if (!take_word(c, &word))
        return false;
    *out = str_eq(word, STR("true"));
    return true;
}

/* The text of {"type":"text","text":"…"}. */
static void scan_part(struct cursor *c, str *out_text)
{
    bool is_first = true;
    str name;

    if (peek(c) != '{') {
        (void)skip_value(c);
        return;
    }
    c->at++;
    while (next_member(c, &is_first, &name)) {
        if (!(str_eq(name, STR("text")) ? string_value(c, out_text) : skip_value(c)))
            return;
    }
}

static void scan_content(struct cursor *c, str *out_text)
{
    bool is_first = true;

    if (peek(c) != '[') {
        (void)string_value(c, out_text);
        return;
    }
    c->at++;
    while (!c->failed && next_item(c, ']', &is_first))
        scan_part(c, out_text);
}

static void scan_message(struct cursor *c, struct scan *out)
{
    bool is_first = true;
    str name, role = { 0 }, text = { 0 };

    if (!take(c, '{'))
        return;
    while (!c->failed && next_member(c, &is_first, &name)) {
        if (str_eq(name, STR("role")))
            (void)string_value(c, &role);
        else if (str_eq(name, STR("content")))
            scan_content(c, &text);
        else
            (void)skip_value(c);
    }
    if (str_eq(role, STR("user")))
        out->user = text;
}

static void scan_messages(struct cursor *c, struct scan *out)
{
    bool is_first = true;

    if (!take(c, '['))
        return;
    while (!c->failed && next_item(c, ']', &is_first))
        scan_message(c, out);
}

static void scan_stream_options(struct cursor *c, struct scan *out)
{
    bool is_first = true;
    str name;

    if (peek(c) != '{') {
        (void)skip_value(c);
        return;
    }
    c->at++;
    while (!c->failed && next_member(c, &is_first, &name)) {
        if (str_eq(name, STR("include_usage")))
            (void)flag_value(c, &out->include_usage);
        else
            (void)skip_value(c);
    }
}

bool scan_request(str body, struct scan *out)
{
    struct cursor c = { .at = body.ptr, .end = body.ptr + body.len };
    struct scan found = { 0 };
    bool is_first = true, has_messages = false;
    str name;

    if (body.len == 0 || !take(&c, '{'))
        return false;
    while (!c.failed && next_member(&c, &is_first, &name)) {
        if (str_eq(name, STR("model"))) {
            (void)string_value(&c, &found.model);
        } else if (str_eq(name, STR("messages"))) {
            has_messages = true;
            scan_messages(&c, &found);
        } else if (str_eq(name, STR("stream"))) {
            (void)flag_value(&c, &found.stream);
        } else if (str_eq(name, STR("stream_options"))) {
            scan_stream_options(&c, &found);
        } else {
            (void)skip_value(&c);
        }
    }
    if (c.failed || !has_messages || peek(&c) != '\0' || c.at != c.end)
        return false;
    *out = found;
    return true;
}
