/* SPDX-License-Identifier: Apache-2.0 */
/* limit: rings of slots, see limit.h. A slot's place in the ring is its number modulo the ring's size. */
#include "core/money/limit.h"

#include <string.h>

#define USEC_PER_SEC INT64_C(1000000)
/* How long someone waits for another of their own requests to end, which nobody knows. */
#define CONCURRENT_RETRY USEC_PER_SEC

_Static_assert((LIMIT_SLOTS & (LIMIT_SLOTS - 1)) == 0, "the place in the ring is a mask");

static const struct {
    const char *name;
    int64_t width; /* of a slot, in microseconds */
    int64_t slots; /* whole ones behind the newest */
} windows[LIMIT_WINDOW_COUNT] = {
    [LIMIT_MINUTE] = { "minute", USEC_PER_SEC, 60 },
    [LIMIT_HOUR] = { "hour", 60 * USEC_PER_SEC, 60 },
    [LIMIT_DAY] = { "day", 1800 * USEC_PER_SEC, 48 },
    [LIMIT_MONTH] = { "month", 43200 * USEC_PER_SEC, 60 },
};

const char *limit_kind_name(enum limit_kind kind)
{
    static const char *const names[LIMIT_KIND_COUNT] = { [LIMIT_REQUESTS] = "requests",
                                                         [LIMIT_TOKENS] = "tokens",
                                                         [LIMIT_COST] = "nano_usd",
                                                         [LIMIT_CONCURRENT] = "concurrent" };

    return names[kind];
}

const char *limit_window_name(enum limit_window window)
{
    return windows[window].name;
}

bool limit_window_find(str name, enum limit_window *out)
{
    for (size_t i = 0; i < LIMIT_WINDOW_COUNT; i++) {
        if (str_eq(name, str_from(windows[i].name))) {
            *out = (enum limit_window)i;
            return true;
        }
    }
    return false;
}

usec_utc limit_window_length(enum limit_window window)
{
    return windows[window].width * windows[window].slots;
}

/* ---- a counter's ring ---- */

static int64_t *slot_at(struct limit_counter *c, int64_t slot)
{
    return &c->slots[(uint64_t)slot & (LIMIT_SLOTS - 1)];
}

static bool is_within(const struct limit_counter *c, int64_t slot)
{
    return slot <= c->newest && slot >= c->newest - windows[c->rule.window].slots;
}

/* Numbers of slots are rounded down, also before 1970. */
static int64_t slot_of(const struct limit_counter *c, usec_utc at)
{
    int64_t width = windows[c->rule.window].width;

    return at / width - (at % width < 0);
}

/* What one slot holds stays below LIMIT_MOST, so that no sum of a window overflows. */
static void slot_add(struct limit_counter *c, int64_t slot, int64_t amount)
{
    int64_t *at = slot_at(c, slot);
    int64_t room = LIMIT_MOST - *at;
    int64_t added = amount > room ? room : amount < -*at ? -*at : amount;

    *at += added;
    c->sum += added;
}

static void ring_clear(struct limit_counter *c, int64_t newest)
{
    memset(c->slots, 0, sizeof(c->slots));
    c->sum = 0;
    c->newest = newest;
}

/* The clock went back by more than a window: everything is as if it had been used now. */
static void ring_fold(struct limit_counter *c, int64_t slot)
{
    int64_t sum = c->sum;

    ring_clear(c, slot);
    slot_add(c, slot, sum);
    c->folded = slot;
    c->folds++;
}

static void ring_advance(struct limit_counter *c, usec_utc now)
{
    int64_t length = windows[c->rule.window].slots, slot = slot_of(c, now);

    if (!c->has_begun) {
        c->has_begun = true;
        c->newest = slot;
    }
    if (c->newest - slot > length) {
        ring_fold(c, slot);
        return;
    }
    if (slot - c->newest > length) {
        ring_clear(c, slot);
        return;
    }
    while (c->newest < slot) {
        c->newest++;
        int64_t *gone = slot_at(c, c->newest - length - 1);
        c->sum -= *gone;
        *gone = 0;
    }
}

/* ---- accounts ---- */

enum err limit_account_init(struct limit_account *a, struct limit_counter *counters,
                            const struct limit_rule *rules, size_t count)
{
    if (count > LIMIT_RULES_MAX)
        return CALLER_BAD_REQUEST;
    for (size_t i = 0; i < count; i++) {
        if (rules[i].most < 0 || rules[i].most > LIMIT_MOST)
            return CALLER_BAD_REQUEST;
        for (size_t k = 0; k < i; k++) {
            if (rules[k].kind == rules[i].kind && rules[k].window == rules[i].window)
                return CALLER_BAD_REQUEST;
        }
    }
    for (size_t i = 0; i < count; i++)
        counters[i] = (struct limit_counter){ .rule = rules[i] };
    *a = (struct limit_account){ counters, count };
    return OK;
}

static bool is_concurrent(const struct limit_counter *c)
{
    return c->rule.kind == LIMIT_CONCURRENT;
}

static int64_t counter_used(const struct limit_counter *c)
{
    return is_concurrent(c) ? c->held : c->sum;
}

/* From now until so much has left the window. */
static usec_utc time_until_free(struct limit_counter *c, usec_utc now, int64_t amount)
{
    int64_t length = windows[c->rule.window].slots, slot = c->newest - length;

    for (int64_t freed = *slot_at(c, slot); freed < amount && slot < c->newest;)
        freed += *slot_at(c, ++slot);
    usec_utc wait = (slot + length + 1) * windows[c->rule.window].width - now;
    return wait > 0 ? wait : 0;
}

static struct limit_refusal refusal_of(struct limit_counter *c, usec_utc now, int64_t wanted)
{
    int64_t used = counter_used(c), left = c->rule.most - used;
    struct limit_refusal why = {
        .rule = c->rule, .used = used, .wanted = wanted, .left = left > 0 ? left : 0
    };

    if (wanted > c->rule.most)
        why.retry_after = LIMIT_RETRY_NEVER;
    else if (is_concurrent(c))
        why.retry_after = CONCURRENT_RETRY;
    else
        why.retry_after = time_until_free(c, now, wanted - left);
    return why;
}

bool limit_reserve(struct limit_account *a, usec_utc now, const struct limit_amounts *want,
                   struct limit_hold *out, struct limit_refusal *out_why)
{
    bool is_refused = false;

    for (size_t i = 0; i < a->count; i++) {
        struct limit_counter *c = &a->counters[i];
        int64_t wanted = want->of[c->rule.kind];
        assert(wanted >= 0);
        ring_advance(c, now);
        if (wanted == 0 || (wanted <= c->rule.most && counter_used(c) <= c->rule.most - wanted))
            continue;
        struct limit_refusal why = refusal_of(c, now, wanted);
        if (!is_refused || why.retry_after > out_why->retry_after)
            *out_why = why;
        is_refused = true;
    }
    if (is_refused)
        return false;
    *out = (struct limit_hold){ .taken = *want, .is_open = true };
    for (size_t i = 0; i < a->count; i++) {
        struct limit_counter *c = &a->counters[i];
        int64_t wanted = want->of[c->rule.kind];
        out->slots[i] = c->newest;
        out->folds[i] = c->folds;
        c->held += wanted;
        if (!is_concurrent(c))
            slot_add(c, c->newest, wanted);
    }
    return true;
}

void limit_settle(struct limit_account *a, struct limit_hold *hold,
                  const struct limit_amounts *used)
{
    if (!hold->is_open)
        return;
    hold->is_open = false;
    for (size_t i = 0; i < a->count; i++) {
        struct limit_counter *c = &a->counters[i];
        int64_t taken = hold->taken.of[c->rule.kind], came = used->of[c->rule.kind];
        int64_t slot = hold->folds[i] == c->folds ? hold->slots[i] : c->folded;
        assert(came >= 0 && c->held >= taken);
        c->held -= taken;
        if (!is_concurrent(c) && is_within(c, slot))
            slot_add(c, slot, came - taken);
    }
}

void limit_restore(struct limit_account *a, usec_utc now, usec_utc at,
                   const struct limit_amounts *used)
{
    for (size_t i = 0; i < a->count; i++) {
        struct limit_counter *c = &a->counters[i];
        int64_t came = used->of[c->rule.kind], slot = slot_of(c, at);
        ring_advance(c, now);
        if (slot > c->newest)
            slot = c->newest;
        if (!is_concurrent(c) && is_within(c, slot))
            slot_add(c, slot, came);
    }
}

struct limit_view limit_view(struct limit_account *a, usec_utc now, size_t i)
{
    struct limit_counter *c = &a->counters[i];

    ring_advance(c, now);
    int64_t used = counter_used(c), left = c->rule.most - used;
    struct limit_view view = {
        .rule = c->rule, .used = used, .held = c->held, .left = left > 0 ? left : 0
    };
    if (used > 0 && !is_concurrent(c))
        view.reset_after = time_until_free(c, now, used);
    return view;
}
