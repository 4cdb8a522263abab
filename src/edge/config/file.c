/* SPDX-License-Identifier: Apache-2.0 */
/* file: what is read besides the text itself: whole small files, and secrets. */
#include "edge/config/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)16 << 10)

static const char *open_file_read(int fd, size_t max, struct buf *out)
{
    for (;;) {
        char *at = buf_reserve(out, READ_BYTES);
        ssize_t n = at ? read(fd, at, READ_BYTES) : -1;
        if (!at)
            return "it is too large";
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return strerror(errno);
        if (n == 0)
            return NULL;
        out->len += (size_t)n;
        if (out->len > max)
            return "it is too large";
    }
}

const char *file_read(str path, size_t max, struct buf *out, struct config_file *out_identity)
{
    char name[PATH_MAX];
    struct stat status;

    if (path.len == 0 || path.len >= sizeof(name) || memchr(path.ptr, '\0', path.len))
        return "it is no path";
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    /* Not blocking: a FIFO without a writer must not hang the program. */
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return strerror(errno);
    const char *why = NULL;
    if (fstat(fd, &status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "it is no regular file";
    else
        why = open_file_read(fd, max, out);
    close(fd);
    if (!why && out_identity) {
        out_identity->device = (uint64_t)status.st_dev;
        out_identity->inode = (uint64_t)status.st_ino;
    }
    return why;
}

str path_beside(struct arena *arena, const struct config_file *file, str path)
{
    size_t slash = file->name.len;

    while (slash > 0 && file->name.ptr[slash - 1] != '/')
        slash--;
    if (slash == 0 || str_starts(path, STR("/")))
        return arena_str(arena, path);
    return arena_printf(arena, "%.*s%.*s", STR_ARG(str_slice(file->name, 0, slash)), STR_ARG(path));
}

/* A secret goes into a header line, so it is one line of printable ASCII. */
static bool secret_is_valid(str secret)
{
    for (size_t i = 0; i < secret.len; i++)
        if (secret.ptr[i] < 0x20 || secret.ptr[i] > 0x7E)
            return false;
    return secret.len > 0 && secret.len <= CONFIG_SECRET_BYTES_MAX;
}

static enum secret_result secret_keep(struct config_build *build, str secret, str *out)
{
    if (!secret_is_valid(secret))
        return SECRET_BAD_VALUE;
    *out = arena_str(&build->snapshot->config.arena, secret);
    return SECRET_FOUND;
}

static bool name_is_variable(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0 && name.len <= YAML_KEY_BYTES_MAX;
}

static enum secret_result secret_of_variable(struct config_build *build, str name, str *out)
{
    if (!name_is_variable(name))
        return SECRET_BAD_FORM;
    str copy = arena_str(&build->scratch, name);
    const char *value = copy.len > 0 ? getenv(copy.ptr) : NULL;
    str secret = str_trim(str_from(value));

    if (secret.len == 0)
        return SECRET_UNSET;
    return secret_keep(build, secret, out);
}

static enum secret_result secret_of_file(struct config_build *build, str path, str *out)
{
    struct buf content = { .max = CONFIG_SECRET_BYTES_MAX + READ_BYTES };
    enum secret_result result = SECRET_BAD_FILE;

    if (build->may_read_files && !file_read(path, CONFIG_SECRET_BYTES_MAX, &content, NULL)) {
        str text = buf_str(&content);
        str line = str_trim(str_slice(text, 0, str_find_char(text, '\n')));
        result = secret_keep(build, line, out);
    }
    /* The buffer's memory goes back to the heap; the secret's copy lives in the snapshot alone. */
    if (content.ptr)
        explicit_bzero(content.ptr, content.cap);
    buf_fini(&content);
    return result;
}

enum secret_result secret_read(struct config_build *build, const struct config_file *beside,
                               str source, str *out)
{
    if (str_starts(source, STR("env:")))
        return secret_of_variable(build, str_slice(source, 4, source.len), out);
    if (!str_starts(source, STR("file:")) || source.len == 5)
        return SECRET_BAD_FORM;
    str path = str_slice(source, 5, source.len);
    return secret_of_file(build, path_beside(&build->scratch, beside, path), out);
}
