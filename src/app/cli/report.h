/* SPDX-License-Identifier: Apache-2.0 */
/* report: what the two forms of `weir report` share: of days (report.c) and beside an invoice (report_reconcile.c). */
#ifndef WEIR_APP_CLI_REPORT_H
#define WEIR_APP_CLI_REPORT_H

#include "app/cli/cli.h"

struct buf;
struct config;

/* --date, or --from and --to, in --tz; empty texts when neither is there. A sentence when they do not go together, else NULL. */
struct report_dates {
    str first, last, zone;
};
const char *report_dates_of(const struct cli_args *args, struct report_dates *out);
/* The ledger's directory; before anything is read of it, what an older weir left is summed, with progress on stderr. */
NODISCARD enum err report_prepare(const struct cli_args *args, const struct config *config,
                                  str *out_directory, char out_why[256]);
int report_print(const struct buf *out); /* to stdout; the exit code */

/* With --reconcile: the exit code. */
int report_reconcile(const struct cli_args *args, const struct config *config);

#endif
