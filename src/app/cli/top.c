/* SPDX-License-Identifier: Apache-2.0 */
/* weir top: the live view in a terminal, from the admin API of a running gateway. */
#include "app/cli/admin.h"

#include <stdlib.h>

#include "app/cli/top_view.h"
#include "edge/screen/screen.h"

#define INTERVAL_DEFAULT 1
#define INTERVAL_MAX 60
#define KEY_WAIT_MS 100
/* Of --once, where no terminal says how large it is. */
#define PLAIN_ROWS 200
#define PLAIN_COLUMNS 120

struct top {
    struct admin_client client;
    struct top_state state;
    struct top_data data; /* texts in the client's arena */
    struct top_frame *frame;
};

static int get(struct top *t, str path, struct json *out)
{
    const struct admin_call call = { "GET", path, { 0 }, -1 };

    return admin_call(&t->client, &call, out);
}

/* Asks for all that a page may show. */
static int look(struct top *t)
{
    struct json rollouts;
    int result;

    admin_client_forget(&t->client);
    t->data = (struct top_data){ { 0 }, { 0 }, { 0 } };
    result = get(t, STR("/admin/v1/overview"), &t->data.overview);
    if (result == EXIT_DONE)
        result = get(t, STR("/admin/v1/alerts"), &t->data.alerts);
    if (result == EXIT_DONE)
        result = get(t, STR("/admin/v1/rollouts"), &rollouts);
    if (result == EXIT_DONE)
        t->data.rollout = json_at(json_get(rollouts, STR("data")), 0);
    t->state.problem = result == EXIT_DONE ? STR("") : str_from(t->client.said);
    t->state.address = t->client.base;
    return result;
}

static int once(struct top *t, bool is_json)
{
    int result;

    t->client.is_quiet = false;
    result = look(t);
    if (result != EXIT_DONE)
        return result;
    if (is_json) {
        IGNORE(admin_prints_json(&t->client, t->data.overview));
        return EXIT_DONE;
    }
    struct buf text = { 0 };
    t->state.rows = PLAIN_ROWS;
    t->state.columns = PLAIN_COLUMNS;
    t->frame->arena = &t->client.arena;
    top_compose(t->frame, &t->state, &t->data);
    top_frame_text(t->frame, &text);
    fwrite(text.ptr, 1, text.len, stdout);
    buf_fini(&text);
    return EXIT_DONE;
}

static void draw(struct top *t, struct screen *screen)
{
    t->state.has_keys = true;
    screen_size(screen, &t->state.rows, &t->state.columns);
    t->state.is_utf8 = screen_is_utf8(screen);
    t->frame->arena = &t->client.arena;
    top_compose(t->frame, &t->state, &t->data);
    screen_clear(screen);
    for (size_t i = 0; i < t->frame->count; i++) {
        const struct top_span *s = &t->frame->spans[i];
        screen_put(screen, s->row, s->column, s->style, s->text);
    }
    screen_show(screen);
}

/* False: it is to end. */
static bool obey(struct top *t, int key)
{
    if (key == 'q' || key == 3)
        return false;
    if (key == 'p' || key == ' ')
        t->state.is_paused = !t->state.is_paused;
    if (key >= '1' && key < '1' + TOP_PAGE_COUNT)
        t->state.page = (enum top_page)(key - '1');
    if (key == '\t')
        t->state.page = (enum top_page)((t->state.page + 1) % TOP_PAGE_COUNT);
    return true;
}

static void watch(struct top *t, struct screen *screen, int64_t interval)
{
    int64_t waited_ms = interval * 1000;
    bool goes_on = true;

    while (goes_on) {
        if (waited_ms >= interval * 1000 && !t->state.is_paused) {
            IGNORE(look(t));
            waited_ms = 0;
        }
        draw(t, screen);
        int key = screen_key(screen, KEY_WAIT_MS);
        waited_ms += key == SCREEN_NO_KEY ? KEY_WAIT_MS : 0;
        goes_on = obey(t, key);
    }
}

static int live(struct top *t, int64_t interval)
{
    struct screen *screen;
    int result = look(t); /* nobody there: said before the terminal is taken over */

    if (result != EXIT_DONE) {
        fprintf(stderr, "weir top: %s\n", t->client.said);
        return result;
    }
    if (screen_open(&screen) != OK)
        return cli_usage_error("top", "this is no terminal that text can be placed on ($TERM); "
                                      "--once prints one look");
    watch(t, screen, interval);
    screen_close(screen);
    return EXIT_DONE;
}

static int run_top(const struct cli_args *args)
{
    struct top *t = calloc(1, sizeof(*t));
    int64_t interval = INTERVAL_DEFAULT;
    int result;

    if (args->word_count > 0) {
        free(t);
        return cli_usage_error("top", "options only");
    }
    if (!cli_integer(args, "top", "interval", 1, INTERVAL_MAX, &interval)) {
        free(t);
        return EXIT_USAGE;
    }
    if (!t)
        return EXIT_DEFECT;
    t->frame = calloc(1, sizeof(*t->frame));
    result = t->frame ? admin_client_open(&t->client, "top", args) : EXIT_DEFECT;
    if (result == EXIT_DONE) {
        t->client.is_quiet = true;
        result = cli_has(args, "once") || cli_has(args, "json") ? once(t, cli_has(args, "json"))
                                                                : live(t, interval);
        admin_client_close(&t->client);
    }
    free(t->frame);
    free(t);
    return result;
}

static const struct cli_option options[] = {
    { "target", "URL", "the gateway's admin address (http:// and server.admin)" },
    { "interval", "SECONDS", "between two looks, 1 to 60 (1)" },
    { "once", NULL, "print one look as plain text" },
    { "config", "FILE", "configuration whose server.admin counts" },
    { "json", NULL, "one look's figures as one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_top = {
    "top",
    "",
    "the live view in a terminal: traffic, cost, rollout, alerts",
    "weir top --interval 5",
    options,
    run_top,
};
