/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of exporters' keys: what holds without a word, secrets that go by a usual name, what is not of its form. */
#include "edge/config/config_check.h"

#include <stdlib.h>

static void without_a_word_nothing_is_sent(void)
{
    struct loaded l = load(STR("model: gpt-4o-mini\n"));

    REQUIRE(l.c != NULL);
    CHECK_INT(l.c->otlp.endpoint.len, 0);
    CHECK_INT(l.c->langsmith.api_key.len, 0);
    CHECK_INT(l.c->wandb.api_key.len, 0);
    CHECK_INT(l.c->telemetry.sample, 1000000);
    CHECK(!l.c->telemetry.capture_content);
    CHECK(l.c->otlp.traces && !l.c->otlp.metrics);
    CHECK_INT(l.c->telemetry.queue_max, 2048);
    CHECK_STR(l.c->langsmith.endpoint, STR("https://api.smith.langchain.com"));
    CHECK_STR(l.c->wandb.endpoint, STR("https://api.wandb.ai"));
    unload(&l);
}

static void keys_have_usual_names(void)
{
    setenv("LANGSMITH_API_KEY", "ls-key", 1);
    setenv("WANDB_API_KEY", "wb-key", 1);
    setenv("WEIR_TEST_KEY", "other", 1);
    struct loaded l = load(STR("monitoring: {langsmith_enabled: true, wandb_enabled: true}\n"
                               "wandb: {api_key: 'env:WEIR_TEST_KEY'}\n"));
    REQUIRE(l.c != NULL);
    CHECK_INT(l.issues.count, 1); /* the provider's key */
    CHECK_STR(l.c->langsmith.api_key, STR("ls-key"));
    CHECK_STR(l.c->wandb.api_key, STR("other"));
    unload(&l);
    /* What is not switched on is not read. */
    l = load(STR("model: gpt-4o-mini\n"));
    REQUIRE(l.c != NULL);
    CHECK_INT(l.c->langsmith.api_key.len, 0);
    unload(&l);
    unsetenv("LANGSMITH_API_KEY");
    unsetenv("WANDB_API_KEY");
}

static void what_is_wrong_is_said(void)
{
    static const struct {
        const char *text, *want;
        bool is_error;
    } rows[] = {
        { "monitoring: {langsmith_enabled: true}",
          "1:14 monitoring.langsmith_enabled has no effect: LANGSMITH_API_KEY is not set", false },
        { "monitoring: {wandb_enabled: true}",
          "1:14 monitoring.wandb_enabled has no effect: WANDB_API_KEY is not set", false },
        { "wandb: {api_key: 'env:WEIR_TEST_NONE'}",
          "1:18 WEIR_TEST_NONE is not set: wandb.api_key has no value", false },
        { "langsmith: {api_key: 'lsv2_secret'}",
          "1:22 langsmith.api_key must be env:NAME or file:PATH, never the secret itself", true },
        { "otlp: {headers: ['env:WEIR_TEST_LINE']}",
          "1:7 otlp.headers[0] must hold a line 'Name: value'", true },
        { "otlp: {resource: ['=me']}", "1:7 otlp.resource[0] must be name=value", true },
        { "otlp: {resource: ['a=b', 'me']}", "1:7 otlp.resource[1] must be name=value", true },
        { "otlp: {endpoint: 'ftp://h'}", "1:18 otlp.endpoint must begin with http:// or https://",
          true },
        { "telemetry: {sample: 101%}", "1:21 telemetry.sample must be", true },
        { "otlp: {headers: [env:WEIR_TEST_H, env:WEIR_TEST_H, env:WEIR_TEST_H, env:WEIR_TEST_H, "
          "env:WEIR_TEST_H, env:WEIR_TEST_H, env:WEIR_TEST_H]}",
          "1:7 otlp.headers has more than 6", true },
    };

    setenv("OPENAI_API_KEY", "sk-test", 1);
    setenv("WEIR_TEST_LINE", "no colon here", 1);
    setenv("WEIR_TEST_H", "A: b", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded l = load(str_from(rows[i].text));
        CHECK_INT(l.e, rows[i].is_error ? CALLER_BAD_REQUEST : OK);
        if (!str_starts(str_from(l.first), str_from(rows[i].want)))
            fprintf(stderr, "    got %s\n    want %s\n", l.first, rows[i].want);
        CHECK(str_starts(str_from(l.first), str_from(rows[i].want)));
        CHECK(str_find(str_from(l.first), STR("no colon here")) == STR_NPOS);
        unload(&l);
    }
    struct loaded l = load(STR("otlp: {headers: [env:WEIR_TEST_H], endpoint: 'http://h:1/x/'}"));
    REQUIRE(l.c != NULL);
    CHECK_INT(l.issues.count, 0);
    CHECK_INT(l.c->otlp.header_count, 1);
    unload(&l);
    unsetenv("OPENAI_API_KEY");
}

TESTS(TEST(without_a_word_nothing_is_sent), TEST(keys_have_usual_names),
      TEST(what_is_wrong_is_said))
