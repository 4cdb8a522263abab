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

TESTS(TEST(a_unit_is_new_once), TEST(nobody_is_new_when_it_is_full))
