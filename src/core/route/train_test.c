/* SPDX-License-Identifier: Apache-2.0 */
/* train's tests: worlds whose truth is known: a signal in the words is found, noise is not, and no figure has seen its rows. */
#include "core/route/train_internal.h"

#include <math.h>
#include <string.h>

#include "test/check.h"

#define ROWS_MAX 3000

struct world {
    struct arena arena;
    struct rng rng;
    struct route_row rows[ROWS_MAX];
    struct route_run runs[ROWS_MAX];
    size_t n, run_count;
    struct route_train_options options;
    const struct route_model *model;
    struct route_train_report report;
};

static struct world w; /* large; each test opens it anew */

static void world_open(uint64_t seed)
{
    memset(&w, 0, sizeof(w));
    arena_init(&w.arena, (size_t)1 << 30);
    rng_init(&w.rng, seed);
    w.options = (struct route_train_options){
        .weak_model = STR("mini"), .strong_model = STR("large"), .seed = seed, .folds = 3
    };
}

static struct route_row *row_add(str domain, str prompt, double weak, double strong)
{
    struct route_row *row = &w.rows[w.n];

    *row = (struct route_row){ .id = arena_printf(&w.arena, "q%zu", w.n),
                               .domain = domain,
                               .prompt = prompt,
                               .weak_right = rng_unit(&w.rng) < weak,
                               .strong_right = rng_unit(&w.rng) < strong,
                               .weak_cost = 100,
                               .strong_cost = 1700 };
    w.n++;
    return row;
}

static enum err train_now(void)
{
    return route_train(&w.arena, &(struct route_training){ w.rows, w.n, w.runs, w.run_count },
                       &w.options, &w.model, &w.report);
}

/* Six words of forty, some of them the given one. */
static str prompt_make(const char *word)
{
    struct buf text = { 0 };

    for (int i = 0; i < 6; i++)
        buf_printf(&text, "w%c%c ", (char)('a' + rng_below(&w.rng, 5)),
                   (char)('a' + rng_below(&w.rng, 8)));
    buf_printf(&text, "%s.", word);
    str made = arena_str(&w.arena, buf_str(&text));
    buf_fini(&text);
    return made;
}

static double score_of(str prompt, str domain, double *out_weak)
{
    struct route_features f;
    struct learned_score score;

    route_features_read(&f, prompt, &(struct route_context){ .turns = 0 });
    route_score_learned(w.model, &f, prompt, domain, &score);
    if (out_weak)
        *out_weak = score.weak_success;
    return score.gain;
}

/* ---- what is there is found ---- */

/* "tricky" questions are where the strong model helps; domains say nothing. */
static void tricky_world(uint64_t seed, size_t n)
{
    world_open(seed);
    for (size_t i = 0; i < n; i++) {
        bool is_tricky = rng_below(&w.rng, 3) == 0;
        row_add(rng_below(&w.rng, 2) == 0 ? STR("stem.a") : STR("stem.b"),
                prompt_make(is_tricky ? "tricky" : "simple"), is_tricky ? 0.2 : 0.9, 0.9);
    }
}

static void a_signal_in_the_words_is_found(void)
{
    double weak_tricky, weak_simple;

    tricky_world(70, 1500);
    REQUIRE(train_now() == OK);
    const struct route_facts *facts = route_model_facts(w.model);
    CHECK(!facts->is_domain_table);
    CHECK(facts->apgr_learned > 0.75);
    CHECK_NEAR(facts->apgr_domain_table, 0.5, 0.05);
    CHECK_NEAR(facts->apgr, facts->apgr_learned, 0);
    CHECK(facts->auc > 0.8);
    CHECK(facts->ece < 0.06);
    CHECK_INT(facts->n, 1500);
    CHECK_INT(facts->holdout, 1500);
    CHECK_INT(facts->folds, 3);
    double tricky = score_of(prompt_make("tricky"), STR("stem.a"), &weak_tricky);
    double simple = score_of(prompt_make("simple"), STR("stem.a"), &weak_simple);
    CHECK_NEAR(tricky, 0.8 * 0.9, 0.12);
    CHECK_NEAR(simple, 0.1 * 0.9, 0.07);
    CHECK_NEAR(weak_tricky, 0.2, 0.1);
    CHECK_NEAR(weak_simple, 0.9, 0.07);
    CHECK_NEAR(w.report.metrics[ROUTE_BY_CHANCE].apgr, 0.5, 1e-9);
    arena_fini(&w.arena);
}

static void a_signal_in_the_domain_needs_no_features(void)
{
    world_open(71);
    for (size_t i = 0; i < 1500; i++) {
        bool is_hard = rng_below(&w.rng, 3) == 0;
        row_add(is_hard ? STR("law.tax") : STR("law"), prompt_make("same"), is_hard ? 0.3 : 0.9,
                0.9);
    }
    REQUIRE(train_now() == OK);
    const struct route_facts *facts = route_model_facts(w.model);
    CHECK(facts->apgr_domain_table > 0.75);
    CHECK(facts->apgr > 0.75);
    CHECK_NEAR(score_of(prompt_make("same"), STR("law.tax"), NULL), 0.7 * 0.9, 0.1);
    CHECK_NEAR(score_of(prompt_make("same"), STR("law.tax.vat"), NULL), 0.7 * 0.9, 0.1);
    CHECK(score_of(prompt_make("same"), STR("law"), NULL) < 0.4);
    arena_fini(&w.arena);
}

/* ---- what is not there is not ---- */

/* Every question has words of its own, which tell a fit that has seen them everything, and another one nothing. */
static void noise_is_not_learned(void)
{
    double weak;

    world_open(72);
    for (size_t i = 0; i < 1000; i++)
        row_add(STR("d"), arena_printf(&w.arena, "%zx%zx x%zu y%zu", i * 7919, i, i, i), 0.5, 0.7);
    REQUIRE(train_now() == OK);
    const struct router_metrics *learned = &w.report.metrics[ROUTE_BY_LEARNED];
    CHECK_NEAR(learned->auc, 0.5, 0.06);
    CHECK_NEAR(w.report.gain_after.auroc, 0.5, 0.06);
    CHECK(w.report.gain_after.ece < 0.06);
    /* It is a contender of its own, not the table under another name. */
    const struct router_metrics *table = &w.report.metrics[ROUTE_BY_DOMAIN_TABLE];
    CHECK(learned->auc < table->auc || learned->auc > table->auc);
    /* The final model has seen these rows; its probabilities still are those of strangers. */
    double mean_of_gains = 0;
    int gains = 0;
    for (size_t i = 0; i < w.n; i++) {
        if (!w.rows[i].strong_right || w.rows[i].weak_right)
            continue;
        mean_of_gains += score_of(w.rows[i].prompt, STR("d"), &weak);
        gains++;
        CHECK_NEAR(weak, 0.5, 0.25);
    }
    CHECK_NEAR(mean_of_gains / gains, 0.35, 0.1);
    arena_fini(&w.arena);
}

/* With many words that no other question has. */
static str unique_make(bool is_tricky)
{
    struct buf text = { 0 };

    for (int i = 0; i < 12; i++)
        buf_printf(&text, "%c%" PRIx64 "z ", (char)('g' + i), 0x10000 + rng_below(&w.rng, 90000));
    buf_add(&text, is_tricky ? STR("tricky") : STR("simple"));
    str made = arena_str(&w.arena, buf_str(&text));
    buf_fini(&text);
    return made;
}

/* Domains of three rows each: a table that has counted a row knows what became of it. */
static void a_table_has_not_counted_the_rows_it_judges(void)
{
    world_open(98);
    for (size_t i = 0; i < 1200; i++)
        row_add(arena_printf(&w.arena, "d%zu", i / 3), STR("same"), 0.5, 0.7);
    REQUIRE(train_now() == OK);
    CHECK_NEAR(w.report.metrics[ROUTE_BY_DOMAIN_TABLE].auc, 0.5, 0.07);
    arena_fini(&w.arena);
}

/* Out of fold, noise as often ranks gains last as first; a calibration must not turn that round. */
static void a_calibration_never_reverses(void)
{
    for (uint64_t seed = 90; seed < 96; seed++) {
        world_open(seed);
        for (size_t i = 0; i < 300; i++)
            row_add(STR("d"), unique_make(false), 0.5, 0.7);
        REQUIRE(train_now() == OK);
        for (int h = 0; h < HEAD_COUNT; h++) {
            CHECK_INT(w.model->calibration[h].kind, FIT_PLATT);
            CHECK(w.model->calibration[h].slope >= 0);
            CHECK_INT(w.model->calibration[h].n, 300);
        }
        CHECK_NEAR(score_of(unique_make(false), STR("d"), NULL), 0.35, 0.2);
        arena_fini(&w.arena);
    }
}

static void many_labels_are_calibrated_step_by_step(void)
{
    world_open(97);
    w.options.folds = 2;
    for (size_t i = 0; i < ROWS_MAX; i++)
        row_add(STR("d"), prompt_make(i % 2 == 0 ? "tricky" : "simple"), i % 2 == 0 ? 0.1 : 0.6, 1);
    REQUIRE(train_now() == OK);
    CHECK_INT(w.model->calibration[HEAD_GAIN].kind, FIT_ISOTONIC);
    CHECK_NEAR(score_of(prompt_make("tricky"), STR("d"), NULL), 0.9, 0.1);
    arena_fini(&w.arena);
}

/* A calibration fitted on scores that have seen their rows promises too much on new ones. */
static void calibration_holds_on_new_questions(void)
{
    static struct labelled items[4000];
    struct calibration_metrics metrics;

    world_open(73);
    for (size_t i = 0; i < 1500; i++) {
        bool is_tricky = rng_below(&w.rng, 3) == 0;
        row_add(STR("d"), unique_make(is_tricky), is_tricky ? 0.4 : 0.8, 0.9);
    }
    REQUIRE(train_now() == OK);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        bool is_tricky = rng_below(&w.rng, 3) == 0;
        items[i].score = score_of(unique_make(is_tricky), STR("d"), NULL);
        items[i].is_right = rng_unit(&w.rng) < (is_tricky ? 0.6 : 0.2) * 0.9;
    }
    REQUIRE(calibration_measure(&metrics, items, ARRAY_LEN(items), &w.arena) == OK);
    CHECK(metrics.ece < 0.05);
    CHECK_NEAR(metrics.mean_confidence, metrics.accuracy, 0.03);
    arena_fini(&w.arena);
}

/* The same question again is in the same fold, so that nobody can learn its answer by heart. */
static void rows_of_one_question_share_a_fold(void)
{
    world_open(74);
    for (size_t i = 0; i < 1200; i++) {
        struct route_row *row = row_add(STR("d"), STR(""), 0.5, 0.7);
        size_t question = i / 4;
        if (i % 4 > 0) {
            row->weak_right = row[-1].weak_right;
            row->strong_right = row[-1].strong_right;
        }
        row->id = arena_printf(&w.arena, "same%zu", question);
        row->prompt = arena_printf(&w.arena, "p%zu q%zu r%zu", question, question * 31, question);
    }
    REQUIRE(train_now() == OK);
    CHECK_NEAR(w.report.metrics[ROUTE_BY_LEARNED].auc, 0.5, 0.1);
    arena_fini(&w.arena);
}

/* Without strata, a fold with more gains than its share ranks below the others, and even a table of one domain is worse than
 * chance: about .45 here. */
static void folds_have_their_share_of_every_outcome(void)
{
    world_open(75);
    for (size_t i = 0; i < 300; i++)
        row_add(STR("d"), STR("same"), 0.7, 0.8);
    REQUIRE(train_now() == OK);
    CHECK_NEAR(w.report.metrics[ROUTE_BY_DOMAIN_TABLE].auc, 0.5, 0.03);
    arena_fini(&w.arena);
}

static void without_gains_there_is_a_model_all_the_same(void)
{
    world_open(76);
    for (size_t i = 0; i < 100; i++)
        row_add(STR("d"), prompt_make("same"), 2, 2);
    REQUIRE(train_now() == OK);
    const struct route_facts *facts = route_model_facts(w.model);
    CHECK(facts->is_domain_table);
    CHECK(!facts->has_apgr);
    CHECK_NEAR(facts->apgr, 0, 0);
    CHECK_NEAR(facts->auc, 0.5, 0);
    CHECK(score_of(prompt_make("same"), STR("d"), NULL) < 0.05);
    struct buf text = { 0 };
    const struct route_model *again = NULL;
    str what = STR("");
    route_model_write(w.model, &text);
    CHECK_ERR(route_model_read(&w.arena, buf_str(&text), &again, &what), OK);
    CHECK(again && !route_model_facts(again)->has_apgr);
    buf_fini(&text);
    arena_fini(&w.arena);
}

/* ---- the table is a choice like any other ---- */

static void a_table_has_no_weights(void)
{
    world_open(77);
    for (size_t i = 0; i < 400; i++)
        row_add(i % 2 == 0 ? STR("a") : STR("b"), STR("the same prompt"), i % 2 == 0 ? 0.4 : 0.9,
                0.9);
    REQUIRE(train_now() == OK);
    CHECK(route_model_facts(w.model)->is_domain_table);
    CHECK(isinf(w.report.lambda));
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        CHECK_NEAR(w.model->dense[HEAD_GAIN][i], 0, 0);
    double a = score_of(STR("anything"), STR("a"), NULL);
    CHECK_NEAR(a, score_of(STR("Prove that 1 + 1 = 2."), STR("a"), NULL), 0);
    CHECK(a > score_of(STR("anything"), STR("b"), NULL));
    arena_fini(&w.arena);
}

/* ---- reproducible ---- */

static void the_same_seed_makes_the_same_file(void)
{
    struct buf texts[3] = { { 0 } };

    tricky_world(78, 300);
    for (int i = 0; i < 3; i++) {
        w.options.seed = i < 2 ? 1 : 2;
        REQUIRE(train_now() == OK);
        route_model_write(w.model, &texts[i]);
    }
    CHECK_STR(buf_str(&texts[1]), buf_str(&texts[0]));
    CHECK(!str_eq(buf_str(&texts[2]), buf_str(&texts[0])));
    CHECK(texts[0].len < 200000);
    uint64_t hash = route_model_facts(w.model)->data_hash;
    w.rows[7].prompt.len--;
    REQUIRE(train_now() == OK);
    CHECK(route_model_facts(w.model)->data_hash != hash);
    w.rows[7].prompt.len++;
    w.rows[7].weak_right = !w.rows[7].weak_right;
    REQUIRE(train_now() == OK);
    CHECK(route_model_facts(w.model)->data_hash != hash);
    for (int i = 0; i < 3; i++)
        buf_fini(&texts[i]);
    arena_fini(&w.arena);
}

/* What was trained is what is written and read: the same scores to the bit. */
static void the_file_scores_as_the_trained_model(void)
{
    struct buf text = { 0 };
    const struct route_model *trained, *read = NULL;
    str what = STR("");

    tricky_world(79, 500);
    REQUIRE(train_now() == OK);
    trained = w.model;
    route_model_write(trained, &text);
    REQUIRE(route_model_read(&w.arena, buf_str(&text), &read, &what) == OK);
    for (size_t i = 0; i < 100; i++) {
        double weak, weak_read;
        w.model = trained;
        double gain = score_of(w.rows[i].prompt, w.rows[i].domain, &weak);
        w.model = read;
        CHECK_NEAR(score_of(w.rows[i].prompt, w.rows[i].domain, &weak_read), gain, 0);
        CHECK_NEAR(weak_read, weak, 0);
    }
    buf_fini(&text);
    arena_fini(&w.arena);
}

/* ---- arms and confidence ---- */

static void runs_become_arms_and_a_calibration(void)
{
    tricky_world(80, 100);
    for (size_t i = 0; i < 600; i++) {
        bool is_code = i % 3 == 0;
        w.runs[w.run_count++] = (struct route_run){
            .domain = is_code ? STR("stem.code") : STR("stem.math"),
            .strategy = i % 2 == 0 ? STR("direct") : STR("hrm"),
            .model = STR("mini"),
            .is_right = is_code ? i % 4 == 0 : i % 5 != 0,
            .cost = i % 4 == 0 ? COST_UNPRICED : 100 + (nano_usd)(i % 2) * 50,
            .latency_ms = i % 10 == 0 ? 500.5 : -1,
            .raw_confidence = i % 3 == 1 ? -1 : 0.9,
        };
    }
    REQUIRE(train_now() == OK);
    CHECK_INT(w.model->arm_count, 2 * 4); /* root, stem, stem.code, stem.math for each strategy */
    const struct arm_row *root = arm_find(w.model, STR("direct"), STR("mini"), STR(""));
    const struct arm_row *stem = arm_find(w.model, STR("direct"), STR("mini"), STR("stem"));
    const struct arm_row *code = arm_find(w.model, STR("direct"), STR("mini"), STR("stem.code"));
    REQUIRE(root && stem && code);
    CHECK_INT(root->n, 300);
    CHECK_INT(stem->n, 300);
    CHECK_INT(code->n, 100);
    CHECK_INT(code->right, 50);
    CHECK_INT(root->cost_n, 150);
    CHECK_INT(root->cost_mean, 100);
    CHECK_INT(arm_find(w.model, STR("hrm"), STR("mini"), STR(""))->cost_mean, 150);
    CHECK_INT(root->latency_n, 60);
    CHECK_NEAR(root->latency_ms_mean, 500.5, 0);
    const struct confidence_table *table = route_model_confidence(w.model);
    REQUIRE(table != NULL);
    CHECK_INT(confidence_table_report(table, 0)->after.n, 400);
    struct confidence c = confidence_calibrate(
        table, &(struct confidence_key){ STR("stem.code"), STR("mini"), STR("direct") }, 0.9);
    CHECK(c.is_calibrated);
    CHECK_NEAR(c.value, 0.5, 0.12);
    arena_fini(&w.arena);
}

static void runs_alone_make_arms_and_confidence(void)
{
    world_open(84);
    for (size_t i = 0; i < 100; i++)
        w.runs[w.run_count++] =
            (struct route_run){ STR("d"), STR("cascade"), STR("mini"), i % 4 > 0, 50, -1, 0.9 };
    REQUIRE(train_now() == OK);
    CHECK_INT(route_model_facts(w.model)->n, 0);
    CHECK_INT(w.model->arm_count, 2);
    CHECK_INT(confidence_table_count(route_model_confidence(w.model)), 3);
    const struct learned_score score = { .gain = 0.9, .weak_success = 0.01 };
    const struct route_candidate candidate = { STR("direct"), STR("mini"), 10 };
    struct route_decision d;
    route_decide(w.model, &(struct route_question){ STR("d"), &score }, &candidate, 1,
                 &(struct route_options){ .value_nano_usd = 1 }, NULL, &d);
    CHECK_INT(d.estimates[0].ground,
              ROUTE_GROUND_PRIOR); /* a score that nobody trained says nothing */
    struct buf text = { 0 };
    const struct route_model *again = NULL;
    str what = STR("");
    route_model_write(w.model, &text);
    CHECK_ERR(route_model_read(&w.arena, buf_str(&text), &again, &what), OK);
    buf_fini(&text);
    w.run_count = 0;
    CHECK_ERR(train_now(), CALLER_BAD_REQUEST);
    arena_fini(&w.arena);
}

/* Hundreds of domains: the rare ones count for what is above them. */
static void rare_domains_give_way(void)
{
    world_open(81);
    for (size_t i = 0; i < 2500; i++) {
        str domain = i < 100 ? STR("frequent.one") : arena_printf(&w.arena, "d%zu.x", i);
        row_add(domain, STR("same"), 0.6, 0.8);
        w.runs[w.run_count++] =
            (struct route_run){ domain, STR("direct"), STR("mini"), true, 5, -1, -1 };
    }
    REQUIRE(train_now() == OK);
    CHECK(w.model->domains.count <= MODEL_DOMAINS_MAX);
    CHECK(w.model->arm_count <= MODEL_ARMS_MAX);
    CHECK_STR(domain_row_find(&w.model->domains, STR("frequent.one"))->name, STR("frequent.one"));
    CHECK_STR(domain_row_find(&w.model->domains, STR("d700.x"))->name, STR(""));
    CHECK(arm_find(w.model, STR("direct"), STR("mini"), STR("frequent.one")) != NULL);
    const struct domain_row *root = &w.model->domains.rows[0];
    CHECK_INT(root->both + root->gain + root->loss + root->neither, 2500);
    arena_fini(&w.arena);
}

/* Hundreds of models: each keeps at least its overall row. */
static void many_arms_keep_their_totals(void)
{
    tricky_world(83, 50);
    for (size_t i = 0; i < 2400; i++)
        w.runs[w.run_count++] = (struct route_run){
            .domain = i < 1200 ? STR("a.b") : STR("a.c"),
            .strategy = STR("direct"),
            .model = arena_printf(&w.arena, "m%zu", i % 600),
            .is_right = true,
            .cost = 5,
            .latency_ms = -1,
            .raw_confidence = -1,
        };
    REQUIRE(train_now() == OK);
    CHECK_INT(w.model->arm_count, 600);
    CHECK_INT(w.model->arms[0].n, 4);
    for (size_t i = 0; i < ROWS_MAX; i++)
        w.runs[i] =
            (struct route_run){ STR(""), STR("s"), arena_printf(&w.arena, "m%zu", i), true, 5,
                                -1,      -1 };
    w.run_count = MODEL_ARMS_MAX + 1;
    CHECK_ERR(train_now(), CALLER_BAD_REQUEST);
    arena_fini(&w.arena);
}

/* ---- limits ---- */

static int progress_calls, progress_last;

static void on_progress(void *ctx, int done, int total)
{
    *(int *)ctx = total;
    progress_calls++;
    progress_last = done;
}

static void limits(void)
{
    int total = 0;

    tricky_world(82, 30);
    w.n = ROUTE_TRAIN_ROWS_MIN - 1;
    CHECK_ERR(train_now(), CALLER_BAD_REQUEST);
    w.n = 30;
    w.options.folds = 1;
    CHECK_ERR(train_now(), CALLER_BAD_REQUEST);
    w.options.folds = ROUTE_FOLDS_MAX + 1;
    CHECK_ERR(train_now(), CALLER_BAD_REQUEST);
    CHECK(w.model == NULL);
    w.options.folds = ROUTE_FOLDS_MAX;
    w.options.rounds = 20;
    w.options.on_progress = on_progress;
    w.options.ctx = &total;
    progress_calls = 0;
    CHECK_ERR(train_now(), OK);
    CHECK_INT(progress_calls, total);
    CHECK_INT(progress_last, total);
    CHECK_INT(w.report.intervals[ROUTE_BY_CHANCE].rounds > 0, true);
    w.options.folds = 2;
    CHECK_ERR(train_now(), OK);
    for (size_t bytes = 0; bytes < (size_t)3 << 20; bytes += 300000) {
        struct arena small;
        const struct route_model *model = NULL;
        arena_init(&small, bytes);
        enum err e = route_train(&small, &(struct route_training){ w.rows, w.n, NULL, 0 },
                                 &w.options, &model, &w.report);
        CHECK(e == OK || (e == WEIR_NO_MEMORY && !model));
        CHECK(bytes > 0 || e == WEIR_NO_MEMORY);
        arena_fini(&small);
    }
    arena_fini(&w.arena);
}

TESTS(TEST(a_signal_in_the_words_is_found), TEST(a_signal_in_the_domain_needs_no_features),
      TEST(noise_is_not_learned), TEST(a_table_has_not_counted_the_rows_it_judges),
      TEST(a_calibration_never_reverses), TEST(many_labels_are_calibrated_step_by_step),
      TEST(calibration_holds_on_new_questions), TEST(rows_of_one_question_share_a_fold),
      TEST(folds_have_their_share_of_every_outcome),
      TEST(without_gains_there_is_a_model_all_the_same), TEST(a_table_has_no_weights),
      TEST(the_same_seed_makes_the_same_file), TEST(the_file_scores_as_the_trained_model),
      TEST(runs_become_arms_and_a_calibration), TEST(runs_alone_make_arms_and_confidence),
      TEST(rare_domains_give_way), TEST(many_arms_keep_their_totals), TEST(limits))
