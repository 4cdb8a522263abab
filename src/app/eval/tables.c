/* SPDX-License-Identifier: Apache-2.0 */
/* tables: an evaluation for people: on a terminal, and as report.md. */
#include <math.h>

#include "app/eval/report.h"
#include "app/eval/table.h"

/* How a table is written. */
struct medium {
    struct buf *out;
    bool is_markdown;
    bool has_colour;
};

static void write_table(const struct medium *m, const struct eval_table *t)
{
    if (m->is_markdown)
        eval_table_write_markdown(t, m->out);
    else
        eval_table_write_text(t, m->has_colour, m->out);
}

static void heading(const struct medium *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void heading(const struct medium *m, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_add(m->out, m->is_markdown ? STR("\n## ") : STR("\n"));
    buf_vprintf(m->out, fmt, args);
    buf_add(m->out, STR("\n\n"));
    va_end(args);
}

/* A line that nobody should overlook. */
static void label(const struct medium *m, const char *word, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void label(const struct medium *m, const char *word, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_printf(m->out,
               m->is_markdown  ? "**%s**: "
               : m->has_colour ? "\x1b[31;1m%s\x1b[0m: "
                               : "%s: ",
               word);
    buf_vprintf(m->out, fmt, args);
    buf_add(m->out, m->is_markdown ? STR("\n\n") : STR("\n"));
    va_end(args);
}

/* ---- cells ---- */

/* A, B, …: how a table names a cell. */
static char letter_of(size_t cell)
{
    return (char)('A' + cell);
}

static void add_share(struct eval_table *t, double share)
{
    eval_table_printf(t, "%.1f %%", share * 100);
}

static void add_range(struct eval_table *t, double lower, double upper)
{
    eval_table_printf(t, "%.1f to %.1f", lower * 100, upper * 100);
}

static void add_difference(struct eval_table *t, const struct interval *i, const char *unit)
{
    eval_table_printf(t, "%+.1f%s", i->estimate * 100, unit);
    eval_table_printf(t, "%+.1f to %+.1f", i->lower * 100, i->upper * 100);
}

/* So many decimals of a dollar; a table's figures then stand below each other. */
static void add_cost(struct eval_table *t, nano_usd cost, int decimals)
{
    if (cost == COST_UNPRICED)
        eval_table_add(t, STR("unpriced"));
    else
        eval_table_printf(t, "$%.*f", decimals, (double)cost / (double)NANO_PER_USD);
}

static void add_latency(struct eval_table *t, const struct eval_latency *latency, bool is_measured)
{
    if (!is_measured) {
        eval_table_add(t, STR("not recorded"));
        eval_table_add(t, (str){ 0 });
    } else if (latency->n == 0) {
        eval_table_add(t, STR("-"));
        eval_table_add(t, STR("-"));
    } else {
        eval_table_printf(t, "%.0f", latency->p50_ms);
        eval_table_printf(t, "%.0f%s", latency->p95_ms, latency->p95_is_maximum ? " (max)" : "");
    }
}

static void add_confidence(struct eval_table *t, const struct eval_confidence *confidence)
{
    if (confidence->n == 0) {
        eval_table_add(t, STR("-"));
        eval_table_add(t, STR("-"));
        return;
    }
    eval_table_printf(t, "%.2f%s", confidence->mean, confidence->is_calibrated ? "" : " (raw)");
    eval_table_printf(t, "%.3f", confidence->ece);
}

static nano_usd per_query(const struct eval_cell_row *row)
{
    return row->cost == COST_UNPRICED ? COST_UNPRICED : (nano_usd)llround(row->cost_per_query);
}

static void add_row(const struct eval *e, struct eval_table *t, const struct eval_cell_row *row)
{
    eval_table_printf(t, "%c", letter_of(row->cell));
    eval_table_add(t, e->plan.cells[row->cell].name);
    eval_table_add(t, eval_domain_name(e, row->domain));
    eval_table_printf(t, "%" PRId64, row->n);
    if (row->missing > 0)
        eval_table_printf(t, "%" PRId64, row->missing);
    else
        eval_table_add(t, (str){ 0 });
    add_share(t, row->success.estimate);
    add_range(t, row->success.lower, row->success.upper);
    if (row->faulted > 0)
        eval_table_printf(t, "%" PRId64, row->faulted);
    else
        eval_table_add(t, (str){ 0 });
    add_cost(t, per_query(row), 6);
    add_cost(t, row->cost, 4);
    add_latency(t, &row->latency, e->source->kind->has_latency);
    add_confidence(t, &row->confidence);
}

static void write_cells(const struct eval *e, const struct medium *m)
{
    static const struct eval_column columns[] = {
        { "", false },          { "cell", false },   { "domain", false },       { "n", true },
        { "missing", true },    { "success", true }, { "95 % interval", true }, { "faulted", true },
        { "cost/query", true }, { "cost", true },    { "p50 ms", true },        { "p95 ms", true },
        { "confidence", true }, { "ECE", true },
    };
    struct eval_table t;

    heading(m, "Cells");
    if (eval_table_init(&t, columns, ARRAY_LEN(columns), e->report->cell_count) == OK) {
        for (size_t i = 0; i < e->report->cell_count; i++)
            add_row(e, &t, &e->report->cells[i]);
        write_table(m, &t);
    }
    eval_table_fini(&t);
}

/* ---- comparisons ---- */

static str verdict_word(enum stats_verdict verdict)
{
    return verdict == STATS_NON_INFERIOR ? STR("non-inferior")
                                         : str_from(stats_verdict_name(verdict));
}

static void add_p(struct eval_table *t, double p)
{
    if (p < 0.0001)
        eval_table_add(t, STR("< .0001"));
    else
        eval_table_printf(t, "%.4f", p);
}

static void add_pair(const struct eval *e, struct eval_table *t, const struct eval_pair_row *pair)
{
    eval_table_printf(t, "%c - %c", letter_of(pair->b), letter_of(pair->a));
    eval_table_add(t, eval_domain_name(e, pair->domain));
    eval_table_printf(t, "%" PRId64, pair->n);
    add_difference(t, &pair->diff, "");
    eval_table_add(t, verdict_word(pair->verdict));
    add_p(t, pair->p);
    add_p(t, pair->p_holm);
    eval_table_printf(t, "%.1f", pair->resolvable * 100);
    if (!pair->has_cost) {
        eval_table_add(t, STR("-"));
        eval_table_add(t, STR("-"));
        return;
    }
    add_difference(t, &pair->cost, " %");
}

static void write_pairs(const struct eval *e, const struct medium *m)
{
    static const struct eval_column columns[] = {
        { "pair", false },  { "domain", false },       { "n", true },
        { "points", true }, { "95 % interval", true }, { "verdict", false },
        { "p", true },      { "p (Holm)", true },      { "resolves", true },
        { "cost", true },   { "95 % interval", true },
    };
    struct eval_table t;

    if (e->report->pair_count == 0)
        return;
    heading(m, "Comparisons on the same questions (margin %g points)", e->options.margin * 100);
    if (eval_table_init(&t, columns, ARRAY_LEN(columns), e->report->pair_count) == OK) {
        for (size_t i = 0; i < e->report->pair_count; i++)
            add_pair(e, &t, &e->report->pairs[i]);
        write_table(m, &t);
    }
    eval_table_fini(&t);
}

/* ---- frontier ---- */

static void write_frontier(const struct eval *e, const struct medium *m)
{
    static const struct eval_column columns[] = {
        { "", false },       { "cell", false },         { "cost/query", true },
        { "success", true }, { "95 % interval", true }, { "", false },
    };
    const struct eval_report *r = e->report;
    struct eval_table t;

    heading(m, "Frontier of cost and success (overall)%s",
            r->frontier_count < e->plan.cell_count ? "; what has no price or no run is left out"
                                                   : "");
    if (eval_table_init(&t, columns, ARRAY_LEN(columns), r->frontier_count) == OK) {
        for (size_t i = 0; i < r->frontier_count; i++) {
            const struct eval_cell_row *row = &r->cells[r->frontier[i]];
            eval_table_printf(&t, "%c", letter_of(row->cell));
            eval_table_add(&t, e->plan.cells[row->cell].name);
            add_cost(&t, per_query(row), 6);
            add_share(&t, row->success.estimate);
            add_range(&t, row->success.lower, row->success.upper);
            eval_table_add(&t, r->is_optimal[i] ? STR("on the frontier") : STR("dominated"));
        }
        write_table(m, &t);
    }
    eval_table_fini(&t);
}

/* ---- what stands above and below the tables ---- */

static void write_labels(const struct eval *e, const struct medium *m)
{
    const struct eval_report *r = e->report;
    str refusals = buf_str(&r->refusals), sentence;

    if (r->is_simulated)
        label(m, "SIMULATED", "these figures say nothing about any real model");
    while (refusals.len > 0 && str_next(&refusals, '\n', &sentence) && sentence.len > 0)
        label(m, "NOT MEASURED", "%.*s", STR_ARG(sentence));
    if (r->is_partial && !r->is_refused)
        label(m, "PARTIAL",
              "runs are missing (%s); comparisons use the questions that both cells have answered",
              e->end == EVAL_OUT_OF_BUDGET ? "the budget would have been exceeded"
                                           : "it was interrupted");
}

static bool may_be_retried(const struct eval *e)
{
    for (size_t i = 0; i < e->plan.cell_count; i++) {
        for (size_t q = 0; q < e->questions.count; q++) {
            for (size_t k = 0; k < e->runs.per_cell; k++) {
                const struct eval_run *run = eval_run_at(&e->runs, q, i, k);
                if (run->is_done && eval_run_is_due(e, run))
                    return true;
            }
        }
    }
    return false;
}

static void write_disputes(const struct eval *e, const struct medium *m)
{
    for (size_t i = 0; i < e->plan.cell_count; i++) {
        const struct eval_cell_row *row = eval_row_overall(e, i);
        if (row->labelled == 0)
            continue;
        buf_printf(m->out,
                   "%sThe recording's own labels say %" PRId64 " right of %" PRId64
                   " for %c, this judge %" PRId64 "; they differ on %" PRId64 ".\n",
                   m->is_markdown ? "- " : "", row->label_right, row->labelled, letter_of(i),
                   row->right, row->disputed);
    }
}

static void write_notes(const struct eval *e, const struct medium *m)
{
    bool is_clustered = e->runs.per_cell > 1;

    heading(m, "How it was computed");
    buf_printf(
        m->out,
        "Success: %s, 95 %%. A run with a fault is not a success. Differences: %s, 95 %%;\n"
        "p: %s, two-sided; Holm over the table. non-inferior: the one-sided 95 %% lower\n"
        "bound is above -%g points. resolves: the margin, in points, that so many questions\n"
        "decide with power .8 when nothing differs. Cost: at the price table; interval by\n"
        "bootstrap over questions. %s.\n",
        is_clustered ? "standard error clustered by question" : "Clopper-Pearson interval",
        is_clustered ? "clustered by question" : "Tango's score interval",
        is_clustered ? "t of the clustered difference" : "exact McNemar", e->options.margin * 100,
        e->source->kind->has_latency ? "Latency: nearest rank, answered runs only"
                                     : "Latency was not recorded");
    if (may_be_retried(e))
        buf_add(m->out, STR("Some runs failed for the provider's fault; the same command with the "
                            "same --out tries them again.\n"));
    write_disputes(e, m);
}

static void write_report(const struct eval *e, const struct medium *m)
{
    buf_printf(m->out,
               "%s%zu cells, %zu questions, %zu run%s each; provider: %s; seed %" PRIu64 "\n%s",
               m->is_markdown ? "# Evaluation\n\n" : "", e->plan.cell_count, e->questions.count,
               e->plan.runs, e->plan.runs > 1 ? "s" : "", e->source->kind->name, e->plan.seed,
               m->is_markdown ? "\n" : "");
    write_labels(e, m);
    if (e->report->is_refused) {
        buf_add(m->out, STR("The result is refused. --allow-simulated shows it all the same.\n"));
        return;
    }
    write_cells(e, m);
    write_pairs(e, m);
    write_frontier(e, m);
    if (m->is_markdown && e->report->frontier_count > 0)
        buf_add(m->out, STR("\n![cost and success](frontier.svg)\n"));
    write_notes(e, m);
}

void eval_write_text(const struct eval *e, const struct eval_style *style, struct buf *out)
{
    write_report(e, &(struct medium){ .out = out, .has_colour = style->has_colour });
}

void eval_markdown_write(const struct eval *e, struct buf *out)
{
    write_report(e, &(struct medium){ .out = out, .is_markdown = true });
}
