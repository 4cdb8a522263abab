/* SPDX-License-Identifier: Apache-2.0 */
/* window's tests: sums equal naive sums, also when the clock steps. */
#include "base/rng.h"
#include "core/stats/histogram.h"
#include "test/check.h"

#define EVENTS 3000
#define WIDTH NSEC_PER_SEC

struct event {
    int64_t epoch;
    double sums[WINDOW_SUMS];
};

/* Rounds down. */
static int64_t epoch_of(nsec now)
{
    return (now + 1000 * WIDTH) / WIDTH - 1000;
}

static void add(struct window *w, struct event *log, size_t *count, nsec now, double value)
{
    struct event e = { epoch_of(now), { 1, value, value * value, value > 5 } };

    window_add(w, now, e.sums);
    log[(*count)++] = e;
}

static void check_read(const struct window *w, const struct event *log, size_t count, nsec now,
                       uint32_t last)
{
    double want[WINDOW_SUMS] = { 0 }, got[WINDOW_SUMS];
    int64_t epoch = epoch_of(now);

    for (size_t i = 0; i < count; i++) {
        if (log[i].epoch > epoch || log[i].epoch <= epoch - (int64_t)last)
            continue;
        for (size_t s = 0; s < WINDOW_SUMS; s++)
            want[s] += log[i].sums[s];
    }
    window_read(w, now, last, got);
    for (size_t s = 0; s < WINDOW_SUMS; s++)
        CHECK_NEAR(got[s], want[s], 1e-9);
}

/* The clock runs on by up to a few slots, sometimes by more than the ring. */
static void sums_are_naive_sums(void)
{
    static struct event log[EVENTS];
    struct rng rng;

    rng_init(&rng, 1);
    for (uint32_t slots = 1; slots <= WINDOW_SLOTS_MAX; slots += 7) {
        struct window w;
        size_t count = 0;
        nsec now = -200 * WIDTH;
        window_init(&w, WIDTH, slots);
        while (count < 800) {
            uint64_t step = rng_below(&rng, 30) == 0 ? 200 : 2;
            now += (nsec)rng_below(&rng, step * WIDTH);
            add(&w, log, &count, now, (double)rng_below(&rng, 10));
            check_read(&w, log, count, now, 1 + (uint32_t)rng_below(&rng, slots));
        }
        check_read(&w, log, count, now + 3 * WIDTH, slots);
        check_read(&w, log, count, now + 500 * WIDTH, slots);
    }
}

#define BACK_MAX 20

/* It steps back by up to 20 slots behind the latest: the 40 newest of 60 slots stay exact. */
static void a_clock_that_steps_back_loses_nothing(void)
{
    static struct event log[EVENTS];
    struct rng rng;
    struct window w;
    size_t count = 0;
    nsec now = 100 * WIDTH, latest = now;

    rng_init(&rng, 2);
    window_init(&w, WIDTH, WINDOW_SLOTS_MAX);
    while (count < EVENTS) {
        if (rng_below(&rng, 10) == 0)
            now -= (nsec)rng_below(&rng, BACK_MAX * WIDTH);
        else
            now += (nsec)rng_below(&rng, 3 * WIDTH);
        if (now < latest - BACK_MAX * WIDTH)
            now = latest - BACK_MAX * WIDTH;
        latest = now > latest ? now : latest;
        add(&w, log, &count, now, (double)rng_below(&rng, 10));
        check_read(&w, log, count, now, 1 + (uint32_t)rng_below(&rng, WINDOW_SLOTS_MAX - BACK_MAX));
    }
}

/* An hour back: what was added in the future does not count, what is added now does. */
static void a_far_step_back_starts_anew(void)
{
    static const double one[WINDOW_SUMS] = { 1, 2, 4, 0 };
    double got[WINDOW_SUMS];
    struct window w;

    window_init(&w, WIDTH, WINDOW_SLOTS_MAX);
    for (int i = 0; i < 60; i++)
        window_add(&w, (7200 + i) * WIDTH, one);
    window_read(&w, 3600 * WIDTH, 60, got);
    CHECK(got[0] == 0);
    for (int i = 0; i < 60; i++)
        window_add(&w, (3600 + i) * WIDTH, one);
    window_read(&w, 3659 * WIDTH, 60, got);
    CHECK(got[0] == 60 && got[1] == 120 && got[2] == 240 && got[3] == 0);
}

static void ends_and_starts(void)
{
    static const double one[WINDOW_SUMS] = { 1, 0, 0, 0 };
    double got[WINDOW_SUMS] = { 9, 9, 9, 9 };
    struct window w;

    window_init(&w, WIDTH, 10);
    window_read(&w, 0, 10, got);
    CHECK(got[0] == 0 && got[3] == 0);
    window_add(&w, -1, one); /* before 0 is the slot before, not the same */
    window_add(&w, 0, one);
    window_read(&w, WIDTH - 1, 1, got);
    CHECK(got[0] == 1);
    window_read(&w, 0, 2, got);
    CHECK(got[0] == 2);
    window_read(&w, 0, 1000, got); /* more than there are: all */
    CHECK(got[0] == 2);
    window_read(&w, 0, 0, got);
    CHECK(got[0] == 0);
    window_read(&w, 9 * WIDTH, 10, got); /* the oldest of ten is slot 0 */
    CHECK(got[0] == 1);
    window_read(&w, 10 * WIDTH, 10, got);
    CHECK(got[0] == 0);
}

TESTS(TEST(sums_are_naive_sums), TEST(a_clock_that_steps_back_loses_nothing),
      TEST(a_far_step_back_starts_anew), TEST(ends_and_starts))
