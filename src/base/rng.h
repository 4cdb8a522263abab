/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng: a small seeded generator (xoshiro256**, Blackman and Vigna 2018; seeded by splitmix64).
 * The same seed gives the same sequence on every machine. Not for secrets.
 */
#ifndef WEIR_BASE_RNG_H
#define WEIR_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t bound); /* uniform in [0, bound); bound > 0 */
double rng_unit(struct rng *r); /* uniform in [0, 1), 53 bits */
double rng_normal(struct rng *r); /* mean 0, sd 1 (Box–Muller) */
/* One good mixing of 64 bits (splitmix64's finaliser): a hash for composed seeds. */
uint64_t rng_mix(uint64_t x);

#endif
