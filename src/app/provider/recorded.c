/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded: what real models once answered, found by the question's text. Everything is read at the
 * start; a question is found by a hash of its whole text, else by looking which question stands inside the
 * prompt (the longest one wins), so that a prompt template around a question does no harm.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/provider/provider_internal.h"

#define MODELS_MAX 64
#define QUESTIONS_MAX 200000

struct question {
    str id;
    str text; /* the recorded prompt, trimmed */
    str core; /* the question proper, without heading and instruction */
};

struct recording {
    str output; /* ptr NULL: this model has no answer to the question */
    int64_t prompt_tokens;
    int64_t completion_tokens;
};

struct recorded_model {
    str name;
    struct recording *recordings; /* one a question */
};

struct recorded {
    struct question *questions;
    size_t count;
    uint32_t *by_text; /* hash slots: index + 1, 0 is free */
    uint32_t *by_id;
    size_t slots; /* a power of two, more than twice the count */
    struct recorded_model models[MODELS_MAX];
    size_t model_count;
};

/* Where the lines of a file go. */
struct reader {
    struct provider *p;
    struct recorded *recorded;
    struct recorded_model *model;
    /* Takes one line's object; false when a member is missing. */
    bool (*take)(struct reader *reader, struct arena *scratch, struct json line);
};

/* ---- the index ---- */

static uint32_t *slot_of(uint32_t *slots, size_t slot_count, const struct recorded *r, str key,
                         bool is_id)
{
    size_t at = (size_t)str_hash(key) & (slot_count - 1);

    while (slots[at] != 0) {
        const struct question *q = &r->questions[slots[at] - 1];
        if (str_eq(is_id ? q->id : q->text, key))
            break;
        at = (at + 1) & (slot_count - 1);
    }
    return &slots[at];
}

static bool index_questions(struct provider *p, struct recorded *r)
{
    r->slots = 16;
    while (r->slots <= r->count * 2)
        r->slots *= 2;
    r->by_text = ARENA_ARRAY(&p->arena, r->slots, uint32_t);
    r->by_id = ARENA_ARRAY(&p->arena, r->slots, uint32_t);
    if (!r->by_text || !r->by_id)
        return false;
    for (size_t i = 0; i < r->count; i++) {
        *slot_of(r->by_text, r->slots, r, r->questions[i].text, false) = (uint32_t)i + 1;
        *slot_of(r->by_id, r->slots, r, r->questions[i].id, true) = (uint32_t)i + 1;
    }
    return true;
}

/* ---- reading ---- */

static enum err read_lines(struct reader *reader, str path, char out_why[256])
{
    struct buf file = { 0 };
    enum err e = provider_file_read(path, &file, out_why);
    str rest = buf_str(&file), line;
    size_t number = 0;

    while (e == OK && str_next(&rest, '\n', &line)) {
        struct arena scratch;
        struct json object;
        number++;
        if (str_trim(line).len == 0)
            continue;
        arena_init(&scratch, (size_t)16 << 20);
        if (json_parse(&scratch, str_trim(line), &object, NULL) != OK ||
            !reader->take(reader, &scratch, object))
            e = WEIR_CONFIG;
        arena_fini(&scratch);
        if (e == OK && arena_failed(&reader->p->arena))
            e = WEIR_NO_MEMORY;
    }
    if (e == WEIR_CONFIG)
        snprintf(out_why, 256, "%.*s:%zu: not a recorded line",
                 (int)(path.len < 200 ? path.len : 200), path.ptr, number);
    buf_fini(&file);
    return e;
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

static bool take_question(struct reader *reader, struct arena *scratch, struct json line)
{
    struct recorded *r = reader->recorded;
    str id, prompt;

    if (r->count == QUESTIONS_MAX || !json_str(json_get(line, STR("id")), scratch, &id) ||
        !json_str(json_get(line, STR("prompt")), scratch, &prompt) || str_trim(prompt).len == 0)
        return false;
    struct question *q = &r->questions[r->count++];
    q->id = arena_str(&reader->p->arena, id);
    q->text = arena_str(&reader->p->arena, str_trim(prompt));
    q->core = core_of(q->text);
    return true;
}

static bool take_recording(struct reader *reader, struct arena *scratch, struct json line)
{
    struct recorded *r = reader->recorded;
    str id, output;
    struct recording found = { 0 };

    if (!json_str(json_get(line, STR("id")), scratch, &id) ||
        !json_str(json_get(line, STR("output")), scratch, &output) ||
        !json_i64(json_get(line, STR("prompt_tokens")), &found.prompt_tokens) ||
        !json_i64(json_get(line, STR("completion_tokens")), &found.completion_tokens))
        return false;
    uint32_t index = *slot_of(r->by_id, r->slots, r, id, true);
    if (index == 0)
        return true; /* an answer to a question that is not in this folder */
    found.output = arena_str(&reader->p->arena, output);
    reader->model->recordings[index - 1] = found;
    return true;
}

static enum err load_model(struct reader *reader, str folder, str file, char out_why[256])
{
    struct recorded *r = reader->recorded;
    struct arena *arena = &reader->p->arena;

    if (r->model_count == MODELS_MAX) {
        snprintf(out_why, 256, "more than %d models", MODELS_MAX);
        return WEIR_CONFIG;
    }
    reader->model = &r->models[r->model_count++];
    reader->model->name = arena_str(arena, str_slice(file, 0, file.len - STR(".jsonl").len));
    reader->model->recordings = ARENA_ARRAY(arena, r->count, struct recording);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    reader->take = take_recording;
    return read_lines(reader, arena_printf(arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(file)),
                      out_why);
}

static int compare_models(const void *a, const void *b)
{
    const struct recorded_model *left = a, *right = b;

    return str_cmp(left->name, right->name);
}

static enum err load_models(struct reader *reader, char out_why[256])
{
    struct provider *p = reader->p;
    str folder = arena_printf(&p->arena, "%.*s/answers", STR_ARG(p->options.path));
    DIR *dir = folder.len > 0 ? opendir(folder.ptr) : NULL;
    enum err e = OK;

    if (!dir) {
        snprintf(out_why, 256, "the folder has no readable folder \"answers\"");
        return WEIR_IO;
    }
    for (struct dirent *entry; e == OK && (entry = readdir(dir)) != NULL;) {
        str file = str_from(entry->d_name);
        if (str_ends(file, STR(".jsonl")) && file.ptr[0] != '.')
            e = load_model(reader, folder, file, out_why);
    }
    IGNORE(closedir(dir));
    /* A folder's order is the file system's whim. */
    qsort(reader->recorded->models, reader->recorded->model_count, sizeof(struct recorded_model),
          compare_models);
    return e;
}

enum err recorded_load(struct provider *p, char out_why[256])
{
    struct recorded *r = ARENA_NEW(&p->arena, struct recorded);
    struct reader reader = { .p = p, .recorded = r, .take = take_question };
    struct question *questions = calloc(QUESTIONS_MAX, sizeof *questions);

    if (!r || !questions) {
        free(questions);
        return WEIR_NO_MEMORY;
    }
    r->questions = questions;
    enum err e = read_lines(
        &reader, arena_printf(&p->arena, "%.*s/questions.jsonl", STR_ARG(p->options.path)),
        out_why);
    r->questions = ARENA_ARRAY(&p->arena, r->count > 0 ? r->count : 1, struct question);
    if (e == OK && !r->questions)
        e = WEIR_NO_MEMORY;
    if (e == OK)
        memcpy(r->questions, questions, r->count * sizeof *questions);
    free(questions);
    if (e == OK && !index_questions(p, r))
        e = WEIR_NO_MEMORY;
    if (e == OK)
        e = load_models(&reader, out_why);
    if (e == OK)
        p->recorded = r;
    return e;
}

/* ---- answering ---- */

/* The question that a prompt is, or else the longest one that stands inside it; NULL: none. */
static const struct question *find_question(const struct recorded *r, str prompt)
{
    const struct question *best = NULL;

    prompt = str_trim(prompt);
    uint32_t exact = *slot_of(r->by_text, r->slots, r, prompt, false);
    if (exact != 0)
        return &r->questions[exact - 1];
    for (size_t i = 0; i < r->count; i++) {
        const struct question *q = &r->questions[i];
        if (best && q->core.len <= best->core.len)
            continue;
        if (str_find(prompt, q->core) != STR_NPOS)
            best = q;
    }
    return best;
}

/* By the file's name, else the first dated snapshot of a family: "gpt-4o" finds "gpt-4o-2024-08-06", not "gpt-4o-mini-…". */
static const struct recorded_model *find_model(const struct recorded *r, str name)
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

static void answer_found(struct provider *p, struct exchange *x, const struct chat_request *request,
                         const struct recorded_model *model, const struct recording *recording)
{
    struct completion c = { .number = p->counts.requests,
                            .created = world_wall() / 1000000,
                            .model = model->name,
                            .text = recording->output,
                            .finish = "stop",
                            .fingerprint = provider_mode_of(p)->fingerprint,
                            .prompt_tokens = recording->prompt_tokens,
                            .completion_tokens = recording->completion_tokens };
    struct play *play = play_new(p, x);

    if (!play)
        return;
    play->head_wait = p->options.delay_ms * NSEC_PER_MS;
    buf_reset(&p->body);
    if (request->stream) {
        completion_write_event_head(&p->body, &c);
        play->content_type = STR("text/event-stream");
        play->produce = play_produce_stream;
        play->stream =
            (struct stream_source){ .completion = c,
                                    .event_head = arena_str(exchange_arena(x), buf_str(&p->body)),
                                    .deltas = (size_t)p->options.deltas,
                                    .deltas_max = (size_t)p->options.deltas,
                                    .interval = p->options.delta_interval_ms * NSEC_PER_MS,
                                    .include_usage = request->include_usage };
    } else {
        completion_write(&p->body, &c);
        play->is_whole = true;
        play->body = arena_str(exchange_arena(x), buf_str(&p->body));
    }
    play_start(play);
}

void recorded_answer(struct provider *p, struct exchange *x)
{
    const struct recorded *r = p->recorded;
    struct chat_request request;

    if (!request_read(p, x, &request))
        return;
    const struct recorded_model *model = find_model(r, request.model);
    if (!model) {
        respond_error(p, x, 404, PROVIDER_NO_MODEL, STR("no answers of this model are recorded"),
                      STR("model"));
        return;
    }
    const struct question *question = find_question(r, last_user_content(&request));
    const struct recording *recording =
        question ? &model->recordings[question - r->questions] : NULL;
    if (!recording || !recording->output.ptr) {
        respond_error(p, x, 404, PROVIDER_REJECTED,
                      STR("no answer of this model to this question is recorded"), STR("messages"));
        return;
    }
    answer_found(p, x, &request, model, recording);
}

void recorded_write_models(const struct provider *p, struct buf *out)
{
    for (size_t i = 0; i < p->recorded->model_count; i++)
        model_write(out, p->recorded->models[i].name);
}
