/* SPDX-License-Identifier: Apache-2.0 */
/* api_change: rollouts and experiments through the admin API. */
#include "app/control/control_internal.h"

#include <stdio.h>

static bool is_get(const struct exchange *x)
{
    return str_eq(exchange_method(x), STR("GET"));
}

static bool is_post(const struct exchange *x)
{
    return str_eq(exchange_method(x), STR("POST"));
}

/* "NAME/verb" taken apart; no verb is the empty one. */
static str name_cut(str rest, str *out_verb)
{
    size_t slash = str_find_char(rest, '/');

    *out_verb = str_slice(rest, slash == STR_NPOS ? rest.len : slash + 1, rest.len);
    return str_slice(rest, 0, slash);
}

static void list_begin(struct buf *out)
{
    buf_add(out, STR("{\"object\":\"list\",\"data\":["));
}

/* ---- starting either ---- */

typedef enum start_result begin_function(struct controller *c, const struct rollout_start *start,
                                         struct config_issues *issues, char out_why[256]);

/* True when it was started; else it has been answered. */
static bool start(struct controller *c, struct exchange *x, begin_function *begin)
{
    struct api_request request;
    struct config_issues issues = { .items = NULL };
    char why[256] = "";

    if (!api_read(x, &request))
        return false;
    if (request.file.len == 0) {
        const struct api_error error = { 400, "bad_request", STR("name the file: \"file\"") };
        api_refuse(x, &error);
        return false;
    }
    const struct rollout_start what = { request.file, request.actor, request.reason,
                                        request.supersede };
    enum start_result result = begin(c, &what, &issues, why);
    const struct api_error under_way = { 409, "under_way", str_from(why) };
    const struct api_error failed = { 503, "failed", str_from(why) };
    switch (result) {
    case START_DONE:
        break;
    case START_BAD_FILE:
        api_issues(x, &issues);
        break;
    case START_UNDER_WAY:
        api_refuse(x, &under_way);
        break;
    case START_FAILED:
        api_refuse(x, &failed);
        break;
    }
    config_issues_fini(&issues);
    return result == START_DONE;
}

/* ---- rollouts ---- */

static void rollout_answer(struct controller *c, struct exchange *x, const struct live_rollout *l)
{
    struct buf body = { 0 };

    rollout_status_write(c, l, &body);
    api_answer(x, 200, &body);
    buf_fini(&body);
}

static void rollouts_list(struct controller *c, struct exchange *x)
{
    struct buf body = { 0 };

    list_begin(&body);
    for (const struct live_rollout *l = c->rollout; l; l = l->older) {
        json_comma(&body);
        rollout_status_write(c, l, &body);
    }
    buf_add(&body, STR("]}"));
    api_answer(x, 200, &body);
    buf_fini(&body);
}

static const struct {
    const char *path;
    enum rollout_operation operation;
} operations[] = {
    { "pause", ROLLOUT_PAUSE },     { "resume", ROLLOUT_RESUME },
    { "promote", ROLLOUT_PROMOTE }, { "promote-full", ROLLOUT_PROMOTE_FULL },
    { "abort", ROLLOUT_ABORT },     { "rollback", ROLLOUT_ROLL_BACK },
    { "retry", ROLLOUT_RETRY },
};

static void refusal_answer(struct exchange *x, const struct live_rollout *l,
                           const struct rollout_row *row)
{
    struct arena *arena = exchange_arena(x);
    const char *state = rollout_state_name(l->machine.place.state);
    struct api_error error = { 409, rollout_refusal_name(row->refusal), { 0 } };

    switch (row->refusal) {
    case ROLLOUT_STALE_GENERATION:
        error.message = arena_printf(arena,
                                     "it has moved since you looked: it is at generation %" PRId64
                                     ", %s; look again before you change it",
                                     l->machine.generation, state);
        break;
    case ROLLOUT_GUARD_TRIPPED:
        error.message = STR("a guard has tripped or is being judged: it is not promoted over that");
        break;
    case ROLLOUT_NOT_ALLOWED:
    case ROLLOUT_ACCEPTED:
    case ROLLOUT_REFUSAL_COUNT:
        error.message = arena_printf(arena, "a rollout that is %s does not take %s", state,
                                     rollout_operation_name(row->operation));
        break;
    }
    api_refuse(x, &error);
}

/* A rollback goes to the configuration before; by its hash, or without naming it. */
static bool revision_read(struct controller *c, struct exchange *x,
                          const struct api_request *request, str *out)
{
    char hash[24];
    struct json to = json_get(request->body, STR("to"));

    snprintf(hash, sizeof(hash), "%016" PRIx64, c->options.config->hash);
    *out = arena_str(exchange_arena(x), str_from(hash));
    str name = *out;
    if (json_exists(to) && !json_str(to, exchange_arena(x), &name))
        name = (str){ 0 };
    if (str_eq(name, *out) || str_eq(name, STR("before")))
        return true;
    const struct api_error error = {
        400, "unknown_revision",
        arena_printf(exchange_arena(x),
                     "no such revision: this gateway has %s, its own configuration ('before')",
                     hash)
    };
    api_refuse(x, &error);
    return false;
}

static bool canary_is_needed(enum rollout_operation operation)
{
    return operation == ROLLOUT_RESUME || operation == ROLLOUT_RETRY ||
           operation == ROLLOUT_PROMOTE || operation == ROLLOUT_PROMOTE_FULL;
}

static void operate(struct controller *c, struct exchange *x, struct live_rollout *l,
                    enum rollout_operation operation)
{
    struct api_request request;
    struct rollout_row row;
    str revision = { 0 };

    if (!api_read(x, &request) ||
        (operation == ROLLOUT_ROLL_BACK && !revision_read(c, x, &request, &revision)))
        return;
    if (request.generation < 0 && operation != ROLLOUT_ABORT) {
        const struct api_error error = {
            400, "generation_required",
            STR("say which generation you have seen: If-Match: N (only abort does without)")
        };
        api_refuse(x, &error);
        return;
    }
    if (!l->canary && canary_is_needed(operation)) {
        const struct api_error error = {
            409, "canary_not_loaded",
            STR("the canary's configuration could not be loaded when weir started: see its log")
        };
        api_refuse(x, &error);
        return;
    }
    const struct rollout_request asked = {
        .operation = operation,
        .actor = request.actor,
        .note = request.reason,
        .revision = revision,
        .generation = request.generation < 0 ? ROLLOUT_ANY_GENERATION : request.generation,
        .config_hash = rollout_hash_now(c, l),
    };
    rollout_operate(&l->machine, c->wall, &asked, &row);
    const struct api_error suspended = {
        503, "suspended",
        STR("control.db is locked or failing: the canary serves nobody from now on, but that is "
            "not written yet; try again")
    };
    if (rollout_commit(c, l, &row) != OK)
        api_refuse(x, l->is_suspended && !c->is_outrun ? &suspended : api_store_error(c));
    else if (row.refusal != ROLLOUT_ACCEPTED)
        refusal_answer(x, l, &row);
    else
        rollout_answer(c, x, l);
}

static struct live_rollout *rollout_by_name(const struct controller *c, str name)
{
    for (struct live_rollout *l = c->rollout; l; l = l->older) {
        if (str_eq(l->file->spec.id, name))
            return l;
    }
    return NULL;
}

static void rollout_path(struct controller *c, struct exchange *x, str name, str verb)
{
    struct live_rollout *l = rollout_by_name(c, name);

    if (is_get(x) && str_eq(verb, STR("history"))) {
        api_history(c, x, STR("rollout"), name); /* also of those from before a restart */
        return;
    }
    if (!l) {
        const struct api_error error = { 404, "unknown_rollout",
                                         arena_printf(exchange_arena(x),
                                                      "no rollout is called '%.*s'",
                                                      STR_ARG(str_slice(name, 0, 64))) };
        api_refuse(x, &error);
        return;
    }
    if (is_get(x) && verb.len == 0) {
        rollout_answer(c, x, l);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (!str_eq(verb, str_from(operations[i].path)))
            continue;
        if (!is_post(x))
            api_refuse(x, &api_bad_method);
        else
            operate(c, x, l, operations[i].operation);
        return;
    }
    api_refuse(x, verb.len == 0 ? &api_bad_method : &api_unknown_path);
}

void api_rollouts(struct controller *c, struct exchange *x, str rest)
{
    str verb, name = name_cut(rest, &verb);

    if (rest.len > 0) {
        rollout_path(c, x, name, verb);
    } else if (is_get(x)) {
        rollouts_list(c, x);
    } else if (!is_post(x)) {
        api_refuse(x, &api_bad_method);
    } else if (start(c, x, rollout_begin)) {
        rollout_answer(c, x, c->rollout);
    }
}

/* ---- experiments ---- */

static void experiment_answer(struct exchange *x, const struct live_experiment *e)
{
    struct buf body = { 0 };

    experiment_status_write(e, &body);
    api_answer(x, 200, &body);
    buf_fini(&body);
}

static void experiments_list(struct controller *c, struct exchange *x)
{
    struct buf body = { 0 };

    list_begin(&body);
    for (size_t i = c->experiment_count; i > 0; i--) {
        json_comma(&body);
        experiment_status_write(c->experiments[i - 1], &body);
    }
    buf_add(&body, STR("]}"));
    api_answer(x, 200, &body);
    buf_fini(&body);
}

static void experiment_stop(struct controller *c, struct exchange *x, struct live_experiment *e)
{
    struct api_request request;
    const struct api_error stale = { 409, "stale_generation",
                                     STR("it has changed since you looked; look again") };
    const struct api_error over = { 409, "not_allowed", STR("it is stopped already") };

    if (!api_read(x, &request))
        return;
    const struct rollout_start who = { .actor = request.actor, .note = request.reason };
    if (request.generation >= 0 && request.generation != e->generation)
        api_refuse(x, &stale);
    else if (!e->is_running)
        api_refuse(x, &over);
    else if (experiment_end(c, e, &who) != OK)
        api_refuse(x, api_store_error(c));
    else
        experiment_answer(x, e);
}

static void experiment_path(struct controller *c, struct exchange *x, str name, str verb)
{
    struct live_experiment *e = experiment_by_name(c, name);
    const struct api_error unknown = { 404, "unknown_experiment",
                                       STR("no experiment has this name") };

    if (is_get(x) && str_eq(verb, STR("history")))
        api_history(c, x, STR("experiment"), name);
    else if (!e)
        api_refuse(x, &unknown);
    else if (is_get(x) && verb.len == 0)
        experiment_answer(x, e);
    else if (is_post(x) && str_eq(verb, STR("stop")))
        experiment_stop(c, x, e);
    else
        api_refuse(x, &api_unknown_path);
}

void api_experiments(struct controller *c, struct exchange *x, str rest)
{
    str verb, name = name_cut(rest, &verb);

    if (rest.len > 0) {
        experiment_path(c, x, name, verb);
    } else if (is_get(x)) {
        experiments_list(c, x);
    } else if (!is_post(x)) {
        api_refuse(x, &api_bad_method);
    } else if (start(c, x, experiment_begin)) {
        experiment_answer(x, c->experiments[c->experiment_count - 1]);
    }
}
