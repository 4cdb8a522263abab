/* SPDX-License-Identifier: Apache-2.0 */
/* folder: the files of a recording. */
#include <dirent.h>
#include <stdio.h>

#include "app/recording/recording.h"
#include "edge/world/file.h"

#define PATH_BYTES_MAX ((size_t)64 << 10)

/* Why a file could not be taken: its line, or a limit. */
static enum err explain(enum err e, str path, size_t line, char out_why[256])
{
    if (e == WEIR_CONFIG)
        snprintf(out_why, 256, "%.*s:%zu: not a recorded line",
                 STR_ARG(str_slice(path, 0, path.len < 200 ? path.len : 200)), line);
    if (e == WEIR_OVERLOADED) {
        snprintf(out_why, 256, "more than %d models", RECORDING_MODELS_MAX);
        return WEIR_CONFIG;
    }
    return e;
}

static enum err questions_load(struct recording *r, str path, char out_why[256])
{
    struct buf file = { 0 };
    size_t line = 0;
    enum err e = file_load(path, &file, out_why);

    if (e == OK) {
        e = recording_read_questions(r, buf_str(&file), &line);
        e = explain(e, path, line, out_why);
    }
    buf_fini(&file);
    return e;
}

static enum err answers_load(struct recording *r, str path, str model, char out_why[256])
{
    struct buf file = { 0 };
    size_t line = 0;
    enum err e = file_load(path, &file, out_why);

    if (e == OK) {
        e = recording_read_answers(r, model, buf_str(&file), &line);
        e = explain(e, path, line, out_why);
    }
    buf_fini(&file);
    return e;
}

static enum err models_load(struct recording *r, str folder, char out_why[256])
{
    struct arena paths;
    enum err e = OK;

    arena_init(&paths, PATH_BYTES_MAX);
    str answers = arena_printf(&paths, "%.*s/answers", STR_ARG(folder));
    DIR *dir = answers.len > 0 ? opendir(answers.ptr) : NULL;
    if (!dir) {
        snprintf(out_why, 256, "the folder has no readable folder \"answers\"");
        e = WEIR_IO;
    }
    for (struct dirent *entry; e == OK && (entry = readdir(dir)) != NULL;) {
        str file = str_from(entry->d_name);
        if (!str_ends(file, STR(".jsonl")) || file.ptr[0] == '.')
            continue;
        str model = str_slice(file, 0, file.len - STR(".jsonl").len);
        e = answers_load(r, arena_printf(&paths, "%.*s/%.*s", STR_ARG(answers), STR_ARG(file)),
                         model, out_why);
    }
    if (dir)
        IGNORE(closedir(dir));
    arena_fini(&paths);
    return e;
}

enum err recording_open(struct recording **out, str folder, char out_why[256])
{
    struct recording *r = NULL;
    struct arena paths;
    enum err e = recording_new(&r);

    arena_init(&paths, PATH_BYTES_MAX);
    if (e == OK)
        e = questions_load(r, arena_printf(&paths, "%.*s/questions.jsonl", STR_ARG(folder)),
                           out_why);
    if (e == OK)
        e = models_load(r, folder, out_why);
    arena_fini(&paths);
    if (e != OK) {
        recording_close(r);
        return e;
    }
    *out = r;
    return OK;
}
