/* SPDX-License-Identifier: Apache-2.0 */
/* experiment: an experiment's file to its arms and their configurations. */
#include <stdlib.h>

#include "edge/config/rollout_internal.h"

struct experiment_holder {
    struct experiment_file file;
    struct arena arena;
};

static const char *const names_in_files[][2] = { { "id", "name" }, { NULL, NULL } };

/* Arm i of k starts at i/k, unless it says otherwise, so that each may grow to an equal part. */
static void arm_make(struct plan_build *p, const struct yaml_node *node, size_t i, size_t count,
                     struct experiment_file *f)
{
    struct plan_arm from = { .start = (uint32_t)(SHARE_WHOLE * i / count) };
    struct record record = { .kind = RECORD_ARM,
                             .base = &from,
                             .shown = path_join(&p->build.scratch, STR("arms"), node->key) };

    record_load(&p->build, &record, node);
    f->experiment.arms[i] =
        (struct experiment_arm){ .name = arena_str(&p->holder.config.arena, node->key),
                                 .start = from.start,
                                 .share = from.share,
                                 .overlay = from.profile };
}

static void arms_load(struct plan_build *p, struct experiment_file *f)
{
    const struct yaml_node *map = yaml_get(p->build.root, STR("arms"));
    struct config_place place = { .file = &p->file };

    if (map)
        place = place_of_key(map);
    if (!map || map->kind != YAML_MAPPING || map->count < 2 || map->count > EXPERIMENT_ARMS_MAX) {
        issue_add(p->build.issues, &place,
                  "arms must be a mapping of 2 to %d arms, the first of which is the control",
                  EXPERIMENT_ARMS_MAX);
        return;
    }
    for (const struct yaml_node *node = map->first; node; node = node->next)
        arm_make(p, node, f->experiment.arm_count++, map->count, f);
}

static void profiles_load(struct plan_build *p, struct experiment_file *f)
{
    const struct yaml_node *arms = yaml_get(p->build.root, STR("arms"));
    const struct yaml_node *arm = arms->first;

    for (size_t i = 0; i < f->experiment.arm_count; i++, arm = arm->next) {
        const struct yaml_node *node = yaml_get(arm, STR("profile"));
        if (node)
            f->profiles[i] = plan_profile_load(p, node);
    }
}

static void labels_check(struct plan_build *p, const struct experiment *e)
{
    const struct yaml_node *arm = yaml_get(p->build.root, STR("arms"))->first;

    for (size_t i = 0; i < e->arm_count; i++, arm = arm->next) {
        struct config_place place = place_of_key(arm);
        if (e->id.len + 1 + e->arms[i].name.len > ROLLOUT_LABEL_MAX)
            issue_add(p->build.issues, &place, "NAME/ARM must be at most %d bytes",
                      ROLLOUT_LABEL_MAX);
    }
}

/* "arms.0.share" to the name that the file has for it. */
static void issues_place(struct plan_build *p, const struct experiment *e,
                         struct change_issues *issues)
{
    for (size_t i = 0; i < change_issues_kept(issues); i++) {
        str rest = issues->items[i].where, part;
        uint64_t index;
        if (!str_starts(rest, STR("arms.")))
            continue;
        IGNORE(str_next(&rest, '.', &part) && str_next(&rest, '.', &part));
        if (str_to_u64(part, &index) && index < e->arm_count && rest.len != STR_NPOS)
            issues->items[i].where = arena_printf(&p->build.scratch, "arms.%.*s.%.*s",
                                                  STR_ARG(e->arms[index].name), STR_ARG(rest));
    }
    plan_issues_place(p, issues, names_in_files);
}

/* What track_and_stop needs, and what means nothing without it. */
static void tracking_make(struct plan_build *p, const struct plan_experiment *from,
                          struct experiment_tracking *out)
{
    static const char *const names[] = { "metric", "epsilon", "delta", "floor", "every" };
    static const size_t required = 2;
    bool is_on = str_eq(from->allocation, STR("track_and_stop"));

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct yaml_node *node = yaml_get(p->build.root, str_from(names[i]));
        const struct yaml_node *at = node ? node : yaml_get(p->build.root, STR("allocation"));
        if (is_on ? node || i >= required : !node)
            continue;
        struct config_place place = place_of_key(at);
        issue_add(p->build.issues, &place,
                  is_on ? "allocation: track_and_stop needs %s"
                        : "%s means nothing without allocation: track_and_stop",
                  names[i]);
    }
    if (!is_on || p->build.issues->errors > 0)
        return;
    out->is_on = experiment_measure_find(from->metric, &out->measure);
    out->epsilon = from->epsilon;
    out->delta = from->delta > 0 ? from->delta : 0.05;
    out->floor = from->floor > 0 ? from->floor : EXPERIMENT_FLOOR_MAX;
    out->every = from->every > 0 ? from->every : 5 * 60 * NSEC_PER_SEC;
}

static void experiment_file_read(struct plan_build *p, struct experiment_file *f)
{
    struct config_build *build = &p->build;
    struct plan_experiment from = { .to = SHARE_WHOLE, .delta = -1, .floor = -1, .every = -1 };
    struct record record = { .kind = RECORD_EXPERIMENT, .base = &from };
    struct change_issues issues = { .arena = &build->scratch };
    struct experiment *e = &f->experiment;

    record_load(build, &record, build->root);
    if (build->issues->errors == 0)
        arms_load(p, f);
    tracking_make(p, &from, &e->tracking);
    if (build->issues->errors > 0)
        return;
    e->id = from.name;
    e->seed = from.seed;
    e->layer = from.layer;
    e->scheme = BUCKET_WEIR;
    e->inclusion = (struct share_range){ from.from, from.to };
    /* An arm's overlay is a configuration of its own here. */
    for (size_t i = 0; i < e->arm_count; i++)
        e->arms[i].overlay = (str){ 0 };
    IGNORE(experiment_prepare(e, &issues));
    issues_place(p, e, &issues);
    labels_check(p, e);
    if (p->arms.are_loaded && build->issues->errors == 0)
        profiles_load(p, f);
}

static enum err load(str path, str text, const struct plan_arms *arms, struct experiment_file **out,
                     struct config_issues *issues)
{
    struct experiment_holder *holder = calloc(1, sizeof(*holder));
    struct plan_build p;
    bool is_open = plan_open(&p, path, text, issues);

    if (!holder)
        return plan_end(&p, text, NULL);
    p.arms = *arms;
    if (is_open)
        experiment_file_read(&p, &holder->file);
    enum err e = plan_end(
        &p, text, &(struct plan_kept){ &holder->arena, &holder->file.path, &holder->file.text });
    if (e == OK)
        *out = &holder->file;
    else
        experiment_file_close(&holder->file);
    return e;
}

enum err experiment_file_load_text(str path, str text, bool with_profiles,
                                   struct experiment_file **out, struct config_issues *issues)
{
    issues_init(issues);
    return load(path, text, &(struct plan_arms){ .are_loaded = with_profiles }, out, issues);
}

enum err experiment_file_load(str path, const struct config *own, struct experiment_file **out,
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

void experiment_file_close(struct experiment_file *f)
{
    if (!f)
        return;
    struct experiment_holder *holder = CONTAINER_OF(f, struct experiment_holder, file);
    for (size_t i = 0; i < EXPERIMENT_ARMS_MAX; i++)
        config_close(f->profiles[i]);
    arena_fini(&holder->arena);
    free(holder);
}
