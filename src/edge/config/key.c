/* SPDX-License-Identifier: Apache-2.0 */
/* key: the key table, looked up without reading a file: by path, by section, and what an unknown name may have meant. */
#include "edge/config/internal.h"

str record_pattern(enum key_record record)
{
    static const char *const patterns[RECORD_COUNT] = {
        [RECORD_ROOT] = "",
        [RECORD_PROVIDER] = "providers.*",
        [RECORD_MODEL] = "models.*",
        [RECORD_PRICE] = "prices[]",
        [RECORD_TENANT] = "tenants.*",
        [RECORD_CHANNEL] = "alerts.channels.*",
        [RECORD_RULE] = "alerts.rules.*",
        [RECORD_ROLLOUT] = "rollout-file",
        [RECORD_STEP] = "rollout-file.steps[]",
        [RECORD_GUARD] = "rollout-file.guards.*",
        [RECORD_EXPERIMENT] = "experiment-file",
        [RECORD_ARM] = "experiment-file.arms.*",
        [RECORD_SCENARIO] = "scenario-file",
        [RECORD_SCENARIO_MODEL] = "scenario-file.models.*",
        [RECORD_SCENARIO_EVENT] = "scenario-file.events[]",
    };

    return str_from(patterns[record]);
}

const struct config_key *key_find(str pattern)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++)
        if (str_eq(str_from(keys[i].path), pattern))
            return &keys[i];
    return NULL;
}

/* What follows "section." in a path; false when the path is not in that section. */
static bool path_under(str path, str section, str *out_rest)
{
    if (section.len == 0) {
        *out_rest = path;
        return true;
    }
    if (path.len <= section.len + 1 || !str_starts(path, section) || path.ptr[section.len] != '.')
        return false;
    *out_rest = str_slice(path, section.len + 1, path.len);
    return true;
}

bool key_is_section(str pattern)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    str rest;

    for (size_t i = 0; i < count; i++)
        if (path_under(str_from(keys[i].path), pattern, &rest))
            return true;
    return false;
}

str name_nearest(const str *names, size_t n, str name)
{
    str best = { 0 };
    /* A third of the letters may be wrong; more is another word. */
    size_t limit = (name.len + 2) / 3;

    for (size_t i = 0; i < n; i++) {
        size_t distance = str_distance(names[i], name);
        if (distance <= limit && (best.len == 0 || distance < str_distance(best, name)))
            best = names[i];
    }
    return best;
}

static str last_part(str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '.')
        from--;
    return str_slice(path, from, path.len);
}

str key_unknown(struct arena *arena, str pattern, str shown, str name)
{
    str names[CONFIG_KEYS_MAX], rest;
    size_t n = 0, count;
    const struct config_key *keys = config_keys(&count);
    str prefix = shown.len > 0 ? arena_printf(arena, "%.*s.", STR_ARG(shown)) : shown;
    str key = issue_text(arena, name);

    for (size_t i = 0; i < count; i++)
        if (path_under(str_from(keys[i].path), pattern, &rest) &&
            str_find(rest, STR("[]")) == STR_NPOS)
            names[n++] = str_slice(rest, 0, str_find_char(rest, '.'));
    str nearest = name_nearest(names, n, name);
    if (nearest.len > 0)
        return arena_printf(arena, "unknown key '%.*s%.*s'; did you mean '%.*s%.*s'?",
                            STR_ARG(prefix), STR_ARG(key), STR_ARG(prefix), STR_ARG(nearest));
    bool is_configuration = !str_starts(pattern, record_pattern(RECORD_ROLLOUT)) &&
                            !str_starts(pattern, record_pattern(RECORD_EXPERIMENT));
    for (size_t i = 0; is_configuration && i < count; i++) {
        str path = str_from(keys[i].path);
        if (keys[i].record == RECORD_ROOT && str_eq(last_part(path), name))
            return arena_printf(arena, "unknown key '%.*s%.*s'; did you mean '%s'?",
                                STR_ARG(prefix), STR_ARG(key), keys[i].path);
    }
    return arena_printf(arena, "unknown key '%.*s%.*s'", STR_ARG(prefix), STR_ARG(key));
}

bool key_range_parse(const char *range, struct key_range *out)
{
    str text = str_from(range);
    struct key_range parsed = { .is_low_open = str_starts(text, STR("(")),
                                .is_high_open = str_ends(text, STR(")")) };
    size_t comma = str_find(text, STR(", "));

    if (!parsed.is_low_open && !str_starts(text, STR("[")))
        return false;
    if (comma == STR_NPOS || (!parsed.is_high_open && !str_ends(text, STR("]"))))
        return false;
    if (!str_to_double(str_slice(text, 1, comma), &parsed.low) ||
        !str_to_double(str_slice(text, comma + 2, text.len - 1), &parsed.high))
        return false;
    *out = parsed;
    return true;
}
