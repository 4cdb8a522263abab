/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv: the tables for spreadsheets (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe before it,
 * because names of models and domains come from outside.
 */
#include <math.h>
#include <string.h>

#include "app/eval/report.h"

static void comma(struct buf *out)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '\n')
        buf_add_char(out, ',');
}

static bool looks_like_formula(str text)
{
    double number;

    return text.len > 0 && memchr("=+-@\t\r", text.ptr[0], 6) && !str_to_double(text, &number);
}

static void add_text(struct buf *out, str text)
{
    comma(out);
    buf_add_char(out, '"');
    if (looks_like_formula(text))
        buf_add_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, text.ptr[i]);
    }
    buf_add_char(out, '"');
}

static void add_integer(struct buf *out, int64_t value)
{
    comma(out);
    buf_add_i64(out, value);
}

static void add_number(struct buf *out, double value)
{
    comma(out);
    buf_printf(out, "%.12g", value == 0 ? 0.0 : value);
}

/* What was not measured leaves its field empty. */
static void add_nothing(struct buf *out)
{
    if (out->len > 0 && out->ptr[out->len - 1] == '\n')
        buf_add(out, STR("\"\""));
    else
        buf_add_char(out, ',');
}

static void add_optional(struct buf *out, bool is_there, double value)
{
    if (is_there)
        add_number(out, value);
    else
        add_nothing(out);
}

static void add_cost(struct buf *out, nano_usd cost)
{
    if (cost == COST_UNPRICED)
        add_nothing(out);
    else
        add_integer(out, cost);
}

static void end_line(struct buf *out)
{
    buf_add(out, STR("\r\n"));
}

void eval_cells_csv_write(const struct eval *e, struct buf *out)
{
    buf_add(out,
            STR("cell,model,strategy,domain,n,missing,right,success,success_lower,success_upper,"
                "faulted,cost_nano_usd,cost_per_query_nano_usd,latency_p50_ms,latency_p95_ms,"
                "latency_n,confidence_mean,ece,confidence_n,simulated"));
    end_line(out);
    for (size_t i = 0; i < e->report->cell_count; i++) {
        const struct eval_cell_row *row = &e->report->cells[i];
        const struct eval_cell *cell = &e->plan.cells[row->cell];
        add_text(out, cell->name);
        add_text(out, cell->model);
        add_text(out, str_from(reason_strategy_name(cell->strategy)));
        add_text(out, eval_domain_name(e, row->domain));
        add_integer(out, row->n);
        add_integer(out, row->missing);
        add_integer(out, row->right);
        add_number(out, row->success.estimate);
        add_number(out, row->success.lower);
        add_number(out, row->success.upper);
        add_integer(out, row->faulted);
        add_cost(out, row->cost);
        add_optional(out, row->cost != COST_UNPRICED, row->cost_per_query);
        add_optional(out, row->latency.n > 0, row->latency.p50_ms);
        add_optional(out, row->latency.n > 0, row->latency.p95_ms);
        add_integer(out, row->latency.n);
        add_optional(out, row->confidence.n > 0, row->confidence.mean);
        add_optional(out, row->confidence.n > 0, row->confidence.ece);
        add_integer(out, row->confidence.n);
        add_integer(out, e->report->is_simulated);
        end_line(out);
    }
}

void eval_pairs_csv_write(const struct eval *e, struct buf *out)
{
    buf_add(out, STR("a,b,domain,n,diff,lower,upper,lower_one_sided,verdict,p,p_holm,resolvable,"
                     "cost_change,cost_change_lower,cost_change_upper,simulated"));
    end_line(out);
    for (size_t i = 0; i < e->report->pair_count; i++) {
        const struct eval_pair_row *pair = &e->report->pairs[i];
        add_text(out, e->plan.cells[pair->a].name);
        add_text(out, e->plan.cells[pair->b].name);
        add_text(out, eval_domain_name(e, pair->domain));
        add_integer(out, pair->n);
        add_number(out, pair->diff.estimate);
        add_number(out, pair->diff.lower);
        add_number(out, pair->diff.upper);
        add_number(out, pair->lower_one_sided);
        add_text(out, str_from(stats_verdict_name(pair->verdict)));
        add_number(out, pair->p);
        add_number(out, pair->p_holm);
        add_number(out, pair->resolvable);
        add_optional(out, pair->has_cost, pair->cost.estimate);
        add_optional(out, pair->has_cost, pair->cost.lower);
        add_optional(out, pair->has_cost, pair->cost.upper);
        add_integer(out, e->report->is_simulated);
        end_line(out);
    }
}

/* Where this judge and the recording's label differ: for people to look at. */
void eval_disputes_csv_write(const struct eval *e, struct buf *out)
{
    buf_add(out, STR("id,cell,key,answer,right,label"));
    end_line(out);
    for (size_t c = 0; c < e->plan.cell_count; c++) {
        for (size_t q = 0; q < e->questions.count; q++) {
            const struct eval_run *run = eval_run_at(&e->runs, q, c, 0);
            if (run->label == EVAL_LABEL_NONE || (run->label == EVAL_LABEL_RIGHT) == run->is_right)
                continue;
            add_text(out, e->questions.items[q].id);
            add_text(out, e->plan.cells[c].name);
            add_text(out, e->questions.items[q].key);
            add_text(out, run->disputed);
            add_integer(out, run->is_right);
            add_integer(out, run->label == EVAL_LABEL_RIGHT);
            end_line(out);
        }
    }
}
