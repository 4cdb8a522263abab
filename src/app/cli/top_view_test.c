/* SPDX-License-Identifier: Apache-2.0 */
/* top_view: what is shown of which answer, at which size, and what hostile text becomes. */
#include "app/cli/top_view.h"

#include <string.h>

#include "base/rng.h"
#include "test/check.h"

static const char overview[] =
    "{\"at_us\":1795564490000000,\"rollout\":{\"name\":\"mini\",\"state\":\"running\",\"step\":1,"
    "\"steps\":3},"
    "\"experiments_running\":2,\"alerts_firing\":1,\"alerts_pending\":0,\"dead_letters\":0,"
    "\"windows\":{\"1m\":{\"seconds\":60,\"n\":1386,\"success_rate\":0.964,\"error_rate\":0.01,"
    "\"cost_per_query_usd\":0.00031,\"cost_usd\":0.42966,\"latency_ms\":{\"p50\":310,\"p95\":900,"
    "\"p99\":12500}},"
    "\"24h\":{\"seconds\":86400,\"n\":1234567,\"success_rate\":null,\"cost_per_query_usd\":null,"
    "\"cost_usd\":0,"
    "\"latency_ms\":{\"p50\":null}}},"
    "\"domains\":[{\"name\":\"stem\\u001b[2J\",\"n\":5,\"success_rate\":0.5,\"cost_usd\":1.5}],"
    "\"arms\":[],\"minutes\":[{\"n\":0},{\"n\":1},{\"n\":8},{\"n\":4}]}";
static const char rollout[] = "{\"name\":\"mini\",\"state\":\"running\",\"holds\":\"time\","
                              "\"arms\":[{\"name\":\"canary\",\"share\":0.1,\"units\":126,"
                              "\"n\":126}],\"guards\":[{\"name\":\"success_rate\",\"n\":126,"
                              "\"estimate\":0.98,\"log_e\":4,\"log_e_trips\":8,"
                              "\"verdict\":\"undecided\",\"trips_if\":\"success_rate below "
                              "0.95\"},{\"name\":\"error_rate\",\"n\":126,\"estimate\":0.3,"
                              "\"log_e\":9,\"log_e_trips\":8,\"verdict\":\"tripped\",\"trips_if\":"
                              "\"error_rate above 0.1\"}]}";
static const char alerts[] = "{\"data\":[{\"state\":\"firing\",\"severity\":\"critical\",\"rule\":"
                             "\"error_rate_high\",\"sentence\":\"too many\"}]}";

struct view {
    struct arena arena;
    struct top_frame frame;
    struct top_state state;
    struct top_data data;
    struct buf text;
};

static void view_open(struct view *v, bool has_data)
{
    memset(v, 0, sizeof(*v));
    arena_init(&v->arena, 1 << 22);
    v->frame.arena = &v->arena;
    v->state = (struct top_state){
        .rows = 60, .columns = 120, .has_keys = true, .address = STR("http://127.0.0.1:8081")
    };
    if (!has_data)
        return;
    CHECK_ERR(json_parse(&v->arena, STR(overview), &v->data.overview, NULL), OK);
    CHECK_ERR(json_parse(&v->arena, STR(rollout), &v->data.rollout, NULL), OK);
    CHECK_ERR(json_parse(&v->arena, STR(alerts), &v->data.alerts, NULL), OK);
}

static void view_close(struct view *v)
{
    buf_fini(&v->text);
    arena_fini(&v->arena);
}

static bool shows(struct view *v, const char *part)
{
    buf_reset(&v->text);
    top_compose(&v->frame, &v->state, &v->data);
    top_frame_text(&v->frame, &v->text);
    return str_find(buf_str(&v->text), str_from(part)) != STR_NPOS;
}

static enum screen_style style_of(const struct view *v, const char *text)
{
    for (size_t i = 0; i < v->frame.count; i++) {
        if (str_find(v->frame.spans[i].text, str_from(text)) != STR_NPOS)
            return v->frame.spans[i].style;
    }
    return SCREEN_STYLE_COUNT;
}

static void the_overview_has_it_all(void)
{
    static const char *const parts[] = {
        "http://127.0.0.1:8081",
        "2026-11-24",
        "queries/s 23.1",
        "success 96.4 %",
        "a query $0.000310",
        "an hour $25.78", /* 60 times the minute */
        "p95 900 ms",
        "n = 1,386",
        "at most 8 a minute",
        "mini running, step 1 of 3",
        "experiments 2",
        "alerts firing 1",
        "1,234,567",
        "12.5 s",
        "error_rate_high",
        "too many",
        "####################", /* its evidence is over what it takes */
        "##########..........",
        "9.00 of 8.00",
        "trips_if",
        "1 overview",
    };
    struct view v;

    view_open(&v, true);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        bool is_there = shows(&v, parts[i]);
        if (!is_there && strcmp(parts[i], "trips_if") != 0)
            fprintf(stderr, "'%s' is not in:\n%.*s\n", parts[i], STR_ARG(buf_str(&v.text)));
        CHECK(is_there != (strcmp(parts[i], "trips_if") == 0)); /* a member's name, not its text */
    }
    CHECK_INT(style_of(&v, "96.4 %"), SCREEN_WARN);
    CHECK_INT(style_of(&v, "firing"), SCREEN_DIM); /* the label; the alert itself: */
    CHECK_INT(style_of(&v, "####################"), SCREEN_BAD);
    v.state.is_utf8 = true;
    CHECK(shows(&v, " ▁█▄"));
    CHECK(shows(&v, "██████████░░░░░░░░░░"));
    view_close(&v);
}

static void pages_show_their_own(void)
{
    static const struct {
        enum top_page page;
        const char *has, *lacks;
    } rows[] = {
        { TOP_ROLLOUT, "success_rate below 0.95", "24h" },
        { TOP_TRAFFIC, "24h", "success_rate below 0.95" },
        { TOP_ALERTS, "too many", "24h" },
    };
    struct view v;

    view_open(&v, true);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        v.state.page = rows[i].page;
        CHECK(shows(&v, rows[i].has));
        CHECK(!shows(&v, rows[i].lacks));
    }
    v.data.rollout = v.data.alerts = (struct json){ 0 };
    v.state.page = TOP_ROLLOUT;
    CHECK(shows(&v, "weir rollout start FILE"));
    v.state.page = TOP_ALERTS;
    CHECK(shows(&v, "no alert is pending or firing"));
    view_close(&v);
}

static void nothing_is_outside_the_terminal(void)
{
    struct rng rng;
    struct view v;

    rng_init(&rng, 5);
    view_open(&v, true);
    v.state.is_utf8 = true;
    for (int i = 0; i < 500; i++) {
        v.state.rows = (int)rng_below(&rng, 40);
        v.state.columns = (int)rng_below(&rng, 130);
        v.state.page = (enum top_page)rng_below(&rng, TOP_PAGE_COUNT);
        top_compose(&v.frame, &v.state, &v.data);
        for (size_t k = 0; k < v.frame.count; k++) {
            const struct top_span *s = &v.frame.spans[k];
            CHECK(s->row >= 0 && s->row < v.state.rows);
            CHECK(s->column >= 0 && s->column < v.state.columns);
            CHECK(str_is_utf8(s->text));
        }
    }
    view_close(&v);
}

static void a_lost_gateway_is_said(void)
{
    struct view v;

    view_open(&v, false);
    v.state.problem = STR("nobody answers");
    CHECK(shows(&v, "nobody answers"));
    CHECK(!shows(&v, "queries/s"));
    v.state.is_paused = true;
    CHECK(shows(&v, "paused"));
    view_close(&v);
}

static void hostile_text_moves_no_cursor(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "plain", "plain" },
        { "Zürich ✓ 漢", "Zürich ✓ 漢" },
        { "\x1b[2J", "?[2J" },
        { "a\r\nb\tc\x7f", "a??b?c?" },
        { "\xc2\x9b"
          "31m",
          "?31m" }, /* C1 */
        { "a\xe2\x80\xae"
          "b",
          "a?b" }, /* right to left */
        { "\xe2\x81\xa6x", "?x" },
        { "\xff\xc3z", "??z" },
    };
    struct arena arena;
    struct view v;

    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_STR(top_clean(&arena, str_from(rows[i].text)), str_from(rows[i].want));
    arena_fini(&arena);
    view_open(&v, true);
    CHECK(shows(&v, "stem?[2J"));
    CHECK(!shows(&v, "\x1b"));
    view_close(&v);
}

TESTS(TEST(the_overview_has_it_all), TEST(pages_show_their_own),
      TEST(nothing_is_outside_the_terminal), TEST(a_lost_gateway_is_said),
      TEST(hostile_text_moves_no_cursor))
