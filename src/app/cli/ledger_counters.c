/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_counters: what a running gateway counts of its keys, beside what its ledger says.
 *
 * A counter is compared when nothing is reserved of it and it stood still while the ledger was read, and only over days and
 * months: within a minute the two may put a strategy's later calls into different slots.
 */
#include "app/cli/ledger_counters.h"

#include <time.h>

#include "app/access/access.h"
#include "app/cli/admin.h"
#include "edge/store/spending.h"

/* What has ended is in the database a tenth of a second later. */
#define IMPORT_PAUSE_MS 500

struct comparison {
    struct admin_client client;
    struct access *access; /* counts as the ledger has it */
    usec_utc now;
    struct ledger_counters result;
};

static enum limit_kind kind_of(str name)
{
    int kind = 0;

    while (kind < LIMIT_KIND_COUNT &&
           !str_eq(name, str_from(limit_kind_name((enum limit_kind)kind))))
        kind++;
    return (enum limit_kind)kind;
}

/* A key's own limit over a long span; false for what is not compared. */
static bool rule_read(struct admin_client *c, struct json limit, struct limit_rule *out)
{
    struct limit_rule rule = { .kind = kind_of(admin_text(c, limit, "of")), .most = LIMIT_MOST };

    if (admin_flag(limit, "is_tenants") || rule.kind >= LIMIT_CONCURRENT ||
        !limit_window_find(admin_text(c, limit, "per"), &rule.window) || rule.window < LIMIT_DAY)
        return false;
    *out = rule;
    return true;
}

static enum err key_take(struct comparison *v, struct json key)
{
    struct key_spec spec = { .id = admin_text(&v->client, key, "id") };
    struct json_iter it = json_iter(json_get(key, STR("limits")));

    while (json_next(&it) && spec.rule_count < LIMIT_RULES_MAX)
        spec.rule_count += rule_read(&v->client, it.value, &spec.rules[spec.rule_count]);
    return spec.rule_count > 0 ? access_add(v->access, &spec) : OK;
}

static void on_spending(void *ctx, const struct spending *row)
{
    struct comparison *v = ctx;
    const struct limit_amounts used = {
        { [LIMIT_REQUESTS] = row->requests, [LIMIT_TOKENS] = row->tokens, [LIMIT_COST] = row->cost }
    };

    access_restore(v->access, row->key, STR(""), v->now, row->at, &used);
}

/* The limit of this kind and span in a list of the admin API. */
static struct json limit_find(struct comparison *v, struct json list, str id,
                              const struct limit_rule *rule)
{
    for (struct json_iter it = json_iter(json_get(list, STR("data"))); json_next(&it);) {
        if (!str_eq(admin_text(&v->client, it.value, "id"), id))
            continue;
        for (struct json_iter l = json_iter(json_get(it.value, STR("limits"))); json_next(&l);) {
            struct limit_rule found;
            if (rule_read(&v->client, l.value, &found) && found.kind == rule->kind &&
                found.window == rule->window)
                return l.value;
        }
    }
    return (struct json){ .node = NULL };
}

struct lists {
    struct comparison *v;
    struct json before, after;
};

static void on_key(void *ctx, const struct key *key)
{
    struct lists *lists = ctx;
    struct comparison *v = lists->v;
    struct access_view views[2 * LIMIT_RULES_MAX];
    size_t count = access_views(key, v->now, views);

    for (size_t i = 0; i < count; i++) {
        const struct limit_rule *rule = &views[i].limit.rule;
        struct json before = limit_find(v, lists->before, key_id(key), rule);
        struct json after = limit_find(v, lists->after, key_id(key), rule);
        int64_t used = admin_integer(before, "used");
        if (!json_exists(after) || admin_integer(after, "used") != used ||
            admin_integer(before, "reserved") != 0 || admin_integer(after, "reserved") != 0) {
            v->result.busy++;
            continue;
        }
        v->result.compared++;
        if (used == views[i].limit.used)
            continue;
        v->result.mismatches++;
        fprintf(stderr,
                "weir ledger: Key %.*s has used %" PRId64
                " %s of its %s, but the ledger says %" PRId64 ".\n",
                STR_ARG(key_id(key)), used, limit_kind_name(rule->kind),
                limit_window_name(rule->window), views[i].limit.used);
    }
}

static int keys_get(struct comparison *v, struct json *out)
{
    const struct admin_call call = { "GET", STR("/admin/v1/keys"), { 0 }, -1 };

    return admin_call(&v->client, &call, out);
}

static int compare(struct comparison *v, str directory)
{
    const struct timespec pause = { .tv_nsec = IMPORT_PAUSE_MS * 1000000L };
    struct lists lists = { .v = v };
    char why[256] = "";
    int status = keys_get(v, &lists.before);
    enum err e = OK;

    if (status != EXIT_DONE)
        return status;
    for (struct json_iter it = json_iter(json_get(lists.before, STR("data")));
         e == OK && json_next(&it);)
        e = key_take(v, it.value);
    nanosleep(&pause, NULL);
    v->now = (usec_utc)time(NULL) * 1000000;
    if (e == OK)
        e = store_read_spending(directory, v->now - 2 * limit_window_length(LIMIT_MONTH), v->now,
                                on_spending, v, why);
    if (e != OK) {
        fprintf(stderr, "weir ledger: %s: %s\n", err_info(e)->text, why);
        return EXIT_UNREACHABLE;
    }
    status = keys_get(v, &lists.after);
    if (status == EXIT_DONE)
        access_each(v->access, on_key, &lists);
    return status;
}

int ledger_counters_compare(const struct cli_args *args, str directory, struct ledger_counters *out)
{
    struct comparison v = { .access = NULL };
    int status = admin_client_open(&v.client, "ledger", args);

    if (status != EXIT_DONE)
        return status;
    status = access_open(&v.access, &(struct access_options){ .secrets = NULL }) == OK
                 ? compare(&v, directory)
                 : EXIT_DEFECT;
    access_close(v.access);
    admin_client_close(&v.client);
    if (status == EXIT_DONE)
        *out = v.result;
    return status;
}
