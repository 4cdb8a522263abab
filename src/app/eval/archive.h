/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: what an evaluation left in its folder (`weir eval --out`), for others to read: its questions, its cells, and what came of
 * each run.
 *
 * A caller may rely on: nothing is written or locked, so that it may be read while the evaluation goes on; a last line that is not
 * whole is left out; everything is in memory once it is open and never changes.
 */
#ifndef WEIR_APP_EVAL_ARCHIVE_H
#define WEIR_APP_EVAL_ARCHIVE_H

#include "base/base.h"
#include "core/money/money.h"

struct eval_archive;

/* CALLER_BAD_REQUEST, WEIR_IO, WEIR_NO_MEMORY with sentences in problems, one a line. */
NODISCARD enum err eval_archive_open(struct eval_archive **out, str folder, struct buf *problems);
void eval_archive_close(struct eval_archive *a); /* NULL is a no-op */

#define EVAL_ARCHIVE_NONE SIZE_MAX
struct eval_archive_cell {
    str name; /* "gpt-4o/direct" */
    const char *strategy; /* "direct" */
};
size_t eval_archive_cell_count(const struct eval_archive *a);
struct eval_archive_cell eval_archive_cell(const struct eval_archive *a, size_t index);
size_t eval_archive_find_cell(const struct eval_archive *a, str name);

struct eval_archive_question {
    str id, domain, prompt;
};
size_t eval_archive_question_count(const struct eval_archive *a);
struct eval_archive_question eval_archive_question(const struct eval_archive *a, size_t index);
size_t eval_archive_find_question(const struct eval_archive *a, str id);

struct eval_archive_place {
    size_t question, cell;
    size_t run; /* below eval_archive_runs() */
};
struct eval_archive_run {
    bool is_done; /* else nothing of it is known */
    bool is_right;
    bool is_error; /* it ended with a fault */
    bool is_simulated;
    nano_usd cost; /* COST_UNPRICED: not known */
    int64_t latency_us; /* negative: not recorded */
    double confidence; /* calibrated where it was, else raw; negative: none */
};
size_t eval_archive_runs(const struct eval_archive *a); /* of one question in one cell */
struct eval_archive_run eval_archive_run(const struct eval_archive *a,
                                         const struct eval_archive_place *place);

#endif
