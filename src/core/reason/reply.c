/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply: what a model said, read with patience. Good JSON is read as such, wherever it stands in the
 * text; of broken or unfinished JSON the members that can be seen are taken; of plain text the
 * answer is extracted and there is no stated confidence. A reply that was cut off needs no other care:
 * the number stands behind the answer, so that a cut answer comes without one.
 */
#include <string.h>

#include "core/reason/reason_internal.h"

#define OBJECT_TRIES_MAX 8

/* The end of the object that opens at `at`, strings respected; STR_NPOS when it never closes. */
static size_t object_end(str text, size_t at)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = at; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return STR_NPOS;
}

static bool has_known_member(struct json v)
{
    return json_exists(json_get(v, STR("answer"))) || json_exists(json_get(v, STR("sound"))) ||
           json_exists(json_get(v, STR("subquestions"))) ||
           json_exists(json_get(v, STR("expression"))) ||
           json_exists(json_get(v, STR("proposals")));
}

/* The first object in the text that parses and has a member of ours. */
static bool find_object(struct arena *arena, str text, struct json *out)
{
    size_t at = 0;

    for (int tries = 0; tries < OBJECT_TRIES_MAX && at < text.len; tries++) {
        size_t brace = str_find_char(str_slice(text, at, text.len), '{');
        if (brace == STR_NPOS)
            return false;
        at += brace;
        size_t end = object_end(text, at);
        struct json found;
        if (end != STR_NPOS && json_parse(arena, str_slice(text, at, end), &found, NULL) == OK &&
            has_known_member(found)) {
            *out = found;
            return true;
        }
        at++;
    }
    return false;
}

bool reply_member_text(struct arena *arena, struct json object, str name, str *out)
{
    struct json member = json_get(object, name);
    str text;

    if (!json_exists(member) || json_is(member, JSON_NULL))
        return false;
    if (!json_str(member, arena, &text))
        text = json_raw(member);
    text = str_trim(text);
    if (text.len == 0)
        return false;
    *out = text;
    return true;
}

/* A probability; models also write 85 or "85%" for it. Anything else is not a statement. */
static double probability(double v, bool is_percent)
{
    if (is_percent || (v > 1.0 && v <= 100.0))
        v /= 100.0;
    return v >= 0.0 && v <= 1.0 ? v : NOT_AVAILABLE;
}

static double probability_text(str s)
{
    double v;

    s = str_trim(s);
    bool is_percent = str_ends(s, STR("%"));
    if (is_percent)
        s = str_trim(str_slice(s, 0, s.len - 1));
    return str_to_double(s, &v) ? probability(v, is_percent) : NOT_AVAILABLE;
}

double reply_member_probability(struct arena *arena, struct json object, str name)
{
    struct json member = json_get(object, name);
    double v;
    str text;

    if (json_double(member, &v))
        return probability(v, false);
    return json_str(member, arena, &text) ? probability_text(text) : NOT_AVAILABLE;
}

/* ---- broken JSON: "name" : then a string up to its quote or the end, or a bare word ---- */

/* Where the value of the last such member starts. */
static bool loose_member(str text, str quoted_name, str *out)
{
    bool is_found = false;
    size_t at;

    while ((at = str_find(text, quoted_name)) != STR_NPOS) {
        text = str_slice(text, at + quoted_name.len, text.len);
        str rest = str_trim(text);
        if (rest.len > 0 && rest.ptr[0] == ':') {
            *out = str_trim(str_slice(rest, 1, rest.len));
            is_found = true;
        }
    }
    return is_found;
}

static str loose_string(struct arena *arena, str value)
{
    char *out = arena_alloc(arena, value.len);
    size_t n = 0;

    if (!out)
        return (str){ 0 };
    for (size_t i = 1; i < value.len && value.ptr[i] != '"'; i++) {
        char c = value.ptr[i];
        if (c == '\\' && i + 1 < value.len) {
            c = value.ptr[++i];
            /* Other escapes are left alone: \frac is more likely here than a form feed. */
            if (c == 'n')
                c = '\n';
            else if (c != '"' && c != '\\' && c != '/')
                out[n++] = '\\';
        }
        out[n++] = c;
    }
    return str_trim((str){ out, n });
}

static bool loose_text(struct arena *arena, str text, str quoted_name, str *out)
{
    str value;

    if (!loose_member(text, quoted_name, &value) || value.len == 0)
        return false;
    if (value.ptr[0] == '"') {
        value = loose_string(arena, value);
    } else {
        size_t n = 0;
        while (n < value.len && strchr(",}\n", value.ptr[n]) == NULL)
            n++;
        value = str_trim(str_slice(value, 0, n));
    }
    if (value.len == 0 || str_eq(value, STR("null")))
        return false;
    *out = value;
    return true;
}

bool reply_answer(struct arena *arena, str text, str *out)
{
    struct json object;

    if (find_object(arena, text, &object))
        return reply_member_text(arena, object, STR("answer"), out);
    return loose_text(arena, text, STR("\"answer\""), out);
}

static void read_object(struct arena *arena, struct reply *reply)
{
    bool sound;

    IGNORE(!reply_member_text(arena, reply->root, STR("answer"), &reply->answer));
    IGNORE(!reply_member_text(arena, reply->root, STR("expression"), &reply->expression));
    IGNORE(!reply_member_text(arena, reply->root, STR("problem"), &reply->problem));
    reply->stated = reply_member_probability(arena, reply->root, STR("confidence"));
    if (json_bool(json_get(reply->root, STR("sound")), &sound))
        reply->sound = sound ? SOUND_YES : SOUND_NO;
}

static void read_text(struct arena *arena, str text, struct reply *reply)
{
    str word;

    reply->answer = answer_extract(arena, text);
    if (loose_text(arena, text, STR("\"confidence\""), &word))
        reply->stated = probability_text(word);
    IGNORE(!loose_text(arena, text, STR("\"expression\""), &reply->expression));
    IGNORE(!loose_text(arena, text, STR("\"problem\""), &reply->problem));
    if (loose_text(arena, text, STR("\"sound\""), &word)) {
        if (str_eq_nocase(word, STR("true")))
            reply->sound = SOUND_YES;
        else if (str_eq_nocase(word, STR("false")))
            reply->sound = SOUND_NO;
    }
}

struct reply reply_parse(struct arena *arena, const struct reason_outcome *outcome)
{
    struct reply reply = { .fault = outcome->fault, .stated = NOT_AVAILABLE };

    if (outcome->fault != OK)
        return reply;
    str text = arena_str(arena, str_slice(outcome->text, 0, REPLY_BYTES_MAX));
    if (str_trim(text).len == 0)
        return reply;
    reply.is_json = find_object(arena, text, &reply.root);
    if (reply.is_json)
        read_object(arena, &reply);
    else
        read_text(arena, text, &reply);
    return reply;
}

bool reply_may_improve(const struct reply *reply)
{
    return reply->fault == OK || err_info(reply->fault)->retryable;
}
