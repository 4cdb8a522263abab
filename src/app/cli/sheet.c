/* SPDX-License-Identifier: Apache-2.0 */
/* sheet: facts as a table or as JSON. */
#include "app/cli/sheet_internal.h"

#include <stdio.h>
#include <string.h>

#include "core/json/json.h"

static void sheet_add(struct sheet *s, struct fact fact)
{
    assert(s->count < SHEET_FACTS_MAX);
    s->facts[s->count++] = fact;
}

void sheet_number(struct sheet *s, const char *name, const char *label, double value)
{
    sheet_add(s, (struct fact){ FACT_NUMBER, name, label, .number = value });
}

void sheet_count(struct sheet *s, const char *name, const char *label, int64_t value)
{
    sheet_add(s, (struct fact){ FACT_COUNT, name, label, .count = value });
}

void sheet_flag(struct sheet *s, const char *name, const char *label, bool value)
{
    sheet_add(s, (struct fact){ FACT_FLAG, name, label, .count = value });
}

void sheet_word(struct sheet *s, const char *name, const char *label, const char *value)
{
    sheet_add(s, (struct fact){ FACT_WORD, name, label, .word = value });
}

void sheet_list(struct sheet *s, const char *name, const char *label, const double *values,
                size_t n)
{
    struct fact fact = { FACT_LIST, name, label, .count = (int64_t)n };

    assert(n <= SHEET_LIST_MAX);
    memcpy(fact.list, values, n * sizeof(*values));
    sheet_add(s, fact);
}

void sheet_interval(struct sheet *s, const char *name, const char *label, struct interval v)
{
    sheet_add(s, (struct fact){ FACT_INTERVAL, name, label, .interval = v });
}

void sheet_estimate(struct sheet *s, const char *label, struct interval v)
{
    sheet_number(s, "estimate", label, v.estimate);
    sheet_number(s, "lower", "lower end", v.lower);
    sheet_number(s, "upper", "upper end", v.upper);
}

static void fact_write_json(const struct fact *f, struct buf *out)
{
    json_key(out, f->name);
    switch (f->kind) {
    case FACT_NUMBER:
        json_write_double(out, f->number);
        break;
    case FACT_COUNT:
        buf_add_i64(out, f->count);
        break;
    case FACT_FLAG:
        json_write_bool(out, f->count != 0);
        break;
    case FACT_WORD:
        json_write_str(out, str_from(f->word));
        break;
    case FACT_INTERVAL:
        buf_add_char(out, '{');
        json_member_double(out, "lower", f->interval.lower);
        json_member_double(out, "upper", f->interval.upper);
        buf_add_char(out, '}');
        break;
    case FACT_LIST:
        for (int64_t i = 0; i < f->count; i++) {
            buf_add_char(out, i == 0 ? '[' : ',');
            json_write_double(out, f->list[i]);
        }
        buf_add_char(out, ']');
        break;
    }
}

static void fact_write_text(const struct fact *f, struct buf *out)
{
    buf_printf(out, "  %-34s ", f->label);
    switch (f->kind) {
    case FACT_NUMBER:
        buf_printf(out, "%.6g", f->number);
        break;
    case FACT_COUNT:
        buf_add_i64(out, f->count);
        break;
    case FACT_FLAG:
        buf_add(out, f->count ? STR("yes") : STR("no"));
        break;
    case FACT_WORD:
        buf_add(out, str_from(f->word));
        break;
    case FACT_INTERVAL:
        buf_printf(out, "%.6g to %.6g", f->interval.lower, f->interval.upper);
        break;
    case FACT_LIST:
        for (int64_t i = 0; i < f->count; i++)
            buf_printf(out, "%s%.6g", i == 0 ? "" : ", ", f->list[i]);
        break;
    }
    buf_add_char(out, '\n');
}

void sheet_print(struct sheet *s, bool is_json)
{
    struct buf out = { 0 };

    if (is_json)
        buf_add_char(&out, '{');
    for (size_t i = 0; i < s->count; i++)
        (is_json ? fact_write_json : fact_write_text)(&s->facts[i], &out);
    if (is_json)
        buf_add(&out, STR("}\n"));
    else
        buf_printf(&out, "\n%s\n", buf_cstr(&s->sentence));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    buf_fini(&s->sentence);
}
