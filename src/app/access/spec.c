/* SPDX-License-Identifier: Apache-2.0 */
/* spec: a key's members in JSON and back. */
#include "app/access/access.h"

/* ---- out ---- */

static void limits_write(const struct key_spec *spec, struct buf *out)
{
    json_key(out, "limits");
    buf_add_char(out, '[');
    for (size_t i = 0; i < spec->rule_count; i++) {
        const struct limit_rule *rule = &spec->rules[i];
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "of", str_from(limit_kind_name(rule->kind)));
        if (rule->kind != LIMIT_CONCURRENT)
            json_member_str(out, "per", str_from(limit_window_name(rule->window)));
        json_member_i64(out, "most", rule->most);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void key_spec_write(const struct key_spec *spec, struct buf *out)
{
    json_member_str(out, "tenant", spec->tenant);
    limits_write(spec, out);
    json_key(out, "models");
    buf_add_char(out, '[');
    for (size_t i = 0; i < spec->model_count; i++) {
        json_comma(out);
        json_write_str(out, spec->models[i]);
    }
    buf_add_char(out, ']');
    json_member_i64(out, "expires_us", spec->expires);
}

/* ---- in ---- */

static bool kind_find(str name, enum limit_kind *out)
{
    for (int i = 0; i < LIMIT_KIND_COUNT; i++) {
        if (str_eq(name, str_from(limit_kind_name((enum limit_kind)i)))) {
            *out = (enum limit_kind)i;
            return true;
        }
    }
    return false;
}

static const char *limit_read(struct json object, struct arena *arena, struct limit_rule *out)
{
    str of = { 0 }, per = { 0 };

    if (!json_str(json_get(object, STR("of")), arena, &of) || !kind_find(of, &out->kind))
        return "a limit's \"of\" must be requests, tokens, nano_usd or concurrent";
    if (out->kind != LIMIT_CONCURRENT && (!json_str(json_get(object, STR("per")), arena, &per) ||
                                          !limit_window_find(per, &out->window)))
        return "a limit's \"per\" must be minute, hour, day or month";
    if (!json_i64(json_get(object, STR("most")), &out->most) || out->most < 0 ||
        out->most > LIMIT_MOST)
        return "a limit's \"most\" must be a whole number from 0 to 2^56";
    return NULL;
}

static const char *limits_read(struct json list, struct arena *arena, struct key_spec *out)
{
    struct json_iter it = json_iter(list);

    if (!json_exists(list))
        return NULL;
    if (!json_is(list, JSON_ARRAY) || json_count(list) > LIMIT_RULES_MAX)
        return "limits must be a list of at most 8";
    while (json_next(&it)) {
        struct limit_rule *rule = &out->rules[out->rule_count];
        const char *why = limit_read(it.value, arena, rule);
        if (why)
            return why;
        for (size_t i = 0; i < out->rule_count; i++) {
            if (out->rules[i].kind == rule->kind && out->rules[i].window == rule->window)
                return "a limit stands twice";
        }
        out->rule_count++;
    }
    return NULL;
}

static bool name_read(struct json v, struct arena *arena, str *out)
{
    return json_str(v, arena, out) && out->len > 0 && out->len <= KEY_NAME_MAX;
}

static const char *models_read(struct json list, struct arena *arena, struct key_spec *out)
{
    struct json_iter it = json_iter(list);

    if (!json_exists(list))
        return NULL;
    if (!json_is(list, JSON_ARRAY) || json_count(list) > KEY_MODELS_MAX)
        return "models must be a list of at most 32";
    while (json_next(&it)) {
        if (!name_read(it.value, arena, &out->models[out->model_count++]))
            return "a model must be a text of 1 to 100 bytes";
    }
    return NULL;
}

const char *key_spec_read(struct json object, struct arena *arena, struct key_spec *out)
{
    struct json expires = json_get(object, STR("expires_us"));
    struct key_spec spec = { 0 };

    if (!name_read(json_get(object, STR("tenant")), arena, &spec.tenant))
        return "tenant must be a text of 1 to 100 bytes";
    if (json_exists(expires) && (!json_i64(expires, &spec.expires) || spec.expires < 0))
        return "expires_us must be microseconds since 1970, or 0 for never";
    const char *why = limits_read(json_get(object, STR("limits")), arena, &spec);
    if (!why)
        why = models_read(json_get(object, STR("models")), arena, &spec);
    if (!why)
        *out = spec;
    return why;
}
