/* SPDX-License-Identifier: Apache-2.0 */
/* profile's test: what a configuration says of one call reaches the field that it is meant for. */
#include "app/engine/engine_internal.h"

#include "test/check.h"

static void a_call_s_limits_are_the_configuration_s(void)
{
    const struct config config = { .max_retries = 4,
                                   .upstream = { .connect_timeout = 11,
                                                 .first_byte_timeout = 12,
                                                 .idle_timeout = 13,
                                                 .backoff = 14,
                                                 .backoff_max = 15,
                                                 .answer_bytes_max = 16 } };
    struct upstream_limits limits = call_limits(&config);

    CHECK_INT(limits.attempts_max, 5);
    CHECK_INT(limits.connect_timeout, 11);
    CHECK_INT(limits.first_byte_timeout, 12);
    CHECK_INT(limits.idle_timeout, 13);
    CHECK_INT(limits.backoff_base, 14);
    CHECK_INT(limits.backoff_max, 15);
    CHECK_INT(limits.answer_bytes_max, 16);
}

TESTS(TEST(a_call_s_limits_are_the_configuration_s))
