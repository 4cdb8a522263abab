/* SPDX-License-Identifier: Apache-2.0 */
/* weir ledger verify|export: the ledger against itself, and as JSON Lines. */
#include "app/cli/cli.h"
#include "app/cli/ledger_counters.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/store/store.h"

static void on_mismatch(void *ctx, str sentence)
{
    (void)ctx;
    fprintf(stderr, "weir ledger: %.*s\n", STR_ARG(sentence));
}

static int verify(const struct cli_args *args, str directory)
{
    bool as_json = cli_has(args, "json");
    struct ledger_counters counters = { .compared = 0 };
    struct ledger_check check;
    char why[256] = "";
    char cost[32];
    enum err e = store_verify(directory, &check, on_mismatch, NULL, why);

    if (e != OK) {
        fprintf(stderr, "weir ledger: %s: %s\n", err_info(e)->text, why);
        return EXIT_UNREACHABLE;
    }
    /* Another directory's server is not the configuration's; and who holds this one may be no server. */
    bool is_asked = cli_has(args, "target") || !cli_has(args, "ledger");
    if (check.is_live && is_asked &&
        ledger_counters_compare(args, directory, &counters) == EXIT_DONE)
        check.mismatches += counters.mismatches;
    if (as_json) {
        printf("{\"rows\":%" PRId64 ",\"calls\":%" PRId64 ",\"interrupted\":%" PRId64
               ",\"unpriced\":%" PRId64 ",\"sum_nano_usd\":%" PRId64 ",\"routes\":%" PRId64
               ",\"labels\":%" PRId64 ",\"labels_unknown\":%" PRId64 ",\"mismatches\":%" PRId64
               ",\"counters\":%" PRId64 ",\"counters_busy\":%" PRId64 ",\"live\":%s}\n",
               check.rows, check.calls, check.interrupted, check.unpriced, check.sum_nano_usd,
               check.routes, check.labels, check.labels_unknown, check.mismatches,
               counters.compared, counters.busy, check.is_live ? "true" : "false");
    } else {
        str total = cost_format(check.sum_nano_usd, cost);
        printf("queries      %" PRId64 "\ncalls        %" PRId64 "\ninterrupted  %" PRId64
               "\nunpriced     %" PRId64 "\ncost         %.*s\nroutes       %" PRId64
               "\nlabels       %" PRId64 " (%" PRId64
               " of queries that are not there)\nmismatches   %" PRId64 "\n",
               check.rows, check.calls, check.interrupted, check.unpriced, STR_ARG(total),
               check.routes, check.labels, check.labels_unknown, check.mismatches);
        if (check.is_live)
            printf("counters     %" PRId64 " of keys by day and month, and %" PRId64
                   " that were moving\na running weir holds this ledger: what it has not imported "
                   "yet is not in these figures\n",
                   counters.compared, counters.busy);
    }
    return check.mismatches == 0 ? EXIT_DONE : EXIT_CHECK_FAILED;
}

static void on_line(void *ctx, str line)
{
    (void)ctx;
    fwrite(line.ptr, 1, line.len, stdout);
    fputc('\n', stdout);
}

static int export(str directory)
{
    char why[256] = "";
    enum err e = store_export(directory, 0, on_line, NULL, why);

    if (e == OK && fflush(stdout) == 0)
        return EXIT_DONE;
    fprintf(stderr, "weir ledger: %s: %s\n", err_info(e)->text, why);
    return EXIT_UNREACHABLE;
}

static int run(const struct cli_args *args)
{
    struct config *config = NULL;
    str verb = args->word_count == 1 ? args->words[0] : STR("");
    bool is_verify = str_eq(verb, STR("verify"));

    if (!is_verify && !str_eq(verb, STR("export")))
        return cli_usage_error("ledger", "say 'weir ledger verify' or 'weir ledger export'");
    int status = cli_config_load(args, false, &config);
    if (status != EXIT_DONE)
        return status;
    str directory = cli_value_or(args, "ledger", config->ledger.directory);
    status = is_verify ? verify(args, directory) : export(directory);
    config_close(config);
    return status;
}

static const struct cli_option options[] = {
    { "config", "FILE", "configuration that names the ledger" },
    { "ledger", "DIR", "the ledger's directory instead" },
    { "target", "URL", "verify: the running gateway's admin address (http:// and server.admin)" },
    { "json", NULL, "verify: one JSON value on stdout (export is always JSON Lines)" },
    { NULL, NULL, NULL },
};

const struct cli_command command_ledger = { "ledger",
                                            "verify|export",
                                            "checks the ledger against itself, or exports it",
                                            "weir ledger verify --config weir.yaml",
                                            options,
                                            run };
