/* SPDX-License-Identifier: Apache-2.0 */
/* fit_json: see fit_json.h. */
#include "core/calibration/fit_json.h"

#include <math.h>

static const char *const kind_names[] = {
    [FIT_NONE] = "none", [FIT_PLATT] = "platt", [FIT_ISOTONIC] = "isotonic"
};

void fit_write(const struct fit *fit, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_str(out, "kind", str_from(kind_names[fit->kind]));
    json_member_i64(out, "n", fit->n);
    if (fit->kind == FIT_PLATT) {
        json_member_double(out, "slope", fit->slope);
        json_member_double(out, "intercept", fit->intercept);
    } else if (fit->kind == FIT_ISOTONIC) {
        json_key(out, "knots");
        buf_add_char(out, '[');
        for (size_t i = 0; i < fit->knots; i++) {
            buf_add(out, i > 0 ? STR(",[") : STR("["));
            json_write_double(out, fit->score[i]);
            buf_add_char(out, ',');
            json_write_double(out, fit->value[i]);
            buf_add_char(out, ']');
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

static bool kind_read(struct json value, enum fit_kind *out)
{
    str raw = json_raw(value);

    if (!json_is(value, JSON_STRING))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
        if (str_eq(str_slice(raw, 1, raw.len - 1), str_from(kind_names[i]))) {
            *out = (enum fit_kind)i;
            return true;
        }
    }
    return false;
}

static bool knots_read(struct json knots, struct fit *fit)
{
    if (!json_is(knots, JSON_ARRAY) || json_count(knots) == 0 || json_count(knots) > FIT_KNOTS_MAX)
        return false;
    for (struct json_iter it = json_iter(knots); json_next(&it); fit->knots++) {
        size_t i = fit->knots;
        if (json_count(it.value) != 2 || !json_double(json_at(it.value, 0), &fit->score[i]) ||
            !json_double(json_at(it.value, 1), &fit->value[i]))
            return false;
        if (!(fit->value[i] >= 0 && fit->value[i] <= 1))
            return false;
        if (i > 0 && !(fit->score[i] > fit->score[i - 1] && fit->value[i] >= fit->value[i - 1]))
            return false;
    }
    return true;
}

bool fit_read(struct json value, struct fit *out)
{
    struct fit fit = { .kind = FIT_NONE };

    if (!kind_read(json_get(value, STR("kind")), &fit.kind) ||
        !json_i64(json_get(value, STR("n")), &fit.n) || fit.n < 0)
        return false;
    switch (fit.kind) {
    case FIT_NONE:
        break;
    case FIT_PLATT:
        if (!json_double(json_get(value, STR("slope")), &fit.slope) ||
            !json_double(json_get(value, STR("intercept")), &fit.intercept))
            return false;
        break;
    case FIT_ISOTONIC:
        if (!knots_read(json_get(value, STR("knots")), &fit))
            return false;
        break;
    }
    *out = fit;
    return true;
}

static double rounded(double x)
{
    return round(x * 1e6) / 1e6;
}

/* Knots that become one by rounding are kept as one: scores must ascend. */
void fit_round(struct fit *fit)
{
    size_t kept = 0;

    fit->slope = rounded(fit->slope);
    fit->intercept = rounded(fit->intercept);
    for (size_t i = 0; i < fit->knots; i++) {
        double score = rounded(fit->score[i]), value = rounded(fit->value[i]);
        if (kept > 0 && !(score > fit->score[kept - 1]))
            kept--;
        fit->score[kept] = score;
        fit->value[kept++] = value;
    }
    fit->knots = kept;
}
