/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: the commands. Each is a row of a table: name, options, help with an example, function.
 *
 * Exit codes: 0 done; 1 a check that was asked for failed; 2 wrong usage or configuration; 3 something needed
 * cannot be reached; 70 a defect of ours. People's output goes to stdout, progress and logs to stderr.
 *
 * May include: base, core/stats, core/json, core/money, core/dialect, core/calibration, core/reason,
 * core/route, core/change, core/alert, edge/world, edge/config, edge/store, edge/upstream, edge/http,
 * edge/notify, edge/screen, edge/telemetry, app/access, app/engine, app/gateway, app/health, app/provider, app/eval, app/control, app/sim,
 * app/report, app/admin, core/tokens, edge/ranks.
 */
#ifndef WEIR_APP_CLI_CLI_H
#define WEIR_APP_CLI_CLI_H

#include <stdio.h>

#include "base/base.h"

#define WEIR_VERSION "0.1.0"

enum {
    EXIT_DONE = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_DEFECT = 70
};

#define CLI_OPTIONS_MAX 32
#define CLI_WORDS_MAX 16

/*
 * Where a table says what stands behind a command or an option, '|' separates alternatives; small letters are typed
 * as they are, capitals stand for something of the user's: "verify|export", "echo|sim|recorded:DIR", "FILE". Completion
 * is made from it: a word, a file behind FILE, a directory behind DIR, nothing behind any other capitals.
 */
struct cli_option {
    const char *name; /* without the dashes */
    const char *value; /* of it, in the form above; NULL for a flag */
    const char *help;
};

struct cli_args {
    str words[CLI_WORDS_MAX]; /* what is no option */
    size_t word_count;
    const struct cli_option *options;
    str values[CLI_OPTIONS_MAX]; /* by option; ptr NULL when it was not given */
};

struct cli_command {
    const char *name;
    const char *words; /* in the form above, or "" */
    const char *summary;
    const char *example;
    const struct cli_option *
        options; /* ends with a NULL name; --config, --json and --help are among them where they apply */
    int (*run)(const struct cli_args *args);
};

/* The option's value; ptr NULL when it was not given. The option must be in the command's table. */
str cli_value(const struct cli_args *args, const char *option);
bool cli_has(const struct cli_args *args, const char *option);
str cli_value_or(const struct cli_args *args, const char *option, str fallback);
/* "weir ask: message" on stderr; returns EXIT_USAGE. */
int cli_usage_error(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* An integer option; false (having said so) when it is no integer of [min, max]. Untouched when not given. */
bool cli_integer(const struct cli_args *args, const char *command, const char *option, int64_t min,
                 int64_t max, int64_t *out);
/* --since, a date or so long ago; false (having said so) when it is neither. Untouched when not given. */
bool cli_since(const struct cli_args *args, const char *command, usec_utc *out);

extern const struct cli_command command_alert, command_ask, command_bucket, command_check,
    command_completion, command_eval, command_experiment, command_key, command_ledger, command_man,
    command_price, command_replay, command_report, command_rollout, command_score, command_serve,
    command_simulate, command_smoke, command_stats, command_tokens, command_top, command_train,
    command_upstream;

/* All commands, in the order of the help; *out_count of them. */
const struct cli_command *const *cli_commands(size_t *out_count);

struct config;
struct config_issue;
/* Loads --config or the default file; prints errors, and when asked for warnings, to stderr. EXIT_DONE or EXIT_USAGE. */
int cli_config_load(const struct cli_args *args, bool with_warnings, struct config **out);
/* "FILE:LINE:COL: message", without the place when the issue has none. */
void cli_issue_print(FILE *out, const struct config_issue *issue);

int cli_main(int argc, char **argv);

#endif
