/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environments: pure problems to search: the Game of 24, job-shop scheduling, tic-tac-toe, and a synthetic tree whose
 * optimum is known. Each is a struct that embeds a search_env; init fills it and gives the root's state.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_SEARCH_ENVIRONMENTS_H
#define WEIR_CORE_SEARCH_ENVIRONMENTS_H

#include "core/search/search.h"

/* ---- Game of 24: four numbers, + - * /, each number once, to reach 24, in exact rationals ---- */
#define GAME24_NUMBERS 4

struct game24_number {
    int32_t numerator;
    int32_t denominator; /* > 0, lowest terms */
};
struct game24_state {
    struct game24_number numbers
        [GAME24_NUMBERS]; /* the first `count`, ascending, so that equal states are equal bytes */
    uint32_t count;
};
struct game24 {
    struct search_env env;
    struct game24_state root;
};
/* Each number 1..99; CALLER_BAD_REQUEST otherwise. A depth of 3 is an end; its value is 1 for 24, else 0. */
NODISCARD enum err game24_init(struct game24 *g, const int numbers[GAME24_NUMBERS]);
/* "(10 - 4) * (8 - 4)": the expression that a line of three actions from the root builds; empty when it is none. */
str game24_expression(const struct game24 *g, const uint32_t actions[GAME24_NUMBERS - 1],
                      struct arena *arena);

/* ---- job shop: each job is an ordered list of operations, each for one machine; minimise the makespan ---- */
#define JOBSHOP_JOBS_MAX 8
#define JOBSHOP_MACHINES_MAX 8
#define JOBSHOP_OPERATIONS_MAX 16 /* of one job */

struct jobshop_operation {
    uint32_t machine;
    uint32_t duration; /* 1..10^6 */
};
struct jobshop_state {
    uint32_t job_free[JOBSHOP_JOBS_MAX]; /* when the job's last scheduled operation ends */
    uint32_t machine_free[JOBSHOP_MACHINES_MAX];
    uint8_t next[JOBSHOP_JOBS_MAX]; /* operations scheduled */
};
struct jobshop {
    struct search_env env;
    struct jobshop_state root;
    struct jobshop_operation operations[JOBSHOP_JOBS_MAX][JOBSHOP_OPERATIONS_MAX];
    uint32_t operation_count[JOBSHOP_JOBS_MAX];
    uint32_t jobs;
    uint32_t machines;
    uint32_t
        shortest; /* a lower bound of the makespan: the busiest machine's or longest job's sum */
    uint32_t longest; /* an upper bound: the sum of all durations */
};
/* An action is the job whose next operation starts as early as it can. The reward of a makespan m is
 * (longest - m) / (longest - shortest), 1 at best. Fill operations, operation_count, jobs, machines first. */
NODISCARD enum err jobshop_init(struct jobshop *j);
uint32_t jobshop_makespan(const struct jobshop_state *s); /* so far */

/* ---- tic-tac-toe: 1 a win of the player to move at the root, 1/2 a draw; has_two_players ---- */
struct tictactoe_state {
    uint16_t stones[2]; /* bit sets of cells 0..8: of the root's mover, of the other */
    uint8_t moves; /* made since the root: the even ones are the root's mover's */
};
struct tictactoe {
    struct search_env env;
    struct tictactoe_state root;
};
/* mine, theirs: cells taken so far; the player of `mine` is to move. An action is a cell. */
NODISCARD enum err tictactoe_init(struct tictactoe *g, uint16_t mine, uint16_t theirs);
bool tictactoe_has_line(uint16_t stones);

/* ---- a synthetic tree: branching b, depth d, a leaf's reward hashed from its path ---- */
struct synthetic_state {
    uint64_t hash;
    uint32_t depth;
    uint32_t is_unused; /* no padding: equal states are equal bytes */
    double
        sum; /* of the edges' hashed rewards on the way, so that good leaves have good neighbours */
};
struct synthetic {
    struct search_env env;
    struct synthetic_state root;
    uint32_t branching; /* 2..SEARCH_CHILDREN_MAX */
    uint32_t depth; /* 1..SEARCH_DEPTH_MAX */
};
NODISCARD enum err synthetic_init(struct synthetic *s, uint32_t branching, uint32_t depth,
                                  uint64_t seed);

#endif
