/* SPDX-License-Identifier: Apache-2.0 */
/* windows: see windows.h. */
#include "app/control/windows_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/stats/histogram.h"

#define LATENCY_FIRST 160 /* of core/stats' buckets, by twos: 2^10 µs */
#define SERIES_AGE_MAX (5 * 24 * 3600 * NSEC_PER_SEC) /* the longest window of a rule */

/* clang-format off */
const struct windows_ring windows_rings[WINDOWS_RINGS] = {
    { NSEC_PER_SEC,            60, 0 },
    { 60 * NSEC_PER_SEC,       60, 60 },
    { 3600 * NSEC_PER_SEC,     48, 120 },
    { 6 * 3600 * NSEC_PER_SEC, 24, 168 },
};
/* clang-format on */
_Static_assert(WINDOWS_RECENT_MAX == 60, "the first two rings have as many slots");

enum err windows_open(struct windows **out)
{
    struct windows *w = calloc(1, sizeof(*w));

    if (!w)
        return WEIR_NO_MEMORY;
    *out = w;
    return OK;
}

static void arm_clear(struct windows_arm *arm)
{
    for (size_t d = 0; d < FEED_DOMAIN_COUNT; d++)
        free(arm->leaves[d]);
    *arm = (struct windows_arm){ .newest = 0 };
}

void windows_close(struct windows *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < WINDOWS_ARMS_MAX; i++)
        arm_clear(&w->arms[i]);
    free(w);
}

uint64_t windows_lost(const struct windows *w)
{
    return w->lost;
}

/* ---- adding ---- */

/* The arm of a label; a new one takes a free place or that of the arm that was silent for longest. */
static struct windows_arm *arm_of(struct windows *w, str label)
{
    struct windows_arm *oldest = &w->arms[0];

    label = str_slice(label, 0, WINDOWS_LABEL_MAX - 1);
    for (size_t i = 0; i < WINDOWS_ARMS_MAX; i++) {
        struct windows_arm *arm = &w->arms[i];
        if (arm->newest > 0 && str_eq(str_from(arm->label), label))
            return arm;
        if (arm->newest < oldest->newest)
            oldest = arm;
    }
    arm_clear(oldest);
    memcpy(oldest->label, label.ptr, label.len);
    return oldest;
}

static const struct windows_present *present_of(struct windows *w, size_t ring, nsec now)
{
    struct windows_present *p = &w->present[ring];

    if (now < p->from || now >= p->until) {
        p->epoch = now / windows_rings[ring].width;
        p->from = p->epoch * windows_rings[ring].width;
        p->until = p->from + windows_rings[ring].width;
        p->slot = windows_slot_index(ring, p->epoch);
    }
    return p;
}

static struct windows_slot *slot_of(struct windows_leaf *leaf,
                                    const struct windows_present *present)
{
    struct windows_slot *slot = &leaf->slots[present->slot];

    if (slot->epoch != present->epoch)
        *slot = (struct windows_slot){ .epoch = present->epoch };
    return slot;
}

static size_t latency_bucket(nsec latency)
{
    int index = histogram_index((double)latency / (double)NSEC_PER_USEC) / 2 - LATENCY_FIRST;

    return index < 0 ? 0 : index >= WINDOWS_BUCKETS ? WINDOWS_BUCKETS - 1 : (size_t)index;
}

static void bin_add(struct windows_slot *slot, const struct feed_fact *fact)
{
    if (fact->verdict < 0 || fact->confidence < 0 || !(fact->flags & FEED_IS_CALIBRATED))
        return;
    size_t at = (size_t)(fact->confidence * WINDOWS_BINS);
    struct windows_bin *bin = &slot->bins[at < WINDOWS_BINS ? at : WINDOWS_BINS - 1];
    bin->n++;
    bin->confidence += fact->confidence;
    bin->right += fact->verdict;
}

static void slot_add(struct windows_slot *slot, const struct feed_fact *fact, size_t latency)
{
    bool has_failed = (fact->flags & FEED_FAILED) != 0;

    slot->n++;
    slot->failed += has_failed;
    slot->wrong += !has_failed && fact->verdict >= 0 && fact->verdict < 0.5f;
    slot->latency[latency]++;
    slot->unpriced += fact->cost == COST_UNPRICED;
    if (fact->cost >= 0) {
        slot->priced++;
        slot->cost += (double)fact->cost;
    }
    if (fact->hrm_confidence >= 0) {
        slot->hrm_n++;
        slot->hrm += (double)fact->hrm_confidence;
    }
    if (fact->trm_confidence >= 0) {
        slot->trm_n++;
        slot->trm += (double)fact->trm_confidence;
    }
    bin_add(slot, fact);
}

void windows_add(struct windows *w, nsec now, str label, const struct feed_fact *fact)
{
    if ((fact->flags & (FEED_ANSWERED | FEED_FAILED)) == 0)
        return;
    struct windows_arm *arm = arm_of(w, label.len > 0 ? label : WINDOWS_ARM_DEFAULT);
    struct windows_leaf **leaf = &arm->leaves[fact->domain];
    arm->newest = now > 0 ? now : 1;
    if (!*leaf)
        *leaf = calloc(1, sizeof(**leaf));
    if (!*leaf) {
        w->lost++;
        return;
    }
    size_t latency = latency_bucket(fact->latency);
    for (size_t r = 0; r < WINDOWS_RINGS; r++)
        slot_add(slot_of(*leaf, present_of(w, r, now)), fact, latency);
}

/* ---- series ---- */

static bool arm_is_live(const struct windows_arm *arm, nsec now)
{
    return arm->newest > 0 && now - arm->newest < SERIES_AGE_MAX;
}

static bool domain_is_live(const struct windows *w, size_t domain, nsec now)
{
    for (size_t i = 0; i < WINDOWS_ARMS_MAX; i++) {
        if (arm_is_live(&w->arms[i], now) && w->arms[i].leaves[domain])
            return true;
    }
    return false;
}

static size_t series_of_arm(const struct windows_arm *arm, struct alert_labels *out, size_t max)
{
    size_t n = 0;

    for (size_t d = 0; d < FEED_DOMAIN_COUNT && n < max; d++) {
        if (arm->leaves[d])
            out[n++] = (struct alert_labels){ str_from(arm->label),
                                              str_from(feed_domain_name((enum feed_domain)d)) };
    }
    return n;
}

size_t windows_series(const struct windows *w, nsec now, unsigned by, struct alert_labels *out,
                      size_t max)
{
    size_t n = 0;

    if (by == 0 && max > 0)
        out[n++] = (struct alert_labels){ .arm = { 0 } };
    for (size_t i = 0; i < WINDOWS_ARMS_MAX && (by & ALERT_BY_ARM) != 0 && n < max; i++) {
        if (!arm_is_live(&w->arms[i], now))
            continue;
        if (by & ALERT_BY_DOMAIN)
            n += series_of_arm(&w->arms[i], out + n, max - n);
        else
            out[n++] = (struct alert_labels){ .arm = str_from(w->arms[i].label) };
    }
    for (size_t d = 0; d < FEED_DOMAIN_COUNT && by == ALERT_BY_DOMAIN && n < max; d++) {
        if (domain_is_live(w, d, now))
            out[n++] =
                (struct alert_labels){ .domain = str_from(feed_domain_name((enum feed_domain)d)) };
    }
    return n;
}

/* ---- reading ---- */

struct span { /* slots of one ring */
    size_t ring;
    int64_t first, last; /* epochs */
};

static struct span span_of(nsec now, nsec window)
{
    size_t r = 0;

    while (r + 1 < WINDOWS_RINGS && windows_rings[r].width * windows_rings[r].slots < window)
        r++;
    int64_t slots = (window + windows_rings[r].width - 1) / windows_rings[r].width;
    int64_t last = now / windows_rings[r].width;
    if (slots > windows_rings[r].slots)
        slots = windows_rings[r].slots;
    return (struct span){ r, last - slots + 1, last };
}

/* The long parts only where the metric is read from them. */
static void slot_merge(struct windows_slot *into, const struct windows_slot *from,
                       enum alert_metric metric)
{
    into->n += from->n;
    into->wrong += from->wrong;
    into->failed += from->failed;
    into->priced += from->priced;
    into->unpriced += from->unpriced;
    into->hrm_n += from->hrm_n;
    into->trm_n += from->trm_n;
    into->hrm += from->hrm;
    into->trm += from->trm;
    into->cost += from->cost;
    for (size_t i = 0; i < WINDOWS_BINS && metric == ALERT_CALIBRATION; i++) {
        into->bins[i].n += from->bins[i].n;
        into->bins[i].confidence += from->bins[i].confidence;
        into->bins[i].right += from->bins[i].right;
    }
    for (size_t i = 0; i < WINDOWS_BUCKETS && metric == ALERT_LATENCY_P95; i++)
        into->latency[i] += from->latency[i];
}

static void leaf_sum(const struct windows_leaf *leaf, const struct span *span,
                     enum alert_metric metric, struct windows_slot *sum)
{
    for (int64_t epoch = span->first < 0 ? 0 : span->first; epoch <= span->last; epoch++) {
        const struct windows_slot *slot = &leaf->slots[windows_slot_index(span->ring, epoch)];
        if (slot->epoch == epoch && slot->n > 0)
            slot_merge(sum, slot, metric);
    }
}

static void windows_sum(const struct windows *w, enum alert_metric metric,
                        const struct alert_labels *labels, const struct span *span,
                        struct windows_slot *sum)
{
    for (size_t i = 0; i < WINDOWS_ARMS_MAX; i++) {
        const struct windows_arm *arm = &w->arms[i];
        if (labels->arm.len > 0 && !str_eq(labels->arm, str_from(arm->label)))
            continue;
        for (size_t d = 0; d < FEED_DOMAIN_COUNT; d++) {
            str name = str_from(feed_domain_name((enum feed_domain)d));
            bool is_asked = labels->domain.len == 0 || str_eq(labels->domain, name);
            if (arm->leaves[d] && is_asked)
                leaf_sum(arm->leaves[d], span, metric, sum);
        }
    }
}

/* In milliseconds: where in its bucket the rank lies, as if the bucket's values were spread evenly. */
static double latency_quantile(const struct windows_slot *sum, double q)
{
    double rank = ceil(q * (double)sum->n), below = 0;

    for (size_t i = 0; i < WINDOWS_BUCKETS; i++) {
        double count = (double)sum->latency[i];
        if (below + count < rank || count == 0) {
            below += count;
            continue;
        }
        int at = (int)(i + LATENCY_FIRST) * 2;
        double lower = i == 0 ? 0 : histogram_upper(at - 1), upper = histogram_upper(at + 1);
        return (lower + (upper - lower) * (rank - below) / count) / 1000;
    }
    return 0;
}

/* Expected calibration error: the mean distance between what was said and what was right, by tenths of confidence. */
static struct alert_reading calibration_read(const struct windows_slot *sum)
{
    struct alert_reading reading = { .n = 0 };
    double distance = 0;

    for (size_t i = 0; i < WINDOWS_BINS; i++) {
        reading.n += sum->bins[i].n;
        distance += fabs((double)sum->bins[i].confidence - (double)sum->bins[i].right);
    }
    reading.value = reading.n > 0 ? distance / (double)reading.n : 0;
    return reading;
}

static struct alert_reading mean_read(double sum, uint32_t n)
{
    return (struct alert_reading){ .n = n, .value = n > 0 ? sum / n : 0 };
}

static bool reading_of(const struct windows_slot *sum, enum alert_metric metric,
                       struct alert_reading *out)
{
    uint32_t bad = sum->failed + sum->wrong;

    switch (metric) {
    case ALERT_SUCCESS_RATE:
        *out = mean_read((double)(sum->n - bad), sum->n);
        out->bad = bad;
        return true;
    case ALERT_ERROR_RATE:
        *out = mean_read((double)sum->failed, sum->n);
        out->bad = sum->failed;
        return true;
    case ALERT_HRM_CONFIDENCE:
        *out = mean_read(sum->hrm, sum->hrm_n);
        return true;
    case ALERT_TRM_CONFIDENCE:
        *out = mean_read(sum->trm, sum->trm_n);
        return true;
    case ALERT_COST:
        *out = mean_read(sum->cost / (double)NANO_PER_USD, sum->priced);
        return true;
    case ALERT_LATENCY_P95:
        *out = (struct alert_reading){ .n = sum->n, .value = latency_quantile(sum, 0.95) };
        return true;
    case ALERT_CALIBRATION:
        *out = calibration_read(sum);
        return true;
    case ALERT_UNPRICED:
        *out = (struct alert_reading){ .n = sum->n, .bad = sum->unpriced, .value = sum->unpriced };
        return true;
    case ALERT_DEAD_LETTERS:
    case ALERT_METRIC_COUNT:
        break;
    }
    return false;
}

bool windows_read(const struct windows *w, nsec now, enum alert_metric metric,
                  const struct alert_labels *labels, nsec window, struct alert_reading *out)
{
    struct span span = span_of(now, window);
    struct windows_slot sum = { .epoch = 0 };

    windows_sum(w, metric, labels, &span, &sum);
    return reading_of(&sum, metric, out);
}

/* ---- for people ---- */

const double windows_quantiles[WINDOWS_QUANTILES] = { 0.5, 0.9, 0.95, 0.99 };

static void summary_of(const struct windows_slot *sum, struct windows_summary *out)
{
    *out = (struct windows_summary){
        .n = sum->n,
        .failed = sum->failed,
        .wrong = sum->wrong,
        .priced = sum->priced,
        .unpriced = sum->unpriced,
        .hrm_n = sum->hrm_n,
        .trm_n = sum->trm_n,
        .cost_usd = sum->cost / (double)NANO_PER_USD,
        .hrm = mean_read(sum->hrm, sum->hrm_n).value,
        .trm = mean_read(sum->trm, sum->trm_n).value,
    };
    for (size_t i = 0; i < WINDOWS_QUANTILES && sum->n > 0; i++)
        out->latency_ms[i] = latency_quantile(sum, windows_quantiles[i]);
}

void windows_summarise(const struct windows *w, nsec now, const struct alert_labels *labels,
                       nsec window, struct windows_summary *out)
{
    struct span span = span_of(now, window);
    struct windows_slot sum = { .epoch = 0 };

    windows_sum(w, ALERT_LATENCY_P95, labels, &span, &sum);
    summary_of(&sum, out);
}

void windows_recent(const struct windows *w, nsec now, enum windows_step step, size_t count,
                    struct windows_summary out[])
{
    const struct alert_labels all = { .arm = { 0 } };
    int64_t last = now / windows_rings[step].width;

    assert(count <= WINDOWS_RECENT_MAX);
    for (size_t i = 0; i < count; i++) {
        int64_t epoch = last - (int64_t)(count - 1 - i);
        struct windows_slot sum = { .epoch = 0 };
        windows_sum(w, ALERT_LATENCY_P95, &all, &(struct span){ step, epoch, epoch }, &sum);
        summary_of(&sum, &out[i]);
    }
}
