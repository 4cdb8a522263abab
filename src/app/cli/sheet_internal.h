/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sheet: a short list of named facts and a sentence that says what they mean, printed as a table for people or as one JSON
 * object; so that both always say the same.
 */
#ifndef WEIR_APP_CLI_SHEET_INTERNAL_H
#define WEIR_APP_CLI_SHEET_INTERNAL_H

#include "base/base.h"
#include "core/stats/stats.h"

#define SHEET_FACTS_MAX 20
#define SHEET_LIST_MAX 16

enum fact_kind { FACT_NUMBER, FACT_COUNT, FACT_FLAG, FACT_WORD, FACT_INTERVAL, FACT_LIST };

struct fact {
    enum fact_kind kind;
    const char *name; /* in JSON */
    const char *label; /* for people */
    double number;
    int64_t count; /* FACT_FLAG: 0 or 1; FACT_LIST: how many */
    const char *word;
    struct interval interval;
    double list[SHEET_LIST_MAX];
};

/* Zero-initialised is empty. Names, labels and words are kept as they are, not copied. */
struct sheet {
    struct fact facts[SHEET_FACTS_MAX];
    size_t count;
    struct buf sentence; /* for people only */
};

void sheet_number(struct sheet *s, const char *name, const char *label,
                  double value); /* JSON: null when infinite */
void sheet_count(struct sheet *s, const char *name, const char *label, int64_t value);
void sheet_flag(struct sheet *s, const char *name, const char *label, bool value);
void sheet_word(struct sheet *s, const char *name, const char *label, const char *value);
void sheet_list(struct sheet *s, const char *name, const char *label, const double *values,
                size_t n);
/* An object with lower and upper. */
void sheet_interval(struct sheet *s, const char *name, const char *label, struct interval v);
/* The members estimate, lower and upper. */
void sheet_estimate(struct sheet *s, const char *label, struct interval v);
/* To stdout; frees the sentence. */
void sheet_print(struct sheet *s, bool is_json);

#endif
