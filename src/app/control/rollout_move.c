/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout_move: how a rollout moves. Whatever moves it, a tick or somebody, gives a row; the row, a checkpoint and the messages
 * about it are one transaction; only then is it applied and published.
 *
 * The generation that the store holds is read inside the transaction: when it is not ours somebody else has moved the rollout,
 * and this process stops moving it until it is started again.
 */
#include "app/control/control_internal.h"

#include <stdio.h>

#define HOLD_TEXT_MAX 32

/* ---- what people are told ---- */

static const struct reason_page {
    enum rollout_reason reason;
    const char *name;
    enum alert_severity severity;
} pages[] = {
    { ROLLOUT_FOR_GUARD, "rollout_rolled_back", ALERT_CRITICAL },
    { ROLLOUT_FOR_THIN_DATA, "rollout_thin_data", ALERT_WARNING },
    { ROLLOUT_FOR_COMMON_CAUSE, "rollout_common_cause", ALERT_CRITICAL },
    { ROLLOUT_FOR_INCONCLUSIVE, "rollout_inconclusive", ALERT_WARNING },
    { ROLLOUT_FOR_SAMPLE_RATIO, "rollout_sample_ratio", ALERT_WARNING },
    { ROLLOUT_FOR_NO_DATA, "rollout_no_data", ALERT_WARNING },
    { ROLLOUT_FOR_CONFIG_CHANGED, "rollout_config_changed", ALERT_WARNING },
    { ROLLOUT_FOR_APPROVAL, "rollout_needs_approval", ALERT_INFO },
    { ROLLOUT_FOR_SHOWN, "rollout_advanced", ALERT_INFO },
};

/* NULL: nobody is told of it. */
static const struct reason_page *page_of(enum rollout_reason reason)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (pages[i].reason == reason)
            return &pages[i];
    }
    return NULL;
}

/* When a guard has tripped and whose fault it is stays open, somebody has to look now. */
static enum alert_severity severity_of(const struct reason_page *page,
                                       const struct rollout_row *row)
{
    bool is_open = page->reason == ROLLOUT_FOR_INCONCLUSIVE && row->guards != 0;

    return is_open ? ALERT_CRITICAL : page->severity;
}

static void evidence_words(const struct rollout_row *row, struct buf *out)
{
    for (size_t i = 0; i < row->evidence_count; i++) {
        const struct guard_evidence *e = &row->evidence[i];
        if (!(row->guards & 1u << e->metric))
            continue;
        buf_printf(out, "; %s: log E %.2f after %" PRId64 " queries",
                   change_metric_info(e->metric)->name, e->log_e, e->n);
    }
}

static enum err row_page(struct controller *c, const struct live_rollout *l,
                         const struct rollout_row *row)
{
    const struct reason_page *kind = page_of(row->reason);
    str name = l->file->spec.id;
    struct buf words = { 0 };
    char key[160];

    if (!kind || row->refusal != ROLLOUT_ACCEPTED || row->operation != ROLLOUT_TICK)
        return OK; /* who did it knows */
    snprintf(key, sizeof(key), "rollout.%.*s.%" PRId64 ".%" PRId64, STR_ARG(name), l->after,
             row->sequence);
    buf_printf(&words, "rollout %.*s went from %s to %s at step %zu of %zu: %s", STR_ARG(name),
               rollout_state_name(row->from.state), rollout_state_name(row->to.state),
               row->to.step + 1, l->file->spec.step_count, rollout_reason_text(row->reason));
    evidence_words(row, &words);
    struct page page = { .name = kind->name,
                         .severity = severity_of(kind, row),
                         .subject = name,
                         .arm = str_from(l->labels[ARM_CANARY]),
                         .sentence = buf_str(&words),
                         .key = str_from(key),
                         .is_change = row->reason == ROLLOUT_FOR_SHOWN };
    enum err e = page_add(c, &page);
    buf_fini(&words);
    return e;
}

static void row_log(const struct controller *c, const struct live_rollout *l,
                    const struct rollout_row *row)
{
    bool is_refused = row->refusal != ROLLOUT_ACCEPTED;

    LOG(c->options.log, is_refused ? LOG_WARNING : LOG_INFO,
        is_refused ? "rollout operation refused" : "rollout moved",
        LOG_TEXT("rollout", l->file->spec.id), LOG_TEXT("actor", row->actor),
        LOG_TEXT("operation", str_from(rollout_operation_name(row->operation))),
        LOG_TEXT("refusal", str_from(rollout_refusal_name(row->refusal))),
        LOG_TEXT("from", str_from(rollout_state_name(row->from.state))),
        LOG_TEXT("to", str_from(rollout_state_name(row->to.state))),
        LOG_TEXT("reason", str_from(rollout_reason_name(row->reason))));
}

/* ---- inside a transaction ---- */

static enum err row_append(struct controller *c, const struct live_rollout *l,
                           const struct rollout_row *row, int64_t *out_sequence)
{
    struct buf text = { 0 };

    rollout_row_write(row, l->file->spec.id, &text);
    struct control_event event = {
        .at = row->time, .kind = STR("rollout"), .subject = l->file->spec.id, .text = buf_str(&text)
    };
    enum err e = text.failed ? WEIR_NO_MEMORY : control_append(c->store, &event, out_sequence);
    buf_fini(&text);
    return e;
}

static enum err checkpoint_put(struct controller *c, struct live_rollout *l)
{
    struct buf text = { 0 };

    rollout_checkpoint(&l->machine, &text);
    enum err e = text.failed ? WEIR_NO_MEMORY
                             : control_put(c->store, STR("rollout.checkpoint"), buf_str(&text));
    buf_fini(&text);
    char space[ROLLOUT_UNITS_KEY_MAX];
    str key = rollout_units_key(l, space);
    if (e == OK)
        e = units_put(c, rollout_units(l), key);
    if (e == OK)
        e = control_parts_forget(c->store, ROLLOUT_UNITS_PREFIX, key);
    return e;
}

/* NAME@EVENT GENERATION, so that another rollout of the name is another one. */
static void fence_write(const struct live_rollout *l, int64_t generation, char out[120])
{
    snprintf(out, 120, "%.*s@%" PRId64 " %" PRId64, STR_ARG(l->file->spec.id), l->after,
             generation);
}

static enum err fence_put(struct controller *c, const struct live_rollout *l, int64_t generation)
{
    char text[120];

    fence_write(l, generation, text);
    return control_put(c->store, STR("rollout.fence"), str_from(text));
}

/* WEIR_INTERRUPTED: somebody else moved it. */
static enum err fence_check(struct controller *c, struct live_rollout *l)
{
    struct buf text = { 0 };
    char ours[120];
    bool is_found = false;

    fence_write(l, l->machine.generation, ours);
    enum err e = control_get(c->store, STR("rollout.fence"), &text, &is_found);
    if (e == OK && (!is_found || !str_eq(buf_str(&text), str_from(ours)))) {
        l->is_outrun = true;
        LOG(c->options.log, LOG_ERROR, "another process moves this rollout; not touching it",
            LOG_TEXT("rollout", l->file->spec.id), LOG_TEXT("found", buf_str(&text)),
            LOG_TEXT("expected", str_from(ours)));
        e = WEIR_INTERRUPTED;
    }
    buf_fini(&text);
    return e;
}

/* A transaction with a checkpoint ends. */
static enum err saved(struct controller *c, struct live_rollout *l, enum err e)
{
    e = transaction_end(c, "rollout", e);
    if (e == OK)
        units_saved(&l->units);
    l->saved = c->now; /* also when it failed: the next try is not the next turn's */
    return e;
}

static void applied(struct controller *c, struct live_rollout *l, const struct rollout_row *row)
{
    enum err e = rollout_apply(&l->machine, row);

    assert(e == OK); /* the machine made it for the state it is in */
    row_log(c, l, row);
}

/* What goes back does not wait for a disk: nobody is served by the canary until the row can be written. */
static void suspend(struct controller *c, struct live_rollout *l, const struct rollout_row *row)
{
    if (row->refusal != ROLLOUT_ACCEPTED || row->to.state != ROLLOUT_ABORTED || l->is_suspended)
        return;
    l->is_suspended = true;
    LOG(c->options.log, LOG_ERROR, "the canary serves nobody until its end can be written",
        LOG_TEXT("rollout", l->file->spec.id));
    arms_update(c);
}

/* The canary comes back when somebody says so, not because something else could be written first. */
static bool ends_suspension(const struct rollout_row *row)
{
    return row->refusal == ROLLOUT_ACCEPTED &&
           (row->operation != ROLLOUT_TICK || row->to.state == ROLLOUT_ABORTED);
}

static enum err row_commit(struct controller *c, struct live_rollout *l,
                           const struct rollout_row *row)
{
    int64_t sequence;
    enum err e = transaction_begin(c);

    if (e != OK)
        return store_failed(c, "rollout", e);
    e = fence_check(c, l);
    if (e == OK)
        e = checkpoint_put(c, l); /* what was known before the move; the row moves it */
    if (e == OK)
        e = row_append(c, l, row, &sequence);
    if (e == OK)
        e = fence_put(c, l, row->generation);
    if (e == OK)
        e = row_page(c, l, row);
    return saved(c, l, e);
}

enum err rollout_commit(struct controller *c, struct live_rollout *l, const struct rollout_row *row)
{
    enum err e = l->is_outrun ? WEIR_INTERRUPTED : row_commit(c, l, row);

    if (e != OK) {
        suspend(c, l, row);
        return e;
    }
    applied(c, l, row);
    if (ends_suspension(row))
        l->is_suspended = false;
    arms_update(c);
    channels_wake(c);
    return OK;
}

enum err rollout_save(struct controller *c, struct live_rollout *l)
{
    enum err e = l->is_outrun ? WEIR_INTERRUPTED : transaction_begin(c);

    if (e != OK)
        return store_failed(c, "rollout", e);
    e = fence_check(c, l);
    if (e == OK)
        e = checkpoint_put(c, l);
    return saved(c, l, e);
}

/* ---- the turn ---- */

static void warnings_log(const struct controller *c, const struct live_rollout *l,
                         const struct rollout_decision *d)
{
    const struct {
        uint32_t before, now;
        const char *event;
    } rows[] = { { l->last.warned, d->warned, "a guard warns" },
                 { l->last.dry_tripped, d->dry_tripped, "a guard trips, in a dry run" } };

    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
            if ((rows[r].now & ~rows[r].before) & 1u << m)
                LOG(c->options.log, LOG_WARNING, rows[r].event,
                    LOG_TEXT("rollout", l->file->spec.id),
                    LOG_TEXT("guard", str_from(change_metric_info((enum change_metric)m)->name)));
        }
    }
}

/* After completion nothing moves by itself: people are told, once for each guard. */
static void alarms_page(struct controller *c, struct live_rollout *l, uint32_t alarms)
{
    uint32_t fresh = alarms & ~l->alarms_told;

    for (size_t m = 0; m < CHANGE_METRIC_COUNT && fresh != 0; m++) {
        const char *metric = change_metric_info((enum change_metric)m)->name;
        struct buf words = { 0 };
        char key[160];
        if (!(fresh & 1u << m))
            continue;
        buf_printf(&words,
                   "rollout %.*s was completed, and since then %s has gone beyond its limit; "
                   "`weir rollout rollback` goes back",
                   STR_ARG(l->file->spec.id), metric);
        snprintf(key, sizeof(key), "rollout.%.*s.%" PRId64 ".alarm.%s", STR_ARG(l->file->spec.id),
                 l->after, metric);
        const struct page page = { .name = "rollout_alarm",
                                   .severity = ALERT_CRITICAL,
                                   .subject = l->file->spec.id,
                                   .arm = str_from(l->labels[ARM_CANARY]),
                                   .sentence = buf_str(&words),
                                   .key = str_from(key) };
        enum err e = transaction_begin(c);
        if (e == OK)
            e = transaction_end(c, "rollout", page_add(c, &page));
        if (e == OK)
            l->alarms_told |= 1u << m;
        buf_fini(&words);
    }
    if (fresh != 0)
        channels_wake(c);
}

static bool is_moving(enum rollout_state state)
{
    return state == ROLLOUT_RUNNING || state == ROLLOUT_PAUSED || state == ROLLOUT_BAKING ||
           state == ROLLOUT_COMPLETED;
}

void rollout_turn(struct controller *c)
{
    struct live_rollout *l = c->rollout;
    struct rollout_decision decision;

    if (!l || l->is_outrun || !is_moving(l->machine.place.state))
        return;
    const struct rollout_inputs in = { .config_hash = rollout_hash_now(c, l),
                                       .generation = l->machine.generation };
    rollout_tick(&l->machine, c->wall, &in, &decision);
    if (decision.clock_went_back)
        LOG(c->options.log, LOG_WARNING, "the clock went back",
            LOG_TEXT("rollout", l->file->spec.id));
    warnings_log(c, l, &decision);
    alarms_page(c, l, decision.alarms);
    l->last = decision;
    if (decision.has_row)
        IGNORE(rollout_commit(c, l, &decision.row));
    else if (c->now - l->saved >= CHECKPOINT_EVERY)
        IGNORE(rollout_save(c, l));
}

/* ---- a new one ---- */

static bool is_under_way(const struct controller *c)
{
    const struct live_rollout *l = c->rollout;

    if (!l)
        return false;
    if (l->machine.place.state ==
        ROLLOUT_COMPLETED) /* it serves, unless the configuration is its own by now */
        return !l->file->canary || l->file->canary->hash != c->options.config->hash;
    return is_moving(l->machine.place.state);
}

static enum err document_put(struct controller *c, const struct live_rollout *l)
{
    struct buf text = { 0 };

    buf_add_char(&text, '{');
    json_member_i64(&text, "version", 1);
    json_member_str(&text, "name", l->file->spec.id);
    json_member_str(&text, "path", l->file->path);
    json_member_i64(&text, "after", l->after);
    json_member_str(&text, "text", l->file->text);
    buf_add_char(&text, '}');
    enum err e =
        text.failed ? WEIR_NO_MEMORY : control_put(c->store, STR("rollout"), buf_str(&text));
    buf_fini(&text);
    return e;
}

/* The old one is superseded and the new one started, together or not at all. */
static enum err start_commit(struct controller *c, struct live_rollout *l,
                             const struct rollout_row *superseded,
                             const struct rollout_row *started)
{
    int64_t sequence = 0;
    enum err e = transaction_begin(c);

    if (e != OK)
        return store_failed(c, "rollout", e);
    if (superseded)
        e = fence_check(c, c->rollout);
    if (e == OK && superseded)
        e = row_append(c, c->rollout, superseded, &sequence);
    if (e == OK)
        e = row_append(c, l, started, &sequence);
    l->after = sequence - 1;
    if (e == OK)
        e = document_put(c, l);
    if (e == OK)
        e = checkpoint_put(c, l);
    if (e == OK)
        e = fence_put(c, l, started->generation);
    return saved(c, l, e);
}

static enum err start_move(struct controller *c, struct live_rollout *l,
                           const struct rollout_start *start)
{
    struct rollout_request request = { .operation = ROLLOUT_SUPERSEDE,
                                       .actor = start->actor,
                                       .note = start->note,
                                       .generation = ROLLOUT_ANY_GENERATION };
    struct rollout_row superseded, started;
    bool has_old = c->rollout && c->rollout->machine.place.state != ROLLOUT_SUPERSEDED;

    if (has_old)
        rollout_operate(&c->rollout->machine, c->wall, &request, &superseded);
    request.operation = ROLLOUT_START;
    request.config_hash = rollout_hash_now(c, l);
    rollout_operate(&l->machine, c->wall, &request, &started);
    enum err e = start_commit(c, l, has_old ? &superseded : NULL, &started);
    if (e != OK)
        return e;
    if (has_old)
        applied(c, c->rollout, &superseded);
    if (c->rollout)
        units_fini(&c->rollout->units); /* nothing of it is counted any more */
    applied(c, l, &started);
    l->older = c->rollout;
    c->rollout = l;
    arms_update(c);
    return OK;
}

enum start_result rollout_begin(struct controller *c, const struct rollout_start *start,
                                struct config_issues *issues, char out_why[256])
{
    struct rollout_file *file;
    struct live_rollout *l;

    if (rollout_file_load(start->path, c->options.config, &file, issues) != OK)
        return START_BAD_FILE;
    if (is_under_way(c) && !start->supersedes) {
        snprintf(out_why, 256,
                 "rollout %.*s is %s: abort it or roll it back first, or supersede it (its traffic "
                 "then goes "
                 "back to the gateway's own configuration)",
                 STR_ARG(c->rollout->file->spec.id),
                 rollout_state_name(c->rollout->machine.place.state));
        rollout_file_close(file);
        return START_UNDER_WAY;
    }
    enum err e = live_rollout_open(c, file, &l);
    if (e == OK) {
        e = start_move(c, l, start);
        if (e != OK)
            live_rollout_close(l);
    }
    snprintf(out_why, 256, "%s", err_info(e)->text);
    return e == OK ? START_DONE : START_FAILED;
}
