/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behaviour: how a query of an arm in a domain ends at an instant: the model as the scenario has it, or one of its recorded answers,
 * changed by the events that are on. What is expected of it is known in closed form, which is how harm is counted without noise.
 */
#ifndef WEIR_APP_SIM_BEHAVIOUR_INTERNAL_H
#define WEIR_APP_SIM_BEHAVIOUR_INTERNAL_H

#include "base/rng.h"
#include "core/change/rollout.h"
#include "edge/config/scenario.h"

struct behaviour { /* of one arm in one domain, now */
    double down; /* share that fails at once: an outage, a broken arm */
    double success; /* of the others, before time is up */
    double errors; /* share of their failures that are errors */
    double cost_mu, cost_sigma; /* of the logarithm of nano-dollars; sigma < 0: it costs nothing */
    double latency_mu, latency_sigma; /* of the logarithm of nanoseconds */
    nsec timeout;
    double hrm, hrm_sd, trm, trm_sd; /* means below 0: there is none */
    double lost; /* share of the units that are not seen */
    const struct scenario_answers
        *answers; /* instead of success, errors and what they have; NULL: not recorded */
    double kept; /* share of the right answers that stay right */
    double cost_factor, latency_factor, confidence_drop; /* of what is recorded */

    /* Expected: */
    double failure; /* probability */
    double error; /* probability */
    double cost_usd;
};

struct behaviours {
    const struct scenario *scenario;
    struct behaviour now[SCENARIO_ARM_COUNT][SCENARIO_DOMAIN_COUNT];
    int64_t until_us; /* they hold until then */
};

/* As of us microseconds from the start; to be called again from until_us on. */
void behaviours_renew(struct behaviours *b, int64_t us);
/* Is the event on? */
bool behaviour_event_is_on(const struct scenario_event *e, int64_t us);
/* The share of a behaviour's answers that take longer. */
double behaviour_slow(const struct behaviour *b, nsec limit);
void behaviour_draw(const struct behaviour *b, struct rng *rng, struct outcome *out);

/* When something begins to harm the canary alone, from the start: 0 when its model is beyond a limit of a guard that acts, or
 * worse than the baseline by more than a guard's margin; an event that hits only the canary. INT64_MAX: never. */
int64_t behaviour_harm_us(const struct scenario *s);
/* When something begins to go wrong at all, for whomever. */
int64_t behaviour_trouble_us(const struct scenario *s);

#endif
