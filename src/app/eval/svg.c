/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svg: cost per query against success as a picture that needs nothing else: readable on light and dark, error bars for the
 * success, names beside their points, the frontier as a line. Without room on the right of a point its name stands left.
 */
#include <math.h>

#include "app/eval/report.h"

#define WIDTH 860.0
#define HEIGHT 520.0
#define LEFT 78.0
#define RIGHT 24.0
#define TOP 54.0
#define BOTTOM 62.0
#define LABEL_HEIGHT 15.0
#define CHARACTER_WIDTH 6.6 /* of the labels' font, about */
#define GRID_LINES_MAX 12
/* From this ratio of the dearest to the cheapest on, costs are drawn by their logarithm. */
#define LOGARITHM_FROM 8.0

struct picture {
    const struct eval *e;
    struct buf *out;
    bool is_logarithmic;
    double cost_min, cost_max; /* of the axis, dollars (or their logarithm) */
    double share_min, share_max;
};

/* ---- coordinates ---- */

static const struct eval_cell_row *point_of(const struct picture *p, size_t at)
{
    return &p->e->report->cells[p->e->report->frontier[at]];
}

static double dollars_of(const struct eval_cell_row *row)
{
    return row->cost_per_query / (double)NANO_PER_USD;
}

static double x_of(const struct picture *p, double dollars)
{
    double value = p->is_logarithmic ? log10(dollars) : dollars;

    return LEFT + (value - p->cost_min) / (p->cost_max - p->cost_min) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct picture *p, double share)
{
    return TOP + (p->share_max - share) / (p->share_max - p->share_min) * (HEIGHT - TOP - BOTTOM);
}

/* Room around what is drawn: a tenth on each side. */
static void axes_choose(struct picture *p)
{
    size_t n = p->e->report->frontier_count;
    double low = dollars_of(point_of(p, 0)), high = dollars_of(point_of(p, n - 1));
    double least = 1, most = 0;

    for (size_t i = 0; i < n; i++) {
        least = fmin(least, point_of(p, i)->success.lower);
        most = fmax(most, point_of(p, i)->success.upper);
    }
    p->is_logarithmic = low > 0 && high / low >= LOGARITHM_FROM;
    if (p->is_logarithmic) {
        low = log10(low);
        high = log10(high);
    }
    double cost_room = high > low ? (high - low) * 0.1 : fmax(fabs(high) * 0.5, 1e-6);
    double share_room = fmax((most - least) * 0.1, 0.01);
    p->cost_min = p->is_logarithmic ? low - cost_room : fmax(low - cost_room, 0);
    p->cost_max = high + 2 * cost_room;
    p->share_min = fmax(least - share_room, 0);
    p->share_max = fmin(most + share_room, 1);
}

/* A round step that gives at most about six lines. */
static double step_of(double range)
{
    static const double steps[] = { 1, 2, 5, 10 };
    double unit = pow(10, floor(log10(range / 6)));

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (range / (steps[i] * unit) <= 6)
            return steps[i] * unit;
    }
    return 10 * unit;
}

/* ---- parts ---- */

static void add_escaped(struct buf *out, str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '<')
            buf_add(out, STR("&lt;"));
        else if (c == '&')
            buf_add(out, STR("&amp;"));
        else if (c == '"')
            buf_add(out, STR("&quot;"));
        else
            buf_add_char(out, c < 0x20 ? '?' : (char)c);
    }
}

static void head(struct picture *p)
{
    buf_printf(p->out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
               "height=\"%.0f\" role=\"img\" font-family=\"system-ui, sans-serif\" "
               "font-size=\"12\">\n",
               WIDTH, HEIGHT, WIDTH, HEIGHT);
    buf_add(p->out,
            STR("<title>Cost per query and success of each cell</title>\n<style>\n"
                "  .back { fill: #ffffff } .ink { fill: #1d2733 } .quiet { fill: #5b6673 }\n"
                "  .grid { stroke: #d9dee4 } .bar { stroke: #5b6673 } .line { stroke: #0b6bcb }\n"
                "  .name { fill: #1d2733; stroke: #ffffff; stroke-width: 4; paint-order: stroke }\n"
                "  .best { fill: #0b6bcb } .rest { fill: #ffffff; stroke: #5b6673 } .loud { fill: "
                "#b3261e }\n"
                "  @media (prefers-color-scheme: dark) {\n"
                "    .back { fill: #12171d } .ink { fill: #e6ebf0 } .quiet { fill: #9aa6b2 }\n"
                "    .grid { stroke: #2b343d } .bar { stroke: #9aa6b2 } .line { stroke: #6cb2ff }\n"
                "    .name { fill: #e6ebf0; stroke: #12171d }\n"
                "    .best { fill: #6cb2ff } .rest { fill: #12171d; stroke: #9aa6b2 } .loud { "
                "fill: #ff8a80 }\n"
                "  }\n</style>\n"));
    buf_printf(p->out, "<rect class=\"back\" width=\"%.0f\" height=\"%.0f\"/>\n", WIDTH, HEIGHT);
    buf_printf(
        p->out,
        "<text class=\"ink\" x=\"%.0f\" y=\"24\" font-size=\"15\" font-weight=\"600\">Cost and "
        "success, %zu questions</text>\n",
        LEFT, p->e->questions.count);
    buf_printf(
        p->out,
        "<text class=\"%s\" x=\"%.0f\" y=\"42\">%s%sbars: 95 %% interval; filled: nothing else "
        "is as good for less</text>\n",
        p->e->report->is_simulated ? "loud" : "quiet", LEFT,
        p->e->report->is_simulated ? "SIMULATED, not measured. " : "",
        p->e->report->is_partial ? "PARTIAL. " : "");
}

static void grid_line_across(struct picture *p, double share)
{
    double y = y_of(p, share);

    buf_printf(p->out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
               LEFT, y, WIDTH - RIGHT, y);
    buf_printf(p->out,
               "<text class=\"quiet\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.3g %%</text>\n",
               LEFT - 8, y + 4, share * 100);
}

/* "$0.00005": as many decimals as it has, two digits at most. */
static void add_dollars(struct buf *out, double dollars)
{
    int decimals = dollars > 0 ? (int)ceil(1 - log10(dollars)) : 0;
    size_t from = out->len;

    buf_printf(out, "$%.*f", decimals > 0 ? decimals : 0, dollars);
    if (str_find_char(str_slice(buf_str(out), from, out->len), '.') == STR_NPOS)
        return;
    while (out->ptr[out->len - 1] == '0')
        out->len--;
    if (out->ptr[out->len - 1] == '.')
        out->len--;
}

static void grid_line_up(struct picture *p, double dollars)
{
    double x = x_of(p, dollars);

    buf_printf(p->out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
               x, TOP, x, HEIGHT - BOTTOM);
    buf_printf(p->out, "<text class=\"quiet\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x,
               HEIGHT - BOTTOM + 18);
    add_dollars(p->out, dollars);
    buf_add(p->out, STR("</text>\n"));
}

/* 1, 2 and 5 of each power of ten. */
static void grid_logarithmic(struct picture *p)
{
    static const double marks[] = { 1, 2, 5 };

    for (double power = floor(p->cost_min); power <= p->cost_max; power++) {
        for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
            double dollars = marks[i] * pow(10, power);
            if (log10(dollars) >= p->cost_min && log10(dollars) <= p->cost_max)
                grid_line_up(p, dollars);
        }
    }
}

static void axes(struct picture *p)
{
    double share_step = step_of(p->share_max - p->share_min);
    double cost_step = step_of(p->cost_max - p->cost_min);

    for (int i = 0; i < GRID_LINES_MAX; i++) {
        double share = (ceil(p->share_min / share_step) + i) * share_step;
        if (share <= p->share_max + 1e-9)
            grid_line_across(p, share);
    }
    if (p->is_logarithmic)
        grid_logarithmic(p);
    for (int i = 0; i < GRID_LINES_MAX && !p->is_logarithmic; i++) {
        double dollars = (ceil(p->cost_min / cost_step) + i) * cost_step;
        if (dollars <= p->cost_max)
            grid_line_up(p, dollars);
    }
    buf_printf(
        p->out,
        "<text class=\"ink\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">cost per query, US "
        "dollars%s</text>\n",
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, p->is_logarithmic ? " (logarithmic)" : "");
    buf_printf(p->out,
               "<text class=\"ink\" transform=\"translate(20 %.1f) rotate(-90)\" "
               "text-anchor=\"middle\">success</text>\n",
               (TOP + HEIGHT - BOTTOM) / 2);
}

static void frontier_line(struct picture *p)
{
    bool is_first = true;

    buf_add(p->out, STR("<path class=\"line\" fill=\"none\" stroke-width=\"1.5\" "
                        "stroke-dasharray=\"4 3\" d=\""));
    for (size_t i = 0; i < p->e->report->frontier_count; i++) {
        const struct eval_cell_row *row = point_of(p, i);
        if (!p->e->report->is_optimal[i])
            continue;
        buf_printf(p->out, "%s%.1f %.1f", is_first ? "M" : " L", x_of(p, dollars_of(row)),
                   y_of(p, row->success.estimate));
        is_first = false;
    }
    buf_add(p->out, STR("\"/>\n"));
}

static void error_bar(struct picture *p, const struct eval_cell_row *row)
{
    double x = x_of(p, dollars_of(row));
    double top = y_of(p, row->success.upper), bottom = y_of(p, row->success.lower);

    buf_printf(p->out,
               "<path class=\"bar\" fill=\"none\" d=\"M%.1f %.1f V%.1f M%.1f %.1f H%.1f M%.1f %.1f "
               "H%.1f\"/>\n",
               x, top, bottom, x - 4, top, x + 4, x - 4, bottom, x + 4);
}

/* ---- labels: where they do not cover each other ---- */

struct box {
    double left, right, middle;
};

static bool overlaps(const struct box *a, const struct box *b)
{
    return a->left < b->right && b->left < a->right && fabs(a->middle - b->middle) < LABEL_HEIGHT;
}

/* A little below a point on its right and above it on its left, where a line that rises does not pass; else further and
 * further away. */
static struct box label_place(const struct box *others, size_t count, double x, double y,
                              double width)
{
    bool is_left = x + 10 + width > WIDTH - 4;
    struct box box = { .left = is_left ? x - 10 - width : x + 10 };

    box.right = box.left + width;
    for (int try = 0; try < 40; try++) {
        size_t i = 0;
        double shift = ((try + 1) / 2) * (LABEL_HEIGHT / 2);
        box.middle =
            y + (is_left ? -LABEL_HEIGHT / 2 : LABEL_HEIGHT / 2) + (try % 2 == 0 ? -shift : shift);
        while (i < count && !overlaps(&box, &others[i]))
            i++;
        if (i == count && box.middle > TOP && box.middle < HEIGHT - BOTTOM)
            break;
    }
    return box;
}

static void points(struct picture *p)
{
    struct box placed[EVAL_CELLS_MAX];
    const struct eval_report *r = p->e->report;

    for (size_t i = 0; i < r->frontier_count; i++)
        error_bar(p, point_of(p, i));
    for (size_t i = 0; i < r->frontier_count; i++) {
        const struct eval_cell_row *row = point_of(p, i);
        str name = p->e->plan.cells[row->cell].name;
        double x = x_of(p, dollars_of(row)), y = y_of(p, row->success.estimate);
        placed[i] = label_place(placed, i, x, y, (double)name.len * CHARACTER_WIDTH);
        buf_printf(p->out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n",
                   r->is_optimal[i] ? "best" : "rest", x, y);
        buf_printf(p->out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", placed[i].left,
                   placed[i].middle + 4);
        add_escaped(p->out, name);
        buf_add(p->out, STR("</text>\n"));
    }
}

void eval_frontier_svg_write(const struct eval *e, struct buf *out)
{
    struct picture p = { .e = e, .out = out };

    if (e->report->frontier_count == 0) {
        p.cost_max = p.share_max = 1;
        head(&p);
        buf_add(out,
                STR("<text class=\"ink\" x=\"78\" y=\"120\">no cell has a price</text>\n</svg>\n"));
        return;
    }
    axes_choose(&p);
    head(&p);
    axes(&p);
    frontier_line(&p);
    points(&p);
    buf_add(out, STR("</svg>\n"));
}
