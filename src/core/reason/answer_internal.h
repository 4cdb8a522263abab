/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer_internal: the parts from which canonical answers and the arithmetic verifier are made:
 * exact rationals of 64 bits, an evaluator of expressions over them, quantities (a number and a
 * unit), and literals of JSON and of code. Everything here is pure; what does not fit in 64 bits is
 * refused, never rounded.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_REASON_ANSWER_INTERNAL_H
#define WEIR_CORE_REASON_ANSWER_INTERNAL_H

#include "base/arena.h"
#include "base/base.h"

/* ---- rationals: lowest terms, denominator > 0, neither part INT64_MIN ---- */
struct rational {
    int64_t numerator;
    int64_t denominator;
};

/* Each is false, and leaves *out alone, when the result does not fit or divides by zero. */
NODISCARD bool rational_make(int64_t numerator, int64_t denominator, struct rational *out);
NODISCARD bool rational_add(struct rational a, struct rational b, struct rational *out);
NODISCARD bool rational_subtract(struct rational a, struct rational b, struct rational *out);
NODISCARD bool rational_multiply(struct rational a, struct rational b, struct rational *out);
NODISCARD bool rational_divide(struct rational a, struct rational b, struct rational *out);
NODISCARD bool rational_power(struct rational base, int64_t exponent, struct rational *out);
bool rational_equal(struct rational a, struct rational b);
bool rational_is_integer(struct rational a);
int64_t rational_floor(struct rational a);
/* Digits behind the point when written as a decimal; -1 when no finite decimal exists. */
int rational_decimals(struct rational a);
/* "-7", "2401/2". */
str rational_text(struct arena *arena, struct rational a);
/* Is `stated` the exact value, or the exact value rounded to the one or more decimals it shows? */
bool rational_rounds_to(struct rational exact, struct rational stated);

/* ---- expressions ---- */
struct variable {
    str name;
    struct rational value;
};
struct variables {
    const struct variable *items;
    size_t count;
};
/* + - * / // % ^ ** ( ), unary signs, n!, 50%, × ÷ − ·, and the functions of its table (sqrt, floor,
 * min, comb, …). False for anything else, for what has no exact 64-bit value, and for more than
 * 4096 bytes or 64 nested levels. */
NODISCARD bool arithmetic_evaluate(str expression, const struct variables *variables,
                                   struct rational *out);

/* ---- quantities ---- */
struct quantity {
    struct rational value; /* in the unit below */
    struct rational scale; /* value / scale is the number as it was written */
    str unit; /* canonical, empty for a bare number; in the arena or static */
    bool
        is_scaled; /* the unit as written was not its base: the number as written differs from value */
    bool is_percent; /* written with %, so that value is a hundredth of what was written */
};
/* The whole text as a number, perhaps with a unit: "$1,200.50", "\frac{3}{4}", "1 1/2 h", "3×10^8 m/s". */
NODISCARD bool quantity_parse(struct arena *arena, str text, struct quantity *out);

/* ---- literals ---- */
/* A JSON or Python list, tuple, set or dictionary in one spelling; false when the text is none. */
NODISCARD bool literal_canonical(struct arena *arena, str text, str *out);

/* ---- wrappers ---- */
/* Without what people put around an answer: \boxed{…}, $…$, quotes, "Answer:", "x = ", final marks. */
str answer_unwrap(str answer);

/* Lower case, white space single or (in formulas) dropped, no final marks: when two pieces of prose are the same. */
str text_canonical(struct arena *arena, str text);

/* ---- comparisons beyond equal bytes, for checks only ---- */
/* Equal canonical forms, or equal numbers of which one has no unit. Two answers to one question. */
bool answer_agrees(struct arena *arena, str a, str b);
/* The same of two canonical forms. */
bool forms_agree(struct arena *arena, str a, str b);
/* Does an answer state this exact value: equal, rounded, or (written with %) a hundredth of it? */
bool answer_states(struct arena *arena, str answer, struct rational exact);

#endif
