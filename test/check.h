/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: the test runner. A test is a function without arguments in a TESTS table; CHECK counts a
 * failure and goes on, REQUIRE returns from the test. The program's last line is
 * 'N passed, N failed' (with ', N skipped' where something was), its exit status 1 on a failure.
 *
 * A file of tests:
 *     static void adds(void) { CHECK_INT(1 + 1, 2); }
 *     TESTS(TEST(adds))
 */
#ifndef WEIR_TEST_CHECK_H
#define WEIR_TEST_CHECK_H

#include <stdio.h>
#include <string.h>

#include "base/base.h"

struct check_test {
    const char *name;
    void (*run)(void);
};

static int check_failures; /* of the running test */
static const char *check_skip_reason;

__attribute__((unused)) static void check_note(const char *file, int line, const char *what)
{
    check_failures++;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_note(__FILE__, __LINE__, "not so: " #condition);                                 \
    } while (0)

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_note(__FILE__, __LINE__, "not so: " #condition);                                 \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_) {                                                                       \
            check_note(__FILE__, __LINE__, #got);                                                  \
            fprintf(stderr, "    got %lld, want %lld\n", got_, want_);                             \
        }                                                                                          \
    } while (0)

#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        str got_ = (got), want_ = (want);                                                          \
        if (!str_eq(got_, want_)) {                                                                \
            check_note(__FILE__, __LINE__, #got);                                                  \
            fprintf(stderr, "    got  \"%.*s\"\n    want \"%.*s\"\n", STR_ARG(got_),               \
                    STR_ARG(want_));                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_NEAR(got, want, tolerance)                                                           \
    do {                                                                                           \
        double got_ = (got), want_ = (want);                                                       \
        if (!(got_ - want_ <= (tolerance) && want_ - got_ <= (tolerance))) {                       \
            check_note(__FILE__, __LINE__, #got);                                                  \
            fprintf(stderr, "    got %.12g, want %.12g\n", got_, want_);                           \
        }                                                                                          \
    } while (0)

#define CHECK_ERR(got, want)                                                                       \
    do {                                                                                           \
        enum err got_ = (got), want_ = (want);                                                     \
        if (got_ != want_) {                                                                       \
            check_note(__FILE__, __LINE__, #got);                                                  \
            fprintf(stderr, "    got %s, want %s\n", err_info(got_)->name, err_info(want_)->name); \
        }                                                                                          \
    } while (0)

/* Says that what this test needs is absent; the test then counts as skipped. */
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        check_skip_reason = (reason);                                                              \
        return;                                                                                    \
    } while (0)

__attribute__((unused)) static int check_run(const struct check_test *tests, size_t n)
{
    int passed = 0, failed = 0, skipped = 0;

    for (size_t i = 0; i < n; i++) {
        check_failures = 0;
        check_skip_reason = NULL;
        tests[i].run();
        if (check_failures > 0) {
            failed++;
            fprintf(stderr, "FAILED %s\n", tests[i].name);
        } else if (check_skip_reason) {
            skipped++;
            fprintf(stderr, "skipped %s: %s\n", tests[i].name, check_skip_reason);
        } else {
            passed++;
        }
    }
    printf("%d passed, %d failed", passed, failed);
    if (skipped > 0)
        printf(", %d skipped", skipped);
    printf("\n");
    return failed > 0;
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
#define TESTS(...)                                                                                 \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct check_test tests[] = { __VA_ARGS__ };                                  \
        return check_run(tests, ARRAY_LEN(tests));                                                 \
    }

#endif
