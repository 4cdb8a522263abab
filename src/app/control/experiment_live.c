/* SPDX-License-Identifier: Apache-2.0 */
/*
 * experiment_live: the experiments of this gateway: opened from their files, restored from control.db, counted, and what
 * they show so far, which is valid at every look.
 *
 *     document "experiments"        which there are: path, the file's text, since when, the configurations' hash
 *     document "experiment.NAME"    its counts
 *     events of kind "experiment"   who started and stopped which, and why
 */
#include "app/control/control_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

#define ALPHA 0.05
#define COUNT_MAX (INT64_C(1) << 53)

/* ---- opening ---- */

static void live_close(struct live_experiment *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < EXPERIMENT_ARMS_MAX; i++)
        engine_profile_close(x->profiles[i]);
    experiment_file_close(x->file);
    units_fini(&x->units);
    free(x);
}

/* Takes the file, also when it fails. */
static enum err live_open(struct controller *c, struct experiment_file *file,
                          struct live_experiment **out)
{
    struct live_experiment *x = calloc(1, sizeof(*x));
    enum err e = OK;

    if (!x) {
        experiment_file_close(file);
        return WEIR_NO_MEMORY;
    }
    x->file = file;
    x->number = ++c->numbers;
    for (size_t i = 0; e == OK && i < file->experiment.arm_count; i++) {
        snprintf(x->labels[i], sizeof(x->labels[i]), "%.*s/%.*s", STR_ARG(file->experiment.id),
                 STR_ARG(file->experiment.arms[i].name));
        if (file->profiles[i])
            e = engine_profile_open(&x->profiles[i], file->profiles[i]);
    }
    if (e != OK)
        live_close(x);
    else
        *out = x;
    return e;
}

void experiments_close(struct controller *c)
{
    for (size_t i = 0; i < c->experiment_count; i++)
        live_close(c->experiments[i]);
    c->experiment_count = 0;
}

struct live_experiment *experiment_by_name(const struct controller *c, str name)
{
    for (size_t i = c->experiment_count; i > 0; i--) { /* the newest of a name */
        if (str_eq(c->experiments[i - 1]->file->experiment.id, name))
            return c->experiments[i - 1];
    }
    return NULL;
}

/* Of the gateway's configuration and every arm's: when one changes, arms before and after are not the same arms. */
static uint64_t hash_of(const struct controller *c, const struct live_experiment *x)
{
    uint64_t hash = rng_mix(c->options.config->hash);

    for (size_t i = 0; i < x->file->experiment.arm_count; i++)
        hash = rng_mix(hash ^ (x->file->profiles[i] ? x->file->profiles[i]->hash : i));
    return hash;
}

/* ---- facts ---- */

static void outcome_add(struct arm_counts *arm, const struct feed_fact *fact)
{
    bool is_answered = (fact->flags & FEED_ANSWERED) != 0;
    bool is_wrong = fact->verdict >= 0 && fact->verdict < 0.5f;

    arm->outcomes++;
    arm->errors += !is_answered;
    moments_add(&arm->success, is_answered && !is_wrong ? 1 : 0);
    moments_add(&arm->latency, (double)fact->latency / (double)NSEC_PER_MS);
    if (fact->cost >= 0)
        moments_add(&arm->cost, (double)fact->cost / (double)NANO_PER_USD);
    if (fact->hrm_confidence >= 0)
        moments_add(&arm->hrm, (double)fact->hrm_confidence);
    if (fact->trm_confidence >= 0)
        moments_add(&arm->trm, (double)fact->trm_confidence);
}

void experiment_fact(struct controller *c, const struct feed_fact *fact)
{
    struct live_experiment *x = NULL;

    for (size_t i = 0; i < c->experiment_count; i++) {
        if (c->experiments[i]->number == fact->assignment.experiment)
            x = c->experiments[i];
    }
    if (!x)
        return;
    struct arm_counts *arm = &x->arms[fact->assignment.experiment_arm];
    if (fact->flags & FEED_EXPOSURE)
        arm->exposures += !(fact->flags & FEED_IS_REPEATED) || units_add(&x->units, fact->unit);
    else if (fact->flags & (FEED_ANSWERED | FEED_FAILED))
        outcome_add(arm, fact);
    c->experiments_changed = true;
}

/* ---- writing ---- */

/* clang-format off */
static const struct {
    const char *name;
    size_t offset;
} moment_rows[] = {
    { "success", offsetof(struct arm_counts, success) },
    { "cost",    offsetof(struct arm_counts, cost) },
    { "latency", offsetof(struct arm_counts, latency) },
    { "hrm",     offsetof(struct arm_counts, hrm) },
    { "trm",     offsetof(struct arm_counts, trm) },
};
/* clang-format on */

static const struct moments *moments_of(const struct arm_counts *arm, size_t row)
{
    return (const struct moments *)(const void *)((const char *)arm + moment_rows[row].offset);
}

static void counts_write(const struct arm_counts *arm, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "exposures", arm->exposures);
    json_member_i64(out, "outcomes", arm->outcomes);
    json_member_i64(out, "errors", arm->errors);
    for (size_t i = 0; i < ARRAY_LEN(moment_rows); i++) {
        const struct moments *m = moments_of(arm, i);
        json_key(out, moment_rows[i].name);
        buf_add_char(out, '{');
        json_member_i64(out, "n", m->n);
        json_member_double(out, "sum", m->sum);
        json_member_double(out, "squares", m->sum_squares);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static bool count_read(struct json v, const char *name, int64_t *out)
{
    int64_t value;

    if (!json_i64(json_get(v, str_from(name)), &value) || value < 0 || value > COUNT_MAX)
        return false;
    *out = value;
    return true;
}

static bool counts_read(struct json v, struct arm_counts *out)
{
    struct arm_counts arm = { .exposures = 0 };

    if (!count_read(v, "exposures", &arm.exposures) || !count_read(v, "outcomes", &arm.outcomes) ||
        !count_read(v, "errors", &arm.errors))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(moment_rows); i++) {
        struct json row = json_get(v, str_from(moment_rows[i].name));
        struct moments *m = (struct moments *)(void *)((char *)&arm + moment_rows[i].offset);
        if (!count_read(row, "n", &m->n) || !json_double(json_get(row, STR("sum")), &m->sum) ||
            !json_double(json_get(row, STR("squares")), &m->sum_squares))
            return false;
    }
    *out = arm;
    return true;
}

static enum err counts_put(struct controller *c, const struct live_experiment *x)
{
    struct buf text = { 0 };
    char key[128];

    snprintf(key, sizeof(key), "experiment.%.*s", STR_ARG(x->file->experiment.id));
    buf_add(&text, STR("{\"version\":1,\"arms\":["));
    for (size_t i = 0; i < x->file->experiment.arm_count; i++) {
        if (i > 0)
            buf_add_char(&text, ',');
        counts_write(&x->arms[i], &text);
    }
    buf_add(&text, STR("]}"));
    enum err e =
        text.failed ? WEIR_NO_MEMORY : control_put(c->store, str_from(key), buf_str(&text));
    buf_fini(&text);
    return e;
}

static void entry_write(const struct controller *c, const struct live_experiment *x,
                        struct buf *out)
{
    char hash[24];

    snprintf(hash, sizeof(hash), "%016" PRIx64, hash_of(c, x));
    buf_add_char(out, '{');
    json_member_str(out, "path", x->file->path);
    json_member_str(out, "text", x->file->text);
    json_member_bool(out, "running", x->is_running);
    json_member_i64(out, "generation", x->generation);
    json_member_i64(out, "started", x->started);
    json_member_i64(out, "stopped", x->stopped);
    json_member_str(out, "configuration", str_from(hash));
    buf_add_char(out, '}');
}

static enum err list_put(struct controller *c)
{
    struct buf text = { 0 };

    buf_add(&text, STR("{\"version\":1,\"experiments\":["));
    for (size_t i = 0; i < c->experiment_count; i++) {
        if (i > 0)
            buf_add_char(&text, ',');
        entry_write(c, c->experiments[i], &text);
    }
    buf_add(&text, STR("]}"));
    enum err e =
        text.failed ? WEIR_NO_MEMORY : control_put(c->store, STR("experiments"), buf_str(&text));
    buf_fini(&text);
    return e;
}

static enum err event_append(struct controller *c, const struct live_experiment *x,
                             const char *operation, const struct rollout_start *who)
{
    struct buf text = { 0 };
    int64_t sequence;

    buf_add_char(&text, '{');
    json_member_str(&text, "experiment", x->file->experiment.id);
    json_member_str(&text, "operation", str_from(operation));
    json_member_str(&text, "actor", who->actor);
    json_member_str(&text, "note", who->note);
    json_member_i64(&text, "generation", x->generation);
    json_member_i64(&text, "time", c->wall);
    buf_add_char(&text, '}');
    struct control_event event = { .at = c->wall,
                                   .kind = STR("experiment"),
                                   .subject = x->file->experiment.id,
                                   .text = buf_str(&text) };
    enum err e = text.failed ? WEIR_NO_MEMORY : control_append(c->store, &event, &sequence);
    buf_fini(&text);
    return e;
}

/* The list, one experiment's counts and an event, together. */
static enum err change_commit(struct controller *c, const struct live_experiment *x,
                              const char *operation, const struct rollout_start *who)
{
    enum err e = control_begin(c->store);

    if (e == OK)
        e = list_put(c);
    if (e == OK)
        e = counts_put(c, x);
    if (e == OK)
        e = event_append(c, x, operation, who);
    if (e == OK)
        e = control_commit(c->store);
    if (e == OK)
        return OK;
    control_rollback(c->store);
    return store_failed(c, "experiments", e);
}

void experiments_turn(struct controller *c)
{
    if (!c->experiments_changed ||
        (c->experiments_saved != 0 && c->now - c->experiments_saved < CHECKPOINT_EVERY))
        return;
    enum err e = control_begin(c->store);
    for (size_t i = 0; e == OK && i < c->experiment_count; i++)
        e = counts_put(c, c->experiments[i]);
    if (e == OK)
        e = control_commit(c->store);
    c->experiments_saved = c->now;
    if (e == OK) {
        c->experiments_changed = false;
    } else {
        control_rollback(c->store);
        IGNORE(store_failed(c, "experiments", e));
    }
}

/* ---- starting and stopping ---- */

static const char *start_fault(struct controller *c, const struct experiment_file *file)
{
    const struct experiment *running[EXPERIMENTS_MAX + 1] = { &file->experiment };
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    size_t n = 1;

    for (size_t i = 0; i < c->experiment_count; i++) {
        if (c->experiments[i]->is_running)
            running[n++] = &c->experiments[i]->file->experiment;
    }
    if (c->experiment_count == EXPERIMENTS_MAX)
        return "there have been as many experiments as are kept; start weir again to forget those "
               "that "
               "are over";
    if (n > ARMS_EXPERIMENTS_MAX)
        return "as many experiments as can run at once are running; stop one first";
    arena_init(&arena, (size_t)1 << 16);
    experiments_check(running, n, &issues);
    arena_fini(&arena);
    return issues.count > 0 ? "an experiment of this name, or one that takes the same part of its "
                              "layer, is running; stop it first"
                            : NULL;
}

enum start_result experiment_begin(struct controller *c, const struct rollout_start *start,
                                   struct config_issues *issues, char out_why[256])
{
    struct experiment_file *file;
    struct live_experiment *x;

    if (experiment_file_load(start->path, c->options.config, &file, issues) != OK)
        return START_BAD_FILE;
    const char *fault = start_fault(c, file);
    if (fault) {
        snprintf(out_why, 256, "%s", fault);
        experiment_file_close(file);
        return START_UNDER_WAY;
    }
    enum err e = live_open(c, file, &x);
    if (e == OK) {
        x->is_running = true;
        x->generation = 1;
        x->started = c->wall;
        c->experiments[c->experiment_count++] = x;
        e = change_commit(c, x, "start", start);
        if (e != OK) {
            c->experiment_count--;
            live_close(x);
        }
    }
    if (e == OK)
        arms_update(c);
    snprintf(out_why, 256, "%s", err_info(e)->text);
    return e == OK ? START_DONE : START_FAILED;
}

enum err experiment_end(struct controller *c, struct live_experiment *x,
                        const struct rollout_start *who)
{
    x->is_running = false;
    x->stopped = c->wall;
    x->generation++;
    enum err e = change_commit(c, x, "stop", who);
    if (e != OK) {
        x->is_running = true;
        x->generation--;
        return e;
    }
    arms_update(c);
    return OK;
}

/* ---- restoring ---- */

static void counts_restore(struct controller *c, struct arena *arena, struct live_experiment *x)
{
    struct buf text = { 0 };
    struct json value;
    char key[128];
    bool is_found = false;

    snprintf(key, sizeof(key), "experiment.%.*s", STR_ARG(x->file->experiment.id));
    if (control_get(c->store, str_from(key), &text, &is_found) == OK && is_found &&
        json_parse(arena, arena_str(arena, buf_str(&text)), &value, NULL) == OK) {
        for (size_t i = 0; i < x->file->experiment.arm_count; i++)
            IGNORE(counts_read(json_at(json_get(value, STR("arms")), i), &x->arms[i]));
    }
    buf_fini(&text);
}

static void entry_restore(struct controller *c, struct arena *arena, struct json v)
{
    struct config_issues issues;
    struct experiment_file *file;
    struct live_experiment *x;
    str path, text, hash;
    char now[24];
    bool is_running = false;

    if (!json_str(json_get(v, STR("path")), arena, &path) ||
        !json_str(json_get(v, STR("text")), arena, &text) ||
        !json_str(json_get(v, STR("configuration")), arena, &hash) ||
        !json_bool(json_get(v, STR("running")), &is_running) || !is_running)
        return; /* those that are over stay in the events */
    enum err e = experiment_file_load_text(path, text, true, &file, &issues);
    config_issues_fini(&issues);
    if (e != OK || live_open(c, file, &x) != OK) {
        LOG(c->options.log, LOG_ERROR, "an experiment cannot be loaded again; it is over",
            LOG_TEXT("file", path));
        return;
    }
    IGNORE(json_i64(json_get(v, STR("generation")), &x->generation));
    IGNORE(json_i64(json_get(v, STR("started")), &x->started));
    counts_restore(c, arena, x);
    c->experiments[c->experiment_count++] = x;
    snprintf(now, sizeof(now), "%016" PRIx64, hash_of(c, x));
    x->is_running = str_eq(hash, str_from(now));
    if (!x->is_running) {
        x->stopped = c->wall;
        x->generation++;
        LOG(c->options.log, LOG_ERROR,
            "a configuration of an experiment has changed; it is stopped",
            LOG_TEXT("experiment", x->file->experiment.id));
        IGNORE(
            change_commit(c, x, "stop",
                          &(struct rollout_start){ .actor = STR("weir"),
                                                   .note = STR("a configuration has changed") }));
    }
}

enum err experiments_restore(struct controller *c, char out_why[256])
{
    struct arena arena;
    struct buf text = { 0 };
    struct json value;
    bool is_found = false;
    enum err e = control_get(c->store, STR("experiments"), &text, &is_found);

    arena_init(&arena, (size_t)64 << 20);
    if (e == OK && is_found)
        e = json_parse(&arena, buf_str(&text), &value, NULL);
    if (e == OK && is_found) {
        struct json_iter it = json_iter(json_get(value, STR("experiments")));
        while (c->experiment_count < EXPERIMENTS_MAX && json_next(&it))
            entry_restore(c, &arena, it.value);
    }
    if (e != OK)
        snprintf(out_why, 256, "the experiments in control.db cannot be read");
    arena_fini(&arena);
    buf_fini(&text);
    return e;
}

/* ---- what they show ---- */

static void interval_write(struct buf *out, const char *name, struct interval v)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_double(out, "estimate", v.estimate);
    json_member_double(out, "lower", v.lower);
    json_member_double(out, "upper", v.upper);
    buf_add_char(out, '}');
}

static void arm_status(const struct live_experiment *x, size_t i, struct buf *out)
{
    const struct arm_counts *arm = &x->arms[i];
    int64_t right = (int64_t)arm->success.sum;

    buf_add_char(out, '{');
    json_member_str(out, "name", x->file->experiment.arms[i].name);
    json_member_str(out, "label", str_from(x->labels[i]));
    json_member_double(out, "share", (double)x->file->experiment.arms[i].share / SHARE_WHOLE);
    json_member_i64(out, "units", arm->exposures);
    json_member_i64(out, "n", arm->outcomes);
    json_member_i64(out, "errors", arm->errors);
    interval_write(out, "success_rate", stats_rate_sequence(right, arm->outcomes, 100, ALPHA));
    json_member_double(out, "cost_usd", arm->cost.n > 0 ? moments_mean(&arm->cost) : NAN);
    json_member_double(out, "latency_ms", arm->latency.n > 0 ? moments_mean(&arm->latency) : NAN);
    json_member_double(out, "hrm_confidence", arm->hrm.n > 0 ? moments_mean(&arm->hrm) : NAN);
    json_member_double(out, "trm_confidence", arm->trm.n > 0 ? moments_mean(&arm->trm) : NAN);
    buf_add_char(out, '}');
}

/* The names of what is compared, in the order of moment_rows, and which direction is good. */
static const struct {
    const char *name;
    bool less_is_better;
} compared[ARRAY_LEN(moment_rows)] = {
    { "success_rate", false },   { "cost_usd", true },        { "latency_ms", true },
    { "hrm_confidence", false }, { "trm_confidence", false },
};

static const char *verdict_of(const struct comparison *d, bool less_is_better)
{
    bool is_above = d->is_valid && d->diff.lower > 0, is_below = d->is_valid && d->diff.upper < 0;

    if (!is_above && !is_below)
        return stats_verdict_name(STATS_INCONCLUSIVE);
    return stats_verdict_name(is_above == less_is_better ? STATS_INFERIOR : STATS_SUPERIOR);
}

static void comparison_write(const struct live_experiment *x, size_t arm, size_t row,
                             struct buf *out)
{
    const struct compare_options options = { .alpha = ALPHA };
    struct comparison d =
        stats_compare(moments_of(&x->arms[0], row), moments_of(&x->arms[arm], row), &options);

    buf_add_char(out, '{');
    json_member_str(out, "arm", x->file->experiment.arms[arm].name);
    json_member_str(out, "metric", str_from(compared[row].name));
    json_member_double(out, "diff", d.diff.estimate);
    json_member_double(out, "lower", d.diff.lower);
    json_member_double(out, "upper", d.diff.upper);
    json_member_double(out, "p", d.p);
    json_member_str(out, "verdict", str_from(verdict_of(&d, compared[row].less_is_better)));
    buf_add_char(out, '}');
}

static void comparisons_write(const struct live_experiment *x, struct buf *out)
{
    json_key(out, "comparisons");
    buf_add_char(out, '[');
    for (size_t arm = 1; arm < x->file->experiment.arm_count; arm++) {
        for (size_t row = 0; row < ARRAY_LEN(moment_rows); row++) {
            if (arm > 1 || row > 0)
                buf_add_char(out, ',');
            comparison_write(x, arm, row, out);
        }
    }
    buf_add_char(out, ']');
}

static void srm_write(const struct live_experiment *x, struct buf *out)
{
    double weights[EXPERIMENT_ARMS_MAX];
    int64_t counts[EXPERIMENT_ARMS_MAX];
    size_t n = x->file->experiment.arm_count;

    for (size_t i = 0; i < n; i++) {
        weights[i] = x->file->experiment.arms[i].share;
        counts[i] = x->arms[i].exposures;
    }
    double log_bayes = stats_srm_log_bayes(weights, counts, n);
    json_key(out, "srm");
    buf_add_char(out, '{');
    json_member_double(out, "log_bayes", log_bayes);
    json_member_double(out, "alarm_at", STATS_SRM_ALARM);
    json_member_bool(out, "alarm", log_bayes >= STATS_SRM_ALARM);
    buf_add_char(out, '}');
}

void experiment_status_write(const struct live_experiment *x, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_str(out, "name", x->file->experiment.id);
    json_member_str(out, "state", x->is_running ? STR("running") : STR("stopped"));
    json_member_i64(out, "generation", x->generation);
    json_member_i64(out, "started_us", x->started);
    json_member_i64(out, "stopped_us", x->stopped);
    json_member_str(out, "file", x->file->path);
    json_key(out, "arms");
    buf_add_char(out, '[');
    for (size_t i = 0; i < x->file->experiment.arm_count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        arm_status(x, i, out);
    }
    buf_add_char(out, ']');
    comparisons_write(x, out);
    srm_write(x, out);
    buf_add_char(out, '}');
}
