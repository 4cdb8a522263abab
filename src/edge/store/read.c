/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read: what verify, export and training begin with: the directory found, left journals imported, the database opened for reading.
 */
#include "edge/store/internal.h"

#include <stdio.h>
#include <sys/stat.h>

/* A directory that is not there would be created by the recovery. */
enum err directory_find(str directory, char out_why[256])
{
    struct stat info;
    char path[STORE_PATH_MAX];
    int len = snprintf(path, sizeof(path), "%.*s", STR_ARG(directory));

    if (len > 0 && (size_t)len < sizeof(path) && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return OK;
    snprintf(out_why, 256, "there is no ledger at %.*s",
             directory.len < 200 ? (int)directory.len : 200, directory.ptr ? directory.ptr : "");
    return WEIR_STORE;
}

/* Imports the journals that no running server is at. A server may start right after: what is read next is one view all the same. */
static enum err directory_recover(str directory, bool *out_is_live, char out_why[256])
{
    const struct store_options options = { .directory = directory, .sync_power = true };
    struct store *recovered = NULL;
    enum err e = store_recover(&recovered, &options, out_why);

    if (e != OK && e != WEIR_OVERLOADED)
        return e;
    store_free(recovered);
    out_why[0] = '\0'; /* broken journals are mismatches, and a running server is no failure */
    *out_is_live = e == WEIR_OVERLOADED;
    return OK;
}

enum err directory_read(str directory, struct database **out, bool *out_is_live, char out_why[256])
{
    enum err e = directory_find(directory, out_why);

    if (e == OK)
        e = directory_recover(directory, out_is_live, out_why);
    return e == OK ? database_open(out, directory, DATABASE_READ, false, out_why) : e;
}

enum err database_visit(struct database *db, usec_utc since, const struct database_visitor *visitor,
                        char out_why[256])
{
    enum err e = database_walk(db, since, visitor);

    if (e != OK)
        snprintf(out_why, 256, "ledger.db: %s",
                 e == WEIR_NO_MEMORY ? "out of memory" : database_message(db));
    return e;
}
