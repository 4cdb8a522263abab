/* SPDX-License-Identifier: Apache-2.0 */
/* guard's tests: sums that merge, false alarms at most as often as promised, and how soon breaches are found. */
#include "core/stats/stats.h"

#include <math.h>

#include "base/rng.h"
#include "test/check.h"

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}

static bool guard_is_near(const struct guard *a, const struct guard *b)
{
    bool near = a->n == b->n && is_near(a->sum, b->sum);

    for (size_t j = 0; j < STATS_BETS; j++)
        near = near && is_near(a->log_wealth[j], b->log_wealth[j]);
    return near;
}

/* ---- arithmetic ---- */

static void no_data_is_no_evidence(void)
{
    struct guard g = { 0 };

    CHECK(guard_log_e(&g) == 0);
    CHECK(!guard_trips(&g, .999));
    guard_add_counts(&g, 0, 0, .05);
    CHECK(guard_log_e(&g) == 0);
}

/* Bet by bet, from the formula: L = log1p(stake (x/m - 1)), stake = 2^-(.15 + j/2). */
static void one_outcome_moves_each_bet(void)
{
    struct guard above = { 0 }, below = { 0 };

    guard_add(&above, .3, .05);
    guard_add_below(&below, .3, .05);
    for (int j = 0; j < STATS_BETS; j++) {
        double stake = exp2(-(.15 + j / 2.0));
        CHECK_NEAR(above.log_wealth[j], log1p(stake * (.3 / .05 - 1)), 1e-15);
        CHECK_NEAR(below.log_wealth[j], log1p(stake * (.05 - .3) / .95), 1e-15);
    }
    CHECK_INT(above.n, 1);
    CHECK_NEAR(above.sum, .3, 0);
}

static void evidence_is_the_mean_of_the_wealths(void)
{
    struct guard g = { 0 };
    double wealth = 0;

    guard_add_counts(&g, 9, 60, .05);
    for (int j = 0; j < STATS_BETS; j++)
        wealth += exp(g.log_wealth[j]) / STATS_BETS;
    CHECK_NEAR(guard_log_e(&g), log(wealth), 1e-12);
    double alpha = exp(-guard_log_e(&g));
    CHECK(guard_trips(&g, alpha * 1.001));
    CHECK(!guard_trips(&g, alpha * .999));
}

static void counts_are_single_outcomes(void)
{
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 200; round++) {
        struct guard one = { 0 }, all = { 0 }, one_below = { 0 }, all_below = { 0 };
        double limit = .001 + .998 * rng_unit(&rng);
        int64_t n = (int64_t)rng_below(&rng, 100), k = (int64_t)rng_below(&rng, (uint64_t)n + 1);
        for (int64_t i = 0; i < n; i++) {
            guard_add(&one, i < k, limit);
            guard_add_below(&one_below, i < k, limit);
        }
        guard_add_counts(&all, k, n, limit);
        guard_add_below_counts(&all_below, k, n, limit);
        CHECK(guard_is_near(&one, &all));
        CHECK(guard_is_near(&one_below, &all_below));
    }
}

/* Forwards, backwards, and in two parts that are merged. */
static void order_does_not_matter(void)
{
    struct rng rng;
    double x[64];

    rng_init(&rng, 2);
    for (int round = 0; round < 100; round++) {
        struct guard forward = { 0 }, backward = { 0 }, parts[2] = { { .n = 0 } };
        for (size_t i = 0; i < ARRAY_LEN(x); i++)
            x[i] = exp(3 * rng_normal(&rng));
        for (size_t i = 0; i < ARRAY_LEN(x); i++) {
            guard_add(&forward, x[i], 2);
            guard_add(&backward, x[ARRAY_LEN(x) - 1 - i], 2);
            guard_add(&parts[rng_below(&rng, 2)], x[i], 2);
        }
        guard_merge(&parts[0], &parts[1]);
        CHECK(guard_is_near(&forward, &backward));
        CHECK(guard_is_near(&forward, &parts[0]));
    }
}

static void extremes_stay_finite(void)
{
    static const struct {
        int64_t k, n;
        double limit;
    } rows[] = { { 0, INT64_C(1000000000000), .05 },
                 { INT64_C(1000000000000), INT64_C(1000000000000), 1e-300 },
                 { 1, 1, 1e-308 },
                 { 0, 1, 1 - 1e-15 },
                 { 5, INT64_C(1000000000000), 1e-12 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct guard g = { 0 }, below = { 0 };
        guard_add_counts(&g, rows[i].k, rows[i].n, rows[i].limit);
        guard_add_below_counts(&below, rows[i].k, rows[i].n, rows[i].limit);
        CHECK(isfinite(guard_log_e(&g)) && isfinite(guard_log_e(&below)));
    }
    struct guard g = { 0 };
    guard_add(&g, 1e308, 1e-300);
    CHECK(isfinite(guard_log_e(&g)));
    CHECK(guard_trips(&g, 1e-200));
    struct detector d = { 0 };
    for (int i = 0; i < 5; i++)
        detector_add(&d, 1e308, 1e-300);
    CHECK(isfinite(detector_level(&d)));
    for (int i = 0; i < 100; i++)
        detector_add(&d, 0, 1e-300);
    CHECK(detector_level(&d) >= 0);
}

/* ---- the design's simulated figures: limit 5 %, alpha 1 %, 10,000 queries ---- */

#define QUERIES 10000

/* Evidence grows with a failure only, so that is when to look. Returns the query that tripped, 0 for none. */
static int query_of_trip(struct rng *rng, double rate, double alpha)
{
    struct guard g = { 0 };

    for (int i = 1; i <= QUERIES; i++) {
        bool is_failure = rng_unit(rng) < rate;
        guard_add(&g, is_failure, .05);
        if (is_failure && guard_trips(&g, alpha))
            return i;
    }
    return 0;
}

static int median(int *x, int n)
{
    for (int i = 1; i < n; i++) {
        int value = x[i], at = i;
        for (; at > 0 && x[at - 1] > value; at--)
            x[at] = x[at - 1];
        x[at] = value;
    }
    return x[n / 2];
}

static void false_alarms_are_rare(void)
{
    static const struct {
        double rate;
        int runs;
        int trips_max;
    } rows[] = { { .01, 50, 0 }, { .02, 50, 0 }, { .03, 50, 0 }, { .05, 600, 9 } };
    struct rng rng;

    rng_init(&rng, 3);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int trips = 0;
        for (int run = 0; run < rows[i].runs; run++)
            trips += query_of_trip(&rng, rows[i].rate, .01) > 0;
        CHECK(trips <= rows[i].trips_max);
    }
}

static void breaches_are_found(void)
{
    static const struct {
        double rate;
        int median;
        int runs;
    } rows[] = { { .07, 1462, 201 }, { .1, 265, 601 }, { .15, 77, 1001 },
                 { .2, 39, 1001 },   { .5, 7, 1001 },  { 1, 3, 11 } };
    struct rng rng;
    int found[1001];

    rng_init(&rng, 4);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int run = 0; run < rows[i].runs; run++) {
            int query = query_of_trip(&rng, rows[i].rate, .01);
            found[run] = query > 0 ? query : QUERIES + 1;
        }
        int got = median(found, rows[i].runs);
        CHECK_NEAR(got, rows[i].median, 0.1 * rows[i].median);
    }
}

/* Costs are lognormal with sigma 1, the cap is $.005, alpha .1 %. */
static void costs_beyond_a_cap_are_found(void)
{
    static const struct {
        double mean;
        int median;
    } rows[] = { { .008, 100 }, { .016, 16 } };
    struct rng rng;
    int found[2001];

    rng_init(&rng, 5);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t run = 0; run < ARRAY_LEN(found); run++) {
            struct guard g = { 0 };
            while (!guard_trips(&g, .001))
                guard_add(&g, rows[i].mean * exp(rng_normal(&rng) - .5), .005);
            found[run] = (int)g.n;
        }
        CHECK_NEAR(median(found, ARRAY_LEN(found)), rows[i].median, .2 * rows[i].median);
    }
}

/* How many queries show that the failure rate is below 5 % (alpha 5 %). */
static void a_promotion_is_earned(void)
{
    static const struct {
        double rate;
        int median;
    } rows[] = { { .01, 164 }, { .02, 347 } };
    struct rng rng;
    int found[2001];

    rng_init(&rng, 6);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t run = 0; run < ARRAY_LEN(found); run++) {
            struct guard g = { 0 };
            while (!guard_trips(&g, .05))
                guard_add_below(&g, rng_unit(&rng) < rows[i].rate, .05);
            found[run] = (int)g.n;
        }
        CHECK_NEAR(median(found, ARRAY_LEN(found)), rows[i].median, .1 * rows[i].median);
    }
}

/* A rate of just 5 % must not be promoted more often than alpha. */
static void promotions_are_rarely_wrong(void)
{
    struct rng rng;
    int wrong = 0;

    rng_init(&rng, 7);
    for (int run = 0; run < 400; run++) {
        struct guard g = { 0 };
        for (int i = 0; i < 2000 && !guard_trips(&g, .05); i += 20) {
            for (int j = 0; j < 20; j++)
                guard_add_below(&g, rng_unit(&rng) < .05, .05);
        }
        wrong += guard_trips(&g, .05);
    }
    CHECK(wrong <= 20);
    CHECK(wrong > 0); /* else the check would not see a bet that never wins */
}

/* ---- the detector ---- */

#define CHANGE_AT 20000
#define PATIENCE 20000

/* From 1 % to 10 % after 20,000 queries: the detector sees it soon, a guard that has run all the time does not. */
static void changes_are_detected(void)
{
    struct rng rng;
    int delays[101], early = 0, slow = 0;

    rng_init(&rng, 8);
    for (size_t run = 0; run < ARRAY_LEN(delays); run++) {
        struct detector d = { 0 };
        struct guard g = { 0 };
        while (detector_level(&d) < PATIENCE) {
            double rate = d.n < CHANGE_AT ? .01 : .1;
            bool is_failure = rng_unit(&rng) < rate;
            detector_add(&d, is_failure, .05);
            guard_add(&g, is_failure, .05);
        }
        early += d.n <= CHANGE_AT;
        delays[run] = (int)d.n - CHANGE_AT;
        guard_add_counts(&g, 1000, 10000, .05); /* ten thousand more at the new rate */
        slow += !guard_trips(&g, .01);
    }
    CHECK_INT(early, 0);
    CHECK_NEAR(median(delays, ARRAY_LEN(delays)), 317, 32);
    CHECK_INT(slow, ARRAY_LEN(delays));
}

/* At a mean of exactly the limit the average run to an alarm is at least the threshold. */
static void false_alarms_are_far_apart(void)
{
    struct rng rng;
    double total = 0;

    rng_init(&rng, 9);
    for (int run = 0; run < 300; run++) {
        struct detector d = { 0 };
        while (detector_level(&d) < 500)
            detector_add(&d, rng_unit(&rng) < .2, .2);
        total += (double)d.n;
    }
    CHECK(total / 300 >= 500);
    CHECK(total / 300 < 5000); /* nor blind */
}

/* M <- (M + 1)(1 + stake (x/m - 1)), by hand for the first and last stake. */
static void the_detector_follows_its_recursion(void)
{
    static const double outcomes[] = { 0, 1, 1, 0, 3.5 };
    struct detector d = { 0 };
    double first = 0, last = 0, sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        detector_add(&d, outcomes[i], .5);
        first = (first + 1) * (1 + exp2(-.15) * (outcomes[i] / .5 - 1));
        last = (last + 1) * (1 + exp2(-7.65) * (outcomes[i] / .5 - 1));
    }
    CHECK_NEAR(d.level[0], first, 1e-12 * first);
    CHECK_NEAR(d.level[STATS_BETS - 1], last, 1e-12 * last);
    for (size_t j = 0; j < STATS_BETS; j++)
        sum += d.level[j];
    CHECK_NEAR(detector_level(&d), sum / STATS_BETS, 1e-12 * sum);
    CHECK_INT(d.n, ARRAY_LEN(outcomes));
}

/* ---- a breach that begins later ---- */

/* The stakes by hand: nothing before the first outcome, then 1/(2^i (i + 1)(i + 2)). */
static void an_onset_follows_its_recursion(void)
{
    static const double outcomes[] = { 1, 0, 1, 1, 0, 1, 0, 0, 1 };
    static const double opened[] = { 0,       1 / 2.,  1 / 12., 1 / 12., 1 / 48.,
                                     1 / 48., 1 / 48., 1 / 48., 1 / 160. };
    struct onset o = { 0 };
    double first = 0, last = 0, sum = 0;

    CHECK(onset_log_e(&o) == -INFINITY);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        onset_add(&o, outcomes[i], .5);
        first = (first + opened[i]) * (1 + exp2(-.15) * (outcomes[i] / .5 - 1));
        last = (last + opened[i]) * (1 + exp2(-7.65) * (outcomes[i] / .5 - 1));
    }
    CHECK_NEAR(o.level[0], first, 1e-12 * first);
    CHECK_NEAR(o.level[STATS_BETS - 1], last, 1e-12 * last);
    for (size_t j = 0; j < STATS_BETS; j++)
        sum += o.level[j];
    CHECK_NEAR(onset_log_e(&o), log(sum / STATS_BETS), 1e-12);
    CHECK_INT(o.n, ARRAY_LEN(outcomes));
}

/* What is staked adds up to 1 and no more: at the limit exactly, the wealth's mean stays below it, so that even 1/alpha is
 * reached in a share of alpha of the runs at most. */
static void an_onset_is_rarely_mistaken(void)
{
    struct rng rng;
    int tripped = 0;

    rng_init(&rng, 21);
    for (int run = 0; run < 1000; run++) {
        struct onset o = { 0 };
        bool trips = false;
        for (int i = 0; i < 2000; i++) {
            onset_add(&o, rng_unit(&rng) < .05, .05);
            trips = trips || onset_log_e(&o) >= log(20);
        }
        tripped += trips;
    }
    CHECK(tripped <= 50);
    CHECK(tripped > 0); /* nor blind */
}

/* From 1 % to 10 % after 5,000 queries: found soon, where the guard by itself takes as long again as it has run. */
static void an_onset_is_found_however_well_it_went(void)
{
    struct rng rng;
    int delays[51], slow = 0;

    rng_init(&rng, 22);
    for (size_t run = 0; run < ARRAY_LEN(delays); run++) {
        struct onset o = { 0 };
        struct guard g = { 0 };
        while (onset_log_e(&o) < log(100)) {
            bool is_failure = rng_unit(&rng) < (o.n < 5000 ? .01 : .1);
            onset_add(&o, is_failure, .05);
            guard_add(&g, is_failure, .05);
        }
        CHECK(o.n > 5000);
        delays[run] = (int)o.n - 5000;
        guard_add_counts(&g, 150, 1500, .05);
        slow += !guard_trips(&g, .01);
    }
    CHECK(median(delays, ARRAY_LEN(delays)) < 900);
    CHECK_INT(slow, ARRAY_LEN(delays));
}

static void onsets_merge_to_their_mean(void)
{
    struct onset a = { 0 }, b = { 0 }, empty = { 0 };

    for (int i = 0; i < 40; i++) {
        onset_add(&a, i % 2, .1);
        onset_add(&b, i % 5 == 0, .1);
    }
    double mean = (exp(onset_log_e(&a)) + exp(onset_log_e(&b))) / 2;
    onset_merge(&empty, &a);
    CHECK_NEAR(onset_log_e(&empty), onset_log_e(&a), 0);
    onset_merge(&a, &b);
    CHECK_NEAR(onset_log_e(&a), log(mean), 1e-12);
    CHECK_INT(a.streams, 2);
    CHECK_INT(a.n, 80);
    for (int i = 0; i < 1000; i++)
        onset_add(&a, 1e308, 1e-300);
    CHECK(isfinite(onset_log_e(&a)));
}

TESTS(TEST(no_data_is_no_evidence), TEST(one_outcome_moves_each_bet),
      TEST(evidence_is_the_mean_of_the_wealths), TEST(counts_are_single_outcomes),
      TEST(order_does_not_matter), TEST(extremes_stay_finite), TEST(false_alarms_are_rare),
      TEST(breaches_are_found), TEST(costs_beyond_a_cap_are_found), TEST(a_promotion_is_earned),
      TEST(promotions_are_rarely_wrong), TEST(changes_are_detected),
      TEST(false_alarms_are_far_apart), TEST(the_detector_follows_its_recursion),
      TEST(an_onset_follows_its_recursion), TEST(an_onset_is_rarely_mistaken),
      TEST(an_onset_is_found_however_well_it_went), TEST(onsets_merge_to_their_mean))
