/* SPDX-License-Identifier: Apache-2.0 */
/* decide's tests: what is estimated from what, and what holds for every decision. */
#include <math.h>

#include "core/route/fixture_test.h"

static const struct route_options no_options = { .value_nano_usd = 100000,
                                                 .cost_cap_nano_usd = -1 };

static struct route_decision decide(const struct route_model *m, str domain,
                                    const struct learned_score *score,
                                    const struct route_candidate *candidates, size_t n,
                                    const struct route_options *options)
{
    struct route_decision d;
    struct rng rng;

    rng_init(&rng, 1);
    route_decide(m, &(struct route_question){ domain, score }, candidates, n, options, &rng, &d);
    return d;
}

static struct route_estimate estimate(const struct route_model *m, str domain,
                                      const struct learned_score *score, const char *strategy,
                                      const char *model)
{
    const struct route_candidate c = { str_from(strategy), str_from(model), 777 };

    return decide(m, domain, score, &c, 1, &no_options).estimates[0];
}

/* ---- estimates ---- */

static void the_question_judges_the_trained_pair(void)
{
    const struct learned_score score = { .gain = 0.3, .weak_success = 0.6 };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    struct route_model *m = fixture_model(&arena);
    struct route_estimate weak = estimate(m, STR("stem.code"), &score, "direct", "mini");
    struct route_estimate strong = estimate(m, STR("stem.code"), &score, "direct", "large");
    double loss = domain_row_find(&m->domains, STR("stem.code"))->loss_rate;
    CHECK_NEAR(weak.quality, 0.6, 1e-12);
    CHECK_NEAR(strong.quality, 0.6 + 0.3 - loss, 1e-12);
    CHECK_NEAR(loss, (10 + 20 * (50 + 20 * 60.5 / 1001) / 820) / 120, 1e-9);
    CHECK_INT(weak.ground, ROUTE_GROUND_QUESTION);
    CHECK_INT(strong.ground, ROUTE_GROUND_QUESTION);
    CHECK_INT(weak.cost, 120);
    CHECK_INT(strong.cost, 2000);
    /* Not without a score, not for another strategy, never beyond certainty. */
    CHECK_INT(estimate(m, STR("stem"), NULL, "direct", "mini").ground, ROUTE_GROUND_ARM);
    CHECK_INT(estimate(m, STR("stem"), &score, "cascade", "mini").ground, ROUTE_GROUND_DOMAIN);
    const struct learned_score sure = { .gain = 0.9, .weak_success = 0.9 };
    CHECK_NEAR(estimate(m, STR("stem"), &sure, "direct", "large").quality, 1, 0);
    arena_fini(&arena);
}

static void arms_are_shrunk_level_by_level(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    struct route_model *m = fixture_model(&arena);
    double prior = (360 + 820 + 760 + 5 + 10.0) / (400 + 1000 + 1000 + 5 + 20);
    double arm = (360 + 20 * prior) / 420, stem = (95 + 20 * arm) / 120;
    struct route_estimate any = estimate(m, STR("tactical"), NULL, "cascade", "mini");
    struct route_estimate known = estimate(m, STR("stem"), NULL, "cascade", "mini");
    struct route_estimate below = estimate(m, STR("stem.code"), NULL, "cascade", "mini");
    CHECK_NEAR(any.quality, arm, 1e-12);
    CHECK_INT(any.ground, ROUTE_GROUND_ARM);
    CHECK_INT(any.n, 400);
    CHECK_INT(any.cost, 500);
    CHECK_NEAR(known.quality, stem, 1e-12);
    CHECK_INT(known.ground, ROUTE_GROUND_DOMAIN);
    CHECK_INT(known.n, 100);
    CHECK_INT(known.cost, (100 * 900 + 20 * 500) / 120);
    CHECK_NEAR(below.quality, stem, 1e-12);
    /* Five lucky answers prove little. */
    struct route_estimate lucky = estimate(m, STR("stem"), NULL, "hrm", "mini");
    CHECK_NEAR(lucky.quality, (5 + 20 * prior) / 25, 1e-12);
    CHECK_INT(lucky.cost, 777); /* its own cost was never known */
    struct route_estimate unknown = estimate(m, STR("stem"), NULL, "trm", "other");
    CHECK_NEAR(unknown.quality, prior, 1e-12);
    CHECK_INT(unknown.ground, ROUTE_GROUND_PRIOR);
    CHECK_INT(unknown.n, 0);
    CHECK_NEAR(estimate(NULL, STR("stem"), NULL, "trm", "other").quality, 0.5, 0);
    arena_fini(&arena);
}

/* ---- choosing ---- */

static const struct route_candidate pair[] = { { { "direct", 6 }, { "mini", 4 }, COST_UNPRICED },
                                               { { "direct", 6 }, { "large", 5 }, COST_UNPRICED } };

static void value_decides_what_quality_is_worth(void)
{
    const struct learned_score score = { .gain = 0.3, .weak_success = 0.6 };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    struct route_model *m = fixture_model(&arena);
    struct route_options options = no_options;
    double more = 0.3 - domain_row_find(&m->domains, STR("stem"))->loss_rate;
    nano_usd even = (nano_usd)((2000 - 120) / more);
    options.value_nano_usd = even - 10;
    CHECK_INT(decide(m, STR("stem"), &score, pair, 2, &options).chosen, 0);
    options.value_nano_usd = even + 10;
    CHECK_INT(decide(m, STR("stem"), &score, pair, 2, &options).chosen, 1);
    options.cost_cap_nano_usd = 1999;
    struct route_decision capped = decide(m, STR("stem"), &score, pair, 2, &options);
    CHECK_INT(capped.chosen, 0);
    CHECK_INT(capped.cause, ROUTE_CAUSE_BEST);
    options.cost_cap_nano_usd = 2000;
    CHECK_INT(decide(m, STR("stem"), &score, pair, 2, &options).chosen, 1);
    options.cost_cap_nano_usd = 100;
    struct route_decision poor = decide(m, STR("stem"), &score, pair, 2, &options);
    CHECK_INT(poor.chosen, 0); /* the cheapest */
    CHECK_INT(poor.cause, ROUTE_CAUSE_CAP);
    CHECK_NEAR(poor.propensity, 1, 0);
    arena_fini(&arena);
}

static void quality_can_be_demanded(void)
{
    const struct learned_score score = { .gain = 0.3, .weak_success = 0.6 };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    struct route_model *m = fixture_model(&arena);
    struct route_options options = { .value_nano_usd = 0, .cost_cap_nano_usd = -1, .epsilon = 0.5 };
    CHECK_INT(decide(m, STR("stem"), &score, pair, 2, &options).estimates[1].is_allowed, 1);
    options.quality_min = 0.7;
    struct route_decision d = decide(m, STR("stem"), &score, pair, 2, &options);
    CHECK_INT(d.chosen, 1);
    CHECK(!d.estimates[0].is_allowed);
    options.quality_min = 0.99;
    d = decide(m, STR("stem"), &score, pair, 2, &options);
    CHECK_INT(d.chosen, 1); /* nothing is good enough: the best */
    CHECK_INT(d.cause, ROUTE_CAUSE_QUALITY);
    options.cost_cap_nano_usd = 500; /* the cap comes first */
    d = decide(m, STR("stem"), &score, pair, 2, &options);
    CHECK_INT(d.chosen, 0);
    CHECK_INT(d.cause, ROUTE_CAUSE_QUALITY);
    arena_fini(&arena);
}

static void ties_go_to_the_cheaper_then_the_first(void)
{
    const struct route_candidate alike[] = { { STR("x"), STR("a"), 300 },
                                             { STR("x"), STR("b"), 200 },
                                             { STR("x"), STR("c"), 200 },
                                             { STR("x"), STR("d"), COST_UNPRICED } };
    struct route_options options = { .value_nano_usd = 0, .cost_cap_nano_usd = -1 };

    CHECK_INT(decide(NULL, STR(""), NULL, alike, 4, &options).chosen, 1);
    /* Who costs nobody knows what counts as the dearest. */
    CHECK_INT(decide(NULL, STR(""), NULL, &alike[3], 1, &options).chosen, 0);
    const struct route_candidate dear[] = { alike[3], alike[0] };
    struct route_decision d = decide(NULL, STR(""), NULL, dear, 2, &options);
    CHECK_INT(d.chosen, 1);
    CHECK_NEAR(d.estimates[0].utility, -300, 0);
    options.cost_cap_nano_usd = 1000000;
    CHECK(!decide(NULL, STR(""), NULL, dear, 2, &options).estimates[0].is_allowed);
    options.cost_cap_nano_usd = 0;
    d = decide(NULL, STR(""), NULL, dear, 2, &options);
    CHECK_INT(d.chosen, 1);
    CHECK_INT(d.cause, ROUTE_CAUSE_CAP);
}

/* ---- what holds for every decision ---- */

struct draw {
    struct route_candidate candidates[ROUTE_CANDIDATES_MAX];
    size_t n;
    struct route_options options;
    struct learned_score score;
};

static void draw_make(struct rng *rng, struct draw *out)
{
    static const char *const strategies[] = { "direct", "cascade", "hrm", "trm" };
    static const char *const models[] = { "mini", "large", "other" };

    out->n = 1 + (size_t)rng_below(rng, ROUTE_CANDIDATES_MAX);
    for (size_t i = 0; i < out->n; i++)
        out->candidates[i] = (struct route_candidate){
            str_from(strategies[rng_below(rng, 4)]), str_from(models[rng_below(rng, 3)]),
            rng_below(rng, 3) == 0 ? COST_UNPRICED : (nano_usd)rng_below(rng, 3000)
        };
    out->score = (struct learned_score){ .gain = rng_unit(rng), .weak_success = rng_unit(rng) };
    out->options = (struct route_options){
        .value_nano_usd = (nano_usd)rng_below(rng, 100000),
        .cost_cap_nano_usd = (nano_usd)rng_below(rng, 4000) - 1000,
        .quality_min = rng_below(rng, 2) == 0 ? 0 : rng_unit(rng),
        .epsilon = rng_below(rng, 3) == 0 ? 0 : rng_unit(rng),
    };
}

static bool fits(const struct route_estimate *e, nano_usd cap)
{
    return cap < 0 || (e->cost != COST_UNPRICED && e->cost <= cap);
}

static void check_decision(const struct route_decision *d, const struct draw *draw)
{
    const struct route_estimate *chosen = &d->estimates[d->chosen];
    nano_usd cap = draw->options.cost_cap_nano_usd;
    double sum = 0;
    bool any_fits = false;

    for (size_t i = 0; i < d->candidate_count; i++) {
        const struct route_estimate *e = &d->estimates[i];
        sum += e->propensity;
        any_fits = any_fits || fits(e, cap);
        CHECK(e->quality >= 0 && e->quality <= 1 && isfinite(e->utility));
        CHECK(e->propensity >= 0 && (e->is_allowed || !(e->propensity > 0)));
    }
    CHECK_NEAR(sum, 1, 1e-12);
    CHECK(chosen->is_allowed && chosen->propensity > 0);
    CHECK_NEAR(d->propensity, chosen->propensity, 0);
    CHECK(!any_fits || fits(chosen, cap));
    CHECK((d->cause == ROUTE_CAUSE_CAP) == !any_fits);
    CHECK(draw->options.epsilon > 0 || !d->is_explored);
    for (size_t i = 0; i < d->candidate_count && !d->is_explored; i++) {
        const struct route_estimate *e = &d->estimates[i];
        CHECK(!e->is_allowed || e->utility <= chosen->utility);
        if (!any_fits)
            CHECK(e->cost == COST_UNPRICED || e->cost >= chosen->cost);
    }
}

static void every_decision_keeps_the_rules(void)
{
    static const char *const domains[] = { "", "stem", "stem.code", "stem.code.python",
                                           "tactical" };
    struct arena arena;
    struct rng rng;

    arena_init(&arena, 1 << 20);
    const struct route_model *m = fixture_model(&arena);
    rng_init(&rng, 30);
    for (int round = 0; round < 20000; round++) {
        struct draw draw;
        struct route_decision d, again;
        draw_make(&rng, &draw);
        const struct route_question q = { str_from(domains[rng_below(&rng, 5)]),
                                          rng_below(&rng, 2) == 0 ? NULL : &draw.score };
        const struct route_model *used = rng_below(&rng, 5) == 0 ? NULL : m;
        route_decide(used, &q, draw.candidates, draw.n, &draw.options, &rng, &d);
        check_decision(&d, &draw);
        if (!(draw.options.epsilon > 0)) {
            route_decide(used, &q, draw.candidates, draw.n, &draw.options, NULL, &again);
            CHECK_INT(again.chosen, d.chosen);
        }
    }
    arena_fini(&arena);
}

/* Frequencies are what the logged propensities say. */
static void exploration_is_as_frequent_as_logged(void)
{
    const struct route_candidate candidates[] = { { STR("x"), STR("a"), 100 },
                                                  { STR("x"), STR("b"), 200 },
                                                  { STR("x"), STR("c"), 300 },
                                                  { STR("x"), STR("d"), 9000 } };
    const struct route_options options = { .value_nano_usd = 1,
                                           .cost_cap_nano_usd = 1000,
                                           .epsilon = 0.3 };
    int counts[4] = { 0 }, explored = 0;
    double propensity[4];
    struct rng rng;

    rng_init(&rng, 31);
    for (int i = 0; i < 30000; i++) {
        struct route_decision d;
        route_decide(NULL, &(struct route_question){ STR(""), NULL }, candidates, 4, &options, &rng,
                     &d);
        counts[d.chosen]++;
        explored += d.is_explored;
        CHECK((d.cause == ROUTE_CAUSE_EXPLORED) == (d.chosen != 0));
        for (int k = 0; k < 4; k++)
            propensity[k] = d.estimates[k].propensity;
    }
    CHECK_NEAR(propensity[0], 0.8, 1e-12);
    CHECK_NEAR(propensity[1], 0.1, 1e-12);
    for (int k = 0; k < 4; k++)
        CHECK_NEAR(counts[k] / 30000.0, propensity[k], 0.01);
    CHECK_NEAR(explored / 30000.0, 0.3, 0.01);
}

/* ---- reasons ---- */

static void reasons_say_why(void)
{
    const struct learned_score score = { .gain = 0.3, .weak_success = 0.6 };
    static const struct {
        nano_usd cap;
        double quality_min;
        const char *domain;
        bool has_score;
        const char *says;
    } rows[] = {
        { -1, 0, "stem", true, "direct on large: expected right 83.8 % (judged by the question" },
        { -1, 0, "stem", true, "the best of 2" },
        { 5, 0, "stem", true, "nothing fits under the cap of $0.000000005, this is the cheapest" },
        { -1, 0.99, "stem", true, "nothing reaches 99.0 %, this comes nearest" },
        { -1, 0, "stem", false, "from 1000 answers, none in this domain" },
    };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    const struct route_model *m = fixture_model(&arena);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct route_options options = { .value_nano_usd = 1000000,
                                               .cost_cap_nano_usd = rows[i].cap,
                                               .quality_min = rows[i].quality_min };
        struct route_decision d = decide(m, str_from(rows[i].domain),
                                         rows[i].has_score ? &score : NULL, pair, 2, &options);
        struct buf out = { 0 };
        route_decision_explain(&d, pair, &options, &out);
        if (str_find(buf_str(&out), str_from(rows[i].says)) == STR_NPOS)
            check_note(__FILE__, __LINE__, buf_cstr(&out));
        buf_fini(&out);
    }
    struct route_decision unknown = decide(NULL, STR(""), NULL, pair, 1, &no_options);
    struct buf out = { 0 };
    route_decision_explain(&unknown, pair, &no_options, &out);
    CHECK(str_find(buf_str(&out), STR("nothing is known of it")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("for unpriced")) != STR_NPOS);
    unknown.cause = ROUTE_CAUSE_EXPLORED;
    buf_reset(&out);
    route_decision_explain(&unknown, pair, &no_options, &out);
    CHECK(str_find(buf_str(&out), STR("drawn to explore")) != STR_NPOS);
    buf_fini(&out);
    arena_fini(&arena);
}

TESTS(TEST(the_question_judges_the_trained_pair), TEST(arms_are_shrunk_level_by_level),
      TEST(value_decides_what_quality_is_worth), TEST(quality_can_be_demanded),
      TEST(ties_go_to_the_cheaper_then_the_first), TEST(every_decision_keeps_the_rules),
      TEST(exploration_is_as_frequent_as_logged), TEST(reasons_say_why))
