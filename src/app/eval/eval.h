/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval: models and strategies on the same questions, judged, priced and compared: `weir eval` without its command line.
 *
 *     eval_open -> eval_forecast -> eval_run -> eval_report -> eval_write_… -> eval_close
 *
 * A caller may rely on:
 *   - every cell (a model with a strategy) runs the same questions; a strategy never sees a question's key;
 *   - with an output directory each finished run is on disk before the next turn of the loop; what is done is not done again,
 *     and the tables of an interrupted and resumed evaluation are those of an uninterrupted one, byte for byte, where
 *     the provider answers the same;
 *   - what has not been measured is absent (null, 'not recorded'), never zero; a result that cannot have been measured is refused;
 *   - no more is spent than the budget: a run starts only when its worst case still fits.
 *
 * May include: base, core/json, core/money, core/dialect, core/reason, core/stats, core/sim, edge/world, edge/config,
 * edge/store, app/engine, app/recording.
 */
#ifndef WEIR_APP_EVAL_EVAL_H
#define WEIR_APP_EVAL_EVAL_H

#include "base/base.h"

struct config;
struct log;
struct eval;

#define EVAL_SEED 1
#define EVAL_RUNS_MAX 100 /* of one question in one cell */
#define EVAL_PARALLEL_MAX 256

enum eval_expectation { EVAL_EXPECT_NOTHING, EVAL_EXPECT_NON_INFERIOR, EVAL_EXPECT_SUPERIOR };

/* Texts must outlive the evaluation. */
struct eval_options {
    str questions; /* the file */
    str models; /* "A,B": each with each of strategies */
    str strategies; /* "direct,cascade" */
    str cells; /* "MODEL/STRATEGY,MODEL/STRATEGY:SIMULATIONS": besides those */
    str provider; /* "configured", "sim" or "recorded:DIR" */
    str peer; /* the cascade's models; empty: as configured */
    str strong;
    str out; /* directory; empty: nothing is kept */
    str ledger; /* the configured provider's; empty: OUT/ledger, or a temporary one */
    str baseline; /* a cell that the others are compared with; empty: none */
    enum eval_expectation expects; /* of every other cell against the baseline */
    double margin; /* of non-inferiority, (0, 1) */
    nano_usd budget; /* negative: none */
    int64_t limit; /* questions, drawn with the seed; 0: all */
    int64_t runs; /* of each question in each cell */
    int64_t parallel; /* queries at once */
    uint64_t seed;
    bool allows_simulated;
    const struct config *config;
    const struct log *log;
};

/* CALLER_BAD_REQUEST: wrong usage, a bad question file, an output directory of another evaluation. WEIR_IO: a file that
 * cannot be read or written; PROVIDER_UNREACHABLE: something needed cannot be opened. Each with sentences in problems,
 * one a line, the question file's as FILE:LINE: message. */
NODISCARD enum err eval_open(struct eval **out, const struct eval_options *options,
                             struct buf *problems);
void eval_close(struct eval *e); /* NULL is a no-op */

/* Would its results be refused whatever they are, because the provider is simulated? The report then says so. */
bool eval_refuses_to_run(const struct eval *e);

/* What is ahead, at the price table. */
struct eval_forecast {
    uint64_t runs; /* of the whole evaluation */
    uint64_t done; /* found in the output directory */
    nano_usd expected; /* of what is left */
    nano_usd worst;
    bool spends; /* a provider is paid: neither recorded nor simulated */
    bool is_exact; /* recorded token counts */
    bool has_unpriced; /* some model has no price: that part is not in the sums */
};
struct eval_forecast eval_forecast(const struct eval *e);

struct eval_progress {
    uint64_t total;
    uint64_t done;
    uint64_t faulted;
    nano_usd spent; /* by this and earlier calls of eval_run */
};
struct eval_watcher {
    void *ctx;
    void (*on_progress)(void *ctx, const struct eval_progress *progress); /* after each run */
    void (*on_interrupt)(void *ctx, uint64_t under_way); /* SIGINT or SIGTERM came */
};
enum eval_end {
    EVAL_DONE,
    EVAL_OUT_OF_BUDGET, /* the next run could exceed it */
    EVAL_INTERRUPTED,
};
/* Runs what is not done. A first SIGINT waits for what is under way, a second one cuts it. WEIR_IO: a run could not be kept. */
NODISCARD enum err eval_run(struct eval *e, const struct eval_watcher *watcher,
                            enum eval_end *out_end);

/* What came out; computed from what was run so far. */
NODISCARD enum err eval_report(struct eval *e);
bool eval_is_refused(const struct eval *e);
str eval_refusals(const struct eval *e); /* a sentence a line; also those that were allowed */
bool eval_meets_expectation(const struct eval *e); /* true when nothing was expected */
bool eval_is_unreachable(const struct eval *e); /* not one run was answered: the provider's fault */

struct eval_style {
    bool has_colour;
};
void eval_write_text(const struct eval *e, const struct eval_style *style, struct buf *out);
void eval_write_json(const struct eval *e, struct buf *out);
/* result.json, cells.csv, comparisons.csv, report.md, frontier.svg into the output directory, if there is one. */
NODISCARD enum err eval_write_files(const struct eval *e, struct buf *problems);

#endif
