/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of config: what a provider speaks. */
#include "test/check.h"

#include "edge/config/internal.h"

static void dialects_and_responses(void)
{
    static const struct {
        const char *entry;
        const char *dialect; /* NULL: the file is refused */
        bool has_responses;
    } rows[] = {
        { "base_url: 'http://h/v1'", "openai", false },
        { "base_url: 'https://api.openai.com/v1'", "openai", true },
        { "base_url: 'https://api.openai.com'", "openai", true },
        { "base_url: 'https://api.openai.com.example/v1'", "openai", false },
        { "base_url: 'https://api.openai.com/v1', responses: false", "openai", false },
        { "base_url: 'http://h', responses: true", "openai", true },
        { "base_url: 'https://api.anthropic.com/v1', dialect: anthropic", "anthropic", false },
        { "base_url: 'http://h', dialect: gemini", NULL, false },
        { "base_url: 'http://h', responses: maybe", NULL, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[200];
        struct config *c = NULL;
        struct config_issues issues;
        snprintf(text, sizeof(text), "providers: {p: {%s}}", rows[i].entry);
        const struct config_text in = { .name = STR("weir.yaml"), .text = str_from(text) };
        enum err e = config_load_text(&in, &c, &issues);
        CHECK((e == OK) == (rows[i].dialect != NULL));
        if (e == OK) {
            const struct config_provider *p = config_provider_find(c, STR("p"));
            REQUIRE(p);
            CHECK_STR(p->dialect, str_from(rows[i].dialect));
            CHECK(p->has_responses == rows[i].has_responses);
            config_close(c);
        }
        config_issues_fini(&issues);
    }
}

static void the_built_in_provider_is_openai(void)
{
    struct config *c = NULL;
    struct config_issues issues;
    const struct config_text in = { .name = STR("weir.yaml"), .text = STR("") };

    REQUIRE(config_load_text(&in, &c, &issues) == OK);
    CHECK_STR(c->providers[0].dialect, STR("openai"));
    CHECK(c->providers[0].has_responses);
    config_close(c);
    config_issues_fini(&issues);
}

TESTS(TEST(dialects_and_responses), TEST(the_built_in_provider_is_openai))
