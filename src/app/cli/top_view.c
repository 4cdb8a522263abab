/* SPDX-License-Identifier: Apache-2.0 */
/* top_view: see top_view.h. A page is a list of sections, each of which writes its lines while there is room. */
#include "app/cli/top_view.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/glyph.h"
#include "base/utc.h"

#define MINUTES 60
#define BAR_WIDTH 20

/* ---- clean text ---- */

str top_clean(struct arena *arena, str text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t n = 0;

    if (!out)
        return (str){ 0 };
    for (struct glyph g; glyph_next(&text, &g);) {
        bool is_shown = g.kind == GLYPH_PLAIN || g.kind == GLYPH_UNSEEN;
        str shown = is_shown ? g.bytes : STR("?");
        memcpy(out + n, shown.ptr, shown.len);
        n += shown.len;
    }
    return (str){ out, n };
}

/* Characters, which is columns for what we write. */
static int width_of(str text)
{
    int n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* The first n characters. */
static str cut(str text, int n)
{
    size_t i = 0;

    for (int seen = 0; i < text.len; i++) {
        bool begins = ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
        if (begins && seen++ == n)
            break;
    }
    return str_slice(text, 0, i);
}

/* ---- putting ---- */

static void put(struct top_frame *f, int column, enum screen_style style, str text)
{
    int room = f->columns - column;

    if (f->row >= f->rows || room <= 0 || text.len == 0 || f->count == TOP_SPANS_MAX)
        return;
    f->spans[f->count++] = (struct top_span){ f->row, column, style, cut(text, room) };
}

static void putf(struct top_frame *f, int column, enum screen_style style, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void putf(struct top_frame *f, int column, enum screen_style style, const char *fmt, ...)
{
    struct buf text = { 0 };
    va_list list;

    va_start(list, fmt);
    buf_vprintf(&text, fmt, list);
    va_end(list);
    put(f, column, style, arena_str(f->arena, buf_str(&text)));
    buf_fini(&text);
}

/* Ends `width` columns behind the column. */
static void put_right(struct top_frame *f, int column, int width, enum screen_style style, str text)
{
    int used = width_of(text);

    put(f, column + (used < width ? width - used : 0), style, text);
}

static void headline(struct top_frame *f, const char *text)
{
    f->row++;
    put(f, 0, SCREEN_BOLD, str_from(text));
    f->row++;
}

/* ---- reading ---- */

static double number(struct json v, const char *name)
{
    double value = NAN;

    IGNORE(json_double(json_get(v, str_from(name)), &value));
    return value;
}

static int64_t integer(struct json v, const char *name)
{
    int64_t value = 0;

    IGNORE(json_i64(json_get(v, str_from(name)), &value));
    return value;
}

static str text_of(struct top_frame *f, struct json v, const char *name)
{
    str text = { 0 };

    IGNORE(json_str(json_get(v, str_from(name)), f->arena, &text));
    return top_clean(f->arena, text);
}

/* ---- figures ---- */

/* 1234567 as "1,234,567". */
static str figure_count(struct top_frame *f, int64_t n)
{
    char digits[24], out[32];
    int length = snprintf(digits, sizeof(digits), "%" PRId64, n), used = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            out[used++] = ',';
        out[used++] = digits[i];
    }
    return arena_str(f->arena, (str){ out, (size_t)used });
}

static str figure_percent(struct top_frame *f, double share)
{
    return isnan(share) ? STR("-") : arena_printf(f->arena, "%.1f %%", 100 * share);
}

static str figure_usd(struct top_frame *f, double usd)
{
    if (isnan(usd))
        return STR("-");
    return arena_printf(f->arena, "$%.*f", usd == 0 || usd >= 0.1 ? 2 : usd >= 0.001 ? 4 : 6, usd);
}

static str figure_ms(struct top_frame *f, double ms)
{
    if (isnan(ms))
        return STR("-");
    return ms < 10000 ? arena_printf(f->arena, "%.0f ms", ms)
                      : arena_printf(f->arena, "%.1f s", ms / 1000);
}

static str figure_plain(struct top_frame *f, double value)
{
    return isnan(value) ? STR("-") : arena_printf(f->arena, "%.2f", value);
}

static str figure_estimate(struct top_frame *f, double value)
{
    return arena_printf(f->arena, value > 0 && value < 0.001 ? "%.6f" : "%.4g", value);
}

static enum screen_style style_of_share(double share, double warn, double bad)
{
    if (isnan(share))
        return SCREEN_PLAIN;
    return share < bad ? SCREEN_BAD : share < warn ? SCREEN_WARN : SCREEN_GOOD;
}

/* ---- the head ---- */

static void title(struct top_frame *f, const struct top_state *s, const struct top_data *d)
{
    char at[UTC_TEXT_MAX];
    int64_t wall = integer(d->overview, "at_us");
    struct buf line = { 0 };

    buf_printf(&line, " weir top  %.*s", STR_ARG(s->address));
    if (wall > 0) {
        str when = utc_format(wall, at);
        int gap = f->columns - width_of(buf_str(&line)) - 21;
        buf_printf(&line, "%*s%.*s %.*s", gap > 1 ? gap : 1, "", STR_ARG(str_slice(when, 0, 10)),
                   STR_ARG(str_slice(when, 11, 19)));
    }
    int rest = f->columns - width_of(buf_str(&line));
    if (rest > 0)
        buf_printf(&line, "%*s", rest, "");
    put(f, 0, SCREEN_TITLE, arena_str(f->arena, buf_str(&line)));
    buf_fini(&line);
    f->row++;
    if (s->problem.len > 0) {
        put(f, 0, SCREEN_BAD, top_clean(f->arena, s->problem));
        f->row++;
    }
    if (s->is_paused) {
        put(f, 0, SCREEN_WARN, STR("paused: p goes on"));
        f->row++;
    }
}

static int labelled(struct top_frame *f, int column, const char *label, enum screen_style style,
                    str value)
{
    put(f, column, SCREEN_DIM, str_from(label));
    column += width_of(str_from(label)) + 1;
    put(f, column, style, value);
    return column + width_of(value) + 3;
}

static void now_section(struct top_frame *f, const struct top_state *s, const struct top_data *d)
{
    struct json w = json_get(json_get(d->overview, STR("windows")), STR("1m"));
    int64_t n = integer(w, "n");
    double success = number(w, "success_rate");
    int column = 0;

    (void)s;
    f->row++;
    column = labelled(f, column, "queries/s", SCREEN_BOLD,
                      arena_printf(f->arena, "%.1f", (double)n / number(w, "seconds")));
    column = labelled(f, column, "success", style_of_share(success, 0.98, 0.95),
                      figure_percent(f, success));
    column =
        labelled(f, column, "a query", SCREEN_BOLD, figure_usd(f, number(w, "cost_per_query_usd")));
    column = labelled(f, column, "an hour", SCREEN_BOLD,
                      figure_usd(f, number(w, "cost_usd") * 3600 / number(w, "seconds")));
    column = labelled(f, column, "p95", SCREEN_BOLD,
                      figure_ms(f, number(json_get(w, STR("latency_ms")), "p95")));
    putf(f, column, SCREEN_DIM, "last minute, n = %.*s", STR_ARG(figure_count(f, n)));
    f->row++;
}

/* One character a minute, its height the share of the highest. */
static void minutes_section(struct top_frame *f, const struct top_state *s,
                            const struct top_data *d)
{
    static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char *const ascii[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
    struct json minutes = json_get(d->overview, STR("minutes"));
    struct buf line = { 0 };
    int64_t n[MINUTES] = { 0 }, most = 0;
    size_t count = 0;

    for (struct json_iter it = json_iter(minutes); json_next(&it) && count < MINUTES; count++) {
        n[count] = integer(it.value, "n");
        most = n[count] > most ? n[count] : most;
    }
    for (size_t i = 0; i < count; i++) {
        size_t height = most == 0 ? 0 : (size_t)((8 * n[i] + most - 1) / most);
        buf_add(&line, str_from(s->is_utf8 ? blocks[height] : ascii[height]));
    }
    put(f, 0, SCREEN_DIM, STR("last hour"));
    put(f, 10, SCREEN_GOOD, arena_str(f->arena, buf_str(&line)));
    putf(f, 11 + (int)count, SCREEN_DIM, "at most %.*s a minute", STR_ARG(figure_count(f, most)));
    buf_fini(&line);
    f->row++;
}

static void state_section(struct top_frame *f, const struct top_state *s, const struct top_data *d)
{
    struct json o = d->overview, r = json_get(o, STR("rollout"));
    int64_t firing = integer(o, "alerts_firing"), dead = integer(o, "dead_letters");
    int column = 0;

    (void)s;
    if (json_is(r, JSON_OBJECT)) {
        str what = arena_printf(f->arena, "%.*s %.*s, step %" PRId64 " of %" PRId64,
                                STR_ARG(text_of(f, r, "name")), STR_ARG(text_of(f, r, "state")),
                                integer(r, "step"), integer(r, "steps"));
        column = labelled(f, column, "rollout", SCREEN_BOLD, what);
    } else {
        column = labelled(f, column, "rollout", SCREEN_PLAIN, STR("none"));
    }
    column = labelled(f, column, "experiments", SCREEN_PLAIN,
                      figure_count(f, integer(o, "experiments_running")));
    column = labelled(f, column, "alerts firing", firing > 0 ? SCREEN_BAD : SCREEN_GOOD,
                      figure_count(f, firing));
    column =
        labelled(f, column, "pending", SCREEN_PLAIN, figure_count(f, integer(o, "alerts_pending")));
    labelled(f, column, "dead letters", dead > 0 ? SCREEN_BAD : SCREEN_PLAIN,
             figure_count(f, dead));
    f->row++;
}

/* ---- tables of windows ---- */

static const struct {
    const char *head;
    int width;
} columns[] = {
    { "n", 11 },  { "success", 9 }, { "errors", 9 }, { "a query", 11 }, { "spent", 10 },
    { "p50", 9 }, { "p95", 9 },     { "p99", 9 },    { "HRM", 6 },      { "TRM", 6 },
};

static void table_head(struct top_frame *f, const char *first)
{
    int column = 18;

    f->row++;
    put(f, 0, SCREEN_BOLD, str_from(first));
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        put_right(f, column, columns[i].width, SCREEN_DIM, str_from(columns[i].head));
        column += columns[i].width;
    }
    f->row++;
}

static void table_row(struct top_frame *f, str name, struct json w)
{
    struct json latency = json_get(w, STR("latency_ms"));
    double success = number(w, "success_rate");
    const str cells[ARRAY_LEN(columns)] = {
        figure_count(f, integer(w, "n")),
        figure_percent(f, success),
        figure_percent(f, number(w, "error_rate")),
        figure_usd(f, number(w, "cost_per_query_usd")),
        figure_usd(f, number(w, "cost_usd")),
        figure_ms(f, number(latency, "p50")),
        figure_ms(f, number(latency, "p95")),
        figure_ms(f, number(latency, "p99")),
        figure_plain(f, number(w, "hrm_confidence")),
        figure_plain(f, number(w, "trm_confidence")),
    };
    int column = 18;

    put(f, 0, SCREEN_PLAIN, cut(name, 17));
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        put_right(f, column, columns[i].width,
                  i == 1 ? style_of_share(success, 0.98, 0.95) : SCREEN_PLAIN, cells[i]);
        column += columns[i].width;
    }
    f->row++;
}

static void windows_section(struct top_frame *f, const struct top_state *s,
                            const struct top_data *d)
{
    static const char *const names[] = { "10s", "1m", "10m", "1h", "24h" };
    struct json windows = json_get(d->overview, STR("windows"));

    (void)s;
    table_head(f, "window");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_row(f, str_from(names[i]), json_get(windows, str_from(names[i])));
}

static void named_rows(struct top_frame *f, const char *head, struct json list)
{
    if (json_count(list) == 0)
        return;
    table_head(f, head);
    for (struct json_iter it = json_iter(list); json_next(&it);)
        table_row(f, text_of(f, it.value, "name"), it.value);
}

static void domains_section(struct top_frame *f, const struct top_state *s,
                            const struct top_data *d)
{
    (void)s;
    named_rows(f, "domain, 1h", json_get(d->overview, STR("domains")));
}

static void arms_section(struct top_frame *f, const struct top_state *s, const struct top_data *d)
{
    (void)s;
    named_rows(f, "arm, 1h", json_get(d->overview, STR("arms")));
}

/* ---- the rollout ---- */

static void bar_put(struct top_frame *f, int column, bool is_utf8, double share)
{
    struct buf bar = { 0 };
    int full = share >= 1 ? BAR_WIDTH : share > 0 ? (int)(BAR_WIDTH * share) : 0;
    enum screen_style style = share >= 1 ? SCREEN_BAD : share > 0.5 ? SCREEN_WARN : SCREEN_GOOD;

    for (int i = 0; i < BAR_WIDTH; i++)
        buf_add(&bar, i < full ? (is_utf8 ? STR("█") : STR("#")) : (is_utf8 ? STR("░") : STR(".")));
    put(f, column, style, arena_str(f->arena, buf_str(&bar)));
    buf_fini(&bar);
}

static void guard_row(struct top_frame *f, const struct top_state *s, struct json g)
{
    double log_e = number(g, "log_e"), trips = number(g, "log_e_trips");
    int64_t n = integer(g, "n");

    put(f, 0, SCREEN_PLAIN, text_of(f, g, "name"));
    put_right(f, 20, 9, SCREEN_PLAIN, figure_count(f, n));
    if (n > 0)
        put_right(f, 29, 11, SCREEN_PLAIN, figure_estimate(f, number(g, "estimate")));
    bar_put(f, 42, s->is_utf8, log_e / trips);
    putf(f, 44 + BAR_WIDTH, SCREEN_PLAIN, "%6.2f of %.2f", log_e, trips);
    put(f, 62 + BAR_WIDTH, SCREEN_BOLD, text_of(f, g, "verdict"));
    put(f, 74 + BAR_WIDTH, SCREEN_DIM, text_of(f, g, "trips_if"));
    f->row++;
}

static void rollout_section(struct top_frame *f, const struct top_state *s,
                            const struct top_data *d)
{
    struct json r = d->rollout;

    if (!json_is(r, JSON_OBJECT)) {
        if (s->page != TOP_ROLLOUT)
            return;
        f->row++;
        put(f, 0, SCREEN_DIM, STR("no rollout: weir rollout start FILE begins one"));
        f->row++;
        return;
    }
    headline(f, "rollout");
    putf(f, 0, SCREEN_PLAIN, "%.*s: %.*s, waits for: %.*s", STR_ARG(text_of(f, r, "name")),
         STR_ARG(text_of(f, r, "state")), STR_ARG(text_of(f, r, "holds")));
    f->row++;
    for (struct json_iter it = json_iter(json_get(r, STR("arms"))); json_next(&it); f->row++) {
        put(f, 0, SCREEN_PLAIN, text_of(f, it.value, "name"));
        put_right(f, 12, 8, SCREEN_PLAIN, figure_percent(f, number(it.value, "share")));
        putf(f, 22, SCREEN_DIM, "%.*s units", STR_ARG(figure_count(f, integer(it.value, "units"))));
        if (json_exists(json_get(it.value, STR("n"))))
            putf(f, 38, SCREEN_DIM, "%.*s answers",
                 STR_ARG(figure_count(f, integer(it.value, "n"))));
    }
    put(f, 0, SCREEN_BOLD, STR("guard"));
    put_right(f, 20, 9, SCREEN_DIM, STR("n"));
    put_right(f, 29, 11, SCREEN_DIM, STR("estimate"));
    put(f, 42, SCREEN_DIM, STR("evidence against it, log E"));
    f->row++;
    for (struct json_iter it = json_iter(json_get(r, STR("guards"))); json_next(&it);)
        guard_row(f, s, it.value);
}

/* ---- alerts ---- */

static void alerts_section(struct top_frame *f, const struct top_state *s, const struct top_data *d)
{
    struct json list = json_get(d->alerts, STR("data"));

    if (json_count(list) == 0) {
        if (s->page != TOP_ALERTS)
            return;
        f->row++;
        put(f, 0, SCREEN_GOOD, STR("no alert is pending or firing"));
        f->row++;
        return;
    }
    headline(f, "alerts");
    for (struct json_iter it = json_iter(list); json_next(&it); f->row++) {
        str state = text_of(f, it.value, "state"), severity = text_of(f, it.value, "severity");
        bool is_bad = str_eq(state, STR("firing")) && str_eq(severity, STR("critical"));
        put(f, 0, is_bad ? SCREEN_BAD : SCREEN_WARN, state);
        put(f, 9, SCREEN_PLAIN, severity);
        put(f, 19, SCREEN_BOLD, text_of(f, it.value, "rule"));
        put(f, 43, SCREEN_PLAIN, text_of(f, it.value, "sentence"));
    }
}

/* ---- pages ---- */

typedef void section_function(struct top_frame *f, const struct top_state *s,
                              const struct top_data *d);

#define SECTIONS_MAX 8
static section_function *const pages[TOP_PAGE_COUNT][SECTIONS_MAX] = {
    [TOP_OVERVIEW] = { now_section, minutes_section, state_section, windows_section, alerts_section,
                       rollout_section, domains_section, arms_section },
    [TOP_ROLLOUT] = { now_section, state_section, rollout_section, arms_section },
    [TOP_TRAFFIC] = { now_section, minutes_section, windows_section, domains_section,
                      arms_section },
    [TOP_ALERTS] = { now_section, state_section, alerts_section },
};

static void keys_put(struct top_frame *f, const struct top_state *s)
{
    static const char *const names[TOP_PAGE_COUNT] = { "1 overview", "2 rollout", "3 traffic",
                                                       "4 alerts" };
    int column = 0;

    f->row = f->rows - 1;
    for (size_t i = 0; i < TOP_PAGE_COUNT; i++) {
        put(f, column, (size_t)s->page == i ? SCREEN_TITLE : SCREEN_DIM, str_from(names[i]));
        column += width_of(str_from(names[i])) + 2;
    }
    put(f, column, SCREEN_DIM, STR("p pause  q quit"));
}

void top_compose(struct top_frame *f, const struct top_state *state, const struct top_data *data)
{
    bool has_keys = state->has_keys && state->rows > 1;

    f->rows = state->rows - (has_keys ? 1 : 0);
    f->columns = state->columns;
    f->row = 0;
    f->count = 0;
    title(f, state, data);
    for (size_t i = 0; i < SECTIONS_MAX && pages[state->page][i] && f->row < f->rows; i++) {
        if (json_exists(data->overview))
            pages[state->page][i](f, state, data);
    }
    f->rows = state->rows;
    if (has_keys)
        keys_put(f, state);
}

void top_frame_text(const struct top_frame *f, struct buf *out)
{
    int column = 0, row = 0;

    /* Spans stand in the order of their places, but for the keys, which are last. */
    for (size_t i = 0; i < f->count; i++) {
        const struct top_span *span = &f->spans[i];
        for (; row < span->row; row++, column = 0)
            buf_add_char(out, '\n');
        for (; column < span->column; column++)
            buf_add_char(out, ' ');
        buf_add(out, span->text);
        column += width_of(span->text);
    }
    buf_add_char(out, '\n');
}
