/* SPDX-License-Identifier: Apache-2.0 */
/* screen: on ncurses. */
#include "edge/screen/screen.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

struct screen {
    SCREEN *terminal;
    attr_t styles[SCREEN_STYLE_COUNT];
    bool is_utf8;
};

static const struct {
    attr_t attributes;
    short colour; /* 0: the terminal's own */
} looks[SCREEN_STYLE_COUNT] = {
    [SCREEN_PLAIN] = { A_NORMAL, 0 },
    [SCREEN_BOLD] = { A_BOLD, 0 },
    [SCREEN_DIM] = { A_DIM, 0 },
    [SCREEN_TITLE] = { A_REVERSE, 0 },
    [SCREEN_GOOD] = { A_NORMAL, COLOR_GREEN },
    [SCREEN_WARN] = { A_BOLD, COLOR_YELLOW },
    [SCREEN_BAD] = { A_BOLD, COLOR_RED },
};

static void styles_init(struct screen *s)
{
    const char *no_color = getenv("NO_COLOR");
    bool has_colour = has_colors() && !(no_color && no_color[0]);

    if (has_colour) {
        start_color();
        use_default_colors();
    }
    for (short i = 0; i < SCREEN_STYLE_COUNT; i++) {
        s->styles[i] = looks[i].attributes;
        if (!has_colour || looks[i].colour == 0)
            continue;
        init_pair(i, looks[i].colour, -1);
        s->styles[i] |= (attr_t)COLOR_PAIR(i);
    }
}

/* Asked first, because newterm() loses memory when it fails. */
static bool terminal_is_known(void)
{
    int status;

    if (setupterm(NULL, STDOUT_FILENO, &status) != OK || status != 1)
        return false;
    del_curterm(cur_term);
    return true;
}

enum err screen_open(struct screen **out)
{
    struct screen *s;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !terminal_is_known())
        return WEIR_NOT_SUPPORTED;
    s = calloc(1, sizeof(*s));
    if (!s)
        return WEIR_NO_MEMORY;
    setlocale(LC_CTYPE, "");
    s->is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    s->terminal = newterm(NULL, stdout, stdin);
    if (!s->terminal) {
        free(s);
        return WEIR_NOT_SUPPORTED;
    }
    cbreak();
    noecho();
    keypad(stdscr, true);
    set_escdelay(25);
    curs_set(0);
    styles_init(s);
    *out = s;
    return OK;
}

void screen_close(struct screen *s)
{
    if (!s)
        return;
    curs_set(1);
    endwin();
    delscreen(s->terminal);
    free(s);
}

void screen_size(const struct screen *s, int *out_rows, int *out_columns)
{
    (void)s;
    *out_rows = LINES;
    *out_columns = COLS;
}

bool screen_is_utf8(const struct screen *s)
{
    return s->is_utf8;
}

void screen_clear(struct screen *s)
{
    (void)s;
    erase();
}

void screen_put(struct screen *s, int row, int column, enum screen_style style, str text)
{
    if (row < 0 || row >= LINES || column < 0 || column >= COLS)
        return;
    attrset((int)s->styles[style]);
    mvaddnstr(row, column, text.ptr ? text.ptr : "", (int)text.len);
    attrset(A_NORMAL);
}

void screen_show(struct screen *s)
{
    (void)s;
    refresh();
}

int screen_key(struct screen *s, int timeout_ms)
{
    (void)s;
    timeout(timeout_ms);
    int key = getch();
    if (key == KEY_RESIZE)
        return SCREEN_RESIZED;
    return key == ERR || key > 0x7f ? SCREEN_NO_KEY : key;
}
