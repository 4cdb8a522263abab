/* SPDX-License-Identifier: Apache-2.0 */
/* experiment: checks, and the assignment of units to arms. */
#include "core/change/experiment.h"

#include <stdio.h>

static struct share_range arm_range(const struct experiment_arm *arm)
{
    return (struct share_range){ arm->start, arm->start + arm->share };
}

static void name_check(str name, str where, struct change_issues *issues)
{
    if (!bucket_name_is_valid(name))
        change_issue_add(issues, where,
                         "'%.*s' is no name: 1 to %d of letters, digits, '_', '.' and '-'",
                         STR_ARG(str_slice(name, 0, BUCKET_NAME_MAX)), BUCKET_NAME_MAX);
}

static void arm_check(const struct experiment *e, size_t i, struct change_issues *issues)
{
    const struct experiment_arm *arm = &e->arms[i];
    char share[16];

    name_check(arm->name, change_issue_place(issues, "arms", i, "name"), issues);
    if (arm->share == 0)
        change_issue_add(issues, change_issue_place(issues, "arms", i, "share"),
                         "an arm without a share gets nobody: give it one or drop it");
    if (arm->start > SHARE_WHOLE || arm->share > SHARE_WHOLE ||
        arm->start + arm->share > SHARE_WHOLE) {
        change_issue_add(issues, change_issue_place(issues, "arms", i, "share"),
                         "%s from its start reaches over 100%%",
                         share_format(arm->share <= SHARE_WHOLE ? arm->share : 0, share).ptr);
        return;
    }
    for (size_t j = 0; j < i; j++) {
        const struct experiment_arm *other = &e->arms[j];
        if (str_eq(arm->name, other->name))
            change_issue_add(issues, change_issue_place(issues, "arms", i, "name"),
                             "two arms are called '%.*s'", STR_ARG(arm->name));
        if (share_range_overlaps(arm_range(arm), arm_range(other)))
            change_issue_add(issues, change_issue_place(issues, "arms", i, "start"),
                             "arms '%.*s' and '%.*s' overlap: give each a start that leaves "
                             "the other room",
                             STR_ARG(other->name), STR_ARG(arm->name));
    }
}

static void arms_check(const struct experiment *e, struct change_issues *issues)
{
    uint64_t sum = 0;

    if (e->arm_count < 2 || e->arm_count > EXPERIMENT_ARMS_MAX) {
        change_issue_add(issues, STR("arms"),
                         "an experiment has 2 to %d arms, the first of which "
                         "is the control",
                         EXPERIMENT_ARMS_MAX);
        return;
    }
    for (size_t i = 0; i < e->arm_count; i++) {
        arm_check(e, i, issues);
        sum += e->arms[i].share;
    }
    if (sum > SHARE_WHOLE)
        change_issue_add(issues, STR("arms"), "the shares sum to over 100%%");
}

static void inclusion_check(const struct experiment *e, struct change_issues *issues)
{
    bool is_whole = e->inclusion.from == 0 && e->inclusion.to == SHARE_WHOLE;

    if (e->inclusion.from >= e->inclusion.to || e->inclusion.to > SHARE_WHOLE)
        change_issue_add(issues, STR("inclusion"),
                         "it must be a range [from, to) of [0, 1] that is not empty");
    if (e->layer.len > 0)
        name_check(e->layer, STR("layer"), issues);
    if (e->scheme == BUCKET_GROWTHBOOK_V2 && (e->layer.len > 0 || !is_whole))
        change_issue_add(issues, STR("scheme"),
                         "growthbook_v2 knows neither layer nor inclusion: leave both out, or use "
                         "the scheme 'weir'");
}

enum err experiment_prepare(struct experiment *e, struct change_issues *issues)
{
    size_t before = issues->count;

    name_check(e->id, STR("id"), issues);
    if (e->seed.len > 0)
        name_check(e->seed, STR("seed"), issues);
    inclusion_check(e, issues);
    arms_check(e, issues);
    if (issues->count == before)
        experiment_tracking_check(e, issues);
    if (issues->count > before)
        return CALLER_BAD_REQUEST;
    if (e->layer.len > 0)
        bucket_salt_init(&e->inclusion_salt, e->layer, STR(""), STR("layer"));
    else
        bucket_salt_init(&e->inclusion_salt, e->id, e->seed, STR("inclusion"));
    bucket_salt_init(&e->variant_salt, e->id, e->seed, STR("variant"));
    return OK;
}

void experiments_check(const struct experiment *const *list, size_t count,
                       struct change_issues *issues)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct experiment *a = list[j], *b = list[i];
            if (str_eq(a->id, b->id))
                change_issue_add(issues, change_issue_place(issues, "experiments", i, "id"),
                                 "two experiments are called '%.*s'", STR_ARG(b->id));
            else if (b->layer.len > 0 && str_eq(a->layer, b->layer) &&
                     share_range_overlaps(a->inclusion, b->inclusion))
                change_issue_add(issues, change_issue_place(issues, "experiments", i, "inclusion"),
                                 "'%.*s' and '%.*s' overlap in the layer '%.*s'", STR_ARG(a->id),
                                 STR_ARG(b->id), STR_ARG(b->layer));
        }
    }
}

/* The salt of the second hash. GrowthBook knows only a seed, for which its key stands in. */
static str variant_salt(const struct experiment *e)
{
    if (e->scheme == BUCKET_GROWTHBOOK_V2)
        return e->seed.len > 0 ? e->seed : e->id;
    return bucket_salt_str(&e->variant_salt);
}

struct experiment_assignment experiment_assign(const struct experiment *e, str unit)
{
    struct experiment_assignment a = { .arm = EXPERIMENT_ARM_NONE };

    if (unit.len == 0)
        return a;
    a.why = EXPERIMENT_NOT_INCLUDED;
    a.inclusion = bucket_of(BUCKET_WEIR, bucket_salt_str(&e->inclusion_salt), unit);
    a.variant = bucket_of(e->scheme, variant_salt(e), unit);
    if (!share_range_holds(e->inclusion, a.inclusion.position))
        return a;
    a.why = EXPERIMENT_BETWEEN_ARMS;
    for (size_t i = 0; i < e->arm_count; i++) {
        if (share_range_holds(arm_range(&e->arms[i]), a.variant.position)) {
            a.arm = (int)i;
            a.why = EXPERIMENT_ASSIGNED;
        }
    }
    return a;
}

static void range_print(struct buf *out, struct share_range range)
{
    char from[16], to[16];

    buf_printf(out, "[%s, %s)", share_format(range.from, from).ptr, share_format(range.to, to).ptr);
}

static void place_print(struct buf *out, str salt, uint32_t position)
{
    char at[16];

    buf_printf(out, "its position under the salt '%.*s' is %s", STR_ARG(salt),
               share_format(position, at).ptr);
}

void experiment_explain(const struct experiment *e, str unit, struct buf *out)
{
    struct experiment_assignment a = experiment_assign(e, unit);

    switch (a.why) {
    case EXPERIMENT_NO_UNIT:
        buf_add(out, STR("in no arm: nothing identifies the request"));
        return;
    case EXPERIMENT_NOT_INCLUDED:
        buf_add(out, STR("not included: "));
        place_print(out, bucket_salt_str(&e->inclusion_salt), a.inclusion.position);
        buf_add(out, STR(", outside "));
        range_print(out, e->inclusion);
        return;
    case EXPERIMENT_BETWEEN_ARMS:
        buf_add(out, STR("in no arm: "));
        place_print(out, variant_salt(e), a.variant.position);
        buf_add(out, STR(", which no arm owns"));
        return;
    case EXPERIMENT_ASSIGNED:
        buf_printf(out, "in arm '%.*s': ", STR_ARG(e->arms[a.arm].name));
        place_print(out, variant_salt(e), a.variant.position);
        buf_add(out, STR(", inside "));
        range_print(out, arm_range(&e->arms[a.arm]));
        return;
    }
}
