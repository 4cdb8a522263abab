/* SPDX-License-Identifier: Apache-2.0 */
/* access's tests: who gets in, what a key's JSON may say, and accounts that many threads use at once. */
#include "app/access/access.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "test/check.h"

#define NOW (INT64_C(1700000000) * 1000000)
#define THREADS 8
#define REQUESTS 2000

static struct access *opened(const struct access_options *options)
{
    struct access *a = NULL;

    CHECK(access_open(&a, options) == OK);
    return a;
}

/* A key of this number; its text is in out. */
static str key_added(struct access *a, uint8_t number, struct key_spec spec,
                     char out[KEY_TEXT_CHARS + 1])
{
    uint8_t random[KEY_RANDOM_BYTES] = { number, 0xab, 0, 9 };
    str text = key_mint(random, out, &spec.id);

    random[23] = number;
    key_digest(text, spec.digest);
    CHECK(access_add(a, &spec) == OK);
    return text;
}

static void keys_have_their_form(void)
{
    uint8_t random[KEY_RANDOM_BYTES];
    char text[KEY_TEXT_CHARS + 1];
    str id;

    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 11);
    CHECK_STR(key_mint(random, text, &id),
              STR("weir-000b1621-2c37424d58636e79848f9aa5b0bbc6d1dce7f2fd"));
    CHECK_STR(id, STR("000b1621"));
}

static void only_the_whole_secret_opens(void)
{
    struct access *a = opened(&(struct access_options){ 0 });
    const struct key *found = NULL;
    char text[KEY_TEXT_CHARS + 1], wrong[KEY_TEXT_CHARS + 1];

    CHECK(!access_is_closed(a));
    CHECK(access_find(a, STR(""), NOW, &found) == CALLER_UNAUTHORIZED);
    str key = key_added(a, 1, (struct key_spec){ .tenant = STR("acme") }, text);
    CHECK(access_is_closed(a));
    CHECK(access_find(a, key, NOW, &found) == OK);
    CHECK_STR(key_tenant(found), STR("acme"));
    CHECK(!key_is_configured(found));
    found = NULL;
    for (size_t i = 0; i < key.len; i++) {
        memcpy(wrong, text, sizeof(wrong));
        wrong[i] ^= 1;
        CHECK(access_find(a, str_from(wrong), NOW, &found) == CALLER_UNAUTHORIZED);
        CHECK(access_find(a, str_slice(key, 0, i), NOW, &found) == CALLER_UNAUTHORIZED);
    }
    CHECK(!found);
    access_close(a);
}

static void keys_end(void)
{
    struct access *a = opened(&(struct access_options){ 0 });
    const struct key *found = NULL;
    char first[KEY_TEXT_CHARS + 1], second[KEY_TEXT_CHARS + 1];

    str revoked = key_added(a, 1, (struct key_spec){ .tenant = STR("a") }, first);
    str expiring = key_added(a, 2, (struct key_spec){ .tenant = STR("b"), .expires = NOW }, second);
    CHECK(access_find(a, expiring, NOW - 1, &found) == OK);
    CHECK(access_find(a, expiring, NOW, &found) == CALLER_UNAUTHORIZED);
    CHECK(access_find(a, revoked, NOW, &found) == OK);
    CHECK(!access_revoke(a, STR("ffffffff"), NOW));
    CHECK(access_revoke(a, key_id(found), NOW));
    CHECK(access_revoke(a, key_id(found), NOW + 5));
    CHECK_INT(key_describe(found).revoked, NOW);
    CHECK(access_find(a, revoked, NOW, &found) == CALLER_UNAUTHORIZED);
    CHECK(access_is_closed(a)); /* it does not open to everybody again */
    CHECK(access_add(a, &(struct key_spec){ .id = key_id(found) }) == WEIR_DEFECT);
    access_close(a);
}

static void configured_keys_go_on(void)
{
    const str secrets[] = { STR("s3cret"), STR("weir-00000000-looks-like-one-of-ours") };
    struct access *a = opened(&(struct access_options){ .secrets = secrets, .secret_count = 2 });
    const struct key *found = NULL;

    CHECK(access_is_closed(a));
    CHECK(access_find(a, STR("s3cre"), NOW, &found) == CALLER_UNAUTHORIZED);
    CHECK(access_find(a, secrets[1], NOW, &found) == OK);
    CHECK_STR(key_tenant(found), STR("key-2"));
    CHECK(key_is_configured(found));
    CHECK(access_find(a, secrets[0], NOW, &found) == OK);
    CHECK_STR(key_tenant(found), STR("key-1"));
    CHECK(key_allows(found, STR("anything")));
    access_close(a);
}

#define ADDED 200

struct finder {
    struct access *access;
    char texts[ADDED][KEY_TEXT_CHARS + 1];
    _Atomic int added, revoked; /* keys whose number is below */
};

/* Looks for what is there by then, and for what is revoked by then, while others are added and revoked. */
static void *finder_main(void *arg)
{
    struct finder *f = arg;
    struct rng rng;

    rng_init(&rng, (uint64_t)pthread_self());
    while (atomic_load(&f->revoked) < ADDED) {
        int revoked = atomic_load(&f->revoked), added = atomic_load(&f->added);
        const struct key *key = NULL;
        if (added == 0)
            continue;
        int i = (int)rng_below(&rng, (uint64_t)added);
        bool is_found = access_find(f->access, str_from(f->texts[i]), NOW, &key) == OK;
        if ((i < revoked && is_found) || (!is_found && i > atomic_load(&f->revoked)))
            return arg; /* a revoked key opened, or a good one did not */
    }
    return NULL;
}

/* No key is half there, none is lost, and a revoked one opens nothing that is asked afterwards. */
static void keys_come_and_go_under_those_who_look(void)
{
    static struct finder f;
    pthread_t threads[3];

    f.access = opened(&(struct access_options){ .secrets = NULL });
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, finder_main, &f) == 0);
    for (int i = 0; i < ADDED; i++) {
        const struct key_spec spec = { .tenant = STR("t"),
                                       .rules = { { LIMIT_TOKENS, LIMIT_DAY, 5 } },
                                       .rule_count = 1 };
        key_added(f.access, (uint8_t)i, spec, f.texts[i]);
        atomic_store(&f.added, i + 1);
    }
    for (int i = 0; i < ADDED; i++) {
        CHECK(access_revoke(f.access, (str){ f.texts[i] + 5, KEY_ID_CHARS }, NOW));
        atomic_store(&f.revoked, i + 1);
    }
    for (int i = 0; i < 3; i++) {
        void *fault = NULL;
        pthread_join(threads[i], &fault);
        CHECK(!fault);
    }
    access_close(f.access);
}

static void models_are_those_listed(void)
{
    struct access *a = opened(&(struct access_options){ 0 });
    const struct key *found = NULL;
    char text[KEY_TEXT_CHARS + 1];
    struct key_spec spec = { .tenant = STR("t"),
                             .models = { STR("gpt-4o-mini"), STR("weir/auto") },
                             .model_count = 2 };

    REQUIRE(access_find(a, key_added(a, 3, spec, text), NOW, &found) == OK);
    CHECK(key_allows(found, STR("weir/auto")));
    CHECK(!key_allows(found, STR("gpt-4o")));
    CHECK(!key_allows(found, STR("")));
    access_close(a);
}

/* ---- JSON ---- */

static const char *spec_of(const char *text, struct arena *arena, struct key_spec *out)
{
    struct json root;

    if (json_parse(arena, str_from(text), &root, NULL) != OK)
        return "no JSON";
    return key_spec_read(root, arena, out);
}

static void specs_survive_json(void)
{
    static const char text[] =
        "{\"tenant\":\"acme\",\"limits\":[{\"of\":\"nano_usd\",\"per\":\"day\",\"most\":5000000000}"
        ","
        "{\"of\":\"requests\",\"per\":\"minute\",\"most\":60},{\"of\":\"concurrent\",\"most\":4}],"
        "\"models\":[\"gpt-4o-mini\",\"weir/auto\"],\"expires_us\":17}";
    struct arena arena;
    struct key_spec spec;
    struct buf out = { 0 };

    arena_init(&arena, 1 << 20);
    CHECK(spec_of(text, &arena, &spec) == NULL);
    CHECK_INT(spec.rule_count, 3);
    CHECK_INT(spec.rules[0].kind, LIMIT_COST);
    CHECK_INT(spec.rules[0].window, LIMIT_DAY);
    CHECK_INT(spec.rules[2].most, 4);
    buf_add_char(&out, '{');
    key_spec_write(&spec, &out);
    buf_add_char(&out, '}');
    CHECK_STR(buf_str(&out), str_from(text));
    buf_fini(&out);
    arena_fini(&arena);
}

static void wrong_specs_are_refused(void)
{
    static const char *const texts[] = {
        "{}",
        "{\"tenant\":\"\"}",
        "{\"tenant\":7}",
        "{\"tenant\":\"t\",\"expires_us\":-1}",
        "{\"tenant\":\"t\",\"expires_us\":\"soon\"}",
        "{\"tenant\":\"t\",\"limits\":{}}",
        "{\"tenant\":\"t\",\"limits\":[{}]}",
        "{\"tenant\":\"t\",\"limits\":[{\"of\":\"euros\",\"per\":\"day\",\"most\":1}]}",
        "{\"tenant\":\"t\",\"limits\":[{\"of\":\"tokens\",\"most\":1}]}",
        "{\"tenant\":\"t\",\"limits\":[{\"of\":\"tokens\",\"per\":\"year\",\"most\":1}]}",
        "{\"tenant\":\"t\",\"limits\":[{\"of\":\"tokens\",\"per\":\"day\",\"most\":-1}]}",
        "{\"tenant\":\"t\",\"limits\":[{\"of\":\"tokens\",\"per\":\"day\",\"most\":1.5}]}",
        "{\"tenant\":\"t\",\"limits\":[{\"of\":\"tokens\",\"per\":\"day\",\"most\":"
        "72057594037927937}]}",
        "{\"tenant\":\"t\",\"limits\":[{\"of\":\"tokens\",\"per\":\"day\",\"most\":1},"
        "{\"of\":\"tokens\",\"per\":\"day\",\"most\":2}]}",
        "{\"tenant\":\"t\",\"models\":\"gpt-4o\"}",
        "{\"tenant\":\"t\",\"models\":[\"\"]}",
        "{\"tenant\":\"t\",\"models\":[1]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena arena;
        struct key_spec spec = { .expires = 99 };
        arena_init(&arena, 1 << 20);
        CHECK(spec_of(texts[i], &arena, &spec) != NULL);
        CHECK_INT(spec.expires, 99);
        arena_fini(&arena);
    }
}

/* ---- accounts ---- */

struct crowd {
    const struct key *key;
    int64_t admitted, used;
};

/* Reserves 10 tokens, uses up to 10; a third are given back whole. */
static void *crowd_main(void *arg)
{
    struct crowd *c = arg;
    struct rng rng;
    const struct limit_amounts want = { { [LIMIT_TOKENS] = 10, [LIMIT_CONCURRENT] = 1 } };

    rng_init(&rng, (uint64_t)(uintptr_t)arg);
    for (int i = 0; i < REQUESTS; i++) {
        struct access_hold hold = { 0 };
        struct limit_refusal why;
        struct limit_amounts used = { { 0 } };
        if (!access_reserve(c->key, NOW, &want, &hold, &why))
            continue;
        c->admitted++;
        used.of[LIMIT_TOKENS] = rng_below(&rng, 3) == 0 ? 0 : (int64_t)rng_below(&rng, 11);
        c->used += used.of[LIMIT_TOKENS];
        access_settle(c->key, &hold, &used);
    }
    return NULL;
}

/* Two keys of a tenant from many threads: counters are exactly what was settled, and no limit was passed. */
static void threads_share_accounts(void)
{
    const struct limit_rule tenant_rules[] = { { LIMIT_TOKENS, LIMIT_HOUR, 20000 } };
    const struct access_tenant tenant = { STR("acme"), tenant_rules, 1 };
    struct access *a = opened(&(struct access_options){ .tenants = &tenant, .tenant_count = 1 });
    const struct key_spec spec = { .tenant = STR("acme"),
                                   .rules = { { LIMIT_TOKENS, LIMIT_DAY, 12000 },
                                              { LIMIT_CONCURRENT, LIMIT_MINUTE, 100 } },
                                   .rule_count = 2 };
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    char texts[2][KEY_TEXT_CHARS + 1];
    const struct key *keys[2] = { NULL, NULL };
    int64_t used[2] = { 0, 0 };

    for (uint8_t i = 0; i < 2; i++)
        REQUIRE(access_find(a, key_added(a, i, spec, texts[i]), NOW, &keys[i]) == OK);
    for (int i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){ .key = keys[i % 2] };
        REQUIRE(pthread_create(&threads[i], NULL, crowd_main, &crowds[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        used[i % 2] += crowds[i].used;
    }
    struct access_view views[2 * LIMIT_RULES_MAX];
    for (int i = 0; i < 2; i++) {
        REQUIRE(access_views(keys[i], NOW, views) == 3);
        CHECK_INT(views[0].limit.used, used[i]);
        CHECK_INT(views[0].limit.held, 0);
        CHECK_INT(views[1].limit.used, 0); /* nobody is at work any more */
        CHECK(!views[1].is_tenants && views[2].is_tenants);
        CHECK_INT(views[2].limit.used, used[0] + used[1]);
        CHECK(views[0].limit.used <= 12000);
    }
    CHECK(used[0] + used[1] <= 20000 && used[0] + used[1] > 19900); /* the limit was reached */
    access_close(a);
}

/* The tenant refuses: the key's own account is as it was. */
static void a_tenants_refusal_takes_nothing_from_the_key(void)
{
    const struct limit_rule tenant_rules[] = { { LIMIT_REQUESTS, LIMIT_MINUTE, 1 } };
    const struct access_tenant tenant = { STR("t"), tenant_rules, 1 };
    struct access *a = opened(&(struct access_options){ .tenants = &tenant, .tenant_count = 1 });
    const struct key_spec spec = { .tenant = STR("t"),
                                   .rules = { { LIMIT_REQUESTS, LIMIT_DAY, 100 } },
                                   .rule_count = 1 };
    const struct limit_amounts want = { { [LIMIT_REQUESTS] = 1 } };
    struct access_hold first = { 0 }, second = { 0 };
    struct access_view views[2 * LIMIT_RULES_MAX];
    struct limit_refusal why;
    const struct key *key = NULL;
    char text[KEY_TEXT_CHARS + 1];

    REQUIRE(access_find(a, key_added(a, 1, spec, text), NOW, &key) == OK);
    CHECK(key_limits(key, LIMIT_REQUESTS) && !key_limits(key, LIMIT_COST));
    CHECK(access_reserve(key, NOW, &want, &first, &why));
    CHECK(!access_reserve(key, NOW, &want, &second, &why));
    CHECK_INT(why.rule.window, LIMIT_MINUTE);
    CHECK_INT(access_views(key, NOW, views), 2);
    CHECK_INT(views[0].limit.used, 1);
    CHECK_INT(views[0].limit.held, 1);
    access_settle(key, &second, &want); /* it was never taken */
    access_settle(key, &first, &want);
    CHECK_INT(access_views(key, NOW, views), 2);
    CHECK_INT(views[0].limit.used, 1);
    CHECK_INT(views[1].limit.held, 0);
    /* What the ledger says came before: of the key, and of the tenant alone. */
    access_restore(a, key_id(key), STR("t"), NOW, NOW, &want);
    access_restore(a, STR("gone"), STR("t"), NOW, NOW, &want);
    CHECK_INT(access_views(key, NOW, views), 2);
    CHECK_INT(views[0].limit.used, 2);
    CHECK_INT(views[1].limit.used, 3);
    access_close(a);
}

static void whoever_has_no_key_has_no_limits(void)
{
    const struct limit_amounts want = { { 1, 1, 1, 1 } };
    struct access_hold hold = { 0 };
    struct limit_refusal why;
    struct access_view views[2 * LIMIT_RULES_MAX];

    CHECK(access_reserve(NULL, NOW, &want, &hold, &why));
    access_settle(NULL, &hold, &want);
    CHECK(!key_limits(NULL, LIMIT_COST));
    CHECK_INT(access_views(NULL, NOW, views), 0);
}

static double nanoseconds_since(const struct timespec *from, int n)
{
    struct timespec to;

    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((double)(to.tv_sec - from->tv_sec) * 1e9 + (double)(to.tv_nsec - from->tv_nsec)) / n;
}

/* Said, not checked: what a request pays for its limits and for its key. */
static void costs_little(void)
{
    struct access *a = opened(&(struct access_options){ 0 });
    const struct key_spec spec = { .tenant = STR("t"),
                                   .rules = { { LIMIT_REQUESTS, LIMIT_MINUTE, LIMIT_MOST },
                                              { LIMIT_TOKENS, LIMIT_MINUTE, LIMIT_MOST },
                                              { LIMIT_COST, LIMIT_DAY, LIMIT_MOST } },
                                   .rule_count = 3 };
    const struct limit_amounts want = { { [LIMIT_REQUESTS] = 1, [LIMIT_TOKENS] = 900 } };
    const struct key *key = NULL;
    char text[KEY_TEXT_CHARS + 1];
    struct timespec start;
    const int n = 100000;

    str secret = key_added(a, 1, spec, text);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < n; i++)
        CHECK(access_find(a, secret, NOW, &key) == OK);
    double find = nanoseconds_since(&start, n);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < n; i++) {
        struct access_hold hold = { 0 };
        struct limit_refusal why;
        CHECK(access_reserve(key, NOW + i * 1000, &want, &hold, &why));
        access_settle(key, &hold, &want);
    }
    fprintf(stderr, "a key is found in %.0f ns, three limits take %.0f ns\n", find,
            nanoseconds_since(&start, n));
    access_close(a);
}

TESTS(TEST(keys_have_their_form), TEST(only_the_whole_secret_opens), TEST(keys_end),
      TEST(configured_keys_go_on), TEST(keys_come_and_go_under_those_who_look),
      TEST(models_are_those_listed), TEST(specs_survive_json), TEST(wrong_specs_are_refused),
      TEST(threads_share_accounts), TEST(a_tenants_refusal_takes_nothing_from_the_key),
      TEST(whoever_has_no_key_has_no_limits), TEST(costs_little))
