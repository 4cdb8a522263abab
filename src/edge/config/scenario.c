/* SPDX-License-Identifier: Apache-2.0 */
/* scenario: a scenario's file to a scenario. */
#include "edge/config/scenario.h"

#include <math.h>
#include <stdlib.h>

#include "edge/config/rollout_internal.h"

#define NOT_WRITTEN (-1)

struct scenario_holder {
    struct scenario scenario;
    struct arena arena; /* of its texts */
};

/* ---- tables ---- */

static const char *const domains[SCENARIO_DOMAIN_COUNT] = {
#define X(name, text) [SCENARIO_##name] = text,
    SCENARIO_DOMAIN_TABLE(X)
#undef X
};

enum hits { HITS_BASELINE, HITS_CANARY, HITS_BOTH };
static const char *const arms[] = { "baseline", "canary", "both" };

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

static const struct scenario_model model_default = {
    .success = 0.98,
    .errors = 0.5,
    .cost_usd = 0.002,
    .cost_sd = 0.001,
    .latency_ms = 800,
    .latency_sigma = 0.4,
    .timeout_ms = 30000,
    .hrm_confidence = 0.87,
    .hrm_sd = 0.06,
    .trm_confidence = 0.83,
    .trm_sd = 0.06,
};

const char *scenario_domain_name(enum scenario_domain d)
{
    return domains[d];
}

const char *scenario_event_name(enum scenario_event_kind k)
{
    return events[k].name;
}

/* The place of a text in a table; count when it is not there. */
static size_t name_at(const char *const *names, size_t count, str name)
{
    size_t i = 0;

    while (i < count && !str_eq(str_from(names[i]), name))
        i++;
    return i;
}

static void fault(struct plan_build *p, const struct yaml_node *node, str message)
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
        fault(p, node, STR("traffic.hours must be 24 numbers, none below 0 and not all of them 0"));
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
        fault(p, node,
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
}

/* ---- models ---- */

static double or_else(double written, double otherwise)
{
    return written < 0 ? otherwise : written;
}

static struct scenario_model model_over(const struct plan_model *w, struct scenario_model m)
{
    m.success = or_else(w->success, m.success);
    m.errors = or_else(w->errors, m.errors);
    m.cost_usd = or_else(w->cost_usd, m.cost_usd);
    m.cost_sd = or_else(w->cost_sd, m.cost_sd);
    m.latency_ms = or_else(w->latency_ms, m.latency_ms);
    m.latency_sigma = or_else(w->latency_sigma, m.latency_sigma);
    m.timeout_ms = or_else(w->timeout_ms, m.timeout_ms);
    m.hrm_confidence = or_else(w->hrm_confidence, m.hrm_confidence);
    m.hrm_sd = or_else(w->hrm_sd, m.hrm_sd);
    m.trm_confidence = or_else(w->trm_confidence, m.trm_confidence);
    m.trm_sd = or_else(w->trm_sd, m.trm_sd);
    if (w->confidence.len > 0)
        m.is_calibrated = str_eq(w->confidence, STR("calibrated"));
    return m;
}

static struct plan_model model_read(struct plan_build *p, const struct yaml_node *node, str shown)
{
    struct plan_model w = { NOT_WRITTEN, NOT_WRITTEN, NOT_WRITTEN, NOT_WRITTEN,
                            NOT_WRITTEN, NOT_WRITTEN, NOT_WRITTEN, NOT_WRITTEN,
                            NOT_WRITTEN, NOT_WRITTEN, NOT_WRITTEN, { 0 } };

    record_load(&p->build,
                &(struct record){ .kind = RECORD_SCENARIO_MODEL, .base = &w, .shown = shown },
                node);
    return w;
}

/* An entry of a mapping whose names are a closed set; the count, having said so, for another. */
static size_t entry_at(struct plan_build *p, const struct yaml_node *node, const char *const *names,
                       size_t count)
{
    size_t at = name_at(names, count, node->key);
    struct config_place place = place_of_key(node);
    str known = str_from(names[0]);

    for (size_t i = 1; i < count; i++)
        known = arena_printf(&p->build.scratch, "%.*s, %s", STR_ARG(known), names[i]);
    if (at == count)
        issue_add(p->build.issues, &place, "unknown key '%.*s'; it must be one of %.*s",
                  STR_ARG(issue_text(&p->build.scratch, node->key)), STR_ARG(known));
    return at;
}

/* What is written of one arm, over what it is like otherwise. */
static void model_make(struct plan_build *p, const struct yaml_node *node,
                       struct scenario_model out[SCENARIO_DOMAIN_COUNT])
{
    struct arena *scratch = &p->build.scratch;
    str shown = path_join(scratch, STR("models"), node->key);
    struct plan_model whole = model_read(p, node, shown);
    const struct yaml_node *map = yaml_get(node, STR("domains"));

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        out[d] = model_over(&whole, out[d]);
    for (const struct yaml_node *n = map && map->kind == YAML_MAPPING ? map->first : NULL; n;
         n = n->next) {
        size_t d = entry_at(p, n, domains, SCENARIO_DOMAIN_COUNT);
        if (d == SCENARIO_DOMAIN_COUNT)
            continue;
        struct plan_model one =
            model_read(p, n, arena_printf(scratch, "%.*s.domains.%s", STR_ARG(shown), domains[d]));
        out[d] = model_over(&one, out[d]);
    }
}

static void models_make(struct plan_build *p, struct scenario *s)
{
    const struct yaml_node *map = yaml_get(p->build.root, STR("models"));

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        s->models[SCENARIO_BASELINE][d] = model_default;
    if (map && map->kind != YAML_MAPPING) {
        fault(p, map, STR("models must be a mapping of baseline and canary"));
        return;
    }
    const struct yaml_node *baseline = yaml_get(map, STR("baseline"));
    if (baseline)
        model_make(p, baseline, s->models[SCENARIO_BASELINE]);
    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        s->models[SCENARIO_CANARY][d] = s->models[SCENARIO_BASELINE][d];
    const struct yaml_node *canary = yaml_get(map, STR("canary"));
    if (canary)
        model_make(p, canary, s->models[SCENARIO_CANARY]);
    for (const struct yaml_node *n = map ? map->first : NULL; n; n = n->next)
        IGNORE(entry_at(p, n, arms, SCENARIO_ARM_COUNT) == 0);
}

/* ---- events ---- */

static void event_size_check(struct plan_build *p, const struct yaml_node *node,
                             const struct scenario_event *e)
{
    if (e->size < events[e->kind].size_min || e->size > events[e->kind].size_max)
        fault(p, yaml_get(node, STR("size")),
              arena_printf(&p->build.scratch, "the size of %s must be in [%g, %g]",
                           events[e->kind].name, events[e->kind].size_min,
                           events[e->kind].size_max));
}

static void event_make(struct plan_build *p, const struct yaml_node *node, size_t index,
                       struct scenario_event *out)
{
    struct plan_event w = { .length = NOT_WRITTEN, .size = NOT_WRITTEN };
    struct record record = { .kind = RECORD_SCENARIO_EVENT,
                             .base = &w,
                             .shown = arena_printf(&p->build.scratch, "events[%zu]", index) };
    size_t kind = 0;

    record_load(&p->build, &record, node);
    while (kind < SCENARIO_EVENT_COUNT && !str_eq(str_from(events[kind].name), w.what))
        kind++;
    if (kind == SCENARIO_EVENT_COUNT)
        return; /* and it was said */
    size_t hits = w.arm.len > 0 ? name_at(arms, ARRAY_LEN(arms), w.arm) : (size_t)events[kind].hits;
    *out = (struct scenario_event){ .kind = (enum scenario_event_kind)kind,
                                    .hits = { hits != HITS_CANARY, hits != HITS_BASELINE },
                                    .start = w.start,
                                    .length = w.length < 0 ? NSEC_NEVER : w.length,
                                    .ramp = w.ramp,
                                    .size = or_else(w.size, events[kind].size) };
    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        out->hits_domain[d] = w.domain.len == 0 || str_eq(w.domain, str_from(domains[d]));
    event_size_check(p, node, out);
}

static void events_make(struct plan_build *p, struct scenario *s)
{
    const struct yaml_node *list = yaml_get(p->build.root, STR("events"));

    if (!list)
        return;
    if (list->kind != YAML_SEQUENCE || list->count > SCENARIO_EVENTS_MAX) {
        fault(p, list,
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

static void issues_take(struct plan_build *p, struct config_issues *issues)
{
    for (size_t i = 0; i < issues->count; i++) {
        const struct config_issue *issue = &issues->items[i];
        struct config_file file = { .name = issue->file };
        struct config_place place = { &file, issue->line, issue->column, issue->is_warning };
        issue_add(p->build.issues, &place, "%.*s", STR_ARG(issue->message));
    }
    config_issues_fini(issues);
}

static void rollout_make(struct plan_build *p, struct scenario *s)
{
    struct yaml_node *node = yaml_get(p->build.root, STR("rollout"));
    struct config_issues issues;
    enum err e;

    if (!node || node->is_null || node->kind == YAML_SEQUENCE) {
        fault(p, node, STR("rollout is required: a rollout's file, or its keys right here"));
        return;
    }
    if (node->kind == YAML_SCALAR && !p->build.may_read_files) {
        fault(p, node, STR("rollout: no other file is read here; write its keys"));
        return;
    }
    if (node->kind == YAML_SCALAR) {
        str path = path_beside(&p->build.scratch, &p->file, node->text);
        e = rollout_file_load(path, NULL, &s->rollout, &issues);
    } else {
        issues_init(&issues);
        e = rollout_part_load(node, canary_timeout(s), &s->rollout, &issues);
    }
    issues_take(p, &issues);
    if (e != OK && node->kind == YAML_SCALAR)
        fault(p, node,
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
        name_at(outcomes, ARRAY_LEN(outcomes), expect->outcome) == ARRAY_LEN(outcomes))
        fault(p, expectation(p, STR("outcome")),
              STR("expect.outcome must be completed, rolled_back, paused, paused:REASON or "
                  "unfinished"));
    if (expect->guard.len > 0 && !change_metric_find(expect->guard, &metric))
        fault(p, expectation(p, STR("guard")), STR("expect.guard: no such metric"));
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
        fault(p, yaml_get(p->build.root, STR("traffic")),
              arena_printf(&p->build.scratch,
                           "traffic: with this timeout up to %.0f queries would be under way at "
                           "once; %d is the limit",
                           2 * busiest * longest, SCENARIO_FLIGHTS_MAX));
}

static void scenario_read(struct plan_build *p, struct scenario *s)
{
    struct plan_scenario w = { .approve_after = NOT_WRITTEN,
                               .generic = NOT_WRITTEN,
                               .tactical = NOT_WRITTEN,
                               .cybersecurity = NOT_WRITTEN,
                               .stem = NOT_WRITTEN,
                               .false_rollback_max = NOT_WRITTEN,
                               .detected_within = NOT_WRITTEN };

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
        fault(p, yaml_get(p->build.root, STR("alerts_every")),
              STR("alerts_every must be 0s or at least 1s"));
    traffic_make(p, &w, &s->traffic);
    models_make(p, s);
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
