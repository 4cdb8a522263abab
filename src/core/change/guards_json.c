/* SPDX-License-Identifier: Apache-2.0 */
/* guards_json: sums and evidence as JSON, both ways, through tables of members. What is read is not believed: every number is
 * checked to be one that the update path could have made. */
#include "core/change/guards.h"

#include <math.h>
#include <string.h>

#define FORMAT_VERSION 1
#define COUNT_MAX ((int64_t)1 << 53)
/* No sum of harms and no log wealth of COUNT_MAX outcomes is beyond this. */
#define NUMBER_MAX 1e300

/* ---- tables of members ---- */
struct field {
    const char *name;
    size_t offset;
};

static const struct field count_fields[] = {
    { "n", offsetof(struct guard_sums, n) },
    { "missing", offsetof(struct guard_sums, missing) },
    { "over_warn", offsetof(struct guard_sums, over_warn) },
    { "over_trip", offsetof(struct guard_sums, over_trip) },
    { "detector_n", offsetof(struct guard_sums, detector.n) },
};
/* Sums written before there were any lack them: 0 then; and the limit to advance was the one that trips. */
static const struct field newer_fields[] = {
    { "over_advance", offsetof(struct guard_sums, over_advance) },
    { "onset_n", offsetof(struct guard_sums, onset.n) },
    { "onset_streams", offsetof(struct guard_sums, onset.streams) },
};
static const struct field sum_fields[] = {
    { "sum", offsetof(struct guard_sums, sum) },
    { "sum_squares", offsetof(struct guard_sums, sum_squares) },
};
static const struct field bet_fields[] = {
    { "warn", offsetof(struct guard_sums, warn.log_wealth) },
    { "trip", offsetof(struct guard_sums, trip.log_wealth) },
    { "below", offsetof(struct guard_sums, below.log_wealth) },
    { "onset", offsetof(struct guard_sums, onset.level) },
    { "detector", offsetof(struct guard_sums, detector.level) },
};
static const char *const side_names[SIDE_COUNT] = {
    [SIDE_CANARY] = "canary",
    [SIDE_CONTROL] = "control",
};

static const void *member_at(const void *owner, const struct field *field)
{
    return (const char *)owner + field->offset;
}

/* ---- writing ---- */

static void bets_write(struct buf *out, const char *name, const double bets[STATS_BETS])
{
    bool is_empty = true;

    for (size_t j = 0; j < STATS_BETS; j++)
        is_empty = is_empty && bets[j] == 0;
    if (is_empty)
        return;
    json_key(out, name);
    for (size_t j = 0; j < STATS_BETS; j++) {
        buf_add_char(out, j == 0 ? '[' : ',');
        json_write_double(out, bets[j]);
    }
    buf_add_char(out, ']');
}

static void guard_sums_write(struct guard_sums *s, struct buf *out)
{
    wager_settle(&s->warn);
    wager_settle(&s->trip);
    wager_settle(&s->below);
    buf_add_char(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(count_fields); i++)
        json_member_i64(out, count_fields[i].name,
                        *(const int64_t *)member_at(s, &count_fields[i]));
    for (size_t i = 0; i < ARRAY_LEN(newer_fields); i++)
        json_member_i64(out, newer_fields[i].name,
                        *(const int64_t *)member_at(s, &newer_fields[i]));
    for (size_t i = 0; i < ARRAY_LEN(sum_fields); i++)
        json_member_double(out, sum_fields[i].name, *(const double *)member_at(s, &sum_fields[i]));
    for (size_t i = 0; i < ARRAY_LEN(bet_fields); i++)
        bets_write(out, bet_fields[i].name, member_at(s, &bet_fields[i]));
    buf_add_char(out, '}');
}

static void arm_write(struct arm_sums *arm, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "outcomes", arm->outcomes);
    json_member_i64(out, "cached", arm->cached);
    json_key(out, "metrics");
    buf_add_char(out, '{');
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        json_key(out, change_metric_info((enum change_metric)m)->name);
        guard_sums_write(&arm->metrics[m], out);
    }
    buf_add(out, STR("}}"));
}

static void blocks_all_write(const struct change_sums *sums, struct buf *out)
{
    json_key(out, "blocks");
    buf_add_char(out, '{');
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        json_key(out, change_metric_info((enum change_metric)m)->name);
        blocks_write(&sums->blocks[m], out);
    }
    buf_add_char(out, '}');
}

void change_sums_write(struct change_sums *sums, struct buf *out)
{
    memset(sums->waiting, 0, sizeof(sums->waiting));
    buf_add_char(out, '{');
    json_member_i64(out, "version", FORMAT_VERSION);
    for (size_t side = 0; side < SIDE_COUNT; side++) {
        json_key(out, side_names[side]);
        arm_write(&sums->arms[side], out);
    }
    blocks_all_write(sums, out);
    json_member_bool(out, "is_promoted", sums->is_promoted);
    buf_add_char(out, '}');
}

/* ---- reading ---- */

static bool count_read(struct json owner, const char *name, int64_t *out)
{
    int64_t value;

    if (!json_i64(json_get(owner, str_from(name)), &value) || value < 0 || value > COUNT_MAX)
        return false;
    *out = value;
    return true;
}

static bool number_read(struct json v, double *out)
{
    double value;

    if (!json_double(v, &value) || !(fabs(value) <= NUMBER_MAX))
        return false;
    *out = value;
    return true;
}

/* A missing list is one of zeros. */
static bool bets_read(struct json v, double out[STATS_BETS])
{
    struct json_iter it = json_iter(v);

    if (!json_exists(v))
        return true;
    if (!json_is(v, JSON_ARRAY) || json_count(v) != STATS_BETS)
        return false;
    for (size_t j = 0; j < STATS_BETS && json_next(&it); j++) {
        if (!number_read(it.value, &out[j]))
            return false;
    }
    return true;
}

static bool guard_sums_are_sound(const struct guard_sums *s)
{
    bool is_sound = s->over_warn <= s->n && s->over_trip <= s->n && s->over_advance <= s->n &&
                    s->detector.n <= s->n && s->onset.n <= s->n && s->onset.streams <= s->onset.n &&
                    s->sum >= 0 && s->sum_squares >= 0 &&
                    (s->onset.n == 0) == (s->onset.streams == 0);

    for (size_t j = 0; j < STATS_BETS; j++)
        is_sound = is_sound && s->detector.level[j] >= 0 && s->onset.level[j] >= 0;
    return is_sound;
}

static bool guard_sums_read(struct json v, struct guard_sums *out)
{
    char *base = (char *)out;

    for (size_t i = 0; i < ARRAY_LEN(count_fields); i++) {
        if (!count_read(v, count_fields[i].name,
                        (int64_t *)(void *)(base + count_fields[i].offset)))
            return false;
    }
    out->over_advance = out->over_trip;
    for (size_t i = 0; i < ARRAY_LEN(newer_fields); i++) {
        const struct field *field = &newer_fields[i];
        if (json_exists(json_get(v, str_from(field->name))) &&
            !count_read(v, field->name, (int64_t *)(void *)(base + field->offset)))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(sum_fields); i++) {
        if (!number_read(json_get(v, str_from(sum_fields[i].name)),
                         (double *)(void *)(base + sum_fields[i].offset)))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(bet_fields); i++) {
        if (!bets_read(json_get(v, str_from(bet_fields[i].name)),
                       (double *)(void *)(base + bet_fields[i].offset)))
            return false;
    }
    return guard_sums_are_sound(out);
}

static bool arm_read(struct json v, struct arm_sums *out)
{
    struct json list = json_get(v, STR("metrics"));

    if (!count_read(v, "outcomes", &out->outcomes) || !count_read(v, "cached", &out->cached))
        return false;
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        str name = str_from(change_metric_info((enum change_metric)m)->name);
        if (!guard_sums_read(json_get(list, name), &out->metrics[m]))
            return false;
    }
    return true;
}

static bool blocks_all_read(struct json v, struct change_sums *out)
{
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        str name = str_from(change_metric_info((enum change_metric)m)->name);
        if (!blocks_read(json_get(v, name), &out->blocks[m]))
            return false;
    }
    return true;
}

enum err change_sums_read(struct json value, struct change_sums *out, const char **out_what)
{
    struct change_sums sums = { .is_promoted = false };
    const char *what = NULL;
    int64_t version;

    if (!json_i64(json_get(value, STR("version")), &version) || version != FORMAT_VERSION)
        what = "the sums are of a version that is not known";
    else if (!arm_read(json_get(value, STR("canary")), &sums.arms[SIDE_CANARY]))
        what = "the canary's sums are damaged";
    else if (!arm_read(json_get(value, STR("control")), &sums.arms[SIDE_CONTROL]))
        what = "the control's sums are damaged";
    else if (!blocks_all_read(json_get(value, STR("blocks")), &sums))
        what = "the blocks' counts are damaged";
    else if (!json_bool(json_get(value, STR("is_promoted")), &sums.is_promoted))
        what = "is_promoted is missing";
    if (what) {
        *out_what = what;
        return CALLER_BAD_REQUEST;
    }
    *out = sums;
    return OK;
}

/* ---- evidence ---- */

static const struct field evidence_counts[] = {
    { "n", offsetof(struct guard_evidence, n) },
    { "missing", offsetof(struct guard_evidence, missing) },
    { "control_n", offsetof(struct guard_evidence, control_n) },
};
static const struct field evidence_numbers[] = {
    { "estimate", offsetof(struct guard_evidence, value.estimate) },
    { "lower", offsetof(struct guard_evidence, value.lower) },
    { "upper", offsetof(struct guard_evidence, value.upper) },
    { "log_e", offsetof(struct guard_evidence, log_e) },
    { "log_e_warn", offsetof(struct guard_evidence, log_e_warn) },
    { "log_e_shown", offsetof(struct guard_evidence, log_e_shown) },
    { "detector", offsetof(struct guard_evidence, detector) },
    { "control_estimate", offsetof(struct guard_evidence, control_value) },
    { "control_log_e", offsetof(struct guard_evidence, control_log_e) },
    { "blocks_log_e", offsetof(struct guard_evidence, blocks_log_e) },
};
static const struct field evidence_diff[] = {
    { "diff", offsetof(struct guard_evidence, diff.estimate) },
    { "diff_lower", offsetof(struct guard_evidence, diff.lower) },
    { "diff_upper", offsetof(struct guard_evidence, diff.upper) },
};
static const struct field evidence_flags[] = {
    { "is_dry_run", offsetof(struct guard_evidence, is_dry_run) },
    { "is_shown", offsetof(struct guard_evidence, is_shown) },
    { "is_warned", offsetof(struct guard_evidence, is_warned) },
    { "is_compared", offsetof(struct guard_evidence, is_compared) },
};
static const char *const cause_names[] = { "limit", "detector", "control" }; /* bit 0, 1, 2 */

void guard_evidence_write(const struct guard_evidence *e, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_str(out, "name", str_from(change_metric_info(e->metric)->name));
    json_member_str(out, "verdict", str_from(guard_verdict_name(e->verdict)));
    for (size_t i = 0; i < ARRAY_LEN(evidence_counts); i++)
        json_member_i64(out, evidence_counts[i].name,
                        *(const int64_t *)member_at(e, &evidence_counts[i]));
    for (size_t i = 0; i < ARRAY_LEN(evidence_numbers); i++)
        json_member_double(out, evidence_numbers[i].name,
                           *(const double *)member_at(e, &evidence_numbers[i]));
    for (size_t i = 0; i < ARRAY_LEN(evidence_flags); i++)
        json_member_bool(out, evidence_flags[i].name,
                         *(const bool *)member_at(e, &evidence_flags[i]));
    for (size_t i = 0; i < ARRAY_LEN(evidence_diff) && e->is_compared; i++)
        json_member_double(out, evidence_diff[i].name,
                           *(const double *)member_at(e, &evidence_diff[i]));
    json_key(out, "tripped_by");
    buf_add_char(out, '[');
    for (size_t i = 0; i < ARRAY_LEN(cause_names); i++) {
        if ((e->tripped_by >> i & 1) == 0)
            continue;
        json_comma(out);
        json_write_str(out, str_from(cause_names[i]));
    }
    buf_add(out, STR("]}"));
}

/* A number; or null where an end of an interval may be infinite. */
static bool end_read(struct json v, const char *name, double *out)
{
    bool is_lower = str_ends(str_from(name), STR("lower")),
         is_upper = str_ends(str_from(name), STR("upper"));

    if (!json_is(v, JSON_NULL))
        return json_double(v, out);
    *out = is_lower ? -INFINITY : INFINITY;
    return is_lower || is_upper;
}

static bool verdict_read(struct json v, enum guard_verdict *out)
{
    str name = json_raw(v);

    for (size_t i = 0; i <= GUARD_TRIPPED; i++) {
        if (str_eq(str_slice(name, 1, name.len - 1),
                   str_from(guard_verdict_name((enum guard_verdict)i)))) {
            *out = (enum guard_verdict)i;
            return true;
        }
    }
    return false;
}

static bool causes_read(struct json v, unsigned *out)
{
    struct json_iter it = json_iter(v);

    if (!json_is(v, JSON_ARRAY))
        return false;
    while (json_next(&it)) {
        str name = json_raw(it.value);
        unsigned bit = 0;
        for (size_t i = 0; i < ARRAY_LEN(cause_names); i++) {
            if (str_eq(str_slice(name, 1, name.len - 1), str_from(cause_names[i])))
                bit = 1u << i;
        }
        if (bit == 0)
            return false;
        *out |= bit;
    }
    return true;
}

static bool numbers_read(struct json v, char *base, const struct field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!end_read(json_get(v, str_from(fields[i].name)), fields[i].name,
                      (double *)(void *)(base + fields[i].offset)))
            return false;
    }
    return true;
}

enum err guard_evidence_read(struct json value, struct guard_evidence *out)
{
    struct guard_evidence e = { .n = 0 };
    char *base = (char *)&e;
    str name = json_raw(json_get(value, STR("name")));

    if (name.len < 2 || !change_metric_find(str_slice(name, 1, name.len - 1), &e.metric) ||
        !verdict_read(json_get(value, STR("verdict")), &e.verdict) ||
        !causes_read(json_get(value, STR("tripped_by")), &e.tripped_by))
        return CALLER_BAD_REQUEST;
    for (size_t i = 0; i < ARRAY_LEN(evidence_counts); i++) {
        if (!count_read(value, evidence_counts[i].name,
                        (int64_t *)(void *)(base + evidence_counts[i].offset)))
            return CALLER_BAD_REQUEST;
    }
    for (size_t i = 0; i < ARRAY_LEN(evidence_flags); i++) {
        if (!json_bool(json_get(value, str_from(evidence_flags[i].name)),
                       (bool *)(base + evidence_flags[i].offset)))
            return CALLER_BAD_REQUEST;
    }
    if (!numbers_read(value, base, evidence_numbers, ARRAY_LEN(evidence_numbers)) ||
        (e.is_compared && !numbers_read(value, base, evidence_diff, ARRAY_LEN(evidence_diff))))
        return CALLER_BAD_REQUEST;
    *out = e;
    return OK;
}
