/* SPDX-License-Identifier: Apache-2.0 */
/* config's tests of files: overlays, secrets, prices, prompts, the shipped files. */
#include "edge/config/internal.h"

#include <unistd.h>

#include "edge/config/config_check.h"

/* Where the shipped files are, seen from where tests run; NULL when they are not there. */
static const char *shipped(const char *name, char out[64])
{
    static const char *const roots[] = { "config", "../config", "../../config" };

    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        snprintf(out, 64, "%s/%s", roots[i], name);
        if (access(out, R_OK) == 0)
            return out;
    }
    return NULL;
}

static void an_extending_file_lies_above(void)
{
    struct nest nest = { 0 };
    char path[160];

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "c.yaml",
               "model: base\nmax_retries: 7\nhrm: {h_module_layers: 1, l_module_iterations: 2}\n"
               "models: {x: {upstream_name: x1}, y: {upstream_name: y1}}\n");
    nest_write(&nest, "b.yaml", "extends: c.yaml\ntemperature: 0.1\nhrm: {h_module_layers: 5}\n");
    nest_write(&nest, "a.yaml", "extends: b.yaml\nmodel: top\nmodels: {x: {upstream_name: x2}}\n");
    struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
    REQUIRE(l.e == OK);
    CHECK_STR(l.c->model, STR("top"));
    CHECK_INT(l.c->max_retries, 7);
    CHECK_INT(l.c->hrm.h_module_layers, 5);
    CHECK_INT(l.c->hrm.l_module_iterations, 2);
    CHECK_NEAR(l.c->temperature, 0.1, 0);
    CHECK_STR(config_model_find(l.c, STR("x"))->upstream_name, STR("x2"));
    CHECK_STR(config_model_find(l.c, STR("y"))->upstream_name, STR("y1"));
    unload(&l);

    /* An error is said of the file that it stands in. */
    nest_write(&nest, "b.yaml", "extends: c.yaml\n\ntemperature: 9\n");
    l = load_file(nest_path(&nest, "a.yaml", path));
    CHECK_STR(str_from(l.first), STR("3:14 temperature must be in [0, 2], got 9"));
    REQUIRE(l.issues.errors == 1);
    size_t at = l.issues.items[0].is_warning ? 1 : 0;
    CHECK(str_ends(l.issues.items[at].file, STR("/b.yaml")));
    unload(&l);

    nest_write(&nest, "b.yaml", "extends: ./a.yaml\n");
    l = load_file(nest_path(&nest, "a.yaml", path));
    CHECK_STR(str_from(l.first),
              STR("1:10 extends cannot use './a.yaml': the files extend each other in a circle"));
    unload(&l);

    nest_write(&nest, "b.yaml", "extends: b.yaml\n");
    l = load_file(nest_path(&nest, "b.yaml", path));
    CHECK_STR(str_from(l.first),
              STR("1:10 extends cannot use 'b.yaml': the files extend each other in a circle"));
    unload(&l);
    nest_close(&nest);
}

static void secrets_come_from_outside(void)
{
    struct nest nest = { 0 };
    char path[160];

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "key", "  sk-file \t\r\nsecond line\n");
    nest_write(&nest, "a.yaml",
               "server: {keys: ['env:WEIR_TEST_KEY', 'file:key']}\n"
               "providers:\n"
               "  p: {base_url: 'http://h', api_key: 'file:key'}\n"
               "  q: {base_url: 'http://h', api_key: 'env:WEIR_TEST_UNSET'}\n");
    REQUIRE(setenv("WEIR_TEST_KEY", "sk-one", 1) == 0);
    struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
    REQUIRE(l.e == OK && l.c->server.key_count == 2);
    uint64_t hash = l.c->hash;
    CHECK_STR(l.c->server.keys[0], STR("sk-one"));
    CHECK_STR(l.c->server.keys[1], STR("sk-file"));
    CHECK_STR(config_provider_find(l.c, STR("p"))->api_key, STR("sk-file"));
    CHECK_STR(config_provider_find(l.c, STR("p"))->api_key_source, STR("file:key"));
    CHECK_INT(config_provider_find(l.c, STR("q"))->api_key.len, 0);
    bool is_warned = false;
    for (size_t i = 0; i < l.issues.count; i++)
        is_warned =
            is_warned || (l.issues.items[i].is_warning && l.issues.items[i].line == 4 &&
                          str_eq(l.issues.items[i].message,
                                 STR("WEIR_TEST_UNSET is not set: calls to provider q will be "
                                     "refused")));
    CHECK(is_warned);
    unload(&l);

    REQUIRE(setenv("WEIR_TEST_KEY", "sk-other", 1) == 0);
    nest_write(&nest, "key", "sk-new");
    l = load_file(nest_path(&nest, "a.yaml", path));
    REQUIRE(l.e == OK);
    CHECK_STR(l.c->server.keys[1], STR("sk-new"));
    CHECK(l.c->hash == hash);
    unload(&l);

    /* A line break in a secret would end the header that carries it. */
    REQUIRE(setenv("WEIR_TEST_KEY", "sk-1\r\nx: y", 1) == 0);
    l = load_file(nest_path(&nest, "a.yaml", path));
    CHECK_STR(str_from(l.first),
              STR("1:17 server.keys[0] in 'WEIR_TEST_KEY' must be one line of printable ASCII"));
    unload(&l);
    REQUIRE(unsetenv("WEIR_TEST_KEY") == 0);
    nest_close(&nest);
}

static void a_missing_provider_key_is_a_warning(void)
{
    static const char *const want =
        "OPENAI_API_KEY is not set: calls to provider openai will be refused";
    char *before = getenv("OPENAI_API_KEY") ? strdup(getenv("OPENAI_API_KEY")) : NULL;

    REQUIRE(unsetenv("OPENAI_API_KEY") == 0);
    struct loaded l = load(STR("model: gpt-4o"));
    REQUIRE(l.e == OK && l.issues.count == 1 && l.issues.errors == 0);
    CHECK(l.issues.items[0].is_warning);
    CHECK_STR(l.issues.items[0].message, str_from(want));
    unload(&l);
    /* Nobody asks for the key of a provider that nobody uses. */
    l = load(STR("model_provider: p\nproviders: {p: {base_url: 'http://h'}}"));
    CHECK(l.e == OK && l.issues.count == 0);
    unload(&l);
    REQUIRE(setenv("OPENAI_API_KEY", "sk-1", 1) == 0);
    l = load(STR("model: gpt-4o"));
    CHECK(l.e == OK && l.issues.count == 0);
    CHECK_STR(l.c->providers[0].api_key, STR("sk-1"));
    unload(&l);
    if (before)
        CHECK(setenv("OPENAI_API_KEY", before, 1) == 0);
    else
        CHECK(unsetenv("OPENAI_API_KEY") == 0);
    free(before);
}

static void bad_prices_are_refused_at_their_place(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "- {model: a, from: 2024-01-01, input: 1}", "1:3 prices[0].output is required" },
        { "- {model: a, from: 2024-02-30, input: 1, output: 1}",
          "1:20 prices[0].from must be a date, YYYY-MM-DD, from 1970 on, got '2024-02-30'" },
        { "- {model: a, from: 2023-02-29, input: 1, output: 1}",
          "1:20 prices[0].from must be a date, YYYY-MM-DD, from 1970 on, got '2023-02-29'" },
        { "- {model: a, from: 2024-13-01, input: 1, output: 1}",
          "1:20 prices[0].from must be a date, YYYY-MM-DD, from 1970 on, got '2024-13-01'" },
        { "- {model: a, from: 2024-01-01, input: 0.0001, output: 1}",
          "1:39 prices[0].input must be dollars per million tokens with at most three decimals, "
          "got "
          "0.0001" },
        { "- {model: a, from: 2024-01-01, input: -1, output: 1}",
          "1:39 prices[0].input must be dollars per million tokens with at most three decimals, "
          "got -1" },
        { "- {model: a, from: 2024-01-01, input: 1, output: 1}\n"
          "- {model: a, from: 2024-01-01, input: 2, output: 1}",
          "2:3 a price of a from this day stands above already" },
        { "- {model: a, from: 2024-01-01, input: 1, output: 1, cashed: 1}",
          "1:53 unknown key 'prices[0].cashed'; did you mean 'prices[0].cached'?" },
        { "- a", "1:3 prices[0] must be a mapping of keys" },
        { "model: a", "1:1 a file of prices must be a list" },
    };
    struct nest nest = { 0 };
    char path[160];

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "a.yaml", "prices: prices.yaml\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nest_write(&nest, "prices.yaml", rows[i].text);
        struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
        CHECK_ERR(l.e, CALLER_BAD_REQUEST);
        if (!strstr(l.first, rows[i].want) && l.issues.count > 0)
            fprintf(stderr, "%s\n", rows[i].text);
        CHECK_STR(str_from(l.first), str_from(rows[i].want));
        unload(&l);
    }
    nest_write(&nest, "prices.yaml", "- {model: a, from: 1970-01-02, input: '0.30', output: 1}");
    struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
    REQUIRE(l.e == OK && l.c->prices.count == 1);
    CHECK_INT(l.c->prices.rows[0].from_day, 1);
    CHECK_INT(l.c->prices.rows[0].input, 300);
    CHECK_INT(l.c->prices.rows[0].cached, -1);
    unload(&l);
    nest_close(&nest);
}

static void dates_are_days_since_1970(void)
{
    static const struct {
        const char *date;
        int32_t want; /* -1: refused */
    } rows[] = {
        { "1970-01-01", 0 },     { "1970-12-31", 364 },   { "1972-02-29", 789 },
        { "1972-03-01", 790 },   { "2000-02-29", 11016 }, { "2000-03-01", 11017 },
        { "2024-01-31", 19753 }, { "2024-02-29", 19782 }, { "2024-12-31", 20088 },
        { "2025-11-20", 20412 }, { "2100-03-01", 47541 }, { "2100-02-29", -1 },
        { "1969-12-31", -1 },    { "2024-04-31", -1 },    { "2024-00-10", -1 },
        { "2024-01-00", -1 },    { "2024-1-01", -1 },     { "2024/01/01", -1 },
        { "2024-01-01T00", -1 },
    };
    struct nest nest = { 0 };
    char path[160], text[128];

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "a.yaml", "prices: prices.yaml\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(text, sizeof(text), "- {model: a, from: %s, input: 1, output: 1}", rows[i].date);
        nest_write(&nest, "prices.yaml", text);
        struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
        CHECK((l.e == OK) == (rows[i].want >= 0));
        if (l.c)
            CHECK_INT(l.c->prices.rows[0].from_day, rows[i].want);
        unload(&l);
    }
    nest_close(&nest);
}

static void prices_are_built_in(void)
{
    static const struct {
        const char *model;
        nano_usd input, output, cached;
    } rows[] = {
        { "gpt-4o", 2500, 10000, 1250 },
        { "gpt-4o-2024-08-06", 2500, 10000, 1250 },
        { "gpt-4o-2024-05-13", 5000, 15000, -1 },
        { "gpt-4o-mini", 150, 600, 75 },
        { "gpt-4o-mini-2024-07-18", 150, 600, 75 },
        { "claude-3-haiku-20240307", 250, 1250, 30 },
        { "gemini-1.5-flash", 75, 300, -1 },
        { "llama-3.1-8b-instruct", 50, 80, -1 },
        { "smollm2-135m-instruct", 0, 0, -1 },
    };
    /* 2025-11-20 */
    usec_utc when = INT64_C(1763596800) * 1000000;
    struct loaded l = load_file("");

    REQUIRE(l.e == OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct price *price = price_find(&l.c->prices, str_from(rows[i].model), when);
        CHECK(price != NULL);
        if (!price)
            continue;
        CHECK_INT(price->input, rows[i].input);
        CHECK_INT(price->output, rows[i].output);
        CHECK_INT(price->cached, rows[i].cached);
    }
    CHECK(price_find(&l.c->prices, STR("gpt-5"), when) == NULL);
    /* 2024-10-01 and 2024-10-02: the day on which gpt-4o became cheaper. */
    const struct price *row =
        price_find(&l.c->prices, STR("gpt-4o"), INT64_C(1727827199) * 1000000);
    CHECK(row && row->input == 5000);
    row = price_find(&l.c->prices, STR("gpt-4o"), INT64_C(1727827200) * 1000000);
    CHECK(row && row->input == 2500);
    unload(&l);
}

static void the_shipped_files_load(void)
{
    char path[64];

    if (!shipped("fallback.yaml", path))
        SKIP("config/ is not beside the working directory");
    struct loaded l = load_file(path);
    REQUIRE(l.e == OK);
    CHECK_INT(l.issues.errors, 0);
    CHECK_STR(l.c->model, STR("gpt-4o"));
    CHECK_STR(l.c->strategy, STR("full_stack"));
    CHECK_NEAR(l.c->hrm.confidence_threshold, 0.90, 0);
    CHECK_INT(l.c->hrm.h_module_layers, 3);
    CHECK_INT(l.c->trm.max_refinement_iterations, 8);
    CHECK_NEAR(l.c->trm.min_improvement_delta, 0.02, 0);
    unload(&l);
    REQUIRE(shipped("production.yaml", path));
    l = load_file(path);
    REQUIRE(l.e == OK);
    CHECK_STR(l.c->model, STR("gpt-4o-mini"));
    CHECK(l.c->enable_caching && l.c->monitoring.wandb_enabled);
    /* The seed's adaptive pipeline is one word away. */
    CHECK_STR(l.c->route.scorer, STR("none"));
    CHECK_NEAR(l.c->route.threshold, 0.8, 0);
    REQUIRE(l.c->route.fallback);
    CHECK_STR(l.c->route.fallback->strategy, STR("full_stack"));
    CHECK(config_model_find(l.c, STR("gpt-4o"))->is_hidden);
    unload(&l);
}

static void prompts_come_from_a_directory(void)
{
    static const char *const roles[] = { "direct",    "plan",    "solve",  "check",
                                         "synthesis", "program", "refine", "step" };
    struct nest nest = { 0 };
    char path[160], source[64], from[96];

    if (!shipped("prompts", source))
        SKIP("config/ is not beside the working directory");
    REQUIRE(nest_open(&nest));
    nest_write(&nest, "a.yaml", "prompts: .\n");
    struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
    CHECK(strstr(l.first, "1:10 prompts cannot be read from '") == l.first);
    CHECK_INT(l.issues.errors, ARRAY_LEN(roles));
    unload(&l);

    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        struct buf text = { 0 };
        char name[32];
        snprintf(from, sizeof(from), "%s/%s.txt", source, roles[i]);
        snprintf(name, sizeof(name), "%s.txt", roles[i]);
        CHECK(file_read(str_from(from), CONFIG_FILE_BYTES_MAX, &text, NULL) == NULL);
        nest_write(&nest, name, buf_cstr(&text));
        buf_fini(&text);
    }
    uint64_t builtin = hash_of("");
    l = load_file(nest_path(&nest, "a.yaml", path));
    REQUIRE(l.e == OK && l.c->prompts);
    CHECK(l.c->prompts != reason_prompts_builtin());
    CHECK(config_reason(l.c).prompts == l.c->prompts);
    CHECK(l.c->hash == builtin); /* the same texts are the same configuration */
    unload(&l);

    nest_write(&nest, "direct.txt", "Answer this in a word: {question}\n");
    l = load_file(nest_path(&nest, "a.yaml", path));
    if (l.e == OK)
        CHECK(l.c->hash != builtin);
    else
        CHECK(strstr(l.first, "1:10 prompts are not usable: ") == l.first);
    unload(&l);
    nest_write(&nest, "direct.txt", "No slot here.\n");
    l = load_file(nest_path(&nest, "a.yaml", path));
    CHECK(strstr(l.first, "1:10 prompts are not usable: ") == l.first);
    unload(&l);
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        snprintf(from, sizeof(from), "%s.txt", roles[i]);
        CHECK(unlink(nest_path(&nest, from, path)) == 0);
    }
    nest_close(&nest);
}

/* ---- the fallback ---- */

static void a_fallback_is_a_whole_profile(void)
{
    struct nest nest = { 0 };
    char path[160];

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "a.yaml",
               "model: small\nmodel_provider: p\nproviders: {p: {base_url: 'http://h'}}\n"
               "enable_caching: true\nmodels: {mid: {}}\nroute: {fallback: b.yaml}\n");
    nest_write(&nest, "b.yaml",
               "extends: a.yaml\nmodel: big\nstrategy: full_stack\nhrm: {h_module_layers: 5}\n"
               "models: {big: {upstream_name: big-2}, other: {}}\n"
               "cascade: {peer_model: mid, strong_model: other}\n"
               "route: {threshold: 0.1, fallback: /nowhere.yaml}\n");
    struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
    REQUIRE(l.e == OK && l.c->route.fallback);
    const struct config *profile = l.c->route.fallback;
    CHECK_STR(profile->strategy, STR("full_stack"));
    CHECK_INT(profile->hrm.h_module_layers, 5);
    CHECK_INT(l.c->hrm.h_module_layers, 3);
    CHECK_NEAR(l.c->route.threshold, 0.8, 0);
    CHECK(!profile->route.fallback);
    CHECK_STR(config_reason(profile).model, STR("big"));
    /* Its models are here, but only ours are for clients. */
    const struct config_model *big = config_model_find(l.c, STR("big"));
    REQUIRE(l.c->model_count == 4 && big);
    CHECK_STR(big->upstream_name, STR("big-2"));
    CHECK(big->is_hidden && config_model_find(l.c, STR("other"))->is_hidden);
    CHECK(!config_model_offered(l.c, STR("big")) && !config_model_offered(l.c, STR("other")));
    CHECK(config_model_offered(l.c, STR("mid")) && config_model_offered(l.c, STR("small")));
    CHECK(!config_model_offered(l.c, STR("none")));
    /* What both files say is said once. */
    int caching = 0;
    for (size_t i = 0; i < l.issues.count; i++)
        caching += str_find(l.issues.items[i].message, STR("enable_caching")) != STR_NPOS;
    CHECK_INT(caching, 1);
    uint64_t hash = l.c->hash;
    unload(&l);
    nest_write(&nest, "b.yaml", "extends: a.yaml\nmodel: mid\n");
    l = load_file(nest_path(&nest, "a.yaml", path));
    REQUIRE(l.e == OK);
    CHECK(l.c->hash != hash && l.c->model_count == 2);
    hash = l.c->hash;
    unload(&l);
    nest_write(&nest, "b.yaml", "extends: a.yaml\nmodel: mid\nhrm: {h_module_layers: 7}\n");
    l = load_file(nest_path(&nest, "a.yaml", path));
    CHECK(l.e == OK && l.c->hash != hash && l.c->model_count == 2);
    unload(&l);
    nest_close(&nest);
}

static void bad_fallbacks_are_refused(void)
{
    static const struct {
        const char *fallback, *want, *file;
    } rows[] = {
        { "model: a\nhrm: {h_module_layers: 11}\n",
          "2:24 hrm.h_module_layers must be in [1, 10], got 11", "/b.yaml" },
        { "model: big\nmodel_provider: q\nproviders: {q: {base_url: 'http://h'}}\n",
          "4:19 route.fallback: its model big or the model's provider q is another one here",
          "/a.yaml" },
        { "model: big\nmodel_provider: p\nproviders: {p: {base_url: 'http://else'}}\n",
          "4:19 route.fallback: its model big or the model's provider p is another one here",
          "/a.yaml" },
        { "extends: a.yaml\nmodel: mid\nmodels: {mid: {upstream_name: mid-2}}\n",
          "4:19 route.fallback: its model mid or the model's provider p is another one here",
          "/a.yaml" },
        { "extends: a.yaml\ncascade: {strong_model: nobody}\n",
          "2:25 cascade.strong_model: no model is called 'nobody'", "/b.yaml" },
    };
    struct nest nest = { 0 };
    char path[160];

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "a.yaml",
               "model: small\nmodel_provider: p\nproviders: {p: {base_url: 'http://h'}}\n"
               "route: {fallback: b.yaml}\nmodels: {mid: {}}\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nest_write(&nest, "b.yaml", rows[i].fallback);
        struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
        CHECK_ERR(l.e, CALLER_BAD_REQUEST);
        CHECK_STR(str_from(l.first), str_from(rows[i].want));
        for (size_t n = 0; n < l.issues.count; n++)
            if (!l.issues.items[n].is_warning)
                CHECK(str_ends(l.issues.items[n].file, str_from(rows[i].file)));
        unload(&l);
    }
    nest_write(&nest, "a.yaml", "route: {fallback: ./a.yaml}\n");
    struct loaded l = load_file(nest_path(&nest, "a.yaml", path));
    CHECK_STR(str_from(l.first), STR("1:19 route.fallback is this very file"));
    unload(&l);
    /* Named itself, a fallback has none. */
    nest_write(&nest, "a.yaml", "route: {fallback: b.yaml}\n");
    nest_write(&nest, "b.yaml", "extends: a.yaml\n");
    l = load_file(nest_path(&nest, "b.yaml", path));
    CHECK(l.e == OK && !l.c->route.fallback);
    unload(&l);
    nest_close(&nest);
}

TESTS(TEST(an_extending_file_lies_above), TEST(secrets_come_from_outside),
      TEST(a_missing_provider_key_is_a_warning), TEST(bad_prices_are_refused_at_their_place),
      TEST(dates_are_days_since_1970), TEST(prices_are_built_in), TEST(the_shipped_files_load),
      TEST(prompts_come_from_a_directory), TEST(a_fallback_is_a_whole_profile),
      TEST(bad_fallbacks_are_refused))
