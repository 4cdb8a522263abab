/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the dashboard share; nobody else includes it. */
#ifndef WEIR_APP_ADMIN_DASHBOARD_INTERNAL_H
#define WEIR_APP_ADMIN_DASHBOARD_INTERNAL_H

#include "app/admin/dashboard.h"
#include "app/control/controller.h"
#include "base/arena.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/http/server.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

/* ---- files.c: web/, compiled in ---- */
struct web_file {
    const char *path; /* "/", "/app.css" */
    const char *type;
    const char *tag; /* quoted, for ETag */
    str raw, gzip;
};
extern const struct web_file web_files[];
extern const size_t web_file_count;
/* False when the path is none of a file; else it has been answered. */
bool files_answer(struct exchange *x);

/* ---- session.c: who may ---- */
#define SESSIONS_MAX 64
#define SESSION_TOKEN_LEN 64 /* hexadecimal digits of 256 random bits */
struct session {
    char token[SESSION_TOKEN_LEN];
    nsec until; /* 0: a free place */
};
struct sessions {
    struct session items[SESSIONS_MAX];
    nsec failing_since; /* the minute of attempts that is counted */
    uint32_t failures;
};
/* May this request be answered? False when it was refused, which has been answered. */
bool session_allows(struct dashboard *d, struct exchange *x);
/* /admin/v1/session: who am I, sign in, sign out. */
void session_answer(struct dashboard *d, struct exchange *x);

/* ---- events.c: viewers of /admin/v1/events ---- */
#define VIEWERS_MAX 256
struct viewer; /* in its exchange's arena */
struct viewers {
    struct link list;
    size_t count;
    struct timer tick;
    struct buf event; /* as it was last encoded */
    struct buf snapshot;
};
void events_init(struct dashboard *d);
void events_fini(struct dashboard *d);
void events_answer(struct dashboard *d, struct exchange *x);

/* ---- reader.c: what the ledger is asked (reader.h) ---- */
struct reader;
void reader_answer(struct dashboard *d, struct exchange *x);

/* ---- settings.c ---- */
void settings_answer(struct dashboard *d, struct exchange *x);

/* ---- dashboard.c ---- */
struct dashboard {
    struct dashboard_options options;
    struct sessions sessions;
    struct viewers viewers;
    struct reader *reader;
};
struct refusal {
    int status;
    const char *code;
    const char *message;
};
/* In OpenAI's shape of an error. */
void refusal_write(const struct refusal *refusal, struct buf *out);
void dashboard_refuse(struct exchange *x, const struct refusal *refusal);
/* JSON that must not be kept. */
void dashboard_answer(struct exchange *x, int status, str body);
extern const struct refusal refusal_path, refusal_method, refusal_busy;

#endif
