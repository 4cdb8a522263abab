/* SPDX-License-Identifier: Apache-2.0 */
/* api_alert: alerts, silences and the outbox through the admin API. */
#include "app/control/control_internal.h"

#include <stdio.h>
#include <string.h>

#define OUTBOX_SHOWN 100
#define SILENCE_MAX_US (INT64_C(365) * 86400 * 1000000)

/* ---- alerts ---- */

static void instance_write(const struct controller *c, const struct alert_instance *i,
                           struct arena *arena, struct buf *out)
{
    const struct alert_machine *m = c->alerting.machine;
    const struct alert_rule *rule = alert_rule_of(m, i);
    uint64_t silence = 0;

    buf_add_char(out, '{');
    json_member_str(out, "rule", rule->name);
    json_member_str(out, "severity", str_from(alert_severity_name(rule->severity)));
    json_member_str(out, "state", str_from(alert_state_name(i->state)));
    json_member_str(out, "arm", str_from(i->arm));
    json_member_str(out, "domain", str_from(i->domain));
    api_member_utc(out, "since", i->since);
    json_member_double(out, "value", i->value);
    json_member_i64(out, "n", i->n);
    json_member_str(out, "sentence", alert_sentence(m, i, arena));
    json_member_str(out, "runbook", rule->runbook);
    bool is_silenced = alert_is_silenced(m, i, c->wall, &silence);
    json_member_bool(out, "silenced", is_silenced);
    json_member_i64(out, "silence", (int64_t)silence);
    json_member_bool(out, "inhibited", alert_is_inhibited(m, i));
    buf_add_char(out, '}');
}

static void silence_write(const struct controller *c, const struct alert_silence *s,
                          struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "id", (int64_t)s->id);
    json_member_bool(out, "active", s->starts <= c->wall && c->wall < s->ends);
    json_key(out, "matchers");
    buf_add_char(out, '[');
    for (size_t i = 0; i < s->matcher_count; i++) {
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "label", str_from(s->matchers[i].label));
        json_member_str(out, "value", str_from(s->matchers[i].value));
        json_member_bool(out, "negative", s->matchers[i].is_negative);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    api_member_utc(out, "starts", s->starts);
    api_member_utc(out, "ends", s->ends);
    json_member_str(out, "author", str_from(s->author));
    json_member_str(out, "comment", str_from(s->comment));
    buf_add_char(out, '}');
}

static void silences_write(const struct controller *c, struct buf *out)
{
    const struct alert_silence *s;

    buf_add_char(out, '[');
    for (size_t i = 0; (s = alert_silence_at(c->alerting.machine, i)) != NULL; i++) {
        json_comma(out);
        silence_write(c, s, out);
    }
    buf_add_char(out, ']');
}

static void alerts_list(struct controller *c, struct exchange *x)
{
    const struct alert_instance *instance;
    struct buf body = { 0 };

    buf_add(&body, STR("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; (instance = alert_at(c->alerting.machine, i)) != NULL; i++) {
        json_comma(&body);
        instance_write(c, instance, exchange_arena(x), &body);
    }
    buf_add(&body, STR("],\"silences\":"));
    silences_write(c, &body);
    json_member_i64(&body, "rules", (int64_t)c->options.config->alerts.policy.rule_count);
    json_member_i64(&body, "not_watched", (int64_t)alert_overflow(c->alerting.machine));
    buf_add_char(&body, '}');
    api_answer(x, 200, &body);
    buf_fini(&body);
}

void api_alerts(struct controller *c, struct exchange *x, str rest)
{
    if (!str_eq(exchange_method(x), STR("GET")))
        api_refuse(x, &api_bad_method);
    else if (rest.len == 0)
        alerts_list(c, x);
    else if (str_eq(rest, STR("history")))
        api_history(c, x, STR("alert"), STR(""));
    else
        api_refuse(x, &api_unknown_path);
}

/* ---- silences ---- */

static bool copy_text(str from, char *to, size_t room)
{
    if (from.len >= room)
        return false;
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
    return true;
}

/* {"alertname": "latency_p95_high", "arm": "!gpt-4o-mini/canary"}: a '!' in front negates. */
static const char *matchers_read(struct json object, struct arena *arena, struct alert_silence *out)
{
    struct json_iter it = json_iter(object);

    if (!json_is(object, JSON_OBJECT) || json_count(object) == 0 ||
        json_count(object) > ALERT_MATCHERS_MAX)
        return "match must be an object of 1 to 4 labels: alertname, severity, arm, domain";
    while (json_next(&it)) {
        struct alert_matcher *m = &out->matchers[out->matcher_count++];
        str value;
        if (!json_str(it.value, arena, &value))
            return "a label's value must be a text";
        m->is_negative = str_starts(value, STR("!"));
        if (!copy_text(it.name, m->label, sizeof(m->label)) ||
            !copy_text(str_slice(value, m->is_negative, value.len), m->value, sizeof(m->value)))
            return "a label or its value is too long";
    }
    return NULL;
}

static const char *silence_read(const struct controller *c, struct exchange *x,
                                const struct api_request *request, struct alert_silence *out)
{
    int64_t seconds;

    *out = (struct alert_silence){ .starts = c->wall };
    if (!json_i64(json_get(request->body, STR("seconds")), &seconds) || seconds <= 0 ||
        seconds > SILENCE_MAX_US / 1000000)
        return "seconds must be a whole number above 0 and at most a year";
    out->ends = c->wall + seconds * 1000000;
    if (!copy_text(request->actor, out->author, sizeof(out->author)) ||
        !copy_text(request->reason, out->comment, sizeof(out->comment)))
        return "actor must be shorter than 64 bytes and reason shorter than 128";
    return matchers_read(json_get(request->body, STR("match")), exchange_arena(x), out);
}

/* Who did it, beside the silences themselves, which are in the machine's state. */
static void silence_event(struct controller *c, const char *operation, uint64_t id,
                          const struct api_request *request)
{
    struct buf text = { 0 };
    int64_t sequence;

    buf_add_char(&text, '{');
    json_member_str(&text, "operation", str_from(operation));
    json_member_i64(&text, "silence", (int64_t)id);
    json_member_str(&text, "actor", request->actor);
    json_member_str(&text, "note", request->reason);
    buf_add_char(&text, '}');
    struct control_event event = {
        .at = c->wall, .kind = STR("operation"), .subject = STR("silence"), .text = buf_str(&text)
    };
    c->alerting.has_changed = true;
    if (c->alerting.fault == OK)
        c->alerting.fault = control_append(c->store, &event, &sequence);
    buf_fini(&text);
}

static void silence_add(struct controller *c, struct exchange *x)
{
    struct api_request request;
    struct alert_silence silence;
    struct api_error error = { 400, "bad_request", { 0 } };
    struct buf body = { 0 };
    uint64_t id = 0;

    if (!api_read(x, &request))
        return;
    const char *why = silence_read(c, x, &request, &silence);
    if (!why && alerting_begin(c) != OK) {
        api_refuse(x, api_store_error(c));
        return;
    }
    if (!why && alert_silence_add(c->alerting.machine, &silence, &id) != OK) {
        why = "no such label, or there are too many silences";
        IGNORE(alerting_end(c));
    }
    if (why) {
        error.message = str_from(why);
        api_refuse(x, &error);
        return;
    }
    silence_event(c, "add", id, &request);
    if (alerting_end(c) != OK) {
        api_refuse(x, api_store_error(c));
        return;
    }
    silence.id = id;
    silence_write(c, &silence, &body);
    api_answer(x, 200, &body);
    buf_fini(&body);
}

static void silence_end(struct controller *c, struct exchange *x, uint64_t id)
{
    const struct api_error unknown = { 404, "unknown_silence",
                                       STR("no silence has this number, or it is over") };
    struct api_request request;
    struct buf body = { 0 };

    if (!api_read(x, &request))
        return;
    if (alerting_begin(c) != OK) {
        api_refuse(x, api_store_error(c));
        return;
    }
    bool is_found = alert_silence_end(c->alerting.machine, id, c->wall);
    if (is_found)
        silence_event(c, "end", id, &request);
    if (alerting_end(c) != OK) {
        api_refuse(x, api_store_error(c));
    } else if (!is_found) {
        api_refuse(x, &unknown);
    } else {
        buf_add(&body, STR("{\"ended\":true}"));
        api_answer(x, 200, &body);
    }
    buf_fini(&body);
}

void api_silences(struct controller *c, struct exchange *x, str rest)
{
    struct buf body = { 0 };
    str method = exchange_method(x);
    uint64_t id;

    if (rest.len > 0 && !str_to_u64(rest, &id)) {
        api_refuse(x, &api_unknown_path);
    } else if (rest.len > 0 && str_eq(method, STR("DELETE"))) {
        silence_end(c, x, id);
    } else if (rest.len == 0 && str_eq(method, STR("POST"))) {
        silence_add(c, x);
    } else if (rest.len == 0 && str_eq(method, STR("GET"))) {
        buf_add(&body, STR("{\"object\":\"list\",\"data\":"));
        silences_write(c, &body);
        buf_add_char(&body, '}');
        api_answer(x, 200, &body);
    } else {
        api_refuse(x, &api_bad_method);
    }
    buf_fini(&body);
}

/* ---- the outbox ---- */

/* Without bodies: what a message says is in the alert; a body may hold what is nobody's business. */
static void on_message(void *ctx, const struct outbox_message *m)
{
    struct buf *out = ctx;

    json_comma(out);
    buf_add_char(out, '{');
    json_member_i64(out, "id", m->id);
    json_member_str(out, "key", m->key);
    json_member_str(out, "channel", m->channel);
    api_member_utc(out, "created", m->created);
    api_member_utc(out, "due", m->due);
    json_member_i64(out, "attempts", m->attempts);
    json_member_str(out, "error", m->error);
    buf_add_char(out, '}');
}

void api_outbox(struct controller *c, struct exchange *x, str rest)
{
    static const struct {
        const char *name;
        enum outbox_state state;
    } states[] = { { "pending", OUTBOX_PENDING },
                   { "dead", OUTBOX_DEAD },
                   { "sent", OUTBOX_SENT } };
    struct buf body = { 0 };
    enum err e = OK;

    if (rest.len > 0 || !str_eq(exchange_method(x), STR("GET"))) {
        api_refuse(x, rest.len > 0 ? &api_unknown_path : &api_bad_method);
        return;
    }
    buf_add_char(&body, '{');
    for (size_t i = 0; e == OK && i < ARRAY_LEN(states); i++) {
        int64_t count = 0;
        char name[32];
        e = outbox_count(c->store, states[i].state, &count);
        snprintf(name, sizeof(name), "%s_count", states[i].name);
        json_member_i64(&body, name, count);
        json_key(&body, states[i].name);
        buf_add_char(&body, '[');
        if (e == OK)
            e = outbox_each(c->store, states[i].state, OUTBOX_SHOWN, on_message, &body);
        buf_add_char(&body, ']');
    }
    buf_add_char(&body, '}');
    if (e == OK)
        api_answer(x, 200, &body);
    else
        api_refuse(x, api_store_error(c));
    buf_fini(&body);
}
