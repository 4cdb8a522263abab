/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-ledger: queries of one call each through the ledger: intent, commit in groups, outcome, commit, import into
 * SQLite. Prints queries a second and CPU microseconds a query, the import included.
 *
 *     bench-ledger [QUERIES [GROUP [DIRECTORY]]]       400000, 32, a new directory in /tmp
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "edge/store/store.h"
#include "edge/world/world.h"

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static int64_t query_begin(struct ledger *l)
{
    int64_t id = ledger_query_id(l);

    ledger_begin(l, &(struct ledger_query){ .id = id,
                                            .started = world_wall(),
                                            .domain = STR("generic"),
                                            .requested_model = STR("gpt-4o-mini"),
                                            .strategy = STR("plain") });
    ledger_call_begin(l, &(struct ledger_call){ .query = id,
                                                .number = 1,
                                                .role = STR("plain"),
                                                .model = STR("gpt-4o-mini"),
                                                .provider = STR("openai"),
                                                .reserved = 100000 });
    return id;
}

static void query_end(struct ledger *l, int64_t id)
{
    ledger_call_done(
        l, &(struct ledger_call_end){ .query = id,
                                      .number = 1,
                                      .http_status = 200,
                                      .attempts = 1,
                                      .usage = { .input = 100, .output = 10, .is_known = true },
                                      .cost = 21000,
                                      .price_input = 150,
                                      .price_output = 600,
                                      .price_cached = 75 });
    ledger_end(l, &(struct ledger_end){ .id = id,
                                        .http_status = 200,
                                        .model = STR("gpt-4o-mini"),
                                        .hrm_confidence = -1,
                                        .trm_confidence = -1,
                                        .confidence = -1,
                                        .raw = LEDGER_RAW_NONE });
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/weir-bench-ledger-XXXXXX", why[256];
    long queries = argc > 1 ? atol(argv[1]) : 400000, group = argc > 2 ? atol(argv[2]) : 32;
    struct store_options options = { .directory =
                                         argc > 3 ? str_from(argv[3]) : str_from(directory) };
    int64_t ids[1024];
    struct store *store;
    struct ledger *ledger;

    if (group < 1 || group > 1024 || (argc <= 3 && !mkdtemp(directory)))
        return 2;
    if (store_open(&store, &options, why) != OK || ledger_open(&ledger, store, 0) != OK)
        return 3;
    nsec start = world_now_exact();
    double cpu = cpu_seconds();
    for (long done = 0; done < queries; done += group) {
        for (long i = 0; i < group; i++)
            ids[i] = query_begin(ledger);
        if (ledger_commit(ledger) != OK)
            return 1;
        for (long i = 0; i < group; i++)
            query_end(ledger, ids[i]);
        if (ledger_commit(ledger) != OK)
            return 1;
    }
    nsec acknowledged = world_now_exact();
    ledger_close(ledger);
    store_close(store);
    double seconds = (double)(world_now_exact() - start) / 1e9;
    printf("queries %ld, groups of %ld: %.0f queries/s acknowledged, %.0f queries/s with the "
           "import, %.2f us CPU a query\n",
           queries, group, (double)queries / ((double)(acknowledged - start) / 1e9),
           (double)queries / seconds, (cpu_seconds() - cpu) * 1e6 / (double)queries);
    return 0;
}
