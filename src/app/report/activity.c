/* SPDX-License-Identifier: Apache-2.0 */
/* activity: what the journal of events beside the ledger says about a span: alerts that began to fire, days on which people looked. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/report/daily_internal.h"
#include "core/json/json.h"
#include "edge/store/control.h"

#define EVENT_BYTES_MAX ((size_t)1 << 20)

struct counting {
    const struct day *day;
    struct day_part parts[DAY_PARTS_MAX];
    size_t parts_count;
    bool was_seen[DAY_PARTS_MAX]; /* parts with a session */
    struct daily_activity *out;
};

static bool is_within(const struct day *day, usec_utc at)
{
    return at >= day->from && at < day->to;
}

static void alert_count(void *ctx, const struct control_event *event)
{
    struct counting *c = ctx;
    struct arena arena;
    struct json text;
    str state = STR("");

    if (!is_within(c->day, event->at))
        return;
    arena_init(&arena, EVENT_BYTES_MAX);
    if (json_parse(&arena, event->text, &text, NULL) == OK &&
        json_str(json_get(text, STR("to")), &arena, &state) && str_eq(state, STR("firing")))
        c->out->alerts++;
    arena_fini(&arena);
}

static void session_count(void *ctx, const struct control_event *event)
{
    struct counting *c = ctx;

    c->out->has_sessions = true;
    for (size_t i = 0; i < c->parts_count; i++) {
        if (event->at >= c->parts[i].from && event->at < c->parts[i].to)
            c->was_seen[i] = true;
    }
}

static enum err events_count(struct control_store *store, struct counting *c)
{
    enum err e = control_events(store, STR("alert"), STR(""), 0, INT64_MAX, alert_count, c);

    if (e == OK)
        e = control_events(store, STR("session"), STR(""), 0, INT64_MAX, session_count, c);
    for (size_t i = 0; e == OK && i < c->parts_count; i++)
        c->out->session_days += c->was_seen[i];
    /* Of one day the parts are its hours. */
    if (c->day->days == 1 && c->out->session_days > 1)
        c->out->session_days = 1;
    return e;
}

enum err daily_activity_read(str directory, const struct day *day, struct daily_activity *out,
                             char out_why[256])
{
    struct daily_activity activity = { 0 };
    struct counting c = { .day = day, .out = &activity };
    struct control_store *store = NULL;
    struct stat info;
    char path[1024];
    int len = snprintf(path, sizeof(path), "%.*s/control.db", STR_ARG(directory));

    if (len < 0 || (size_t)len >= sizeof(path) || stat(path, &info) != 0) {
        *out = activity; /* no weir ever watched here */
        return OK;
    }
    enum err e = control_open(&store, directory, CONTROL_READ, out_why);
    if (e != OK)
        return e;
    activity.is_known = true;
    c.parts_count = day_split(day, c.parts);
    e = events_count(store, &c);
    if (e == OK)
        *out = activity;
    else
        snprintf(out_why, 256, "control.db: %.200s", control_message(store));
    control_close(store);
    return e;
}
