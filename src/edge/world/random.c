/* SPDX-License-Identifier: Apache-2.0 */
/* random: see world.h's world_random(). */
#include <errno.h>
#include <sys/random.h>

#include "edge/world/world.h"

enum err world_random(uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return WEIR_IO;
        out += n;
        len -= (size_t)n;
    }
    return OK;
}
