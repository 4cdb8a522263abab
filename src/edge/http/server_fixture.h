/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_fixture: a server on this thread with an application whose behaviour is said by the path,
 * and a client with blocking sockets that plays its script on another thread and then stops the
 * loop. For tests only.
 */
#ifndef WEIR_EDGE_HTTP_SERVER_FIXTURE_H
#define WEIR_EDGE_HTTP_SERVER_FIXTURE_H

#include <stdatomic.h>

#include "edge/http/server.h"
#include "edge/world/world.h"

#define FLOOD_BYTES ((size_t)8 << 20) /* of /flood and /large */
#define PIECE_BYTES ((size_t)10000) /* of one write of /flood */

struct fixture {
    struct world *world;
    struct http_server *server;
    void (*script)(int fd);
    int fd;
    struct turn drain;
    /* of the application below */
    struct exchange *held;
    struct timer timer;
    size_t flooded;
    bool is_in_api; /* a function of the server runs: nothing may call back */
    bool called_back_inside;
    bool sees_slow;
    char peer[64];
    atomic_int requests;
    atomic_int gone;
    atomic_int drained;
};

extern struct fixture f;

/* Plays the script against a server; the facts above stay readable. False: the server did not start, or
 * called back from inside one of its functions. */
struct server_options options_default(void);
bool play_with(const struct server_options *options, void (*script)(int fd));
bool play(void (*script)(int fd));

/* For scripts. */
int client_connect(void);
void say(int fd, str bytes);
/* Reads until the text holds `end`, or the server closes, when `end` is empty. */
void hear(int fd, str end, struct buf *out);
bool holds(const struct buf *heard, const char *text); /* prints what was heard when not */
size_t count_of(const struct buf *heard, const char *text);
bool is_closed(int fd);

#endif
