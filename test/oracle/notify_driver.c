/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_driver: sends what weir sends, in the situations that `weir alert test` does not make:
 *
 *     notify-driver URL KIND CASE START [SECRET …]
 *
 * START: when the alerts began, in seconds. Each body of the notice goes out as the gateway sends it, and what became of it
 * is a line: a word, and why. Exit status: 0 when all was taken, 1 when not.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "edge/notify/notify.h"
#include "edge/upstream/post.h"

#define TIMEOUT (10 * NSEC_PER_SEC)
#define FLOOD_BYTES 9000

static const char *const result_words[] = {
    [WIRE_DELIVERED] = "delivered",
    [WIRE_RETRY] = "retry",
    [WIRE_REFUSED] = "refused",
    [WIRE_DISABLED] = "disabled",
};

static struct wire_notice notice_one(usec_utc start)
{
    struct wire_notice n = {
        .receiver = STR("ops"), .link = STR("http://h/#alerts"), .group = 0xA1, .count = 1
    };

    n.alerts[0] = (struct wire_alert){ .name = STR("success_rate_low"),
                                       .severity = STR("critical"),
                                       .arm = STR("mini/canary"),
                                       .domain = STR("stem"),
                                       .sentence = STR("success rate 93.10 % < 95.00 %"),
                                       .runbook = STR("docs/runbooks.md#success_rate_low"),
                                       .fingerprint = 0x1F,
                                       .starts = start };
    return n;
}

static void resolve(struct wire_alert *a)
{
    a->is_resolved = true;
    a->ends = a->starts + 1000000;
}

/* Every text longer than any limit, full of what has a meaning somewhere. */
static void flood(struct wire_notice *n)
{
    static char text[FLOOD_BYTES];

    memset(text, '&', sizeof(text));
    memcpy(text, "\xC3\xA9<!channel> \"*\r\n\x01", 17);
    n->count = WIRE_NOTICE_ALERTS_MAX;
    n->left_out = 5;
    n->link = (str){ text, sizeof(text) };
    n->alerts[0].name = (str){ text, sizeof(text) };
    n->alerts[0].sentence = (str){ text, sizeof(text) };
    n->alerts[0].runbook = (str){ text, sizeof(text) };
    for (size_t i = 1; i < n->count; i++) {
        n->alerts[i] = n->alerts[0];
        n->alerts[i].fingerprint = i;
    }
}

/* Another group, of two that differ in their domain, the second resolved or not. */
static void make_two(struct wire_notice *n, bool is_mixed)
{
    n->alerts[0].arm = STR("mini/control");
    n->alerts[1] = n->alerts[0];
    n->alerts[1].domain = STR("other");
    n->alerts[1].sentence = STR("success rate 90.10 % < 95.00 %");
    n->alerts[1].fingerprint = 0x2F;
    if (is_mixed)
        resolve(&n->alerts[1]);
    n->count = 2;
}

static bool notice_make(str name, usec_utc start, struct wire_notice *out)
{
    *out = notice_one(start);
    if (str_eq(name, STR("firing")))
        return true;
    if (str_eq(name, STR("resolved"))) {
        resolve(&out->alerts[0]);
        return true;
    }
    if (str_eq(name, STR("two")) || str_eq(name, STR("mixed"))) {
        make_two(out, str_eq(name, STR("mixed")));
        return true;
    }
    if (str_eq(name, STR("change"))) {
        out->is_change = true;
        return true;
    }
    if (!str_eq(name, STR("flood")))
        return false;
    flood(out);
    return true;
}

static bool send_all(const struct wire_channel *c, const struct wire_notice *n)
{
    struct timespec clock;
    bool all = true;

    clock_gettime(CLOCK_REALTIME, &clock);
    usec_utc now = clock.tv_sec * INT64_C(1000000);
    for (size_t i = 0; i < wire_body_count(c->kind, n); i++) {
        struct buf body = { 0 };
        nsec retry_after;
        char why[256];
        wire_body(&body, c->kind, n, i, now);
        enum wire_result result =
            notify_send(c, STR("msg_1"), buf_str(&body), now, TIMEOUT, &retry_after, why);
        printf("%s %s\n", result_words[result], why);
        all = all && result == WIRE_DELIVERED;
        buf_fini(&body);
    }
    return all;
}

int main(int argc, char **argv)
{
    struct wire_channel c = { .name = STR("ops") };
    struct wire_notice n;
    int64_t start;

    if (argc < 5 || argc > 5 + WIRE_SECRETS_MAX || !wire_kind_find(str_from(argv[2]), &c.kind) ||
        !str_to_i64(str_from(argv[4]), &start) ||
        !notice_make(str_from(argv[3]), start * 1000000, &n)) {
        fprintf(stderr, "usage: notify-driver URL KIND CASE START [SECRET ...]\n");
        return 2;
    }
    c.url = str_from(argv[1]);
    for (int i = 5; i < argc; i++)
        c.secrets[c.secret_count++] = str_from(argv[i]);
    if (post_init() != OK)
        return 1;
    bool all = send_all(&c, &n);
    post_fini();
    return all ? 0 : 1;
}
