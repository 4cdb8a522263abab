/* SPDX-License-Identifier: Apache-2.0 */
/* reach's tests: what counts as an answer, whose it is, and how often it is written. */
#include "app/engine/reach.h"

#include "edge/config/config.h"
#include "test/check.h"

static const struct config_provider providers[] = {
    { .name = { "a", 1 }, .base_url = { "http://a/v1", 11 }, .api_key = { "k1", 2 } },
    { .name = { "b", 1 }, .base_url = { "http://a/v1", 11 }, .api_key = { "k2", 2 } },
    { .name = { "c", 1 }, .base_url = { "http://c/v1", 11 } },
};
static const struct config config = { .providers = providers,
                                      .provider_count = ARRAY_LEN(providers) };

static void answers_are_told_from_silence(void)
{
    static const struct {
        int status;
        bool is_answer;
    } rows[] = { { 0, false },  { 200, true }, { 401, false }, { 403, false },
                 { 400, true }, { 404, true }, { 429, true },  { 500, true } };
    struct reach *r;

    REQUIRE(reach_open(&r, &config) == OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        nsec now = NSEC_PER_SEC * (nsec)(i + 1), before = reach_last(r, 0);
        reach_note(r, &providers[0], rows[i].status, now);
        CHECK_INT(reach_is_answer(rows[i].status), rows[i].is_answer);
        CHECK_INT(reach_last(r, 0), rows[i].is_answer ? now : before);
    }
    CHECK(reach_last(r, 1) == REACH_NEVER); /* the same address, another key */
    CHECK(reach_last(r, 2) == REACH_NEVER);
    reach_close(r);
}

static void a_canarys_provider_counts_where_it_is_the_same(void)
{
    const struct config_provider same = { .name = { "x", 1 },
                                          .base_url = { "http://a/v1", 11 },
                                          .api_key = { "k2", 2 } };
    const struct config_provider other = { .name = { "c", 1 }, .base_url = { "http://d/v1", 11 } };
    struct reach *r;

    REQUIRE(reach_open(&r, &config) == OK);
    reach_note(r, &same, 200, 5);
    reach_note(r, &other, 200, 6);
    reach_note(NULL, &same, 200, 7);
    CHECK(reach_last(r, 0) == REACH_NEVER);
    CHECK_INT(reach_last(r, 1), 5);
    CHECK(reach_last(r, 2) == REACH_NEVER);
    reach_close(r);
}

static void a_busy_provider_is_written_now_and_then(void)
{
    struct reach *r;
    int writes = 0;

    REQUIRE(reach_open(&r, &config) == OK);
    for (nsec now = 0; now < NSEC_PER_SEC; now += NSEC_PER_MS) {
        nsec before = reach_last(r, 2);
        reach_note(r, &providers[2], 200, now);
        writes += reach_last(r, 2) != before;
        CHECK(now - reach_last(r, 2) < 50 * NSEC_PER_MS);
    }
    CHECK_INT(writes, 20);
    reach_close(r);
}

TESTS(TEST(answers_are_told_from_silence), TEST(a_canarys_provider_counts_where_it_is_the_same),
      TEST(a_busy_provider_is_written_now_and_then))
