/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-report: a ledger of queries of one local day, the same for the same number, and how long a report of it takes to read: three
 * times, as JSON. With a directory the ledger stays there.
 *
 *     bench-report [QUERIES [DIRECTORY]]       1000000, a new directory in /tmp that is deleted
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/report/daily.h"
#include "base/rng.h"
#include "edge/world/world.h"

#define GROUP 512
#define RUNS 3
#define DATE "2026-11-20"

struct model {
    str name;
    nano_usd input, output;
};
static const struct model cheap = { { "gpt-4o-mini", 11 }, 150, 600 };
static const struct model dear = { { "gpt-4o", 6 }, 2500, 10000 };
static const str domains[] = {
    { "stem", 4 }, { "tactical", 8 }, { "cybersecurity", 13 }, { "generic", 7 }
};

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* What a query of the day is, drawn from its generator. */
struct draw {
    int64_t id;
    const struct model *model;
    str arm;
    int64_t input, output;
    bool is_failed;
};

static struct draw query_begin(struct ledger *l, struct rng *r, usec_utc started)
{
    bool is_canary = rng_below(r, 10) > 0;
    struct draw d = { .id = ledger_query_id(l),
                      .model = is_canary ? &cheap : &dear,
                      .arm = is_canary ? STR("gpt-4o-mini/canary") : STR("gpt-4o-mini/control"),
                      .input = 200 + (int64_t)rng_below(r, 2000),
                      .output = 50 + (int64_t)rng_below(r, 600),
                      .is_failed = rng_below(r, 200) == 0 };

    ledger_begin(
        l, &(struct ledger_query){ .id = d.id,
                                   .started = started,
                                   .tenant = rng_below(r, 3) ? STR("acme") : STR("globex"),
                                   .domain = domains[rng_below(r, ARRAY_LEN(domains))],
                                   .requested_model = STR("weir/auto"),
                                   .strategy = rng_below(r, 4) ? STR("hrm_trm") : STR("direct"),
                                   .arm = d.arm });
    ledger_call_begin(l, &(struct ledger_call){ .query = d.id,
                                                .number = 1,
                                                .role = STR("direct"),
                                                .model = d.model->name,
                                                .provider = STR("openai"),
                                                .reserved = 10000000 });
    return d;
}

static void query_end(struct ledger *l, struct rng *r, const struct draw *d)
{
    const struct usage usage = { .input = d->input, .output = d->output, .is_known = true };
    double confidence = 0.87 + 0.015 * rng_normal(r);

    ledger_call_done(l, &(struct ledger_call_end){ .query = d->id,
                                                   .number = 1,
                                                   .fault = d->is_failed ? PROVIDER_CUT : OK,
                                                   .http_status = 200,
                                                   .attempts = rng_below(r, 50) == 0 ? 2 : 1,
                                                   .usage = usage,
                                                   .cost = d->input * d->model->input +
                                                           d->output * d->model->output,
                                                   .price_input = d->model->input,
                                                   .price_output = d->model->output,
                                                   .price_cached = d->model->input });
    if (rng_below(r, 10) == 0)
        ledger_label(l, &(struct ledger_label){ .query = d->id,
                                                .source = LABEL_FEEDBACK,
                                                .value = rng_below(r, 8) > 0 ? 1 : 0,
                                                .labelled = d->id });
    ledger_end(l, &(struct ledger_end){ .id = d->id,
                                        .fault = d->is_failed ? PROVIDER_CUT : OK,
                                        .http_status = d->is_failed ? 502 : 200,
                                        .model = d->model->name,
                                        .hrm_confidence = d->is_failed ? -1 : confidence,
                                        .trm_confidence = d->is_failed ? -1 : confidence - 0.04,
                                        .confidence = d->is_failed ? -1 : confidence - 0.02,
                                        .latency_us = (int64_t)(900000 * exp(rng_normal(r) / 3)),
                                        .raw = LEDGER_RAW_NONE });
}

static enum err ledger_write(struct ledger *l, const struct day *day, long queries)
{
    static struct draw group[GROUP];
    struct rng r;
    enum err e = OK;

    rng_init(&r, 1);
    for (long done = 0; e == OK && done < queries; done += GROUP) {
        long n = queries - done < GROUP ? queries - done : GROUP;
        for (long i = 0; i < n; i++)
            group[i] = query_begin(l, &r, day->from + (day->to - day->from) / queries * (done + i));
        e = ledger_commit(l);
        for (long i = 0; i < n; i++)
            query_end(l, &r, &group[i]);
        if (e == OK)
            e = ledger_commit(l);
    }
    return e;
}

static enum err ledger_make(str directory, const struct day *day, long queries)
{
    const struct store_options options = { .directory = directory };
    struct store *store;
    struct ledger *ledger = NULL;
    char why[256];
    enum err e = store_open(&store, &options, why);

    if (e != OK)
        return e;
    e = ledger_open(&ledger, store, 0);
    if (e == OK)
        e = ledger_write(ledger, day, queries);
    ledger_close(ledger);
    store_close(store);
    return e;
}

static void directory_remove(const char *path)
{
    DIR *directory = opendir(path);

    for (const struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        char file[600];
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            IGNORE(unlink(file));
    }
    if (directory)
        closedir(directory);
    IGNORE(rmdir(path));
}

static int measure(str directory, const struct day *day)
{
    const struct report_span span = { day->from, day->to, false };
    double slowest = 0;

    for (int run = 0; run < RUNS; run++) {
        struct arena arena;
        struct ledger_report report;
        char why[256];
        nsec start = world_now_exact();
        double cpu = cpu_seconds();
        arena_init(&arena, (size_t)64 << 20);
        if (store_read_report(directory, &span, &arena, &report, why) != OK) {
            fprintf(stderr, "bench-report: %s\n", why);
            return 1;
        }
        double seconds = (double)(world_now_exact() - start) / 1e9;
        slowest = seconds > slowest ? seconds : slowest;
        printf("%s{\"queries\":%" PRId64 ",\"cost_nano_usd\":%" PRId64
               ",\"seconds\":%.3f,\"cpu_seconds\":%.3f}",
               run > 0 ? "," : "", report.total.queries, report.total.cost, seconds,
               cpu_seconds() - cpu);
        arena_fini(&arena);
    }
    printf("],\"slowest_seconds\":%.3f}\n", slowest);
    return 0;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/weir-bench-report-XXXXXX", why[256];
    long queries = argc > 1 ? atol(argv[1]) : 1000000;
    const char *directory = argc > 2 ? argv[2] : mkdtemp(made);
    const struct day_query query = { .date = STR(DATE), .zone = STR("UTC") };
    struct day day;

    if (!directory || queries < 1 || day_find(&query, &day, why) != OK)
        return 2;
    nsec start = world_now_exact();
    if (ledger_make(str_from(directory), &day, queries) != OK)
        return 3;
    printf("{\"queries\":%ld,\"write_seconds\":%.3f,\"reads\":[", queries,
           (double)(world_now_exact() - start) / 1e9);
    int status = measure(str_from(directory), &day);
    if (argc <= 2)
        directory_remove(directory);
    return status;
}
