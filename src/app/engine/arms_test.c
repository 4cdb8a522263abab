/* SPDX-License-Identifier: Apache-2.0 */
/* arms' tests: what is read stays whole while it is replaced, and what nobody reads is freed. Run them with the thread
 * sanitizer too (-Db_sanitize=thread). */
#include "app/engine/arms.h"

#include <pthread.h>
#include <stdlib.h>

#include "test/check.h"

#define READERS 3
#define PUBLICATIONS 20000

static struct arms *value(uint32_t n)
{
    struct arms *arms = calloc(1, sizeof(*arms));

    assert(arms);
    arms->rollout = n;
    arms->snapshot.phase = n;
    arms->experiment_count = n;
    return arms;
}

static void what_nobody_reads_is_freed(void)
{
    struct arms_slot slot = { .now = NULL };
    struct arms_reader reader, other;

    arms_join(&slot, &reader);
    arms_join(&slot, &other);
    CHECK(arms_enter(&slot, &reader) == NULL);
    arms_publish(&slot, value(1));
    CHECK_INT(arms_retired_count(&slot), 0);
    const struct arms *first = arms_enter(&slot, &reader);
    REQUIRE(first);
    CHECK_INT(first->rollout, 1);
    for (uint32_t n = 2; n <= 100; n++)
        arms_publish(&slot, value(n));
    CHECK_INT(arms_retired_count(&slot), 1); /* the one that is read */
    CHECK_INT(first->snapshot.phase, 1);
    const struct arms *last = arms_enter(&slot, &other);
    REQUIRE(last);
    CHECK_INT(last->rollout, 100);
    arms_publish(&slot, NULL);
    CHECK_INT(arms_retired_count(&slot), 2);
    CHECK_INT(last->rollout, 100);
    arms_exit(&reader);
    CHECK(arms_enter(&slot, &reader) == NULL);
    arms_publish(&slot, NULL);
    CHECK_INT(arms_retired_count(&slot), 1);
    arms_exit(&other);
    arms_publish(&slot, value(101));
    CHECK_INT(arms_retired_count(&slot), 0);
    arms_slot_fini(&slot);
}

/* ---- with threads ---- */

struct worker {
    struct arms_reader reader;
    struct arms_slot *slot;
    atomic_bool *is_over;
    pthread_t thread;
    uint64_t reads, torn, backward, stuck;
};

static void *worker_run(void *ctx)
{
    struct worker *w = ctx;
    uint32_t last = 0;

    while (!atomic_load(w->is_over)) {
        const struct arms *arms = arms_enter(w->slot, &w->reader);
        if (!arms) {
            w->stuck += atomic_load(&w->reader.holds) != NULL;
            continue;
        }
        w->torn += arms->snapshot.phase != arms->rollout || arms->experiment_count != arms->rollout;
        w->backward += arms->rollout < last;
        last = arms->rollout;
        w->reads++;
        arms_exit(&w->reader);
    }
    return NULL;
}

static void replaced_while_it_is_read(void)
{
    static struct worker workers[READERS];
    struct arms_slot slot = { .now = NULL };
    atomic_bool is_over = false;
    size_t most = 0;

    for (size_t i = 0; i < READERS; i++) {
        workers[i] = (struct worker){ .slot = &slot, .is_over = &is_over };
        arms_join(&slot, &workers[i].reader);
    }
    arms_publish(&slot, value(1));
    for (size_t i = 0; i < READERS; i++)
        REQUIRE(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]) == 0);
    for (uint32_t n = 2; n <= PUBLICATIONS; n++) {
        arms_publish(&slot, n % 7 == 0 ? NULL : value(n));
        most = arms_retired_count(&slot) > most ? arms_retired_count(&slot) : most;
        if (n % 64 == 0)
            sched_yield(); /* on one processor readers come too */
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(workers[i].torn == 0 && workers[i].backward == 0 && workers[i].stuck == 0);
    }
    CHECK(most <= READERS);
    arms_publish(&slot, NULL);
    CHECK_INT(arms_retired_count(&slot), 0);
    arms_slot_fini(&slot);
}

TESTS(TEST(what_nobody_reads_is_freed), TEST(replaced_while_it_is_read))
