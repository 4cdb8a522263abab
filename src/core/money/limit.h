/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit: what somebody may use: requests, tokens and dollars over sliding windows, and requests at once. What a request may
 * cost at worst is reserved before it begins and settled when it has ended, so that a limit is never passed by requests
 * that did not know of each other.
 *
 *     limit_reserve(worst case) ---> it runs ---> limit_settle(what it came to)
 *            `---> refused: which limit, what is left, when to come back; nothing was taken
 *
 * A window is so many slots, the newest of which is the one that is going on: in any span of a window's length at most its
 * limit is used. What is reserved counts in the slot in which it was reserved, and what it came to counts there too.
 *
 * A caller may rely on:
 *   - a limit's counter is at every moment the sum of what was settled and of what is reserved, within the window;
 *   - a refusal changes nothing; a window moves on in one step, inside the function that is called;
 *   - a clock that goes back opens nothing: within a window's length it stands still, and beyond, all that was counted
 *     counts as if it had been used now;
 *   - only a request that comes to more than its worst case leads past a limit, and then it is counted.
 *
 * Nothing here is locked: one thread at a time uses an account.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_MONEY_LIMIT_H
#define WEIR_CORE_MONEY_LIMIT_H

#include "base/base.h"

enum limit_kind { LIMIT_REQUESTS, LIMIT_TOKENS, LIMIT_COST, LIMIT_CONCURRENT, LIMIT_KIND_COUNT };
/* A month is 30 days. */
enum limit_window { LIMIT_MINUTE, LIMIT_HOUR, LIMIT_DAY, LIMIT_MONTH, LIMIT_WINDOW_COUNT };

/* "requests", "tokens", "nano_usd", "concurrent"; "minute", … */
const char *limit_kind_name(enum limit_kind kind);
const char *limit_window_name(enum limit_window window);
bool limit_window_find(str name, enum limit_window *out);
usec_utc limit_window_length(enum limit_window window);

#define LIMIT_SLOTS 64 /* of a counter, a power of two and more than a window has */
#define LIMIT_RULES_MAX 8 /* of an account */
#define LIMIT_MOST                                                                                 \
    (INT64_C(1) << 56) /* what a rule may allow; in nano-dollars 72 million dollars */

struct limit_rule {
    enum limit_kind kind;
    enum limit_window window; /* of LIMIT_CONCURRENT: without a meaning */
    int64_t most; /* [0, LIMIT_MOST]; nano-dollars of LIMIT_COST */
};

/* By kind; none is negative. */
struct limit_amounts {
    int64_t of[LIMIT_KIND_COUNT];
};

struct limit_counter {
    struct limit_rule rule;
    int64_t newest; /* slots are numbered from 1970 */
    int64_t sum; /* of the slots within the window */
    int64_t held; /* what is reserved and not settled, in the window or not */
    int64_t folded; /* where everything went when the clock went far back, */
    uint32_t folds; /* and how often it did */
    bool has_begun;
    int64_t slots[LIMIT_SLOTS];
};

struct limit_account {
    struct limit_counter *counters; /* the caller's */
    size_t count;
};

/* What one reservation took; it is to be settled once. */
struct limit_hold {
    struct limit_amounts taken;
    int64_t slots[LIMIT_RULES_MAX];
    uint32_t folds[LIMIT_RULES_MAX];
    bool is_open;
};

#define LIMIT_RETRY_NEVER INT64_MAX

struct limit_refusal {
    struct limit_rule rule;
    int64_t used; /* reserved and settled; may be above rule.most */
    int64_t wanted;
    int64_t left; /* never negative */
    usec_utc
        retry_after; /* microseconds from now; LIMIT_RETRY_NEVER: the request alone is above the limit */
};

/* counters has room for the rules; CALLER_BAD_REQUEST when there are more than LIMIT_RULES_MAX, one is out of range or stands twice. */
NODISCARD enum err limit_account_init(struct limit_account *a, struct limit_counter *counters,
                                      const struct limit_rule *rules, size_t count);

/* True with an open hold, or false with the limit that asks for the longest wait. A limit of which nothing is wanted refuses nothing. */
NODISCARD bool limit_reserve(struct limit_account *a, usec_utc now,
                             const struct limit_amounts *want, struct limit_hold *out,
                             struct limit_refusal *out_why);
/* Ends the hold: what was used takes the place of what was reserved. All zeros give everything back. A hold that is not open is a no-op. */
void limit_settle(struct limit_account *a, struct limit_hold *hold,
                  const struct limit_amounts *used);
/* Counts what was used at `at`, before this account was there. */
void limit_restore(struct limit_account *a, usec_utc now, usec_utc at,
                   const struct limit_amounts *used);

struct limit_view {
    struct limit_rule rule;
    int64_t used; /* within the window: settled and reserved */
    int64_t held; /* reserved */
    int64_t left; /* never negative */
    usec_utc
        reset_after; /* until nothing is used any more if nothing is asked for; 0: nothing is used */
};
/* i < a->count. */
struct limit_view limit_view(struct limit_account *a, usec_utc now, size_t i);

#endif
