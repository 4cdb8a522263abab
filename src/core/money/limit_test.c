/* SPDX-License-Identifier: Apache-2.0 */
/* limit's tests: each window against a naive sum, what a refusal promises, interleavings, clocks that go back. */
#include "core/money/limit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "test/check.h"

#define SEC INT64_C(1000000)
#define NOW (INT64_C(1700000000) * SEC)
#define EVENTS_MAX 4000

static const int64_t widths[LIMIT_WINDOW_COUNT] = { SEC, 60 * SEC, 1800 * SEC, 43200 * SEC };
static const int64_t lengths[LIMIT_WINDOW_COUNT] = { 60 * SEC, 3600 * SEC, 86400 * SEC,
                                                     30 * 86400 * SEC };

static struct limit_amounts amounts(int64_t requests, int64_t tokens, int64_t cost)
{
    return (struct limit_amounts){
        { [LIMIT_REQUESTS] = requests, [LIMIT_TOKENS] = tokens, [LIMIT_COST] = cost }
    };
}

static const struct limit_amounts nothing;

/* An account of one rule. */
struct single {
    struct limit_counter counter;
    struct limit_account account;
};
static void single_open(struct single *s, enum limit_kind kind, enum limit_window window,
                        int64_t most)
{
    const struct limit_rule rule = { kind, window, most };

    CHECK(limit_account_init(&s->account, &s->counter, &rule, 1) == OK);
}

static bool tokens_reserve(struct single *s, usec_utc now, int64_t tokens, struct limit_hold *hold)
{
    struct limit_amounts want = amounts(0, tokens, 0);
    struct limit_refusal why;

    return limit_reserve(&s->account, now, &want, hold, &why);
}

static void rules_are_checked(void)
{
    struct limit_counter counters[LIMIT_RULES_MAX + 1];
    struct limit_account a;
    struct limit_rule rules[LIMIT_RULES_MAX + 1] = { { LIMIT_TOKENS, LIMIT_MINUTE, 1 },
                                                     { LIMIT_TOKENS, LIMIT_HOUR, LIMIT_MOST } };

    CHECK(limit_account_init(&a, counters, rules, 2) == OK);
    CHECK(limit_account_init(&a, counters, rules, 0) == OK);
    rules[1].most++;
    CHECK(limit_account_init(&a, counters, rules, 2) == CALLER_BAD_REQUEST);
    rules[1].most = -1;
    CHECK(limit_account_init(&a, counters, rules, 2) == CALLER_BAD_REQUEST);
    rules[1] = rules[0];
    CHECK(limit_account_init(&a, counters, rules, 2) == CALLER_BAD_REQUEST);
    CHECK(limit_account_init(&a, counters, rules, LIMIT_RULES_MAX + 1) == CALLER_BAD_REQUEST);
}

static void names_are_those_of_people(void)
{
    enum limit_window window;

    for (size_t i = 0; i < LIMIT_WINDOW_COUNT; i++) {
        CHECK(limit_window_find(str_from(limit_window_name((enum limit_window)i)), &window));
        CHECK_INT(window, i);
        CHECK_INT(limit_window_length(window), lengths[i]);
    }
    CHECK(!limit_window_find(STR("year"), &window));
    CHECK_STR(str_from(limit_kind_name(LIMIT_COST)), STR("nano_usd"));
}

/* Many at the limit, none of which knows of the others: as many begin as fit at their worst, and no more. */
static void parallel_requests_never_overspend(void)
{
    struct limit_counter counters[2];
    const struct limit_rule rules[] = { { LIMIT_COST, LIMIT_DAY, 1000 },
                                        { LIMIT_REQUESTS, LIMIT_MINUTE, 200 } };
    struct limit_account a;
    struct limit_hold holds[200];
    struct limit_refusal why;
    int admitted = 0;

    REQUIRE(limit_account_init(&a, counters, rules, 2) == OK);
    for (int i = 0; i < 200; i++) {
        struct limit_amounts want = amounts(1, 5, 7);
        holds[i].is_open = false;
        admitted += limit_reserve(&a, NOW, &want, &holds[i], &why);
    }
    CHECK_INT(admitted, 142); /* of 1000 / 7 */
    CHECK_INT(why.rule.kind, LIMIT_COST);
    CHECK_INT(why.left, 1000 - 142 * 7);
    CHECK_INT(why.used, 142 * 7);
    CHECK_INT(why.wanted, 7);
    struct limit_amounts used = amounts(1, 5, 2);
    for (int i = 0; i < 200; i++)
        limit_settle(&a, &holds[i], &used);
    CHECK_INT(limit_view(&a, NOW, 0).used, 142 * 2);
    CHECK_INT(limit_view(&a, NOW, 0).held, 0);
    CHECK_INT(limit_view(&a, NOW, 1).left, 200 - 142);
    limit_settle(&a, &holds[0], &used); /* once is enough */
    CHECK_INT(limit_view(&a, NOW, 0).used, 142 * 2);
}

/* One of two limits refuses: nothing is taken from the other either. */
static void a_refusal_takes_nothing(void)
{
    struct limit_counter counters[3];
    const struct limit_rule rules[] = { { LIMIT_REQUESTS, LIMIT_MINUTE, 10 },
                                        { LIMIT_CONCURRENT, LIMIT_MINUTE, 5 },
                                        { LIMIT_TOKENS, LIMIT_HOUR, 100 } };
    struct limit_account a;
    struct limit_hold hold = { .is_open = false };
    struct limit_refusal why;
    struct limit_amounts want = amounts(1, 101, 0);

    want.of[LIMIT_CONCURRENT] = 1;
    REQUIRE(limit_account_init(&a, counters, rules, 3) == OK);
    CHECK(!limit_reserve(&a, NOW, &want, &hold, &why));
    CHECK(!hold.is_open);
    CHECK_INT(why.retry_after, LIMIT_RETRY_NEVER);
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(limit_view(&a, NOW, i).used, 0);
        CHECK_INT(limit_view(&a, NOW, i).held, 0);
    }
}

/* What has no room at all refuses nobody who wants nothing of it. */
static void what_is_not_wanted_is_not_refused(void)
{
    struct single s;
    struct limit_hold hold;

    single_open(&s, LIMIT_TOKENS, LIMIT_MINUTE, 10);
    CHECK(tokens_reserve(&s, NOW, 10, &hold));
    limit_settle(&s.account, &hold, &(struct limit_amounts){ { [LIMIT_TOKENS] = 30 } });
    CHECK_INT(limit_view(&s.account, NOW, 0).used,
              30); /* more than its worst case: counted all the same */
    CHECK_INT(limit_view(&s.account, NOW, 0).left, 0);
    CHECK(tokens_reserve(&s, NOW, 0, &hold));
    CHECK(!tokens_reserve(&s, NOW, 1, &hold));
}

static void concurrent_requests_come_back(void)
{
    struct single s;
    struct limit_hold holds[3];
    struct limit_refusal why;
    struct limit_amounts want = { { [LIMIT_CONCURRENT] = 1 } };

    single_open(&s, LIMIT_CONCURRENT, LIMIT_MINUTE, 2);
    CHECK(limit_reserve(&s.account, NOW, &want, &holds[0], &why));
    CHECK(limit_reserve(&s.account, NOW, &want, &holds[1], &why));
    /* However long they run. */
    CHECK(!limit_reserve(&s.account, NOW + 7200 * SEC, &want, &holds[2], &why));
    CHECK_INT(why.retry_after, SEC);
    CHECK_INT(why.left, 0);
    limit_settle(&s.account, &holds[0], &nothing);
    CHECK(limit_reserve(&s.account, NOW + 7200 * SEC, &want, &holds[2], &why));
    CHECK_INT(limit_view(&s.account, NOW + 7200 * SEC, 0).used, 2);
}

/* A call may outlast the window that it was reserved in. */
static void what_outlasts_its_window_is_settled_without_a_trace(void)
{
    struct single s;
    struct limit_hold hold, other;

    single_open(&s, LIMIT_TOKENS, LIMIT_MINUTE, 100);
    CHECK(tokens_reserve(&s, NOW, 60, &hold));
    CHECK(tokens_reserve(&s, NOW + 61 * SEC, 70, &other));
    CHECK_INT(limit_view(&s.account, NOW + 61 * SEC, 0).held, 130);
    limit_settle(&s.account, &hold, &(struct limit_amounts){ { [LIMIT_TOKENS] = 5 } });
    CHECK_INT(limit_view(&s.account, NOW + 61 * SEC, 0).used, 70);
    CHECK_INT(limit_view(&s.account, NOW + 61 * SEC, 0).held, 70);
}

/* ---- against a naive sum ---- */

struct event {
    usec_utc at;
    int64_t amount; /* reserved, then used */
    struct limit_hold hold;
};

struct naive {
    struct event events[EVENTS_MAX];
    size_t count;
};

/* What lies in the whole slots of the window that ends now. */
static int64_t naive_used(const struct naive *n, enum limit_window window, usec_utc now)
{
    int64_t sum = 0, oldest = now / widths[window] - lengths[window] / widths[window];

    for (size_t i = 0; i < n->count; i++) {
        if (n->events[i].at / widths[window] >= oldest)
            sum += n->events[i].amount;
    }
    return sum;
}

static void check_span(const struct naive *n, enum limit_window window, usec_utc end, int64_t most)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n->count; i++) {
        if (n->events[i].at > end - lengths[window] && n->events[i].at <= end)
            sum += n->events[i].amount;
    }
    CHECK(sum <= most);
}

static void check_retry(const struct limit_account *a, usec_utc now,
                        const struct limit_amounts *want, const struct limit_refusal *why)
{
    struct limit_counter counters[LIMIT_WINDOW_COUNT];
    struct limit_account copy = { counters, a->count };
    struct limit_hold hold;
    struct limit_refusal again;

    if (why->retry_after == LIMIT_RETRY_NEVER)
        return;
    memcpy(counters, a->counters, sizeof(counters));
    CHECK(!limit_reserve(&copy, now + why->retry_after - 1, want, &hold, &again));
    CHECK(limit_reserve(&copy, now + why->retry_after, want, &hold, &again));
}

/* One account with all four windows: each counter is the naive sum, whoever is admitted fits everywhere, no span of a window's
 * length holds more than its limit, and a refusal's time is exactly when it would be taken. */
static void interleavings_agree_with_a_naive_sum(void)
{
    static struct naive n;
    const int64_t most[LIMIT_WINDOW_COUNT] = { 100, 700, 3000, 9000 };
    int64_t refused = 0, admitted = 0;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng rng;
        struct limit_counter counters[LIMIT_WINDOW_COUNT];
        struct limit_rule rules[LIMIT_WINDOW_COUNT];
        struct limit_account a;
        usec_utc now = NOW;

        rng_init(&rng, seed);
        n.count = 0;
        for (size_t w = 0; w < LIMIT_WINDOW_COUNT; w++)
            rules[w] = (struct limit_rule){ LIMIT_TOKENS, (enum limit_window)w, most[w] };
        REQUIRE(limit_account_init(&a, counters, rules, LIMIT_WINDOW_COUNT) == OK);
        for (int step = 0; step < 600; step++) {
            static const int64_t jumps[] = { 0,        1,         SEC / 3,    SEC,
                                             20 * SEC, 600 * SEC, 9000 * SEC, 86400 * 3 * SEC };
            now += (int64_t)rng_below(
                &rng, (uint64_t)jumps[rng_below(&rng, rng_below(&rng, 9) == 0 ? 8 : 5)] + 1);
            struct limit_amounts want = amounts(0, (int64_t)rng_below(&rng, 60), 0);
            struct event e = { .at = now, .amount = want.of[LIMIT_TOKENS] };
            struct limit_refusal why;
            bool fits = true;
            for (size_t w = 0; w < LIMIT_WINDOW_COUNT; w++)
                fits = fits && (e.amount == 0 ||
                                naive_used(&n, (enum limit_window)w, now) + e.amount <= most[w]);
            bool is_taken = limit_reserve(&a, now, &want, &e.hold, &why);
            CHECK(is_taken == fits);
            if (is_taken)
                n.events[n.count++] = e;
            else
                check_retry(&a, now, &want, &why);
            admitted += is_taken;
            refused += !is_taken;
            if (n.count > 0 && rng_below(&rng, 2) == 0) {
                struct event *ended = &n.events[rng_below(&rng, n.count)];
                if (ended->hold.is_open) {
                    ended->amount = (int64_t)rng_below(&rng, (uint64_t)ended->amount + 1);
                    limit_settle(&a, &ended->hold,
                                 &(struct limit_amounts){ { [LIMIT_TOKENS] = ended->amount } });
                }
            }
            for (size_t w = 0; w < LIMIT_WINDOW_COUNT; w++) {
                CHECK_INT(limit_view(&a, now, w).used, naive_used(&n, (enum limit_window)w, now));
                check_span(&n, (enum limit_window)w, now, most[w]);
            }
        }
        int64_t held = 0;
        for (size_t i = 0; i < n.count; i++)
            held += n.events[i].hold.is_open ? n.events[i].hold.taken.of[LIMIT_TOKENS] : 0;
        CHECK_INT(limit_view(&a, now, 0).held, held);
        for (size_t i = 0; i < n.count; i++)
            limit_settle(&a, &n.events[i].hold, &nothing); /* aborted */
        CHECK_INT(limit_view(&a, now, 0).held, 0);
        CHECK_INT(limit_view(&a, now + 40 * 86400 * SEC, LIMIT_MONTH).used, 0);
    }
    CHECK(refused > 1000 && admitted > 1000);
}

/* Restored from what a ledger says, an account stands where the one stood that was lost. */
static void restoring_agrees_with_having_counted(void)
{
    struct rng rng;
    struct limit_counter counters[2][LIMIT_WINDOW_COUNT];
    struct limit_rule rules[LIMIT_WINDOW_COUNT];
    struct limit_account a, b;
    usec_utc now = NOW, ats[300];
    int64_t tokens[300];

    rng_init(&rng, 7);
    for (size_t w = 0; w < LIMIT_WINDOW_COUNT; w++)
        rules[w] = (struct limit_rule){ LIMIT_TOKENS, (enum limit_window)w, LIMIT_MOST };
    REQUIRE(limit_account_init(&a, counters[0], rules, LIMIT_WINDOW_COUNT) == OK);
    REQUIRE(limit_account_init(&b, counters[1], rules, LIMIT_WINDOW_COUNT) == OK);
    for (size_t i = 0; i < 300; i++) {
        struct limit_hold hold;
        struct limit_refusal why;
        now += (int64_t)rng_below(&rng, (uint64_t)(rng_below(&rng, 2) ? SEC : 12 * 3600 * SEC));
        ats[i] = now;
        tokens[i] = (int64_t)rng_below(&rng, 1000);
        CHECK(limit_reserve(&a, now, &(struct limit_amounts){ { [LIMIT_TOKENS] = 2000 } }, &hold,
                            &why));
        limit_settle(&a, &hold, &(struct limit_amounts){ { [LIMIT_TOKENS] = tokens[i] } });
    }
    for (size_t i = 300; i > 0; i--) /* in whatever order */
        limit_restore(&b, now, ats[i - 1],
                      &(struct limit_amounts){ { [LIMIT_TOKENS] = tokens[i - 1] } });
    for (int64_t later = 0; later < 40 * 86400; later += 7000) {
        for (size_t w = 0; w < LIMIT_WINDOW_COUNT; w++)
            CHECK_INT(limit_view(&b, now + later * SEC, w).used,
                      limit_view(&a, now + later * SEC, w).used);
    }
    /* From a clock that was ahead: as if it were now. */
    limit_restore(&b, now + 50 * 86400 * SEC, now + 99 * 86400 * SEC,
                  &(struct limit_amounts){ { [LIMIT_TOKENS] = 5 } });
    CHECK_INT(limit_view(&b, now + 50 * 86400 * SEC, LIMIT_MINUTE).used, 5);
}

/* ---- clocks ---- */

static void a_clock_that_goes_back_opens_nothing(void)
{
    static const int64_t backs[] = { 1, 59, 61, 3600, 86400, 400 * 86400 };

    for (size_t i = 0; i < ARRAY_LEN(backs); i++) {
        struct single s;
        struct limit_hold held, hold;
        usec_utc before = NOW - backs[i] * SEC;

        single_open(&s, LIMIT_TOKENS, LIMIT_MINUTE, 100);
        CHECK(tokens_reserve(&s, NOW - 2 * SEC, 30, &hold));
        CHECK(tokens_reserve(&s, NOW, 60, &held));
        CHECK(!tokens_reserve(&s, before, 11, &hold));
        CHECK(tokens_reserve(&s, before, 10, &hold));
        CHECK_INT(limit_view(&s.account, before, 0).used, 100);
        /* What was reserved before the step is given back where it now counts. */
        limit_settle(&s.account, &held, &(struct limit_amounts){ { [LIMIT_TOKENS] = 20 } });
        CHECK_INT(limit_view(&s.account, before, 0).used, 60);
        /* Two windows after the step it is over, and not never. */
        CHECK(tokens_reserve(&s, before + 122 * SEC, 100, &hold));
    }
}

static void a_clock_that_leaps_forward_empties_the_windows(void)
{
    struct single s;
    struct limit_hold hold;

    single_open(&s, LIMIT_TOKENS, LIMIT_MINUTE, 100);
    CHECK(tokens_reserve(&s, NOW, 100, &hold));
    CHECK(!tokens_reserve(&s, NOW + 60 * SEC, 1, &hold)); /* the slot that began with it */
    CHECK(tokens_reserve(&s, NOW + 61 * SEC, 100, &hold));
    CHECK(tokens_reserve(&s, NOW + INT64_C(1000000000) * SEC, 100, &hold));
    CHECK(tokens_reserve(&s, -SEC / 2, 0, &hold)); /* before 1970, too */
    CHECK_INT(limit_view(&s.account, -SEC / 2, 0).used, 100);
    CHECK_INT(limit_view(&s.account, -SEC / 2, 0).reset_after, 60 * SEC + SEC / 2);
}

/* Figures of any size: sums stay within 64 bits, and the account recovers. */
static void absurd_amounts_do_not_overflow(void)
{
    struct single s;
    struct limit_hold hold;

    single_open(&s, LIMIT_TOKENS, LIMIT_MINUTE, LIMIT_MOST);
    for (int i = 0; i < 61; i++) {
        CHECK(tokens_reserve(&s, NOW + i * SEC, 0, &hold));
        limit_settle(&s.account, &hold, &(struct limit_amounts){ { [LIMIT_TOKENS] = INT64_MAX } });
    }
    CHECK_INT(limit_view(&s.account, NOW + 60 * SEC, 0).used, 61 * LIMIT_MOST);
    CHECK(!tokens_reserve(&s, NOW + 60 * SEC, INT64_MAX, &hold));
    CHECK(!tokens_reserve(&s, NOW + 60 * SEC, 1, &hold));
    CHECK(tokens_reserve(&s, NOW + 200 * SEC, LIMIT_MOST, &hold));
}

TESTS(TEST(rules_are_checked), TEST(names_are_those_of_people),
      TEST(parallel_requests_never_overspend), TEST(a_refusal_takes_nothing),
      TEST(what_is_not_wanted_is_not_refused), TEST(concurrent_requests_come_back),
      TEST(what_outlasts_its_window_is_settled_without_a_trace),
      TEST(interleavings_agree_with_a_naive_sum), TEST(restoring_agrees_with_having_counted),
      TEST(a_clock_that_goes_back_opens_nothing),
      TEST(a_clock_that_leaps_forward_empties_the_windows), TEST(absurd_amounts_do_not_overflow))
