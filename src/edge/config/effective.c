/* SPDX-License-Identifier: Apache-2.0 */
/* effective: the configuration that holds, as JSON for people: each key with its value and default, secrets by their source alone. */
#include "edge/config/internal.h"

#include <stdio.h>

#include "core/json/json.h"

static void texts_write(const str *texts, size_t count, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_comma(out);
        json_write_str(out, texts[i]);
    }
    buf_add_char(out, ']');
}

static double in_units(int64_t value, int64_t unit)
{
    return (double)value / (double)unit;
}

static void value_write(const struct config_key *key, const void *base, struct buf *out)
{
    const void *field = (const char *)base + key->offset;
    const struct config_secrets *secrets = field;
    const struct config_texts *texts = field;

    switch (key->type) {
    case KEY_TEXT:
    case KEY_CHOICE:
    case KEY_ADDRESS:
    case KEY_FILE:
    case KEY_URL: /* one with a password is refused when it is loaded */
    case KEY_SECRET: /* the field is where it comes from */
        json_write_str(out, *(const str *)field);
        break;
    case KEY_SECRETS:
        texts_write(secrets->sources, secrets->count, out);
        break;
    case KEY_TEXTS:
        texts_write(texts->items, texts->count, out);
        break;
    case KEY_BOOL:
        json_write_bool(out, *(const bool *)field);
        break;
    case KEY_INTEGER:
    case KEY_BYTES:
    case KEY_PRICE:
        buf_add_i64(out, *(const int64_t *)field);
        break;
    case KEY_NUMBER:
        json_write_double(out, *(const double *)field);
        break;
    case KEY_SECONDS:
    case KEY_DURATION:
        json_write_double(out, in_units(*(const nsec *)field, NSEC_PER_SEC));
        break;
    case KEY_DOLLARS:
        json_write_double(out, in_units(*(const nano_usd *)field, NANO_PER_USD));
        break;
    case KEY_DURABILITY:
        json_write_str(out, *(const enum config_durability *)field == DURABILITY_RELAXED
                                ? STR("relaxed")
                                : STR("acknowledged"));
        break;
    case KEY_SYNC:
        json_write_str(out, *(const bool *)field ? STR("power") : STR("process"));
        break;
    case KEY_DAY:
        buf_add_i64(out, *(const int32_t *)field);
        break;
    case KEY_SHARE:
        json_write_double(out, in_units(*(const uint32_t *)field, 1000000));
        break;
    case KEY_TYPE_COUNT:
        break;
    }
}

/* "providers.*.base_url" of "openai" is "providers.openai.base_url". */
static void path_write(const struct config_key *key, str name, struct buf *out)
{
    struct buf path = { 0 };
    str pattern = str_from(key->path);
    size_t star = str_find_char(pattern, '*');

    buf_add(&path, str_slice(pattern, 0, star));
    if (star != STR_NPOS) {
        buf_add(&path, name);
        buf_add(&path, str_slice(pattern, star + 1, pattern.len));
    }
    json_member_str(out, "key", buf_str(&path));
    buf_fini(&path);
}

/* running, latest: the record's value in each; parts of the root need no restart, and give the same twice. */
static void record_write(enum key_record record, const void *running, const void *latest, str name,
                         struct buf *out)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);

    for (size_t i = 0; i < n; i++) {
        const struct config_key *key = &keys[i];
        if (key->record != record)
            continue;
        json_comma(out);
        buf_add_char(out, '{');
        path_write(key, name, out);
        json_key(out, "value");
        value_write(key, key->reload == RESTART ? running : latest, out);
        json_key(out, "default");
        if (key->fallback)
            json_write_str(out, str_from(key->fallback));
        else
            buf_add(out, STR("null"));
        json_member_str(out, "unit", str_from(key->unit));
        json_member_bool(out, "needs_restart", key->reload == RESTART);
        json_member_str(out, "text", str_from(key->text));
        buf_add_char(out, '}');
    }
}

static void prices_write(const struct config *c, struct buf *out)
{
    json_key(out, "prices");
    buf_add_char(out, '[');
    for (size_t i = 0; i < c->prices.count; i++) {
        const struct price *p = &c->prices.rows[i];
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "model", p->model);
        json_member_i64(out, "from_day", p->from_day);
        json_member_i64(out, "input_nano_usd", p->input);
        json_member_i64(out, "output_nano_usd", p->output);
        json_member_i64(out, "cached_nano_usd", p->cached);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* Without their addresses: a webhook's is its key. */
static void channels_write(const struct config *c, struct buf *out)
{
    json_key(out, "channels");
    buf_add_char(out, '[');
    for (size_t i = 0; i < c->alerts.policy.receiver_count; i++) {
        const struct alert_receiver *receiver = &c->alerts.policy.receivers[i];
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "name", receiver->name);
        json_member_str(out, "severity_min", str_from(alert_severity_name(receiver->severity_min)));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void config_effective_write(const struct config *running, const struct config *latest,
                            struct buf *out)
{
    char hash[24];
    int len = snprintf(hash, sizeof(hash), "%016" PRIx64, latest->hash);

    buf_add_char(out, '{');
    json_member_str(out, "hash", (str){ hash, (size_t)len });
    json_key(out, "keys");
    buf_add_char(out, '[');
    record_write(RECORD_ROOT, CONTAINER_OF_CONST(running, struct config_snapshot, config),
                 CONTAINER_OF_CONST(latest, struct config_snapshot, config), STR(""), out);
    for (size_t i = 0; i < latest->provider_count; i++) {
        const struct config_provider *provider = &latest->providers[i];
        record_write(RECORD_PROVIDER, provider, provider, provider->name, out);
    }
    for (size_t i = 0; i < latest->model_count; i++) {
        const struct config_model *model = &latest->models[i];
        record_write(RECORD_MODEL, model, model, model->name, out);
    }
    buf_add_char(out, ']');
    prices_write(latest, out);
    channels_write(running, out);
    buf_add_char(out, '}');
}
