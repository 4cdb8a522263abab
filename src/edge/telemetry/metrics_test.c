/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the counters: shards add up, buckets are cumulative, labels are closed, quantiles are of what came between. */
#include "test/check.h"

#include "edge/telemetry/metrics.h"

static const str models[] = { { "gpt-4o-mini", 11 }, { "gpt-4o", 6 } };

static bool has_line(const struct buf *text, const char *line)
{
    struct buf wanted = { 0 };
    buf_printf(&wanted, "\n%s\n", line);
    bool found = str_find(buf_str(text), buf_str(&wanted)) != STR_NPOS;
    if (!found)
        fprintf(stderr, "no line %s\n", line);
    buf_fini(&wanted);
    return found;
}

static void text_of(struct metrics *const *shards, size_t n, enum metric_text_format format,
                    struct buf *out)
{
    struct metric_text text = { .format = format, .out = out };
    struct metric_sink sink = metric_text_sink(&text);
    const struct metrics_shards read = { (const struct metrics *const *)shards, n };

    metrics_walk(&read, &sink);
    metric_text_end(&text);
}

static const struct metrics_query plain = { .strategy = { "plain", 5 },
                                            .model = { "gpt-4o-mini", 11 },
                                            .cost = 1500,
                                            .took = NSEC_PER_MS,
                                            .overhead = 41 * NSEC_PER_USEC,
                                            .confidence = -1,
                                            .hrm_confidence = -1,
                                            .trm_confidence = -1 };

static void shards_add_up(void)
{
    struct metrics *shards[2];
    struct buf text = { 0 };
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(metrics_open(&shards[i], models, 2) == OK);
        struct metrics_query q = plain;
        metrics_query_begin(shards[i]);
        q.took = (i == 0 ? 1 : 40) * NSEC_PER_MS;
        metrics_query_end(shards[i], &q);
        q.strategy = q.model = STR("hostile\"}\n");
        q.arm = METRICS_ARM_CANARY;
        q.fault = PROVIDER_CUT;
        q.cost = COST_UNPRICED;
        q.took = NSEC_PER_MS;
        q.hrm_confidence = 0.87;
        metrics_query_begin(shards[i]);
        metrics_query_begin(shards[i]); /* one that goes on */
        metrics_query_end(shards[i], &q);
        const struct metrics_call call = { .model = STR("gpt-4o-mini"),
                                           .attempts = 3,
                                           .usage = { .input = 10, .output = 5, .cached = 4 },
                                           .cost = 1500,
                                           .took = 30 * NSEC_PER_MS };
        metrics_call_add(shards[i], &call);
        metrics_http_add(shards[i], i == 0 ? 200 : 999);
    }
    text_of(shards, 2, METRIC_TEXT_PROMETHEUS, &text);
    CHECK(has_line(&text, "weir_queries_total{strategy=\"plain\",model=\"gpt-4o-mini\",arm="
                          "\"none\",outcome=\"answered\"} 2"));
    CHECK(has_line(&text, "weir_queries_total{strategy=\"other\",model=\"other\",arm=\"canary\","
                          "outcome=\"provider\"} 2"));
    CHECK(has_line(&text, "weir_query_faults_total{result=\"PROVIDER_CUT\"} 2"));
    CHECK(has_line(&text, "weir_queries_in_flight 2"));
    CHECK(has_line(&text, "weir_query_duration_seconds_bucket{strategy=\"plain\",le=\"0.001\"} 1"));
    CHECK(has_line(&text, "weir_query_duration_seconds_bucket{strategy=\"plain\",le=\"0.05\"} 2"));
    CHECK(has_line(&text, "weir_query_duration_seconds_bucket{strategy=\"plain\",le=\"+Inf\"} 2"));
    CHECK(has_line(&text, "weir_query_duration_seconds_sum{strategy=\"plain\"} 0.041"));
    CHECK(has_line(&text, "weir_query_overhead_seconds_bucket{le=\"4e-05\"} 0"));
    CHECK(has_line(&text, "weir_query_overhead_seconds_bucket{le=\"5e-05\"} 4"));
    CHECK(has_line(&text, "weir_confidence_ratio_bucket{of=\"hrm\",le=\"0.85\"} 0"));
    CHECK(has_line(&text, "weir_confidence_ratio_bucket{of=\"hrm\",le=\"0.9\"} 2"));
    CHECK(has_line(&text, "weir_tokens_total{model=\"gpt-4o-mini\",kind=\"input\"} 20"));
    CHECK(has_line(&text, "weir_tokens_total{model=\"gpt-4o-mini\",kind=\"cached\"} 8"));
    CHECK(has_line(&text, "weir_tokens_total{model=\"gpt-4o\",kind=\"input\"} 0"));
    CHECK(has_line(&text, "weir_model_calls_total{result=\"OK\",model=\"gpt-4o-mini\"} 2"));
    CHECK(has_line(&text, "weir_model_call_retries_total{model=\"gpt-4o-mini\"} 4"));
    CHECK(has_line(&text, "weir_unpriced_queries_total 2"));
    CHECK(has_line(&text, "weir_cost_usd_total{model=\"gpt-4o-mini\"} 3e-06"));
    CHECK(has_line(&text, "weir_http_responses_total{class=\"2xx\"} 1"));
    CHECK(str_find(buf_str(&text), STR("hostile")) == STR_NPOS);
    buf_fini(&text);
    for (size_t i = 0; i < 2; i++)
        metrics_close(shards[i]);
}

static void openmetrics_is_another_dialect(void)
{
    struct metrics *m;
    struct buf text = { 0 };

    REQUIRE(metrics_open(&m, models, 2) == OK);
    metrics_query_end(m, &plain);
    text_of(&m, 1, METRIC_TEXT_OPENMETRICS, &text);
    CHECK(has_line(&text, "# TYPE weir_cost_usd counter"));
    CHECK(has_line(&text, "# UNIT weir_cost_usd usd"));
    CHECK(has_line(&text, "weir_query_duration_seconds_bucket{strategy=\"plain\",le=\"1.0\"} 1"));
    CHECK(str_ends(buf_str(&text), STR("\n# EOF\n")));
    buf_fini(&text);
    metrics_close(m);
    CHECK_INT(metric_text_wanted(STR("application/OpenMetrics-text;version=1.0.0,*/*;q=0.1")),
              METRIC_TEXT_OPENMETRICS);
    CHECK_INT(metric_text_wanted(STR("text/plain")), METRIC_TEXT_PROMETHEUS);
    CHECK_INT(metric_text_wanted(STR("")), METRIC_TEXT_PROMETHEUS);
}

/* Every fault has an outcome, and only the right ones count as failures of the service. */
static void every_fault_has_its_outcome(void)
{
    static const struct {
        enum err fault;
        const char *outcome;
        bool is_fault;
    } rows[] = {
        { OK, "answered", false },
        { CALLER_BAD_HTTP, "caller", false },
        { CALLER_UNAUTHORIZED, "caller", false },
        { CALLER_GONE, "gone", false },
        { POLICY_BUDGET, "policy", true },
        { POLICY_LIMIT, "policy", true },
        { PROVIDER_UNREACHABLE, "provider", true },
        { PROVIDER_NO_MODEL, "provider", true },
        { DEADLINE_EXCEEDED, "deadline", true },
        { WEIR_NO_MEMORY, "weir", true },
        { WEIR_DEFECT, "weir", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct metrics *m;
        struct buf text = { 0 };
        struct metrics_totals totals;
        struct metrics_query q = plain;
        char line[160];
        REQUIRE(metrics_open(&m, models, 2) == OK);
        q.fault = rows[i].fault;
        metrics_query_end(m, &q);
        text_of(&m, 1, METRIC_TEXT_PROMETHEUS, &text);
        snprintf(line, sizeof(line),
                 "weir_queries_total{strategy=\"plain\",model=\"gpt-4o-mini\",arm=\"none\","
                 "outcome=\"%s\"} 1",
                 rows[i].outcome);
        CHECK(has_line(&text, line));
        metrics_total(&(struct metrics_shards){ (const struct metrics *const[]){ m }, 1 }, &totals);
        CHECK_INT(totals.queries, 1);
        CHECK_INT(totals.answered, rows[i].fault == OK);
        CHECK_INT(totals.faults, rows[i].is_fault);
        buf_fini(&text);
        metrics_close(m);
    }
}

static void quantiles_are_of_what_came_between(void)
{
    struct metrics *m;
    struct metrics_totals before, after;
    struct metrics_query q = plain;

    REQUIRE(metrics_open(&m, models, 2) == OK);
    const struct metrics_shards shards = { (const struct metrics *const[]){ m }, 1 };
    for (int i = 0; i < 100; i++) {
        q.took = 40 * NSEC_PER_SEC;
        metrics_query_end(m, &q);
    }
    metrics_total(&shards, &before);
    CHECK(metrics_duration_quantile(&before, &before, 0.5) < 0);
    for (int i = 0; i < 100; i++) {
        q.took = i < 90 ? 15 * NSEC_PER_MS : 150 * NSEC_PER_MS;
        metrics_query_end(m, &q);
    }
    metrics_total(&shards, &after);
    /* 90 lie in (10 ms, 20 ms], 10 in (100 ms, 200 ms]. */
    CHECK_NEAR(metrics_duration_quantile(&before, &after, 0.45), 0.015, 1e-9);
    CHECK_NEAR(metrics_duration_quantile(&before, &after, 0.95), 0.150, 1e-9);
    q.took = 1000 * NSEC_PER_SEC;
    metrics_query_end(m, &q);
    metrics_total(&shards, &after);
    CHECK_NEAR(metrics_duration_quantile(&before, &after, 1), 60, 1e-9);
    metrics_close(m);
}

TESTS(TEST(shards_add_up), TEST(openmetrics_is_another_dialect), TEST(every_fault_has_its_outcome),
      TEST(quantiles_are_of_what_came_between))
