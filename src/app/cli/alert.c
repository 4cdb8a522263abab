/* SPDX-License-Identifier: Apache-2.0 */
/* weir alert: who is told what. `test` sends one message to a channel, now, past the outbox; the other words ask a running
 * gateway. */
#include "app/cli/admin.h"

#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/notify/notify.h"
#include "edge/upstream/post.h"
#include "edge/world/world.h"

#define TEST_TIMEOUT (10 * NSEC_PER_SEC)

static const struct wire_channel *channel_find(const struct config *config, str name)
{
    for (size_t i = 0; i < config->alerts.channel_count; i++) {
        if (str_eq(config->alerts.channels[i].name, name))
            return &config->alerts.channels[i];
    }
    return NULL;
}

static int channel_unknown(const struct config *config, str name)
{
    fprintf(stderr, "weir alert test: no channel '%.*s' in alerts.channels;", STR_ARG(name));
    if (config->alerts.channel_count == 0)
        fprintf(stderr, " there is none (see docs/alerts.md)");
    for (size_t i = 0; i < config->alerts.channel_count; i++)
        fprintf(stderr, "%s %.*s", i == 0 ? " there are" : ",",
                STR_ARG(config->alerts.channels[i].name));
    fprintf(stderr, "\n");
    return EXIT_USAGE;
}

static int report(const struct cli_args *args, const struct wire_channel *channel,
                  enum wire_result result, const char *why)
{
    bool is_delivered = result == WIRE_DELIVERED;

    if (cli_has(args, "json")) {
        struct buf out = { 0 };
        buf_add_char(&out, '{');
        json_member_str(&out, "channel", channel->name);
        json_member_str(&out, "kind", str_from(wire_kind_name(channel->kind)));
        json_member_bool(&out, "delivered", is_delivered);
        json_member_str(&out, "why", str_from(why));
        buf_add(&out, STR("}\n"));
        fwrite(out.ptr, 1, out.len, stdout);
        buf_fini(&out);
    } else if (is_delivered) {
        printf("%.*s (%s) took the test message\n", STR_ARG(channel->name),
               wire_kind_name(channel->kind));
    }
    if (!is_delivered)
        fprintf(stderr, "weir alert test: %.*s did not take the message: %s\n",
                STR_ARG(channel->name), why);
    return is_delivered ? EXIT_DONE : EXIT_UNREACHABLE;
}

static int test_send(const struct cli_args *args, const struct wire_channel *channel)
{
    struct wire_notice notice;
    struct buf body = { 0 };
    usec_utc now = world_wall();
    char key[48], why[256];
    nsec retry_after;

    wire_notice_test(&notice, channel->name, now);
    wire_body(&body, channel->kind, &notice, 0, now);
    snprintf(key, sizeof(key), "weir-test-%" PRId64, now);
    enum wire_result result =
        notify_send(channel, str_from(key), buf_str(&body), now, TEST_TIMEOUT, &retry_after, why);
    buf_fini(&body);
    return report(args, channel, result, why);
}

static int test(const struct cli_args *args)
{
    struct config *config = NULL;

    if (args->word_count != 2)
        return cli_usage_error("alert", "name one channel: weir alert test CHANNEL");
    int status = cli_config_load(args, false, &config);
    if (status != EXIT_DONE)
        return status;
    const struct wire_channel *channel = channel_find(config, args->words[1]);
    if (!channel) {
        status = channel_unknown(config, args->words[1]);
    } else if (post_init() != OK) {
        status = EXIT_DEFECT;
    } else {
        status = test_send(args, channel);
        post_fini();
    }
    config_close(config);
    return status;
}

static int run(const struct cli_args *args)
{
    static const struct admin_word live[] = { { "list", alert_list },
                                              { "history", alert_history },
                                              { "silence", alert_silence } };

    if (args->word_count > 0 && str_eq(args->words[0], STR("test")))
        return test(args);
    return admin_run("alert", args, live, ARRAY_LEN(live),
                     "say what: list, history, silence LABEL=VALUE or test CHANNEL");
}

static const struct cli_option options[] = {
    ADMIN_OPTIONS,
    { "seconds", "N", "silence: for how long (3600)" },
    { "end", "ID", "silence: ends that one instead" },
    { NULL, NULL, NULL },
};

const struct cli_command command_alert = { "alert",
                                           "list|history|silence MATCHERS|test CHANNEL",
                                           "alerts: what fires, what is silent, who is told",
                                           "weir alert silence alertname=latency_p95_high "
                                           "--seconds 3600 --reason 'a known slow day'",
                                           options,
                                           run };
