/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: what an evaluation found, as numbers: a row for each cell in each domain and overall, a row for each pair of
 * cells, the frontier, and why it must not be believed where that is so. The writers turn it into text, JSON, CSV, Markdown and SVG.
 */
#ifndef WEIR_APP_EVAL_REPORT_H
#define WEIR_APP_EVAL_REPORT_H

#include "app/eval/eval_internal.h"
#include "core/stats/stats.h"

#define EVAL_OVERALL SIZE_MAX /* instead of a domain's index */
#define EVAL_ALPHA 0.05

struct eval_latency {
    int64_t n; /* 0: not recorded, or nothing was answered */
    double p50_ms;
    double p95_ms;
    bool p95_is_maximum; /* of too few runs for a percentile */
};

struct eval_confidence {
    int64_t n; /* 0: none was given */
    double mean;
    double ece;
    bool is_calibrated; /* else of raw signals */
};

/* One cell in one domain. */
struct eval_cell_row {
    size_t cell;
    size_t domain;
    int64_t questions; /* with at least one run */
    int64_t n; /* runs */
    int64_t missing; /* runs that were not made */
    int64_t right;
    int64_t faulted; /* among those that are not right */
    int64_t *faults; /* by enum err */
    struct interval success; /* exact of one run a question, else clustered by question */
    nano_usd cost; /* of all n; COST_UNPRICED */
    double cost_per_query; /* nano-dollars */
    struct eval_latency latency;
    struct eval_confidence confidence;
    int64_t labelled; /* runs whose answer the recording judged, too */
    int64_t label_right;
    int64_t disputed; /* where it judged otherwise */
};

/* Two cells on the questions that both have answered with all runs. */
struct eval_pair_row {
    size_t a;
    size_t b;
    size_t domain;
    int64_t n; /* questions */
    struct interval diff; /* success of b minus a */
    double lower_one_sided; /* at 1 - EVAL_ALPHA */
    double upper_one_sided;
    double p; /* two-sided: exact McNemar, or of the clustered difference */
    double p_holm; /* over all rows of the table */
    double resolvable; /* the margin that so many questions resolve */
    bool is_clustered; /* several runs of a question: there is no McNemar */
    enum stats_verdict verdict; /* of b against a */
    bool has_cost;
    struct interval cost; /* of b relative to a: -.94 is 94 % less; bootstrap over questions */
};

struct eval_report {
    struct eval_cell_row *cells; /* cell by cell, its domains in their order, overall last */
    size_t cell_count;
    struct eval_pair_row *pairs; /* domain by domain, overall last */
    size_t pair_count;
    size_t frontier
        [EVAL_CELLS_MAX]; /* indices of overall rows of cells, the cheapest first; unpriced cells are left out */
    bool is_optimal
        [EVAL_CELLS_MAX]; /* by the same order: nothing is at least as good and as cheap and better in one */
    size_t frontier_count;
    struct buf refusals; /* a sentence a line: why this was not measured */
    bool is_simulated; /* some answer came from a simulated model */
    bool is_partial;
    bool is_refused; /* there are refusals, and they were not allowed */
    struct arena arena;
};

void eval_report_free(struct eval_report *r); /* NULL is a no-op */

/* compare.c */
NODISCARD enum err eval_pairs_compute(const struct eval *e, struct eval_report *r);
/* refuse.c */
void eval_refusals_find(const struct eval *e, struct eval_report *r);

/* The overall row of a cell. */
const struct eval_cell_row *eval_row_overall(const struct eval *e, size_t cell);
str eval_domain_name(const struct eval *e, size_t domain);
bool eval_domain_holds(const struct eval *e, size_t domain, size_t question);

/* ---- writers: each appends ---- */
void eval_markdown_write(const struct eval *e, struct buf *out);
void eval_cells_csv_write(const struct eval *e, struct buf *out);
void eval_pairs_csv_write(const struct eval *e, struct buf *out);
void eval_disputes_csv_write(const struct eval *e, struct buf *out);
void eval_frontier_svg_write(const struct eval *e, struct buf *out);

#endif
