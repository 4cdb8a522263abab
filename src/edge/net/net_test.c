/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of listeners and streams on real sockets; clients are descriptors of this same thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/check.h"

#include "edge/net/net.h"
#include "edge/world/world.h"

#define ACCEPTED_MAX 8
#define FLOOD_BYTES ((size_t)4 << 20)

struct fixture {
    struct world *world;
    struct net_listener *listener;
    int accepted[ACCEPTED_MAX];
    size_t accepted_count;
    size_t stop_at; /* accepted so many: stop the loop */
    char peer[NET_PEER_BYTES];
    struct net_stream stream;
    int other; /* the stream's other end */
    struct timer timer;
    struct buf heard;
    size_t calls;
};

static struct fixture f;

static void on_accept(void *ctx, int fd, const char *peer)
{
    CHECK(ctx == &f);
    REQUIRE(f.accepted_count < ACCEPTED_MAX);
    f.accepted[f.accepted_count++] = fd;
    snprintf(f.peer, sizeof(f.peer), "%s", peer);
    if (f.accepted_count == f.stop_at)
        world_stop(f.world);
}

static enum err listen_at(str address, uint32_t accepted_max, bool reuse_port,
                          char why[NET_WHY_BYTES])
{
    struct net_listener_options options = { .address = address,
                                            .reuse_port = reuse_port,
                                            .accepted_max = accepted_max,
                                            .on_accept = on_accept,
                                            .ctx = &f };

    return net_listener_open(&f.listener, f.world, &options, why);
}

static int client_connect(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EINPROGRESS);
    return fd;
}

static void fixture_close(void)
{
    for (size_t i = 0; i < f.accepted_count; i++)
        close(f.accepted[i]);
    net_listener_close(f.listener);
    timer_cancel(f.world, &f.timer);
    world_close(f.world);
    buf_fini(&f.heard);
}

/* ---- listeners ---- */

static void knows_addresses(void)
{
    static const struct {
        const char *address;
        bool is_valid;
    } cases[] = {
        { "127.0.0.1:0", true },
        { "localhost:0", true },
        { ":0", true },
        { "0.0.0.0:0", true },
        { "", false },
        { "127.0.0.1", false },
        { "127.0.0.1:", false },
        { "127.0.0.1:x", false },
        { "127.0.0.1:65536", false },
        { "127.0.0.1:-1", false },
        { "127.0.0.256:0", false },
        { "example.org:0", false },
        { "::1:0", false },
        { "[::1:0", false },
        { "[127.0.0.1]:0", false },
        { "[]:0", false },
        { "[::1]0", false },
        { "127.0.0.1:+5", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char why[NET_WHY_BYTES] = "";
        f = (struct fixture){ 0 };
        REQUIRE(world_open(&f.world) == OK);
        enum err e = listen_at(str_from(cases[i].address), 1, false, why);
        if (e != (cases[i].is_valid ? OK : WEIR_IO))
            fprintf(stderr, "    \"%s\": %s\n", cases[i].address, why);
        CHECK_ERR(e, cases[i].is_valid ? OK : WEIR_IO);
        CHECK((e == OK) == (f.listener != NULL) && (e == OK) == (why[0] == '\0'));
        CHECK(e != OK || net_listener_port(f.listener) > 0);
        fixture_close();
    }
}

static void speaks_ip_6(void)
{
    char why[NET_WHY_BYTES] = "";

    f = (struct fixture){ 0 };
    REQUIRE(world_open(&f.world) == OK);
    enum err e = listen_at(STR("[::1]:0"), 1, false, why);
    fixture_close();
    if (e != OK)
        SKIP("this machine has no IPv6 loopback");
}

static void accepts_without_delay(void)
{
    char why[NET_WHY_BYTES] = "", peer[NET_PEER_BYTES];
    struct sockaddr_in local = { 0 };
    socklen_t size = sizeof(local);
    int no_delay = 0;

    f = (struct fixture){ .stop_at = 1 };
    REQUIRE(world_open(&f.world) == OK);
    REQUIRE(listen_at(STR(":0"), 4, true, why) == OK);
    int client = client_connect(net_listener_port(f.listener));
    world_run(f.world);
    CHECK_INT(getsockname(client, (struct sockaddr *)&local, &size), 0);
    snprintf(peer, sizeof(peer), "127.0.0.1:%u", ntohs(local.sin_port));
    CHECK_STR(str_from(f.peer), str_from(peer));
    size = sizeof(no_delay);
    CHECK_INT(getsockopt(f.accepted[0], IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    CHECK(no_delay != 0);
    CHECK(fcntl(f.accepted[0], F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(f.accepted[0], F_GETFD) & FD_CLOEXEC);
    close(client);
    fixture_close();
}

static void two_listeners_share_a_port_when_both_say_so(void)
{
    char why[NET_WHY_BYTES] = "", address[32];

    f = (struct fixture){ 0 };
    REQUIRE(world_open(&f.world) == OK);
    REQUIRE(listen_at(STR("127.0.0.1:0"), 1, true, why) == OK);
    struct net_listener *first = f.listener;
    snprintf(address, sizeof(address), "127.0.0.1:%u", net_listener_port(first));
    f.listener = NULL;
    CHECK_ERR(listen_at(str_from(address), 1, false, why), WEIR_IO);
    CHECK(!f.listener && strstr(why, address));
    CHECK_ERR(listen_at(str_from(address), 1, true, why), OK);
    net_listener_close(first);
    fixture_close();
}

static void on_release(struct timer *timer)
{
    (void)timer;
    CHECK_INT(f.accepted_count, 2);
    f.stop_at = 3;
    net_listener_release(f.listener);
}

static void stops_at_its_limit_until_one_is_released(void)
{
    char why[NET_WHY_BYTES] = "";
    int clients[4];

    f = (struct fixture){ 0 };
    REQUIRE(world_open(&f.world) == OK);
    REQUIRE(listen_at(STR("127.0.0.1:0"), 2, false, why) == OK);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        clients[i] = client_connect(net_listener_port(f.listener));
    timer_start(f.world, &f.timer, 20 * NSEC_PER_MS, on_release);
    world_run(f.world);
    CHECK_INT(f.accepted_count, 3);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        close(clients[i]);
    fixture_close();
}

static struct rlimit descriptors;

static void on_descriptors_back(struct timer *timer)
{
    (void)timer;
    CHECK_INT(f.accepted_count, 0);
    setrlimit(RLIMIT_NOFILE, &descriptors);
}

/* With no descriptor left the loop must not spin on a listener that stays ready. */
static void waits_when_descriptors_run_out(void)
{
    char why[NET_WHY_BYTES] = "";

    f = (struct fixture){ .stop_at = 1 };
    REQUIRE(world_open(&f.world) == OK);
    REQUIRE(listen_at(STR("127.0.0.1:0"), 2, false, why) == OK);
    int client = client_connect(net_listener_port(f.listener));
    int highest = dup(client);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &descriptors) == 0);
    struct rlimit few = { .rlim_cur = (rlim_t)highest, .rlim_max = descriptors.rlim_max };
    close(highest);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
    timer_start(f.world, &f.timer, 20 * NSEC_PER_MS, on_descriptors_back);
    world_run(f.world);
    CHECK_INT(f.accepted_count, 1);
    close(client);
    fixture_close();
}

/* ---- streams ---- */

static void on_enough(struct timer *timer)
{
    (void)timer;
    world_stop(f.world);
}

static bool pair_open(void (*on_ready)(struct net_stream *stream))
{
    int fds[2];

    f = (struct fixture){ .heard = { .max = FLOOD_BYTES * 2 } };
    if (world_open(&f.world) != OK || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
        return false;
    f.other = fds[1];
    return net_stream_open(&f.stream, f.world, fds[0], on_ready) == OK;
}

static void pair_close(void)
{
    net_stream_close(&f.stream, false);
    net_stream_close(&f.stream, false);
    if (f.other >= 0)
        close(f.other);
    fixture_close();
}

static void drain_other(void)
{
    for (;;) {
        char *room = buf_reserve(&f.heard, 65536);
        ssize_t n = room ? read(f.other, room, 65536) : 0;
        if (n <= 0)
            break;
        f.heard.len += (size_t)n;
    }
}

static void on_written(struct net_stream *stream)
{
    f.calls++;
    drain_other();
    if (net_stream_queued(stream) == 0)
        world_stop(f.world);
}

static void on_start_draining(struct timer *timer)
{
    (void)timer;
    CHECK_INT(f.calls, 0);
    drain_other();
}

static void queues_what_the_socket_does_not_take(void)
{
    struct buf want = { .max = FLOOD_BYTES * 2 };

    REQUIRE(pair_open(on_written));
    for (size_t i = 0; i < FLOOD_BYTES / 8; i++)
        buf_printf(&want, "%08zu", i);
    str all = buf_str(&want);
    str parts[] = { str_slice(all, 0, 100), STR(""), str_slice(all, 100, all.len - 30) };
    net_stream_write(&f.stream, parts, ARRAY_LEN(parts));
    CHECK(f.stream.is_blocked && net_stream_queued(&f.stream) > 0);
    CHECK_INT(f.stream.sent_bytes + net_stream_queued(&f.stream), all.len - 30);
    str tail[] = { str_slice(all, all.len - 30, all.len - 10) };
    net_stream_write(&f.stream, tail, 1);
    net_stream_queue(&f.stream, str_slice(all, all.len - 10, all.len));
    timer_start(f.world, &f.timer, 10 * NSEC_PER_MS, on_start_draining);
    world_run(f.world);
    drain_other();
    CHECK(str_eq(buf_str(&f.heard), all));
    CHECK(!f.stream.is_blocked && f.stream.queue.cap <= NET_QUEUE_BYTES_KEPT);
    buf_fini(&want);
    pair_close();
}

static void on_readable(struct net_stream *stream)
{
    char text[64];
    size_t n = net_stream_read(stream, text, sizeof(text));

    f.calls++;
    buf_add(&f.heard, (str){ text, n });
}

static void on_send_and_close(struct timer *timer)
{
    CHECK_STR(buf_str(&f.heard), STR("one"));
    CHECK(write(f.other, "two", 3) == 3);
    shutdown(f.other, SHUT_WR);
    timer_start(f.world, timer, 20 * NSEC_PER_MS, on_enough);
}

/* A level-triggered end must be told once, not for ever. */
static void reads_and_sees_the_end_once(void)
{
    REQUIRE(pair_open(on_readable));
    CHECK(write(f.other, "one", 3) == 3);
    timer_start(f.world, &f.timer, 10 * NSEC_PER_MS, on_send_and_close);
    world_run(f.world);
    CHECK_STR(buf_str(&f.heard), STR("onetwo"));
    CHECK(f.stream.has_ended && !f.stream.is_broken);
    CHECK_INT(f.calls, 3);
    net_stream_write(&f.stream, &STR("still"), 1); /* the other half is open */
    CHECK_INT(net_stream_queued(&f.stream), 0);
    CHECK(!f.stream.is_broken);
    pair_close();
}

static void says_nothing_while_it_is_not_reading(void)
{
    REQUIRE(pair_open(on_readable));
    net_stream_set_reading(&f.stream, false);
    CHECK(write(f.other, "one", 3) == 3);
    timer_start(f.world, &f.timer, 10 * NSEC_PER_MS, on_enough);
    world_run(f.world);
    CHECK_INT(f.calls, 0);
    pair_close();
}

static void breaks_when_nobody_listens(void)
{
    REQUIRE(pair_open(on_readable));
    close(f.other);
    f.other = -1;
    net_stream_write(&f.stream, &STR("x"), 1);
    CHECK(f.stream.is_broken);
    CHECK_INT(net_stream_queued(&f.stream), 0);
    net_stream_queue(&f.stream, STR("y"));
    net_stream_write(&f.stream, &STR("z"), 1);
    net_stream_shutdown(&f.stream);
    CHECK_INT(net_stream_queued(&f.stream), 0);
    pair_close();
}

static void breaks_when_its_queue_would_pass_its_limit(void)
{
    REQUIRE(pair_open(on_readable));
    char *piece = calloc(1, FLOOD_BYTES);
    REQUIRE(piece != NULL);
    for (size_t i = 0; i <= NET_QUEUE_BYTES_MAX / FLOOD_BYTES && !f.stream.is_broken; i++)
        net_stream_write(&f.stream, &(str){ piece, FLOOD_BYTES }, 1);
    CHECK(f.stream.is_broken && !f.stream.is_blocked);
    CHECK_INT(f.stream.queue.cap, 0);
    free(piece);
    pair_close();
}

TESTS(TEST(knows_addresses), TEST(speaks_ip_6), TEST(accepts_without_delay),
      TEST(two_listeners_share_a_port_when_both_say_so),
      TEST(stops_at_its_limit_until_one_is_released), TEST(waits_when_descriptors_run_out),
      TEST(queues_what_the_socket_does_not_take), TEST(reads_and_sees_the_end_once),
      TEST(says_nothing_while_it_is_not_reading), TEST(breaks_when_nobody_listens),
      TEST(breaks_when_its_queue_would_pass_its_limit))
