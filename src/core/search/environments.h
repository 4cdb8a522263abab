/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environments: pure problems to search: the Game of 24, job-shop scheduling, tic-tac-toe, and a synthetic
 * tree whose optimum can be computed. Each is a struct that embeds a search_env; init fills in the env and the
 * root's state, which is then given to search_run() as &x.env and &x.root.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_SEARCH_ENVIRONMENTS_H
#define WEIR_CORE_SEARCH_ENVIRONMENTS_H

#include "core/search/search.h"

/* ---- Game of 24: reach 24 from four numbers with + - * /, each number once, in exact rationals ---- */
#define GAME24_NUMBERS 4
#define GAME24_NUMBER_MAX 99

struct game24_number {
    int32_t numerator;
    int32_t denominator; /* > 0, lowest terms */
};
struct game24_state {
    /* The first `count`, ascending, the others 0: equal states are equal bytes. */
    struct game24_number numbers[GAME24_NUMBERS];
    uint32_t count;
};
struct game24 {
    struct search_env env;
    struct game24_state root;
};
/* Numbers 1..99, else CALLER_BAD_REQUEST. An action combines two numbers; after three of them the value is 1
 * for 24 and 0 for anything else. Depth 3; differently reached equal states have equal keys. */
NODISCARD enum err game24_init(struct game24 *g, const int numbers[GAME24_NUMBERS]);
/* "(10 - 4) * (8 - 4)": what the first `count` <= 3 actions from the root build, in the arena; of several
 * numbers left, the expressions with commas between. */
str game24_expression(const struct game24 *g, const uint32_t *actions, size_t count,
                      struct arena *arena);

/* ---- job shop: jobs are ordered operations on machines, to be done in the least time ---- */
#define JOBSHOP_JOBS_MAX 8
#define JOBSHOP_MACHINES_MAX 8
#define JOBSHOP_OPERATIONS_MAX 16 /* of one job */
#define JOBSHOP_DURATION_MAX 1000000

struct jobshop_operation {
    uint32_t machine;
    uint32_t duration; /* 1..JOBSHOP_DURATION_MAX */
};
struct jobshop_job {
    struct jobshop_operation operations[JOBSHOP_OPERATIONS_MAX]; /* in their order */
    uint32_t count; /* 1..JOBSHOP_OPERATIONS_MAX */
};
struct jobshop_state {
    uint32_t job_free[JOBSHOP_JOBS_MAX]; /* when the job's last scheduled operation ends */
    uint32_t machine_free[JOBSHOP_MACHINES_MAX];
    uint8_t scheduled[JOBSHOP_JOBS_MAX]; /* operations */
};
struct jobshop {
    struct search_env env;
    struct jobshop_state root;
    struct jobshop_job jobs[JOBSHOP_JOBS_MAX];
    uint32_t job_count;
    uint32_t machine_count;
    /* No schedule is shorter than the largest sum of a machine's or a job's durations; none without
     * needless pauses is longer than the sum of all. */
    uint32_t shortest, longest;
};
/* Fill in jobs, job_count and machine_count first; CALLER_BAD_REQUEST when they are out of range. An action is a job,
 * whose next operation then starts as early as it can. A schedule of makespan m has the value
 * (longest - m) / (longest - shortest), 1 when both are equal. */
NODISCARD enum err jobshop_init(struct jobshop *j);
uint32_t jobshop_makespan(const struct jobshop *j, const struct jobshop_state *s); /* so far */

/* ---- tic-tac-toe, for has_two_players: 1 a win of who moves at the root, 1/2 a draw ---- */
struct tictactoe_state {
    uint16_t stones[2]; /* bit sets of cells 0..8: of the root's mover, of the other */
    uint16_t moves; /* since the root; the even ones are the root's mover's */
};
struct tictactoe {
    struct search_env env;
    struct tictactoe_state root;
};
/* The cells of who is to move, and of the other; CALLER_BAD_REQUEST when they overlap. An action is a cell. */
NODISCARD enum err tictactoe_init(struct tictactoe *g, uint16_t mine, uint16_t theirs);
bool tictactoe_has_line(uint16_t stones);

/* ---- a synthetic tree: b children everywhere down to depth d; a leaf's value is the mean of its path's hashed
 * rewards in [0, 1), so that good leaves have good neighbours ---- */
struct synthetic_state {
    uint64_t hash; /* of the path */
    double sum;
    uint64_t depth;
};
struct synthetic {
    struct search_env env;
    struct synthetic_state root;
    uint32_t branching;
    uint32_t depth;
};
/* branching 1..SEARCH_CHILDREN_MAX, depth 1..SEARCH_DEPTH_MAX, else CALLER_BAD_REQUEST. An action is 0..branching-1. A
 * state's estimate is the value of one random leaf below it. */
struct synthetic_options {
    uint32_t branching;
    uint32_t depth;
    uint64_t seed;
};
NODISCARD enum err synthetic_init(struct synthetic *s, const struct synthetic_options *options);

#endif
