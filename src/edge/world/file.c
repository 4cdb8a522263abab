/* SPDX-License-Identifier: Apache-2.0 */
/* file: see file.h. */
#include "edge/world/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ_BYTES ((size_t)64 << 10)
#define PATH_SHOWN_MAX 150

static enum err fault(enum err e, str path, const char *what, char out_why[256])
{
    size_t shown = path.len < PATH_SHOWN_MAX ? path.len : PATH_SHOWN_MAX;

    snprintf(out_why, 256, "%.*s: %.80s", STR_ARG(str_slice(path, 0, shown)), what);
    return e;
}

enum err file_load(str path, struct buf *out, char out_why[256])
{
    struct buf name = { 0 };

    buf_add(&name, path);
    FILE *file = fopen(buf_cstr(&name), "rbe");
    buf_fini(&name);
    if (!file)
        return fault(WEIR_IO, path, strerror(errno), out_why);
    out->max = FILE_BYTES_MAX;
    size_t got = 0;
    do {
        char *room = buf_reserve(out, READ_BYTES);
        got = room ? fread(room, 1, READ_BYTES, file) : 0;
        out->len += got;
    } while (got > 0);
    bool is_broken = ferror(file) != 0;
    IGNORE(fclose(file));
    if (out->failed)
        return fault(WEIR_NO_MEMORY, path, "the file is too large", out_why);
    if (is_broken)
        return fault(WEIR_IO, path, "the file could not be read to its end", out_why);
    return OK;
}
