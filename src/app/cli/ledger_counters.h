/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_counters: the counters of a running gateway's keys against its ledger, for weir ledger verify. */
#ifndef WEIR_APP_CLI_LEDGER_COUNTERS_H
#define WEIR_APP_CLI_LEDGER_COUNTERS_H

#include "app/cli/cli.h"

struct ledger_counters {
    int64_t compared;
    int64_t busy; /* that moved meanwhile, or of which something is reserved: not compared */
    int64_t mismatches; /* each said on stderr */
};
/* EXIT_DONE, or what to exit with, having said why. The command's table has --target and --config. */
int ledger_counters_compare(const struct cli_args *args, str directory,
                            struct ledger_counters *out);

#endif
