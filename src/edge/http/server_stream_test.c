/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the server over loopback: streamed answers, slow readers, clients that leave, draining. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/check.h"

#include "edge/http/server_fixture.h"

/* ---- streams ---- */

static void script_stream(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("0\r\n\r\n"), &heard);
    CHECK(holds(&heard, "\r\nTransfer-Encoding: chunked\r\n"));
    CHECK(str_ends(buf_str(&heard), STR("\r\n\r\nb\r\ndata: one\n\n\r\n0\r\n\r\n")));
    buf_reset(&heard);
    say(fd, STR("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("\r\n\r\n"), &heard); /* the head does not wait for the first bytes */
    hear(fd, STR("0\r\n\r\n"), &heard);
    CHECK_INT(count_of(&heard, "4\r\ntick\r\n"), 3);
    buf_fini(&heard);
}

static void streams_what_a_turn_writes_as_one_chunk(void)
{
    CHECK(play(script_stream));
}

static void script_flood(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n"));
    usleep(50000); /* the server fills the socket and must wait */
    hear(fd, STR("\r\n0\r\n\r\n"), &heard);
    size_t pieces = (FLOOD_BYTES + PIECE_BYTES - 1) / PIECE_BYTES;
    CHECK_INT(count_of(&heard, "p"), pieces + 2); /* one in each, two in Content-Type: text/plain */
    buf_reset(&heard);
    say(fd, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("[] ()"), &heard);
    buf_fini(&heard);
}

static void makes_the_owner_wait_for_a_slow_reader(void)
{
    CHECK(play(script_flood));
    CHECK(f.sees_slow);
    CHECK(f.drained > 0);
    CHECK_INT(f.gone, 0);
}

static void script_large_answer(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    usleep(20000);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "Content-Length: 8388608\r\n"));
    size_t head = str_find(buf_str(&heard), STR("\r\n\r\n"));
    CHECK_INT(heard.len - head - 4, FLOOD_BYTES);
    buf_fini(&heard);
}

static void queues_a_large_answer(void)
{
    CHECK(play(script_large_answer));
}

static void script_never_reads(int fd)
{
    say(fd, STR("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 2000 && atomic_load(&f.gone) == 0; i++)
        usleep(5000);
}

static void a_client_that_takes_nothing_is_gone(void)
{
    struct server_options options = options_default();

    options.limits.write_timeout = 50 * NSEC_PER_MS;
    CHECK(play_with(&options, script_never_reads));
    CHECK_INT(f.gone, 1);
}

static void script_cut(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR(""), &heard);
    CHECK(str_ends(buf_str(&heard), STR("4\r\npart\r\n")));
    CHECK_INT(count_of(&heard, "0\r\n\r\n"), 0);
    int old = client_connect(), other = client_connect();
    char text[4096];
    ssize_t n;
    say(old, STR("GET /cut HTTP/1.0\r\n\r\n"));
    do {
        n = recv(old, text, sizeof(text), 0);
    } while (n > 0);
    CHECK_INT(n, -1); /* reset: an end would say that the answer is whole */
    buf_reset(&heard);
    say(other, STR("GET /abort HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(other, STR(""), &heard);
    CHECK_INT(heard.len, 0);
    close(old);
    close(other);
    buf_fini(&heard);
}

static void an_aborted_answer_is_seen_to_be_incomplete(void)
{
    CHECK(play(script_cut));
}

/* ---- the client leaves, the server leaves ---- */

static void gone_wait(int want)
{
    for (int i = 0; i < 2000 && atomic_load(&f.gone) < want; i++)
        usleep(1000);
}

static void script_leave(int fd)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    int other = client_connect();

    say(fd, STR("POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"));
    while (atomic_load(&f.requests) < 1)
        usleep(1000);
    shutdown(fd, SHUT_RDWR);
    gone_wait(1);
    say(other, STR("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (atomic_load(&f.requests) < 2)
        usleep(1000);
    setsockopt(other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(other);
    gone_wait(2);
}

static void tells_the_owner_that_the_client_left(void)
{
    CHECK(play(script_leave));
    CHECK_INT(f.gone, 2);
    CHECK(!f.held);
}

/* Asked for by an owner that does not watch, an answer still goes to a client that only half left. */
static void script_half_close(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    shutdown(fd, SHUT_WR);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "GET /later"));
    buf_fini(&heard);
}

static void answers_a_half_closed_client(void)
{
    CHECK(play(script_half_close));
}

static void script_drain(int fd)
{
    struct buf heard = { 0 };
    int idle = client_connect();

    say(idle, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(idle, STR("[] ()"), &heard);
    say(fd, STR("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (atomic_load(&f.requests) < 2)
        usleep(1000);
    world_post_remote(f.world, &f.drain);
    CHECK(is_closed(idle));
    buf_reset(&heard);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    CHECK(holds(&heard, "GET /later"));
    close(idle);
    buf_fini(&heard);
}

static void drains(void)
{
    CHECK(play(script_drain));
}

static void script_nothing(int fd)
{
    int open_fds[4];

    for (size_t i = 0; i < ARRAY_LEN(open_fds); i++)
        open_fds[i] = client_connect();
    say(open_fds[0], STR("GET / HT"));
    say(open_fds[1], STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"));
    say(open_fds[2], STR("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, STR("GET / HTTP/1.1\n"));
    while (atomic_load(&f.requests) < 1)
        usleep(1000);
    for (size_t i = 0; i < ARRAY_LEN(open_fds); i++)
        close(open_fds[i]);
}

static void closes_with_connections_in_every_state(void)
{
    CHECK(play(script_nothing));
}

TESTS(TEST(streams_what_a_turn_writes_as_one_chunk), TEST(makes_the_owner_wait_for_a_slow_reader),
      TEST(queues_a_large_answer), TEST(a_client_that_takes_nothing_is_gone),
      TEST(an_aborted_answer_is_seen_to_be_incomplete), TEST(tells_the_owner_that_the_client_left),
      TEST(answers_a_half_closed_client), TEST(drains),
      TEST(closes_with_connections_in_every_state))
