/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: which strategy and model a question gets, and why. Pure: a decision is a function of the question, the
 * trained model, what candidates are known to do, the budget and a seeded generator.
 *
 * Here is what serving needs: scorers, features, the domain of a question, the trained model and its file, the
 * decision. Training is in route_train.h; how good a router is, before and after it has run, in route_metrics.h.
 *
 * May include: base, core/json, core/money, core/stats, core/calibration.
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
/* Exact to the seed, its substring matches and Python's lower-casing of Unicode included; any bytes, any length. The
 * domain must be "stem", these four letters, for the optimisation rule. <= 1 µs for 500 bytes. */
struct rule_score route_score_seed(str question, str domain);
/* The same rules on whole words: runs of ASCII letters, digits, underscores and bytes that are not ASCII. */
struct rule_score route_score_words(str question, str domain);
/* The seed's comparison, in hundredths; its default threshold is 80. (Its own sums of floats fall short of .45, .55, .65,
 * .85 and .90 by one bit for some questions; at .80 they never do.) */
#define ROUTE_MCTS_THRESHOLD 80
bool route_should_use_mcts(int score_hundredths, int threshold_hundredths);

/* ---- features ---- */
#define ROUTE_DENSE 25
#define ROUTE_GRAMS 4096 /* buckets of hashed unigrams and bigrams */
#define ROUTE_GRAMS_MAX 512 /* of one question; what is beyond is not counted */
#define ROUTE_QUESTION_BYTES_MAX 65536 /* what is beyond counts for the length only */

/* What surrounds a question in its request. */
struct route_context {
    int turns; /* messages of the conversation; 0: not known */
    int tools; /* offered */
    bool has_schema;
};
struct route_gram {
    uint16_t bucket; /* < ROUTE_GRAMS */
    uint16_t len; /* its first word or two words in the question, clipped to 65535 bytes */
    uint32_t start;
};
struct route_features {
    float dense[ROUTE_DENSE]; /* counts as log(1 + count), shares in [0, 1] */
    uint16_t gram_count;
    struct route_gram grams[ROUTE_GRAMS_MAX]; /* in order of occurrence, no bucket twice */
};
const char *route_feature_name(size_t dense_index); /* "length", "digits", … */
void route_features_read(struct route_features *out, str question,
                         const struct route_context *context);

/* ---- domains ---- */
struct domain_guess {
    str domain; /* "tactical", "cybersecurity", "stem", "generic" */
    double probability;
};
/* Naive Bayes over a lexicon of our own, for requests that name no domain; "generic" when unsure. */
struct domain_guess route_domain_guess(str question);

/* ---- the trained model ---- */
struct route_model; /* weights, domain rates, arms, calibration: immutable, in an arena */
struct confidence_table;

#define ROUTE_MODEL_BYTES_MAX ((size_t)2 << 20) /* of its file; usually below 200 KB */

/* JSON both ways; written and read again it is the same model, to the bit. CALLER_BAD_JSON or CALLER_BAD_REQUEST with a
 * sentence in *out_what (in the arena). The text need not outlive the call. */
void route_model_write(const struct route_model *model, struct buf *out);
NODISCARD enum err route_model_read(struct arena *arena, str text, const struct route_model **out,
                                    str *out_what);
/* The "confidence" member; NULL when the model has none. */
const struct confidence_table *route_model_confidence(const struct route_model *model);

/* What it was made from. */
enum route_basis {
    ROUTE_FROM_PAIRS, /* questions that both models answered */
    ROUTE_FROM_SIDES /* questions that one of them answered: gain was never seen */
};
/* How it was trained and what it reached on held-out rows. */
struct route_facts {
    enum route_basis basis;
    int64_t n; /* rows; 0: arms and confidences are all that there is */
    int64_t
        holdout; /* rows that were held out from what judged them: all of them, in turn, when cross-validated */
    int folds;
    uint64_t seed;
    uint64_t data_hash; /* of the rows in their order */
    double
        auc; /* of the chosen score for gain; .5 without a gain or without its opposite; 0 but from pairs */
    double ece; /* of the calibrated gain; 0 but from pairs */
    bool
        has_apgr; /* the strong model was right more often, so that there is something to recover; else 0, 0, 0 */
    double apgr; /* of the scorer that was chosen: the larger of the two, so a little optimistic */
    double apgr_learned;
    double apgr_domain_table;
    bool
        is_domain_table; /* the features did no better than a table of rates by domain: the score is that table's */
    str weak_model;
    str strong_model;
};
const struct route_facts *route_model_facts(const struct route_model *model);
/* Without one, arms are all that it knows: its score says nothing, and decisions do without. */
bool route_model_has_scorer(const struct route_model *model);

/* ---- the learned scorer ---- */
enum route_reason_kind {
    ROUTE_REASON_FEATURE, /* name: a dense feature's */
    ROUTE_REASON_WORDS, /* name: one or two words of the question, as they stand in it */
    ROUTE_REASON_DOMAIN /* name: the domain whose rate counts, or an ancestor of it */
};
struct route_reason { /* a signed contribution to the log odds of gain, largest first */
    enum route_reason_kind kind;
    str name; /* points into the question, the model or static memory */
    double contribution;
};
#define ROUTE_REASONS_MAX 5
struct learned_score {
    double gain; /* calibrated P(the strong model is right and the weak one wrong) */
    double log_odds; /* of gain, before calibration: what ranks questions */
    double weak_success; /* calibrated P(the weak model is right) */
    struct route_reason reasons[ROUTE_REASONS_MAX];
    size_t reason_count;
};
/* f was read from `question`. <= 5 µs for 500 bytes, reading the features included. */
void route_score_learned(const struct route_model *model, const struct route_features *f,
                         str question, str domain, struct learned_score *out);

/* ---- the decision ---- */
#define ROUTE_CANDIDATES_MAX 16

struct route_candidate {
    str strategy;
    str model;
    nano_usd
        cost_estimate; /* of one query, when the model file knows nothing better; COST_UNPRICED: not known */
};
/* The arms that the model was trained on, whatever the domain; how many were written, at most max. Texts are the model's. */
size_t route_model_arms(const struct route_model *model, struct route_candidate *out, size_t max);

struct route_options {
    nano_usd value_nano_usd; /* what one right answer is worth, >= 0 */
    nano_usd
        cost_cap_nano_usd; /* no candidate that is expected to cost more is taken; negative: no cap */
    double quality_min; /* candidates expected to be right less often are passed over; 0: none */
    double epsilon; /* [0, 1]: how often to explore, uniformly among what is allowed */
};

/* Where a quality comes from. */
enum route_ground {
    ROUTE_GROUND_QUESTION, /* the learned scorer, from the question itself */
    ROUTE_GROUND_DOMAIN, /* the arm's rate in the domain, shrunk to its rate in the domain above */
    ROUTE_GROUND_ARM, /* the arm's rate over all domains: it was never seen in this one */
    ROUTE_GROUND_PRIOR /* nothing is known of the arm: the mean of all arms, or one half */
};
struct route_estimate {
    double quality; /* P(right) */
    enum route_ground ground;
    int64_t n; /* answers behind it; 0 for the prior */
    nano_usd cost; /* expected; COST_UNPRICED: not known, and then no cap admits it */
    double utility; /* quality · value − cost, nano-dollars */
    bool is_allowed; /* under the cap and good enough */
    double propensity; /* with which this decision picks it */
};
enum route_cause {
    ROUTE_CAUSE_BEST, /* the highest utility among what is allowed */
    ROUTE_CAUSE_EXPLORED, /* drawn by epsilon, though another was better */
    ROUTE_CAUSE_CAP, /* nothing fits under the cap: the cheapest */
    ROUTE_CAUSE_QUALITY /* nothing under the cap is good enough: the best of it */
};
struct route_decision {
    size_t chosen;
    double propensity; /* of the chosen one: what a counterfactual estimate divides by */
    bool is_explored; /* the draw was an exploration, whichever candidate it hit */
    enum route_cause cause;
    size_t candidate_count;
    struct route_estimate estimates[ROUTE_CANDIDATES_MAX];
};
/* What is known of a question. score may be NULL: then arms are all that counts. */
struct route_question {
    str domain;
    const struct learned_score *score;
};
/* model may be NULL: nothing is known. 1..ROUTE_CANDIDATES_MAX candidates. With epsilon 0 the generator is not used. */
void route_decide(const struct route_model *model, const struct route_question *question,
                  const struct route_candidate *candidates, size_t n,
                  const struct route_options *options, struct rng *rng, struct route_decision *out);
/* One sentence for people: what was chosen and why. */
void route_decision_explain(const struct route_decision *decision,
                            const struct route_candidate *candidates,
                            const struct route_options *options, struct buf *out);

#endif
