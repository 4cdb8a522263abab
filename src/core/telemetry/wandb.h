/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wandb: a gateway as a run of Weights & Biases: its history is a line of aggregates now and then, its summary the last of each.
 *
 *     POST /graphql UpsertBucket          the run begins, or goes on: its history has so many lines already
 *     POST …/file_stream {files: …}       lines behind those, and the summary, overwritten whole; {} now and then: it lives
 *     POST …/file_stream {complete: true, exitcode: 0}
 *
 * May include: base, core/json.
 */
#ifndef WEIR_CORE_TELEMETRY_WANDB_H
#define WEIR_CORE_TELEMETRY_WANDB_H

#include "base/arena.h"
#include "base/base.h"

struct wandb_setting {
    const char *name;
    str value;
};
struct wandb_run {
    str id;
    str project;
    str entity; /* empty: the key's own */
    str name; /* for people */
    const struct wandb_setting *settings; /* what is shown as its configuration */
    size_t setting_count;
};
void wandb_upsert_write(struct buf *out, const struct wandb_run *run);

struct wandb_bucket {
    str run, project, entity; /* as the server calls them */
    int64_t history_lines;
    double runtime; /* seconds that the run had lived before; 0: it is new */
};
/* An answer to it. CALLER_BAD_REQUEST: it is none; what it complains about is in *out_why then, or empty. Texts live in the arena. */
NODISCARD enum err wandb_bucket_read(struct arena *arena, str body, struct wandb_bucket *out,
                                     str *out_why);

/* A line of history without its _step: the members of an object, without braces. */
struct wandb_line {
    str members;
};
struct wandb_stream {
    int64_t offset; /* lines that the server has; a line's _step is its place */
    const struct wandb_line *lines;
    size_t line_count;
    str summary; /* the members of an object; empty: it stays */
    bool is_complete; /* the last one */
};
void wandb_stream_write(struct buf *out, const struct wandb_stream *stream);
/* Whether an answer asks for no more: somebody stopped the run. */
bool wandb_is_stopped(str body);

/* "Basic …" for the key. */
void wandb_authorization(struct buf *out, str api_key);

enum wandb_verdict { WANDB_TAKEN, WANDB_RETRY, WANDB_REFUSED };
enum wandb_verdict wandb_verdict_of(int http_status);

#endif
