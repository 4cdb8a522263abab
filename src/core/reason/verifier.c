/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier: checks an answer against what the caller knows. What it says to the model names the
 * fault, never the expected answer.
 */
#include <regex.h>
#include <string.h>

#include "core/reason/reason_internal.h"

#define REGEX_BYTES_MAX 512
#define REGEX_ANSWER_BYTES_MAX 8192
/* The product of a pattern's repeat counts: the size of its automaton, and so its time and memory. */
#define REGEX_REPEATS_MAX 2000

/* An answer as it is quoted back: its beginning. */
static str quoted(str answer)
{
    return str_slice(answer, 0, 120);
}

static enum err check_arithmetic(const struct verifier *v, str answer, struct arena *arena,
                                 enum verdict *out, str *out_why)
{
    struct rational expected;
    struct quantity q;

    if (!arithmetic_evaluate(v->spec, NULL, &expected))
        return CALLER_BAD_REQUEST;
    if (!quantity_parse(arena, answer_canonical(arena, answer), &q)) {
        *out = VERDICT_FAIL;
        *out_why = arena_printf(arena, "\"%.*s\" is not a single number.", STR_ARG(quoted(answer)));
        return OK;
    }
    bool is_right = rational_equal(expected, q.value);
    /* Only a value without a finite decimal may be rounded. */
    if (!is_right && rational_decimals(expected) < 0 && rational_decimals(q.value) >= 2)
        is_right = rational_rounds_to(expected, q.value);
    *out = is_right ? VERDICT_PASS : VERDICT_FAIL;
    if (!is_right)
        *out_why = arena_printf(arena, "%.*s is not the right value.", STR_ARG(quoted(answer)));
    return OK;
}

/* Back references backtrack without bound, and repeats of repeats multiply: both are refused. */
static bool regex_is_tame(str spec)
{
    int64_t repeats = 1;

    if (spec.len == 0 || spec.len > REGEX_BYTES_MAX || memchr(spec.ptr, '\0', spec.len) != NULL)
        return false;
    for (size_t i = 0; i < spec.len; i++) {
        int64_t count = 0;
        if (spec.ptr[i] == '\\') {
            i++;
            if (i < spec.len && spec.ptr[i] >= '1' && spec.ptr[i] <= '9')
                return false;
            continue;
        }
        if (spec.ptr[i] != '{')
            continue;
        for (size_t k = i + 1, from = k; k < spec.len && spec.ptr[k] != '}'; k++) {
            if (spec.ptr[k] == ',')
                from = k + 1;
            int64_t value;
            if (str_to_i64(str_slice(spec, from, k + 1), &value) && value > count)
                count = value;
        }
        if (count > 1 && (!i64_mul(repeats, count, &repeats) || repeats > REGEX_REPEATS_MAX))
            return false;
    }
    return true;
}

static enum err check_regex(const struct verifier *v, str answer, struct arena *arena,
                            enum verdict *out, str *out_why)
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
    *out = is_match ? VERDICT_PASS : VERDICT_FAIL;
    if (!is_match)
        *out_why = arena_printf(arena, "\"%.*s\" does not match the pattern %.*s.",
                                STR_ARG(quoted(answer)), STR_ARG(v->spec));
    return OK;
}

static enum err check_exact(const struct verifier *v, str answer, struct arena *arena,
                            enum verdict *out, str *out_why)
{
    struct quantity key, given;

    str wanted = answer_canonical(arena, v->spec);
    str form = answer_canonical(arena, answer);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (wanted.len == 0)
        return CALLER_BAD_REQUEST;
    bool is_right = str_eq(wanted, form);
    /* A key that is a bare number leaves the unit open. */
    if (!is_right && quantity_parse(arena, wanted, &key) && key.unit.len == 0 &&
        quantity_parse(arena, str_trim(answer), &given) && !given.is_scaled)
        is_right = rational_equal(key.value, given.value);
    *out = is_right ? VERDICT_PASS : VERDICT_FAIL;
    if (!is_right)
        *out_why =
            arena_printf(arena, "\"%.*s\" is not the right answer.", STR_ARG(quoted(answer)));
    return OK;
}

/* The JSON inside a fence, else the text itself. */
static str inside_fence(str answer)
{
    str text = str_trim(answer), line;

    if (!str_starts(text, STR("```")) || !str_next(&text, '\n', &line))
        return str_trim(answer);
    size_t end = str_find(text, STR("```"));
    return str_trim(end == STR_NPOS ? text : str_slice(text, 0, end));
}

static enum err check_schema(const struct verifier *v, str answer, struct arena *arena,
                             enum verdict *out, str *out_why)
{
    struct json schema, value;
    struct json_error error = { 0 };
    bool is_valid = false;
    str where = { 0 };

    if (json_parse(arena, v->spec, &schema, NULL) != OK)
        return arena_failed(arena) ? WEIR_NO_MEMORY : CALLER_BAD_REQUEST;
    enum err e = json_parse(arena, inside_fence(answer), &value, &error);
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
        *out = VERDICT_FAIL;
        *out_why = arena_printf(arena, "The answer is not JSON: %s at byte %zu.",
                                error.what ? error.what : "it cannot be read", error.offset);
        return OK;
    }
    e = json_schema_check(arena, schema, value, &is_valid, &where);
    if (e != OK)
        return e;
    *out = is_valid ? VERDICT_PASS : VERDICT_FAIL;
    if (!is_valid)
        *out_why = arena_printf(arena, "The answer does not fit the JSON Schema at \"%.*s\".",
                                STR_ARG(where));
    return OK;
}

enum err verifier_check(const struct verifier *v, str answer, struct arena *arena,
                        enum verdict *out, str *out_why)
{
    enum verdict verdict = VERDICT_UNKNOWN;
    str why = { 0 };
    enum err e = OK;

    switch (v->kind) {
    case VERIFY_NONE:
        break;
    case VERIFY_ARITHMETIC:
        e = check_arithmetic(v, answer, arena, &verdict, &why);
        break;
    case VERIFY_REGEX:
        e = check_regex(v, answer, arena, &verdict, &why);
        break;
    case VERIFY_EXACT:
        e = check_exact(v, answer, arena, &verdict, &why);
        break;
    case VERIFY_JSON_SCHEMA:
        e = check_schema(v, answer, arena, &verdict, &why);
        break;
    case VERIFY_NUMBER:
    case VERIFY_GAME24:
    case VERIFY_SCHEDULE:
    case VERIFY_RUBRIC:
        return WEIR_NOT_SUPPORTED;
    }
    if (e != OK)
        return e;
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = verdict;
    *out_why = why;
    return OK;
}
