/* SPDX-License-Identifier: Apache-2.0 */
/* weir key: creates, lists and revokes clients' keys through the admin API of a running gateway. */
#include "app/cli/admin.h"

#include <time.h>

#include "app/access/access.h"
#include "base/utc.h"
#include "core/money/limit.h"
#include "core/money/money.h"

#define USEC INT64_C(1000000)

/* ---- what a key may do ---- */

static void limit_add(struct key_spec *spec, enum limit_kind kind, enum limit_window window,
                      int64_t most)
{
    spec->rules[spec->rule_count++] = (struct limit_rule){ kind, window, most };
}

static int budget_read(const struct cli_args *args, struct key_spec *spec)
{
    str budget = cli_value(args, "budget-usd"), per = cli_value(args, "per");
    enum limit_window window = LIMIT_MONTH;
    nano_usd most;

    if (per.ptr && !limit_window_find(per, &window))
        return cli_usage_error("key", "--per must be minute, hour, day or month, not '%.*s'",
                               STR_ARG(per));
    if (!budget.ptr)
        return per.ptr ? cli_usage_error("key", "--per is of a --budget-usd") : EXIT_DONE;
    if (!cost_parse(budget, &most) || most > LIMIT_MOST)
        return cli_usage_error("key", "--budget-usd must be dollars such as 5 or 0.25, not '%.*s'",
                               STR_ARG(budget));
    limit_add(spec, LIMIT_COST, window, most);
    return EXIT_DONE;
}

static int limits_read(const struct cli_args *args, struct key_spec *spec)
{
    static const struct {
        const char *option;
        enum limit_kind kind;
    } rows[] = { { "requests-per-minute", LIMIT_REQUESTS },
                 { "tokens-per-minute", LIMIT_TOKENS },
                 { "concurrent", LIMIT_CONCURRENT } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t most = 0;
        if (!cli_integer(args, "key", rows[i].option, 0, LIMIT_MOST, &most))
            return EXIT_USAGE;
        if (cli_has(args, rows[i].option))
            limit_add(spec, rows[i].kind, LIMIT_MINUTE, most);
    }
    return budget_read(args, spec);
}

static int models_read(const struct cli_args *args, struct key_spec *spec)
{
    str rest = cli_value(args, "models"), model;

    while (rest.ptr && str_next(&rest, ',', &model)) {
        if (spec->model_count == KEY_MODELS_MAX)
            return cli_usage_error("key", "--models names more than %zu", KEY_MODELS_MAX);
        spec->models[spec->model_count++] = str_trim(model);
    }
    return EXIT_DONE;
}

/* "90d" and "12h" from now, or a date. */
static bool expires_parse(str text, usec_utc *out)
{
    int64_t count;
    char unit = text.len > 0 ? text.ptr[text.len - 1] : '\0';
    int64_t seconds = unit == 'd' ? 86400 : unit == 'h' ? 3600 : 0;

    if (seconds == 0)
        return utc_parse(text, out);
    if (!str_to_i64(str_slice(text, 0, text.len - 1), &count) || count <= 0 || count > 1000000)
        return false;
    *out = ((usec_utc)time(NULL) + count * seconds) * USEC;
    return true;
}

static int spec_read(const struct cli_args *args, struct key_spec *out)
{
    str expires = cli_value(args, "expires");

    *out = (struct key_spec){ .tenant = cli_value(args, "tenant") };
    if (out->tenant.len == 0)
        return cli_usage_error("key", "say whose key it is: --tenant NAME");
    if (expires.ptr && !expires_parse(expires, &out->expires))
        return cli_usage_error("key",
                               "--expires must be a date, YYYY-MM-DD, or 90d or 12h from now, "
                               "not '%.*s'",
                               STR_ARG(expires));
    int status = models_read(args, out);
    return status == EXIT_DONE ? limits_read(args, out) : status;
}

/* ---- for people ---- */

static void amount_print(struct json limit, str of, const char *name)
{
    char cost[32];
    int64_t value = admin_integer(limit, name);

    if (str_eq(of, STR("nano_usd")))
        printf("%.*s", STR_ARG(cost_format(value, cost)));
    else
        printf("%" PRId64, value);
}

static void limit_print(struct admin_client *c, struct json limit)
{
    str of = admin_text(c, limit, "of"), per = admin_text(c, limit, "per");

    printf("          ");
    amount_print(limit, of, "used");
    printf(" of ");
    amount_print(limit, of, "most");
    printf(" %.*s%s%.*s%s, ", STR_ARG(str_eq(of, STR("nano_usd")) ? STR("US dollars") : of),
           per.len > 0 ? " a " : "", STR_ARG(per),
           admin_flag(limit, "is_tenants") ? " of the tenant" : "");
    amount_print(limit, of, "reserved");
    printf(" of it reserved\n");
}

static void key_print(struct admin_client *c, struct json key)
{
    str expires = admin_text(c, key, "expires"), revoked = admin_text(c, key, "revoked");
    struct json models = json_get(key, STR("models"));

    printf("%-9.*s %s tenant %.*s", STR_ARG(admin_text(c, key, "id")),
           revoked.len > 0 ? "revoked" : "active ", STR_ARG(admin_text(c, key, "tenant")));
    if (admin_flag(key, "configured"))
        printf(", from the configuration");
    if (expires.len > 0)
        printf(", until %.*s", STR_ARG(expires));
    printf("\n");
    for (struct json_iter it = json_iter(models); json_next(&it);) {
        str model = { 0 };
        IGNORE(json_str(it.value, &c->arena, &model));
        printf("          may ask %.*s\n", STR_ARG(model));
    }
    for (struct json_iter it = json_iter(json_get(key, STR("limits"))); json_next(&it);)
        limit_print(c, it.value);
}

/* ---- words ---- */

static int create(struct admin_client *c)
{
    struct buf members = { 0 };
    struct json answer = { .node = NULL };
    struct key_spec spec;
    int result = spec_read(c->args, &spec);

    if (result != EXIT_DONE)
        return result;
    buf_add_char(&members, '{');
    key_spec_write(&spec, &members);
    const struct admin_call call = { "POST", STR("/admin/v1/keys"),
                                     str_slice(buf_str(&members), 1, members.len), -1 };
    result = admin_call(c, &call, &answer);
    buf_fini(&members);
    if (result != EXIT_DONE || admin_prints_json(c, answer))
        return result;
    printf("%.*s\n", STR_ARG(admin_text(c, answer, "key")));
    fprintf(stderr, "weir key: this is %.*s; it is shown once and cannot be shown again\n",
            STR_ARG(admin_text(c, answer, "id")));
    return EXIT_DONE;
}

static int list(struct admin_client *c)
{
    const struct admin_call call = { "GET", STR("/admin/v1/keys"), { 0 }, -1 };
    struct json answer;
    int result = admin_call(c, &call, &answer);

    if (result != EXIT_DONE || admin_prints_json(c, answer))
        return result;
    struct json data = json_get(answer, STR("data"));
    if (json_count(data) == 0)
        printf("there is no key: everyone is let in; `weir key create --tenant NAME` makes one\n");
    for (struct json_iter it = json_iter(data); json_next(&it);)
        key_print(c, it.value);
    return EXIT_DONE;
}

static int revoke(struct admin_client *c)
{
    struct json answer;

    if (c->args->word_count != 2)
        return cli_usage_error("key", "name the key: weir key revoke ID");
    const struct admin_call call = { "POST",
                                     arena_printf(&c->arena, "/admin/v1/keys/%.*s/revoke",
                                                  STR_ARG(c->args->words[1])),
                                     { 0 },
                                     -1 };
    int result = admin_call(c, &call, &answer);
    if (result == EXIT_DONE && !admin_prints_json(c, answer))
        key_print(c, answer);
    return result;
}

static const struct admin_word words[] = { { "create", create },
                                           { "list", list },
                                           { "revoke", revoke } };

static int run(const struct cli_args *args)
{
    return admin_run("key", args, words, ARRAY_LEN(words), "say what: create, list or revoke ID");
}

static const struct cli_option options[] = {
    { "tenant", "NAME", "create: whose key it is; its queries are the tenant's in the ledger" },
    { "budget-usd", "X", "create: dollars that its queries may cost, at worst" },
    { "per", "minute|hour|day|month", "create: in any span of this length (month, 30 days)" },
    { "requests-per-minute", "N", "create: queries in any minute" },
    { "tokens-per-minute", "N", "create: tokens of input and output in any minute" },
    { "concurrent", "N", "create: queries at once" },
    { "models", "A,B", "create: models and strategies that may be asked for (all)" },
    { "expires", "D", "create: a date, or 90d or 12h from now (never)" },
    ADMIN_OPTIONS,
    { NULL, NULL, NULL },
};

const struct cli_command command_key = {
    "key",
    "create|list|revoke ID",
    "clients' keys, their budgets and limits",
    "weir key create --tenant acme --budget-usd 5 --per day --requests-per-minute 60",
    options,
    run
};
