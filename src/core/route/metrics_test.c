/* SPDX-License-Identifier: Apache-2.0 */
/* metrics' tests: small curves by hand, what must hold for any, and intervals that cover. */
#include "core/route/route_metrics.h"

#include <float.h>
#include <math.h>

#include "base/rng.h"
#include "test/check.h"

#define N_MAX 2000

struct world {
    struct arena arena;
    struct rng rng;
    struct route_trial trials[N_MAX];
    double scores[N_MAX];
    size_t n;
};

static struct world w; /* large; each test opens it anew */

static void world_open(uint64_t seed)
{
    w.n = 0;
    arena_init(&w.arena, (size_t)256 << 20);
    rng_init(&w.rng, seed);
}

static void trial_add(bool weak, bool strong, double score)
{
    w.trials[w.n] = (struct route_trial){ .question = (uint32_t)w.n,
                                          .weak_right = weak,
                                          .strong_right = strong,
                                          .weak_cost = 10,
                                          .strong_cost = 110 };
    w.scores[w.n++] = score;
}

static struct router_metrics measure(void)
{
    struct router_metrics m = { .n = -1 };

    CHECK_ERR(router_measure(&m, w.trials, w.scores, w.n, &w.arena), OK);
    return m;
}

/* Four questions: weak right on two, strong on three. Sent in the order gain, loss, gain, both:
 * r = 2/4, 3/4, 2/4, 3/4, 3/4; PGR = 0, 1, 0, 1, 1. */
static void by_hand(void)
{
    world_open(1);
    trial_add(false, true, 0.9);
    trial_add(true, false, 0.8);
    trial_add(false, true, 0.7);
    trial_add(true, true, 0.6);
    struct router_metrics m = measure();
    CHECK_INT(m.n, 4);
    CHECK_NEAR(m.weak, 0.5, 1e-12);
    CHECK_NEAR(m.strong, 0.75, 1e-12);
    CHECK_NEAR(m.oracle, 1, 1e-12);
    CHECK(m.has_gap);
    CHECK_NEAR(m.apgr, (0.5 + 0.5 + 0.5 + 1) / 4, 1e-12);
    CHECK_NEAR(m.cpt[0], 0.125, 1e-12);
    CHECK_NEAR(m.cpt[1], 0.2, 1e-12);
    CHECK_NEAR(m.cpt[2], 0.2375, 1e-12);
    CHECK_NEAR(m.pgr_half, 0, 1e-12);
    CHECK_NEAR(m.auc, 3 / 4.0, 1e-12); /* gains at 1 and 3, others at 2 and 4 */
    /* Costs 10 to 110; the hull goes from (10, .5) up to (35, .75) and on level. */
    CHECK(m.has_aiq);
    CHECK_NEAR(m.aiq, (25 * 0.625 + 75 * 0.75) / 100, 1e-12);
    arena_fini(&w.arena);
}

static void ties_are_drawn_at_random(void)
{
    world_open(2);
    for (int i = 0; i < 40; i++)
        trial_add(i % 4 == 0, i % 4 != 1, 0.5);
    struct router_metrics m = measure();
    CHECK_NEAR(m.apgr, 0.5, 1e-12);
    CHECK_NEAR(m.auc, 0.5, 1e-12);
    CHECK_NEAR(m.pgr_half, 0.5, 1e-12);
    CHECK_NEAR(m.cpt[0], 0.5, 1e-12);
    CHECK_NEAR(m.cpt[2], 0.95, 1e-12);
    CHECK_NEAR(m.aiq, (m.weak + m.strong) / 2, 1e-12);
    arena_fini(&w.arena);
}

static void a_perfect_router_and_its_opposite(void)
{
    world_open(3);
    for (int i = 0; i < 100; i++)
        trial_add(i >= 20, i < 90, i < 20 ? 3 : i < 90 ? 2 : 1); /* 20 gains, 10 losses */
    struct router_metrics best = measure();
    for (size_t i = 0; i < w.n; i++)
        w.scores[i] = -w.scores[i];
    struct router_metrics worst = measure();
    CHECK_NEAR(best.auc, 1, 1e-12);
    CHECK_NEAR(worst.auc, 0, 1e-12);
    CHECK(best.apgr > 1.5); /* losses avoided: above the strong model's level */
    CHECK(worst.apgr < 0);
    CHECK_NEAR(best.cpt[1], 0.8 * 10 / 20 * 0.2, 1e-12);
    CHECK_NEAR(best.apgr + worst.apgr, 1, 1e-12); /* the curves are each other's mirror */
    CHECK(best.aiq > worst.aiq);
    arena_fini(&w.arena);
}

static void what_cannot_be_measured_says_so(void)
{
    world_open(4);
    struct router_metrics m = measure();
    CHECK_INT(m.n, 0);
    CHECK(!m.has_gap && !m.has_aiq);
    CHECK_NEAR(m.auc, 0.5, 0);
    trial_add(true, true, 1);
    trial_add(true, false, 2);
    m = measure();
    CHECK(!m.has_gap); /* the strong model is the weaker one */
    CHECK_NEAR(m.apgr, 0, 0);
    CHECK_NEAR(m.auc, 0.5, 0);
    CHECK(m.has_aiq);
    w.trials[0].weak_cost = COST_UNPRICED;
    CHECK(!measure().has_aiq);
    w.trials[0].weak_cost = 1000; /* all weak would cost more */
    CHECK(!measure().has_aiq);
    arena_fini(&w.arena);
}

/* APGR is the mean of PGR over all shares: the walk agrees with a slow statement of the definition. */
static void agrees_with_the_definition(void)
{
    world_open(5);
    for (int i = 0; i < 300; i++) {
        double hard = rng_unit(&w.rng);
        trial_add(rng_unit(&w.rng) > hard, rng_unit(&w.rng) > hard / 2,
                  hard + rng_unit(&w.rng) / 2);
    }
    struct router_metrics m = measure();
    double sum = 0, gained[301] = { 0 };
    size_t order[300];
    for (size_t i = 0; i < w.n; i++) {
        order[i] = 0;
        for (size_t k = 0; k < w.n; k++)
            order[i] += w.scores[k] > w.scores[i];
    }
    for (size_t i = 0; i < w.n; i++)
        gained[order[i] + 1] += w.trials[i].strong_right - w.trials[i].weak_right;
    for (size_t k = 1; k <= w.n; k++) {
        double before = gained[k - 1];
        gained[k] += before;
        sum += (before + gained[k]) / 2;
    }
    CHECK_NEAR(m.apgr, sum / gained[w.n] / (double)w.n, 1e-9);
    size_t first = 0;
    while (gained[first] < 0.8 * gained[w.n])
        first++;
    CHECK(m.cpt[1] <= (double)first / (double)w.n && m.cpt[1] > (double)(first - 1) / (double)w.n);
    arena_fini(&w.arena);
}

/* The hull of many points is never below any of them, and with equal costs it is above the curve's own area. */
static void aiq_uses_the_hull(void)
{
    world_open(6);
    for (int i = 0; i < 200; i++) {
        trial_add(rng_unit(&w.rng) < 0.6, rng_unit(&w.rng) < 0.8, rng_unit(&w.rng));
        w.trials[i].strong_cost = 20 + (int64_t)rng_below(&w.rng, 500);
        w.trials[i].weak_cost =
            (int64_t)rng_below(&w.rng, 100); /* some strong calls are the cheaper ones */
    }
    struct router_metrics m = measure();
    CHECK(m.has_aiq);
    CHECK(m.aiq >= (m.weak + m.strong) / 2 - 1e-9);
    CHECK(m.aiq <= m.oracle);
    arena_fini(&w.arena);
}

static void costs_set(size_t i, nano_usd weak, nano_usd strong)
{
    w.trials[i].weak_cost = weak;
    w.trials[i].strong_cost = strong;
}

static void aiq_by_hand(void)
{
    /* A gain, then a loss: (10, .5), (60, 1), (110, .5). Beyond the best, more money buys nothing. */
    world_open(16);
    trial_add(false, true, 2);
    trial_add(true, false, 1);
    CHECK_NEAR(measure().aiq, (50 * 0.75 + 50 * 1) / 100, 1e-12);
    /* The strong model is cheaper on a gain: (50, 0), (25, .5), (125, .5), of which 50 to 125 count. */
    w.n = 0;
    trial_add(false, true, 2);
    trial_add(false, false, 1);
    costs_set(0, 100, 50);
    costs_set(1, 0, 200);
    CHECK_NEAR(measure().aiq, 0.5, 1e-12);
    /* Two gains at once, then a loss that saves money: (40, .25), (90, .75), (50, .5), (100, .5). */
    w.n = 0;
    trial_add(false, true, 3);
    trial_add(false, true, 3);
    trial_add(true, false, 2);
    trial_add(false, false, 1);
    costs_set(0, 0, 100);
    costs_set(1, 0, 100);
    costs_set(2, 160, 0);
    costs_set(3, 0, 200);
    CHECK_NEAR(measure().aiq, (10 * 0.375 + 40 * 0.625 + 10 * 0.75) / 60, 1e-12);
    arena_fini(&w.arena);
}

/* ---- the bootstrap ---- */

static struct router_bootstrap_options options_of(uint64_t seed)
{
    return (struct router_bootstrap_options){ .rounds = 300, .seed = seed, .alpha = 0.05 };
}

static void bootstrap(struct router_intervals *out, const double *const *scores, size_t scorers,
                      uint64_t seed)
{
    struct router_bootstrap_options options = options_of(seed);

    CHECK_ERR(router_bootstrap(out, w.trials, scores, scorers, w.n, &options, &w.arena), OK);
}

/* A population of which each world draws 400: the intervals hold its APGR about 95 % of the time. */
static void intervals_cover(void)
{
    struct router_intervals intervals;
    int covered = 0;
    const double *scores[] = { w.scores };
    /* The gap at hardness h is 3h/4, so PGR(c) = 1 − (1 − c)² and APGR = 2/3. */
    double truth = 2 / 3.0;

    for (int round = 0; round < 60; round++) {
        world_open(100 + (uint64_t)round);
        for (int i = 0; i < 400; i++) {
            double hard = rng_unit(&w.rng);
            trial_add(rng_unit(&w.rng) > hard, rng_unit(&w.rng) > hard / 4, hard);
        }
        bootstrap(&intervals, scores, 1, (uint64_t)round);
        covered += intervals.apgr.lower <= truth && truth <= intervals.apgr.upper;
        CHECK(intervals.apgr.lower <= intervals.apgr.estimate &&
              intervals.apgr.estimate <= intervals.apgr.upper);
        arena_fini(&w.arena);
    }
    CHECK(covered >= 52);
    CHECK(covered < 60);
}

static void the_same_seed_the_same_intervals(void)
{
    struct router_intervals a, b, c;
    const double *scores[] = { w.scores };

    world_open(7);
    for (int i = 0; i < 200; i++)
        trial_add(i % 3 == 0, i % 5 != 0, i % 7);
    bootstrap(&a, scores, 1, 1);
    bootstrap(&b, scores, 1, 1);
    bootstrap(&c, scores, 1, 2);
    CHECK_NEAR(a.apgr.lower, b.apgr.lower, 0);
    CHECK(a.apgr.lower < c.apgr.lower || a.apgr.lower > c.apgr.lower);
    CHECK_NEAR(a.apgr.estimate, measure().apgr, 0);
    CHECK_INT(a.rounds, 300);
    arena_fini(&w.arena);
}

/* Within a resample both scorers see the same questions: a scorer differs from itself by nothing, and two that nearly agree by
 * less than either varies. */
static void differences_are_paired(void)
{
    struct router_intervals intervals[3];
    static double nearly[N_MAX];
    const double *scores[] = { w.scores, nearly, w.scores };

    world_open(8);
    for (int i = 0; i < 400; i++) {
        double hard = rng_unit(&w.rng);
        trial_add(rng_unit(&w.rng) > hard, rng_unit(&w.rng) > hard / 2, hard);
        nearly[i] = hard + 0.02 * rng_unit(&w.rng);
    }
    bootstrap(intervals, scores, 3, 1);
    CHECK_NEAR(intervals[2].apgr_over_reference.lower, 0, 0);
    CHECK_NEAR(intervals[2].apgr_over_reference.upper, 0, 0);
    double paired = intervals[1].apgr_over_reference.upper - intervals[1].apgr_over_reference.lower;
    CHECK(paired > 0);
    CHECK(paired < (intervals[1].apgr.upper - intervals[1].apgr.lower) / 2);
    arena_fini(&w.arena);
}

/* Ten trials of each question are no more than one: the interval must not shrink. */
static void questions_are_resampled_whole(void)
{
    struct router_intervals once, repeated;
    const double *scores[] = { w.scores };

    world_open(9);
    for (int i = 0; i < 100; i++) {
        double hard = rng_unit(&w.rng);
        trial_add(rng_unit(&w.rng) > hard, rng_unit(&w.rng) > hard / 4, hard);
    }
    bootstrap(&once, scores, 1, 1);
    for (size_t i = 0; i < 900; i++) {
        w.trials[100 + i] = w.trials[i % 100];
        w.scores[100 + i] = w.scores[i % 100];
    }
    w.n = 1000;
    bootstrap(&repeated, scores, 1, 1);
    double a = once.apgr.upper - once.apgr.lower, b = repeated.apgr.upper - repeated.apgr.lower;
    CHECK_NEAR(once.apgr.estimate, repeated.apgr.estimate, 1e-9);
    CHECK(b > 0.8 * a);
    arena_fini(&w.arena);
}

static void without_a_gap_there_is_no_interval(void)
{
    struct router_intervals intervals;
    const double *scores[] = { w.scores };

    world_open(10);
    for (int i = 0; i < 30; i++)
        trial_add(true, false, i);
    bootstrap(&intervals, scores, 1, 1);
    CHECK_INT(intervals.rounds, 0);
    CHECK_NEAR(intervals.apgr.lower, 0, 0);
    w.n = 0;
    bootstrap(&intervals, scores, 1, 1);
    CHECK_INT(intervals.rounds, 0);
    struct arena small;
    struct router_bootstrap_options options = options_of(1);
    struct router_metrics m;
    w.n = 30;
    arena_init(&small, 100);
    CHECK_ERR(router_bootstrap(&intervals, w.trials, scores, 1, w.n, &options, &small),
              WEIR_NO_MEMORY);
    arena_fini(&small);
    CHECK_ERR(router_measure(&m, w.trials, w.scores, w.n, &small), WEIR_NO_MEMORY);
    arena_fini(&small);
    arena_fini(&w.arena);
}

/* ---- counterfactual estimates, against logs whose truth is known ---- */

/* Three choices with success .5 + .1·choice·x, x uniform; logged mostly as choice 0, evaluated for a policy that takes
 * choice 2 where x > .5, else 1. */
static double success_of(int choice, double x)
{
    return 0.5 + 0.1 * choice * x;
}

static void log_make(struct route_logged *rows, size_t n, bool has_good_values,
                     bool has_right_propensities)
{
    static const double propensities[] = { 0.6, 0.3, 0.1 };

    for (size_t i = 0; i < n; i++) {
        double x = rng_unit(&w.rng), u = rng_unit(&w.rng);
        int choice = u < 0.6 ? 0 : u < 0.9 ? 1 : 2, target = x > 0.5 ? 2 : 1;
        rows[i] = (struct route_logged){
            .propensity = has_right_propensities ? propensities[choice] : 1 / 3.0,
            .target = choice == target ? 1 : 0,
            .reward = rng_unit(&w.rng) < success_of(choice, x) ? 1 : 0,
            .value_logged = has_good_values ? success_of(choice, x) : 0.2,
            .value_target = has_good_values ? success_of(target, x) : 0.2,
        };
    }
}

/* E = ∫₀^.5 (.5 + .1x) dx + ∫.5^1 (.5 + .2x) dx = .5 + .0125 + .075 */
#define POLICY_TRUTH 0.5875

static bool holds(struct interval i)
{
    return i.lower <= POLICY_TRUTH && POLICY_TRUTH <= i.upper;
}

static void counterfactual_intervals_cover(void)
{
    static struct route_logged rows[1000];
    int ips = 0, self = 0, robust = 0, robust_values = 0;
    double ips_width = 0, robust_width = 0;

    world_open(11);
    for (int round = 0; round < 200; round++) {
        struct counterfactual c;
        log_make(rows, 1000, true, true);
        route_counterfactual(&c, rows, 1000, 0.05);
        ips += holds(c.ips);
        self += holds(c.self_normalised);
        robust += holds(c.doubly_robust);
        ips_width += c.ips.upper - c.ips.lower;
        robust_width += c.doubly_robust.upper - c.doubly_robust.lower;
        CHECK(c.effective_n > 50 && c.effective_n < 1000);
        CHECK_NEAR(c.weight_max, 10, 1e-9);
        /* Good values rescue wrong propensities: that is what doubly robust means. */
        log_make(rows, 1000, true, false);
        route_counterfactual(&c, rows, 1000, 0.05);
        robust_values += holds(c.doubly_robust);
    }
    CHECK(ips >= 180 && ips < 200);
    CHECK(self >= 180 && self < 200);
    CHECK(robust >= 180 && robust < 200);
    CHECK(robust_values >= 180);
    CHECK(robust_width < 0.9 * ips_width);
    arena_fini(&w.arena);
}

static void counterfactual_estimates_are_unbiased(void)
{
    static struct route_logged rows[100000];
    struct counterfactual c;

    world_open(12);
    log_make(rows, 100000, false, true);
    route_counterfactual(&c, rows, 100000, 0.05);
    CHECK_NEAR(c.ips.estimate, POLICY_TRUTH, 0.02);
    CHECK_NEAR(c.self_normalised.estimate, POLICY_TRUTH, 0.02);
    CHECK_NEAR(c.doubly_robust.estimate, POLICY_TRUTH, 0.02); /* though the values are wrong */
    CHECK_INT(c.n, 100000);
    /* A reward that never varies leaves a ratio nothing to vary by. */
    for (size_t i = 0; i < 1000; i++)
        rows[i].reward = 1;
    route_counterfactual(&c, rows, 1000, 0.05);
    CHECK_NEAR(c.self_normalised.lower, 1, 1e-9);
    CHECK_NEAR(c.self_normalised.upper, 1, 1e-9);
    CHECK(c.ips.upper > c.ips.lower);
    /* The policy that logged is worth what was logged, exactly. */
    double sum = 0;
    for (size_t i = 0; i < 1000; i++) {
        rows[i].target = rows[i].propensity;
        sum += rows[i].reward;
    }
    route_counterfactual(&c, rows, 1000, 0.05);
    CHECK_NEAR(c.ips.estimate, sum / 1000, 1e-9);
    CHECK_NEAR(c.self_normalised.estimate, sum / 1000, 1e-9);
    CHECK_NEAR(c.effective_n, 1000, 1e-6);
    arena_fini(&w.arena);
}

static void counterfactual_without_evidence(void)
{
    struct counterfactual c;
    const struct route_logged rows[] = { { 0.5, 0, 1, 0.3, 0.4 }, { 0.5, 0, 0, 0.3, 0.4 } };

    route_counterfactual(&c, rows, 0, 0.05);
    CHECK(c.ips.lower <= -DBL_MAX && c.ips.upper >= DBL_MAX);
    route_counterfactual(&c, rows, 1, 0.05);
    CHECK(c.ips.lower <= -DBL_MAX && c.ips.upper >= DBL_MAX);
    route_counterfactual(&c, rows, 2, 0.05); /* never what the other policy would do */
    CHECK(c.ips.upper >= DBL_MAX);
    CHECK(c.self_normalised.upper >= DBL_MAX);
    CHECK(c.doubly_robust.upper >= DBL_MAX);
    CHECK_NEAR(c.effective_n, 0, 0);
}

TESTS(TEST(by_hand), TEST(ties_are_drawn_at_random), TEST(a_perfect_router_and_its_opposite),
      TEST(what_cannot_be_measured_says_so), TEST(agrees_with_the_definition),
      TEST(aiq_uses_the_hull), TEST(aiq_by_hand), TEST(intervals_cover),
      TEST(the_same_seed_the_same_intervals), TEST(differences_are_paired),
      TEST(questions_are_resampled_whole), TEST(without_a_gap_there_is_no_interval),
      TEST(counterfactual_intervals_cover), TEST(counterfactual_estimates_are_unbiased),
      TEST(counterfactual_without_evidence))
