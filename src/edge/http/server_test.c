/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the server over loopback: requests, whole answers, refusals. No test asserts on how long
 * something took. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/check.h"

#include "edge/http/server_fixture.h"

/* ---- whole answers ---- */

static void script_answer(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /echo?a=b HTTP/1.1\r\nHost: a\r\nx-echo: hi\r\n\r\n"));
    hear(fd, STR("(hi)"), &heard);
    CHECK(str_starts(buf_str(&heard), STR("HTTP/1.1 200 OK\r\nServer: weir\r\nDate: ")));
    CHECK(holds(&heard, "\r\nContent-Type: text/plain\r\n"));
    CHECK(holds(&heard, "\r\nContent-Length: 22\r\n"));
    CHECK(holds(&heard, "\r\nx-test: yes\r\n"));
    CHECK(holds(&heard, "\r\n\r\nGET /echo ?a=b [] (hi)"));
    CHECK(count_of(&heard, "x-injected") == 0 && count_of(&heard, "Connection:") == 0);
    buf_fini(&heard);
}

static void answers(void)
{
    CHECK(play(script_answer));
    CHECK(str_starts(str_from(f.peer), STR("127.0.0.1:")));
}

static void script_keep_alive(int fd)
{
    for (int i = 0; i < 50; i++) {
        struct buf heard = { 0 };
        bool is_late = i % 2 == 1;
        say(fd, is_late ? STR("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
                        : STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
        hear(fd, STR("[abc] ()"), &heard);
        CHECK_INT(count_of(&heard, "HTTP/1.1 200"), 1);
        buf_fini(&heard);
    }
}

static void keeps_a_connection_for_many_requests(void)
{
    CHECK(play(script_keep_alive));
    CHECK_INT(f.requests, 50);
}

static void script_pipeline(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    for (int i = 0; i < 100; i++)
        buf_printf(&said, "POST /%s?%d HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
                   i % 10 == 3 ? "later" : "echo", i);
    buf_add(&said, STR("GET /echo?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    say(fd, buf_str(&said));
    hear(fd, STR(""), &heard);
    str rest = buf_str(&heard);
    for (int i = 0; i < 100; i++) {
        char want[24];
        snprintf(want, sizeof(want), " ?%d [ab] ()", i);
        size_t at = str_find(rest, str_from(want));
        CHECK(at != STR_NPOS);
        rest = str_slice(rest, at, rest.len);
    }
    CHECK(holds(&heard, "?last"));
    CHECK_INT(count_of(&heard, "Connection: close"), 1);
    buf_fini(&heard);
    buf_fini(&said);
}

static void answers_pipelined_requests_in_order(void)
{
    CHECK(play(script_pipeline));
    CHECK_INT(f.requests, 101);
}

/* More behind a slow request than the server buffers: it stops reading, and loses nothing. */
static void script_pipeline_large(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    buf_add(&said, STR("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 40; i++) {
        buf_printf(&said, "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n%050000d",
                   0);
    }
    buf_add(&said, STR("GET /echo?last HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, buf_str(&said));
    hear(fd, STR("?last"), &heard);
    CHECK_INT(count_of(&heard, "\r\n\r\n50000"), 40);
    buf_fini(&heard);
    buf_fini(&said);
}

static void stops_reading_behind_a_slow_request(void)
{
    CHECK(play(script_pipeline_large));
    CHECK_INT(f.requests, 42);
}

static void script_bytewise(int fd)
{
    str said = STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n"
                   "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\ndone");
    struct buf heard = { 0 };

    for (size_t i = 0; i < said.len; i++)
        say(fd, str_slice(said, i, i + 1));
    hear(fd, STR("[done]"), &heard);
    CHECK(holds(&heard, "[hello!]"));
    buf_fini(&heard);
}

static void reads_requests_that_come_byte_by_byte(void)
{
    CHECK(play(script_bytewise));
}

static void script_chunked_pipeline(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("POST /later HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nghi\r\n0\r\n\r\n"));
    hear(fd, STR("[ghi]"), &heard);
    CHECK(holds(&heard, "[abcdef]"));
    buf_fini(&heard);
}

static void decodes_chunked_requests_one_behind_the_other(void)
{
    CHECK(play(script_chunked_pipeline));
}

static void script_large_body(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    buf_printf(&said, "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n%03000000d",
               0);
    buf_add(&said, STR("GET /echo?last HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, buf_str(&said));
    hear(fd, STR("?last"), &heard);
    CHECK(holds(&heard, "\r\n\r\n3000000"));
    buf_fini(&heard);
    buf_fini(&said);
}

static void reads_large_bodies(void)
{
    CHECK(play(script_large_body));
}

static void script_continue(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                "Expect: 100-continue\r\n\r\n"));
    hear(fd, STR("\r\n\r\n"), &heard);
    CHECK_STR(buf_str(&heard), STR("HTTP/1.1 100 Continue\r\n\r\n"));
    say(fd, STR("ok"));
    hear(fd, STR("[ok]"), &heard);
    buf_reset(&heard);
    say(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                "Expect: 100-continue\r\n\r\nno"));
    hear(fd, STR("[no]"), &heard);
    CHECK_INT(count_of(&heard, "100 Continue"), 0);
    buf_fini(&heard);
}

static void asks_for_a_body_that_waits_to_be_asked_for(void)
{
    CHECK(play(script_continue));
}

static void script_http_1_0(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    hear(fd, STR("[]"), &heard);
    CHECK(holds(&heard, "\r\nConnection: keep-alive\r\n"));
    say(fd, STR("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    buf_reset(&heard);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    CHECK_INT(count_of(&heard, "Transfer-Encoding"), 0);
    CHECK(str_ends(buf_str(&heard), STR("\r\n\r\ndata: one\n\n")));
    int other = client_connect();
    say(other, STR("GET /echo HTTP/1.0\r\n\r\n"));
    buf_reset(&heard);
    hear(other, STR(""), &heard);
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    close(other);
    buf_fini(&heard);
}

static void speaks_http_1_0(void)
{
    CHECK(play(script_http_1_0));
}

static void script_bodiless(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"
                "GET /echo?last HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("?last"), &heard);
    CHECK_INT(count_of(&heard, "HTTP/1.1 20"), 4);
    CHECK_INT(count_of(&heard, "\r\n\r\nHTTP/1.1 20"), 3); /* a head directly behind a head */
    CHECK(holds(&heard, "Content-Length: 18\r\n"));
    CHECK_INT(count_of(&heard, "Content-Length"), 2); /* none with 204, none when streamed */
    buf_fini(&heard);
}

static void sends_no_body_where_none_belongs(void)
{
    CHECK(play(script_bodiless));
}

/* ---- refusals ---- */

struct refusal {
    const char *said;
    int status;
    const char *code;
};

static void check_refusal(int fd, const struct refusal *refusal)
{
    struct buf heard = { 0 };
    char status[32];

    say(fd, str_from(refusal->said));
    hear(fd, STR(""), &heard);
    snprintf(status, sizeof(status), "HTTP/1.1 %d ", refusal->status);
    CHECK(str_starts(buf_str(&heard), str_from(status)));
    CHECK(holds(&heard, refusal->code));
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    CHECK_INT(count_of(&heard, "\r\nServer: "), 1);
    buf_fini(&heard);
}

static void script_refusals(int fd)
{
    static const struct refusal refusals[] = {
        { "GET / HTTP/1.1\nHost: a\n\n", 400, "CALLER_BAD_HTTP" },
        { "GET / HTTP/1.1\r\nHost: a\r\nX-Abc: \rTransfer-Encoding: chunked\r\n\r\n", 400,
          "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
          "0\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
          400, "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
          400, "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
          400, "CALLER_BAD_HTTP" },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "CALLER_BAD_HTTP" },
        { "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413,
          "CALLER_TOO_LARGE" },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413,
          "CALLER_TOO_LARGE" },
        { "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789012345678901234567890123456789012345678901234"
          "5678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
          "01234567890123456789012345678901234567890123456789\r\n\r\n",
          431, "CALLER_HEADERS_TOO_LARGE" },
    };

    (void)fd;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        int other = client_connect();
        check_refusal(other, &refusals[i]);
        close(other);
    }
}

static void refuses_and_closes(void)
{
    struct server_options options = options_default();

    options.limits.head_bytes_max = 200;
    options.limits.body_bytes_max = 1000;
    CHECK(play_with(&options, script_refusals));
    CHECK_INT(f.requests, 0);
}

/* The answer reaches a client that is still sending its body. */
static void script_too_large(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    buf_printf(&said, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n%03000000d", 0);
    say(fd, buf_str(&said));
    hear(fd, STR(""), &heard);
    CHECK(str_starts(buf_str(&heard), STR("HTTP/1.1 413 ")));
    buf_fini(&heard);
    buf_fini(&said);
}

static void a_refusal_is_not_lost_when_the_body_is_still_coming(void)
{
    struct server_options options = options_default();

    options.limits.body_bytes_max = 1000;
    CHECK(play_with(&options, script_too_large));
    CHECK_INT(f.requests, 0);
}

static void script_slow(int fd)
{
    int body = client_connect(), chunked = client_connect();

    say(body, STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"));
    check_refusal(fd, &(struct refusal){ "GET / HT", 408, "CALLER_SLOW" });
    check_refusal(body, &(struct refusal){ "c", 408, "CALLER_SLOW" });
    check_refusal(chunked, &(struct refusal){ "POST / HTTP/1.1\r\nHost: a\r\n"
                                              "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
                                              408, "CALLER_SLOW" });
    close(body);
    close(chunked);
}

static void refuses_slow_requests(void)
{
    struct server_options options = options_default();

    options.limits.head_timeout = 30 * NSEC_PER_MS;
    options.limits.body_timeout = 60 * NSEC_PER_MS;
    CHECK(play_with(&options, script_slow));
    CHECK_INT(f.requests, 0);
}

/* Bytes that keep trickling in do not extend the time of a head. */
static void script_slow_loris(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (int i = 0; i < 200; i++) {
        char c;
        say(fd, STR("x: 1\r\n"));
        usleep(5000);
        if (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
            break;
    }
    hear(fd, STR("\r\n\r\n"), &heard);
    CHECK(str_starts(buf_str(&heard), STR("HTTP/1.1 408 ")));
    buf_fini(&heard);
}

static void a_trickle_does_not_extend_the_time_of_a_head(void)
{
    struct server_options options = options_default();

    options.limits.head_timeout = 50 * NSEC_PER_MS;
    CHECK(play_with(&options, script_slow_loris));
    CHECK_INT(f.requests, 0);
}

static void script_idle(int fd)
{
    struct buf heard = { 0 };
    int silent = client_connect();

    say(fd, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("[] ()"), &heard);
    CHECK(is_closed(fd));
    CHECK(is_closed(silent));
    close(silent);
    buf_fini(&heard);
}

static void closes_idle_connections_without_a_word(void)
{
    struct server_options options = options_default();

    options.limits.idle_timeout = 30 * NSEC_PER_MS;
    CHECK(play_with(&options, script_idle));
}

static void script_limit(int fd)
{
    struct buf heard = { 0 };
    int second = client_connect();

    say(second, STR("GET /echo?second HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, STR("GET /later?first HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("?first"), &heard);
    CHECK_INT(f.requests, 1); /* the other waits in the backlog */
    shutdown(fd, SHUT_RDWR);
    hear(second, STR("?second"), &heard);
    CHECK(holds(&heard, "?second"));
    close(second);
    buf_fini(&heard);
}

static void further_connections_wait_in_the_backlog(void)
{
    struct server_options options = options_default();

    options.limits.connections_max = 1;
    CHECK(play_with(&options, script_limit));
}

static void says_why_it_cannot_listen(void)
{
    struct server_options options = options_default();
    struct http_server *server = NULL;
    struct world *world;
    char why[160] = "";

    REQUIRE(world_open(&world) == OK);
    options.listen = STR("somewhere");
    CHECK_ERR(server_open(&server, world, &options, why), WEIR_IO);
    CHECK(!server && strstr(why, "somewhere"));
    server_close(NULL);
    world_close(world);
}

TESTS(TEST(answers), TEST(keeps_a_connection_for_many_requests),
      TEST(answers_pipelined_requests_in_order), TEST(stops_reading_behind_a_slow_request),
      TEST(reads_requests_that_come_byte_by_byte),
      TEST(decodes_chunked_requests_one_behind_the_other), TEST(reads_large_bodies),
      TEST(asks_for_a_body_that_waits_to_be_asked_for), TEST(speaks_http_1_0),
      TEST(sends_no_body_where_none_belongs), TEST(refuses_and_closes),
      TEST(a_refusal_is_not_lost_when_the_body_is_still_coming), TEST(refuses_slow_requests),
      TEST(a_trickle_does_not_extend_the_time_of_a_head),
      TEST(closes_idle_connections_without_a_word), TEST(further_connections_wait_in_the_backlog),
      TEST(says_why_it_cannot_listen))
