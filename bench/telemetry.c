/* SPDX-License-Identifier: Apache-2.0 */
/* bench-telemetry: what exporting one query costs: its record, and its bytes in each format. One line. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/telemetry/langsmith.h"
#include "core/telemetry/otlp.h"
#include "core/telemetry/trace.h"

#define TRACES 512
#define ROUNDS 40

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct trace example(struct trace_call *call)
{
    *call = (struct trace_call){ .number = 1,
                                 .role = STR("plain"),
                                 .model = STR("gpt-4o-mini"),
                                 .provider = STR("openai"),
                                 .http_status = 200,
                                 .attempts = 1,
                                 .usage = { .input = 100, .output = 20 },
                                 .cost = 27000,
                                 .took = 800 * NSEC_PER_MS,
                                 .first_byte = 300 * NSEC_PER_MS };
    return (struct trace){ .started = INT64_C(1795562670671865),
                           .took = 801 * NSEC_PER_MS,
                           .strategy = STR("plain"),
                           .requested_model = STR("gpt-4o-mini"),
                           .model = STR("gpt-4o-mini"),
                           .domain = STR("generic"),
                           .cost = 27000,
                           .hrm_confidence = -1,
                           .trm_confidence = -1,
                           .confidence = -1,
                           .verdict = -1,
                           .temperature = 0.7,
                           .calls = call,
                           .call_count = 1 };
}

struct costs {
    double record, otlp, langsmith; /* microseconds of a trace */
    size_t otlp_bytes, langsmith_bytes;
};

static void round_run(const struct trace **traces, struct costs *sum)
{
    static const struct otlp_resource resource = { { "weir", 4 }, { "0", 1 }, NULL, 0 };
    static const struct langsmith_options options = { { "weir", 4 }, { "weir", 4 }, { "0", 1 } };
    const struct langsmith_info info = langsmith_info_default();
    const struct langsmith_batch batch = { &options, &info, traces, TRACES };
    struct langsmith_cursor at = { 0 };
    struct buf out = { 0 };
    double start = now_us();

    otlp_traces_write(&out, &resource, traces, TRACES);
    sum->otlp += now_us() - start;
    sum->otlp_bytes = out.len;
    sum->langsmith_bytes = 0;
    start = now_us();
    for (buf_reset(&out); langsmith_multipart_write(&out, &batch, &at); buf_reset(&out))
        sum->langsmith_bytes += out.len;
    sum->langsmith += now_us() - start;
    buf_fini(&out);
}

int main(void)
{
    const struct trace *traces[TRACES];
    struct costs sum = { 0 };

    for (size_t round = 0; round < ROUNDS; round++) {
        double start = now_us();
        for (size_t i = 0; i < TRACES; i++) {
            struct trace_call call;
            struct trace t = example(&call);
            t.id = (int64_t)(round * TRACES + i);
            void *block = malloc(trace_size(&t));
            if (!block)
                return 1;
            traces[i] = trace_copy(&t, block);
        }
        sum.record += now_us() - start;
        round_run(traces, &sum);
        for (size_t i = 0; i < TRACES; i++)
            free((void *)(uintptr_t)traces[i]);
    }
    double n = (double)TRACES * ROUNDS;
    printf("a query of one call: record %.2f us, OTLP %.2f us and %zu bytes, LangSmith %.2f us and "
           "%zu bytes\n",
           sum.record / n, sum.otlp / n, sum.otlp_bytes / TRACES, sum.langsmith / n,
           sum.langsmith_bytes / TRACES);
    return 0;
}
