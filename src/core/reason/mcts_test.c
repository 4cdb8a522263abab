/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the tree search over steps, against a model whose world is known: a lock is opened by three presses of a, b
 * or c; the model proposes presses, and after three of them what it would answer.
 */
#include "base/rng.h"
#include "core/reason/reason_world.h"

#define PRESSES 3

enum manner {
    BLIND, /* every proposal is worth .5 */
    SEEING, /* the right press is worth more */
    FORGETTING, /* blind, and its situation is which keys were pressed, whatever the order */
    TALKING, /* never gives an answer unless no step is left */
    STUBBORN /* not even then */
};

struct lock {
    const char *code; /* "cab" */
    enum manner manner;
    struct rng *flaky; /* NULL, or draws which calls fail: two in five */
    struct buf
        contexts; /* of all prompts, one a line: presses, '+' when others are asked for, '!' when answers are */
    int calls;
    int most_at_once;
};

/* The presses that the prompt lists as taken. */
static int presses_of(str prompt, char out[REASON_DEPTH_MAX])
{
    size_t from = str_find(prompt, STR("Steps so far:"));
    int n = 0;

    if (from == STR_NPOS)
        return 0;
    str rest = str_slice(prompt, from, prompt.len), line;
    (void)str_next(&rest, '\n', &line);
    while (str_next(&rest, '\n', &line) && str_starts(line, STR("- press ")) &&
           n < REASON_DEPTH_MAX)
        out[n++] = line.ptr[8];
    return n;
}

struct draft {
    const char *step, *state;
    str answer;
    double value;
};

static void propose(struct buf *out, const struct draft *p)
{
    buf_add(out, out->ptr[out->len - 1] == '[' ? STR("") : STR(","));
    buf_printf(out, "{\"step\":\"%s\",\"state\":\"%s\",\"answer\":\"%.*s\",\"value\":%g}", p->step,
               p->state, STR_ARG(p->answer), p->value);
}

/* "now cab", or of a forgetting model "now abc". */
static void situation(const struct lock *lock, const char *taken, int n, char next, char out[80])
{
    int counts[3] = { 0 }, at = 0;

    at += snprintf(out, 80, "now ");
    for (int i = 0; i <= n; i++) {
        char c = i < n ? taken[i] : next;
        counts[c - 'a']++;
        if (lock->manner != FORGETTING)
            out[at++] = c;
    }
    for (int k = 0; lock->manner == FORGETTING && k < 3; k++) {
        for (int i = 0; i < counts[k]; i++)
            out[at++] = (char)('a' + k);
    }
    out[at] = '\0';
}

static void lock_reply(struct lock *lock, const struct reason_call *call, struct buf *out)
{
    str prompt = call->messages[call->message_count - 1].content;
    char taken[REASON_DEPTH_MAX];
    int n = presses_of(prompt, taken);
    bool must = str_find(prompt, STR("No steps are left")) != STR_NPOS;
    int right = 0;

    while (right < n && right < PRESSES && taken[right] == lock->code[right])
        right++;
    buf_reset(out);
    buf_add(out, STR("{\"proposals\":["));
    double blind = lock->manner == BLIND || lock->manner == FORGETTING ? 0.5 : -1.0;
    bool talks_on = lock->manner == TALKING || lock->manner == STUBBORN;
    if ((n >= PRESSES && !talks_on) || (must && lock->manner != STUBBORN)) {
        str answer = n > 0 ? (str){ taken, (size_t)n } : STR("nothing");
        double value = blind >= 0 ? blind : right >= PRESSES ? 0.9 : 0.1;
        propose(out, &(struct draft){ .step = "", .state = "", .answer = answer, .value = value });
    } else {
        for (char c = 'a'; c <= 'c'; c++) {
            char step[32], state[80];
            bool is_right = right == n && lock->code[n % PRESSES] == c;
            double value = blind >= 0 ? blind : is_right ? 0.8 : 0.2;
            snprintf(step, sizeof(step), "press %c", c);
            situation(lock, taken, n, c, state);
            propose(out, &(struct draft){ .step = step, .state = state, .value = value });
        }
    }
    buf_add(out, STR("]}"));
}

/* Plays until it is done; every call is answered in the order of asking. */
static void lock_play(struct world *w, struct lock *lock, const struct reason_budget *budget)
{
    struct reason_budget left = *budget;
    struct buf text = { 0 };

    for (int turn = 0; turn < 2000 && !reason_done(w->reason); turn++) {
        struct reason_call calls[REASON_CALLS_AT_ONCE];
        size_t n = reason_ask(w->reason, &left, calls);
        CHECK(n > 0 || reason_done(w->reason));
        CHECK((int)n <= left.calls);
        lock->most_at_once = (int)n > lock->most_at_once ? (int)n : lock->most_at_once;
        for (size_t i = 0; i < n; i++) {
            char taken[REASON_DEPTH_MAX];
            if (calls[i].role == ROLE_STEP) {
                lock_reply(lock, &calls[i], &text);
            } else { /* what comes before a search */
                buf_reset(&text);
                buf_add(&text, STR("{\"answer\":\"x\",\"confidence\":0.1}"));
            }
            str prompt = calls[i].messages[calls[i].message_count - 1].content;
            int presses = presses_of(prompt, taken);
            buf_printf(&lock->contexts, "%.*s%s%s\n", presses, taken,
                       str_find(prompt, STR("Proposed already")) != STR_NPOS ? "+" : "",
                       str_find(prompt, STR("No steps are left")) != STR_NPOS ? "!" : "");
            lock->calls++;
            left.calls--;
            enum err fault = lock->flaky && rng_below(lock->flaky, 5) < 2 ? PROVIDER_CUT : OK;
            reason_tell(w->reason, calls[i].id,
                        &(struct reason_outcome){ .fault = fault, .text = buf_str(&text) });
            best_is_valid(w->reason);
        }
    }
    CHECK(reason_done(w->reason));
    buf_fini(&text);
}

static struct reason_config config_of(enum reason_policy policy)
{
    struct reason_config config = usual;

    config.mcts.policy = policy;
    config.mcts.max_tree_depth = 6;
    config.seed = 1;
    return config;
}

static void opens_the_lock(void)
{
    static const struct verifier verifier = { VERIFY_REGEX, S("cab") };
    static const struct {
        enum manner manner;
        bool is_flaky;
        int calls_most[REASON_POLICY_COUNT];
    } rows[] = { { BLIND, false, { 45, 45, 75 } },
                 { SEEING, false, { 18, 12, 24 } },
                 { SEEING, true, { 24, 20, 36 } } };

    for (size_t i = 0; i < ARRAY_LEN(rows) * REASON_POLICY_COUNT; i++) {
        const enum reason_policy policy = (enum reason_policy)(i % REASON_POLICY_COUNT);
        const struct reason_config config = config_of(policy);
        size_t row = i / REASON_POLICY_COUNT;
        struct rng rng;
        rng_init(&rng, 3);
        struct lock lock = { .code = "cab",
                             .manner = rows[row].manner,
                             .flaky = rows[row].is_flaky ? &rng : NULL };
        struct world w;
        REQUIRE(world_open(&w, REASON_MCTS, &config, &verifier) == OK);
        lock_play(&w, &lock, &plenty);
        struct reason_best best = reason_best(w.reason);
        CHECK_STR(best.answer, STR("cab"));
        CHECK_STR(str_from(best.halt), STR("verified"));
        CHECK(best.confidence > 0.9);
        CHECK(lock.calls <= rows[row].calls_most[policy]);
        CHECK(lock.most_at_once > 1);
        if (lock.calls > rows[row].calls_most[policy])
            fprintf(stderr, "row %zu %s: %d calls\n", row, reason_policy_name(policy), lock.calls);
        buf_fini(&lock.contexts);
        world_close(&w);
    }
}

/* Without a verifier the model's own values decide. */
static void believes_values_without_a_verifier(void)
{
    const struct reason_config config = config_of(REASON_POLICY_PUCT);
    struct lock lock = { .code = "bca", .manner = SEEING };
    struct world w;

    REQUIRE(world_open(&w, REASON_MCTS, &config, &no_verifier) == OK);
    lock_play(&w, &lock, &plenty);
    CHECK_STR(reason_best(w.reason).answer, STR("bca"));
    CHECK(lock.calls <= 100);
    CHECK_NEAR(reason_best(w.reason).signals.stated, 0.9, 1e-12);
    buf_fini(&lock.contexts);
    world_close(&w);
}

static size_t count_lines(const struct lock *lock, str line)
{
    str rest = buf_str(&lock->contexts), field;
    size_t n = 0;

    while (str_next(&rest, '\n', &field))
        n += str_eq(field, line);
    return n;
}

/* "a" then "b" and "b" then "a" are the same to this model: only one of them is gone on from. */
static void merges_equal_situations(void)
{
    static const struct verifier never = { VERIFY_REGEX, S("z") };
    static const struct {
        enum manner manner;
        enum reason_policy policy;
        int lines; /* of {ab, ba} that were gone on from */
    } rows[] = { { FORGETTING, REASON_POLICY_UCB1, 1 },
                 { FORGETTING, REASON_POLICY_PUCT, 1 },
                 { BLIND, REASON_POLICY_UCB1, 2 },
                 { FORGETTING, REASON_POLICY_AB_MCTS, 2 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason_config config = config_of(rows[i].policy);
        struct lock lock = { .code = "abc", .manner = rows[i].manner };
        struct world w;
        REQUIRE(world_open(&w, REASON_MCTS, &config, &never) == OK);
        lock_play(&w, &lock, &plenty);
        CHECK_INT((count_lines(&lock, STR("ab")) > 0) + (count_lines(&lock, STR("ba")) > 0),
                  rows[i].lines);
        buf_fini(&lock.contexts);
        world_close(&w);
    }
}

/* The last call goes for an answer at the end of the best line, whatever sort of budget ends the search. */
static void keeps_a_call_for_the_answer(void)
{
    static const struct {
        int simulations;
        int calls;
        const char *halt;
    } rows[] = {
        { 1, 100, "simulations used up" },
        { 5, 100, "simulations used up" },
        { 100, 1, "budget" },
        { 100, 2, "budget" },
        { 100, 3, "budget" },
        { 100, 7, "budget" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason_config config = config_of(REASON_POLICY_UCB1);
        struct reason_budget budget = plenty;
        struct lock lock = { .code = "cab", .manner = TALKING };
        struct world w;
        int all = rows[i].simulations < rows[i].calls ? rows[i].simulations : rows[i].calls;
        config.mcts.simulation_budget = rows[i].simulations;
        config.mcts.max_tree_depth = 20;
        budget.calls = rows[i].calls;
        REQUIRE(world_open(&w, REASON_MCTS, &config, &no_verifier) == OK);
        lock_play(&w, &lock, &budget);
        CHECK(reason_best(w.reason).has_answer);
        CHECK_STR(str_from(reason_best(w.reason).halt), str_from(rows[i].halt));
        CHECK_INT(lock.calls, all);
        str contexts = str_trim(buf_str(&lock.contexts));
        CHECK(str_ends(contexts, STR("!")));
        CHECK(str_find(str_slice(contexts, 0, contexts.len - 1), STR("!")) == STR_NPOS);
        /* At the end of a line, once there is one. */
        if (all > 2)
            CHECK(contexts.ptr[contexts.len - 2] >= 'a');
        buf_fini(&lock.contexts);
        world_close(&w);
    }
}

/* An answer of the last call is verified, too. */
static void verifies_the_last_answer(void)
{
    static const struct verifier verifier = { VERIFY_REGEX, S("[a-c]*cab[a-c]*|nothing") };
    struct reason_config config = config_of(REASON_POLICY_UCB1);
    struct lock lock = { .code = "cab", .manner = TALKING };
    struct world w;

    config.mcts.simulation_budget = 1;
    REQUIRE(world_open(&w, REASON_MCTS, &config, &verifier) == OK);
    lock_play(&w, &lock, &plenty);
    CHECK_STR(reason_best(w.reason).answer, STR("nothing"));
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("verified"));
    buf_fini(&lock.contexts);
    world_close(&w);
}

/* Whoever has an answer needs no such call. */
static void spends_all_simulations_when_there_is_an_answer(void)
{
    struct reason_config config = config_of(REASON_POLICY_UCB1);
    static const struct verifier never = { VERIFY_REGEX, S("z") };
    struct lock lock = { .code = "cab", .manner = BLIND };
    struct world w;

    config.mcts.simulation_budget = 25;
    config.mcts.max_tree_depth = 4;
    REQUIRE(world_open(&w, REASON_MCTS, &config, &never) == OK);
    lock_play(&w, &lock, &plenty);
    CHECK_INT(lock.calls, 25);
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("simulations used up"));
    CHECK(reason_best(w.reason).has_answer);
    CHECK(reason_best(w.reason).confidence < 0.1);
    buf_fini(&lock.contexts);
    world_close(&w);

    /* So do all calls of the budget go into looks. */
    struct reason_budget budget = plenty;
    budget.calls = 20;
    lock = (struct lock){ .code = "cab", .manner = BLIND };
    REQUIRE(world_open(&w, REASON_MCTS, &config, &never) == OK);
    lock_play(&w, &lock, &budget);
    CHECK_INT(lock.calls, 20);
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("budget"));
    buf_fini(&lock.contexts);
    world_close(&w);
}

/* A search within full_stack may make as many calls as one alone. */
static void has_its_own_calls_in_full_stack(void)
{
    struct reason_config config = config_of(REASON_POLICY_UCB1);
    static const struct verifier never = { VERIFY_REGEX, S("z") };
    struct lock lock = { .code = "cab", .manner = TALKING };
    struct world w;

    config.mcts.simulation_budget = 150;
    config.mcts.max_tree_depth = 20;
    REQUIRE(world_open(&w, REASON_FULL_STACK, &config, &never) == OK);
    lock_play(&w, &lock, &plenty);
    CHECK_INT(lock.calls, 2 + 150); /* a plan, a rewrite, the search */
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("simulations used up"));
    buf_fini(&lock.contexts);
    world_close(&w);
}

/* Nothing deeper than max_tree_depth: at the last step only answers count. */
static void keeps_to_its_depth(void)
{
    struct reason_config config = config_of(REASON_POLICY_UCB1);
    struct lock lock = { .code = "cab", .manner = TALKING };
    struct world w;

    config.mcts.max_tree_depth = 2;
    REQUIRE(world_open(&w, REASON_MCTS, &config, &no_verifier) == OK);
    lock_play(&w, &lock, &plenty);
    str rest = buf_str(&lock.contexts), line;
    while (str_next(&rest, '\n', &line))
        CHECK(line.len == 0 || line.ptr[0] == '+' || str_ends(line, STR("!")));
    CHECK_INT(count_lines(&lock, STR("a!")) > 0, true);
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("tree exhausted"));
    buf_fini(&lock.contexts);
    world_close(&w);
}

/* Steps at the last depth lead nowhere: they are dropped, whatever the model thinks of them. */
static void drops_steps_without_a_future(void)
{
    struct reason_config config = config_of(REASON_POLICY_UCB1);
    struct lock lock = { .code = "cab", .manner = STUBBORN };
    struct world w;

    config.mcts.max_tree_depth = 1;
    REQUIRE(world_open(&w, REASON_MCTS, &config, &no_verifier) == OK);
    lock_play(&w, &lock, &plenty);
    CHECK_STR(buf_str(&lock.contexts), STR("!\n!\n")); /* a look, and the call for an answer */
    CHECK_ERR(reason_best(w.reason).fault, PROVIDER_GARBAGE);
    buf_fini(&lock.contexts);
    world_close(&w);
}

/* More exploration looks at more. */
static void explores_as_configured(void)
{
    static const struct verifier verifier = { VERIFY_REGEX, S("cab") };
    static const double constants[] = { 0.05, 10.0 };
    int calls[ARRAY_LEN(constants)];

    for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
        struct reason_config config = config_of(REASON_POLICY_UCB1);
        struct lock lock = { .code = "cab", .manner = SEEING };
        struct world w;
        config.mcts.exploration_constant = constants[i];
        REQUIRE(world_open(&w, REASON_MCTS, &config, &verifier) == OK);
        lock_play(&w, &lock, &plenty);
        calls[i] = lock.calls;
        buf_fini(&lock.contexts);
        world_close(&w);
    }
    CHECK(calls[0] < calls[1]);
}

/* The same seed gives the same calls; another may give others. */
static void is_repeatable(void)
{
    static const struct verifier never = { VERIFY_REGEX, S("z") };
    uint64_t hashes[4];

    for (size_t i = 0; i < 4; i++) {
        struct reason_config config = config_of(REASON_POLICY_AB_MCTS);
        struct lock lock = { .code = "cab", .manner = BLIND };
        struct world w;
        config.seed = i / 2;
        config.mcts.simulation_budget = 40;
        REQUIRE(world_open(&w, REASON_MCTS, &config, &never) == OK);
        lock_play(&w, &lock, &plenty);
        hashes[i] = str_hash(buf_str(&lock.contexts));
        buf_fini(&lock.contexts);
        world_close(&w);
    }
    CHECK(hashes[0] == hashes[1]);
    CHECK(hashes[2] == hashes[3]);
    CHECK(hashes[0] != hashes[2]);
}

TESTS(TEST(opens_the_lock), TEST(believes_values_without_a_verifier), TEST(merges_equal_situations),
      TEST(keeps_a_call_for_the_answer), TEST(verifies_the_last_answer),
      TEST(spends_all_simulations_when_there_is_an_answer), TEST(has_its_own_calls_in_full_stack),
      TEST(keeps_to_its_depth), TEST(drops_steps_without_a_future), TEST(explores_as_configured),
      TEST(is_repeatable))
