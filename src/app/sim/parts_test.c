/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic, behaviour, flights and bare triggers, each by itself. */
#include <math.h>
#include <stdlib.h>

#include "app/sim/sim_rig_test.h"

/* ---- traffic ---- */

struct counted {
    int64_t all;
    int64_t hours[SCENARIO_HOURS]; /* of the day */
    int64_t begun;
    double gap_squares; /* in units of the mean gap, of a flat day */
};

static struct counted count(const struct scenario *s, uint64_t seed)
{
    struct conversation *open = calloc((size_t)s->traffic.open, sizeof(*open));
    struct counted c = { .all = 0 };
    struct traffic t;
    int64_t us, last = 0;

    traffic_init(&t, s, seed, open);
    while (traffic_next(&t, &us)) {
        bool is_new;
        double gap = (double)(us - last) / 1e6 * s->traffic.per_second;
        CHECK(us >= last);
        last = us;
        c.gap_squares += gap * gap;
        c.all++;
        c.hours[(int64_t)((double)us / (double)HOUR_US + s->traffic.start_hour) % SCENARIO_HOURS]++;
        IGNORE(traffic_pick(&t, &is_new) == NULL);
        c.begun += is_new;
    }
    free(open);
    return c;
}

/* Of a Poisson count with this mean: within five standard deviations. */
static void check_poisson(int64_t got, double mean)
{
    CHECK_NEAR((double)got, mean, 5 * sqrt(mean) + 1);
}

static void a_flat_day_has_its_rate(void)
{
    struct scenario *s =
        scenario_of("traffic: {per_second: 2, conversation: 4, duration: 1d}\n" ROLLOUT);
    REQUIRE(s);
    struct counted c = count(s, 1);

    check_poisson(c.all, 2 * 86400);
    for (size_t h = 0; h < SCENARIO_HOURS; h++)
        check_poisson(c.hours[h], 7200);
    /* Exponential gaps have a second moment of twice the squared mean. */
    CHECK_NEAR(c.gap_squares / (double)c.all, 2, 0.05);
    check_poisson(c.begun, (double)c.all / 4 + 150); /* and the places that were free at first */
    scenario_close(s);
}

static void a_day_of_hours_adds_up_to_the_same(void)
{
    struct scenario *s = scenario_of(
        "traffic: {per_second: 2, start_hour: 6.5, duration: 2d, hours: [0, 0, 0, 0, 0, "
        "0, 1, 2, 4, 6, 6, 6, 5, 6, 6, 6, 6, 5, 3, 2, 1, 1, 0, 0]}\n" ROLLOUT);
    REQUIRE(s);
    struct counted c = count(s, 2);
    double weights = 66;

    check_poisson(c.all, 2 * 2 * 86400);
    CHECK_INT(c.hours[2], 0);
    CHECK_INT(c.hours[22], 0);
    check_poisson(c.hours[9], 2 * 2 * 86400 * 6 / weights);
    check_poisson(c.hours[6], 2 * 2 * 86400 * 1 / weights);
    scenario_close(s);
}

/* An arrival may be many hours away. */
static void rare_traffic_has_its_rate_too(void)
{
    struct scenario *s = scenario_of("traffic: {per_second: 0.0001, duration: 300d}\n" ROLLOUT);
    REQUIRE(s);
    struct counted c = count(s, 5);

    check_poisson(c.all, 0.0001 * 300 * 86400);
    CHECK_NEAR(c.gap_squares / (double)c.all, 2, 0.3);
    scenario_close(s);
}

static void a_drought_takes_its_share(void)
{
    struct scenario *s =
        scenario_of("traffic: {per_second: 5, start_hour: 0, duration: 6h}\n"
                    "events: [{what: drought, start: 90m, length: 2h, size: 0.9}]\n" ROLLOUT);
    REQUIRE(s);
    struct counted c = count(s, 3);

    check_poisson(c.hours[0], 18000);
    check_poisson(c.hours[1], 9900);
    check_poisson(c.hours[2], 1800);
    check_poisson(c.hours[3], 9900);
    check_poisson(c.hours[4], 18000);
    scenario_close(s);
}

/* A conversation keeps its domain; its length is geometric with the mean that was asked for. */
/* Names are those that printf would write, whose hashes deal the arms. */
static void conversations_have_their_names(void)
{
    static const uint64_t seeds[] = { 0, 1, 15, 16, 0xdeadbeef, UINT64_MAX };
    struct scenario *s = scenario_of("traffic: {conversation: 1, open: 1}\n" ROLLOUT);
    struct conversation open = { .id_length = 0 };
    REQUIRE(s);

    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        struct traffic t;
        traffic_init(&t, s, seeds[i], &open);
        for (uint64_t n = 0; n < 70000; n += n < 300 ? 1 : 9999) {
            char want[40];
            bool is_new;
            t.begun = (int64_t)n;
            struct conversation *c = traffic_pick(&t, &is_new);
            snprintf(want, sizeof(want), "%" PRIx64 "-%" PRIx64, seeds[i], n);
            CHECK(is_new && t.begun == (int64_t)n + 1);
            CHECK_STR(((str){ c->id, c->id_length }), str_from(want));
        }
    }
    scenario_close(s);
}

static void conversations_are_sticky(void)
{
    struct scenario *s = scenario_of(
        "traffic: {conversation: 5, open: 50, domains: {stem: 0.3, tactical: 0.7}}\n" ROLLOUT);
    REQUIRE(s);
    struct conversation *open = calloc(50, sizeof(*open));
    struct traffic t;
    int64_t lengths = 0, ended = 0, stem = 0, begun = 0;
    struct {
        char id[40];
        enum scenario_domain domain;
        int64_t length;
    } seen[50] = { 0 };

    traffic_init(&t, s, 4, open);
    for (int i = 0; i < 200000; i++) {
        bool is_new;
        struct conversation *c = traffic_pick(&t, &is_new);
        ptrdiff_t at = c - open;
        if (is_new) {
            ended += seen[at].length > 0;
            lengths += seen[at].length;
            begun++;
            stem += c->domain == SCENARIO_STEM;
            CHECK(strcmp(seen[at].id, c->id) != 0);
            snprintf(seen[at].id, sizeof(seen[at].id), "%s", c->id);
            seen[at].domain = c->domain;
            seen[at].length = 0;
        }
        seen[at].length++;
        CHECK(strcmp(seen[at].id, c->id) == 0 && seen[at].domain == c->domain);
    }
    CHECK_NEAR((double)lengths / (double)ended, 5, 0.15);
    CHECK_NEAR((double)stem / (double)begun, 0.3, 0.015);
    free(open);
    scenario_close(s);
}

/* ---- behaviour ---- */

static void outcomes_have_their_means(void)
{
    struct scenario *s = scenario_of(
        "models: {canary: {success: 0.9, errors: 0.25, cost_usd: 0.004, cost_sd: 0.003, "
        "latency_ms: 1000, latency_sigma: 0.5, timeout_ms: 3000, hrm_confidence: 0.7, hrm_sd: "
        "0.05, "
        "trm_confidence: 0.6, trm_sd: 0.05}}\n"
        "events: [{what: broken, start: 1h, size: 0.2}]\n" ROLLOUT
        "  guards: {latency_p95: {trip: 2500}}\n");
    REQUIRE(s);
    struct behaviours b = { .scenario = s };
    struct rng rng;
    const int n = 200000;

    rng_init(&rng, 5);
    for (int round = 0; round < 2; round++) {
        double failed = 0, errors = 0, cost = 0, squares = 0, hrm = 0, slow = 0, timed_out = 0;
        behaviours_renew(&b, round * HOUR_US);
        const struct behaviour *x = &b.now[SCENARIO_CANARY][SCENARIO_GENERIC];
        for (int i = 0; i < n; i++) {
            struct outcome o;
            behaviour_draw(x, &rng, &o);
            failed += !o.is_success;
            errors += o.is_error;
            cost += (double)o.cost / 1e9;
            squares += (double)o.cost / 1e9 * (double)o.cost / 1e9;
            hrm += o.is_error ? 0 : o.hrm_confidence;
            slow += o.latency > 2 * NSEC_PER_SEC;
            timed_out += o.latency == 3 * NSEC_PER_SEC;
            CHECK(!o.is_error || (!o.is_success && o.hrm_confidence < 0));
            CHECK(o.latency <= 3 * NSEC_PER_SEC);
        }
        double late = 0.5 * erfc(log(3) / 0.5 / sqrt(2));
        double answered = (1 - late) * (round ? 0.8 : 1);
        CHECK_NEAR(failed / n, 1 - answered * 0.9, 0.005);
        CHECK_NEAR(x->failure, 1 - answered * 0.9, 1e-9);
        CHECK_NEAR(errors / n, x->error, 0.005);
        CHECK_NEAR(x->error, 1 - answered * (0.9 + 0.1 * 0.75), 1e-9);
        CHECK_NEAR(cost / n, x->cost_usd, 0.00005);
        CHECK_NEAR(x->cost_usd, round ? 0.0032 : 0.004, 1e-9);
        if (round == 0)
            CHECK_NEAR(sqrt(squares / n - cost / n * cost / n), 0.003, 0.00015);
        CHECK_NEAR(hrm / (n - errors), 0.7, 0.002);
        CHECK_NEAR(slow / n, behaviour_slow(x, 2 * NSEC_PER_SEC), 0.005);
        CHECK_NEAR(timed_out / n, late, 0.003);
    }
    scenario_close(s);
}

static void events_begin_grow_and_end(void)
{
    struct scenario *s =
        scenario_of("models: {canary: {confidence: calibrated}}\nevents:\n"
                    "  - {what: cost_creep, start: 1h, ramp: 1h, size: 5}\n"
                    "  - {what: quality_drop, domain: stem, start: 2h, length: 1h, size: 0.3}\n"
                    "  - {what: latency_step, arm: both, start: 3h, size: 2}\n"
                    "  - {what: confidence_drift, arm: baseline, start: 4h, size: 0.1}\n" ROLLOUT);
    REQUIRE(s);
    struct behaviours b = { .scenario = s };
    const struct behaviour *canary = b.now[SCENARIO_CANARY];
    const struct behaviour *baseline = b.now[SCENARIO_BASELINE];

    behaviours_renew(&b, 0);
    CHECK_INT(b.until_us, HOUR_US);
    CHECK_NEAR(canary[SCENARIO_STEM].cost_usd, 0.002, 1e-12);
    double calm = canary[SCENARIO_STEM].latency_mu;
    behaviours_renew(&b, HOUR_US + HOUR_US / 2);
    CHECK(b.until_us > HOUR_US + HOUR_US / 2 && b.until_us < 2 * HOUR_US);
    CHECK_NEAR(canary[SCENARIO_STEM].cost_usd, 0.006, 1e-9);
    CHECK_NEAR(baseline[SCENARIO_STEM].cost_usd, 0.002, 1e-12);
    behaviours_renew(&b, 2 * HOUR_US);
    CHECK_INT(b.until_us, 3 * HOUR_US);
    CHECK_NEAR(canary[SCENARIO_STEM].cost_usd, 0.010, 1e-9);
    CHECK_NEAR(canary[SCENARIO_STEM].success, 0.68, 1e-12);
    CHECK_NEAR(canary[SCENARIO_STEM].hrm, 0.57, 1e-12);
    CHECK_NEAR(canary[SCENARIO_GENERIC].success, 0.98, 1e-12);
    behaviours_renew(&b, 3 * HOUR_US);
    CHECK_NEAR(canary[SCENARIO_STEM].success, 0.98, 1e-12);
    CHECK_NEAR(canary[SCENARIO_STEM].latency_mu, calm + log(2), 1e-12);
    CHECK_NEAR(baseline[SCENARIO_STEM].latency_mu, calm + log(2), 1e-12);
    CHECK_NEAR(baseline[SCENARIO_STEM].hrm, 0.87, 1e-12);
    behaviours_renew(&b, 4 * HOUR_US);
    CHECK_NEAR(baseline[SCENARIO_STEM].hrm, 0.77, 1e-12);
    CHECK_INT(b.until_us, INT64_MAX);
    scenario_close(s);
}

static void harm_begins_with_what_harms_the_canary_alone(void)
{
    static const struct {
        const char *text;
        int64_t harm_us, trouble_us;
    } cases[] = {
        { ROLLOUT, INT64_MAX, INT64_MAX },
        { "models: {canary: {success: 0.951}}\n" ROLLOUT, INT64_MAX, INT64_MAX },
        { "models: {canary: {success: 0.949}}\n" ROLLOUT, 0, 0 },
        { "models: {canary: {cost_usd: 0.011}}\n" ROLLOUT, 0, 0 },
        { "models: {canary: {hrm_confidence: 0.74}}\n" ROLLOUT, 0, 0 },
        { "models: {canary: {latency_ms: 3000, latency_sigma: 0.3}}\n" ROLLOUT, INT64_MAX,
          INT64_MAX },
        { "models: {canary: {latency_ms: 3000, latency_sigma: 0.4}}\n" ROLLOUT, 0, 0 },
        { "models: {canary: {success: 0.9}}\n" ROLLOUT
          "  guards: {success_rate: {dry_run: true}}\n",
          INT64_MAX, INT64_MAX },
        { "models: {canary: {success: 0.96}}\n" ROLLOUT
          "  guards: {success_rate: {compare: true, margin: 0.01}}\n",
          0, 0 },
        { "events: [{what: outage, start: 1h}, {what: broken, start: 2h}]\n" ROLLOUT, 2 * HOUR_US,
          HOUR_US },
        { "events: [{what: broken, start: 2h, arm: baseline}]\n" ROLLOUT, INT64_MAX, 2 * HOUR_US },
        { "events: [{what: sample_ratio, start: 3h}]\n" ROLLOUT, INT64_MAX, 3 * HOUR_US },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scenario *s = scenario_of(cases[i].text);
        REQUIRE(s);
        CHECK_INT(behaviour_harm_us(s), cases[i].harm_us);
        CHECK_INT(behaviour_trouble_us(s), cases[i].trouble_us);
        scenario_close(s);
    }
}

/* ---- flights ---- */

static void flights_land_in_order(void)
{
    struct arena arena;
    struct flights f;
    struct rng rng;
    int64_t last = 0, landed = 0, added = 0;

    arena_init(&arena, 1 << 20);
    rng_init(&rng, 6);
    REQUIRE(flights_init(&f, &arena, 100) == OK);
    CHECK_INT(flights_next(&f), INT64_MAX);
    for (int i = 0; i < 20000; i++) {
        if (!flights_are_full(&f) && (f.count == 0 || rng_below(&rng, 2) == 0)) {
            struct flight flight = { .phase = last + (int64_t)rng_below(&rng, 1000) };
            flights_add(&f, flight.phase, &flight);
            added++;
        } else {
            int64_t next = flights_next(&f);
            CHECK_INT(flights_take(&f)->phase, next);
            CHECK(next >= last);
            last = next;
            landed++;
        }
    }
    CHECK_INT(added - landed, (int64_t)f.count);
    arena_fini(&arena);
}

/* ---- bare triggers ---- */

static void bare_triggers_are_thresholds_on_a_window(void)
{
    struct scenario *s = scenario_of("mode: bare_triggers\nwindow: 20\n" ROLLOUT);
    REQUIRE(s);
    const struct outcome good = { .is_success = true,
                                  .hrm_confidence = 0.9,
                                  .trm_confidence = 0.1, /* has no trigger */
                                  .cost = 2000000,
                                  .latency = NSEC_PER_SEC };
    struct outcome ring[20], bad;
    static const uint32_t bits[] = { 1u << CHANGE_SUCCESS_RATE, 1u << CHANGE_HRM_CONFIDENCE_MEAN,
                                     1u << CHANGE_COST_PER_QUERY, 1u << CHANGE_LATENCY_P95 };

    for (size_t which = 0; which < ARRAY_LEN(bits); which++) {
        struct bare b;
        bare_init(&b, s, ring);
        bad = good;
        bad.is_success = which != 0;
        bad.hrm_confidence = which == 1 ? 0 : bad.hrm_confidence;
        bad.cost = which == 2 ? 100000000 : bad.cost;
        bad.latency = which == 3 ? 6 * NSEC_PER_SEC : bad.latency;
        for (int i = 0; i < 19; i++)
            bare_add(&b, i < 4 ? &bad : &good);
        CHECK_INT(bare_tripped(&b), 0); /* not full */
        bare_add(&b, &good);
        CHECK_INT(bare_tripped(&b), bits[which]);
        for (int i = 0; i < 4; i++)
            bare_add(&b, &good);
        CHECK_INT(bare_tripped(&b), 0); /* they have left it */
    }
    /* One failure in twenty is .95, which is not below it; two are. */
    struct bare b;
    bare_init(&b, s, ring);
    bad = good;
    bad.is_success = false;
    for (int i = 0; i < 20; i++)
        bare_add(&b, i == 3 ? &bad : &good);
    CHECK_INT(bare_tripped(&b), 0);
    bare_add(&b, &bad);
    CHECK_INT(bare_tripped(&b), 1u << CHANGE_SUCCESS_RATE);
    scenario_close(s);
}

TESTS(TEST(a_flat_day_has_its_rate), TEST(a_day_of_hours_adds_up_to_the_same),
      TEST(a_drought_takes_its_share), TEST(rare_traffic_has_its_rate_too),
      TEST(conversations_have_their_names), TEST(conversations_are_sticky),
      TEST(outcomes_have_their_means), TEST(events_begin_grow_and_end),
      TEST(harm_begins_with_what_harms_the_canary_alone), TEST(flights_land_in_order),
      TEST(bare_triggers_are_thresholds_on_a_window))
