/* SPDX-License-Identifier: Apache-2.0 */
/* train_log: see train_log.h. */
#include "app/cli/train_log.h"

#include <string.h>

#include "app/cli/cli.h"

#define LOG_ARENA_MAX ((size_t)4 << 30)

/* A score counts as right from here on. */
#define RIGHT_FROM 0.5

/* ---- answers of arms ---- */

static bool run_add(struct train_log *log, const struct ledger_sample *s, bool is_right)
{
    struct route_run *runs =
        arena_room(&log->arena, log->runs, log->run_count, &log->run_cap, sizeof(*runs));

    if (!runs)
        return false;
    log->runs = runs;
    runs[log->run_count++] =
        (struct route_run){ .domain = arena_str(&log->arena, s->domain),
                            .strategy = arena_str(&log->arena, s->strategy),
                            .model = arena_str(&log->arena, s->model),
                            .is_right = is_right,
                            .cost = s->cost,
                            .latency_ms = s->latency_us >= 0 ? (double)s->latency_us / 1000 : -1,
                            .raw_confidence = s->raw.confidence };
    return true;
}

/* ---- rows of the router ---- */

static bool side_of(const struct train_log_source *source, const struct ledger_sample *s,
                    enum route_side *out)
{
    if (!str_eq(s->strategy, STR("direct")) || source->weak_model.len == 0)
        return false;
    if (!str_eq(s->model, source->weak_model) && !str_eq(s->model, source->strong_model))
        return false;
    *out = str_eq(s->model, source->weak_model) ? ROUTE_SIDE_WEAK : ROUTE_SIDE_STRONG;
    return true;
}

/* An audit says whether the strong model agrees; where it is the only label, whether the answer was right is not known beside it. */
static void audit_apply(struct route_log *log, const struct ledger_sample *s,
                        const struct ledger_label *counts, str strong_model)
{
    for (size_t i = 0; i < s->label_count; i++) {
        const struct ledger_label *label = &s->labels[i];
        if (label->source != LABEL_AUDIT || label == counts || !str_eq(label->text, strong_model))
            continue;
        log->is_audited = true;
        log->is_same = label->value >= RIGHT_FROM;
    }
}

static struct route_log *log_make(struct arena *arena, const struct route_features *f)
{
    struct route_log *log = ARENA_NEW(arena, struct route_log);
    uint16_t *grams = ARENA_ARRAY(arena, (size_t)f->gram_count + 1, uint16_t);

    if (!log || !grams)
        return NULL;
    for (size_t i = 0; i < f->gram_count; i++)
        grams[i] = f->grams[i].bucket;
    memcpy(log->kept.dense, f->dense, sizeof(f->dense));
    log->kept.gram_count = f->gram_count;
    log->kept.grams = grams;
    return log;
}

/* The ledger has no text by which to know a question again; equal features are as good as the same one. */
static str question_id(struct arena *arena, const struct route_kept *kept)
{
    uint64_t dense = str_hash((str){ (const char *)kept->dense, sizeof(kept->dense) });
    uint64_t grams =
        str_hash((str){ (const char *)kept->grams, kept->gram_count * sizeof(*kept->grams) });

    return arena_printf(arena, "%016" PRIx64 "%016" PRIx64, dense, grams);
}

static bool row_add(struct train_log *out, const struct ledger_sample *s, enum route_side side,
                    const struct ledger_label *label)
{
    struct route_row *rows =
        arena_room(&out->arena, out->rows, out->row_count, &out->row_cap, sizeof(*rows));
    struct route_log *log = rows ? log_make(&out->arena, s->features) : NULL;
    bool is_right = label->value >= RIGHT_FROM;

    if (!log)
        return false;
    log->side = side;
    log->propensity = s->route ? s->route->propensity : -1;
    audit_apply(log, s, label, out->source->strong_model);
    out->rows = rows;
    rows[out->row_count++] =
        (struct route_row){ .id = question_id(&out->arena, &log->kept),
                            .domain = arena_str(&out->arena, s->domain),
                            .prompt = STR(""),
                            .weak_right = side == ROUTE_SIDE_WEAK && is_right,
                            .strong_right = side == ROUTE_SIDE_STRONG && is_right,
                            .weak_cost = side == ROUTE_SIDE_WEAK ? s->cost : COST_UNPRICED,
                            .strong_cost = side == ROUTE_SIDE_STRONG ? s->cost : COST_UNPRICED,
                            .log = log };
    out->sides[side]++;
    return true;
}

/* ---- samples ---- */

static void answer_take(struct train_log *log, const struct ledger_sample *s,
                        const struct ledger_label *label)
{
    bool is_known = s->route && s->route->propensity > 0;
    enum route_side side;

    log->labels[label->source]++;
    log->noisy += label->is_noisy;
    log->propensities_known += is_known;
    log->propensities_unknown += !is_known;
    if (!run_add(log, s, label->value >= RIGHT_FROM))
        log->has_no_memory = true;
    if (!side_of(log->source, s, &side))
        return;
    if (!s->features)
        log->without_features++;
    else if (!row_add(log, s, side, label))
        log->has_no_memory = true;
}

static void on_sample(void *ctx, const struct ledger_sample *s)
{
    struct train_log *log = ctx;
    const struct ledger_label *label = ledger_sample_label(s);

    if (!label)
        log->unlabelled++;
    else if (s->fault != OK)
        log->faulted++;
    else if (!s->route)
        log->plain++;
    else
        answer_take(log, s, label);
}

int train_log_read(struct train_log *out, const struct train_log_source *source)
{
    char why[256] = "";

    *out = (struct train_log){ .source = source };
    arena_init(&out->arena, LOG_ARENA_MAX);
    enum err e = store_read_routes(source->directory, source->since, on_sample, out, why);
    out->source = NULL;
    if (e == OK && (out->has_no_memory || arena_failed(&out->arena)))
        e = WEIR_NO_MEMORY;
    if (e == OK)
        return EXIT_DONE;
    fprintf(stderr, "weir train: %s%s%s\n", err_info(e)->text, why[0] ? ": " : "", why);
    return EXIT_UNREACHABLE;
}

void train_log_fini(struct train_log *log)
{
    arena_fini(&log->arena);
}
