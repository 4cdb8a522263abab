/* SPDX-License-Identifier: Apache-2.0 */
/* memory: see world.h's memory_trim(). */
#include <stdio.h>
#include <malloc.h>
#include <sys/mman.h>

#include "edge/world/world.h"

void memory_trim(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];

    malloc_trim(0);
    if (!maps)
        return;
    while (fgets(line, sizeof(line), maps)) {
        uintptr_t from, to;
        char rights[8];
        unsigned long inode;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %lu", &from, &to, rights, &inode) !=
            4)
            continue;
        /* Never written to, so a page can only come back as the file has it. */
        bool is_clean = rights[1] == '-' && rights[3] == 'p' && inode != 0;
        if (is_clean && rights[2] == 'x')
            madvise((void *)from, to - from, MADV_DONTNEED);
    }
    fclose(maps);
}
