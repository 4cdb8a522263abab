/* SPDX-License-Identifier: Apache-2.0 */
/* arm's tests: what an arm's configuration may say beside the gateway's own, and where it is told that it may not. */
#include "edge/config/config_check.h"
#include "edge/config/rollout.h"

#define REFUSED                                                                                    \
    " belongs to the process: an arm cannot set it to something else than the gateway's own "      \
    "configuration"

/* The gateway runs b.yaml, the arm's file is a.yaml; what is said of it, with the last letter of the file before .yaml. */
struct row {
    const char *own, *arm;
    const char *want; /* NULL: nothing */
};

static void check_issue(const struct config_issues *issues, const char *want)
{
    const struct config_issue *first = NULL;
    char text[512] = "";

    for (size_t i = 0; i < issues->count && !first; i++)
        if (!issues->items[i].is_warning)
            first = &issues->items[i];
    if (first)
        snprintf(text, sizeof(text), "%.*s:%d:%d %.*s",
                 STR_ARG(str_slice(first->file, first->file.len - 6, first->file.len)), first->line,
                 first->column, STR_ARG(first->message));
    CHECK_STR(str_from(text), str_from(want ? want : ""));
}

/* is_named: the gateway's configuration is given, else the arm is held against what it extends. */
static void check_row(const struct nest *nest, const struct row *row, bool is_named)
{
    struct config_issues issues;
    struct config *arm = NULL;
    struct loaded own;
    char path[160];

    nest_write(nest, "b.yaml", row->own);
    nest_write(nest, "a.yaml", row->arm);
    own = load_file(nest_path(nest, "b.yaml", path));
    REQUIRE(own.e == OK);
    enum err e = config_arm_load(str_from(nest_path(nest, "a.yaml", path)), is_named ? own.c : NULL,
                                 &arm, &issues);
    CHECK_ERR(e, row->want ? CALLER_BAD_REQUEST : OK);
    check_issue(&issues, row->want);
    config_issues_fini(&issues);
    config_close(arm);
    unload(&own);
}

#define CHANNEL "alerts: {channels: {ops: {kind: alertmanager, url: 'http://h:1'}}}\n"

static void what_an_arm_says_of_the_process_is_refused(void)
{
    static const struct row rows[] = {
        { "", "server: {workers: 3}\n", "a.yaml:1:10 server.workers" REFUSED },
        { "server: {workers: 3}\n", "model: m\nserver:\n  workers: 3\n", NULL },
        { "server: {workers: 3}\n", "temperature: 0.5\n", NULL },
        { "ledger: {directory: x}\n", "ledger:\n  directory: y\n",
          "a.yaml:2:3 ledger.directory" REFUSED },
        { "", "upstream:\n  connections_max: 9\n", "a.yaml:2:3 upstream.connections_max" REFUSED },
        { "",
          "upstream: {idle_timeout_seconds: 3, first_byte_timeout_seconds: 2}\nmax_retries: 7\n",
          NULL },
        { "", "monitoring: {log_level: DEBUG, track_cost: false}\n",
          "a.yaml:1:14 monitoring.log_level" REFUSED },
        { "", "route: {audit_share: 0.1}\ncascade: {strong_model: gpt-4o-mini}\n",
          "a.yaml:1:9 route.audit_share" REFUSED },
        { "", "alerts: {group_wait: 9s}\n", "a.yaml:1:10 alerts.group_wait" REFUSED },
        { "", CHANNEL, "a.yaml:1:27 alerts.channels" REFUSED },
        { CHANNEL, CHANNEL, NULL },
        { "tenants: {a: {concurrent: 1}}\n", "tenants: {a: {concurrent: 1}}\n", NULL },
        { "tenants: {a: {concurrent: 1}}\n", "tenants: {a: {concurrent: 2}}\n",
          "a.yaml:1:15 tenants" REFUSED },
        { CHANNEL, "alerts: {channels: {ops: {kind: alertmanager, url: 'http://h:2'}}}\n",
          "a.yaml:1:27 alerts.channels" REFUSED },
        { "", "alerts: {rules: {latency_p95_high: {threshold: 1}}}\n",
          "a.yaml:1:37 alerts.rules" REFUSED },
        { "alerts: {rules: {latency_p95_high: {threshold: 1}}}\n",
          "alerts: {rules: {latency_p95_high: {threshold: 1}}}\n", NULL },
        { "alerts: {rules: {latency_p95_high: {threshold: 1}}}\n",
          "alerts: {rules: {latency_p95_high: {enabled: false}}}\n",
          "a.yaml:1:37 alerts.rules" REFUSED },
        { "", "server:\nledger: {}\nalerts: {channels: {}}\n", NULL },
    };
    struct nest nest = { 0 };

    REQUIRE(nest_open(&nest));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&nest, &rows[i], true);
    nest_close(&nest);
}

static void what_it_extends_is_its_own_when_the_gateway_runs_another(void)
{
    static const struct row same = { "server: {workers: 3}\n" CHANNEL, "extends: b.yaml\n", NULL };
    static const struct row other = { "", "extends: c.yaml\nmodel: m\n",
                                      "c.yaml:1:10 server.workers" REFUSED };
    static const struct row added = {
        CHANNEL,
        "extends: b.yaml\nalerts:\n  channels:\n    b: {kind: alertmanager, url: 'http://h:2'}\n",
        "a.yaml:4:9 alerts.channels" REFUSED
    };
    struct nest nest = { 0 };

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "c.yaml", "server: {workers: 4}\n");
    check_row(&nest, &same, true);
    check_row(&nest, &other, true);
    check_row(&nest, &added, true);
    nest_close(&nest);
}

/* Without the gateway's configuration. */
static void an_arm_is_held_against_what_it_extends(void)
{
    static const struct row rows[] = {
        { "server: {workers: 3}\n", "extends: b.yaml\n", NULL },
        { "server: {workers: 3}\n", "extends: b.yaml\nserver: {workers: 3}\n", NULL },
        { "server: {workers: 3}\n", "extends: b.yaml\nserver: {workers: 2}\n",
          "a.yaml:2:10 server.workers" REFUSED },
        { "", "server: {workers: 2}\n", NULL }, /* nothing is known to hold it against */
    };
    struct nest nest = { 0 };

    REQUIRE(nest_open(&nest));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&nest, &rows[i], false);
    nest_close(&nest);
}

static void a_file_of_arms_is_refused_with_them(void)
{
    struct nest nest = { 0 };
    struct rollout_file *rollout = NULL;
    struct experiment_file *experiment = NULL;
    struct config_issues issues;
    char path[160];

    REQUIRE(nest_open(&nest));
    nest_write(&nest, "b.yaml", "server: {workers: 3}\n");
    nest_write(&nest, "a.yaml", "extends: b.yaml\nserver: {workers: 2}\n");
    nest_write(&nest, "r.yaml",
               "name: r\ncanary: a.yaml\nsteps: [{share: 10%, min: 1h}, {share: 100%, min: 1h}]\n");
    str file = str_from(nest_path(&nest, "r.yaml", path));
    struct loaded own = load_file("");
    REQUIRE(own.e == OK);

    CHECK_ERR(rollout_file_load(file, NULL, &rollout, &issues), CALLER_BAD_REQUEST);
    check_issue(&issues, "a.yaml:2:10 server.workers" REFUSED);
    config_issues_fini(&issues);
    nest_write(&nest, "a.yaml", "server: {workers: 2}\n");
    CHECK_ERR(rollout_file_load(file, own.c, &rollout, &issues), CALLER_BAD_REQUEST);
    config_issues_fini(&issues);
    CHECK_ERR(rollout_file_load(file, NULL, &rollout, &issues), OK);
    config_issues_fini(&issues);
    rollout_file_close(rollout);
    nest_write(&nest, "r.yaml",
               "name: e\narms: {control: {share: 10%}, new: {share: 10%, profile: a.yaml}}\n");
    CHECK_ERR(experiment_file_load(file, own.c, &experiment, &issues), CALLER_BAD_REQUEST);
    check_issue(&issues, "a.yaml:1:10 server.workers" REFUSED);
    config_issues_fini(&issues);
    CHECK_ERR(experiment_file_load(file, NULL, &experiment, &issues), OK);
    config_issues_fini(&issues);
    experiment_file_close(experiment);
    unload(&own);
    nest_close(&nest);
}

TESTS(TEST(what_an_arm_says_of_the_process_is_refused),
      TEST(what_it_extends_is_its_own_when_the_gateway_runs_another),
      TEST(an_arm_is_held_against_what_it_extends), TEST(a_file_of_arms_is_refused_with_them))
