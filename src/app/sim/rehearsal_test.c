/* SPDX-License-Identifier: Apache-2.0 */
/* Whole rehearsals: the same seed gives the same run, each kind of trouble ends as it should, sums are right. */
#include <stdlib.h>
#include <unistd.h>

#include "app/sim/sim_rig_test.h"
#if defined(__SANITIZE_ADDRESS__)
#define SEEDS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEEDS 1
#endif
#endif
#ifndef SEEDS
#define SEEDS 2
#endif

static struct rehearsal run_of(const struct scenario *s, uint64_t seed)
{
    struct rehearsal r = { .seed = 99 };

    CHECK_ERR(rehearsal_run(s, seed, &r, NULL), OK);
    CHECK_INT((int64_t)r.seed, (int64_t)seed);
    return r;
}

/* Bytes that are compared hold no padding by chance: both were zeroed. */
static void check_same(const struct rehearsal *a, const struct rehearsal *b)
{
    char x[48], y[48];

    CHECK_STR(rehearsal_outcome(a->end, a->reason, x), rehearsal_outcome(b->end, b->reason, y));
    CHECK_INT(a->queries, b->queries);
    CHECK_INT(a->canary_queries, b->canary_queries);
    CHECK_INT(a->detected_after_queries, b->detected_after_queries);
    CHECK_NEAR(a->ended_s, b->ended_s, 0);
    CHECK_NEAR(a->extra_usd, b->extra_usd, 0);
    CHECK_NEAR(a->extra_failures, b->extra_failures, 0);
    CHECK(memcmp(a->alerts, b->alerts, sizeof(a->alerts)) == 0 && a->guards == b->guards);
}

static void a_seed_is_a_run(void)
{
    struct scenario *s =
        scenario_of("events: [{what: quality_drop, start: 3m, size: 0.2}]\n" ROLLOUT);
    REQUIRE(s);
    struct rehearsal many[6], a = run_of(s, 7), b = run_of(s, 7), c = run_of(s, 8);
    struct timeline *timeline = calloc(1, sizeof(*timeline));
    struct rehearsal_fleet fleet = { .first_seed = 5, .count = 6, .jobs = 3 };
    REQUIRE(timeline);

    check_same(&a, &b);
    CHECK(a.queries != c.queries || a.extra_failures != c.extra_failures);
    CHECK_ERR(rehearsal_run_many(s, &fleet, many), OK);
    check_same(&many[2], &a);
    check_same(&many[3], &c);
    /* Being watched changes nothing. */
    timeline->width_s = 10;
    CHECK_ERR(rehearsal_run(s, 7, &b, timeline), OK);
    check_same(&a, &b);
    int64_t arrived = 0, canary = 0;
    for (size_t i = 0; i < TIMELINE_COLUMNS; i++) {
        arrived += timeline->columns[i].arrived;
        canary += timeline->columns[i].canary;
    }
    CHECK_INT(arrived, a.queries);
    CHECK_INT(canary, a.canary_queries);
    CHECK(timeline->entry_count >= 3);
    free(timeline);
    scenario_close(s);
}

struct ended {
    const char *name;
    const char *text;
    const char *outcome;
    int false_rollback, detected;
    uint32_t guard; /* bits that are among those that rolled it back */
};

static void each_trouble_ends_as_it_should(void)
{
    static const struct ended cases[] = {
        { "healthy", ROLLOUT, "completed", 0, 0, 0 },
        { "conversations outlive steps", "traffic: {conversation: 10000, open: 600}\n" ROLLOUT,
          "completed", 0, 0, 0 },
        { "traffic ends", "traffic: {queries: 500}\n" ROLLOUT, "unfinished", 0, 0, 0 },
        { "time ends", "traffic: {duration: 3m}\n" ROLLOUT, "unfinished", 0, 0, 0 },
        { "broken", "events: [{what: broken, start: 90s}]\n" ROLLOUT, "rolled_back", 0, 1, 0 },
        { "bad model", "models: {canary: {success: 0.8, errors: 0}}\n" ROLLOUT, "rolled_back", 0, 1,
          1u << CHANGE_SUCCESS_RATE },
        { "outage", "events: [{what: outage, start: 90s}]\n" ROLLOUT, "paused:common_cause", 0, 1,
          0 },
        { "outage of the baseline", "events: [{what: outage, start: 90s, arm: baseline}]\n" ROLLOUT,
          "completed", 0, 0, 0 },
        { "outage, rolled back",
          "events: [{what: outage, start: 90s}]\n" ROLLOUT "  common_cause: roll_back\n",
          "rolled_back", 1, 0, 0 },
        { "slow", "events: [{what: latency_step, start: 90s, size: 10}]\n" ROLLOUT, "rolled_back",
          0, 1, 1u << CHANGE_LATENCY_P95 },
        { "dear", "events: [{what: cost_creep, start: 90s, size: 20}]\n" ROLLOUT, "rolled_back", 0,
          1, 1u << CHANGE_COST_PER_QUERY },
        { "doubtful", "events: [{what: confidence_drift, start: 90s, size: 0.4}]\n" ROLLOUT,
          "rolled_back", 0, 1, 1u << CHANGE_HRM_CONFIDENCE_MEAN },
        { "ratio", "events: [{what: sample_ratio, size: 0.9}]\n" ROLLOUT, "paused:sample_ratio", 0,
          1, 0 },
        { "thin", "traffic: {per_second: 0.01}\n" ROLLOUT, "paused:no_data", 0, 0, 0 },
        { "approval",
          "rollout:\n  name: r\n  steps: [{share: 10%, min: 9m, max: 6h, approval: true}, "
          "{share: 100%, min: 9m, max: 6h}]\n",
          "paused:approval", 0, 0, 0 },
        { "approved",
          "approve_after: 5m\nrollout:\n  name: r\n  steps: [{share: 10%, min: 9m, "
          "max: 6h, approval: true}, {share: 100%, min: 9m, max: 6h}]\n",
          "completed", 0, 0, 0 },
        { "bare", "mode: bare_triggers\nwindow: 50\n" ROLLOUT, "rolled_back", 1, 0,
          1u << CHANGE_SUCCESS_RATE },
        { "bare and perfect", "mode: bare_triggers\nmodels: {canary: {success: 1}}\n" ROLLOUT,
          "completed", 0, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scenario *s = scenario_of(cases[i].text);
        char text[48];
        REQUIRE(s);
        for (uint64_t seed = 1; seed <= 2; seed++) {
            struct rehearsal r = run_of(s, seed);
            str outcome = rehearsal_outcome(r.end, r.reason, text);
            if (!str_eq(outcome, str_from(cases[i].outcome)) ||
                r.is_false_rollback != cases[i].false_rollback ||
                r.is_detected != cases[i].detected || (r.guards & cases[i].guard) != cases[i].guard)
                fprintf(stderr, "%s, seed %d:\n", cases[i].name, (int)seed);
            CHECK_STR(outcome, str_from(cases[i].outcome));
            CHECK_INT(r.is_false_rollback, cases[i].false_rollback);
            CHECK_INT(r.is_detected, cases[i].detected);
            CHECK_INT(r.guards & cases[i].guard, cases[i].guard);
            CHECK(r.is_detected || r.detected_after_queries == 0);
            CHECK(r.canary_queries <= r.queries && r.detected_after_queries <= r.canary_queries);
        }
        scenario_close(s);
    }
}

static int64_t units_of(const struct rehearsal *r)
{
    int64_t sum = 0;

    for (size_t a = 0; a < ROLLOUT_ARM_COUNT; a++)
        sum += r->units[a];
    return sum;
}

/* Conversations that the traffic of a seed begins. */
static int64_t begun(const struct scenario *s, uint64_t seed)
{
    struct conversation *open = calloc((size_t)s->traffic.open, sizeof(*open));
    struct traffic t;
    int64_t us;
    bool is_new;

    traffic_init(&t, s, seed, open);
    while (traffic_next(&t, &us))
        IGNORE(traffic_pick(&t, &is_new) == NULL);
    free(open);
    return t.begun;
}

#define ASKING                                                                                     \
    "traffic: {per_second: 20, conversation: %s, open: 50, duration: 15m}\napprove_after: %s\n"    \
    "rollout:\n  name: r\n  steps: [{share: 10%%, min: 9m, max: 6h, n_min: 300, approval: true}, " \
    "{share: 100%%, min: 9m, max: 6h}]\n"

/* It comes back all the time, also while an approval is awaited (another generation, the same phase), and counts once. */
static void a_conversation_is_exposed_once_in_a_phase(void)
{
    static const struct {
        const char *conversation, *approved;
        bool is_second_step;
    } cases[] = { { "4", "10h", false }, { "10000", "10h", false }, { "10000", "1s", true } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        snprintf(text, sizeof(text), ASKING, cases[i].conversation, cases[i].approved);
        struct scenario *s = scenario_of(text);
        REQUIRE(s);
        struct rehearsal r = run_of(s, 5);
        int64_t all = begun(s, 5);
        CHECK_INT(r.end, REHEARSAL_UNFINISHED);
        CHECK_INT(r.step, cases[i].is_second_step);
        CHECK(r.queries > 2 * all);
        /* In another phase those that were open come again, and those of before do not. */
        CHECK(cases[i].is_second_step ? units_of(&r) >= 50 && units_of(&r) <= all
                                      : units_of(&r) == all);
        scenario_close(s);
    }
}

/* A run that is stopped says whom the step had that it was stopped in. */
static void a_stopped_run_has_its_last_step_s_units(void)
{
    struct scenario *s =
        scenario_of("traffic: {conversation: 1}\nevents: [{what: broken, start: 90s}]\n" ROLLOUT);
    REQUIRE(s);
    struct rehearsal r = run_of(s, 1);

    CHECK_INT(r.end, REHEARSAL_ROLLED_BACK);
    CHECK_INT(r.step, 0);
    CHECK_INT(units_of(&r), r.queries);
    CHECK(r.units[ARM_CANARY] >= r.canary_queries && r.units[ARM_HOLDBACK] == 0);
    scenario_close(s);
}

/* Times and harm of a run that can be reckoned by hand. */
static void harm_is_what_the_canary_cost_more(void)
{
    struct scenario *s =
        scenario_of("alerts_every: 0s\nmodels: {baseline: {success: 1, cost_usd: 0.001}, canary: "
                    "{cost_usd: 0.003}}\nevents: [{what: broken, start: 1m}]\n" ROLLOUT
                    "  guards: {cost_per_query: {enabled: false}}\n");
    REQUIRE(s);
    struct rehearsal r = run_of(s, 3);

    CHECK(r.is_detected && r.ended_s > 60);
    CHECK_NEAR(r.detected_after_s, r.ended_s - 60, 1e-6);
    /* Each query of the canary that arrived after the first minute failed; those of before cost $.002 more. */
    CHECK(r.extra_failures >= (double)r.detected_after_queries - 1);
    CHECK(r.detected_after_queries >= 3);
    CHECK(r.extra_failures < (double)r.detected_after_queries + 15);
    double before = (double)(r.canary_queries - r.detected_after_queries);
    CHECK_NEAR(r.extra_usd, 0.002 * before - 0.001 * r.extra_failures, 0.002 * 20);
    CHECK_INT(r.alert_count, 0);
    scenario_close(s);
}

static void alerts_fire_in_virtual_time(void)
{
    struct scenario *s = scenario_of(
        "traffic: {duration: 40m}\nevents: [{what: outage, arm: baseline, start: 1m, size: 0.3}]\n"
        "rollout:\n  name: r\n  steps: [{share: 10%, min: 1h, max: 2h}, {share: 100%, min: 1h}]\n");
    REQUIRE(s);
    struct rehearsal r = run_of(s, 1);
    struct alert_policy policy;
    uint32_t errors = 0, cost = 0;

    IGNORE(rehearsal_policy(s, &policy)->rules == NULL);
    for (size_t i = 0; i < policy.rule_count; i++) {
        errors += str_eq(policy.rules[i].name, STR("error_rate_high")) ? r.alerts[i] : 0;
        cost += str_eq(policy.rules[i].name, STR("cost_per_query_high")) ? r.alerts[i] : 0;
    }
    CHECK_INT(errors, 2); /* the arms of the old configuration: baseline and control */
    CHECK_INT(cost, 0);
    scenario_close(s);
}

/* ---- summaries ---- */

static void a_summary_counts(void)
{
    struct rehearsal runs[20];
    struct rehearsal_summary s;

    memset(runs, 0, sizeof(runs));
    for (int i = 0; i < 20; i++) {
        runs[i].end = i < 12   ? REHEARSAL_ROLLED_BACK
                      : i < 15 ? REHEARSAL_PAUSED
                               : REHEARSAL_COMPLETED;
        runs[i].reason = i < 12 ? ROLLOUT_FOR_GUARD : ROLLOUT_FOR_NO_DATA;
        runs[i].is_detected = i < 10;
        runs[i].detected_after_queries = i < 10 ? 100 - 10 * i : 0; /* 100, 90, … 10 */
        runs[i].is_false_rollback = i == 11;
        runs[i].guards = i < 12 ? 1u << CHANGE_COST_PER_QUERY : 0;
        runs[i].alerts[3] = i == 4 ? 7 : 0;
    }
    CHECK_ERR(rehearsal_summarise(runs, 20, &s), OK);
    CHECK_INT(s.ends[REHEARSAL_ROLLED_BACK], 12);
    CHECK_INT(s.pauses[ROLLOUT_FOR_NO_DATA], 3);
    CHECK_INT(s.guards[CHANGE_COST_PER_QUERY], 12);
    CHECK_INT(s.alerts[3], 1);
    CHECK_INT((int64_t)s.detected_after_queries.n, 10);
    CHECK_NEAR(s.detected_after_queries.median, 50, 0);
    CHECK_NEAR(s.detected_after_queries.p95, 100, 0);
    CHECK_INT((int64_t)s.ended_s.n, 20);
    CHECK_INT(s.false_rollbacks, 1);
    CHECK_NEAR(s.false_rollback_rate.estimate, 0.05, 1e-12);
    CHECK_NEAR(s.false_rollback_rate.lower, 0.001265, 1e-6);
    CHECK_NEAR(s.false_rollback_rate.upper, 0.248733, 1e-6);
}

static void expectations_are_met_or_not(void)
{
    static const struct {
        const char *expect;
        bool is_met;
    } cases[] = {
        { "outcome: rolled_back, share_min: 0.75", true },
        { "outcome: rolled_back, share_min: 0.76", false },
        { "outcome: completed, share_min: 0.05", true },
        { "outcome: paused, share_min: 0.2", true },
        { "outcome: 'paused:no_data', share_min: 0.2", true },
        { "outcome: 'paused:common_cause', share_min: 0.2", false },
        { "guard: cost_per_query", true },
        { "guard: latency_p95", false },
        { "alert: success_rate_low, share_min: 0.05", true },
        { "alert: success_rate_low, share_min: 0.5", false },
        { "alert: no_such_rule, share_min: 0.05", false },
        { "max_false_rollback_rate: 0.05", true },
        { "max_false_rollback_rate: 0.04", false },
        { "detected_within_queries: 70", true },
        { "detected_within_queries: 69", false },
    };
    struct rehearsal_summary sum = {
        .n = 20,
        .ends = { [REHEARSAL_ROLLED_BACK] = 15, [REHEARSAL_PAUSED] = 4, [REHEARSAL_COMPLETED] = 1 },
        .pauses = { [ROLLOUT_FOR_NO_DATA] = 4 },
        .guards = { [CHANGE_COST_PER_QUERY] = 14 },
        .alerts = { [2] = 1 },
        .false_rollback_rate = { 0.05, 0, 0.2 },
        .detected_after_queries = { 10, 70, 90 }
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rehearsal_check checks[REHEARSAL_CHECKS_MAX];
        char text[1024];
        snprintf(text, sizeof(text), "expect: {%s}\n%s", cases[i].expect, ROLLOUT);
        struct scenario *s = scenario_of(text);
        REQUIRE(s);
        REQUIRE(rehearsal_checks(s, &sum, checks) == 1);
        if (checks[0].is_met != cases[i].is_met)
            fprintf(stderr, "%s\n", cases[i].expect);
        CHECK_INT(checks[0].is_met, cases[i].is_met);
        scenario_close(s);
    }
}

/* ---- what weir ships ---- */

static void the_shipped_scenarios_meet_their_expectations(void)
{
    static const char *const roots[] = { "config", "../config", "../../config" };
    static const char *const names[] = {
        "healthy",          "quality_drop_one_domain", "cost_creep",        "latency_step",
        "provider_outage",  "broken_canary",           "noisy_but_healthy", "thin_traffic",
        "confidence_drift", "seed_bare_triggers",      "sample_ratio_bug",  "traffic_drought",
    };
    size_t found = 0;

    for (size_t i = 0; i < ARRAY_LEN(roots) && found == 0; i++) {
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            struct rehearsal runs[SEEDS];
            struct rehearsal_summary sum;
            struct rehearsal_check checks[REHEARSAL_CHECKS_MAX];
            struct rehearsal_fleet fleet = { .first_seed = 1, .count = SEEDS, .jobs = 1 };
            struct config_issues issues;
            struct scenario *s;
            char path[128];
            snprintf(path, sizeof(path), "%s/scenarios/%s.yaml", roots[i], names[k]);
            if (access(path, R_OK) != 0)
                continue;
            found++;
            CHECK_ERR(scenario_load(str_from(path), &s, &issues), OK);
            REQUIRE(issues.errors == 0);
            config_issues_fini(&issues);
            CHECK_ERR(rehearsal_run_many(s, &fleet, runs), OK);
            CHECK_ERR(rehearsal_summarise(runs, SEEDS, &sum), OK);
            size_t n = rehearsal_checks(s, &sum, checks);
            CHECK(n > 0);
            for (size_t c = 0; c < n; c++) {
                if (!checks[c].is_met)
                    fprintf(stderr, "%s: %s, got %s\n", names[k], checks[c].want, checks[c].got);
                CHECK(checks[c].is_met);
            }
            scenario_close(s);
        }
    }
    if (found == 0)
        SKIP("the shipped scenarios are not here");
    CHECK_INT((int64_t)found, ARRAY_LEN(names));
}

TESTS(TEST(a_seed_is_a_run), TEST(each_trouble_ends_as_it_should),
      TEST(a_conversation_is_exposed_once_in_a_phase),
      TEST(a_stopped_run_has_its_last_step_s_units), TEST(harm_is_what_the_canary_cost_more),
      TEST(alerts_fire_in_virtual_time), TEST(a_summary_counts), TEST(expectations_are_met_or_not),
      TEST(the_shipped_scenarios_meet_their_expectations))
