/* SPDX-License-Identifier: Apache-2.0 */
/* restart's tests: what is named as waiting for a restart, and what is not because a reload applies it. */
#include "edge/config/config_check.h"

static void on_key(void *ctx, str path)
{
    struct buf *out = ctx;

    buf_add(out, path);
    buf_add_char(out, ' ');
}

static void what_needs_a_restart_is_named(void)
{
    static const struct {
        const char *running, *wanted, *want;
    } rows[] = {
        { "", "", "" },
        { "", "temperature: 0.5\n", "" },
        { "", "server: {workers: 3}\n", "server.workers " },
        { "server: {workers: 3}\n", "", "server.workers " },
        { "", "server: {keys: ['env:RESTART_TEST_KEY']}\n", "server.keys " },
        { "server: {keys: ['env:RESTART_TEST_KEY']}\n",
          "server: {keys: ['env:RESTART_TEST_KEY']}\n", "" },
        { "", "tenants: {a: {concurrent: 1}}\n", "tenants " },
        { "tenants: {a: {concurrent: 1}}\n", "tenants: {a: {concurrent: 1}}\n", "" },
        { "tenants: {a: {concurrent: 1}}\n", "tenants: {a: {concurrent: 2}}\n", "tenants " },
        { "tenants: {a: {concurrent: 1}}\n", "tenants: {b: {concurrent: 1}}\n", "tenants " },
        { "", "alerts: {channels: {ops: {kind: alertmanager, url: 'http://h:1'}}}\n",
          "alerts.channels " },
        { "", "alerts: {rules: {latency_p95_high: {enabled: false}}}\n", "alerts.rules " },
    };

    setenv("RESTART_TEST_KEY", "a-key-of-a-test", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded running = load(str_from(rows[i].running));
        struct loaded wanted = load(str_from(rows[i].wanted));
        struct buf named = { 0 };

        REQUIRE(running.e == OK && wanted.e == OK);
        config_restart_keys(running.c, wanted.c, on_key, &named);
        CHECK_STR(buf_str(&named), str_from(rows[i].want));
        buf_fini(&named);
        unload(&running);
        unload(&wanted);
    }
}

TESTS(TEST(what_needs_a_restart_is_named))
