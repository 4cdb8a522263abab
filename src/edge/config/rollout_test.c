/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/config/rollout.h"

#include <unistd.h>

#include "edge/config/config_check.h"

#define DAY (INT64_C(86400) * 1000000)

#define HEAD "name: r\ncanary: c.yaml\n"
#define STEPS "steps: [{share: 10%, min: 1h}, {share: 100%, min: 1h}]\n"

struct tried {
    struct rollout_file *rollout;
    struct experiment_file *experiment;
    struct config_issues issues;
    char first[512];
};

static void first_show(struct tried *t)
{
    const struct config_issue *i = t->issues.count > 0 ? &t->issues.items[0] : NULL;

    t->first[0] = '\0';
    if (i)
        snprintf(t->first, sizeof(t->first), "%d:%d %.*s", i->line, i->column, STR_ARG(i->message));
}

static struct tried try_rollout(const char *text)
{
    struct tried t = { 0 };
    enum err e =
        rollout_file_load_text(STR("r.yaml"), str_from(text), false, &t.rollout, &t.issues);

    CHECK((e == OK) == (t.rollout != NULL) && (e == OK) == (t.issues.errors == 0));
    first_show(&t);
    return t;
}

static struct tried try_experiment(const char *text)
{
    struct tried t = { 0 };
    enum err e =
        experiment_file_load_text(STR("e.yaml"), str_from(text), false, &t.experiment, &t.issues);

    CHECK((e == OK) == (t.experiment != NULL) && (e == OK) == (t.issues.errors == 0));
    first_show(&t);
    return t;
}

static void done(struct tried *t)
{
    rollout_file_close(t->rollout);
    experiment_file_close(t->experiment);
    config_issues_fini(&t->issues);
}

static void what_is_wrong_with_a_rollout_is_said_where_it_stands(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "0:0 canary is required" },
        { "canary: c.yaml\n" STEPS, "0:0 name is required" },
        { HEAD, "0:0 steps must be a list of at least one step" },
        { HEAD "steps: 3", "3:8 steps must be a list of at least one step" },
        { HEAD "stepz: []\n" STEPS, "3:1 unknown key 'stepz'" },
        { HEAD "temperature: 1\n" STEPS, "3:1 unknown key 'temperature'" },
        { HEAD "holdbak: 5%\n" STEPS, "3:1 unknown key 'holdbak'; did you mean 'holdback'?" },
        { HEAD "steps:\n  - {share: 10%, min: 1h, n_mni: 3}",
          "4:27 unknown key 'steps[0].n_mni'; did you mean 'steps[0].n_min'?" },
        { HEAD "steps:\n  - {share: 10%}", "4:5 steps[0].min is required" },
        { HEAD "steps:\n  - {share: 110%, min: 1h}",
          "4:13 steps[0].share must be a share of at most 100 %, as 7% or 0.07, exact to 0.0001 %, "
          "got '110%'" },
        { HEAD "steps:\n  - {share: 10%, min: 1h}\n  - {share: 10%, min: 1h}",
          "5:6 steps.1.share: each step must have a larger share than the one before it" },
        { HEAD "steps:\n  - {share: 10%, min: 1h}\n  - {share: 90%, min: 1h}",
          "5:6 steps.1.share: the last step must be 100%: it bakes, less the holdback, before the "
          "rollout is completed" },
        { HEAD "steps:\n  - {share: 100%, min: 2h, max: 1h}",
          "4:28 steps.0.time_max: a step needs a maximum time, at least its minimum time and below "
          "ten years" },
        { HEAD "holdback: 60%\n" STEPS,
          "3:1 holdback: at most 50% may keep the old configuration while baking" },
        { HEAD STEPS "guards:\n  sucess_rate: {trip: 0.9}",
          "5:3 guards.sucess_rate: no such metric; did you mean 'success_rate'?" },
        { HEAD STEPS "guards:\n  success_rate: {warn: 0, trip: 1.5}",
          "5:27 guards.success_rate.trip: everything lies beyond this limit, so the guard always "
          "trips; it must be between 0 and 1" },
        { HEAD STEPS "guards:\n  error_rate: {trip: 1}",
          "5:16 guards.error_rate.trip: nothing lies beyond this limit, so the guard can never "
          "trip; it must be between 0 and 1" },
        { HEAD STEPS "guards:\n  latency_p95: {warn: 6000}",
          "5:17 guards.latency_p95.warn: it would trip before it warns" },
        { HEAD STEPS "guards:\n  error_rate: {compare: true}",
          "5:3 guards.error_rate.margin: a comparison needs a margin above 0: by how much the "
          "canary may be worse" },
        { "name: a b\ncanary: c.yaml\n" STEPS,
          "1:1 id: it must be 1 to 64 letters, digits, '_', '.' and '-'" },
        { "name: "
          "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffff\ncanary: c.yaml\n" STEPS,
          "1:1 id: it must be at most 54 bytes" },
        { HEAD STEPS "thin_data: maybe",
          "4:12 thin_data must be one of pause, ship, roll_back, got 'maybe'" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tried t = try_rollout(cases[i].text);
        CHECK_STR(str_from(t.first), str_from(cases[i].want));
        done(&t);
    }
}

static void a_rollout_is_read(void)
{
    struct tried t = try_rollout(
        "name: r\nseed: s\ncanary: c.yaml\nholdback: 2.5%\nthin_data: ship\ncommon_cause: "
        "roll_back\nstale_after: 20m\njudge: 30s\nalpha_trip: 0.01\nsteps:\n"
        "  - {share: 7%, min: 2d, max: 5d, n_min: 30, approval: true}\n  - {share: 1, min: 1d}\n"
        "guards:\n  cost_per_query: {trip: 0.02, advance: 0.003, compare: true, margin: 0.1}\n"
        "  latency_p95: {warn: 0, trip: 4000, dry_run: true}\n  trm_confidence_mean: {enabled: "
        "false}\n");

    CHECK_STR(str_from(t.first), STR(""));
    REQUIRE(t.rollout);
    const struct rollout_spec *s = &t.rollout->spec;
    CHECK_STR(s->id, STR("r"));
    CHECK_STR(s->seed, STR("s"));
    CHECK(s->holdback == 25000 && s->thin_data == THIN_SHIP && s->common_cause == COMMON_ROLL_BACK);
    CHECK(s->stale_after_us == 1200000000 && s->judge_us == 30000000);
    CHECK_NEAR(s->guard_options.alpha_trip, 0.01, 0);
    REQUIRE(s->step_count == 2);
    CHECK(s->steps[0].share == 70000 && s->steps[0].needs_approval && s->steps[0].n_min == 30);
    CHECK(s->steps[0].time_min_us == 2 * DAY && s->steps[0].time_max_us == 5 * DAY);
    CHECK(s->steps[1].share == SHARE_WHOLE && s->steps[1].time_max_us == 3 * DAY &&
          s->steps[1].n_min == 200);
    CHECK_INT(s->guard_count, 5);
    for (size_t i = 0; i < s->guard_count; i++) {
        const struct guard_spec *g = &s->guards[i];
        CHECK(g->metric != CHANGE_TRM_CONFIDENCE_MEAN);
        if (g->metric == CHANGE_COST_PER_QUERY) {
            CHECK_NEAR(g->warn, 0.005e9, 1e-3); /* as by default */
            CHECK_NEAR(g->trip, 0.02e9, 1e-3);
            CHECK_NEAR(g->advance, 0.003e9, 1e-3);
            CHECK(g->is_compared && !g->is_dry_run);
            CHECK_NEAR(g->margin, 0.1, 0);
        } else if (g->metric == CHANGE_LATENCY_P95) {
            CHECK_NEAR(g->warn, 0, 0);
            CHECK_NEAR(g->trip, 4e9, 1);
            CHECK(g->is_dry_run);
        } else {
            CHECK_NEAR(g->trip, guard_defaults[g->metric].trip, 0);
            CHECK_NEAR(g->advance, 0, 0);
        }
    }
    done(&t);
}

static void a_canary_is_a_configuration(void)
{
    struct tried t = { 0 };

    CHECK_ERR(rollout_file_load_text(STR("/nowhere/r.yaml"), STR(HEAD STEPS), true, &t.rollout,
                                     &t.issues),
              CALLER_BAD_REQUEST);
    CHECK(!t.rollout && t.issues.errors == 2);
    first_show(&t);
    CHECK_STR(t.issues.items[0].file, STR("/nowhere/c.yaml"));
    CHECK_STR(t.issues.items[1].message, STR("c.yaml is no valid configuration"));
    CHECK(t.issues.items[1].line == 2 && t.issues.items[1].column == 9);
    done(&t);
    CHECK_ERR(rollout_file_load(STR("/nowhere/r.yaml"), NULL, &t.rollout, &t.issues),
              CALLER_BAD_REQUEST);
    done(&t);
}

#define TWO_ARMS "arms:\n  a: {share: 10%}\n  b: {share: 10%}"
#define TRACKED "allocation: track_and_stop\nmetric: success_rate\nepsilon: 0.01\n"

static void what_is_wrong_with_an_experiment_is_said_where_it_stands(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "name: e",
          "0:0 arms must be a mapping of 2 to 8 arms, the first of which is the control" },
        { "name: e\narms: {a: {share: 5%}}",
          "2:1 arms must be a mapping of 2 to 8 arms, the first of which is the control" },
        { "name: e\narms:\n  a: {share: 5%}\n  b: {}", "4:3 arms.b.share is required" },
        { "name: e\narms:\n  a: {share: 60%}\n  b: {share: 5%}",
          "4:3 arms.b.start: arms 'a' and 'b' overlap: give each a start that leaves the other "
          "room" },
        { "name: e\narms:\n  a: {share: 5%}\n  b: {share: 60%}",
          "4:7 arms.b.share: 60% from its start reaches over 100%" },
        { "name: e\narms:\n  a: {share: 5%}\n  b: {share: 5%, profle: x}",
          "4:18 unknown key 'arms.b.profle'; did you mean 'arms.b.profile'?" },
        { "name: e\nallocation: track_and_stop\nepsilon: 0.01\n" TWO_ARMS,
          "2:1 allocation: track_and_stop needs metric" },
        { "name: e\nallocation: track_and_stop\nmetric: success_rate\n" TWO_ARMS,
          "2:1 allocation: track_and_stop needs epsilon" },
        { "name: e\nallocation: thompson\n" TWO_ARMS,
          "2:13 allocation must be one of fixed, track_and_stop, got 'thompson'" },
        { "name: e\nallocation: track_and_stop\nepsilon: 0\nmetric: succes_rate\n" TWO_ARMS,
          "4:9 metric must be one of success_rate, cost_usd, latency_ms, hrm_confidence, "
          "trm_confidence, got 'succes_rate'; did you mean 'success_rate'?" },
        { "name: e\nfloor: 0.02\n" TWO_ARMS,
          "2:1 floor means nothing without allocation: track_and_stop" },
        { "name: e\n" TRACKED "floor: 0.2\n" TWO_ARMS,
          "5:8 floor must be in [0.01, 0.05], got 0.2" },
        { "name: e\n" TRACKED "arms:\n  a: {share: 10%}\n  b: {share: 45%, start: 50%}",
          "6:7 arms.a.share: with track_and_stop an arm may get nearly all of the 55% that the "
          "arms have together, and there is room for 50% before the next one starts: lower the "
          "shares to a sum of at most 1/2, or move the starts" },
        { "arms: {a: {share: 5%}, b: {share: 5%}}",
          "0:0 id: '' is no name: 1 to 64 of letters, digits, '_', '.' and '-'" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tried t = try_experiment(cases[i].text);
        CHECK_STR(str_from(t.first), str_from(cases[i].want));
        done(&t);
    }
}

static void an_experiment_is_read(void)
{
    struct tried t = try_experiment("name: e\nseed: s\nlayer: l\nfrom: 10%\nto: 60%\narms:\n"
                                    "  control: {share: 5%}\n  b: {share: 5%, start: 50%}\n");

    CHECK_STR(str_from(t.first), STR(""));
    REQUIRE(t.experiment);
    const struct experiment *e = &t.experiment->experiment;
    CHECK_STR(e->id, STR("e"));
    CHECK_STR(e->layer, STR("l"));
    CHECK(e->inclusion.from == 100000 && e->inclusion.to == 600000);
    CHECK(e->arm_count == 2 && e->arms[1].start == 500000 && e->arms[1].share == 50000);
    CHECK_STR(e->arms[0].name, STR("control"));
    CHECK(e->variant_salt.length > 0);
    CHECK(!e->tracking.is_on);
    done(&t);
}

static void shares_that_follow_are_read(void)
{
    struct tried t = try_experiment("name: e\n" TRACKED TWO_ARMS);
    struct tried u = try_experiment("name: e\nallocation: track_and_stop\nmetric: cost_usd\n"
                                    "epsilon: 0\ndelta: 0.2\nfloor: 0.01\nevery: 2h\n" TWO_ARMS);
    struct tried fixed = try_experiment("name: e\nallocation: fixed\n" TWO_ARMS);

    REQUIRE(t.experiment && u.experiment && fixed.experiment);
    const struct experiment_tracking *a = &t.experiment->experiment.tracking;
    const struct experiment_tracking *b = &u.experiment->experiment.tracking;
    CHECK(a->is_on && a->measure == EXPERIMENT_SUCCESS_RATE && a->every == 300 * NSEC_PER_SEC);
    CHECK(a->epsilon == 0.01 && a->delta == 0.05 && a->floor == 0.05);
    CHECK(b->is_on && b->measure == EXPERIMENT_COST_USD && b->every == 7200 * NSEC_PER_SEC);
    CHECK(b->epsilon == 0 && b->delta == 0.2 && b->floor == 0.01);
    CHECK(!fixed.experiment->experiment.tracking.is_on);
    done(&t);
    done(&u);
    done(&fixed);
}

/* What weir ships is valid; the tests run beside the sources or in the build. */
static void the_shipped_files_load(void)
{
    static const char *const roots[] = { "config", "../config", "../../config" };
    char path[64];

    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        struct tried t = { 0 };
        snprintf(path, sizeof(path), "%s/rollouts/gpt-4o-mini.yaml", roots[i]);
        if (access(path, R_OK) != 0)
            continue;
        CHECK_ERR(rollout_file_load(str_from(path), NULL, &t.rollout, &t.issues), OK);
        REQUIRE(t.rollout && t.rollout->canary);
        CHECK_STR(t.rollout->canary->model, STR("gpt-4o-mini"));
        CHECK(t.rollout->spec.steps[0].time_min_us == 2 * DAY);
        /* Its guards are the documented ones. */
        for (size_t g = 0; g < CHANGE_METRIC_COUNT; g++) {
            CHECK_NEAR(t.rollout->spec.guards[g].trip, guard_defaults[g].trip, 1e-6);
            CHECK_NEAR(t.rollout->spec.guards[g].warn, guard_defaults[g].warn, 1e-6);
        }
        done(&t);
        t = (struct tried){ 0 };
        snprintf(path, sizeof(path), "%s/rollouts/gpt-4o-mini-strict.yaml", roots[i]);
        CHECK_ERR(rollout_file_load(str_from(path), NULL, &t.rollout, &t.issues), OK);
        REQUIRE(t.rollout);
        CHECK_NEAR(t.rollout->spec.guards[CHANGE_SUCCESS_RATE].advance, 0.99, 0);
        CHECK_NEAR(t.rollout->spec.guards[CHANGE_COST_PER_QUERY].advance, 0.003e9, 1e-3);
        done(&t);
        t = (struct tried){ 0 };
        snprintf(path, sizeof(path), "%s/experiments/mcts.yaml", roots[i]);
        CHECK_ERR(experiment_file_load(str_from(path), NULL, &t.experiment, &t.issues), OK);
        REQUIRE(t.experiment && t.experiment->profiles[1] && !t.experiment->profiles[0]);
        CHECK(t.experiment->profiles[1]->use_mcts);
        done(&t);
        return;
    }
    SKIP("the shipped files are not here");
}

TESTS(TEST(what_is_wrong_with_a_rollout_is_said_where_it_stands), TEST(a_rollout_is_read),
      TEST(a_canary_is_a_configuration),
      TEST(what_is_wrong_with_an_experiment_is_said_where_it_stands), TEST(an_experiment_is_read),
      TEST(shares_that_follow_are_read), TEST(the_shipped_files_load))
