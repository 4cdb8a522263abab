/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_rows: what `weir train` learns from, read from files in one of three forms:
 *
 *   pairs     a file of JSON Lines {"id", "domain", "prompt", "weak_right", "strong_right"}, and where they are known
 *             "weak_cost_nano_usd", "strong_cost_nano_usd"
 *   runs      a directory with runs.jsonl and questions.jsonl, as `weir eval --out` writes it, or its runs.jsonl
 *   recorded  a directory with questions.jsonl and answers/MODEL.jsonl
 */
#ifndef WEIR_APP_CLI_TRAIN_ROWS_H
#define WEIR_APP_CLI_TRAIN_ROWS_H

#include "core/money/money.h"
#include "core/route/route_train.h"

struct train_source {
    str path;
    str weak_model; /* may be empty for pairs */
    str strong_model;
    const struct price_table *prices; /* of recorded answers, whose files say tokens */
    usec_utc now;
};
struct train_rows {
    struct arena arena; /* owns everything */
    struct route_training training;
    str weak_model; /* as the source names them; "weak" and "strong" where it does not */
    str strong_model;
    size_t skipped; /* questions that only one of the two has answered */
    size_t faulted; /* runs that ended with a fault: nobody's answer, so they count for neither */
    size_t simulated; /* runs of a simulated model */
};

/* EXIT_DONE; or, having said on stderr what is wrong (FILE:LINE: message where a line is), EXIT_USAGE or
 * EXIT_UNREACHABLE for what cannot be opened. out is to be finished either way. */
int train_rows_read(struct train_rows *out, const struct train_source *source);
void train_rows_fini(struct train_rows *rows);

#endif
