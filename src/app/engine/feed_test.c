/* SPDX-License-Identifier: Apache-2.0 */
#include "app/engine/feed.h"

#include <pthread.h>
#include <sched.h>

#include "test/check.h"

static struct feed_fact fact(int64_t number)
{
    return (struct feed_fact){ .latency = number, .cost = -number };
}

static void facts_come_out_in_order(void)
{
    struct feed *f;
    struct feed_fact got[3];

    CHECK_ERR(feed_open(&f), OK);
    CHECK_INT(feed_take(f, got, 3), 0);
    for (int64_t i = 0; i < 5; i++) {
        struct feed_fact one = fact(i);
        feed_put(f, &one);
    }
    CHECK_INT(feed_take(f, got, 3), 3);
    CHECK(got[0].latency == 0 && got[2].latency == 2);
    CHECK_INT(feed_take(f, got, 3), 2);
    CHECK(got[0].latency == 3 && got[1].cost == -4);
    CHECK_INT(feed_take(f, got, 3), 0);
    CHECK_INT(feed_dropped(f), 0);
    feed_close(f);
}

static void a_full_ring_drops_and_counts(void)
{
    static struct feed_fact got[FEED_SLOTS];
    struct feed *f;
    int64_t next = 0;

    CHECK_ERR(feed_open(&f), OK);
    for (; next < (int64_t)FEED_SLOTS + 7; next++) {
        struct feed_fact one = fact(next);
        feed_put(f, &one);
    }
    CHECK_INT(feed_dropped(f), 7);
    CHECK_INT(feed_take(f, got, 1), 1); /* room for one again */
    for (; next < (int64_t)FEED_SLOTS + 9; next++) {
        struct feed_fact one = fact(next);
        feed_put(f, &one);
    }
    CHECK_INT(feed_dropped(f), 8);
    CHECK_INT(feed_take(f, got, FEED_SLOTS), FEED_SLOTS);
    CHECK_INT(got[0].latency, 1);
    CHECK_INT(got[FEED_SLOTS - 2].latency, FEED_SLOTS - 1);
    CHECK_INT(got[FEED_SLOTS - 1].latency, FEED_SLOTS + 7); /* what came behind the dropped ones */
    for (int64_t i = 0; i < 2 * (int64_t)FEED_SLOTS;
         i++) { /* once it is read there is room, whatever has been */
        struct feed_fact one = fact(i);
        feed_put(f, &one);
        CHECK_INT(feed_take(f, got, 2), 1);
    }
    CHECK_INT(feed_dropped(f), 8);
    feed_put(NULL, &got[0]);
    feed_close(f);
    feed_close(NULL);
}

enum { MANY = 200000 };

static void *write_many(void *arg)
{
    for (int64_t i = 0; i < MANY; i++) {
        struct feed_fact one = fact(i);
        feed_put(arg, &one);
        if (i % 4096 == 0)
            sched_yield();
    }
    return NULL;
}

/* Whatever is dropped, nothing is torn, repeated or out of order, and every fact is read or counted. */
static void two_threads_agree(void)
{
    static struct feed_fact got[512];
    struct feed *f;
    pthread_t writer;
    int64_t last = -1, seen = 0, torn = 0;

    CHECK_ERR(feed_open(&f), OK);
    REQUIRE(pthread_create(&writer, NULL, write_many, f) == 0);
    while (seen + (int64_t)feed_dropped(f) < MANY) {
        size_t n = feed_take(f, got, ARRAY_LEN(got));
        for (size_t i = 0; i < n; i++) {
            torn += got[i].cost != -got[i].latency || got[i].latency <= last;
            last = got[i].latency;
        }
        seen += (int64_t)n;
    }
    pthread_join(writer, NULL);
    CHECK_INT(torn, 0);
    CHECK_INT(feed_take(f, got, 1), 0);
    feed_close(f);
}

static void domains_are_a_closed_set(void)
{
    CHECK_INT(feed_domain_of(STR("stem")), FEED_DOMAIN_STEM);
    CHECK_INT(feed_domain_of(STR("stem.algebra")), FEED_DOMAIN_STEM);
    CHECK_INT(feed_domain_of(STR("stemware")), FEED_DOMAIN_OTHER);
    CHECK_INT(feed_domain_of(STR("")), FEED_DOMAIN_OTHER);
    CHECK_STR(str_from(feed_domain_name(FEED_DOMAIN_CYBERSECURITY)), STR("cybersecurity"));
}

TESTS(TEST(facts_come_out_in_order), TEST(a_full_ring_drops_and_counts), TEST(two_threads_agree),
      TEST(domains_are_a_closed_set))
