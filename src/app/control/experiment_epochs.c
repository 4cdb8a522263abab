/* SPDX-License-Identifier: Apache-2.0 */
/*
 * experiment_epochs: an experiment whose shares follow its results (allocation: track_and_stop).
 *
 *     a look, each `every` -> too little yet | shares are right | new shares: an epoch | the best is known: said, once
 *
 * An epoch is durable before any query runs under its shares. Once the best arm is known its shares stay; nothing else changes by
 * itself.
 */
#include "app/control/control_internal.h"

#include <stdio.h>

static void shares_print(const struct live_experiment *x, struct buf *out)
{
    const struct experiment *e = &x->file->experiment;
    const struct experiment_epoch *epoch = &x->epochs[x->epoch_count - 1];

    buf_printf(out, "epoch %zu: ", x->epoch_count - 1);
    for (size_t i = 0; i < e->arm_count; i++) {
        char share[16];
        buf_printf(out, "%s%.*s %s", i > 0 ? ", " : "", STR_ARG(e->arms[i].name),
                   share_format(epoch->shares[i], share).ptr);
    }
}

static void epoch_begin(struct controller *c, struct live_experiment *x,
                        const struct experiment_allocation *a)
{
    struct experiment_epoch epoch = { .began = c->wall };
    struct units before = x->units;
    struct buf words = { 0 };

    for (size_t i = 0; i < x->file->experiment.arm_count; i++)
        epoch.shares[i] = a->shares[i];
    if (experiment_epoch_add(x, &epoch) != OK)
        return; /* at the next look, perhaps */
    x->units = (struct units){ 0 }; /* each epoch's split is tested by itself */
    shares_print(x, &words);
    const struct rollout_start who = { .actor = STR("weir"), .note = buf_str(&words) };
    if (experiment_commit(c, x, "reallocate", &who, NULL) == OK) {
        units_fini(&before);
        arms_update(c);
    } else {
        units_fini(&x->units);
        x->units = before;
        x->epoch_count--;
    }
    buf_fini(&words);
}

void experiment_best_print(const struct live_experiment *x, struct buf *out)
{
    const struct experiment *e = &x->file->experiment;

    buf_printf(out, "stop: arm %.*s is best in %s at delta %g, up to a difference of %g",
               STR_ARG(e->arms[x->best.arm].name),
               experiment_measure_info(e->tracking.measure)->name, e->tracking.delta,
               e->tracking.epsilon);
}

static void best_tell(struct controller *c, struct live_experiment *x,
                      const struct experiment_allocation *a)
{
    struct buf words = { 0 };
    char key[160];

    x->best.is_known = true;
    x->best.arm = a->best;
    x->best.at = c->wall;
    experiment_best_print(x, &words);
    snprintf(key, sizeof(key), "experiment.%.*s.%" PRId64 ".best", STR_ARG(x->file->experiment.id),
             x->started);
    const struct rollout_start who = { .actor = STR("weir"), .note = buf_str(&words) };
    const struct page page = { .name = "experiment_best_known",
                               .severity = ALERT_INFO,
                               .subject = x->file->experiment.id,
                               .arm = str_from(x->labels[a->best]),
                               .sentence = buf_str(&words),
                               .key = str_from(key) };
    if (experiment_commit(c, x, "best_known", &who, &page) == OK) {
        LOG(c->options.log, LOG_INFO, "the best arm of an experiment is known",
            LOG_TEXT("experiment", x->file->experiment.id), LOG_TEXT("what", buf_str(&words)));
        channels_wake(c);
    } else {
        x->best.is_known = false; /* said at the next look */
    }
    buf_fini(&words);
}

void experiment_look_turn(struct controller *c, struct live_experiment *x)
{
    const struct experiment_tracking *tracking = &x->file->experiment.tracking;
    struct moments cells[EXPERIMENT_CELLS_MAX];
    struct experiment_allocation a;

    if (!x->is_running || !tracking->is_on || x->best.is_known ||
        c->now - x->looked < tracking->every)
        return;
    x->looked = c->now;
    const struct experiment now = experiment_now(x);
    const struct strata seen = experiment_strata(x, tracking->measure, cells);
    switch (experiment_track(&now, &seen, &a)) {
    case EXPERIMENT_WAITS:
    case EXPERIMENT_STAYS:
        break;
    case EXPERIMENT_MOVES:
        epoch_begin(c, x, &a);
        break;
    case EXPERIMENT_KNOWS:
        best_tell(c, x, &a);
        break;
    }
}
