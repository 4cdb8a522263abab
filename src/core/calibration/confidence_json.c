/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confidence_json: the table as a member of a model file. A file comes from outside: whatever a table that was made
 * could not hold (order, ranges, counts that grow with the threshold) is refused with a sentence.
 *
 *     {"maps": [{"domain", "model", "strategy", "fit", "accepted": [101], "right": [101], "before", "after",
 *       "after_ece": [lower, upper]}, …]}
 */
#include "core/calibration/confidence_internal.h"
#include "core/calibration/fit_json.h"

/* ---- writing ---- */

static void counts_write(struct buf *out, const char *name, const uint32_t counts[THRESHOLDS])
{
    json_key(out, name);
    buf_add_char(out, '[');
    for (int i = 0; i < THRESHOLDS; i++) {
        json_comma(out);
        buf_add_i64(out, counts[i]);
    }
    buf_add_char(out, ']');
}

static void metrics_write(struct buf *out, const char *name,
                          const struct calibration_metrics *metrics)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_i64(out, "n", metrics->n);
    json_member_double(out, "ece", metrics->ece);
    json_member_double(out, "brier", metrics->brier);
    json_member_double(out, "auroc", metrics->auroc);
    json_member_double(out, "accuracy", metrics->accuracy);
    json_member_double(out, "mean_confidence", metrics->mean_confidence);
    json_key(out, "bins");
    buf_add_char(out, '[');
    for (size_t i = 0; i < metrics->bin_count; i++) {
        buf_add(out, i > 0 ? STR(",[") : STR("["));
        buf_add_i64(out, metrics->bins[i].n);
        buf_add_char(out, ',');
        json_write_double(out, metrics->bins[i].confidence);
        buf_add_char(out, ',');
        json_write_double(out, metrics->bins[i].accuracy);
        buf_add_char(out, ']');
    }
    buf_add(out, STR("]}"));
}

void confidence_table_write(const struct confidence_table *table, struct buf *out)
{
    buf_add(out, STR("{\"maps\":["));
    for (size_t i = 0; i < confidence_table_count(table); i++) {
        const struct confidence_map *map = &table->maps[i];
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "domain", map->report.key.domain);
        json_member_str(out, "model", map->report.key.model);
        json_member_str(out, "strategy", map->report.key.strategy);
        json_key(out, "fit");
        fit_write(&map->fit, out);
        counts_write(out, "accepted", map->counts.accepted);
        counts_write(out, "right", map->counts.right);
        metrics_write(out, "before", &map->report.before);
        metrics_write(out, "after", &map->report.after);
        json_key(out, "after_ece");
        buf_add_char(out, '[');
        json_write_double(out, map->report.after_ece.lower);
        buf_add_char(out, ',');
        json_write_double(out, map->report.after_ece.upper);
        buf_add_char(out, ']');
        buf_add_char(out, '}');
    }
    buf_add(out, STR("]}"));
}

/* ---- reading ---- */

static bool text_read(struct arena *arena, struct json map, str name, str *out)
{
    str text;

    if (!json_str(json_get(map, name), arena, &text))
        return false;
    *out = arena_str(arena, text);
    return true;
}

/* Counts of what is at or above a threshold never grow with it. */
static bool counts_read(struct json counts, uint32_t out[THRESHOLDS])
{
    int i = 0;

    if (!json_is(counts, JSON_ARRAY) || json_count(counts) != THRESHOLDS)
        return false;
    for (struct json_iter it = json_iter(counts); json_next(&it); i++) {
        int64_t count;
        if (!json_i64(it.value, &count) || count < 0 || count > (i > 0 ? out[i - 1] : UINT32_MAX))
            return false;
        out[i] = (uint32_t)count;
    }
    return true;
}

static bool both_counts_read(struct json map, struct accepted_counts *out)
{
    if (!counts_read(json_get(map, STR("accepted")), out->accepted) ||
        !counts_read(json_get(map, STR("right")), out->right))
        return false;
    for (int i = 0; i < THRESHOLDS; i++)
        if (out->right[i] > out->accepted[i])
            return false;
    return true;
}

static bool share_read(struct json value, double *out)
{
    return json_double(value, out) && *out >= 0 && *out <= 1;
}

static bool bins_read(struct json bins, struct calibration_metrics *out)
{
    if (!json_is(bins, JSON_ARRAY) || json_count(bins) > CALIBRATION_BINS)
        return false;
    for (struct json_iter it = json_iter(bins); json_next(&it); out->bin_count++) {
        struct reliability_bin *bin = &out->bins[out->bin_count];
        if (json_count(it.value) != 3 || !json_i64(json_at(it.value, 0), &bin->n) || bin->n < 0 ||
            !share_read(json_at(it.value, 1), &bin->confidence) ||
            !share_read(json_at(it.value, 2), &bin->accuracy))
            return false;
    }
    return true;
}

static bool metrics_read(struct json value, struct calibration_metrics *out)
{
    return json_i64(json_get(value, STR("n")), &out->n) && out->n >= 0 &&
           share_read(json_get(value, STR("ece")), &out->ece) &&
           share_read(json_get(value, STR("brier")), &out->brier) &&
           share_read(json_get(value, STR("auroc")), &out->auroc) &&
           share_read(json_get(value, STR("accuracy")), &out->accuracy) &&
           share_read(json_get(value, STR("mean_confidence")), &out->mean_confidence) &&
           bins_read(json_get(value, STR("bins")), out);
}

static bool interval_read(struct json value, struct interval_pair *out)
{
    return json_count(value) == 2 && share_read(json_at(value, 0), &out->lower) &&
           share_read(json_at(value, 1), &out->upper) && out->lower <= out->upper;
}

/* NULL, or what is wrong with it. */
static const char *map_read(struct arena *arena, struct json value, struct confidence_map *out)
{
    struct confidence_key *key = &out->report.key;

    if (!text_read(arena, value, STR("domain"), &key->domain) ||
        !text_read(arena, value, STR("model"), &key->model) ||
        !text_read(arena, value, STR("strategy"), &key->strategy))
        return "domain, model and strategy must be strings";
    if (!fit_read(json_get(value, STR("fit")), &out->fit))
        return "fit must be a calibration of kind none, platt or isotonic";
    if (!both_counts_read(value, &out->counts))
        return "accepted and right must be 101 counts each that do not grow";
    if (!metrics_read(json_get(value, STR("before")), &out->report.before) ||
        !metrics_read(json_get(value, STR("after")), &out->report.after))
        return "before and after must hold n, ece, brier, auroc, accuracy, mean_confidence and "
               "bins";
    if (!interval_read(json_get(value, STR("after_ece")), &out->report.after_ece))
        return "after_ece must be two shares, the lower first";
    return NULL;
}

static enum err refuse(struct arena *arena, str *out_what, size_t i, const char *what)
{
    *out_what = arena_printf(arena, "confidence.maps[%zu]: %s", i, what);
    return CALLER_BAD_REQUEST;
}

enum err confidence_table_read(struct arena *arena, struct json value,
                               const struct confidence_table **out, str *out_what)
{
    struct json maps = json_get(value, STR("maps"));
    struct confidence_table *table = ARENA_NEW(arena, struct confidence_table);

    if (!json_is(maps, JSON_ARRAY) || json_count(maps) > CONFIDENCE_MAPS_MAX) {
        *out_what = STR("confidence.maps must be an array of at most 256 maps");
        return CALLER_BAD_REQUEST;
    }
    struct confidence_map *rows = ARENA_ARRAY(arena, json_count(maps), struct confidence_map);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    table->maps = rows;
    for (struct json_iter it = json_iter(maps); json_next(&it); table->count++) {
        const struct confidence_key nothing = { .domain = { NULL, 0 } };
        size_t i = table->count;
        const char *what = map_read(arena, it.value, &rows[i]);
        if (what)
            return refuse(arena, out_what, i, what);
        const struct confidence_key *key = &rows[i].report.key;
        if (i == 0 ? confidence_key_cmp(key, &nothing) != 0
                   : confidence_key_cmp(key, &rows[i - 1].report.key) <= 0)
            return refuse(
                arena, out_what, i,
                "the global map comes first, the others sorted by model, strategy, domain");
    }
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = table;
    return OK;
}
