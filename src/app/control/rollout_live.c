/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout_live: the rollout that this gateway serves: opened from its file, restored from control.db, fed with facts.
 *
 *     document "rollout"              which one it is: name, path, the file's text, where its events begin
 *     document "rollout.checkpoint"   the machine's sums, as of some row
 *     parts "rollout.units.…"         which units those sums have counted (exposed.c)
 *     events of kind "rollout"        its rows, in order
 */
#include "app/control/control_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

#define RESTORE_BYTES_MAX ((size_t)256 << 20)
#define ROWS_AT_ONCE 512

/* ---- opening ---- */

static enum err canary_open(struct live_rollout *l)
{
    return l->file->canary ? engine_profile_open(&l->canary, l->file->canary) : OK;
}

enum err live_rollout_open(struct controller *c, struct rollout_file *file,
                           struct live_rollout **out)
{
    struct live_rollout *l = calloc(1, sizeof(*l));
    struct arena arena;
    struct change_issues issues = { .arena = &arena };

    if (!l) {
        rollout_file_close(file);
        return WEIR_NO_MEMORY;
    }
    l->file = file;
    l->number = ++c->numbers;
    for (size_t i = 0; i < ROLLOUT_ARM_COUNT; i++)
        snprintf(l->labels[i], sizeof(l->labels[i]), "%.*s/%s", STR_ARG(file->spec.id),
                 rollout_arm_name((enum rollout_arm)i));
    arena_init(&arena, (size_t)1 << 16);
    enum err e = rollout_init(&l->machine, &file->spec, &issues);
    arena_fini(&arena);
    if (e == OK)
        e = canary_open(l);
    if (e != OK) {
        live_rollout_close(l);
        return e;
    }
    *out = l;
    return OK;
}

void live_rollout_close(struct live_rollout *l)
{
    if (!l)
        return;
    engine_profile_close(l->canary);
    rollout_file_close(l->file);
    units_fini(&l->units);
    free(l);
}

void rollouts_close(struct controller *c)
{
    for (struct live_rollout *l = c->rollout, *older; l; l = older) {
        older = l->older;
        live_rollout_close(l);
    }
    c->rollout = NULL;
}

/* Both configurations: whichever changes, it is no longer what was started. */
uint64_t rollout_hash_now(const struct controller *c, const struct live_rollout *l)
{
    uint64_t canary = l->file->canary ? l->file->canary->hash : 0;

    return rng_mix(c->options.config->hash) ^ rng_mix(canary + 1);
}

/* ---- facts ---- */

struct units *rollout_units(struct live_rollout *l)
{
    if (l->units_phase != l->machine.phase) {
        units_fini(&l->units);
        l->units_phase = l->machine.phase;
    }
    return &l->units;
}

str rollout_units_key(const struct live_rollout *l, char space[ROLLOUT_UNITS_KEY_MAX])
{
    snprintf(space, ROLLOUT_UNITS_KEY_MAX, "%.*s%.*s@%" PRId64 ".%" PRId64,
             STR_ARG(ROLLOUT_UNITS_PREFIX), STR_ARG(l->file->spec.id), l->after, l->machine.phase);
    return str_from(space);
}

static bool unit_is_new(struct live_rollout *l, const struct feed_fact *fact)
{
    return !(fact->flags & FEED_IS_REPEATED) || units_add(rollout_units(l), fact->unit);
}

/* A client that leaves says nothing, unless it had been kept waiting for longer than the latency that rolls back. */
static bool was_kept_waiting(const struct live_rollout *l, const struct feed_fact *fact)
{
    const struct guard_plan *plan = &l->machine.plan;

    for (size_t i = 0; i < plan->count; i++) {
        if (plan->specs[i].metric == CHANGE_LATENCY_P95)
            return fact->latency > plan->trip[i].latency;
    }
    return false;
}

static struct outcome outcome_of(const struct feed_fact *fact)
{
    bool is_answered = (fact->flags & FEED_ANSWERED) != 0;
    bool is_wrong = fact->verdict >= 0 && fact->verdict < 0.5f;

    return (struct outcome){ .is_success = is_answered && !is_wrong,
                             .is_error = !is_answered,
                             .is_cached = (fact->flags & FEED_CACHED) != 0,
                             .hrm_confidence = (double)fact->hrm_confidence,
                             .trm_confidence = (double)fact->trm_confidence,
                             .cost = fact->cost,
                             .latency = fact->latency };
}

void rollout_fact(struct controller *c, const struct feed_fact *fact)
{
    struct live_rollout *l = c->rollout;
    const struct rollout_assignment a = { .arm = (enum rollout_arm)fact->assignment.rollout_arm,
                                          .phase = fact->assignment.rollout_phase };

    if (!l || fact->assignment.rollout != l->number)
        return; /* of one that was superseded */
    if (fact->flags & FEED_EXPOSURE) {
        if (a.phase == l->machine.phase && unit_is_new(l, fact))
            rollout_expose(&l->machine, &a);
        return;
    }
    if ((fact->flags & FEED_GONE) && !was_kept_waiting(l, fact)) {
        l->gone++;
        return;
    }
    struct outcome outcome = outcome_of(fact);
    rollout_observe(&l->machine, &a, c->wall, &outcome);
}

/* ---- restoring ---- */

struct rows {
    struct arena *arena;
    struct rollout_row *items;
    size_t count, room;
    int64_t last; /* sequence of events */
    bool has_failed;
};

static void on_row(void *ctx, const struct control_event *event)
{
    struct rows *rows = ctx;
    struct json value;
    str text = arena_str(rows->arena, event->text);

    rows->last = event->sequence;
    if (rows->count == rows->room) {
        size_t room = rows->room > 0 ? rows->room * 2 : 64;
        struct rollout_row *items = ARENA_ARRAY(rows->arena, room, struct rollout_row);
        for (size_t i = 0; items && i < rows->count; i++)
            items[i] = rows->items[i];
        rows->items = items;
        rows->room = items ? room : 0;
    }
    if (!rows->items || json_parse(rows->arena, text, &value, NULL) != OK ||
        rollout_row_read(rows->arena, value, &rows->items[rows->count]) != OK)
        rows->has_failed = true;
    else
        rows->count++;
}

static enum err rows_load(struct controller *c, struct live_rollout *l, struct rows *rows)
{
    size_t before;

    rows->last = l->after;
    do {
        before = rows->count;
        enum err e = control_events(c->store, STR("rollout"), l->file->spec.id, rows->last,
                                    ROWS_AT_ONCE, on_row, rows);
        if (e != OK)
            return e;
    } while (rows->count > before && !rows->has_failed);
    return rows->has_failed ? WEIR_STORE : OK;
}

static enum err document_get(struct controller *c, const char *key, struct arena *arena,
                             struct json *out)
{
    struct buf text = { 0 };
    bool is_found = false;
    enum err e = control_get(c->store, str_from(key), &text, &is_found);

    *out = (struct json){ .node = NULL };
    if (e == OK && is_found)
        e = json_parse(arena, arena_str(arena, buf_str(&text)), out, NULL);
    buf_fini(&text);
    return e == CALLER_BAD_JSON ? WEIR_STORE : e;
}

static void issues_log(const struct controller *c, const struct config_issues *issues)
{
    for (size_t i = 0; i < issues->count; i++) {
        char place[24];
        snprintf(place, sizeof(place), "%d:%d", issues->items[i].line, issues->items[i].column);
        if (!issues->items[i].is_warning)
            LOG(c->options.log, LOG_ERROR, "the rollout's file is not valid any more",
                LOG_TEXT("file", issues->items[i].file), LOG_TEXT("place", str_from(place)),
                LOG_TEXT("what", issues->items[i].message));
    }
}

/* Its file as it was when it started; its canary's configuration as it is now. When that cannot be loaded, nobody is served by it,
 * and the rollout pauses because its configuration has changed. */
static enum err file_again(struct controller *c, str path, str text, struct rollout_file **out)
{
    struct config_issues issues;
    enum err e = rollout_file_load_text(path, text, true, out, &issues);

    issues_log(c, &issues);
    config_issues_fini(&issues);
    if (e == OK)
        return OK;
    e = rollout_file_load_text(path, text, false, out, &issues);
    config_issues_fini(&issues);
    return e == OK ? OK : WEIR_STORE;
}

static enum err restore(struct controller *c, struct json document, struct arena *arena,
                        char out_why[256])
{
    struct rollout_file *file = NULL;
    struct live_rollout *l = NULL;
    struct rows rows = { .arena = arena };
    struct json checkpoint;
    const char *what = "the document is damaged";
    str path, text;
    int64_t after;

    enum err e = json_str(json_get(document, STR("path")), arena, &path) &&
                         json_str(json_get(document, STR("text")), arena, &text) &&
                         json_i64(json_get(document, STR("after")), &after)
                     ? file_again(c, path, text, &file)
                     : WEIR_STORE;
    if (e == OK)
        e = live_rollout_open(c, file, &l);
    if (e == OK) {
        l->after = after;
        e = rows_load(c, l, &rows);
    }
    if (e == OK)
        e = document_get(c, "rollout.checkpoint", arena, &checkpoint);
    if (e == OK &&
        rollout_restore(&l->machine, &file->spec, checkpoint, rows.items, rows.count, &what) != OK)
        e = WEIR_STORE;
    if (e != OK) {
        snprintf(out_why, 256, "the rollout in control.db cannot be restored: %s", what);
        live_rollout_close(l);
        return e;
    }
    c->rollout = l;
    char key[ROLLOUT_UNITS_KEY_MAX];
    units_get(c, rollout_units(l), rollout_units_key(l, key));
    LOG(c->options.log, LOG_INFO, "rollout restored", LOG_TEXT("rollout", file->spec.id),
        LOG_TEXT("state", str_from(rollout_state_name(l->machine.place.state))));
    return OK;
}

enum err rollout_restore_all(struct controller *c, char out_why[256])
{
    struct arena arena;
    struct json document;

    arena_init(&arena, RESTORE_BYTES_MAX);
    enum err e = document_get(c, "rollout", &arena, &document);
    if (e == OK && json_exists(document))
        e = restore(c, document, &arena, out_why);
    arena_fini(&arena);
    return e;
}
