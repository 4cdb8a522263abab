/* SPDX-License-Identifier: Apache-2.0 */
/* rollout_json: rows and checkpoints as JSON, both ways, and a rollout restored from them. What is read is not believed. */
#include <stdio.h>
#include <string.h>

#include "core/change/rollout_internal.h"
#include "core/json/json.h"

#define FORMAT_VERSION 1
#define COUNT_MAX (INT64_C(1) << 53)

/* ---- pieces ---- */

static void hash_write(struct buf *out, const char *name, uint64_t hash)
{
    json_key(out, name);
    buf_printf(out, "\"%016" PRIx64 "\"", hash);
}

static bool hash_read(struct json v, uint64_t *out)
{
    str raw = json_raw(v);
    uint64_t hash = 0;

    if (raw.len != 18 || !json_is(v, JSON_STRING))
        return false;
    for (size_t i = 1; i < 17; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, raw.ptr[i]);
        if (!at || raw.ptr[i] == '\0')
            return false;
        hash = hash << 4 | (uint64_t)(at - digits);
    }
    *out = hash;
    return true;
}

static bool integer_read(struct json v, int64_t min, int64_t *out)
{
    int64_t value;

    if (!json_i64(v, &value) || value < min || value > COUNT_MAX)
        return false;
    *out = value;
    return true;
}

/* Names have no escapes. */
static str name_of(struct json v)
{
    str raw = json_raw(v);

    return json_is(v, JSON_STRING) ? str_slice(raw, 1, raw.len - 1) : STR("");
}

static void place_write(struct buf *out, const char *name, struct rollout_place place)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_str(out, "state", str_from(rollout_state_name(place.state)));
    json_member_i64(out, "step", (int64_t)place.step);
    buf_add_char(out, '}');
}

static bool place_read(struct json v, struct rollout_place *out)
{
    int64_t step;

    if (!rollout_state_find(name_of(json_get(v, STR("state"))), &out->state) ||
        !integer_read(json_get(v, STR("step")), 0, &step) || step >= ROLLOUT_STEPS_MAX)
        return false;
    out->step = (size_t)step;
    return true;
}

/* ---- rows ---- */

void rollout_row_write(const struct rollout_row *row, str rollout_id, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "version", FORMAT_VERSION);
    json_member_str(out, "rollout", rollout_id);
    json_member_i64(out, "sequence", row->sequence);
    json_member_i64(out, "time", row->time);
    json_member_str(out, "actor", row->actor);
    json_member_str(out, "note", row->note);
    json_member_str(out, "revision", row->revision);
    json_member_i64(out, "generation", row->generation);
    json_member_i64(out, "attempt", row->attempt);
    json_member_str(out, "operation", str_from(rollout_operation_name(row->operation)));
    json_member_str(out, "refusal", str_from(rollout_refusal_name(row->refusal)));
    place_write(out, "from", row->from);
    place_write(out, "to", row->to);
    json_member_str(out, "reason", str_from(rollout_reason_name(row->reason)));
    json_member_i64(out, "guards", row->guards);
    hash_write(out, "configuration", row->config_hash);
    json_key(out, "evidence");
    buf_add_char(out, '[');
    for (size_t i = 0; i < row->evidence_count; i++) {
        json_comma(out);
        guard_evidence_write(&row->evidence[i], out);
    }
    buf_add(out, STR("]}"));
}

static bool row_texts_read(struct arena *arena, struct json v, struct rollout_row *out)
{
    return json_str(json_get(v, STR("actor")), arena, &out->actor) &&
           json_str(json_get(v, STR("note")), arena, &out->note) &&
           json_str(json_get(v, STR("revision")), arena, &out->revision);
}

static bool row_names_read(struct json v, struct rollout_row *out)
{
    return rollout_operation_find(name_of(json_get(v, STR("operation"))), &out->operation) &&
           rollout_refusal_find(name_of(json_get(v, STR("refusal"))), &out->refusal) &&
           rollout_reason_find(name_of(json_get(v, STR("reason"))), &out->reason) &&
           place_read(json_get(v, STR("from")), &out->from) &&
           place_read(json_get(v, STR("to")), &out->to);
}

static bool row_numbers_read(struct json v, struct rollout_row *out)
{
    int64_t version, guards;

    if (!json_i64(json_get(v, STR("version")), &version) || version != FORMAT_VERSION ||
        !integer_read(json_get(v, STR("guards")), 0, &guards) || guards >= 1 << CHANGE_METRIC_COUNT)
        return false;
    out->guards = (uint32_t)guards;
    return integer_read(json_get(v, STR("sequence")), 1, &out->sequence) &&
           integer_read(json_get(v, STR("time")), 0, &out->time) &&
           integer_read(json_get(v, STR("generation")), 0, &out->generation) &&
           integer_read(json_get(v, STR("attempt")), 1, &out->attempt) &&
           hash_read(json_get(v, STR("configuration")), &out->config_hash);
}

static bool row_evidence_read(struct json v, struct rollout_row *out)
{
    struct json_iter it = json_iter(v);

    if (!json_is(v, JSON_ARRAY) || json_count(v) > CHANGE_METRIC_COUNT)
        return false;
    while (json_next(&it)) {
        if (guard_evidence_read(it.value, &out->evidence[out->evidence_count++]) != OK)
            return false;
    }
    return true;
}

enum err rollout_row_read(struct arena *arena, struct json value, struct rollout_row *out)
{
    struct rollout_row row = { .sequence = 0 };

    if (!row_numbers_read(value, &row) || !row_names_read(value, &row) ||
        !row_texts_read(arena, value, &row) ||
        !row_evidence_read(json_get(value, STR("evidence")), &row))
        return CALLER_BAD_REQUEST;
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = row;
    return OK;
}

/* ---- checkpoints ---- */

static void counts_write(struct buf *out, const char *name, const int64_t *counts, size_t n)
{
    json_key(out, name);
    for (size_t i = 0; i < n; i++) {
        buf_add_char(out, i == 0 ? '[' : ',');
        buf_add_i64(out, counts[i]);
    }
    buf_add_char(out, ']');
}

static bool counts_read(struct json v, int64_t min, int64_t *out, size_t n)
{
    if (!json_is(v, JSON_ARRAY) || json_count(v) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!integer_read(json_at(v, i), min, &out[i]))
            return false;
    }
    return true;
}

/* An instant, or null for none. */
static void instant_write(struct buf *out, const char *name, usec_utc at)
{
    json_key(out, name);
    if (at == ROLLOUT_NEVER)
        buf_add(out, STR("null"));
    else
        buf_add_i64(out, at);
}

static bool instant_read(struct json v, usec_utc *out)
{
    *out = ROLLOUT_NEVER;
    return json_is(v, JSON_NULL) || integer_read(v, 0, out);
}

static void judge_write(struct buf *out, const struct judge *j)
{
    const int64_t canary[] = { j->canary.n, j->canary.over },
                  control[] = { j->control.n, j->control.over };

    buf_add_char(out, '{');
    json_member_str(out, "verdict", str_from(judge_verdict_name(j->verdict)));
    json_member_i64(out, "since", j->since);
    counts_write(out, "canary", canary, ARRAY_LEN(canary));
    counts_write(out, "control", control, ARRAY_LEN(control));
    json_key(out, "blocks");
    blocks_write(&j->blocks, out);
    buf_add_char(out, '}');
}

/* By metric; nothing for a guard that has not tripped. */
static void judges_write(struct buf *out, const struct judge judges[CHANGE_METRIC_COUNT])
{
    json_key(out, "judges");
    buf_add_char(out, '{');
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        if (judges[m].verdict == JUDGE_NONE)
            continue;
        json_key(out, change_metric_info((enum change_metric)m)->name);
        judge_write(out, &judges[m]);
    }
    buf_add_char(out, '}');
}

static bool judge_fits(const struct judge_counts *then, const struct guard_sums *now)
{
    return then->over <= then->n && then->n <= now->n && then->over <= now->over_trip &&
           then->n - then->over <= now->n - now->over_trip;
}

static bool blocks_fit(const struct blocks *then, const struct blocks *now)
{
    for (size_t i = 0; i < BLOCK_SIZES; i++) {
        for (size_t bad = 0; bad < 2; bad++) {
            if (then->sizes[i].canary[bad] > now->sizes[i].canary[bad] ||
                then->sizes[i].control[bad] > now->sizes[i].control[bad])
                return false;
        }
    }
    return true;
}

static bool judge_read_json(struct json v, struct judge *out)
{
    struct json blocks =
        json_get(v, STR("blocks")); /* a number in older ones: as if there were none */
    int64_t canary[2], control[2];

    if (!judge_verdict_find(name_of(json_get(v, STR("verdict"))), &out->verdict) ||
        out->verdict == JUDGE_NONE || !integer_read(json_get(v, STR("since")), 0, &out->since) ||
        !counts_read(json_get(v, STR("canary")), 0, canary, ARRAY_LEN(canary)) ||
        !counts_read(json_get(v, STR("control")), 0, control, ARRAY_LEN(control)) ||
        !(json_is(blocks, JSON_NUMBER) || blocks_read(blocks, &out->blocks)))
        return false;
    out->canary = (struct judge_counts){ canary[0], canary[1] };
    out->control = (struct judge_counts){ control[0], control[1] };
    return true;
}

static bool judges_read(struct json v, struct rollout *r)
{
    if (!json_is(v, JSON_OBJECT))
        return false;
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        struct json one = json_get(v, str_from(change_metric_info((enum change_metric)m)->name));
        struct judge *j = &r->judges[m];
        if (!json_exists(one))
            continue;
        if (!judge_read_json(one, j) ||
            !judge_fits(&j->canary, &r->sums.arms[SIDE_CANARY].metrics[m]) ||
            !judge_fits(&j->control, &r->sums.arms[SIDE_CONTROL].metrics[m]) ||
            !blocks_fit(&j->blocks, &r->sums.blocks[m]))
            return false;
    }
    return true;
}

void rollout_checkpoint(struct rollout *r, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "version", FORMAT_VERSION);
    json_member_str(out, "rollout", r->spec->id);
    hash_write(out, "specification", rollout_spec_hash(r->spec));
    json_member_i64(out, "sequence", r->sequence);
    json_member_i64(out, "generation", r->generation);
    json_member_i64(out, "attempt", r->attempt);
    json_member_i64(out, "phase", r->phase);
    place_write(out, "place", r->place);
    json_member_str(out, "reason", str_from(rollout_reason_name(r->reason)));
    hash_write(out, "configuration", r->config_hash);
    json_member_i64(out, "watched_us", r->watched_us);
    json_member_i64(out, "late", r->late);
    counts_write(out, "exposures", r->exposures, ROLLOUT_ARM_COUNT);
    instant_write(out, "last_tick", r->has_ticked ? r->last_tick : ROLLOUT_NEVER);
    instant_write(out, "last_canary", r->last_outcome[SIDE_CANARY]);
    instant_write(out, "last_control", r->last_outcome[SIDE_CONTROL]);
    judges_write(out, r->judges);
    json_key(out, "sums");
    change_sums_write(&r->sums, out);
    buf_add_char(out, '}');
}

static bool header_read(struct json v, struct rollout *r)
{
    return integer_read(json_get(v, STR("sequence")), 0, &r->sequence) &&
           integer_read(json_get(v, STR("generation")), 0, &r->generation) &&
           integer_read(json_get(v, STR("attempt")), 1, &r->attempt) &&
           integer_read(json_get(v, STR("phase")), 0, &r->phase) &&
           place_read(json_get(v, STR("place")), &r->place) &&
           rollout_place_is_sound(r->spec, r->place) &&
           rollout_reason_find(name_of(json_get(v, STR("reason"))), &r->reason) &&
           hash_read(json_get(v, STR("configuration")), &r->config_hash);
}

static bool body_read(struct json v, struct rollout *r)
{
    if (!instant_read(json_get(v, STR("last_tick")), &r->last_tick))
        return false;
    r->has_ticked = r->last_tick != ROLLOUT_NEVER;
    return integer_read(json_get(v, STR("watched_us")), 0, &r->watched_us) &&
           integer_read(json_get(v, STR("late")), 0, &r->late) &&
           counts_read(json_get(v, STR("exposures")), 0, r->exposures, ROLLOUT_ARM_COUNT) &&
           instant_read(json_get(v, STR("last_canary")), &r->last_outcome[SIDE_CANARY]) &&
           instant_read(json_get(v, STR("last_control")), &r->last_outcome[SIDE_CONTROL]) &&
           judges_read(json_get(v, STR("judges")), r);
}

/* NULL, or what is wrong. */
static const char *checkpoint_read(struct json v, struct rollout *r)
{
    int64_t version;
    uint64_t hash;
    const char *what = NULL;

    if (!json_i64(json_get(v, STR("version")), &version) || version != FORMAT_VERSION)
        return "the checkpoint is of a version that is not known";
    if (!str_eq(name_of(json_get(v, STR("rollout"))), r->spec->id))
        return "the checkpoint is another rollout's";
    if (!hash_read(json_get(v, STR("specification")), &hash) || hash != rollout_spec_hash(r->spec))
        return "the checkpoint was made under another specification";
    if (!header_read(v, r))
        return "the checkpoint's state is damaged";
    if (change_sums_read(json_get(v, STR("sums")), &r->sums, &what) != OK)
        return what;
    if (!body_read(v, r))
        return "the checkpoint's counts are damaged";
    return NULL;
}

static const char *restore(struct rollout *r, struct json checkpoint,
                           const struct rollout_row *rows, size_t row_count)
{
    const char *what = json_exists(checkpoint) ? checkpoint_read(checkpoint, r) : NULL;

    if (what)
        return what;
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].sequence <= r->sequence)
            continue;
        if (rollout_apply(r, &rows[i]) != OK)
            return "a row does not follow the one before it";
    }
    /* What was counted before the restart may warn and trip, but it does not advance. */
    r->is_restored = true;
    for (size_t side = 0; side < SIDE_COUNT; side++)
        r->n_before[side] = r->sums.arms[side].outcomes;
    return NULL;
}

enum err rollout_restore(struct rollout *r, const struct rollout_spec *spec, struct json checkpoint,
                         const struct rollout_row *rows, size_t row_count, const char **out_what)
{
    struct arena
        nothing; /* only whether it is valid counts here: the issues' texts need no memory */
    struct change_issues issues = { .arena = &nothing };
    struct rollout fresh;
    const char *what;

    arena_init(&nothing, 0);
    what = rollout_init(&fresh, spec, &issues) == OK ? NULL : "the specification is not valid";
    arena_fini(&nothing);
    if (!what)
        what = restore(&fresh, checkpoint, rows, row_count);
    if (what) {
        *out_what = what;
        return CALLER_BAD_REQUEST;
    }
    *r = fresh;
    return OK;
}
