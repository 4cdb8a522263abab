/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: which groups are due at which receivers. Computed afresh each time from the instances and the notification
 * log, so that there is no timer to lose.
 */
#include "core/alert/alert_internal.h"

/* A group as one receiver sees it. */
struct view {
    const struct alert_machine *m;
    usec_utc now;
    size_t receiver;
    uint64_t group;
};

const struct log_row *alert_log_find(const struct alert_machine *m, uint64_t group, size_t receiver)
{
    for (size_t i = 0; i < LOG_ROWS_MAX; i++) {
        if (m->log[i].group == group && m->log[i].receiver == receiver)
            return &m->log[i];
    }
    return NULL;
}

struct log_row *alert_log_place(struct alert_machine *m, uint64_t group, size_t receiver)
{
    struct log_row *place = &m->log[0];

    for (size_t i = 0; i < LOG_ROWS_MAX; i++) {
        if (m->log[i].group == group && m->log[i].receiver == receiver)
            return &m->log[i];
        /* A free place was sent at 0, before all others. */
        if (m->log[i].sent < place->sent)
            place = &m->log[i];
    }
    return place;
}

static bool was_told(const struct alert_instance *i, size_t receiver)
{
    return i->told & (1u << receiver);
}

static bool is_firing_for(const struct view *v, const struct alert_instance *i)
{
    return i->state == ALERT_FIRING &&
           alert_rule_of(v->m, i)->severity >= v->m->policy.receivers[v->receiver].severity_min &&
           !alert_is_silenced(v->m, i, v->now, NULL) && !alert_is_inhibited(v->m, i);
}

static bool has_ended_for(const struct view *v, const struct alert_instance *i)
{
    return i->state == ALERT_INACTIVE && was_told(i, v->receiver);
}

static bool is_in(const struct view *v, const struct alert_instance *i)
{
    return i->fingerprint != 0 && i->group == v->group;
}

/* Is the group due? first: of the firing ones that the receiver does not know, when the oldest began. */
static bool is_due(const struct view *v, size_t firing, size_t changes, usec_utc first, size_t told)
{
    const struct alert_policy *policy = &v->m->policy;
    const struct log_row *row = alert_log_find(v->m, v->group, v->receiver);

    if (changes == 0 && firing == 0)
        return false;
    if (told == 0 || !row) {
        bool has_waited = v->now - first >= usec_of(policy->group_wait);
        /* A group that comes back soon after it ended keeps the pace of one that never went. */
        bool is_paced = !row || v->now - row->sent >= usec_of(policy->group_interval);
        return has_waited && is_paced;
    }
    nsec wait = changes > 0 ? policy->group_interval : policy->repeat_interval;
    return v->now - row->sent >= usec_of(wait);
}

static void message_add(struct alert_message *out, const struct alert_instance *i, bool is_resolved)
{
    if (out->count < ALERT_MESSAGE_ALERTS_MAX)
        out->items[out->count++] = (struct alert_message_item){ i, is_resolved };
    else
        out->left_out++;
}

static bool group_look(const struct view *v, struct alert_message *out)
{
    size_t firing = 0, changes = 0, told = 0;
    usec_utc first = INT64_MAX;
    struct alert_message message = { .receiver = v->receiver, .group = v->group };

    for (size_t k = 0; k < ALERT_INSTANCES_MAX; k++) {
        const struct alert_instance *i = &v->m->instances[k];
        if (!is_in(v, i))
            continue;
        told += was_told(i, v->receiver);
        message.rule = i->rule;
        if (is_firing_for(v, i)) {
            firing++;
            changes += !was_told(i, v->receiver);
            if (i->fired < first)
                first = i->fired;
            message_add(&message, i, false);
        } else if (has_ended_for(v, i)) {
            changes++;
            message_add(&message, i, true);
        }
    }
    if (!is_due(v, firing, changes, first, told))
        return false;
    *out = message;
    return true;
}

bool alert_due(const struct alert_machine *m, usec_utc now, struct alert_message *out)
{
    struct view v = { .m = m, .now = now > m->now ? now : m->now };

    for (v.receiver = 0; v.receiver < m->policy.receiver_count; v.receiver++) {
        for (size_t k = 0; k < ALERT_INSTANCES_MAX; k++) {
            const struct alert_instance *i = &m->instances[k];
            if (i->fingerprint == 0 || i->state == ALERT_PENDING)
                continue;
            v.group = i->group;
            if (!group_look(&v, out))
                continue;
            const struct log_row *row = alert_log_find(m, v.group, v.receiver);
            out->generation = row ? row->generation + 1 : 1;
            return true;
        }
    }
    return false;
}

void alert_sent(struct alert_machine *m, usec_utc now, const struct alert_message *message)
{
    struct view v = { m, now > m->now ? now : m->now, message->receiver, message->group };
    struct log_row *row = alert_log_place(m, v.group, v.receiver);

    for (size_t k = 0; k < ALERT_INSTANCES_MAX; k++) {
        struct alert_instance *i = &m->instances[k];
        if (!is_in(&v, i))
            continue;
        if (is_firing_for(&v, i))
            i->told |= 1u << v.receiver;
        else if (has_ended_for(&v, i))
            i->told &= ~(1u << v.receiver);
    }
    *row = (struct log_row){ v.group, v.receiver, v.now, message->generation };
    alert_forget(m);
}
