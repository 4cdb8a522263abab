/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of recorded models share: an evaluation's folder of twelve questions in three cells, and scenarios over it. */
#ifndef WEIR_APP_SIM_ANSWERS_RIG_TEST_H
#define WEIR_APP_SIM_ANSWERS_RIG_TEST_H

#include <stdlib.h>
#include <unistd.h>

#include "app/sim/sim_rig_test.h"

#define CELLS "\"a/direct\",\"b/hrm\",\"c/trm\""
#define QUESTIONS 12

/* ---- a folder ---- */

struct folder {
    char path[64];
    struct buf plan, questions, runs;
};

static const char *const names[] = { "plan.json", "questions.jsonl", "runs.jsonl" };

static void file_path(const struct folder *f, size_t i, char out[128])
{
    snprintf(out, 128, "%s/%s", f->path, names[i]);
}

static void folder_write(struct folder *f)
{
    const struct buf *contents[] = { &f->plan, &f->questions, &f->runs };
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        file_path(f, i, path);
        FILE *file = fopen(path, "we");
        REQUIRE(file);
        CHECK(fwrite(contents[i]->ptr, 1, contents[i]->len, file) == contents[i]->len);
        CHECK(fclose(file) == 0);
    }
}

static void folder_remove(struct folder *f)
{
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        file_path(f, i, path);
        unlink(path);
    }
    rmdir(f->path);
    buf_fini(&f->plan);
    buf_fini(&f->questions);
    buf_fini(&f->runs);
}

struct line {
    int question, run; /* run from 1 */
    const char *cell; /* model and strategy */
    bool is_right, is_error;
    int64_t cost; /* negative: null */
    double latency_ms, confidence; /* negative: null */
    bool is_simulated;
};

static void null_or(struct buf *out, const char *name, double value)
{
    if (value < 0)
        buf_printf(out, ",\"%s\":null", name);
    else
        buf_printf(out, ",\"%s\":%.12g", name, value);
}

static void line_add(struct folder *f, const struct line *l)
{
    str cell = str_from(l->cell);
    size_t slash = str_find_char(cell, '/');

    buf_printf(&f->runs,
               "{\"id\":\"q%d\",\"model\":\"%.*s\",\"strategy\":\"%.*s\",\"run\":%d,\"right\":%s,"
               "\"answer\":\"1\",\"tokens\":{\"input\":1,\"output\":1},\"calls\":1,\"halt\":\"x\"",
               l->question, STR_ARG(str_slice(cell, 0, slash)),
               STR_ARG(str_slice(cell, slash + 1, cell.len)), l->run,
               l->is_right ? "true" : "false");
    null_or(&f->runs, "cost_nano_usd", (double)l->cost);
    null_or(&f->runs, "latency_ms", l->latency_ms);
    null_or(&f->runs, "raw_confidence", l->confidence);
    buf_printf(&f->runs, ",\"confidence\":null,\"fault\":%s,\"simulated\":%s}\n",
               l->is_error ? "\"PROVIDER_CUT\"" : "null", l->is_simulated ? "true" : "false");
}

/* Of the question q in a cell: its figures tell it from every other. Of each domain's answers some are wrong, one is an error. */
static struct line line_of(int q, size_t cell, int run)
{
    static const char *const cells[] = { "a/direct", "b/hrm", "c/trm" };

    return (struct line){ .question = q,
                          .run = run,
                          .cell = cells[cell],
                          .is_right = q % 3 != 2 && q < 10,
                          .is_error = q >= 10,
                          .cost = 1000000 * (q + 1) + 100000 * (int)cell + run,
                          .latency_ms = 100 * (q + 1) + 10 * (int)cell + run,
                          .confidence =
                              cell == 0 || q >= 10 ? -1 : 0.5 + 0.03 * q + 0.01 * (double)cell };
}

/* Half of the twelve questions are tactical, a third of them stem's, two of a domain that weir does not know. */
static void folder_open(struct folder *f, int runs)
{
    *f = (struct folder){ .path = "/tmp/weir-sim-test-XXXXXX" };
    REQUIRE(mkdtemp(f->path));
    buf_printf(&f->plan, "{\"version\":1,\"cells\":[" CELLS "],\"runs\":%d}\n", runs);
    for (int q = 0; q < QUESTIONS; q++) {
        const char *domain = q % 2 == 0 ? "tactical" : q % 6 == 5 ? "chess" : "stem.code";
        buf_printf(&f->questions,
                   "{\"id\":\"q%d\",\"domain\":\"%s\",\"prompt\":\"p%d\",\"answer\":1}\n", q,
                   domain, q);
        for (size_t cell = 0; cell < 3; cell++) {
            for (int run = 1; run <= runs; run++) {
                struct line line = line_of(q, cell, run);
                line_add(f, &line);
            }
        }
    }
    folder_write(f);
}

/* ---- scenarios over it ---- */

#define TYPED "latency_ms: 900, hrm_confidence: 0.9, trm_confidence: 0.85"

struct tried {
    struct scenario *s;
    struct config_issues issues;
    char first[512];
};

/* Every %s is the folder. */
static struct tried try(const struct folder *f, const char *models, const char *rest)
{
    struct tried t = { .s = NULL };
    struct buf text = { 0 };

    for (const char *at = models; *at; at++) {
        if (at[0] == '%')
            buf_printf(&text, "%s", f->path);
        else
            buf_add_char(&text, *at);
    }
    buf_printf(&text, "\n%s", rest);
    CHECK_ERR(scenario_load_text(STR("s.yaml"), buf_str(&text), true, &t.s, &t.issues), OK);
    if (t.s)
        CHECK(rehearsal_answers_add(t.s, &t.issues) ==
              (t.issues.errors == 0 ? OK : CALLER_BAD_REQUEST));
    if (t.issues.count > 0)
        snprintf(t.first, sizeof(t.first), "%d:%d %.*s", t.issues.items[0].line,
                 t.issues.items[0].column, STR_ARG(t.issues.items[0].message));
    buf_fini(&text);
    return t;
}

static void done(struct tried *t)
{
    scenario_close(t->s);
    config_issues_fini(&t->issues);
}

#endif
