/* SPDX-License-Identifier: Apache-2.0 */
/* model's tests: rates by domain, the learned score and its reasons, the file both ways and what no file may say. */
#include <math.h>
#include <string.h>

#include "core/route/fixture_test.h"

/* ---- domains ---- */

static void names_have_ancestors(void)
{
    str name = STR("a.b.c");

    CHECK(domain_parent(name, &name));
    CHECK_STR(name, STR("a.b"));
    CHECK(domain_parent(name, &name));
    CHECK_STR(name, STR("a"));
    CHECK(domain_parent(name, &name));
    CHECK_STR(name, STR(""));
    CHECK(!domain_parent(name, &name));
    CHECK_STR(domain_clip(STR("1.2.3.4.5.6.7.8.9.10")), STR("1.2.3.4.5.6.7.8"));
    CHECK_STR(domain_clip(STR("1.2.3.4.5.6.7.8")), STR("1.2.3.4.5.6.7.8"));
}

static void rates_are_shrunk_to_the_domain_above(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    const struct route_model *m = fixture_model(&arena);
    double root = 120.5 / 1001, stem = (100 + 20 * root) / 820, code = (60 + 20 * stem) / 120;
    CHECK_NEAR(domain_row_find(&m->domains, STR(""))->gain_rate, root, 1e-12);
    CHECK_NEAR(domain_row_find(&m->domains, STR("stem"))->gain_rate, stem, 1e-12);
    CHECK_NEAR(domain_row_find(&m->domains, STR("stem.code"))->gain_rate, code, 1e-12);
    CHECK_NEAR(domain_row_find(&m->domains, STR("stem.code"))->weak_rate,
               (30 + 20 * (650 + 20 * 760.5 / 1001) / 820) / 120, 1e-12);
    /* What was never seen is the nearest that was. */
    CHECK_STR(domain_row_find(&m->domains, STR("stem.code.c"))->name, STR("stem.code"));
    CHECK_STR(domain_row_find(&m->domains, STR("stem.biology.dna"))->name, STR("stem"));
    CHECK_STR(domain_row_find(&m->domains, STR("stemware"))->name, STR(""));
    arena_fini(&arena);
}

/* ---- the learned score ---- */

static struct learned_score score_of(const struct route_model *m, str question, str domain)
{
    struct route_features f;
    struct learned_score score;

    route_features_read(&f, question, &(struct route_context){ .turns = 0 });
    route_score_learned(m, &f, question, domain, &score);
    return score;
}

/* One word, so everything can be written down. */
static void the_score_is_the_sum_of_its_reasons(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    const struct route_model *m = fixture_model(&arena);
    struct learned_score s = score_of(m, STR("Prove"), STR("stem.code"));
    double root = log(120.5 / 1001 / (1 - 120.5 / 1001));
    double domain = domain_row_find(&m->domains, STR("stem.code"))->log_odds[HEAD_GAIN];
    double length = 0.75 * log(6);
    CHECK_NEAR(s.log_odds, domain - 0.25 + length + 2.5, 1e-6);
    CHECK_NEAR(s.gain, (s.log_odds + 6) / 12 * 0.9, 1e-9);
    REQUIRE(s.reason_count == 3);
    CHECK_INT(s.reasons[0].kind, ROUTE_REASON_WORDS);
    CHECK_STR(s.reasons[0].name, STR("Prove")); /* as it stands in the question */
    CHECK_NEAR(s.reasons[0].contribution, 2.5, 1e-9);
    CHECK_INT(s.reasons[1].kind, ROUTE_REASON_DOMAIN);
    CHECK_STR(s.reasons[1].name, STR("stem.code"));
    CHECK_NEAR(s.reasons[1].contribution, domain - root, 1e-9);
    CHECK_STR(s.reasons[2].name, STR("length"));
    CHECK_NEAR(s.reasons[2].contribution, length, 1e-6);
    double weak = domain_row_find(&m->domains, STR("stem.code"))->log_odds[HEAD_WEAK];
    double word_length = fmin((5 - 0.75) / 2.5, 5);
    CHECK_NEAR(s.weak_success, logistic_of(weak + 0.5 - 0.5 * log(6) + 0.125 * word_length - 1.25),
               1e-6);
    /* Grams count by 1/sqrt of how many there are: three here. */
    struct learned_score two = score_of(m, STR("Prove it"), STR("stem.code"));
    CHECK_INT(two.reasons[2].kind, ROUTE_REASON_WORDS);
    CHECK_NEAR(two.reasons[2].contribution, 2.5 / sqrt(3), 1e-6);
    arena_fini(&arena);
}

static void only_the_largest_reasons_are_kept_in_order(void)
{
    struct arena arena;
    struct rng rng;

    arena_init(&arena, 1 << 20);
    struct route_model *m = fixture_model(&arena);
    rng_init(&rng, 40);
    for (size_t i = 0; i < ROUTE_GRAMS; i++)
        m->grams[i][HEAD_GAIN] = (float)rng_normal(&rng);
    struct learned_score s =
        score_of(m, STR("Given a list of numbers, sort it and print every second one."), STR(""));
    CHECK_INT(s.reason_count, ROUTE_REASONS_MAX);
    for (size_t i = 1; i < s.reason_count; i++)
        CHECK(fabs(s.reasons[i - 1].contribution) >= fabs(s.reasons[i].contribution));
    arena_fini(&arena);
}

/* Far beyond what training saw, a feature counts no more than at five deviations. */
static void features_are_clipped(void)
{
    struct arena arena;
    struct buf text = { 0 };

    arena_init(&arena, 1 << 20);
    struct route_model *m = fixture_model(&arena);
    m->feature_scale[0] = 0.5;
    for (int i = 0; i < 5000; i++)
        buf_add(&text, STR("- "));
    struct learned_score s = score_of(m, buf_str(&text), STR(""));
    CHECK_NEAR(s.reasons[0].contribution, 0.75 * 5, 1e-9);
    CHECK_NEAR(feature_standardised(-100, 0, 1), -5, 0);
    buf_fini(&text);
    arena_fini(&arena);
}

/* ---- the file ---- */

static void written_and_read_it_is_the_same(void)
{
    static const char *const questions[] = { "", "Prove it", "What is 2+2?", "x\n- a\n- b" };
    struct arena arena;
    struct buf once = { 0 }, twice = { 0 };
    const struct route_model *again = NULL;
    str what = STR("");

    arena_init(&arena, 16 << 20);
    struct route_model *m = fixture_model(&arena);
    struct rng rng;
    rng_init(&rng, 41);
    for (size_t i = 0; i < ROUTE_GRAMS; i++) /* every weight that a file may hold */
        m->grams[i][HEAD_WEAK] =
            (float)(weight_rounded(rng_normal(&rng) * (i % 2 == 0 ? 20 : 0.01)) * WEIGHT_UNIT);
    route_model_write(m, &once);
    enum err e = route_model_read(&arena, buf_str(&once), &again, &what);
    CHECK_STR(what, STR(""));
    CHECK_ERR(e, OK);
    REQUIRE(e == OK);
    route_model_write(again, &twice);
    CHECK_STR(buf_str(&twice), buf_str(&once));
    buf_reset(&once); /* the model does not point into the text */
    memset(once.ptr, 'x', once.cap);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct learned_score a = score_of(m, str_from(questions[i]), STR("stem.code"));
        struct learned_score b = score_of(again, str_from(questions[i]), STR("stem.code"));
        CHECK_NEAR(a.gain, b.gain, 0);
        CHECK_NEAR(a.weak_success, b.weak_success, 0);
        CHECK_INT(a.reason_count, b.reason_count);
    }
    const struct route_facts *facts = route_model_facts(again);
    CHECK(facts->seed == UINT64_MAX && facts->data_hash == 0x0123456789abcdef);
    CHECK_NEAR(facts->apgr_domain_table, -0.55, 0);
    CHECK(facts->has_apgr && !facts->is_domain_table);
    CHECK_STR(facts->strong_model, STR("large"));
    CHECK(route_model_confidence(again) == NULL);
    CHECK_NEAR(arm_find(again, STR("direct"), STR("large"), STR(""))->latency_ms_mean, 812.5, 0);
    buf_fini(&once);
    buf_fini(&twice);
    arena_fini(&arena);
}

/* Weights are kept to the unit, and beyond the largest not at all. */
static void weights_are_rounded_to_what_a_file_holds(void)
{
    CHECK_NEAR(weight_rounded(0.123456), 12346, 0);
    CHECK_NEAR(weight_rounded(-0.000004), 0, 0);
    CHECK_NEAR(weight_rounded(1e9), WEIGHT_UNITS_MAX, 0);
    CHECK_NEAR(weight_rounded(-1e9), -WEIGHT_UNITS_MAX, 0);
    for (double units = 1; units < WEIGHT_UNITS_MAX; units = floor(units * 1.1) + 1)
        CHECK_NEAR(weight_rounded((double)(float)(units * WEIGHT_UNIT)), units, 0);
}

static struct buf replaced(str text, str from, str to)
{
    struct buf out = { 0 };
    size_t at = str_find(text, from);

    CHECK(at != STR_NPOS);
    buf_add(&out, str_slice(text, 0, at));
    buf_add(&out, to);
    buf_add(&out, str_slice(text, at + from.len, text.len));
    return out;
}

static void what_no_training_could_have_written_is_refused(void)
{
    static const struct {
        const char *from;
        const char *to;
        const char *says;
    } rows[] = {
        { "{\"version\":1", "{\"version\":2", "version" },
        { "{\"version\":1", "{\"versio\":1", "no version" },
        { "{\"version\":1", "[\"version\",1", "byte" },
        { "\"features_hash\":\"", "\"features_hash\":\"0", "other features" },
        { "\"features_hash\":\"", "\"features_hash\":\"0000000000000000\",\"x\":\"",
          "other features" },
        { "\"facts\":{", "\"facts\":{\"n\":1},\"y\":{", "facts" },
        { "\"n\":1000", "\"n\":-1", "facts" },
        { "\"n\":1000", "\"n\":1e30", "facts" },
        { "\"folds\":5", "\"folds\":21", "facts" },
        { "\"seed\":\"f", "\"seed\":\"g", "facts" },
        { "\"auc\":0.61", "\"auc\":null", "facts" },
        { "\"apgr\":0.58", "\"apgr\":null", "facts" }, /* all three or none */
        { "\"apgr_learned\":0.58", "\"apgr_learned\":\"0.58\"", "facts" },
        { "\"scorer\":\"learned\"", "\"scorer\":\"magic\"", "scorer" },
        { "\"weak_model\":\"mini\"", "\"weak_model\":7", "weak_model" },
        { "\"intercept\":[-25000", "\"intercept\":[-25000.5", "intercept" },
        { "\"intercept\":[", "\"intercept\":[0,", "intercept" },
        { "\"name\":\"length\"", "\"name\":\"lenght\"", "by their names" },
        { "{\"name\":\"words\"", "{\"name\":\"length\"", "by their names" },
        { "\"scale\":1,", "\"scale\":0,", "scale" },
        { "\"scale\":1,", "\"scale\":1e300,", "scale" },
        { "\"dense\":[", "\"dense\":[{},", "25 features" },
        { "\"grams\":{\"gain\":[", "\"grams\":{\"gain\":[0,", "4096" },
        { "\"grams\":{\"gain\":[0", "\"grams\":{\"gain\":[5000001", "integer of 10^-5" },
        { "\"calibration\":{\"gain\"", "\"calibration\":{\"loss\"", "calibration" },
        { "\"domains\":[{", "\"domains\":[],\"z\":[{", "domains" },
        { "{\"domain\":\"\",", "{\"domain\":\"a\",", "root" },
        { "{\"domain\":\"stem\",", "{\"domain\":\"tem\",", "sorted" },
        { "\"both\":700", "\"both\":-700", "a domain must hold" },
        { "\"arms\":[", "\"arms\":[{},", "an arm must hold" },
        { "\"right\":360", "\"right\":401", "an arm must hold" },
        { "\"cost_n\":400", "\"cost_n\":401", "an arm must hold" },
        { "\"latency_ms_mean\":812.5", "\"latency_ms_mean\":-1", "an arm must hold" },
        { "{\"strategy\":\"cascade\"", "{\"strategy\":\"direct\"", "sorted" },
        { "\"confidence\":null", "\"confidence\":{}", "confidence.maps" },
        { "\"confidence\":null", "\"confidence\":{\"maps\":[{}]}", "confidence.maps[0]" },
        { "\"confidence\":null}", "\"confidence\":null,", "byte" },
    };
    struct arena arena;
    struct buf whole = { 0 };

    arena_init(&arena, 64 << 20);
    struct route_model *m = fixture_model(&arena);
    route_model_write(m, &whole);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf bad = replaced(buf_str(&whole), str_from(rows[i].from), str_from(rows[i].to));
        const struct route_model *read = m;
        str what = STR("");
        enum err e = route_model_read(&arena, buf_str(&bad), &read, &what);
        if (e == OK || e == WEIR_NO_MEMORY || read != m ||
            str_find(what, str_from(rows[i].says)) == STR_NPOS) {
            fprintf(stderr, "    %s: %s \"%.*s\"\n", rows[i].to, err_info(e)->name, STR_ARG(what));
            check_note(__FILE__, __LINE__, "not refused as it should be");
        }
        buf_fini(&bad);
    }
    buf_fini(&whole);
    arena_fini(&arena);
}

static void size_and_memory_are_limited(void)
{
    struct arena arena;
    struct buf text = { 0 };
    const struct route_model *read = NULL;
    str what = STR("");

    arena_init(&arena, 64 << 20);
    route_model_write(fixture_model(&arena), &text);
    for (size_t bytes = 0; bytes < (size_t)1 << 20; bytes += 50000) {
        struct arena small;
        arena_init(&small, bytes);
        enum err e = route_model_read(&small, buf_str(&text), &read, &what);
        CHECK(e == OK || e == WEIR_NO_MEMORY);
        CHECK(bytes > 0 || e == WEIR_NO_MEMORY);
        arena_fini(&small);
    }
    while (text.len <= ROUTE_MODEL_BYTES_MAX)
        buf_add(&text, STR("          "));
    CHECK_ERR(route_model_read(&arena, buf_str(&text), &read, &what), CALLER_BAD_REQUEST);
    CHECK(str_find(what, STR("2 MiB")) != STR_NPOS);
    buf_fini(&text);
    arena_fini(&arena);
}

TESTS(TEST(names_have_ancestors), TEST(rates_are_shrunk_to_the_domain_above),
      TEST(the_score_is_the_sum_of_its_reasons), TEST(only_the_largest_reasons_are_kept_in_order),
      TEST(features_are_clipped), TEST(written_and_read_it_is_the_same),
      TEST(weights_are_rounded_to_what_a_file_holds),
      TEST(what_no_training_could_have_written_is_refused), TEST(size_and_memory_are_limited))
