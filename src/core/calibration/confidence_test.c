/* SPDX-License-Identifier: Apache-2.0 */
/* confidence_table's tests: what it learns from made-up models whose true accuracy is known, what it refuses to promise. */
#include "core/calibration/confidence_table.h"

#include <math.h>

#include "base/rng.h"
#include "core/stats/stats.h"
#include "test/check.h"

#define ROWS_MAX 8000

struct world {
    struct arena arena;
    struct rng rng;
    struct confidence_row *rows;
    size_t n;
    const struct confidence_table *table;
};

static void world_open(struct world *w, uint64_t seed)
{
    *w = (struct world){ .n = 0 };
    arena_init(&w->arena, (size_t)64 << 20);
    rng_init(&w->rng, seed);
    w->rows = ARENA_ARRAY(&w->arena, ROWS_MAX, struct confidence_row);
}

static void world_close(struct world *w)
{
    arena_fini(&w->arena);
}

static struct confidence_key key_of(const char *domain, const char *model)
{
    return (struct confidence_key){ str_from(domain), str_from(model), STR("direct") };
}

/* Answers that all claim about .9 and are right with probability `accuracy`, the more the higher the claim. */
static void world_add(struct world *w, struct confidence_key key, size_t n, double accuracy)
{
    for (size_t i = 0; i < n; i++) {
        double raw = 0.85 + 0.1 * rng_unit(&w->rng);
        w->rows[w->n++] =
            (struct confidence_row){ key, raw, rng_unit(&w->rng) < accuracy + (raw - 0.9) };
    }
}

static bool world_make(struct world *w)
{
    enum err e = confidence_table_make(&w->arena, w->rows, w->n, 7, &w->table);

    CHECK_ERR(e, OK);
    return e == OK;
}

static struct confidence ask(const struct world *w, struct confidence_key key, double raw)
{
    return confidence_calibrate(w->table, &key, raw);
}

static void check_report(const struct confidence_report *report)
{
    CHECK(report->after.ece < 0.06);
    CHECK(report->after_ece.lower <= report->after.ece);
    CHECK(report->after_ece.upper >= report->after.ece);
    CHECK(report->after_ece.upper - report->after_ece.lower < 0.12);
}

static void each_key_gets_its_own_accuracy(void)
{
    struct world w;

    world_open(&w, 1);
    world_add(&w, key_of("easy", "mini"), 1500, 0.92);
    world_add(&w, key_of("hard", "mini"), 1500, 0.55);
    world_add(&w, key_of("easy", "large"), 1500, 0.97);
    if (world_make(&w)) {
        CHECK_NEAR(ask(&w, key_of("easy", "mini"), 0.9).value, 0.92, 0.04);
        CHECK_NEAR(ask(&w, key_of("hard", "mini"), 0.9).value, 0.55, 0.05);
        CHECK(ask(&w, key_of("hard", "mini"), 0.9).is_calibrated);
        /* global, mini, large, and three keys */
        CHECK_INT(confidence_table_count(w.table), 6);
        const struct confidence_report *all = confidence_table_report(w.table, 0);
        CHECK_INT(all->after.n, 4500);
        CHECK(all->key.model.len == 0);
        for (size_t i = 0; i < confidence_table_count(w.table); i++)
            check_report(confidence_table_report(w.table, i));
    }
    world_close(&w);
}

static void a_key_without_labels_is_not_called_calibrated(void)
{
    struct world w;

    world_open(&w, 2);
    world_add(&w, key_of("easy", "mini"), 1000, 0.9);
    world_add(&w, key_of("hard", "mini"), 1000, 0.5);
    world_add(&w, key_of("rare", "mini"), CONFIDENCE_LABELS_MIN - 1, 0.9);
    world_add(&w, key_of("easy", "other"), 1000, 0.2);
    REQUIRE(world_make(&w));
    struct confidence any = ask(&w, key_of("", "mini"), 0.9);
    CHECK(any.is_calibrated);
    CHECK_NEAR(any.value, 0.7, 0.05);
    struct confidence unseen = ask(&w, key_of("never", "mini"), 0.9);
    CHECK(!unseen.is_calibrated);
    CHECK_NEAR(unseen.value, any.value, 0);
    CHECK(!ask(&w, key_of("rare", "mini"), 0.9).is_calibrated);
    struct confidence stranger = ask(&w, key_of("easy", "nobody"), 0.9);
    CHECK(!stranger.is_calibrated);
    CHECK_NEAR(stranger.value, ask(&w, (struct confidence_key){ .model = STR("") }, 0.9).value, 0);
    CHECK_NEAR(stranger.value, 0.533, 0.05);
    world_close(&w);
}

static void without_a_value_or_a_table_there_is_none(void)
{
    struct confidence_key key = key_of("easy", "mini");
    struct confidence none = confidence_calibrate(NULL, &key, 0.7);

    CHECK_NEAR(none.value, 0.7, 0);
    CHECK(!none.is_calibrated);
    CHECK(!confidence_meets(NULL, &key, (struct confidence){ 0.99, true }, 0.5));
    CHECK_INT(confidence_table_count(NULL), 0);
    struct world w;
    world_open(&w, 3);
    world_add(&w, key, 100, 0.9);
    REQUIRE(world_make(&w));
    CHECK_NEAR(ask(&w, key, -1).value, -1, 0);
    CHECK(!ask(&w, key, -1).is_calibrated);
    CHECK(!ask(&w, key, NAN).is_calibrated);
    world_close(&w);
}

/* Rows whose domain nobody knows count for their model, once. */
static void labels_without_a_domain_count_for_the_model(void)
{
    struct world w;

    world_open(&w, 12);
    world_add(&w, key_of("", "m"), 300, 0.9);
    world_add(&w, key_of("d", "m"), 300, 0.6);
    REQUIRE(world_make(&w));
    CHECK_INT(confidence_table_count(w.table), 3);
    CHECK_INT(confidence_table_report(w.table, 1)->after.n, 600);
    CHECK_NEAR(ask(&w, key_of("", "m"), 0.9).value, 0.75, 0.05);
    world_close(&w);
}

/* A key's held-out figures are those of its whole chain: a new domain of a good model is not judged by the bad ones. */
static void held_out_figures_use_the_nearest_parent(void)
{
    struct world w;

    world_open(&w, 13);
    world_add(&w, key_of("usual", "bad"), 2000, 0.2);
    world_add(&w, key_of("usual", "good"), 1000, 0.9);
    world_add(&w, key_of("new", "good"), CONFIDENCE_LABELS_MIN, 0.9);
    REQUIRE(world_make(&w));
    for (size_t i = 0; i < confidence_table_count(w.table); i++) {
        const struct confidence_report *report = confidence_table_report(w.table, i);
        if (str_eq(report->key.domain, STR("new")))
            CHECK_NEAR(report->after.mean_confidence, 0.9, 0.05);
    }
    world_close(&w);
}

/* A few labels move a key's value only part of the way: n/(n + 50), down both levels. */
static void few_labels_are_shrunk_to_the_parent(void)
{
    struct world w;

    world_open(&w, 4);
    for (size_t i = 0; i < 2000; i++)
        w.rows[w.n++] = (struct confidence_row){ key_of("usual", "mini"), 0.9, i % 2 == 0 };
    for (size_t i = 0; i < CONFIDENCE_LABELS_MIN; i++)
        w.rows[w.n++] = (struct confidence_row){ key_of("lucky", "mini"), 0.9, true };
    REQUIRE(world_make(&w));
    double parent = ask(&w, key_of("", "mini"), 0.9).value;
    double own = ask(&w, key_of("lucky", "mini"), 0.9).value;
    CHECK_NEAR(parent, 1020 / 2020.0, 0.001);
    /* Platt's targets pull 20 of 20 in to 21/22. */
    double weight =
        CONFIDENCE_LABELS_MIN / (double)(CONFIDENCE_LABELS_MIN + CONFIDENCE_SHRINK_LABELS);
    CHECK_NEAR(own, parent + weight * (21 / 22.0 - parent), 0.01);
    world_close(&w);
}

/* Scores that say nothing: a fit that has seen its labels would seem to know something. */
static void its_own_figures_are_held_out(void)
{
    struct world w;

    world_open(&w, 5);
    for (size_t i = 0; i < 1000; i++)
        w.rows[w.n++] =
            (struct confidence_row){ key_of("d", "m"), rng_unit(&w.rng), rng_unit(&w.rng) < 0.5 };
    REQUIRE(world_make(&w));
    for (size_t i = 0; i < confidence_table_count(w.table); i++) {
        const struct calibration_metrics *after = &confidence_table_report(w.table, i)->after;
        CHECK(after->auroc < 0.55);
        CHECK(after->brier > 0.25);
    }
    world_close(&w);
}

static void a_threshold_is_met_only_by_the_rule(void)
{
    static const struct {
        size_t n;
        double accuracy;
        double threshold;
        bool want;
    } rows[] = {
        { 2000, 0.95, 0.90, true },  { 2000, 0.95, 0.97, false }, { 30, 0.95, 0.90, false },
        { 2000, 0.80, 0.85, false }, { 2000, 0.95, 1.10, false }, { 2000, 0.95, -0.1, false },
        { 2000, 0.95, NAN, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct confidence_key key = key_of("d", "m"), unseen = key_of("e", "m");
        world_open(&w, 6);
        world_add(&w, key, rows[i].n, rows[i].accuracy);
        if (world_make(&w)) {
            struct confidence c = { rows[i].threshold, true };
            CHECK(confidence_meets(w.table, &key, c, rows[i].threshold) == rows[i].want);
            CHECK(!confidence_meets(w.table, &unseen, c, rows[i].threshold));
            c.is_calibrated = false;
            CHECK(!confidence_meets(w.table, &key, c, rows[i].threshold));
        }
        world_close(&w);
    }
}

/* 58 of 60 at .9: the bound is .8981, so .89 is met and .90 is not; a value below the threshold never meets it. */
static void the_bound_decides_to_the_hundredth(void)
{
    struct world w;
    struct confidence_key key = key_of("d", "m");

    world_open(&w, 7);
    for (size_t i = 0; i < 60; i++)
        w.rows[w.n++] = (struct confidence_row){ key, 0.9, i % 30 != 0 };
    REQUIRE(world_make(&w));
    CHECK_NEAR(stats_rate_lower(58, 60, 0.05), 0.8991, 0.002);
    struct confidence c = { 0.95, true };
    CHECK(confidence_meets(w.table, &key, c, 0.89));
    CHECK(!confidence_meets(w.table, &key, c, 0.90));
    CHECK(!confidence_meets(w.table, &key, c, 0.8999)); /* rounded up */
    c.value = 0.88;
    CHECK(!confidence_meets(w.table, &key, c, 0.89));
    CHECK(confidence_meets(w.table, &key, c, 0.88));
    /* The same numbers as coverage: all sixty are accepted, also at a threshold that is not met, and none above their value. */
    struct acceptance a = confidence_table_accept(w.table, 0, 0.89);
    CHECK(a.accepted == 60 && a.right == 58 && a.is_met);
    a = confidence_table_accept(w.table, 0, 0.90);
    CHECK(a.accepted == 60 && !a.is_met);
    a = confidence_table_accept(w.table, 0, 1.0);
    CHECK(a.accepted == 0 && a.right == 0 && !a.is_met);
    world_close(&w);
}

static void written_and_read_it_is_the_same(void)
{
    struct world w;
    struct buf once = { 0 }, twice = { 0 };
    const struct confidence_table *again = NULL;
    struct json value;
    str what = STR("");

    world_open(&w, 8);
    world_add(&w, key_of("a \"quoted\" one", "m"), 400, 0.9);
    world_add(&w, key_of("b", "m"), 60, 0.6);
    world_add(&w, key_of("b", "n"), 300, 0.7);
    REQUIRE(world_make(&w));
    confidence_table_write(w.table, &once);
    REQUIRE(json_parse(&w.arena, buf_str(&once), &value, NULL) == OK);
    CHECK_ERR(confidence_table_read(&w.arena, value, &again, &what), OK);
    REQUIRE(again != NULL);
    confidence_table_write(again, &twice);
    CHECK_STR(buf_str(&twice), buf_str(&once));
    for (int i = 0; i <= 1000; i++) {
        struct confidence_key key = key_of(i % 2 ? "b" : "a \"quoted\" one", i % 3 ? "m" : "n");
        struct confidence a = confidence_calibrate(w.table, &key, i / 1000.0);
        struct confidence b = confidence_calibrate(again, &key, i / 1000.0);
        CHECK(!(a.value < b.value) && !(a.value > b.value) && a.is_calibrated == b.is_calibrated);
        CHECK(confidence_meets(w.table, &key, a, i / 1000.0) ==
              confidence_meets(again, &key, b, i / 1000.0));
    }
    buf_fini(&once);
    buf_fini(&twice);
    world_close(&w);
}

static void the_order_of_keys_does_not_matter_and_the_seed_does(void)
{
    struct world w;
    struct buf a = { 0 }, b = { 0 }, c = { 0 };
    const struct confidence_table *again;

    world_open(&w, 9);
    world_add(&w, key_of("a", "m"), 300, 0.9);
    world_add(&w, key_of("b", "m"), 300, 0.6);
    REQUIRE(world_make(&w));
    confidence_table_write(w.table, &a);
    CHECK_ERR(confidence_table_make(&w.arena, w.rows, w.n, 7, &again), OK);
    confidence_table_write(again, &b);
    CHECK_STR(buf_str(&b), buf_str(&a));
    CHECK_ERR(confidence_table_make(&w.arena, w.rows, w.n, 8, &again), OK);
    confidence_table_write(again, &c);
    CHECK(!str_eq(buf_str(&c), buf_str(&a)));
    buf_fini(&a);
    buf_fini(&b);
    buf_fini(&c);
    world_close(&w);
}

static void limits(void)
{
    struct world w;
    char names[300][8];

    world_open(&w, 10);
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof(names[i]), "d%d", i);
        world_add(&w, key_of(names[i], "m"), i < 10 ? 45 : CONFIDENCE_LABELS_MIN, 0.8);
    }
    REQUIRE(world_make(&w));
    CHECK_INT(confidence_table_count(w.table), 2 + 10); /* only the richer ones */
    const struct confidence_table *untouched = w.table;
    w.rows[3].raw = 1.5;
    CHECK_ERR(confidence_table_make(&w.arena, w.rows, w.n, 7, &w.table), CALLER_BAD_REQUEST);
    CHECK(w.table == untouched);
    w.rows[3].raw = 0.5;
    CHECK_ERR(confidence_table_make(&w.arena, w.rows, CONFIDENCE_LABELS_MIN - 1, 7, &w.table), OK);
    CHECK_INT(confidence_table_count(w.table), 0);
    /* However little memory there is, it says so. */
    for (size_t bytes = 0; bytes < 3000000; bytes += 300000) {
        struct arena small;
        arena_init(&small, bytes);
        untouched = w.table;
        enum err e = confidence_table_make(&small, w.rows, w.n, 7, &untouched);
        CHECK(e == OK || (e == WEIR_NO_MEMORY && untouched == w.table));
        CHECK(bytes > 0 || e == WEIR_NO_MEMORY);
        arena_fini(&small);
    }
    world_close(&w);
}

static struct buf replaced(str text, str from, str to)
{
    struct buf out = { 0 };
    size_t at = str_find(text, from);

    CHECK(at != STR_NPOS);
    buf_add(&out, str_slice(text, 0, at));
    buf_add(&out, to);
    buf_add(&out, str_slice(text, at + from.len, text.len));
    return out;
}

/* One map of a valid table with one member replaced. */
static void what_no_table_could_be_is_refused(void)
{
    static const struct {
        const char *from;
        const char *to;
        const char *says;
    } rows[] = {
        { "\"maps\"", "\"map\"", "array" },
        { "\"domain\":\"\"", "\"domain\":null", "maps[0]" },
        { "\"domain\":\"\"", "\"domain\":\"x\"", "global map comes first" },
        { "\"domain\":\"d\"", "\"domain\":\"\"", "sorted" },
        { "\"kind\":\"platt\"", "\"kind\":\"magic\"", "fit" },
        { "\"kind\":\"platt\"", "\"kind\":\"isotonic\"", "fit" },
        { "\"kind\":\"platt\"", "\"kind\":[\"platt\"]", "fit" },
        { "\"accepted\":[40", "\"accepted\":[-40", "accepted" },
        { "\"accepted\":[40,", "\"accepted\":[", "accepted" },
        { "\"accepted\":[40,", "\"accepted\":[39,", "accepted" },
        { "\"accepted\":[40,", "\"accepted\":[4294967296,", "accepted" },
        { "\"right\":[", "\"right\":[41,", "right" },
        { "\"n\":40,\"ece\"", "\"n\":-1,\"ece\"", "before" },
        { "\"ece\":", "\"ece\":1", "before" },
        { "\"bins\":[[", "\"bins\":[[0.5,", "before" },
        { "\"after_ece\":[", "\"after_ece\":[1,", "after_ece" },
        { "\"after_ece\":[", "\"after_ece\":[1],\"x\":[", "after_ece" },
        { "\"bins\":[[", "\"bins\":[[1,0,0],[1,0,0],[1,0,0],[1,0,0],[1,0,0],[1,0,0],[1,0,0],[",
          "before" },
        { "\"right\":[40,", "\"right\":[41,", "right" }, /* more right than accepted */
    };
    struct world w;
    struct buf whole = { 0 };

    world_open(&w, 11);
    world_add(&w, key_of("d", "m"), 40, 2); /* always right */
    REQUIRE(world_make(&w));
    confidence_table_write(w.table, &whole);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str what = STR("");
        struct buf bad = replaced(buf_str(&whole), str_from(rows[i].from), str_from(rows[i].to));
        struct json value;
        const struct confidence_table *table = w.table;
        if (json_parse(&w.arena, buf_str(&bad), &value, NULL) == OK) {
            CHECK_ERR(confidence_table_read(&w.arena, value, &table, &what), CALLER_BAD_REQUEST);
            CHECK(table == w.table);
            if (str_find(what, str_from(rows[i].says)) == STR_NPOS)
                check_note(__FILE__, __LINE__, rows[i].to);
        } else {
            check_note(__FILE__, __LINE__, rows[i].to);
        }
        buf_fini(&bad);
    }
    buf_fini(&whole);
    world_close(&w);
}

TESTS(TEST(each_key_gets_its_own_accuracy), TEST(a_key_without_labels_is_not_called_calibrated),
      TEST(labels_without_a_domain_count_for_the_model),
      TEST(held_out_figures_use_the_nearest_parent), TEST(without_a_value_or_a_table_there_is_none),
      TEST(few_labels_are_shrunk_to_the_parent), TEST(its_own_figures_are_held_out),
      TEST(a_threshold_is_met_only_by_the_rule), TEST(the_bound_decides_to_the_hundredth),
      TEST(written_and_read_it_is_the_same),
      TEST(the_order_of_keys_does_not_matter_and_the_seed_does), TEST(limits),
      TEST(what_no_table_could_be_is_refused))
