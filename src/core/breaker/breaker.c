/* SPDX-License-Identifier: Apache-2.0 */
/* breaker: see breaker.h. */
#include "core/breaker/breaker.h"

#define FAULT_STEP 1
#define SUCCESS_STEP 2
#define CREDIT_WHOLE UINT32_C(1000000) /* one attempt */
#define CREDIT_FIRST (CREDIT_WHOLE / 8) /* the share with which a ramp begins */

static void enter(struct breaker *b, enum breaker_state state)
{
    b->state = state;
    b->epoch++;
    b->has_probe = false;
}

static nsec later(nsec now, nsec wait)
{
    nsec at;

    return i64_add(now, wait, &at) ? at : NSEC_NEVER;
}

static void open_for(struct breaker *b, const struct breaker_options *options, nsec now, nsec pause)
{
    enter(b, BREAKER_OPEN);
    b->pause = pause < options->pause_max ? pause : options->pause_max;
    b->until = later(now, b->pause);
    b->opened++;
}

static nsec pause_next(const struct breaker *b, const struct breaker_options *options)
{
    if (b->pause == 0)
        return options->pause;
    return b->pause > options->pause_max / 2 ? options->pause_max : b->pause * 2;
}

static void close(struct breaker *b)
{
    enter(b, BREAKER_CLOSED);
    b->pause = 0;
    b->score = 0;
}

/* Half of what a healthy one is allowed is used up when the ramp begins. */
static void ramp_begin(struct breaker *b, const struct breaker_options *options, nsec now)
{
    if (options->ramp == 0) {
        close(b);
        return;
    }
    enter(b, BREAKER_RAMP);
    b->until = later(now, options->ramp);
    b->score = options->failures / 2;
    b->credit = CREDIT_WHOLE;
}

/* The share grows in a straight line with the time that has passed. */
static bool ramp_admit(struct breaker *b, const struct breaker_options *options, nsec now)
{
    double left = (double)(b->until - now) / (double)options->ramp;
    double share = 1 - left * (1 - (double)CREDIT_FIRST / CREDIT_WHOLE);

    bool is_admitted = b->credit >= CREDIT_WHOLE;
    if (is_admitted)
        b->credit -= CREDIT_WHOLE;
    b->credit += (uint32_t)(share * CREDIT_WHOLE);
    return is_admitted;
}

static void time_pass(struct breaker *b, nsec now)
{
    if (b->state == BREAKER_OPEN && now >= b->until)
        enter(b, BREAKER_HALF_OPEN);
    else if (b->state == BREAKER_RAMP && now >= b->until)
        close(b);
}

static bool admits(struct breaker *b, const struct breaker_options *options, nsec now,
                   bool has_alternative)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return false;
    case BREAKER_HALF_OPEN:
        if (b->has_probe)
            return false;
        b->has_probe = true;
        return true;
    case BREAKER_RAMP:
        return !has_alternative || ramp_admit(b, options, now);
    case BREAKER_STATE_COUNT:
        break;
    }
    return true;
}

bool breaker_admit(struct breaker *b, const struct breaker_options *options, nsec now,
                   bool has_alternative, struct breaker_ticket *out)
{
    time_pass(b, now);
    if (options->failures > 0 && !admits(b, options, now, has_alternative))
        return false;
    *out = (struct breaker_ticket){ b->epoch };
    return true;
}

void breaker_note(struct breaker *b, const struct breaker_options *options, nsec now,
                  struct breaker_ticket ticket, bool is_fault)
{
    time_pass(b, now);
    if (ticket.epoch != b->epoch || options->failures == 0)
        return;
    if (b->state == BREAKER_HALF_OPEN) {
        if (is_fault)
            open_for(b, options, now, pause_next(b, options));
        else
            ramp_begin(b, options, now);
        return;
    }
    if (is_fault)
        b->score += FAULT_STEP;
    else
        b->score = b->score > SUCCESS_STEP ? b->score - SUCCESS_STEP : 0;
    if (b->score >= options->failures)
        open_for(b, options, now, pause_next(b, options));
}

void breaker_forget(struct breaker *b, struct breaker_ticket ticket)
{
    if (ticket.epoch == b->epoch)
        b->has_probe = false;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[BREAKER_STATE_COUNT] = {
        [BREAKER_CLOSED] = "closed",
        [BREAKER_OPEN] = "open",
        [BREAKER_HALF_OPEN] = "half_open",
        [BREAKER_RAMP] = "ramp",
    };

    return names[state];
}
