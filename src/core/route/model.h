/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model: what a trained router holds, for the files of core/route that make, read and use it.
 *
 * Its numbers are integers of 10^-5 (weights) or have six decimals, so that what was trained is what is written and read.
 */
#ifndef WEIR_CORE_ROUTE_MODEL_H
#define WEIR_CORE_ROUTE_MODEL_H

#include "core/calibration/confidence_table.h"
#include "core/route/route_internal.h"

#define MODEL_VERSION 1
#define MODEL_DOMAINS_MAX 512
#define MODEL_ARMS_MAX 1024
#define DOMAIN_DEPTH_MAX 8 /* dots; what is deeper counts for its ancestor of this depth */
#define WEIGHT_UNIT 1e-5
#define WEIGHT_UNITS_MAX 5000000 /* 50; below, a float holds every unit */
#define FEATURE_SCALE_MIN 1e-6

/* Labels by which a rate is pulled to the one above it: a domain with as many is half its own. */
#define SHRINK_LABELS 20
/* Standardised features are clipped to this many standard deviations: beyond lies what training has not seen. */
#define FEATURE_DEVIATIONS_MAX 5.0

enum head { HEAD_GAIN, HEAD_WEAK, HEAD_COUNT };

/* A domain, its dotted ancestors included; the first row is the root, with the empty name. Sorted by name, so that an
 * ancestor stands before its descendants. Counts are of the domain and all below it. */
struct domain_row {
    str name;
    int64_t both; /* right */
    int64_t gain; /* only the strong model was */
    int64_t loss; /* only the weak one was */
    int64_t neither;
    /* Derived from the counts by domain_rates_set(), each shrunk to the row above: */
    double gain_rate;
    double loss_rate;
    double weak_rate;
    double log_odds[HEAD_COUNT]; /* that a head starts from before it sees the question */
};
struct domain_table {
    struct domain_row *rows;
    size_t count;
};

/* What a strategy on a model is known to do; domain rows as above, for each (strategy, model) its root first. Sorted by
 * strategy, model, domain. */
struct arm_row {
    str strategy;
    str model;
    str domain;
    int64_t n;
    int64_t right;
    int64_t cost_n; /* answers whose cost is known */
    nano_usd cost_mean;
    int64_t latency_n;
    double latency_ms_mean;
};

struct route_model {
    struct route_facts facts;
    double feature_mean[ROUTE_DENSE];
    double feature_scale[ROUTE_DENSE]; /* > 0 */
    double intercept[HEAD_COUNT];
    double dense[HEAD_COUNT][ROUTE_DENSE]; /* of standardised features */
    float grams[ROUTE_GRAMS][HEAD_COUNT]; /* of a gram's presence / sqrt(grams of the question) */
    struct fit calibration[HEAD_COUNT]; /* of log odds; FIT_NONE: the logistic function itself */
    struct domain_table domains;
    struct arm_row *arms;
    size_t arm_count;
    const struct confidence_table *confidence; /* may be NULL */
};

/* The names above a name: "a.b.c" gives "a.b", "a", "". False for the root. */
bool domain_parent(str name, str *out);
/* The name without what is too deep. */
str domain_clip(str name);
/* The row of a name or of its nearest ancestor; the table must have its root. */
const struct domain_row *domain_row_find(const struct domain_table *table, str name);
void domain_rates_set(struct domain_table *table);
double rate_shrunk(int64_t k, int64_t n, double above);

double logistic_of(double log_odds); /* 1/(1 + e^-x) */

/* How far a feature is from its mean, in standard deviations, clipped. */
double feature_standardised(double value, double mean, double scale);

/* Over a row's (strategy, model): NULL when it has none of just this domain. */
const struct arm_row *arm_find(const struct route_model *model, str strategy, str model_name,
                               str domain);
int arm_cmp(const struct arm_row *a, const struct arm_row *b);

/* Of the features' definitions: a model that was trained with other ones is refused. */
uint64_t features_hash(void);

/* The nearest that a file can hold. */
double weight_rounded(double weight); /* in units, clipped */
double six_decimals(double x);

#endif
