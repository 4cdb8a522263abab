/* SPDX-License-Identifier: Apache-2.0 */
/*
 * experiment_counts: what the arms of an experiment were seen to do, epoch by epoch, and the document that keeps it.
 *
 *     {"version": 2, "epochs": [{"began": …, "shares": [50000, …], "arms": [{…}, …]}, …], "best": {"arm": 1, "at": …}}
 *
 * Version 1 had one epoch, whose arms stood at the top.
 */
#include "app/control/control_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT_MAX (INT64_C(1) << 53)
#define UNITS_KEY_MAX 192

/* ---- epochs ---- */

enum err experiment_epoch_add(struct live_experiment *x, const struct experiment_epoch *epoch)
{
    size_t count = x->epoch_count + 1;

    assert(count <= EXPERIMENT_EPOCHS_MAX);
    struct experiment_epoch *more = realloc(x->epochs, count * sizeof(*more));
    if (!more)
        return WEIR_NO_MEMORY;
    more[x->epoch_count] = *epoch;
    x->epochs = more;
    x->epoch_count = count;
    return OK;
}

struct experiment experiment_now(const struct live_experiment *x)
{
    struct experiment e = x->file->experiment;

    for (size_t i = 0; i < e.arm_count; i++)
        e.arms[i].share = x->epochs[x->epoch_count - 1].shares[i];
    return e;
}

struct strata experiment_strata(const struct live_experiment *x, enum experiment_measure measure,
                                struct moments cells[EXPERIMENT_CELLS_MAX])
{
    size_t arms = x->file->experiment.arm_count;

    for (size_t k = 0; k < x->epoch_count; k++) {
        for (size_t i = 0; i < arms; i++)
            cells[k * arms + i] = x->epochs[k].arms[i].measures[measure];
    }
    return (struct strata){ cells, x->epoch_count, arms };
}

/* ---- facts ---- */

static void outcome_add(struct arm_counts *arm, const struct feed_fact *fact)
{
    bool is_answered = (fact->flags & FEED_ANSWERED) != 0;
    bool is_wrong = fact->verdict >= 0 && fact->verdict < 0.5f;
    struct moments *m = arm->measures;

    arm->outcomes++;
    arm->errors += !is_answered;
    moments_add(&m[EXPERIMENT_SUCCESS_RATE], is_answered && !is_wrong ? 1 : 0);
    moments_add(&m[EXPERIMENT_LATENCY_MS], (double)fact->latency / (double)NSEC_PER_MS);
    if (fact->cost >= 0)
        moments_add(&m[EXPERIMENT_COST_USD], (double)fact->cost / (double)NANO_PER_USD);
    if (fact->hrm_confidence >= 0)
        moments_add(&m[EXPERIMENT_HRM_CONFIDENCE], (double)fact->hrm_confidence);
    if (fact->trm_confidence >= 0)
        moments_add(&m[EXPERIMENT_TRM_CONFIDENCE], (double)fact->trm_confidence);
}

/* An answer counts in the epoch in which its query was assigned, however late it comes. */
void experiment_fact(struct controller *c, const struct feed_fact *fact)
{
    struct live_experiment *x = NULL;

    for (size_t i = 0; i < c->experiment_count; i++) {
        if (c->experiments[i]->number == fact->assignment.experiment)
            x = c->experiments[i];
    }
    if (!x || fact->assignment.experiment_epoch >= x->epoch_count)
        return;
    struct experiment_epoch *epoch = &x->epochs[fact->assignment.experiment_epoch];
    struct arm_counts *arm = &epoch->arms[fact->assignment.experiment_arm];
    if (fact->flags & FEED_EXPOSURE)
        arm->exposures += !(fact->flags & FEED_IS_REPEATED) || units_add(&x->units, fact->unit);
    else if (fact->flags & (FEED_ANSWERED | FEED_FAILED))
        outcome_add(arm, fact);
    c->experiments_changed = true;
}

/* ---- writing ---- */

/* clang-format off */
static const char *const stored_names[EXPERIMENT_MEASURE_COUNT] = {
    [EXPERIMENT_SUCCESS_RATE]   = "success",
    [EXPERIMENT_COST_USD]       = "cost",
    [EXPERIMENT_LATENCY_MS]     = "latency",
    [EXPERIMENT_HRM_CONFIDENCE] = "hrm",
    [EXPERIMENT_TRM_CONFIDENCE] = "trm",
};
/* clang-format on */

static void arm_write(const struct arm_counts *arm, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "exposures", arm->exposures);
    json_member_i64(out, "outcomes", arm->outcomes);
    json_member_i64(out, "errors", arm->errors);
    for (size_t i = 0; i < EXPERIMENT_MEASURE_COUNT; i++) {
        const struct moments *m = &arm->measures[i];
        json_key(out, stored_names[i]);
        buf_add_char(out, '{');
        json_member_i64(out, "n", m->n);
        json_member_double(out, "sum", m->sum);
        json_member_double(out, "squares", m->sum_squares);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static void epoch_write(const struct experiment_epoch *epoch, size_t arms, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "began", epoch->began);
    json_key(out, "shares");
    for (size_t i = 0; i < arms; i++)
        buf_printf(out, "%c%" PRIu32, i == 0 ? '[' : ',', epoch->shares[i]);
    buf_add(out, STR("],\"arms\":"));
    for (size_t i = 0; i < arms; i++) {
        buf_add_char(out, i == 0 ? '[' : ',');
        arm_write(&epoch->arms[i], out);
    }
    buf_add(out, STR("]}"));
}

void experiment_counts_write(const struct live_experiment *x, struct buf *out)
{
    buf_add(out, STR("{\"version\":2,\"epochs\":"));
    for (size_t k = 0; k < x->epoch_count; k++) {
        buf_add_char(out, k == 0 ? '[' : ',');
        epoch_write(&x->epochs[k], x->file->experiment.arm_count, out);
    }
    buf_add_char(out, ']');
    if (x->best.is_known) {
        json_key(out, "best");
        buf_add_char(out, '{');
        json_member_i64(out, "arm", (int64_t)x->best.arm);
        json_member_i64(out, "at", x->best.at);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static str key_of(const struct live_experiment *x, char out[128])
{
    snprintf(out, 128, "experiment.%.*s", STR_ARG(x->file->experiment.id));
    return str_from(out);
}

/* The units of one epoch are kept under the experiment's own beginning. */
static str units_key(const struct live_experiment *x, char space[UNITS_KEY_MAX], str *out_prefix)
{
    int prefix = snprintf(space, UNITS_KEY_MAX, "experiment.units.%.*s@%" PRId64 ".",
                          STR_ARG(x->file->experiment.id), x->started);

    snprintf(space + prefix, UNITS_KEY_MAX - (size_t)prefix, "%zu", x->epoch_count - 1);
    *out_prefix = (str){ space, (size_t)prefix };
    return str_from(space);
}

/* The units that were counted, as long as there may be more. */
static enum err exposed_put(struct controller *c, const struct live_experiment *x)
{
    char space[UNITS_KEY_MAX];
    str prefix, key = units_key(x, space, &prefix);
    enum err e = x->is_running ? units_put(c, &x->units, key) : OK;

    return e == OK ? control_parts_forget(c->store, prefix, x->is_running ? key : STR("")) : e;
}

enum err experiment_counts_put(struct controller *c, const struct live_experiment *x)
{
    struct buf text = { 0 };
    char key[128];

    experiment_counts_write(x, &text);
    enum err e =
        text.failed ? WEIR_NO_MEMORY : control_put(c->store, key_of(x, key), buf_str(&text));
    buf_fini(&text);
    return e == OK ? exposed_put(c, x) : e;
}

/* ---- reading ---- */

static bool count_read(struct json v, const char *name, int64_t *out)
{
    int64_t value;

    if (!json_i64(json_get(v, str_from(name)), &value) || value < 0 || value > COUNT_MAX)
        return false;
    *out = value;
    return true;
}

static bool arm_read(struct json v, struct arm_counts *out)
{
    if (!count_read(v, "exposures", &out->exposures) ||
        !count_read(v, "outcomes", &out->outcomes) || !count_read(v, "errors", &out->errors))
        return false;
    for (size_t i = 0; i < EXPERIMENT_MEASURE_COUNT; i++) {
        struct json row = json_get(v, str_from(stored_names[i]));
        struct moments *m = &out->measures[i];
        if (!count_read(row, "n", &m->n) || !json_double(json_get(row, STR("sum")), &m->sum) ||
            !json_double(json_get(row, STR("squares")), &m->sum_squares))
            return false;
    }
    return true;
}

static bool arms_read(struct json list, size_t arms, struct experiment_epoch *out)
{
    if (json_count(list) != arms)
        return false;
    for (size_t i = 0; i < arms; i++) {
        if (!arm_read(json_at(list, i), &out->arms[i]))
            return false;
    }
    return true;
}

/* Shares of another sum, or that do not fit, are another experiment's. */
static bool epoch_read(const struct experiment *e, struct json v, struct experiment_epoch *out)
{
    struct json shares = json_get(v, STR("shares"));
    uint64_t sum = 0, meant = 0;

    if (!count_read(v, "began", &out->began) || json_count(shares) != e->arm_count)
        return false;
    for (size_t i = 0; i < e->arm_count; i++) {
        int64_t share;
        if (!json_i64(json_at(shares, i), &share) || share < 0 || share > SHARE_WHOLE)
            return false;
        out->shares[i] = (uint32_t)share;
        sum += out->shares[i];
        meant += e->arms[i].share;
    }
    return sum == meant && arms_read(json_get(v, STR("arms")), e->arm_count, out);
}

static void best_read(struct live_experiment *x, struct json v)
{
    int64_t arm, at;

    if (!count_read(v, "arm", &arm) || !count_read(v, "at", &at) ||
        (size_t)arm >= x->file->experiment.arm_count)
        return;
    x->best.is_known = true;
    x->best.arm = (size_t)arm;
    x->best.at = at;
}

bool experiment_counts_read(struct live_experiment *x, struct json value)
{
    struct json epochs = json_get(value, STR("epochs"));
    const struct experiment *e = &x->file->experiment;
    struct experiment_epoch first = x->epochs[0];

    if (!json_exists(epochs)) { /* version 1 */
        if (!arms_read(json_get(value, STR("arms")), e->arm_count, &first))
            return false;
        first.began = x->started;
        x->epochs[0] = first;
        return true;
    }
    size_t count = json_count(epochs);
    if (count == 0 || count > EXPERIMENT_EPOCHS_MAX)
        return false;
    for (size_t k = 0; k < count; k++) {
        struct experiment_epoch epoch = { .began = 0 };
        if (!epoch_read(e, json_at(epochs, k), &epoch) ||
            (k > 0 && experiment_epoch_add(x, &epoch) != OK)) {
            x->epoch_count = 1;
            x->epochs[0] = first;
            return false;
        }
        if (k == 0)
            x->epochs[0] = epoch;
    }
    best_read(x, json_get(value, STR("best")));
    return true;
}

void experiment_counts_restore(struct controller *c, struct arena *arena, struct live_experiment *x)
{
    struct buf text = { 0 };
    struct json value;
    char key[128];
    bool is_found = false;

    if (control_get(c->store, key_of(x, key), &text, &is_found) == OK && is_found &&
        (json_parse(arena, arena_str(arena, buf_str(&text)), &value, NULL) != OK ||
         !experiment_counts_read(x, value)))
        LOG(c->options.log, LOG_ERROR, "an experiment's counts cannot be read; it counts anew",
            LOG_TEXT("experiment", x->file->experiment.id));
    buf_fini(&text);
    char space[UNITS_KEY_MAX];
    str prefix;
    units_get(c, &x->units, units_key(x, space, &prefix));
}
