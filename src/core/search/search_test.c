/* SPDX-License-Identifier: Apache-2.0 */
/* Asking, telling, dropping; limits. */
#include <math.h>

#include "core/search/search_world.h"

/* ---- configuration ---- */

static enum err open_with(const struct search_config *c)
{
    struct setup s;

    arena_init(&s.arena, (size_t)8 << 20);
    enum err e = search_open(&s.tree, &s.arena, c);
    arena_fini(&s.arena);
    return e;
}

static void refuses_configurations_out_of_range(void)
{
    struct search_config c = search_config_default();

    CHECK_ERR(open_with(&c), OK);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        c = search_config_default();                                                               \
        change;                                                                                    \
        CHECK_ERR(open_with(&c), CALLER_BAD_REQUEST);                                              \
    } while (0)
    REFUSED(c.policy = SEARCH_POLICY_COUNT);
    REFUSED(c.choice = SEARCH_CHOICE_COUNT);
    REFUSED(c.nodes_max = 0);
    REFUSED(c.nodes_max = SEARCH_NODES_MAX + 1);
    REFUSED(c.tickets_max = 0);
    REFUSED(c.tickets_max = SEARCH_TICKETS_MAX + 1);
    REFUSED(c.depth_max = 0);
    REFUSED(c.depth_max = SEARCH_DEPTH_MAX + 1);
    REFUSED(c.exploration = -0.1);
    REFUSED(c.exploration = (double)NAN);
    REFUSED(c.widening_factor = -1);
    REFUSED(c.widening_exponent = 1.1);
    REFUSED(c.prior.beta_a = 0);
    REFUSED(c.prior.beta_b = (double)INFINITY);
    REFUSED(c.prior.mean = 1.5);
    REFUSED(c.prior.mean_weight = 0);
    REFUSED(c.prior.variance = 0);
    REFUSED(c.prior.variance_weight = 0.5);
    REFUSED((c.policy = SEARCH_AB_BETA, c.has_transpositions = true));
    REFUSED((c.policy = SEARCH_AB_GAUSSIAN, c.has_two_players = true));
#undef REFUSED
    c = search_config_default();
    c.nodes_max = 1000000; /* more than the arena holds */
    CHECK_ERR(open_with(&c), WEIR_NO_MEMORY);
}

static void names_policies(void)
{
    enum search_policy p;

    for (int i = 0; i < SEARCH_POLICY_COUNT; i++) {
        REQUIRE(search_policy_find(str_from(search_policy_name((enum search_policy)i)), &p));
        CHECK_INT(p, i);
    }
    CHECK(!search_policy_find(STR("ucb2"), &p));
}

static void a_node_takes_at_most_64_bytes(void)
{
    for (int policy = 0; policy < SEARCH_POLICY_COUNT; policy++)
        for (int transpositions = 0; transpositions < 2; transpositions++) {
            struct search_config c = search_config_default();
            struct setup s;
            c.policy = (enum search_policy)policy;
            c.has_transpositions = transpositions && policy <= SEARCH_PUCT;
            c.nodes_max = 20000;
            c.tickets_max = 1;
            REQUIRE(setup_open(&s, &c));
            CHECK(search_node_bytes(s.tree) <= 64);
            /* What is claimed is what the arena gave, but for the tree, its ticket, and ab's table of bounds. */
            CHECK_NEAR((double)s.arena.used / c.nodes_max, search_node_bytes(s.tree), 0.8);
            setup_close(&s);
        }
}

/* ---- ask and tell ---- */

static void asks_for_the_root_first_and_waits_for_it(void)
{
    const struct search_config c = search_config_default();
    struct search_ticket ticket, other;
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.want, SEARCH_EVALUATE);
    CHECK_INT(ticket.node, SEARCH_ROOT);
    CHECK_INT(ticket.depth, 0);
    CHECK_INT(ticket.path[0], SEARCH_ROOT);
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).unobserved, 1);
    CHECK(!search_ask(s.tree, &other));
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).unobserved, 1);
    search_drop(s.tree, ticket.id);
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).unobserved, 0);
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).visits, 0);
    REQUIRE(search_ask(s.tree, &other));
    CHECK(other.id != ticket.id);
    CHECK_INT(search_best(s.tree).node, SEARCH_NONE);
    setup_close(&s);
}

static void a_leaf_with_a_value_is_expanded_not_valued_again(void)
{
    const struct search_config c = search_config_default();
    struct search_ticket ticket;
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    CHECK_INT(look(s.tree, 0.5, NULL, 0, 0), SEARCH_ROOT);
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.want, SEARCH_EXPAND);
    REQUIRE(search_tell(s.tree, ticket.id,
                        &(struct search_result){
                            .value = SEARCH_NO_VALUE,
                            .children = (struct search_child[]){ { .value = 0.25, .tag = 7 },
                                                                 { .value = SEARCH_NO_VALUE } },
                            .child_count = 2 }) == OK);
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).visits, 2); /* its own and the scored child's */
    CHECK_NEAR(search_node_at(s.tree, SEARCH_ROOT).mean, 0.375, 1e-7);
    CHECK_INT(search_node_at(s.tree, 1).tag, 7);
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.node, 2); /* the one not scored yet */
    CHECK_INT(ticket.want, SEARCH_EVALUATE);
    CHECK_INT(ticket.depth, 1);
    CHECK_INT(ticket.path[1], 2);
    setup_close(&s);
}

/* With Q equal and N equal, what is under way decides: three tickets go to three children. */
static void several_tickets_spread_out(void)
{
    const struct search_config c = search_config_default();
    const double values[] = { 0.5, 0.5, 0.5 };
    struct search_ticket tickets[4];
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    look(s.tree, 0.5, values, 3, 0);
    for (uint32_t i = 0; i < 3; i++) {
        REQUIRE(search_ask(s.tree, &tickets[i]));
        CHECK_INT(tickets[i].node, 1 + i);
        CHECK_INT(tickets[i].want, SEARCH_EXPAND);
    }
    CHECK(!search_ask(s.tree, &tickets[3])); /* all that is worth a look is under way */
    CHECK_INT(search_open_tickets(s.tree), 3);
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).unobserved, 3);
    setup_close(&s);
}

/* A child that is much better stays ahead although it is being looked at; nothing pretends a loss. */
static void what_is_under_way_is_no_loss(void)
{
    struct search_config c = search_config_default();
    const double values[] = { 0.9, 0.1 }, below[] = { 0.9, 0.9, 0.9 };
    struct search_ticket a, b;
    struct setup s;

    c.exploration = 0.5;
    REQUIRE(setup_open(&s, &c));
    look(s.tree, 0.5, values, 2, 0);
    CHECK_INT(look(s.tree, SEARCH_NO_VALUE, below, 3, 0), 1);
    REQUIRE(search_ask(s.tree, &a) && search_ask(s.tree, &b));
    CHECK_INT(a.path[1], 1);
    CHECK_INT(b.path[1], 1);
    CHECK(a.node != b.node);
    setup_close(&s);
}

/* Where the best way is blocked by what is pending, another is taken. */
static void a_blocked_way_is_left(void)
{
    struct search_config c = search_config_default();
    const double values[] = { 0.9, 0.6 }, below[] = { 0.9 };
    struct search_ticket a, b;
    struct setup s;

    c.exploration = 0.3;
    REQUIRE(setup_open(&s, &c));
    look(s.tree, 0.5, values, 2, 0);
    CHECK_INT(look(s.tree, SEARCH_NO_VALUE, below, 1, 0), 1);
    REQUIRE(search_ask(s.tree, &a) && search_ask(s.tree, &b));
    CHECK_INT(a.path[1], 1);
    CHECK_INT(a.depth, 2);
    CHECK_INT(b.path[1], 2);
    CHECK_INT(search_node_at(s.tree, 1).unobserved, 1); /* the blocked walks left nothing behind */
    setup_close(&s);
}

static void tells_twice_late_and_wrong(void)
{
    const struct search_config c = search_config_default();
    struct search_result r = { .value = 0.5 };
    struct search_ticket ticket;
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    REQUIRE(search_ask(s.tree, &ticket));
    uint64_t open_hash = search_hash(s.tree);
    const double wrong[] = { -0.01, 1.01, (double)NAN, (double)INFINITY };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct search_child child = { .value = wrong[i] };
        CHECK_ERR(search_tell(s.tree, ticket.id, &(struct search_result){ .value = wrong[i] }),
                  CALLER_BAD_REQUEST);
        CHECK_ERR(search_tell(s.tree, ticket.id,
                              &(struct search_result){
                                  .value = 0.5, .children = &child, .child_count = 1 }),
                  CALLER_BAD_REQUEST);
        child = (struct search_child){ .value = 0.5, .prior = i == 1 ? 1e7 : wrong[i] };
        CHECK_ERR(search_tell(s.tree, ticket.id,
                              &(struct search_result){
                                  .value = 0.5, .children = &child, .child_count = 1 }),
                  CALLER_BAD_REQUEST);
    }
    CHECK(search_hash(s.tree) == open_hash);
    CHECK_ERR(search_tell(s.tree, ticket.id + 1, &r), OK); /* never given */
    CHECK_ERR(search_tell(s.tree, 0, &r), OK);
    search_drop(s.tree, ticket.id + SEARCH_TICKETS_MAX);
    CHECK(search_hash(s.tree) == open_hash);
    CHECK_ERR(search_tell(s.tree, ticket.id, &r), OK);
    uint64_t told_hash = search_hash(s.tree);
    CHECK(told_hash != open_hash);
    CHECK_ERR(search_tell(s.tree, ticket.id, &r), OK);
    search_drop(s.tree, ticket.id);
    CHECK(search_hash(s.tree) == told_hash);
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).visits, 1);
    setup_close(&s);
}

/* ---- limits ---- */

static void nothing_grows_below_the_depth(void)
{
    struct search_config c = search_config_default();
    const double one[] = { SEARCH_NO_VALUE };
    uint32_t deepest = 0;
    struct setup s;

    c.depth_max = 3;
    REQUIRE(setup_open(&s, &c));
    for (int i = 0; i < 20; i++)
        look(s.tree, 0.5, one, 1, 0);
    for (uint32_t n = 0; n < search_node_count(s.tree); n++)
        deepest =
            search_node_at(s.tree, n).depth > deepest ? search_node_at(s.tree, n).depth : deepest;
    CHECK_INT(deepest, 3);
    CHECK_INT(search_node_count(s.tree), 4);
    setup_close(&s);
}

static void a_full_tree_goes_on_without_new_nodes(void)
{
    struct search_config c = search_config_default();
    const double three[] = { 0.5, 0.6, 0.7 };
    struct setup s;

    c.nodes_max = 6; /* the root, three children, and not three more */
    REQUIRE(setup_open(&s, &c));
    look(s.tree, 0.5, three, 3, 0);
    CHECK_INT(look(s.tree, SEARCH_NO_VALUE, three, 3, 0), 3);
    CHECK_INT(search_node_count(s.tree), 4);
    /* Leaves are visited again, not asked for. */
    CHECK_INT(look(s.tree, 0.5, NULL, 0, 0), SEARCH_NONE);
    CHECK_INT(search_open_tickets(s.tree), 0);
    CHECK(search_node_at(s.tree, SEARCH_ROOT).visits > 200);
    CHECK_INT(search_best(s.tree).node, 3);
    setup_close(&s);
}

static void tickets_run_out(void)
{
    struct search_config c = search_config_default();
    const double three[] = { SEARCH_NO_VALUE, SEARCH_NO_VALUE, SEARCH_NO_VALUE };
    struct search_ticket a, b, none;
    struct setup s;

    c.tickets_max = 2;
    REQUIRE(setup_open(&s, &c));
    look(s.tree, 0.5, three, 3, 0);
    REQUIRE(search_ask(s.tree, &a) && search_ask(s.tree, &b));
    CHECK(!search_ask(s.tree, &none));
    search_drop(s.tree, a.id);
    CHECK(search_ask(s.tree, &none));
    CHECK(none.id != a.id);
    setup_close(&s);
}

static void ends_are_visited_again_without_asking(void)
{
    const struct search_config c = search_config_default();
    struct search_child children[] = { { .value = 1, .is_terminal = true },
                                       { .value = SEARCH_NO_VALUE } };
    struct search_ticket ticket;
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    REQUIRE(search_ask(s.tree, &ticket));
    REQUIRE(search_tell(s.tree, ticket.id,
                        &(struct search_result){
                            .value = 0.5, .children = children, .child_count = 2 }) == OK);
    look(s.tree, 0.1, NULL, 0, 0); /* the other child's value */
    CHECK_INT(search_node_at(s.tree, 1).visits, 1);
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.node, 2);
    CHECK(search_node_at(s.tree, 1).visits > 1);
    CHECK_INT(search_best(s.tree).node, 1);
    CHECK_INT(search_best_terminal(s.tree), 1);
    setup_close(&s);
}

static void a_node_that_turns_out_to_be_an_end_gets_no_children(void)
{
    const struct search_config c = search_config_default();
    struct search_child child = { .value = 0.5 };
    struct search_ticket ticket;
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    REQUIRE(search_ask(s.tree, &ticket));
    REQUIRE(search_tell(s.tree, ticket.id,
                        &(struct search_result){ .value = 0.75,
                                                 .children = &child,
                                                 .child_count = 1,
                                                 .is_terminal = true }) == OK);
    CHECK_INT(search_node_count(s.tree), 1);
    CHECK(search_node_at(s.tree, SEARCH_ROOT).is_terminal);
    CHECK_INT(search_best_terminal(s.tree), SEARCH_ROOT);
    CHECK(!search_ask(s.tree, &ticket));
    setup_close(&s);
}

TESTS(TEST(refuses_configurations_out_of_range), TEST(names_policies),
      TEST(a_node_takes_at_most_64_bytes), TEST(asks_for_the_root_first_and_waits_for_it),
      TEST(a_leaf_with_a_value_is_expanded_not_valued_again), TEST(several_tickets_spread_out),
      TEST(what_is_under_way_is_no_loss), TEST(a_blocked_way_is_left),
      TEST(tells_twice_late_and_wrong), TEST(nothing_grows_below_the_depth),
      TEST(a_full_tree_goes_on_without_new_nodes), TEST(tickets_run_out),
      TEST(ends_are_visited_again_without_asking),
      TEST(a_node_that_turns_out_to_be_an_end_gets_no_children))
