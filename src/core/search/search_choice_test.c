/* SPDX-License-Identifier: Apache-2.0 */
/* Transpositions, widening, priors, the final choice, bandits, and logs that are none. */
#include <math.h>

#include "core/search/search_world.h"

/* ---- transpositions ---- */

static void tell_keys(struct search_tree *t, const uint64_t *keys, size_t n)
{
    struct search_child children[4];
    struct search_ticket ticket;

    for (size_t i = 0; i < n; i++)
        children[i] = (struct search_child){ .value = SEARCH_NO_VALUE,
                                             .key = keys[i],
                                             .tag = (uint32_t)keys[i] };
    REQUIRE(search_ask(t, &ticket));
    CHECK_ERR(search_tell(
                  t, ticket.id,
                  &(struct search_result){ .value = 0.5, .children = children, .child_count = n }),
              OK);
}

static void equal_states_share_what_is_below_them(void)
{
    struct search_config c = search_config_default();
    struct setup s;

    c.has_transpositions = true;
    REQUIRE(setup_open(&s, &c));
    tell_keys(s.tree, (uint64_t[]){ 1, 2 }, 2); /* nodes 1, 2 */
    tell_keys(s.tree, (uint64_t[]){ 8, 9, 8, 0 },
              4); /* of node 1: 3 (8), 4 (9), 5; the second 8 is dropped */
    CHECK_INT(search_node_count(s.tree), 6);
    tell_keys(s.tree, (uint64_t[]){ 1, 8, 0 }, 3); /* of node 2: 6 (1, not node 1), 7 → 3, 8 */
    CHECK_INT(search_node_count(s.tree), 9);
    CHECK_INT(search_node_at(s.tree, 6).state, 6);
    CHECK_INT(search_node_at(s.tree, 7).state, 3);
    CHECK_INT(search_node_at(s.tree, 7).tag, 8);
    CHECK_INT(search_node_at(s.tree, 7).parent, 2);
    CHECK_INT(search_node_at(s.tree, 3).parent, 1);
    for (int i = 0; i < 6; i++)
        look(s.tree, 0.5, NULL, 0, 0); /* each of the edges below 1 and 2 once */
    CHECK_INT(search_node_at(s.tree, 3).visits,
              search_node_at(s.tree, 3).edge_visits + search_node_at(s.tree, 7).edge_visits);
    setup_close(&s);
}

/* An open ticket is under way for every edge on its path and for every state, whichever way it came. */
static void a_ticket_through_a_transposition_counts_for_its_own_edge(void)
{
    struct search_config c = search_config_default();
    struct search_ticket ticket;
    struct setup s;

    c.has_transpositions = true;
    c.exploration = 0;
    REQUIRE(setup_open(&s, &c));
    tell_keys(s.tree, (uint64_t[]){ 1, 2 }, 2);
    tell_keys(s.tree, (uint64_t[]){ 8 }, 1); /* 3, of node 1 */
    tell_keys(s.tree, (uint64_t[]){ 8 }, 1); /* 4 → 3, of node 2 */
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.node, 3);
    uint32_t edge = ticket.path[2], other = edge == 3 ? 4 : 3;
    CHECK_INT(search_node_at(s.tree, edge).unobserved, 1);
    CHECK_INT(search_node_at(s.tree, other).unobserved, 0);
    CHECK_ERR(search_tell(s.tree, ticket.id, &(struct search_result){ .value = 1 }), OK);
    CHECK_INT(search_node_at(s.tree, edge).edge_visits, 1);
    CHECK_INT(search_node_at(s.tree, other).edge_visits, 0);
    CHECK_INT(search_node_at(s.tree, other).visits, 1);
    CHECK_NEAR(search_node_at(s.tree, other).mean, 1, 0);
    setup_close(&s);
}

/* ---- progressive widening ---- */

static void widening_follows_its_formula(void)
{
    struct search_config c = search_config_default();
    struct search_child child = { .value = 0.5, .is_terminal = true };
    struct search_ticket ticket;
    struct setup s;

    c.widening_factor = 1.5;
    c.widening_exponent = 0.5;
    REQUIRE(setup_open(&s, &c));
    look(s.tree, 0.5, NULL, 0, 0);
    for (int i = 0; i < 10; i++) {
        REQUIRE(search_ask(s.tree, &ticket));
        const struct search_node root = search_node_at(s.tree, SEARCH_ROOT);
        CHECK_INT(ticket.node, SEARCH_ROOT);
        CHECK_INT(ticket.want, root.child_count == 0 ? SEARCH_EXPAND : SEARCH_WIDEN);
        if (root.child_count > 0) {
            CHECK(ceil(1.5 * sqrt(root.visits)) > root.child_count);
            CHECK(ceil(1.5 * sqrt(root.visits - 1.0)) <= root.child_count || i < 3);
        }
        CHECK_ERR(search_tell(s.tree, ticket.id,
                              &(struct search_result){
                                  .value = SEARCH_NO_VALUE, .children = &child, .child_count = 1 }),
                  OK);
    }
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).child_count, 10);
    setup_close(&s);
}

static void puct_priors_stay_a_distribution(void)
{
    struct search_config c = search_config_default();
    struct search_child children[] = { { .value = SEARCH_NO_VALUE, .prior = 3 },
                                       { .value = SEARCH_NO_VALUE, .prior = 1 } };
    struct search_child late = { .value = SEARCH_NO_VALUE, .prior = 0 };
    struct search_ticket ticket;
    struct setup s;

    c.policy = SEARCH_PUCT;
    c.widening_factor = 3;
    c.widening_exponent = 0;
    REQUIRE(setup_open(&s, &c));
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_ERR(search_tell(
                  s.tree, ticket.id,
                  &(struct search_result){ .value = 0.5, .children = children, .child_count = 2 }),
              OK);
    CHECK_NEAR(search_node_at(s.tree, 1).prior, 0.75, 1e-6);
    CHECK_NEAR(search_node_at(s.tree, 2).prior, 0.25, 1e-6);
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.want, SEARCH_WIDEN);
    CHECK_ERR(search_tell(s.tree, ticket.id,
                          &(struct search_result){
                              .value = SEARCH_NO_VALUE, .children = &late, .child_count = 1 }),
              OK);
    CHECK_NEAR(search_node_at(s.tree, 1).prior, 0.5, 1e-6);
    CHECK_NEAR(search_node_at(s.tree, 2).prior, 1.0 / 6, 1e-6);
    CHECK_NEAR(search_node_at(s.tree, 3).prior, 1.0 / 3, 1e-6);
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.node, 1); /* equal means: the highest prior */
    setup_close(&s);
}

/* ---- the best ---- */

/* Three children, each of which another rule likes: the first is looked at most, the second has the highest
 * mean, the third's mean is nearly as high and better known. */
static void each_rule_has_its_own_best(void)
{
    static const struct {
        enum search_choice choice;
        uint32_t best;
    } rows[] = { { SEARCH_BY_VISITS, 1 }, { SEARCH_BY_VALUE, 2 }, { SEARCH_BY_LOWER_BOUND, 3 } };
    static const struct {
        double value;
        size_t count;
    } below[] = { { 0.5, 8 }, { 0.9, 1 }, { 0.85, 6 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct search_config c = search_config_default();
        const double scored[] = { 0.5, 0.9, 0.85 };
        struct search_child children[8];
        struct search_ticket tickets[3];
        struct setup s;
        c.choice = rows[i].choice;
        c.exploration = 0.5;
        REQUIRE(setup_open(&s, &c));
        look(s.tree, 0.5, scored, 3, 10);
        for (int k = 0; k < 3; k++)
            REQUIRE(search_ask(s.tree, &tickets[k]));
        for (int k = 0; k < 3; k++) {
            size_t at = tickets[k].node - 1;
            for (size_t n = 0; n < below[at].count; n++)
                children[n] = (struct search_child){ .value = below[at].value };
            REQUIRE(search_tell(s.tree, tickets[k].id,
                                &(struct search_result){ .value = SEARCH_NO_VALUE,
                                                         .children = children,
                                                         .child_count = below[at].count }) == OK);
        }
        const struct search_best best = search_best(s.tree);
        CHECK_INT(best.node, rows[i].best);
        CHECK_INT(best.tag, 9 + rows[i].best);
        CHECK_INT(best.visits, 1 + below[best.node - 1].count);
        CHECK_NEAR(best.mean, below[best.node - 1].value, 1e-7);
        setup_close(&s);
    }
}

static void shows_lines_and_paths(void)
{
    const struct search_config c = search_config_default();
    const double first[] = { 0.2, 0.8 }, second[] = { 0.9, 0.3 };
    uint32_t line[4], path[4];
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    CHECK_INT(search_best_line(s.tree, line, 4), 0);
    CHECK_INT(search_best_valued(s.tree), SEARCH_NONE);
    look(s.tree, 0.5, first, 2, 0);
    CHECK_INT(look(s.tree, SEARCH_NO_VALUE, second, 2, 0), 2);
    CHECK_INT(search_best_line(s.tree, line, 4), 2);
    CHECK_INT(line[0], 2);
    CHECK_INT(line[1], 3);
    CHECK_INT(search_best_line(s.tree, line, 1), 1);
    CHECK_INT(search_path(s.tree, 4, path), 3);
    CHECK_INT(path[0], SEARCH_ROOT);
    CHECK_INT(path[1], 2);
    CHECK_INT(path[2], 4);
    CHECK_INT(search_best_valued(s.tree), 3);
    CHECK_INT(search_best_terminal(s.tree), SEARCH_NONE);
    setup_close(&s);
}

/* The second player, at odd depths, takes what is worst for the first. */
static void two_players_want_opposite_things(void)
{
    struct search_config c = search_config_default();
    const double first[] = { 0.5, 0.5 }, second[] = { 0.9, 0.1 };
    uint32_t line[2];
    struct setup s;

    c.has_two_players = true;
    REQUIRE(setup_open(&s, &c));
    look(s.tree, 0.5, first, 2, 0);
    CHECK_INT(look(s.tree, SEARCH_NO_VALUE, second, 2, 0), 1);
    CHECK_INT(search_best_line(s.tree, line, 2), 2);
    CHECK_INT(line[0], 1);
    CHECK_INT(line[1], 4); /* .1, not .9 */
    setup_close(&s);
}

/* A child that nobody looked at is never the best, by whichever rule and for whichever player. */
static void an_unvisited_child_is_not_the_best(void)
{
    for (int choice = 0; choice < SEARCH_CHOICE_COUNT; choice++) {
        struct search_config c = search_config_default();
        const double first[] = { SEARCH_NO_VALUE, 0.5 }, second[] = { SEARCH_NO_VALUE, 0.4 };
        struct search_ticket tickets[2];
        uint32_t line[3];
        struct setup s;
        c.choice = (enum search_choice)choice;
        c.has_two_players = true;
        REQUIRE(setup_open(&s, &c));
        look(s.tree, 0.5, first, 2, 0);
        REQUIRE(search_ask(s.tree, &tickets[0]) && search_ask(s.tree, &tickets[1]));
        CHECK_INT(tickets[0].node, 1);
        CHECK_INT(tickets[1].node, 2);
        const struct search_child children[] = { { .value = second[0] }, { .value = second[1] } };
        REQUIRE(search_tell(s.tree, tickets[1].id,
                            &(struct search_result){ .value = SEARCH_NO_VALUE,
                                                     .children = children,
                                                     .child_count = 2 }) == OK);
        CHECK_INT(search_best_line(s.tree, line, 3), 2);
        CHECK_INT(line[0], 2);
        CHECK_INT(line[1], 4);
        setup_close(&s);
    }
}

static void the_first_of_equal_values_is_kept(void)
{
    const struct search_config c = search_config_default();
    struct search_child children[] = { { .value = 0.7, .is_terminal = true },
                                       { .value = 0.7, .is_terminal = true } };
    struct search_ticket ticket;
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_ERR(search_tell(s.tree, ticket.id,
                          &(struct search_result){
                              .value = SEARCH_NO_VALUE, .children = children, .child_count = 2 }),
              OK);
    CHECK_INT(search_best_valued(s.tree), 1);
    CHECK_INT(search_best_terminal(s.tree), 1);
    CHECK_INT(search_best(s.tree).node, 1);
    setup_close(&s);
}

/* Children told before any value: puct begins with the likeliest. */
static void puct_follows_the_prior_before_any_value(void)
{
    struct search_config c = search_config_default();
    struct search_child children[] = { { .value = SEARCH_NO_VALUE, .prior = 1 },
                                       { .value = SEARCH_NO_VALUE, .prior = 2 } };
    struct search_ticket ticket;
    struct setup s;

    c.policy = SEARCH_PUCT;
    REQUIRE(setup_open(&s, &c));
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_ERR(search_tell(s.tree, ticket.id,
                          &(struct search_result){
                              .value = SEARCH_NO_VALUE, .children = children, .child_count = 2 }),
              OK);
    REQUIRE(search_ask(s.tree, &ticket));
    CHECK_INT(ticket.node, 2);
    setup_close(&s);
}

/* ---- a bandit: depth 1, every visit a new draw ---- */

struct bandit {
    struct search_env env;
    double p[8];
};

static size_t bandit_actions(const struct search_env *env, const void *state,
                             struct search_action *out)
{
    (void)env;
    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        out[i] = (struct search_action){ .tag = i };
    return 8;
}

static void bandit_apply(const struct search_env *env, void *state, uint32_t action)
{
    (void)env;
    *(uint32_t *)state = action;
}

static bool bandit_terminal(const struct search_env *env, const void *state, double *out_value)
{
    (void)env;
    (void)state;
    (void)out_value;
    return false;
}

static double bandit_value(const struct search_env *env, void *state, struct rng *rng)
{
    const struct bandit *b = CONTAINER_OF_CONST(env, struct bandit, env);
    uint32_t arm = *(const uint32_t *)state;

    return arm < 8 && rng_unit(rng) < b->p[arm] ? 1 : 0;
}

static const struct bandit bandit = { .env = { .state_bytes = sizeof(uint32_t),
                                               .actions = bandit_actions,
                                               .apply = bandit_apply,
                                               .terminal = bandit_terminal,
                                               .value = bandit_value },
                                      .p = { 0.5, 0.45, 0.4, 0.7, 0.3, 0.55, 0.2, 0.1 } };
#define BANDIT_BEST 3

/* Auer et al. 2002, theorem 1: for c = sqrt 2 the expected regret after n pulls is at most
 * 8 Σ ln n / Δ_i + (1 + π²/3) Σ Δ_i. */
static void regret_stays_within_the_bound(void)
{
    const uint32_t root = UINT32_MAX, pulls = 5000;
    double bound = 0, regret = 0;
    int runs = 20;

    for (int i = 0; i < 8; i++) {
        double gap = bandit.p[BANDIT_BEST] - bandit.p[i];
        bound += gap > 0 ? 8 * log(pulls) / gap + (1 + 10.0 / 3) * gap : 0;
    }
    for (int run = 0; run < runs; run++) {
        struct search_config c = search_config_default();
        struct setup s;
        c.depth_max = 1;
        c.seed = (uint64_t)run;
        REQUIRE(setup_open(&s, &c));
        CHECK_ERR(search_run(s.tree, &bandit.env, &root, pulls), OK);
        CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).visits, pulls);
        CHECK_INT(search_best(s.tree).tag, BANDIT_BEST);
        for (uint32_t i = 0; i < 8; i++)
            regret +=
                search_node_at(s.tree, 1 + i).visits * (bandit.p[BANDIT_BEST] - bandit.p[i]) / runs;
        setup_close(&s);
    }
    CHECK(regret < bound / 3); /* the bound is generous */
    CHECK(regret > 40); /* and exploring has its price */
}

static void every_policy_finds_the_best_arm(void)
{
    const uint32_t root = UINT32_MAX;

    for (int policy = SEARCH_UCB1; policy <= SEARCH_PUCT; policy++) {
        struct search_config c = search_config_default();
        struct setup s;
        c.policy = (enum search_policy)policy;
        c.depth_max = 1;
        REQUIRE(setup_open(&s, &c));
        CHECK_ERR(search_run(s.tree, &bandit.env, &root, 20000), OK);
        const struct search_best best = search_best(s.tree);
        CHECK_INT(best.tag, BANDIT_BEST);
        CHECK_NEAR(best.mean, bandit.p[BANDIT_BEST], 0.02);
        CHECK(best.visits > 15000);
        setup_close(&s);
    }
}

static double value_of_two(const struct search_env *env, void *state, struct rng *rng)
{
    (void)env;
    (void)state;
    (void)rng;
    return 2;
}

static void a_run_refuses_a_bad_environment(void)
{
    const struct search_config c = search_config_default();
    struct bandit bad = bandit;
    const uint32_t root = 0;
    struct setup s;

    REQUIRE(setup_open(&s, &c));
    bad.env.value = value_of_two;
    CHECK_ERR(search_run(s.tree, &bad.env, &root, 1), CALLER_BAD_REQUEST);
    bad.env.state_bytes = SEARCH_STATE_BYTES_MAX + 1;
    CHECK_ERR(search_run(s.tree, &bad.env, &root, 1), CALLER_BAD_REQUEST);
    bad.env.state_bytes = 0;
    CHECK_ERR(search_run(s.tree, &bad.env, &root, 1), CALLER_BAD_REQUEST);
    CHECK_INT(search_node_at(s.tree, SEARCH_ROOT).visits, 0);
    setup_close(&s);
}

/* ---- logs that are none ---- */

/* A log with nothing but its header, then so many bytes. */
static enum err replay_after_header(struct setup *s, str header, str bytes)
{
    struct search_tree *again;
    struct buf bent = { 0 };

    buf_add(&bent, header);
    buf_add(&bent, bytes);
    enum err e = search_replay(&again, &s->arena, buf_str(&bent));
    buf_fini(&bent);
    return e;
}

static void refuses_a_log_that_was_cut_or_is_none(void)
{
    struct search_config c = search_config_default();
    const double two[] = { 0.5, SEARCH_NO_VALUE };
    struct search_tree *again = NULL;
    struct buf log = { 0 };
    size_t boundaries = 0;
    struct setup s;

    c.log = &log;
    REQUIRE(setup_open(&s, &c));
    size_t header = log.len;
    look(s.tree, 0.5, two, 2, 300);
    look(s.tree, 0.25, NULL, 0, 0);
    REQUIRE(search_replay(&again, &s.arena, buf_str(&log)) == OK);
    CHECK(search_hash(again) == search_hash(s.tree));
    for (size_t n = 0; n < log.len; n++) {
        enum err e = search_replay(&again, &s.arena, str_slice(buf_str(&log), 0, n));
        CHECK(e == CALLER_BAD_REQUEST || (n >= header && e == OK));
        boundaries += e == OK;
    }
    CHECK_INT(boundaries, 4); /* the header, and three records of four */
    for (size_t n = 0; n < 9; n++) { /* magic and version */
        log.ptr[n] ^= 1;
        CHECK_ERR(search_replay(&again, &s.arena, buf_str(&log)), CALLER_BAD_REQUEST);
        log.ptr[n] ^= 1;
    }
    buf_fini(&log);
    setup_close(&s);
}

static void refuses_records_that_cannot_be(void)
{
    static const struct {
        const char *what;
        char bytes[8];
        size_t count;
    } records[] = {
        { "an ask that came to node 1: there is only the root", { 'A', 0, 2, 0 }, 4 },
        { "an ask that visited an end again", { 'A', 1, 1, 0 }, 4 },
        { "an ask for children of what has no value", { 'A', 0, 1, 1 }, 4 },
        { "an ask that found nothing", { 'A', 0, 0, 0 }, 4 },
        { "a tell of no ticket", { 'T', 1, 0, 0 }, 4 },
        { "a drop of no ticket", { 'D', 1 }, 2 },
        { "a tag of no node", { 'G', 1, 1 }, 3 },
        { "a run that visited an end again", { 'R', 0, 0 }, 3 },
        { "no record", { 'x' }, 1 },
    };
    struct search_config c = search_config_default();
    struct buf header = { 0 };
    char many[4010] =
        "A\0\1\0T\x80\x20\0\xd0\x0f"; /* of ticket 4096: 2,000 children, of a flag and a tag each */
    struct setup s;

    c.log = &header;
    REQUIRE(setup_open(&s, &c));
    CHECK_ERR(replay_after_header(&s, buf_str(&header), STR("")), OK);
    CHECK_ERR(replay_after_header(&s, buf_str(&header), STR("A\0\1\0")), OK);
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        str bytes = { records[i].bytes, records[i].count };
        enum err e = replay_after_header(&s, buf_str(&header), bytes);
        CHECK_ERR(e, CALLER_BAD_REQUEST);
        if (e == OK)
            fprintf(stderr, "    %s\n", records[i].what);
    }
    CHECK_ERR(replay_after_header(&s, buf_str(&header), (str){ many, sizeof(many) }),
              CALLER_BAD_REQUEST);
    buf_fini(&header);
    setup_close(&s);
}

TESTS(TEST(equal_states_share_what_is_below_them),
      TEST(a_ticket_through_a_transposition_counts_for_its_own_edge),
      TEST(widening_follows_its_formula), TEST(puct_priors_stay_a_distribution),
      TEST(each_rule_has_its_own_best), TEST(an_unvisited_child_is_not_the_best),
      TEST(the_first_of_equal_values_is_kept), TEST(puct_follows_the_prior_before_any_value),
      TEST(shows_lines_and_paths), TEST(two_players_want_opposite_things),
      TEST(regret_stays_within_the_bound), TEST(every_policy_finds_the_best_arm),
      TEST(a_run_refuses_a_bad_environment), TEST(refuses_a_log_that_was_cut_or_is_none),
      TEST(refuses_records_that_cannot_be))
