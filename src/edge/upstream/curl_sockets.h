/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_sockets: the sockets of libcurl's calls, by descriptor, and their watches.
 *
 * A connection stays in the loop's epoll from its first byte to its closing: CURL_POLL_REMOVE, which
 * comes at the end of every transfer, only marks it as not wanted. Not wanted sockets are not reported.
 *
 * May include: base, edge/world.
 */
#ifndef WEIR_EDGE_UPSTREAM_CURL_SOCKETS_H
#define WEIR_EDGE_UPSTREAM_CURL_SOCKETS_H

#include <curl/curl.h>

#include "edge/world/world.h"

struct shard; /* whose socket it is */
struct socket;

/* Zero-initialised but for world and on_ready is empty. */
struct sockets {
    struct world *world;
    void (*on_ready)(struct shard *shard, curl_socket_t fd, unsigned events); /* WATCH_ events */
    struct socket **slots; /* by descriptor */
    size_t slot_count;
};
void sockets_fini(struct sockets *sockets);

/* What CURLOPT_OPENSOCKETFUNCTION, CURLOPT_CLOSESOCKETFUNCTION and CURLMOPT_SOCKETFUNCTION are to do. */
curl_socket_t sockets_open(struct sockets *sockets, struct shard *shard,
                           const struct curl_sockaddr *address);
int sockets_close(struct sockets *sockets, curl_socket_t fd);
void sockets_wish(struct sockets *sockets, struct shard *shard, curl_socket_t fd, int what);

#endif
