/* SPDX-License-Identifier: Apache-2.0 */
#include "test/check.h"
static void t(void)
{
    CHECK(true);
}
TESTS(TEST(t))
