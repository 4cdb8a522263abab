/* SPDX-License-Identifier: Apache-2.0 */
/* counterfactual: what another policy would have got, from logged choices and their propensities. */
#include <float.h>
#include <math.h>

#include "core/route/route_metrics.h"

static struct interval around(double estimate, double se, double z)
{
    return (struct interval){ estimate, estimate - z * se, estimate + z * se };
}

static double weight_of(const struct route_logged *row)
{
    return row->target / row->propensity;
}

static double doubly_robust_term(const struct route_logged *row)
{
    return row->value_target + weight_of(row) * (row->reward - row->value_logged);
}

struct sums {
    double weights;
    double weights_squared;
    double ips;
    double doubly_robust;
};

static struct sums sums_of(const struct route_logged *rows, size_t n, double *out_weight_max)
{
    struct sums s = { .weights = 0 };

    for (size_t i = 0; i < n; i++) {
        double w = weight_of(&rows[i]);
        assert(rows[i].propensity > 0);
        s.weights += w;
        s.weights_squared += w * w;
        s.ips += w * rows[i].reward;
        s.doubly_robust += doubly_robust_term(&rows[i]);
        *out_weight_max = fmax(*out_weight_max, w);
    }
    return s;
}

void route_counterfactual(struct counterfactual *out, const struct route_logged *rows, size_t n,
                          double alpha)
{
    const struct interval nothing = { 0, -DBL_MAX, DBL_MAX };
    double z = stats_normal_quantile(1 - alpha / 2), count = (double)n;
    double ips_squares = 0, self_squares = 0, robust_squares = 0;

    *out = (struct counterfactual){
        .n = (int64_t)n, .ips = nothing, .self_normalised = nothing, .doubly_robust = nothing
    };
    struct sums s = sums_of(rows, n, &out->weight_max);
    if (n < 2 || !(s.weights > 0))
        return; /* no row says anything about what the other policy would do */
    double ips = s.ips / count, robust = s.doubly_robust / count;
    double self = s.ips / s.weights;
    for (size_t i = 0; i < n; i++) {
        double w = weight_of(&rows[i]);
        ips_squares += pow(w * rows[i].reward - ips, 2);
        self_squares += pow(w * (rows[i].reward - self), 2); /* the delta method for a ratio */
        robust_squares += pow(doubly_robust_term(&rows[i]) - robust, 2);
    }
    out->ips = around(ips, sqrt(ips_squares / (count * (count - 1))), z);
    out->doubly_robust = around(robust, sqrt(robust_squares / (count * (count - 1))), z);
    out->self_normalised = around(self, sqrt(self_squares) / s.weights, z);
    out->effective_n = s.weights * s.weights / s.weights_squared;
}
