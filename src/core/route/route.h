/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: which strategy and model a question gets, and why. Pure: a decision is a function of the question, the
 * trained model, what candidates are known to do, the budget and a seeded generator.
 *
 * May include: base, core/json, core/stats, core/calibration.
 */
#ifndef WEIR_CORE_ROUTE_ROUTE_H
#define WEIR_CORE_ROUTE_ROUTE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/rng.h"
#include "core/json/json.h"

/* ---- scorers ---- */
enum route_scorer { ROUTE_SEED_V1, ROUTE_WORDS_V1, ROUTE_LEARNED_V1, ROUTE_SCORER_COUNT };
const char *route_scorer_name(enum route_scorer s); /* "seed_v1", … */
bool route_scorer_find(str name, enum route_scorer *out);

/* What the seed's scorer found; all in integer hundredths, so that its sums are exact. */
struct rule_score {
    int total; /* 0..100 */
    int multi_step; /* 0 or 25 */
    int constraints; /* 0..20 */
    int ambiguity; /* 0 or 15 */
    int questions; /* 0..20 */
    int optimisation; /* 0 or 20 */
};
/* Bit-exact to the seed, substring matches and ASCII-and-beyond lower-casing included (see docs/routing.md). <= 1 µs for 500 bytes. */
struct rule_score route_score_seed(str question, str domain);
/* The same rules on whole words. */
struct rule_score route_score_words(str question, str domain);

/* ---- features and the learned scorer ---- */
#define ROUTE_DENSE 25
#define ROUTE_GRAMS 4096 /* buckets of hashed unigrams and bigrams */
#define ROUTE_GRAMS_MAX 512 /* of one question; what is beyond is not counted */

/* What surrounds a question in its request. */
struct route_context {
    str domain; /* may be empty */
    int turns; /* messages of the conversation */
    int tools; /* offered */
    bool has_schema;
};
struct route_features {
    float dense[ROUTE_DENSE];
    uint16_t grams[ROUTE_GRAMS_MAX]; /* sorted bucket numbers, without repeats */
    uint16_t gram_count;
};
const char *route_feature_name(size_t dense_index);
void route_features_read(struct route_features *out, str question,
                         const struct route_context *context);

struct route_model; /* weights, domain priors, calibration: immutable, in an arena */

struct route_reason { /* a signed contribution to the log odds, largest first */
    str name; /* "digits", "word 'prove'"-less: a gram bucket is named "gram 1234" */
    double contribution;
};
#define ROUTE_REASONS_MAX 5
struct learned_score {
    double gain; /* calibrated P(the strong model is right and the weak one wrong) */
    double
        weak_success; /* P(the weak model is right), from the domain prior and the same features */
    struct route_reason reasons[ROUTE_REASONS_MAX];
    size_t reason_count;
};
void route_score_learned(const struct route_model *m, const struct route_features *f, str domain,
                         struct learned_score *out);

/* ---- domains ---- */
struct domain_guess {
    str domain; /* "tactical", "cybersecurity", "stem", "generic" */
    double probability;
};
/* A classifier of words, for requests that name no domain. */
struct domain_guess route_domain_guess(str question);

#endif
