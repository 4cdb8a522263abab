/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes by themselves, and calls with several keys and breakers against a provider that plays a script. */
#include "edge/upstream/lanes.h"

#include "edge/upstream/fixture_test.h"

#define STATUS(line)                                                                               \
    {                                                                                              \
        .pieces = { "HTTP/1.1 " line "\r\n" EMPTY }                                                \
    }

struct rig {
    struct lanes *lanes;
    struct upstream_key keys[2];
    struct upstream_options options;
};

static struct lane *lane_made(struct lanes *l, const char *model, unsigned key, uint64_t identity)
{
    return lanes_find(l, &(struct lane_name){ STR("p"), str_from(model), key, identity });
}

static void rig_open(struct rig *rig, int attempts_max, int failures)
{
    *rig = (struct rig){ .options = options_quick() };
    if (lanes_open(&rig->lanes) != OK)
        abort();
    rig->keys[0] = (struct upstream_key){ STR("Bearer keyA"), lane_made(rig->lanes, "m", 1, 1) };
    rig->keys[1] = (struct upstream_key){ STR("Bearer keyB"), lane_made(rig->lanes, "m", 2, 2) };
    rig->options.limits.attempts_max = attempts_max;
    rig->options.limits.breaker = (struct breaker_options){ .failures = failures,
                                                            .pause = NSEC_NEVER / 2,
                                                            .pause_max = NSEC_NEVER / 2 };
}

/* One call to its end; what came of it stays in the probe. */
static void rig_call(struct rig *rig, struct fixture *f, struct probe *p, size_t key_count)
{
    f->request.keys = rig->keys;
    f->request.key_count = key_count;
    probe_start(f, p);
    fixture_run(f);
}

static void the_next_key_is_used_at_once(void)
{
    struct rig rig;
    struct probe p = { 0 };

    rig_open(&rig, 1, 0); /* no retry */
    FIXTURE(f, &rig.options, STATUS("401 Unauthorized"), OK_REPLY);
    rig_call(&rig, &f, &p, 2);
    CHECK_ERR(p.call.result, OK);
    CHECK_INT(p.call.attempts, 2);
    CHECK_INT(p.call.key_walks, 1);
    CHECK(str_find(buf_str(&f.server.last_request), STR("Bearer keyB\r\n")) != STR_NPOS);
    CHECK(lane_is_resting(rig.keys[0].lane, world_now(f.world)));
    CHECK(!lane_is_resting(rig.keys[1].lane, world_now(f.world)));
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

static void a_key_that_rests_comes_last(void)
{
    struct rig rig;
    struct probe p = { 0 };

    rig_open(&rig, 1, 0);
    FIXTURE(f, &rig.options, STATUS("401 Unauthorized"), OK_REPLY);
    lane_rest(rig.keys[0].lane, NSEC_NEVER);
    rig_call(&rig, &f, &p,
             2); /* the second one is refused, so that the first is used all the same */
    CHECK_ERR(p.call.result, OK);
    CHECK_INT(p.call.attempts, 2);
    CHECK(str_find(buf_str(&f.server.last_request), STR("Bearer keyA\r\n")) != STR_NPOS);
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

static void every_key_is_refused_once(void)
{
    struct rig rig;
    struct probe p = { 0 };

    rig_open(&rig, 3, 0);
    FIXTURE(f, &rig.options, STATUS("403 Forbidden"));
    rig_call(&rig, &f, &p, 2);
    CHECK_ERR(p.call.result, PROVIDER_AUTH);
    CHECK_INT(p.call.attempts, 2);
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

/* The walk is apart from the retries: with one of those, both keys are limited once before it and one is used after it. */
static void a_walk_is_no_retry(void)
{
    struct rig rig;
    struct probe p = { 0 };

    rig_open(&rig, 2, 0);
    FIXTURE(f, &rig.options, STATUS("429 Slow"), STATUS("429 Slow"), OK_REPLY);
    rig_call(&rig, &f, &p, 2);
    CHECK_ERR(p.call.result, OK);
    CHECK_INT(p.call.attempts, 3);
    CHECK_INT(p.call.key_walks, 1);
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

static void one_key_does_not_rest(void)
{
    struct rig rig;
    struct probe p = { 0 };

    rig_open(&rig, 2, 0);
    FIXTURE(f, &rig.options, STATUS("429 Slow"), OK_REPLY);
    rig_call(&rig, &f, &p, 1);
    CHECK_ERR(p.call.result, OK);
    CHECK(!lane_is_resting(rig.keys[0].lane, world_now(f.world)));
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

/* An attempt that is refused leaves the fault that came before. */
static void an_open_breaker_ends_a_call(void)
{
    struct rig rig;
    struct probe p = { 0 };

    rig_open(&rig, 5, 2);
    FIXTURE(f, &rig.options, STATUS("503 Busy"));
    rig_call(&rig, &f, &p, 1);
    CHECK_ERR(p.call.result, PROVIDER_OVERLOADED);
    CHECK_INT(p.call.attempts, 2);
    CHECK_INT(f.server.requests, 2);
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

static void an_open_breaker_begins_none(void)
{
    struct rig rig;
    struct probe p = { .repeat = 1 };

    rig_open(&rig, 1, 1);
    FIXTURE(f, &rig.options, STATUS("503 Busy"));
    rig_call(&rig, &f, &p, 1); /* twice */
    CHECK_INT(p.dones, 2);
    CHECK_ERR(p.call.result, PROVIDER_RESTING);
    CHECK_INT(p.call.attempts, 0);
    CHECK_INT(p.call.http_status, 0);
    CHECK_INT(f.server.requests, 1);
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

/* Where one key's lane is left alone the other key's is used. */
static void a_lane_of_its_own_for_each_key(void)
{
    struct rig rig;
    struct probe p = { 0 };
    struct breaker_ticket ticket;

    rig_open(&rig, 1, 1);
    CHECK(lane_admit(rig.keys[0].lane, &rig.options.limits.breaker, 1, true, &ticket));
    lane_note(rig.keys[0].lane, &rig.options.limits.breaker, 1, ticket, true);
    FIXTURE(f, &rig.options, OK_REPLY);
    rig_call(&rig, &f, &p, 2);
    CHECK_ERR(p.call.result, OK);
    CHECK(str_find(buf_str(&f.server.last_request), STR("Bearer keyB\r\n")) != STR_NPOS);
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

/* The score that each answer leaves behind a fault: 0 where it says that the provider is well, 1 where it says nothing, 2. */
static void what_an_answer_says_of_the_provider(void)
{
    static const struct {
        const char *head;
        const char *score;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\n" EMPTY, "\"score\":0" },
        { "HTTP/1.1 400 Bad\r\n" EMPTY, "\"score\":0" },
        { "HTTP/1.1 404 None\r\n" EMPTY, "\"score\":0" },
        { "HTTP/1.1 401 Who\r\n" EMPTY, "\"score\":1" },
        { "HTTP/1.1 429 Slow\r\n" EMPTY, "\"score\":1" },
        { "HTTP/1.1 500 Sorry\r\n" EMPTY, "\"score\":2" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "\"score\":2" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig rig;
        struct probe p = { 0 };
        struct buf text = { 0 };
        struct breaker_ticket ticket;
        rig_open(&rig, 1, 100);
        CHECK(lane_admit(rig.keys[0].lane, &rig.options.limits.breaker, 1, true, &ticket));
        lane_note(rig.keys[0].lane, &rig.options.limits.breaker, 1, ticket, true);
        const struct reply replies[] = { { .pieces = { rows[i].head }, .end = CUT } };
        struct fixture f;
        fixture_open(&f, &rig.options, replies, 1);
        rig_call(&rig, &f, &p, 1);
        lanes_write(rig.lanes, world_now(f.world), &text);
        CHECK(str_find(buf_str(&text), str_from(rows[i].score)) != STR_NPOS);
        buf_fini(&text);
        probe_fini(&p);
        fixture_close(&f);
        lanes_close(rig.lanes);
    }
}

static void cancel_by_timer(struct timer *timer)
{
    struct fixture *f = CONTAINER_OF(timer, struct fixture, timer);

    upstream_cancel(&f->probes[0].call);
    world_stop(f->world);
}

/* A probe whose client leaves makes room for the next one. */
static void a_cancelled_probe_is_given_back(void)
{
    struct rig rig;
    struct probe p = { 0 };
    struct breaker_ticket ticket;

    rig_open(&rig, 1, 1);
    rig.options.limits.breaker.pause = 1;
    const struct breaker_options *breaker = &rig.options.limits.breaker;
    CHECK(lane_admit(rig.keys[0].lane, breaker, 1, true, &ticket));
    lane_note(rig.keys[0].lane, breaker, 1, ticket, true); /* open for a nanosecond */
    FIXTURE(f, &rig.options, { .pieces = { NULL }, .end = HANG });
    f.probes = &p;
    timer_start(f.world, &f.timer, MS(50), cancel_by_timer);
    rig_call(&rig, &f, &p, 1);
    CHECK_INT(p.dones, 0);
    CHECK(lane_admit(rig.keys[0].lane, breaker, world_now(f.world), true, &ticket));
    CHECK(!lane_admit(rig.keys[0].lane, breaker, world_now(f.world), true, &ticket));
    probe_fini(&p);
    fixture_close(&f);
    lanes_close(rig.lanes);
}

/* ---- answers that are no use ---- */

static enum err refuse_data(struct upstream_call *call, str bytes)
{
    (void)call;
    (void)bytes;
    return PROVIDER_FAILED;
}

static enum err refuse_given_data(struct upstream_call *call, str bytes)
{
    call->is_given = true;
    return refuse_data(call, bytes);
}

static enum err refuse_answer(struct upstream_call *call)
{
    (void)call;
    return PROVIDER_GARBAGE;
}

static void refused_data(enum err (*on_data_of_it)(struct upstream_call *call, str bytes),
                         int attempts)
{
    struct upstream_options options = options_quick();
    struct probe p = { 0 };

    FIXTURE(f, &options, { .pieces = { SSE "5\r\nhello\r\n" } });
    f.request.wants_stream = true;
    probe_start(&f, &p);
    p.call.on_data = on_data_of_it;
    fixture_run(&f);
    CHECK_ERR(p.call.result, PROVIDER_FAILED);
    CHECK_INT(p.call.attempts, attempts);
    CHECK_INT(p.heads, attempts); /* one an attempt */
    probe_fini(&p);
    fixture_close(&f);
}

static void what_the_owner_refuses_is_tried_again(void)
{
    refused_data(refuse_data, 3);
}

static void unless_it_gave_some_away(void)
{
    refused_data(refuse_given_data, 1);
}

static void an_answer_that_makes_no_sense_is_tried_again(void)
{
    struct upstream_options options = options_quick();
    struct probe p = { 0 };

    FIXTURE(f, &options, OK_REPLY);
    p.call.on_answer = refuse_answer;
    probe_start(&f, &p);
    fixture_run(&f);
    CHECK_ERR(p.call.result, PROVIDER_GARBAGE);
    CHECK_INT(p.call.attempts, 3);
    CHECK_INT(p.call.http_status, 200);
    probe_fini(&p);
    fixture_close(&f);
}

static void a_call_has_a_time_of_its_own(void)
{
    struct upstream_options options = options_quick();
    struct probe p = { 0 };

    options.limits.total_timeout = MS(60);
    FIXTURE(f, &options, { .pieces = { NULL }, .end = HANG });
    probe_start(&f, &p);
    fixture_run(&f);
    CHECK_ERR(p.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(p.call.attempts, 1);
    probe_fini(&p);
    fixture_close(&f);
}

static void a_wait_that_is_too_long_is_not_begun(void)
{
    struct upstream_options options = options_quick();
    struct probe p = { 0 };

    options.limits.wait_max = MS(900);
    FIXTURE(f, &options, { .pieces = { "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n" EMPTY } });
    probe_start(&f, &p);
    fixture_run(&f);
    CHECK_ERR(p.call.result, PROVIDER_RATE_LIMITED);
    CHECK_INT(p.call.attempts, 1);
    probe_fini(&p);
    fixture_close(&f);
}

/* ---- lanes ---- */

static void who_has_the_same_identity_shares_a_lane(void)
{
    struct lanes *l = NULL;

    CHECK_ERR(lanes_open(&l), OK);
    struct lane *one = lane_made(l, "m", 1, 7);
    CHECK(one != NULL);
    CHECK(lane_made(l, "m", 1, 7) == one);
    CHECK(lane_made(l, "m", 1, 8) != one);
    for (uint64_t i = 9; i < 9 + LANES_MAX - 2; i++)
        CHECK(lane_made(l, "m", 1, i) != NULL);
    CHECK(lane_made(l, "m", 1, 9 + LANES_MAX) == NULL);
    CHECK(lane_made(l, "m", 1, 7) == one);
    struct breaker_ticket ticket;
    const struct breaker_options options = { .failures = 1 };
    CHECK(lane_admit(NULL, &options, 0, true, &ticket)); /* without a lane nobody is refused */
    CHECK(!lane_is_resting(NULL, 0));
    lanes_close(l);
}

static void operators_are_told(void)
{
    const struct breaker_options options = { .failures = 1,
                                             .pause = 10 * NSEC_PER_SEC,
                                             .pause_max = 10 * NSEC_PER_SEC };
    struct lanes *l = NULL;
    struct buf text = { 0 };
    struct breaker_ticket ticket;

    CHECK_ERR(lanes_open(&l), OK);
    struct lane *lane = lane_made(l, "a\"b", 3, 1);
    CHECK(lane_admit(lane, &options, 0, true, &ticket));
    lane_note(lane, &options, 0, ticket, true);
    lane_rest(lane, 4 * NSEC_PER_SEC);
    lanes_write(l, 2 * NSEC_PER_SEC, &text);
    CHECK_STR(buf_str(&text),
              STR("[{\"provider\":\"p\",\"model\":\"a\\\"b\",\"key\":3,\"state\":\"open\","
                  "\"score\":1,\"opened\":1,\"probe_in_seconds\":8,\"key_rests_seconds\":2}]"));
    buf_reset(&text);
    struct metric_text format = { .format = metric_text_wanted((str){ 0 }), .out = &text };
    struct metric_sink sink = metric_text_sink(&format);
    lanes_walk(l, &sink);
    CHECK(str_find(buf_str(&text),
                   STR("\nweir_breaker_state{provider=\"p\",model=\"a\\\"b\",key=\"3\"} 1\n")) !=
          STR_NPOS);
    CHECK(
        str_find(buf_str(&text), STR("\nweir_breaker_opened_total{provider=\"p\",model=\"a\\\"b\","
                                     "key=\"3\"} 1\n")) != STR_NPOS);
    buf_fini(&text);
    lanes_close(l);
}

TESTS(TEST(the_next_key_is_used_at_once), TEST(a_key_that_rests_comes_last),
      TEST(an_open_breaker_begins_none), TEST(every_key_is_refused_once), TEST(a_walk_is_no_retry),
      TEST(one_key_does_not_rest), TEST(an_open_breaker_ends_a_call),
      TEST(a_lane_of_its_own_for_each_key), TEST(what_an_answer_says_of_the_provider),
      TEST(a_cancelled_probe_is_given_back), TEST(what_the_owner_refuses_is_tried_again),
      TEST(unless_it_gave_some_away), TEST(an_answer_that_makes_no_sense_is_tried_again),
      TEST(a_call_has_a_time_of_its_own), TEST(a_wait_that_is_too_long_is_not_begun),
      TEST(who_has_the_same_identity_shares_a_lane), TEST(operators_are_told))
