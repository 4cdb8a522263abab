/* SPDX-License-Identifier: Apache-2.0 */
/* Adaptive branching: whom the beliefs make the search look at, and the crowd's short cut to it. */
#include <math.h>

#include "core/search/search_internal.h"
#include "core/search/search_world.h"

static bool ab_open(struct world *w, enum search_policy policy, uint32_t nodes_max, uint64_t seed)
{
    struct search_config c = search_config_default();

    c.policy = policy;
    c.nodes_max = nodes_max;
    c.depth_max = 30;
    c.seed = seed;
    return world_open(w, &c, seed);
}

/* Adds one child to what is asked for; its value is the parent's and some, or (persistence 0) anything. */
static bool grow(struct world *w, double persistence)
{
    struct search_child child = { .tag = ++w->next_tag };
    const struct search_result result = { .value = SEARCH_NO_VALUE,
                                          .children = &child,
                                          .child_count = 1 };

    if (!world_ask(w))
        return false;
    double above = search_node_at(w->tree, w->open[0].node).own_value;
    double fresh = rng_unit(&w->rng);
    child.value = above < 0 ? fresh : persistence * above + (1 - persistence) * fresh;
    return world_tell(w, 0, &result);
}

static void grows_by_one_node_an_ask(void)
{
    for (int policy = SEARCH_AB_BETA; policy <= SEARCH_AB_GAUSSIAN; policy++) {
        struct world w;
        REQUIRE(ab_open(&w, (enum search_policy)policy, 300, 1));
        for (uint32_t i = 1; i < 300; i++) {
            CHECK(grow(&w, 0.7));
            CHECK_INT(search_node_count(w.tree), i + 1);
        }
        CHECK(!grow(&w, 0.7)); /* the nodes are used up */
        world_check(&w);
        for (uint32_t n = 1; n < 300; n++)
            CHECK_INT(w.own_count[n], 1);
        CHECK_INT(search_node_at(w.tree, SEARCH_ROOT).visits, 299);
        world_close(&w);
    }
}

/* A node's draw of wider or deeper and then of a child, from first principles: every sum is made by walking
 * the tree. The root's child that is gone to, 0 for a new child of the root. */
static struct tally walked_tally(const struct search_tree *t, uint32_t node, bool with_own,
                                 bool with_below)
{
    struct tally y = { 0 };
    uint32_t at = SEARCH_NONE;

    if (with_own)
        tally_add(&y, (uint32_t)(search_node_at(t, node).own_value * VALUE_ONE + 0.5));
    while (with_below && search_child_next(t, node, &at)) {
        const struct tally z = walked_tally(t, at, true, true);
        y.count += z.count;
        y.sum += z.sum;
        y.square += z.square;
    }
    return y;
}

static struct posterior walked_posterior(const struct world *w, const struct tally *y)
{
    double n = y->count, sum = (double)y->sum / VALUE_ONE, square = (double)y->square / VALUE_ONE;
    const struct student_prior prior = { w->config.prior.mean, w->config.prior.mean_weight,
                                         w->config.prior.variance,
                                         w->config.prior.variance_weight };

    if (w->config.policy == SEARCH_AB_BETA)
        return posterior_beta(w->config.prior.beta_a, w->config.prior.beta_b, n, sum);
    return posterior_student(&prior, n, sum, square);
}

struct beliefs {
    struct posterior wider, deeper, children[400];
    uint32_t count;
};

static void beliefs_walk(const struct world *w, struct beliefs *out)
{
    struct tally wider = { 0 }, deeper = { 0 };
    uint32_t at = SEARCH_NONE;

    out->count = 0;
    while (search_child_next(w->tree, SEARCH_ROOT, &at)) {
        const struct tally own = walked_tally(w->tree, at, true, false);
        const struct tally below = walked_tally(w->tree, at, false, true);
        struct tally all = own;
        all.count += below.count;
        all.sum += below.sum;
        all.square += below.square;
        wider.count += own.count;
        wider.sum += own.sum;
        wider.square += own.square;
        deeper.count += below.count;
        deeper.sum += below.sum;
        deeper.square += below.square;
        out->children[out->count++] = walked_posterior(w, &all);
    }
    out->wider = walked_posterior(w, &wider);
    out->deeper = walked_posterior(w, &deeper);
}

/* The index of the drawn child, or count for a new one. */
static uint32_t beliefs_draw(const struct beliefs *b, struct rng *rng)
{
    uint32_t best = 0;
    double best_draw = -INFINITY;

    if (posterior_draw(&b->wider, rng) >= posterior_draw(&b->deeper, rng))
        return b->count;
    for (uint32_t i = 0; i < b->count; i++) {
        double draw = posterior_draw(&b->children[i], rng);
        if (draw > best_draw) {
            best_draw = draw;
            best = i;
        }
    }
    return best;
}

/* Two samples of counts: chi-square over the cells that hold enough; about its degrees of freedom if alike. */
static double chi_square(const int *a, const int *b, uint32_t n, int *out_freedom)
{
    int rest_a = 0, rest_b = 0;
    double sum = 0;

    *out_freedom = 0;
    for (uint32_t i = 0; i <= n; i++) {
        int x = i < n ? a[i] : rest_a, y = i < n ? b[i] : rest_b;
        if (x + y < 40 && i < n) {
            rest_a += x;
            rest_b += y;
        } else if (x + y > 0) {
            sum += (double)(x - y) * (x - y) / (x + y);
            ++*out_freedom;
        }
    }
    --*out_freedom;
    return sum;
}

static void check_alike(const int *a, const int *b, uint32_t n)
{
    int freedom;
    double sum = chi_square(a, b, n, &freedom);

    CHECK(freedom >= 3);
    CHECK(sum < freedom + 4.5 * sqrt(2.0 * freedom));
}

/* Asks and drops, so that the tree stays as it is while its choices are counted. */
static void asks_as_often_as_the_beliefs_say(void)
{
    enum { ASKS = 12000 };
    static struct beliefs b;

    for (int policy = SEARCH_AB_BETA; policy <= SEARCH_AB_GAUSSIAN; policy++)
        for (uint32_t nodes = 12; nodes <= 400; nodes += 388) {
            int asked[401] = { 0 }, drawn[401] = { 0 };
            struct world w;
            REQUIRE(ab_open(&w, (enum search_policy)policy, 500, 3));
            for (uint32_t i = 1; i < nodes; i++)
                REQUIRE(grow(&w, 0.4));
            for (int i = 0; i < ASKS; i++) {
                REQUIRE(world_ask(&w));
                bool is_wider = w.open[0].depth == 0;
                asked[is_wider ? 400 : search_node_at(w.tree, w.open[0].path[1]).tag]++;
                world_drop(&w, 0);
            }
            uint32_t tags[400] = { 0 }, n = 0, at = SEARCH_NONE;
            beliefs_walk(&w, &b); /* in the order of now: drawing reorders a crowd */
            while (search_child_next(w.tree, SEARCH_ROOT, &at))
                tags[n++] = search_node_at(w.tree, at).tag;
            for (int i = 0; i < ASKS; i++) {
                uint32_t index = beliefs_draw(&b, &w.rng);
                drawn[index == b.count ? 400 : tags[index]]++;
            }
            CHECK((w.tree->flags[SEARCH_ROOT] & NODE_CROWD) != 0 || nodes < 64);
            check_alike(asked, drawn, 401);
            world_close(&w);
        }
}

static void a_crowd_draws_like_one_by_one(void)
{
    enum { DRAWS = 32000, NODES = 900 };

    for (int policy = SEARCH_AB_BETA; policy <= SEARCH_AB_GAUSSIAN; policy++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            static int by_crowd[NODES], one_by_one[NODES];
            struct world w;
            memset(by_crowd, 0, sizeof(by_crowd));
            memset(one_by_one, 0, sizeof(one_by_one));
            REQUIRE(ab_open(&w, (enum search_policy)policy, NODES, seed));
            while (grow(&w, 0.2)) {
            }
            REQUIRE(w.tree->flags[SEARCH_ROOT] & NODE_CROWD);
            CHECK(w.tree->child_count[SEARCH_ROOT] > 100);
            for (int i = 0; i < DRAWS; i++)
                by_crowd[adaptive_child_crowd(w.tree, SEARCH_ROOT)]++;
            for (int i = 0; i < DRAWS / 4; i++)
                one_by_one[adaptive_child_each(w.tree, SEARCH_ROOT)] += 4;
            int freedom;
            double sum = chi_square(by_crowd, one_by_one, NODES, &freedom);
            /* Counts in fours have 2.5 times the variance of the difference that equal samples have. */
            CHECK(freedom > 60);
            CHECK(sum / 2.5 < freedom + 4.5 * sqrt(2.0 * freedom));
            CHECK(sum / 2.5 > freedom - 4.5 * sqrt(2.0 * freedom));
            world_close(&w);
        }
}

/* Where a child stands among its siblings: the long known first, and the good ones first among those. */
static uint32_t expected_order(const struct search_node *x)
{
    static const uint32_t levels[] = { 8, 10, 14, 18, 26, 36, 50, 72, 72, 72, 72, 72 };
    uint32_t octave = 0;

    while (octave < 11 && x->visits >> (octave + 1) > 0)
        octave++;
    uint32_t n = levels[octave], level = (uint32_t)(asin(sqrt(x->mean)) / HALF_PI * n);
    return (11 - octave) * 100 + n - 1 - (level < n ? level : n - 1);
}

/* Crowds keep every child once, grouped, with the sum of their values. */
static void crowds_keep_their_order(void)
{
    for (int policy = SEARCH_AB_BETA; policy <= SEARCH_AB_GAUSSIAN; policy++) {
        int crowds = 0;
        struct world w;
        REQUIRE(ab_open(&w, (enum search_policy)policy, 4000, 5));
        while (grow(&w, 0.6)) {
        }
        world_check(&w);
        for (uint32_t n = 0; n < search_node_count(w.tree); n++) {
            uint32_t at = SEARCH_NONE, before = 0, count = 0;
            uint64_t sum = 0;
            if (!(w.tree->flags[n] & NODE_CROWD))
                continue;
            crowds++;
            while (search_child_next(w.tree, n, &at)) {
                const struct search_node x = search_node_at(w.tree, at);
                CHECK(expected_order(&x) >= before);
                before = expected_order(&x);
                sum += w.tree->own[at];
                count++;
            }
            CHECK_INT(count, w.tree->child_count[n]);
            CHECK_INT(crowd_generated(w.tree, n).sum, sum);
            CHECK_INT(crowd_generated(w.tree, n).count, count);
        }
        CHECK(crowds >= 2);
        world_close(&w);
    }
}

/* No belief beats anything with a greater chance than the bound of its cell, or of one before it, allows. */
static void bounds_lie_above_the_beliefs(void)
{
    static const double xs[] = { 0.05, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 0.999 };
    int compared = 0;

    for (int policy = SEARCH_AB_BETA; policy <= SEARCH_AB_GAUSSIAN; policy++) {
        struct world w;
        REQUIRE(ab_open(&w, (enum search_policy)policy, 3000, 5));
        while (grow(&w, 0.3)) {
        }
        REQUIRE(w.tree->flags[SEARCH_ROOT] & NODE_CROWD);
        for (size_t i = 0; i < ARRAY_LEN(xs); i++) {
            uint32_t at = SEARCH_NONE, octave = UINT32_MAX;
            double least = 1; /* of the cells so far */
            while (search_child_next(w.tree, SEARCH_ROOT, &at)) {
                const struct posterior p = node_posterior(w.tree, at);
                uint32_t of_child = expected_order(&(struct search_node){
                                        .visits = w.tree->visits[at], .mean = 0 }) /
                                    100;
                double chance = crowd_chance_max(w.tree, SEARCH_ROOT, at, xs[i]);
                least = of_child == octave && least < chance ? least : chance;
                octave = of_child;
                CHECK(posterior_tail(&p, xs[i]) <= least * (1 + 1e-6));
                compared += least < 1;
            }
        }
        world_close(&w);
    }
    CHECK(compared > 3000);
}

/* The bound of a cell covers a sibling of a lower mean that varies much more: A's eight values are all .6, B's
 * are 0 and 1 in turn. */
static void a_bound_covers_wilder_siblings_below(void)
{
    struct search_child first[80] = { { .value = 0.6 }, { .value = 0.5 } };
    struct search_child steady[7], wild[7];
    struct search_ticket ticket;
    struct world w;
    int told = 0;

    REQUIRE(ab_open(&w, SEARCH_AB_GAUSSIAN, 1000, 1));
    for (int i = 0; i < 7; i++) {
        steady[i] = (struct search_child){ .value = 0.6 };
        wild[i] = (struct search_child){ .value = i % 2 };
    }
    REQUIRE(search_ask(w.tree, &ticket));
    REQUIRE(search_tell(w.tree, ticket.id,
                        &(struct search_result){ .value = SEARCH_NO_VALUE,
                                                 .children = first,
                                                 .child_count = 80,
                                                 .is_closed = true }) == OK);
    for (int i = 0; i < 100000 && told < 2 && search_ask(w.tree, &ticket); i++) {
        bool is_wanted = ticket.node <= 2 && search_node_at(w.tree, ticket.node).child_count == 0;
        const struct search_result r = { .value = SEARCH_NO_VALUE,
                                         .children = ticket.node == 1 ? steady : wild,
                                         .child_count = 7 };
        told += is_wanted;
        if (is_wanted)
            CHECK_ERR(search_tell(w.tree, ticket.id, &r), OK);
        else
            search_drop(w.tree, ticket.id);
    }
    REQUIRE(told == 2);
    CHECK_NEAR(search_node_at(w.tree, 1).mean, 0.6, 1e-6);
    CHECK_NEAR(search_node_at(w.tree, 2).mean, 3.5 / 8, 1e-6);
    const struct posterior b = node_posterior(w.tree, 2);
    CHECK(w.tree->next[1] < w.tree->next[2]);
    CHECK(posterior_tail(&b, 0.9) <= crowd_chance_max(w.tree, SEARCH_ROOT, 1, 0.9));
    world_close(&w);
}

/* A tree too small for a crowd draws for every child. */
static void rings_may_stay_rings(void)
{
    struct world w;

    REQUIRE(ab_open(&w, SEARCH_AB_GAUSSIAN, 300, 1));
    while (grow(&w, 0)) {
    }
    CHECK(w.tree->child_count[SEARCH_ROOT] > CROWD_FROM);
    CHECK((w.tree->flags[SEARCH_ROOT] & NODE_CROWD) == 0);
    world_check(&w);
    world_close(&w);
}

/* ---- what cannot be gone into ---- */

static void ends_and_the_closed_are_left_alone(void)
{
    struct search_child children[100];
    struct search_ticket ticket;
    struct world w;

    for (size_t n = 3; n <= 100; n += 97) { /* a ring, a crowd */
        REQUIRE(ab_open(&w, SEARCH_AB_BETA, 1000, 1));
        for (size_t i = 0; i < n; i++)
            children[i] =
                (struct search_child){ .value = i == 1 ? 0.1 : 0.9, .is_terminal = i != 1 };
        REQUIRE(search_ask(w.tree, &ticket));
        CHECK_INT(ticket.want, SEARCH_EXPAND);
        CHECK_ERR(search_tell(w.tree, ticket.id,
                              &(struct search_result){ .value = SEARCH_NO_VALUE,
                                                       .children = children,
                                                       .child_count = n,
                                                       .is_closed = true }),
                  OK);
        for (int i = 0; i < 20; i++) {
            REQUIRE(search_ask(w.tree, &ticket)); /* only below the one that is no end */
            REQUIRE(ticket.depth >= 1);
            CHECK_INT(ticket.path[1], 2);
            search_drop(w.tree, ticket.id);
        }
        REQUIRE(search_ask(w.tree, &ticket));
        CHECK_ERR(
            search_tell(w.tree, ticket.id,
                        &(struct search_result){ .value = SEARCH_NO_VALUE, .is_closed = true }),
            OK);
        CHECK(!search_ask(w.tree, &ticket));
        CHECK_INT(search_open_tickets(w.tree), 0);
        world_close(&w);
    }
}

static void nothing_grows_below_the_depth(void)
{
    struct search_config c = search_config_default();
    uint32_t deepest = 0;
    struct world w;

    c.policy = SEARCH_AB_GAUSSIAN;
    c.depth_max = 3;
    REQUIRE(world_open(&w, &c, 1));
    for (int i = 0; i < 300; i++)
        CHECK(grow(&w, 0.9));
    for (uint32_t n = 0; n < search_node_count(w.tree); n++)
        deepest =
            search_node_at(w.tree, n).depth > deepest ? search_node_at(w.tree, n).depth : deepest;
    CHECK_INT(deepest, 3);
    world_close(&w);
}

/* The last nodes are promised to open tickets, and given back when these are dropped. */
static void open_tickets_hold_a_node_each(void)
{
    struct search_ticket tickets[4];
    struct world w;

    REQUIRE(ab_open(&w, SEARCH_AB_BETA, 4, 1));
    for (int i = 0; i < 3; i++) {
        REQUIRE(search_ask(w.tree, &tickets[i]));
        CHECK_INT(tickets[i].want, SEARCH_EXPAND);
        CHECK_INT(tickets[i].node, SEARCH_ROOT);
    }
    CHECK(!search_ask(w.tree, &tickets[3]));
    search_drop(w.tree, tickets[0].id);
    CHECK(search_ask(w.tree, &tickets[3]));
    const struct search_child child = { .value = 0.5 };
    for (int i = 1; i < 4; i++) /* all arrive, though the first made the root no leaf */
        CHECK_ERR(search_tell(w.tree, tickets[i].id,
                              &(struct search_result){
                                  .value = SEARCH_NO_VALUE, .children = &child, .child_count = 1 }),
                  OK);
    CHECK_INT(search_node_count(w.tree), 4);
    CHECK_INT(search_node_at(w.tree, SEARCH_ROOT).child_count, 3);
    world_close(&w);
}

static void a_child_must_be_scored(void)
{
    const struct search_child child = { .value = SEARCH_NO_VALUE };
    struct search_ticket ticket;
    struct world w;

    REQUIRE(ab_open(&w, SEARCH_AB_BETA, 10, 1));
    REQUIRE(search_ask(w.tree, &ticket));
    CHECK_ERR(search_tell(w.tree, ticket.id,
                          &(struct search_result){
                              .value = SEARCH_NO_VALUE, .children = &child, .child_count = 1 }),
              CALLER_BAD_REQUEST);
    CHECK_INT(search_open_tickets(w.tree), 1);
    world_close(&w);
}

/* ---- what it is for ---- */

/* Where a child improves on its parent, going deeper pays; where only first tries are any good, wider does. */
static double mean_depth(enum search_policy policy, bool is_refinement_good)
{
    double sum = 0;
    struct world w;

    if (!ab_open(&w, policy, 400, 7))
        return -1;
    for (int i = 1; i < 400; i++) {
        struct search_child child = { .value = 0.3 };
        const struct search_result r = { .value = SEARCH_NO_VALUE,
                                         .children = &child,
                                         .child_count = 1 };
        if (!world_ask(&w))
            break;
        double above = search_node_at(w.tree, w.open[0].node).own_value;
        if (above >= 0)
            child.value = is_refinement_good ? fmin(1, above + 0.1) : 0.1;
        if (!world_tell(&w, 0, &r))
            break;
    }
    for (uint32_t n = 1; n < search_node_count(w.tree); n++)
        sum += search_node_at(w.tree, n).depth;
    sum /= search_node_count(w.tree) - 1;
    world_close(&w);
    return sum;
}

static void goes_deeper_where_that_pays_and_wider_where_not(void)
{
    for (int policy = SEARCH_AB_BETA; policy <= SEARCH_AB_GAUSSIAN; policy++) {
        double deep = mean_depth((enum search_policy)policy, true);
        double wide = mean_depth((enum search_policy)policy, false);
        CHECK(deep > 2.3);
        CHECK(wide < 1.5 && wide >= 1);
    }
}

TESTS(TEST(grows_by_one_node_an_ask), TEST(asks_as_often_as_the_beliefs_say),
      TEST(a_crowd_draws_like_one_by_one), TEST(crowds_keep_their_order),
      TEST(bounds_lie_above_the_beliefs), TEST(a_bound_covers_wilder_siblings_below),
      TEST(rings_may_stay_rings), TEST(ends_and_the_closed_are_left_alone),
      TEST(nothing_grows_below_the_depth), TEST(open_tickets_hold_a_node_each),
      TEST(a_child_must_be_scored), TEST(goes_deeper_where_that_pays_and_wider_where_not))
