/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, sizes, many calls at once, and cancelling at every moment; on loopback. */
#include "edge/upstream/fixture_test.h"

/* ---- limits ---- */

static void deadline_over_all_attempts(void)
{
    struct upstream_options options = options_quick();
    struct upstream_limits patient = options.limits;
    struct probe hang = { 0 }, storm = { 0 };
    patient.attempts_max = 1000;
    FIXTURE(f, &options, { .pieces = { NULL }, .end = HANG });

    f.request.deadline = world_now(f.world) + MS(120); /* before the first byte's timeout */
    probe_start(&f, &hang);
    f.request.deadline = world_now(f.world) + MS(600);
    f.request.limits = &patient;
    probe_start(&f, &storm);
    fixture_run(&f);
    CHECK_ERR(hang.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(hang.call.attempts, 1);
    CHECK(hang.call.took >= MS(119) && hang.call.took < MS(400));
    CHECK_ERR(storm.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(storm.call.attempts, 3);
    CHECK(storm.call.took >= MS(599) && storm.call.took < MS(900));
    probe_fini(&hang);
    probe_fini(&storm);
    fixture_close(&f);
}

/* A call that brings limits is held to those, each of them, and its neighbours to the service's. */
static void a_call_s_own_limits_hold(void)
{
    struct upstream_options options = options_quick();
    struct upstream_limits own = options.limits;
    struct probe usual = { 0 }, other = { 0 };

    own.attempts_max = 2;
    own.first_byte_timeout = MS(40);
    FIXTURE(f, &options, { .pieces = { NULL }, .end = HANG });
    probe_start(&f, &usual);
    f.request.limits = &own;
    probe_start(&f, &other);
    fixture_run(&f);
    CHECK_ERR(usual.call.result, PROVIDER_FIRST_BYTE);
    CHECK_INT(usual.call.attempts, 3);
    CHECK(usual.call.took >= 3 * MS(249));
    CHECK_ERR(other.call.result, PROVIDER_FIRST_BYTE);
    CHECK_INT(other.call.attempts, 2);
    CHECK(other.call.took >= 2 * MS(39) && other.call.took < usual.call.took);
    probe_fini(&usual);
    probe_fini(&other);
    fixture_close(&f);
}

static void a_call_s_own_sizes_hold(void)
{
    struct upstream_options options = options_quick();
    struct upstream_limits small = options.limits, stalls = options.limits;
    struct probe usual = { 0 }, other = { 0 }, third = { 0 };

    small.answer_bytes_max = 4;
    stalls.idle_timeout = MS(20);
    stalls.attempts_max = 1;
    FIXTURE(f, &options, { .pieces = { JSON_OK, "{\"a\":1}" }, .pause_ms = 100 });
    probe_start(&f, &usual);
    f.request.limits = &small;
    probe_start(&f, &other);
    f.request.limits = &stalls;
    probe_start(&f, &third);
    fixture_run(&f);
    CHECK_ERR(usual.call.result, OK);
    CHECK_ERR(other.call.result, PROVIDER_GARBAGE);
    CHECK_ERR(third.call.result, PROVIDER_STALLED);
    probe_fini(&usual);
    probe_fini(&other);
    probe_fini(&third);
    fixture_close(&f);
}

static void deadline_in_mid_stream(void)
{
    struct upstream_options options = options_quick();
    struct probe p = { 0 }, past = { 0 };
    FIXTURE(f, &options,
            { .pieces = { SSE "1\r\na\r\n", "1\r\nb\r\n", "1\r\nc\r\n", "1\r\nd\r\n" },
              .pause_ms = 60 });

    f.request.wants_stream = true;
    f.request.deadline = world_now(f.world) + MS(150);
    probe_start(&f, &p);
    f.request.deadline = world_now(f.world);
    probe_start(&f, &past);
    fixture_run(&f);
    CHECK_ERR(p.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(p.call.http_status, 200);
    CHECK(p.datas >= 1);
    CHECK_INT(p.call.attempts, 1);
    CHECK_ERR(past.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(past.call.attempts, 0);
    probe_fini(&p);
    probe_fini(&past);
    fixture_close(&f);
}

#define SIZED(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"

static void limits_answers(void)
{
    static const struct {
        struct reply reply;
        bool is_streamed;
        enum err result;
        int attempts;
        size_t kept;
    } rows[] = {
        { { .pieces = { SIZED(100000) }, .filler = 100000 }, false, OK, 1, 100000 },
        { { .pieces = { SIZED(100001) }, .filler = 100001 }, false, PROVIDER_GARBAGE, 1, 0 },
        { { .pieces = { SIZED(100000) }, .filler = 100000 }, true, OK, 1, 100000 },
        { { .pieces = { SIZED(100001) }, .filler = 100001 }, true, PROVIDER_GARBAGE, 1, 0 },
        { { .pieces = { "HTTP/1.1 400 No\r\n\r\n" }, .filler = 100001, .end = CUT },
          true,
          PROVIDER_REJECTED,
          1,
          65536 },
        { { .pieces = { "HTTP/1.1 500 No\r\n\r\n" }, .filler = 65536, .end = CUT },
          false,
          PROVIDER_FAILED,
          3,
          65536 },
    };
    struct upstream_options options = options_quick();

    options.limits.answer_bytes_max = 100000;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct probe p = { 0 };
        struct fixture f;
        fixture_open(&f, &options, &rows[i].reply, 1);
        f.request.wants_stream = rows[i].is_streamed;
        probe_start(&f, &p);
        fixture_run(&f);
        CHECK_ERR(p.call.result, rows[i].result);
        CHECK_INT(p.call.attempts, rows[i].attempts);
        if (rows[i].kept > 0)
            CHECK_INT(p.datas > 0 ? p.data.len : p.call.body.len, rows[i].kept);
        CHECK(p.data.len + p.call.body.len <= options.limits.answer_bytes_max);
        probe_fini(&p);
        fixture_close(&f);
    }
}

static void many_at_once(struct fixture *f, size_t n)
{
    struct probe *probes = calloc(n, sizeof(*probes));

    REQUIRE(probes);
    for (size_t i = 0; i < n; i++) {
        probes[i].repeat = 2;
        probe_start(f, &probes[i]);
    }
    fixture_run(f);
    for (size_t i = 0; i < n; i++) {
        CHECK_ERR(probes[i].call.result, OK);
        CHECK_INT(probes[i].call.attempts, 1);
        CHECK_INT(probes[i].dones, 3);
        CHECK_STR(buf_str(&probes[i].call.body), STR("{\"a\":1}"));
        probe_fini(&probes[i]);
    }
    free(probes);
    CHECK_INT(f->server.requests, 3 * n);
}

static void three_hundred_at_once(void)
{
    struct upstream_options options = options_quick();
    FIXTURE(f, &options, { .pieces = { JSON_OK, "{\"a\":1}" }, .pause_ms = 20 });

    options.limits.first_byte_timeout = options.limits.idle_timeout = 5 * NSEC_PER_SEC;
    many_at_once(&f, 300);
    CHECK(f.server.open_peak >= 250);
    CHECK(f.server.connections <= 310); /* and then they are kept */
    fixture_close(&f);
}

static void waits_for_a_connection(void)
{
    struct upstream_options options = options_quick();
    options.connections_max = 3;
    FIXTURE(f, &options, { .pieces = { JSON_OK "{\"a\":1}" }, .pause_ms = 5 });

    many_at_once(&f, 40);
    CHECK_INT(f.server.connections, 3);
    fixture_close(&f);
}

static void overloaded_while_waiting(void)
{
    struct upstream_options options = options_quick();
    struct probe first = { 0 }, second = { 0 }, third = { 0 };
    options.connections_max = 1;
    options.limits.attempts_max = 1;
    FIXTURE(f, &options, { .pieces = { NULL }, .end = HANG }, OK_REPLY);

    probe_start(&f, &first);
    f.request.deadline = world_now(f.world) + MS(60);
    probe_start(&f, &second);
    f.request.deadline = world_now(f.world) + MS(9000);
    probe_start(&f, &third);
    fixture_run(&f);
    CHECK_ERR(first.call.result, PROVIDER_FIRST_BYTE);
    CHECK_ERR(second.call.result, WEIR_OVERLOADED);
    CHECK_INT(second.call.attempts, 0);
    CHECK_ERR(third.call.result, OK);
    probe_fini(&first);
    probe_fini(&second);
    probe_fini(&third);
    fixture_close(&f);
}

/* ---- cancelling ---- */

static void stop_soon(struct timer *timer)
{
    world_stop(CONTAINER_OF(timer, struct fixture, timer)->world);
}

static void cancel_all(struct fixture *f)
{
    f->cancelled_at = world_now_exact();
    for (struct probe *p = f->probes; p->f; p++)
        upstream_cancel(&p->call);
    timer_start(f->world, &f->timer, MS(80), stop_soon);
}

static void cancel_by_timer(struct timer *timer)
{
    cancel_all(CONTAINER_OF(timer, struct fixture, timer));
}

static void cancel_by_probe(struct probe *p)
{
    cancel_all(p->f);
}

static void cancel_closes_at_once(void)
{
    const struct upstream_options options = options_quick();
    static const struct reply replies[] = {
        { .pieces = { NULL }, .end = HANG },
        { .pieces = { SSE "1\r\na\r\n" }, .end = HANG },
        { .pieces = { JSON_OK "{" }, .end = HANG },
    };

    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        for (int is_streamed = 0; is_streamed < 2; is_streamed++) {
            struct probe probes[2] = { 0 };
            struct fixture f;
            fixture_open(&f, &options, &replies[i], 1);
            f.probes = probes;
            f.request.wants_stream = is_streamed;
            probe_start(&f, &probes[0]);
            timer_start(f.world, &f.timer, MS(60), cancel_by_timer);
            fixture_run(&f);
            CHECK_INT(probes[0].dones, 0);
            CHECK_INT(f.server.requests, 1);
            nsec closed = script_closed_by_client(&f.server);
            CHECK(closed > 0 && closed - f.cancelled_at < MS(50));
            probe_fini(&probes[0]);
            fixture_close(&f);
        }
    }
}

/* Of two calls in flight, the first that gets data cancels both: its own, and one in the same shard. */
static void cancels_inside_callbacks(void)
{
    const struct upstream_options options = options_quick();

    for (int in_head = 0; in_head < 2; in_head++) {
        struct probe probes[3] = { 0 };
        FIXTURE(f, &options, { .pieces = { SSE "1\r\na\r\n1\r\nb\r\n" }, .end = HANG });
        f.probes = probes;
        f.request.wants_stream = true;
        for (int i = 0; i < 2; i++) {
            probes[i].in_head = in_head ? cancel_by_probe : NULL;
            probes[i].in_data = cancel_by_probe;
            probe_start(&f, &probes[i]);
        }
        fixture_run(&f);
        CHECK_INT(probes[0].dones + probes[1].dones, 0);
        CHECK_INT(probes[0].heads + probes[1].heads, 1);
        CHECK_INT(probes[0].datas + probes[1].datas, in_head ? 0 : 1);
        nsec closed = script_closed_by_client(&f.server);
        CHECK(closed > 0 && closed - f.cancelled_at < MS(50));
        probe_fini(&probes[0]);
        probe_fini(&probes[1]);
        fixture_close(&f);
    }
}

static void free_in_callback(struct probe *p)
{
    struct fixture *f = p->f;

    probe_fini(p);
    free(p);
    if (--f->pending == 0)
        world_stop(f->world);
}

/* The owner may free a call in a callback, also when the whole answer has come: nothing touches it then. */
static void frees_inside_callbacks(void)
{
    const struct upstream_options options = options_quick();

    for (int in_head = 0; in_head < 2; in_head++) {
        for (int is_streamed = in_head ? 0 : 1; is_streamed < 2; is_streamed++) {
            FIXTURE(f, &options, OK_REPLY);
            f.request.wants_stream = is_streamed;
            for (int i = 0; i < 5; i++) {
                struct probe *p = calloc(1, sizeof(*p));
                REQUIRE(p);
                p->in_head = in_head ? free_in_callback : NULL;
                p->in_data = in_head ? NULL : free_in_callback;
                probe_start(&f, p);
            }
            fixture_run(&f);
            fixture_close(&f);
        }
    }
}

static void start_other(struct probe *p)
{
    struct probe *other = p + 1;

    if (!other->f && p->f->probes)
        probe_start(p->f, other);
}

static void starts_inside_callbacks(void)
{
    const struct upstream_options options = options_quick();
    struct probe probes[2] = { { .in_data = start_other } };
    FIXTURE(f, &options, { .pieces = { SSE "1\r\na\r\n", "1\r\nb\r\n0\r\n\r\n" }, .pause_ms = 10 });

    f.probes = probes;
    f.request.wants_stream = true;
    probe_start(&f, &probes[0]);
    fixture_run(&f);
    for (int i = 0; i < 2; i++) {
        CHECK_ERR(probes[i].call.result, OK);
        CHECK_STR(buf_str(&probes[i].data), STR("ab"));
        probe_fini(&probes[i]);
    }
    CHECK_INT(f.server.connections, 2);
    fixture_close(&f);
}

/* Cancelled before its first turn, in a backoff, while waiting for a connection, and when it never started. */
static void cancels_without_a_connection(void)
{
    struct upstream_options options = options_quick();
    struct probe probes[4] = { 0 }, never = { 0 };
    options.connections_max = 1;
    FIXTURE(f, &options, { .pieces = { "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\n" EMPTY } },
            { .pieces = { NULL }, .end = HANG });

    f.probes = probes;
    for (int i = 0; i < 3; i++)
        probe_start(&f, &probes[i]);
    upstream_cancel(&probes[1].call);
    upstream_cancel(&probes[1].call);
    f.request.deadline = NSEC_NEVER;
    probe_start(&f, &probes[1]);
    timer_start(f.world, &f.timer, MS(100), cancel_by_timer);
    fixture_run(&f);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(probes[i].dones, 0);
        probe_fini(&probes[i]);
    }
    probe_fini(&never);
    fixture_close(&f);
}

TESTS(TEST(deadline_over_all_attempts), TEST(a_call_s_own_limits_hold),
      TEST(a_call_s_own_sizes_hold), TEST(deadline_in_mid_stream), TEST(limits_answers),
      TEST(three_hundred_at_once), TEST(waits_for_a_connection), TEST(overloaded_while_waiting),
      TEST(cancel_closes_at_once), TEST(cancels_inside_callbacks), TEST(frees_inside_callbacks),
      TEST(starts_inside_callbacks), TEST(cancels_without_a_connection))
