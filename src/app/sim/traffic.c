/* SPDX-License-Identifier: Apache-2.0 */
/* traffic: see traffic_internal.h. */
#include "app/sim/traffic_internal.h"

#include <math.h>

static double us_of(nsec t)
{
    return t == NSEC_NEVER ? INFINITY : (double)t / (double)NSEC_PER_USEC;
}

/* What an event leaves of the traffic now; until_us is brought forward to its next change. */
static double drought_factor(struct traffic *t, const struct scenario_event *e)
{
    double start = us_of(e->start), end = start + us_of(e->length);

    if (t->at_us < start) {
        t->until_us = fmin(t->until_us, start);
        return 1;
    }
    if (t->at_us >= end)
        return 1;
    t->until_us = fmin(t->until_us, end);
    return 1 - e->size;
}

static void rate_renew(struct traffic *t)
{
    const struct scenario *s = t->scenario;
    double hours = t->at_us / (double)HOUR_US + s->traffic.start_hour;
    double hour = floor(hours + 1e-9);

    t->until_us = (hour + 1 - s->traffic.start_hour) * (double)HOUR_US;
    t->rate = s->traffic.per_second * s->traffic.hours[(int64_t)hour % SCENARIO_HOURS] / 1e6;
    for (size_t i = 0; i < s->event_count; i++) {
        if (s->events[i].kind == SCENARIO_DROUGHT)
            t->rate *= drought_factor(t, &s->events[i]);
    }
    t->until_us = fmin(t->until_us, t->end_us);
}

void traffic_init(struct traffic *t, const struct scenario *s, uint64_t seed,
                  struct conversation *open)
{
    *t = (struct traffic){ .scenario = s, .seed = seed, .open = open };
    rng_init(&t->rng, rng_mix(seed + UINT64_C(0x7261666669635f31)));
    t->end_us = us_of(s->traffic.duration);
    rate_renew(t);
}

bool traffic_next(struct traffic *t, int64_t *out_us)
{
    double wanted = -log(1 - rng_unit(&t->rng)); /* in expected arrivals */

    for (;;) {
        double room = (t->until_us - t->at_us) * t->rate;
        if (wanted < room) {
            t->at_us += wanted / t->rate;
            *out_us = (int64_t)t->at_us;
            return true;
        }
        wanted -= room;
        t->at_us = t->until_us;
        if (t->at_us >= t->end_us)
            return false;
        rate_renew(t);
    }
}

static enum scenario_domain domain_draw(struct traffic *t)
{
    double u = rng_unit(&t->rng);
    size_t last = 0;

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++) {
        double share = t->scenario->traffic.shares[d];
        if (share > 0)
            last = d;
        if (u < share)
            return (enum scenario_domain)d;
        u -= share;
    }
    return (enum scenario_domain)last;
}

/* As %x does, which takes longer than the rest of a conversation's beginning. The length; out has room for 16. */
static size_t hex_number_write(uint64_t value, char *out)
{
    size_t digits = value == 0 ? 1 : (size_t)(67 - __builtin_clzll(value)) / 4;

    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    return digits;
}

/* "SEED-NUMBER" */
static void id_write(const struct traffic *t, struct conversation *c)
{
    size_t n = hex_number_write(t->seed, c->id);

    c->id[n++] = '-';
    c->id_length = n + hex_number_write((uint64_t)t->begun, c->id + n);
}

struct conversation *traffic_pick(struct traffic *t, bool *out_is_new)
{
    const struct scenario_traffic *traffic = &t->scenario->traffic;
    struct conversation *c = &t->open[rng_below(&t->rng, (uint64_t)traffic->open)];
    bool is_new = c->id_length == 0 || rng_unit(&t->rng) * traffic->conversation < 1;

    *out_is_new = is_new;
    if (!is_new)
        return c;
    *c = (struct conversation){ .domain = domain_draw(t), .luck = rng_unit(&t->rng) };
    id_write(t, c);
    t->begun++;
    return c;
}
