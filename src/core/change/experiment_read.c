/* SPDX-License-Identifier: Apache-2.0 */
/* experiment_read: an experiment from JSON. Unknown members are errors, so that a typing error changes nothing silently. */
#include "core/change/experiment.h"

#include <string.h>

#define SHARE_HINT "a number of [0, 1] with at most six decimals, or a text like \"7%%\""

struct reading {
    struct json root;
    struct experiment *out;
    struct change_issues *issues;
};

/* A number or a text, as text; false for anything else. */
static bool text_read(const struct reading *r, struct json v, str *out)
{
    if (json_is(v, JSON_NUMBER)) {
        *out = json_raw(v);
        return true;
    }
    return json_str(v, r->issues->arena, out);
}

static void name_read(const struct reading *r, struct json v, str where, str *out)
{
    if (!text_read(r, v, out))
        change_issue_add(r->issues, where, "it must be a text");
}

static void share_read(const struct reading *r, struct json v, str where, uint32_t *out)
{
    str text;

    if (!text_read(r, v, &text) || !share_parse(text, out))
        change_issue_add(r->issues, where, "it must be " SHARE_HINT);
}

static void unknown_add(const struct reading *r, str prefix, str name, const char *const *known)
{
    const char *nearest = known[0];

    for (size_t i = 1; known[i]; i++) {
        if (str_distance(name, str_from(known[i])) < str_distance(name, str_from(nearest)))
            nearest = known[i];
    }
    change_issue_add(
        r->issues, arena_printf(r->issues->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(name)),
        "unknown key '%.*s'; did you mean '%s'?", STR_ARG(str_slice(name, 0, 64)), nearest);
}

/* Every member's name must be one of known, which ends with NULL. */
static void members_check(const struct reading *r, struct json v, str prefix,
                          const char *const *known)
{
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        size_t i = 0;
        while (known[i] && !str_eq(it.name, str_from(known[i])))
            i++;
        if (!known[i])
            unknown_add(r, prefix, it.name, known);
    }
}

static void arm_read(const struct reading *r, struct json v, size_t i, size_t count)
{
    static const char *const known[] = { "name", "start", "share", "overlay", NULL };
    struct experiment_arm *arm = &r->out->arms[i];
    struct json start = json_get(v, STR("start")), overlay = json_get(v, STR("overlay"));

    if (!json_is(v, JSON_OBJECT)) {
        change_issue_add(r->issues, arena_printf(r->issues->arena, "arms.%zu", i),
                         "an arm is an object with a name and a share");
        return;
    }
    members_check(r, v, arena_printf(r->issues->arena, "arms.%zu.", i), known);
    name_read(r, json_get(v, STR("name")), change_issue_place(r->issues, "arms", i, "name"),
              &arm->name);
    share_read(r, json_get(v, STR("share")), change_issue_place(r->issues, "arms", i, "share"),
               &arm->share);
    arm->start = (uint32_t)(SHARE_WHOLE * i / count);
    if (json_exists(start))
        share_read(r, start, change_issue_place(r->issues, "arms", i, "start"), &arm->start);
    if (json_exists(overlay) && !json_is(overlay, JSON_OBJECT))
        change_issue_add(r->issues, change_issue_place(r->issues, "arms", i, "overlay"),
                         "it must be an object of configuration keys");
    arm->overlay = json_raw(overlay);
}

static void arms_read(const struct reading *r)
{
    struct json arms = json_get(r->root, STR("arms"));
    size_t count = json_is(arms, JSON_ARRAY) ? json_count(arms) : 0;
    struct json_iter it = json_iter(arms);

    if (count > EXPERIMENT_ARMS_MAX)
        count = 0; /* experiment_prepare says how many there may be */
    for (size_t i = 0; i < count && json_next(&it); i++)
        arm_read(r, it.value, i, count);
    r->out->arm_count = count;
}

static void inclusion_read(const struct reading *r)
{
    struct json v = json_get(r->root, STR("inclusion"));

    r->out->inclusion = (struct share_range){ 0, SHARE_WHOLE };
    if (!json_exists(v))
        return;
    if (!json_is(v, JSON_ARRAY) || json_count(v) != 2) {
        change_issue_add(r->issues, STR("inclusion"),
                         "it must be a list of two shares, [from, to]");
        return;
    }
    share_read(r, json_at(v, 0), STR("inclusion.0"), &r->out->inclusion.from);
    share_read(r, json_at(v, 1), STR("inclusion.1"), &r->out->inclusion.to);
}

static void scheme_read(const struct reading *r)
{
    struct json v = json_get(r->root, STR("scheme"));
    str name;

    if (json_exists(v) &&
        (!json_str(v, r->issues->arena, &name) || !bucket_scheme_find(name, &r->out->scheme)))
        change_issue_add(r->issues, STR("scheme"), "it must be \"weir\" or \"growthbook_v2\"");
}

static void members_read(const struct reading *r)
{
    static const char *const known[] = {
        "id", "seed", "scheme", "layer", "inclusion", "arms", NULL
    };
    struct json seed = json_get(r->root, STR("seed")), layer = json_get(r->root, STR("layer"));

    members_check(r, r->root, STR(""), known);
    name_read(r, json_get(r->root, STR("id")), STR("id"), &r->out->id);
    if (json_exists(seed))
        name_read(r, seed, STR("seed"), &r->out->seed);
    if (json_exists(layer))
        name_read(r, layer, STR("layer"), &r->out->layer);
    scheme_read(r);
    inclusion_read(r);
    arms_read(r);
}

/* Where the place named stands in the text, or the nearest that encloses it: a start that was left out has no bytes. */
static size_t offset_of(struct json root, str text, str where)
{
    for (;;) {
        struct json v = where.len > 0 ? json_path(root, where) : root;
        if (json_exists(v))
            return (size_t)(json_raw(v).ptr - text.ptr);
        while (where.len > 0 && where.ptr[where.len - 1] != '.')
            where.len--;
        if (where.len > 0)
            where.len--;
    }
}

enum err experiment_read(struct experiment *out, str text, struct change_issues *issues)
{
    struct experiment e = { .arm_count = 0 };
    struct reading r = { .out = &e, .issues = issues };
    struct json_error error = { 0 };
    size_t before = issues->count;
    enum err result = json_parse(issues->arena, text, &r.root, &error);

    if (result == WEIR_NO_MEMORY)
        return result;
    if (result != OK) {
        change_issue_add(issues, STR(""), "this is not JSON: %s", error.what);
        if (before < CHANGE_ISSUES_MAX)
            issues->items[before].offset = error.offset;
        return CALLER_BAD_REQUEST;
    }
    if (!json_is(r.root, JSON_OBJECT))
        change_issue_add(issues, STR(""), "an experiment is an object");
    else
        members_read(&r);
    if (issues->count == before)
        IGNORE(experiment_prepare(&e, issues));
    for (size_t i = before; i < change_issues_kept(issues); i++)
        issues->items[i].offset = offset_of(r.root, text, issues->items[i].where);
    if (arena_failed(issues->arena))
        return WEIR_NO_MEMORY;
    if (issues->count > before)
        return CALLER_BAD_REQUEST;
    *out = e;
    return OK;
}
