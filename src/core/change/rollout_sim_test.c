/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole rollout in motion: seeded traffic in virtual time through assignment, outcomes, ticks, rows. Over many seeds: a
 * healthy canary is never rolled back, a bad one is and soon, what is everybody's fault pauses, too little data pauses, and
 * a crash after every row changes nothing.
 */
#include <math.h>

#include "base/rng.h"
#include "core/change/rollout_rig_test.h"
#include "core/json/json.h"

#if defined(__SANITIZE_ADDRESS__)
#define SEEDS_SHARE 5
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEEDS_SHARE 5
#endif
#endif
#ifndef SEEDS_SHARE
#define SEEDS_SHARE 1
#endif
/* As many seeds as the build is fast enough for. */
#define SEEDS(n) (((n) + SEEDS_SHARE - 1) / SEEDS_SHARE)

/* How an arm's queries end. */
struct behaviour {
    double failure;
    double cost_usd; /* mean of log-normal costs */
    double cost_spread;
    double confidence;
    double confidence_spread;
    double slow; /* share over 5 s */
};
static const struct behaviour healthy = { 0.02, 0.002, 0.5, 0.87, 0.08, 0.005 };

struct scenario {
    struct behaviour control;
    struct behaviour canary;
    double queries_per_second;
    int64_t queries_max;
    double outage_share; /* of both arms' queries fail ... */
    int64_t outage_from; /* ... from this query */
    int64_t outage_to;
    int64_t bad_from; /* the canary is healthy until this query */
    bool crashes; /* after every row */
};

struct run {
    struct rig rig;
    struct rng rng;
    const struct scenario *scenario;
    struct rollout_snapshot snapshot;
    double clock_us;
    uint64_t seed;
    int64_t queries;
    int64_t canary_queries;
    int64_t canary_while_bad; /* queries that met the canary as the scenario has it */
};

static struct outcome draw(struct run *run, const struct behaviour *b, bool is_outage)
{
    struct outcome o = { .is_success = true };
    struct rng *rng = &run->rng;

    o.is_success = !(rng_unit(rng) < (is_outage ? run->scenario->outage_share : b->failure));
    o.is_error = !o.is_success && (is_outage || rng_unit(rng) < 0.5);
    o.hrm_confidence =
        o.is_error ? -1 : fmin(fmax(b->confidence + b->confidence_spread * rng_normal(rng), 0), 1);
    o.trm_confidence = o.is_error ? -1 : fmax(o.hrm_confidence - 0.04, 0);
    double spread = b->cost_spread;
    o.cost = (nano_usd)(b->cost_usd * NANO_PER_USD *
                        exp(spread * rng_normal(rng) - spread * spread / 2));
    o.latency =
        rng_unit(rng) < b->slow ? 6 * NSEC_PER_SEC : (nsec)((0.4 + rng_unit(rng)) * NSEC_PER_SEC);
    return o;
}

static void query(struct run *run)
{
    const struct scenario *s = run->scenario;
    bool is_outage = run->queries >= s->outage_from && run->queries < s->outage_to;
    char id[48];
    str unit = { id, (size_t)snprintf(id, sizeof(id), "%" PRIu64 "-%" PRId64, run->seed,
                                      run->queries) };
    struct rollout_assignment a =
        rollout_assign(&run->snapshot, &(struct unit_ids){ .request = unit });
    const struct behaviour *b =
        a.arm == ARM_CANARY && run->queries >= s->bad_from ? &s->canary : &s->control;

    run->queries++;
    run->canary_queries += a.arm == ARM_CANARY;
    run->canary_while_bad += a.arm == ARM_CANARY && run->queries > s->bad_from;
    rollout_expose(&run->rig.rollout, &a);
    if (a.arm == ARM_BASELINE)
        return;
    struct outcome o = draw(run, b, is_outage);
    rollout_observe(&run->rig.rollout, &a, (usec_utc)run->clock_us, &o);
}

static void crash(struct run *run)
{
    struct rig *rig = &run->rig;
    struct arena arena;
    struct buf text = { 0 };
    struct json v = { 0 };
    const char *what = "";

    arena_init(&arena, 1 << 20);
    rollout_checkpoint(&rig->rollout, &text);
    CHECK_ERR(json_parse(&arena, buf_str(&text), &v, NULL), OK);
    memset(&rig->rollout, 0xa5, sizeof(rig->rollout));
    CHECK_ERR(rollout_restore(&rig->rollout, &rig->spec, v, rig->rows, rig->row_count, &what), OK);
    arena_fini(&arena);
    buf_fini(&text);
}

static bool is_over(const struct run *run)
{
    enum rollout_state s = run->rig.rollout.place.state;

    return s == ROLLOUT_COMPLETED || s == ROLLOUT_ABORTED || s == ROLLOUT_PAUSED;
}

/* 10 %, 50 %, baking; two minutes and 300 outcomes each. */
static void sim_spec(struct rollout_spec *spec)
{
    rig_spec(spec);
    for (size_t i = 0; i < spec->step_count; i++)
        spec->steps[i] =
            (struct rollout_step){ spec->steps[i].share, 2 * MINUTE, 6 * HOUR, 300, false };
}

/* Runs until it moves no further or the queries are used up. */
static void run_open(struct run *run, const struct scenario *s, const struct rollout_spec *spec,
                     uint64_t seed)
{
    memset(run, 0, sizeof(*run));
    rng_init(&run->rng, seed);
    run->seed = seed;
    run->scenario = s;
    rig_open(&run->rig, spec);
    rig_operate(&run->rig, ROLLOUT_START);
    rollout_snapshot(&run->rig.rollout, &run->snapshot);
    run->clock_us = (double)run->rig.now;
    while (!is_over(run) && run->queries < s->queries_max) {
        run->clock_us -= log(1 - rng_unit(&run->rng)) / s->queries_per_second * 1e6;
        while (run->rig.now + SECOND <= (usec_utc)run->clock_us && !is_over(run)) {
            run->rig.now += SECOND;
            rig_tick(&run->rig);
            if (!run->rig.last.has_row)
                continue;
            if (s->crashes)
                crash(run);
            rollout_snapshot(&run->rig.rollout, &run->snapshot);
        }
        query(run);
    }
}

struct tally {
    int runs;
    int by_state[ROLLOUT_STATE_COUNT];
    int by_reason[ROLLOUT_REASON_COUNT];
    int delays[1000]; /* canary queries until it ended, of those since it went bad */
};

static void tally_run(struct tally *tally, const struct scenario *s,
                      const struct rollout_spec *spec, int seeds)
{
    struct rollout_spec standard;

    sim_spec(&standard);
    memset(tally, 0, sizeof(*tally));
    for (int seed = 0; seed < seeds; seed++) {
        struct run run;
        run_open(&run, s, spec ? spec : &standard, (uint64_t)seed + 1000);
        tally->delays[tally->runs++] = (int)run.canary_while_bad;
        tally->by_state[run.rig.rollout.place.state]++;
        tally->by_reason[run.rig.rollout.reason]++;
        rig_close(&run.rig);
    }
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int quantile(struct tally *tally, double q)
{
    qsort(tally->delays, (size_t)tally->runs, sizeof(tally->delays[0]), by_value);
    return tally->delays[(size_t)(q * (tally->runs - 1))];
}

static void print(const char *name, struct tally *tally)
{
    fprintf(stderr,
            "%s: %d runs: completed %d, aborted %d, paused %d (common cause %d, no data %d, "
            "inconclusive %d), ends after %d canary queries (median), %d (99 %%)\n",
            name, tally->runs, tally->by_state[ROLLOUT_COMPLETED], tally->by_state[ROLLOUT_ABORTED],
            tally->by_state[ROLLOUT_PAUSED], tally->by_reason[ROLLOUT_FOR_COMMON_CAUSE],
            tally->by_reason[ROLLOUT_FOR_NO_DATA], tally->by_reason[ROLLOUT_FOR_INCONCLUSIVE],
            quantile(tally, 0.5), quantile(tally, 0.99));
}

/* ---- healthy ---- */

static void a_healthy_canary_is_never_rolled_back(void)
{
    struct scenario s = {
        .control = healthy, .canary = healthy, .queries_per_second = 20, .queries_max = 20000
    };
    struct tally tally;

    tally_run(&tally, &s, NULL, SEEDS(300));
    print("healthy", &tally);
    CHECK_INT(tally.by_state[ROLLOUT_COMPLETED], tally.runs);
}

/* Noisy and near its limits: 3.5 % failures, wild costs, wide confidences. It may not get through; it does not go back. */
static void noise_is_no_reason_to_roll_back(void)
{
    static const struct behaviour noisy = { 0.035, 0.004, 1.2, 0.80, 0.15, 0.03 };
    struct scenario s = {
        .control = noisy, .canary = noisy, .queries_per_second = 20, .queries_max = 10000
    };
    struct tally tally;

    tally_run(&tally, &s, NULL, SEEDS(50));
    print("noisy", &tally);
    CHECK_INT(tally.by_state[ROLLOUT_ABORTED], 0);
}

/* ---- bad ---- */

/* Success falls from 98 % to 90 %. The reference for alpha 1 % in one phase is a median of 265 queries; here alpha is .001 in
 * three phases, which asks for ln 30 more evidence, and the control must have spoken too. */
static void a_bad_canary_is_rolled_back_soon(void)
{
    struct scenario s = {
        .control = healthy, .canary = healthy, .queries_per_second = 20, .queries_max = 60000
    };
    struct rollout_spec spec;
    struct tally tally;

    s.canary.failure = 0.10;
    tally_run(&tally, &s, NULL, SEEDS(100));
    print("98 % to 90 %", &tally);
    CHECK_INT(tally.by_state[ROLLOUT_ABORTED], tally.runs);
    CHECK(quantile(&tally, 0.5) < 700);
    CHECK(quantile(&tally, 0.99) < 2000);

    sim_spec(&spec);
    spec.guard_options.alpha_trip = 0.03; /* 1 % for each of three phases */
    tally_run(&tally, &s, &spec, SEEDS(100));
    print("98 % to 90 %, alpha 1 %", &tally);
    CHECK_INT(tally.by_state[ROLLOUT_ABORTED], tally.runs);
    CHECK(quantile(&tally, 0.5) < 450);
}

static void each_guard_finds_its_harm(void)
{
    static const struct {
        const char *name;
        struct behaviour canary;
        enum change_metric guard;
        int most; /* canary queries, median */
    } rows[] = {
        { "costs creep to $.016",
          { 0.02, 0.016, 0.5, 0.87, 0.08, 0.005 },
          CHANGE_COST_PER_QUERY,
          120 },
        { "confidence falls to .64",
          { 0.02, 0.002, 0.5, 0.64, 0.08, 0.005 },
          CHANGE_HRM_CONFIDENCE_MEAN,
          200 },
        { "15 % are slow", { 0.02, 0.002, 0.5, 0.87, 0.08, 0.15 }, CHANGE_LATENCY_P95, 300 },
        { "everything fails", { 1.0, 0.002, 0.5, 0.87, 0.08, 0.005 }, CHANGE_SUCCESS_RATE, 25 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s = { .control = healthy,
                              .canary = rows[i].canary,
                              .queries_per_second = 20,
                              .queries_max = 60000 };
        struct rollout_spec spec;
        struct tally tally;
        struct run run;
        tally_run(&tally, &s, NULL, SEEDS(30));
        print(rows[i].name, &tally);
        CHECK_INT(tally.by_state[ROLLOUT_ABORTED], tally.runs);
        CHECK(quantile(&tally, 0.5) <= rows[i].most);
        sim_spec(&spec);
        run_open(&run, &s, &spec, 5);
        CHECK(run.rig.rows[run.rig.row_count - 1].guards >> rows[i].guard & 1);
        rig_close(&run.rig);
    }
}

/* It goes bad only while baking, when the plain guard has tired: the detector finds it. */
static void late_harm_is_found_too(void)
{
    struct scenario s = { .control = healthy,
                          .canary = healthy,
                          .queries_per_second = 20,
                          .queries_max = 60000,
                          .bad_from = 20000 };
    struct rollout_spec spec;
    struct tally tally;

    sim_spec(&spec);
    spec.steps[2].time_min_us = 5 * HOUR;
    s.canary.failure = 0.3;
    tally_run(&tally, &s, &spec, SEEDS(12));
    print("late", &tally);
    CHECK_INT(tally.by_state[ROLLOUT_ABORTED], tally.runs);
    CHECK(quantile(&tally, 0.5) < 1000);
    s.canary.failure = 1;
    tally_run(&tally, &s, &spec, SEEDS(12));
    print("late and broken", &tally);
    CHECK_INT(tally.by_state[ROLLOUT_ABORTED], tally.runs);
    CHECK(quantile(&tally, 0.5) < 200);
}

/* ---- everybody's fault ---- */

static void an_outage_pauses_and_never_rolls_back(void)
{
    static const struct {
        double share;
        int64_t from;
        int64_t length;
    } rows[] = { { 1.0, 0, 5000 },     { 1.0, 300, 5000 },  { 1.0, 3000, 5000 },
                 { 1.0, 5000, 20000 }, { 0.5, 2000, 9000 }, { 0.3, 2000, 20000 },
                 { 1.0, 3000, 150 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s = { .control = healthy,
                              .canary = healthy,
                              .queries_per_second = 20,
                              .queries_max = 30000,
                              .outage_share = rows[i].share,
                              .outage_from = rows[i].from,
                              .outage_to = rows[i].from + rows[i].length };
        struct tally tally;
        tally_run(&tally, &s, NULL, SEEDS(50));
        print("outage", &tally);
        CHECK_INT(tally.by_state[ROLLOUT_ABORTED], 0);
        CHECK(tally.by_reason[ROLLOUT_FOR_COMMON_CAUSE] == tally.runs || rows[i].length < 1000);
    }
}

/* An outage while baking, when the control is a holdback of 5 %. */
static void an_outage_while_baking_pauses(void)
{
    struct scenario s = { .control = healthy,
                          .canary = healthy,
                          .queries_per_second = 20,
                          .queries_max = 60000,
                          .outage_share = 1,
                          .outage_from = 30000,
                          .outage_to = 60000 };
    struct rollout_spec spec;
    struct tally tally;

    sim_spec(&spec);
    spec.steps[2].time_min_us = 5 * HOUR;
    tally_run(&tally, &s, &spec, SEEDS(20));
    print("outage while baking", &tally);
    CHECK_INT(tally.by_reason[ROLLOUT_FOR_COMMON_CAUSE], tally.runs);
}

/* ---- too little ---- */

static void thin_data_pauses(void)
{
    struct scenario s = {
        .control = healthy, .canary = healthy, .queries_per_second = 0.05, .queries_max = 20000
    };
    struct tally tally;

    tally_run(&tally, &s, NULL, SEEDS(10));
    print("thin", &tally);
    CHECK_INT(tally.by_reason[ROLLOUT_FOR_NO_DATA], tally.runs);
}

/* ---- crashes ---- */

static void a_crash_after_every_row_changes_nothing(void)
{
    static const double failures[] = { 0.02, 0.1, 1 };
    struct rollout_spec spec;

    sim_spec(&spec);
    for (size_t f = 0; f < ARRAY_LEN(failures); f++) {
        struct scenario steady = {
            .control = healthy, .canary = healthy, .queries_per_second = 20, .queries_max = 20000
        };
        struct scenario shaky;
        steady.canary.failure = failures[f];
        shaky = steady;
        shaky.crashes = true;
        for (int seed = 0; seed < SEEDS(20); seed++) {
            struct run a, b;
            run_open(&a, &steady, &spec, (uint64_t)seed);
            run_open(&b, &shaky, &spec, (uint64_t)seed);
            CHECK_INT(b.rig.row_count, a.rig.row_count);
            CHECK_INT(b.queries, a.queries);
            CHECK_INT(b.canary_queries, a.canary_queries);
            for (size_t i = 0; i < a.rig.row_count && i < b.rig.row_count; i++) {
                const struct rollout_row *x = &a.rig.rows[i], *y = &b.rig.rows[i];
                CHECK_INT(y->sequence, x->sequence);
                CHECK_INT(y->time, x->time);
                CHECK_INT(y->to.state, x->to.state);
                CHECK_INT(y->to.step, x->to.step);
                CHECK_INT(y->reason, x->reason);
                CHECK_INT(y->generation, x->generation);
                CHECK_NEAR(y->evidence[0].log_e, x->evidence[0].log_e, 0);
            }
            rig_close(&a.rig);
            rig_close(&b.rig);
        }
    }
}

TESTS(TEST(a_healthy_canary_is_never_rolled_back), TEST(noise_is_no_reason_to_roll_back),
      TEST(a_bad_canary_is_rolled_back_soon), TEST(each_guard_finds_its_harm),
      TEST(late_harm_is_found_too), TEST(an_outage_pauses_and_never_rolls_back),
      TEST(an_outage_while_baking_pauses), TEST(thin_data_pauses),
      TEST(a_crash_after_every_row_changes_nothing))
