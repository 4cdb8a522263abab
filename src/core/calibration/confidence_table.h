/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confidence_table: calibrated confidence per (domain, model, strategy), shrunk to the global map, and which thresholds
 * it may be trusted with. Immutable once made; a value of a configuration.
 *
 * A map is fitted for each key with at least CONFIDENCE_LABELS_MIN labels, for each (any domain, model, strategy), and
 * for everything together. A map's value is its own fit and its parent's, mixed by n/(n + CONFIDENCE_SHRINK_LABELS):
 *
 *     (domain, model, strategy) -> (any domain, model, strategy) -> global
 *
 * A caller may rely on:
 *   - a value is called calibrated only where labels of just this key were held out. An empty member of a key means
 *     'unknown': such a key is judged by the map over all values of that member. A domain that is named but was never
 *     labelled gets the nearest ancestor's value, which is better than the raw one, and {is_calibrated: false};
 *   - a threshold is met only by the rule: the one-sided 95 % lower bound (Clopper–Pearson) of the accuracy among the
 *     accepted held-out items of the key is at least the threshold. Thresholds count in hundredths, rounded up;
 *   - what is written and read again is the same table, to the bit: its numbers have six decimals.
 *
 * May include: base, core/json, core/stats.
 */
#ifndef WEIR_CORE_CALIBRATION_CONFIDENCE_TABLE_H
#define WEIR_CORE_CALIBRATION_CONFIDENCE_TABLE_H

#include "base/arena.h"
#include "base/base.h"
#include "core/json/json.h"
#include "core/stats/calibration.h"

#define CONFIDENCE_LABELS_MIN 20 /* a key with fewer has no map of its own */
#define CONFIDENCE_SHRINK_LABELS 50 /* a key with as many is half its own, half its parent's */
#define CONFIDENCE_FOLDS 5
#define CONFIDENCE_MAPS_MAX 256

struct confidence_table;

struct confidence_key { /* any of them may be empty: unknown */
    str domain;
    str model;
    str strategy;
};

struct confidence {
    double value; /* [0, 1]; negative: there is none */
    bool is_calibrated; /* value is a calibrated probability, made from held-out labels */
};

/* raw < 0 gives {raw, false}. table may be NULL: {raw, false}. */
struct confidence confidence_calibrate(const struct confidence_table *table,
                                       const struct confidence_key *key, double raw);
/* Is a calibrated value at or above the threshold, and does the rule above allow this threshold for this key? */
bool confidence_meets(const struct confidence_table *table, const struct confidence_key *key,
                      struct confidence c, double threshold);

struct confidence_row {
    struct confidence_key key;
    double raw; /* finite, [0, 1] */
    bool is_right;
};
/* Fits: cross-fitted (folds by row order after a seeded shuffle), so that its own metrics are held out. Everything lives
 * in the arena, scratch included: about 2 KiB a row. Fewer than CONFIDENCE_LABELS_MIN rows: a table without maps.
 * CALLER_BAD_REQUEST for a raw value out of range. */
NODISCARD enum err confidence_table_make(struct arena *arena, const struct confidence_row *rows,
                                         size_t n, uint64_t seed,
                                         const struct confidence_table **out);

struct confidence_report {
    struct confidence_key key; /* all empty: the global map */
    struct calibration_metrics before; /* of the raw values */
    struct calibration_metrics after; /* held out */
    struct interval_pair after_ece; /* 95 % bootstrap interval of after.ece */
};
/* The global map is the first; NULL counts as a table without maps. */
size_t confidence_table_count(const struct confidence_table *table);
const struct confidence_report *confidence_table_report(const struct confidence_table *table,
                                                        size_t i);

/* Of the i-th map's held-out answers, those whose calibrated value reaches a threshold (rounded up to hundredths): their number
 * over report.after.n is the coverage. */
struct acceptance confidence_table_accept(const struct confidence_table *table, size_t i,
                                          double threshold);

/* JSON both ways: the "confidence" member of a router's model file. CALLER_BAD_REQUEST with a sentence in *out_what. */
void confidence_table_write(const struct confidence_table *table, struct buf *out);
NODISCARD enum err confidence_table_read(struct arena *arena, struct json value,
                                         const struct confidence_table **out, str *out_what);

#endif
