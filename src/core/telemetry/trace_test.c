/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of traces: copies stand alone, ids keep their promises, sampling nests. */
#include "core/telemetry/trace.h"

#include <stdlib.h>

#include "test/check.h"

static void fill(struct trace *t, struct trace_call *calls, size_t n)
{
    *t = (struct trace){ .id = 0x1234,
                         .seed = 7,
                         .started = INT64_C(1795562670671865),
                         .strategy = STR("hrm_trm"),
                         .model = STR("gpt-4o-mini"),
                         .tenant = STR("acme"),
                         .output = STR("four"),
                         .calls = calls,
                         .call_count = n };
    for (size_t i = 0; i < n; i++)
        calls[i] = (struct trace_call){ .number = (uint32_t)i + 1,
                                        .role = STR("solve"),
                                        .provider = STR("openai"),
                                        .input = STR("{\"messages\":[]}") };
}

static void a_copy_stands_alone(void)
{
    struct trace_call *calls = calloc(TRACE_CALLS_MAX + 3, sizeof(*calls));
    struct trace t;
    char strategy[] = "hrm_trm", role[] = "solve";

    REQUIRE(calls != NULL);
    fill(&t, calls, 2);
    t.strategy = (str){ strategy, 7 };
    calls[1].role = (str){ role, 5 };
    void *block = malloc(trace_size(&t)); /* exactly: the sanitizer sees a byte too many */
    REQUIRE(block != NULL);
    const struct trace *copy = trace_copy(&t, block);
    memset(strategy, 'x', 7);
    memset(role, 'x', 5);
    memset(calls, 0xAA, 2 * sizeof(*calls));
    CHECK_STR(copy->strategy, STR("hrm_trm"));
    CHECK_STR(copy->model, STR("gpt-4o-mini"));
    CHECK_STR(copy->output, STR("four"));
    CHECK_INT(copy->domain.len, 0);
    CHECK_INT(copy->call_count, 2);
    CHECK_STR(copy->calls[1].role, STR("solve"));
    CHECK_STR(copy->calls[1].input, STR("{\"messages\":[]}"));
    CHECK_INT(copy->calls[1].number, 2);
    free(block);
    /* More calls than fit are left out, and said. */
    fill(&t, calls, TRACE_CALLS_MAX + 3);
    block = malloc(trace_size(&t));
    REQUIRE(block != NULL);
    copy = trace_copy(&t, block);
    CHECK_INT(copy->call_count, TRACE_CALLS_MAX);
    CHECK_INT(copy->calls_left_out, 3);
    free(block);
    free(calls);
}

static void ids_are_stable_and_apart(void)
{
    struct trace t = { .id = 1, .seed = 1 };
    uint8_t a[TRACE_ID_BYTES], b[TRACE_ID_BYTES];
    uint8_t spans[300][TRACE_SPAN_ID_BYTES];
    static const uint8_t zero[TRACE_ID_BYTES];

    trace_id(&t, a);
    trace_id(&t, b);
    CHECK(memcmp(a, b, sizeof(a)) == 0 && memcmp(a, zero, sizeof(a)) != 0);
    t.seed = 2; /* another process with the same query's id */
    trace_id(&t, b);
    CHECK(memcmp(a, b, 8) != 0 && memcmp(a + 8, b + 8, 8) != 0);
    for (uint32_t i = 0; i < 300; i++) {
        trace_span_id(&t, i, spans[i]);
        CHECK(memcmp(spans[i], zero, sizeof(spans[i])) != 0);
        for (uint32_t j = 0; j < i; j++)
            CHECK(memcmp(spans[i], spans[j], sizeof(spans[i])) != 0);
    }
}

/* RFC 9562: 48 bits of milliseconds, version 7, variant 10. */
static void uuids_are_of_version_seven(void)
{
    struct trace t = { .id = 99, .seed = 3, .started = INT64_C(1795562670671865) };
    char text[TRACE_UUID_MAX], other[TRACE_UUID_MAX];
    str uuid = trace_uuid(&t, 0, text);

    CHECK_INT(uuid.len, 36);
    CHECK(str_starts(uuid, STR("01a20fe0-0a4f-7"))); /* 1795562670671 ms */
    CHECK(strchr("89ab", uuid.ptr[19]) != NULL);
    CHECK_INT(uuid.ptr[23], '-');
    CHECK(!str_eq(uuid, trace_uuid(&t, 1, other)));
    CHECK(str_starts(str_from(other), STR("01a20fe0-0a4f-7")));
    CHECK(str_eq(uuid, trace_uuid(&t, 0, other)));
}

static void a_smaller_share_is_part_of_a_larger_one(void)
{
    size_t taken = 0, all = 0;

    for (int64_t id = 0; id < 20000; id++) {
        struct trace t = { .id = id, .seed = 5 };
        bool small = trace_is_sampled(&t, trace_threshold(0.1)),
             large = trace_is_sampled(&t, trace_threshold(0.3));
        CHECK(!small || large);
        CHECK(!trace_is_sampled(&t, trace_threshold(0)));
        taken += small;
        all += trace_is_sampled(&t, trace_threshold(1));
    }
    CHECK_INT(all, 20000);
    CHECK(taken > 1800 && taken < 2200); /* 2000 ± 4.7 standard deviations */
}

/* The decision is the trace id's own, so that others who see only the id agree: its low 56 bits against a threshold. */
static void sampling_is_by_the_trace_id(void)
{
    for (int64_t id = 0; id < 1000; id++) {
        struct trace t = { .id = id, .seed = 11 };
        uint8_t bytes[TRACE_ID_BYTES];
        uint64_t random = 0;
        trace_id(&t, bytes);
        for (size_t i = 9; i < 16; i++)
            random = random << 8 | bytes[i];
        CHECK_INT(trace_is_sampled(&t, trace_threshold(0.5)), random >= UINT64_C(1) << 55);
    }
}

static void thresholds_are_written_as_opentelemetry_has_them(void)
{
    static const struct {
        double share;
        const char *want;
    } rows[] = {
        { 1, "" },           { 0.5, "ot=th:8" }, /* the specification's own examples */
        { 0.25, "ot=th:c" }, { 0.75, "ot=th:4" }, { 0, "" },
    };
    char text[TRACE_STATE_MAX];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_STR(trace_state(trace_threshold(rows[i].share), text), str_from(rows[i].want));
    CHECK(str_starts(trace_state(trace_threshold(0.01), text), STR("ot=th:fd70a3d70a3d")));
}

TESTS(TEST(thresholds_are_written_as_opentelemetry_has_them), TEST(a_copy_stands_alone),
      TEST(ids_are_stable_and_apart), TEST(uuids_are_of_version_seven),
      TEST(a_smaller_share_is_part_of_a_larger_one), TEST(sampling_is_by_the_trace_id))
