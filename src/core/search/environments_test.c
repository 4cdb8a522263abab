/* SPDX-License-Identifier: Apache-2.0 */
/* The environments against brute force, and what the search makes of them. */
#include "core/search/environments.h"

#include <math.h>

#include "test/check.h"

static struct search_tree *tree_open(struct arena *arena, const struct search_config *c)
{
    struct search_tree *t = NULL;

    arena_init(arena, (size_t)256 << 20);
    IGNORE(search_open(&t, arena, c));
    return t;
}

/* ---- Game of 24 ---- */

/* Can 24 be reached, by trying everything? */
static bool game24_solvable(const struct game24 *g, const struct game24_state *s)
{
    struct search_action actions[SEARCH_CHILDREN_MAX];
    double value;

    if (g->env.terminal(&g->env, s, &value))
        return value == 1;
    size_t n = g->env.actions(&g->env, s, actions);
    for (size_t i = 0; i < n; i++) {
        struct game24_state after = *s;
        g->env.apply(&g->env, &after, actions[i].tag);
        if (game24_solvable(g, &after))
            return true;
    }
    return false;
}

/* Of the 1,820 hands of four cards from 1 to 13, 1,362 have a solution. */
static void game24_is_exact(void)
{
    int hands = 0, solvable = 0;

    for (int a = 1; a <= 13; a++)
        for (int b = a; b <= 13; b++)
            for (int c = b; c <= 13; c++)
                for (int d = c; d <= 13; d++) {
                    struct game24 g;
                    REQUIRE(game24_init(&g, (int[]){ c, a, d, b }) == OK);
                    hands++;
                    solvable += game24_solvable(&g, &g.root);
                }
    CHECK_INT(hands, 1820);
    CHECK_INT(solvable, 1362);
}

static void game24_refuses_and_prints(void)
{
    const int zero[] = { 1, 2, 0, 4 }, large[] = { 1, 2, 3, 100 }, hand[] = { 13, 4, 10, 9 };
    struct arena arena;
    struct game24 g;

    arena_init(&arena, 1 << 16);
    CHECK_ERR(game24_init(&g, zero), CALLER_BAD_REQUEST);
    CHECK_ERR(game24_init(&g, large), CALLER_BAD_REQUEST);
    REQUIRE(game24_init(&g, hand) == OK);
    CHECK_STR(game24_expression(&g, NULL, 0, &arena), STR("4, 9, 10, 13"));
    /* 10 - 4 of (4, 9, 10, 13): positions 0 and 2, reversed: (0·4 + 2)·6 + 2. Then 6, 9, 13. */
    const uint32_t actions[] = { 14, (1 * 4 + 2) * 6 + 2, (0 * 4 + 1) * 6 + 3 };
    CHECK_STR(game24_expression(&g, actions, 1, &arena), STR("(10 - 4), 9, 13"));
    CHECK_STR(game24_expression(&g, actions, 2, &arena), STR("(13 - 9), (10 - 4)"));
    CHECK_STR(game24_expression(&g, actions, 3, &arena), STR("(13 - 9) * (10 - 4)"));
    CHECK_STR(game24_expression(&g, (uint32_t[]){ 95 }, 1, &arena), STR(""));
    arena_fini(&arena);
}

static void game24_is_solved_by_search(void)
{
    const int hands[][4] = { { 4, 9, 10, 13 }, { 1, 3, 4, 6 }, { 3, 3, 8, 8 }, { 1, 1, 1, 1 } };
    const bool is_solvable[] = { true, true, true, false };

    for (size_t i = 0; i < ARRAY_LEN(hands); i++)
        for (int transpositions = 0; transpositions < 2; transpositions++) {
            struct search_config c = search_config_default();
            uint32_t path[4], actions[3];
            struct arena arena;
            struct game24 g;
            c.nodes_max = 20000;
            c.depth_max = 3;
            c.has_transpositions = transpositions;
            struct search_tree *t = tree_open(&arena, &c);
            REQUIRE(t && game24_init(&g, hands[i]) == OK);
            CHECK_ERR(search_run(t, &g.env, &g.root, 15000), OK);
            uint32_t best = search_best_terminal(t);
            REQUIRE(best != SEARCH_NONE);
            CHECK_NEAR(search_node_at(t, best).own_value, is_solvable[i] ? 1 : 0, 0);
            CHECK_INT(search_path(t, best, path), 4);
            for (int k = 0; k < 3; k++)
                actions[k] = search_node_at(t, path[k + 1]).tag;
            struct game24_state s = g.root;
            double value = -1;
            for (int k = 0; k < 3; k++)
                g.env.apply(&g.env, &s, actions[k]);
            CHECK(g.env.terminal(&g.env, &s, &value));
            CHECK_NEAR(value, is_solvable[i] ? 1 : 0, 0);
            CHECK(game24_expression(&g, actions, 3, &arena).len > 0);
            arena_fini(&arena);
        }
}

/* Every state of the whole game as a node of its own, and each state once. */
static void game24_duplicates_are_merged(void)
{
    uint32_t nodes[2], states = 0;
    struct game24 g;

    REQUIRE(game24_init(&g, (int[]){ 2, 3, 5, 7 }) == OK);
    for (int transpositions = 0; transpositions < 2; transpositions++) {
        struct search_config c = search_config_default();
        struct arena arena;
        c.nodes_max = 20000;
        c.depth_max = 3;
        c.exploration = 1000;
        c.has_transpositions = transpositions;
        struct search_tree *t = tree_open(&arena, &c);
        REQUIRE(t);
        CHECK_ERR(search_run(t, &g.env, &g.root, 40000), OK);
        nodes[transpositions] = search_node_count(t);
        for (uint32_t n = 0; transpositions && n < nodes[1]; n++)
            states += search_node_at(t, n).state == n;
        arena_fini(&arena);
    }
    /* 36 actions, 18 after one, 6 after two, and no division by zero: 1 + 36 + 648 + 3,888 at most. */
    CHECK(nodes[0] > 4400 && nodes[0] <= 4573);
    CHECK(nodes[1] < nodes[0] * 85 / 100);
    CHECK(states < nodes[1]);
}

/* ---- job shop ---- */

/* Three jobs of five operations, each once on every machine: (machine, duration). */
static void shop_init(struct jobshop *j)
{
    static const struct jobshop_operation operations[3][5] = {
        { { 0, 3 }, { 1, 6 }, { 2, 2 }, { 4, 7 }, { 3, 4 } },
        { { 1, 5 }, { 0, 4 }, { 3, 8 }, { 2, 3 }, { 4, 2 } },
        { { 2, 4 }, { 3, 3 }, { 0, 6 }, { 1, 5 }, { 4, 5 } },
    };

    memset(j, 0, sizeof(*j));
    j->job_count = 3;
    j->machine_count = 5;
    for (int job = 0; job < 3; job++) {
        j->jobs[job].count = 5;
        memcpy(j->jobs[job].operations, operations[job], sizeof(operations[job]));
    }
    IGNORE(jobshop_init(j));
}

/* The least makespan over all 15!/(5!)^3 orders, written without the environment. */
static uint32_t shop_optimum(const struct jobshop *j, const uint32_t next[3],
                             const uint32_t job_free[3], const uint32_t machine_free[5],
                             uint32_t best)
{
    bool is_done = true;
    uint32_t makespan = 0;

    for (int i = 0; i < 3; i++) {
        is_done = is_done && next[i] == 5;
        makespan = job_free[i] > makespan ? job_free[i] : makespan;
    }
    if (is_done || makespan >= best)
        return makespan < best ? makespan : best;
    for (int i = 0; i < 3; i++) {
        uint32_t n[3], f[3], m[5];
        if (next[i] == 5)
            continue;
        memcpy(n, next, sizeof(n));
        memcpy(f, job_free, sizeof(f));
        memcpy(m, machine_free, sizeof(m));
        const struct jobshop_operation *o = &j->jobs[i].operations[n[i]++];
        uint32_t start = f[i] > m[o->machine] ? f[i] : m[o->machine];
        f[i] = m[o->machine] = start + o->duration;
        best = shop_optimum(j, n, f, m, best);
    }
    return best;
}

static void jobshop_finds_the_shortest_schedule(void)
{
    const uint32_t none[5] = { 0 };
    struct jobshop j;

    shop_init(&j);
    uint32_t optimum = shop_optimum(&j, none, none, none, UINT32_MAX);
    CHECK(optimum >= j.shortest && optimum < j.longest);
    for (int transpositions = 0; transpositions < 2; transpositions++) {
        struct search_config c = search_config_default();
        struct jobshop_state s = j.root;
        uint32_t path[16];
        struct arena arena;
        c.nodes_max = 60000;
        c.depth_max = 15;
        c.exploration = 0.3;
        c.has_transpositions = transpositions;
        struct search_tree *t = tree_open(&arena, &c);
        REQUIRE(t);
        CHECK_ERR(search_run(t, &j.env, &j.root, 30000), OK);
        uint32_t best = search_best_terminal(t);
        REQUIRE(best != SEARCH_NONE);
        CHECK_INT(search_path(t, best, path), 16);
        for (int i = 1; i < 16; i++)
            j.env.apply(&j.env, &s, search_node_at(t, path[i]).tag);
        CHECK_INT(jobshop_makespan(&j, &s), optimum);
        CHECK_NEAR(search_node_at(t, best).own_value,
                   (double)(j.longest - optimum) / (j.longest - j.shortest), 1e-7);
        arena_fini(&arena);
    }
}

static void jobshop_scales_and_refuses(void)
{
    struct jobshop j;
    double value;

    shop_init(&j);
    CHECK_INT(j.longest, 67); /* 22 + 22 + 23 */
    CHECK_INT(j.shortest, 23); /* the third job */
    struct jobshop_state s = j.root;
    for (uint32_t job = 0; job < 3; job++) /* one job after the other */
        for (int i = 0; i < 5; i++) {
            CHECK(!j.env.terminal(&j.env, &s, &value));
            j.env.apply(&j.env, &s, job);
        }
    CHECK(j.env.terminal(&j.env, &s, &value));
    CHECK(value >= 0 && value <= 1);
    CHECK_NEAR(value, (67.0 - jobshop_makespan(&j, &s)) / (67 - 23), 1e-12);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        shop_init(&j);                                                                             \
        change;                                                                                    \
        CHECK_ERR(jobshop_init(&j), CALLER_BAD_REQUEST);                                           \
    } while (0)
    REFUSED(j.job_count = 0);
    REFUSED(j.job_count = JOBSHOP_JOBS_MAX + 1);
    REFUSED(j.machine_count = 4);
    REFUSED(j.machine_count = JOBSHOP_MACHINES_MAX + 1);
    REFUSED(j.jobs[1].count = 0);
    REFUSED(j.jobs[1].count = JOBSHOP_OPERATIONS_MAX + 1);
    REFUSED(j.jobs[2].operations[0].duration = 0);
    REFUSED(j.jobs[2].operations[0].duration = JOBSHOP_DURATION_MAX + 1);
#undef REFUSED
    memset(&j, 0, sizeof(j)); /* one operation: shortest and longest are one */
    j.job_count = j.machine_count = j.jobs[0].count = 1;
    j.jobs[0].operations[0].duration = 5;
    REQUIRE(jobshop_init(&j) == OK);
    s = j.root;
    j.env.apply(&j.env, &s, 0);
    CHECK(j.env.terminal(&j.env, &s, &value));
    CHECK_NEAR(value, 1, 0);
}

/* ---- tic-tac-toe ---- */

#define TICTACTOE_SIMULATIONS 10000

struct player {
    int8_t *moves; /* by position: (mine << 9 | theirs), -1 when not thought about yet */
    bool has_transpositions;
    uint64_t seed;
    int thought; /* positions */
};

static int player_move(struct player *p, uint16_t mine, uint16_t theirs)
{
    int8_t *move = &p->moves[mine << 9 | theirs];
    struct search_config c = search_config_default();
    struct arena arena;
    struct tictactoe g;

    if (*move >= 0)
        return *move;
    c.nodes_max = 30000;
    c.has_two_players = true;
    c.has_transpositions = p->has_transpositions;
    c.seed = p->seed;
    struct search_tree *t = tree_open(&arena, &c);
    if (t && tictactoe_init(&g, mine, theirs) == OK &&
        search_run(t, &g.env, &g.root, TICTACTOE_SIMULATIONS) == OK)
        *move = (int8_t)search_best(t).tag;
    arena_fini(&arena);
    p->thought++;
    return *move;
}

/* Plays on against every reply; how many games are lost and how many there are. */
static void play_all(struct player *p, uint16_t mine, uint16_t theirs, bool is_my_move, int *lost,
                     int *games)
{
    unsigned taken = mine | theirs;

    if (tictactoe_has_line(mine) || tictactoe_has_line(theirs) || taken == 0777) {
        ++*games;
        *lost += tictactoe_has_line(theirs);
        return;
    }
    if (is_my_move) {
        int cell = player_move(p, mine, theirs);
        REQUIRE(cell >= 0 && cell < 9 && !(taken >> cell & 1));
        play_all(p, (uint16_t)(mine | 1u << cell), theirs, false, lost, games);
        return;
    }
    for (int cell = 0; cell < 9; cell++)
        if (!(taken >> cell & 1))
            play_all(p, mine, (uint16_t)(theirs | 1u << cell), true, lost, games);
}

static void tictactoe_never_loses(void)
{
    static int8_t moves[1 << 18];

    for (int transpositions = 0; transpositions < 2; transpositions++)
        for (int second = 0; second < 2; second++) {
            struct player p = { .moves = moves, .has_transpositions = transpositions, .seed = 1 };
            int lost = 0, games = 0;
            memset(moves, -1, sizeof(moves));
            play_all(&p, 0, 0, !second, &lost, &games);
            CHECK_INT(lost, 0);
            CHECK(games > (second ? 300 : 50));
            CHECK(p.thought > (second ? 150 : 30));
        }
}

static void tictactoe_takes_a_win_and_stops_one(void)
{
    struct player p = { .moves = (int8_t[1 << 18]){ 0 }, .seed = 3 };

    memset(p.moves, -1, 1 << 18);
    CHECK_INT(player_move(&p, 0003, 0110), 2); /* two in a row of mine and of theirs */
    CHECK_INT(player_move(&p, 0020, 0003), 2); /* theirs only */
}

static void tictactoe_scores_for_the_roots_mover(void)
{
    struct tictactoe g;
    double value;

    CHECK_ERR(tictactoe_init(&g, 1, 1), CALLER_BAD_REQUEST);
    CHECK_ERR(tictactoe_init(&g, 01000, 0), CALLER_BAD_REQUEST);
    REQUIRE(tictactoe_init(&g, 0003, 0030) == OK);
    struct tictactoe_state s = g.root;
    CHECK(!g.env.terminal(&g.env, &s, &value));
    g.env.apply(&g.env, &s, 2);
    CHECK(g.env.terminal(&g.env, &s, &value));
    CHECK_NEAR(value, 1, 0);
    s = g.root;
    g.env.apply(&g.env, &s, 8);
    g.env.apply(&g.env, &s, 5);
    CHECK(g.env.terminal(&g.env, &s, &value));
    CHECK_NEAR(value, 0, 0);
    REQUIRE(tictactoe_init(&g, 0543, 0234) == OK);
    CHECK(g.env.terminal(&g.env, &g.root, &value));
    CHECK_NEAR(value, 0.5, 0);
}

/* ---- the synthetic tree ---- */

static double synthetic_optimum(const struct synthetic *s, const struct synthetic_state *x,
                                uint32_t *out_line)
{
    uint32_t line[16];
    double best = -1, value;

    if (s->env.terminal(&s->env, x, &value))
        return value;
    for (uint32_t i = 0; i < s->branching; i++) {
        struct synthetic_state after = *x;
        s->env.apply(&s->env, &after, i);
        value = synthetic_optimum(s, &after, line);
        if (value > best) {
            best = value;
            out_line[0] = i;
            memcpy(out_line + 1, line, (s->depth - x->depth - 1) * sizeof(line[0]));
        }
    }
    return best;
}

/* The value of the leaf that the search would play for, after so many simulations. */
static double synthetic_played(const struct synthetic *s, enum search_policy policy,
                               uint64_t simulations, double *out_found)
{
    struct search_config c = search_config_default();
    struct synthetic_state x = s->root;
    struct arena arena;
    uint32_t line[16];
    double value = -1;

    c.policy = policy;
    c.nodes_max = 20000;
    c.depth_max = s->depth;
    c.exploration = 0.7;
    struct search_tree *t = tree_open(&arena, &c);
    if (t && search_run(t, &s->env, &s->root, simulations) == OK) {
        size_t n = search_best_line(t, line, 16);
        for (size_t d = 0; d < n; d++)
            s->env.apply(&s->env, &x, search_node_at(t, line[d]).tag);
        if (!s->env.terminal(&s->env, &x, &value))
            value = -1;
        *out_found = search_node_at(t, search_best_terminal(t)).own_value;
    }
    arena_fini(&arena);
    return value;
}

/* The best of thousands of leaves is found, and what is played for comes closer to it the longer it searches. */
static void the_synthetic_optimum_is_found(void)
{
    static const struct synthetic_options trees[] = { { 4, 6, 1 }, { 8, 4, 2 }, { 2, 10, 3 },
                                                      { 4, 6, 4 }, { 8, 4, 5 }, { 2, 12, 6 } };
    double regret = 0, early_regret = 0;
    int exact = 0;

    for (size_t i = 0; i < ARRAY_LEN(trees); i++)
        for (int policy = SEARCH_UCB1; policy <= SEARCH_PUCT; policy++) {
            enum search_policy p = (enum search_policy)policy;
            uint32_t optimum[16] = { 0 };
            struct synthetic s;
            double found = -1, early_found = -1;
            REQUIRE(synthetic_init(&s, &trees[i]) == OK);
            double best = synthetic_optimum(&s, &s.root, optimum);
            double early = synthetic_played(&s, p, 1000, &early_found);
            double played = synthetic_played(&s, p, 40000, &found);
            CHECK_NEAR(found, best, 1e-7);
            CHECK(early_found <= found);
            CHECK(played >= best - 0.03 && played <= best);
            exact += played == best;
            regret += best - played;
            early_regret += best - early;
        }
    CHECK(exact >= 8);
    CHECK(regret < early_regret / 2);
}

/* When nodes run out, leaves are rolled out again and again. */
static void a_full_tree_goes_on_rolling_out(void)
{
    struct search_config c = search_config_default();
    uint32_t rolled_out = 0;
    struct synthetic s;
    struct arena arena;

    c.nodes_max = 12; /* the root and two expansions of five, not three */
    struct search_tree *t = tree_open(&arena, &c);
    REQUIRE(t && synthetic_init(&s, &(struct synthetic_options){ 5, 6, 1 }) == OK);
    CHECK_ERR(search_run(t, &s.env, &s.root, 2000), OK);
    CHECK_INT(search_node_count(t), 11);
    CHECK_INT(search_node_at(t, SEARCH_ROOT).visits, 2000);
    for (uint32_t n = 0; n < 11; n++) {
        const struct search_node x = search_node_at(t, n);
        CHECK(!x.is_closed || x.child_count == 5);
        rolled_out += x.child_count == 0 && x.visits > 20 && fabs(x.mean - x.own_value) > 1e-6;
    }
    CHECK_INT(rolled_out, 9);
    arena_fini(&arena);
}

/* Adaptive branching over the same environments: every action once, values from rollouts. */
static void adaptive_runs_exhaust_a_small_tree(void)
{
    for (int policy = SEARCH_AB_BETA; policy <= SEARCH_AB_GAUSSIAN; policy++) {
        struct search_config c = search_config_default();
        uint32_t optimum[16] = { 0 };
        struct synthetic s;
        struct arena arena;
        c.policy = (enum search_policy)policy;
        c.nodes_max = 200;
        struct search_tree *t = tree_open(&arena, &c);
        REQUIRE(t && synthetic_init(&s, &(struct synthetic_options){ 3, 4, 5 }) == OK);
        CHECK_ERR(search_run(t, &s.env, &s.root, 100000), OK); /* ends early */
        CHECK_INT(search_node_count(t), 1 + 3 + 9 + 27 + 81);
        CHECK_INT(search_node_at(t, SEARCH_ROOT).visits, 3 + 9 + 27 + 81);
        CHECK_NEAR(search_node_at(t, search_best_terminal(t)).own_value,
                   synthetic_optimum(&s, &s.root, optimum), 1e-7);
        arena_fini(&arena);
    }
}

static void the_synthetic_tree_scales_and_refuses(void)
{
    struct synthetic s;
    double value = -1;

    REQUIRE(synthetic_init(&s, &(struct synthetic_options){ 2, 3, 1 }) == OK);
    struct synthetic_state x = s.root;
    for (int i = 0; i < 3; i++) {
        CHECK(!s.env.terminal(&s.env, &x, &value));
        s.env.apply(&s.env, &x, 1);
    }
    CHECK(s.env.terminal(&s.env, &x, &value));
    CHECK_NEAR(value, x.sum / 3, 1e-15);
    CHECK(x.sum > 0 && x.sum < 3);

    CHECK_ERR(synthetic_init(&s, &(struct synthetic_options){ 0, 3, 1 }), CALLER_BAD_REQUEST);
    CHECK_ERR(synthetic_init(&s, &(struct synthetic_options){ 2, 0, 1 }), CALLER_BAD_REQUEST);
    CHECK_ERR(synthetic_init(&s, &(struct synthetic_options){ SEARCH_CHILDREN_MAX + 1, 3, 1 }),
              CALLER_BAD_REQUEST);
    CHECK_ERR(synthetic_init(&s, &(struct synthetic_options){ 2, SEARCH_DEPTH_MAX + 1, 1 }),
              CALLER_BAD_REQUEST);
}

/* A root that is an end already. */
static void an_end_as_the_root_is_just_valued(void)
{
    for (int policy = 0; policy < SEARCH_POLICY_COUNT; policy++) {
        struct search_config c = search_config_default();
        struct arena arena;
        struct tictactoe g;
        c.policy = (enum search_policy)policy;
        struct search_tree *t = tree_open(&arena, &c);
        REQUIRE(t && tictactoe_init(&g, 0007, 0030) == OK);
        CHECK_ERR(search_run(t, &g.env, &g.root, 10), OK);
        CHECK_INT(search_node_count(t), 1);
        CHECK(search_node_at(t, SEARCH_ROOT).is_terminal);
        CHECK_INT(search_node_at(t, SEARCH_ROOT).visits, policy <= SEARCH_PUCT ? 10 : 0);
        CHECK_INT(search_best(t).node, SEARCH_NONE);
        arena_fini(&arena);
    }
}

TESTS(TEST(game24_is_exact), TEST(game24_refuses_and_prints), TEST(game24_is_solved_by_search),
      TEST(game24_duplicates_are_merged), TEST(jobshop_finds_the_shortest_schedule),
      TEST(jobshop_scales_and_refuses), TEST(tictactoe_never_loses),
      TEST(tictactoe_takes_a_win_and_stops_one), TEST(tictactoe_scores_for_the_roots_mover),
      TEST(the_synthetic_optimum_is_found), TEST(a_full_tree_goes_on_rolling_out),
      TEST(adaptive_runs_exhaust_a_small_tree), TEST(the_synthetic_tree_scales_and_refuses),
      TEST(an_end_as_the_root_is_just_valued))
