/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_headers: a direct-mapped cache of header lists, by authorization, further lines and kind of call.
 */
#include "edge/upstream/curl_headers.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((HEADER_SETS & (HEADER_SETS - 1)) == 0, "the slot of a header set is a mask");

struct header_set {
    struct curl_slist *list;
    char *key; /* the authorization and the further lines, one behind the other */
    size_t authorization_len;
    size_t headers_len;
    bool wants_stream;
    bool has_body;
    unsigned users; /* calls that name it, and the cache */
};

void header_set_release(struct header_set *set)
{
    if (!set || --set->users > 0)
        return;
    for (struct curl_slist *line = set->list; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(set->list);
    if (set->key)
        explicit_bzero(set->key, set->authorization_len + set->headers_len);
    free(set->key);
    free(set);
}

static bool header_set_add(struct header_set *set, const char *line)
{
    struct curl_slist *list = curl_slist_append(set->list, line);

    if (!list)
        return false;
    set->list = list;
    return true;
}

static bool key_keep(struct header_set *set, const struct transport_request *request)
{
    str authorization = request->authorization, headers = request->headers;

    set->authorization_len = authorization.len;
    set->headers_len = headers.len;
    set->key = malloc(authorization.len + headers.len + 1);
    if (!set->key)
        return false;
    if (authorization.len > 0)
        memcpy(set->key, authorization.ptr, authorization.len);
    if (headers.len > 0)
        memcpy(set->key + authorization.len, headers.ptr, headers.len);
    return true;
}

/* "name" and "value" as a line of the list; what held a key on its way is wiped. */
static bool header_set_add_line(struct header_set *set, str name, str value)
{
    struct buf line = { 0 };

    buf_add(&line, name);
    buf_add(&line, value);
    bool is_good = header_set_add(set, buf_cstr(&line)) && !line.failed;
    if (line.ptr)
        explicit_bzero(line.ptr, line.len);
    buf_fini(&line);
    return is_good;
}

static bool header_set_fill(struct header_set *set, const struct transport_request *request)
{
    str rest = request->headers, line;
    bool is_good = key_keep(set, request);

    set->wants_stream = request->wants_stream;
    set->has_body = request->body.len > 0;
    if (is_good && request->authorization.len > 0)
        is_good = header_set_add_line(set, STR("Authorization: "), request->authorization);
    while (is_good && rest.len > 0 && str_next(&rest, '\n', &line)) {
        if (line.len > 0)
            is_good = header_set_add_line(set, STR(""), line);
    }
    is_good = is_good && header_set_add(set, set->wants_stream ? "Accept: text/event-stream"
                                                               : "Accept: application/json");
    if (set->has_body)
        is_good = is_good && header_set_add(set, "Content-Type: application/json") &&
                  header_set_add(set, "Expect:"); /* no waiting for 100 Continue */
    return is_good;
}

static bool header_set_fits(const struct header_set *set, const struct transport_request *request)
{
    return set && set->wants_stream == request->wants_stream &&
           set->has_body == (request->body.len > 0) &&
           str_eq((str){ set->key, set->authorization_len }, request->authorization) &&
           str_eq((str){ set->key + set->authorization_len, set->headers_len }, request->headers);
}

struct header_set *header_set_find(struct header_sets *sets,
                                   const struct transport_request *request)
{
    uint64_t hash = (str_hash(request->authorization) ^ str_hash(request->headers)) * 4 +
                    (request->wants_stream ? 2 : 0) + (request->body.len > 0 ? 1 : 0);
    struct header_set **slot = &sets->slots[hash & (HEADER_SETS - 1)];

    if (header_set_fits(*slot, request))
        return *slot;
    struct header_set *set = calloc(1, sizeof(*set));
    if (!set)
        return NULL;
    set->users = 1;
    if (!header_set_fill(set, request)) {
        header_set_release(set);
        return NULL;
    }
    header_set_release(*slot);
    *slot = set;
    return set;
}

struct header_set *header_set_share(struct header_set *set)
{
    set->users++;
    return set;
}

struct curl_slist *header_set_list(const struct header_set *set)
{
    return set->list;
}

void header_sets_fini(struct header_sets *sets)
{
    for (size_t i = 0; i < HEADER_SETS; i++) {
        header_set_release(sets->slots[i]);
        sets->slots[i] = NULL;
    }
}
