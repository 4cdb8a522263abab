/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_sides's tests: simulated logs of a world whose truth is known. Each question has two answers, of which the log has one; who
 * answered was decided by a hint that no feature shows.
 */
#include "core/route/train_internal.h"

#include <math.h>
#include <string.h>

#include "test/check.h"

#define ROWS_MAX 12000

struct question {
    double x, y; /* what the features say, standard deviations of about 1 */
    double weak, strong; /* P(right) */
    bool weak_right, strong_right;
};

struct world {
    struct arena arena;
    struct rng rng;
    struct question questions[ROWS_MAX];
    struct route_log logs[ROWS_MAX];
    struct route_row rows[ROWS_MAX];
    struct route_run runs[100];
    size_t n, run_count;
    struct route_train_options options;
    const struct route_model *model;
    struct route_sides_report report;
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

static double spread(void)
{
    return (rng_unit(&w.rng) + rng_unit(&w.rng) + rng_unit(&w.rng) - 1.5) * 2;
}

/* Features 0 and 1 are all that varies. */
static struct question *question_add(str domain)
{
    struct question *q = &w.questions[w.n];
    struct route_log *log = &w.logs[w.n];

    *q = (struct question){ .x = spread(), .y = spread() };
    log->kept.dense[0] = (float)q->x;
    log->kept.dense[1] = (float)q->y;
    w.rows[w.n] = (struct route_row){ .id = arena_printf(&w.arena, "q%zu", w.n),
                                      .domain = domain,
                                      .log = log };
    w.n++;
    return q;
}

/* Who answers is drawn; the log has that side's answer and the probability with which it was taken. */
static void question_log(struct question *q, double strong_share)
{
    size_t i = (size_t)(q - w.questions);
    bool is_strong = rng_unit(&w.rng) < strong_share;

    w.logs[i].side = is_strong ? ROUTE_SIDE_STRONG : ROUTE_SIDE_WEAK;
    w.logs[i].propensity = is_strong ? strong_share : 1 - strong_share;
    w.rows[i].weak_right = !is_strong && q->weak_right;
    w.rows[i].strong_right = is_strong && q->strong_right;
}

static void answers_draw(struct question *q, double weak, double strong)
{
    q->weak = weak;
    q->strong = strong;
    q->weak_right = rng_unit(&w.rng) < weak;
    q->strong_right = rng_unit(&w.rng) < strong;
}

static enum err train_now(void)
{
    return route_train_sides(&w.arena, &(struct route_training){ w.rows, w.n, w.runs, w.run_count },
                             &w.options, &w.model, &w.report);
}

static struct learned_score score_at(double x, double y, str domain)
{
    struct route_features f = { .gram_count = 0 };
    struct learned_score score;

    f.dense[0] = (float)x;
    f.dense[1] = (float)y;
    route_score_learned(w.model, &f, STR(""), domain, &score);
    return score;
}

/* ---- coefficients ---- */

#define WEAK_AT_0 0.4
#define WEAK_SLOPE (-1.2)
#define STRONG_AT_0 1.0
#define STRONG_SLOPE 0.9

static double weak_truth(double x)
{
    return logistic_of(WEAK_AT_0 + WEAK_SLOPE * x);
}

static double strong_truth(double y)
{
    return logistic_of(STRONG_AT_0 + STRONG_SLOPE * y);
}

/* A hint of what the weak model will get right, better where x is high, decides who answers: what the weak model was given
 * is what it can do. */
static void hinted_world(uint64_t seed)
{
    world_open(seed);
    for (size_t i = 0; i < ROWS_MAX; i++) {
        struct question *q = question_add(STR("d"));
        answers_draw(q, weak_truth(q->x), strong_truth(q->y));
        bool is_told = q->x > 0 && rng_unit(&w.rng) < 0.8;
        bool hint = is_told ? q->weak_right : rng_below(&w.rng, 2) == 0;
        question_log(q, hint ? 0.1 : 0.9);
    }
}

/* A head as it would be without standardisation: log odds at 0, and the slopes. */
static void head_read(enum head head, double out[3])
{
    const struct route_model *m = w.model;

    out[0] = m->domains.rows[m->domains.count - 1].log_odds[head] + m->intercept[head];
    for (size_t i = 0; i < 2; i++) {
        out[1 + i] = m->dense[head][i] / m->feature_scale[i];
        out[0] -= out[1 + i] * m->feature_mean[i];
    }
}

static void known_coefficients_are_recovered(void)
{
    double head[3];

    for (uint64_t seed = 1; seed <= 2; seed++) {
        hinted_world(seed);
        REQUIRE(train_now() == OK);
        head_read(HEAD_WEAK, head);
        CHECK_NEAR(head[0], WEAK_AT_0, 0.15);
        CHECK_NEAR(head[1], WEAK_SLOPE, 0.15);
        CHECK_NEAR(head[2], 0, 0.15);
        for (int i = 0; i < 9; i++) {
            double x = i % 3 - 1, y = i / 3 - 1;
            struct learned_score score = score_at(x, y, STR("d"));
            CHECK_NEAR(score.weak_success, weak_truth(x), 0.05);
            CHECK_NEAR(score.gain, strong_truth(y) * (1 - weak_truth(x)), 0.06);
        }
        CHECK(!route_model_facts(w.model)->is_domain_table);
        CHECK_INT(w.report.propensities_known, ROWS_MAX);
        CHECK_INT(w.report.propensities_clipped, 0);
        CHECK(w.report.sides[0].effective_n < (double)w.report.sides[0].n * 0.7);
        CHECK_INT(w.report.sides[0].n + w.report.sides[1].n, ROWS_MAX);
        arena_fini(&w.arena);
    }
}

static void without_propensities_they_are_not(void)
{
    double head[3];

    for (uint64_t seed = 1; seed <= 2; seed++) {
        hinted_world(seed);
        for (size_t i = 0; i < w.n; i++)
            w.logs[i].propensity = -1;
        REQUIRE(train_now() == OK);
        head_read(HEAD_WEAK, head);
        CHECK(head[0] > WEAK_AT_0 + 0.25);
        CHECK(head[1] > WEAK_SLOPE + 0.25);
        CHECK(score_at(1, 0, STR("d")).weak_success > weak_truth(1) + 0.12);
        CHECK_INT(w.report.propensities_known, 0);
        CHECK(!w.report.has_apgr); /* nobody knows what else could have been */
        arena_fini(&w.arena);
    }
}

static void very_unlikely_choices_are_clipped(void)
{
    world_open(5);
    for (size_t i = 0; i < 400; i++) {
        struct question *q = question_add(STR("d"));
        answers_draw(q, 0.5, 0.5);
        question_log(q, 0.5);
        if (i < 10)
            w.logs[i].propensity = 1e-9;
    }
    REQUIRE(train_now() == OK);
    CHECK_INT(w.report.propensities_clipped, 10);
    /* At most ten of weight 50 each beside some 195 of weight 2. */
    CHECK(w.report.sides[0].effective_n > 20);
    CHECK(w.report.sides[1].effective_n > 20);
    arena_fini(&w.arena);
}

/* Only what is less likely than what else was chosen weighs more. */
static void propensities_count_against_each_other(void)
{
    double gains[2];

    for (int i = 0; i < 2; i++) {
        hinted_world(6);
        w.n = 400;
        for (size_t k = 0; k < w.n; k++)
            w.logs[k].propensity = i == 0 ? 0.5 : 0.05;
        REQUIRE(train_now() == OK);
        CHECK_NEAR(w.report.sides[0].effective_n, (double)w.report.sides[0].n, 1e-9);
        gains[i] = score_at(0.5, 0.5, STR("d")).gain;
        arena_fini(&w.arena);
    }
    CHECK_NEAR(gains[1], gains[0], 1e-6);
}

/* ---- APGR ---- */

/* Against both answers of every question, which the log has not. */
static double apgr_of_pairs(void)
{
    struct route_trial *trials = ARENA_ARRAY(&w.arena, w.n, struct route_trial);
    double *scores = ARENA_ARRAY(&w.arena, w.n, double);
    struct router_metrics metrics = { .n = 0 };

    for (size_t i = 0; i < w.n; i++) {
        const struct question *q = &w.questions[i];
        trials[i] = (struct route_trial){ .question = (uint32_t)i,
                                          .weak_right = q->weak_right,
                                          .strong_right = q->strong_right,
                                          .weak_cost = COST_UNPRICED };
        scores[i] = score_at(q->x, q->y, w.rows[i].domain).log_odds;
    }
    CHECK_ERR(router_measure(&metrics, trials, scores, w.n, &w.arena), OK);
    CHECK(metrics.has_gap);
    return metrics.apgr;
}

static void apgr_is_what_pairs_would_say(void)
{
    hinted_world(7);
    w.options.rounds = 200;
    REQUIRE(train_now() == OK);
    double truth = apgr_of_pairs();
    CHECK(w.report.has_apgr);
    CHECK(truth > 0.6);
    CHECK_NEAR(w.report.apgr_learned.estimate, truth, 0.12);
    CHECK(w.report.apgr_learned.lower < truth && truth < w.report.apgr_learned.upper);
    CHECK(w.report.apgr_learned.upper - w.report.apgr_learned.lower < 0.4);
    CHECK_NEAR(w.report.apgr_domain_table.estimate, 0.5, 1e-9);
    CHECK_NEAR(w.report.apgr_over_domain_table.estimate,
               w.report.apgr_learned.estimate - w.report.apgr_domain_table.estimate, 1e-12);
    CHECK_INT(w.report.apgr_rows[0], w.report.sides[0].n);
    CHECK_INT(w.report.apgr_rows[1], w.report.sides[1].n);
    arena_fini(&w.arena);
}

/* Decisions without a lot, and without another choice, support nothing. */
static void no_exploration_no_apgr(void)
{
    hinted_world(8);
    for (size_t i = 0; i < w.n; i++)
        w.logs[i].propensity = 1;
    REQUIRE(train_now() == OK);
    CHECK(!w.report.has_apgr);
    CHECK(!route_model_facts(w.model)->has_apgr);
    CHECK_INT(w.report.apgr_rows[0] + w.report.apgr_rows[1], 0);
    CHECK(!route_model_facts(w.model)->is_domain_table); /* by the held-out loss */
    arena_fini(&w.arena);
}

/* ---- domains, noise ---- */

static void domains_alone_make_a_table(void)
{
    world_open(9);
    for (size_t i = 0; i < 3000; i++) {
        bool is_hard = i % 3 == 0;
        struct question *q = question_add(is_hard ? STR("law.tax") : STR("law.land"));
        answers_draw(q, is_hard ? 0.3 : 0.9, 0.9);
        question_log(q, is_hard ? 0.7 : 0.3);
    }
    REQUIRE(train_now() == OK);
    const struct route_model *m = w.model;
    CHECK_NEAR(score_at(0, 0, STR("law.tax")).gain, 0.9 * 0.7, 0.07);
    CHECK_NEAR(score_at(0, 0, STR("law.tax")).weak_success, 0.3, 0.07);
    CHECK_NEAR(score_at(0, 0, STR("law.land")).gain, 0.9 * 0.1, 0.05);
    CHECK(w.report.has_apgr && w.report.apgr_domain_table.estimate > 0.7);
    const struct domain_row *tax = domain_row_find(&m->domains, STR("law.tax"));
    int64_t n = tax->both + tax->gain + tax->loss + tax->neither;
    CHECK(n > 150 && n <= 320); /* of 1,000 questions the weak model answered some 300 */
    CHECK_NEAR((double)tax->gain / (double)n, 0.63, 0.07);
    if (m->facts.is_domain_table)
        for (size_t i = 0; i < ROUTE_DENSE; i++)
            CHECK_NEAR(m->dense[HEAD_GAIN][i], 0, 0);
    arena_fini(&w.arena);
}

static void noise_is_not_learned(void)
{
    for (uint64_t seed = 20; seed < 23; seed++) {
        world_open(seed);
        for (size_t i = 0; i < 600; i++) {
            struct question *q = question_add(STR("d"));
            w.logs[i].kept.gram_count = 3;
            uint16_t *grams = ARENA_ARRAY(&w.arena, 3, uint16_t);
            for (size_t k = 0; k < 3; k++)
                grams[k] = (uint16_t)(rng_below(&w.rng, 1000) * 3 + k);
            w.logs[i].kept.grams = grams;
            answers_draw(q, 0.5, 0.7);
            question_log(q, 0.5);
        }
        REQUIRE(train_now() == OK);
        for (int side = 0; side < ROUTE_SIDES; side++) {
            CHECK_NEAR(w.report.sides[side].auroc, 0.5, 0.1);
            CHECK(w.report.sides[side].ece < 0.15);
        }
        CHECK_NEAR(score_at(0, 0, STR("d")).gain, 0.35, 0.1);
        arena_fini(&w.arena);
    }
}

static void words_are_learned(void)
{
    static const uint16_t tricky[] = { 7 }, simple[] = { 4000 };

    world_open(24);
    for (size_t i = 0; i < 3000; i++) {
        struct question *q = question_add(STR("d"));
        w.logs[i].kept.gram_count = 1;
        w.logs[i].kept.grams = i % 2 == 0 ? tricky : simple;
        answers_draw(q, i % 2 == 0 ? 0.2 : 0.9, 0.9);
        question_log(q, 0.5);
    }
    REQUIRE(train_now() == OK);
    struct route_features f = { .gram_count = 1, .grams = { { .bucket = 7 } } };
    struct learned_score score;
    route_score_learned(w.model, &f, STR(""), STR("d"), &score);
    CHECK_NEAR(score.gain, 0.72, 0.07);
    f.grams[0].bucket = 4000;
    route_score_learned(w.model, &f, STR(""), STR("d"), &score);
    CHECK_NEAR(score.gain, 0.09, 0.05);
    arena_fini(&w.arena);
}

/* ---- audits ---- */

/* The two models are right on the same questions, so that there is less to gain than independence says; audits show it. */
static void correlated_world(bool has_audits)
{
    world_open(30);
    for (size_t i = 0; i < 4000; i++) {
        struct question *q = question_add(STR("d"));
        answers_draw(q, 0.6, 0.5);
        q->strong_right = q->weak_right ? rng_unit(&w.rng) < 0.95 : rng_unit(&w.rng) < 0.2;
        question_log(q, 0.5);
        if (has_audits && w.logs[i].side == ROUTE_SIDE_WEAK && i % 4 == 0) {
            w.logs[i].is_audited = true;
            w.logs[i].is_same = q->weak_right && q->strong_right;
        }
    }
}

static void audits_replace_independence(void)
{
    correlated_world(false);
    REQUIRE(train_now() == OK);
    CHECK(!w.report.has_agreement);
    CHECK_INT(w.report.agreement_n, 0);
    double strong = 0.6 * 0.95 + 0.4 * 0.2;
    CHECK_NEAR(score_at(0, 0, STR("d")).gain, strong * 0.4, 0.04); /* which is not so */
    arena_fini(&w.arena);
    correlated_world(true);
    REQUIRE(train_now() == OK);
    CHECK(w.report.has_agreement);
    CHECK(w.report.agreement_n > 200 && w.report.agreement_n < 400);
    CHECK_NEAR(w.report.agreement, 0.95, 0.04);
    CHECK_NEAR(score_at(0, 0, STR("d")).gain, 0.4 * 0.2, 0.05);
    const struct domain_row *root = &w.model->domains.rows[0];
    CHECK(root->loss < (root->both + root->gain + root->loss + root->neither) / 15);
    arena_fini(&w.arena);
}

/* An agreement that is one number for all cannot make both right more often than one of them. */
static void rates_bound_what_both_get_right(void)
{
    struct buf text = { 0 };
    const struct route_model *read = NULL;
    str what = STR("");

    world_open(31);
    for (size_t i = 0; i < 1000; i++) {
        struct question *q = question_add(STR("d"));
        answers_draw(q, 0.9, 0.5);
        question_log(q, 0.5);
        w.logs[i].is_audited = w.logs[i].side == ROUTE_SIDE_WEAK;
        w.logs[i].is_same = true;
    }
    REQUIRE(train_now() == OK);
    CHECK(w.report.has_agreement && w.report.agreement > 0.99);
    const struct domain_row *root = &w.model->domains.rows[0];
    CHECK_INT(root->gain, 0);
    CHECK_NEAR((double)root->both / (double)(root->both + root->loss + root->neither), 0.5, 0.07);
    CHECK(score_at(0, 0, STR("d")).gain < 0.02);
    route_model_write(w.model, &text);
    CHECK_ERR(route_model_read(&w.arena, buf_str(&text), &read, &what), OK);
    buf_fini(&text);
    arena_fini(&w.arena);
}

/* ---- files, limits ---- */

static void the_file_is_the_model(void)
{
    struct buf texts[2] = { { 0 } };
    const struct route_model *read = NULL;
    str what = STR("");

    hinted_world(40);
    w.n = 600;
    for (size_t i = 0; i < w.n; i++)
        w.rows[i].domain = i % 2 == 0 ? STR("a.b") : STR("c");
    for (int i = 0; i < 2; i++) {
        REQUIRE(train_now() == OK);
        route_model_write(w.model, &texts[i]);
    }
    CHECK_STR(buf_str(&texts[1]), buf_str(&texts[0]));
    REQUIRE(route_model_read(&w.arena, buf_str(&texts[0]), &read, &what) == OK);
    CHECK_INT(route_model_facts(read)->basis, ROUTE_FROM_SIDES);
    CHECK_INT(route_model_facts(read)->n, 600);
    CHECK(route_model_has_scorer(read));
    buf_reset(&texts[1]);
    route_model_write(read, &texts[1]);
    CHECK_STR(buf_str(&texts[1]), buf_str(&texts[0]));
    double gain = score_at(0.5, 0.5, STR("c")).gain;
    w.model = read;
    CHECK_NEAR(score_at(0.5, 0.5, STR("c")).gain, gain, 0);
    uint64_t hash = route_model_facts(read)->data_hash;
    w.logs[3].propensity = 0.3;
    REQUIRE(train_now() == OK);
    CHECK(route_model_facts(w.model)->data_hash != hash);
    for (int i = 0; i < 2; i++)
        buf_fini(&texts[i]);
    arena_fini(&w.arena);
}

/* They are made as for pairs. */
static void runs_become_arms(void)
{
    hinted_world(41);
    w.n = 200;
    for (size_t i = 0; i < ARRAY_LEN(w.runs); i++)
        w.runs[w.run_count++] =
            (struct route_run){ .domain = STR("d"),
                                .strategy = STR("direct"),
                                .model = i % 2 == 0 ? STR("mini") : STR("large"),
                                .is_right = i % 4 != 0,
                                .cost = 100,
                                .latency_ms = -1,
                                .raw_confidence = 0.9 };
    REQUIRE(train_now() == OK);
    const struct arm_row *mini = arm_find(w.model, STR("direct"), STR("mini"), STR("d"));
    REQUIRE(mini != NULL);
    CHECK_INT(mini->n, 50);
    CHECK_INT(mini->right, 25);
    CHECK(route_model_confidence(w.model) != NULL);
    arena_fini(&w.arena);
}

/* What no training writes: figures of gain without pairs, a scorer without a basis for it. */
static void files_that_do_not_fit_are_refused(void)
{
    static const struct {
        const char *from, *to;
    } changes[] = {
        { "\"auc\":null", "\"auc\":0.5" },
        { "\"ece\":null", "\"ece\":0.5" },
        { "\"basis\":\"sides\"", "\"basis\":\"pairs\"" },
        { "\"basis\":\"sides\"", "\"basis\":7" },
        { ",\"basis\":\"sides\"", "" },
    };
    struct buf text = { 0 }, changed = { 0 };
    const struct route_model *read = NULL;
    str what = STR("");

    hinted_world(42);
    w.n = 200;
    REQUIRE(train_now() == OK);
    route_model_write(w.model, &text);
    str whole = buf_str(&text);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        size_t at = str_find(whole, str_from(changes[i].from));
        REQUIRE(at != STR_NPOS);
        buf_reset(&changed);
        buf_add(&changed, str_slice(whole, 0, at));
        buf_add(&changed, str_from(changes[i].to));
        buf_add(&changed, str_slice(whole, at + strlen(changes[i].from), whole.len));
        CHECK_ERR(route_model_read(&w.arena, buf_str(&changed), &read, &what), CALLER_BAD_REQUEST);
    }
    CHECK(read == NULL);
    buf_fini(&text);
    buf_fini(&changed);
    arena_fini(&w.arena);
}

static void on_progress(void *ctx, int done, int total)
{
    int *last = ctx;

    CHECK_INT(done, last[0] + 1);
    last[0] = done;
    last[1] = total;
}

static void limits(void)
{
    int progress[2] = { 0 };

    hinted_world(43);
    w.n = 0;
    for (size_t i = 0; w.n < 2 * ROUTE_TRAIN_ROWS_MIN; i++) { /* as many of each */
        w.logs[w.n] = w.logs[i];
        w.rows[w.n] = w.rows[i];
        w.rows[w.n].log = &w.logs[w.n];
        if (w.logs[w.n].side == (w.n % 2 == 0 ? ROUTE_SIDE_WEAK : ROUTE_SIDE_STRONG))
            w.n++;
    }
    w.n--;
    CHECK_ERR(train_now(), CALLER_BAD_REQUEST);
    w.n++;
    w.options.on_progress = on_progress;
    w.options.ctx = progress;
    w.options.rounds = 20;
    CHECK_ERR(train_now(), OK);
    CHECK_INT(progress[0], progress[1]);
    w.options.on_progress = NULL;
    w.options.folds = 1;
    CHECK_ERR(train_now(), CALLER_BAD_REQUEST);
    w.options.folds = 2;
    for (size_t bytes = 0; bytes < (size_t)2 << 20; bytes += 200000) {
        struct arena small;
        const struct route_model *model = NULL;
        arena_init(&small, bytes);
        enum err e = route_train_sides(&small, &(struct route_training){ w.rows, w.n, NULL, 0 },
                                       &w.options, &model, &w.report);
        CHECK(e == OK || (e == WEIR_NO_MEMORY && !model));
        CHECK(bytes > 0 || e == WEIR_NO_MEMORY);
        arena_fini(&small);
    }
    arena_fini(&w.arena);
}

TESTS(TEST(known_coefficients_are_recovered), TEST(without_propensities_they_are_not),
      TEST(very_unlikely_choices_are_clipped), TEST(apgr_is_what_pairs_would_say),
      TEST(no_exploration_no_apgr), TEST(domains_alone_make_a_table), TEST(noise_is_not_learned),
      TEST(words_are_learned), TEST(audits_replace_independence),
      TEST(propensities_count_against_each_other), TEST(rates_bound_what_both_get_right),
      TEST(the_file_is_the_model), TEST(runs_become_arms), TEST(files_that_do_not_fit_are_refused),
      TEST(limits))
