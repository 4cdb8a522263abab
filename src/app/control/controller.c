/* SPDX-License-Identifier: Apache-2.0 */
/* controller: opening, the turn that drains the feeds, and what is published to the workers. */
#include "app/control/control_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define FACTS_AT_ONCE 256
#define SENT_KEPT_US (INT64_C(7) * 86400 * 1000000)
#define PRUNE_EVERY (3600 * NSEC_PER_SEC)

void controller_clock(struct controller *c)
{
    c->now = world_now(c->options.world);
    c->wall = world_wall();
}

/* ---- publishing ---- */

static void arms_rollout(const struct live_rollout *l, struct arms *out)
{
    const struct rollout *r = &l->machine;
    bool is_over = r->place.state == ROLLOUT_DRAFT || r->place.state == ROLLOUT_ABORTED ||
                   r->place.state == ROLLOUT_SUPERSEDED;

    if (is_over || !l->canary || l->is_suspended)
        return; /* the old configuration is everybody's */
    out->rollout = l->number;
    out->canary = l->canary;
    out->is_measured = r->place.state != ROLLOUT_COMPLETED;
    rollout_snapshot(r, &out->snapshot);
    for (size_t i = 0; i < ROLLOUT_ARM_COUNT; i++)
        out->labels[i] = str_from(l->labels[i]);
}

static void arms_experiments(const struct controller *c, struct arms *out)
{
    for (size_t i = 0; i < c->experiment_count; i++) {
        const struct live_experiment *x = c->experiments[i];
        if (!x->is_running || out->experiment_count == ARMS_EXPERIMENTS_MAX)
            continue;
        struct arms_experiment *to = &out->experiments[out->experiment_count++];
        *to = (struct arms_experiment){ .number = x->number,
                                        .epoch = (uint8_t)(x->epoch_count - 1),
                                        .experiment = experiment_now(x) };
        for (size_t a = 0; a < x->file->experiment.arm_count; a++) {
            to->profiles[a] = x->profiles[a];
            to->labels[a] = str_from(x->labels[a]);
        }
    }
}

void arms_update(struct controller *c)
{
    struct arms *arms = calloc(1, sizeof(*arms));

    if (arms) { /* a rollback must not fail for memory: nobody is assigned anything then */
        if (c->rollout)
            arms_rollout(c->rollout, arms);
        arms_experiments(c, arms);
    }
    if (arms && arms->rollout == 0 && arms->experiment_count == 0) {
        free(arms);
        arms = NULL;
    }
    arms_publish(c->options.arms, arms);
}

/* ---- facts ---- */

/* The label of what a query was assigned to: the experiment's arm, else the rollout's. */
static str label_of(const struct controller *c, const struct feed_assignment *a)
{
    for (size_t i = 0; a->experiment != 0 && i < c->experiment_count; i++) {
        if (c->experiments[i]->number == a->experiment)
            return str_from(c->experiments[i]->labels[a->experiment_arm]);
    }
    for (const struct live_rollout *l = c->rollout; a->rollout != 0 && l; l = l->older) {
        if (l->number == a->rollout)
            return str_from(l->labels[a->rollout_arm]);
    }
    return (str){ 0 };
}

static void window_take(struct controller *c, const struct feed_fact *fact)
{
    windows_add(c->windows, windows_now(c), label_of(c, &fact->assignment), fact);
    c->windows_changed = true;
}

static void fact_take(struct controller *c, const struct feed_fact *fact)
{
    if (!(fact->flags & FEED_EXPOSURE))
        window_take(c, fact);
    if (fact->assignment.rollout != 0)
        rollout_fact(c, fact);
    if (fact->assignment.experiment != 0)
        experiment_fact(c, fact);
}

static void feeds_drain(struct controller *c)
{
    struct feed_fact facts[FACTS_AT_ONCE];
    uint64_t dropped = 0;

    for (size_t i = 0; i < c->options.feed_count; i++) {
        struct feed *feed = c->options.feeds[i];
        size_t n, left = FEED_SLOTS; /* what comes meanwhile waits for the next turn */
        do {
            n = feed_take(feed, facts, left < FACTS_AT_ONCE ? left : FACTS_AT_ONCE);
            for (size_t k = 0; k < n; k++)
                fact_take(c, &facts[k]);
            left -= n;
        } while (n > 0 && left > 0);
        dropped += feed_dropped(feed);
    }
    if (dropped > c->dropped_told) {
        char text[24];
        snprintf(text, sizeof(text), "%" PRIu64, dropped - c->dropped_told);
        LOG(c->options.log, LOG_WARNING, "facts were dropped: the control loop is too slow",
            LOG_TEXT("count", str_from(text)));
        c->dropped_told = dropped;
    }
}

/* ---- the turn ---- */

static void outbox_tidy(struct controller *c)
{
    if (c->pruned != 0 && c->now - c->pruned < PRUNE_EVERY)
        return;
    enum err e = transaction_begin(c);
    if (e == OK)
        e = outbox_prune(c->store, c->wall - SENT_KEPT_US);
    if (transaction_end(c, "outbox", e) == OK)
        c->pruned = c->now;
}

static void on_turn(struct timer *t)
{
    struct controller *c = CONTAINER_OF(t, struct controller, turn);

    controller_clock(c);
    transaction_patience(c, PATIENCE_TURN);
    feeds_drain(c);
    rollout_turn(c);
    experiments_turn(c);
    alerting_turn(c);
    windows_turn(c);
    outbox_tidy(c);
    timer_start(c->options.world, &c->turn, CONTROL_TURN, on_turn);
}

enum err controller_probe(void *ctx)
{
    struct controller *c = ctx;
    enum err e = control_probe(c->store);

    return e == OK ? OK : store_failed(c, "probe", e);
}

/* ---- the life ---- */

static enum err channels_open(struct controller *c, char out_why[256])
{
    const struct config *config = c->options.config;
    struct notify_options options = { .directory = c->options.directory,
                                      .channels = config->alerts.channels,
                                      .channel_count = config->alerts.channel_count,
                                      .log = c->options.log,
                                      .seed = (uint64_t)world_wall() };

    return config->alerts.channel_count > 0 ? notify_open(&c->notify, &options, out_why) : OK;
}

static enum err parts_open(struct controller *c, char out_why[256])
{
    enum err e = control_open(&c->store, c->options.directory, CONTROL_WRITE, out_why);

    if (e == OK)
        e = term_take(c, out_why);
    if (e == OK)
        e = keys_restore(c, out_why);
    if (e == OK)
        e = windows_live_open(c);
    if (e == OK)
        e = alerting_open(c);
    if (e == OK)
        e = rollout_restore_all(c, out_why);
    if (e == OK)
        e = experiments_restore(c, out_why);
    if (e == OK)
        e = channels_open(c, out_why);
    return e;
}

static void parts_close(struct controller *c)
{
    notify_close(c->notify);
    rollouts_close(c);
    experiments_close(c);
    alerting_close(c);
    windows_close(c->windows);
    control_close(c->store);
    free(c);
}

enum err controller_open(struct controller **out, const struct controller_options *options,
                         char out_why[256])
{
    struct controller *c = calloc(1, sizeof(*c));

    if (!c)
        return WEIR_NO_MEMORY;
    c->options = *options;
    controller_clock(c);
    enum err e = parts_open(c, out_why);
    if (e != OK) {
        parts_close(c);
        return e;
    }
    arms_update(c);
    timer_start(c->options.world, &c->turn, 0, on_turn);
    *out = c;
    return OK;
}

void controller_close(struct controller *c)
{
    if (!c)
        return;
    timer_cancel(c->options.world, &c->turn);
    arms_publish(c->options.arms, NULL);
    controller_clock(c);
    transaction_patience(c, PATIENCE_OPENING);
    feeds_drain(c);
    if (c->rollout)
        IGNORE(rollout_save(c, c->rollout));
    c->experiments_saved = 0;
    experiments_turn(c);
    windows_live_save(c);
    c->alerting.saved = 0;
    if (alerting_begin(c) == OK)
        IGNORE(alerting_end(c));
    parts_close(c);
}
