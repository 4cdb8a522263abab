/* SPDX-License-Identifier: Apache-2.0 */
/* profile's test: what a configuration says of one call reaches the field that it is meant for. */
#include "app/engine/engine_internal.h"

#include "test/check.h"

static void a_call_s_limits_are_the_configuration_s(void)
{
    const struct config config = { .max_retries = 4,
                                   .upstream = { .connect_timeout = 11,
                                                 .first_byte_timeout = 12,
                                                 .idle_timeout = 13,
                                                 .backoff = 14,
                                                 .backoff_max = 15,
                                                 .answer_bytes_max = 16 } };
    struct upstream_limits limits = call_limits(&config);

    CHECK_INT(limits.attempts_max, 5);
    CHECK_INT(limits.connect_timeout, 11);
    CHECK_INT(limits.first_byte_timeout, 12);
    CHECK_INT(limits.idle_timeout, 13);
    CHECK_INT(limits.backoff_base, 14);
    CHECK_INT(limits.backoff_max, 15);
    CHECK_INT(limits.answer_bytes_max, 16);
}

/* A provider's own timeouts hold for it alone; a list of keys is kept in its order; a chain names each model once. */
static void a_target_has_what_its_provider_says(void)
{
    static const str values[] = { { "sk-1", 4 }, { "sk-2", 4 } };
    static const str to_c[] = { { "b", 1 }, { "c", 1 } }, to_d[] = { { "d", 1 }, { "c", 1 } };
    const struct config_provider providers[] = {
        { .name = { "own", 3 },
          .dialect = { "openai", 6 },
          .base_url = { "http://a/v1", 11 },
          .api_keys = { .sources = values, .values = values, .count = 2 },
          .connect_timeout = 21,
          .first_byte_timeout = 22,
          .idle_timeout = 23,
          .timeout = 24 },
        { .name = { "usual", 5 }, .dialect = { "openai", 6 }, .base_url = { "http://b/v1", 11 } },
    };
    const struct config_model models[] = {
        { .name = { "a", 1 },
          .provider = { "own", 3 },
          .upstream_name = { "a", 1 },
          .fallback = { to_c, 2 } },
        { .name = { "b", 1 },
          .provider = { "usual", 5 },
          .upstream_name = { "b", 1 },
          .fallback = { to_d, 2 } },
        { .name = { "c", 1 }, .provider = { "usual", 5 }, .upstream_name = { "c", 1 } },
        { .name = { "d", 1 }, .provider = { "usual", 5 }, .upstream_name = { "d", 1 } },
    };
    const struct config config = { .max_retries = 1,
                                   .upstream = { .connect_timeout = 11,
                                                 .first_byte_timeout = 12,
                                                 .idle_timeout = 13,
                                                 .key_rest = 14 },
                                   .breaker = { 5, 6, 7, 8 },
                                   .providers = providers,
                                   .provider_count = 2,
                                   .models = models,
                                   .model_count = 4,
                                   .strategy = { "direct", 6 },
                                   .mcts = { .selection_policy = { "ucb1", 4 } } };
    struct engine_profile *p = NULL;

    CHECK_ERR(engine_profile_open(&p, &config, NULL), OK);
    const struct upstream_limits *own = &p->targets[0].endpoint->limits;
    const struct upstream_limits *usual = &p->targets[1].endpoint->limits;
    CHECK(own->connect_timeout == 21 && own->first_byte_timeout == 22 && own->idle_timeout == 23);
    CHECK(own->total_timeout == 24 && own->key_rest == 14);
    CHECK(usual->connect_timeout == 11 && usual->first_byte_timeout == 12);
    CHECK(usual->idle_timeout == 13 && usual->total_timeout == 0);
    CHECK(own->breaker.failures == 5 && own->breaker.pause == 6);
    CHECK(own->breaker.pause_max == 7 && own->breaker.ramp == 8);
    CHECK_INT(p->targets[0].key_count, 2);
    CHECK_STR(p->targets[0].keys[0].authorization, STR("Bearer sk-1"));
    CHECK_STR(p->targets[0].keys[1].authorization, STR("Bearer sk-2"));
    CHECK_INT(p->targets[1].key_count, 1);
    CHECK_INT(p->targets[1].keys[0].authorization.len, 0);
    REQUIRE(p->targets[0].fallback_count == 3);
    CHECK(p->targets[0].fallback[0] == &models[1] && p->targets[0].fallback[1] == &models[3]);
    CHECK(p->targets[0].fallback[2] == &models[2]);
    CHECK_INT(p->targets[2].fallback_count, 0);
    engine_profile_close(p);
}

TESTS(TEST(a_call_s_limits_are_the_configuration_s), TEST(a_target_has_what_its_provider_says))
