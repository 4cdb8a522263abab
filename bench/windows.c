/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-windows: what it takes to keep the windows of alerts over a restart: the size of the document and the microseconds to
 * make it, to commit it to a control.db in /tmp and to read it, for 20 labels of which each answers in one domain and in all
 * five, after five days of traffic.
 *
 *     bench-windows [QUERIES]       2000000, over all labels
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/control/windows.h"
#include "base/rng.h"
#include "edge/store/control.h"
#include "edge/world/world.h"

#define LABELS 20
#define DAYS 5
#define ROUNDS 20
#define START (INT64_C(1764000000) * NSEC_PER_SEC)

static struct feed_fact fact_draw(struct rng *rng, size_t domains)
{
    bool has_failed = rng_unit(rng) < 0.02;

    return (struct feed_fact){ .cost = (nano_usd)(2e6 * exp(0.5 * rng_normal(rng))),
                               .latency = (nsec)(9e8 * exp(0.4 * rng_normal(rng))),
                               .hrm_confidence = (float)rng_unit(rng),
                               .trm_confidence = (float)rng_unit(rng),
                               .confidence = (float)rng_unit(rng),
                               .verdict = rng_unit(rng) < 0.9 ? 1 : 0,
                               .domain = (uint8_t)rng_below(rng, domains),
                               .flags = (uint8_t)(FEED_IS_CALIBRATED |
                                                  (has_failed ? FEED_FAILED : FEED_ANSWERED)) };
}

static nsec fill(struct windows *w, long queries, size_t domains)
{
    nsec step = DAYS * 86400 * NSEC_PER_SEC / queries, now = START;
    struct rng rng;

    rng_init(&rng, 1);
    for (long i = 0; i < queries; i++, now += step) {
        struct feed_fact f = fact_draw(&rng, domains);
        char label[24];
        snprintf(label, sizeof(label), "rollout-%d/canary", (int)rng_below(&rng, LABELS));
        windows_add(w, now, str_from(label), &f);
    }
    return now;
}

static void measure(struct control_store *store, long queries, size_t domains)
{
    struct windows *w, *back;
    struct buf bytes = { 0 };
    nsec saving = 0, restoring = 0, committing = 0;

    if (windows_open(&w) != OK)
        exit(1);
    nsec now = fill(w, queries, domains);
    for (int i = 0; i < ROUNDS; i++) {
        buf_reset(&bytes);
        nsec start = world_now_exact();
        windows_save(w, now, &bytes);
        saving += world_now_exact() - start;
        start = world_now_exact();
        if (control_begin(store) != OK ||
            control_part_put(store, STR("windows"), 0, buf_str(&bytes)) != OK ||
            control_commit(store) != OK || windows_open(&back) != OK)
            exit(1);
        committing += world_now_exact() - start;
        start = world_now_exact();
        if (windows_restore(back, now, buf_str(&bytes)) != OK)
            exit(1);
        restoring += world_now_exact() - start;
        windows_close(back);
    }
    printf("%d labels, %zu domains, %ld queries in %d days: document %zu bytes, made in %.0f us, "
           "committed in %.0f us, read in %.0f us\n",
           LABELS, domains, queries, DAYS, bytes.len, (double)saving / ROUNDS / NSEC_PER_USEC,
           (double)committing / ROUNDS / NSEC_PER_USEC, (double)restoring / ROUNDS / NSEC_PER_USEC);
    buf_fini(&bytes);
    windows_close(w);
}

int main(int argc, char **argv)
{
    long queries = argc > 1 ? atol(argv[1]) : 2000000;
    char directory[] = "/tmp/weir-bench-windows-XXXXXX", path[64], why[256];
    struct control_store *store;

    if (queries < 1)
        return 2;
    if (!mkdtemp(directory) || control_open(&store, str_from(directory), CONTROL_WRITE, why) != OK)
        return 1;
    measure(store, queries, 1);
    measure(store, queries, FEED_DOMAIN_COUNT);
    control_close(store);
    snprintf(path, sizeof(path), "%s/control.db", directory);
    return remove(path) == 0 && rmdir(directory) == 0 ? 0 : 1;
}
