/* SPDX-License-Identifier: Apache-2.0 */
/*
 * experiment_live: the experiments of this gateway: opened from their files, restored from control.db, counted.
 *
 *     document "experiments"        which there are: path, the file's text, since when, the configurations' hash
 *     document "experiment.NAME"    its counts
 *     parts "experiment.units.…"    which units those have counted (exposed.c)
 *     events of kind "experiment"   who started and stopped which, and why
 */
#include "app/control/control_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

/* ---- opening ---- */

static void live_close(struct live_experiment *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < EXPERIMENT_ARMS_MAX; i++)
        engine_profile_close(x->profiles[i]);
    experiment_file_close(x->file);
    free(x->epochs);
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
    x->looked = c->now;
    struct experiment_epoch first = { .began = c->wall };
    for (size_t i = 0; i < file->experiment.arm_count; i++)
        first.shares[i] = file->experiment.arms[i].share;
    e = experiment_epoch_add(x, &first);
    for (size_t i = 0; e == OK && i < file->experiment.arm_count; i++) {
        snprintf(x->labels[i], sizeof(x->labels[i]), "%.*s/%.*s", STR_ARG(file->experiment.id),
                 STR_ARG(file->experiment.arms[i].name));
        if (file->profiles[i])
            e = engine_profile_open(&x->profiles[i], file->profiles[i], c->options.lanes);
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

/* ---- writing ---- */

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
        json_comma(&text);
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

/* The list, one experiment's counts, an event and a page about it, together. */
enum err experiment_commit(struct controller *c, struct live_experiment *x, const char *operation,
                           const struct rollout_start *who, const struct page *page)
{
    enum err e = transaction_begin(c);

    if (e == OK)
        e = list_put(c);
    if (e == OK)
        e = experiment_counts_put(c, x);
    if (e == OK)
        e = event_append(c, x, operation, who);
    if (e == OK && page)
        e = page_add(c, page);
    e = transaction_end(c, "experiments", e);
    if (e == OK)
        units_saved(&x->units);
    return e;
}

static void experiments_save(struct controller *c)
{
    if (!c->experiments_changed ||
        (c->experiments_saved != 0 && c->now - c->experiments_saved < CHECKPOINT_EVERY))
        return;
    enum err e = transaction_begin(c);
    for (size_t i = 0; e == OK && i < c->experiment_count; i++)
        e = experiment_counts_put(c, c->experiments[i]);
    c->experiments_saved = c->now;
    if (transaction_end(c, "experiments", e) != OK)
        return;
    c->experiments_changed = false;
    for (size_t i = 0; i < c->experiment_count; i++)
        units_saved(&c->experiments[i]->units);
}

void experiments_turn(struct controller *c)
{
    for (size_t i = 0; i < c->experiment_count; i++)
        experiment_look_turn(c, c->experiments[i]);
    experiments_save(c);
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
        e = experiment_commit(c, x, "start", start, NULL);
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
    enum err e = experiment_commit(c, x, "stop", who, NULL);
    if (e != OK) {
        x->is_running = true;
        x->generation--;
        return e;
    }
    arms_update(c);
    return OK;
}

/* ---- restoring ---- */

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
    experiment_counts_restore(c, arena, x);
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
            experiment_commit(c, x, "stop",
                              &(struct rollout_start){ .actor = STR("weir"),
                                                       .note = STR("a configuration has changed") },
                              NULL));
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
