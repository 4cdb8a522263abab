/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of breaker. */
#include "core/breaker/breaker.h"

#include "base/rng.h"
#include "test/check.h"

#define SECONDS(n) ((n)*NSEC_PER_SEC)

static const struct breaker_options usual = {
    .failures = 12, .pause = SECONDS(5), .pause_max = SECONDS(60), .ramp = SECONDS(10)
};

/* One attempt from its admission to its outcome; false: it was refused. */
static bool attempt(struct breaker *b, nsec now, bool is_fault)
{
    struct breaker_ticket ticket;

    if (!breaker_admit(b, &usual, now, true, &ticket))
        return false;
    breaker_note(b, &usual, now, ticket, is_fault);
    return true;
}

static void break_it(struct breaker *b, nsec now)
{
    for (int i = 0; i < usual.failures; i++)
        CHECK(attempt(b, now, true));
    CHECK_INT(b->state, BREAKER_OPEN);
}

static void opens_after_so_many_in_a_row(void)
{
    struct breaker b = { 0 };

    for (int i = 0; i < 11; i++)
        CHECK(attempt(&b, 0, true));
    CHECK_INT(b.state, BREAKER_CLOSED);
    CHECK(attempt(&b, 0, true));
    CHECK_INT(b.state, BREAKER_OPEN);
    CHECK_INT(b.opened, 1);
    CHECK(!attempt(&b, SECONDS(5) - 1, false));
}

static void a_success_makes_up_for_two_faults(void)
{
    struct breaker b = { 0 };

    for (int i = 0; i < 11; i++)
        CHECK(attempt(&b, 0, true));
    CHECK(attempt(&b, 0, false));
    CHECK(attempt(&b, 0, true));
    CHECK(attempt(&b, 0, true));
    CHECK_INT(b.state, BREAKER_CLOSED);
    CHECK(attempt(&b, 0, true));
    CHECK_INT(b.state, BREAKER_OPEN);
}

static void one_probe_at_a_time(void)
{
    struct breaker b = { 0 };
    struct breaker_ticket probe, other;

    break_it(&b, 0);
    CHECK(breaker_admit(&b, &usual, SECONDS(5), true, &probe));
    CHECK_INT(b.state, BREAKER_HALF_OPEN);
    CHECK(!breaker_admit(&b, &usual, SECONDS(50), false, &other));
    breaker_forget(&b, probe); /* its client left */
    CHECK(breaker_admit(&b, &usual, SECONDS(50), true, &other));
    CHECK(!breaker_admit(&b, &usual, SECONDS(50), true, &probe));
}

static void pauses_double_up_to_the_longest(void)
{
    static const int64_t seconds[] = { 5, 10, 20, 40, 60, 60 };
    struct breaker b = { 0 };
    nsec now = 0;

    break_it(&b, 0);
    for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
        CHECK(!attempt(&b, now + SECONDS(seconds[i]) - 1, true));
        now += SECONDS(seconds[i]);
        CHECK(attempt(&b, now, true)); /* the probe fails */
        CHECK_INT(b.state, BREAKER_OPEN);
    }
    CHECK_INT(b.opened, 1 + (int)ARRAY_LEN(seconds));
}

static void a_ramp_admits_a_growing_share(void)
{
    struct breaker b = { 0 };
    nsec start = SECONDS(5);
    int admitted[10] = { 0 }, last = 0;

    break_it(&b, 0);
    CHECK(attempt(&b, start, false));
    CHECK_INT(b.state, BREAKER_RAMP);
    for (int i = 0; i < 10000; i++)
        admitted[i / 1000] += attempt(&b, start + i * (usual.ramp / 10000), false);
    for (int i = 0; i < 10; i++) {
        double share = .125 + .875 * (i + .5) / 10;
        CHECK_NEAR(admitted[i], 1000 * share, 3);
        CHECK(admitted[i] > last);
        last = admitted[i];
    }
    CHECK(attempt(&b, start + usual.ramp, false));
    CHECK_INT(b.state, BREAKER_CLOSED);
    CHECK_INT(b.pause, 0); /* the next opening is short again */
}

static void a_ramp_refuses_nobody_who_has_nowhere_else_to_go(void)
{
    struct breaker b = { 0 };
    struct breaker_ticket ticket;

    break_it(&b, 0);
    CHECK(attempt(&b, SECONDS(5), false));
    for (int i = 0; i < 100; i++)
        CHECK(breaker_admit(&b, &usual, SECONDS(6), false, &ticket));
}

static void a_ramp_opens_again_sooner_than_a_healthy_one(void)
{
    struct breaker b = { 0 };
    struct breaker_ticket ticket;

    break_it(&b, 0);
    CHECK(attempt(&b, SECONDS(5), false));
    for (int i = 0; i < 6; i++) {
        CHECK_INT(b.state, BREAKER_RAMP);
        CHECK(breaker_admit(&b, &usual, SECONDS(6), false, &ticket));
        breaker_note(&b, &usual, SECONDS(6), ticket, true);
    }
    CHECK_INT(b.state, BREAKER_OPEN);
    CHECK_INT(b.pause, SECONDS(10));
}

static void what_was_admitted_earlier_does_not_count(void)
{
    struct breaker b = { 0 };
    struct breaker_ticket early[3], probe;

    for (int i = 0; i < 3; i++)
        CHECK(breaker_admit(&b, &usual, 0, true, &early[i]));
    break_it(&b, 0);
    breaker_note(&b, &usual, SECONDS(1), early[0], false);
    CHECK_INT(b.state, BREAKER_OPEN);
    CHECK(breaker_admit(&b, &usual, SECONDS(5), true, &probe));
    breaker_note(&b, &usual, SECONDS(5), early[1], true); /* not the probe's fault */
    CHECK_INT(b.state, BREAKER_HALF_OPEN);
    breaker_forget(&b, early[2]);
    CHECK(b.has_probe);
    breaker_note(&b, &usual, SECONDS(5), probe, false);
    CHECK_INT(b.state, BREAKER_RAMP);
}

static void without_failures_it_never_opens(void)
{
    const struct breaker_options off = { .failures = 0 };
    struct breaker b = { 0 };
    struct breaker_ticket ticket;

    for (int i = 0; i < 1000; i++) {
        CHECK(breaker_admit(&b, &off, 0, true, &ticket));
        breaker_note(&b, &off, 0, ticket, true);
    }
    CHECK_INT(b.state, BREAKER_CLOSED);
}

/* Times that it opens in n attempts of which a share fails; what is refused is no attempt. */
static uint64_t openings(uint64_t seed, double share, int n)
{
    struct breaker b = { 0 };
    struct rng rng;
    nsec now = 0;

    rng_init(&rng, seed);
    for (int i = 0; i < n; now += NSEC_PER_MS)
        i += attempt(&b, now, rng_unit(&rng) < share);
    return b.opened;
}

static void does_not_flap_by_luck(void)
{
    uint64_t at_30 = 0, at_95 = 0;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        at_30 += openings(seed, .3, 100000);
        at_95 += openings(seed, .95, 100) > 0;
    }
    CHECK(at_30 <= 2); /* a million attempts; about one is expected */
    CHECK_INT(at_95, 10);
}

/* Whatever happens: the states follow the drawing, and no second probe goes out. */
static void any_history(void)
{
    static const unsigned next[BREAKER_STATE_COUNT] = {
        [BREAKER_CLOSED] = 1u << BREAKER_CLOSED | 1u << BREAKER_OPEN,
        [BREAKER_OPEN] = 1u << BREAKER_OPEN | 1u << BREAKER_HALF_OPEN,
        [BREAKER_HALF_OPEN] = 1u << BREAKER_HALF_OPEN | 1u << BREAKER_OPEN | 1u << BREAKER_RAMP,
        [BREAKER_RAMP] = 1u << BREAKER_RAMP | 1u << BREAKER_OPEN | 1u << BREAKER_CLOSED,
    };

    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct breaker b = { 0 };
        struct breaker_ticket out[8];
        size_t n = 0;
        struct rng rng;
        nsec now = 0;
        rng_init(&rng, seed);
        for (int i = 0; i < 2000; i++) {
            enum breaker_state before = b.state;
            struct breaker_ticket ticket;
            now += (nsec)rng_below(&rng, (uint64_t)NSEC_PER_SEC);
            if (n < ARRAY_LEN(out) && rng_below(&rng, 2) == 0) {
                bool had_probe = b.state == BREAKER_HALF_OPEN && b.has_probe;
                if (breaker_admit(&b, &usual, now, rng_below(&rng, 2) == 0, &ticket)) {
                    CHECK(!had_probe);
                    CHECK(b.state != BREAKER_OPEN);
                    out[n++] = ticket;
                }
            } else if (n > 0) {
                ticket = out[--n];
                if (rng_below(&rng, 5) == 0)
                    breaker_forget(&b, ticket);
                else
                    breaker_note(&b, &usual, now, ticket, rng_below(&rng, 10) < 9);
            }
            CHECK((next[before] & 1u << b.state) != 0);
            CHECK(b.score >= 0 && b.score <= usual.failures);
        }
        CHECK(b.opened > 0);
    }
}

TESTS(TEST(opens_after_so_many_in_a_row), TEST(a_success_makes_up_for_two_faults),
      TEST(one_probe_at_a_time), TEST(pauses_double_up_to_the_longest),
      TEST(a_ramp_admits_a_growing_share), TEST(a_ramp_refuses_nobody_who_has_nowhere_else_to_go),
      TEST(a_ramp_opens_again_sooner_than_a_healthy_one),
      TEST(what_was_admitted_earlier_does_not_count), TEST(without_failures_it_never_opens),
      TEST(does_not_flap_by_luck), TEST(any_history))
