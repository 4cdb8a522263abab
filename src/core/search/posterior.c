/* SPDX-License-Identifier: Apache-2.0 */
/* posterior: see posterior.h. */
#include "core/search/posterior.h"

#include <math.h>

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
static double disc_draw(struct rng *rng, double *out_x, double *out_y)
{
    for (;;) {
        double x = 2 * rng_unit(rng) - 1, y = 2 * rng_unit(rng) - 1;
        double square = x * x + y * y;
        if (square < 1 && square > 0) {
            *out_x = x;
            *out_y = y;
            return square;
        }
    }
}

/* Two independent normal deviates: Marsaglia's polar method. */
static double normal_pair_draw(struct rng *rng, double *out_other)
{
    double x, y, square = disc_draw(rng, &x, &y), factor = sqrt(-2 * log(square) / square);

    *out_other = y * factor;
    return x * factor;
}

/* Bailey, Polar generation of random variates with the t-distribution (1994). */
static double student_draw(double freedom, struct rng *rng)
{
    double x, y, square = disc_draw(rng, &x, &y);

    return x * sqrt(freedom * expm1(-2 / freedom * log(square)) / square);
}

/* Marsaglia and Tsang, A simple method for generating gamma variables (2000); shape >= 1. The first try is made with
 * the normal deviate that is given. */
static double gamma_draw_large(double shape, double normal, struct rng *rng)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d), unused;

    for (;; normal = normal_pair_draw(rng, &unused)) {
        double v = 1 + c * normal;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = 1 - rng_unit(rng);
        double square = normal * normal;
        if (u < 1 - 0.0331 * square * square || log(u) < 0.5 * square + d * (1 - v + log(v)))
            return d * v;
    }
}

static double gamma_draw(double shape, double normal, struct rng *rng)
{
    if (shape >= 1)
        return gamma_draw_large(shape, normal, rng);
    return gamma_draw_large(shape + 1, normal, rng) * pow(1 - rng_unit(rng), 1 / shape);
}

double posterior_draw(const struct posterior *p, struct rng *rng)
{
    if (p->kind == POSTERIOR_STUDENT)
        return p->location + p->scale * student_draw(p->freedom, rng);
    double first, second = normal_pair_draw(rng, &first);
    double x = gamma_draw(p->a, first, rng), y = gamma_draw(p->b, second, rng);
    return x + y > 0 ? x / (x + y) : 0.5; /* both underflow only for shapes far below 1 */
}

/* ---- tails ---- */

/* Stirling's series for ln Gamma(x) - (x - 1/2) ln x + x - ln(2π)/2, to ten digits from x = 7 on (DLMF 5.11.1). */
static double stirling_rest(double x)
{
    double r = 1 / x, r2 = r * r;

    return r * (1.0 / 12 - r2 * (1.0 / 360 - r2 * (1.0 / 1260 - r2 / 1680)));
}

/* Raises x to 7 or more; Gamma(x before) = Gamma(x after) / the product returned. */
static double gamma_raise(double *x)
{
    double product = 1;

    for (; *x < 7; *x += 1)
        product *= *x;
    return product;
}

/* ln B(a, b) = ln Gamma(a) + ln Gamma(b) - ln Gamma(a + b), in a third of the time of three lgamma(). */
static double log_beta(double a, double b)
{
    const double half_log_two_pi = 0.91893853320467274178;
    double c = a + b, raised = gamma_raise(&c);

    raised /= gamma_raise(&a) * gamma_raise(&b);
    return log(raised) + (a - 0.5) * log(a) + (b - 0.5) * log(b) - (c - 0.5) * log(c) + c - a - b +
           half_log_two_pi + stirling_rest(a) + stirling_rest(b) - stirling_rest(c);
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
        if (fabs(d * c - 1) < 1e-9)
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

static double log_beta_of(const struct posterior *p)
{
    if (p->log_beta != 0)
        return p->log_beta;
    return p->kind == POSTERIOR_BETA ? log_beta(p->a, p->b) : log_beta(p->freedom / 2, 0.5);
}

void posterior_prepare(struct posterior *p)
{
    p->log_beta = log_beta_of(p);
}

static double student_tail(const struct posterior *p, double t)
{
    double square = t * t, x = p->freedom / (p->freedom + square);
    double y = square / (p->freedom + square);
    double outside = beta_below(p->freedom / 2, 0.5, log_beta_of(p), x, y);

    return t > 0 ? outside / 2 : 1 - outside / 2; /* outside: P(|T| > |t|), DLMF 8.17 */
}

double posterior_tail(const struct posterior *p, double x)
{
    if (p->kind == POSTERIOR_STUDENT)
        return student_tail(p, (x - p->location) / p->scale);
    return beta_below(p->b, p->a, log_beta_of(p), 1 - x, x);
}

/* Chernoff's bound of P((1-x)·Gamma(a) > x·Gamma(b)), which is the tail: (x/m)^a ((1-x)/(1-m))^b for x above the mean
 * m = a/(a+b). */
double posterior_tail_chernoff(const struct posterior *p, double x)
{
    double sum = p->a + p->b;

    if (p->kind == POSTERIOR_STUDENT || x * sum <= p->a)
        return 1;
    if (x >= 1)
        return 0;
    return exp(p->a * log(x * sum / p->a) + p->b * log((1 - x) * sum / p->b));
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

static double beta_above(const struct posterior *p, double y) /* P(X > 1 - y); prepared */
{
    return beta_below(p->b, p->a, p->log_beta, y, 1 - y);
}

/* Newton's steps for ln P(X > 1 - y) in ln y, which is nearly a straight line where y is small, kept between
 * shrinking ends. `above` is that chance at the first y. The last step is made after the test, which leaves an error of
 * about its square. */
static double beta_tail_inverse(const struct posterior *p, double tail, double y, double above)
{
    double low = 0, high = 1;

    for (int i = 0; i < 60 && high - low > 1e-15 * high; i++) {
        double error = log(above / tail);
        double slope = exp(p->b * log(y) + (p->a - 1) * log1p(-y) - p->log_beta) / above;
        double next = y * exp(-error / slope);
        if (error > 0)
            high = y;
        else
            low = y;
        bool is_inside = next > low && next < high;
        y = is_inside ? next : (low + high) / 2;
        if (is_inside && fabs(error) < 1e-3 * (1 - tail))
            break;
        above = beta_above(p, y);
    }
    return 1 - y;
}

/* Begins with the tail's first term, y^b / (b B(a, b)), or the mean. */
static double beta_tail_inverse_anew(const struct posterior *p, double tail)
{
    double y = exp((log(tail * p->b) + p->log_beta) / p->b), mean = p->b / (p->a + p->b);

    y = y < mean ? y : mean;
    return beta_tail_inverse(p, tail, y, beta_above(p, y));
}

bool posterior_tail_exceeds(const struct posterior *p, double tail, double floor, double *out)
{
    if (p->kind == POSTERIOR_STUDENT) {
        double x = posterior_tail_inverse(p, tail);
        if (x > floor)
            *out = x;
        return x > floor;
    }
    if (posterior_tail_chernoff(p, floor) <= tail)
        return false;
    struct posterior beta = *p;
    posterior_prepare(&beta);
    if (floor <= 0) {
        *out = beta_tail_inverse_anew(&beta, tail);
        return true;
    }
    double above = beta_above(&beta, 1 - floor);
    if (above <= tail)
        return false;
    double x = beta_tail_inverse(&beta, tail, 1 - floor, above);
    if (x > floor)
        *out = x;
    return x > floor;
}

double posterior_tail_inverse(const struct posterior *p, double tail)
{
    if (p->kind == POSTERIOR_BETA) {
        struct posterior beta = *p;
        posterior_prepare(&beta);
        return beta_tail_inverse_anew(&beta, tail);
    }
    if (tail > 0.5)
        return p->location - p->scale * student_tail_inverse(p->freedom, 1 - tail);
    return p->location + p->scale * student_tail_inverse(p->freedom, tail);
}
