/* SPDX-License-Identifier: Apache-2.0 */
/* ranks: where the tables of token ranks are, and how they come into memory. See ranks.h. */
#include "edge/ranks/ranks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

struct ranks {
    void *mapped;
    size_t len;
    struct token_table table;
};

/* The directory of the running program, with a slash at its end; empty when the system does not tell. */
static str program_directory(char path[PATH_BYTES])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_BYTES);

    while (len > 0 && path[len - 1] != '/')
        len--;
    return (str){ path, len > 0 ? (size_t)len : 0 };
}

/* -1 when there is no such file. */
static int file_open(str directory, const char *below, enum token_encoding encoding)
{
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof(path), "%.*s%s/%s.bin", STR_ARG(directory), below,
                       token_encoding_name(encoding));

    return len > 0 && (size_t)len < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static int file_find(enum token_encoding encoding)
{
    static const char *const below[] = { "../tokens", "../share/weir" };
    char path[PATH_BYTES];
    str program = program_directory(path);

    for (size_t i = 0; i < ARRAY_LEN(below) && program.len > 0; i++) {
        int fd = file_open(program, below[i], encoding);
        if (fd >= 0)
            return fd;
    }
    return file_open(STR("/usr/share/weir"), "", encoding);
}

static enum err file_map(struct ranks *ranks, int fd, enum token_encoding encoding)
{
    struct stat facts;

    if (fstat(fd, &facts) != 0)
        return WEIR_IO;
    if (!S_ISREG(facts.st_mode) || facts.st_size <= 0)
        return WEIR_CONFIG;
    ranks->len = (size_t)facts.st_size;
    void *mapped = mmap(NULL, ranks->len, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return WEIR_IO;
    ranks->mapped = mapped;
    enum err e = token_table_init(&ranks->table, (str){ mapped, ranks->len });
    if (e != OK)
        return e;
    return ranks->table.encoding == encoding ? OK : WEIR_CONFIG;
}

enum err ranks_open(struct ranks **out, str directory, enum token_encoding encoding)
{
    int fd = directory.ptr ? file_open(directory, "", encoding) : file_find(encoding);
    if (fd < 0)
        return WEIR_IO;
    struct ranks *ranks = calloc(1, sizeof(*ranks));
    enum err e = ranks ? file_map(ranks, fd, encoding) : WEIR_NO_MEMORY;
    close(fd);
    if (e != OK) {
        ranks_close(ranks);
        return e;
    }
    *out = ranks;
    return OK;
}

void ranks_close(struct ranks *ranks)
{
    if (!ranks)
        return;
    if (ranks->mapped)
        munmap(ranks->mapped, ranks->len);
    free(ranks);
}

const struct token_table *ranks_table(const struct ranks *ranks)
{
    return &ranks->table;
}
