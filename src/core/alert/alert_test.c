/* SPDX-License-Identifier: Apache-2.0 */
/* alert's tests: exact times of transitions, and which rules are sound. */
#include "core/alert/alert_world.h"

/* ---- the machine ---- */

static void fires_after_pending_and_ends_after_keep_firing(void)
{
    struct world w;

    world_open(&w, &success_rule, 1);
    tick(&w, START);
    CHECK_INT(w.transitions, 0);
    set(&w, 0.93);
    tick(&w, START + SEC(1));
    CHECK_INT(w.last_to, ALERT_PENDING);
    tick(&w, START + SEC(120));
    CHECK_INT(w.transitions, 1); /* 119 s are not two minutes */
    tick(&w, START + SEC(121));
    CHECK_INT(w.last_to, ALERT_FIRING);
    CHECK_INT(w.last_at, START + SEC(121));
    set(&w, 0.955); /* above the threshold, not yet clear */
    tick(&w, START + SEC(1000));
    CHECK_INT(w.transitions, 2);
    set(&w, 0.96);
    tick(&w, START + SEC(1001));
    tick(&w, START + SEC(1300));
    CHECK_INT(w.transitions, 2);
    tick(&w, START + SEC(1301));
    CHECK_INT(w.last_from, ALERT_FIRING);
    CHECK_INT(w.last_to, ALERT_INACTIVE);
    CHECK(!w.last_for_want_of_data);
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 0);
    world_close(&w);
}

static void one_good_reading_ends_pending_and_one_bad_reading_ends_clearing(void)
{
    struct world w;

    world_open(&w, &success_rule, 1);
    set(&w, 0.90);
    tick(&w, START);
    set(&w, 0.95); /* not below: not bad */
    tick(&w, START + SEC(60));
    CHECK_INT(w.last_to, ALERT_INACTIVE);
    set(&w, 0.90);
    tick(&w, START + SEC(61));
    tick(&w, START + SEC(180));
    CHECK_INT(w.last_to, ALERT_PENDING); /* the time began anew */
    tick(&w, START + SEC(181));
    CHECK_INT(w.last_to, ALERT_FIRING);
    set(&w, 0.99);
    tick(&w, START + SEC(200));
    set(&w, 0.955);
    tick(&w, START + SEC(400));
    set(&w, 0.99);
    tick(&w, START + SEC(401));
    tick(&w, START + SEC(700));
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 1); /* 299 s since it was last not clear */
    tick(&w, START + SEC(701));
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 0);
    world_close(&w);
}

static void too_few_observations_decide_nothing(void)
{
    struct world w;

    world_open(&w, &success_rule, 1);
    w.readings[0] = (struct alert_reading){ .n = 49, .value = 0.0 };
    for (int i = 0; i < 20; i++)
        tick(&w, START + MIN(i));
    CHECK_INT(w.transitions, 0);
    w.readings[0].n = 50;
    tick(&w, START + MIN(20));
    CHECK_INT(w.last_to, ALERT_PENDING);
    world_close(&w);
}

static void no_data_is_no_success(void)
{
    struct world w;

    world_open(&w, &success_rule, 1);
    set(&w, 0.5);
    tick(&w, START);
    tick(&w, START + MIN(2));
    CHECK_INT(w.last_to, ALERT_FIRING);
    w.is_absent[0] = true;
    tick(&w, START + MIN(3));
    tick(&w, START + MIN(17));
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 1);
    w.is_absent[0] = false; /* one reading, and the silence begins anew */
    tick(&w, START + MIN(17));
    w.is_absent[0] = true;
    tick(&w, START + MIN(18));
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 1);
    tick(&w, START + MIN(33));
    CHECK_INT(w.last_to, ALERT_INACTIVE);
    CHECK(w.last_for_want_of_data);
    /* A series that is no longer listed is the same as one without readings. */
    w.is_absent[0] = false;
    tick(&w, START + MIN(34));
    CHECK_INT(w.last_to, ALERT_PENDING);
    w.series = 0;
    tick(&w, START + MIN(35));
    CHECK_INT(w.last_to, ALERT_INACTIVE);
    world_close(&w);
}

static void burn_needs_both_windows_and_enough_failures(void)
{
    struct alert_rule rule = { .name = { "burn", 4 },
                               .metric = ALERT_ERROR_RATE,
                               .severity = ALERT_CRITICAL,
                               .window = 3600 * NSEC_PER_SEC,
                               .burn = { 0.99, 14.4, 300 * NSEC_PER_SEC, 5 } };
    static const struct {
        struct alert_reading whole, recent;
        bool fires;
    } rows[] = {
        { { 1000, 145, 0 }, { 100, 15, 0 }, true },
        { { 1000, 143, 0 }, { 100, 15, 0 }, false }, /* the hour burns 14.3 times */
        { { 1000, 145, 0 }, { 100, 14, 0 }, false }, /* it no longer goes on */
        { { 10, 4, 0 }, { 10, 4, 0 }, false }, /* four failures are not five */
        { { 10, 5, 0 }, { 10, 5, 0 }, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        world_open(&w, &rule, 1);
        w.readings[0] = rows[i].whole;
        w.recent[0] = rows[i].recent;
        tick(&w, START);
        CHECK_INT(alert_count(w.m, ALERT_FIRING), rows[i].fires);
        world_close(&w);
    }
}

static void a_clock_that_steps_back_delays(void)
{
    struct world w;

    world_open(&w, &success_rule, 1);
    tick(&w, START);
    set(&w, 0.5);
    tick(&w, START - HOUR(5));
    CHECK_INT(w.last_to, ALERT_PENDING);
    CHECK_INT(w.last_at, START);
    tick(&w, START + MIN(2));
    CHECK_INT(w.last_to, ALERT_FIRING);
    CHECK_INT(w.last_at, START + MIN(2));
    world_close(&w);
}

/* ---- rules ---- */

static void shipped_rules_are_sound_and_others_are_refused(void)
{
    size_t n;
    const struct alert_rule *rules = alert_rules_default(&n);

    for (size_t i = 0; i < n; i++) {
        const char *fault = alert_rule_fault(&rules[i]);
        if (fault)
            fprintf(stderr, "%.*s: %s\n", STR_ARG(rules[i].name), fault);
        CHECK(!fault);
        for (size_t k = 0; k < i; k++)
            CHECK(!str_eq(rules[i].name, rules[k].name));
    }
    struct alert_rule bad = success_rule;
    bad.threshold = 0;
    bad.clear = 0;
    CHECK(alert_rule_fault(&bad)); /* no rate is below 0 */
    bad = success_rule;
    bad.clear = 0.94;
    CHECK(alert_rule_fault(&bad));
    bad = success_rule;
    bad.window = 0;
    CHECK(alert_rule_fault(&bad));
    bad = success_rule;
    bad.name = STR("Bad name");
    CHECK(alert_rule_fault(&bad));
    bad = success_rule;
    bad.burn.objective = 0.9;
    CHECK(alert_rule_fault(&bad)); /* not of error_rate */
    bad = rules[6];
    REQUIRE(bad.burn.objective > 0);
    bad.burn.factor = 100;
    CHECK(alert_rule_fault(&bad)); /* more failures than queries */
    struct arena arena;
    struct alert_machine *m;
    struct alert_policy policy = { .rules = &bad, .rule_count = 1 };
    arena_init(&arena, (size_t)1 << 20);
    CHECK_ERR(alert_open(&m, &arena, &policy), WEIR_CONFIG);
    arena_fini(&arena);
}

static void names_are_found_both_ways(void)
{
    for (size_t i = 0; i < ALERT_METRIC_COUNT; i++) {
        enum alert_metric found = ALERT_METRIC_COUNT;
        CHECK(alert_metric_find(str_from(alert_metric_info((enum alert_metric)i)->name), &found));
        CHECK_INT(found, i);
    }
    enum alert_metric metric;
    CHECK(!alert_metric_find(STR("succes_rate"), &metric));
    enum alert_severity severity;
    CHECK(alert_severity_find(STR("critical"), &severity) && severity == ALERT_CRITICAL);
    CHECK(!alert_severity_find(STR("urgent"), &severity));
}

TESTS(TEST(fires_after_pending_and_ends_after_keep_firing),
      TEST(one_good_reading_ends_pending_and_one_bad_reading_ends_clearing),
      TEST(too_few_observations_decide_nothing), TEST(no_data_is_no_success),
      TEST(burn_needs_both_windows_and_enough_failures), TEST(a_clock_that_steps_back_delays),
      TEST(shipped_rules_are_sound_and_others_are_refused), TEST(names_are_found_both_ways))
