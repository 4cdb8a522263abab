/* SPDX-License-Identifier: Apache-2.0 */
/* posterior: see posterior.h. */
#include "core/search/posterior.h"

#include <math.h>

#define HALF_PI 1.57079632679489661923

/* ---- from observations ---- */

struct posterior posterior_beta(double prior_a, double prior_b, double count, double sum)
{
    return (struct posterior){ .kind = POSTERIOR_BETA,
                               .a = prior_a + sum,
                               .b = prior_b + (count - sum) };
}

struct posterior posterior_student(const struct student_prior *prior, double count, double sum,
                                   double square)
{
    double weight = prior->mean_weight + count, freedom = prior->variance_weight + count;
    double spread = 0, shift = 0;

    if (count > 0) {
        double mean = sum / count;
        spread = square - sum * mean;
        spread = spread > 0 ? spread : 0; /* the squares were rounded */
        shift = prior->mean_weight * count / weight * (mean - prior->mean) * (mean - prior->mean);
    }
    double variance = (prior->variance_weight * prior->variance + spread + shift) / freedom;
    return (struct posterior){ .kind = POSTERIOR_STUDENT,
                               .location = (prior->mean_weight * prior->mean + sum) / weight,
                               .scale = sqrt(variance / weight),
                               .freedom = freedom };
}

/* ---- draws ---- */

/* A point of the unit disc other than its centre; the squared radius. */
static double disc_draw(struct rng *rng, double *out_x)
{
    for (;;) {
        double x = 2 * rng_unit(rng) - 1, y = 2 * rng_unit(rng) - 1;
        double square = x * x + y * y;
        if (square < 1 && square > 0) {
            *out_x = x;
            return square;
        }
    }
}

/* Bailey, Polar generation of random variates with the t-distribution (1994). */
static double student_draw(double freedom, struct rng *rng)
{
    double x, square = disc_draw(rng, &x);

    return x * sqrt(freedom * expm1(-2 / freedom * log(square)) / square);
}

/* Marsaglia and Tsang, A simple method for generating gamma variables (2000); shape >= 1. */
static double gamma_draw_large(double shape, struct rng *rng)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        double x, square = disc_draw(rng, &x);
        double normal = x * sqrt(-2 * log(square) / square);
        double v = 1 + c * normal;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = 1 - rng_unit(rng);
        double n2 = normal * normal;
        if (u < 1 - 0.0331 * n2 * n2 || log(u) < 0.5 * n2 + d * (1 - v + log(v)))
            return d * v;
    }
}

static double gamma_draw(double shape, struct rng *rng)
{
    if (shape >= 1)
        return gamma_draw_large(shape, rng);
    return gamma_draw_large(shape + 1, rng) * pow(1 - rng_unit(rng), 1 / shape);
}

double posterior_draw(const struct posterior *p, struct rng *rng)
{
    if (p->kind == POSTERIOR_STUDENT)
        return p->location + p->scale * student_draw(p->freedom, rng);
    double x = gamma_draw(p->a, rng), y = gamma_draw(p->b, rng);
    return x + y > 0 ? x / (x + y) : 0.5; /* both underflow only for shapes far below 1 */
}

/* ---- tails ---- */

static double log_gamma(double x)
{
    int sign;

    return lgamma_r(x, &sign);
}

static double log_beta(double a, double b)
{
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

/* The continued fraction of the incomplete beta function (NIST DLMF 8.17.22) by Lentz's method; it converges fast for
 * x below the mean. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);

    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m < 500; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        h *= d * c;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-10)
            break;
    }
    return h;
}

/* P(X <= x) for X ~ Beta(a, b), y = 1 - x, log_b = ln B(a, b). */
static double beta_below(double a, double b, double log_b, double x, double y)
{
    if (x <= 0)
        return 0;
    if (y <= 0)
        return 1;
    double front = exp(a * log(x) + b * log(y) - log_b);
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, y) / b;
}

static double student_tail(double freedom, double t)
{
    double square = t * t, x = freedom / (freedom + square), y = square / (freedom + square);
    double outside = beta_below(freedom / 2, 0.5, log_beta(freedom / 2, 0.5), x, y);

    return t > 0 ? outside / 2 : 1 - outside / 2; /* outside: P(|T| > |t|), DLMF 8.17 */
}

double posterior_tail(const struct posterior *p, double x)
{
    if (p->kind == POSTERIOR_STUDENT)
        return student_tail(p->freedom, (x - p->location) / p->scale);
    return beta_below(p->b, p->a, log_beta(p->a, p->b), 1 - x, x);
}

/* ---- inverse tails ---- */

/* The z with P(Z > z) = tail, tail <= 1/2: Acklam's rational approximation, relative error 1.2e-9. */
static double normal_tail_inverse(double tail)
{
    static const double a[] = { -3.969683028665376e+01, 2.209460984245205e+02,
                                -2.759285104469687e+02, 1.383577518672690e+02,
                                -3.066479806614716e+01, 2.506628277459239e+00 };
    static const double b[] = { -5.447609879822406e+01, 1.615858368580409e+02,
                                -1.556989798598866e+02, 6.680131188771972e+01,
                                -1.328068155288572e+01 };
    static const double c[] = { -7.784894002430293e-03, -3.223964580411365e-01,
                                -2.400758277161838e+00, -2.549732539343734e+00,
                                4.374664141464968e+00,  2.938163982698783e+00 };
    static const double d[] = { 7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                                3.754408661907416e+00 };

    if (tail < 0.02425) {
        double q = sqrt(-2 * log(tail));
        return -(((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
               ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    }
    double q = 0.5 - tail, r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

/* Hill's algorithm; n > 1 degrees of freedom, tail <= 1/2. */
static double student_tail_inverse(double n, double tail)
{
    double both = 2 * tail;

    if (n == 1)
        return 1 / tan(both * HALF_PI);
    if (n == 2)
        return sqrt(2 / (both * (2 - both)) - 2);
    double a = 1 / (n - 0.5), b = 48 / (a * a);
    double c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
    double d = ((94.5 / (b + c) - 3) / b + 1) * sqrt(a * HALF_PI) * n;
    double x = d * both, y = pow(x, 2 / n);
    if (y <= 0.05 + a)
        return sqrt(
            n *
            (((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y -
              1) *
                 (n + 1) / (n + 2) +
             1 / y));
    x = -normal_tail_inverse(tail);
    y = x * x;
    if (n < 5)
        c += 0.3 * (n - 4.5) * (x + 0.6);
    c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
    return sqrt(n * expm1(a * y * y));
}

/* Newton's steps for ln P(X > 1 - y) in ln y, which is nearly a straight line where y is small, kept between
 * shrinking ends. It begins with the tail's first term, y^b / (b B(a, b)). */
static double beta_tail_inverse(double a, double b, double tail)
{
    double log_b = log_beta(a, b), low = 0, high = 1;
    double y = exp((log(tail * b) + log_b) / b);

    if (y > b / (a + b))
        y = b / (a + b);
    for (int i = 0; i < 60 && high - low > 1e-15 * high; i++) {
        double above = beta_below(b, a, log_b, y, 1 - y);
        double error = log(above / tail);
        if (fabs(error) < 1e-7)
            break;
        if (error > 0)
            high = y;
        else
            low = y;
        double slope = exp(b * log(y) + (a - 1) * log1p(-y) - log_b) / above;
        double next = y * exp(-error / slope);
        y = next > low && next < high ? next : (low + high) / 2;
    }
    return 1 - y;
}

double posterior_tail_inverse(const struct posterior *p, double tail)
{
    if (p->kind == POSTERIOR_BETA)
        return beta_tail_inverse(p->a, p->b, tail);
    if (tail > 0.5)
        return p->location - p->scale * student_tail_inverse(p->freedom, 1 - tail);
    return p->location + p->scale * student_tail_inverse(p->freedom, tail);
}
