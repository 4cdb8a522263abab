/* SPDX-License-Identifier: Apache-2.0 */
/*
 * money: token usage, a dated price table, costs in integer nano-dollars.
 *
 * One US dollar per million tokens is 1,000 nano-dollars a token, so every published price is an
 * integer here. A model without a price is unpriced (COST_UNPRICED), never free by accident.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_MONEY_MONEY_H
#define WEIR_CORE_MONEY_MONEY_H

#include "base/arena.h"
#include "base/base.h"

/* Tokens of one model call. cached and cache_write are parts of input, reasoning is a part of output. */
struct usage {
    int64_t input;
    int64_t output;
    int64_t cached;
    int64_t cache_write;
    int64_t reasoning;
    bool is_known; /* the provider said; false: not reported */
    bool is_estimated; /* counted by us, not by the provider */
};

/* Nano-dollars per token. cached and cache_write < 0: the same as input. */
struct price {
    str model;
    int32_t from_day; /* first UTC day it holds, days since 1970-01-01 */
    nano_usd input;
    nano_usd output;
    nano_usd cached;
    nano_usd cache_write;
};

struct price_table {
    struct price *rows; /* sorted by model, then from_day */
    size_t count;
};

/* "2.50" dollars per million tokens → 2500 nano-dollars per token, exactly; false when it is no plain decimal
 * number or finer than a nano-dollar per token (three decimals of a dollar per million). */
bool price_parse(str dollars_per_million, nano_usd *out);
/* "0.05" dollars → 50000000 nano-dollars, exactly; false as above, at nine decimals. */
bool cost_parse(str dollars, nano_usd *out);
/* Sorts; CALLER_BAD_REQUEST when a (model, day) stands twice or a price is negative. */
NODISCARD enum err price_table_init(struct price_table *table, struct price *rows, size_t count);
/* The row that holds for the model on the day; NULL when unpriced. A dated snapshot's name (gpt-4o-2024-08-06)
 * falls back to its family's row (gpt-4o) by dropping a trailing -YYYY-MM-DD or -YYYYMMDD. */
const struct price *price_find(const struct price_table *table, str model, usec_utc when);

/* The name without such a date, or the whole name when it has none. */
str price_family(str model);

/* input − cached − cache_write at the input price, and so on; saturates at INT64_MAX. NULL gives COST_UNPRICED. */
nano_usd price_cost(const struct price *price, const struct usage *usage);
/* The tokens that price_cost() takes: a provider's figures are foreign, so no part exceeds its whole or falls below zero. Sums of them
 * cost the sum of their costs. Reasoning tokens and what is known of the usage are left out. */
struct usage usage_clamped(const struct usage *usage);
/* COST_UNPRICED when either is; saturating otherwise. */
nano_usd cost_add(nano_usd a, nano_usd b);
/* Counts saturate; the sum is known (estimated) when any part is. */
void usage_add(struct usage *sum, const struct usage *part);
/* "$0.000123456", "$0.002000": exact, nine decimals without the zeros behind the sixth; or "unpriced". out: 32 bytes. */
str cost_format(nano_usd cost, char out[32]);
/* For programs: dollars with nine decimals, "0.000123456", or "unpriced". out: 32 bytes. */
str cost_decimal(nano_usd cost, char out[32]);

#endif
