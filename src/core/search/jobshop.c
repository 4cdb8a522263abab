/* SPDX-License-Identifier: Apache-2.0 */
/* jobshop: see environments.h. Every schedule that starts each operation as early as the order of actions allows
 * is reachable, and among these (the semi-active ones) is always a shortest. */
#include "core/search/environments.h"

static const struct jobshop *jobshop_of(const struct search_env *env)
{
    return CONTAINER_OF_CONST(env, struct jobshop, env);
}

static size_t jobshop_actions(const struct search_env *env, const void *state,
                              struct search_action *out)
{
    const struct jobshop *j = jobshop_of(env);
    const struct jobshop_state *x = state;
    size_t n = 0;

    for (uint32_t job = 0; job < j->job_count; job++)
        if (x->scheduled[job] < j->jobs[job].count)
            out[n++] = (struct search_action){ .tag = job };
    return n;
}

static void jobshop_apply(const struct search_env *env, void *state, uint32_t action)
{
    const struct jobshop *j = jobshop_of(env);
    struct jobshop_state *x = state;
    const struct jobshop_operation *o = &j->jobs[action].operations[x->scheduled[action]++];
    uint32_t *job = &x->job_free[action], *machine = &x->machine_free[o->machine];

    *job = (*job > *machine ? *job : *machine) + o->duration;
    *machine = *job;
}

uint32_t jobshop_makespan(const struct jobshop *j, const struct jobshop_state *s)
{
    uint32_t makespan = 0;

    for (uint32_t job = 0; job < j->job_count; job++)
        makespan = s->job_free[job] > makespan ? s->job_free[job] : makespan;
    return makespan;
}

static bool jobshop_terminal(const struct search_env *env, const void *state, double *out_value)
{
    const struct jobshop *j = jobshop_of(env);
    const struct jobshop_state *x = state;

    for (uint32_t job = 0; job < j->job_count; job++)
        if (x->scheduled[job] < j->jobs[job].count)
            return false;
    *out_value = 1;
    if (j->longest > j->shortest)
        *out_value = (double)(j->longest - jobshop_makespan(j, x)) / (j->longest - j->shortest);
    return true;
}

static double jobshop_value(const struct search_env *env, void *state, struct rng *rng)
{
    struct search_action actions[JOBSHOP_JOBS_MAX];
    double value;

    while (!jobshop_terminal(env, state, &value)) {
        size_t n = jobshop_actions(env, state, actions);
        jobshop_apply(env, state, actions[rng_below(rng, n)].tag);
    }
    return value;
}

static uint64_t jobshop_key(const struct search_env *env, const void *state)
{
    const struct jobshop_state *x = state;
    uint64_t hash = 0;

    (void)env;
    for (int i = 0; i < JOBSHOP_JOBS_MAX; i++)
        hash = rng_mix(hash + ((uint64_t)x->job_free[i] << 8 | x->scheduled[i]) + 1);
    for (int i = 0; i < JOBSHOP_MACHINES_MAX; i++)
        hash = rng_mix(hash + x->machine_free[i] + 1);
    return hash | 1;
}

static bool bounds_make(struct jobshop *j)
{
    uint32_t machines[JOBSHOP_MACHINES_MAX] = { 0 };

    j->shortest = j->longest = 0;
    for (uint32_t i = 0; i < j->job_count; i++) {
        const struct jobshop_job *job = &j->jobs[i];
        uint32_t length = 0;
        if (job->count < 1 || job->count > JOBSHOP_OPERATIONS_MAX)
            return false;
        for (uint32_t k = 0; k < job->count; k++) {
            const struct jobshop_operation *o = &job->operations[k];
            if (o->machine >= j->machine_count || o->duration < 1 ||
                o->duration > JOBSHOP_DURATION_MAX)
                return false;
            machines[o->machine] += o->duration;
            length += o->duration;
        }
        j->longest += length;
        j->shortest = length > j->shortest ? length : j->shortest;
    }
    for (uint32_t m = 0; m < j->machine_count; m++)
        j->shortest = machines[m] > j->shortest ? machines[m] : j->shortest;
    return true;
}

enum err jobshop_init(struct jobshop *j)
{
    if (j->job_count < 1 || j->job_count > JOBSHOP_JOBS_MAX || j->machine_count < 1 ||
        j->machine_count > JOBSHOP_MACHINES_MAX || !bounds_make(j))
        return CALLER_BAD_REQUEST;
    j->env = (struct search_env){ .state_bytes = sizeof(struct jobshop_state),
                                  .actions = jobshop_actions,
                                  .apply = jobshop_apply,
                                  .terminal = jobshop_terminal,
                                  .value = jobshop_value,
                                  .key = jobshop_key };
    j->root = (struct jobshop_state){ 0 };
    return OK;
}
