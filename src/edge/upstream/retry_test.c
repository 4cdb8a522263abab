/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of statuses and of Retry-After values; properties of the plan for another attempt. */
#include "edge/upstream/retry.h"
#include "test/check.h"

#define USEC INT64_C(1000000)
#define NOW (INT64_C(1700000000) * USEC) /* Tue, 14 Nov 2023 22:13:20 GMT */
#define YEAR INT64_C(31536000)

static void faults_of_statuses(void)
{
    static const struct {
        int status;
        enum err fault;
    } rows[] = {
        { 200, OK },
        { 204, OK },
        { 299, OK },
        { 0, PROVIDER_GARBAGE },
        { 199, PROVIDER_GARBAGE },
        { 300, PROVIDER_GARBAGE },
        { 301, PROVIDER_GARBAGE },
        { 399, PROVIDER_GARBAGE },
        { 400, PROVIDER_REJECTED },
        { 401, PROVIDER_AUTH },
        { 402, PROVIDER_REJECTED },
        { 403, PROVIDER_AUTH },
        { 404, PROVIDER_NO_MODEL },
        { 405, PROVIDER_REJECTED },
        { 407, PROVIDER_REJECTED },
        { 408, PROVIDER_FAILED },
        { 409, PROVIDER_FAILED },
        { 410, PROVIDER_REJECTED },
        { 422, PROVIDER_REJECTED },
        { 425, PROVIDER_FAILED },
        { 428, PROVIDER_REJECTED },
        { 429, PROVIDER_RATE_LIMITED },
        { 430, PROVIDER_REJECTED },
        { 499, PROVIDER_REJECTED },
        { 500, PROVIDER_FAILED },
        { 502, PROVIDER_FAILED },
        { 503, PROVIDER_OVERLOADED },
        { 504, PROVIDER_FAILED },
        { 529, PROVIDER_OVERLOADED },
        { 599, PROVIDER_FAILED },
        { 600, PROVIDER_GARBAGE },
        { -200, PROVIDER_GARBAGE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_ERR(upstream_fault_of_status(rows[i].status), rows[i].fault);
}

static void retry_after_values(void)
{
    static const struct {
        const char *value;
        int64_t seconds; /* -1: neither form */
    } rows[] = {
        { "0", 0 },
        { "1", 1 },
        { " 120\t", 120 },
        { "31536000", YEAR },
        { "31536001", YEAR },
        { "18446744073709551615", YEAR },
        { "18446744073709551616", -1 },
        { "", -1 },
        { " ", -1 },
        { "-1", -1 },
        { "+1", -1 },
        { "1.5", -1 },
        { "1s", -1 },
        { "1 2", -1 },
        { "soon", -1 },
        { "Tue, 14 Nov 2023 22:13:50 GMT", 30 },
        { "Tue, 14 Nov 2023 22:13:50", 30 },
        { "Tue, 14 Nov 2023 22:13:20 GMT", 0 },
        { "Tue, 14 Nov 2023 22:13:19 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
        { "Sun, 06 Nov 2044 08:49:37 GMT", YEAR },
        { "Fri, 31 Dec 9999 23:59:59 GMT", YEAR },
        { "Tuesday, 14-Nov-23 22:14:20 GMT", 60 },
        { "Tuesday, 14-Nov-74 22:14:20 GMT", 0 }, /* 1974 */
        { "Wednesday, 14-Nov-73 22:14:20 GMT", YEAR }, /* 2073: not more than 50 years ahead */
        { "Tue Nov 14 22:13:21 2023", 1 },
        { "Tue Nov 14 22:13:21 2023 GMT", 1 },
        { "Fri Dec  1 22:13:20 2023", 17 * 86400 },
        { "Thu, 29 Feb 2024 22:13:20 GMT", 107 * 86400 },
        { "Wed, 15 Nov 2023 22:13:60 GMT", 86440 }, /* a leap second */
        { "Wed, 15 Nov 2023 22:13:61 GMT", -1 },
        { "Wed, 15 Nov 2023 22:60:00 GMT", -1 },
        { "Wed, 15 Nov 2023 24:00:00 GMT", -1 },
        { "Wed, 00 Nov 2023 22:13:20 GMT", -1 },
        { "Thu, 30 Feb 2024 22:13:20 GMT", -1 },
        { "Fri, 31 Nov 2023 22:13:20 GMT", -1 },
        { "Wed, 15 Nov 2023 22:13:20 CET", -1 },
        { "Wed, 15 Nov 2023 22:13:20 GMT+1", -1 },
        { "Wed, 15 nov 2023 22:13:20 GMT", -1 },
        { "Xyz, 15 Nov 2023 22:13:20 GMT", -1 },
        { "15 Nov 2023 22:13:20 GMT", -1 },
        { "Wed, 15 Nov 2023", -1 },
        { "Wed, 1", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nsec want = rows[i].seconds < 0 ? -1 : rows[i].seconds * NSEC_PER_SEC;
        if (upstream_retry_after(str_from(rows[i].value), NOW) != want)
            fprintf(stderr, "    Retry-After: %s\n", rows[i].value);
        CHECK_INT(upstream_retry_after(str_from(rows[i].value), NOW), want);
    }
}

/* The wait until a date is counted from the exact moment, not from its second. */
static void retry_after_counts_microseconds(void)
{
    CHECK_INT(upstream_retry_after(STR("Tue, 14 Nov 2023 22:13:21 GMT"), NOW + 250000),
              750 * NSEC_PER_MS);
}

static const struct upstream_limits limits = {
    .attempts_max = 3,
    .backoff_base = 100 * NSEC_PER_MS,
    .backoff_max = 1500 * NSEC_PER_MS,
};

static struct retry_facts facts_usual(void)
{
    return (struct retry_facts){ .fault = PROVIDER_FAILED,
                                 .attempts = 1,
                                 .retry_after = -1,
                                 .now = 5 * NSEC_PER_SEC,
                                 .deadline = 60 * NSEC_PER_SEC };
}

static void faults_that_are_retried(void)
{
    struct rng rng;

    rng_init(&rng, 1);
    for (int fault = 1; fault < ERR_COUNT; fault++) {
        struct retry_facts facts = facts_usual();
        nsec delay = -7;
        facts.fault = (enum err)fault;
        bool is_planned = retry_plan(&facts, &limits, &rng, &delay);
        CHECK(is_planned == err_info((enum err)fault)->retryable);
        CHECK(is_planned ? delay >= 0 : delay == -7);
    }
}

static void reasons_to_stop(void)
{
    struct retry_facts facts = facts_usual();
    struct rng rng;
    nsec delay = -7;

    rng_init(&rng, 1);
    facts.is_final = true;
    CHECK(!retry_plan(&facts, &limits, &rng, &delay));
    facts = facts_usual();
    facts.attempts = 3;
    CHECK(!retry_plan(&facts, &limits, &rng, &delay));
    facts = facts_usual();
    facts.retry_after = 55 * NSEC_PER_SEC; /* at the deadline: too late */
    CHECK(!retry_plan(&facts, &limits, &rng, &delay));
    facts.retry_after = NSEC_NEVER;
    CHECK(!retry_plan(&facts, &limits, &rng, &delay));
    CHECK_INT(delay, -7);
    facts.retry_after = 55 * NSEC_PER_SEC - 1;
    CHECK(retry_plan(&facts, &limits, &rng, &delay));
    CHECK_INT(delay, 55 * NSEC_PER_SEC - 1);
}

/* Full jitter: over many draws the waits fill the range up to the ceiling, evenly. */
static void waits_fill_their_range(void)
{
    static const nsec ceilings_ms[] = { 100, 200, 400, 800, 1500, 1500, 1500 };
    const int draws = 4000;
    struct upstream_limits many = limits;

    many.attempts_max = 100;

    for (size_t n = 0; n < ARRAY_LEN(ceilings_ms); n++) {
        nsec ceiling = ceilings_ms[n] * NSEC_PER_MS, longest = 0;
        double sum = 0;
        struct rng rng;
        rng_init(&rng, n);
        for (int i = 0; i < draws; i++) {
            struct retry_facts facts = facts_usual();
            nsec delay = -1;
            facts.attempts = (int)n + 1;
            REQUIRE(retry_plan(&facts, &many, &rng, &delay));
            CHECK(delay >= 0 && delay <= ceiling);
            longest = delay > longest ? delay : longest;
            sum += (double)delay;
        }
        CHECK(longest > ceiling - ceiling / 100);
        CHECK_NEAR(sum / draws / (double)ceiling, .5, .03);
    }
}

static void extreme_options(void)
{
    struct upstream_limits extreme = { .attempts_max = INT_MAX,
                                       .backoff_base = INT64_MAX - 1,
                                       .backoff_max = INT64_MAX - 1 };
    struct retry_facts facts = facts_usual();
    struct rng rng;
    nsec delay = 0;

    rng_init(&rng, 1);
    facts.deadline = NSEC_NEVER;
    facts.attempts = INT_MAX - 1;
    IGNORE(retry_plan(&facts, &extreme, &rng, &delay)); /* no overflow: the sanitizers look on */
    CHECK(delay >= 0);
    extreme = (struct upstream_limits){ .attempts_max = INT_MAX };
    delay = -1;
    CHECK(retry_plan(&facts, &extreme, &rng, &delay));
    CHECK_INT(delay, 0);
}

TESTS(TEST(faults_of_statuses), TEST(retry_after_values), TEST(retry_after_counts_microseconds),
      TEST(faults_that_are_retried), TEST(reasons_to_stop), TEST(waits_fill_their_range),
      TEST(extreme_options))
