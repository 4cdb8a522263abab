/* SPDX-License-Identifier: Apache-2.0 */
/* rollout_spec: defaults, checks and the fingerprint of a rollout's specification. */
#include <string.h>

#include "base/rng.h"
#include "core/change/rollout_internal.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define TIME_MAX_US (INT64_C(3660) * 24 * 60 * US_PER_MINUTE) /* ten years */
#define N_MAX (INT64_C(1) << 40)

void rollout_spec_init(struct rollout_spec *spec, str id)
{
    *spec = (struct rollout_spec){
        .id = id,
        .holdback = SHARE_WHOLE / 20,
        .guard_count = CHANGE_METRIC_COUNT,
        .guard_options = guard_options_default,
        .stale_after_us = 10 * US_PER_MINUTE,
        .tick_gap_max_us = 5 * US_PER_MINUTE,
        .judge_us = 15 * US_PER_MINUTE,
    };
    memcpy(spec->guards, guard_defaults, sizeof(spec->guards));
}

/* ---- checks ---- */

static void step_share_check(const struct rollout_spec *spec, size_t i,
                             struct change_issues *issues)
{
    uint32_t share = spec->steps[i].share;
    str where = change_issue_place(issues, "steps", i, "share");

    if (share > SHARE_WHOLE)
        change_issue_add(issues, where, "a share over 100%%");
    else if (share == 0)
        change_issue_add(issues, where, "a step without a share tries nothing");
    else if (i > 0 && share <= spec->steps[i - 1].share)
        change_issue_add(issues, where,
                         "each step must have a larger share than the one before it");
    else if (i + 1 == spec->step_count && share != SHARE_WHOLE)
        change_issue_add(issues, where,
                         "the last step must be 100%%: it bakes, less the holdback, before the "
                         "rollout is completed");
}

static void step_check(const struct rollout_spec *spec, size_t i, struct change_issues *issues)
{
    const struct rollout_step *step = &spec->steps[i];

    step_share_check(spec, i, issues);
    if (step->time_min_us <= 0 || step->time_min_us > TIME_MAX_US)
        change_issue_add(issues, change_issue_place(issues, "steps", i, "time_min"),
                         "a step needs a minimum time above 0 and below ten years");
    if (step->time_max_us < step->time_min_us || step->time_max_us > TIME_MAX_US)
        change_issue_add(
            issues, change_issue_place(issues, "steps", i, "time_max"),
            "a step needs a maximum time, at least its minimum time and below ten years");
    if (step->n_min < 1 || step->n_min > N_MAX)
        change_issue_add(issues, change_issue_place(issues, "steps", i, "n_min"),
                         "a step needs a minimum number of outcomes of at least 1: no data is no "
                         "success");
}

static void times_check(const struct rollout_spec *spec, struct change_issues *issues)
{
    const struct {
        const char *name;
        int64_t value;
    } rows[] = { { "stale_after", spec->stale_after_us },
                 { "tick_gap_max", spec->tick_gap_max_us },
                 { "judge", spec->judge_us } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].value <= 0 || rows[i].value > TIME_MAX_US)
            change_issue_add(issues, str_from(rows[i].name),
                             "it must be above 0 and below ten years");
    }
}

static void holdback_check(const struct rollout_spec *spec, struct change_issues *issues)
{
    if (spec->holdback > SHARE_WHOLE / 2)
        change_issue_add(issues, STR("holdback"),
                         "at most 50%% may keep the old configuration while baking");
    for (size_t i = 0; i < spec->guard_count && i < CHANGE_METRIC_COUNT && spec->holdback == 0;
         i++) {
        if (spec->guards[i].is_compared)
            change_issue_add(
                issues, STR("holdback"),
                "a guard that is compared with the control needs a holdback to compare with "
                "while baking");
    }
}

/* A guard that acts at all must be among them. */
static void acting_check(const struct rollout_spec *spec, struct change_issues *issues)
{
    for (size_t i = 0; i < spec->guard_count && i < CHANGE_METRIC_COUNT; i++) {
        if (!spec->guards[i].is_dry_run)
            return;
    }
    change_issue_add(issues, STR("guards"),
                     "every guard is a dry run: nothing would ever roll it back");
}

enum err rollout_spec_check(const struct rollout_spec *spec, struct change_issues *issues)
{
    size_t before = issues->count;
    struct guard_options options = spec->guard_options;
    struct guard_plan plan;

    if (!bucket_name_is_valid(spec->id))
        change_issue_add(issues, STR("id"), "it must be 1 to %d letters, digits, '_', '.' and '-'",
                         BUCKET_NAME_MAX);
    if (spec->seed.len > 0 && !bucket_name_is_valid(spec->seed))
        change_issue_add(issues, STR("seed"),
                         "it must be at most %d letters, digits, '_', '.' and '-'",
                         BUCKET_NAME_MAX);
    if (spec->step_count < 1 || spec->step_count > ROLLOUT_STEPS_MAX)
        change_issue_add(issues, STR("steps"), "there must be 1 to %d steps", ROLLOUT_STEPS_MAX);
    for (size_t i = 0; i < spec->step_count && spec->step_count <= ROLLOUT_STEPS_MAX; i++)
        step_check(spec, i, issues);
    times_check(spec, issues);
    holdback_check(spec, issues);
    acting_check(spec, issues);
    options.phases = 1;
    IGNORE(guard_plan_init(&plan, spec->guards, spec->guard_count, &options, issues));
    return issues->count > before ? CALLER_BAD_REQUEST : OK;
}

/* ---- fingerprint ---- */

static void hash_add(uint64_t *hash, uint64_t value)
{
    *hash = rng_mix(*hash ^ value) + 1;
}

static void hash_add_double(uint64_t *hash, double value)
{
    uint64_t bits;

    _Static_assert(sizeof(bits) == sizeof(value), "a double's bits are taken as they are");
    memcpy(&bits, &value, sizeof(bits));
    hash_add(hash, bits);
}

static void hash_add_guards(uint64_t *hash, const struct rollout_spec *spec)
{
    const struct guard_options *o = &spec->guard_options;

    hash_add(hash, spec->guard_count);
    for (size_t i = 0; i < spec->guard_count; i++) {
        const struct guard_spec *g = &spec->guards[i];
        hash_add(hash, (uint64_t)g->metric * 4 + g->is_dry_run * 2u + g->is_compared);
        hash_add_double(hash, g->warn);
        hash_add_double(hash, g->trip);
        hash_add_double(hash, g->is_compared ? g->margin : 0);
        if (g->advance != 0) /* what was there before it keeps its hash */
            hash_add_double(hash, g->advance);
    }
    hash_add_double(hash, o->alpha_trip);
    hash_add_double(hash, o->alpha_warn);
    hash_add_double(hash, o->alpha_show);
    hash_add_double(hash, o->detector_run);
}

uint64_t rollout_spec_hash(const struct rollout_spec *spec)
{
    uint64_t hash = str_hash(spec->id);

    hash_add(&hash, str_hash(spec->seed));
    hash_add(&hash, spec->step_count);
    for (size_t i = 0; i < spec->step_count; i++) {
        const struct rollout_step *s = &spec->steps[i];
        hash_add(&hash, s->share);
        hash_add(&hash, (uint64_t)s->time_min_us);
        hash_add(&hash, (uint64_t)s->time_max_us);
        hash_add(&hash, (uint64_t)s->n_min);
        hash_add(&hash, s->needs_approval);
    }
    hash_add(&hash, spec->holdback);
    hash_add_guards(&hash, spec);
    hash_add(&hash, (uint64_t)spec->thin_data * 16 + (uint64_t)spec->common_cause);
    hash_add(&hash, (uint64_t)spec->stale_after_us);
    hash_add(&hash, (uint64_t)spec->tick_gap_max_us);
    hash_add(&hash, (uint64_t)spec->judge_us);
    return hash;
}
