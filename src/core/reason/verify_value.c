/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_value: the verifiers that know the value: an expression, a key, a number with a tolerance.
 */
#include <math.h>

#include "core/reason/verifier_internal.h"

/* The edge of a tolerance belongs to it, also where decimals have no exact binary form: 255.3 is within 254.8 ± .5. */
#define EDGE_SLACK 1e-12

enum err verify_arithmetic(struct arena *arena, const struct verifier *v, str answer,
                           struct finding *out)
{
    struct rational expected;
    struct quantity q;

    if (!arithmetic_evaluate(v->spec, NULL, &expected))
        return CALLER_BAD_REQUEST;
    if (!quantity_parse(arena, answer_canonical(arena, answer), &q)) {
        finding_refuse(out, arena_printf(arena, "\"%.*s\" is not a single number.",
                                         STR_ARG(finding_quote(answer))));
        return OK;
    }
    bool is_right = rational_equal(expected, q.value);
    /* Only a value without a finite decimal may be rounded. */
    if (!is_right && rational_decimals(expected) < 0 && rational_decimals(q.value) >= 2)
        is_right = rational_rounds_to(expected, q.value);
    out->verdict = VERDICT_PASS;
    if (!is_right)
        finding_refuse(out, arena_printf(arena, "%.*s is not the right value.",
                                         STR_ARG(finding_quote(answer))));
    return OK;
}

enum err verify_exact(struct arena *arena, const struct verifier *v, str answer,
                      struct finding *out)
{
    struct quantity key, given;

    str wanted = answer_canonical(arena, v->spec);
    str form = answer_canonical(arena, answer);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (wanted.len == 0)
        return CALLER_BAD_REQUEST;
    bool is_right = str_eq(wanted, form);
    /* A key that is a bare number leaves the unit open. */
    if (!is_right && quantity_parse(arena, wanted, &key) && key.unit.len == 0 &&
        quantity_parse(arena, str_trim(answer), &given) && !given.is_scaled)
        is_right = rational_equal(key.value, given.value);
    out->verdict = VERDICT_PASS;
    if (!is_right)
        finding_refuse(out, arena_printf(arena, "\"%.*s\" is not the right answer.",
                                         STR_ARG(finding_quote(answer))));
    return OK;
}

/* ---- numbers ---- */

struct wanted {
    double value; /* in the unit as it is written */
    double tolerance; /* absolute, in the same unit */
    str unit; /* as it is written; empty: left open */
    struct quantity one; /* of that unit */
};

static double rational_double(struct rational a)
{
    return (double)a.numerator / (double)a.denominator;
}

/* A member that may be absent: then 0. False when it is there and no number >= 0. */
static bool width_read(struct json spec, str name, double *out)
{
    struct json member = json_get(spec, name);
    double width = 0.0;

    if (json_exists(member) && (!json_double(member, &width) || !(width >= 0.0)))
        return false;
    *out = width;
    return true;
}

static enum err wanted_read(struct arena *arena, const struct verifier *v, struct wanted *out)
{
    static const str names[] = {
        { "value", 5 }, { "tolerance", 9 }, { "relative", 8 }, { "unit", 4 }
    };
    struct wanted w = { 0 };
    struct json spec;
    double absolute, relative;
    enum err e = spec_object(arena, v->spec, names, ARRAY_LEN(names), &spec);

    if (e != OK)
        return e;
    if (!json_double(json_get(spec, STR("value")), &w.value) ||
        !width_read(spec, STR("tolerance"), &absolute) ||
        !width_read(spec, STR("relative"), &relative))
        return CALLER_BAD_REQUEST;
    w.tolerance = fmax(absolute, relative * fabs(w.value));
    struct json unit = json_get(spec, STR("unit"));
    if (json_exists(unit)) {
        if (!json_str(unit, arena, &w.unit))
            return CALLER_BAD_REQUEST;
        w.unit = str_trim(w.unit);
        str one = arena_printf(arena, "1 %.*s", STR_ARG(w.unit));
        if (!quantity_parse(arena, one, &w.one) || (w.one.unit.len == 0 && !w.one.is_percent))
            return arena_failed(arena) ? WEIR_NO_MEMORY : CALLER_BAD_REQUEST;
    }
    *out = w;
    return OK;
}

static bool is_near(const struct wanted *w, double value)
{
    double slack = EDGE_SLACK * fmax(fabs(w->value), fabs(value));

    return fabs(value - w->value) <= w->tolerance + slack;
}

/* The answer's number in the wanted unit; false when it is of another kind. */
static bool number_in_unit(const struct wanted *w, const struct quantity *q, double *out)
{
    bool is_bare = q->unit.len == 0 && !q->is_percent;
    double value = rational_double(q->value);

    if (is_bare) {
        *out = value;
        return true;
    }
    if (!str_eq(q->unit, w->one.unit))
        return false;
    *out = value / rational_double(w->one.value);
    return true;
}

enum err verify_number(struct arena *arena, const struct verifier *v, str answer,
                       struct finding *out)
{
    struct wanted w;
    struct quantity q = { .scale = { 1, 1 } };
    double value;
    enum err e = wanted_read(arena, v, &w);

    if (e != OK)
        return e;
    str plain = answer_unwrap(answer);
    bool is_huge = false; /* beyond 64 bits there is only the bare double */
    if (!quantity_parse(arena, plain, &q) &&
        !quantity_parse(arena, answer_canonical(arena, answer), &q)) {
        is_huge = str_to_double(plain, &value);
        if (!is_huge) {
            finding_refuse(out, arena_printf(arena, "\"%.*s\" is not a single number.",
                                             STR_ARG(finding_quote(answer))));
            return OK;
        }
    }
    bool is_right;
    if (is_huge) {
        is_right = is_near(&w, value);
    } else if (w.unit.len == 0) {
        /* The unit is left open: the number counts as it is written, a percentage also as its hundredths. */
        value = rational_double(q.value);
        is_right =
            is_near(&w, value / rational_double(q.scale)) || (q.is_percent && is_near(&w, value));
    } else if (number_in_unit(&w, &q, &value)) {
        is_right = is_near(&w, value);
    } else {
        finding_refuse(out, arena_printf(arena, "\"%.*s\" is in another unit than %.*s.",
                                         STR_ARG(finding_quote(answer)), STR_ARG(w.unit)));
        return OK;
    }
    out->verdict = VERDICT_PASS;
    if (!is_right)
        finding_refuse(out, arena_printf(arena, "\"%.*s\" is not near enough to the right value.",
                                         STR_ARG(finding_quote(answer))));
    return OK;
}

str verify_number_format(struct arena *arena, const struct verifier *v)
{
    struct wanted w;

    if (wanted_read(arena, v, &w) != OK || w.unit.len == 0)
        return STR("The final answer must be one number.");
    return arena_printf(arena, "The final answer must be one number, in %.*s.", STR_ARG(w.unit));
}
