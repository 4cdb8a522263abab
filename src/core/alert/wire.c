/* SPDX-License-Identifier: Apache-2.0 */
/* wire: notices, how many bodies they make, and what a service's answer means. The bodies are in wire_chat.c and wire_alertmanager.c. */
#include "core/alert/wire_internal.h"

static const char *const kind_names[WIRE_KIND_COUNT] = {
    [WIRE_SLACK] = "slack",     [WIRE_PAGERDUTY] = "pagerduty",
    [WIRE_WEBHOOK] = "webhook", [WIRE_ALERTMANAGER] = "alertmanager",
    [WIRE_EMAIL] = "email",
};

const char *wire_kind_name(enum wire_kind k)
{
    return kind_names[k];
}

bool wire_kind_find(str name, enum wire_kind *out)
{
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        if (!str_eq(name, str_from(kind_names[i])))
            continue;
        *out = (enum wire_kind)i;
        return true;
    }
    return false;
}

/* ---- notices ---- */

void wire_notice_make(struct wire_notice *out, const struct alert_machine *m,
                      const struct alert_message *message, str link, struct arena *arena)
{
    *out = (struct wire_notice){ .receiver = alert_receiver_name(m, message->receiver),
                                 .link = link,
                                 .group = message->group,
                                 .count = message->count,
                                 .left_out = message->left_out };
    for (size_t i = 0; i < message->count; i++) {
        const struct alert_instance *instance = message->items[i].instance;
        const struct alert_rule *rule = alert_rule_of(m, instance);
        out->alerts[i] =
            (struct wire_alert){ .name = rule->name,
                                 .severity = str_from(alert_severity_name(rule->severity)),
                                 .arm = arena_str(arena, str_from(instance->arm)),
                                 .domain = arena_str(arena, str_from(instance->domain)),
                                 .sentence = alert_sentence(m, instance, arena),
                                 .runbook = rule->runbook,
                                 .fingerprint = instance->fingerprint,
                                 .starts = instance->fired,
                                 .ends = instance->ended,
                                 .is_resolved = message->items[i].is_resolved };
    }
}

void wire_notice_test(struct wire_notice *out, str receiver, usec_utc now)
{
    *out = (struct wire_notice){ .receiver = receiver, .group = 1, .count = 1 };
    out->alerts[0] =
        (struct wire_alert){ .name = STR("test"),
                             .severity = STR("info"),
                             .sentence = STR("this is a test of the channel; nothing is wrong"),
                             .fingerprint = 1,
                             .starts = now };
}

bool wire_is_firing(const struct wire_notice *n)
{
    for (size_t i = 0; i < n->count; i++) {
        if (!n->alerts[i].is_resolved)
            return true;
    }
    return false;
}

/* ---- text ---- */

#define ENTITY_BYTES_MAX 5 /* "&amp;" */

str wire_cut(str s, size_t max)
{
    if (s.len <= max)
        return s;
    /* Never within a character of UTF-8. */
    while (max > 0 && ((unsigned char)s.ptr[max] & 0xC0) == 0x80)
        max--;
    return str_slice(s, 0, max);
}

str wire_cut_escaped(str s, size_t max)
{
    str cut = wire_cut(s, max);

    for (size_t i = cut.len; cut.len < s.len && i > 0 && cut.len - i < ENTITY_BYTES_MAX; i--) {
        if (cut.ptr[i - 1] == ';')
            break;
        if (cut.ptr[i - 1] == '&')
            return str_slice(cut, 0, i - 1);
    }
    return cut;
}

void wire_title(struct buf *out, const struct wire_notice *n)
{
    const struct wire_alert *first = &n->alerts[0];
    const char *what = n->is_change ? "CHANGE" : wire_is_firing(n) ? "FIRING" : "RESOLVED";

    buf_printf(out, "[%s] %.*s", what, STR_ARG(first->name));
    if (first->arm.len > 0)
        buf_printf(out, " (%.*s)", STR_ARG(first->arm));
    if (n->count + n->left_out > 1)
        buf_printf(out, ": %zu alerts", n->count + n->left_out);
}

/* ---- bodies ---- */

typedef void (*body_writer)(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now);
static const body_writer writers[WIRE_KIND_COUNT] = {
    [WIRE_SLACK] = wire_slack,     [WIRE_PAGERDUTY] = wire_pagerduty,
    [WIRE_WEBHOOK] = wire_webhook, [WIRE_ALERTMANAGER] = wire_alertmanager,
    [WIRE_EMAIL] = wire_email,
};

size_t wire_body_count(enum wire_kind kind, const struct wire_notice *n)
{
    return kind == WIRE_PAGERDUTY ? n->count : 1;
}

void wire_body(struct buf *out, enum wire_kind kind, const struct wire_notice *n, size_t i,
               usec_utc now)
{
    assert(n->count > 0 && i < wire_body_count(kind, n));
    writers[kind](out, n, i, now);
}

void wire_webhook_signed(struct buf *out, str id, usec_utc now, str body)
{
    buf_printf(out, "%.*s.%" PRId64 ".", STR_ARG(id), now / 1000000);
    buf_add(out, body);
}

/* ---- answers ---- */

/* A status or a class of them (4 for 4xx). The first row that matches counts. */
static const struct {
    enum wire_kind kind;
    int from, to;
    enum wire_result result;
} results[] = {
    { WIRE_SLACK, 200, 299, WIRE_DELIVERED },
    { WIRE_SLACK, 403, 404, WIRE_DISABLED }, /* action_prohibited, no_service, channel_not_found */
    { WIRE_SLACK, 410, 410, WIRE_DISABLED }, /* channel_is_archived */
    { WIRE_SLACK, 429, 429, WIRE_RETRY },
    { WIRE_SLACK, 400, 499, WIRE_REFUSED },
    { WIRE_PAGERDUTY, 200, 299, WIRE_DELIVERED },
    { WIRE_PAGERDUTY, 429, 429, WIRE_RETRY },
    { WIRE_PAGERDUTY, 400, 499, WIRE_REFUSED },
    { WIRE_WEBHOOK, 200, 299, WIRE_DELIVERED },
    { WIRE_WEBHOOK, 410, 410, WIRE_DISABLED },
    { WIRE_ALERTMANAGER, 200, 299, WIRE_DELIVERED },
    { WIRE_ALERTMANAGER, 429, 429, WIRE_RETRY },
    { WIRE_ALERTMANAGER, 400, 499, WIRE_REFUSED },
    { WIRE_EMAIL, 200, 299, WIRE_DELIVERED },
    { WIRE_EMAIL, 500, 599, WIRE_REFUSED },
};

enum wire_result wire_result_of(enum wire_kind kind, int http_status, str body)
{
    /* Slack says 'ok'; a proxy's page with 200 is no delivery. */
    if (kind == WIRE_SLACK && http_status == 200 && !str_eq(str_trim(body), STR("ok")))
        return WIRE_RETRY;
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        if (results[i].kind == kind && http_status >= results[i].from &&
            http_status <= results[i].to)
            return results[i].result;
    }
    return WIRE_RETRY;
}
