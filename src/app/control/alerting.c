/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerting: the rules of alerts over the windows, and their messages into the outbox.
 *
 * An evaluation is one transaction: transitions as events, messages into the outbox, and the machine's state, which knows
 * that they are there. When it cannot be committed the machine goes back to what was written last and the next evaluation
 * finds the same again.
 */
#include "app/control/control_internal.h"

#include <stdio.h>

#define EVALUATE_EVERY (2 * NSEC_PER_SEC)
#define SAVE_EVERY (30 * NSEC_PER_SEC) /* also when nothing happened */
#define MACHINE_BYTES_MAX ((size_t)16 << 20)
#define MESSAGES_MAX 64 /* of one evaluation; the rest is due at the next */

static const char state_key[] = "alerts";

/* ---- the machine and what is written of it ---- */

static enum err machine_open(struct controller *c)
{
    struct alerting *w = &c->alerting;

    arena_init(&w->arena, MACHINE_BYTES_MAX);
    return alert_open(&w->machine, &w->arena, &c->options.config->alerts.policy);
}

enum err alerting_open(struct controller *c)
{
    struct alerting *w = &c->alerting;
    bool is_found;
    enum err e = machine_open(c);

    w->dead_known = -1;
    if (e == OK)
        e = control_get(c->store, str_from(state_key), &w->committed, &is_found);
    if (e == OK && is_found && alert_state_read(w->machine, buf_str(&w->committed)) != OK)
        LOG(c->options.log, LOG_ERROR, "the state of alerts cannot be read; beginning anew",
            LOG_TEXT("key", str_from(state_key)));
    return e;
}

void alerting_close(struct controller *c)
{
    arena_fini(&c->alerting.arena);
    buf_fini(&c->alerting.committed);
}

/* Back to what was written last. */
static void machine_reset(struct controller *c)
{
    struct alerting *w = &c->alerting;

    arena_fini(&w->arena);
    enum err e = machine_open(c);
    assert(e == OK); /* the policy was sound, and the memory was there a moment ago */
    if (w->committed.len > 0)
        IGNORE(alert_state_read(w->machine, buf_str(&w->committed)));
}

enum err alerting_begin(struct controller *c)
{
    c->alerting.has_changed = false;
    c->alerting.fault = transaction_begin(c);
    return c->alerting.fault;
}

enum err alerting_end(struct controller *c)
{
    struct alerting *w = &c->alerting;
    struct buf state = { 0 };

    if (w->fault == OK && !w->has_changed && c->now - w->saved < SAVE_EVERY) {
        control_rollback(c->store);
        return OK;
    }
    alert_state_write(w->machine, &state);
    enum err e = state.failed ? WEIR_NO_MEMORY : w->fault;
    if (e == OK)
        e = control_put(c->store, str_from(state_key), buf_str(&state));
    e = transaction_end(c, "alerts", e);
    if (e != OK) {
        machine_reset(c);
        buf_fini(&state);
        return e;
    }
    buf_fini(&w->committed);
    w->committed = state;
    w->saved = c->now;
    return OK;
}

/* ---- readings ---- */

static void dead_count(struct controller *c)
{
    struct alerting *w = &c->alerting;
    int64_t count = 0;

    if (outbox_count(c->store, OUTBOX_DEAD, &count) != OK)
        return;
    if (w->dead_known >= 0 && count > w->dead_known) {
        w->dead[w->dead_count % DEAD_MARKS_MAX].at = c->now;
        w->dead[w->dead_count % DEAD_MARKS_MAX].count = count - w->dead_known;
        w->dead_count++;
    }
    w->dead_known = count;
}

static struct alert_reading dead_read(const struct controller *c, nsec window)
{
    const struct alerting *w = &c->alerting;
    size_t n = w->dead_count < DEAD_MARKS_MAX ? w->dead_count : DEAD_MARKS_MAX;
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += c->now - w->dead[i].at < window ? w->dead[i].count : 0;
    return (struct alert_reading){ .n = 1, .bad = sum, .value = (double)sum };
}

static size_t on_series(void *ctx, unsigned by, struct alert_labels *out, size_t max)
{
    const struct controller *c = ctx;

    return windows_series(c->windows, windows_now(c), by, out, max);
}

static bool on_read(void *ctx, enum alert_metric metric, const struct alert_labels *labels,
                    nsec window, struct alert_reading *out)
{
    const struct controller *c = ctx;

    if (metric == ALERT_DEAD_LETTERS) {
        *out = dead_read(c, window);
        return true;
    }
    return windows_read(c->windows, windows_now(c), metric, labels, window, out);
}

/* ---- transitions ---- */

static void transition_write(const struct controller *c, const struct alert_transition *t,
                             struct arena *arena, struct buf *out)
{
    const struct alert_rule *rule = alert_rule_of(c->alerting.machine, t->instance);

    buf_add_char(out, '{');
    json_member_str(out, "rule", rule->name);
    json_member_str(out, "severity", str_from(alert_severity_name(rule->severity)));
    json_member_str(out, "arm", str_from(t->instance->arm));
    json_member_str(out, "domain", str_from(t->instance->domain));
    json_member_str(out, "from", str_from(alert_state_name(t->from)));
    json_member_str(out, "to", str_from(alert_state_name(t->to)));
    json_member_double(out, "value", t->instance->value);
    json_member_i64(out, "n", t->instance->n);
    json_member_bool(out, "no_data", t->is_for_want_of_data);
    json_member_str(out, "sentence", alert_sentence(c->alerting.machine, t->instance, arena));
    buf_add_char(out, '}');
}

static void on_transition(void *ctx, const struct alert_transition *t)
{
    struct controller *c = ctx;
    struct alerting *w = &c->alerting;
    const struct alert_rule *rule = alert_rule_of(w->machine, t->instance);
    struct buf text = { 0 };
    struct arena arena;
    int64_t sequence;

    w->has_changed = true;
    arena_init(&arena, (size_t)1 << 16);
    transition_write(c, t, &arena, &text);
    struct control_event event = {
        .at = t->at, .kind = STR("alert"), .subject = rule->name, .text = buf_str(&text)
    };
    if (w->fault == OK)
        w->fault = control_append(c->store, &event, &sequence);
    LOG(c->options.log, t->to == ALERT_FIRING ? LOG_WARNING : LOG_INFO, "alert",
        LOG_TEXT("rule", rule->name), LOG_TEXT("arm", str_from(t->instance->arm)),
        LOG_TEXT("domain", str_from(t->instance->domain)),
        LOG_TEXT("from", str_from(alert_state_name(t->from))),
        LOG_TEXT("to", str_from(alert_state_name(t->to))));
    arena_fini(&arena);
    buf_fini(&text);
}

/* ---- messages ---- */

/* Every body of a notice, to its channel; base: what makes the key unique. */
static enum err notice_add(struct controller *c, const struct wire_channel *channel,
                           const struct wire_notice *notice, str base)
{
    enum err e = OK;

    for (size_t i = 0; e == OK && i < wire_body_count(channel->kind, notice); i++) {
        struct buf body = { 0 };
        char key[256];
        snprintf(key, sizeof(key), "%.*s.%.*s.%zu", STR_ARG(base), STR_ARG(channel->name), i);
        wire_body(&body, channel->kind, notice, i, c->wall);
        struct outbox_message message = { .key = str_from(key),
                                          .channel = channel->name,
                                          .body = buf_str(&body),
                                          .created = c->wall,
                                          .due = c->wall };
        e = body.failed ? WEIR_NO_MEMORY : outbox_add(c->store, &message);
        buf_fini(&body);
    }
    return e;
}

static bool messages_add(struct controller *c)
{
    struct alerting *w = &c->alerting;
    struct alert_message message;
    size_t n = 0;

    for (; w->fault == OK && n < MESSAGES_MAX && alert_due(w->machine, c->wall, &message); n++) {
        const struct wire_channel *channel = &c->options.config->alerts.channels[message.receiver];
        struct wire_notice notice;
        struct arena arena;
        char base[64];
        arena_init(&arena, (size_t)1 << 18);
        wire_notice_make(&notice, w->machine, &message, c->options.config->alerts.link, &arena);
        snprintf(base, sizeof(base), "%016" PRIx64 ".%" PRIu64, message.group, message.generation);
        w->fault =
            arena_failed(&arena) ? WEIR_NO_MEMORY : notice_add(c, channel, &notice, str_from(base));
        alert_sent(w->machine, c->wall, &message);
        w->has_changed = true;
        arena_fini(&arena);
    }
    return n > 0;
}

void alerting_turn(struct controller *c)
{
    struct alerting *w = &c->alerting;
    const struct alert_source source = { c, on_series, on_read };

    if (c->now < w->next)
        return;
    if (alerting_begin(c) != OK) {
        IGNORE(store_failed(c, "alerts", w->fault));
        return; /* due again in the next turn */
    }
    w->next = c->now + EVALUATE_EVERY;
    dead_count(c);
    alert_evaluate(w->machine, c->wall, &source, on_transition, c);
    bool has_messages = messages_add(c);
    if (alerting_end(c) == OK && has_messages)
        channels_wake(c);
}

/* ---- pages ---- */

enum err page_add(struct controller *c, const struct page *page)
{
    const struct config *config = c->options.config;
    struct wire_notice notice = { .link = config->alerts.link,
                                  .group = str_hash(page->subject),
                                  .count = 1,
                                  .is_change = page->is_change };
    enum err e = OK;

    notice.alerts[0] =
        (struct wire_alert){ .name = str_from(page->name),
                             .severity = str_from(alert_severity_name(page->severity)),
                             .arm = page->arm,
                             .sentence = page->sentence,
                             .runbook = STR("docs/runbooks.md#rollouts"),
                             .fingerprint = str_hash(page->key),
                             .starts = c->wall };
    for (size_t i = 0; e == OK && i < config->alerts.channel_count; i++) {
        const struct wire_channel *channel = &config->alerts.channels[i];
        notice.receiver = channel->name;
        if (page->severity >= channel->severity_min)
            e = notice_add(c, channel, &notice, page->key);
    }
    return e;
}

void channels_wake(struct controller *c)
{
    if (c->notify)
        notify_wake(c->notify);
}
