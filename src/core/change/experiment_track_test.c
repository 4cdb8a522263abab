/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adaptive shares, simulated: the best arm is found as rarely wrong as promised and sooner than with equal shares; means
 * over epochs are right where pooled ones are not; looking at every epoch costs nothing; nobody changes from one arm into another.
 */
#include <math.h>

#include "base/rng.h"
#include "core/change/experiment.h"
#include "test/check.h"

#define ARMS 3
#define EPOCH_LENGTH 200 /* answers until shares may change */
#define LOOKS_MAX 400

static struct experiment make(uint32_t share, double epsilon, double delta)
{
    static const char *const names[] = { "control", "b", "c" };
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    struct experiment e = { .id = STR("x"),
                            .inclusion = { 0, SHARE_WHOLE },
                            .arm_count = ARMS,
                            .tracking = { true, EXPERIMENT_SUCCESS_RATE, epsilon, delta, 0.05,
                                          NSEC_PER_SEC } };

    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < ARMS; i++)
        e.arms[i] = (struct experiment_arm){ .name = str_from(names[i]),
                                             .start = (uint32_t)(i * SHARE_WHOLE / ARMS),
                                             .share = share };
    CHECK_ERR(experiment_prepare(&e, &issues), OK);
    arena_fini(&arena);
    return e;
}

/* ---- a simulated experiment ---- */

struct run {
    struct experiment e;
    struct rng rng;
    struct moments cells[EXPERIMENT_EPOCHS_MAX * ARMS];
    size_t epochs;
    double rates[ARMS];
    double drift; /* what all rates gain in the long run */
    bool is_fixed; /* equal shares for ever */
    int64_t n;
};

static void run_init(struct run *r, uint64_t seed, const double *rates)
{
    *r = (struct run){ .e = make(100000, 0.01, 0.1), .epochs = 1 };
    rng_init(&r->rng, seed);
    for (size_t i = 0; i < ARMS; i++)
        r->rates[i] = rates[i];
}

/* One answer of an arm that is drawn by the shares as they are. */
static void run_answer(struct run *r)
{
    double u = rng_unit(&r->rng) * 300000, gain = r->drift * (1 - exp(-(double)r->n / 1500));
    size_t arm = 0;

    while (arm + 1 < ARMS && u >= r->e.arms[arm].share)
        u -= r->e.arms[arm++].share;
    bool is_right = rng_unit(&r->rng) < r->rates[arm] + gain;
    moments_add(&r->cells[(r->epochs - 1) * ARMS + arm], is_right ? 1 : 0);
    r->n++;
}

static struct strata run_seen(const struct run *r)
{
    return (struct strata){ r->cells, r->epochs, ARMS };
}

/* An epoch's worth of answers and a look, whose new shares begin to hold. */
static enum experiment_look run_look(struct run *r, struct experiment_allocation *a)
{
    for (int i = 0; i < EPOCH_LENGTH; i++)
        run_answer(r);
    struct strata seen = run_seen(r);
    enum experiment_look look = experiment_track(&r->e, &seen, a);
    if (look == EXPERIMENT_MOVES && !r->is_fixed) {
        for (size_t i = 0; i < ARMS; i++)
            r->e.arms[i].share = a->shares[i];
        r->epochs++;
    }
    return look;
}

/* Answers until the best arm is known; *out_best is it. */
static int64_t run_to_the_end(struct run *r, size_t *out_best)
{
    struct experiment_allocation a = { .best = 0 };

    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        if (run_look(r, &a) == EXPERIMENT_KNOWS)
            break;
    }
    *out_best = a.best;
    return r->n;
}

#define SEEDS 400

/* Answers until the best of these is known, on average over all seeds; *out_wrong: how often it was another one. */
static double seeds_run(bool is_fixed, double drift, int *out_wrong)
{
    static const double rates[] = { 0.80, 0.50, 0.84 };
    double total = 0;

    *out_wrong = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct run r;
        size_t best;
        run_init(&r, seed, rates);
        r.is_fixed = is_fixed;
        r.drift = drift;
        total += (double)run_to_the_end(&r, &best);
        *out_wrong += best != 2;
    }
    return total / SEEDS;
}

static void the_best_is_found_and_sooner(void)
{
    int wrong, wrong_drifting, wrong_equal;
    double adaptive = seeds_run(false, 0, &wrong), equal = seeds_run(true, 0, &wrong_equal);

    seeds_run(false, 0.1, &wrong_drifting);
    CHECK(wrong <= SEEDS * 0.1 && wrong_drifting <= SEEDS * 0.1); /* delta */
    CHECK(adaptive < 0.85 * equal);
    printf("the best of three: wrong %d and, with rates that rise, %d of %d (delta 0.1), answers "
           "%.0f, with equal shares %.0f\n",
           wrong, wrong_drifting, SEEDS, adaptive, equal);
}

/* Rates rise for all arms alike while shares follow the results: an arm that gets more later looks better when pooled. */
static void means_over_epochs_are_right_where_pooled_ones_are_not(void)
{
    static const double rates[] = { 0.60, 0.40, 0.66 };
    struct moments strata_error = { .n = 0 }, pooled_error = { .n = 0 };

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct run r;
        struct experiment_allocation a;
        run_init(&r, seed, rates);
        r.drift = 0.3;
        r.e.tracking.delta = 1e-12; /* never known */
        for (int i = 0; i < 30; i++)
            run_look(&r, &a);
        struct strata seen = run_seen(&r);
        struct moments all[ARMS] = { { .n = 0 } };
        for (size_t i = 0; i < r.epochs * ARMS; i++)
            moments_merge(&all[i % ARMS], &r.cells[i]);
        struct compare_options options = { .alpha = 0.05 };
        struct comparison c = stats_strata_compare(&seen, 1, 2, &options);
        moments_add(&strata_error, c.diff.estimate - 0.26);
        moments_add(&pooled_error, moments_mean(&all[2]) - moments_mean(&all[1]) - 0.26);
    }
    double se = sqrt(moments_variance(&strata_error) / SEEDS);
    double pooled_se = sqrt(moments_variance(&pooled_error) / SEEDS);
    CHECK(fabs(moments_mean(&strata_error)) < 3 * se);
    CHECK(moments_mean(&pooled_error) > 6 * pooled_se);
    printf("error of the difference: over epochs %.5f (se %.5f), pooled %.5f (se %.5f)\n",
           moments_mean(&strata_error), se, moments_mean(&pooled_error), pooled_se);
}

/* Equal arms, shares that follow the noise, a look after every epoch: an interval that ever leaves 0 out is an error. */
static void looking_at_every_epoch_costs_nothing(void)
{
    static const double rates[] = { 0.60, 0.60, 0.60 };
    int errors = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct run r;
        struct experiment_allocation a;
        bool is_error = false;
        run_init(&r, seed, rates);
        r.drift = 0.3;
        r.e.tracking.delta = 1e-12;
        for (int i = 0; i < 40; i++) {
            run_look(&r, &a);
            struct strata seen = run_seen(&r);
            struct compare_options options = { .alpha = 0.05 };
            struct comparison c = stats_strata_compare(&seen, 0, 2, &options);
            is_error |= c.is_valid && (c.diff.lower > 0 || c.diff.upper < 0);
        }
        errors += is_error;
    }
    CHECK(errors <= SEEDS * 0.05);
    printf("equal arms told apart: %d of %d (alpha 0.05)\n", errors, SEEDS);
}

/* ---- one look ---- */

static void cells_fill(struct moments *cells, const int64_t *n, const double *rates)
{
    for (size_t i = 0; i < ARMS; i++) {
        double right = floor((double)n[i] * rates[i]);
        cells[i] = (struct moments){ n[i], right, right };
    }
}

static void a_look_waits_moves_stays_and_knows(void)
{
    static const double rates[] = { 0.5, 0.8, 0.82 };
    struct experiment e = make(100000, 0.01, 0.1);
    struct moments cells[2 * ARMS];
    struct strata seen = { cells, 1, ARMS };
    struct experiment_allocation a, again;

    cells_fill(cells, (const int64_t[]){ 100, 29, 100 }, rates);
    CHECK_INT(experiment_track(&e, &seen, &a), EXPERIMENT_WAITS);
    cells_fill(cells, (const int64_t[]){ 100, 30, 100 }, rates);
    CHECK_INT(experiment_track(&e, &seen, &a), EXPERIMENT_MOVES);
    cells_fill(cells, (const int64_t[]){ 300, 300, 300 }, rates);
    REQUIRE(experiment_track(&e, &seen, &a) == EXPERIMENT_MOVES);
    CHECK_INT(a.best, 2);
    CHECK_INT(a.shares[0] + a.shares[1] + a.shares[2], 300000); /* the experiment keeps its size */
    CHECK(a.shares[0] >= 15000 && a.shares[0] < a.shares[1]);
    for (size_t i = 0; i < ARMS; i++)
        e.arms[i].share = a.shares[i];
    CHECK_INT(experiment_track(&e, &seen, &again), EXPERIMENT_STAYS);
    /* A second epoch that is too young does not disturb the first, and is waited for. */
    seen.count = 2;
    cells_fill(cells + ARMS, (const int64_t[]){ 10, 10, 10 }, rates);
    CHECK_INT(experiment_track(&e, &seen, &again), EXPERIMENT_WAITS);
    cells_fill(cells + ARMS, (const int64_t[]){ 40000, 40000, 40000 }, rates);
    CHECK_INT(experiment_track(&e, &seen, &again), EXPERIMENT_KNOWS);
    CHECK_INT(again.best, 2);
    /* Where less is better the best is the other end; the worst arm is told apart with equal ease. */
    e.tracking.measure = EXPERIMENT_LATENCY_MS;
    CHECK_INT(experiment_track(&e, &seen, &again), EXPERIMENT_KNOWS);
    CHECK_INT(again.best, 0);
}

/* What epsilon says does not matter is not waited for. */
static void epsilon_ends_what_would_go_on(void)
{
    static const double rates[] = { 0.5, 0.80, 0.82 };
    struct experiment e = make(100000, 0.05, 0.1);
    struct moments cells[ARMS];
    struct strata seen = { cells, 1, ARMS };
    struct experiment_allocation a;

    cells_fill(cells, (const int64_t[]){ 1000, 1000, 1000 }, rates);
    CHECK_INT(experiment_track(&e, &seen, &a), EXPERIMENT_KNOWS);
    e.tracking.epsilon = 0;
    CHECK_INT(experiment_track(&e, &seen, &a), EXPERIMENT_MOVES);
}

static void epochs_are_bounded(void)
{
    static const double rates[] = { 0.5, 0.80, 0.82 };
    struct experiment e = make(100000, 0, 1e-12);
    struct moments cells[EXPERIMENT_EPOCHS_MAX * ARMS];
    struct strata seen = { cells, EXPERIMENT_EPOCHS_MAX - 1, ARMS };
    struct experiment_allocation a;

    for (size_t k = 0; k < EXPERIMENT_EPOCHS_MAX; k++)
        cells_fill(cells + k * ARMS, (const int64_t[]){ 40, 40, 40 }, rates);
    CHECK_INT(experiment_track(&e, &seen, &a), EXPERIMENT_MOVES);
    seen.count++;
    CHECK_INT(experiment_track(&e, &seen, &a), EXPERIMENT_STAYS);
}

/* Whatever the shares become, a unit is in one arm or in none. */
static void nobody_changes_from_one_arm_into_another(void)
{
    struct experiment e = make(100000, 0.01, 0.1);
    struct rng rng;
    int entered = 0, left = 0;

    rng_init(&rng, 5);
    for (int unit = 0; unit < 3000; unit++) {
        char name[16];
        int arm = EXPERIMENT_ARM_NONE, before = EXPERIMENT_ARM_NONE;
        snprintf(name, sizeof(name), "u%d", unit);
        for (int epoch = 0; epoch < 6; epoch++) {
            uint32_t best = (uint32_t)rng_below(&rng, ARMS);
            for (uint32_t i = 0; i < ARMS; i++)
                e.arms[i].share = i == best ? 270000 : 15000;
            int now = experiment_assign(&e, str_from(name)).arm;
            entered += before == EXPERIMENT_ARM_NONE && now != EXPERIMENT_ARM_NONE && epoch > 0;
            left += before != EXPERIMENT_ARM_NONE && now == EXPERIMENT_ARM_NONE;
            CHECK(now == EXPERIMENT_ARM_NONE || arm == EXPERIMENT_ARM_NONE || now == arm);
            arm = now != EXPERIMENT_ARM_NONE ? now : arm;
            before = now;
        }
    }
    CHECK(entered > 100 && left > 100);
}

static void what_cannot_be_tracked_is_said(void)
{
    static const struct {
        uint32_t share;
        struct experiment_tracking tracking;
        const char *where;
    } rows[] = {
        { 111111, { true, 0, 0.01, 0.05, 0.05, NSEC_PER_SEC }, NULL },
        { 111112, { true, 0, 0.01, 0.05, 0.05, NSEC_PER_SEC }, "arms.0.share" },
        { 111112, { false, 0, -1, -1, -1, -1 }, NULL },
        { 100000, { true, 0, -0.01, 0.05, 0.05, NSEC_PER_SEC }, "epsilon" },
        { 100000, { true, 0, NAN, 0.05, 0.05, NSEC_PER_SEC }, "epsilon" },
        { 100000, { true, 0, INFINITY, 0.05, 0.05, NSEC_PER_SEC }, "epsilon" },
        { 100000, { true, 0, 0, 0, 0.05, NSEC_PER_SEC }, "delta" },
        { 100000, { true, 0, 0, 1, 0.05, NSEC_PER_SEC }, "delta" },
        { 100000, { true, 0, 0, 0.05, 0.009, NSEC_PER_SEC }, "floor" },
        { 100000, { true, 0, 0, 0.05, 0.051, NSEC_PER_SEC }, "floor" },
        { 100000, { true, 0, 0, 0.05, 0.05, NSEC_PER_SEC - 1 }, "every" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct change_issues issues = { .arena = &arena };
        struct experiment e = make(100000, 0.01, 0.1);
        arena_init(&arena, 1 << 16);
        e.tracking = rows[i].tracking;
        for (size_t arm = 0; arm < ARMS; arm++)
            e.arms[arm].share = rows[i].share;
        CHECK_INT(experiment_prepare(&e, &issues) == OK, rows[i].where == NULL);
        if (rows[i].where && issues.count > 0)
            CHECK_STR(issues.items[0].where, str_from(rows[i].where));
        arena_fini(&arena);
    }
}

static void measures_have_names(void)
{
    enum experiment_measure measure = EXPERIMENT_MEASURE_COUNT;

    for (size_t i = 0; i < EXPERIMENT_MEASURE_COUNT; i++) {
        const char *name = experiment_measure_info((enum experiment_measure)i)->name;
        CHECK(experiment_measure_find(str_from(name), &measure) && measure == i);
    }
    CHECK(!experiment_measure_find(STR("success"), &measure));
    CHECK(experiment_measure_info(EXPERIMENT_COST_USD)->less_is_better);
    CHECK(!experiment_measure_info(EXPERIMENT_TRM_CONFIDENCE)->less_is_better);
}

TESTS(TEST(the_best_is_found_and_sooner),
      TEST(means_over_epochs_are_right_where_pooled_ones_are_not),
      TEST(looking_at_every_epoch_costs_nothing), TEST(a_look_waits_moves_stays_and_knows),
      TEST(epsilon_ends_what_would_go_on), TEST(epochs_are_bounded),
      TEST(nobody_changes_from_one_arm_into_another), TEST(what_cannot_be_tracked_is_said),
      TEST(measures_have_names))
