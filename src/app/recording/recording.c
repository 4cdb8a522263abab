/* SPDX-License-Identifier: Apache-2.0 */
/* recording: the texts, and the index over them. See recording.h. */
#include "app/recording/recording.h"

#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

#define ARENA_MAX ((size_t)1 << 30)
#define LINE_ARENA_MAX ((size_t)16 << 20)
#define SLOTS_MIN 16

struct recording {
    struct recorded_question *questions;
    size_t count;
    uint32_t *by_text; /* hash slots: index + 1, 0 is free */
    uint32_t *by_id;
    size_t slots; /* a power of two, more than twice the count */
    struct recorded_model models[RECORDING_MODELS_MAX];
    size_t model_count;
    struct arena arena; /* owns everything above */
};

enum err recording_new(struct recording **out)
{
    struct recording *r = calloc(1, sizeof(*r));

    if (!r)
        return WEIR_NO_MEMORY;
    arena_init(&r->arena, ARENA_MAX);
    *out = r;
    return OK;
}

void recording_close(struct recording *r)
{
    if (!r)
        return;
    arena_fini(&r->arena);
    free(r);
}

/* ---- the index ---- */

static uint32_t *slot_of(const struct recording *r, uint32_t *slots, str key)
{
    size_t at = (size_t)str_hash(key) & (r->slots - 1);

    while (slots[at] != 0) {
        const struct recorded_question *q = &r->questions[slots[at] - 1];
        if (str_eq(slots == r->by_id ? q->id : q->text, key))
            break;
        at = (at + 1) & (r->slots - 1);
    }
    return &slots[at];
}

static enum err index_make(struct recording *r, size_t questions_max)
{
    r->slots = SLOTS_MIN;
    while (r->slots <= questions_max * 2)
        r->slots *= 2;
    r->questions = ARENA_ARRAY(&r->arena, questions_max, struct recorded_question);
    r->by_text = ARENA_ARRAY(&r->arena, r->slots, uint32_t);
    r->by_id = ARENA_ARRAY(&r->arena, r->slots, uint32_t);
    return arena_failed(&r->arena) ? WEIR_NO_MEMORY : OK;
}

/* ---- reading ---- */

/* Takes one line's object; false when it is none of ours. */
typedef bool (*take_line)(struct recording *r, struct arena *scratch, struct json line);

static enum err read_lines(struct recording *r, str text, take_line take, size_t *out_line)
{
    str line;
    size_t number = 0;

    while (str_next(&text, '\n', &line)) {
        struct arena scratch;
        struct json object;
        number++;
        if (str_trim(line).len == 0)
            continue;
        arena_init(&scratch, LINE_ARENA_MAX);
        bool is_taken =
            json_parse(&scratch, str_trim(line), &object, NULL) == OK && take(r, &scratch, object);
        arena_fini(&scratch);
        if (arena_failed(&r->arena))
            return WEIR_NO_MEMORY;
        if (!is_taken) {
            *out_line = number;
            return WEIR_CONFIG;
        }
    }
    return OK;
}

/* The question between its heading and the instruction, where a prompt has both; else all of it. */
static str core_of(str prompt)
{
    static const str heading = { "## Question:", 12 }, instruction = { "## Instruction", 14 };
    size_t from = str_find(prompt, heading), to = str_find(prompt, instruction);

    if (from == STR_NPOS || to == STR_NPOS || from + heading.len > to)
        return prompt;
    str core = str_trim(str_slice(prompt, from + heading.len, to));
    return core.len > 0 ? core : prompt;
}

static bool take_question(struct recording *r, struct arena *scratch, struct json line)
{
    str id, prompt;

    if (r->count == RECORDING_QUESTIONS_MAX || !json_str(json_get(line, STR("id")), scratch, &id) ||
        !json_str(json_get(line, STR("prompt")), scratch, &prompt) || str_trim(prompt).len == 0)
        return false;
    uint32_t *id_slot = slot_of(r, r->by_id, id);
    if (*id_slot != 0)
        return false;
    struct recorded_question *q = &r->questions[r->count];
    *q = (struct recorded_question){ .id = arena_str(&r->arena, id),
                                     .text = arena_str(&r->arena, str_trim(prompt)) };
    q->core = core_of(q->text);
    *slot_of(r, r->by_text, q->text) = (uint32_t)r->count + 1;
    *id_slot = (uint32_t)++r->count;
    return true;
}

static bool take_answer(struct recording *r, struct arena *scratch, struct json line)
{
    struct recorded_model *model = &r->models[r->model_count - 1];
    struct recorded_answer found = { 0 };
    str id, output;

    if (!json_str(json_get(line, STR("id")), scratch, &id) ||
        !json_str(json_get(line, STR("output")), scratch, &output) ||
        !json_i64(json_get(line, STR("prompt_tokens")), &found.prompt_tokens) ||
        !json_i64(json_get(line, STR("completion_tokens")), &found.completion_tokens) ||
        found.prompt_tokens < 0 || found.completion_tokens < 0)
        return false;
    size_t index = recording_find_id(r, id);
    if (index == RECORDING_NONE)
        return true; /* an answer to a question that is not in this folder */
    found.output = arena_str(&r->arena, output);
    found.is_labelled = json_bool(json_get(line, STR("correct")), &found.is_correct);
    model->answers[index] = found;
    return true;
}

static size_t count_lines(str text)
{
    str line;
    size_t n = 0;

    while (str_next(&text, '\n', &line))
        n++;
    return n;
}

enum err recording_read_questions(struct recording *r, str text, size_t *out_line)
{
    assert(!r->questions);
    size_t lines = count_lines(text);
    enum err e =
        index_make(r, lines < RECORDING_QUESTIONS_MAX ? lines + 1 : RECORDING_QUESTIONS_MAX);
    return e == OK ? read_lines(r, text, take_question, out_line) : e;
}

static int compare_models(const void *a, const void *b)
{
    const struct recorded_model *left = a, *right = b;

    return str_cmp(left->name, right->name);
}

enum err recording_read_answers(struct recording *r, str model, str text, size_t *out_line)
{
    assert(r->questions);
    if (r->model_count == RECORDING_MODELS_MAX)
        return WEIR_OVERLOADED;
    struct recorded_model *m = &r->models[r->model_count++];
    *m = (struct recorded_model){ .name = arena_str(&r->arena, model),
                                  .answers = ARENA_ARRAY(&r->arena, r->count > 0 ? r->count : 1,
                                                         struct recorded_answer) };
    if (arena_failed(&r->arena))
        return WEIR_NO_MEMORY;
    enum err e = read_lines(r, text, take_answer, out_line);
    /* A folder's order is the file system's whim. */
    qsort(r->models, r->model_count, sizeof(struct recorded_model), compare_models);
    return e;
}

/* ---- finding ---- */

size_t recording_question_count(const struct recording *r)
{
    return r->count;
}

const struct recorded_question *recording_question(const struct recording *r, size_t index)
{
    assert(index < r->count);
    return &r->questions[index];
}

size_t recording_find_id(const struct recording *r, str id)
{
    uint32_t slot = *slot_of(r, r->by_id, id);

    return slot > 0 ? slot - 1 : RECORDING_NONE;
}

size_t recording_find_prompt(const struct recording *r, str prompt)
{
    size_t best = RECORDING_NONE;

    prompt = str_trim(prompt);
    uint32_t exact = *slot_of(r, r->by_text, prompt);
    if (exact > 0)
        return exact - 1;
    for (size_t i = 0; i < r->count; i++) {
        str core = r->questions[i].core;
        if (best != RECORDING_NONE && core.len <= r->questions[best].core.len)
            continue;
        if (str_find(prompt, core) != STR_NPOS)
            best = i;
    }
    return best;
}

size_t recording_model_count(const struct recording *r)
{
    return r->model_count;
}

const struct recorded_model *recording_model(const struct recording *r, size_t index)
{
    assert(index < r->model_count);
    return &r->models[index];
}

const struct recorded_model *recording_find_model(const struct recording *r, str name)
{
    for (size_t i = 0; i < r->model_count; i++) {
        if (str_eq(r->models[i].name, name))
            return &r->models[i];
    }
    for (size_t i = 0; i < r->model_count && name.len > 0; i++) {
        str rest = str_slice(r->models[i].name, name.len, r->models[i].name.len);
        if (str_starts(r->models[i].name, name) && str_starts(rest, STR("-20")))
            return &r->models[i];
    }
    return NULL;
}
