/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the loop on real descriptors and short timers; none asserts on how long something took. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/check.h"

#include "base/rng.h"
#include "edge/world/world.h"

struct fixture {
    struct world *world;
    struct timer timers[3];
    struct turn turn;
    struct turn_end hook;
    char order[16];
    size_t count;
    int fds[2];
    struct watch *watch;
};

static struct fixture f;

static void mark(char c)
{
    if (f.count < sizeof(f.order))
        f.order[f.count++] = c;
}

static void fire(struct timer *t)
{
    mark((char)('0' + (t - f.timers)));
    if (f.count == 2)
        world_stop(f.world);
}

static void timers_fire_in_order_and_cancelled_ones_never(void)
{
    f = (struct fixture){ 0 };
    REQUIRE(world_open(&f.world) == OK);
    timer_start(f.world, &f.timers[0], 4 * NSEC_PER_MS, fire);
    timer_start(f.world, &f.timers[1], 2 * NSEC_PER_MS, fire);
    timer_start(f.world, &f.timers[2], 1 * NSEC_PER_MS, fire);
    timer_cancel(f.world, &f.timers[2]);
    timer_cancel(f.world, &f.timers[2]);
    nsec before = world_now(f.world);
    world_run(f.world);
    CHECK_STR(((str){ f.order, f.count }), STR("10"));
    CHECK(world_now(f.world) - before >= 4 * NSEC_PER_MS);
    world_close(f.world);
}

static void fire_and_free(struct timer *t)
{
    mark('f');
    free(t);
}

static void fire_again(struct timer *t)
{
    mark('a');
    if (f.count < 4)
        timer_start(f.world, t, 0, fire_again);
    else
        world_stop(f.world);
}

/* The owner goes as its timer fires; one that starts itself again lets the others have their turn. */
static void timers_may_be_freed_or_started_as_they_fire(void)
{
    f = (struct fixture){ 0 };
    REQUIRE(world_open(&f.world) == OK);
    struct timer *owned = calloc(1, sizeof(*owned));
    REQUIRE(owned != NULL);
    timer_start(f.world, &f.timers[0], 0, fire_again);
    timer_start(f.world, owned, 1, fire_and_free);
    world_run(f.world);
    CHECK_INT(f.count, 4);
    CHECK(memchr(f.order, 'f', f.count) != NULL);
    world_close(f.world);
}

static void run_turn(struct turn *t)
{
    mark('t');
    if (f.count < 5)
        turn_post(f.world, t);
    else
        world_stop(f.world);
}

static void run_hook(struct turn_end *hook)
{
    (void)hook;
    mark('e');
}

static void turns_run_later_and_hooks_after_them(void)
{
    f = (struct fixture){ 0 };
    REQUIRE(world_open(&f.world) == OK);
    turn_init(&f.turn, run_turn);
    world_on_turn_end(f.world, &f.hook, run_hook);
    turn_post(f.world, &f.turn);
    turn_post(f.world, &f.turn);
    CHECK_INT(f.count, 0);
    world_run(f.world);
    CHECK_STR(str_slice((str){ f.order, f.count }, 0, 6), STR("tetete"));
    world_close(f.world);
}

static void on_ready(void *ctx, unsigned events)
{
    char byte;
    (void)ctx;
    CHECK(events & WATCH_READ);
    if (read(f.fds[0], &byte, 1) == 1)
        mark(byte);
    if (f.count == 2)
        world_stop(f.world);
}

static void *write_from_a_thread(void *arg)
{
    (void)arg;
    world_post_remote(f.world, &f.turn);
    return NULL;
}

static void write_one(struct turn *t)
{
    (void)t;
    CHECK(write(f.fds[1], "b", 1) == 1);
}

static void descriptors_wake_and_threads_post(void)
{
    pthread_t thread;
    f = (struct fixture){ 0 };
    REQUIRE(world_open(&f.world) == OK);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, f.fds) == 0);
    REQUIRE(watch_open(&f.watch, f.world, f.fds[0], on_ready, NULL) == OK);
    watch_set(f.watch, WATCH_READ);
    CHECK(write(f.fds[1], "a", 1) == 1);
    turn_init(&f.turn, write_one);
    REQUIRE(pthread_create(&thread, NULL, write_from_a_thread, NULL) == 0);
    world_run(f.world);
    pthread_join(thread, NULL);
    CHECK_STR(((str){ f.order, f.count }), STR("ab"));
    watch_close(f.watch);
    world_close(f.world);
    close(f.fds[0]);
    close(f.fds[1]);
}

struct item {
    struct heap_node node;
    uint64_t key;
};

static bool item_is_before(const struct heap_node *a, const struct heap_node *b)
{
    return CONTAINER_OF_CONST(a, struct item, node)->key <
           CONTAINER_OF_CONST(b, struct item, node)->key;
}

/* Random insertions and removals: the first is always the least of those that are in. */
static void heap_yields_the_least(void)
{
    enum { ITEMS = 64 };
    struct item items[ITEMS] = { 0 };
    struct heap heap = { .is_before = item_is_before };
    struct rng rng;

    rng_init(&rng, 7);
    for (int step = 0; step < 20000; step++) {
        struct item *it = &items[rng_below(&rng, ITEMS)];
        if (it->node.is_in) {
            heap_remove(&heap, &it->node);
        } else {
            it->key = rng_below(&rng, 1000);
            heap_add(&heap, &it->node);
        }
        const struct item *least = NULL;
        for (int i = 0; i < ITEMS; i++) {
            if (items[i].node.is_in && (!least || items[i].key < least->key))
                least = &items[i];
        }
        REQUIRE((least == NULL) == (heap_first(&heap) == NULL));
        if (least)
            REQUIRE(CONTAINER_OF(heap_first(&heap), struct item, node)->key == least->key);
    }
}

TESTS(TEST(timers_fire_in_order_and_cancelled_ones_never),
      TEST(timers_may_be_freed_or_started_as_they_fire), TEST(turns_run_later_and_hooks_after_them),
      TEST(descriptors_wake_and_threads_post), TEST(heap_yields_the_least))
