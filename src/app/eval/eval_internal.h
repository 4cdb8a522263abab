/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of eval share; nobody else includes it. */
#ifndef WEIR_APP_EVAL_EVAL_INTERNAL_H
#define WEIR_APP_EVAL_EVAL_INTERNAL_H

#include "app/eval/eval.h"
#include "base/arena.h"
#include "base/list.h"
#include "core/money/money.h"
#include "core/reason/reason.h"

struct world;

#define EVAL_QUESTIONS_MAX 1000000
#define EVAL_DOMAINS_MAX 64
#define EVAL_CELLS_MAX 24
#define EVAL_RUNS_TOTAL_MAX 4000000
#define EVAL_LINE_ARENA_MAX ((size_t)64 << 20) /* of what one line or one run needs */

/* ---- questions.c: what is asked ---- */

struct eval_question {
    str id;
    str prompt;
    str key; /* the right answer; ptr NULL: none */
    struct verifier verifier; /* VERIFY_NONE: none; with a key both must hold */
    uint32_t domain; /* index */
    str line; /* as it stood in its file */
};

struct eval_questions {
    struct eval_question *items; /* in the file's order */
    size_t count;
    str domains[EVAL_DOMAINS_MAX]; /* in the order of their first question */
    size_t domain_count;
    uint32_t *by_id; /* hash slots: index + 1, 0 is free */
    size_t slots; /* a power of two */
};

/* JSON Lines of {id, prompt, and answer, verifier or rubric}, perhaps {domain}; other members are left alone. The text must outlive
 * the questions. CALLER_BAD_REQUEST with one FILE:LINE: message a line in problems, all of them; WEIR_NO_MEMORY. */
NODISCARD enum err eval_questions_read(struct arena *arena, str file, str text,
                                       struct eval_questions *out, struct buf *problems);
/* Keeps n of them (all when there are fewer), drawn with the seed, in their order. */
NODISCARD enum err eval_questions_draw(struct arena *arena, struct eval_questions *questions,
                                       size_t n, uint64_t seed);
size_t eval_question_find(const struct eval_questions *questions, str id); /* SIZE_MAX: none */
uint64_t eval_questions_hash(const struct eval_questions *questions);

/* ---- judge.c: what is right ---- */

NODISCARD enum err eval_judge(struct arena *arena, const struct eval_question *question, str answer,
                              bool *out_right);
/* Is the answer what the key says? A quoted key is exactly that text; a bare number leaves the unit open; else both have the
 * same canonical form. */
bool eval_key_agrees(struct arena *arena, str key, str answer);

/* ---- plan.c: what is run ---- */

/* One sentence, with its line's end. */
void eval_problem(struct buf *problems, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct eval_cell {
    str name; /* "gpt-4o/full_stack:200" */
    str model;
    enum reason_strategy strategy;
    int64_t simulations; /* 0: as configured */
};

struct eval_plan {
    struct eval_cell cells[EVAL_CELLS_MAX];
    size_t cell_count;
    size_t runs; /* of a question in a cell */
    uint64_t seed;
    str peer; /* empty: none */
    str strong;
    uint32_t *
        order; /* of the questions: drawn with the seed, so that what a budget cuts off is a fair sample */
};

/* The cells of the three lists. CALLER_BAD_REQUEST with sentences in problems. */
NODISCARD enum err eval_cells_read(struct arena *arena, const struct eval_options *options,
                                   struct eval_plan *out, struct buf *problems);
size_t eval_cell_find(const struct eval_plan *plan, str name); /* SIZE_MAX: none */
NODISCARD enum err eval_order_draw(struct arena *arena, struct eval_plan *plan, size_t questions);
uint64_t eval_run_seed(const struct eval_plan *plan, const struct eval_question *question,
                       size_t run);
/* Which model a class of calls goes to in a cell; empty: none. */
str eval_model_of(const struct eval_plan *plan, const struct eval_cell *cell,
                  enum reason_model_class model);

/* What makes two evaluations the same one: plan.json. */
struct eval_identity {
    str provider; /* "recorded", "sim", "configured" */
    uint64_t provider_hash; /* of the recorded answers; 0: does not apply */
    uint64_t config_hash;
    uint64_t prompts_hash;
    uint64_t questions_hash;
    size_t question_count;
};
void eval_plan_write(struct buf *out, const struct eval_plan *plan,
                     const struct eval_identity *identity);
/* The cells and the number of runs that a plan.json says. CALLER_BAD_REQUEST, WEIR_NO_MEMORY. */
NODISCARD enum err eval_plan_read(struct arena *arena, str text, struct eval_plan *out);
/* The names of the members that differ, "seed, cells"; empty: the same plan. CALLER_BAD_JSON when one is no plan. */
NODISCARD enum err eval_plan_compare(str a, str b, struct buf *out_differences);

/* ---- runs.c: what came out of each run ---- */

enum eval_label { EVAL_LABEL_NONE, EVAL_LABEL_WRONG, EVAL_LABEL_RIGHT };

/* Of one question in one cell, once, as its source tells it. */
struct eval_outcome {
    enum err fault;
    str answer; /* empty with a fault */
    str canonical;
    struct signals signals;
    const char *halt;
    double raw_confidence; /* negative: none */
    double confidence; /* calibrated; negative: none */
    struct usage usage;
    nano_usd cost;
    uint32_t calls;
    int64_t latency_us; /* negative: not recorded */
    bool is_simulated;
    enum eval_label label; /* what the recording says of the answer */
};

/* What is kept of it in memory. Zero is: not run yet. */
struct eval_run {
    bool is_done;
    bool is_right;
    bool is_simulated;
    enum eval_label label;
    enum err fault;
    uint32_t calls;
    uint64_t answer; /* hash of the canonical answer; 0: none */
    str disputed; /* the answer itself, where judge and label differ */
    nano_usd cost;
    int64_t tokens_input;
    int64_t tokens_output;
    int64_t latency_us; /* negative: not recorded */
    double raw_confidence; /* negative: none */
    double confidence;
};

/* Of all questions, cells and runs; question by question. */
struct eval_runs {
    struct eval_run *items;
    size_t questions;
    size_t cells;
    size_t per_cell; /* runs of one question in one cell */
};
NODISCARD enum err eval_runs_init(struct arena *arena, struct eval_runs *out, size_t questions,
                                  size_t cells, size_t per_cell);
struct eval_run *eval_run_at(const struct eval_runs *runs, size_t question, size_t cell,
                             size_t run);

struct eval_run_place {
    size_t question;
    size_t cell;
    size_t run;
};
/* The disputed answer goes into the arena. */
struct eval_run eval_run_of(struct arena *arena, const struct eval_outcome *outcome, bool is_right);
/* One line of runs.jsonl, its end included. */
void eval_run_write(struct buf *out, const struct eval_questions *questions,
                    const struct eval_plan *plan, const struct eval_run_place *place,
                    const struct eval_outcome *outcome, bool is_right);
/* CALLER_BAD_JSON, CALLER_BAD_REQUEST (not a run of this plan), WEIR_NO_MEMORY. */
NODISCARD enum err eval_run_read(struct arena *arena, str line,
                                 const struct eval_questions *questions,
                                 const struct eval_plan *plan, struct eval_run_place *out_place,
                                 struct eval_run *out);

str eval_whole_lines(str text); /* up to its last line's end */
/* All lines of runs.jsonl into runs, the last line of a place counts; *out_spent is the cost of all lines. As eval_run_read(), with the
 * number of the line that is none. */
NODISCARD enum err eval_runs_read(struct arena *arena, str text,
                                  const struct eval_questions *questions,
                                  const struct eval_plan *plan, struct eval_runs *runs,
                                  nano_usd *out_spent, size_t *out_line);

/* ---- folder.c: the output directory ---- */

struct eval_folder;
/* Makes the directory when it is missing and takes it for this process. CALLER_BAD_REQUEST (in use), WEIR_IO, with a sentence
 * in problems, as with the others. */
NODISCARD enum err eval_folder_open(struct eval_folder **out, str path, struct buf *problems);
void eval_folder_close(struct eval_folder *f); /* NULL is a no-op */
/* Writes plan.json and questions.jsonl, or compares the plan with the one there; CALLER_BAD_REQUEST: it is another one. */
NODISCARD enum err eval_folder_match(struct eval_folder *f, str plan,
                                     const struct eval_questions *questions, struct buf *problems);
/* Everything that stands in runs.jsonl into runs, the last line of a place counts; *out_spent is the cost of all lines. A torn last line is
 * cut off. */
NODISCARD enum err eval_folder_load(struct eval_folder *f, struct arena *arena,
                                    const struct eval_questions *questions,
                                    const struct eval_plan *plan, struct eval_runs *runs,
                                    nano_usd *out_spent, struct buf *problems);
NODISCARD enum err eval_folder_append(struct eval_folder *f, str lines);
/* Replaces the file whole or not at all. */
NODISCARD enum err eval_folder_write(const struct eval_folder *f, const char *name, str content,
                                     struct buf *problems);
str eval_folder_path(const struct eval_folder *f);

/* ---- sources: who answers ---- */

/* One run that is under way; the coordinator's. */
struct eval_job {
    struct link link; /* the source's */
    const struct eval_question *question;
    const struct eval_cell *cell;
    str domain;
    struct eval_run_place place;
    uint64_t seed;
    nano_usd reserved;
    unsigned given; /* the recorded source's: a bit for each class of model that has answered */
    struct arena arena; /* of this run */
    struct eval_outcome outcome; /* the source's, complete when on_done is called */
    bool was_cut; /* stopped by eval_source_cut: nothing of it counts */
};

struct eval_source;
struct eval_source_kind {
    const char *name; /* as in --provider */
    bool
        is_live; /* a provider is asked: it is paid, its latency is measured, its faults may pass */
    bool is_simulated;
    bool has_latency;
    void (*start)(struct eval_source *s,
                  struct eval_job *job); /* on_done follows in a later turn */
    void (*cut)(struct eval_source *s); /* ends what is under way soon; on_done follows for each */
    /* The most that a run can cost, and (may be the same) what it will probably cost; COST_UNPRICED when a model of it has no price. */
    nano_usd (*worst)(const struct eval_source *s, const struct eval_question *question,
                      const struct eval_cell *cell);
    nano_usd (*expected)(const struct eval_source *s, const struct eval_question *question,
                         const struct eval_cell *cell);
    void (*close)(struct eval_source *s);
};
struct eval_source {
    const struct eval_source_kind *kind;
    const struct eval_plan *plan;
    const struct config *config;
    struct world *world;
    void *ctx;
    void (*on_done)(void *ctx, struct eval_job *job);
};

struct eval_source_options {
    const struct eval_options *options;
    const struct eval_questions *questions;
    const struct eval_plan *plan;
    void *ctx;
    void (*on_done)(void *ctx, struct eval_job *job);
};
/* CALLER_BAD_REQUEST (what cannot be asked of it), WEIR_CONFIG, WEIR_IO, with sentences in problems. */
NODISCARD enum err eval_recorded_open(struct eval_source **out,
                                      const struct eval_source_options *options, uint64_t *out_hash,
                                      struct buf *problems);
NODISCARD enum err eval_simulated_open(struct eval_source **out,
                                       const struct eval_source_options *options,
                                       struct buf *problems);
NODISCARD enum err eval_configured_open(struct eval_source **out,
                                        const struct eval_source_options *options,
                                        struct buf *problems);

/* ---- open.c ---- */

struct eval_report;

struct eval {
    struct eval_options options;
    struct arena arena;
    struct buf text; /* of the question file */
    struct eval_questions questions;
    struct eval_plan plan;
    struct eval_identity identity;
    struct eval_runs runs;
    struct eval_source *source;
    struct eval_folder *folder; /* NULL: nothing is kept */
    struct eval_progress progress;
    enum eval_end end;
    struct eval_report *report; /* NULL: not made yet */
    struct runner *runner; /* while eval_run is running */
};

/* A job's source is done with it (run.c). */
void eval_run_done(void *ctx, struct eval_job *job);
bool eval_provider_is_simulated(const struct eval *e);
/* Shall this place be run (again)? */
bool eval_run_is_due(const struct eval *e, const struct eval_run *run);

#endif
