/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the counters: shards add up, buckets are cumulative, labels are closed. */
#include "test/check.h"

#include "edge/telemetry/metrics.h"

static bool has_line(const struct buf *text, const char *line)
{
    struct buf wanted = { 0 };
    buf_printf(&wanted, "\n%s\n", line);
    bool found = str_find(buf_str(text), buf_str(&wanted)) != STR_NPOS;
    buf_fini(&wanted);
    return found;
}

static void shards_add_up(void)
{
    struct metrics *shards[2];
    struct buf text = { 0 };
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(metrics_open(&shards[i]) == OK);
        struct metrics_query q = { .strategy = STR("plain"),
                                   .cost = 1500,
                                   .calls = 1,
                                   .took = (i == 0 ? 1 : 40) * NSEC_PER_MS,
                                   .usage = { .input = 10, .output = 5 } };
        metrics_query_add(shards[i], &q);
        q = (struct metrics_query){ .strategy = STR("hostile"),
                                    .fault = PROVIDER_CUT,
                                    .cost = COST_UNPRICED };
        metrics_query_add(shards[i], &q);
        metrics_http_add(shards[i], i == 0 ? 200 : 999);
    }
    metrics_write(&text, shards, 2);
    CHECK(has_line(&text, "weir_queries_total{strategy=\"plain\",result=\"OK\"} 2"));
    CHECK(has_line(&text, "weir_queries_total{strategy=\"other\",result=\"PROVIDER_CUT\"} 2"));
    CHECK(has_line(&text, "weir_query_duration_seconds_bucket{le=\"0.001\"} 3"));
    CHECK(has_line(&text, "weir_query_duration_seconds_bucket{le=\"0.05\"} 4"));
    CHECK(has_line(&text, "weir_query_duration_seconds_bucket{le=\"+Inf\"} 4"));
    CHECK(has_line(&text, "weir_input_tokens_total 20"));
    CHECK(has_line(&text, "weir_unpriced_queries_total 2"));
    CHECK(has_line(&text, "weir_cost_usd_total 0.000003000"));
    CHECK(has_line(&text, "weir_http_responses_total{class=\"2xx\"} 1"));
    CHECK(str_find(buf_str(&text), STR("hostile")) == STR_NPOS);
    buf_fini(&text);
    for (size_t i = 0; i < 2; i++)
        metrics_close(shards[i]);
}

TESTS(TEST(shards_add_up))
