/* SPDX-License-Identifier: Apache-2.0 */
/* several: what changes when there are several: runs of one question (clusters), and tests in one table (Holm). */
#include <math.h>

#include "core/stats/stats_internal.h"

/* The sandwich estimate with the usual G/(G - 1) (Cameron and Miller 2015; for evaluations, Miller 2024). */
static double clustered_se(const struct cluster *clusters, size_t count, double mean, double total)
{
    double sum = 0, groups = (double)count;

    for (size_t i = 0; i < count; i++) {
        double rest = clusters[i].sum - (double)clusters[i].n * mean;
        sum += rest * rest;
    }
    return sqrt(groups / (groups - 1) * sum) / total;
}

struct interval stats_clustered_mean(const struct cluster *clusters, size_t count, double alpha,
                                     double *out_se)
{
    double total = 0, sum = 0;

    assert(alpha > 0 && alpha < 1);
    for (size_t i = 0; i < count; i++) {
        total += (double)clusters[i].n;
        sum += clusters[i].sum;
    }
    double mean = total > 0 ? sum / total : 0;
    double se = count >= 2 && total > 0 ? clustered_se(clusters, count, mean, total) : INFINITY;
    if (out_se)
        *out_se = se;
    if (isinf(se))
        return (struct interval){ mean, -INFINITY, INFINITY };
    double half = student_two_sided(alpha, (double)count - 1) * se;
    return (struct interval){ mean, mean - half, mean + half };
}

#define HOLM_MAX 4096

/* Holm 1979. */
void stats_holm(double *p, size_t n)
{
    uint16_t order[HOLM_MAX] = { 0 };
    double least = 0;

    assert(n <= HOLM_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && p[order[at - 1]] > p[i]; at--)
            order[at] = order[at - 1];
        order[at] = (uint16_t)i;
    }
    for (size_t i = 0; i < n; i++) {
        least = fmax(least, fmin((double)(n - i) * p[order[i]], 1));
        p[order[i]] = least;
    }
}
