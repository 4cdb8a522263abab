/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the tree search over steps, call by call: what models propose, what they are told, and what faults do. */
#include "core/reason/reason_world.h"

static struct reason_config config_of(enum reason_policy policy)
{
    struct reason_config config = usual;

    config.mcts.policy = policy;
    config.mcts.max_tree_depth = 6;
    config.seed = 1;
    return config;
}

/* The proposals that a call after `first` is told of; false: no call of this seed asks for more at the root. */
static bool asks_wider(uint64_t seed, const struct reason_outcome *first)
{
    struct reason_config config = config_of(REASON_POLICY_AB_MCTS);
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    bool has_wider = false;
    struct world w;

    config.seed = seed;
    if (world_open(&w, REASON_MCTS, &config, &no_verifier) != OK)
        return false;
    CHECK(reason_ask(w.reason, &plenty, calls) > 0);
    CHECK(str_find(calls[0].messages[3].content, STR("No step was taken yet.")) != STR_NPOS);
    CHECK(str_find(calls[0].messages[3].content, STR("Proposed already")) == STR_NPOS);
    reason_tell(w.reason, 1, first);
    size_t n = reason_ask(w.reason, &plenty, calls);
    for (size_t i = 0; i < n; i++) {
        str prompt = calls[i].messages[3].content;
        size_t at = str_find(prompt, STR("Proposed already; propose others:\n"));
        if (at == STR_NPOS)
            continue;
        has_wider = true;
        CHECK(str_starts(str_slice(prompt, at, prompt.len),
                         STR("Proposed already; propose others:\n- Press  A.\n- 6\nQuestion:")));
    }
    world_close(&w);
    return has_wider;
}

/* The same step in other spellings is one child: it is told to the model once. Whether a search asks for more is drawn. */
static void drops_equal_siblings(void)
{
    const struct reason_outcome first = {
        .text = STR("{\"proposals\":[{\"step\":\"Press  A.\",\"answer\":\"\",\"value\":0.5},"
                    "{\"step\":\"press a\",\"answer\":\"\",\"value\":0.5},"
                    "{\"step\":\"\",\"answer\":\"6\",\"value\":0.5},"
                    "{\"step\":\"so\",\"answer\":\"6.0\",\"value\":0.5}]}")
    };
    int wider = 0;

    for (uint64_t seed = 1; seed <= 32; seed++)
        wider += asks_wider(seed, &first);
    CHECK(wider > 0);
}

/* A refused answer is worth nothing, however proud the model is of it: the search turns away from it. */
static void turns_away_from_refused_answers(void)
{
    static const struct verifier verifier = { VERIFY_REGEX, S("[0-9]+") };
    static const char root[] =
        "{\"proposals\":[{\"step\":\"east\",\"value\":0.6},{\"step\":\"west\",\"value\":0.5}]}";
    static const char east[] =
        "{\"proposals\":[{\"answer\":\"x\",\"value\":1},{\"answer\":\"y\",\"value\":1}]}";
    static const char west[] =
        "{\"proposals\":[{\"step\":\"up\",\"value\":0.5},{\"step\":\"down\",\"value\":0.5}]}";
    struct reason_config config = config_of(REASON_POLICY_UCB1);
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    config.mcts.exploration_constant = 0.1;
    REQUIRE(world_open(&w, REASON_MCTS, &config, &verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    reason_tell(w.reason, 1, &(struct reason_outcome){ .text = STR(root) });
    size_t n = reason_ask(w.reason, &plenty, calls);
    REQUIRE(n >= 2);
    for (size_t i = 0; i < n; i++) {
        bool is_east = str_find(calls[i].messages[3].content, STR("- east\n")) != STR_NPOS;
        reason_tell(w.reason, calls[i].id,
                    &(struct reason_outcome){ .text = str_from(is_east ? east : west) });
    }
    n = reason_ask(w.reason, &plenty, calls);
    CHECK(n > 0);
    for (size_t i = 0; i < n; i++)
        CHECK(str_find(calls[i].messages[3].content, STR("Steps so far:\n- east\n")) == STR_NPOS);
    world_close(&w);
}

/* A verified answer ends it while other looks are under way. */
static void stops_when_verified(void)
{
    static const struct verifier verifier = { VERIFY_REGEX, S("42") };
    const struct reason_config config = config_of(REASON_POLICY_UCB1);
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_MCTS, &config, &verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    reason_tell(
        w.reason, 1,
        &(struct reason_outcome){ .text = STR("{\"proposals\":[{\"step\":\"a\",\"value\":0.5},"
                                              "{\"step\":\"b\",\"value\":0.5}]}") });
    REQUIRE(reason_ask(w.reason, &plenty, calls) >= 2);
    reason_tell(w.reason, calls[1].id,
                &(struct reason_outcome){
                    .text = STR("{\"proposals\":[{\"answer\":\"42\",\"value\":0}]}") });
    CHECK(reason_done(w.reason));
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("verified"));
    world_close(&w);
}

static void tells_what_was_refused(void)
{
    static const struct verifier verifier = { VERIFY_REGEX, S("[a-c]+") };
    const struct reason_config config = config_of(REASON_POLICY_UCB1);
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_MCTS, &config, &verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    CHECK(str_find(calls[0].messages[3].content, STR("refused")) == STR_NPOS);
    CHECK(str_find(calls[0].messages[3].content, STR("must match the pattern [a-c]+")) != STR_NPOS);
    reason_tell(w.reason, 1,
                &(struct reason_outcome){
                    .text = STR("{\"proposals\":[{\"step\":\"\",\"answer\":\"xyz\",\"value\":1},"
                                "{\"step\":\"go on\",\"answer\":\"\",\"value\":0.2}]}") });
    CHECK_STR(reason_best(w.reason).answer, STR("xyz")); /* better than nothing */
    CHECK(reason_best(w.reason).confidence <= 0.1);
    REQUIRE(reason_ask(w.reason, &plenty, calls) > 0);
    CHECK(str_find(calls[0].messages[3].content,
                   STR("Final answers that were refused:\n- \"xyz\" does not match the pattern "
                       "[a-c]+.\n")) != STR_NPOS);
    world_close(&w);
}

static void gives_up_on_faults(void)
{
    static const char steps[] =
        "{\"proposals\":[{\"step\":\"a\"},{\"step\":\"b\"},{\"step\":\"c\"}]}";
    static const struct {
        enum err first; /* of the first call, of the others */
        enum err then;
        const char *text;
        int calls;
        enum err fault;
    } rows[] = {
        { PROVIDER_AUTH, PROVIDER_AUTH, steps, 1, PROVIDER_AUTH },
        /* Four in a row, and the call for an answer. */
        { PROVIDER_CUT, PROVIDER_CUT, steps, 5, PROVIDER_CUT },
        /* The root's, four in a row, and the call for an answer; what had not left yet stays. */
        { OK, PROVIDER_CUT, steps, 6, PROVIDER_CUT },
        /* No proposals at the root, twice, and the call for an answer. */
        { OK, OK, "{\"proposals\":[]}", 3, PROVIDER_GARBAGE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct reason_config config = config_of(REASON_POLICY_UCB1);
        struct reason_budget left = plenty;
        struct world w;
        int asked = 0;
        REQUIRE(world_open(&w, REASON_MCTS, &config, &no_verifier) == OK);
        while (!reason_done(w.reason)) {
            struct reason_call calls[REASON_CALLS_AT_ONCE];
            size_t n = reason_ask(w.reason, &left, calls);
            for (size_t k = 0; k < n; k++) {
                struct reason_outcome outcome = {
                    .fault = asked++ == 0 ? rows[i].first : rows[i].then,
                    .text = str_from(rows[i].text),
                };
                reason_tell(w.reason, calls[k].id, &outcome);
            }
        }
        CHECK_INT(asked, rows[i].calls);
        CHECK_STR(str_from(reason_best(w.reason).halt), STR("failed"));
        CHECK_ERR(reason_best(w.reason).fault, rows[i].fault);
        world_close(&w);
    }
}

/* Of the root's proposals the best are gone on from first, in whatever order the model names them; a step of one
 * name that leads from elsewhere is another. */
static void goes_on_from_the_best(void)
{
    static const char root[] =
        "{\"proposals\":[{\"step\":\"north\",\"value\":0.1},"
        "{\"step\":\"east\",\"value\":0.8},{\"step\":\"west\",\"value\":0.9}]}";
    static const char knock[] = "{\"proposals\":[{\"step\":\"knock\",\"value\":0.9}]}";
    const struct reason_config config = config_of(REASON_POLICY_UCB1);
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;
    bool from_east = false, from_west = false;

    REQUIRE(world_open(&w, REASON_MCTS, &config, &no_verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    reason_tell(w.reason, 1, &(struct reason_outcome){ .text = STR(root) });
    size_t n = reason_ask(w.reason, &plenty, calls);
    REQUIRE(n >= 2);
    CHECK(str_find(calls[0].messages[3].content, STR("Steps so far:\n- west\n")) != STR_NPOS);
    CHECK(str_find(calls[1].messages[3].content, STR("Steps so far:\n- east\n")) != STR_NPOS);
    CHECK_INT(calls[0].parent, 1);
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < n; i++)
            reason_tell(w.reason, calls[i].id, &(struct reason_outcome){ .text = STR(knock) });
        n = reason_ask(w.reason, &plenty, calls);
        for (size_t i = 0; i < n; i++) {
            str prompt = calls[i].messages[3].content;
            bool is_fresh = str_find(prompt, STR("Proposed already")) == STR_NPOS;
            from_east |= is_fresh && str_find(prompt, STR("- east\n- knock\nQuestion")) != STR_NPOS;
            from_west |= is_fresh && str_find(prompt, STR("- west\n- knock\nQuestion")) != STR_NPOS;
        }
    }
    CHECK(from_east);
    CHECK(from_west);
    world_close(&w);
}

/* What a model may say instead of the form. */
static void reads_proposals_with_patience(void)
{
    static const struct {
        const char *text;
        const char *answer; /* NULL: none */
        double stated;
    } rows[] = {
        { "{\"proposals\":[{\"step\":\"s\",\"answer\":\"7\",\"value\":0.25}]}", "7", 0.25 },
        { "{\"proposals\":[{\"answer\":7,\"value\":\"80%\"}]}", "7", 0.8 },
        { "{\"proposals\":[{\"answer\":\"7\"}]}", "7", -1 },
        { "{\"proposals\":[{\"answer\":\"7\",\"value\":-4}]}", "7", -1 },
        { "{\"answer\":\"7\",\"step\":\"s\",\"value\":0.5}", "7", 0.5 },
        { "Sure: "
          "{\"proposals\":[{\"answer\":\"7\",\"value\":0.5},{\"answer\":\"8\",\"value\":0.6}]}",
          "8", 0.6 },
        { "{\"proposals\":[{\"step\":\"cut\",\"answer\":\"7\",\"value\":0.5},{\"step\":\"o", "7",
          0.5 },
        { "The answer is 7.", "7", -1 },
        { "{\"proposals\":[1,null,[],{},{\"step\":\" \"}]}", NULL, -1 },
        { "{\"proposals\":{}}", NULL, -1 },
        { "{\"proposals\":[{\"step\":\"only\",\"answer\":\"\",\"value\":0.5}]}", NULL, -1 },
        { "", NULL, -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct reason_config config = config_of(REASON_POLICY_UCB1);
        struct reason_call calls[REASON_CALLS_AT_ONCE];
        struct world w;
        REQUIRE(world_open(&w, REASON_MCTS, &config, &no_verifier) == OK);
        REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
        reason_tell(w.reason, 1, &(struct reason_outcome){ .text = str_from(rows[i].text) });
        CHECK_STR(reason_best(w.reason).answer, str_from(rows[i].answer));
        CHECK_NEAR(reason_best(w.reason).signals.stated, rows[i].stated, 1e-12);
        best_is_valid(w.reason);
        world_close(&w);
    }
}

TESTS(TEST(drops_equal_siblings), TEST(turns_away_from_refused_answers), TEST(stops_when_verified),
      TEST(tells_what_was_refused), TEST(gives_up_on_faults), TEST(goes_on_from_the_best),
      TEST(reads_proposals_with_patience))
