/* SPDX-License-Identifier: Apache-2.0 */
/* config's hash: each key and each record changes it. */
#include "edge/config/config_check.h"

/* A value that every key of a type takes and that is nobody's default. */
static void other_value(const struct config_key *key, char out[64])
{
    struct key_range range = { 0 };
    const char *last = key->choices ? strrchr(key->choices, ' ') + 1 : "";
    bool is_true = key->fallback && strcmp(key->fallback, "true") == 0;

    if (key->range)
        CHECK(key_range_parse(key->range, &range));
    switch (key->type) {
    case KEY_TEXT:
        /* A model that is named must be there. */
        snprintf(out, 64, "%s", strncmp(key->path, "cascade.", 8) == 0 ? "gpt-4o-mini" : "other");
        break;
    case KEY_BOOL:
        snprintf(out, 64, "%s", is_true ? "false" : "true");
        break;
    case KEY_INTEGER:
    case KEY_NUMBER:
    case KEY_SECONDS:
    case KEY_BYTES:
    case KEY_DOLLARS:
        snprintf(out, 64, "%.15g", range.high);
        if (range.is_high_open || (key->fallback && strcmp(key->fallback, out) == 0))
            snprintf(out, 64, "%.15g", (range.low + range.high) / 2);
        break;
    case KEY_CHOICE:
    case KEY_DURABILITY:
    case KEY_SYNC:
        snprintf(out, 64, "%s",
                 strcmp(key->path, "route.scorer") == 0              ? "seed_v1"
                 : key->fallback && strcmp(key->fallback, last) == 0 ? "direct"
                                                                     : last);
        break;
    case KEY_ADDRESS:
        snprintf(out, 64, "localhost:1");
        break;
    case KEY_SECRETS:
        snprintf(out, 64, "%s", strcmp(key->path, "otlp.headers") == 0 ? "" : "['env:HOME']");
        break;
    case KEY_DURATION:
        snprintf(out, 64, "%.15gs", range.high);
        break;
    case KEY_TEXTS:
        snprintf(out, 64, "%s",
                 strcmp(key->path, "otlp.resource") == 0 ? "[a=one, b=two]" : "[one, two]");
        break;
    case KEY_URL:
    case KEY_SECRET:
    case KEY_FILE:
    case KEY_DAY:
    case KEY_PRICE:
    case KEY_SHARE:
    case KEY_TYPE_COUNT:
        out[0] = '\0'; /* not at the root, or hashed through what the file holds */
        break;
    }
}

static void the_hash_follows_each_key(void)
{
    size_t n, count = 0;
    const struct config_key *keys = config_keys(&n);
    uint64_t seen[128];

    seen[count++] = hash_of("");
    CHECK(hash_of("# the same\nmax_retries: 2") == seen[0]);
    for (size_t i = 0; i < n; i++) {
        char value[64], text[256];
        const char *dot = strchr(keys[i].path, '.');
        if (keys[i].record != RECORD_ROOT)
            continue;
        other_value(&keys[i], value);
        if (value[0] == '\0')
            continue;
        bool is_provider = strcmp(keys[i].path, "model_provider") == 0;
        bool is_backoff = strcmp(keys[i].path, "upstream.backoff_seconds") == 0 ||
                          strcmp(keys[i].path, "breaker.open_seconds") == 0;
        if (is_backoff)
            snprintf(value, sizeof(value), "3");
        if (strcmp(keys[i].path, "otlp.resource") == 0)
            snprintf(value, sizeof(value), "[one=two]");
        if (dot)
            snprintf(text, sizeof(text), "%.*s: {%s: %s}", (int)(dot - keys[i].path), keys[i].path,
                     dot + 1, value);
        else
            snprintf(text, sizeof(text), "%s: %s%s", keys[i].path, value,
                     is_provider ? "\nproviders: {other: {base_url: 'http://h'}}" : "");
        uint64_t hash = hash_of(text);
        for (size_t j = 0; j < count; j++)
            CHECK(hash != seen[j]);
        REQUIRE(count < ARRAY_LEN(seen));
        seen[count++] = hash;
    }
    CHECK(count > 45);
}

static void the_hash_follows_records(void)
{
    static const char *const texts[] = {
        "providers: {p: {base_url: 'http://h'}}",
        "providers: {q: {base_url: 'http://h'}}",
        "providers: {p: {base_url: 'http://i'}}",
        "providers: {p: {base_url: 'http://h', simulated: true}}",
        "providers: {p: {base_url: 'http://h', json_schema: true}}",
        "providers: {p: {base_url: 'http://h', dialect: anthropic}}",
        "providers: {p: {base_url: 'http://h', responses: true}}",
        "providers: {p: {base_url: 'http://h', api_key: 'env:HOME'}}",
        "providers: {p: {base_url: 'http://h', api_key: 'env:PATH'}}",
        "models: {m: {}}",
        "models: {n: {}}",
        "models: {m: {upstream_name: n}}",
        "models: {m: {}, n: {}}",
    };
    uint64_t seen[ARRAY_LEN(texts)];

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        seen[i] = hash_of(texts[i]);
        for (size_t j = 0; j < i; j++)
            CHECK(seen[i] != seen[j]);
    }
}

TESTS(TEST(the_hash_follows_each_key), TEST(the_hash_follows_records))
