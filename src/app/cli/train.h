/* SPDX-License-Identifier: Apache-2.0 */
/* train: what the two forms of `weir train` share: from files (train.c) and from the ledger (train_ledger.c). */
#ifndef WEIR_APP_CLI_TRAIN_H
#define WEIR_APP_CLI_TRAIN_H

#include "app/cli/cli.h"
#include "core/route/route_train.h"

struct buf;
struct confidence_table;

#define TRAIN_ARENA_MAX ((size_t)8 << 30)
#define TRAIN_ROUNDS 1000 /* of the bootstrap */

/* Beside the file first, so that a model that is there is replaced whole or not at all. EXIT_DONE, or having said why. */
int train_model_save(const struct route_model *model, str path);
/* "weir train: …"; the exit code. */
int train_failed(enum err e);
/* {"estimate", "lower", "upper"}, or null. */
void train_interval_write(struct buf *out, const char *name, const struct interval *interval,
                          bool is_measured);
void train_share_write(struct buf *out, const char *name, double value, bool is_measured);
/* "confidence": a row for each map; empty members of a key stand for all. */
void train_confidence_write(struct buf *out, const struct confidence_table *table);
void train_confidence_print(const struct confidence_table *table);
/* A progress bar of `struct progress`, for options->on_progress. */
void train_on_progress(void *ctx, int done, int total);

/* --from ledger: options have seed and folds. */
int train_from_ledger(const struct cli_args *args, const struct route_train_options *options);

#endif
