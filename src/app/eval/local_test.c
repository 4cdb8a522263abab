/* SPDX-License-Identifier: Apache-2.0 */
/* local: a strategy in virtual time, against a table of answers. */
#include "app/eval/local.h"

#include "app/eval/eval_rig.h"

/* What each class of model says, and how long it takes. */
struct reply {
    const char *text;
    enum err fault;
    nsec took;
    int64_t tokens;
};

struct bench {
    struct eval_local local;
    struct eval_plan plan;
    struct config *config;
    struct eval_question question;
    struct eval_job job;
    struct reply replies[REASON_MODEL_CLASS_COUNT];
    int asked[REASON_MODEL_CLASS_COUNT];
    bool saw_verifier;
    bool is_done;
};

static const struct eval_source_kind kind = { .name = "table", .has_latency = true };

static void on_call(struct eval_local *l, struct eval_job *job, const struct reason_call *call,
                    struct eval_local_reply *out)
{
    struct bench *b = CONTAINER_OF(l, struct bench, local);
    const struct reply *reply = &b->replies[call->model];

    (void)job;
    for (size_t i = 0; i < call->message_count; i++)
        b->saw_verifier =
            b->saw_verifier || str_find(call->messages[i].content, STR("SEEN")) != STR_NPOS;
    b->asked[call->model]++;
    *out = (struct eval_local_reply){ .fault = reply->fault,
                                      .text = str_from(reply->text),
                                      .took = reply->took,
                                      .usage = { .output = reply->tokens, .is_known = true } };
}

static void on_done(void *ctx, struct eval_job *job)
{
    struct bench *b = ctx;

    (void)job;
    b->is_done = true;
    world_stop(b->local.source.world);
}

static bool bench_open(struct bench *b, enum reason_strategy strategy)
{
    struct config_issues issues;

    *b = (struct bench){ 0 };
    if (config_load(STR(""), &b->config, &issues) != OK)
        return false;
    config_issues_fini(&issues);
    struct eval_options options = { .config = b->config };
    struct eval_source_options of = {
        .options = &options, .plan = &b->plan, .ctx = b, .on_done = on_done
    };
    b->plan.peer = STR("peer");
    b->plan.strong = STR("strong");
    b->plan.cells[0] = (struct eval_cell){ .model = STR("gpt-4o"), .strategy = strategy };
    b->question = (struct eval_question){ .prompt = STR("How many?"), .key = STR("1") };
    b->local.answer = on_call;
    return eval_local_init(&b->local, &kind, &of) == OK;
}

static const struct eval_outcome *bench_run(struct bench *b)
{
    arena_fini(&b->job.arena);
    b->job = (struct eval_job){ .question = &b->question, .cell = &b->plan.cells[0], .seed = 1 };
    arena_init(&b->job.arena, EVAL_LINE_ARENA_MAX);
    link_init(&b->job.link);
    b->is_done = false;
    eval_local_start(&b->local.source, &b->job);
    CHECK(!b->is_done); /* nothing ends inside of start */
    world_run(b->local.source.world);
    CHECK(b->is_done);
    return &b->job.outcome;
}

static void bench_close(struct bench *b)
{
    arena_fini(&b->job.arena);
    eval_local_fini(&b->local);
    config_close(b->config);
}

/* Calls at once take as long as the longest, calls behind each other their sum; in whatever order they end. */
static void calls_overlap_in_virtual_time(void)
{
    static const struct {
        nsec main_ms, peer_ms;
        bool agree;
        int64_t latency_ms;
    } cases[] = { { 100, 300, true, 300 },
                  { 300, 100, true, 300 },
                  { 100, 300, false, 350 },
                  { 300, 100, false, 350 } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        REQUIRE(bench_open(&b, REASON_CASCADE));
        b.replies[REASON_MODEL_MAIN] =
            (struct reply){ "Answer: 1", OK, cases[i].main_ms * NSEC_PER_MS, 10 };
        b.replies[REASON_MODEL_PEER] = (struct reply){ cases[i].agree ? "Answer: 1" : "Answer: 2",
                                                       OK, cases[i].peer_ms * NSEC_PER_MS, 10 };
        b.replies[REASON_MODEL_STRONG] = (struct reply){ "Answer: 3", OK, 50 * NSEC_PER_MS, 10 };
        const struct eval_outcome *o = bench_run(&b);
        CHECK_INT(o->latency_us, cases[i].latency_ms * 1000);
        CHECK_STR(o->answer, cases[i].agree ? STR("1") : STR("3"));
        CHECK_INT(o->calls, cases[i].agree ? 2 : 3);
        CHECK_INT(o->usage.output, cases[i].agree ? 20 : 30);
        CHECK_ERR(o->fault, OK);
        bench_close(&b);
    }
}

static void faults_end_a_run(void)
{
    struct bench b;

    REQUIRE(bench_open(&b, REASON_DIRECT));
    b.replies[REASON_MODEL_MAIN] = (struct reply){ "", PROVIDER_AUTH, NSEC_PER_MS, 0 };
    const struct eval_outcome *o = bench_run(&b);
    CHECK_ERR(o->fault, PROVIDER_AUTH);
    CHECK_INT(o->answer.len, 0);
    CHECK(o->raw_confidence < 0 && o->confidence < 0);
    CHECK_INT(o->calls, 1);
    bench_close(&b);
}

/* The query's caps hold in virtual time, too. */
static void caps_hold(void)
{
    static const struct {
        int64_t calls_max, tokens_max;
        nano_usd cost_max; /* the model has a price */
        nsec timeout;
        int calls_most;
    } cases[] = {
        { 24, 60000, NANO_PER_USD, NSEC_PER_SEC, 24 }, /* none of them: 8 samples */
        { 2, 60000, NANO_PER_USD, NSEC_PER_SEC, 2 },
        { 24, 1500, NANO_PER_USD, NSEC_PER_SEC, 3 },
        { 24, 60000, 20000000, NSEC_PER_SEC, 4 }, /* two answers at 9 thousandths */
        { 24, 60000, 1, NSEC_PER_SEC, 4 },
        { 24, 60000, NANO_PER_USD, NSEC_PER_MS, 4 },
    };
    int uncapped = 0;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        REQUIRE(bench_open(&b, REASON_SELF_CONSISTENCY));
        b.replies[REASON_MODEL_MAIN] = (struct reply){ "???", OK, 2 * NSEC_PER_MS, 900 };
        b.config->budget.calls_max = cases[i].calls_max;
        b.config->budget.tokens_max = cases[i].tokens_max;
        b.config->budget.cost_max = cases[i].cost_max;
        b.config->timeout = cases[i].timeout;
        const struct eval_outcome *o = bench_run(&b);
        int calls = (int)o->calls;
        CHECK(o->cost <= cases[i].cost_max);
        uncapped = i == 0 ? calls : uncapped;
        CHECK(calls >= 1 && calls <= cases[i].calls_most);
        CHECK(i == 0 || calls < uncapped);
        bench_close(&b);
    }
    CHECK(uncapped >= 5);
}

/* Conditions are for everyone, keys for the judge. */
static void strategies_see_conditions_only(void)
{
    static const struct {
        enum verifier_kind kind;
        const char *spec;
        bool is_seen;
    } cases[] = { { VERIFY_REGEX, "SEEN[0-9]*", true },
                  { VERIFY_JSON_SCHEMA, "{\"enum\":[\"SEEN\"]}", true },
                  { VERIFY_EXACT, "SEEN", false },
                  { VERIFY_RUBRIC,
                    "{\"need\":1,\"points\":[{\"name\":\"SEEN\",\"any\":[\"SEEN\"]}]}", false },
                  { VERIFY_NUMBER, "{\"value\":1,\"unit\":\"SEEN\"}", false },
                  { VERIFY_ARITHMETIC, "1+1", false } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        REQUIRE(bench_open(&b, REASON_TRM));
        b.question.verifier = (struct verifier){ cases[i].kind, str_from(cases[i].spec) };
        b.replies[REASON_MODEL_MAIN] = (struct reply){ "Answer: 7", OK, NSEC_PER_MS, 10 };
        const struct eval_outcome *o = bench_run(&b);
        CHECK(b.saw_verifier == cases[i].is_seen);
        CHECK(cases[i].is_seen || o->signals.verifier < 0); /* no verdict of a key either */
        bench_close(&b);
    }
}

TESTS(TEST(calls_overlap_in_virtual_time), TEST(faults_end_a_run), TEST(caps_hold),
      TEST(strategies_see_conditions_only))
