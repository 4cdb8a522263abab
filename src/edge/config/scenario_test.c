/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/config/scenario.h"

#include "edge/config/config_check.h"

#define STEPS "  steps: [{share: 10%, min: 1h}, {share: 100%, min: 1h}]\n"
#define ROLLOUT "rollout:\n  name: r\n" STEPS

struct tried {
    struct scenario *scenario;
    struct config_issues issues;
    char first[512];
};

static struct tried try(const char *text)
{
    struct tried t = { 0 };
    enum err e = scenario_load_text(STR("s.yaml"), str_from(text), true, &t.scenario, &t.issues);

    CHECK((e == OK) == (t.scenario != NULL) && (e == OK) == (t.issues.errors == 0));
    if (t.issues.count > 0)
        snprintf(t.first, sizeof(t.first), "%d:%d %.*s", t.issues.items[0].line,
                 t.issues.items[0].column, STR_ARG(t.issues.items[0].message));
    return t;
}

static void done(struct tried *t)
{
    scenario_close(t->scenario);
    config_issues_fini(&t->issues);
}

static const struct {
    const char *text, *want;
} wrong_texts[] = {
    { "", "0:0 rollout is required: a rollout's file, or its keys right here" },
    { "rollout: []", "1:10 rollout is required: a rollout's file, or its keys right here" },
    { "rollout: /nowhere.yaml", "0:0 cannot be read: No such file or directory" },
    { "rollout:\n" STEPS, "0:0 name is required" },
    { "rollout:\n  name: r\n  steps: [{share: 10%}]", "3:11 steps[0].min is required" },
    { "rollout:\n  name: r\n  steps: [{share: 110%, min: 1h}]",
      "3:19 steps[0].share must be a share of at most 100 %, as 7% or 0.07, exact to 0.0001 %, "
      "got '110%'" },
    { "rollout:\n  name: r\n  steps: [{share: 60%, min: 1h}, {share: 50%, min: 1h}]",
      "3:35 steps.1.share: each step must have a larger share than the one before it" },
    { ROLLOUT "  guards: {sucess_rate: {trip: 0.9}}",
      "4:12 guards.sucess_rate: no such metric; did you mean 'success_rate'?" },
    { ROLLOUT "  guards: {error_rate: {trip: 1}}",
      "4:25 guards.error_rate.trip: nothing lies beyond this limit, so the guard can never "
      "trip; it must be between 0 and 1" },
    { "models: {baseline: {timeout_ms: 4000}}\n" ROLLOUT,
      "0:0 guards.latency_p95.trip: no query reaches this limit, because it is ended before, "
      "so the guard can never trip" },
    { "trafic: {}\n" ROLLOUT, "1:1 unknown key 'trafic'; did you mean 'traffic'?" },
    { "traffic: {per_secnd: 3}\n" ROLLOUT,
      "1:11 unknown key 'traffic.per_secnd'; did you mean 'traffic.per_second'?" },
    { "tick: 0.05s\n" ROLLOUT, "1:7 tick must be in [0.1, 3600], got '0.05s'" },
    { "alerts_every: 0.5s\n" ROLLOUT, "1:15 alerts_every must be 0s or at least 1s" },
    { "traffic: {per_second: 0}\n" ROLLOUT,
      "1:23 traffic.per_second must be in (0, 100000], got 0" },
    { "traffic: {per_second: 100000}\n" ROLLOUT,
      "1:10 traffic: with this timeout up to 6000000 queries would be under way at once; "
      "100000 "
      "is the limit" },
    { "traffic: {domains: {stem: 0.7, tactical: 0.7}}\n" ROLLOUT,
      "1:20 traffic.domains: the shares must add up to 1, they add up to 1.4" },
    { "traffic: {domains: {chess: 1}}\n" ROLLOUT, "1:21 unknown key 'traffic.domains.chess'" },
    { "traffic: {hours: [1, 2]}\n" ROLLOUT,
      "1:18 traffic.hours must be 24 numbers, none below 0 and not all of them 0" },
    { "traffic: {hours: [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}\n" ROLLOUT,
      "1:18 traffic.hours must be 24 numbers, none below 0 and not all of them 0" },
    { "traffic: {hours: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,-1]}\n" ROLLOUT,
      "1:18 traffic.hours must be 24 numbers, none below 0 and not all of them 0" },
    { "models: {canari: {success: 1}}\n" ROLLOUT,
      "1:10 unknown key 'canari'; it must be one of baseline, canary" },
    { "models: {canary: {sucess: 1}}\n" ROLLOUT,
      "1:19 unknown key 'models.canary.sucess'; did you mean 'models.canary.success'?" },
    { "models: {canary: {success: 1.5}}\n" ROLLOUT,
      "1:28 models.canary.success must be in [0, 1], got 1.5" },
    { "models: {canary: {domains: {chess: {success: 1}}}}\n" ROLLOUT,
      "1:29 unknown key 'chess'; it must be one of generic, tactical, cybersecurity, stem" },
    { "models: {canary: {domains: {stem: {succes: 1}}}}\n" ROLLOUT,
      "1:36 unknown key 'models.canary.domains.stem.succes'; did you mean "
      "'models.canary.domains.stem.success'?" },
    { "models: {canary: {recorded: {from: x}}}\n" ROLLOUT,
      "1:19 recorded needs both: from, the folder of an evaluation, and cell, one of its" },
    { "models: {canary: {recorded: {cell: x}}}\n" ROLLOUT,
      "1:19 recorded needs both: from, the folder of an evaluation, and cell, one of its" },
    { "models: {canary: {recorded: }}\n" ROLLOUT,
      "1:19 recorded needs both: from, the folder of an evaluation, and cell, one of its" },
    { "models: {canary: {recorded: {from: x, cell: y, form: x}}}\n" ROLLOUT,
      "1:48 unknown key 'models.canary.recorded.form'; did you mean "
      "'models.canary.recorded.from'?" },
    { "models: {canary: {recorded: x}}\n" ROLLOUT,
      "1:19 recorded needs both: from, the folder of an evaluation, and cell, one of its" },
    { "models:\n  canary:\n    success: 0.9\n    recorded: {from: x, cell: y}\n" ROLLOUT,
      "3:14 success: a recorded model has it from its recording" },
    { "models: {canary: {recorded: {from: x, cell: y}, errors: 0.1}}\n" ROLLOUT,
      "1:57 errors: a recorded model has it from its recording" },
    { "models: {canary: {recorded: {from: x, cell: y}, domains: {stem: {success: "
      "1}}}}\n" ROLLOUT,
      "1:75 success: a recorded model has it from its recording" },
    { "models: {canary: {domains: {stem: {recorded: {from: x, cell: y}}}}}\n" ROLLOUT,
      "1:46 recorded: a model is recorded as a whole, not in one domain" },
    { "models: {baseline: {recorded: {from: x, cell: y}}, canary: {errors: 0.2}}\n" ROLLOUT,
      "1:69 errors: a recorded model has it from its recording" },
    { "models: 3\n" ROLLOUT, "1:9 models must be a mapping of baseline and canary" },
    { "events: 3\n" ROLLOUT, "1:9 events must be a list of at most 16 events" },
    { "events: [{start: 1h}]\n" ROLLOUT, "1:10 events[0].what is required" },
    { "events: [{what: outage, start: 1}]\n" ROLLOUT,
      "1:32 events[0].start must be a time such as 30s, 5m, 4h or 3d, got 1" },
    { "events: [{what: outage, size: 3}]\n" ROLLOUT, "1:31 the size of outage must be in [0, 1]" },
    { "events: [{what: outage, arm: all}]\n" ROLLOUT,
      "1:30 events[0].arm must be one of baseline, canary, both, got 'all'" },
    { "expect: {outcome: fine}\n" ROLLOUT, "1:19 expect.outcome must be completed, "
                                           "rolled_back, paused, paused:REASON or unfinished" },
    { "expect: {outcome: 'paused:fine'}\n" ROLLOUT,
      "1:19 expect.outcome must be completed, rolled_back, paused, paused:REASON or "
      "unfinished" },
    { "expect: {guard: latency}\n" ROLLOUT, "1:17 expect.guard: no such metric" },
};

static void what_is_wrong_is_said_where_it_stands(void)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong_texts); i++) {
        struct tried t = try(wrong_texts[i].text);
        CHECK_STR(str_from(t.first), str_from(wrong_texts[i].want));
        done(&t);
    }
}

/* With what it may not read, a text is refused; a file's own mistakes are said at its own place. */
static void other_files_are_read_only_when_they_may_be(void)
{
    struct scenario *s = NULL;
    struct config_issues issues;

    CHECK_ERR(scenario_load_text(STR("s.yaml"), STR("rollout: /etc/passwd\n"), false, &s, &issues),
              CALLER_BAD_REQUEST);
    CHECK_INT(issues.errors, 1);
    CHECK_STR(issues.items[0].message, STR("rollout: no other file is read here; write its keys"));
    config_issues_fini(&issues);
    CHECK_ERR(
        scenario_load_text(STR("s.yaml"),
                           STR("models: {canary: {recorded: {from: /etc, cell: a}}}\n" ROLLOUT),
                           false, &s, &issues),
        CALLER_BAD_REQUEST);
    CHECK_STR(issues.items[0].message, STR("recorded: no other file is read here"));
    config_issues_fini(&issues);
    scenario_close(NULL);
}

static void what_is_not_written_is_inherited(void)
{
    struct tried t = try("models:\n  baseline: {success: 0.9, domains: {stem: {success: 0.8}}}\n"
                         "  canary: {cost_usd: 0.001, confidence: calibrated, domains: {tactical: "
                         "{cost_usd: 0.5}}}\n" ROLLOUT);

    CHECK_STR(str_from(t.first), STR(""));
    REQUIRE(t.scenario);
    const struct scenario_model *baseline = t.scenario->models[SCENARIO_BASELINE];
    const struct scenario_model *canary = t.scenario->models[SCENARIO_CANARY];
    CHECK_NEAR(baseline[SCENARIO_GENERIC].success, 0.9, 0);
    CHECK_NEAR(baseline[SCENARIO_STEM].success, 0.8, 0);
    CHECK_NEAR(baseline[SCENARIO_STEM].cost_usd, 0.002, 0);
    CHECK(!baseline[SCENARIO_STEM].is_calibrated);
    CHECK_NEAR(canary[SCENARIO_GENERIC].success, 0.9, 0);
    CHECK_NEAR(canary[SCENARIO_STEM].success, 0.8, 0);
    CHECK_NEAR(canary[SCENARIO_STEM].cost_usd, 0.001, 0);
    CHECK_NEAR(canary[SCENARIO_TACTICAL].cost_usd, 0.5, 0);
    CHECK(canary[SCENARIO_TACTICAL].is_calibrated);
    CHECK_NEAR(t.scenario->traffic.shares[SCENARIO_GENERIC], 1, 0);
    CHECK_NEAR(t.scenario->traffic.hours[7], 1, 1e-12);
    CHECK(t.scenario->approve_after < 0 && t.scenario->expect.false_rollback_max < 0);
    done(&t);
}

/* The canary is recorded as the baseline unless it says otherwise; a folder is seen from the file; what is written is remembered. */
static void a_recorded_model_says_whose_answers_it_gives(void)
{
    static const char baseline[] =
        "models:\n  baseline:\n    recorded: {from: x/y, cell: a/direct}\n"
        "    latency_ms: 900\n    domains: {stem: {cost_usd: 0.1}}\n";
    static const struct {
        const char *canary, *folder, *cell;
        int line;
    } cases[] = { { "", "d/x/y", "a/direct", 3 },
                  { "  canary: {hrm_confidence: 0.8}\n", "d/x/y", "a/direct", 3 },
                  { "  canary: {recorded: {from: /z, cell: b/hrm}}\n", "/z", "b/hrm", 6 },
                  { "  canary: {success: 0.8}\n", "", "", 0 } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024];
        struct scenario *s = NULL;
        struct config_issues issues;
        snprintf(text, sizeof(text), "%s%s%s", baseline, cases[i].canary, ROLLOUT);
        CHECK_ERR(scenario_load_text(STR("d/s.yaml"), str_from(text), true, &s, &issues), OK);
        REQUIRE(s);
        const struct scenario_source *source = &s->sources[SCENARIO_CANARY];
        CHECK_STR(s->sources[SCENARIO_BASELINE].folder, STR("d/x/y"));
        CHECK_STR(source->folder, str_from(cases[i].folder));
        CHECK_STR(source->cell, str_from(cases[i].cell));
        CHECK_INT(source->line, cases[i].line);
        CHECK(!s->traffic.has_shares && s->recorded_questions == 0);
        const struct scenario_model *canary = s->models[SCENARIO_CANARY];
        CHECK(canary[SCENARIO_STEM].is_written[SCENARIO_LATENCY]);
        CHECK(canary[SCENARIO_STEM].is_written[SCENARIO_COST]);
        CHECK(!canary[SCENARIO_GENERIC].is_written[SCENARIO_COST]);
        CHECK_INT(canary[SCENARIO_GENERIC].is_written[SCENARIO_HRM], i == 1);
        CHECK(!canary[SCENARIO_GENERIC].is_written[SCENARIO_TRM]);
        scenario_source_fault(s, SCENARIO_BASELINE, &issues, "%s", "fault");
        REQUIRE(issues.errors == 1);
        CHECK_STR(issues.items[0].file, STR("d/s.yaml"));
        CHECK_INT(issues.items[0].line * 100 + issues.items[0].column, 305);
        config_issues_fini(&issues);
        scenario_close(s);
    }
}

static void an_event_hits_whom_it_says(void)
{
    struct tried t =
        try("events:\n  - {what: outage}\n  - {what: broken, start: 1h, length: 5m}\n"
            "  - {what: quality_drop, arm: baseline, domain: stem, size: 0.3}\n" ROLLOUT);

    CHECK_STR(str_from(t.first), STR(""));
    REQUIRE(t.scenario && t.scenario->event_count == 3);
    const struct scenario_event *e = t.scenario->events;
    CHECK(e[0].hits[SCENARIO_BASELINE] && e[0].hits[SCENARIO_CANARY] && e[0].length == NSEC_NEVER);
    CHECK_NEAR(e[0].size, 1, 0);
    CHECK(!e[1].hits[SCENARIO_BASELINE] && e[1].hits[SCENARIO_CANARY]);
    CHECK(e[1].start == 3600 * NSEC_PER_SEC && e[1].length == 300 * NSEC_PER_SEC);
    CHECK(e[2].hits[SCENARIO_BASELINE] && !e[2].hits[SCENARIO_CANARY]);
    CHECK(e[2].hits_domain[SCENARIO_STEM] && !e[2].hits_domain[SCENARIO_GENERIC]);
    CHECK(e[1].hits_domain[SCENARIO_STEM] && e[1].hits_domain[SCENARIO_GENERIC]);
    done(&t);
}

TESTS(TEST(what_is_wrong_is_said_where_it_stands), TEST(other_files_are_read_only_when_they_may_be),
      TEST(what_is_not_written_is_inherited), TEST(a_recorded_model_says_whose_answers_it_gives),
      TEST(an_event_hits_whom_it_says))
