/* SPDX-License-Identifier: Apache-2.0 */
/* experiment's tests: what is refused and where, assignment against shares, ramps, layers, GrowthBook's assignments. */
#include "core/change/experiment.h"

#include <stdio.h>
#include <string.h>

#include "test/check.h"

#define UNITS 20000

struct reader { /* an arena and the list, for one text after another */
    struct arena arena;
    struct change_issues issues;
};

static void reader_open(struct reader *r)
{
    arena_init(&r->arena, 1 << 20);
    r->issues = (struct change_issues){ .arena = &r->arena };
}

static enum err reader_read(struct reader *r, struct experiment *out, str text)
{
    r->issues.count = 0;
    return experiment_read(out, text, &r->issues);
}

/* A test's own text: it must be valid. */
static struct experiment must_read(struct reader *r, const char *text)
{
    struct experiment e = { .arm_count = 0 };

    CHECK_ERR(reader_read(r, &e, str_from(text)), OK);
    return e;
}

static str unit_name(char out[32], size_t i)
{
    return (str){ out, (size_t)snprintf(out, 32, "user-%zu", i) };
}

#define TWO_ARMS "\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\",\"share\":0.1}]"

static const struct {
    const char *text;
    const char *where; /* NULL: valid */
    const char *what; /* a part */
} wrong[] = {
    { "{\"id\":\"x\"," TWO_ARMS "}", NULL, NULL },
    { "{\"id\":\"x\",\"seed\":7,\"scheme\":\"weir\",\"layer\":\"l\",\"inclusion\":[\"0%\",0.5]"
      "," TWO_ARMS "}",
      NULL, NULL },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.95,\"start\":0},{\"name\":\"b\","
      "\"share\":0.05,"
      "\"start\":0.95}]}",
      NULL, NULL },
    { "{\"id\":\"x\"", "", "not JSON" },
    { "[1]", "", "is an object" },
    { "{" TWO_ARMS "}", "id", "must be a text" },
    { "{\"id\":\"a b\"," TWO_ARMS "}", "id", "is no name" },
    { "{\"id\":\"x\",\"seed\":true," TWO_ARMS "}", "seed", "must be a text" },
    { "{\"id\":\"x\",\"seed\":\"a/b\"," TWO_ARMS "}", "seed", "is no name" },
    { "{\"id\":\"x\",\"layer\":\"a/b\"," TWO_ARMS "}", "layer", "is no name" },
    { "{\"id\":\"x\",\"sed\":\"1\"," TWO_ARMS "}", "sed", "did you mean 'seed'?" },
    { "{\"id\":\"x\",\"scheme\":\"md5\"," TWO_ARMS "}", "scheme", "growthbook_v2" },
    { "{\"id\":\"x\",\"inclusion\":[0.5]," TWO_ARMS "}", "inclusion", "two shares" },
    { "{\"id\":\"x\",\"inclusion\":[0,2]," TWO_ARMS "}", "inclusion.1", "six decimals" },
    { "{\"id\":\"x\",\"inclusion\":[0.5,0.5]," TWO_ARMS "}", "inclusion", "not empty" },
    { "{\"id\":\"x\",\"scheme\":\"growthbook_v2\",\"layer\":\"l\"," TWO_ARMS "}", "scheme",
      "neither layer" },
    { "{\"id\":\"x\",\"scheme\":\"growthbook_v2\",\"inclusion\":[0,0.5]," TWO_ARMS "}", "scheme",
      "inclusion" },
    { "{\"id\":\"x\"}", "arms", "2 to 8 arms" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1}]}", "arms", "2 to 8 arms" },
    { "{\"id\":\"x\",\"arms\":[1,2]}", "arms.0", "is an object" },
    { "{\"id\":\"x\",\"arms\":[{\"share\":0.1},{\"name\":\"b\",\"share\":0.1}]}", "arms.0.name",
      "a text" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\"}]}", "arms.1.share",
      "six decimals" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\",\"share\":1e-1}]"
      "}",
      "arms.1.share", "six decimals" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\",\"share\":0.1,"
      "\"weight\":1}]}",
      "arms.1.weight", "unknown key" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"a\",\"share\":0.1}]}",
      "arms.1.name", "two arms" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\",\"share\":0}]}",
      "arms.1.share", "gets nobody" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\",\"share\":0.6}]}",
      "arms.1.share", "over 100%" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.500001},{\"name\":\"b\",\"share\":0."
      "5}]}",
      "arms.1.start", "overlap" },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.5},{\"name\":\"b\",\"share\":0.5}]}",
      NULL, NULL },
    { "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1,\"overlay\":[]},{\"name\":\"b\","
      "\"share\":0.1}]}",
      "arms.0.overlay", "object" },
};

static void what_is_wrong_is_named(void)
{
    struct reader r;

    reader_open(&r);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct experiment e = { .arm_count = 77 };
        enum err result = reader_read(&r, &e, str_from(wrong[i].text));
        const struct change_issue *first = &r.issues.items[0];
        CHECK_ERR(result, wrong[i].where ? CALLER_BAD_REQUEST : OK);
        CHECK(wrong[i].where != NULL || r.issues.count == 0);
        if (!wrong[i].where)
            continue;
        CHECK_INT(e.arm_count, 77);
        REQUIRE(r.issues.count > 0);
        if (!str_eq(first->where, str_from(wrong[i].where)) ||
            str_find(first->what, str_from(wrong[i].what)) == STR_NPOS)
            fprintf(stderr, "%s\n  %.*s: %.*s\n", wrong[i].text, STR_ARG(first->where),
                    STR_ARG(first->what));
        CHECK_STR(first->where, str_from(wrong[i].where));
        CHECK(str_find(first->what, str_from(wrong[i].what)) != STR_NPOS);
    }
    arena_fini(&r.arena);
}

static void issues_know_their_place(void)
{
    str text = STR(
        "{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\",\"share\":7}]}");
    struct experiment e;
    struct reader r;

    reader_open(&r);
    CHECK_ERR(reader_read(&r, &e, text), CALLER_BAD_REQUEST);
    CHECK_INT(r.issues.items[0].offset, str_find(text, STR("7}")));
    text = STR("{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":\"b\"}]}");
    CHECK_ERR(reader_read(&r, &e, text), CALLER_BAD_REQUEST);
    CHECK_INT(r.issues.items[0].offset, str_find(text, STR("{\"name\":\"b\"")));
    CHECK_ERR(reader_read(&r, &e, STR("{\"id\"; 1}")), CALLER_BAD_REQUEST);
    CHECK_INT(r.issues.items[0].offset, 5);
    arena_fini(&r.arena);
}

static void shares_over_the_whole_are_said_to_be(void)
{
    struct experiment e;
    struct reader r;
    bool is_said = false;

    reader_open(&r);
    CHECK_ERR(reader_read(&r, &e,
                          STR("{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.9},{\"name\":"
                              "\"b\",\"share\":0.2}]}")),
              CALLER_BAD_REQUEST);
    for (size_t i = 0; i < r.issues.count; i++)
        is_said = is_said || str_eq(r.issues.items[i].what, STR("the shares sum to over 100%"));
    CHECK(is_said);
    arena_fini(&r.arena);
}

static void a_full_list_counts_on(void)
{
    struct buf text = { 0 };
    struct experiment e;
    struct reader r;

    buf_add(&text, STR("{\"id\":\"x\""));
    for (int i = 0; i < 50; i++)
        buf_printf(&text, ",\"k%d\":1", i);
    buf_add(&text, STR("," TWO_ARMS "}"));
    reader_open(&r);
    CHECK_ERR(reader_read(&r, &e, buf_str(&text)), CALLER_BAD_REQUEST);
    CHECK_INT(r.issues.count, 50);
    CHECK_INT(change_issues_kept(&r.issues), CHANGE_ISSUES_MAX);
    arena_fini(&r.arena);
    buf_fini(&text);
}

static void arms_get_their_shares(void)
{
    struct reader r;
    char name[32];

    reader_open(&r);
    struct experiment e = must_read(
        &r, "{\"id\":\"x\",\"inclusion\":[0.2,0.7],\"arms\":[{\"name\":\"a\",\"share\":0.3},"
            "{\"name\":\"b\",\"share\":\"10%\",\"overlay\":{\"use_mcts\":true}}]}");
    CHECK_INT(e.arms[1].start, 500000);
    CHECK_INT(e.arms[1].share, 100000);
    CHECK_STR(e.arms[1].overlay, STR("{\"use_mcts\":true}"));
    CHECK_STR(e.arms[0].overlay, STR(""));
    double counts[4] = { 0 };
    for (size_t i = 0; i < UNITS; i++) {
        struct experiment_assignment a = experiment_assign(&e, unit_name(name, i));
        counts[a.why == EXPERIMENT_ASSIGNED ? 2 + a.arm : a.why == EXPERIMENT_BETWEEN_ARMS]++;
        CHECK((a.why == EXPERIMENT_NOT_INCLUDED) ==
              (a.inclusion.position < 200000 || a.inclusion.position >= 700000));
        CHECK(a.arm != 0 || a.variant.position < 300000);
        CHECK(a.arm != 1 || a.variant.position / 100000 == 5);
    }
    /* .5 * .3 and .5 * .1 of the units; five standard deviations. */
    CHECK_NEAR(counts[2], 0.15 * UNITS, 253);
    CHECK_NEAR(counts[3], 0.05 * UNITS, 155);
    CHECK_NEAR(counts[0], 0.5 * UNITS, 354);
    CHECK_INT(experiment_assign(&e, STR("")).why, EXPERIMENT_NO_UNIT);
    CHECK_INT(experiment_assign(&e, STR("")).arm, EXPERIMENT_ARM_NONE);
    arena_fini(&r.arena);
}

/* Both arms and the inclusion grow; nobody who was in an arm leaves it. */
static void ramps_move_nobody(void)
{
    static const uint32_t shares[] = { 10000, 50000, 70000, 250000, 500000 };
    struct reader r;
    char name[32];

    reader_open(&r);
    struct experiment e = must_read(&r, "{\"id\":\"ramp\",\"seed\":\"3\"," TWO_ARMS "}");
    for (size_t i = 0; i < UNITS; i++) {
        int was = EXPERIMENT_ARM_NONE;
        for (size_t s = 0; s < ARRAY_LEN(shares); s++) {
            e.arms[0].share = e.arms[1].share = shares[s];
            e.inclusion.to = 2 * shares[s];
            int is = experiment_assign(&e, unit_name(name, i)).arm;
            CHECK(was == EXPERIMENT_ARM_NONE || is == was);
            was = is;
        }
        CHECK(was != EXPERIMENT_ARM_NONE);
    }
    arena_fini(&r.arena);
}

static void layers_exclude_one_another(void)
{
    struct reader r;
    char name[32];
    size_t both_free = 0, in_a = 0;

    reader_open(&r);
    struct experiment a = must_read(
        &r, "{\"id\":\"a\",\"layer\":\"l\",\"inclusion\":[0,0.5],\"arms\":[{\"name\":\"a\","
            "\"share\":0.5},{\"name\":\"b\",\"share\":0.5}]}");
    struct experiment b = must_read(
        &r, "{\"id\":\"b\",\"layer\":\"l\",\"inclusion\":[0.5,1],\"arms\":[{\"name\":\"a\","
            "\"share\":0.5},{\"name\":\"b\",\"share\":0.5}]}");
    struct experiment free =
        must_read(&r, "{\"id\":\"c\",\"inclusion\":[0,0.5],\"arms\":[{\"name\":\"a\","
                      "\"share\":0.5},{\"name\":\"b\",\"share\":0.5}]}");
    for (size_t i = 0; i < UNITS; i++) {
        str unit = unit_name(name, i);
        bool is_a = experiment_assign(&a, unit).arm >= 0,
             is_b = experiment_assign(&b, unit).arm >= 0;
        CHECK(is_a != is_b);
        in_a += is_a;
        both_free += is_a && experiment_assign(&free, unit).arm >= 0;
    }
    /* The layer's salt is not the experiment's: an experiment outside it is independent. */
    CHECK_NEAR((double)in_a, 0.5 * UNITS, 354);
    CHECK_NEAR((double)both_free, 0.25 * UNITS, 307);

    const struct experiment *list[] = { &a, &b, &free };
    r.issues.count = 0;
    experiments_check(list, ARRAY_LEN(list), &r.issues);
    CHECK_INT(r.issues.count, 0);
    b.inclusion.from = 499999;
    experiments_check(list, ARRAY_LEN(list), &r.issues);
    REQUIRE(r.issues.count == 1);
    CHECK_STR(r.issues.items[0].where, STR("experiments.1.inclusion"));
    free.id = STR("a");
    experiments_check(list, ARRAY_LEN(list), &r.issues);
    CHECK_INT(r.issues.count, 3);
    arena_fini(&r.arena);
}

/* In which arm a unit is says nothing about which one it is in elsewhere, nor does another seed keep it. */
static void seeds_deal_anew(void)
{
    struct reader r;
    char name[32];
    double same = 0;

    reader_open(&r);
    struct experiment a =
        must_read(&r, "{\"id\":\"x\",\"seed\":\"1\",\"arms\":[{\"name\":\"a\",\"share\":0.5},"
                      "{\"name\":\"b\",\"share\":0.5}]}");
    struct experiment b =
        must_read(&r, "{\"id\":\"x\",\"seed\":\"2\",\"arms\":[{\"name\":\"a\",\"share\":0.5},"
                      "{\"name\":\"b\",\"share\":0.5}]}");
    for (size_t i = 0; i < UNITS; i++)
        same += experiment_assign(&a, unit_name(name, i)).arm ==
                experiment_assign(&b, unit_name(name, i)).arm;
    CHECK_NEAR(same, 0.5 * UNITS, 354);
    arena_fini(&r.arena);
}

static void growthbook_hashes_with_seed_or_id(void)
{
    struct reader r;

    reader_open(&r);
    struct experiment e =
        must_read(&r, "{\"id\":\"seed\",\"scheme\":\"growthbook_v2\"," TWO_ARMS "}");
    CHECK_INT(experiment_assign(&e, STR("a")).variant.position, 50500);
    CHECK_INT(experiment_assign(&e, STR("a")).arm, 0);
    CHECK_INT(experiment_assign(&e, STR("b")).arm, EXPERIMENT_ARM_NONE);
    e.seed = STR("other");
    CHECK(experiment_assign(&e, STR("a")).variant.position != 50500);
    arena_fini(&r.arena);
}

static void the_explanation_says_why(void)
{
    static const char *const parts[] = { "nothing identifies", "not included", "no arm owns",
                                         "in arm '" };
    bool is_seen[ARRAY_LEN(parts)] = { false };
    struct buf out = { 0 };
    struct reader r;
    char name[32];

    reader_open(&r);
    struct experiment e =
        must_read(&r, "{\"id\":\"x\",\"seed\":\"1\",\"inclusion\":[0,0.5]," TWO_ARMS "}");
    for (size_t i = 0; i < 100; i++) {
        str unit = i == 0 ? STR("") : unit_name(name, i);
        enum experiment_why why = experiment_assign(&e, unit).why;
        buf_reset(&out);
        experiment_explain(&e, unit, &out);
        CHECK(str_find(buf_str(&out), str_from(parts[why])) != STR_NPOS);
        is_seen[why] = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        CHECK(is_seen[i]);
    buf_reset(&out);
    e.inclusion.to = SHARE_WHOLE;
    e.arms[0].share = 500000;
    e.arms[1].share = 500000;
    experiment_explain(&e, STR("user-1"), &out);
    CHECK(str_find(buf_str(&out), STR("under the salt 'x/1/variant'")) != STR_NPOS);
    buf_fini(&out);
    arena_fini(&r.arena);
}

static void memory_ends(void)
{
    str text = STR("{\"id\":\"x\"," TWO_ARMS "}");

    for (size_t max = 0; max < 20000; max += 200) {
        struct experiment e = { .arm_count = 0 };
        struct reader r;
        reader_open(&r);
        r.arena.max = max;
        enum err result = reader_read(&r, &e, text);
        CHECK(result == OK || result == WEIR_NO_MEMORY);
        CHECK_INT(e.arm_count, result == OK ? 2 : 0);
        arena_fini(&r.arena);
    }
}

TESTS(TEST(what_is_wrong_is_named), TEST(issues_know_their_place),
      TEST(shares_over_the_whole_are_said_to_be), TEST(a_full_list_counts_on),
      TEST(arms_get_their_shares), TEST(ramps_move_nobody), TEST(layers_exclude_one_another),
      TEST(seeds_deal_anew), TEST(growthbook_hashes_with_seed_or_id),
      TEST(the_explanation_says_why), TEST(memory_ends))
