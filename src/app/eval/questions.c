/* SPDX-License-Identifier: Apache-2.0 */
/* questions: a file of questions, one JSON object a line; everything that is wrong with it is said at once. */
#include <string.h>

#include "app/eval/eval_internal.h"
#include "base/rng.h"
#include "core/json/json.h"

#define ID_BYTES_MAX 200
#define DOMAIN_BYTES_MAX 100
#define SLOTS_MIN 16
/* The domain of the tables' last rows. */
static const str overall = { "overall", 7 };

struct reader {
    struct arena *arena;
    struct eval_questions *questions;
    size_t *lines; /* of each question, for naming the first of two */
    str file;
    size_t line;
    struct buf *problems;
    size_t problem_count;
};

/* ---- saying what is wrong ---- */

static void problem(struct reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void problem(struct reader *r, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_printf(r->problems, "%.*s:%zu: ", STR_ARG(r->file), r->line);
    buf_vprintf(r->problems, fmt, args);
    buf_add_char(r->problems, '\n');
    va_end(args);
    r->problem_count++;
}

/* ---- the index ---- */

static uint32_t *slot_of(const struct eval_questions *questions, str id)
{
    size_t at = (size_t)str_hash(id) & (questions->slots - 1);

    while (questions->by_id[at] != 0 && !str_eq(questions->items[questions->by_id[at] - 1].id, id))
        at = (at + 1) & (questions->slots - 1);
    return &questions->by_id[at];
}

static enum err index_make(struct arena *arena, struct eval_questions *questions, size_t most)
{
    questions->slots = SLOTS_MIN;
    while (questions->slots <= most * 2)
        questions->slots *= 2;
    questions->by_id = ARENA_ARRAY(arena, questions->slots, uint32_t);
    return questions->by_id ? OK : WEIR_NO_MEMORY;
}

size_t eval_question_find(const struct eval_questions *questions, str id)
{
    uint32_t slot = *slot_of(questions, id);

    return slot > 0 ? slot - 1 : SIZE_MAX;
}

static bool domain_find(struct eval_questions *questions, str domain, uint32_t *out)
{
    size_t i = 0;

    while (i < questions->domain_count && !str_eq(questions->domains[i], domain))
        i++;
    if (i == EVAL_DOMAINS_MAX)
        return false;
    if (i == questions->domain_count)
        questions->domains[questions->domain_count++] = domain;
    *out = (uint32_t)i;
    return true;
}

/* ---- one line ---- */

/* A text that must be there and hold something; false: said so. */
static bool take_text(struct reader *r, struct json object, str name, str *out)
{
    struct json value = json_get(object, name);

    if (!json_exists(value)) {
        problem(r, "there is no \"%.*s\"", STR_ARG(name));
        return false;
    }
    if (!json_is(value, JSON_STRING) || !json_str(value, r->arena, out) ||
        str_trim(*out).len == 0) {
        problem(r, "\"%.*s\" must be a text that is not empty", STR_ARG(name));
        return false;
    }
    return true;
}

static bool take_id(struct reader *r, struct json object, str *out)
{
    if (!take_text(r, object, STR("id"), out))
        return false;
    if (out->len > ID_BYTES_MAX) {
        problem(r, "\"id\" is longer than %d bytes", ID_BYTES_MAX);
        return false;
    }
    size_t first = eval_question_find(r->questions, *out);
    if (first != SIZE_MAX) {
        problem(r, "the id \"%.*s\" stands in line %zu already", STR_ARG(*out), r->lines[first]);
        return false;
    }
    return true;
}

static bool take_domain(struct reader *r, struct json object, uint32_t *out)
{
    str domain = STR("generic");
    struct json value = json_get(object, STR("domain"));

    if (json_exists(value) && !take_text(r, object, STR("domain"), &domain))
        return false;
    if (domain.len > DOMAIN_BYTES_MAX || str_eq(domain, overall)) {
        problem(r, "\"domain\" must have at most %d bytes and not be \"overall\"",
                DOMAIN_BYTES_MAX);
        return false;
    }
    if (!domain_find(r->questions, domain, out)) {
        problem(r, "there are more than %d domains", EVAL_DOMAINS_MAX);
        return false;
    }
    return true;
}

/* A key: a text, or a number or truth value as it is written. */
static bool take_key(struct reader *r, struct json value, str *out)
{
    if (json_is(value, JSON_STRING))
        return json_str(value, r->arena, out) && out->len > 0;
    if (json_is(value, JSON_NUMBER) || json_is(value, JSON_TRUE) || json_is(value, JSON_FALSE)) {
        *out = json_raw(value);
        return true;
    }
    return false;
}

/* {"rubric": X} is {"verifier": {"kind": "rubric", "spec": X}}. */
static enum err rubric_parse(struct arena *arena, struct json spec, struct verifier *out,
                             str *out_what)
{
    struct json whole;
    str text = arena_printf(arena, "{\"kind\":\"rubric\",\"spec\":%.*s}", STR_ARG(json_raw(spec)));
    enum err e = text.len > 0 ? json_parse(arena, text, &whole, NULL) : WEIR_NO_MEMORY;

    return e == OK ? verifier_parse(arena, whole, out, out_what) : e;
}

/* How an answer is judged; false: said what is wrong. */
static bool take_checks(struct reader *r, struct json object, struct eval_question *q)
{
    struct json key = json_get(object, STR("answer"));
    struct json verifier = json_get(object, STR("verifier"));
    struct json rubric = json_get(object, STR("rubric"));
    str what = { 0 };
    enum err e = OK;

    if (!json_exists(key) && !json_exists(verifier) && !json_exists(rubric)) {
        problem(r, "there is no \"answer\", \"verifier\" or \"rubric\"");
        return false;
    }
    if (json_exists(verifier) && json_exists(rubric)) {
        problem(r, "there are both a \"verifier\" and a \"rubric\"");
        return false;
    }
    if (json_exists(key) && !take_key(r, key, &q->key)) {
        problem(r, "\"answer\" must be a text that is not empty, a number, true or false");
        return false;
    }
    if (json_exists(verifier))
        e = verifier_parse(r->arena, verifier, &q->verifier, &what);
    else if (json_exists(rubric))
        e = rubric_parse(r->arena, rubric, &q->verifier, &what);
    if (e != OK)
        problem(r, "\"%s\": %.*s", json_exists(rubric) ? "rubric" : "verifier", STR_ARG(what));
    return e == OK;
}

static void take_line(struct reader *r, str line)
{
    struct json_error error = { 0 };
    struct json object;
    struct eval_question q = { .line = line };

    enum err e = json_parse(r->arena, line, &object, &error);
    if (e == CALLER_BAD_JSON) {
        problem(r, "not valid JSON: %s at byte %zu", error.what, error.offset + 1);
        return;
    }
    if (e != OK || arena_failed(r->arena))
        return;
    if (!json_is(object, JSON_OBJECT)) {
        problem(r, "a question must be a JSON object");
        return;
    }
    bool has_id = take_id(r, object, &q.id);
    take_text(r, object, STR("prompt"), &q.prompt);
    take_domain(r, object, &q.domain);
    take_checks(r, object, &q);
    if (!has_id)
        return;
    /* What is wrong elsewhere still has its id, so that the second of two is found. */
    uint32_t *slot = slot_of(r->questions, q.id);
    r->lines[r->questions->count] = r->line;
    r->questions->items[r->questions->count++] = q;
    *slot = (uint32_t)r->questions->count;
}

/* ---- the file ---- */

static size_t lines_count(str text)
{
    size_t n = 0;
    str line;

    while (str_next(&text, '\n', &line))
        n += str_trim(line).len > 0;
    return n;
}

enum err eval_questions_read(struct arena *arena, str file, str text, struct eval_questions *out,
                             struct buf *problems)
{
    struct eval_questions questions = { 0 };
    struct reader r = {
        .arena = arena, .questions = &questions, .file = file, .line = 1, .problems = problems
    };
    size_t most = lines_count(text);
    str line;

    if (most == 0)
        problem(&r, "there is no question");
    if (most > EVAL_QUESTIONS_MAX)
        problem(&r, "there are more than %d questions", EVAL_QUESTIONS_MAX);
    if (r.problem_count > 0)
        return CALLER_BAD_REQUEST;
    questions.items = ARENA_ARRAY(arena, most, struct eval_question);
    r.lines = ARENA_ARRAY(arena, most, size_t);
    if (!questions.items || !r.lines || index_make(arena, &questions, most) != OK)
        return WEIR_NO_MEMORY;
    for (; str_next(&text, '\n', &line) && !arena_failed(arena); r.line++) {
        if (str_trim(line).len > 0)
            take_line(&r, str_trim(line));
    }
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (r.problem_count > 0)
        return CALLER_BAD_REQUEST;
    *out = questions;
    return OK;
}

/* ---- a part of them ---- */

enum err eval_questions_draw(struct arena *arena, struct eval_questions *questions, size_t n,
                             uint64_t seed)
{
    struct eval_questions part = { 0 };
    struct rng rng;

    if (n >= questions->count)
        return OK;
    part.items = ARENA_ARRAY(arena, n, struct eval_question);
    if (!part.items || index_make(arena, &part, n) != OK)
        return WEIR_NO_MEMORY;
    rng_init(&rng, seed);
    /* Selection sampling (Knuth, TAOCP 3.4.2, algorithm S): each subset of n is as likely, the order stays. */
    for (size_t i = 0; i < questions->count; i++) {
        struct eval_question q = questions->items[i];
        if (rng_below(&rng, questions->count - i) >= n - part.count)
            continue;
        if (!domain_find(&part, questions->domains[q.domain], &q.domain))
            return WEIR_DEFECT;
        uint32_t *slot = slot_of(&part, q.id);
        part.items[part.count++] = q;
        *slot = (uint32_t)part.count;
    }
    *questions = part;
    return OK;
}

uint64_t eval_questions_hash(const struct eval_questions *questions)
{
    uint64_t hash = questions->count;

    for (size_t i = 0; i < questions->count; i++)
        hash = rng_mix(hash ^ str_hash(questions->items[i].line));
    return hash;
}
