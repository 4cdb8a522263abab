/* SPDX-License-Identifier: Apache-2.0 */
/* report: the rows of cells, and the frontier. See report.h. */
#include "app/eval/report.h"

#include <math.h>
#include <stdlib.h>

#include "core/stats/calibration.h"

#define ARENA_BYTES_MAX ((size_t)2 << 30)
/* Below this many values a 95th percentile is their maximum. */
#define QUANTILE_N_MIN 20

str eval_domain_name(const struct eval *e, size_t domain)
{
    return domain == EVAL_OVERALL ? STR("overall") : e->questions.domains[domain];
}

bool eval_domain_holds(const struct eval *e, size_t domain, size_t question)
{
    return domain == EVAL_OVERALL || e->questions.items[question].domain == domain;
}

const struct eval_cell_row *eval_row_overall(const struct eval *e, size_t cell)
{
    return &e->report->cells[(cell + 1) * (e->questions.domain_count + 1) - 1];
}

/* ---- one cell in one domain ---- */

/* What is gathered in one pass over the runs of a row. */
struct tally {
    struct eval_cell_row *row;
    struct cluster *clusters; /* one a question */
    double *latencies_ms;
    struct labelled *calibrated;
    struct labelled *raw;
    int64_t calibrated_count;
    int64_t raw_count;
};

static void tally_run(struct tally *t, const struct eval_run *run)
{
    struct eval_cell_row *row = t->row;

    row->n++;
    row->right += run->is_right;
    row->cost = cost_add(row->cost, run->cost);
    row->labelled += run->label != EVAL_LABEL_NONE;
    row->label_right += run->label == EVAL_LABEL_RIGHT;
    row->disputed +=
        run->label != EVAL_LABEL_NONE && (run->label == EVAL_LABEL_RIGHT) != run->is_right;
    if (run->fault != OK) {
        row->faulted++;
        row->faults[run->fault]++;
        return;
    }
    if (run->latency_us >= 0)
        t->latencies_ms[row->latency.n++] = (double)run->latency_us / 1e3;
    if (run->raw_confidence >= 0)
        t->raw[t->raw_count++] = (struct labelled){ run->raw_confidence, run->is_right };
    if (run->confidence >= 0)
        t->calibrated[t->calibrated_count++] = (struct labelled){ run->confidence, run->is_right };
}

static void tally_question(const struct eval *e, struct tally *t, size_t question)
{
    struct eval_cell_row *row = t->row;
    struct cluster cluster = { 0 };

    for (size_t i = 0; i < e->runs.per_cell; i++) {
        const struct eval_run *run = eval_run_at(&e->runs, question, row->cell, i);
        if (!run->is_done) {
            row->missing++;
            continue;
        }
        tally_run(t, run);
        cluster.n++;
        cluster.sum += run->is_right;
    }
    if (cluster.n > 0)
        t->clusters[row->questions++] = cluster;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The smallest value that is at least as large as the share q of all (nearest rank). */
static double nearest_rank(const double *sorted, int64_t n, double q)
{
    int64_t rank = (int64_t)ceil(q * (double)n);

    return sorted[rank > 0 ? rank - 1 : 0];
}

static void latency_finish(struct eval_latency *latency, double *values)
{
    if (latency->n == 0)
        return;
    qsort(values, (size_t)latency->n, sizeof(*values), compare_doubles);
    latency->p50_ms = nearest_rank(values, latency->n, 0.5);
    latency->p95_is_maximum = latency->n < QUANTILE_N_MIN;
    latency->p95_ms =
        latency->p95_is_maximum ? values[latency->n - 1] : nearest_rank(values, latency->n, 0.95);
}

/* Calibrated values where every answer has one, else the raw signals. */
static enum err confidence_finish(struct eval_report *r, struct tally *t)
{
    bool is_calibrated = t->calibrated_count > 0 && t->calibrated_count == t->raw_count;
    const struct labelled *items = is_calibrated ? t->calibrated : t->raw;
    struct calibration_metrics metrics;

    if (t->raw_count == 0)
        return OK;
    enum err fault = calibration_measure(&metrics, items, (size_t)t->raw_count, &r->arena);
    if (fault == OK)
        t->row->confidence = (struct eval_confidence){ .n = t->raw_count,
                                                       .mean = metrics.mean_confidence,
                                                       .ece = metrics.ece,
                                                       .is_calibrated = is_calibrated };
    return fault;
}

/* Clustered by question where there are several runs. When all questions came out alike there is no variance to estimate, and
 * the questions count instead. */
static struct interval success_of(const struct eval *e, const struct eval_cell_row *row,
                                  const struct cluster *clusters)
{
    double se = 0;

    if (e->runs.per_cell == 1 || row->questions == 0)
        return stats_rate_exact(row->right, row->n, EVAL_ALPHA);
    struct interval clustered =
        stats_clustered_mean(clusters, (size_t)row->questions, EVAL_ALPHA, &se);
    if (isfinite(se) && se > 0)
        return (struct interval){ clustered.estimate, fmax(clustered.lower, 0),
                                  fmin(clustered.upper, 1) };
    int64_t right = llround(clustered.estimate * (double)row->questions);
    struct interval exact = stats_rate_exact(right, row->questions, EVAL_ALPHA);
    return (struct interval){ clustered.estimate, exact.lower, exact.upper };
}

static void row_finish(const struct eval *e, struct eval_cell_row *row,
                       const struct cluster *clusters)
{
    row->success = success_of(e, row, clusters);
    row->cost_per_query =
        row->n > 0 && row->cost != COST_UNPRICED ? (double)row->cost / (double)row->n : 0;
}

static enum err row_compute(const struct eval *e, struct eval_report *r, struct eval_cell_row *row)
{
    size_t most = e->questions.count * e->runs.per_cell;
    struct tally t = { .row = row,
                       .clusters = calloc(most, sizeof(struct cluster)),
                       .latencies_ms = calloc(most, sizeof(double)),
                       .calibrated = calloc(most, sizeof(struct labelled)),
                       .raw = calloc(most, sizeof(struct labelled)) };
    enum err fault = WEIR_NO_MEMORY;

    row->faults = ARENA_ARRAY(&r->arena, ERR_COUNT, int64_t);
    if (row->faults && t.clusters && t.latencies_ms && t.calibrated && t.raw) {
        for (size_t q = 0; q < e->questions.count; q++) {
            if (eval_domain_holds(e, row->domain, q))
                tally_question(e, &t, q);
        }
        row_finish(e, row, t.clusters);
        latency_finish(&row->latency, t.latencies_ms);
        fault = confidence_finish(r, &t);
    }
    free(t.clusters);
    free(t.latencies_ms);
    free(t.calibrated);
    free(t.raw);
    return fault;
}

static enum err cells_compute(const struct eval *e, struct eval_report *r)
{
    size_t domains = e->questions.domain_count;
    enum err fault = OK;

    r->cell_count = e->plan.cell_count * (domains + 1);
    r->cells = ARENA_ARRAY(&r->arena, r->cell_count, struct eval_cell_row);
    if (!r->cells)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < r->cell_count && fault == OK; i++) {
        size_t domain = i % (domains + 1);
        r->cells[i].cell = i / (domains + 1);
        r->cells[i].domain = domain == domains ? EVAL_OVERALL : domain;
        fault = row_compute(e, r, &r->cells[i]);
        r->is_partial = r->is_partial || r->cells[i].missing > 0;
    }
    return fault;
}

/* ---- the frontier ---- */

static bool is_dominated(const struct eval_cell_row *row, const struct eval_cell_row *by)
{
    bool is_as_good =
        by->success.estimate >= row->success.estimate && by->cost_per_query <= row->cost_per_query;

    return is_as_good && (by->success.estimate > row->success.estimate ||
                          by->cost_per_query < row->cost_per_query);
}

static void frontier_add(const struct eval *e, struct eval_report *r, size_t cell)
{
    const struct eval_cell_row *row = &r->cells[(cell + 1) * (e->questions.domain_count + 1) - 1];
    size_t at = r->frontier_count;

    if (row->n == 0 || row->cost == COST_UNPRICED)
        return;
    for (; at > 0 && r->cells[r->frontier[at - 1]].cost_per_query > row->cost_per_query; at--)
        r->frontier[at] = r->frontier[at - 1];
    r->frontier[at] = (size_t)(row - r->cells);
    r->frontier_count++;
}

static void frontier_compute(const struct eval *e, struct eval_report *r)
{
    for (size_t i = 0; i < e->plan.cell_count; i++)
        frontier_add(e, r, i);
    for (size_t i = 0; i < r->frontier_count; i++) {
        r->is_optimal[i] = true;
        for (size_t k = 0; k < r->frontier_count; k++) {
            if (is_dominated(&r->cells[r->frontier[i]], &r->cells[r->frontier[k]]))
                r->is_optimal[i] = false;
        }
    }
}

/* ---- the whole ---- */

void eval_report_free(struct eval_report *r)
{
    if (!r)
        return;
    buf_fini(&r->refusals);
    arena_fini(&r->arena);
    free(r);
}

enum err eval_report(struct eval *e)
{
    struct eval_report *r = calloc(1, sizeof(*r));

    if (!r)
        return WEIR_NO_MEMORY;
    arena_init(&r->arena, ARENA_BYTES_MAX);
    enum err fault = cells_compute(e, r);
    if (fault == OK)
        fault = eval_pairs_compute(e, r);
    if (fault != OK) {
        eval_report_free(r);
        return fault;
    }
    frontier_compute(e, r);
    eval_refusals_find(e, r);
    r->is_refused = r->refusals.len > 0 && !e->options.allows_simulated;
    eval_report_free(e->report);
    e->report = r;
    return OK;
}

bool eval_is_refused(const struct eval *e)
{
    return e->report->is_refused;
}

str eval_refusals(const struct eval *e)
{
    return buf_str(&e->report->refusals);
}

/* Non-inferior by its definition, whatever the verdict is called; a difference is of b against a. */
bool eval_meets_expectation(const struct eval *e)
{
    size_t baseline = eval_cell_find(&e->plan, e->options.baseline);

    for (size_t i = 0; i < e->report->pair_count; i++) {
        const struct eval_pair_row *pair = &e->report->pairs[i];
        bool is_met = true;
        if (pair->domain != EVAL_OVERALL || pair->a != baseline)
            continue;
        switch (e->options.expects) {
        case EVAL_EXPECT_NOTHING:
            break;
        case EVAL_EXPECT_NON_INFERIOR:
            is_met = pair->n > 0 && pair->lower_one_sided > -e->options.margin;
            break;
        case EVAL_EXPECT_SUPERIOR:
            is_met = pair->n > 0 && pair->diff.lower > 0;
            break;
        }
        if (!is_met)
            return false;
    }
    return true;
}

bool eval_is_unreachable(const struct eval *e)
{
    bool has_run = false;

    for (size_t i = 0; i < e->plan.cell_count; i++) {
        const struct eval_cell_row *row = eval_row_overall(e, i);
        if (row->faulted < row->n)
            return false;
        for (int fault = 0; fault < ERR_COUNT; fault++) {
            if (row->faults[fault] > 0 && !err_info((enum err)fault)->blames_provider)
                return false;
        }
        has_run = has_run || row->n > 0;
    }
    return has_run;
}
