/* SPDX-License-Identifier: Apache-2.0 */
/* histogram: exponential buckets, their quantiles, and windows of sums over the last while. */
#include "core/stats/histogram.h"

#include <float.h>
#include <math.h>

#define PER_OCTAVE (1 << HISTOGRAM_SCALE)

/* 2^(j/32 - 1): where buckets begin within the mantissas that frexp() gives. */
/* clang-format off */
static const double starts[PER_OCTAVE] = {
    0.5, 0.5109485743270583, 0.5221368912137069, 0.5335702003384118,
    0.5452538663326288, 0.5571933712979462, 0.5693943173783458, 0.5818624293887887,
    0.5946035575013605, 0.6076236799902345, 0.620928906036742, 0.6345254785958666,
    0.6484197773255048, 0.6626183215798707, 0.6771277734684463, 0.691954940981916,
    0.7071067811865476, 0.7225904034885233, 0.7384130729697497, 0.7545822137967114,
    0.7711054127039704, 0.7879904225539432, 0.8052451659746271, 0.8228777390769825,
    0.8408964152537145, 0.859309649061239, 0.8781260801866497, 0.8973545375015536,
    0.9170040432046712, 0.93708381705515, 0.9576032806985737, 0.9785720620877001,
};
/* clang-format on */

_Static_assert(PER_OCTAVE == 32, "the table has the buckets of one octave");

/* ---- buckets ---- */

/* How many of the starts lie below the mantissa: 0 for ½, whose power of two ends the bucket before. */
static int starts_below(double mantissa)
{
    int lo = 0;

    for (int step = PER_OCTAVE / 2; step > 0; step /= 2) {
        if (starts[lo + step - 1] < mantissa)
            lo += step;
    }
    return lo + (starts[lo] < mantissa);
}

int histogram_index(double value)
{
    int exponent;

    if (!(value > 1))
        return 0;
    if (value > 0x1p32)
        return HISTOGRAM_BUCKETS - 1;
    double mantissa = frexp(value, &exponent);
    return (exponent - 1) * PER_OCTAVE + starts_below(mantissa) - 1;
}

double histogram_upper(int index)
{
    assert(index >= 0 && index < HISTOGRAM_BUCKETS);
    int next = index + 1;
    return ldexp(starts[next % PER_OCTAVE], next / PER_OCTAVE + 1);
}

void histogram_add(struct histogram *h, double value)
{
    double v = fmax(value, 0);

    h->counts[histogram_index(v)]++;
    h->min = h->n == 0 ? v : fmin(h->min, v);
    h->max = h->n == 0 ? v : fmax(h->max, v);
    h->n++;
    h->sum += v;
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
    if (other->n == 0)
        return;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->counts[i] += other->counts[i];
    h->min = h->n == 0 ? other->min : fmin(h->min, other->min);
    h->max = h->n == 0 ? other->max : fmax(h->max, other->max);
    h->n += other->n;
    h->sum += other->sum;
}

/* The value whose greatest relative error over the bucket is least: (base - 1)/(base + 1), 1.08 %. */
static double bucket_middle(int index)
{
    double upper = histogram_upper(index), lower = index == 0 ? 1 : histogram_upper(index - 1);

    return 2 * lower * upper / (lower + upper);
}

struct quantile histogram_quantile(const struct histogram *h, double q)
{
    struct quantile out = { h->n == 0 ? 0 : h->max, true, h->n };
    uint64_t seen = 0;
    int index = 0;

    if (h->n < HISTOGRAM_QUANTILE_N_MIN)
        return out;
    /* A product like .07 · 100 may round up past its whole number. */
    double rank = ceil(q * (double)h->n * (1 - 4 * DBL_EPSILON));
    for (; index < HISTOGRAM_BUCKETS - 1; index++) {
        seen += h->counts[index];
        if ((double)seen >= rank)
            break;
    }
    out.is_maximum = false;
    out.value = fmin(fmax(bucket_middle(index), h->min), h->max);
    return out;
}
