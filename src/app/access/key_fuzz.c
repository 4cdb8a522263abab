/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of access: any bytes as a key's members and as a key. What is accepted keeps its limits and comes back from what is
 * written of it; no text opens a gateway whose key it is not.
 */
#include <stdlib.h>
#include <string.h>

#include "app/access/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void spec_holds(struct arena *arena, const struct key_spec *spec)
{
    struct limit_counter counters[LIMIT_RULES_MAX];
    struct limit_account account;
    struct key_spec again;
    struct buf text = { 0 };
    struct json root;

    must(spec->tenant.len > 0 && spec->tenant.len <= KEY_NAME_MAX);
    must(spec->model_count <= KEY_MODELS_MAX && spec->expires >= 0);
    must(limit_account_init(&account, counters, spec->rules, spec->rule_count) == OK);
    buf_add_char(&text, '{');
    key_spec_write(spec, &text);
    buf_add_char(&text, '}');
    must(json_parse(arena, buf_str(&text), &root, NULL) == OK);
    must(key_spec_read(root, arena, &again) == NULL);
    must(again.rule_count == spec->rule_count && again.model_count == spec->model_count &&
         again.expires == spec->expires && str_eq(again.tenant, spec->tenant));
    for (size_t i = 0; i < spec->rule_count; i++)
        must(again.rules[i].most == spec->rules[i].most);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const str text = { (const char *)data, size }, secret = STR("s3cret");
    const struct access_options options = { .secrets = &secret, .secret_count = 1 };
    struct access *access = NULL;
    const struct key *key = NULL;
    struct key_spec spec;
    struct json root;
    struct arena arena;

    arena_init(&arena, (size_t)16 << 20);
    if (json_parse(&arena, text, &root, NULL) == OK && key_spec_read(root, &arena, &spec) == NULL)
        spec_holds(&arena, &spec);
    arena_fini(&arena);
    must(access_open(&access, &options) == OK);
    must((access_find(access, text, 0, &key) == OK) == str_eq(text, secret));
    access_close(access);
    return 0;
}
