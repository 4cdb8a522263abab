/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder: the output directory: plan.json and questions.jsonl say what is evaluated, runs.jsonl holds a line for each
 * finished run. One process at a time; a line is whole or, when it is the last one, cut off at the next start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/eval/eval_internal.h"
#include "edge/world/file.h"

#define FOLDER_ARENA_MAX ((size_t)1 << 20)
#define NAME_BYTES_MAX 4096

struct eval_folder {
    str path;
    int runs; /* runs.jsonl, locked, for appending */
    struct arena arena;
};

/* "PATH/name" with a NUL; false when it is too long. */
static bool name_of(str path, const char *name, char out[NAME_BYTES_MAX])
{
    int len = snprintf(out, NAME_BYTES_MAX, "%.*s/%s", STR_ARG(path), name);

    return len > 0 && len < NAME_BYTES_MAX;
}

static enum err failed(struct buf *problems, const char *name)
{
    eval_problem(problems, "%s: %s", name, strerror(errno));
    return WEIR_IO;
}

/* ---- files ---- */

static bool write_all(int fd, str content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        content = str_slice(content, (size_t)n, content.len);
    }
    return true;
}

enum err eval_folder_write(const struct eval_folder *f, const char *name, str content,
                           struct buf *problems)
{
    char target[NAME_BYTES_MAX], draft[NAME_BYTES_MAX + 8];

    if (!name_of(f->path, name, target))
        return WEIR_IO;
    snprintf(draft, sizeof(draft), "%s.new", target);
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return failed(problems, draft);
    bool is_written = write_all(fd, content) && fsync(fd) == 0;
    if (close(fd) != 0 || !is_written || rename(draft, target) != 0)
        return failed(problems, target);
    return OK;
}

/* ---- opening ---- */

static enum err folder_lock(struct eval_folder *f, struct buf *problems)
{
    char name[NAME_BYTES_MAX];

    if (!name_of(f->path, "runs.jsonl", name)) {
        eval_problem(problems, "--out: the path is too long");
        return CALLER_BAD_REQUEST;
    }
    str path = arena_str(&f->arena, f->path);
    if (mkdir(path.ptr, 0755) != 0 && errno != EEXIST)
        return failed(problems, path.ptr);
    f->runs = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (f->runs < 0)
        return failed(problems, name);
    if (flock(f->runs, LOCK_EX | LOCK_NB) == 0)
        return OK;
    eval_problem(problems, "%.*s is in use by another evaluation", STR_ARG(f->path));
    return CALLER_BAD_REQUEST;
}

enum err eval_folder_open(struct eval_folder **out, str path, struct buf *problems)
{
    struct eval_folder *f = calloc(1, sizeof(*f));

    if (!f)
        return WEIR_NO_MEMORY;
    f->runs = -1;
    arena_init(&f->arena, FOLDER_ARENA_MAX);
    f->path = arena_str(&f->arena, path);
    enum err e = folder_lock(f, problems);
    if (e != OK) {
        eval_folder_close(f);
        return e;
    }
    *out = f;
    return OK;
}

void eval_folder_close(struct eval_folder *f)
{
    if (!f)
        return;
    if (f->runs >= 0)
        close(f->runs);
    arena_fini(&f->arena);
    free(f);
}

str eval_folder_path(const struct eval_folder *f)
{
    return f->path;
}

/* ---- the plan ---- */

static enum err questions_write(const struct eval_folder *f, const struct eval_questions *questions,
                                struct buf *problems)
{
    struct buf lines = { .max = FILE_BYTES_MAX };

    for (size_t i = 0; i < questions->count; i++) {
        buf_add(&lines, questions->items[i].line);
        buf_add_char(&lines, '\n');
    }
    enum err e = lines.failed ? WEIR_NO_MEMORY
                              : eval_folder_write(f, "questions.jsonl", buf_str(&lines), problems);
    buf_fini(&lines);
    return e;
}

/* An existing plan.json must be this plan; without one there must be no runs either. */
enum err eval_folder_match(struct eval_folder *f, str plan, const struct eval_questions *questions,
                           struct buf *problems)
{
    struct buf there = { 0 }, differences = { 0 };
    char name[NAME_BYTES_MAX], why[256];
    struct stat status;
    bool is_new = name_of(f->path, "plan.json", name) && stat(name, &status) != 0;
    enum err e = is_new ? OK : file_load(str_from(name), &there, why);

    if (is_new && (fstat(f->runs, &status) != 0 || status.st_size > 0)) {
        eval_problem(problems, "%.*s holds runs but no plan.json: choose another --out",
                     STR_ARG(f->path));
        return CALLER_BAD_REQUEST;
    }
    if (is_new) {
        e = questions_write(f, questions, problems);
        return e == OK ? eval_folder_write(f, "plan.json", plan, problems) : e;
    }
    if (e == OK)
        e = eval_plan_compare(plan, buf_str(&there), &differences);
    if (e == CALLER_BAD_JSON)
        eval_problem(problems, "%s is no plan of an evaluation: choose another --out", name);
    if (e == OK && differences.len > 0) {
        eval_problem(
            problems,
            "%.*s holds another evaluation (what differs: %.*s): choose another --out, or give "
            "the same questions, cells and configuration to resume it",
            STR_ARG(f->path), STR_ARG(buf_str(&differences)));
        e = CALLER_BAD_REQUEST;
    }
    buf_fini(&there);
    buf_fini(&differences);
    return e == CALLER_BAD_JSON ? CALLER_BAD_REQUEST : e;
}

/* ---- runs ---- */

enum err eval_folder_load(struct eval_folder *f, struct arena *arena,
                          const struct eval_questions *questions, const struct eval_plan *plan,
                          struct eval_runs *runs, nano_usd *out_spent, struct buf *problems)
{
    struct buf file = { 0 };
    char name[NAME_BYTES_MAX], why[256] = "";
    size_t number = 0;
    enum err e =
        name_of(f->path, "runs.jsonl", name) ? file_load(str_from(name), &file, why) : WEIR_IO;

    if (e != OK)
        eval_problem(problems, "%s", why);
    str whole = eval_whole_lines(buf_str(&file));
    if (e == OK && whole.len < file.len && ftruncate(f->runs, (off_t)whole.len) != 0)
        e = failed(problems, name);
    if (e == OK)
        e = eval_runs_read(arena, whole, questions, plan, runs, out_spent, &number);
    if (e == CALLER_BAD_JSON || e == CALLER_BAD_REQUEST) {
        eval_problem(problems, "%s:%zu: not a run of this evaluation", name, number);
        e = CALLER_BAD_REQUEST;
    }
    buf_fini(&file);
    return e;
}

enum err eval_folder_append(struct eval_folder *f, str lines)
{
    return write_all(f->runs, lines) ? OK : WEIR_IO;
}
