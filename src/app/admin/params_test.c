/* SPDX-License-Identifier: Apache-2.0 */
#include "app/admin/params.h"

#include "app/admin/dashboard.h"
#include "test/check.h"

static void values_are_decoded(void)
{
    static const struct {
        const char *query, *name, *want; /* NULL: it is refused */
    } cases[] = {
        { "a=1&b=2", "a", "1" },
        { "a=1&b=2", "b", "2" },
        { "a=1&a=2", "a", "1" },
        { "aa=1", "a", "" },
        { "a", "a", "" },
        { "a=", "a", "" },
        { "", "a", "" },
        { "a=x=y", "a", "x=y" },
        { "a=gpt%2D4o+mini", "a", "gpt-4o mini" },
        { "a=%c3%a4", "a", "\xc3\xa4" },
        { "a=%4", "a", NULL },
        { "a=%", "a", NULL },
        { "a=%g0", "a", NULL },
        { "a=%0g", "a", NULL },
        { "a=%ff", "a", NULL }, /* not UTF-8 */
        { "b=%zz&a=1", "a", "1" },
    };
    struct arena arena;

    arena_init(&arena, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str got;
        bool is_read = param_read(str_from(cases[i].query), str_from(cases[i].name), &arena, &got);
        CHECK_INT(is_read, cases[i].want != NULL);
        if (is_read && cases[i].want)
            CHECK(str_eq(got, str_from(cases[i].want)));
    }
    arena_fini(&arena);
}

static void addresses_of_this_machine(void)
{
    static const struct {
        const char *listen;
        bool want;
    } cases[] = {
        { "127.0.0.1:8081", true },
        { "127.9.8.7:1", true },
        { "localhost:8081", true },
        { "LocalHost", true },
        { "[::1]:8081", true },
        { "[::1]", true },
        { "0.0.0.0:8081", false },
        { ":8081", false },
        { "[::]:8081", false },
        { "10.0.0.1:8081", false },
        { "127.evil.com:80", false },
        { "127.0.0.1.evil.com", false },
        { "evil.com:8081", false },
        { "localhost.evil.com", false },
        { "", false },
        { "127.0.0.256:1", false },
        { "127.0.0", false },
        { "127.0.0.1.1", false },
        { "[::1].evil.com:80", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(dashboard_is_loopback(str_from(cases[i].listen)), cases[i].want);
}

TESTS(TEST(values_are_decoded), TEST(addresses_of_this_machine))
