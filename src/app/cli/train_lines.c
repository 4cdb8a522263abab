/* SPDX-License-Identifier: Apache-2.0 */
/* train_lines: see train_lines.h. A file's text stays in the arena, since what is read points into it. */
#include "app/cli/train_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cli/cli.h"
#include "edge/world/file.h"

#define LINE_ARENA_MAX ((size_t)64 << 20)

bool train_lines_complain(const struct train_lines *lines, const char *what)
{
    fprintf(stderr, "%.*s:%zu: %s\n", STR_ARG(lines->file), lines->number, what);
    return false;
}

int train_unreadable(str path)
{
    fprintf(stderr, "weir train: %.*s: %s\n", STR_ARG(path), strerror(errno));
    return EXIT_UNREACHABLE;
}

/* The whole file as text in the arena. */
static int text_load(struct arena *arena, str path, str *out)
{
    struct buf text = { 0 };
    char why[256] = "";
    enum err e = file_load(path, &text, why);

    if (e == OK) {
        *out = arena_str(arena, buf_str(&text));
        if (arena_failed(arena)) {
            e = WEIR_NO_MEMORY;
            snprintf(why, sizeof(why), "out of memory for the files' texts");
        }
    }
    buf_fini(&text);
    if (e == OK)
        return EXIT_DONE;
    fprintf(stderr, "weir train: %s\n", why);
    return e == WEIR_IO ? EXIT_UNREACHABLE : EXIT_USAGE;
}

static bool line_read(struct train_lines *lines, str text, train_line_reader read)
{
    struct json_error error;
    struct arena scratch;
    struct json line;
    bool is_read = false;

    arena_init(&scratch, LINE_ARENA_MAX);
    enum err e = json_parse(&scratch, text, &line, &error);
    if (e != OK)
        train_lines_complain(lines, e == CALLER_BAD_JSON ? error.what : err_info(e)->text);
    else if (!json_is(line, JSON_OBJECT))
        train_lines_complain(lines, "a line must be a JSON object");
    else
        is_read = read(lines, line);
    arena_fini(&scratch);
    return is_read;
}

int train_lines_read(struct train_lines *lines, str path, train_line_reader read)
{
    str rest, text;
    int status = text_load(lines->arena, path, &rest);

    lines->file = path;
    lines->number = 0;
    while (status == EXIT_DONE && str_next(&rest, '\n', &text)) {
        lines->number++;
        text = str_trim(text);
        if (text.len > 0 && !line_read(lines, text, read))
            status = EXIT_USAGE;
    }
    return status;
}

/* ---- members ---- */

static bool is_absent(struct json value)
{
    return !json_exists(value) || json_is(value, JSON_NULL);
}

bool train_text(struct train_lines *lines, struct json line, const char *name, str *out)
{
    return json_str(json_get(line, str_from(name)), lines->arena, out);
}

bool train_cost(struct json line, const char *name, nano_usd *out)
{
    struct json value = json_get(line, str_from(name));

    *out = COST_UNPRICED;
    return is_absent(value) || (json_i64(value, out) && *out >= 0);
}

bool train_number(struct json line, const char *name, double max, double *out)
{
    struct json value = json_get(line, str_from(name));

    *out = -1;
    return is_absent(value) || (json_double(value, out) && *out >= 0 && *out <= max);
}
