/* SPDX-License-Identifier: Apache-2.0 */
/* paired's tests: the design's planning figures, Tango's interval, McNemar, verdicts. */
#include "core/stats/stats.h"
#include "test/check.h"

/* At 12.6 % discordance (docs of the design: pairs for 5, 3, 2 and 1 points). */
static void pairs_are_planned(void)
{
    static const struct {
        double margin;
        int64_t pairs;
    } rows[] = { { .05, 312 }, { .03, 866 }, { .02, 1948 }, { .01, 7791 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(stats_plan_pairs(rows[i].margin, .126), rows[i].pairs);
    CHECK_NEAR(stats_plan_margin(23, .126), .184, .0005);
    CHECK_NEAR(stats_rate_lower(115, 115, .05), .974, .0005);
}

TESTS(TEST(pairs_are_planned))
