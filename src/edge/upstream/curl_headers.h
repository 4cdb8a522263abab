/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_headers: the request headers of libcurl's calls, built once for each kind of call and shared.
 * They hold keys: what is freed is wiped before.
 *
 * May include: base, edge/upstream/transport.h.
 */
#ifndef WEIR_EDGE_UPSTREAM_CURL_HEADERS_H
#define WEIR_EDGE_UPSTREAM_CURL_HEADERS_H

#include <curl/curl.h>

#include "edge/upstream/transport.h"

#define HEADER_SETS 32

struct header_set;

/* Zero-initialised is empty. A set that loses its slot to another lives on as long as it is shared. */
struct header_sets {
    struct header_set *slots[HEADER_SETS];
};
void header_sets_fini(struct header_sets *sets);

/* Borrowed until the next find; NULL: no memory. */
struct header_set *header_set_find(struct header_sets *sets,
                                   const struct transport_request *request);
struct header_set *header_set_share(struct header_set *set); /* to be released */
void header_set_release(struct header_set *set); /* NULL is a no-op */
struct curl_slist *header_set_list(const struct header_set *set);

#endif
