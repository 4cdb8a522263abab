/* SPDX-License-Identifier: Apache-2.0 */
/*
 * special: the normal, beta and Student distributions, accurate in the tails and for parameters up to 10^12. What could
 * underflow is kept as a logarithm, what could cancel is written so that the large terms are gone before rounding.
 */
#include <float.h>
#include <math.h>

#include "core/stats/stats_internal.h"

/* ---- roots ---- */

/* Where inverse quadratic interpolation through the three last points is to be trusted, it gives the share of [a, b] to go;
 * else ½. Chandrupatla 1997, "A new hybrid quadratic/bisection algorithm". */
static double share_next(const double x[3], const double f[3])
{
    double xi = (x[0] - x[1]) / (x[2] - x[1]);
    double phi = (f[0] - f[1]) / (f[2] - f[1]);

    if (!(phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi))
        return 0.5;
    return f[0] / (f[1] - f[0]) * f[2] / (f[1] - f[2]) +
           (x[2] - x[0]) / (x[1] - x[0]) * f[0] / (f[2] - f[0]) * f[1] / (f[2] - f[1]);
}

#define ROOT_STEPS_MAX 200

double curve_root(const struct curve *curve, double lo, double hi)
{
    /* The newest point, the other end of the bracket, and the point before. */
    double x[3] = { hi, lo, lo };
    double f[3] = { curve->at(curve, hi), curve->at(curve, lo), 0 };
    double share = 0.5;

    for (int step = 0; step < ROOT_STEPS_MAX; step++) {
        double middle = x[0] + share * (x[1] - x[0]);
        double value = curve->at(curve, middle);
        int other = (value > 0) == (f[0] > 0) ? 0 : 1;
        x[2] = x[other];
        f[2] = f[other];
        if (other == 1) {
            x[1] = x[0];
            f[1] = f[0];
        }
        x[0] = middle;
        f[0] = value;
        double best = fabs(f[0]) < fabs(f[1]) ? x[0] : x[1];
        double least = (2 * DBL_EPSILON * fabs(best) + DBL_MIN) / fabs(x[1] - x[0]);
        if (!(least < 0.5) || value == 0)
            return best;
        share = fmin(fmax(share_next(x, f), least), 1 - least);
    }
    return x[0];
}

/* ---- logarithms ---- */

/* exp() of what is less is 0, and takes it ten times as long to say so. */
#define EXP_ARGUMENT_MIN (-746)

double stats_log_sum_exp(const double *x, size_t n)
{
    double most = -INFINITY, sum = 0;

    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    if (isinf(most))
        return most;
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] - most < EXP_ARGUMENT_MIN))
            sum += exp(x[i] - most);
    }
    return most + log(sum);
}

struct fraction fraction_of_logit(double logit)
{
    return (struct fraction){ 1 / (1 + exp(-logit)), 1 / (1 + exp(logit)) };
}

double log_ratio(double x, double base, double diff)
{
    return fabs(diff) < base / 2 ? log1p(diff / base) : log(x / base);
}

/* The series is DLMF 5.11.1; from 10 on its seven terms are exact to rounding. */
double stirling_remainder(double x)
{
    static const double terms[] = { 1.0 / 12,   -1.0 / 360,      1.0 / 1260, -1.0 / 1680,
                                    1.0 / 1188, -691.0 / 360360, 1.0 / 156 };
    double sum = 0;
    int sign;

    if (x < 10)
        return lgamma_r(x, &sign) - ((x - 0.5) * log(x) - x + HALF_LOG_TWO_PI);
    for (size_t i = ARRAY_LEN(terms); i-- > 0;)
        sum = sum / (x * x) + terms[i];
    return sum / x;
}

/* With N = a + b and Stirling's formula for each Γ, what remains is a ln(pN/a) + b ln(qN/b) + ½ ln(ab/2πN) and the
 * remainders; pN - a = pb - qa. */
double log_beta_power(struct fraction x, double a, double b)
{
    double n = a + b, diff = x.p * b - x.q * a;

    return a * log_ratio(x.p * n, a, diff) + b * log_ratio(x.q * n, b, -diff) +
           0.5 * log(fmin(a, b) * (fmax(a, b) / n)) - HALF_LOG_TWO_PI - stirling_remainder(a) -
           stirling_remainder(b) + stirling_remainder(n);
}

/* ---- normal ---- */

double stats_normal_cdf(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

/* Abramowitz and Stegun 26.2.23 is right to 4.5e-4; each of Halley's steps cubes that. */
double stats_normal_quantile(double p)
{
    assert(p > 0 && p < 1);
    if (p > 0.5)
        return -stats_normal_quantile(1 - p);
    double t = sqrt(-2 * log(p));
    double z = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    for (int i = 0; i < 2; i++) {
        double step = (stats_normal_cdf(z) - p) * exp(z * z / 2 + HALF_LOG_TWO_PI);
        z -= step / (1 + z * step / 2);
    }
    return z;
}

/* ---- beta ---- */

#define FRACTION_STEPS_MAX 20000
/* From here on a continued fraction would take √n steps, and integrating the tail takes always the same. */
#define QUADRATURE_FROM 3000

/* What the incomplete beta function is divided by p^a q^b / B(a, b), for p up to about the mean: the even part of the
 * continued fraction DLMF 8.17.22, in which the complement q keeps its digits (Didonato and Morris 1992), by Lentz's method. */
static double beta_fraction(struct fraction x, double a, double b)
{
    double base = a * x.q - b * x.p + 1, value = a * base / (a + 1), c = value, d = 0;

    for (int n = 1; n < FRACTION_STEPS_MAX; n++) {
        double m = a + 2 * n, step = n * (b - n) * x.p / (m - 1);
        double numerator = (a + n - 1) / (m - 1) * (a + b + n - 1) * x.p * step;
        double part = n + step + (a + n) * (base + n * (1 + x.q)) / (m + 1);
        d = 1 / (part + numerator * d);
        c = part + numerator / c;
        value *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON)
            break;
    }
    return 1 / value;
}

/* The positive half of 16-point Gauss-Legendre. */
static const double gauss_nodes[] = { 0.09501250983763744, 0.2816035507792589, 0.45801677765722737,
                                      0.6178762444026438,  0.755404408355003,  0.8656312023878318,
                                      0.9445750230732326,  0.9894009349916499 };
static const double gauss_weights[] = { 0.18945061045506864,  0.18260341504492364,
                                        0.16915651939500265,  0.1495959888165767,
                                        0.12462897125553407,  0.0951585116824926,
                                        0.062253523938647456, 0.027152459411754176 };
#define GAUSS_PANELS 4

/* The beta density at x - u over that at x. */
static double beta_decay(struct fraction x, double a, double b, double u)
{
    return exp((a - 1) * log1p(-u / x.p) + (b - 1) * log1p(u / x.q));
}

/* ∫ of the decay over all below x, for x about the mean or below: a Gaussian flank, cut where it has fallen to e^-50. */
static double beta_flank(struct fraction x, double a, double b)
{
    double n = a + b;
    double deviation = sqrt(a / n * (b / n) / (n + 1));
    double z = fmax((a * x.q - b * x.p) / (n * deviation), 0);
    double width = fmin(x.p, deviation * 100 / (z + sqrt(z * z + 100)));
    double half = width / (2 * GAUSS_PANELS), sum = 0;

    for (int panel = 0; panel < GAUSS_PANELS; panel++) {
        double middle = (2 * panel + 1) * half;
        for (size_t i = 0; i < ARRAY_LEN(gauss_nodes); i++)
            sum += gauss_weights[i] * (beta_decay(x, a, b, middle - half * gauss_nodes[i]) +
                                       beta_decay(x, a, b, middle + half * gauss_nodes[i]));
    }
    return sum * half;
}

/* ln of the distribution function of Beta(a, b). */
static double beta_log_cdf(struct fraction x, double a, double b)
{
    if (x.p <= 0)
        return -INFINITY;
    if (x.q <= 0)
        return 0;
    if (x.p > (a + 1) / (a + b + 2))
        return log1p(-exp(beta_log_cdf((struct fraction){ x.q, x.p }, b, a)));
    if (fmin(a, b) < QUADRATURE_FROM)
        return log_beta_power(x, a, b) + log(beta_fraction(x, a, b));
    return log_beta_power(x, a, b) + log(beta_flank(x, a, b) / (x.p * x.q));
}

double stats_beta_cdf(double x, double a, double b)
{
    assert(a > 0 && b > 0);
    return exp(beta_log_cdf((struct fraction){ x, 1 - x }, a, b));
}

/* ln F of a logit, less a target: concave and all but straight in the lower tail, so that few steps find its zero. */
struct beta_curve {
    struct curve curve;
    double a, b;
    double log_target;
};

static double beta_curve_at(const struct curve *curve, double logit)
{
    const struct beta_curve *beta = CONTAINER_OF_CONST(curve, struct beta_curve, curve);

    return beta_log_cdf(fraction_of_logit(logit), beta->a, beta->b) - beta->log_target;
}

#define LOGIT_MAX 700.0

double beta_quantile_logit(double p, double a, double b)
{
    assert(p > 0 && p < 1);
    if (p > 0.5)
        return -beta_quantile_logit(1 - p, b, a);
    struct beta_curve beta = { { beta_curve_at }, a, b, log(p) };
    double middle = log(a / b), step = sqrt(1 / a + 1 / b);
    double hi = middle, lo = middle - step;
    while (beta_curve_at(&beta.curve, hi) < 0 && hi < LOGIT_MAX)
        hi += step;
    while (beta_curve_at(&beta.curve, lo) > 0 && lo > -LOGIT_MAX) {
        lo -= step;
        step *= 2;
    }
    return curve_root(&beta.curve, lo, hi);
}

double stats_beta_quantile(double p, double a, double b)
{
    assert(a > 0 && b > 0 && p >= 0 && p <= 1);
    if (p <= 0 || p >= 1)
        return p;
    return fraction_of_logit(beta_quantile_logit(p, a, b)).p;
}

/* T² / (degrees + T²) has a beta distribution. */
double student_two_sided(double alpha, double degrees)
{
    return sqrt(degrees * exp(-beta_quantile_logit(alpha, degrees / 2, 0.5)));
}
