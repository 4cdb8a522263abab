/* SPDX-License-Identifier: Apache-2.0 */
/*
 * money: exact decimal parsing, the price table's look-up, saturating costs. Integers only: no
 * double ever holds money.
 */
#include "core/money/money.h"

#include <stdio.h>
#include <stdlib.h>

#define USEC_PER_DAY (INT64_C(86400) * 1000000)
/* One dollar per million tokens is 1,000 nano-dollars a token: three decimals are exact. */
#define PRICE_DECIMALS 3
#define USD_DECIMALS 9
/* Decimals that cost_format() always shows. */
#define SHOWN_DECIMALS_MIN 6

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool digit_append(int64_t *value, char digit)
{
    return i64_mul(*value, 10, value) && i64_add(*value, digit - '0', value);
}

/* "12.5" with 3 places → 12500. Zeros past the last place are harmless, other digits there are not. */
static bool decimal_parse(str text, int places, int64_t *out)
{
    size_t point = str_find_char(text, '.');
    size_t whole = point == STR_NPOS ? text.len : point;
    int64_t value = 0;
    int seen = 0;

    if (whole == 0 || (point != STR_NPOS && point + 1 == text.len))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (i == point)
            continue;
        if (!is_digit(c))
            return false;
        if (i > whole && ++seen > places) {
            if (c != '0')
                return false;
            continue;
        }
        if (!digit_append(&value, c))
            return false;
    }
    for (; seen < places; seen++)
        if (!digit_append(&value, '0'))
            return false;
    *out = value;
    return true;
}

bool price_parse(str dollars_per_million, nano_usd *out)
{
    return decimal_parse(dollars_per_million, PRICE_DECIMALS, out);
}

bool cost_parse(str dollars, nano_usd *out)
{
    return decimal_parse(dollars, USD_DECIMALS, out);
}

static int price_compare(const void *a, const void *b)
{
    const struct price *left = (const struct price *)a, *right = (const struct price *)b;
    int order = str_cmp(left->model, right->model);

    if (order != 0)
        return order;
    return (left->from_day > right->from_day) - (left->from_day < right->from_day);
}

enum err price_table_init(struct price_table *table, struct price *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].input < 0 || rows[i].output < 0)
            return CALLER_BAD_REQUEST;
    if (count > 1)
        qsort(rows, count, sizeof(*rows), price_compare);
    for (size_t i = 1; i < count; i++)
        if (price_compare(&rows[i - 1], &rows[i]) == 0)
            return CALLER_BAD_REQUEST;
    table->rows = rows;
    table->count = count;
    return OK;
}

/* The last row at or before (model, day) in the table's order, if it is of this model. */
static const struct price *row_find(const struct price_table *table, str model, int64_t day)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct price *row = &table->rows[middle];
        int order = str_cmp(row->model, model);
        if (order < 0 || (order == 0 && row->from_day <= day))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || !str_eq(table->rows[low - 1].model, model))
        return NULL;
    return &table->rows[low - 1];
}

static bool text_fits(str text, const char *pattern)
{
    for (size_t i = 0; i < text.len; i++)
        if (pattern[i] == '0' ? !is_digit(text.ptr[i]) : text.ptr[i] != pattern[i])
            return false;
    return true;
}

str price_family(str model)
{
    static const str patterns[] = { { "-0000-00-00", 11 }, { "-00000000", 9 } };

    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        if (model.len <= patterns[i].len)
            continue;
        size_t cut = model.len - patterns[i].len;
        if (text_fits(str_slice(model, cut, model.len), patterns[i].ptr))
            return str_slice(model, 0, cut);
    }
    return model;
}

const struct price *price_find(const struct price_table *table, str model, usec_utc when)
{
    int64_t day = when / USEC_PER_DAY - (when % USEC_PER_DAY < 0);
    const struct price *row = row_find(table, model, day);
    str family = price_family(model);

    return row || family.len == model.len ? row : row_find(table, family, day);
}

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum = a > 0 ? INT64_MAX : INT64_MIN;

    IGNORE(!i64_add(a, b, &sum));
    return sum;
}

/* Both factors are at least 0. */
static int64_t product_saturated(int64_t a, int64_t b)
{
    int64_t product = INT64_MAX;

    IGNORE(!i64_mul(a, b, &product));
    return product;
}

static int64_t clamped(int64_t value, int64_t max)
{
    if (value < 0)
        return 0;
    return value > max ? max : value;
}

struct usage usage_clamped(const struct usage *usage)
{
    struct usage u = { .input = clamped(usage->input, INT64_MAX),
                       .output = clamped(usage->output, INT64_MAX) };

    u.cached = clamped(usage->cached, u.input);
    u.cache_write = clamped(usage->cache_write, u.input - u.cached);
    return u;
}

nano_usd price_cost(const struct price *price, const struct usage *usage)
{
    if (!price)
        return COST_UNPRICED;
    struct usage u = usage_clamped(usage);
    nano_usd cached_price = price->cached < 0 ? price->input : price->cached;
    nano_usd write_price = price->cache_write < 0 ? price->input : price->cache_write;
    nano_usd cost = product_saturated(u.input - u.cached - u.cache_write, price->input);

    cost = add_saturated(cost, product_saturated(u.cached, cached_price));
    cost = add_saturated(cost, product_saturated(u.cache_write, write_price));
    return add_saturated(cost, product_saturated(u.output, price->output));
}

nano_usd cost_add(nano_usd a, nano_usd b)
{
    if (a == COST_UNPRICED || b == COST_UNPRICED)
        return COST_UNPRICED;
    int64_t sum = add_saturated(a, b);
    /* COST_UNPRICED is the smallest integer, so a saturated negative sum stops just above it. */
    return sum == COST_UNPRICED ? COST_UNPRICED + 1 : sum;
}

void usage_add(struct usage *sum, const struct usage *part)
{
    sum->input = add_saturated(sum->input, part->input);
    sum->output = add_saturated(sum->output, part->output);
    sum->cached = add_saturated(sum->cached, part->cached);
    sum->cache_write = add_saturated(sum->cache_write, part->cache_write);
    sum->reasoning = add_saturated(sum->reasoning, part->reasoning);
    sum->is_known = sum->is_known || part->is_known;
    sum->is_estimated = sum->is_estimated || part->is_estimated;
}

/* The sign, a prefix, and dollars with all nine decimals. */
static str cost_write(nano_usd cost, const char *prefix, char out[32])
{
    int64_t size = cost < 0 ? -cost : cost;
    int n = snprintf(out, 32, "%s%s%" PRId64 ".%09" PRId64, cost < 0 ? "-" : "", prefix,
                     size / NANO_PER_USD, size % NANO_PER_USD);

    return (str){ out, (size_t)n };
}

str cost_decimal(nano_usd cost, char out[32])
{
    return cost == COST_UNPRICED ? STR("unpriced") : cost_write(cost, "", out);
}

str cost_format(nano_usd cost, char out[32])
{
    if (cost == COST_UNPRICED)
        return STR("unpriced");
    size_t len = cost_write(cost, "$", out).len;

    for (int left = USD_DECIMALS; left > SHOWN_DECIMALS_MIN && out[len - 1] == '0'; left--)
        len--;
    out[len] = '\0';
    return (str){ out, len };
}
