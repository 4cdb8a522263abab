/* SPDX-License-Identifier: Apache-2.0 */
/* The store's probes: whether rows could be taken, seen from outside the workers. */
#include "edge/store/store_world.h"

/* False when the store thread has not answered within five seconds. */
static bool probe(const struct world *w, struct store_health *health)
{
    store_probe(w->store);
    for (int i = 0; i < 1000; i++) {
        store_health_read(w->store, health);
        if (health->probes_done == health->probes_asked)
            return true;
        sleep_ms(5);
    }
    return false;
}

static void probes_see_whether_the_directory_can_be_written(void)
{
    struct world w;
    struct store_health health;
    char away[300];

    world_init(&w);
    REQUIRE(world_open(&w));
    snprintf(away, sizeof(away), "%s.away", w.directory);
    CHECK(probe(&w, &health) && health.is_writable && health.probes_done == 1);
    CHECK_INT(world_files(&w, "probe", NULL), 0);
    CHECK(rename(w.directory, away) == 0);
    CHECK(probe(&w, &health) && !health.is_writable);
    query_whole(w.ledger);
    CHECK_ERR(ledger_commit(w.ledger), WEIR_STORE); /* no segment can be opened */
    CHECK(rename(away, w.directory) == 0);
    store_health_read(w.store, &health);
    CHECK(!health.is_writable);
    CHECK_ERR(ledger_commit(w.ledger), OK); /* a commit that goes is evidence, too */
    store_health_read(w.store, &health);
    CHECK(health.is_writable && health.journal_bytes_max > health.journal_bytes);
    CHECK(probe(&w, &health) && health.is_writable && health.probes_done == 3);
    world_fini(&w);
}

TESTS(TEST(probes_see_whether_the_directory_can_be_written))
