/* SPDX-License-Identifier: Apache-2.0 */
/* alert_live: weir alert list, silence and history, through the admin API of a running gateway. */
#include "app/cli/admin.h"

#include "base/utc.h"

#define SILENCE_SECONDS_DEFAULT 3600
#define SILENCE_SECONDS_MAX (INT64_C(365) * 86400)

/* ---- list ---- */

static void alert_print(struct admin_client *c, struct json a)
{
    printf("%-8.*s %-9.*s %-22.*s since %.*s%s%s\n         %.*s\n",
           STR_ARG(admin_text(c, a, "state")), STR_ARG(admin_text(c, a, "severity")),
           STR_ARG(admin_text(c, a, "rule")), STR_ARG(admin_text(c, a, "since")),
           admin_flag(a, "silenced") ? ", silenced" : "",
           admin_flag(a, "inhibited") ? ", inhibited" : "", STR_ARG(admin_text(c, a, "sentence")));
    if (admin_text(c, a, "runbook").len > 0)
        printf("         %.*s\n", STR_ARG(admin_text(c, a, "runbook")));
}

static void silence_print(struct admin_client *c, struct json s)
{
    struct json_iter it = json_iter(json_get(s, STR("matchers")));

    if (!admin_flag(s, "active"))
        return;
    printf("silence %" PRId64 " until %.*s by %.*s:", admin_integer(s, "id"),
           STR_ARG(admin_text(c, s, "ends")), STR_ARG(admin_text(c, s, "author")));
    while (json_next(&it))
        printf(" %.*s%s=%.*s", STR_ARG(admin_text(c, it.value, "label")),
               admin_flag(it.value, "negative") ? "!" : "",
               STR_ARG(admin_text(c, it.value, "value")));
    printf(" (%.*s)\n", STR_ARG(admin_text(c, s, "comment")));
}

int alert_list(struct admin_client *c)
{
    const struct admin_call call = { "GET", STR("/admin/v1/alerts"), { 0 }, -1 };
    struct json answer;
    int result = admin_call(c, &call, &answer);

    if (result != EXIT_DONE || admin_prints_json(c, answer))
        return result;
    struct json data = json_get(answer, STR("data"));
    if (json_count(data) == 0)
        printf("no alert is pending or firing (%" PRId64 " rules)\n",
               admin_integer(answer, "rules"));
    for (struct json_iter it = json_iter(data); json_next(&it);)
        alert_print(c, it.value);
    for (struct json_iter it = json_iter(json_get(answer, STR("silences"))); json_next(&it);)
        silence_print(c, it.value);
    return EXIT_DONE;
}

/* ---- history ---- */

int alert_history(struct admin_client *c)
{
    const struct admin_call call = { "GET", STR("/admin/v1/alerts/history"), { 0 }, -1 };
    struct json answer;
    int result = admin_call(c, &call, &answer);

    if (result != EXIT_DONE || admin_prints_json(c, answer))
        return result;
    for (struct json_iter it = json_iter(json_get(answer, STR("data"))); json_next(&it);) {
        struct json row = json_get(it.value, STR("row"));
        char at[UTC_TEXT_MAX];
        printf("%.*s  %-22.*s %.*s -> %.*s: %.*s\n",
               STR_ARG(utc_format(admin_integer(it.value, "at_us"), at)),
               STR_ARG(admin_text(c, row, "rule")), STR_ARG(admin_text(c, row, "from")),
               STR_ARG(admin_text(c, row, "to")), STR_ARG(admin_text(c, row, "sentence")));
    }
    return EXIT_DONE;
}

/* ---- silence ---- */

/* LABEL=VALUE and LABEL!=VALUE words as the members of "match". */
static int matchers_write(const struct cli_args *args, struct buf *out)
{
    buf_add(out, STR("\"match\":{"));
    for (size_t i = 1; i < args->word_count; i++) {
        str word = args->words[i];
        size_t equals = str_find_char(word, '=');
        if (equals == STR_NPOS || equals == 0)
            return cli_usage_error("alert", "'%.*s' is no LABEL=VALUE", STR_ARG(word));
        bool is_negative = word.ptr[equals - 1] == '!';
        str label = str_slice(word, 0, equals - is_negative);
        str value = str_slice(word, equals + 1, word.len);
        json_comma(out);
        json_write_str(out, label);
        buf_add_char(out, ':');
        struct buf text = { 0 };
        buf_add(&text, is_negative ? STR("!") : STR(""));
        buf_add(&text, value);
        json_write_str(out, buf_str(&text));
        buf_fini(&text);
    }
    buf_add_char(out, '}');
    return EXIT_DONE;
}

static int silence_end(struct admin_client *c, str id)
{
    const struct admin_call call = {
        "DELETE", arena_printf(&c->arena, "/admin/v1/silences/%.*s", STR_ARG(id)), { 0 }, -1
    };
    struct json answer;
    int result = admin_call(c, &call, &answer);

    if (result == EXIT_DONE && !admin_prints_json(c, answer))
        printf("silence %.*s is over\n", STR_ARG(id));
    return result;
}

int alert_silence(struct admin_client *c)
{
    int64_t seconds = SILENCE_SECONDS_DEFAULT;
    struct buf members = { 0 };
    struct json answer = { .node = NULL };
    str end = cli_value(c->args, "end");

    if (end.ptr)
        return silence_end(c, end);
    if (c->args->word_count < 2)
        return cli_usage_error("alert", "say what to silence: weir alert silence "
                                        "alertname=latency_p95_high --seconds 3600");
    if (!cli_integer(c->args, "alert", "seconds", 1, SILENCE_SECONDS_MAX, &seconds))
        return EXIT_USAGE;
    int result = matchers_write(c->args, &members);
    if (result == EXIT_DONE) {
        json_member_i64(&members, "seconds", seconds);
        const struct admin_call call = { "POST", STR("/admin/v1/silences"), buf_str(&members), -1 };
        result = admin_call(c, &call, &answer);
    }
    if (result == EXIT_DONE && !admin_prints_json(c, answer))
        silence_print(c, answer);
    buf_fini(&members);
    return result;
}
