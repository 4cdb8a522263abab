/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir smoke: eight checks of a running gateway, and four thresholds over the queries that they send. A threshold that so
 * few queries cannot support is 'not shown', which is neither passed nor failed.
 */
#include "app/cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "core/json/json.h"
#include "core/stats/stats.h"
#include "edge/config/config.h"
#include "edge/upstream/post.h"
#include "edge/world/world.h"

#define TIMEOUT (60 * NSEC_PER_SEC)
#define QUERIES_DEFAULT 20
#define QUERIES_MAX 10000
#define LATENCY_MAX_MS 2000.0
#define COST_MAX_NANO_USD 3e6
#define HRM_MIN 0.85
#define TRM_MIN 0.80
#define ALPHA 0.05

enum result { NOT_SHOWN, PASSED, FAILED };
static const char *const result_names[] = { "not shown", "passed", "failed" };

struct check {
    const char *name;
    enum result result;
    str value; /* what was seen */
    const char *threshold; /* what was asked for */
};

#define CHECKS_MAX 16

/* One number of every query that has it. */
struct measured {
    struct cluster *values; /* a cluster each */
    size_t n;
    bool is_calibrated; /* all of them */
};

struct smoke {
    str target, admin, key;
    struct arena arena;
    struct check checks[CHECKS_MAX];
    size_t count;
    int64_t queries;
    int64_t answered;
    struct measured hrm, trm, cost;
    int64_t slow; /* answers over LATENCY_MAX_MS, failures among them */
    double latency_max_ms;
};

static void note(struct smoke *s, const char *name, enum result result, const char *threshold,
                 str value)
{
    assert(s->count < CHECKS_MAX);
    s->checks[s->count++] = (struct check){ name, result, value, threshold };
}

/* ---- requests ---- */

/* A request to the gateway; false when nobody answers. The body lies in the arena. */
static bool send(struct smoke *s, str base, const char *path, str body, str key, int *out_status,
                 str *out_body)
{
    struct post_request request = { .timeout = TIMEOUT, .body = body };
    struct post_answer answer;

    if (body.len == 0)
        request.method = STR("GET");
    request.url = arena_printf(&s->arena, "%.*s%s", STR_ARG(base), path);
    if (key.len > 0)
        request.headers[request.header_count++] =
            (struct post_header){ STR("Authorization"),
                                  arena_printf(&s->arena, "Bearer %.*s", STR_ARG(key)) };
    bool is_answered = post_send(&request, &answer) == OK;
    *out_status = answer.status;
    *out_body = arena_str(&s->arena, is_answered ? buf_str(&answer.body) : str_from(answer.error));
    buf_fini(&answer.body);
    return is_answered;
}

static str seen(struct smoke *s, int status, str body)
{
    if (status == 0)
        return arena_printf(&s->arena, "no answer: %.*s", STR_ARG(str_slice(body, 0, 100)));
    return arena_printf(&s->arena, "%d", status);
}

static void check_get(struct smoke *s, const char *name, const char *path, str must_hold)
{
    int status;
    str body;
    bool is_good = send(s, s->admin, path, (str){ 0 }, (str){ 0 }, &status, &body) &&
                   status == 200 && str_find(body, must_hold) != STR_NPOS;

    note(s, name, is_good ? PASSED : FAILED, "200", seen(s, status, body));
}

/* "200: ledger, control, provider", or what keeps it from being ready. */
static str ready_value(struct smoke *s, int status, str body)
{
    struct json root;
    struct buf out = { 0 };
    const char *between = ": ";

    if (status == 0 || json_parse(&s->arena, body, &root, NULL) != OK)
        return seen(s, status, body);
    buf_printf(&out, "%d", status);
    for (struct json_iter it = json_iter(json_get(root, STR("parts"))); json_next(&it);) {
        str name = { 0 }, detail = { 0 };
        bool is_ok = false;
        IGNORE(json_str(json_get(it.value, STR("name")), &s->arena, &name));
        IGNORE(json_str(json_get(it.value, STR("detail")), &s->arena, &detail));
        IGNORE(json_bool(json_get(it.value, STR("ok")), &is_ok));
        if (is_ok)
            buf_printf(&out, "%s%.*s", between, STR_ARG(name));
        else
            buf_printf(&out, "%snot %.*s (%.*s)", between, STR_ARG(name), STR_ARG(detail));
        between = ", ";
    }
    str value = arena_str(&s->arena, buf_str(&out));
    buf_fini(&out);
    return value;
}

static void check_ready(struct smoke *s)
{
    int status;
    str body;
    bool is_good = send(s, s->admin, "/readyz?verbose", (str){ 0 }, (str){ 0 }, &status, &body) &&
                   status == 200;

    note(s, "readiness", is_good ? PASSED : FAILED, "200", ready_value(s, status, body));
}

/* ---- queries ---- */

static str question_body(struct smoke *s, const char *strategy, str question, const char *domain)
{
    struct buf out = { 0 };

    buf_printf(&out,
               "{\"model\":\"weir/"
               "%s\",\"weir\":{\"domain\":\"%s\"},\"messages\":[{\"role\":\"user\",\"content\":",
               strategy, domain);
    json_write_str(&out, question);
    buf_add(&out, STR("}]}"));
    str body = arena_str(&s->arena, buf_str(&out));
    buf_fini(&out);
    return body;
}

static void measured_add(struct measured *m, double value, bool is_calibrated)
{
    m->is_calibrated = is_calibrated && (m->n == 0 || m->is_calibrated);
    m->values[m->n++] = (struct cluster){ 1, value };
}

static void answer_read(struct smoke *s, str body, double took_ms)
{
    struct json root, weir;
    double value;
    bool is_calibrated = false;

    if (json_parse(&s->arena, body, &root, NULL) != OK)
        return;
    weir = json_get(root, STR("weir"));
    IGNORE(json_bool(json_path(weir, STR("confidence.calibrated")), &is_calibrated));
    s->answered++;
    if (json_double(json_get(weir, STR("hrm_confidence")), &value))
        measured_add(&s->hrm, value, is_calibrated);
    if (json_double(json_get(weir, STR("trm_confidence")), &value))
        measured_add(&s->trm, value, is_calibrated);
    if (json_double(json_get(weir, STR("cost_nano_usd")), &value))
        measured_add(&s->cost, value, true);
    s->slow -= took_ms <= LATENCY_MAX_MS; /* every query counts as slow until it was not */
    if (took_ms > s->latency_max_ms)
        s->latency_max_ms = took_ms;
}

static bool query(struct smoke *s, const char *strategy, str question, const char *domain,
                  int *out_status, str *out_body)
{
    struct timespec before, after;

    clock_gettime(CLOCK_MONOTONIC, &before);
    bool is_good =
        send(s, s->target, "/v1/chat/completions", question_body(s, strategy, question, domain),
             s->key, out_status, out_body) &&
        *out_status == 200;
    clock_gettime(CLOCK_MONOTONIC, &after);
    double took_ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
                     (double)(after.tv_nsec - before.tv_nsec) / 1e6;
    s->queries++;
    s->slow++;
    if (is_good)
        answer_read(s, *out_body, took_ms);
    return is_good;
}

static void check_query(struct smoke *s, const char *name, const char *strategy)
{
    int status;
    str body;
    bool is_good = query(
        s, strategy,
        STR("A patrol covers 4 km in the first hour and 3 km in the second. How many km is that?"),
        "tactical", &status, &body);

    note(s, name, is_good ? PASSED : FAILED, "200", seen(s, status, body));
}

static void check_refusal(struct smoke *s, const char *name, str body, str key, int from, int to,
                          const char *threshold, const char *hint)
{
    int status;
    str said;
    bool is_answered = send(s, s->target, "/v1/chat/completions", body, key, &status, &said);
    bool is_refused = is_answered && status >= from && status <= to;
    str value = is_answered && !is_refused && hint[0] && status == 200
                    ? arena_printf(&s->arena, "%d: %s", status, hint)
                    : seen(s, status, said);

    note(s, name, is_refused ? PASSED : FAILED, threshold, value);
}

/* Questions with numbers that differ, so that no cache can answer them all. */
static void queries_send(struct smoke *s, int64_t more)
{
    static const char *const domains[] = { "tactical", "cybersecurity", "stem", "generic" };

    for (int64_t i = 0; i < more; i++) {
        int status;
        str body;
        str question =
            arena_printf(&s->arena, "What is %" PRId64 " * %" PRId64 "?", 17 + i, 3 + i % 7);
        IGNORE(query(s, "hrm_trm", question, domains[i % 4], &status, &body));
    }
}

/* ---- thresholds ---- */

/* The mean against a limit; upper: it must lie below. Shown only when the whole one-sided interval does. */
static void threshold_mean(struct smoke *s, const char *name, const struct measured *m,
                           double limit, bool is_upper, double scale, const char *threshold,
                           const char *unit)
{
    double se = 0;

    if (m->n == 0) {
        note(s, name, NOT_SHOWN, threshold, STR("n = 0"));
        return;
    }
    /* Twice alpha: only one side of the interval is used. */
    struct interval mean = stats_clustered_mean(m->values, m->n, 2 * ALPHA, &se);
    bool is_on_good_side = is_upper ? mean.estimate < limit : mean.estimate >= limit;
    bool is_shown = m->n > 1 && (is_upper ? mean.upper < limit : mean.lower >= limit);
    str value = arena_printf(&s->arena, "%s%.6g (%.6g to %.6g), n = %zu%s", unit,
                             mean.estimate * scale, mean.lower * scale, mean.upper * scale, m->n,
                             m->is_calibrated ? "" : ", not calibrated");
    note(s, name, !is_on_good_side ? FAILED : is_shown ? PASSED : NOT_SHOWN, threshold, value);
}

/* p95 below a limit means: at most 5 % are above it; that so few are is shown by their upper bound. */
static void threshold_latency(struct smoke *s)
{
    if (s->queries == 0) {
        note(s, "latency p95", NOT_SHOWN, "< 2 s", STR("n = 0"));
        return;
    }
    double upper = 1 - stats_rate_lower(s->queries - s->slow, s->queries, ALPHA);
    bool is_on_good_side = (double)s->slow <= 0.05 * (double)s->queries;
    str value = arena_printf(&s->arena,
                             "%" PRId64 " of %" PRId64
                             " over 2 s (at most %.1f %% at 95 %%), slowest %.0f ms",
                             s->slow, s->queries, 100 * upper, s->latency_max_ms);

    note(s, "latency p95",
         !is_on_good_side ? FAILED
         : upper <= 0.05  ? PASSED
                          : NOT_SHOWN,
         "< 2 s", value);
}

/* ---- the run ---- */

static void checks_run(struct smoke *s, int64_t queries)
{
    check_get(s, "liveness", "/healthz", STR("ok"));
    check_ready(s);
    check_get(s, "API description", "/openapi.yaml", STR("openapi:"));
    check_query(s, "query through hrm_trm", "hrm_trm");
    check_query(s, "query through full_stack", "full_stack");
    check_refusal(s, "a bad key is refused", question_body(s, "direct", STR("Hi"), "generic"),
                  STR("weir-smoke-no-such-key"), 401, 401, "401",
                  "everyone is let in; see server.keys");
    check_refusal(s, "an empty question is refused",
                  question_body(s, "hrm_trm", STR(" "), "generic"), s->key, 400, 499, "4xx", "");
    check_get(s, "metrics", "/metrics", STR("# TYPE weir_queries_total counter"));
    queries_send(s, queries - s->queries);
    threshold_mean(s, "HRM confidence", &s->hrm, HRM_MIN, false, 1, ">= 0.85", "");
    threshold_mean(s, "TRM confidence", &s->trm, TRM_MIN, false, 1, ">= 0.80", "");
    threshold_latency(s);
    threshold_mean(s, "cost per query", &s->cost, COST_MAX_NANO_USD, true, 1e-9, "< $0.003", "$");
}

static size_t count_results(const struct smoke *s, enum result result)
{
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++)
        n += s->checks[i].result == result;
    return n;
}

static void print_json(const struct smoke *s)
{
    struct buf out = { 0 };

    buf_add(&out, STR("{\"checks\":["));
    for (size_t i = 0; i < s->count; i++) {
        const struct check *c = &s->checks[i];
        buf_add(&out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(&out, "name", str_from(c->name));
        if (c->result == NOT_SHOWN)
            buf_add(&out, STR(",\"ok\":null"));
        else
            json_member_bool(&out, "ok", c->result == PASSED);
        json_member_str(&out, "value", c->value);
        json_member_str(&out, "threshold", str_from(c->threshold));
        buf_add_char(&out, '}');
    }
    buf_add_char(&out, ']');
    json_member_i64(&out, "passed", (int64_t)count_results(s, PASSED));
    json_member_i64(&out, "failed", (int64_t)count_results(s, FAILED));
    json_member_i64(&out, "not_shown", (int64_t)count_results(s, NOT_SHOWN));
    json_member_i64(&out, "queries", s->queries);
    buf_add(&out, STR("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

static void print_people(const struct smoke *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct check *c = &s->checks[i];
        printf("%-9s  %-28s  %-8s  %.*s\n", result_names[c->result], c->name, c->threshold,
               STR_ARG(c->value));
    }
    printf("\n%zu passed, %zu failed, %zu not shown (%" PRId64 " queries, %" PRId64 " answered)\n",
           count_results(s, PASSED), count_results(s, FAILED), count_results(s, NOT_SHOWN),
           s->queries, s->answered);
}

static str base_url(struct smoke *s, str given, str listen)
{
    if (given.ptr)
        return str_ends(given, STR("/")) ? str_slice(given, 0, given.len - 1) : given;
    return arena_printf(&s->arena, "http://%.*s", STR_ARG(listen));
}

static bool measured_open(struct smoke *s, int64_t queries)
{
    struct measured *const all[] = { &s->hrm, &s->trm, &s->cost };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        all[i]->values = ARENA_ARRAY(&s->arena, (size_t)queries + 2, struct cluster);
    return !arena_failed(&s->arena);
}

static int perform(struct smoke *s, const struct cli_args *args, int64_t queries)
{
    struct config *config = NULL;
    int status = cli_config_load(args, false, &config);

    if (status != EXIT_DONE)
        return status;
    str key_source = cli_value(args, "key");
    const char *key = str_starts(key_source, STR("env:")) ? getenv(key_source.ptr + 4) : NULL;
    s->target = base_url(s, cli_value(args, "target"), config->server.listen);
    s->admin = base_url(s, cli_value(args, "admin"), config->server.admin);
    s->key = key                            ? str_from(key)
             : config->server.key_count > 0 ? arena_str(&s->arena, config->server.keys[0])
                                            : (str){ 0 };
    config_close(config);
    if (!measured_open(s, queries) || post_init() != OK)
        return EXIT_DEFECT;
    checks_run(s, queries);
    post_fini();
    if (cli_has(args, "json"))
        print_json(s);
    else
        print_people(s);
    if (s->checks[0].result == FAILED && s->answered == 0) {
        fprintf(stderr, "weir smoke: nobody answers at %.*s and %.*s; is weir serve running?\n",
                STR_ARG(s->target), STR_ARG(s->admin));
        return EXIT_UNREACHABLE;
    }
    return count_results(s, FAILED) > 0 ? EXIT_CHECK_FAILED : EXIT_DONE;
}

static int run(const struct cli_args *args)
{
    struct smoke s = { 0 };
    int64_t queries = QUERIES_DEFAULT;

    if (args->word_count > 0)
        return cli_usage_error("smoke", "takes options only; see 'weir smoke --help'");
    if (!cli_integer(args, "smoke", "queries", 2, QUERIES_MAX, &queries))
        return EXIT_USAGE;
    if (cli_has(args, "key") && !str_starts(cli_value(args, "key"), STR("env:")))
        return cli_usage_error("smoke", "--key is env:NAME, never the key itself");
    arena_init(&s.arena, (size_t)1 << 30);
    int status = perform(&s, args, queries);
    arena_fini(&s.arena);
    return status;
}

static const struct cli_option options[] = {
    { "target", "URL", "the gateway (server.listen of the configuration)" },
    { "admin", "URL", "its admin listener (server.admin)" },
    { "key", "env:NAME", "the key to send (the first of server.keys)" },
    { "queries", "N", "queries in all, 2 to 10000 (20); 59 can show a p95, more show means" },
    { "config", "FILE", "configuration that names the listeners and keys" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_smoke = {
    "smoke",
    "",
    "eight checks of a running gateway, and its thresholds",
    "weir smoke --queries 60",
    options,
    run,
};
