/* SPDX-License-Identifier: Apache-2.0 */
/* notify's tests: the schedule as a function, one attempt's bytes, and threads against a scripted service on loopback. */
#include "edge/notify/notify.h"

#include <stdio.h>
#include <string.h>

#include "edge/notify/schedule.h"
#include "edge/store/control.h"
#include "edge/upstream/post.h"
#include "edge/upstream/script_server.h"
#include "edge/world/log.h"

#define SEC(n) (INT64_C(1000000) * (n))
#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZg==" /* 0123456789abcdef */

/* ---- the schedule ---- */

static void webhooks_follow_the_standard_s_schedule(void)
{
    static const usec_utc waits[] = {
        SEC(5), SEC(300), SEC(1800), SEC(7200), SEC(18000), SEC(36000)
    };
    struct outbox_message m = { .created = 0 };
    struct rng rng;

    rng_init(&rng, 1);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        schedule_next(&m, WIRE_WEBHOOK, WIRE_RETRY, -1, SEC(1000), &rng);
        CHECK_INT(m.state, OUTBOX_PENDING);
        CHECK_INT(m.due, SEC(1000) + waits[i]);
    }
    schedule_next(&m, WIRE_WEBHOOK, WIRE_RETRY, -1, SEC(1000), &rng);
    CHECK_INT(m.state, OUTBOX_DEAD);
    CHECK_INT(m.attempts, 7);
}

static void others_back_off_with_jitter_for_three_days(void)
{
    struct outbox_message m = { .created = 0 };
    struct rng rng;
    usec_utc now = 0, first_wait = 0;
    bool differs = false;

    rng_init(&rng, 2);
    while (m.state == OUTBOX_PENDING && m.attempts < 10000) {
        schedule_next(&m, WIRE_SLACK, WIRE_RETRY, -1, now, &rng);
        if (m.state != OUTBOX_PENDING)
            break;
        usec_utc wait = m.due - now;
        CHECK(wait >= SEC(5) / 2 && wait <= SEC(600));
        if (m.attempts == 1)
            CHECK(wait <= SEC(5));
        if (m.attempts > 8)
            CHECK(wait >= SEC(300));
        if (m.attempts == 9)
            first_wait = wait;
        differs = differs || (m.attempts > 9 && wait != first_wait);
        now = m.due;
    }
    CHECK(differs);
    CHECK_INT(m.state, OUTBOX_DEAD);
    CHECK(now >= SEC(3 * 86400) && now <= SEC(3 * 86400 + 600));
}

static void what_a_service_asks_for_is_honoured_within_reason(void)
{
    struct outbox_message m = { .created = 0 };
    struct rng rng;

    rng_init(&rng, 3);
    schedule_next(&m, WIRE_SLACK, WIRE_RETRY, 30 * NSEC_PER_SEC, 0, &rng);
    CHECK_INT(m.due, SEC(30));
    schedule_next(&m, WIRE_SLACK, WIRE_RETRY, 86400 * NSEC_PER_SEC, 0, &rng);
    CHECK_INT(m.due, SEC(3600));
    schedule_next(&m, WIRE_SLACK, WIRE_RETRY, 0, 0, &rng);
    CHECK(m.due >= SEC(5)); /* never sooner than our own backoff */
    schedule_next(&m, WIRE_SLACK, WIRE_DELIVERED, -1, 0, &rng);
    CHECK_INT(m.state, OUTBOX_SENT);
    m.state = OUTBOX_PENDING;
    schedule_next(&m, WIRE_PAGERDUTY, WIRE_REFUSED, -1, 0, &rng);
    CHECK_INT(m.state, OUTBOX_DEAD);
    CHECK_INT(m.attempts, 5);
}

/* ---- one attempt ---- */

static struct wire_channel loopback(enum wire_kind kind, const struct script_server *server,
                                    char url[64])
{
    snprintf(url, 64, "http://127.0.0.1:%d/x", server->port);
    return (struct wire_channel){ .name = STR("c"), .kind = kind, .url = str_from(url) };
}

static void a_webhook_is_signed_as_the_standard_says(void)
{
    static const struct reply replies[] = { { .pieces = { "HTTP/1.1 204 No Content\r\n\r\n" },
                                              .end = CUT } };
    struct script_server server;
    char url[64], why[256];
    nsec retry_after;

    script_server_start(&server, replies, ARRAY_LEN(replies));
    struct wire_channel c = loopback(WIRE_WEBHOOK, &server, url);
    c.secrets[0] =
        STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"); /* the specification's own example */
    c.secrets[1] = STR(SECRET);
    c.secret_count = 2;
    enum wire_result result =
        notify_send(&c, STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), STR("{\"test\": 2432232314}"),
                    SEC(1614265330), 5 * NSEC_PER_SEC, &retry_after, why);
    CHECK_INT(result, WIRE_DELIVERED);
    str request = buf_str(&server.last_request);
    CHECK(str_find_nocase(request, STR("webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n")) !=
          STR_NPOS);
    CHECK(str_find_nocase(request, STR("webhook-timestamp: 1614265330\r\n")) != STR_NPOS);
    CHECK(str_find_nocase(request, STR("content-type: application/json\r\n")) != STR_NPOS);
    CHECK(str_find(request, STR("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,")) !=
          STR_NPOS);
    CHECK(str_ends(request, STR("{\"test\": 2432232314}")));
    script_server_stop(&server);
}

static void refusals_and_silence_are_explained_without_secrets(void)
{
    static const struct reply replies[] = {
        { .pieces = { "HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\n\r\ninvalid\npayload" } },
        { .pieces = { "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n" } },
        { .pieces = { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
                      "0\r\n\r\n" } },
        { .pieces = { NULL }, .end = HANG },
    };
    struct script_server server;
    char url[64], why[256];
    nsec retry_after;

    script_server_start(&server, replies, ARRAY_LEN(replies));
    struct wire_channel c = loopback(WIRE_SLACK, &server, url);
    CHECK_INT(notify_send(&c, STR("k"), STR("{}"), 0, 5 * NSEC_PER_SEC, &retry_after, why),
              WIRE_REFUSED);
    CHECK_STR(str_from(why), STR("it answered 400: invalid payload"));
    CHECK_INT(notify_send(&c, STR("k"), STR("{}"), 0, 5 * NSEC_PER_SEC, &retry_after, why),
              WIRE_RETRY);
    CHECK_INT(retry_after, 7 * NSEC_PER_SEC);
    CHECK_INT(notify_send(&c, STR("k"), STR("{}"), 0, 5 * NSEC_PER_SEC, &retry_after, why),
              WIRE_RETRY);
    CHECK_STR(str_from(why), STR("it answered 302"));
    CHECK_INT(notify_send(&c, STR("k"), STR("{}"), 0, 200 * NSEC_PER_MS, &retry_after, why),
              WIRE_RETRY);
    CHECK(why[0] != '\0' && str_find(str_from(why), str_from(url)) == STR_NPOS);
    script_server_stop(&server);
    c.url = STR("http://127.0.0.1:1/x");
    CHECK_INT(notify_send(&c, STR("k"), STR("{}"), 0, NSEC_PER_SEC, &retry_after, why), WIRE_RETRY);
    CHECK(why[0] != '\0');
}

static void a_header_cannot_be_smuggled_in(void)
{
    struct wire_channel c = { .name = STR("c"),
                              .kind = WIRE_WEBHOOK,
                              .url = STR("http://127.0.0.1:1/"),
                              .secrets = { STR(SECRET) },
                              .secret_count = 1 };
    char why[256];
    nsec retry_after;

    CHECK_INT(notify_send(&c, STR("k\r\nX-Evil: 1"), STR("{}"), 0, NSEC_PER_SEC, &retry_after, why),
              WIRE_RETRY);
    CHECK(str_find(str_from(why), STR("cannot be used")) != STR_NPOS);
}

/* ---- the threads ---- */

struct post_office {
    char directory[64];
    struct control_store *store;
    char why[256];
};

static void office_open(struct post_office *o)
{
    memset(o, 0, sizeof(*o));
    snprintf(o->directory, sizeof(o->directory), "/tmp/weir-notify-XXXXXX");
    if (!mkdtemp(o->directory) ||
        control_open(&o->store, str_from(o->directory), CONTROL_WRITE, o->why) != OK)
        abort();
}

static void office_close(struct post_office *o)
{
    static const char *const names[] = { "control.db", "control.db-wal", "control.db-shm" };

    control_close(o->store);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", o->directory, names[i]);
        IGNORE(unlink(path));
    }
    CHECK_INT(rmdir(o->directory), 0);
}

static void office_put(struct post_office *o, const char *key)
{
    struct outbox_message m = {
        .key = str_from(key), .channel = STR("c"), .body = STR("{}"), .created = world_wall()
    };

    CHECK_ERR(outbox_add(o->store, &m), OK);
}

static int64_t office_count(struct post_office *o, enum outbox_state state)
{
    int64_t n = -1;

    CHECK_ERR(outbox_count(o->store, state, &n), OK);
    return n;
}

/* Patience, not a measurement: what should happen has ten seconds to. */
static bool eventually(struct post_office *o, enum outbox_state state, int64_t want)
{
    for (int i = 0; i < 2000 && office_count(o, state) != want; i++)
        usleep(5000);
    return office_count(o, state) == want;
}

static struct notify *office_notify(struct post_office *o, const struct wire_channel *channel)
{
    static const struct log quiet = { LOG_ERROR + 1, 2 };
    struct notify *n = NULL;
    struct notify_options options = { .directory = str_from(o->directory),
                                      .channels = channel,
                                      .channel_count = 1,
                                      .log = &quiet,
                                      .timeout = 5 * NSEC_PER_SEC,
                                      .interval_min = NSEC_PER_MS };

    CHECK_ERR(notify_open(&n, &options, o->why), OK);
    return n;
}

#define ANSWER_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void the_outbox_is_emptied_in_order_and_refusals_do_not_block(void)
{
    static const struct reply replies[] = {
        { .pieces = { ANSWER_OK } },
        { .pieces = { "HTTP/1.1 400 Bad\r\nContent-Length: 15\r\n\r\ninvalid_payload" } },
        { .pieces = { ANSWER_OK } },
    };
    struct script_server server;
    struct post_office o;
    char url[64];

    script_server_start(&server, replies, ARRAY_LEN(replies));
    office_open(&o);
    struct wire_channel c = loopback(WIRE_SLACK, &server, url);
    office_put(&o, "m1");
    struct notify *n = office_notify(&o, &c);
    CHECK(eventually(&o, OUTBOX_SENT, 1)); /* what was there before it started */
    office_put(&o, "m2");
    office_put(&o, "m3");
    notify_wake(n);
    CHECK(eventually(&o, OUTBOX_SENT, 2));
    CHECK_INT(office_count(&o, OUTBOX_DEAD), 1);
    CHECK_INT(server.requests, 3);
    notify_close(n);
    office_close(&o);
    script_server_stop(&server);
}

static void a_failure_keeps_its_place_across_a_restart(void)
{
    static const struct reply replies[] = {
        { .pieces = { "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n" } },
        { .pieces = { ANSWER_OK } },
    };
    struct script_server server;
    struct post_office o;
    struct outbox_message m = { 0 };
    struct buf space = { 0 };
    bool is_found = false;
    char url[64];

    script_server_start(&server, replies, ARRAY_LEN(replies));
    office_open(&o);
    struct wire_channel c = loopback(WIRE_SLACK, &server, url);
    office_put(&o, "m1");
    office_put(&o, "m2");
    struct notify *n = office_notify(&o, &c);
    for (int i = 0; i < 2000 && m.attempts == 0; i++) {
        buf_reset(&space);
        CHECK_ERR(outbox_first(o.store, STR("c"), &m, &space, &is_found), OK);
        usleep(5000);
    }
    notify_close(n);
    CHECK_INT(m.attempts, 1);
    CHECK_STR(m.key, STR("m1"));
    CHECK_STR(m.error, STR("it answered 503"));
    CHECK(m.due > m.created);
    m.due = 0;
    CHECK_ERR(outbox_update(o.store, &m), OK);
    n = office_notify(&o, &c);
    CHECK(eventually(&o, OUTBOX_SENT, 2));
    CHECK_INT(server.requests, 3);
    notify_close(n);
    buf_fini(&space);
    office_close(&o);
    script_server_stop(&server);
}

static void a_channel_that_is_gone_stops(void)
{
    static const struct reply replies[] = {
        { .pieces = { "HTTP/1.1 404 No\r\nContent-Length: 10\r\n\r\nno_service" } }
    };
    struct script_server server;
    struct post_office o;
    struct outbox_message m = { 0 };
    struct buf space = { 0 };
    bool is_found = false;
    char url[64];

    script_server_start(&server, replies, ARRAY_LEN(replies));
    office_open(&o);
    struct wire_channel c = loopback(WIRE_SLACK, &server, url);
    office_put(&o, "m1");
    office_put(&o, "m2");
    struct notify *n = office_notify(&o, &c);
    for (int i = 0; i < 2000 && m.attempts == 0; i++) {
        buf_reset(&space);
        CHECK_ERR(outbox_first(o.store, STR("c"), &m, &space, &is_found), OK);
        usleep(5000);
    }
    notify_wake(n);
    notify_close(n);
    CHECK_INT(server.requests, 1);
    CHECK_INT(office_count(&o, OUTBOX_PENDING), 2); /* nothing is thrown away */
    buf_fini(&space);
    office_close(&o);
    script_server_stop(&server);
}

int main(void)
{
    static const struct check_test tests[] = {
        TEST(webhooks_follow_the_standard_s_schedule),
        TEST(others_back_off_with_jitter_for_three_days),
        TEST(what_a_service_asks_for_is_honoured_within_reason),
        TEST(a_webhook_is_signed_as_the_standard_says),
        TEST(refusals_and_silence_are_explained_without_secrets),
        TEST(a_header_cannot_be_smuggled_in),
        TEST(the_outbox_is_emptied_in_order_and_refusals_do_not_block),
        TEST(a_failure_keeps_its_place_across_a_restart),
        TEST(a_channel_that_is_gone_stops)
    };

    if (post_init() != OK)
        return 1;
    int status = check_run(tests, ARRAY_LEN(tests));
    post_fini();
    return status;
}
