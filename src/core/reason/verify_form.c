/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_form: the verifiers of an answer's form, a regular expression and a JSON Schema.
 */
#include <regex.h>
#include <string.h>

#include "core/reason/verifier_internal.h"

#define REGEX_BYTES_MAX 512
#define REGEX_ANSWER_BYTES_MAX 8192
/* The product of a pattern's repeat counts: the size of its automaton, and so its time and memory. */
#define REGEX_REPEATS_MAX 2000

/* How often what stands before `at` is written out in the automaton: the largest number of {m,n}; twice for a + (x+ is
 * xx*) of something that repeats already or of a group that may; 0 for anything else. */
static int64_t repeats_at(str spec, size_t at)
{
    int64_t most = 0, value;

    if (spec.ptr[at] == '+')
        return at > 0 && memchr("+*?})", spec.ptr[at - 1], 5) != NULL ? 2 : 0;
    if (spec.ptr[at] != '{')
        return 0;
    for (size_t k = at + 1, from = k; k < spec.len && spec.ptr[k] != '}'; k++) {
        if (spec.ptr[k] == ',')
            from = k + 1;
        if (str_to_i64(str_slice(spec, from, k + 1), &value) && value > most)
            most = value;
    }
    return most;
}

/* Back references backtrack without bound, and repeats of repeats multiply: both are refused. */
static bool regex_is_tame(str spec)
{
    int64_t repeats = 1;

    if (spec.len == 0 || spec.len > REGEX_BYTES_MAX || memchr(spec.ptr, '\0', spec.len) != NULL)
        return false;
    for (size_t i = 0; i < spec.len; i++) {
        if (spec.ptr[i] == '\\') {
            i++;
            if (i < spec.len && spec.ptr[i] >= '1' && spec.ptr[i] <= '9')
                return false;
            continue;
        }
        int64_t count = repeats_at(spec, i);
        if (count > 1 && (!i64_mul(repeats, count, &repeats) || repeats > REGEX_REPEATS_MAX))
            return false;
    }
    return true;
}

enum err verify_regex(struct arena *arena, const struct verifier *v, str answer,
                      struct finding *out)
{
    regex_t regex;
    regmatch_t match = { 0 };

    if (!regex_is_tame(v->spec))
        return CALLER_BAD_REQUEST;
    str spec = arena_str(arena, v->spec);
    str subject = arena_str(arena, answer);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (regcomp(&regex, spec.ptr, REG_EXTENDED) != 0)
        return CALLER_BAD_REQUEST;
    bool is_text = subject.len <= REGEX_ANSWER_BYTES_MAX &&
                   (subject.len == 0 || memchr(subject.ptr, '\0', subject.len) == NULL);
    /* The leftmost longest match is the whole answer whenever any match is. */
    bool is_match = is_text &&
                    regexec(&regex, subject.len > 0 ? subject.ptr : "", 1, &match, 0) == 0 &&
                    match.rm_so == 0 && (size_t)match.rm_eo == subject.len;
    regfree(&regex);
    out->verdict = VERDICT_PASS;
    if (!is_match)
        finding_refuse(out, arena_printf(arena, "\"%.*s\" does not match the pattern %.*s.",
                                         STR_ARG(finding_quote(answer)), STR_ARG(v->spec)));
    return OK;
}

enum err verify_json_schema(struct arena *arena, const struct verifier *v, str answer,
                            struct finding *out)
{
    struct json schema, value;
    struct json_error error = { 0 };
    bool is_valid = false;
    str where = { 0 };

    if (json_parse(arena, v->spec, &schema, NULL) != OK)
        return arena_failed(arena) ? WEIR_NO_MEMORY : CALLER_BAD_REQUEST;
    enum err e = json_parse(arena, finding_json(answer), &value, &error);
    if (e == WEIR_NO_MEMORY)
        return e;
    if (e != OK) {
        /* A schema that cannot be used is refused even when the answer cannot be read. */
        struct json none;
        if (json_parse(arena, STR("null"), &none, NULL) != OK)
            return WEIR_NO_MEMORY;
        enum err usable = json_schema_check(arena, schema, none, &is_valid, NULL);
        if (usable != OK)
            return usable;
        finding_refuse(out,
                       arena_printf(arena, "The answer is not JSON: %s at byte %zu.",
                                    error.what ? error.what : "it cannot be read", error.offset));
        return OK;
    }
    e = json_schema_check(arena, schema, value, &is_valid, &where);
    if (e != OK)
        return e;
    out->verdict = VERDICT_PASS;
    if (!is_valid)
        finding_refuse(out,
                       arena_printf(arena, "The answer does not fit the JSON Schema at \"%.*s\".",
                                    STR_ARG(where)));
    return OK;
}
