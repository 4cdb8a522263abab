/* SPDX-License-Identifier: Apache-2.0 */
/* weir rollout: starts, watches and moves a staged rollout through the admin API of a running gateway. */
#include "app/cli/admin.h"

#include <stdlib.h>

#include "base/utc.h"

/* ---- for people ---- */

static void headline_print(struct admin_client *c, struct json r)
{
    printf("rollout %.*s: %.*s, step %" PRId64 " of %" PRId64 ", generation %" PRId64 " (%.*s)\n",
           STR_ARG(admin_text(c, r, "name")), STR_ARG(admin_text(c, r, "state")),
           admin_integer(r, "step"), admin_integer(r, "steps"), admin_integer(r, "generation"),
           STR_ARG(admin_text(c, r, "reason_text")));
}

static void arms_print(struct admin_client *c, struct json r)
{
    struct json_iter it = json_iter(json_get(r, STR("arms")));

    printf("\n%-10s %8s %10s %10s\n", "arm", "share", "units", "answers");
    while (json_next(&it)) {
        printf("%-10.*s %7.4g%% %10" PRId64, STR_ARG(admin_text(c, it.value, "name")),
               100 * admin_number(it.value, "share"), admin_integer(it.value, "units"));
        if (json_exists(json_get(it.value, STR("n"))))
            printf(" %10" PRId64, admin_integer(it.value, "n"));
        printf("\n");
    }
}

static void guards_print(struct admin_client *c, struct json r)
{
    struct json_iter it = json_iter(json_get(r, STR("guards")));

    printf("\n%-20s %8s %10s %-23s %17s  %-10s %s\n", "guard", "n", "estimate", "95 % interval",
           "log E / trips at", "verdict", "trips if");
    while (json_next(&it)) {
        struct json g = it.value;
        printf("%-20.*s %8" PRId64 " ", STR_ARG(admin_text(c, g, "name")), admin_integer(g, "n"));
        if (admin_integer(g, "n") > 0)
            printf("%10.4g [%9.4g, %9.4g]", admin_number(g, "estimate"), admin_number(g, "lower"),
                   admin_number(g, "upper"));
        else
            printf("%10s %-22s", "-", "");
        printf("  %7.2f / %7.2f  %-10.*s %.*s\n", admin_number(g, "log_e"),
               admin_number(g, "log_e_trips"), STR_ARG(admin_text(c, g, "verdict")),
               STR_ARG(admin_text(c, g, "trips_if")));
    }
}

static void status_print(struct admin_client *c, struct json r)
{
    headline_print(c, r);
    printf("waits for: %.*s; watched %.0f s of %.0f to %.0f s, at least %" PRId64
           " answers an arm\n",
           STR_ARG(admin_text(c, r, "holds")), admin_number(r, "watched_seconds"),
           admin_number(r, "step_min_seconds"), admin_number(r, "step_max_seconds"),
           admin_integer(r, "step_n_min"));
    arms_print(c, r);
    guards_print(c, r);
}

static void history_print(struct admin_client *c, struct json list)
{
    struct json_iter it = json_iter(json_get(list, STR("data")));

    while (json_next(&it)) {
        struct json row = json_get(it.value, STR("row"));
        struct json to = json_get(row, STR("to")), from = json_get(row, STR("from"));
        char at[UTC_TEXT_MAX];
        str refusal = admin_text(c, row, "refusal");
        bool is_refused = !str_eq(refusal, STR("accepted"));
        printf("%.*s  %3" PRId64 "  %-12.*s %-10.*s %.*s(%" PRId64 ") -> %.*s(%" PRId64
               "): %.*s%s%.*s\n",
               STR_ARG(utc_format(admin_integer(row, "time"), at)), admin_integer(row, "sequence"),
               STR_ARG(admin_text(c, row, "operation")), STR_ARG(admin_text(c, row, "actor")),
               STR_ARG(admin_text(c, from, "state")), admin_integer(from, "step") + 1,
               STR_ARG(admin_text(c, to, "state")), admin_integer(to, "step") + 1,
               STR_ARG(is_refused ? refusal : admin_text(c, row, "reason")),
               admin_text(c, row, "note").len > 0 ? ": " : "", STR_ARG(admin_text(c, row, "note")));
    }
}

/* ---- words ---- */

/* The rollout that the second word names, or the current one. */
static int rollout_find(struct admin_client *c, struct json *out)
{
    return admin_find(c, STR("/admin/v1/rollouts"), out);
}

static int status(struct admin_client *c)
{
    struct json r;
    int result = rollout_find(c, &r);

    if (result == EXIT_DONE && !admin_prints_json(c, r))
        status_print(c, r);
    return result;
}

static int start(struct admin_client *c)
{
    struct json r;
    int result =
        admin_start(c, cli_has(c->args, "supersede") ? STR(",\"supersede\":true") : STR(""), &r);

    if (result == EXIT_DONE && !admin_prints_json(c, r))
        headline_print(c, r);
    return result;
}

static int operate(struct admin_client *c)
{
    str verb = c->args->words[0], to = cli_value(c->args, "to");
    struct buf members = { 0 };
    struct json r;
    int64_t generation = -1;
    int result = rollout_find(c, &r);

    if (result != EXIT_DONE)
        return result;
    if (!cli_integer(c->args, "rollout", "generation", 0, INT64_MAX, &generation))
        return EXIT_USAGE;
    if (generation < 0 && !str_eq(verb, STR("abort"))) /* an emergency does not look twice */
        generation = admin_integer(r, "generation");
    if (str_eq(verb, STR("promote")) && cli_has(c->args, "full"))
        verb = STR("promote-full");
    buf_add_char(&members, '{');
    if (to.ptr && str_eq(verb, STR("rollback")))
        json_member_str(&members, "to", to);
    const struct admin_call call = { "POST",
                                     arena_printf(&c->arena, "/admin/v1/rollouts/%.*s/%.*s",
                                                  STR_ARG(admin_text(c, r, "name")), STR_ARG(verb)),
                                     str_slice(buf_str(&members), 1, members.len), generation };
    result = admin_call(c, &call, &r);
    if (result == EXIT_DONE && !admin_prints_json(c, r))
        headline_print(c, r);
    buf_fini(&members);
    return result;
}

static int history(struct admin_client *c)
{
    struct json r, list;
    str name = c->args->word_count > 1 ? c->args->words[1] : (str){ 0 };
    int result = EXIT_DONE;

    if (name.len == 0) {
        result = rollout_find(c, &r);
        name = result == EXIT_DONE ? admin_text(c, r, "name") : name;
    }
    if (result != EXIT_DONE)
        return result;
    const struct admin_call call = {
        "GET", arena_printf(&c->arena, "/admin/v1/rollouts/%.*s/history", STR_ARG(name)), { 0 }, -1
    };
    result = admin_call(c, &call, &list);
    if (result == EXIT_DONE && !admin_prints_json(c, list))
        history_print(c, list);
    return result;
}

static const struct admin_word words[] = {
    { "start", start },      { "status", status },   { "pause", operate },
    { "resume", operate },   { "promote", operate }, { "abort", operate },
    { "rollback", operate }, { "retry", operate },   { "history", history },
};

static int run(const struct cli_args *args)
{
    return admin_run(
        "rollout", args, words, ARRAY_LEN(words),
        "say what: start FILE, status, pause, resume, promote, abort, rollback, retry or "
        "history");
}

static const struct cli_option options[] = {
    ADMIN_OPTIONS,
    { "full", NULL, "promote: to the last step at once" },
    { "to", "REVISION",
      "rollback: to 'before' (default), the gateway's own configuration, or its hash" },
    { "generation", "N", "the one you have seen (default: as it is now); a stale one is refused" },
    { "supersede", NULL, "start: also while another rollout is under way" },
    { NULL, NULL, NULL },
};

const struct cli_command command_rollout = {
    "rollout",
    "start FILE|status|pause|resume|promote|abort|rollback|retry|history",
    "a staged rollout of another configuration, under guards",
    "weir rollout start config/rollouts/gpt-4o-mini.yaml --reason 'cheaper'",
    options,
    run
};
