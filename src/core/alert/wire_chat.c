/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_chat: bodies for people: Slack's blocks, PagerDuty's events, e-mail.
 *
 * Limits as documented by the services: Slack 50 blocks, 150 characters of a header, 3000 of a section; PagerDuty 1024
 * of a summary and 255 of a dedup_key. Bytes are counted where they count characters, which is never more.
 */
#include <stdio.h>

#include "core/alert/wire_internal.h"

#define SLACK_HEADER_MAX 150
#define SLACK_SECTION_MAX 3000
#define SLACK_LINK_MAX 2900 /* of a section: the words around it have room */
#define PAGERDUTY_SUMMARY_MAX 1024
#define PAGERDUTY_URL "https://events.pagerduty.com/v2/enqueue"
#define PAGERDUTY_EVENT "{\"event_action\":" /* how an event begins, and no change */

/* ---- Slack ---- */

/* Slack's three control characters; everything else is JSON's business. */
static void slack_escape(struct buf *out, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case '&':
            buf_add(out, STR("&amp;"));
            break;
        case '<':
            buf_add(out, STR("&lt;"));
            break;
        case '>':
            buf_add(out, STR("&gt;"));
            break;
        default:
            buf_add_char(out, s.ptr[i]);
        }
    }
}

static void slack_text(struct buf *out, const char *type, str text)
{
    buf_add(out, STR("\"text\":{"));
    json_member_str(out, "type", str_from(type));
    json_member_str(out, "text", text);
    buf_add_char(out, '}');
}

static void slack_section(struct buf *out, const struct wire_alert *a)
{
    struct buf text = { 0 };

    buf_printf(&text, "%s*", a->is_resolved ? "resolved: " : "");
    slack_escape(&text, a->name);
    buf_printf(&text, "* %.*s: ", STR_ARG(a->severity));
    slack_escape(&text, a->sentence);
    if (a->runbook.len > 0) {
        buf_add(&text, STR("\nRunbook: "));
        slack_escape(&text, a->runbook);
    }
    buf_add(out, STR(",{\"type\":\"section\","));
    slack_text(out, "mrkdwn", wire_cut_escaped(buf_str(&text), SLACK_SECTION_MAX));
    buf_add_char(out, '}');
    buf_fini(&text);
}

static void slack_context(struct buf *out, const struct wire_notice *n)
{
    struct buf text = { 0 }, link = { 0 };

    if (n->left_out > 0)
        buf_printf(&text, "and %zu more. ", n->left_out);
    slack_escape(&link, n->link);
    /* Half a link leads nowhere: one that has no room is left out. */
    if (link.len > 0 && link.len <= SLACK_LINK_MAX)
        buf_printf(&text, "<%.*s|evidence>", STR_ARG(buf_str(&link)));
    if (text.len > 0) {
        buf_add(out, STR(",{\"type\":\"context\",\"elements\":[{"));
        json_member_str(out, "type", STR("mrkdwn"));
        json_member_str(out, "text", buf_str(&text));
        buf_add(out, STR("}]}"));
    }
    buf_fini(&text);
    buf_fini(&link);
}

void wire_slack(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now)
{
    struct buf title = { 0 }, fallback = { 0 };

    (void)i;
    (void)now;
    wire_title(&title, n);
    slack_escape(&fallback, buf_str(&title));
    buf_add(&fallback, STR(": "));
    slack_escape(&fallback, n->alerts[0].sentence);
    buf_add_char(out, '{');
    json_member_str(out, "text", wire_cut_escaped(buf_str(&fallback), SLACK_SECTION_MAX));
    buf_add(out, STR(",\"blocks\":[{\"type\":\"header\","));
    slack_text(out, "plain_text", wire_cut(buf_str(&title), SLACK_HEADER_MAX));
    buf_add_char(out, '}');
    for (size_t k = 0; k < n->count; k++)
        slack_section(out, &n->alerts[k]);
    slack_context(out, n);
    buf_add(out, STR("]}"));
    buf_fini(&title);
    buf_fini(&fallback);
}

/* ---- PagerDuty ---- */

/* What both kinds of event say: the summary, where it comes from, since when, and the details. */
static void pagerduty_payload(struct buf *out, const struct wire_notice *n,
                              const struct wire_alert *a)
{
    char when[UTC_TEXT_MAX];
    struct buf summary = { 0 };

    buf_printf(&summary, "%.*s: ", STR_ARG(a->name));
    buf_add(&summary, a->sentence);
    json_key(out, "payload");
    buf_add_char(out, '{');
    json_member_str(out, "summary", wire_cut(buf_str(&summary), PAGERDUTY_SUMMARY_MAX));
    json_member_str(out, "source", STR("weir"));
    json_member_str(out, "timestamp", utc_format(a->starts, when));
    json_key(out, "custom_details");
    buf_add_char(out, '{');
    json_member_str(out, "receiver", n->receiver);
    json_member_str(out, "arm", a->arm);
    json_member_str(out, "domain", a->domain);
    json_member_str(out, "runbook", a->runbook);
    buf_add_char(out, '}');
    buf_fini(&summary);
}

static void pagerduty_links(struct buf *out, const struct wire_notice *n)
{
    json_key(out, "links");
    buf_add_char(out, '[');
    if (n->link.len > 0) {
        buf_add_char(out, '{');
        json_member_str(out, "href", n->link);
        json_member_str(out, "text", STR("evidence"));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* Something was done: it stands beside incidents and opens none. */
static void pagerduty_change(struct buf *out, const struct wire_notice *n)
{
    buf_add_char(out, '{');
    pagerduty_payload(out, n, &n->alerts[0]);
    buf_add_char(out, '}');
    pagerduty_links(out, n);
    buf_add_char(out, '}');
}

/* A resolve has its payload too: PagerDuty's own client and Alertmanager send one. */
static void pagerduty_event(struct buf *out, const struct wire_notice *n,
                            const struct wire_alert *a)
{
    char key[32];

    snprintf(key, sizeof(key), "weir-%016" PRIx64, a->fingerprint);
    buf_add(out, STR(PAGERDUTY_EVENT));
    json_write_str(out, a->is_resolved ? STR("resolve") : STR("trigger"));
    json_member_str(out, "dedup_key", str_from(key));
    pagerduty_payload(out, n, a);
    json_member_str(out, "severity", a->severity);
    json_member_str(out, "component", STR("gateway"));
    if (a->arm.len > 0)
        json_member_str(out, "group", a->arm);
    json_member_str(out, "class", wire_cut(a->name, PAGERDUTY_SUMMARY_MAX));
    buf_add_char(out, '}');
    json_member_str(out, "client", STR("weir"));
    if (n->link.len > 0) {
        json_member_str(out, "client_url", n->link);
        pagerduty_links(out, n);
    }
    buf_add_char(out, '}');
}

void wire_pagerduty(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now)
{
    (void)now;
    if (n->is_change)
        pagerduty_change(out, n);
    else
        pagerduty_event(out, n, &n->alerts[i]);
}

void wire_pagerduty_address(struct buf *out, str body, str routing_key)
{
    assert(body.len > 2 && body.ptr[0] == '{');
    buf_add_char(out, '{');
    json_member_str(out, "routing_key", routing_key);
    buf_add_char(out, ',');
    buf_add(out, str_slice(body, 1, body.len));
}

void wire_pagerduty_url(struct buf *out, str url, str body)
{
    static const str end = { "/enqueue", 8 };

    if (url.len == 0)
        url = STR(PAGERDUTY_URL);
    /* The outbox keeps bodies, not what they are about: an event is known by how it begins. */
    if (str_starts(body, STR(PAGERDUTY_EVENT)) || !str_ends(url, end)) {
        buf_add(out, url);
        return;
    }
    buf_add(out, str_slice(url, 0, url.len - end.len));
    buf_add(out, STR("/change/enqueue"));
}

/* ---- e-mail ---- */

/* A header is one line of visible ASCII, whatever was in it. */
static void email_header(struct buf *out, const char *name, str value)
{
    buf_printf(out, "%s: ", name);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        buf_add_char(out, c >= 0x20 && c < 0x7F ? (char)c : '?');
    }
    buf_add(out, STR("\r\n"));
}

static void email_date(struct buf *out, usec_utc now)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct utc_parts p = utc_parts_of(now);
    int64_t day = utc_days(p.year, p.month, p.day) % 7;

    buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n",
               days[day < 0 ? day + 7 : day], p.day, months[p.month - 1], (int)p.year, p.hour,
               p.minute, p.second);
}

static void email_line(struct buf *out, const char *name, str value)
{
    if (value.len == 0)
        return;
    buf_printf(out, "%s", name);
    for (size_t i = 0; i < value.len; i++)
        buf_add_char(out, value.ptr[i] == '\r' || value.ptr[i] == '\n' ? ' ' : value.ptr[i]);
    buf_add(out, STR("\r\n"));
}

void wire_email(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now)
{
    struct buf title = { 0 };

    (void)i;
    wire_title(&title, n);
    email_header(out, "Subject", buf_str(&title));
    email_date(out, now);
    buf_printf(out, "Message-ID: <%016" PRIx64 ".%" PRId64 "@weir.invalid>\r\n", n->group, now);
    buf_add(out, STR("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: 8bit\r\nAuto-Submitted: auto-generated\r\n\r\n"));
    for (size_t k = 0; k < n->count; k++) {
        const struct wire_alert *a = &n->alerts[k];
        char when[UTC_TEXT_MAX];
        email_line(out, a->is_resolved ? "resolved: " : "firing: ", a->name);
        email_line(out, "  what: ", a->sentence);
        email_line(out, "  severity: ", a->severity);
        email_line(out, "  since: ", utc_format(a->starts, when));
        if (a->is_resolved)
            email_line(out, "  until: ", utc_format(a->ends, when));
        email_line(out, "  runbook: ", a->runbook);
    }
    if (n->left_out > 0)
        buf_printf(out, "and %zu more\r\n", n->left_out);
    email_line(out, "evidence: ", n->link);
    buf_fini(&title);
}
