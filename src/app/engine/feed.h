/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed: what a worker tells whoever watches production: one fact for each query that ended and for each unit that was
 * shown an arm, through a ring with one writer (the worker) and one reader (the control loop).
 *
 * A caller may rely on: neither side waits, locks or allocates; when the reader is too slow facts are dropped and
 * counted, never the query; facts come out in the order they went in.
 *
 * May include: base.
 */
#ifndef WEIR_APP_ENGINE_FEED_H
#define WEIR_APP_ENGINE_FEED_H

#include "base/base.h"

#define FEED_SLOTS 8192u /* at 200 ms between two readings: 40,000 facts a second and worker */

/* Domains as a closed set, so that what a client writes cannot add a series. */
/* clang-format off */
#define FEED_DOMAIN_TABLE(X)             \
    X(GENERIC,       "generic")          \
    X(TACTICAL,      "tactical")         \
    X(CYBERSECURITY, "cybersecurity")    \
    X(STEM,          "stem")             \
    X(OTHER,         "other")
/* clang-format on */
enum feed_domain {
#define X(name, text) FEED_DOMAIN_##name,
    FEED_DOMAIN_TABLE(X)
#undef X
        FEED_DOMAIN_COUNT
};
const char *feed_domain_name(enum feed_domain d);
enum feed_domain feed_domain_of(str name); /* "stem.algebra" is stem's */

/* What a query was assigned to. Small, by value: the query keeps it whatever happens to the rollout. */
struct feed_assignment {
    int64_t rollout_phase; /* of the arm below */
    uint32_t rollout; /* number of the rollout that was asked; 0: none */
    uint32_t experiment; /* number of the experiment that it takes part in; 0: none */
    uint8_t rollout_arm; /* enum rollout_arm */
    uint8_t experiment_arm;
    uint8_t experiment_epoch; /* whose shares decided */
};

enum {
    FEED_EXPOSURE = 1, /* a unit meets its arm; else: a query has ended */
    FEED_ANSWERED = 2, /* it gave an answer */
    FEED_FAILED =
        4, /* the provider's fault, ours, a budget's or the deadline's: not the client's */
    FEED_GONE = 8, /* the client left first */
    FEED_CACHED = 16,
    FEED_PLAIN = 32, /* relayed to a model that the client named */
    FEED_IS_CALIBRATED = 64, /* `confidence` is a calibrated probability */
    FEED_IS_REPEATED = 128, /* of an exposure: the unit may have been here before */
};

struct feed_fact { /* one cache line */
    struct feed_assignment assignment;
    union {
        nano_usd cost; /* of all attempts; COST_UNPRICED: unknown */
        uint64_t unit; /* of an exposure: a hash of the unit */
    };
    nsec latency;
    float hrm_confidence; /* [0, 1]; negative: none */
    float trm_confidence;
    float confidence;
    float verdict; /* of a verifier that can be sure: 1 right, 0 wrong; negative: none */
    uint8_t domain; /* enum feed_domain */
    uint8_t flags;
};
_Static_assert(sizeof(struct feed_fact) <= 72, "a fact is about one cache line");

struct feed;

NODISCARD enum err feed_open(struct feed **out);
void feed_close(struct feed *f); /* NULL is a no-op */
void feed_put(struct feed *f, const struct feed_fact *fact); /* the writer's; NULL drops it */
/* The reader's: at most max facts, oldest first; gives how many. */
size_t feed_take(struct feed *f, struct feed_fact *out, size_t max);
uint64_t feed_dropped(const struct feed *f); /* since it was opened; from any thread */

#endif
