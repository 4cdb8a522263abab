/* SPDX-License-Identifier: Apache-2.0 */
/* train_arms: what each strategy on each model did in each domain: how often right, at what cost, how fast. */
#include <stdlib.h>

#include "core/route/train_internal.h"

struct sorted_run {
    const struct route_run *run;
    size_t number; /* in the caller's order */
};

/* Sums before they become means. */
struct arm_sums {
    double cost;
    double latency_ms;
};

static int pair_cmp(const struct route_run *a, const struct route_run *b)
{
    int order = str_cmp(a->strategy, b->strategy);

    return order != 0 ? order : str_cmp(a->model, b->model);
}

static int run_cmp(const void *a, const void *b)
{
    const struct sorted_run *left = a, *right = b;
    int order = pair_cmp(left->run, right->run);

    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static size_t pair_end(const struct sorted_run *runs, size_t n, size_t first)
{
    size_t end = first + 1;

    while (end < n && pair_cmp(runs[first].run, runs[end].run) == 0)
        end++;
    return end;
}

static size_t pairs_count(const struct sorted_run *runs, size_t n)
{
    size_t count = 0;

    for (size_t at = 0; at < n; at = pair_end(runs, n, at))
        count++;
    return count;
}

static void run_add(struct arm_row *row, struct arm_sums *sums, const struct route_run *run)
{
    row->n++;
    row->right += run->is_right;
    if (run->cost != COST_UNPRICED) {
        row->cost_n++;
        sums->cost += (double)run->cost;
    }
    if (run->latency_ms >= 0) {
        row->latency_n++;
        sums->latency_ms += run->latency_ms;
    }
}

static struct arm_row *row_of(struct arm_row *rows, size_t n, str domain)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(rows[i].domain, domain))
            return &rows[i];
    return NULL;
}

/* A run counts for its domain and all above it, as far as they have rows. */
static void pair_count(struct arm_row *rows, struct arm_sums *sums, size_t n,
                       const struct sorted_run *runs, size_t run_count)
{
    for (size_t i = 0; i < run_count; i++) {
        str domain = domain_clip(runs[i].run->domain);
        do {
            struct arm_row *row = row_of(rows, n, domain);
            if (row)
                run_add(row, &sums[row - rows], runs[i].run);
        } while (domain_parent(domain, &domain));
    }
    for (size_t i = 0; i < n; i++) {
        if (rows[i].cost_n > 0)
            rows[i].cost_mean = (nano_usd)(sums[i].cost / (double)rows[i].cost_n + 0.5);
        if (rows[i].latency_n > 0)
            rows[i].latency_ms_mean = six_decimals(sums[i].latency_ms / (double)rows[i].latency_n);
    }
}

static enum err pair_make(struct arena *arena, struct route_model *model,
                          const struct sorted_run *runs, size_t run_count, size_t max)
{
    str *names = ARENA_ARRAY(arena, run_count, str);
    struct arm_row *rows = &model->arms[model->arm_count];
    size_t n;

    if (!names)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < run_count; i++)
        names[i] = runs[i].run->domain;
    enum err e = train_names(arena, names, run_count, max, &names, &n);
    struct arm_sums *sums = e == OK ? ARENA_ARRAY(arena, n, struct arm_sums) : NULL;
    if (!sums)
        return WEIR_NO_MEMORY;
    str strategy = arena_str(arena, runs[0].run->strategy);
    str model_name = arena_str(arena, runs[0].run->model);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct arm_row){ .strategy = strategy, .model = model_name, .domain = names[i] };
    pair_count(rows, sums, n, runs, run_count);
    model->arm_count += n;
    return OK;
}

enum err train_arms(struct arena *arena, const struct route_training *data,
                    struct route_model *model)
{
    size_t n = data->run_count;
    struct sorted_run *runs = ARENA_ARRAY(arena, n, struct sorted_run);
    enum err e = OK;

    model->arms = ARENA_ARRAY(arena, MODEL_ARMS_MAX, struct arm_row);
    if (!runs || !model->arms)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        runs[i] = (struct sorted_run){ &data->runs[i], i };
    if (n > 1)
        qsort(runs, n, sizeof(*runs), run_cmp);
    size_t pairs = pairs_count(runs, n);
    if (pairs > MODEL_ARMS_MAX)
        return CALLER_BAD_REQUEST;
    for (size_t at = 0; e == OK && at < n;) {
        size_t end = pair_end(runs, n, at);
        e = pair_make(arena, model, &runs[at], end - at, MODEL_ARMS_MAX / pairs);
        at = end;
    }
    return e;
}
