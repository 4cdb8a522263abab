/* SPDX-License-Identifier: Apache-2.0 */
/* How the controller writes: one wait a turn, one term a process; and what is written of units. Real databases, no loop. */
#include "app/control/control_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/check.h"

struct rig {
    char directory[64];
    FILE *said;
    struct log log;
    struct controller c;
};

static void controller_init(struct rig *rig, struct controller *c)
{
    char why[256];

    *c = (struct controller){ .options.log = &rig->log, .now = NSEC_PER_SEC };
    if (control_open(&c->store, str_from(rig->directory), CONTROL_WRITE, why) != OK ||
        term_take(c, why) != OK)
        abort();
    transaction_patience(c, PATIENCE_TURN);
}

static void rig_open(struct rig *rig)
{
    *rig = (struct rig){ .directory = "/tmp/weir-transaction-XXXXXX" };
    rig->said = tmpfile();
    if (!rig->said || !mkdtemp(rig->directory))
        abort();
    rig->log = (struct log){ .level = LOG_DEBUG, .fd = fileno(rig->said) };
    controller_init(rig, &rig->c);
}

static void rig_close(struct rig *rig)
{
    static const char *const names[] = { "control.db", "control.db-wal", "control.db-shm" };

    control_close(rig->c.store);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", rig->directory, names[i]);
        IGNORE(unlink(path));
    }
    CHECK_INT(rmdir(rig->directory), 0);
    fclose(rig->said);
}

/* How often something was logged. */
static int said(struct rig *rig, const char *words)
{
    char line[1024];
    int n = 0;

    rewind(rig->said);
    while (fgets(line, sizeof(line), rig->said))
        n += strstr(line, words) != NULL;
    return n;
}

static enum err write_one(struct controller *c, const char *text)
{
    enum err e = transaction_begin(c);

    if (e == OK)
        e = control_put(c->store, STR("a"), str_from(text));
    return transaction_end(c, "a test", e);
}

static bool holds(struct controller *c, const char *want)
{
    struct buf text = { 0 };
    bool is_found = false;

    CHECK_ERR(control_get(c->store, STR("a"), &text, &is_found), OK);
    bool is_equal = is_found && str_eq(buf_str(&text), str_from(want));
    buf_fini(&text);
    return is_equal;
}

static void a_turn_waits_once(void)
{
    struct rig rig;
    struct control_store *other = NULL;
    char why[256];

    rig_open(&rig);
    REQUIRE(control_open(&other, str_from(rig.directory), CONTROL_WRITE, why) == OK);
    CHECK_ERR(control_begin(other), OK);
    CHECK_ERR(write_one(&rig.c, "1"), WEIR_STORE);
    CHECK_INT(said(&rig, "cannot be written"), 1);
    control_rollback(other);
    CHECK_ERR(write_one(&rig.c, "1"), WEIR_STORE); /* in this turn nobody tries again */
    CHECK_ERR(control_begin(other), OK);
    for (int turn = 0; turn < 3; turn++) {
        rig.c.now += 200 * NSEC_PER_MS;
        transaction_patience(&rig.c, PATIENCE_TURN);
        CHECK_ERR(write_one(&rig.c, "2"), WEIR_STORE);
    }
    CHECK_INT(said(&rig, "cannot be written"), 1); /* and not in each of them */
    rig.c.now += 60 * NSEC_PER_SEC;
    CHECK_ERR(write_one(&rig.c, "2"), WEIR_STORE);
    CHECK_INT(said(&rig, "cannot be written"), 2);
    CHECK_INT(said(&rig, "written again"), 0);
    control_rollback(other);
    transaction_patience(&rig.c, PATIENCE_TURN);
    CHECK_ERR(write_one(&rig.c, "3"), OK);
    CHECK(holds(&rig.c, "3"));
    CHECK_ERR(write_one(&rig.c, "4"), OK);
    CHECK_INT(said(&rig, "written again"), 1);
    control_close(other);
    rig_close(&rig);
}

/* What fails inside rolls back and is said; a lock it is not, so the next of the turn goes on. */
static void a_fault_inside_changes_nothing(void)
{
    struct rig rig;

    rig_open(&rig);
    CHECK_ERR(write_one(&rig.c, "1"), OK);
    CHECK_ERR(transaction_begin(&rig.c), OK);
    CHECK_ERR(transaction_begin(&rig.c), WEIR_STORE); /* not nested */
    CHECK_ERR(control_put(rig.c.store, STR("a"), STR("2")), OK);
    CHECK_ERR(transaction_end(&rig.c, "a test", WEIR_NO_MEMORY), WEIR_NO_MEMORY);
    CHECK(holds(&rig.c, "1"));
    CHECK_ERR(write_one(&rig.c, "3"), OK);
    CHECK_INT(said(&rig, "cannot be written"), 1);
    rig_close(&rig);
}

static void who_has_been_followed_writes_no_more(void)
{
    struct rig rig;
    struct controller second;

    rig_open(&rig);
    CHECK_ERR(write_one(&rig.c, "first"), OK);
    controller_init(&rig, &second);
    CHECK(second.term == rig.c.term + 1);
    CHECK_ERR(transaction_begin(&rig.c), WEIR_INTERRUPTED); /* and leaves nothing open */
    CHECK(rig.c.is_outrun && holds(&second, "first"));
    CHECK_ERR(write_one(&second, "second"), OK);
    control_close(second.store); /* also when that one is gone */
    transaction_patience(&rig.c, PATIENCE_TURN);
    CHECK_ERR(write_one(&rig.c, "stale"), WEIR_INTERRUPTED);
    CHECK(holds(&rig.c, "second"));
    CHECK_INT(said(&rig, "taken over"), 1);
    CHECK_INT(said(&rig, "cannot be written"), 0);
    rig_close(&rig);
}

/* ---- units ---- */

static enum err units_write(struct controller *c, struct units *u)
{
    enum err e = transaction_begin(c);

    if (e == OK)
        e = units_put(c, u, STR("u.1"));
    return e;
}

static void units_are_known_after_a_restart(void)
{
    struct rig rig;
    struct units u = { 0 }, back = { 0 }, other = { 0 };

    rig_open(&rig);
    for (uint64_t unit = 1; unit <= UNITS_PART + 10; unit++)
        units_add(&u, unit);
    CHECK_ERR(units_write(&rig.c, &u), OK);
    CHECK_ERR(transaction_end(&rig.c, "units", WEIR_STORE), WEIR_STORE); /* the commit fails */
    units_get(&rig.c, &back, STR("u.1"));
    CHECK_INT(back.count, 0);
    CHECK_ERR(transaction_end(&rig.c, "units", units_write(&rig.c, &u)), OK);
    units_saved(&u);
    units_add(&u, 9999999);
    CHECK_ERR(transaction_end(&rig.c, "units", units_write(&rig.c, &u)), OK);
    units_saved(&u);
    units_get(&rig.c, &back, STR("u.1"));
    CHECK_INT(back.count, UNITS_PART + 11);
    CHECK(!units_add(&back, 1) && !units_add(&back, 9999999) && units_add(&back, 5555555));
    units_get(&rig.c, &other, STR("u.2"));
    CHECK_INT(other.count, 0);
    CHECK_INT(said(&rig, "counted again"), 0);
    units_fini(&back);
    CHECK_ERR(control_part_put(rig.c.store, STR("u.1"), 1, STR("torn")), OK);
    units_get(&rig.c, &back, STR("u.1")); /* what can be read is kept */
    CHECK_INT(back.count, UNITS_PART);
    CHECK_INT(said(&rig, "counted again"), 1);
    units_fini(&back);
    units_fini(&u);
    rig_close(&rig);
}

/* ---- windows ---- */

/* The machine was started again too: its monotonic clock begins anew, the wall's goes on. */
static void windows_are_where_they_were(void)
{
    const usec_utc hour = INT64_C(3600000000);
    const struct alert_labels all = { .arm = { 0 } };
    const struct feed_fact fact = {
        .cost = 1, .verdict = -1, .confidence = -1, .flags = FEED_ANSWERED
    };
    struct alert_reading reading = { .n = -1 };
    struct controller later;
    struct rig rig;

    rig_open(&rig);
    rig.c.wall = INT64_C(1764000000000000);
    rig.c.now = 900000 * NSEC_PER_SEC;
    CHECK_ERR(windows_live_open(&rig.c), OK);
    for (int i = 0; i < 3; i++)
        windows_add(rig.c.windows, windows_now(&rig.c), STR("a"), &fact);
    windows_live_save(&rig.c);
    controller_init(&rig, &later);
    later.wall = rig.c.wall + 2 * hour;
    CHECK_ERR(windows_live_open(&later), OK);
    CHECK(windows_read(later.windows, windows_now(&later), ALERT_ERROR_RATE, &all,
                       3600 * NSEC_PER_SEC, &reading));
    CHECK_INT(reading.n, 0);
    CHECK(windows_read(later.windows, windows_now(&later), ALERT_ERROR_RATE, &all,
                       4 * 3600 * NSEC_PER_SEC, &reading));
    CHECK_INT(reading.n, 3);
    windows_close(later.windows);
    control_close(later.store);
    windows_close(rig.c.windows);
    rig_close(&rig);
}

/* Soon after the start, then every minute, and only when there is something new. */
static void windows_are_written_every_minute(void)
{
    struct rig rig;

    rig_open(&rig);
    rig.c.wall = INT64_C(1764000000000000);
    CHECK_ERR(windows_live_open(&rig.c), OK);
    rig.c.now += CHECKPOINT_EVERY;
    windows_turn(&rig.c); /* nothing new */
    CHECK(rig.c.windows_saved < rig.c.now);
    for (int i = 0; i < 3; i++) {
        rig.c.windows_changed = true;
        windows_turn(&rig.c);
        CHECK(!rig.c.windows_changed && rig.c.windows_saved == rig.c.now);
        rig.c.windows_changed = true;
        rig.c.now += 60 * NSEC_PER_SEC - 1;
        windows_turn(&rig.c);
        CHECK(rig.c.windows_changed);
        rig.c.now++;
    }
    windows_close(rig.c.windows);
    rig_close(&rig);
}

TESTS(TEST(a_turn_waits_once), TEST(a_fault_inside_changes_nothing),
      TEST(who_has_been_followed_writes_no_more), TEST(units_are_known_after_a_restart),
      TEST(windows_are_where_they_were), TEST(windows_are_written_every_minute))
