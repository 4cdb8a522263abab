/* SPDX-License-Identifier: Apache-2.0 */
/* srm: did the split come out as it was meant? A sequential Bayes factor of a Dirichlet mixture against the weights. */
#include <math.h>

#include "core/stats/stats_internal.h"

/* How closely the alternative is centred on the weights; the larger, the smaller the mismatches it is made for. */
#define CONCENTRATION 10000.0

/*
 * lnΓ(C) - lnΓ(C + N) + Σ [lnΓ(a + k) - lnΓ(a) - k ln p] with a = Cp for an arm of weight p and count k. By Stirling's formula
 * each arm contributes (a + k - ½) ln((a + k) / (p (C + N))), where a + k - p (C + N) = k - pN, besides the remainders; and
 * all arms together ½ (arms - 1) ln(C / (C + N)).
 */
static double arm_term(double p, double k, double total)
{
    double a = CONCENTRATION * p, expected = p * (CONCENTRATION + total);

    return (a + k - 0.5) * log_ratio(a + k, expected, k - p * total) + stirling_remainder(a + k) -
           stirling_remainder(a);
}

double stats_srm_log_bayes(const double *weights, const int64_t *counts, size_t arms)
{
    double weight = 0, total = 0, sum = 0, used = 0;

    for (size_t i = 0; i < arms; i++) {
        assert(weights[i] >= 0);
        assert(counts[i] >= 0);
        weight += weights[i];
        total += (double)counts[i];
    }
    for (size_t i = 0; i < arms; i++) {
        if (weights[i] > 0) {
            sum += arm_term(weights[i] / weight, (double)counts[i], total);
            used++;
        } else if (counts[i] > 0) {
            return INFINITY;
        }
    }
    return sum + 0.5 * (used - 1) * log(CONCENTRATION / (CONCENTRATION + total)) +
           stirling_remainder(CONCENTRATION) - stirling_remainder(CONCENTRATION + total);
}
