/* SPDX-License-Identifier: Apache-2.0 */
/* result_json: an evaluation for programs: --json and result.json. It names no time and no place, so equal runs give equal bytes. */
#include <math.h>

#include "app/eval/report.h"
#include "core/json/json.h"

#define RESULT_VERSION 1

static void begin(struct buf *out, char bracket)
{
    json_comma(out);
    buf_add_char(out, bracket);
}

/* Twelve digits: more than is known, and the same on every machine. */
static void member_number(struct buf *out, const char *name, double value)
{
    json_key(out, name);
    buf_printf(out, "%.12g", value == 0 ? 0.0 : value); /* never -0 */
}

static void member_text(struct buf *out, const char *name, str text)
{
    if (text.len == 0)
        json_member_null(out, name);
    else
        json_member_str(out, name, text);
}

static void member_cost(struct buf *out, const char *name, nano_usd cost)
{
    if (cost == COST_UNPRICED)
        json_member_null(out, name);
    else
        json_member_i64(out, name, cost);
}

static void member_range(struct buf *out, const char *name, double lower, double upper)
{
    json_key(out, name);
    buf_printf(out, "[%.12g,%.12g]", lower == 0 ? 0.0 : lower, upper == 0 ? 0.0 : upper);
}

static void write_cell_name(const struct eval *e, struct buf *out, size_t cell)
{
    const struct eval_cell *c = &e->plan.cells[cell];

    json_member_str(out, "cell", c->name);
    json_member_str(out, "model", c->model);
    json_member_str(out, "strategy", str_from(reason_strategy_name(c->strategy)));
    if (c->simulations > 0)
        json_member_i64(out, "simulations", c->simulations);
}

/* ---- cells ---- */

static void write_latency(struct buf *out, const struct eval_latency *latency)
{
    if (latency->n == 0) {
        json_member_null(out, "latency_ms");
        return;
    }
    json_key(out, "latency_ms");
    buf_add_char(out, '{');
    member_number(out, "p50", latency->p50_ms);
    member_number(out, "p95", latency->p95_ms);
    json_member_i64(out, "n", latency->n);
    json_member_bool(out, "p95_is_maximum", latency->p95_is_maximum);
    buf_add_char(out, '}');
}

static void write_confidence(struct buf *out, const struct eval_confidence *confidence)
{
    if (confidence->n == 0) {
        json_member_null(out, "confidence");
        return;
    }
    json_key(out, "confidence");
    buf_add_char(out, '{');
    member_number(out, "mean", confidence->mean);
    member_number(out, "ece", confidence->ece);
    json_member_i64(out, "n", confidence->n);
    json_member_bool(out, "calibrated", confidence->is_calibrated);
    buf_add_char(out, '}');
}

static void write_faults(struct buf *out, const int64_t *faults)
{
    json_key(out, "faults");
    buf_add_char(out, '{');
    for (int i = 0; i < ERR_COUNT; i++) {
        if (faults[i] > 0)
            json_member_i64(out, err_info((enum err)i)->name, faults[i]);
    }
    buf_add_char(out, '}');
}

static void write_labels(struct buf *out, const struct eval_cell_row *row)
{
    if (row->labelled == 0) {
        json_member_null(out, "labels");
        return;
    }
    json_key(out, "labels");
    buf_add_char(out, '{');
    json_member_i64(out, "n", row->labelled);
    json_member_i64(out, "right", row->label_right);
    json_member_i64(out, "disputed", row->disputed);
    buf_add_char(out, '}');
}

static void write_cell(const struct eval *e, struct buf *out, const struct eval_cell_row *row)
{
    begin(out, '{');
    write_cell_name(e, out, row->cell);
    json_member_str(out, "domain", eval_domain_name(e, row->domain));
    json_member_i64(out, "n", row->n);
    json_member_i64(out, "questions", row->questions);
    json_member_i64(out, "missing", row->missing);
    json_member_i64(out, "right", row->right);
    member_number(out, "success", row->success.estimate);
    member_range(out, "success_ci", row->success.lower, row->success.upper);
    member_cost(out, "cost_nano_usd", row->cost);
    if (row->cost == COST_UNPRICED)
        json_member_null(out, "cost_per_query_nano_usd");
    else
        member_number(out, "cost_per_query_nano_usd", row->cost_per_query);
    write_latency(out, &row->latency);
    write_confidence(out, &row->confidence);
    json_member_i64(out, "faulted", row->faulted);
    write_faults(out, row->faults);
    write_labels(out, row);
    buf_add_char(out, '}');
}

/* ---- comparisons ---- */

static void write_pair(const struct eval *e, struct buf *out, const struct eval_pair_row *pair)
{
    begin(out, '{');
    json_member_str(out, "a", e->plan.cells[pair->a].name);
    json_member_str(out, "b", e->plan.cells[pair->b].name);
    json_member_str(out, "domain", eval_domain_name(e, pair->domain));
    json_member_i64(out, "n", pair->n);
    member_number(out, "diff", pair->diff.estimate);
    member_number(out, "lower", pair->diff.lower);
    member_number(out, "upper", pair->diff.upper);
    member_number(out, "lower_one_sided", pair->lower_one_sided);
    member_number(out, "upper_one_sided", pair->upper_one_sided);
    json_member_str(out, "verdict", str_from(stats_verdict_name(pair->verdict)));
    if (pair->is_clustered)
        json_member_null(out, "mcnemar_p");
    else
        member_number(out, "mcnemar_p", pair->p);
    member_number(out, "p", pair->p);
    member_number(out, "p_holm", pair->p_holm);
    member_number(out, "resolvable", pair->resolvable);
    if (pair->has_cost) {
        json_key(out, "cost_change");
        buf_add_char(out, '{');
        member_number(out, "estimate", pair->cost.estimate);
        member_number(out, "lower", pair->cost.lower);
        member_number(out, "upper", pair->cost.upper);
        buf_add_char(out, '}');
    } else {
        json_member_null(out, "cost_change");
    }
    buf_add_char(out, '}');
}

static void write_point(const struct eval *e, struct buf *out, size_t at)
{
    const struct eval_report *r = e->report;
    const struct eval_cell_row *row = &r->cells[r->frontier[at]];

    begin(out, '{');
    write_cell_name(e, out, row->cell);
    member_number(out, "cost_per_query_nano_usd", row->cost_per_query);
    member_number(out, "success", row->success.estimate);
    member_range(out, "success_ci", row->success.lower, row->success.upper);
    json_member_bool(out, "optimal", r->is_optimal[at]);
    buf_add_char(out, '}');
}

/* ---- the whole ---- */

static void write_refusals(const struct eval *e, struct buf *out, const char *name, bool is_shown)
{
    str rest = buf_str(&e->report->refusals), sentence;

    json_key(out, name);
    buf_add_char(out, '[');
    while (is_shown && rest.len > 0 && str_next(&rest, '\n', &sentence) && sentence.len > 0) {
        json_comma(out);
        json_write_str(out, sentence);
    }
    buf_add_char(out, ']');
}

static void write_methods(const struct eval *e, struct buf *out)
{
    bool is_clustered = e->runs.per_cell > 1;

    json_key(out, "methods");
    buf_add_char(out, '{');
    json_member_str(out, "success_ci", is_clustered ? STR("clustered_t") : STR("clopper_pearson"));
    json_member_str(out, "diff", is_clustered ? STR("clustered_t") : STR("tango"));
    json_member_str(out, "p", is_clustered ? STR("clustered_t") : STR("mcnemar_exact"));
    json_member_str(out, "cost_change", STR("bootstrap_by_question"));
    member_number(out, "alpha", EVAL_ALPHA);
    buf_add_char(out, '}');
}

static void write_head(const struct eval *e, struct buf *out)
{
    const struct eval_report *r = e->report;

    json_member_i64(out, "version", RESULT_VERSION);
    json_member_str(out, "provider", str_from(e->source->kind->name));
    json_member_bool(out, "simulated", r->is_simulated);
    json_member_bool(out, "partial", r->is_partial);
    json_member_i64(out, "questions", (int64_t)e->questions.count);
    json_member_i64(out, "runs", (int64_t)e->runs.per_cell);
    json_member_i64(out, "seed", (int64_t)e->plan.seed);
    member_number(out, "margin", e->options.margin);
    member_text(out, "peer", e->plan.peer);
    member_text(out, "strong", e->plan.strong);
    member_text(out, "baseline", e->options.baseline);
    write_methods(e, out);
    write_refusals(e, out, "refused", r->is_refused);
    write_refusals(e, out, "warnings", !r->is_refused);
}

void eval_write_json(const struct eval *e, struct buf *out)
{
    const struct eval_report *r = e->report;
    bool is_shown = !r->is_refused;

    buf_add_char(out, '{');
    write_head(e, out);
    json_key(out, "cells");
    begin(out, '[');
    for (size_t i = 0; is_shown && i < r->cell_count; i++)
        write_cell(e, out, &r->cells[i]);
    buf_add_char(out, ']');
    json_key(out, "comparisons");
    begin(out, '[');
    for (size_t i = 0; is_shown && i < r->pair_count; i++)
        write_pair(e, out, &r->pairs[i]);
    buf_add_char(out, ']');
    json_key(out, "frontier");
    begin(out, '[');
    for (size_t i = 0; is_shown && i < r->frontier_count; i++)
        write_point(e, out, i);
    buf_add(out, STR("]}\n"));
}
