/* SPDX-License-Identifier: Apache-2.0 */
/* progress: the lines, and when they are drawn. */
#include "app/cli/progress.h"

#include <stdlib.h>

#include "test/check.h"

#define S(n) ((n)*NSEC_PER_SEC)

static void writes_lines(void)
{
    static const struct {
        bool is_terminal;
        uint64_t total, before, done;
        nsec seconds;
        const char *note;
        const char *line;
    } cases[] = {
        { false, 240, 0, 0, 0, "", "  0 %  0 of 240 runs" },
        { false, 240, 0, 120, 3, "", " 50 %  120 of 240 runs, 40 a second, 3 s left" },
        { false, 240, 0, 240, 6, "$0.01", "100 %  240 of 240 runs, 40 a second, $0.01" },
        /* What was there before says nothing about the rate. */
        { false, 240, 100, 120, 10, "", " 50 %  120 of 240 runs, 2.0 a second, 60 s left" },
        { false, 10000, 0, 100, 100, "",
          "  1 %  100 of 10000 runs, 1.0 a second, 2 h 45 min left" },
        { false, 1000, 0, 100, 100, "", " 10 %  100 of 1000 runs, 1.0 a second, 15 min left" },
        { false, 0, 0, 0, 1, "", "100 %  0 of 0 runs" },
        { true, 4, 0, 1, 0, "", "[######..................]  25 %  1 of 4 runs" },
        { true, 4, 0, 4, 0, "", "[########################] 100 %  4 of 4 runs" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct progress p = { .is_terminal = cases[i].is_terminal,
                              .unit = "runs",
                              .total = cases[i].total,
                              .before = cases[i].before,
                              .started = S(5) };
        struct buf line = { 0 };
        progress_write(&line, &p, cases[i].done, str_from(cases[i].note),
                       S(5) + S(cases[i].seconds));
        CHECK_STR(buf_str(&line), str_from(cases[i].line));
        buf_fini(&line);
    }
}

static void draws_now_and_then(void)
{
    char *text = NULL;
    size_t len = 0;
    struct progress p;
    FILE *out = open_memstream(&text, &len);

    REQUIRE(out);
    p = (struct progress){ .out = out, .unit = "runs", .total = 100 };
    progress_show(&p, 1, STR(""), S(9)); /* too early */
    progress_show(&p, 2, STR(""), S(10));
    progress_show(&p, 3, STR(""), S(19));
    progress_show(&p, 4, STR(""), S(20));
    progress_end(&p, 5, STR("done"), S(21));
    fclose(out);
    CHECK_STR(str_from(text), STR("  2 %  2 of 100 runs, 0.2 a second, 8 min left\n"
                                  "  4 %  4 of 100 runs, 0.2 a second, 8 min left\n"
                                  "  5 %  5 of 100 runs, 0.2 a second, 7 min left, done\n"));
    free(text);
}

static void redraws_a_terminal_s_line(void)
{
    char *text = NULL;
    size_t len = 0;
    struct progress p;
    FILE *out = open_memstream(&text, &len);

    REQUIRE(out);
    p = (struct progress){ .out = out, .unit = "runs", .total = 2, .is_terminal = true };
    progress_show(&p, 1, STR(""), NSEC_PER_SEC / 10);
    CHECK(p.has_bar);
    progress_end(&p, 2, STR(""), NSEC_PER_SEC / 5);
    CHECK(!p.has_bar);
    fclose(out);
    str all = str_from(text);
    CHECK(str_starts(all, STR("\r[############")));
    CHECK(str_ends(all, STR("2 of 2 runs, 10 a second\x1b[K\n")));
    CHECK(str_find(all, STR("\n")) == all.len - 1);
    free(text);
}

TESTS(TEST(writes_lines), TEST(draws_now_and_then), TEST(redraws_a_terminal_s_line))
