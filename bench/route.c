/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-route: nanoseconds to score a question of 500 bytes with each scorer (learned_v1 reads its features each time), and
 * seconds to train on synthetic rows, cross-validation and intervals included. Prints one JSON value.
 *
 *     bench-route [ROWS [ROUNDS]]       15000 rows, the fastest of 9 rounds
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "core/route/route.h"
#include "core/route/route_train.h"

#define QUESTION_BYTES 500
#define REPEATS 20000

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* ---- synthetic questions: words of a small vocabulary, some of which make a question hard ---- */

static const char *const words[] = {
    "the",     "of",       "a",     "machine",  "prove",    "that",     "every",   "number",
    "is",      "sorted",   "after", "which",    "must",     "schedule", "7",       "1250",
    "and",     "x^2",      "=",     "integral", "attack",   "network",  "sum",     "of",
    "squares", "possibly", "why?",  "then",     "minimize", "(n + 1)",  "given",   "triangle",
    "with",    "sides",    "price", "dollars.", "how",      "many",     "apples?", "def f(x):",
};
static const char *const domains[] = { "stem.arithmetic", "stem.code", "tactical", "generic" };

static str question_make(struct arena *arena, struct rng *rng, int *out_hard)
{
    struct buf text = { 0 };

    *out_hard = 0;
    while (text.len < QUESTION_BYTES) {
        size_t word = (size_t)rng_below(rng, ARRAY_LEN(words));
        *out_hard += word == 4 || word == 19 || word == 28;
        buf_printf(&text, "%s ", words[word]);
    }
    str made = arena_str(arena, str_slice(buf_str(&text), 0, QUESTION_BYTES));
    buf_fini(&text);
    return made;
}

static struct route_row *rows_make(struct arena *arena, size_t n)
{
    struct route_row *rows = ARENA_ARRAY(arena, n, struct route_row);
    struct rng rng;

    rng_init(&rng, 1);
    for (size_t i = 0; rows && i < n; i++) {
        int hard;
        size_t domain = (size_t)rng_below(&rng, ARRAY_LEN(domains));
        str prompt = question_make(arena, &rng, &hard);
        double weak = 0.9 - 0.03 * hard - 0.05 * (double)domain;
        rows[i] = (struct route_row){ .id = arena_printf(arena, "q%zu", i),
                                      .domain = str_from(domains[domain]),
                                      .prompt = prompt,
                                      .weak_right = rng_unit(&rng) < weak,
                                      .strong_right = rng_unit(&rng) < 0.95,
                                      .weak_cost = 100000,
                                      .strong_cost = 1700000 };
    }
    return rows;
}

/* ---- what is measured ---- */

struct bench {
    const struct route_row *rows;
    size_t n;
    const struct route_model *model;
    struct route_features features;
    double sink; /* so that nothing is optimised away */
};

static void run_seed(struct bench *b, size_t i)
{
    b->sink += route_score_seed(b->rows[i].prompt, STR("stem")).total;
}

static void run_words(struct bench *b, size_t i)
{
    b->sink += route_score_words(b->rows[i].prompt, STR("stem")).total;
}

static void run_learned(struct bench *b, size_t i)
{
    const struct route_context context = { .turns = 1 };
    struct learned_score score;

    route_features_read(&b->features, b->rows[i].prompt, &context);
    route_score_learned(b->model, &b->features, b->rows[i].prompt, b->rows[i].domain, &score);
    b->sink += score.gain;
}

static void run_domain(struct bench *b, size_t i)
{
    b->sink += route_domain_guess(b->rows[i].prompt).probability;
}

static double nanoseconds(struct bench *b, void (*run)(struct bench *, size_t), int rounds)
{
    double best = 1e9;

    for (int round = 0; round < rounds; round++) {
        double from = cpu_seconds();
        for (size_t i = 0; i < REPEATS; i++)
            run(b, i % (b->n < 1000 ? b->n : 1000));
        double took = (cpu_seconds() - from) / REPEATS * 1e9;
        best = took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 15000, rounds = argc > 2 ? atol(argv[2]) : 9;
    struct route_train_report report;
    struct bench b = { .sink = 0 };
    struct arena arena;

    if (n < ROUTE_TRAIN_ROWS_MIN || n > ROUTE_TRAIN_ROWS_MAX || rounds < 1)
        return 2;
    arena_init(&arena, (size_t)8 << 30);
    b.n = (size_t)n;
    b.rows = rows_make(&arena, b.n);
    double from = cpu_seconds();
    enum err e = route_train(&arena, &(struct route_training){ .rows = b.rows, .row_count = b.n },
                             &(struct route_train_options){ .weak_model = STR("weak"),
                                                            .strong_model = STR("strong"),
                                                            .seed = 1,
                                                            .folds = 5,
                                                            .rounds = 1000 },
                             &b.model, &report);
    double train_seconds = cpu_seconds() - from;
    if (e != OK)
        return 1;
    printf("{\"question_bytes\": %d, \"seed_v1_ns\": %.0f, \"words_v1_ns\": %.0f, "
           "\"learned_v1_ns\": %.0f, \"domain_guess_ns\": %.0f, \"train_rows\": %ld, "
           "\"train_s\": %.2f, \"train_apgr\": %.3f, \"domain_table_apgr\": %.3f}\n",
           QUESTION_BYTES, nanoseconds(&b, run_seed, (int)rounds),
           nanoseconds(&b, run_words, (int)rounds), nanoseconds(&b, run_learned, (int)rounds),
           nanoseconds(&b, run_domain, (int)rounds), n, train_seconds,
           report.metrics[ROUTE_BY_LEARNED].apgr, report.metrics[ROUTE_BY_DOMAIN_TABLE].apgr);
    arena_fini(&arena);
    return b.sink > 0 ? 0 : 1;
}
