/* SPDX-License-Identifier: Apache-2.0 */
/* writers: tables, JSON, CSV, Markdown and SVG of runs that a test made up. */
#include "app/eval/eval_rig.h"
#include "app/eval/table.h"
#include "core/json/json.h"

static const struct eval_column columns[] = {
    { "name", false }, { "n", true }, { "gone", true }, { "verdict", false }
};

static bool table_fill(struct eval_table *t)
{
    if (eval_table_init(t, columns, ARRAY_LEN(columns), 2) != OK)
        return false;
    eval_table_add(t, STR("caf\xC3\xA9\x1b[31m|"));
    eval_table_printf(t, "%d", 12345);
    eval_table_add(t, (str){ 0 });
    eval_table_add(t, STR("superior"));
    eval_table_add(t, STR("b"));
    eval_table_printf(t, "%d", 7);
    eval_table_add(t, (str){ 0 });
    eval_table_add(t, (str){ 0 });
    return true;
}

static void aligns_tables(void)
{
    struct eval_table t;
    struct buf out = { 0 };

    REQUIRE(table_fill(&t));
    eval_table_write_text(&t, false, &out);
    CHECK_STR(buf_str(&out), STR("name            n  verdict\n"
                                 "caf\xC3\xA9?[31m|  12345  superior\n"
                                 "b               7\n"));
    buf_reset(&out);
    eval_table_write_text(&t, true, &out);
    CHECK(str_find(buf_str(&out), STR("\x1b[1mname\x1b[0m")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\x1b[32msuperior\x1b[0m")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\x1b[31m|")) == STR_NPOS); /* a name cannot colour */
    buf_reset(&out);
    eval_table_write_markdown(&t, &out);
    CHECK_STR(buf_str(&out), STR("| name | n | verdict |\n|---|---:|---|\n"
                                 "| caf\xC3\xA9?\\[31m\\| | 12345 | superior |\n| b | 7 |  |\n"));
    buf_fini(&out);
    eval_table_fini(&t);
}

/* Two cells with names that want to be markup, one of them unpriced, some faults, labels, no latency in the other. */
static bool strange(struct rig *rig)
{
    if (!rig_open(rig, 30, "=a<&\"|/direct,b/mcts:7", 1))
        return false;
    rig->eval.questions.domains[0] = STR("-x,\"y\"");
    for (size_t q = 0; q < 30; q++) {
        struct eval_run *a = rig_run(rig, q, 0, 0, q % 3 == 0),
                        *b = rig_run(rig, q, 1, 0, q % 2 == 0);
        a->raw_confidence = (double)(q % 7) / 10;
        a->label = EVAL_LABEL_RIGHT;
        a->disputed = q == 1 ? STR("-4") : STR("+1-answer");
        b->latency_us = -1;
        b->fault = q % 5 == 1 ? PROVIDER_CUT : OK;
        b->is_right = b->is_right && b->fault == OK;
    }
    return eval_report(&rig->eval) == OK;
}

static void writes_json_that_parses(void)
{
    struct arena arena;
    struct json root;
    struct buf out = { 0 };
    struct rig rig;
    double number;
    str text;
    int64_t n;

    REQUIRE(strange(&rig));
    eval_write_json(&rig.eval, &out);
    arena_init(&arena, 1 << 20);
    REQUIRE(json_parse(&arena, str_trim(buf_str(&out)), &root, NULL) == OK);
    CHECK(str_ends(buf_str(&out), STR("}\n")));
    CHECK_INT(json_count(json_get(root, STR("cells"))), 6);
    CHECK_INT(json_count(json_get(root, STR("comparisons"))), 3);
    CHECK_INT(json_count(json_get(root, STR("frontier"))), 2);
    CHECK_INT(json_count(json_get(root, STR("refused"))), 0);
    CHECK(json_str(json_path(root, STR("cells.2.model")), &arena, &text) &&
          str_eq(text, STR("=a<&\"|")));
    CHECK(json_str(json_path(root, STR("cells.2.domain")), &arena, &text) &&
          str_eq(text, STR("overall")));
    CHECK(json_double(json_path(root, STR("cells.2.latency_ms.p50")), &number));
    CHECK_NEAR(number, 15, 1e-9);
    CHECK(json_double(json_path(root, STR("cells.2.confidence.ece")), &number));
    CHECK(json_i64(json_path(root, STR("cells.2.labels.disputed")), &n) && n == 20);
    CHECK(json_is(json_path(root, STR("cells.5.latency_ms")), JSON_NULL));
    CHECK(json_is(json_path(root, STR("cells.5.confidence")), JSON_NULL));
    CHECK(json_i64(json_path(root, STR("cells.5.simulations")), &n) && n == 7);
    CHECK(json_i64(json_path(root, STR("cells.5.faults.PROVIDER_CUT")), &n) && n == 6);
    CHECK(json_i64(json_path(root, STR("cells.5.faulted")), &n) && n == 6);
    CHECK_INT(json_count(json_path(root, STR("cells.0.success_ci"))), 2);
    CHECK(json_str(json_path(root, STR("comparisons.2.verdict")), &arena, &text));
    CHECK(json_double(json_path(root, STR("comparisons.2.cost_change.lower")), &number));
    buf_fini(&out);
    arena_fini(&arena);
    rig_close(&rig);
}

static void a_refused_result_has_no_figures(void)
{
    struct arena arena;
    struct json root;
    struct buf out = { 0 }, text = { 0 };
    struct rig rig;

    REQUIRE(strange(&rig));
    buf_add(&rig.eval.report->refusals, STR("one\ntwo\n"));
    rig.eval.report->is_refused = true;
    eval_write_json(&rig.eval, &out);
    arena_init(&arena, 1 << 20);
    REQUIRE(json_parse(&arena, str_trim(buf_str(&out)), &root, NULL) == OK);
    CHECK_INT(json_count(json_get(root, STR("refused"))), 2);
    CHECK_INT(json_count(json_get(root, STR("warnings"))), 0);
    CHECK_INT(json_count(json_get(root, STR("cells"))) +
                  json_count(json_get(root, STR("comparisons"))) +
                  json_count(json_get(root, STR("frontier"))),
              0);
    eval_write_text(&rig.eval, &(struct eval_style){ 0 }, &text);
    CHECK(str_find(buf_str(&text), STR("NOT MEASURED: two\n")) != STR_NPOS);
    CHECK(str_find(buf_str(&text), STR("%")) == STR_NPOS);
    buf_fini(&out);
    buf_fini(&text);
    arena_fini(&arena);
    rig_close(&rig);
}

static size_t count_of(str text, const char *part)
{
    size_t n = 0, at;

    while ((at = str_find(text, str_from(part))) != STR_NPOS) {
        text = str_slice(text, at + 1, text.len);
        n++;
    }
    return n;
}

static void spreadsheets_see_no_formula(void)
{
    struct buf out = { 0 };
    struct rig rig;

    REQUIRE(strange(&rig));
    eval_cells_csv_write(&rig.eval, &out);
    CHECK_INT(count_of(buf_str(&out), "\r\n"), 7);
    CHECK(str_find(buf_str(&out),
                   STR("\r\n\"'=a<&\"\"|/direct\",\"'=a<&\"\"|\",\"direct\",\"'-x,\"\"y\"\"\",")) !=
          STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\"=")) == STR_NPOS);
    CHECK(str_find(buf_str(&out), STR(",,,0,,,0,0\r\n")) !=
          STR_NPOS); /* what was not measured is empty */
    buf_reset(&out);
    eval_pairs_csv_write(&rig.eval, &out);
    CHECK_INT(count_of(buf_str(&out), "\r\n"), 4);
    CHECK(str_find(buf_str(&out), STR("\"=")) == STR_NPOS);
    buf_reset(&out);
    eval_disputes_csv_write(&rig.eval, &out);
    CHECK_INT(count_of(buf_str(&out), "\r\n"), 21);
    CHECK(str_find(buf_str(&out), STR("\"'+1-answer\",0,1\r\n")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\"-4\",0,1\r\n")) != STR_NPOS); /* a number is no formula */
    buf_fini(&out);
    rig_close(&rig);
}

static void pictures_are_whole_and_escaped(void)
{
    struct buf out = { 0 };
    struct rig rig;

    REQUIRE(strange(&rig));
    eval_frontier_svg_write(&rig.eval, &out);
    str svg = buf_str(&out);
    CHECK(str_starts(svg, STR("<svg xmlns=")) && str_ends(svg, STR("</svg>\n")));
    CHECK(str_find(svg, STR("=a&lt;&amp;&quot;|/direct")) != STR_NPOS);
    CHECK(str_find(svg, STR("prefers-color-scheme: dark")) != STR_NPOS);
    CHECK_INT(count_of(svg, "<circle"), 2);
    CHECK_INT(count_of(svg, "class=\"bar\""), 2);
    CHECK(str_find(svg, STR("nan")) == STR_NPOS && str_find(svg, STR("inf")) == STR_NPOS);
    CHECK(str_find(svg, STR("SIMULATED")) == STR_NPOS);
    rig.eval.report->is_simulated = true;
    buf_reset(&out);
    eval_frontier_svg_write(&rig.eval, &out);
    CHECK(str_find(buf_str(&out), STR("SIMULATED")) != STR_NPOS);
    buf_fini(&out);
    rig_close(&rig);
}

/* One cell, cells that cost nothing, cells that cost the same, many at one place, none with a price. */
static void pictures_survive_odd_axes(void)
{
    static const nano_usd costs[][3] = { { 0, 0, 0 },
                                         { 5, 5, 5 },
                                         { 0, 1, 1000000 },
                                         { 1, 1000000, 2000000000 },
                                         { COST_UNPRICED, COST_UNPRICED, COST_UNPRICED } };

    for (size_t i = 0; i < ARRAY_LEN(costs); i++) {
        struct buf out = { 0 };
        struct rig rig;
        REQUIRE(rig_open(&rig, 8, "a/direct,b/direct,c/direct", 1));
        for (size_t c = 0; c < 3; c++) {
            for (size_t q = 0; q < 8; q++)
                rig_run(&rig, q, c, 0, i % 2 == 0)->cost = costs[i][c];
        }
        REQUIRE(eval_report(&rig.eval) == OK);
        eval_frontier_svg_write(&rig.eval, &out);
        str svg = buf_str(&out);
        CHECK(str_ends(svg, STR("</svg>\n")));
        CHECK_INT(count_of(svg, "<circle"), costs[i][0] == COST_UNPRICED ? 0 : 3);
        CHECK(str_find(svg, STR("nan")) == STR_NPOS && str_find(svg, STR("inf")) == STR_NPOS);
        CHECK(svg.len < 20000);
        buf_fini(&out);
        rig_close(&rig);
    }
}

static void people_read_what_was_not_measured(void)
{
    struct buf out = { 0 };
    struct rig rig;

    REQUIRE(strange(&rig));
    rig.kind.has_latency = false;
    eval_write_text(&rig.eval, &(struct eval_style){ 0 }, &out);
    CHECK(str_find(buf_str(&out), STR("not recorded")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("this judge 10; they differ on 20")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\x1b")) == STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("(margin 2 points)")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("tries them again")) !=
          STR_NPOS); /* the faults were the provider's */
    buf_reset(&out);
    eval_markdown_write(&rig.eval, &out);
    CHECK(str_starts(buf_str(&out), STR("# Evaluation\n")));
    CHECK(str_find(buf_str(&out), STR("=a\\<&\"\\|/direct")) != STR_NPOS);
    buf_fini(&out);
    rig_close(&rig);
}

TESTS(TEST(aligns_tables), TEST(writes_json_that_parses), TEST(a_refused_result_has_no_figures),
      TEST(spreadsheets_see_no_formula), TEST(pictures_are_whole_and_escaped),
      TEST(pictures_survive_odd_axes), TEST(people_read_what_was_not_measured))
