/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver: what core/stats computes and no command prints, for the oracle test. Reads lines, answers each with one line of
 * numbers:
 *
 *     beta X A B            the distribution function, and the quantile of what it gave
 *     student ALPHA DF      the t of a two-sided test
 *     holm P …              adjusted
 *     clusters N SUM …      mean, standard error, lower, upper at alpha .05
 *     fit SCORE LABEL …     kind, then the calibrated value of each score
 *     measure SCORE LABEL … ece, brier, auroc, accuracy, mean confidence
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/stats/stats_internal.h"

#define NUMBERS_MAX 4096
#define ARENA_MAX ((size_t)16 << 20)

struct line {
    double x[NUMBERS_MAX];
    size_t n;
};

static void print(double value)
{
    printf("%.17g ", value);
}

static size_t labels_read(const struct line *l, struct labelled *out)
{
    for (size_t i = 0; i < l->n / 2; i++)
        out[i] = (struct labelled){ l->x[2 * i], l->x[2 * i + 1] > 0 };
    return l->n / 2;
}

static void run_beta(struct line *l)
{
    double p = stats_beta_cdf(l->x[0], l->x[1], l->x[2]);

    print(p);
    print(stats_beta_quantile(p, l->x[1], l->x[2]));
}

static void run_student(struct line *l)
{
    print(student_two_sided(l->x[0], l->x[1]));
}

static void run_holm(struct line *l)
{
    stats_holm(l->x, l->n);
    for (size_t i = 0; i < l->n; i++)
        print(l->x[i]);
}

static void run_clusters(struct line *l)
{
    static struct cluster clusters[NUMBERS_MAX / 2];
    double se;

    for (size_t i = 0; i < l->n / 2; i++)
        clusters[i] = (struct cluster){ (int64_t)l->x[2 * i], l->x[2 * i + 1] };
    struct interval v = stats_clustered_mean(clusters, l->n / 2, .05, &se);
    print(v.estimate);
    print(se);
    print(v.lower);
    print(v.upper);
}

static void run_fit(struct line *l)
{
    static struct labelled items[NUMBERS_MAX / 2];
    size_t n = labels_read(l, items);
    struct arena arena;
    struct fit fit;

    arena_init(&arena, ARENA_MAX);
    if (fit_make(&fit, items, n, &arena) == OK) {
        print(fit.kind);
        for (size_t i = 0; i < n; i++)
            print(fit_apply(&fit, items[i].score));
    }
    arena_fini(&arena);
}

static void run_measure(struct line *l)
{
    static struct labelled items[NUMBERS_MAX / 2];
    size_t n = labels_read(l, items);
    struct calibration_metrics m;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    if (calibration_measure(&m, items, n, &arena) == OK) {
        print(m.ece);
        print(m.brier);
        print(m.auroc);
        print(m.accuracy);
        print(m.mean_confidence);
    }
    arena_fini(&arena);
}

static const struct {
    const char *name;
    void (*run)(struct line *l);
} rows[] = {
    { "beta", run_beta },         { "student", run_student }, { "holm", run_holm },
    { "clusters", run_clusters }, { "fit", run_fit },         { "measure", run_measure },
};

int main(void)
{
    static char text[NUMBERS_MAX * 30];
    static struct line line;

    while (fgets(text, sizeof(text), stdin)) {
        char *save, *name = strtok_r(text, " \n", &save), *word;
        line.n = 0;
        while ((word = strtok_r(NULL, " \n", &save)) && line.n < NUMBERS_MAX)
            line.x[line.n++] = strtod(word, NULL);
        for (size_t i = 0; name && i < ARRAY_LEN(rows); i++) {
            if (strcmp(name, rows[i].name) == 0)
                rows[i].run(&line);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
