/* SPDX-License-Identifier: Apache-2.0 */
/* files: the results in the output directory. */
#include "app/eval/report.h"

#define FILE_BYTES ((size_t)256 << 20)

static const struct {
    const char *name;
    void (*write)(const struct eval *e, struct buf *out);
    bool is_refusable; /* left out of a refused result */
} files[] = {
    { "result.json", eval_write_json, false },
    { "report.md", eval_markdown_write, false },
    { "cells.csv", eval_cells_csv_write, true },
    { "comparisons.csv", eval_pairs_csv_write, true },
    { "disputes.csv", eval_disputes_csv_write, true },
    { "frontier.svg", eval_frontier_svg_write, true },
};

enum err eval_write_files(const struct eval *e, struct buf *problems)
{
    enum err fault = OK;

    for (size_t i = 0; e->folder && i < ARRAY_LEN(files) && fault == OK; i++) {
        struct buf content = { .max = FILE_BYTES };
        if (files[i].is_refusable && e->report->is_refused)
            continue;
        files[i].write(e, &content);
        fault = content.failed
                    ? WEIR_NO_MEMORY
                    : eval_folder_write(e->folder, files[i].name, buf_str(&content), problems);
        buf_fini(&content);
    }
    return fault;
}
