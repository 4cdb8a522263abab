/* SPDX-License-Identifier: Apache-2.0 */
/* wire's tests: the bodies as the services document them, hostile labels, limits, and what answers mean. */
#include "core/alert/wire.h"

#include <string.h>

#include "test/check.h"

#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZg==" /* 0123456789abcdef */
#define NOW INT64_C(1795400710800001) /* 2026-11-23T02:25:10.800001Z */

static struct wire_notice notice(void)
{
    struct wire_notice n = {
        .receiver = STR("ops"), .link = STR("http://h/#alerts"), .group = 0xA1, .count = 2
    };

    n.alerts[0] = (struct wire_alert){ .name = STR("success_rate_low"),
                                       .severity = STR("critical"),
                                       .arm = STR("canary"),
                                       .sentence = STR("success rate 93.10 % < 95.00 %"),
                                       .runbook = STR("docs/runbooks.md#success_rate_low"),
                                       .fingerprint = 0x1F,
                                       .starts = NOW };
    n.alerts[1] = n.alerts[0];
    n.alerts[1].domain = STR("stem");
    n.alerts[1].fingerprint = 0x2F;
    n.alerts[1].is_resolved = true;
    n.alerts[1].ends = NOW + 1000000;
    return n;
}

#define PAGERDUTY_SAYS(domain)                                                                     \
    "\"payload\":{\"summary\":\"success_rate_low: success rate 93.10 % < 95.00 %\","               \
    "\"source\":\"weir\",\"timestamp\":\"2026-11-23T02:25:10.800001Z\","                           \
    "\"custom_details\":{\"receiver\":\"ops\",\"arm\":\"canary\",\"domain\":\"" domain             \
    "\",\"runbook\":\"docs/runbooks.md#success_rate_low\"}"
#define PAGERDUTY_PAYLOAD(domain)                                                                  \
    PAGERDUTY_SAYS(domain)                                                                         \
    ",\"severity\":\"critical\",\"component\":\"gateway\",\"group\":\"canary\","                   \
    "\"class\":\"success_rate_low\"}"
#define PAGERDUTY_LINKS "\"links\":[{\"href\":\"http://h/#alerts\",\"text\":\"evidence\"}]"
#define PAGERDUTY_REST "\"client\":\"weir\",\"client_url\":\"http://h/#alerts\"," PAGERDUTY_LINKS

static void check_body(enum wire_kind kind, size_t i, const char *want)
{
    struct wire_notice n = notice();
    struct buf out = { 0 };

    wire_body(&out, kind, &n, i, NOW);
    CHECK_STR(buf_str(&out), str_from(want));
    buf_fini(&out);
}

static void bodies_have_the_documented_shapes(void)
{
    check_body(WIRE_SLACK, 0,
               "{\"text\":\"[FIRING] success_rate_low (canary): 2 alerts: success rate 93.10 % "
               "&lt; 95.00 %\",\"blocks\":["
               "{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"text\":\"[FIRING] "
               "success_rate_low (canary): 2 alerts\"}},"
               "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"*success_rate_low* "
               "critical: success rate 93.10 % &lt; "
               "95.00 %\\nRunbook: docs/runbooks.md#success_rate_low\"}},"
               "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"resolved: "
               "*success_rate_low* critical: success rate 93.10 % "
               "&lt; 95.00 %\\nRunbook: docs/runbooks.md#success_rate_low\"}},"
               "{\"type\":\"context\",\"elements\":[{\"type\":\"mrkdwn\",\"text\":\"<http://h/"
               "#alerts|evidence>\"}]}]}");
    check_body(
        WIRE_PAGERDUTY, 0,
        "{\"event_action\":\"trigger\",\"dedup_key\":\"weir-000000000000001f\"," PAGERDUTY_PAYLOAD(
            "") "," PAGERDUTY_REST "}");
    check_body(
        WIRE_PAGERDUTY, 1,
        "{\"event_action\":\"resolve\",\"dedup_key\":\"weir-000000000000002f\"," PAGERDUTY_PAYLOAD(
            "stem") "," PAGERDUTY_REST "}");
    check_body(WIRE_ALERTMANAGER, 0,
               "[{\"labels\":{\"alertname\":\"success_rate_low\",\"arm\":\"canary\",\"job\":"
               "\"weir\",\"severity\":\"critical\"},\"annotations\":{"
               "\"runbook_url\":\"docs/runbooks.md#success_rate_low\",\"summary\":\"success rate "
               "93.10 % < 95.00 %\"},\"startsAt\":"
               "\"2026-11-23T02:25:10.800001Z\",\"generatorURL\":\"http://h/#alerts\"},"
               "{\"labels\":{\"alertname\":\"success_rate_low\",\"arm\":\"canary\",\"domain\":"
               "\"stem\",\"job\":\"weir\",\"severity\":\"critical\"},"
               "\"annotations\":{\"runbook_url\":\"docs/"
               "runbooks.md#success_rate_low\",\"summary\":\"success rate 93.10 % < 95.00 %\"},"
               "\"startsAt\":\"2026-11-23T02:25:10.800001Z\",\"endsAt\":\"2026-11-23T02:25:11."
               "800001Z\",\"generatorURL\":\"http://h/#alerts\"}]");
    check_body(
        WIRE_EMAIL, 0,
        "Subject: [FIRING] success_rate_low (canary): 2 alerts\r\nDate: Mon, 23 Nov 2026 02:25:10 "
        "+0000\r\n"
        "Message-ID: <00000000000000a1.1795400710800001@weir.invalid>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
        "8bit\r\nAuto-Submitted: auto-generated\r\n\r\n"
        "firing: success_rate_low\r\n  what: success rate 93.10 % < 95.00 %\r\n  severity: "
        "critical\r\n"
        "  since: 2026-11-23T02:25:10.800001Z\r\n  runbook: docs/runbooks.md#success_rate_low\r\n"
        "resolved: success_rate_low\r\n  what: success rate 93.10 % < 95.00 %\r\n  severity: "
        "critical\r\n"
        "  since: 2026-11-23T02:25:10.800001Z\r\n  until: 2026-11-23T02:25:11.800001Z\r\n"
        "  runbook: docs/runbooks.md#success_rate_low\r\nevidence: http://h/#alerts\r\n");
}

static void a_webhook_is_alertmanager_s_version_4(void)
{
    struct wire_notice n = notice();
    struct buf out = { 0 };
    struct arena arena;
    struct json root;

    arena_init(&arena, (size_t)1 << 20);
    n.alerts[1].sentence = STR("success rate 90.00 % < 95.00 %");
    wire_body(&out, WIRE_WEBHOOK, &n, 0, NOW);
    REQUIRE(json_parse(&arena, buf_str(&out), &root, NULL) == OK);
    static const struct {
        const char *path, *raw;
    } rows[] = {
        { "version", "\"4\"" },
        { "status", "\"firing\"" },
        { "receiver", "\"ops\"" },
        { "truncatedAlerts", "0" },
        { "groupKey", "\"{}:{alertname=\\\"success_rate_low\\\", arm=\\\"canary\\\"}\"" },
        { "groupLabels.alertname", "\"success_rate_low\"" },
        { "commonLabels", "{\"alertname\":\"success_rate_low\",\"arm\":\"canary\",\"job\":\"weir\","
                          "\"severity\":\"critical\"}" },
        { "commonAnnotations", "{\"runbook_url\":\"docs/runbooks.md#success_rate_low\"}" },
        { "externalURL", "\"http://h/#alerts\"" },
        { "alerts.0.status", "\"firing\"" },
        { "alerts.0.endsAt", "\"0001-01-01T00:00:00Z\"" },
        { "alerts.1.status", "\"resolved\"" },
        { "alerts.1.endsAt", "\"2026-11-23T02:25:11.800001Z\"" },
        { "alerts.1.fingerprint", "\"000000000000002f\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_STR(json_raw(json_path(root, str_from(rows[i].path))), str_from(rows[i].raw));
    CHECK_INT(json_count(json_get(root, STR("alerts"))), 2);
    buf_fini(&out);
    arena_fini(&arena);
}

/* A group without an arm has no label of that name, and quotes in a name stay inside it. */
static void a_group_s_key_has_only_the_labels_there_are(void)
{
    struct wire_notice n = notice();
    struct buf out = { 0 };

    n.alerts[0].arm = (str){ 0 };
    n.alerts[0].name = STR("a\"b");
    wire_body(&out, WIRE_WEBHOOK, &n, 0, NOW);
    CHECK(str_find(buf_str(&out), STR("\"groupKey\":\"{}:{alertname=\\\"a\\\\\\\"b\\\"}\",")) !=
          STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\"groupLabels\":{\"alertname\":\"a\\\"b\"},")) != STR_NPOS);
    buf_fini(&out);
}

static void a_change_is_no_incident(void)
{
    struct wire_notice n = notice();
    struct buf out = { 0 };

    n.is_change = true;
    n.count = 1;
    wire_body(&out, WIRE_PAGERDUTY, &n, 0, NOW);
    CHECK_STR(buf_str(&out), STR("{" PAGERDUTY_SAYS("") "}," PAGERDUTY_LINKS "}"));
    buf_reset(&out);
    n.link = (str){ 0 };
    wire_body(&out, WIRE_PAGERDUTY, &n, 0, NOW);
    CHECK(str_ends(buf_str(&out), STR("},\"links\":[]}")));
    buf_reset(&out);
    wire_body(&out, WIRE_SLACK, &n, 0, NOW);
    CHECK(str_find(buf_str(&out), STR("\"[CHANGE] success_rate_low (canary)\"")) != STR_NPOS);
    buf_fini(&out);
}

static void pagerduty_s_changes_have_an_address_of_their_own(void)
{
    static const struct {
        const char *url, *event, *change;
    } rows[] = {
        { "", "https://events.pagerduty.com/v2/enqueue",
          "https://events.pagerduty.com/v2/change/enqueue" },
        { "https://events.eu.pagerduty.com/v2/enqueue",
          "https://events.eu.pagerduty.com/v2/enqueue",
          "https://events.eu.pagerduty.com/v2/change/enqueue" },
        { "http://relay/events", "http://relay/events", "http://relay/events" },
    };
    struct wire_notice n = notice();
    struct buf event = { 0 }, change = { 0 };

    wire_body(&event, WIRE_PAGERDUTY, &n, 0, NOW);
    n.is_change = true;
    wire_body(&change, WIRE_PAGERDUTY, &n, 0, NOW);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        wire_pagerduty_url(&out, str_from(rows[i].url), buf_str(&event));
        CHECK_STR(buf_str(&out), str_from(rows[i].event));
        buf_reset(&out);
        wire_pagerduty_url(&out, str_from(rows[i].url), buf_str(&change));
        CHECK_STR(buf_str(&out), str_from(rows[i].change));
        buf_fini(&out);
    }
    buf_fini(&event);
    buf_fini(&change);
}

/* The services count characters; a byte that is no UTF-8 has become one. */
static size_t characters(str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static void hostile_labels_and_long_texts_stay_within_limits(void)
{
    static char flood[9000];
    struct arena arena;
    struct wire_notice n = notice();

    memset(flood, 'x', sizeof(flood));
    memcpy(flood, "\xC3\xA9<&>\"\r\nBcc: a@b\x01\xFF", 19);
    for (size_t i = 0; i < WIRE_NOTICE_ALERTS_MAX; i++) {
        n.alerts[i] = n.alerts[0];
        n.alerts[i].arm = (str){ flood, 63 };
        n.alerts[i].sentence = (str){ flood, sizeof(flood) };
    }
    n.count = WIRE_NOTICE_ALERTS_MAX;
    n.left_out = 5;
    for (int kind = 0; kind < WIRE_EMAIL; kind++) {
        struct buf out = { 0 };
        struct json root;
        arena_init(&arena, (size_t)8 << 20);
        wire_body(&out, (enum wire_kind)kind, &n, 0, NOW);
        REQUIRE(!out.failed);
        REQUIRE(json_parse(&arena, buf_str(&out), &root, NULL) == OK);
        if (kind == WIRE_SLACK) {
            str text = { 0 };
            CHECK(json_count(json_get(root, STR("blocks"))) <= 50);
            CHECK(json_str(json_path(root, STR("blocks.0.text.text")), &arena, &text) &&
                  characters(text) <= 150);
            CHECK(json_str(json_path(root, STR("blocks.1.text.text")), &arena, &text) &&
                  characters(text) <= 3000);
        }
        if (kind == WIRE_PAGERDUTY) {
            str text = { 0 };
            CHECK(json_str(json_path(root, STR("payload.summary")), &arena, &text) &&
                  characters(text) <= 1024);
        }
        arena_fini(&arena);
        buf_fini(&out);
    }
    struct buf mail = { 0 };
    wire_body(&mail, WIRE_EMAIL, &n, 0, NOW);
    size_t head = str_find(buf_str(&mail), STR("\r\n\r\n"));
    CHECK(str_find(str_slice(buf_str(&mail), 0, head), STR("\r\nBcc")) ==
          STR_NPOS); /* no header is smuggled in */
    buf_fini(&mail);
}

static void cuts_keep_characters_whole(void)
{
    struct wire_notice n = notice();
    struct buf out = { 0 };
    struct arena arena;
    struct json root;
    str text = { 0 };
    static char long_name[200];

    for (size_t i = 0; i + 1 < sizeof(long_name); i += 2)
        memcpy(long_name + i, "\xC3\xA9", 2);
    arena_init(&arena, (size_t)1 << 20);
    n.alerts[0].name = (str){ long_name, sizeof(long_name) };
    wire_body(&out, WIRE_SLACK, &n, 0, NOW);
    REQUIRE(json_parse(&arena, buf_str(&out), &root, NULL) == OK);
    CHECK(json_str(json_path(root, STR("blocks.0.text.text")), &arena, &text));
    CHECK(text.len == 149 &&
          str_is_utf8(text)); /* "[FIRING] " is 9 bytes: 150 would cut a character */
    CHECK(str_find(text, STR("\xEF\xBF\xBD")) == STR_NPOS);
    arena_fini(&arena);
    buf_fini(&out);
}

/* Whatever a section's length, its end is no half of "&amp;"; a link that has no room is left out whole. */
static void cuts_keep_escapes_and_links_whole(void)
{
    static char text[4000];
    struct wire_notice n = notice();
    struct arena arena;

    memset(text, '&', sizeof(text));
    n.count = 1;
    n.alerts[0].sentence = (str){ text, sizeof(text) };
    for (size_t name = 1; name < 8; name++) {
        struct buf out = { 0 };
        struct json root;
        str section = { 0 };
        arena_init(&arena, (size_t)1 << 20);
        n.alerts[0].name = (str){ "success", name };
        wire_body(&out, WIRE_SLACK, &n, 0, NOW);
        REQUIRE(json_parse(&arena, buf_str(&out), &root, NULL) == OK);
        CHECK(json_str(json_path(root, STR("blocks.1.text.text")), &arena, &section));
        CHECK(str_ends(section, STR("&amp;")));
        CHECK(section.len > 2995 && section.len <= 3000);
        arena_fini(&arena);
        buf_fini(&out);
    }
    for (size_t length = 2899; length <= 2902; length++) {
        struct buf out = { 0 };
        memset(text, 'l', sizeof(text));
        n.link = (str){ text, length };
        wire_body(&out, WIRE_SLACK, &n, 0, NOW);
        CHECK((str_find(buf_str(&out), STR("l|evidence>")) != STR_NPOS) == (length <= 2900));
        buf_fini(&out);
    }
}

static void a_routing_key_goes_in_front_when_it_leaves(void)
{
    struct buf out = { 0 };

    wire_pagerduty_address(&out, STR("{\"event_action\":\"resolve\"}"), STR("k\"ey"));
    CHECK_STR(buf_str(&out), STR("{\"routing_key\":\"k\\\"ey\",\"event_action\":\"resolve\"}"));
    buf_reset(&out);
    wire_webhook_signed(&out, STR("msg_1"), NOW, STR("{}"));
    CHECK_STR(buf_str(&out), STR("msg_1.1795400710.{}"));
    buf_fini(&out);
}

static void channels_say_what_they_lack(void)
{
    struct wire_channel c = { .name = STR("c"), .kind = WIRE_SLACK };

    CHECK(wire_channel_fault(&c));
    c.url = STR("https://hooks.example/x");
    CHECK(!wire_channel_fault(&c));
    c.kind = WIRE_PAGERDUTY;
    CHECK(wire_channel_fault(&c));
    c.secrets[0] = STR("0123456789abcdef0123456789abcdef");
    c.secret_count = 1;
    CHECK(!wire_channel_fault(&c));
    c.kind = WIRE_WEBHOOK;
    CHECK(wire_channel_fault(&c)); /* no whsec_ */
    c.secrets[0] = STR("whsec_c2hvcnQ=");
    CHECK(wire_channel_fault(&c));
    c.secrets[0] = STR("whsec_MDEyMzQ1Njc4OWFiY2RlZ!==");
    CHECK(wire_channel_fault(&c));
    c.secrets[0] = STR(SECRET);
    CHECK(!wire_channel_fault(&c));
    c.kind = WIRE_EMAIL;
    CHECK(wire_channel_fault(&c));
    c.url = STR("smtp://127.0.0.1:25");
    CHECK(wire_channel_fault(&c));
    c.from = STR("weir@example.org");
    c.to[0] = STR("ops@example.org");
    c.to_count = 1;
    CHECK(!wire_channel_fault(&c));
}

static void answers_mean_what_the_services_say(void)
{
    static const struct {
        enum wire_kind kind;
        int status;
        const char *body;
        enum wire_result want;
    } rows[] = {
        { WIRE_SLACK, 200, "ok", WIRE_DELIVERED },
        { WIRE_SLACK, 200, "<html>login</html>", WIRE_RETRY },
        { WIRE_SLACK, 400, "invalid_payload", WIRE_REFUSED },
        { WIRE_SLACK, 403, "action_prohibited", WIRE_DISABLED },
        { WIRE_SLACK, 404, "no_service", WIRE_DISABLED },
        { WIRE_SLACK, 410, "channel_is_archived", WIRE_DISABLED },
        { WIRE_SLACK, 429, "", WIRE_RETRY },
        { WIRE_SLACK, 500, "", WIRE_RETRY },
        { WIRE_SLACK, 0, "", WIRE_RETRY },
        { WIRE_PAGERDUTY, 202, "{}", WIRE_DELIVERED },
        { WIRE_PAGERDUTY, 400, "{}", WIRE_REFUSED },
        { WIRE_PAGERDUTY, 429, "{}", WIRE_RETRY },
        { WIRE_PAGERDUTY, 503, "", WIRE_RETRY },
        { WIRE_WEBHOOK, 204, "", WIRE_DELIVERED },
        { WIRE_WEBHOOK, 302, "", WIRE_RETRY },
        { WIRE_WEBHOOK, 404, "", WIRE_RETRY },
        { WIRE_WEBHOOK, 410, "", WIRE_DISABLED },
        { WIRE_ALERTMANAGER, 200, "", WIRE_DELIVERED },
        { WIRE_ALERTMANAGER, 400, "", WIRE_REFUSED },
        { WIRE_ALERTMANAGER, 500, "", WIRE_RETRY },
        { WIRE_EMAIL, 250, "", WIRE_DELIVERED },
        { WIRE_EMAIL, 451, "", WIRE_RETRY },
        { WIRE_EMAIL, 550, "", WIRE_REFUSED },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum wire_result got = wire_result_of(rows[i].kind, rows[i].status, str_from(rows[i].body));
        if (got != rows[i].want)
            fprintf(stderr, "row %zu\n", i);
        CHECK_INT(got, rows[i].want);
    }
}

TESTS(TEST(bodies_have_the_documented_shapes), TEST(a_webhook_is_alertmanager_s_version_4),
      TEST(a_group_s_key_has_only_the_labels_there_are), TEST(a_change_is_no_incident),
      TEST(pagerduty_s_changes_have_an_address_of_their_own),
      TEST(cuts_keep_escapes_and_links_whole),
      TEST(hostile_labels_and_long_texts_stay_within_limits), TEST(cuts_keep_characters_whole),
      TEST(a_routing_key_goes_in_front_when_it_leaves), TEST(channels_say_what_they_lack),
      TEST(answers_mean_what_the_services_say))
