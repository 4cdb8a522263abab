/* SPDX-License-Identifier: Apache-2.0 */
/* Properties over random configurations and random owners: the books hold, choices are those of the formulas,
 * the same calls make the same tree, and a log replays to it. */
#include <math.h>

#include "core/search/environments.h"
#include "core/search/search_world.h"

#define SEEDS 300
#define STEPS 250

static void books_hold_whatever_the_owner_does(void)
{
    uint32_t most_nodes = 0, transposed = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct search_config c = world_config(seed);
        struct world w;
        REQUIRE(world_open(&w, &c, seed));
        for (int i = 0; i < STEPS && world_step(&w); i++) {
            if (i % 10 == 0)
                world_check(&w);
        }
        while (w.open_count > 0)
            world_drop(&w, 0);
        world_check(&w);
        for (uint32_t n = 0; n < search_node_count(w.tree); n++) {
            CHECK_INT(search_node_at(w.tree, n).unobserved, 0);
            transposed += search_node_at(w.tree, n).state != n;
        }
        if (search_node_count(w.tree) > most_nodes)
            most_nodes = search_node_count(w.tree);
        world_close(&w);
    }
    CHECK(most_nodes > 300);
    CHECK(transposed > 400);
}

/* ---- the formulas, written down a second time ---- */

struct expectation {
    uint32_t path[SEARCH_DEPTH_MAX + 1];
    uint32_t depth;
    bool is_certain; /* neither blocked nor at an end */
    bool is_wider;
};

static bool is_pending(const struct world *w, uint32_t state)
{
    for (uint32_t i = 0; i < w->open_count; i++)
        if (w->open[i].node == state && w->open[i].want != SEARCH_WIDEN)
            return true;
    return false;
}

static bool is_widening(const struct world *w, uint32_t state)
{
    for (uint32_t i = 0; i < w->open_count; i++)
        if (w->open[i].node == state && w->open[i].want == SEARCH_WIDEN)
            return true;
    return false;
}

static uint32_t state_unobserved(const struct world *w, uint32_t state)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->open_count; i++)
        for (uint32_t d = 0; d <= w->open[i].depth; d++)
            n += search_node_at(w->tree, w->open[i].path[d]).state == state;
    return n;
}

static double expected_score(const struct world *w, const struct search_node *parent, uint32_t edge)
{
    const struct search_node x = search_node_at(w->tree, edge);
    bool wants_low = w->config.has_two_players && parent->depth % 2 == 1;
    double looks_of_parent = parent->visits + state_unobserved(w, parent->state);
    double looks = x.edge_visits + x.unobserved;
    double mean = x.visits > 0 ? x.mean : parent->visits > 0 ? parent->mean : 0.5;

    looks_of_parent = looks_of_parent < 1 ? 1 : looks_of_parent;
    mean = wants_low ? 1 - mean : mean;
    if (w->config.policy == SEARCH_PUCT)
        return mean + w->config.exploration * x.prior * sqrt(looks_of_parent) / (1 + looks);
    if (looks == 0)
        return INFINITY;
    return mean + w->config.exploration * sqrt(log(looks_of_parent) / looks);
}

static struct expectation expect(const struct world *w)
{
    struct expectation e = { .is_certain = true };

    for (;;) {
        struct search_node x = search_node_at(w->tree, e.path[e.depth]);
        uint32_t at = SEARCH_NONE, best = SEARCH_NONE, considered = x.child_count, i = 0;
        double best_score = -INFINITY;
        if (x.child_count == 0)
            break;
        x.depth = search_node_at(w->tree, x.state).depth;
        if (w->config.widening_factor > 0) {
            double limit =
                ceil(w->config.widening_factor * pow(x.visits, w->config.widening_exponent));
            limit = limit < 1 ? 1 : limit;
            e.is_wider = limit > x.child_count && !x.is_closed && !is_widening(w, x.state);
            if (e.is_wider)
                break;
            considered = limit < considered ? (uint32_t)limit : considered;
        }
        while (i++ < considered && search_child_next(w->tree, x.state, &at)) {
            if (is_pending(w, search_node_at(w->tree, at).state))
                continue;
            double score = expected_score(w, &x, at);
            if (best == SEARCH_NONE || score > best_score * (1 + 1e-12)) {
                best = at;
                best_score = score;
            }
        }
        if (best == SEARCH_NONE) {
            e.is_certain = false;
            return e;
        }
        e.path[++e.depth] = best;
    }
    const struct search_node leaf = search_node_at(w->tree, e.path[e.depth]);
    bool is_grown = leaf.is_terminal || leaf.is_closed || leaf.depth == w->config.depth_max;
    e.is_certain = !is_pending(w, leaf.state) && (leaf.own_value == SEARCH_NO_VALUE || !is_grown);
    return e;
}

static void asks_follow_the_formulas(void)
{
    int compared = 0, wider = 0;

    for (uint64_t seed = 1; seed <= 2 * SEEDS; seed++) {
        struct search_config c = world_config(seed);
        struct world w;
        c.policy = seed % 2 ? SEARCH_UCB1 : SEARCH_PUCT;
        c.nodes_max = 4000;
        REQUIRE(world_open(&w, &c, seed));
        for (int i = 0; i < STEPS; i++) {
            const struct expectation e = expect(&w);
            uint32_t before = w.open_count;
            if (!world_step(&w))
                break;
            if (w.open_count <= before || !e.is_certain)
                continue;
            const struct search_ticket *got = &w.open[w.open_count - 1];
            compared++;
            wider += e.is_wider;
            CHECK_INT(got->depth, e.depth);
            CHECK(memcmp(got->path, e.path, (e.depth + 1) * sizeof(e.path[0])) == 0);
            CHECK((got->want == SEARCH_WIDEN) == e.is_wider);
        }
        world_close(&w);
    }
    CHECK(compared > 16000);
    CHECK(wider > 1600);
}

/* ---- determinism and replay ---- */

static void same_calls_make_the_same_tree(void)
{
    for (uint64_t seed = 1; seed <= SEEDS / 3; seed++) {
        struct search_config c = world_config(seed);
        uint64_t hashes[3];
        for (int i = 0; i < 3; i++) {
            struct world w;
            c.seed += i == 2; /* the third differs */
            REQUIRE(world_open(&w, &c, seed));
            for (int k = 0; k < STEPS && world_step(&w); k++) {
            }
            hashes[i] = search_hash(w.tree);
            world_close(&w);
        }
        CHECK(hashes[0] == hashes[1]);
        CHECK(hashes[0] != hashes[2]);
    }
}

/* Children and values depend on the tag of the node alone, so the order of tells is all that differs. */
static void tell_by_tag(struct world *w, uint32_t at)
{
    struct search_child children[3];
    const struct search_node x = search_node_at(w->tree, w->open[at].node);
    struct search_result result = { .value = SEARCH_NO_VALUE, .children = children };
    struct rng r;

    rng_init(&r, x.tag);
    double value = rng_unit(&r);
    if (w->open[at].want == SEARCH_EVALUATE)
        result.value = value;
    else
        result.child_count = 3;
    for (uint32_t i = 0; i < result.child_count; i++)
        children[i] = (struct search_child){ .value = i == 0 ? rng_unit(&r) : SEARCH_NO_VALUE,
                                             .tag = x.tag * 3 + i + 1 };
    result.is_closed = w->open[at].want != SEARCH_EVALUATE;
    CHECK(world_tell(w, at, &result));
}

/* Rounds of eight tickets, told first to last or last to first. Node numbers differ, the statistics do not. */
static uint64_t statistics_after_rounds(bool is_backwards)
{
    struct search_config c = search_config_default();
    uint64_t sum = 0;
    struct world w;

    c.depth_max = 4;
    if (!world_open(&w, &c, 1))
        return 0;
    for (int round = 0; round < 12; round++) {
        while (w.open_count < 8 && world_ask(&w)) {
        }
        while (w.open_count > 0)
            tell_by_tag(&w, is_backwards ? w.open_count - 1 : 0);
    }
    world_check(&w);
    for (uint32_t i = 0; i < search_node_count(w.tree); i++) {
        const struct search_node x = search_node_at(w.tree, i);
        sum += rng_mix(rng_mix(x.tag) + rng_mix(x.visits) + world_sum(&x));
    }
    world_close(&w);
    return sum;
}

static void order_of_tells_does_not_matter(void)
{
    CHECK(statistics_after_rounds(false) != 0);
    CHECK(statistics_after_rounds(false) == statistics_after_rounds(true));
}

static void a_log_replays_to_the_same_tree_and_goes_on(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct search_config c = world_config(seed);
        struct buf log = { 0 };
        struct search_tree *again;
        struct search_ticket ticket;
        struct arena arena;
        struct world w;
        arena_init(&arena, (size_t)64 << 20);
        c.log = &log;
        REQUIRE(world_open(&w, &c, seed));
        for (int i = 0; i < STEPS && world_step(&w); i++) {
        }
        search_tag_set(w.tree, search_node_count(w.tree) - 1, 77);
        REQUIRE(search_replay(&again, &arena, buf_str(&log)) == OK);
        CHECK(search_hash(again) == search_hash(w.tree));
        CHECK_INT(search_open_tickets(again), w.open_count);
        if (world_ask(&w)) {
            REQUIRE(search_ask(again, &ticket));
            CHECK(ticket.id == w.open[w.open_count - 1].id);
            CHECK(ticket.node == w.open[w.open_count - 1].node);
        }
        world_close(&w);
        arena_fini(&arena);
        buf_fini(&log);
    }
}

static void a_run_is_logged_and_replayed_too(void)
{
    struct tictactoe game;

    REQUIRE(tictactoe_init(&game, 0, 0) == OK);
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct search_config c = world_config(seed);
        struct buf log = { 0 };
        struct search_tree *tree, *again;
        struct arena arena;
        arena_init(&arena, (size_t)64 << 20);
        c.log = &log;
        c.depth_max = (uint32_t)(2 + seed % 9);
        REQUIRE(search_open(&tree, &arena, &c) == OK);
        CHECK_ERR(search_run(tree, &game.env, &game.root, 700), OK);
        REQUIRE(search_replay(&again, &arena, buf_str(&log)) == OK);
        CHECK(search_hash(again) == search_hash(tree));
        arena_fini(&arena);
        buf_fini(&log);
    }
}

/* A run between asks and tells leaves the open tickets in order. */
static void a_run_among_open_tickets_keeps_the_books(void)
{
    struct synthetic s;

    REQUIRE(synthetic_init(&s, &(struct synthetic_options){ 3, 5, 1 }) == OK);
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct search_config c = world_config(seed);
        struct search_child children[3];
        struct world w;
        c.policy = seed % 2 ? SEARCH_UCB1 : SEARCH_PUCT;
        c.nodes_max = 3000;
        c.depth_max = 5;
        c.has_transpositions = false;
        REQUIRE(world_open(&w, &c, seed));
        CHECK_ERR(search_run(w.tree, &s.env, &s.root, 50), OK);
        for (uint32_t i = 0; i < 4; i++)
            world_ask(&w);
        CHECK_ERR(search_run(w.tree, &s.env, &s.root, 200), OK);
        for (uint32_t i = 0; i < 3; i++)
            children[i] = (struct search_child){ .value = SEARCH_NO_VALUE, .tag = i };
        while (w.open_count > 0) {
            struct search_result r = { .value = 0.5, .children = children, .child_count = 3 };
            uint32_t visits = search_node_at(w.tree, 0).visits;
            CHECK_ERR(search_tell(w.tree, w.open[0].id, &r), OK);
            CHECK_INT(search_node_at(w.tree, 0).visits, visits + 1);
            w.open[0] = w.open[--w.open_count];
        }
        for (uint32_t n = 0; n < search_node_count(w.tree); n++) {
            const struct search_node x = search_node_at(w.tree, n);
            CHECK_INT(x.unobserved, 0);
            CHECK(x.child_count == 0 || x.child_count == 3);
        }
        world_close(&w);
    }
}

TESTS(TEST(books_hold_whatever_the_owner_does), TEST(asks_follow_the_formulas),
      TEST(same_calls_make_the_same_tree), TEST(order_of_tells_does_not_matter),
      TEST(a_log_replays_to_the_same_tree_and_goes_on), TEST(a_run_is_logged_and_replayed_too),
      TEST(a_run_among_open_tickets_keeps_the_books))
