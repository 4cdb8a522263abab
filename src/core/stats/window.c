/* SPDX-License-Identifier: Apache-2.0 */
/* window: rings of slots that know which stretch of time they belong to. */
#include "core/stats/histogram.h"

/* Rounds down, also before 0. */
static int64_t epoch_of(const struct window *w, nsec now)
{
    return now / w->width - (now % w->width < 0);
}

static uint32_t slot_of(const struct window *w, int64_t epoch)
{
    int64_t rest = epoch % w->slots;

    return (uint32_t)(rest < 0 ? rest + w->slots : rest);
}

void window_init(struct window *w, nsec width, uint32_t slots)
{
    assert(width > 0);
    assert(slots > 0 && slots <= WINDOW_SLOTS_MAX);
    *w = (struct window){ .width = width, .slots = slots };
}

void window_add(struct window *w, nsec now, const double sums[WINDOW_SUMS])
{
    int64_t epoch = epoch_of(w, now);
    struct window_slot *slot = &w->ring[slot_of(w, epoch)];

    if (slot->epoch != epoch)
        *slot = (struct window_slot){ .epoch = epoch };
    for (size_t i = 0; i < WINDOW_SUMS; i++)
        slot->sums[i] += sums[i];
}

void window_read(const struct window *w, nsec now, uint32_t last, double out_sums[WINDOW_SUMS])
{
    int64_t epoch = epoch_of(w, now);
    uint32_t count = last < w->slots ? last : w->slots;

    for (size_t i = 0; i < WINDOW_SUMS; i++)
        out_sums[i] = 0;
    for (uint32_t back = 0; back < count; back++) {
        const struct window_slot *slot = &w->ring[slot_of(w, epoch - back)];
        if (slot->epoch != epoch - back)
            continue;
        for (size_t i = 0; i < WINDOW_SUMS; i++)
            out_sums[i] += slot->sums[i];
    }
}
