/* SPDX-License-Identifier: Apache-2.0 */
/* alert_world: what the tests of alerts share: a few series with one reading each, ticks, and who was told what. */
#ifndef WEIR_CORE_ALERT_ALERT_WORLD_H
#define WEIR_CORE_ALERT_ALERT_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "core/alert/alert.h"
#include "test/check.h"

#define SEC(n) ((usec_utc)(n)*1000000)
#define MIN(n) SEC((n)*60)
#define HOUR(n) MIN((n)*60)
#define START SEC(1000000)

/* A world of a few series, each with one reading per metric. */
struct world {
    struct arena arena;
    struct alert_machine *m;
    struct alert_policy policy;
    struct alert_reading readings[4]; /* by series */
    struct alert_reading recent[4]; /* what a window of at most 30 min reads, for burn rates */
    bool is_absent[4];
    bool are_domains; /* the series are domains of one arm */
    size_t series;
    int transitions;
    enum alert_state last_from, last_to;
    bool last_for_want_of_data;
    usec_utc last_at;
};

static const char *const arms[] = { "baseline", "canary", "control", "holdback" };

__attribute__((unused)) static size_t world_series(void *ctx, unsigned by, struct alert_labels *out,
                                                   size_t max)
{
    struct world *w = ctx;

    CHECK(by != 0);
    for (size_t i = 0; i < w->series && i < max; i++) {
        out[i] = (struct alert_labels){ 0 };
        if (w->are_domains)
            out[i].domain = str_from(arms[i]);
        else
            out[i].arm = str_from(arms[i]);
    }
    return w->series;
}

__attribute__((unused)) static bool world_read(void *ctx, enum alert_metric metric,
                                               const struct alert_labels *labels, nsec window,
                                               struct alert_reading *out)
{
    struct world *w = ctx;
    size_t at = 0;

    (void)metric;
    for (size_t i = 0; i < w->series; i++) {
        if (str_eq(w->are_domains ? labels->domain : labels->arm, str_from(arms[i])))
            at = i;
    }
    if (w->is_absent[at])
        return false;
    *out =
        window <= 30 * 60 * NSEC_PER_SEC && w->recent[at].n > 0 ? w->recent[at] : w->readings[at];
    return true;
}

__attribute__((unused)) static void on_transition(void *ctx, const struct alert_transition *t)
{
    struct world *w = ctx;

    w->transitions++;
    w->last_from = t->from;
    w->last_to = t->to;
    w->last_at = t->at;
    w->last_for_want_of_data = t->is_for_want_of_data;
}

__attribute__((unused)) static const struct alert_rule success_rule = {
    .name = { "success_low", 11 },
    .metric = ALERT_SUCCESS_RATE,
    .severity = ALERT_CRITICAL,
    .threshold = 0.95,
    .clear = 0.96,
    .window = 600 * NSEC_PER_SEC,
    .pending = 120 * NSEC_PER_SEC,
    .keep_firing = 300 * NSEC_PER_SEC,
    .n_min = 50,
    .by = ALERT_BY_ARM,
};
static const struct alert_receiver receivers[] = {
    { { "pager", 5 }, ALERT_CRITICAL, true },
    { { "chat", 4 }, ALERT_INFO, true },
    { { "mail", 4 }, ALERT_INFO, false },
};

__attribute__((unused)) static void world_open(struct world *w, const struct alert_rule *rules,
                                               size_t count)
{
    *w = (struct world){ .series = 1, .policy = alert_policy_default() };
    w->policy.rules = rules;
    w->policy.rule_count = count;
    w->policy.receivers = receivers;
    w->policy.receiver_count = ARRAY_LEN(receivers);
    arena_init(&w->arena, (size_t)16 << 20);
    if (alert_open(&w->m, &w->arena, &w->policy) != OK)
        abort();
    w->readings[0] = (struct alert_reading){ .n = 1000, .value = 0.99 };
}

__attribute__((unused)) static void world_close(struct world *w)
{
    arena_fini(&w->arena);
}

__attribute__((unused)) static void tick(struct world *w, usec_utc now)
{
    struct alert_source source = { w, world_series, world_read };

    alert_evaluate(w->m, now, &source, on_transition, w);
}

/* Takes what is due and says that it was sent; the number of messages. */
__attribute__((unused)) static int deliver(struct world *w, usec_utc now, size_t *out_firing,
                                           size_t *out_resolved)
{
    struct alert_message message;
    int n = 0;

    *out_firing = *out_resolved = 0;
    while (alert_due(w->m, now, &message)) {
        n++;
        for (size_t i = 0; i < message.count; i++) {
            *out_firing += !message.items[i].is_resolved;
            *out_resolved += message.items[i].is_resolved;
        }
        alert_sent(w->m, now, &message);
    }
    return n;
}

__attribute__((unused)) static void set(struct world *w, double value)
{
    w->readings[0].value = value;
}

#endif
