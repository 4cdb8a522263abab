/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers: what recorded models answered, from the folders of evaluations into the scenario: one array an arm and domain, in which
 * the same place is the same question in both arms.
 */
#include <stdlib.h>
#include <string.h>

#include "app/eval/archive.h"
#include "app/sim/rehearsal.h"

static const struct {
    const char *what, *key;
    enum change_metric guard; /* that needs it; CHANGE_METRIC_COUNT: every query has it */
} figures[SCENARIO_FIGURE_COUNT] = {
    [SCENARIO_COST] = { "cost", "cost_usd", CHANGE_METRIC_COUNT },
    [SCENARIO_LATENCY] = { "latency", "latency_ms", CHANGE_METRIC_COUNT },
    [SCENARIO_HRM] = { "HRM confidence", "hrm_confidence", CHANGE_HRM_CONFIDENCE_MEAN },
    [SCENARIO_TRM] = { "TRM confidence", "trm_confidence", CHANGE_TRM_CONFIDENCE_MEAN },
};

/* One arm's recording. */
struct part {
    bool is_there;
    struct eval_archive *archive;
    size_t cell;
};
/* A question that every recorded arm has answered. */
struct shared_question {
    size_t at[SCENARIO_ARM_COUNT]; /* in the arm's archive */
    enum scenario_domain domain;
};
struct reading {
    struct scenario *s;
    struct config_issues *issues;
    struct part parts[SCENARIO_ARM_COUNT];
    enum scenario_arm first; /* of those that are recorded */
    struct shared_question *questions;
    size_t count, counts[SCENARIO_DOMAIN_COUNT];
};

/* ---- the recordings ---- */

static void part_find(struct reading *r, enum scenario_arm arm)
{
    const struct scenario_source *source = &r->s->sources[arm];
    struct part *part = &r->parts[arm];
    struct buf known = { 0 };

    part->cell = eval_archive_find_cell(part->archive, source->cell);
    if (part->cell != EVAL_ARCHIVE_NONE)
        return;
    for (size_t i = 0; i < eval_archive_cell_count(part->archive); i++)
        buf_printf(&known, "%s%.*s", i > 0 ? ", " : "",
                   STR_ARG(eval_archive_cell(part->archive, i).name));
    scenario_source_fault(r->s, arm, r->issues,
                          "the evaluation in %.*s has no cell '%.*s'; it has: %.*s",
                          STR_ARG(source->folder), STR_ARG(source->cell), STR_ARG(buf_str(&known)));
    buf_fini(&known);
}

static void part_open(struct reading *r, enum scenario_arm arm)
{
    const struct scenario_source *source = &r->s->sources[arm];
    struct buf problems = { 0 };
    str problem, rest;

    r->parts[arm].is_there = source->folder.len > 0;
    if (!r->parts[arm].is_there)
        return;
    enum err e = eval_archive_open(&r->parts[arm].archive, source->folder, &problems);
    rest = buf_str(&problems);
    if (e == OK)
        part_find(r, arm);
    else if (!str_next(&rest, '\n', &problem))
        scenario_source_fault(r->s, arm, r->issues, "recorded: %s", err_info(e)->text);
    else
        scenario_source_fault(r->s, arm, r->issues, "recorded: %.*s", STR_ARG(problem));
    buf_fini(&problems);
}

/* ---- the questions ---- */

/* The domain of that name or, as "stem.code", below it; all others are generic. */
static enum scenario_domain domain_of(str name)
{
    str head = str_slice(name, 0, str_find_char(name, '.'));

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++) {
        if (str_eq(head, str_from(scenario_domain_name((enum scenario_domain)d))))
            return (enum scenario_domain)d;
    }
    return SCENARIO_GENERIC;
}

static struct eval_archive_run run_of(const struct part *part, size_t question, size_t run)
{
    return eval_archive_run(part->archive, &(struct eval_archive_place){
                                               .question = question,
                                               .cell = part->cell,
                                               .run = run,
                                           });
}

/* All runs of the question in the arm's cell are there. */
static bool is_answered(const struct part *part, size_t question)
{
    for (size_t run = 0; run < eval_archive_runs(part->archive); run++) {
        if (!run_of(part, question, run).is_done)
            return false;
    }
    return true;
}

/* Where each recorded arm has the question; false when one has it not, or not answered. */
static bool question_find(struct reading *r, const struct eval_archive_question *q,
                          struct shared_question *out)
{
    for (size_t arm = 0; arm < SCENARIO_ARM_COUNT; arm++) {
        const struct part *part = &r->parts[arm];
        if (!part->is_there)
            continue;
        out->at[arm] = eval_archive_find_question(part->archive, q->id);
        if (out->at[arm] == EVAL_ARCHIVE_NONE || !is_answered(part, out->at[arm]))
            return false;
        if (str_eq(eval_archive_question(part->archive, out->at[arm]).prompt, q->prompt))
            continue;
        scenario_source_fault(r->s, (enum scenario_arm)arm, r->issues,
                              "recorded: the question %.*s has another prompt than in %.*s",
                              STR_ARG(q->id), STR_ARG(r->s->sources[r->first].folder));
        return false;
    }
    return true;
}

static void questions_find(struct reading *r)
{
    const struct eval_archive *archive = r->parts[r->first].archive;
    size_t n = eval_archive_question_count(archive);

    r->questions = calloc(n + 1, sizeof(*r->questions));
    for (size_t i = 0; r->questions && i < n && r->issues->errors == 0; i++) {
        struct eval_archive_question q = eval_archive_question(archive, i);
        struct shared_question *next = &r->questions[r->count];
        if (!question_find(r, &q, next))
            continue;
        next->domain = domain_of(q.domain);
        r->counts[next->domain]++;
        r->count++;
    }
    if (r->count == 0 && r->issues->errors == 0)
        scenario_source_fault(r->s, r->first, r->issues,
                              r->questions ? "recorded: no question has been answered by each "
                                             "recorded model"
                                           : "out of memory");
}

/* By the traffic's own domains, which the recording must then have; else as the recording is made up. */
static void shares_make(struct reading *r)
{
    struct scenario_traffic *traffic = &r->s->traffic;

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++) {
        if (!traffic->has_shares)
            traffic->shares[d] = (double)r->counts[d] / (double)r->count;
        else if (traffic->shares[d] > 0 && r->counts[d] == 0)
            scenario_source_fault(r->s, r->first, r->issues,
                                  "recorded: traffic.domains has %s, but no question of that "
                                  "domain is recorded",
                                  scenario_domain_name((enum scenario_domain)d));
    }
}

/* ---- the answers ---- */

static int by_latency(const void *a, const void *b)
{
    nsec x = *(const nsec *)a, y = *(const nsec *)b;

    return (x > y) - (x < y);
}

/* How an answer counts: as one, as one that is no error, as a right one. */
enum count_as { AS_ANY, AS_ANSWERED, AS_RIGHT };

static struct scenario_latencies latencies_of(struct arena *arena, const struct scenario_answers *a,
                                              enum count_as as)
{
    struct scenario_latencies out = { .count = 0 };
    nsec *sorted = ARENA_ARRAY(arena, a->count, nsec);

    for (size_t i = 0; sorted && i < a->count; i++) {
        const struct scenario_answer *one = &a->items[i];
        if (as == AS_ANY || (as == AS_ANSWERED && !one->is_error) || one->is_right)
            sorted[out.count++] = one->latency;
    }
    if (out.count > 0)
        qsort(sorted, out.count, sizeof(*sorted), by_latency);
    out.sorted = sorted;
    return out;
}

/* Shares and means, for what is to be expected. */
static void answers_sum(struct arena *arena, struct scenario_answers *a)
{
    double n = (double)a->count, answered = 0;

    for (size_t i = 0; i < a->count; i++) {
        const struct scenario_answer *one = &a->items[i];
        a->cost_usd += (double)one->cost / (double)NANO_PER_USD / n;
        a->right += one->is_right;
        answered += !one->is_error;
        a->hrm += one->is_error ? 0 : one->hrm;
        a->trm += one->is_error ? 0 : one->trm;
    }
    a->right /= n;
    a->answered = answered / n;
    a->hrm /= answered > 0 ? answered : 1;
    a->trm /= answered > 0 ? answered : 1;
    a->latencies = latencies_of(arena, a, AS_ANY);
    a->latencies_answered = latencies_of(arena, a, AS_ANSWERED);
    a->latencies_right = latencies_of(arena, a, AS_RIGHT);
}

/* One answer; what it lacks is taken from has. An evaluation keeps the confidence of the whole answer, which under hrm is that of HRM
 * and under trm that of TRM. */
static struct scenario_answer answer_make(const struct eval_archive_run *run, str strategy,
                                          bool has[SCENARIO_FIGURE_COUNT])
{
    bool is_hrm = str_eq(strategy, STR("hrm")), is_trm = str_eq(strategy, STR("trm"));

    has[SCENARIO_COST] &= run->cost != COST_UNPRICED || run->is_error;
    has[SCENARIO_LATENCY] &= run->latency_us >= 0;
    has[SCENARIO_HRM] &= is_hrm && (run->confidence >= 0 || run->is_error);
    has[SCENARIO_TRM] &= is_trm && (run->confidence >= 0 || run->is_error);
    return (struct scenario_answer){
        .is_right = run->is_right,
        .is_error = run->is_error,
        .cost = run->cost == COST_UNPRICED ? 0 : run->cost,
        .latency = run->latency_us > 0 ? run->latency_us * NSEC_PER_USEC : 0,
        .hrm = is_hrm ? run->confidence : 0,
        .trm = is_trm ? run->confidence : 0,
    };
}

static void answers_make(struct reading *r, enum scenario_arm arm, enum scenario_domain domain)
{
    const struct part *part = &r->parts[arm];
    str strategy = str_from(eval_archive_cell(part->archive, part->cell).strategy);
    size_t runs = eval_archive_runs(part->archive), n = 0;
    struct arena *arena = scenario_arena(r->s);
    struct scenario_answer *items =
        ARENA_ARRAY(arena, r->counts[domain] * runs, struct scenario_answer);
    struct scenario_answers a = { .items = items, .count = r->counts[domain] * runs };

    memset(a.has, true, sizeof(a.has));
    for (size_t i = 0; items && i < r->count; i++) {
        for (size_t k = 0; r->questions[i].domain == domain && k < runs; k++) {
            struct eval_archive_run run = run_of(part, r->questions[i].at[arm], k);
            if (run.is_simulated)
                scenario_source_fault(r->s, arm, r->issues,
                                      "recorded: the answers in %.*s are simulated; name an "
                                      "evaluation of real models",
                                      STR_ARG(r->s->sources[arm].folder));
            items[n++] = answer_make(&run, strategy, a.has);
        }
    }
    if (items)
        answers_sum(arena, &a);
    if (arena_failed(arena))
        scenario_source_fault(r->s, arm, r->issues,
                              "recorded: more answers than there is room for");
    r->s->answers[arm][domain] = a;
}

static bool is_guarded(const struct scenario *s, enum change_metric metric)
{
    const struct rollout_spec *spec = &s->rollout->spec;

    for (size_t i = 0; i < spec->guard_count; i++) {
        if (spec->guards[i].metric == metric)
            return true;
    }
    return metric == CHANGE_METRIC_COUNT;
}

/* What the recording lacks must be written. */
static void figures_check(struct reading *r, enum scenario_arm arm, enum scenario_domain domain)
{
    const struct scenario *s = r->s;

    for (size_t f = 0; f < SCENARIO_FIGURE_COUNT; f++) {
        if (s->answers[arm][domain].has[f] || s->models[arm][domain].is_written[f] ||
            !is_guarded(s, figures[f].guard))
            continue;
        scenario_source_fault(
            r->s, arm, r->issues, "recorded: not every answer of %.*s has a %s; write models.%s.%s",
            STR_ARG(s->sources[arm].cell), figures[f].what, scenario_arm_name(arm), figures[f].key);
    }
}

/* ---- the whole ---- */

static void answers_add(struct reading *r)
{
    questions_find(r);
    if (r->issues->errors > 0)
        return;
    shares_make(r);
    for (size_t arm = 0; arm < SCENARIO_ARM_COUNT; arm++) {
        for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++) {
            if (!r->parts[arm].is_there || r->s->traffic.shares[d] <= 0 || r->counts[d] == 0)
                continue;
            answers_make(r, (enum scenario_arm)arm, (enum scenario_domain)d);
            figures_check(r, (enum scenario_arm)arm, (enum scenario_domain)d);
        }
    }
    r->s->recorded_questions = r->count;
}

enum err rehearsal_answers_add(struct scenario *s, struct config_issues *issues)
{
    struct reading r = { .s = s, .issues = issues };

    for (size_t arm = 0; arm < SCENARIO_ARM_COUNT; arm++)
        part_open(&r, (enum scenario_arm)arm);
    r.first = r.parts[SCENARIO_BASELINE].is_there ? SCENARIO_BASELINE : SCENARIO_CANARY;
    if (issues->errors == 0 && r.parts[r.first].is_there)
        answers_add(&r);
    free(r.questions);
    for (size_t arm = 0; arm < SCENARIO_ARM_COUNT; arm++)
        eval_archive_close(r.parts[arm].archive);
    return issues->errors == 0 ? OK : CALLER_BAD_REQUEST;
}
