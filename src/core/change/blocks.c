/* SPDX-License-Identifier: Apache-2.0 */
/* blocks: the two-sample e-process on blocks of a few of the canary and one of the control. */
#include "core/change/blocks.h"

#include <math.h>

#include "core/stats/stats.h"

/* The alternatives: what the control's share of bad outcomes might be, and how many times as large the canary's odds. */
static const double control_shares[] = { 0.005, 0.02, 0.08, 0.3 };
static const double odds_ratios[] = { 2.5, 6, 30, 1000 };
#define ALTERNATIVES (ARRAY_LEN(control_shares) * ARRAY_LEN(odds_ratios))

/* ---- counting ---- */

static void block_add(struct block_counts *c, unsigned size, unsigned canary_bad,
                      bool control_is_bad)
{
    c->canary[0] += size - canary_bad;
    c->canary[1] += canary_bad;
    c->control[control_is_bad]++;
}

void blocks_add_canary(struct blocks *b, struct block_waiting *waiting, bool is_bad)
{
    if (waiting->has_control) {
        block_add(&b->sizes[0], 1, is_bad, waiting->control_is_bad);
        *waiting = (struct block_waiting){ .canary_n = 0 };
        return;
    }
    waiting->canary_bad = (uint16_t)(waiting->canary_bad << 1 | is_bad);
    if (waiting->canary_n < BLOCK_SIZE_MAX)
        waiting->canary_n++;
}

/* A newer one takes an older one's place, so that those of a block are never far apart. */
void blocks_add_control(struct blocks *b, struct block_waiting *waiting, bool is_bad)
{
    if (waiting->canary_n == 0) {
        waiting->has_control = true;
        waiting->control_is_bad = is_bad;
        return;
    }
    unsigned size_index = 31 - (unsigned)__builtin_clz(waiting->canary_n);
    unsigned newest = (1u << (1u << size_index)) - 1;
    unsigned bad = (unsigned)__builtin_popcount(waiting->canary_bad & newest);
    block_add(&b->sizes[size_index], 1u << size_index, bad, is_bad);
    *waiting = (struct block_waiting){ .canary_n = 0 };
}

static void counts_add(struct block_counts *to, const struct block_counts *from, int64_t times)
{
    for (size_t bad = 0; bad < 2; bad++) {
        to->canary[bad] += times * from->canary[bad];
        to->control[bad] += times * from->control[bad];
    }
}

void blocks_merge(struct blocks *b, const struct blocks *other)
{
    for (size_t i = 0; i < BLOCK_SIZES; i++)
        counts_add(&b->sizes[i], &other->sizes[i], 1);
}

struct blocks blocks_since(const struct blocks *now, const struct blocks *then)
{
    struct blocks out = *now;

    for (size_t i = 0; i < BLOCK_SIZES; i++)
        counts_add(&out.sizes[i], &then->sizes[i], -1);
    return out;
}

/* ---- JSON ---- */

#define COUNT_MAX ((int64_t)1 << 53)
#define COUNTS (BLOCK_SIZES * 4)

void blocks_write(const struct blocks *b, struct buf *out)
{
    for (size_t i = 0; i < BLOCK_SIZES; i++) {
        const struct block_counts *c = &b->sizes[i];
        buf_printf(out, "%c%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, i == 0 ? '[' : ',',
                   c->canary[0], c->canary[1], c->control[0], c->control[1]);
    }
    buf_add_char(out, ']');
}

static bool blocks_are_sound(const struct blocks *b)
{
    for (size_t i = 0; i < BLOCK_SIZES; i++) {
        const struct block_counts *c = &b->sizes[i];
        int64_t n = c->control[0] + c->control[1];
        if (c->canary[0] + c->canary[1] != n << i)
            return false;
    }
    return true;
}

bool blocks_read(struct json v, struct blocks *out)
{
    struct json_iter it = json_iter(v);
    int64_t n[COUNTS];
    struct blocks b;
    size_t count = 0;

    if (!json_is(v, JSON_ARRAY))
        return false;
    for (; json_next(&it); count++) {
        if (count == COUNTS || !json_i64(it.value, &n[count]) || n[count] < 0 ||
            n[count] > COUNT_MAX)
            return false;
    }
    if (count == 4) {
        *out = (struct blocks){ .sizes[0] = { { n[0] + n[1], n[2] + n[3] },
                                              { n[0] + n[2], n[1] + n[3] } } };
        return true;
    }
    if (count != COUNTS)
        return false;
    for (size_t i = 0; i < BLOCK_SIZES; i++)
        b.sizes[i] =
            (struct block_counts){ { n[4 * i], n[4 * i + 1] }, { n[4 * i + 2], n[4 * i + 3] } };
    if (!blocks_are_sound(&b))
        return false;
    *out = b;
    return true;
}

/* ---- evidence ---- */

/* The log likelihood ratio of the outcomes: shares a and b against both having their mean, which is the hypothesis that is
 * hardest to tell apart (Turner, Ly and Grünwald 2024, theorem 1). */
static double log_ratio_of(const struct blocks *b, double canary, double control)
{
    double sum = 0;

    for (size_t i = 0; i < BLOCK_SIZES; i++) {
        const struct block_counts *c = &b->sizes[i];
        double size = (double)(1u << i), mean = (size * canary + control) / (size + 1);
        if (c->control[0] + c->control[1] == 0)
            continue;
        sum += (double)c->canary[1] * log(canary / mean) +
               (double)c->control[1] * log(control / mean) +
               (double)c->canary[0] * log((1 - canary) / (1 - mean)) +
               (double)c->control[0] * log((1 - control) / (1 - mean));
    }
    return sum;
}

double blocks_log_e(const struct blocks *b)
{
    double logs[ALTERNATIVES];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(control_shares); i++) {
        for (size_t j = 0; j < ARRAY_LEN(odds_ratios); j++) {
            double share = control_shares[i];
            double odds = odds_ratios[j] * share / (1 - share);
            logs[n++] = log_ratio_of(b, odds / (1 + odds), share);
        }
    }
    return stats_log_sum_exp(logs, n) - log((double)n);
}
