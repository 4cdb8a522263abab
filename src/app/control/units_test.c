/* SPDX-License-Identifier: Apache-2.0 */
#include "app/control/units.h"

#include "base/rng.h"
#include "test/check.h"

static void a_unit_is_new_once(void)
{
    struct units u = { .slots = NULL };

    for (uint64_t i = 1; i <= 5000; i++)
        CHECK(units_add(&u, rng_mix(i)));
    for (uint64_t i = 1; i <= 5000; i++)
        CHECK(!units_add(&u, rng_mix(i)));
    CHECK(units_add(&u, 0) != units_add(&u, 0));
    CHECK_INT(u.count, 5001);
    units_fini(&u);
    CHECK(units_add(&u, rng_mix(1)));
    units_fini(&u);
}

static void nobody_is_new_when_it_is_full(void)
{
    struct units u = { .slots = NULL };

    for (uint64_t i = 1; i <= UNITS_MAX; i++)
        units_add(&u, i);
    CHECK_INT(u.count, UNITS_MAX);
    CHECK(!units_add(&u, UNITS_MAX + 1));
    CHECK_INT(u.count, UNITS_MAX);
    units_fini(&u);
}

/* ---- parts ---- */

struct written { /* as a store keeps it */
    struct buf parts[8];
    size_t puts;
};

static void save(struct units *u, struct written *w)
{
    int64_t number;
    struct buf bytes = { 0 };

    for (size_t i = 0; units_part(u, i, &number, &bytes); i++) {
        REQUIRE(number >= 0 && number < 8);
        buf_fini(&w->parts[number]);
        w->parts[number] = bytes;
        bytes = (struct buf){ 0 };
        w->puts++;
    }
    units_saved(u);
}

static void restore(struct units *u, const struct written *w)
{
    for (size_t i = 0; i < 8 && w->parts[i].len > 0; i++)
        CHECK(units_restore(u, (int64_t)i, buf_str(&w->parts[i])));
}

static void written_end(struct written *w)
{
    for (size_t i = 0; i < 8; i++)
        buf_fini(&w->parts[i]);
}

/* After any number of writes what is read back is what was there, and it goes on from there as if nothing had happened. */
static void parts_bring_all_back(void)
{
    enum { MANY = 3 * UNITS_PART + 100 };
    struct units u = { 0 };
    struct written w = { .puts = 0 };
    uint64_t next = 1;

    save(&u, &w);
    CHECK_INT(w.puts, 0); /* nothing to write */
    while (next <= MANY) {
        for (int k = 0; k < 700 && next <= MANY; k++)
            CHECK(units_add(&u, next++));
        save(&u, &w);
        size_t before = w.puts;
        CHECK(!units_add(&u, next - 1));
        save(&u, &w);
        CHECK_INT(w.puts, before); /* nobody new: nothing to write */
        struct units back = { 0 };
        restore(&back, &w);
        CHECK_INT(back.count, u.count);
        for (uint64_t unit = 1; unit < next; unit += 97)
            CHECK(!units_add(&back, unit));
        units_fini(&u);
        u = back; /* a restart after each write */
    }
    CHECK(w.puts <= MANY / 700 + 1 + 4); /* at most the last part, and one more when it fills */
    CHECK_INT(w.parts[0].len, UNITS_PART * 8);
    CHECK_INT(w.parts[3].len, 100 * 8);
    units_fini(&u);
    written_end(&w);
}

/* What could not be written is there at the next write. */
static void what_was_not_written_waits(void)
{
    struct units u = { 0 };
    struct written w = { .puts = 0 };
    struct buf lost = { 0 };
    int64_t number;

    for (uint64_t unit = 1; unit <= 2 * UNITS_PART; unit++)
        units_add(&u, unit);
    CHECK(units_part(&u, 0, &number, &lost)); /* and then the transaction failed */
    buf_fini(&lost);
    units_add(&u, UINT64_MAX);
    save(&u, &w);
    CHECK_INT(w.puts, 3);
    struct units back = { 0 };
    restore(&back, &w);
    CHECK_INT(back.count, 2 * UNITS_PART + 1);
    CHECK(!units_add(&back, UINT64_MAX));
    units_fini(&back);
    units_fini(&u);
    written_end(&w);
}

static void damaged_parts_are_refused(void)
{
    char bytes[32] = { 1, 0, 0, 0, 0, 0, 0, 0, 2 };
    struct units u = { 0 };

    CHECK(!units_restore(&u, 1, (str){ bytes, 16 })); /* not the first */
    CHECK(!units_restore(&u, 0, (str){ bytes, 15 }));
    CHECK(!units_restore(&u, 0, (str){ bytes, 0 }));
    CHECK(!units_restore(&u, 0, (str){ bytes, sizeof(bytes) })); /* one twice */
    units_fini(&u);
    CHECK(units_restore(&u, 0, (str){ bytes, 16 }));
    CHECK_INT(u.count, 2);
    bytes[0] = 3;
    bytes[8] = 4;
    CHECK(!units_restore(&u, 1, (str){ bytes, 16 })); /* the one before is not full */
    CHECK(!units_restore(&u, 0, (str){ bytes, 16 })); /* and was read already */
    CHECK_INT(u.count, 2);
    units_fini(&u);
}

TESTS(TEST(parts_bring_all_back), TEST(what_was_not_written_waits), TEST(damaged_parts_are_refused),
      TEST(a_unit_is_new_once), TEST(nobody_is_new_when_it_is_full))
