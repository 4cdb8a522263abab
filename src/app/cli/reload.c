/* SPDX-License-Identifier: Apache-2.0 */
/* reload: see reload.h. */
#include "app/cli/reload.h"

#include <stdlib.h>
#include <time.h>

#include "app/engine/arms.h"
#include "app/engine/engine.h"
#include "app/engine/reach.h"
#include "app/gateway/gateway.h"
#include "app/health/health.h"
#include "core/dialect/dialect.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/http/server.h"
#include "edge/world/log.h"

#define SWEEP (100 * NSEC_PER_MS) /* how often it is looked whether older ones can go */
#define ADOPTION_LOOKS 50 /* a millisecond each: how long an answer waits for the workers' turns */

struct generation {
    uint32_t number; /* from 1 */
    struct config *config; /* NULL: the process's first, which lives on */
    struct engine_profile *profile; /* NULL: of the first, each engine its own */
    struct reach *reach;
    struct health *health;
    struct generation *older;
};

struct reload {
    struct reload_options options;
    struct generation *now;
    struct timer sweep;
};

/* ---- a worker ---- */

static void seat_look(struct reload_seat *seat);

static void on_seat_poll(struct timer *timer)
{
    seat_look(CONTAINER_OF(timer, struct reload_seat, poll));
}

static void seat_look(struct reload_seat *seat)
{
    uint32_t oldest = engine_generation_oldest(seat->engine);

    atomic_store(&seat->oldest, oldest);
    if (oldest != atomic_load(&seat->adopted))
        timer_start(seat->world, &seat->poll, SWEEP, on_seat_poll);
}

static void on_adopt(struct turn *turn)
{
    struct reload_seat *seat = CONTAINER_OF(turn, struct reload_seat, adopt);
    const struct generation *g = atomic_load(&seat->next);

    seat->gateway->config = g->config;
    seat->gateway->health = g->health;
    engine_adopt(seat->engine, g->profile, g->reach, g->number);
    atomic_store(&seat->adopted, g->number);
    seat_look(seat);
}

void reload_seat_fini(struct reload_seat *seat)
{
    if (seat->world)
        timer_cancel(seat->world, &seat->poll);
}

/* ---- generations ---- */

static void generation_close(struct generation *g)
{
    health_close(g->health);
    reach_close(g->reach);
    engine_profile_close(g->profile);
    config_close(g->config);
    free(g);
}

static enum err generation_open(struct reload *r, struct config *config, struct generation **out)
{
    struct generation *g = calloc(1, sizeof(*g));

    if (!g)
        return WEIR_NO_MEMORY;
    g->number = r->now->number + 1;
    enum err e = reach_open(&g->reach, config);
    if (e == OK)
        e = engine_profile_open(&g->profile, config, r->options.lanes);
    const struct health_options health = {
        .world = r->options.world,
        .config = config,
        .log = r->options.log,
        .store = r->options.store,
        .reach = g->reach,
        .control_probe = r->options.control_probe,
        .control = r->options.control,
        .before = r->now->health,
    };
    if (e == OK)
        e = health_open(&g->health, &health);
    if (e != OK) {
        generation_close(g);
        return e;
    }
    g->config = config;
    *out = g;
    return OK;
}

static void on_sweep(struct timer *timer)
{
    struct reload *r = CONTAINER_OF(timer, struct reload, sweep);
    uint32_t oldest = r->now->number;

    for (size_t i = 0; i < r->options.seat_count; i++) {
        uint32_t held = atomic_load(&r->options.seats[i]->oldest);
        oldest = held < oldest ? held : oldest;
    }
    struct generation **at = &r->now;
    while (*at && (*at)->number >= oldest)
        at = &(*at)->older;
    while (*at) {
        struct generation *g = *at;
        *at = g->older;
        generation_close(g);
    }
    if (r->now->older)
        timer_start(r->options.world, &r->sweep, SWEEP, on_sweep);
}

static bool is_adopted(const struct reload *r)
{
    for (size_t i = 0; i < r->options.seat_count; i++)
        if (atomic_load(&r->options.seats[i]->adopted) != r->now->number)
            return false;
    return true;
}

static void publish(struct reload *r, struct generation *g)
{
    const struct timespec look = { .tv_nsec = NSEC_PER_MS };

    g->older = r->now;
    r->now = g;
    r->options.admin->health = g->health;
    r->options.admin->measure.health = g->health;
    for (size_t i = 0; i < r->options.seat_count; i++) {
        struct reload_seat *seat = r->options.seats[i];
        atomic_store(&seat->next, g);
        world_post_remote(seat->world, &seat->adopt);
    }
    for (int i = 0; i < ADOPTION_LOOKS && !is_adopted(r); i++)
        nanosleep(&look, NULL);
    if (!timer_is_running(&r->sweep))
        timer_start(r->options.world, &r->sweep, SWEEP, on_sweep);
}

/* ---- what is said of it ---- */

static str issue_line(struct arena *arena, const struct config_issue *issue)
{
    if (issue->line == 0)
        return arena_printf(arena, "%.*s: %.*s", STR_ARG(issue->file), STR_ARG(issue->message));
    return arena_printf(arena, "%.*s:%d:%d: %.*s", STR_ARG(issue->file), issue->line, issue->column,
                        STR_ARG(issue->message));
}

static void strings_begin(struct buf *out, const char *name)
{
    json_key(out, name);
    buf_add_char(out, '[');
}

static void strings_add(struct buf *out, str text)
{
    json_comma(out);
    json_write_str(out, text);
}

static void issues_tell(const struct reload *r, struct config_issues *issues, struct buf *out)
{
    strings_begin(out, "issues");
    for (size_t i = 0; i < issues->count; i++) {
        str line = issue_line(&issues->arena, &issues->items[i]);
        LOG(r->options.log, issues->items[i].is_warning ? LOG_WARNING : LOG_ERROR, "configuration",
            LOG_TEXT("issue", line));
        strings_add(out, line);
    }
    buf_add_char(out, ']');
}

struct restart_list {
    const struct reload *reload;
    struct buf *out;
};

static void on_restart_key(void *ctx, str path)
{
    struct restart_list *list = ctx;

    LOG(list->reload->options.log, LOG_WARNING, "configuration: a key needs a restart to change",
        LOG_TEXT("key", path));
    strings_add(list->out, path);
}

static void restart_tell(const struct reload *r, const struct config *wanted, struct buf *out)
{
    struct restart_list list = { r, out };

    strings_begin(out, "needs_restart");
    config_restart_keys(r->options.running, wanted, on_restart_key, &list);
    buf_add_char(out, ']');
}

/* ---- a reload ---- */

static enum err run(struct reload *r, struct buf *out)
{
    struct config_issues issues;
    struct config *config = NULL;
    struct generation *g = NULL;
    str path = r->options.path.len > 0 ? r->options.path : config_default_path();

    enum err e = config_load(path, &config, &issues);
    if (e == OK)
        e = generation_open(r, config, &g);
    buf_printf(out, "{\"applied\":%s", e == OK ? "true" : "false");
    issues_tell(r, &issues, out);
    config_issues_fini(&issues);
    if (e != OK) {
        config_close(config);
        strings_begin(out, "needs_restart");
        buf_add(out, STR("]}"));
        return e;
    }
    restart_tell(r, config, out);
    publish(r, g);
    buf_printf(out, ",\"generation\":%u,\"config_hash\":\"%016" PRIx64 "\"}", g->number,
               config->hash);
    return OK;
}

enum err reload_run(struct reload *r, struct buf *out)
{
    struct buf unread = { 0 };

    if (!is_adopted(r))
        return WEIR_OVERLOADED; /* a worker has not come to the last one yet */
    enum err e = run(r, out ? out : &unread);
    buf_fini(&unread);
    if (e == OK)
        LOG(r->options.log, LOG_INFO, "reloaded", LOG_TEXT("model", r->now->config->model),
            LOG_TEXT("strategy", r->now->config->strategy));
    else
        LOG(r->options.log, LOG_ERROR, "not reloaded: the configuration before holds",
            LOG_TEXT("why", e == CALLER_BAD_REQUEST ? STR("the file is not valid")
                                                    : str_from(err_info(e)->text)));
    return e;
}

const struct config *reload_config(const void *r)
{
    const struct reload *reload = r;

    return reload->now->config ? reload->now->config : reload->options.running;
}

static void refuse(struct exchange *x, int status, enum err fault, str message)
{
    struct buf body = { 0 };

    chat_error_write(&body, fault, message, STR(""));
    exchange_respond(x, status, STR("application/json"), NULL, 0, buf_str(&body));
    buf_fini(&body);
}

void reload_on_request(void *ctx, struct exchange *x)
{
    struct reload *r = ctx;
    str json = STR("application/json");
    struct buf body = { 0 };

    if (!str_eq(exchange_method(x), STR("POST"))) {
        refuse(x, 405, CALLER_BAD_METHOD, STR("this path takes POST"));
        return;
    }
    /* Which a page of another origin cannot send unasked. */
    if (!str_starts(exchange_header(x, STR("content-type")), json)) {
        refuse(x, 415, CALLER_BAD_REQUEST, STR("send content-type: application/json"));
        return;
    }
    enum err e = reload_run(r, &body);
    if (body.len == 0)
        refuse(x, 503, e, STR(""));
    else
        exchange_respond(x,
                         e == OK                   ? 200
                         : e == CALLER_BAD_REQUEST ? 422
                                                   : 503,
                         json, NULL, 0, buf_str(&body));
    buf_fini(&body);
}

/* ---- the life ---- */

enum err reload_open(struct reload **out, const struct reload_options *options)
{
    struct reload *r = calloc(1, sizeof(*r));
    struct generation *first = calloc(1, sizeof(*first));

    if (!r || !first) {
        free(r);
        free(first);
        return WEIR_NO_MEMORY;
    }
    r->options = *options;
    *first = (struct generation){ .number = 1, .reach = options->reach, .health = options->health };
    r->now = first;
    for (size_t i = 0; i < options->seat_count; i++) {
        struct reload_seat *seat = options->seats[i];
        turn_init(&seat->adopt, on_adopt);
        atomic_init(&seat->next, first);
        atomic_init(&seat->adopted, 1);
        atomic_init(&seat->oldest, 1);
    }
    *out = r;
    return OK;
}

void reload_close(struct reload *r)
{
    if (!r)
        return;
    timer_cancel(r->options.world, &r->sweep);
    for (struct generation *g = r->now, *older; g; g = older) {
        older = g->older;
        generation_close(g);
    }
    free(r);
}
