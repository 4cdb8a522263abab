/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded models that will not do: what a folder or a recording in it lacks is said where the scenario names it. */
#include "app/sim/answers_rig_test.h"

static void a_folder_that_will_not_do(void)
{
    static const struct {
        const char *models, *want; /* % is the folder */
    } cases[] = {
        { "models: {canary: {recorded: {from: /nowhere, cell: a/direct}}}",
          "1:19 recorded: /nowhere/plan.json" },
        { "models: {canary: {recorded: {from: %, cell: a/hrm}}}",
          "1:19 the evaluation in % has no cell 'a/hrm'; it has: a/direct, b/hrm, c/trm" },
        { "models:\n  canary:\n    recorded: {from: %, cell: a/direct}",
          "3:5 recorded: not every answer of a/direct has a HRM confidence; write "
          "models.canary.hrm_confidence" },
        { "models:\n  canary:\n    recorded: {from: %, cell: b/hrm}",
          "3:5 recorded: not every answer of b/hrm has a TRM confidence; write "
          "models.canary.trm_confidence" },
        { "models:\n  canary:\n    recorded: {from: %, cell: c/trm}\n    domains: {stem: "
          "{hrm_confidence: 1}}",
          "3:5 recorded: not every answer of c/trm has a HRM confidence; write "
          "models.canary.hrm_confidence" },
        { "traffic: {domains: {cybersecurity: 1}}\nmodels: {canary: {recorded: {from: %, cell: "
          "a/direct}}}",
          "2:19 recorded: traffic.domains has cybersecurity, but no question of that domain is "
          "recorded" },
    };
    struct folder f;

    folder_open(&f, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tried t = try(&f, cases[i].models, ROLLOUT);
        struct buf want = { 0 };
        for (const char *at = cases[i].want; *at; at++)
            buf_printf(&want, at[0] == '%' ? "%s" : "%.1s", at[0] == '%' ? f.path : at);
        CHECK_STR(str_slice(str_from(t.first), 0, want.len), buf_str(&want));
        buf_fini(&want);
        done(&t);
    }
    folder_remove(&f);
}

/* What a recording lacks: a line of it is changed. */
static void a_recording_that_lacks_something(void)
{
    static const char typed[] =
        "models: {canary: {recorded: {from: %, cell: a/direct}, " TYPED ", cost_usd: 0.01}}";
    static const char bare[] = "models: {canary: {recorded: {from: %, cell: a/direct}, "
                               "hrm_confidence: 0.9, trm_confidence: 0.9}}";
    static const char unsure[] = "models: {canary: {recorded: {from: %, cell: b/hrm}, "
                                 "trm_confidence: 0.9}}";
    const struct line line = line_of(0, 0, 1);
    struct line unpriced = line, unmeasured = line, simulated = line, failed = line;
    struct line doubtful = line_of(0, 1, 1);
    doubtful.confidence = -1;
    unpriced.cost = -1;
    unmeasured.latency_ms = -1;
    simulated.is_simulated = true;
    failed.is_error = true;
    failed.cost = -1;
    const struct {
        struct line line;
        const char *models, *want;
    } cases[] = {
        { line, bare, "" },
        { unpriced, bare,
          "1:19 recorded: not every answer of a/direct has a cost; write models.canary.cost_usd" },
        { unpriced, typed, "" },
        { failed, bare, "" }, /* what failed need not have cost anything */
        { unmeasured, bare,
          "1:19 recorded: not every answer of a/direct has a latency; write "
          "models.canary.latency_ms" },
        { unmeasured, typed, "" },
        { line_of(0, 1, 1), unsure, "" },
        { doubtful, unsure,
          "1:19 recorded: not every answer of b/hrm has a HRM confidence; write "
          "models.canary.hrm_confidence" },
        { simulated, typed,
          "1:19 recorded: the answers in % are simulated; name an evaluation of real models" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct folder f;
        struct buf want = { 0 };
        folder_open(&f, 1);
        line_add(&f, &cases[i].line); /* the last line of a run counts */
        folder_write(&f);
        struct tried t = try(&f, cases[i].models, ROLLOUT);
        for (const char *at = cases[i].want; *at; at++)
            buf_printf(&want, at[0] == '%' ? "%s" : "%.1s", at[0] == '%' ? f.path : at);
        CHECK_STR(str_from(t.first), buf_str(&want));
        CHECK(t.s && t.s->answers[SCENARIO_CANARY][SCENARIO_TACTICAL].has[SCENARIO_COST] ==
                         (cases[i].line.cost >= 0 || cases[i].line.is_error));
        buf_fini(&want);
        done(&t);
        folder_remove(&f);
    }
}

TESTS(TEST(a_folder_that_will_not_do), TEST(a_recording_that_lacks_something))
