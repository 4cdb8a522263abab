/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the prompts, the schemas of replies, and names. */
#include "core/reason/reason_world.h"

static void builtin_prompts_are_well_formed(void)
{
    struct arena a;
    str texts[ROLE_COUNT], what = { 0 };
    const struct reason_prompts *prompts = NULL;

    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        texts[i] = reason_prompts_files[i];
        CHECK(str_starts(texts[i], STR("# version: ")));
    }
    CHECK_ERR(reason_prompts_init(&a, texts, &prompts, &what), OK);
    CHECK_STR(what, (str){ 0 });
    REQUIRE(prompts);
    CHECK(reason_prompts_hash(prompts) == reason_prompts_hash(reason_prompts_builtin()));
    texts[ROLE_CHECK] = STR("{question} {answer}");
    CHECK_ERR(reason_prompts_init(&a, texts, &prompts, &what), OK);
    CHECK(reason_prompts_hash(prompts) != reason_prompts_hash(reason_prompts_builtin()));
    texts[ROLE_CHECK] = STR("{question}");
    CHECK_ERR(reason_prompts_init(&a, texts, &prompts, &what), WEIR_CONFIG);
    CHECK_STR(what, STR("prompt check: the slot {answer} is missing"));
    texts[ROLE_CHECK] = STR("# version: 2"); /* and nothing else */
    CHECK_ERR(reason_prompts_init(&a, texts, &prompts, &what), WEIR_CONFIG);
    CHECK_STR(what, STR("prompt check: the slot {question} is missing"));
    texts[ROLE_CHECK] = STR("{question} {answer} {secret}");
    CHECK_ERR(reason_prompts_init(&a, texts, &prompts, &what), WEIR_CONFIG);
    CHECK_STR(what, STR("prompt check: {secret} is not a slot of it"));
    arena_fini(&a);
}

/* What stands in a question is not a slot. */
static void renders_once(void)
{
    const struct prompt_values values = {
        .at = { [SLOT_QUESTION] = S("{answer} {x"), [SLOT_ANSWER] = S("1") }
    };
    str texts[ROLE_COUNT];
    struct arena a;

    for (size_t i = 0; i < ROLE_COUNT; i++)
        texts[i] = STR("# version: 3\n{\"a\": {}} {question}|{answer}{format}{");
    const struct reason_prompts prompts = { texts };
    arena_init(&a, 1 << 20);
    CHECK_STR(prompt_render(&a, &prompts, ROLE_CHECK, &values), STR("{\"a\": {}} {answer} {x|1{"));
    arena_fini(&a);
}

static void schemas_are_json(void)
{
    static const struct reason_outcome plan = { .text = S(SPLIT) };
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct json schema;
    struct world w;

    REQUIRE(world_open(&w, REASON_HRM, &usual, &no_verifier) == OK);
    for (int i = 0; i < 2; i++) {
        REQUIRE(reason_ask(w.reason, &plenty, calls) > 0);
        REQUIRE(json_parse(&w.arena, calls[0].schema, &schema, NULL) == OK);
        CHECK(
            json_exists(json_path(schema, STR("properties.subquestions.items.properties.needs"))));
        CHECK_INT(json_count(json_get(schema, STR("required"))),
                  json_count(json_get(schema, STR("properties"))));
        reason_tell(w.reason, 1, &plan);
    }
    world_close(&w);
}

static void names_are_found(void)
{
    enum reason_strategy found;

    for (size_t i = 0; i < REASON_STRATEGY_COUNT; i++) {
        REQUIRE(
            reason_strategy_find(str_from(reason_strategy_name((enum reason_strategy)i)), &found));
        CHECK_INT(found, i);
    }
    CHECK(!reason_strategy_find(STR("guess"), &found));
    for (size_t i = 0; i < REASON_POLICY_COUNT; i++) {
        enum reason_policy policy = REASON_POLICY_COUNT;
        CHECK(reason_policy_find(str_from(reason_policy_name((enum reason_policy)i)), &policy));
        CHECK_INT(policy, i);
    }
    CHECK(!reason_policy_find(STR("ucb2"), &(enum reason_policy){ 0 }));
}

TESTS(TEST(builtin_prompts_are_well_formed), TEST(renders_once), TEST(schemas_are_json),
      TEST(names_are_found))
