/* SPDX-License-Identifier: Apache-2.0 */
/* progress: see progress.h. */
#include "app/cli/progress.h"

#include <unistd.h>

#define BAR_CELLS 24
#define TERMINAL_EVERY (NSEC_PER_SEC / 10)
#define PLAIN_EVERY (10 * NSEC_PER_SEC)
#define NOTE_BYTES_MAX 200

void progress_init(struct progress *p, FILE *out, const char *unit, uint64_t total, uint64_t before,
                   nsec now)
{
    *p = (struct progress){ .out = out,
                            .is_terminal = isatty(fileno(out)) != 0,
                            .unit = unit,
                            .total = total,
                            .before = before,
                            .started = now,
                            .shown = now };
}

/* "45 s", "3 min", "2 h 05 min". */
static void write_duration(struct buf *out, double seconds)
{
    if (seconds < 90)
        buf_printf(out, "%.0f s", seconds);
    else if (seconds < 5400)
        buf_printf(out, "%.0f min", seconds / 60);
    else
        buf_printf(out, "%d h %02d min", (int)(seconds / 3600), (int)(seconds / 60) % 60);
}

static void write_bar(struct buf *out, double share)
{
    int full = (int)(share * BAR_CELLS);

    buf_add_char(out, '[');
    for (int i = 0; i < BAR_CELLS; i++)
        buf_add_char(out, i < full ? '#' : '.');
    buf_add(out, STR("] "));
}

void progress_write(struct buf *out, const struct progress *p, uint64_t done, str note, nsec now)
{
    double share = p->total > 0 ? (double)done / (double)p->total : 1;
    double seconds = (double)(now - p->started) / (double)NSEC_PER_SEC;
    double rate = seconds > 0 ? (double)(done - p->before) / seconds : 0;

    if (p->is_terminal)
        write_bar(out, share);
    buf_printf(out, "%3.0f %%  %" PRIu64 " of %" PRIu64 " %s", share * 100, done, p->total,
               p->unit);
    if (rate > 0) {
        buf_printf(out, ", %.*f a second", rate < 10 ? 1 : 0, rate);
        if (done < p->total) {
            buf_add(out, STR(", "));
            write_duration(out, (double)(p->total - done) / rate);
            buf_add(out, STR(" left"));
        }
    }
    if (note.len > 0)
        buf_printf(out, ", %.*s", STR_ARG(str_slice(note, 0, NOTE_BYTES_MAX)));
}

static void draw(struct progress *p, uint64_t done, str note, nsec now)
{
    struct buf line = { 0 };

    progress_write(&line, p, done, note, now);
    /* To the line's beginning, the text, and the rest of an older, longer one away. */
    if (p->is_terminal)
        fprintf(p->out, "\r%.*s\x1b[K", STR_ARG(buf_str(&line)));
    else
        fprintf(p->out, "%.*s\n", STR_ARG(buf_str(&line)));
    fflush(p->out);
    buf_fini(&line);
    p->has_bar = p->is_terminal;
    p->shown = now;
}

void progress_show(struct progress *p, uint64_t done, str note, nsec now)
{
    if (now - p->shown >= (p->is_terminal ? TERMINAL_EVERY : PLAIN_EVERY))
        draw(p, done, note, now);
}

void progress_end(struct progress *p, uint64_t done, str note, nsec now)
{
    draw(p, done, note, now);
    if (p->has_bar)
        fprintf(p->out, "\n");
    p->has_bar = false;
}
