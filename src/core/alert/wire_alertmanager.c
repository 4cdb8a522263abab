/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_alertmanager: Alertmanager's two shapes: what it sends to webhooks (version "4"), so that receivers written for it
 * take ours, and what it is sent (POST /api/v2/alerts).
 */
#include <stdio.h>
#include <string.h>

#include "core/alert/wire_internal.h"

/* A label or an annotation; an empty one is not there. */
struct text {
    const char *name;
    str value;
};
#define TEXTS_MAX 5
typedef void (*texts_reader)(const struct wire_alert *a, struct text out[TEXTS_MAX]);

static void labels_of(const struct wire_alert *a, struct text out[TEXTS_MAX])
{
    out[0] = (struct text){ "alertname", a->name };
    out[1] = (struct text){ "arm", a->arm };
    out[2] = (struct text){ "domain", a->domain };
    out[3] = (struct text){ "job", STR("weir") };
    out[4] = (struct text){ "severity", a->severity };
}

/* What alerts are grouped by. */
static void group_labels_of(const struct wire_alert *a, struct text out[TEXTS_MAX])
{
    labels_of(a, out);
    for (size_t i = 2; i < TEXTS_MAX; i++)
        out[i].value = (str){ 0 };
}

static void annotations_of(const struct wire_alert *a, struct text out[TEXTS_MAX])
{
    memset(out, 0, TEXTS_MAX * sizeof(out[0]));
    out[0] = (struct text){ "runbook_url", a->runbook };
    out[1] = (struct text){ "summary", a->sentence };
}

/* Those that a notice's alerts all have alike. */
static void common_of(const struct wire_notice *n, texts_reader read, struct text out[TEXTS_MAX])
{
    struct text other[TEXTS_MAX];

    read(&n->alerts[0], out);
    for (size_t k = 1; k < n->count; k++) {
        read(&n->alerts[k], other);
        for (size_t i = 0; i < TEXTS_MAX; i++)
            if (!str_eq(out[i].value, other[i].value))
                out[i].value = (str){ 0 };
    }
}

static void write_texts(struct buf *out, const char *key, const struct text texts[TEXTS_MAX])
{
    json_key(out, key);
    buf_add_char(out, '{');
    for (size_t i = 0; i < TEXTS_MAX; i++)
        if (texts[i].value.len > 0)
            json_member_str(out, texts[i].name, texts[i].value);
    buf_add_char(out, '}');
}

static void write_labels(struct buf *out, const struct wire_alert *a)
{
    struct text texts[TEXTS_MAX];

    labels_of(a, texts);
    write_texts(out, "labels", texts);
    annotations_of(a, texts);
    write_texts(out, "annotations", texts);
}

/* An alert that still fires has no end; Alertmanager writes year 1 for that. */
static void write_times(struct buf *out, const struct wire_alert *a)
{
    char when[UTC_TEXT_MAX];

    json_member_str(out, "startsAt", utc_format(a->starts, when));
    json_member_str(out, "endsAt",
                    a->is_resolved ? utc_format(a->ends, when) : STR("0001-01-01T00:00:00Z"));
}

static void write_alert(struct buf *out, const struct wire_notice *n, const struct wire_alert *a)
{
    char fingerprint[20];

    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, a->fingerprint);
    buf_add_char(out, '{');
    json_member_str(out, "status", a->is_resolved ? STR("resolved") : STR("firing"));
    write_labels(out, a);
    write_times(out, a);
    json_member_str(out, "generatorURL", n->link);
    json_member_str(out, "fingerprint", str_from(fingerprint));
    buf_add_char(out, '}');
}

/* {}:{alertname="…", arm="…"}: the route, of which there is one, and what alerts are grouped by. */
static void write_group(struct buf *out, const struct text labels[TEXTS_MAX])
{
    struct buf key = { 0 };

    buf_add(&key, STR("{}:{"));
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        if (labels[i].value.len == 0)
            continue;
        buf_printf(&key, "%s%s=", i > 0 ? ", " : "", labels[i].name);
        json_write_str(&key, labels[i].value);
    }
    buf_add_char(&key, '}');
    json_member_str(out, "groupKey", buf_str(&key));
    buf_fini(&key);
    write_texts(out, "groupLabels", labels);
}

void wire_webhook(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now)
{
    struct text texts[TEXTS_MAX];

    (void)i;
    (void)now;
    buf_add_char(out, '{');
    json_member_str(out, "version", STR("4"));
    group_labels_of(&n->alerts[0], texts);
    write_group(out, texts);
    json_member_i64(out, "truncatedAlerts", (int64_t)n->left_out);
    json_member_str(out, "status", wire_is_firing(n) ? STR("firing") : STR("resolved"));
    json_member_str(out, "receiver", n->receiver);
    common_of(n, labels_of, texts);
    write_texts(out, "commonLabels", texts);
    common_of(n, annotations_of, texts);
    write_texts(out, "commonAnnotations", texts);
    json_member_str(out, "externalURL", n->link);
    buf_add(out, STR(",\"alerts\":["));
    for (size_t k = 0; k < n->count; k++) {
        json_comma(out);
        write_alert(out, n, &n->alerts[k]);
    }
    buf_add(out, STR("]}"));
}

void wire_alertmanager(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now)
{
    (void)i;
    (void)now;
    buf_add_char(out, '[');
    for (size_t k = 0; k < n->count; k++) {
        const struct wire_alert *a = &n->alerts[k];
        char when[UTC_TEXT_MAX];
        buf_add(out, k > 0 ? STR(",{") : STR("{"));
        write_labels(out, a);
        json_member_str(out, "startsAt", utc_format(a->starts, when));
        if (a->is_resolved)
            json_member_str(out, "endsAt", utc_format(a->ends, when));
        json_member_str(out, "generatorURL", n->link);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}
