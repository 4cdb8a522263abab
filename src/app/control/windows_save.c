/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows_save: windows as bytes and back, so that they outlive a restart.
 *
 *     document = "weir-windows" version:u8  saved  arms  arm...  checksum:u64        all integers LEB128 unless they say otherwise
 *     arm      = length label  age  leaves  leaf...                                  age: nanoseconds before `saved`
 *     leaf     = domain  slots  slot...                                              domains in growing order
 *     slot     = ring  age  n wrong failed priced unpriced hrm_n trm_n               age: slots before that of `saved`
 *                hrm:f64 trm:f64 cost:f64  bins  bin...  buckets  bucket...
 *     bin      = index  n  confidence:f32  right:f32
 *     bucket   = index less the one before  count
 *
 * An empty slot is not written, so what a document takes grows with what happened and not with what could. The checksum is FNV-1a
 * of all before it: against damage, not against an enemy, who could write control.db as a whole. Whoever changes anything here counts
 * the version up; a document of another one is not read.
 */
#include "app/control/windows_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/varint.h"

#define MAGIC STR("weir-windows\1")
#define CHECKSUM_BYTES 8

/* ---- writing ---- */

static void put_fixed(struct buf *out, uint64_t v, size_t len)
{
    char bytes[8];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(v >> 8 * i & 0xff);
    buf_add(out, (str){ bytes, len });
}

static void put_f64(struct buf *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    put_fixed(out, bits, sizeof(bits));
}

static void put_f32(struct buf *out, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    put_fixed(out, bits, sizeof(bits));
}

static void bins_save(const struct windows_slot *slot, struct buf *out)
{
    size_t count = 0;

    for (size_t i = 0; i < WINDOWS_BINS; i++)
        count += slot->bins[i].n > 0;
    varint_add(out, count);
    for (size_t i = 0; i < WINDOWS_BINS; i++) {
        if (slot->bins[i].n == 0)
            continue;
        varint_add(out, i);
        varint_add(out, slot->bins[i].n);
        put_f32(out, slot->bins[i].confidence);
        put_f32(out, slot->bins[i].right);
    }
}

static void buckets_save(const struct windows_slot *slot, struct buf *out)
{
    size_t count = 0, last = 0;

    for (size_t i = 0; i < WINDOWS_BUCKETS; i++)
        count += slot->latency[i] > 0;
    varint_add(out, count);
    for (size_t i = 0; i < WINDOWS_BUCKETS; i++) {
        if (slot->latency[i] == 0)
            continue;
        varint_add(out, i - last);
        varint_add(out, slot->latency[i]);
        last = i;
    }
}

static void slot_save(const struct windows_slot *slot, struct buf *out)
{
    const uint32_t counts[] = { slot->n,        slot->wrong, slot->failed, slot->priced,
                                slot->unpriced, slot->hrm_n, slot->trm_n };

    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        varint_add(out, counts[i]);
    put_f64(out, slot->hrm);
    put_f64(out, slot->trm);
    put_f64(out, slot->cost);
    bins_save(slot, out);
    buckets_save(slot, out);
}

/* Of a ring, oldest first; only counts when out is NULL. */
static size_t ring_save(const struct windows_leaf *leaf, size_t ring, nsec now, struct buf *out)
{
    const struct windows_ring *r = &windows_rings[ring];
    int64_t last = now / r->width, first = last - r->slots + 1;
    size_t n = 0;

    for (int64_t epoch = first < 0 ? 0 : first; epoch <= last; epoch++) {
        const struct windows_slot *slot = &leaf->slots[windows_slot_index(ring, epoch)];
        if (slot->epoch != epoch || slot->n == 0)
            continue;
        n++;
        if (!out)
            continue;
        varint_add(out, ring);
        varint_add(out, (uint64_t)(last - epoch));
        slot_save(slot, out);
    }
    return n;
}

static void arm_save(const struct windows_arm *arm, nsec now, struct buf *out)
{
    str label = str_from(arm->label);
    size_t leaves = 0;

    varint_add(out, label.len);
    buf_add(out, label);
    varint_add(out, arm->newest < now ? (uint64_t)(now - arm->newest) : 0);
    for (size_t d = 0; d < FEED_DOMAIN_COUNT; d++)
        leaves += arm->leaves[d] != NULL;
    varint_add(out, leaves);
    for (size_t d = 0; d < FEED_DOMAIN_COUNT; d++) {
        size_t slots = 0;
        if (!arm->leaves[d])
            continue;
        for (size_t r = 0; r < WINDOWS_RINGS; r++)
            slots += ring_save(arm->leaves[d], r, now, NULL);
        varint_add(out, d);
        varint_add(out, slots);
        for (size_t r = 0; r < WINDOWS_RINGS; r++)
            ring_save(arm->leaves[d], r, now, out);
    }
}

void windows_save(const struct windows *w, nsec now, struct buf *out)
{
    size_t from = out->len, arms = 0;

    for (size_t i = 0; i < WINDOWS_ARMS_MAX; i++)
        arms += w->arms[i].newest > 0;
    buf_add(out, MAGIC);
    varint_add(out, (uint64_t)now);
    varint_add(out, arms);
    for (size_t i = 0; i < WINDOWS_ARMS_MAX; i++) {
        if (w->arms[i].newest > 0)
            arm_save(&w->arms[i], now, out);
    }
    put_fixed(out, str_hash(str_slice(buf_str(out), from, out->len)), CHECKSUM_BYTES);
}

/* ---- reading ---- */

struct reader {
    str rest;
    bool has_failed; /* sticky; then everything reads as 0 */
    nsec saved;
    nsec now;
};

static uint64_t fail(struct reader *r)
{
    r->has_failed = true;
    r->rest.len = 0;
    return 0;
}

/* [min, max], in its shortest form. */
static uint64_t get_u64(struct reader *r, uint64_t min, uint64_t max)
{
    uint64_t v;

    if (!varint_take_shortest(&r->rest, &v) || v < min || v > max)
        return fail(r);
    return v;
}

static uint64_t get_fixed(struct reader *r, size_t len)
{
    uint64_t v = 0;

    if (r->rest.len < len)
        return fail(r);
    for (size_t i = 0; i < len; i++)
        v |= (uint64_t)(uint8_t)r->rest.ptr[i] << 8 * i;
    r->rest = str_slice(r->rest, len, r->rest.len);
    return v;
}

/* A sum of what is never negative. */
static double get_f64(struct reader *r)
{
    uint64_t bits = get_fixed(r, sizeof(bits));
    double v;

    memcpy(&v, &bits, sizeof(v));
    if (isfinite(v) && !signbit(v))
        return v;
    fail(r);
    return 0;
}

static float get_f32(struct reader *r)
{
    uint32_t bits = (uint32_t)get_fixed(r, sizeof(bits));
    float v;

    memcpy(&v, &bits, sizeof(v));
    if (isfinite(v) && !signbit(v))
        return v;
    fail(r);
    return 0;
}

static void bins_read(struct reader *r, struct windows_slot *slot)
{
    uint64_t count = get_u64(r, 0, WINDOWS_BINS), next = 0;

    for (uint64_t i = 0; i < count && !r->has_failed; i++) {
        uint64_t at = get_u64(r, next, WINDOWS_BINS - 1);
        struct windows_bin bin = { .n = (uint32_t)get_u64(r, 1, slot->n) };
        bin.confidence = get_f32(r);
        bin.right = get_f32(r);
        slot->bins[at] = bin;
        next = at + 1;
    }
}

/* Every query of the slot is in one bucket. */
static void buckets_read(struct reader *r, struct windows_slot *slot)
{
    uint64_t count = get_u64(r, 1, WINDOWS_BUCKETS), at = 0, sum = 0;

    for (uint64_t i = 0; i < count && !r->has_failed; i++) {
        at += get_u64(r, i > 0, WINDOWS_BUCKETS - 1 - at);
        slot->latency[at] = (uint32_t)get_u64(r, 1, slot->n - sum);
        sum += slot->latency[at];
    }
    if (sum != slot->n)
        fail(r);
}

static void slot_read(struct reader *r, struct windows_slot *slot)
{
    slot->n = (uint32_t)get_u64(r, 1, UINT32_MAX);
    slot->wrong = (uint32_t)get_u64(r, 0, slot->n);
    slot->failed = (uint32_t)get_u64(r, 0, slot->n - slot->wrong);
    slot->priced = (uint32_t)get_u64(r, 0, slot->n);
    slot->unpriced = (uint32_t)get_u64(r, 0, slot->n - slot->priced);
    slot->hrm_n = (uint32_t)get_u64(r, 0, slot->n);
    slot->trm_n = (uint32_t)get_u64(r, 0, slot->n);
    slot->hrm = get_f64(r);
    slot->trm = get_f64(r);
    slot->cost = get_f64(r);
    bins_read(r, slot);
    buckets_read(r, slot);
}

static void leaf_read(struct reader *r, struct windows_leaf *leaf)
{
    uint64_t count = get_u64(r, 0, WINDOWS_SLOTS);

    for (uint64_t i = 0; i < count && !r->has_failed; i++) {
        uint64_t ring = get_u64(r, 0, WINDOWS_RINGS - 1);
        const struct windows_ring *is = &windows_rings[ring];
        int64_t epoch = r->saved / is->width - (int64_t)get_u64(r, 0, is->slots - 1);
        struct windows_slot slot = { .epoch = epoch };
        slot_read(r, &slot);
        if (!r->has_failed && epoch >= 0 && epoch <= r->now / is->width)
            leaf->slots[windows_slot_index(ring, epoch)] = slot;
    }
}

static enum err arm_read(struct reader *r, struct windows_arm *arm)
{
    size_t len = get_u64(r, 1, WINDOWS_LABEL_MAX - 1);
    str label = str_slice(r->rest, 0, len);

    if (str_find_char(label, '\0') != STR_NPOS)
        fail(r);
    r->rest = str_slice(r->rest, len, r->rest.len);
    nsec newest = r->saved - (nsec)get_u64(r, 0, (uint64_t)r->saved);
    uint64_t leaves = get_u64(r, 0, FEED_DOMAIN_COUNT), next = 0;
    for (uint64_t i = 0; i < leaves && !r->has_failed; i++) {
        uint64_t domain = get_u64(r, next, FEED_DOMAIN_COUNT - 1);
        if (r->has_failed)
            break;
        next = domain + 1;
        arm->leaves[domain] = calloc(1, sizeof(*arm->leaves[domain]));
        if (!arm->leaves[domain])
            return WEIR_NO_MEMORY;
        leaf_read(r, arm->leaves[domain]);
    }
    if (r->has_failed)
        return WEIR_STORE;
    memcpy(arm->label, label.ptr, label.len);
    newest = newest < r->now ? newest : r->now;
    arm->newest = newest > 0 ? newest : 1;
    return OK;
}

static bool frame_read(str bytes, struct reader *r)
{
    if (!str_starts(bytes, MAGIC) || bytes.len < MAGIC.len + CHECKSUM_BYTES)
        return false;
    size_t end = bytes.len - CHECKSUM_BYTES;
    struct reader checksum = { .rest = str_slice(bytes, end, bytes.len) };
    r->rest = str_slice(bytes, MAGIC.len, end);
    return get_fixed(&checksum, CHECKSUM_BYTES) == str_hash(str_slice(bytes, 0, end));
}

enum err windows_restore(struct windows *w, nsec now, str bytes)
{
    struct reader r = { .now = now };
    struct windows *fresh;

    if (!frame_read(bytes, &r))
        return WEIR_STORE;
    enum err e = windows_open(&fresh);
    if (e != OK)
        return e;
    r.saved = (nsec)get_u64(&r, 0, INT64_MAX);
    uint64_t arms = get_u64(&r, 0, WINDOWS_ARMS_MAX);
    for (uint64_t i = 0; e == OK && i < arms; i++)
        e = arm_read(&r, &fresh->arms[i]);
    if (e == OK && (r.has_failed || r.rest.len > 0))
        e = WEIR_STORE;
    if (e == OK) {
        struct windows empty = *w;
        *w = *fresh;
        *fresh = empty; /* closed with nothing in it */
    }
    windows_close(fresh);
    return e;
}
