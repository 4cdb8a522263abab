/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-search: the tree search on one core. Prints one JSON object a line, each with what was measured and the
 * target that it is held against; exit 1 when one is missed.
 *
 *     bench-search [RUNS [NODES]]      5, 100000: every figure is the median of so many runs; nodes of an adaptive tree
 *
 * A selection is one choice of a child on the way down from the root; the time is that of whole simulations, rollouts
 * and expansions included. An ask is one search_ask() of an adaptive tree that grows to so many nodes, its tells not
 * included; the scores of new nodes are either independent of their parent's or near it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/search/environments.h"

#define RUNS_MAX 99
#define NODES_DEFAULT 100000
#define SELECTIONS_TARGET 3e6
#define BYTES_TARGET 64.0
#define ASK_US_TARGET 5.0

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(values[0]), compare);
    return values[n / 2];
}

static void must(enum err e)
{
    if (e != OK) {
        fprintf(stderr, "bench-search: %s\n", err_info(e)->text);
        exit(2);
    }
}

static struct search_tree *tree_open(struct arena *arena, const struct search_config *c)
{
    struct search_tree *t = NULL;

    arena_init(arena, (size_t)1 << 30);
    must(search_open(&t, arena, c));
    return t;
}

/* ---- selections ---- */

struct selections {
    double per_second;
    double bytes;
    uint32_t nodes;
};

static struct selections select_once(const struct search_config *c, uint64_t seed)
{
    const struct synthetic_options options = { .branching = 8, .depth = 10, .seed = seed };
    struct synthetic environment;
    struct arena arena;
    struct search_tree *t = tree_open(&arena, c);

    must(synthetic_init(&environment, &options));
    double start = seconds_now();
    must(search_run(t, &environment.env, &environment.root, 300000));
    double took = seconds_now() - start;
    const struct selections s = { .per_second = (double)search_selections(t) / took,
                                  .bytes = search_node_bytes(t),
                                  .nodes = search_node_count(t) };
    arena_fini(&arena);
    return s;
}

static bool bench_selections(enum search_policy policy, bool has_transpositions, int runs)
{
    struct search_config c = search_config_default();
    double rates[RUNS_MAX];
    struct selections s = { 0 };

    c.policy = policy;
    c.has_transpositions = has_transpositions;
    c.nodes_max = 1000000;
    for (int i = 0; i < runs; i++) {
        s = select_once(&c, (uint64_t)i + 1);
        rates[i] = s.per_second;
    }
    double rate = median(rates, runs);
    printf("{\"bench\": \"search selections\", \"policy\": \"%s\", \"transpositions\": %s, "
           "\"tree\": \"8 "
           "children, depth 10\", \"simulations\": 300000, \"nodes\": %" PRIu32
           ", \"selections_per_s\": %.0f, \"target_at_least\": %.0f, \"bytes_per_node\": %.1f, "
           "\"target_at_most\": %.0f}\n",
           search_policy_name(policy), has_transpositions ? "true" : "false", s.nodes, rate,
           SELECTIONS_TARGET, s.bytes, BYTES_TARGET);
    return rate >= SELECTIONS_TARGET && s.bytes <= BYTES_TARGET;
}

/* ---- asks ---- */

struct asks {
    double us; /* an ask */
    double us_late; /* an ask of the last tenth */
    double us_node; /* an ask and its tell */
    double bytes;
    uint32_t widest;
};

/* One more node; a score near its parent's, or independent of it. */
static void grow(struct search_tree *t, struct rng *rng, bool is_near_parent, double *ask_seconds)
{
    struct search_child child = { .value = rng_unit(rng) };
    const struct search_result r = { .value = SEARCH_NO_VALUE,
                                     .children = &child,
                                     .child_count = 1 };
    struct search_ticket ticket;

    double start = seconds_now();
    bool is_asked = search_ask(t, &ticket);
    *ask_seconds += seconds_now() - start;
    if (!is_asked)
        must(WEIR_DEFECT);
    double above = search_node_at(t, ticket.node).own_value;
    if (is_near_parent && above >= 0) {
        child.value = above + 0.01 + 0.1 * rng_normal(rng);
        child.value = child.value < 0 ? 0 : child.value > 1 ? 1 : child.value;
    }
    must(search_tell(t, ticket.id, &r));
}

/* What reading the clock twice takes of a measured ask. */
static double clock_seconds(void)
{
    double sum = 0;

    for (int i = 0; i < 100000; i++) {
        double start = seconds_now();
        sum += seconds_now() - start;
    }
    return sum / 100000;
}

static struct asks ask_once(const struct search_config *c, bool is_near_parent)
{
    const uint32_t nodes = c->nodes_max - 1, late = nodes / 10 + 1;
    double early_seconds = 0, late_seconds = 0, clock = clock_seconds();
    struct arena arena;
    struct search_tree *t = tree_open(&arena, c);
    struct asks a = { 0 };
    struct rng rng;

    rng_init(&rng, c->seed);
    double start = seconds_now();
    for (uint32_t i = 0; i < nodes; i++)
        grow(t, &rng, is_near_parent, i < nodes - late ? &early_seconds : &late_seconds);
    a.us_node = ((seconds_now() - start) / nodes - clock) * 1e6;
    a.us = ((early_seconds + late_seconds) / nodes - clock) * 1e6;
    a.us_late = (late_seconds / late - clock) * 1e6;
    a.bytes = search_node_bytes(t);
    for (uint32_t n = 0; n < search_node_count(t); n++) {
        uint32_t width = search_node_at(t, n).child_count;
        a.widest = width > a.widest ? width : a.widest;
    }
    arena_fini(&arena);
    return a;
}

static bool bench_asks(enum search_policy policy, bool is_near_parent, int runs, uint32_t nodes)
{
    struct search_config c = search_config_default();
    double us[RUNS_MAX], us_late[RUNS_MAX], us_node[RUNS_MAX];
    struct asks a = { 0 };

    c.policy = policy;
    c.nodes_max = nodes + 1;
    c.depth_max = SEARCH_DEPTH_MAX;
    for (int i = 0; i < runs; i++) {
        c.seed = (uint64_t)i + 1;
        a = ask_once(&c, is_near_parent);
        us[i] = a.us;
        us_late[i] = a.us_late;
        us_node[i] = a.us_node;
    }
    double all = median(us, runs), last = median(us_late, runs);
    printf(
        "{\"bench\": \"search asks\", \"policy\": \"%s\", \"scores\": \"%s\", \"nodes\": %" PRIu32
        ", "
        "\"widest_node_of_last_run\": %" PRIu32
        ", \"us_per_ask\": %.2f, \"us_per_ask_last_tenth\": %.2f, "
        "\"target_at_most\": %.0f, \"us_per_node\": %.2f, \"bytes_per_node\": %.1f}\n",
        search_policy_name(policy), is_near_parent ? "near the parent's" : "independent", nodes,
        a.widest, all, last, ASK_US_TARGET, median(us_node, runs), a.bytes);
    return all <= ASK_US_TARGET && a.bytes <= BYTES_TARGET;
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 5, nodes = argc > 2 ? atoi(argv[2]) : NODES_DEFAULT;
    bool is_met = true;

    if (runs < 1 || runs > RUNS_MAX || nodes < 1 || nodes > NODES_DEFAULT * 10)
        return 2;
    is_met &= bench_selections(SEARCH_UCB1, false, runs);
    is_met &= bench_selections(SEARCH_UCB1, true, runs);
    is_met &= bench_selections(SEARCH_PUCT, false, runs);
    is_met &= bench_selections(SEARCH_PUCT, true, runs);
    for (int near = 0; near < 2; near++) {
        is_met &= bench_asks(SEARCH_AB_BETA, near, runs, (uint32_t)nodes);
        is_met &= bench_asks(SEARCH_AB_GAUSSIAN, near, runs, (uint32_t)nodes);
    }
    return is_met ? 0 : 1;
}
