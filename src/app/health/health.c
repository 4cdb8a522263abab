/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: looks at the parts on a timer of the main loop, and keeps a copy for whoever asks.
 *
 *     timer -> asks the store thread ~~> its answer   \
 *           -> control.db                              > parts -> state -> copy under a mutex, a line in the log
 *           -> probes silent providers ~~> on_done    /
 */
#include "app/health/health.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/engine/reach.h"
#include "base/arena.h"
#include "core/dialect/wire.h"
#include "edge/config/config.h"
#include "edge/store/store.h"
#include "edge/upstream/upstream.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define TURN (200 * NSEC_PER_MS)
#define TURN_STARTING (10 * NSEC_PER_MS)
#define PROBE_TIMEOUT_MAX (5 * NSEC_PER_SEC)
#define PROBE_ANSWER_BYTES_MAX                                                                     \
    ((size_t)1 << 20) /* a list of models; past it there was an answer all the same */
#define ARENA_BYTES_MAX ((size_t)1 << 20)

/* One provider that a configured model has. */
struct target {
    struct health *health;
    const struct config_provider *provider;
    size_t index; /* in the configuration */
    str url;
    str authorization, headers; /* with its key, as its dialect has it */
    struct upstream_call call;
    bool is_probing;
    nsec tried; /* start of the newest probe; REACH_NEVER */
    nsec answered; /* of the newest probe that was answered; REACH_NEVER */
    nsec failed; /* of the newest that was not; REACH_NEVER */
    enum err fault; /* of that */
};

struct health {
    struct health_options options;
    struct upstream *upstream;
    struct target *targets;
    size_t target_count;
    struct arena arena;
    struct timer turn;
    nsec asked; /* when the store was last asked to probe; REACH_NEVER */
    nsec control_looked; /* REACH_NEVER */
    enum err control_fault;
    struct health_report report; /* the loop's */

    pthread_mutex_t mutex; /* over the copy; held for as long as copying takes */
    struct health_report copy;
};

/* clang-format off */
static const char *const part_names[HEALTH_PART_COUNT] = {
    [HEALTH_LEDGER] = "ledger", [HEALTH_CONTROL] = "control", [HEALTH_PROVIDER] = "provider",
};
/* clang-format on */

static bool is_due(const struct health *h, nsec last, nsec now)
{
    return last == REACH_NEVER || now - last >= h->options.config->server.ready_probe;
}

/* ---- providers ---- */

static void on_probe_done(struct upstream_call *call)
{
    struct target *t = call->ctx;
    nsec now = world_now(t->health->options.world);

    t->is_probing = false;
    if (reach_is_answer(call->http_status)) {
        t->answered = now;
    } else {
        t->failed = now;
        t->fault = call->result;
    }
    buf_fini(&call->body);
}

static void probe_start(struct target *t, nsec now)
{
    t->is_probing = true;
    t->tried = now;
    t->call.ctx = t;
    t->call.on_done = on_probe_done;
    upstream_start(t->health->upstream, &t->call,
                   &(struct upstream_request){ .url = t->url,
                                               .authorization = t->authorization,
                                               .headers = t->headers,
                                               .deadline = now + PROBE_TIMEOUT_MAX });
}

static nsec last_answer(const struct target *t)
{
    nsec seen = reach_last(t->health->options.reach, t->index);

    return seen > t->answered ? seen : t->answered;
}

/* The newest evidence holds. A probe goes out only when there is none that is fresh. */
static bool is_reached(const struct target *t)
{
    nsec answer = last_answer(t);

    return answer != REACH_NEVER && answer >= t->failed;
}

static bool is_known(const struct target *t)
{
    return last_answer(t) != REACH_NEVER || t->failed != REACH_NEVER;
}

static void providers_look(struct health *h, nsec now, struct health_part *part)
{
    size_t reached = 0, known = 0;
    const struct target *silent = NULL;

    for (size_t i = 0; i < h->target_count; i++) {
        struct target *t = &h->targets[i];
        if (!t->is_probing && is_due(h, last_answer(t), now) && is_due(h, t->tried, now))
            probe_start(t, now);
        reached += is_reached(t);
        known += is_known(t);
        if (is_known(t) && !is_reached(t) && !silent)
            silent = t;
    }
    part->is_ok = reached > 0;
    part->is_known = reached > 0 || known == h->target_count;
    if (!part->is_known)
        snprintf(part->detail, sizeof(part->detail), "no provider has answered yet");
    else if (silent)
        snprintf(part->detail, sizeof(part->detail), "%zu of %zu answer; '%.*s': %s", reached,
                 h->target_count, STR_ARG(str_slice(silent->provider->name, 0, 64)),
                 err_info(silent->fault)->text);
    else
        snprintf(part->detail, sizeof(part->detail), "%zu of %zu answer", reached, h->target_count);
}

/* ---- ledger and control ---- */

static void ledger_look(struct health *h, nsec now, struct health_part *part)
{
    struct store_health store;

    if (is_due(h, h->asked, now)) {
        store_health_read(h->options.store, &store);
        if (store.probes_asked == store.probes_done)
            h->asked = now; /* else it is the time of the request that still waits */
        store_probe(h->options.store);
    }
    store_health_read(h->options.store, &store);
    bool is_waiting = store.probes_asked != store.probes_done;
    part->is_ok =
        health_ledger_judge(store.journal_bytes, store.journal_bytes_max, store.is_writable,
                            is_waiting ? now - h->asked : 0, part->detail);
    part->is_known = store.probes_done > 0 || !part->is_ok;
    part->is_ok = part->is_ok && part->is_known;
}

static void control_look(struct health *h, nsec now, struct health_part *part)
{
    if (is_due(h, h->control_looked, now)) {
        h->control_looked = now;
        h->control_fault = h->options.control_probe(h->options.control);
    }
    part->is_known = true;
    part->is_ok = h->control_fault == OK;
    snprintf(part->detail, sizeof(part->detail), "%s",
             part->is_ok ? "can be used" : "control.db cannot be written; the log says why");
}

/* ---- the turn ---- */

static void (*const looks[HEALTH_PART_COUNT])(struct health *h, nsec now,
                                              struct health_part *part) = {
    [HEALTH_LEDGER] = ledger_look,
    [HEALTH_CONTROL] = control_look,
    [HEALTH_PROVIDER] = providers_look,
};

static void state_log(const struct health *h, enum health_state before)
{
    const struct log *log = h->options.log;

    if (h->report.state == HEALTH_READY) {
        LOG(log, LOG_INFO, "ready", LOG_TEXT("was", str_from(health_state_name(before))));
        return;
    }
    for (size_t i = 0; i < HEALTH_PART_COUNT; i++) {
        const struct health_part *part = &h->report.parts[i];
        if (part->is_required && !part->is_ok)
            LOG(log, LOG_WARNING, "not ready", LOG_TEXT("part", str_from(part->name)),
                LOG_TEXT("why", str_from(part->detail)));
    }
}

static void on_turn(struct timer *timer)
{
    struct health *h = CONTAINER_OF(timer, struct health, turn);
    enum health_state before = h->report.state;
    nsec now = world_now(h->options.world);

    for (size_t i = 0; i < HEALTH_PART_COUNT; i++) {
        struct health_part *part = &h->report.parts[i];
        bool was_ok = part->is_ok;
        struct health_part look = *part;
        looks[i](h, now, &look);
        if (look.is_known || !part->is_known)
            *part = look;
        if (part->is_ok != was_ok)
            part->since = world_wall();
    }
    h->report.state = health_judge(h->report.parts, HEALTH_PART_COUNT);
    if (h->report.state != before)
        state_log(h, before);
    pthread_mutex_lock(&h->mutex);
    h->copy = h->report;
    pthread_mutex_unlock(&h->mutex);
    timer_start(h->options.world, &h->turn,
                h->report.state == HEALTH_STARTING ? TURN_STARTING : TURN, on_turn);
}

void health_read(struct health *h, struct health_report *out)
{
    pthread_mutex_lock(&h->mutex);
    *out = h->copy;
    pthread_mutex_unlock(&h->mutex);
}

/* ---- the life ---- */

static bool is_used(const struct config *config, str provider)
{
    for (size_t i = 0; i < config->model_count; i++) {
        if (str_eq(config->models[i].provider, provider))
            return true;
    }
    return false;
}

static bool targets_make(struct health *h)
{
    const struct config *config = h->options.config;

    h->targets = calloc(config->provider_count + 1, sizeof(*h->targets));
    for (size_t i = 0; h->targets && i < config->provider_count; i++) {
        const struct config_provider *provider = &config->providers[i];
        if (!is_used(config, provider->name))
            continue; /* nobody asks it anything */
        struct target *t = &h->targets[h->target_count++];
        *t = (struct target){ .health = h,
                              .provider = provider,
                              .index = i,
                              .tried = REACH_NEVER,
                              .answered = REACH_NEVER,
                              .failed = REACH_NEVER };
        t->url = arena_printf(&h->arena, "%.*s/models", STR_ARG(provider->base_url));
        const struct dialect *dialect = dialect_find(provider->dialect);
        assert(dialect); /* the configuration takes no other */
        t->authorization = dialect_authorization(dialect, &h->arena, provider->api_key);
        t->headers = dialect_headers(dialect, &h->arena, provider->api_key);
    }
    return h->targets && !arena_failed(&h->arena);
}

static enum err probes_open(struct health *h)
{
    struct upstream_options options = upstream_options_default();
    nsec connect = h->options.config->upstream.connect_timeout;

    options.limits.attempts_max = 1;
    options.limits.connect_timeout = connect < PROBE_TIMEOUT_MAX ? connect : PROBE_TIMEOUT_MAX;
    options.limits.answer_bytes_max = PROBE_ANSWER_BYTES_MAX;
    options.connections_max = h->target_count > 0 ? (uint32_t)h->target_count : 1;
    return upstream_open(&h->upstream, h->options.world, &options);
}

enum err health_open(struct health **out, const struct health_options *options)
{
    struct health *h = calloc(1, sizeof(*h));

    if (!h)
        return WEIR_NO_MEMORY;
    h->options = *options;
    h->asked = h->control_looked = REACH_NEVER;
    h->report.state = HEALTH_STARTING;
    pthread_mutex_init(&h->mutex, NULL);
    arena_init(&h->arena, ARENA_BYTES_MAX);
    for (size_t i = 0; i < HEALTH_PART_COUNT; i++)
        h->report.parts[i] =
            (struct health_part){ .name = part_names[i],
                                  .is_required = i != HEALTH_PROVIDER ||
                                                 options->config->server.ready_needs_provider,
                                  .since = world_wall(),
                                  .detail = "not looked at yet" };
    if (options->before) {
        bool is_required = h->report.parts[HEALTH_PROVIDER].is_required;
        health_read(options->before, &h->report);
        h->report.parts[HEALTH_PROVIDER].is_required = is_required;
    }
    h->copy = h->report;
    enum err e = targets_make(h) ? probes_open(h) : WEIR_NO_MEMORY;
    if (e != OK) {
        health_close(h);
        return e;
    }
    timer_start(options->world, &h->turn, 0, on_turn);
    *out = h;
    return OK;
}

void health_close(struct health *h)
{
    if (!h)
        return;
    timer_cancel(h->options.world, &h->turn);
    for (size_t i = 0; i < h->target_count; i++)
        upstream_call_fini(&h->targets[i].call);
    upstream_close(h->upstream);
    arena_fini(&h->arena);
    pthread_mutex_destroy(&h->mutex);
    free(h->targets);
    free(h);
}
