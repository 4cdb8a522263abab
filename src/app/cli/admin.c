/* SPDX-License-Identifier: Apache-2.0 */
/* admin: see admin.h. */
#include "app/cli/admin.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "edge/config/config.h"
#include "edge/upstream/post.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define ANSWER_BYTES_MAX ((size_t)32 << 20)
#define TIMEOUT (15 * NSEC_PER_SEC)

/* ---- where it is ---- */

/* What one listens on is not always what one connects to. */
static str reachable(struct arena *arena, str listen)
{
    size_t colon = listen.len;

    while (colon > 0 && listen.ptr[colon - 1] != ':')
        colon--;
    str host = str_slice(listen, 0, colon > 0 ? colon - 1 : 0);
    str port = str_slice(listen, colon, listen.len);
    if (host.len == 0 || str_eq(host, STR("0.0.0.0")))
        host = STR("127.0.0.1");
    else if (str_eq(host, STR("[::]")))
        host = STR("[::1]");
    return arena_printf(arena, "http://%.*s:%.*s", STR_ARG(host), STR_ARG(port));
}

int admin_client_open(struct admin_client *c, const char *command, const struct cli_args *args)
{
    struct config *config = NULL;
    int status = EXIT_DONE;

    *c = (struct admin_client){ .args = args, .command = command };
    arena_init(&c->arena, ARENA_BYTES_MAX);
    c->base = cli_value(args, "target");
    if (!c->base.ptr) {
        status = cli_config_load(args, false, &config);
        if (status == EXIT_DONE) {
            c->base = reachable(&c->arena, config->server.admin);
            c->key = arena_str(&c->arena, config->server.admin_key);
        }
        config_close(config);
    }
    if (c->key.len == 0)
        c->key = str_from(getenv("WEIR_ADMIN_KEY"));
    while (str_ends(c->base, STR("/")))
        c->base.len--;
    if (status == EXIT_DONE && post_init() != OK)
        status = EXIT_DEFECT;
    if (status != EXIT_DONE)
        arena_fini(&c->arena);
    return status;
}

void admin_client_close(struct admin_client *c)
{
    post_fini();
    arena_fini(&c->arena);
}

void admin_client_forget(struct admin_client *c)
{
    struct arena fresh;

    arena_init(&fresh, ARENA_BYTES_MAX);
    c->base = arena_str(&fresh, c->base);
    c->key = arena_str(&fresh, c->key);
    arena_fini(&c->arena);
    c->arena = fresh;
}

int admin_run(const char *command, const struct cli_args *args, const struct admin_word *words,
              size_t word_count, const char *usage)
{
    struct admin_client client;
    str word = args->word_count > 0 ? args->words[0] : (str){ 0 };

    for (size_t i = 0; i < word_count; i++) {
        if (!str_eq(word, str_from(words[i].word)))
            continue;
        int result = admin_client_open(&client, command, args);
        if (result != EXIT_DONE)
            return result;
        result = words[i].run(&client);
        admin_client_close(&client);
        return result;
    }
    return cli_usage_error(command, "%s", usage);
}

/* "weir alert: message", to stderr unless nobody wants to read it there. */
static void complain(struct admin_client *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void complain(struct admin_client *c, const char *fmt, ...)
{
    va_list list;

    va_start(list, fmt);
    vsnprintf(c->said, sizeof(c->said), fmt, list);
    va_end(list);
    if (!c->is_quiet)
        fprintf(stderr, "weir %s: %s\n", c->command, c->said);
}

int admin_file(struct admin_client *c, str path, str *out)
{
    char whole[PATH_MAX];
    str copy = arena_str(&c->arena, path);

    if (copy.len == 0 || !realpath(copy.ptr, whole))
        return cli_usage_error(c->command, "%.*s: %s", STR_ARG(path), strerror(errno));
    *out = arena_str(&c->arena, str_from(whole));
    return EXIT_DONE;
}

/* ---- calls ---- */

static str body_make(struct admin_client *c, const struct admin_call *call)
{
    const char *user = getenv("USER");
    str actor = cli_value(c->args, "actor"), reason = cli_value(c->args, "reason");
    struct buf body = { 0 };

    if (actor.len == 0)
        actor = user && user[0] ? str_from(user) : STR("cli");
    buf_add_char(&body, '{');
    json_member_str(&body, "actor", actor);
    json_member_str(&body, "reason", reason);
    if (call->members.len > 0) {
        buf_add_char(&body, ',');
        buf_add(&body, call->members);
    }
    buf_add_char(&body, '}');
    str text = arena_str(&c->arena, buf_str(&body));
    buf_fini(&body);
    return text;
}

static void print_value(struct json value)
{
    str text = json_raw(value);

    fwrite(text.ptr, 1, text.len, stdout);
    putchar('\n');
}

bool admin_prints_json(const struct admin_client *c, struct json value)
{
    if (!cli_has(c->args, "json"))
        return false;
    print_value(value);
    return true;
}

static int refused(struct admin_client *c, int status, struct json answer)
{
    struct json error = json_get(answer, STR("error")), errors = json_get(answer, STR("errors"));
    struct json_iter it = json_iter(errors);

    if (!c->is_quiet)
        IGNORE(admin_prints_json(c, answer));
    while (json_next(&it) && !c->is_quiet)
        fprintf(stderr, "%.*s:%" PRId64 ":%" PRId64 ": %.*s\n",
                STR_ARG(admin_text(c, it.value, "file")), admin_integer(it.value, "line"),
                admin_integer(it.value, "column"), STR_ARG(admin_text(c, it.value, "message")));
    if (!json_exists(errors))
        complain(c, "%.*s", STR_ARG(admin_text(c, error, "message")));
    if (status >= 500)
        return EXIT_UNREACHABLE;
    return status == 409 ? EXIT_CHECK_FAILED : EXIT_USAGE;
}

int admin_call(struct admin_client *c, const struct admin_call *call, struct json *out)
{
    struct post_request request = { .method = str_from(call->method),
                                    .timeout = TIMEOUT,
                                    .answer_bytes_max = ANSWER_BYTES_MAX };
    struct post_answer answer;
    struct json value = { .node = NULL };

    request.url = arena_printf(&c->arena, "%.*s%.*s", STR_ARG(c->base), STR_ARG(call->path));
    if (strcmp(call->method, "GET") != 0)
        request.body = body_make(c, call);
    if (call->generation >= 0)
        request.headers[request.header_count++] =
            (struct post_header){ STR("If-Match"),
                                  arena_printf(&c->arena, "\"%" PRId64 "\"", call->generation) };
    if (c->key.len > 0)
        request.headers[request.header_count++] =
            (struct post_header){ STR("Authorization"),
                                  arena_printf(&c->arena, "Bearer %.*s", STR_ARG(c->key)) };
    enum err e = post_send(&request, &answer);
    str text = arena_str(&c->arena, buf_str(&answer.body));
    buf_fini(&answer.body);
    if (e != OK) {
        complain(c,
                 "nobody answers at %.*s (%s); is weir serve running? --target names "
                 "another address",
                 STR_ARG(c->base), answer.error);
        return EXIT_UNREACHABLE;
    }
    if (json_parse(&c->arena, text, &value, NULL) != OK) {
        complain(c, "%.*s answered with status %d and no JSON: it is no weir", STR_ARG(c->base),
                 answer.status);
        return EXIT_UNREACHABLE;
    }
    if (answer.status != 200)
        return refused(c, answer.status, value);
    *out = value;
    return EXIT_DONE;
}

int admin_find(struct admin_client *c, str path, struct json *out)
{
    const struct admin_call call = { "GET", path, { 0 }, -1 };
    str name = c->args->word_count > 1 ? c->args->words[1] : (str){ 0 };
    struct json list;
    int status = admin_call(c, &call, &list);

    if (status != EXIT_DONE)
        return status;
    for (struct json_iter it = json_iter(json_get(list, STR("data"))); json_next(&it);) {
        if (name.len > 0 && !str_eq(name, admin_text(c, it.value, "name")))
            continue;
        *out = it.value;
        return EXIT_DONE;
    }
    if (name.len > 0)
        return cli_usage_error(c->command, "no %s is called '%.*s'", c->command, STR_ARG(name));
    return cli_usage_error(c->command, "there is no %s; `weir %s start FILE` begins one",
                           c->command, c->command);
}

int admin_start(struct admin_client *c, str members, struct json *out)
{
    struct buf body = { 0 };
    str file;

    if (c->args->word_count != 2)
        return cli_usage_error(c->command, "name its file: weir %s start FILE", c->command);
    int status = admin_file(c, c->args->words[1], &file);
    if (status != EXIT_DONE)
        return status;
    buf_add(&body, STR("\"file\":"));
    json_write_str(&body, file);
    buf_add(&body, members);
    const struct admin_call call = { "POST", arena_printf(&c->arena, "/admin/v1/%ss", c->command),
                                     buf_str(&body), -1 };
    status = admin_call(c, &call, out);
    buf_fini(&body);
    return status;
}

/* ---- reading answers ---- */

str admin_text(struct admin_client *c, struct json v, const char *name)
{
    str text = { 0 };

    IGNORE(json_str(json_get(v, str_from(name)), &c->arena, &text));
    return text;
}

int64_t admin_integer(struct json v, const char *name)
{
    int64_t value = 0;

    IGNORE(json_i64(json_get(v, str_from(name)), &value));
    return value;
}

double admin_number(struct json v, const char *name)
{
    double value = NAN;

    IGNORE(json_double(json_get(v, str_from(name)), &value));
    return value;
}

bool admin_flag(struct json v, const char *name)
{
    bool value = false;

    IGNORE(json_bool(json_get(v, str_from(name)), &value));
    return value;
}
