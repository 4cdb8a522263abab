/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-ledger: what recording a query costs, import included.
 *
 *     bench-ledger DIRECTORY [QUERIES [GROUP]]
 *
 * Records QUERIES queries (400,000), each with one call, in groups of GROUP (32): a commit after the begins, one after the ends.
 * Prints queries per second and CPU per query, of the writer alone and with everything imported.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "edge/store/store.h"

static double seconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void record_begin(struct ledger *l, int64_t id)
{
    const struct ledger_query q = { .id = id,
                                    .started = 1767225600000000,
                                    .tenant = STR("acme"),
                                    .domain = STR("math"),
                                    .requested_model = STR("gpt-4o-mini"),
                                    .strategy = STR("plain"),
                                    .arm = STR("control"),
                                    .reserved = 1500000 };
    const struct ledger_call c = {
        id, 1, STR("plain"), STR("gpt-4o-mini"), STR("openai"), 1500000
    };

    ledger_begin(l, &q);
    ledger_call_begin(l, &c);
}

static void record_end(struct ledger *l, int64_t id)
{
    const struct ledger_call_end c = { .query = id,
                                       .number = 1,
                                       .http_status = 200,
                                       .attempts = 1,
                                       .usage = { .input = 812, .output = 305, .is_known = true },
                                       .cost = 812 * 150 + 305 * 600,
                                       .price_input = 150,
                                       .price_output = 600,
                                       .price_cached = 75,
                                       .latency_us = 812345,
                                       .first_byte_us = 312345 };
    const struct ledger_end e = { .id = id,
                                  .http_status = 200,
                                  .model = STR("gpt-4o-mini"),
                                  .hrm_confidence = -1,
                                  .trm_confidence = -1,
                                  .confidence = -1,
                                  .latency_us = 812400 };

    ledger_call_done(l, &c);
    ledger_end(l, &e);
}

static void commit(struct ledger *l)
{
    if (ledger_commit(l) != OK) {
        fprintf(stderr, "the commit failed\n");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    long queries = argc > 2 ? strtol(argv[2], NULL, 10) : 400000;
    long group = argc > 3 ? strtol(argv[3], NULL, 10) : 32;
    struct store_options options = { .directory = str_from(argc > 1 ? argv[1] : "") };
    struct store *store;
    struct ledger *ledger;
    struct rusage usage;
    char why[256];
    int64_t ids[1024];

    if (argc < 2 || queries < 1 || group < 1 || group > (long)ARRAY_LEN(ids)) {
        fprintf(stderr, "usage: bench-ledger DIRECTORY [QUERIES [GROUP, at most 1024]]\n");
        return 2;
    }
    if (store_open(&store, &options, why) != OK || ledger_open(&ledger, store, 0) != OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    double start = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    double own = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    for (long done = 0; done < queries; done += group) {
        long n = queries - done < group ? queries - done : group;
        for (long i = 0; i < n; i++)
            record_begin(ledger, ids[i] = ledger_query_id(ledger));
        commit(ledger);
        for (long i = 0; i < n; i++)
            record_end(ledger, ids[i]);
        commit(ledger);
    }
    own = seconds_of(CLOCK_THREAD_CPUTIME_ID) - own;
    double recorded = seconds_of(CLOCK_MONOTONIC) - start;
    ledger_close(ledger);
    store_close(store);
    double all = seconds_of(CLOCK_MONOTONIC) - start;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    getrusage(RUSAGE_SELF, &usage);
    printf("recorded: %.0f queries/s, %.2f us of CPU a query\n", (double)queries / recorded,
           own / (double)queries * 1e6);
    printf("with import: %.0f queries/s, %.2f us of CPU a query, peak memory %ld KiB\n",
           (double)queries / all, cpu / (double)queries * 1e6, usage.ru_maxrss);
    return 0;
}
