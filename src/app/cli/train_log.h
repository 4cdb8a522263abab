/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_log: what `weir train --from ledger` learns from: the answered, labelled queries of a ledger.
 *
 * Every one of them is an answer of its arm. Those that one of the two models answered directly, and whose features are there, are
 * rows of the router as well.
 */
#ifndef WEIR_APP_CLI_TRAIN_LOG_H
#define WEIR_APP_CLI_TRAIN_LOG_H

#include "core/route/route_train.h"
#include "edge/store/store.h"

struct train_log_source {
    str directory;
    usec_utc since;
    str weak_model; /* both empty: no rows */
    str strong_model;
};
struct train_log {
    struct arena arena; /* owns everything */
    const struct train_log_source *source; /* while it is read */
    struct route_row *rows;
    size_t row_count, row_cap;
    struct route_run *runs;
    size_t run_count, run_cap;
    int64_t labels[LABEL_SOURCE_COUNT]; /* answers whose label that counts is this source's */
    int64_t noisy; /* of them: by a source that may be wrong */
    int64_t propensities_known; /* answers */
    int64_t propensities_unknown;
    int64_t sides[ROUTE_SIDES]; /* rows */
    int64_t unlabelled; /* routed queries that nobody has judged */
    int64_t faulted; /* labelled, but there was no answer */
    int64_t plain; /* labelled, but relayed as they were: no arm of a router */
    int64_t
        without_features; /* direct answers of the two models that are no rows for want of them */
    bool has_no_memory;
};

/* EXIT_DONE; or, having said on stderr what is wrong, EXIT_UNREACHABLE. out is to be finished either way. */
int train_log_read(struct train_log *out, const struct train_log_source *source);
void train_log_fini(struct train_log *log);

#endif
