/* SPDX-License-Identifier: Apache-2.0 */
/* rollout: a rollout's file to its specification and its canary's configuration. */
#include <stdlib.h>
#include <string.h>

#include "edge/config/rollout_internal.h"

#define USD_TO_NANO ((double)NANO_PER_USD)
#define MS_TO_NSEC ((double)NSEC_PER_MS)
#define TIME_MAX_FACTOR 3 /* of a step that names no maximum time */

struct rollout_holder {
    struct rollout_file file;
    struct arena arena; /* of its texts */
};

static const char *const names_in_files[][2] = { { "id", "name" },
                                                 { "time_min", "min" },
                                                 { "time_max", "max" },
                                                 { "is_compared", "compare" },
                                                 { NULL, NULL } };

/* ---- steps ---- */

static void step_make(struct plan_build *p, const struct yaml_node *node, size_t at,
                      struct rollout_step *out)
{
    struct config_build *build = &p->build;
    struct plan_step from = { .time_max = -1 };
    struct record record = { .kind = RECORD_STEP,
                             .base = &from,
                             .shown = arena_printf(&build->scratch, "steps[%zu]", at) };

    record_load(build, &record, node);
    *out = (struct rollout_step){ .share = from.share,
                                  .time_min_us = from.time_min / NSEC_PER_USEC,
                                  .time_max_us = from.time_max / NSEC_PER_USEC,
                                  .n_min = from.n_min,
                                  .needs_approval = from.needs_approval };
    if (from.time_max < 0)
        out->time_max_us = out->time_min_us * TIME_MAX_FACTOR;
}

static void steps_load(struct plan_build *p, struct rollout_spec *spec)
{
    const struct yaml_node *list = yaml_get(p->build.root, STR("steps"));
    struct config_place place = { .file = &p->file };

    if (!list || list->kind != YAML_SEQUENCE) {
        if (list)
            place = place_of(list);
        issue_add(p->build.issues, &place, "steps must be a list of at least one step");
        return;
    }
    if (list->count > ROLLOUT_STEPS_MAX) {
        place = place_of(list);
        issue_add(p->build.issues, &place, "there must be 1 to %d steps", ROLLOUT_STEPS_MAX);
        return;
    }
    for (const struct yaml_node *node = list->first; node; node = node->next) {
        step_make(p, node, spec->step_count, &spec->steps[spec->step_count]);
        spec->step_count++;
    }
}

/* ---- guards ---- */

/* Files say dollars and milliseconds, as alerts do. */
static double guard_scale(enum change_metric metric)
{
    if (metric == CHANGE_COST_PER_QUERY)
        return USD_TO_NANO;
    return metric == CHANGE_LATENCY_P95 ? MS_TO_NSEC : 1;
}

static struct guard_spec *guard_find(struct rollout_spec *spec, enum change_metric metric)
{
    for (size_t i = 0; i < spec->guard_count; i++)
        if (spec->guards[i].metric == metric)
            return &spec->guards[i];
    assert(false); /* every metric has a default guard */
    return NULL;
}

static void guard_unknown(struct plan_build *p, const struct yaml_node *node)
{
    struct config_place place = place_of_key(node);
    str names[CHANGE_METRIC_COUNT];

    for (size_t i = 0; i < CHANGE_METRIC_COUNT; i++)
        names[i] = str_from(change_metric_info((enum change_metric)i)->name);
    str nearest = name_nearest(names, CHANGE_METRIC_COUNT, node->key);
    issue_add(p->build.issues, &place, "guards.%.*s: no such metric%s%.*s%s",
              STR_ARG(issue_text(&p->build.scratch, node->key)),
              nearest.len > 0 ? "; did you mean '" : "", STR_ARG(nearest),
              nearest.len > 0 ? "'?" : "");
}

/* What was written over the default; false when it is switched off. */
static bool guard_apply(const struct plan_guard *from, struct guard_spec *guard)
{
    double scale = guard_scale(guard->metric);

    if (from->warn >= 0)
        guard->warn = from->warn * scale;
    if (from->trip >= 0)
        guard->trip = from->trip * scale;
    if (from->advance >= 0)
        guard->advance = from->advance * scale;
    guard->is_dry_run = from->is_dry_run;
    guard->is_compared = from->is_compared;
    guard->margin = from->margin;
    return from->is_enabled;
}

static void guards_load(struct plan_build *p, struct rollout_spec *spec)
{
    struct config_build *build = &p->build;
    const struct yaml_node *map = yaml_get(build->root, STR("guards"));
    bool is_off[CHANGE_METRIC_COUNT] = { false };
    size_t kept = 0;

    for (const struct yaml_node *node = map && map->kind == YAML_MAPPING ? map->first : NULL; node;
         node = node->next) {
        struct plan_guard from = { .warn = -1, .trip = -1, .advance = -1 };
        struct record record = { .kind = RECORD_GUARD,
                                 .base = &from,
                                 .shown = path_join(&build->scratch, STR("guards"), node->key) };
        enum change_metric metric;
        if (!change_metric_find(node->key, &metric)) {
            guard_unknown(p, node);
            continue;
        }
        record_load(build, &record, node);
        is_off[metric] = !guard_apply(&from, guard_find(spec, metric));
    }
    for (size_t i = 0; i < spec->guard_count; i++)
        if (!is_off[spec->guards[i].metric])
            spec->guards[kept++] = spec->guards[i];
    spec->guard_count = kept;
}

/* ---- the whole ---- */

static void spec_fill(struct plan_build *p, struct rollout_spec *spec,
                      const struct plan_rollout *from)
{
    rollout_spec_init(spec, from->name);
    spec->seed = from->seed;
    spec->holdback = from->holdback;
    spec->thin_data = str_eq(from->thin_data, STR("ship"))        ? THIN_SHIP
                      : str_eq(from->thin_data, STR("roll_back")) ? THIN_ROLL_BACK
                                                                  : THIN_PAUSE;
    spec->common_cause =
        str_eq(from->common_cause, STR("roll_back")) ? COMMON_ROLL_BACK : COMMON_PAUSE;
    spec->stale_after_us = from->stale_after / NSEC_PER_USEC;
    spec->tick_gap_max_us = from->tick_gap_max / NSEC_PER_USEC;
    spec->judge_us = from->judge / NSEC_PER_USEC;
    spec->guard_options.alpha_trip = from->alpha_trip;
    spec->guard_options.alpha_warn = from->alpha_warn;
    spec->guard_options.alpha_show = from->alpha_show;
    spec->guard_options.detector_run = from->detector_run;
    steps_load(p, spec);
    guards_load(p, spec);
}

/* Guards are numbered in the specification and named in the file. */
static str guard_place(struct plan_build *p, const struct rollout_spec *spec, str where)
{
    str rest = where, part;
    uint64_t index;

    if (!str_starts(where, STR("guards.")))
        return where;
    IGNORE(str_next(&rest, '.', &part) && str_next(&rest, '.', &part));
    if (!str_to_u64(part, &index) || index >= spec->guard_count || rest.len == STR_NPOS)
        return where;
    return arena_printf(&p->build.scratch, "guards.%s.%.*s",
                        change_metric_info(spec->guards[index].metric)->name, STR_ARG(rest));
}

static void spec_check(struct plan_build *p, const struct rollout_spec *spec)
{
    struct change_issues issues = { .arena = &p->build.scratch };
    static const str longest = { "baseline", 8 }; /* of the arms' names */

    if (spec->id.len + 1 + longest.len > ROLLOUT_LABEL_MAX)
        change_issue_add(&issues, STR("id"), "it must be at most %zu bytes",
                         ROLLOUT_LABEL_MAX - 1 - longest.len);
    IGNORE(rollout_spec_check(spec, &issues));
    for (size_t i = 0; i < change_issues_kept(&issues); i++)
        issues.items[i].where = guard_place(p, spec, issues.items[i].where);
    plan_issues_place(p, &issues, names_in_files);
}

/* What a rollout's file holds beside its specification. */
struct reading {
    bool needs_canary; /* else it is part of a file that has none */
    nsec latency_max;
};

static void rollout_read(struct plan_build *p, struct rollout_file *f, const struct reading *how)
{
    struct config_build *build = &p->build;
    struct plan_rollout from = { .name = { 0 } };
    struct record record = { .kind = RECORD_ROLLOUT, .base = &from };
    const struct yaml_node *canary = yaml_get(build->root, STR("canary"));
    struct config_place whole = { .file = &p->file };

    record_load(build, &record, build->root);
    if (build->issues->errors > 0)
        return;
    if ((!canary && how->needs_canary) || from.name.len == 0) {
        issue_add(build->issues, &whole, "%s is required",
                  canary || !how->needs_canary ? "name" : "canary");
        return;
    }
    spec_fill(p, &f->spec, &from);
    f->spec.guard_options.latency_max = how->latency_max;
    if (p->arms.are_loaded)
        f->canary = plan_profile_load(p, canary);
    if (f->canary) { /* a limit that no query can reach never trips */
        f->spec.guard_options.cost_max = f->canary->budget.cost_max;
        f->spec.guard_options.latency_max = f->canary->timeout;
    }
    if (build->issues->errors == 0)
        spec_check(p, &f->spec);
}

/* Ends a plan that was opened, is_open when it has a tree; p ends with it. */
static enum err load_plan(struct plan_build *p, bool is_open, str text, const struct reading *how,
                          struct rollout_file **out)
{
    struct rollout_holder *holder = calloc(1, sizeof(*holder));

    if (!holder)
        return plan_end(p, text, NULL);
    if (is_open)
        rollout_read(p, &holder->file, how);
    enum err e = plan_end(
        p, text, &(struct plan_kept){ &holder->arena, &holder->file.path, &holder->file.text });
    if (e == OK)
        *out = &holder->file;
    else
        rollout_file_close(&holder->file);
    return e;
}

/* Under the contract of rollout_file_load_text(), but for issues, which are initialised. */
static enum err load(str path, str text, const struct plan_arms *arms, struct rollout_file **out,
                     struct config_issues *issues)
{
    struct plan_build p;
    bool is_open = plan_open(&p, path, text, issues);

    p.arms = *arms;
    return load_plan(&p, is_open, text, &(struct reading){ .needs_canary = true }, out);
}

enum err rollout_part_load(struct yaml_node *part, nsec latency_max, struct rollout_file **out,
                           struct config_issues *issues)
{
    struct plan_build p;

    plan_open_part(&p, part, issues);
    return load_plan(&p, true, STR(""), &(struct reading){ .latency_max = latency_max }, out);
}

enum err rollout_file_load_text(str path, str text, bool with_canary, struct rollout_file **out,
                                struct config_issues *issues)
{
    issues_init(issues);
    return load(path, text, &(struct plan_arms){ .are_loaded = with_canary }, out, issues);
}

enum err rollout_file_load(str path, const struct config *own, struct rollout_file **out,
                           struct config_issues *issues)
{
    const struct plan_arms arms = { .are_loaded = true, .are_checked = true, .own = own };
    struct buf text = { 0 };
    enum err e = CALLER_BAD_REQUEST;

    if (plan_text_read(path, &text, issues))
        e = load(path, buf_str(&text), &arms, out, issues);
    buf_fini(&text);
    return e;
}

void rollout_file_close(struct rollout_file *f)
{
    if (!f)
        return;
    struct rollout_holder *holder = CONTAINER_OF(f, struct rollout_holder, file);
    config_close(f->canary);
    arena_fini(&holder->arena);
    free(holder);
}
