/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider_rig: what the provider's tests share: a provider on a loop in a thread of its own, and a plain blocking
 * client. Included by tests only.
 */
#ifndef WEIR_APP_PROVIDER_PROVIDER_RIG_H
#define WEIR_APP_PROVIDER_PROVIDER_RIG_H

#include "app/provider/provider.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "app/provider/provider_internal.h"
#include "test/check.h"

#define CHAT "/v1/chat/completions"
#define HELLO "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
#define HELLO_STREAM                                                                               \
    "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"                \
    "\"messages\":[{\"role\":\"user\",\"content\":\"hello to you all\"}]}"

struct rig {
    struct world *world;
    struct provider *provider;
    pthread_t thread;
};

__attribute__((unused)) static void *run_world(void *ctx)
{
    world_run(ctx);
    return NULL;
}

__attribute__((unused)) static bool rig_open(struct rig *rig,
                                             const struct provider_options *options)
{
    char why[256];

    *rig = (struct rig){ 0 };
    if (world_open(&rig->world) != OK)
        return false;
    if (provider_open(&rig->provider, rig->world, options, why) != OK) {
        fprintf(stderr, "    %s\n", why);
        world_close(rig->world);
        return false;
    }
    return pthread_create(&rig->thread, NULL, run_world, rig->world) == 0;
}

__attribute__((unused)) static void rig_close(struct rig *rig)
{
    world_stop(rig->world);
    pthread_join(rig->thread, NULL);
    provider_close(rig->provider);
    world_close(rig->world);
}

/* ---- a plain blocking client ---- */

struct got {
    struct buf raw;
    struct buf body; /* chunks joined */
    int status;
    str head; /* with the status line */
    bool is_whole; /* as its length or its last chunk says */
    nsec took;
};

__attribute__((unused)) static void got_fini(struct got *got)
{
    buf_fini(&got->raw);
    buf_fini(&got->body);
}

__attribute__((unused)) static int dial(const struct rig *rig)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(provider_port(rig->provider)),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    IGNORE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

__attribute__((unused)) static void send_request(int fd, const char *method, const char *path,
                                                 str body)
{
    struct buf out = { 0 };

    buf_printf(&out,
               "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               method, path, body.len);
    buf_add(&out, body);
    for (size_t at = 0; at < out.len;) {
        ssize_t n = send(fd, out.ptr + at, out.len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    buf_fini(&out);
}

__attribute__((unused)) static str header_of(const struct got *got, const char *name)
{
    str rest = got->head, line;

    while (str_next(&rest, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        if (colon != STR_NPOS && str_eq_nocase(str_slice(line, 0, colon), str_from(name)))
            return str_trim(str_slice(line, colon + 1, line.len));
    }
    return (str){ 0 };
}

__attribute__((unused)) static void join_chunks(struct got *got, str rest)
{
    while (rest.len > 0) {
        size_t size = strtoul(rest.ptr, NULL, 16), line = str_find(rest, STR("\r\n"));
        if (line == STR_NPOS)
            return;
        if (size == 0) {
            got->is_whole = true;
            return;
        }
        buf_add(&got->body, str_slice(rest, line + 2, line + 2 + size));
        rest = str_slice(rest, line + 4 + size, rest.len);
    }
}

__attribute__((unused)) static void read_answer(struct got *got)
{
    str raw = str_from(buf_cstr(&got->raw));
    size_t end = str_find(raw, STR("\r\n\r\n"));
    uint64_t length;

    if (end == STR_NPOS)
        return;
    got->head = str_slice(raw, 0, end);
    got->status = atoi(got->head.ptr + strlen("HTTP/1.1 "));
    str rest = str_slice(raw, end + 4, raw.len);
    if (str_eq_nocase(header_of(got, "transfer-encoding"), STR("chunked"))) {
        join_chunks(got, rest);
    } else {
        buf_add(&got->body, rest);
        got->is_whole = str_to_u64(header_of(got, "content-length"), &length) && length == rest.len;
    }
}

__attribute__((unused)) static struct got fetch(const struct rig *rig, const char *method,
                                                const char *path, str body)
{
    struct got got = { 0 };
    nsec start = world_now_exact();
    int fd = dial(rig);
    ssize_t n = 0;

    CHECK(fd >= 0);
    send_request(fd, method, path, body);
    do {
        char *room = buf_reserve(&got.raw, 65536);
        n = recv(fd, room, 65536, 0);
        if (n > 0)
            got.raw.len += (size_t)n;
    } while (n > 0);
    close(fd);
    got.took = world_now_exact() - start;
    read_answer(&got);
    return got;
}

__attribute__((unused)) static struct got chat(const struct rig *rig, const char *body)
{
    return fetch(rig, "POST", CHAT, str_from(body));
}

/* A value of a JSON body as text: strings unescaped, the rest as written. */
__attribute__((unused)) static str value_at(struct arena *arena, str body, const char *path)
{
    struct json root;
    str text = { 0 };

    if (json_parse(arena, body, &root, NULL) != OK)
        return STR("(no JSON)");
    struct json value = json_path(root, str_from(path));
    return json_str(value, arena, &text) ? text : json_raw(value);
}

__attribute__((unused)) static struct provider_options options_of(const char *mode)
{
    struct provider_options options = provider_options_default();
    char why[160];

    CHECK_ERR(provider_mode_parse(str_from(mode), &options, why), OK);
    return options;
}

/* What a stream said: deltas joined, and how many events of which kind. */
struct heard {
    struct buf text;
    int deltas;
    int finishes;
    int usages;
    int dones;
    bool is_in_order; /* deltas, finish, usage, done */
};

__attribute__((unused)) static struct heard hear(str body)
{
    struct heard heard = { .is_in_order = true };
    struct arena arena;
    str event;

    arena_init(&arena, 4 << 20);
    for (size_t end; (end = str_find(body, STR("\n\n"))) != STR_NPOS;) {
        event = str_slice(body, 0, end);
        body = str_slice(body, end + 2, body.len);
        CHECK(str_starts(event, STR("data: ")));
        event = str_slice(event, 6, event.len);
        if (str_eq(event, STR("[DONE]"))) {
            heard.dones++;
            continue;
        }
        heard.is_in_order = heard.is_in_order && heard.dones == 0 && heard.usages == 0;
        if (str_eq(value_at(&arena, event, "choices"), STR("[]"))) {
            heard.usages += value_at(&arena, event, "usage.total_tokens").len > 0;
            continue;
        }
        heard.is_in_order = heard.is_in_order && heard.finishes == 0;
        if (!str_eq(value_at(&arena, event, "choices.0.finish_reason"), STR("null"))) {
            heard.finishes++;
            continue;
        }
        bool names_role = str_eq(value_at(&arena, event, "choices.0.delta.role"), STR("assistant"));
        CHECK(names_role == (heard.deltas == 0));
        buf_add(&heard.text, value_at(&arena, event, "choices.0.delta.content"));
        heard.deltas++;
    }
    CHECK_INT(body.len, 0);
    arena_fini(&arena);
    return heard;
}

/* A count as GET /weir/provider tells it, asked for until it is not 0: the loop's thread owns the counts. */
__attribute__((unused)) static int64_t wait_for_count(const struct rig *rig, const char *name)
{
    int64_t count = 0;

    for (int tries = 0; tries < 200 && count == 0; tries++) {
        struct arena arena;
        struct json root;
        struct got got = fetch(rig, "GET", "/weir/provider", STR(""));
        arena_init(&arena, 1 << 16);
        if (json_parse(&arena, buf_str(&got.body), &root, NULL) == OK)
            IGNORE(json_i64(json_get(root, str_from(name)), &count));
        arena_fini(&arena);
        got_fini(&got);
        usleep(5000);
    }
    return count;
}

#endif
