/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of sim share; nobody else includes it. */
#ifndef WEIR_CORE_SIM_SIM_INTERNAL_H
#define WEIR_CORE_SIM_SIM_INTERNAL_H

#include "base/base.h"

#define SIM_EXPRESSION_MAX 160 /* bytes of an expression in its normal form */
#define SIM_NUMBER_MAX 48 /* bytes of a number's text, NUL included */

/* An exact number; the denominator is positive and shares no factor with the numerator. */
struct sim_number {
    int64_t numerator;
    int64_t denominator;
};

struct sim_expression {
    char text[SIM_EXPRESSION_MAX]; /* ASCII, one form for all spellings: "17 plus 4" is "17+4" */
    size_t len;
    int operators;
    struct sim_number value;
};

/* The expression with the most operators in a text, the first of equals; false when the text holds no
 * operator between numbers whose value fits. */
bool sim_expression_find(str text, struct sim_expression *out);

/* a + b; false on overflow. */
bool sim_number_add(struct sim_number a, struct sim_number b, struct sim_number *out);
/* "42", "2.5", or "1/3" where no finite decimal exists. out: SIM_NUMBER_MAX bytes. */
str sim_number_format(struct sim_number n, char out[SIM_NUMBER_MAX]);

#endif
