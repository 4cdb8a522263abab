/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refuse: signs that a result was not measured. A real provider takes time, and not twice the same; a real model does not
 * answer different questions alike, nor is it always as sure.
 */
#include "app/eval/report.h"

#define LATENCIES_MIN 5
#define ANSWERS_MIN 5
#define CONFIDENCES_MIN 20

/* Of the values of one kind in one cell. */
struct sameness {
    int64_t n;
    double first;
    bool is_constant;
};

static void sameness_add(struct sameness *s, double value)
{
    if (s->n++ == 0) {
        s->first = value;
        s->is_constant = true;
    }
    s->is_constant = s->is_constant && value == s->first;
}

struct signs {
    struct sameness latency;
    struct sameness confidence;
    uint64_t keys[ANSWERS_MIN]; /* the first different ones of answered questions */
    size_t key_count;
    uint64_t answer;
    bool answers_differ;
};

static uint64_t key_of(const struct eval_question *q)
{
    return str_hash(q->key) ^ (str_hash(q->verifier.spec) << 1);
}

static void signs_add(struct signs *s, const struct eval_question *question,
                      const struct eval_run *run)
{
    uint64_t key = key_of(question);
    size_t i = 0;

    if (run->latency_us >= 0)
        sameness_add(&s->latency, (double)run->latency_us);
    if (run->raw_confidence >= 0)
        sameness_add(&s->confidence, run->raw_confidence);
    s->answers_differ = s->answers_differ || (s->key_count > 0 && run->answer != s->answer);
    s->answer = run->answer;
    while (i < s->key_count && s->keys[i] != key)
        i++;
    if (i == s->key_count && s->key_count < ANSWERS_MIN)
        s->keys[s->key_count++] = key;
}

static void refuse_cell(const struct eval *e, struct eval_report *r, size_t cell)
{
    str name = e->plan.cells[cell].name;
    struct signs s = { 0 };

    for (size_t q = 0; q < e->runs.questions; q++) {
        for (size_t i = 0; i < e->runs.per_cell; i++) {
            const struct eval_run *run = eval_run_at(&e->runs, q, cell, i);
            r->is_simulated = r->is_simulated || (run->is_done && run->is_simulated);
            if (run->is_done && run->fault == OK)
                signs_add(&s, &e->questions.items[q], run);
        }
    }
    bool has_latency = e->source->kind->has_latency && s.latency.n >= LATENCIES_MIN;
    if (has_latency && s.latency.is_constant)
        eval_problem(&r->refusals, "%.*s: every answer took %s", STR_ARG(name),
                     s.latency.first > 0 ? "the same time" : "no time");
    if (s.key_count == ANSWERS_MIN && !s.answers_differ)
        eval_problem(&r->refusals,
                     "%.*s: every answer is the same, to questions with different answers",
                     STR_ARG(name));
    if (s.confidence.n >= CONFIDENCES_MIN && s.confidence.is_constant)
        eval_problem(&r->refusals, "%.*s: the confidence of all %" PRId64 " answers is %g",
                     STR_ARG(name), s.confidence.n, s.confidence.first);
}

void eval_refusals_find(const struct eval *e, struct eval_report *r)
{
    for (size_t i = 0; i < e->plan.cell_count; i++)
        refuse_cell(e, r, i);
    r->is_simulated = r->is_simulated || eval_provider_is_simulated(e);
    if (r->is_simulated)
        buf_add(&r->refusals, STR("the provider is simulated: nothing was measured\n"));
}
