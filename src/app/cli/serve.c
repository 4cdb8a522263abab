/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir serve: N workers on one port, an admin listener on the main thread, and an orderly end.
 *
 *     SIGTERM: readiness 503 -> listeners close -> queries finish (up to server.drain_timeout_seconds)
 *              -> what is left is cut -> ledger flushed
 */
#include "app/cli/cli.h"
#include "app/cli/reload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/access/access.h"
#include "app/admin/dashboard.h"
#include "app/control/controller.h"
#include "app/engine/arms.h"
#include "app/engine/engine.h"
#include "app/engine/reach.h"
#include "app/engine/stack.h"
#include "app/gateway/gateway.h"
#include "base/rng.h"
#include "app/health/health.h"
#include "edge/config/config.h"
#include "edge/http/server.h"
#include "edge/ranks/ranks.h"
#include "edge/store/store.h"
#include "edge/upstream/lanes.h"
#include "edge/telemetry/telemetry.h"
#include "edge/upstream/post.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define WORKERS_MAX 64
#define EXCHANGE_ARENA_BYTES ((size_t)64 << 20)
#define PACE_EVERY (200 * NSEC_PER_MS)
#define DRAIN_POLL (10 * NSEC_PER_MS)

struct worker {
    struct stack stack;
    struct http_server *server;
    struct gateway gateway;
    struct feed *feed;
    struct turn drain;
    struct timer drain_poll;
    nsec drain_until;
    struct reload_seat seat;
    pthread_t thread;
    bool is_cutting;
    struct serve *serve;
};

struct serve {
    struct config *config;
    struct log log;
    struct store *store;
    struct worker *workers;
    size_t worker_count;
    struct world *world; /* the main thread's */
    struct http_server *admin_server;
    struct admin admin;
    const struct metrics *shards[WORKERS_MAX];
    struct feed *feeds[WORKERS_MAX];
    struct arms_slot arms;
    struct access *access;
    struct ranks *ranks[TOKEN_ENCODING_COUNT]; /* NULL: nobody set it up */
    const struct token_table *tokens[TOKEN_ENCODING_COUNT];
    struct controller *controller;
    struct telemetry *telemetry;
    struct timer measure, pace;
    struct dashboard *dashboard;
    struct reach *reach; /* until the reload takes them */
    struct health *health;
    struct lanes *lanes;
    struct reload_seat *seats[WORKERS_MAX];
    struct reload *reload;
    bool can_post;
    atomic_int drained; /* workers that have ended */
    struct timer drained_poll;
};

/* ---- the end ---- */

static void on_drain_poll(struct timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, drain_poll);
    uint32_t busy = engine_busy(w->stack.engine) + server_busy(w->server);

    if (busy > 0 && !w->is_cutting && world_now(w->stack.world) >= w->drain_until) {
        w->is_cutting = true;
        LOG(&w->serve->log, LOG_WARNING, "cutting what is left",
            LOG_TEXT("reason", STR("the drain timed out")));
        engine_stop(w->stack.engine);
    }
    if (busy > 0) {
        timer_start(w->stack.world, &w->drain_poll, DRAIN_POLL, on_drain_poll);
        return;
    }
    world_stop(w->stack.world);
}

static void on_drain(struct turn *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, drain);

    if (w->gateway.is_draining)
        return;
    w->gateway.is_draining = true;
    w->drain_until = world_now(w->stack.world) + w->gateway.config->server.drain_timeout;
    server_drain(w->server);
    timer_start(w->stack.world, &w->drain_poll, DRAIN_POLL, on_drain_poll);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    world_run(w->stack.world);
    atomic_fetch_add(&w->serve->drained, 1);
    return NULL;
}

static void on_drained_poll(struct timer *t)
{
    struct serve *s = CONTAINER_OF(t, struct serve, drained_poll);

    if ((size_t)atomic_load(&s->drained) == s->worker_count)
        world_stop(s->world);
    else
        timer_start(s->world, t, DRAIN_POLL, on_drained_poll);
}

static void on_stop_signal(void *ctx, int signum)
{
    struct serve *s = ctx;

    if (s->admin.is_draining) {
        if (signum == SIGINT) /* a second Ctrl-C: at once; the ledger recovers at the next start */
            _exit(EXIT_CHECK_FAILED);
        return;
    }
    LOG(&s->log, LOG_INFO, "stopping",
        LOG_TEXT("signal", signum == SIGTERM ? STR("SIGTERM") : STR("SIGINT")));
    s->admin.is_draining = true;
    for (size_t i = 0; i < s->worker_count; i++)
        world_post_remote(s->workers[i].stack.world, &s->workers[i].drain);
    timer_start(s->world, &s->drained_poll, DRAIN_POLL, on_drained_poll);
}

static void on_reload_signal(void *ctx, int signum)
{
    struct serve *s = ctx;

    (void)signum;
    if (!s->admin.is_draining)
        IGNORE(reload_run(s->reload, NULL) != OK); /* it has logged what came of it */
}

/* ---- the start ---- */

static struct server_limits limits_of(const struct config *config)
{
    struct server_limits limits = server_limits_default();

    limits.head_bytes_max = (size_t)config->server.head_bytes_max;
    limits.body_bytes_max = (size_t)config->server.body_bytes_max;
    limits.connections_max = (uint32_t)config->server.connections_max;
    limits.head_timeout = config->server.head_timeout;
    limits.idle_timeout = config->server.idle_timeout;
    return limits;
}

static enum err worker_open(struct serve *s, size_t index, str listen, char why[256])
{
    struct worker *w = &s->workers[index];
    char server_why[160] = "";

    w->serve = s;
    turn_init(&w->drain, on_drain);
    enum err e = feed_open(&w->feed);
    const struct stack_seams seams = { &s->arms, w->feed,      s->reach,
                                       s->lanes, s->telemetry, s->tokens };
    s->feeds[index] = w->feed;
    if (e == OK)
        e = stack_open(&w->stack, s->store, s->config, &s->log, (unsigned)index, &seams);
    if (e != OK)
        return e;
    w->gateway = (struct gateway){ .world = w->stack.world,
                                   .engine = w->stack.engine,
                                   .metrics = w->stack.metrics,
                                   .config = s->config,
                                   .log = &s->log,
                                   .access = s->access };
    s->shards[index] = w->stack.metrics;
    struct server_options options = { .listen = listen,
                                      .reuse_port = true,
                                      .limits = limits_of(s->config),
                                      .arena_max_bytes = EXCHANGE_ARENA_BYTES,
                                      .on_request = gateway_on_request,
                                      .on_refused = gateway_on_refused,
                                      .ctx = &w->gateway };
    e = server_open(&w->server, w->stack.world, &options, server_why);
    if (e != OK)
        snprintf(why, 256, "%s", server_why);
    return e;
}

static void walk_all(void *ctx, const struct metric_sink *sink)
{
    measure_walk(ctx, sink);
}

static enum err admin_open(struct serve *s, str listen, char why[256])
{
    char server_why[160] = "";
    struct server_options options = { .listen = listen,
                                      .limits = limits_of(s->config),
                                      .arena_max_bytes = (size_t)1 << 20,
                                      .on_request = admin_on_request,
                                      .ctx = &s->admin };

    s->admin.measure = (struct measure){ .shards = s->shards,
                                         .shard_count = s->worker_count,
                                         .store = s->store,
                                         .telemetry = s->telemetry,
                                         .health = s->admin.health,
                                         .lanes = s->lanes,
                                         .on_control = controller_measure,
                                         .control = s->controller,
                                         .version = STR(WEIR_VERSION),
                                         .started = world_wall() };
    enum err e = server_open(&s->admin_server, s->world, &options, server_why);
    if (e != OK)
        snprintf(why, 256, "%s", server_why);
    return e;
}

static enum err control_plane_open(struct serve *s, const struct cli_args *args, char why[256])
{
    str directory = cli_value(args, "ledger");
    struct controller_options options = {
        .world = s->world,
        .config = s->config,
        .log = &s->log,
        .directory = directory.len > 0 ? directory : s->config->ledger.directory,
        .feeds = s->feeds,
        .feed_count = s->worker_count,
        .arms = &s->arms,
        .lanes = s->lanes,
        .access = s->access,
    };

    return controller_open(&s->controller, &options, why);
}

/* Without a key the admin listener is this machine's alone. */
static enum err dashboard_start(struct serve *s, const struct cli_args *args, str listen,
                                char why[256])
{
    str directory = cli_value(args, "ledger");
    const struct dashboard_options options = {
        .world = s->world,
        .config = s->config,
        .config_now = reload_config,
        .reload = s->reload,
        .log = &s->log,
        .directory = directory.len > 0 ? directory : s->config->ledger.directory,
        .controller = s->controller,
        .on_operation = admin_on_operation,
        .operator= & s->admin,
    };

    if (s->config->server.admin_key.len == 0 && !dashboard_is_loopback(listen)) {
        snprintf(
            why, 256,
            "the admin listener %.*s can be reached from other machines: set server.admin_key, "
            "or listen on 127.0.0.1",
            STR_ARG(str_slice(listen, 0, 100)));
        return WEIR_CONFIG;
    }
    s->admin.on_rest = dashboard_on_request;
    enum err e = dashboard_open(&s->dashboard, &options);
    s->admin.rest = s->dashboard;
    return e;
}

static enum err exporters_open(struct serve *s)
{
    const struct telemetry_options options = { .config = s->config,
                                               .log = &s->log,
                                               .version = STR(WEIR_VERSION),
                                               .seed = rng_mix((uint64_t)world_wall()) ^
                                                       (uint64_t)getpid() };
    enum err e = post_init();

    s->can_post = e == OK;
    return e == OK ? telemetry_open(&s->telemetry, &options) : e;
}

/* What exporters are told of now and then; /metrics is always as of now. */
static void on_measure(struct timer *t)
{
    struct serve *s = CONTAINER_OF(t, struct serve, measure);
    const struct metrics_shards shards = { s->shards, s->worker_count };
    const struct measurement m = { &shards, walk_all, &s->admin.measure, world_wall() };

    telemetry_measure(s->telemetry, &m);
    if (telemetry_interval(s->telemetry) > 0)
        timer_start(s->world, t, telemetry_interval(s->telemetry), on_measure);
}

static void on_pace(struct timer *t)
{
    struct serve *s = CONTAINER_OF(t, struct serve, pace);
    const struct metrics_shards shards = { s->shards, s->worker_count };

    telemetry_pace(s->telemetry, metrics_queries(&shards), world_now(s->world));
    timer_start(s->world, t, PACE_EVERY, on_pace);
}

/* Without them tokens are estimated from bytes. */
static void tokens_open(struct serve *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->ranks); i++) {
        if (ranks_open(&s->ranks[i], (str){ 0 }, (enum token_encoding)i) == OK)
            s->tokens[i] = ranks_table(s->ranks[i]);
    }
}

static enum err health_start(struct serve *s)
{
    const struct health_options options = {
        .world = s->world,
        .config = s->config,
        .log = &s->log,
        .store = s->store,
        .reach = s->reach,
        .control_probe = controller_probe,
        .control = s->controller,
    };
    enum err e = health_open(&s->health, &options);

    s->admin.health = s->health;
    for (size_t i = 0; i < s->worker_count; i++)
        s->workers[i].gateway.health = s->health; /* the workers do not run yet */
    return e;
}

/* From here on reach and health are the reload's, as the first of its generations. */
static enum err reload_start(struct serve *s, str path)
{
    for (size_t i = 0; i < s->worker_count; i++) {
        struct worker *w = &s->workers[i];
        w->seat.world = w->stack.world;
        w->seat.engine = w->stack.engine;
        w->seat.gateway = &w->gateway;
        s->seats[i] = &w->seat;
    }
    const struct reload_options options = {
        .world = s->world,
        .log = &s->log,
        .path = path,
        .running = s->config,
        .store = s->store,
        .lanes = s->lanes,
        .control_probe = controller_probe,
        .control = s->controller,
        .admin = &s->admin,
        .seats = s->seats,
        .seat_count = s->worker_count,
        .reach = s->reach,
        .health = s->health,
    };
    enum err e = reload_open(&s->reload, &options);

    if (e != OK)
        return e;
    s->reach = NULL;
    s->health = NULL;
    s->admin.world = s->world;
    s->admin.on_reload = reload_on_request;
    s->admin.reload = s->reload;
    return OK;
}

static enum err serve_open(struct serve *s, const struct cli_args *args, char why[256])
{
    const struct config *config = s->config;
    str listen = cli_has(args, "listen") ? cli_value(args, "listen") : config->server.listen;
    str admin = cli_has(args, "admin") ? cli_value(args, "admin") : config->server.admin;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    s->worker_count = (size_t)(config->server.workers > 0 ? config->server.workers
                               : cores > 0                ? cores
                                                          : 1);
    if (s->worker_count > WORKERS_MAX)
        s->worker_count = WORKERS_MAX;
    s->workers = calloc(s->worker_count, sizeof(*s->workers));
    if (!s->workers)
        return WEIR_NO_MEMORY;
    tokens_open(s);
    enum err e = access_open_configured(&s->access, config);
    if (e == OK)
        e = stack_store_open(&s->store, config, cli_value(args, "ledger"), why);
    if (e == OK)
        e = exporters_open(s);
    if (e == OK)
        e = reach_open(&s->reach, config);
    if (e == OK)
        e = lanes_open(&s->lanes);
    for (size_t i = 0; e == OK && i < s->worker_count; i++)
        e = worker_open(s, i, listen, why);
    if (e == OK)
        e = world_open(&s->world);
    if (e == OK)
        e = control_plane_open(s, args, why);
    if (e == OK)
        e = health_start(s);
    if (e == OK)
        e = reload_start(s, cli_value(args, "config"));
    if (e == OK)
        e = dashboard_start(s, args, admin, why);
    if (e == OK)
        e = admin_open(s, admin, why);
    if (e == OK)
        on_measure(&s->measure);
    if (e == OK && s->telemetry)
        on_pace(&s->pace);
    if (e == OK)
        e = world_on_signal(s->world, SIGTERM, on_stop_signal, s);
    if (e == OK)
        e = world_on_signal(s->world, SIGINT, on_stop_signal, s);
    if (e == OK)
        e = world_on_signal(s->world, SIGHUP, on_reload_signal, s);
    return e;
}

/* The dashboard ends what waits and who watches; the admin's exchanges end before the controller that answers them, and it
 * before the workers' feeds. */
static void serve_close(struct serve *s)
{
    bool was_open = s->admin_server != NULL;

    dashboard_close(s->dashboard);
    server_close(s->admin_server);
    if (was_open)
        on_measure(&s->measure); /* the last minute's, while the workers' counters are there */
    health_close(s->health);
    controller_close(s->controller);
    telemetry_close(s->telemetry);
    if (s->can_post)
        post_fini();
    for (size_t i = 0; s->workers && i < s->worker_count; i++) {
        timer_cancel(s->workers[i].stack.world, &s->workers[i].drain_poll);
        reload_seat_fini(&s->workers[i].seat);
        server_close(s->workers[i].server);
        stack_close(&s->workers[i].stack);
        feed_close(s->workers[i].feed);
    }
    reload_close(s->reload);
    if (s->world) {
        timer_cancel(s->world, &s->measure);
        timer_cancel(s->world, &s->pace);
    }
    arms_slot_fini(&s->arms);
    reach_close(s->reach);
    lanes_close(s->lanes);
    world_close(s->world);
    store_close(s->store);
    for (size_t i = 0; i < ARRAY_LEN(s->ranks); i++)
        ranks_close(s->ranks[i]);
    access_close(s->access);
    free(s->workers);
    config_close(s->config);
}

/* Workers take no signals: the main thread's loop does. */
static enum err workers_start(struct serve *s)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum err e = OK;
    for (size_t i = 0; e == OK && i < s->worker_count; i++) {
        if (pthread_create(&s->workers[i].thread, NULL, worker_main, &s->workers[i]) != 0)
            e = WEIR_IO;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return e;
}

static void log_start(const struct serve *s)
{
    char count[24], port[8], admin_port[8];

    snprintf(count, sizeof(count), "%zu", s->worker_count);
    snprintf(port, sizeof(port), "%u", server_port(s->workers[0].server));
    snprintf(admin_port, sizeof(admin_port), "%u", server_port(s->admin_server));
    LOG(&s->log, LOG_INFO, "listening", LOG_TEXT("port", str_from(port)),
        LOG_TEXT("admin_port", str_from(admin_port)), LOG_TEXT("workers", str_from(count)),
        LOG_TEXT("strategy", s->config->strategy), LOG_TEXT("model", s->config->model));
}

static int run(const struct cli_args *args)
{
    struct serve s = { .log = { LOG_INFO, STDERR_FILENO } };
    char why[256] = "";
    int status = cli_config_load(args, true, &s.config);

    if (status != EXIT_DONE)
        return status;
    IGNORE(log_level_find(s.config->monitoring.log_level, &s.log.level));
    enum err e = serve_open(&s, args, why);
    if (e == OK)
        e = workers_start(&s);
    if (e != OK) {
        fprintf(stderr, "weir serve: %s%s%s\n", err_info(e)->text, why[0] ? ": " : "", why);
        serve_close(&s);
        return EXIT_UNREACHABLE;
    }
    log_start(&s);
    memory_trim();
    world_run(s.world);
    for (size_t i = 0; i < s.worker_count; i++)
        pthread_join(s.workers[i].thread, NULL);
    struct log log = s.log;
    serve_close(&s);
    LOG(&log, LOG_INFO, "stopped", LOG_TEXT("ledger", STR("flushed")));
    return EXIT_DONE;
}

static const struct cli_option options[] = {
    { "config", "FILE",
      "configuration; else ./weir.yaml, /etc/weir/weir.yaml, the built-in defaults" },
    { "listen", "ADDRESS:PORT", "where clients connect (server.listen, 127.0.0.1:8080)" },
    { "admin", "ADDRESS:PORT", "health and metrics (server.admin, 127.0.0.1:8081)" },
    { "ledger", "DIR", "the ledger's directory (ledger.directory)" },
    { NULL, NULL, NULL },
};

const struct cli_command command_serve = {
    "serve",
    "",
    "runs the gateway",
    "weir serve --config config/production.yaml --listen 127.0.0.1:8080",
    options,
    run
};
