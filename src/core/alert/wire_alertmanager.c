/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_alertmanager: Alertmanager's two shapes: what it sends to webhooks (version "4"), so that receivers written for it
 * take ours, and what it is sent (POST /api/v2/alerts).
 */
#include <stdio.h>

#include "core/alert/wire_internal.h"

static void write_labels(struct buf *out, const struct wire_alert *a)
{
    json_key(out, "labels");
    buf_add_char(out, '{');
    json_member_str(out, "alertname", a->name);
    if (a->arm.len > 0)
        json_member_str(out, "arm", a->arm);
    if (a->domain.len > 0)
        json_member_str(out, "domain", a->domain);
    json_member_str(out, "job", STR("weir"));
    json_member_str(out, "severity", a->severity);
    buf_add_char(out, '}');
}

static void write_annotations(struct buf *out, const struct wire_alert *a)
{
    json_key(out, "annotations");
    buf_add_char(out, '{');
    if (a->runbook.len > 0)
        json_member_str(out, "runbook_url", a->runbook);
    json_member_str(out, "summary", a->sentence);
    buf_add_char(out, '}');
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
    write_annotations(out, a);
    write_times(out, a);
    json_member_str(out, "generatorURL", n->link);
    json_member_str(out, "fingerprint", str_from(fingerprint));
    buf_add_char(out, '}');
}

static void write_group_labels(struct buf *out, const char *key, const struct wire_alert *a)
{
    json_key(out, key);
    buf_add_char(out, '{');
    json_member_str(out, "alertname", a->name);
    if (a->arm.len > 0)
        json_member_str(out, "arm", a->arm);
    buf_add_char(out, '}');
}

void wire_webhook(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now)
{
    struct buf key = { 0 };

    (void)i;
    (void)now;
    buf_printf(&key, "{}:{alertname=\"%.*s\", arm=\"%.*s\"}", STR_ARG(n->alerts[0].name),
               STR_ARG(n->alerts[0].arm));
    buf_add_char(out, '{');
    json_member_str(out, "version", STR("4"));
    json_member_str(out, "groupKey", buf_str(&key));
    json_member_i64(out, "truncatedAlerts", (int64_t)n->left_out);
    json_member_str(out, "status", wire_is_firing(n) ? STR("firing") : STR("resolved"));
    json_member_str(out, "receiver", n->receiver);
    write_group_labels(out, "groupLabels", &n->alerts[0]);
    write_group_labels(out, "commonLabels", &n->alerts[0]);
    buf_add(out, STR(",\"commonAnnotations\":{}"));
    json_member_str(out, "externalURL", n->link);
    buf_add(out, STR(",\"alerts\":["));
    for (size_t k = 0; k < n->count; k++) {
        if (k > 0)
            buf_add_char(out, ',');
        write_alert(out, n, &n->alerts[k]);
    }
    buf_add(out, STR("]}"));
    buf_fini(&key);
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
        write_annotations(out, a);
        json_member_str(out, "startsAt", utc_format(a->starts, when));
        if (a->is_resolved)
            json_member_str(out, "endsAt", utc_format(a->ends, when));
        json_member_str(out, "generatorURL", n->link);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}
