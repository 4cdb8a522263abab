/* SPDX-License-Identifier: Apache-2.0 */
/* train_rows: see train_rows.h. */
#include "app/cli/train_rows.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/cli/cli.h"
#include "app/cli/train_lines.h"

#define ROWS_ARENA_MAX ((size_t)4 << 30)

enum side { SIDE_WEAK, SIDE_STRONG, SIDE_COUNT };

/* A growing array in the arena. */
struct table {
    size_t n, cap;
};

struct question {
    str id;
    str domain;
    str prompt;
    uint32_t answers[SIDE_COUNT]; /* chains, the newest first: 1 + index; 0: none */
};
struct answer {
    bool is_right;
    nano_usd cost;
    uint32_t next; /* the one before; 1 + index */
};

struct reader {
    struct train_lines lines;
    const struct train_source *source;
    struct train_rows *out;
    struct arena *arena; /* of out */
    enum side side; /* recorded: whose answers these are */
    str recorded_name; /* and that model's name in full */

    struct route_row *rows;
    struct table rows_table;
    struct route_run *runs;
    struct table runs_table;
    struct question *questions;
    struct table questions_table;
    struct answer *answers;
    struct table answers_table;
    uint32_t *by_id; /* hash slots of questions: 1 + index */
    size_t slots; /* a power of two */
};

static struct reader *reader_of(struct train_lines *lines)
{
    return CONTAINER_OF(lines, struct reader, lines);
}

static bool complain(const struct reader *r, const char *what)
{
    return train_lines_complain(&r->lines, what);
}

/* ---- growing ---- */

/* Room for one more of `size` bytes; the array may move. NULL, having complained, without memory. */
static void *table_grow(struct reader *r, void *items, struct table *table, size_t size)
{
    void *room = arena_room(r->arena, items, table->n, &table->cap, size);

    if (!room)
        complain(r, "out of memory");
    return room;
}

static bool row_add(struct reader *r, const struct route_row *row)
{
    struct route_row *rows = table_grow(r, r->rows, &r->rows_table, sizeof(*rows));

    if (!rows)
        return false;
    r->rows = rows;
    r->rows[r->rows_table.n++] = *row;
    return true;
}

static bool run_add(struct reader *r, const struct route_run *run)
{
    struct route_run *runs = table_grow(r, r->runs, &r->runs_table, sizeof(*runs));

    if (!runs)
        return false;
    r->runs = runs;
    r->runs[r->runs_table.n++] = *run;
    return true;
}

/* ---- questions by id ---- */

static uint32_t *slot_of(const struct reader *r, str id)
{
    size_t at = (size_t)rng_mix(str_hash(id)) & (r->slots - 1);

    while (r->by_id[at] != 0 && !str_eq(r->questions[r->by_id[at] - 1].id, id))
        at = (at + 1) & (r->slots - 1);
    return &r->by_id[at];
}

static bool slots_grow(struct reader *r)
{
    if (r->questions_table.n * 2 < r->slots)
        return true;
    r->slots = r->slots > 0 ? r->slots * 2 : 1024;
    r->by_id = ARENA_ARRAY(r->arena, r->slots, uint32_t);
    if (!r->by_id)
        return complain(r, "out of memory");
    for (size_t i = 0; i < r->questions_table.n; i++)
        *slot_of(r, r->questions[i].id) = (uint32_t)i + 1;
    return true;
}

/* id, prompt and, when it is there, domain: what pairs and questions have in common. */
static bool question_members(struct reader *r, struct json line, struct question *out)
{
    *out = (struct question){ .domain = STR("") };
    if (!train_text(&r->lines, line, "id", &out->id) || out->id.len == 0)
        return complain(r, "\"id\" must be a string that is not empty");
    if (!train_text(&r->lines, line, "prompt", &out->prompt))
        return complain(r, "\"prompt\" must be a string");
    if (json_exists(json_get(line, STR("domain"))) &&
        !train_text(&r->lines, line, "domain", &out->domain))
        return complain(r, "\"domain\" must be a string");
    return true;
}

static bool question_read(struct train_lines *lines, struct json line)
{
    struct reader *r = reader_of(lines);
    struct question question;

    if (!question_members(r, line, &question) || !slots_grow(r))
        return false;
    uint32_t *slot = slot_of(r, question.id);
    if (*slot != 0)
        return complain(r, "this id stands twice");
    struct question *questions =
        table_grow(r, r->questions, &r->questions_table, sizeof(*questions));
    if (!questions)
        return false;
    r->questions = questions;
    r->questions[r->questions_table.n++] = question;
    *slot = (uint32_t)r->questions_table.n;
    return true;
}

static struct question *question_find(const struct reader *r, str id)
{
    uint32_t index = r->slots > 0 ? *slot_of(r, id) : 0;

    return index > 0 ? &r->questions[index - 1] : NULL;
}

static bool answer_add(struct reader *r, struct question *question, enum side side, bool is_right,
                       nano_usd cost)
{
    struct answer *answers = table_grow(r, r->answers, &r->answers_table, sizeof(*answers));

    if (!answers)
        return false;
    r->answers = answers;
    r->answers[r->answers_table.n++] = (struct answer){ is_right, cost, question->answers[side] };
    question->answers[side] = (uint32_t)r->answers_table.n;
    return true;
}

/* Each question's answers of both, the newest with the newest; what only one of them has is skipped. */
static int questions_pair(struct reader *r)
{
    for (size_t i = 0; i < r->questions_table.n; i++) {
        const struct question *q = &r->questions[i];
        uint32_t weak = q->answers[SIDE_WEAK], strong = q->answers[SIDE_STRONG];
        r->out->skipped += weak == 0 || strong == 0;
        while (weak != 0 && strong != 0) {
            const struct answer *a = &r->answers[weak - 1], *b = &r->answers[strong - 1];
            if (!row_add(r, &(struct route_row){ .id = q->id,
                                                 .domain = q->domain,
                                                 .prompt = q->prompt,
                                                 .weak_right = a->is_right,
                                                 .strong_right = b->is_right,
                                                 .weak_cost = a->cost,
                                                 .strong_cost = b->cost }))
                return EXIT_USAGE;
            weak = a->next;
            strong = b->next;
        }
    }
    return EXIT_DONE;
}

/* ---- pairs ---- */

static bool pair_read(struct train_lines *lines, struct json line)
{
    struct reader *r = reader_of(lines);
    struct question q;
    struct route_row row;

    if (!question_members(r, line, &q))
        return false;
    row = (struct route_row){ .id = q.id, .domain = q.domain, .prompt = q.prompt };
    if (!json_bool(json_get(line, STR("weak_right")), &row.weak_right) ||
        !json_bool(json_get(line, STR("strong_right")), &row.strong_right))
        return complain(r, "\"weak_right\" and \"strong_right\" must be true or false");
    if (!train_cost(line, "weak_cost_nano_usd", &row.weak_cost) ||
        !train_cost(line, "strong_cost_nano_usd", &row.strong_cost))
        return complain(r, "a cost must be an integer of nano-dollars, or null");
    const struct route_run weak = {
        q.domain, STR("direct"), r->out->weak_model, row.weak_right, row.weak_cost, -1, -1
    };
    const struct route_run strong = {
        q.domain, STR("direct"), r->out->strong_model, row.strong_right, row.strong_cost, -1, -1
    };
    return row_add(r, &row) && run_add(r, &weak) && run_add(r, &strong);
}

static int pairs_read(struct reader *r, str path)
{
    if (r->out->weak_model.len == 0)
        r->out->weak_model = STR("weak");
    if (r->out->strong_model.len == 0)
        r->out->strong_model = STR("strong");
    return train_lines_read(&r->lines, path, pair_read);
}

/* ---- runs ---- */

static bool run_members(struct reader *r, struct json line, struct route_run *run)
{
    if (!train_text(&r->lines, line, "model", &run->model) ||
        !train_text(&r->lines, line, "strategy", &run->strategy))
        return complain(r, "\"model\" and \"strategy\" must be strings");
    if (!json_bool(json_get(line, STR("right")), &run->is_right))
        return complain(r, "\"right\" must be true or false");
    if (!train_cost(line, "cost_nano_usd", &run->cost))
        return complain(r, "\"cost_nano_usd\" must be an integer, or null");
    if (!train_number(line, "latency_ms", 1e12, &run->latency_ms))
        return complain(r, "\"latency_ms\" must be a number, or null");
    if (!train_number(line, "raw_confidence", 1, &run->raw_confidence))
        return complain(r, "\"raw_confidence\" must be from 0 to 1, or null");
    return true;
}

static bool run_read(struct train_lines *lines, struct json line)
{
    struct reader *r = reader_of(lines);
    struct json fault = json_get(line, STR("fault"));
    struct route_run run;
    bool is_simulated = false;
    str id;

    if (!train_text(&r->lines, line, "id", &id))
        return complain(r, "\"id\" must be a string");
    struct question *question = question_find(r, id);
    if (!question)
        return complain(r, "questions.jsonl has no question of this id");
    if (!run_members(r, line, &run))
        return false;
    run.domain = question->domain;
    IGNORE(json_bool(json_get(line, STR("simulated")), &is_simulated));
    r->out->simulated += is_simulated;
    if (json_exists(fault) && !json_is(fault, JSON_NULL)) {
        r->out->faulted++;
        return true;
    }
    if (!run_add(r, &run))
        return false;
    if (!str_eq(run.strategy, STR("direct")))
        return true;
    if (str_eq(run.model, r->out->weak_model))
        return answer_add(r, question, SIDE_WEAK, run.is_right, run.cost);
    if (str_eq(run.model, r->out->strong_model))
        return answer_add(r, question, SIDE_STRONG, run.is_right, run.cost);
    return true;
}

static int models_needed(const struct reader *r)
{
    if (r->out->weak_model.len > 0 && r->out->strong_model.len > 0)
        return EXIT_DONE;
    return cli_usage_error("train", "--weak and --strong are needed: which two models to route "
                                    "between");
}

static int questions_read(struct reader *r, str folder)
{
    return train_lines_read(
        &r->lines, arena_printf(r->arena, "%.*s/questions.jsonl", STR_ARG(folder)), question_read);
}

static int runs_read(struct reader *r, str folder)
{
    int status = models_needed(r);

    if (status == EXIT_DONE)
        status = questions_read(r, folder);
    if (status == EXIT_DONE)
        status = train_lines_read(
            &r->lines, arena_printf(r->arena, "%.*s/runs.jsonl", STR_ARG(folder)), run_read);
    return status == EXIT_DONE ? questions_pair(r) : status;
}

/* ---- recorded answers ---- */

static bool recorded_read(struct train_lines *lines, struct json line)
{
    struct reader *r = reader_of(lines);
    struct usage usage = { .is_known = true };
    str model = r->side == SIDE_WEAK ? r->out->weak_model : r->out->strong_model;
    const struct price *price = price_find(r->source->prices, r->recorded_name, r->source->now);
    nano_usd cost = COST_UNPRICED;
    bool is_right;
    str id;

    if (!train_text(&r->lines, line, "id", &id) ||
        !json_bool(json_get(line, STR("correct")), &is_right))
        return complain(r, "\"id\" must be a string and \"correct\" true or false");
    if (json_i64(json_get(line, STR("prompt_tokens")), &usage.input) &&
        json_i64(json_get(line, STR("completion_tokens")), &usage.output))
        cost = price_cost(price, &usage);
    struct question *question = question_find(r, id);
    if (!question)
        return true; /* an answer to a question of another part of the set */
    const struct route_run run = { question->domain, STR("direct"), model, is_right, cost, -1, -1 };
    return run_add(r, &run) && answer_add(r, question, r->side, is_right, cost);
}

/* "gpt-4o" finds gpt-4o.jsonl, else the first dated snapshot, gpt-4o-2024-08-06.jsonl. The file's name without its end. */
static str recorded_model(struct reader *r, str folder, str name)
{
    DIR *dir = opendir(folder.ptr);
    str best = { NULL, 0 };

    if (!dir)
        return best;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        str file = str_from(entry->d_name);
        if (!str_starts(file, name) || !str_ends(file, STR(".jsonl")))
            continue;
        file.len -= STR(".jsonl").len;
        bool is_exact = str_eq(file, name);
        bool is_dated = str_starts(str_slice(file, name.len, file.len), STR("-20"));
        if (is_exact || (is_dated && (best.len == 0 || str_cmp(file, best) < 0)))
            best = arena_str(r->arena, file);
        if (is_exact)
            break;
    }
    IGNORE(closedir(dir));
    return best;
}

static int recordings_read(struct reader *r, str folder)
{
    const str models[SIDE_COUNT] = { r->out->weak_model, r->out->strong_model };
    str answers = arena_printf(r->arena, "%.*s/answers", STR_ARG(folder));
    int status = models_needed(r);

    if (status == EXIT_DONE)
        status = questions_read(r, folder);
    for (int side = 0; status == EXIT_DONE && side < SIDE_COUNT; side++) {
        r->side = (enum side)side;
        r->recorded_name = recorded_model(r, answers, models[side]);
        if (r->recorded_name.len == 0)
            return cli_usage_error("train", "%.*s has no answers of '%.*s'", STR_ARG(answers),
                                   STR_ARG(models[side]));
        str path =
            arena_printf(r->arena, "%.*s/%.*s.jsonl", STR_ARG(answers), STR_ARG(r->recorded_name));
        status = train_lines_read(&r->lines, path, recorded_read);
    }
    return status == EXIT_DONE ? questions_pair(r) : status;
}

/* ---- which form it is ---- */

static bool is_there(struct reader *r, str folder, const char *name, bool is_directory)
{
    str path = arena_printf(r->arena, "%.*s/%s", STR_ARG(folder), name);
    struct stat status;

    return path.len > 0 && stat(path.ptr, &status) == 0 &&
           (S_ISDIR(status.st_mode) != 0) == is_directory;
}

static int source_read(struct reader *r)
{
    static const char runs_name[] = "/runs.jsonl";
    str path = arena_str(r->arena, r->source->path);
    struct stat status;

    if (!path.ptr || stat(path.ptr, &status) != 0)
        return train_unreadable(r->source->path);
    if (!S_ISDIR(status.st_mode)) {
        if (!str_ends(path, str_from(runs_name)))
            return pairs_read(r, path);
        return runs_read(r, str_slice(path, 0, path.len - (sizeof(runs_name) - 1)));
    }
    if (is_there(r, path, "runs.jsonl", false))
        return runs_read(r, path);
    if (is_there(r, path, "answers", true))
        return recordings_read(r, path);
    return cli_usage_error("train",
                           "%.*s has neither runs.jsonl (of 'weir eval --out') nor a directory "
                           "answers (recorded answers)",
                           STR_ARG(path));
}

int train_rows_read(struct train_rows *out, const struct train_source *source)
{
    struct reader r = {
        .lines = { .arena = &out->arena }, .source = source, .out = out, .arena = &out->arena
    };

    *out = (struct train_rows){ .weak_model = source->weak_model,
                                .strong_model = source->strong_model };
    arena_init(&out->arena, ROWS_ARENA_MAX);
    int status = source_read(&r);
    if (status == EXIT_DONE)
        out->training = (struct route_training){
            .rows = r.rows, .row_count = r.rows_table.n, .runs = r.runs, .run_count = r.runs_table.n
        };
    return status;
}

void train_rows_fini(struct train_rows *rows)
{
    arena_fini(&rows->arena);
}
