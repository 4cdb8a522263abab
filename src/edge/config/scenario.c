/* SPDX-License-Identifier: Apache-2.0 */
/* scenario: a scenario's file to a scenario. */
#include "edge/config/scenario.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "edge/config/scenario_internal.h"

struct scenario_holder {
    struct scenario scenario;
    struct arena arena; /* of its texts */
};

/* ---- tables ---- */

const char *const scenario_domains[SCENARIO_DOMAIN_COUNT] = {
#define X(name, text) [SCENARIO_##name] = text,
    SCENARIO_DOMAIN_TABLE(X)
#undef X
};

enum hits { HITS_BASELINE, HITS_CANARY, HITS_BOTH };
const char *const scenario_arms[SCENARIO_ARM_COUNT + 1] = { "baseline", "canary", "both" };

static const struct {
    const char *name;
    enum hits hits;
    double size, size_min, size_max;
} events[SCENARIO_EVENT_COUNT] = {
#define X(name, text, arms, size, low, high)                                                       \
    [SCENARIO_##name] = { text, HITS_##arms, size, low, high },
    SCENARIO_EVENT_TABLE(X)
#undef X
};

const char *scenario_domain_name(enum scenario_domain d)
{
    return scenario_domains[d];
}

const char *scenario_arm_name(enum scenario_arm a)
{
    return scenario_arms[a];
}

const char *scenario_event_name(enum scenario_event_kind k)
{
    return events[k].name;
}

size_t scenario_name_at(const char *const *names, size_t count, str name)
{
    size_t i = 0;

    while (i < count && !str_eq(str_from(names[i]), name))
        i++;
    return i;
}

void scenario_fault(struct plan_build *p, const struct yaml_node *node, str message)
{
    struct config_place place = node ? place_of(node) : (struct config_place){ .file = &p->file };

    issue_add(p->build.issues, &place, "%.*s", STR_ARG(message));
}

/* ---- traffic ---- */

static void hours_make(struct plan_build *p, const struct config_texts *from, double out[])
{
    const struct yaml_node *node = yaml_get(yaml_get(p->build.root, STR("traffic")), STR("hours"));
    double sum = 0;
    bool is_sound = from->count == SCENARIO_HOURS;

    for (size_t i = 0; i < SCENARIO_HOURS; i++) {
        double weight = 1;
        if (node && is_sound)
            is_sound = str_to_double(from->items[i], &weight) && weight >= 0 && weight <= 1e6;
        out[i] = weight;
        sum += weight;
    }
    if (node && (!is_sound || sum <= 0)) {
        scenario_fault(p, node,
                       STR("traffic.hours must be 24 numbers, none below 0 and not all of them 0"));
        return;
    }
    for (size_t i = 0; i < SCENARIO_HOURS; i++)
        out[i] *= SCENARIO_HOURS / sum;
}

static void shares_make(struct plan_build *p, const struct plan_scenario *from, double out[])
{
    const struct yaml_node *node =
        yaml_get(yaml_get(p->build.root, STR("traffic")), STR("domains"));
    const double written[SCENARIO_DOMAIN_COUNT] = { from->generic, from->tactical,
                                                    from->cybersecurity, from->stem };
    double sum = 0;

    for (size_t i = 0; i < SCENARIO_DOMAIN_COUNT; i++) {
        out[i] = written[i] < 0 ? 0 : written[i];
        sum += out[i];
    }
    if (!node) {
        out[SCENARIO_GENERIC] = 1;
        return;
    }
    if (p->build.issues->errors == 0 && fabs(sum - 1) > 1e-6)
        scenario_fault(
            p, node,
            arena_printf(&p->build.scratch,
                         "traffic.domains: the shares must add up to 1, they add up to %g", sum));
}

static void traffic_make(struct plan_build *p, const struct plan_scenario *from,
                         struct scenario_traffic *out)
{
    *out = (struct scenario_traffic){ .per_second = from->per_second,
                                      .start_hour = from->start_hour,
                                      .conversation = from->conversation,
                                      .open = from->open,
                                      .queries_max = from->queries_max,
                                      .duration = from->duration };
    hours_make(p, &from->hours, out->hours);
    shares_make(p, from, out->shares);
    out->has_shares = yaml_get(yaml_get(p->build.root, STR("traffic")), STR("domains")) != NULL;
}

/* ---- events ---- */

static void event_size_check(struct plan_build *p, const struct yaml_node *node,
                             const struct scenario_event *e)
{
    if (e->size < events[e->kind].size_min || e->size > events[e->kind].size_max)
        scenario_fault(p, yaml_get(node, STR("size")),
                       arena_printf(&p->build.scratch, "the size of %s must be in [%g, %g]",
                                    events[e->kind].name, events[e->kind].size_min,
                                    events[e->kind].size_max));
}

static void event_make(struct plan_build *p, const struct yaml_node *node, size_t index,
                       struct scenario_event *out)
{
    struct plan_event w = { .length = SCENARIO_NOT_WRITTEN, .size = SCENARIO_NOT_WRITTEN };
    struct record record = { .kind = RECORD_SCENARIO_EVENT,
                             .base = &w,
                             .shown = arena_printf(&p->build.scratch, "events[%zu]", index) };
    size_t kind = 0;

    record_load(&p->build, &record, node);
    while (kind < SCENARIO_EVENT_COUNT && !str_eq(str_from(events[kind].name), w.what))
        kind++;
    if (kind == SCENARIO_EVENT_COUNT)
        return; /* and it was said */
    size_t hits = w.arm.len > 0 ? scenario_name_at(scenario_arms, ARRAY_LEN(scenario_arms), w.arm)
                                : (size_t)events[kind].hits;
    *out = (struct scenario_event){ .kind = (enum scenario_event_kind)kind,
                                    .hits = { hits != HITS_CANARY, hits != HITS_BASELINE },
                                    .start = w.start,
                                    .length = w.length < 0 ? NSEC_NEVER : w.length,
                                    .ramp = w.ramp,
                                    .size = scenario_or_else(w.size, events[kind].size) };
    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        out->hits_domain[d] = w.domain.len == 0 || str_eq(w.domain, str_from(scenario_domains[d]));
    event_size_check(p, node, out);
}

static void events_make(struct plan_build *p, struct scenario *s)
{
    const struct yaml_node *list = yaml_get(p->build.root, STR("events"));

    if (!list)
        return;
    if (list->kind != YAML_SEQUENCE || list->count > SCENARIO_EVENTS_MAX) {
        scenario_fault(p, list,
                       arena_printf(&p->build.scratch, "events must be a list of at most %d events",
                                    SCENARIO_EVENTS_MAX));
        return;
    }
    for (const struct yaml_node *n = list->first; n; n = n->next) {
        event_make(p, n, s->event_count, &s->events[s->event_count]);
        s->event_count++;
    }
}

/* ---- the rollout ---- */

/* The longest that a query of the canary takes: a latency beyond it is never seen. */
static nsec canary_timeout(const struct scenario *s)
{
    double longest = 0;

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++) {
        if (s->traffic.shares[d] > 0)
            longest = fmax(longest, s->models[SCENARIO_CANARY][d].timeout_ms);
    }
    return (nsec)(longest * (double)NSEC_PER_MS);
}

static void rollout_make(struct plan_build *p, struct scenario *s)
{
    struct yaml_node *node = yaml_get(p->build.root, STR("rollout"));
    struct config_issues issues;
    enum err e;

    if (!node || node->is_null || node->kind == YAML_SEQUENCE) {
        scenario_fault(p, node,
                       STR("rollout is required: a rollout's file, or its keys right here"));
        return;
    }
    if (node->kind == YAML_SCALAR && !p->build.may_read_files) {
        scenario_fault(p, node, STR("rollout: no other file is read here; write its keys"));
        return;
    }
    if (node->kind == YAML_SCALAR) {
        str path = path_beside(&p->build.scratch, &p->file, node->text);
        e = rollout_file_load(path, NULL, &s->rollout, &issues);
    } else {
        issues_init(&issues);
        e = rollout_part_load(node, canary_timeout(s), &s->rollout, &issues);
    }
    issues_take(p->build.issues, &issues);
    if (e != OK && node->kind == YAML_SCALAR)
        scenario_fault(
            p, node,
            arena_printf(&p->build.scratch, "%.*s is no valid rollout", STR_ARG(node->text)));
}

/* ---- the whole ---- */

static const struct yaml_node *expectation(const struct plan_build *p, str key)
{
    return yaml_get(yaml_get(p->build.root, STR("expect")), key);
}

static void expect_check(struct plan_build *p, const struct scenario_expect *expect)
{
    static const char *const outcomes[] = { "completed", "rolled_back", "paused", "unfinished" };
    str pause = STR("paused:");
    enum rollout_reason reason;
    enum change_metric metric;
    bool is_pause =
        str_starts(expect->outcome, pause) &&
        rollout_reason_find(str_slice(expect->outcome, pause.len, expect->outcome.len), &reason);

    if (expect->outcome.len > 0 && !is_pause &&
        scenario_name_at(outcomes, ARRAY_LEN(outcomes), expect->outcome) == ARRAY_LEN(outcomes))
        scenario_fault(
            p, expectation(p, STR("outcome")),
            STR("expect.outcome must be completed, rolled_back, paused, paused:REASON or "
                "unfinished"));
    if (expect->guard.len > 0 && !change_metric_find(expect->guard, &metric))
        scenario_fault(p, expectation(p, STR("guard")), STR("expect.guard: no such metric"));
}

/* As many as are under way must be held; twice the mean at the busiest hour of the slowest answers leaves room for chance. */
static void load_check(struct plan_build *p, const struct scenario *s)
{
    double busiest = 0, longest = 0;

    for (size_t h = 0; h < SCENARIO_HOURS; h++)
        busiest = fmax(busiest, s->traffic.hours[h] * s->traffic.per_second);
    for (size_t a = 0; a < SCENARIO_ARM_COUNT; a++)
        for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
            longest = fmax(longest, s->models[a][d].timeout_ms / 1000);
    if (2 * busiest * longest > SCENARIO_FLIGHTS_MAX)
        scenario_fault(
            p, yaml_get(p->build.root, STR("traffic")),
            arena_printf(&p->build.scratch,
                         "traffic: with this timeout up to %.0f queries would be under way at "
                         "once; %d is the limit",
                         2 * busiest * longest, SCENARIO_FLIGHTS_MAX));
}

static void scenario_read(struct plan_build *p, struct scenario *s)
{
    struct plan_scenario w = { .approve_after = SCENARIO_NOT_WRITTEN,
                               .generic = SCENARIO_NOT_WRITTEN,
                               .tactical = SCENARIO_NOT_WRITTEN,
                               .cybersecurity = SCENARIO_NOT_WRITTEN,
                               .stem = SCENARIO_NOT_WRITTEN,
                               .false_rollback_max = SCENARIO_NOT_WRITTEN,
                               .detected_within = SCENARIO_NOT_WRITTEN };

    record_load(&p->build, &(struct record){ .kind = RECORD_SCENARIO, .base = &w }, p->build.root);
    s->name = w.name.len > 0 ? w.name : p->file.name;
    s->about = w.about;
    s->mode = str_eq(w.mode, STR("bare_triggers")) ? SCENARIO_BARE_TRIGGERS : SCENARIO_ROLLOUT;
    s->window = w.window;
    s->tick = w.tick;
    s->alerts_every = w.alerts_every;
    s->approve_after = w.approve_after;
    s->expect = (struct scenario_expect){
        w.outcome, w.guard, w.alert, w.share_min, w.false_rollback_max, w.detected_within
    };
    if (s->alerts_every > 0 && s->alerts_every < NSEC_PER_SEC)
        scenario_fault(p, yaml_get(p->build.root, STR("alerts_every")),
                       STR("alerts_every must be 0s or at least 1s"));
    traffic_make(p, &w, &s->traffic);
    scenario_models_make(p, s);
    events_make(p, s);
    expect_check(p, &s->expect);
    if (p->build.issues->errors == 0)
        load_check(p, s);
    rollout_make(p, s);
}

static enum err load(str path, str text, bool with_files, struct scenario **out,
                     struct config_issues *issues)
{
    struct scenario_holder *holder = calloc(1, sizeof(*holder));
    struct plan_build p;
    bool is_open = plan_open(&p, path, text, issues);

    if (!holder)
        return plan_end(&p, text, NULL);
    p.build.may_read_files = with_files;
    if (is_open)
        scenario_read(&p, &holder->scenario);
    enum err e =
        plan_end(&p, text, &(struct plan_kept){ &holder->arena, &holder->scenario.path, NULL });
    if (e == OK)
        *out = &holder->scenario;
    else
        scenario_close(&holder->scenario);
    return e;
}

enum err scenario_load_text(str path, str text, bool with_files, struct scenario **out,
                            struct config_issues *issues)
{
    issues_init(issues);
    return load(path, text, with_files, out, issues);
}

enum err scenario_load(str path, struct scenario **out, struct config_issues *issues)
{
    struct buf text = { 0 };
    enum err e = CALLER_BAD_REQUEST;

    if (plan_text_read(path, &text, issues))
        e = load(path, buf_str(&text), true, out, issues);
    buf_fini(&text);
    return e;
}

void scenario_close(struct scenario *s)
{
    if (!s)
        return;
    struct scenario_holder *holder = CONTAINER_OF(s, struct scenario_holder, scenario);
    rollout_file_close(s->rollout);
    arena_fini(&holder->arena);
    free(holder);
}

struct arena *scenario_arena(struct scenario *s)
{
    return &CONTAINER_OF(s, struct scenario_holder, scenario)->arena;
}

void scenario_source_fault(const struct scenario *s, enum scenario_arm arm,
                           struct config_issues *issues, const char *fmt, ...)
{
    struct config_file file = { .name = s->path };
    struct config_place place = { &file, s->sources[arm].line, s->sources[arm].column, false };
    char message[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    issue_add(issues, &place, "%s", message);
}
