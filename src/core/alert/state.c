/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: the machine as JSON and back. Rules and receivers are kept by name, so that a changed configuration finds its
 * own again. Reading fills fresh tables and swaps them in whole, so that a broken text changes nothing.
 */
#include <string.h>

#include "core/alert/alert_internal.h"

#define STATE_VERSION 1
#define STATE_BYTES_MAX ((size_t)16 << 20)

/* ---- writing ---- */

static void write_told(struct buf *out, const struct alert_machine *m, uint32_t told)
{
    json_key(out, "told");
    buf_add_char(out, '[');
    for (size_t r = 0; r < m->policy.receiver_count; r++) {
        if (!(told & (1u << r)))
            continue;
        json_comma(out);
        json_write_str(out, m->policy.receivers[r].name);
    }
    buf_add_char(out, ']');
}

static void write_instance(struct buf *out, const struct alert_machine *m,
                           const struct alert_instance *i)
{
    buf_add_char(out, '{');
    json_member_str(out, "rule", alert_rule_of(m, i)->name);
    json_member_str(out, "arm", str_from(i->arm));
    json_member_str(out, "domain", str_from(i->domain));
    json_member_str(out, "state", str_from(alert_state_name(i->state)));
    json_member_i64(out, "since", i->since);
    json_member_i64(out, "fired", i->fired);
    json_member_i64(out, "good_since", i->good_since);
    json_member_i64(out, "silent_since", i->silent_since);
    json_member_i64(out, "ended", i->ended);
    json_member_double(out, "value", i->value);
    json_member_i64(out, "n", i->n);
    write_told(out, m, i->told);
    buf_add_char(out, '}');
}

static void write_log_row(struct buf *out, const struct alert_machine *m, const struct log_row *row)
{
    buf_add_char(out, '{');
    json_key(out, "group");
    buf_printf(out, "\"%016" PRIx64 "\"", row->group);
    json_member_str(out, "receiver", m->policy.receivers[row->receiver].name);
    json_member_i64(out, "sent", row->sent);
    json_member_i64(out, "generation", (int64_t)row->generation);
    buf_add_char(out, '}');
}

static void write_silence(struct buf *out, const struct alert_silence *s)
{
    buf_add_char(out, '{');
    json_member_i64(out, "id", (int64_t)s->id);
    json_member_i64(out, "starts", s->starts);
    json_member_i64(out, "ends", s->ends);
    json_member_str(out, "author", str_from(s->author));
    json_member_str(out, "comment", str_from(s->comment));
    json_key(out, "matchers");
    buf_add_char(out, '[');
    for (size_t i = 0; i < s->matcher_count; i++) {
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "label", str_from(s->matchers[i].label));
        json_member_str(out, "value", str_from(s->matchers[i].value));
        json_member_bool(out, "negative", s->matchers[i].is_negative);
        buf_add_char(out, '}');
    }
    buf_add(out, STR("]}"));
}

void alert_state_write(const struct alert_machine *m, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "version", STATE_VERSION);
    json_member_i64(out, "now", m->now);
    json_member_i64(out, "silence_last", (int64_t)m->silence_last);
    json_key(out, "instances");
    buf_add_char(out, '[');
    for (size_t i = 0; i < ALERT_INSTANCES_MAX; i++) {
        if (m->instances[i].fingerprint == 0)
            continue;
        json_comma(out);
        write_instance(out, m, &m->instances[i]);
    }
    buf_add(out, STR("],\"log\":["));
    for (size_t i = 0; i < LOG_ROWS_MAX; i++) {
        if (m->log[i].group == 0)
            continue;
        json_comma(out);
        write_log_row(out, m, &m->log[i]);
    }
    buf_add(out, STR("],\"silences\":["));
    for (size_t i = 0; i < m->silence_count; i++) {
        json_comma(out);
        write_silence(out, &m->silences[i]);
    }
    buf_add(out, STR("]}"));
}

/* ---- reading ---- */

/* Fields are read until one is missing. */
struct reader {
    struct arena *arena;
    bool is_ok;
};

static int64_t read_i64(struct reader *r, struct json object, str name, int64_t min)
{
    int64_t v = 0;

    if (!json_i64(json_get(object, name), &v) || v < min)
        r->is_ok = false;
    return v;
}

static str read_str(struct reader *r, struct json object, str name, size_t max)
{
    str s = { 0 };

    if (!json_str(json_get(object, name), r->arena, &s) || s.len > max ||
        (s.len > 0 && memchr(s.ptr, '\0', s.len)))
        r->is_ok = false;
    return r->is_ok ? s : (str){ 0 };
}

static bool find_rule(const struct alert_machine *m, str name, size_t *out)
{
    for (size_t i = 0; i < m->policy.rule_count; i++) {
        if (!str_eq(m->policy.rules[i].name, name))
            continue;
        *out = i;
        return true;
    }
    return false;
}

static bool find_receiver(const struct alert_machine *m, str name, size_t *out)
{
    for (size_t i = 0; i < m->policy.receiver_count; i++) {
        if (!str_eq(m->policy.receivers[i].name, name))
            continue;
        *out = i;
        return true;
    }
    return false;
}

static uint32_t read_told(struct reader *r, const struct alert_machine *m, struct json instance)
{
    struct json_iter it = json_iter(json_get(instance, STR("told")));
    uint32_t told = 0;
    size_t receiver;

    while (json_next(&it)) {
        str name = { 0 };
        if (!json_str(it.value, r->arena, &name))
            r->is_ok = false;
        else if (find_receiver(m, name, &receiver))
            told |= 1u << receiver;
    }
    return told;
}

static enum alert_state read_state(struct reader *r, struct json object)
{
    str name = read_str(r, object, STR("state"), ALERT_NAME_MAX);

    for (size_t i = 0; i < ALERT_STATE_COUNT; i++) {
        if (str_eq(name, str_from(alert_state_name((enum alert_state)i))))
            return (enum alert_state)i;
    }
    r->is_ok = false;
    return ALERT_INACTIVE;
}

static void read_instance(struct reader *r, struct alert_machine *m, struct json object)
{
    str name = read_str(r, object, STR("rule"), ALERT_NAME_MAX - 1);
    str arm = read_str(r, object, STR("arm"), ALERT_NAME_MAX - 1);
    str domain = read_str(r, object, STR("domain"), ALERT_NAME_MAX - 1);
    struct alert_instance i = { .state = read_state(r, object),
                                .since = read_i64(r, object, STR("since"), 0),
                                .fired = read_i64(r, object, STR("fired"), 0),
                                .good_since = read_i64(r, object, STR("good_since"), 0),
                                .silent_since = read_i64(r, object, STR("silent_since"), 0),
                                .ended = read_i64(r, object, STR("ended"), 0),
                                .n = read_i64(r, object, STR("n"), 0),
                                .told = read_told(r, m, object) };
    size_t rule;

    if (!json_double(json_get(object, STR("value")), &i.value))
        r->is_ok = false;
    if (!r->is_ok || !find_rule(m, name, &rule))
        return;
    alert_name(m, &i, rule, arm, domain);
    struct alert_instance *place = alert_place(m, i.fingerprint);
    if (!place || place->fingerprint != 0)
        r->is_ok = false; /* too many, or one twice */
    else
        *place = i;
}

static bool hex_to_u64(str s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.len != 16)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16)
            return false;
        v = v << 4 | digit;
    }
    *out = v;
    return true;
}

static void read_log_row(struct reader *r, struct alert_machine *m, struct json object)
{
    struct log_row row = { .sent = read_i64(r, object, STR("sent"), 0),
                           .generation = (uint64_t)read_i64(r, object, STR("generation"), 1) };
    str receiver = read_str(r, object, STR("receiver"), 256);

    if (!hex_to_u64(read_str(r, object, STR("group"), 16), &row.group) || row.group == 0)
        r->is_ok = false;
    if (r->is_ok && find_receiver(m, receiver, &row.receiver))
        *alert_log_place(m, row.group, row.receiver) = row;
}

static void read_silence(struct reader *r, struct alert_machine *m, struct json object)
{
    struct alert_silence s = { .starts = read_i64(r, object, STR("starts"), INT64_MIN),
                               .ends = read_i64(r, object, STR("ends"), INT64_MIN) };
    struct json_iter it = json_iter(json_get(object, STR("matchers")));
    int64_t id = read_i64(r, object, STR("id"), 1);
    uint64_t given = 0, last = m->silence_last;

    alert_copy(s.author, sizeof(s.author),
               read_str(r, object, STR("author"), sizeof(s.author) - 1));
    alert_copy(s.comment, sizeof(s.comment),
               read_str(r, object, STR("comment"), sizeof(s.comment) - 1));
    while (json_next(&it)) {
        if (s.matcher_count == ALERT_MATCHERS_MAX) {
            r->is_ok = false;
            return;
        }
        struct alert_matcher *matcher = &s.matchers[s.matcher_count++];
        alert_copy(matcher->label, sizeof(matcher->label),
                   read_str(r, it.value, STR("label"), sizeof(matcher->label) - 1));
        alert_copy(matcher->value, sizeof(matcher->value),
                   read_str(r, it.value, STR("value"), sizeof(matcher->value) - 1));
        r->is_ok =
            r->is_ok && json_bool(json_get(it.value, STR("negative")), &matcher->is_negative);
    }
    /* One that was ended before it began has no length; it says nothing any more. */
    if (!r->is_ok || s.ends <= s.starts)
        return;
    if (alert_silence_add(m, &s, &given) != OK || (uint64_t)id > last) {
        r->is_ok = false;
        return;
    }
    m->silences[m->silence_count - 1].id = (uint64_t)id;
    m->silence_last = last;
}

static void read_each(struct reader *r, struct alert_machine *m, struct json list,
                      void (*read)(struct reader *r, struct alert_machine *m, struct json object))
{
    struct json_iter it = json_iter(list);

    if (!json_is(list, JSON_ARRAY))
        r->is_ok = false;
    while (r->is_ok && json_next(&it))
        read(r, m, it.value);
}

/* Fills a machine that is empty. */
static enum err read_into(struct alert_machine *m, struct arena *arena, str text)
{
    struct reader r = { arena, true };
    struct json root;
    enum err e = json_parse(arena, text, &root, NULL);

    if (e != OK)
        return e == WEIR_NO_MEMORY ? e : CALLER_BAD_REQUEST;
    if (read_i64(&r, root, STR("version"), 1) != STATE_VERSION)
        return CALLER_BAD_REQUEST;
    m->now = read_i64(&r, root, STR("now"), 0);
    m->silence_last = (uint64_t)read_i64(&r, root, STR("silence_last"), 0);
    read_each(&r, m, json_get(root, STR("instances")), read_instance);
    read_each(&r, m, json_get(root, STR("log")), read_log_row);
    read_each(&r, m, json_get(root, STR("silences")), read_silence);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    return r.is_ok ? OK : CALLER_BAD_REQUEST;
}

enum err alert_state_read(struct alert_machine *m, str text)
{
    struct alert_machine *fresh = NULL;
    struct arena scratch;

    if (text.len > STATE_BYTES_MAX)
        return CALLER_BAD_REQUEST;
    arena_init(&scratch, STATE_BYTES_MAX * 8);
    enum err e = alert_open(&fresh, &scratch, &m->policy);
    if (e == OK)
        e = read_into(fresh, &scratch, text);
    if (e == OK) {
        memcpy(m->instances, fresh->instances, ALERT_INSTANCES_MAX * sizeof(*m->instances));
        memcpy(m->log, fresh->log, LOG_ROWS_MAX * sizeof(*m->log));
        memcpy(m->silences, fresh->silences, ALERT_SILENCES_MAX * sizeof(*m->silences));
        m->silence_count = fresh->silence_count;
        m->silence_last = fresh->silence_last;
        m->now = fresh->now;
    }
    arena_fini(&scratch);
    return e;
}
