/* SPDX-License-Identifier: Apache-2.0 */
/* daily: from the ledger's sums to the figures of the report. */
#include "app/report/daily_internal.h"

#include <math.h>
#include <stdio.h>

#include "edge/config/config.h"

#define MEMORY_MAX ((size_t)256 << 20) /* names and their sums; not what the ledger holds */
#define USEC_PER_DAY (INT64_C(86400) * 1000000)

const struct daily_axis daily_axes[DAILY_AXES] = {
    { REPORT_DOMAIN, "domain", "domains", "Top Domains by Cost" },
    { REPORT_STRATEGY, "strategy", "strategies", "By Strategy" },
    { REPORT_ARM, "arm", "arms", "By Arm" },
    { REPORT_TENANT, "tenant", "tenants", "By Tenant" },
};

struct daily_rate daily_rate_of(int64_t k, int64_t n)
{
    return (struct daily_rate){ k, n, stats_rate_wilson(k, n, DAILY_ALPHA) };
}

double daily_share(nano_usd part, nano_usd total)
{
    return total != 0 ? 100.0 * (double)part / (double)total : 0;
}

static struct daily_confidence confidence_of(const struct moments *m)
{
    return (struct daily_confidence){ m->n, moments_mean(m), sqrt(moments_variance(m)) };
}

const char *daily_confidence_label(const struct daily *d)
{
    const struct report_part *total = &d->ledger->total;

    if (total->calibrated == 0)
        return "raw";
    return total->calibrated == total->confident ? "calibrated" : "partly calibrated";
}

void daily_kinds(const struct report_calls *c, struct daily_kind out[DAILY_KINDS])
{
    out[0] =
        (struct daily_kind){ "first_attempt", "answered at once",
                             c->calls - c->interrupted - c->failed - c->retried,
                             c->cost - c->interrupted_cost - c->failed_cost - c->retried_cost };
    out[1] =
        (struct daily_kind){ "retried", "answered after a retry", c->retried, c->retried_cost };
    out[2] = (struct daily_kind){ "failed", "failed", c->failed, c->failed_cost };
    out[3] = (struct daily_kind){ "interrupted", "interrupted, at their reserve", c->interrupted,
                                  c->interrupted_cost };
}

/* ---- calls by model ---- */

/* No sum can pass what the database could add up over the same rows, save over days: cost_add() saturates there. */
static void calls_add(struct report_calls *sum, const struct report_calls *c)
{
    sum->calls += c->calls;
    sum->unpriced += c->unpriced;
    sum->cost = cost_add(sum->cost, c->cost);
    sum->interrupted += c->interrupted;
    sum->failed += c->failed;
    sum->retried += c->retried;
    sum->interrupted_cost = cost_add(sum->interrupted_cost, c->interrupted_cost);
    sum->failed_cost = cost_add(sum->failed_cost, c->failed_cost);
    sum->retried_cost = cost_add(sum->retried_cost, c->retried_cost);
    sum->extra_attempts += c->extra_attempts;
    sum->estimated += c->estimated;
    sum->comparable += c->comparable;
    sum->cached_cost = cost_add(sum->cached_cost, c->cached_cost);
    sum->cached_saved = cost_add(sum->cached_saved, c->cached_saved);
    sum->comparable_cost = cost_add(sum->comparable_cost, c->comparable_cost);
    usage_add(&sum->usage, &c->usage);
}

static struct report_calls *model_find(struct daily *d, str model)
{
    for (size_t i = 0; i < d->models_count; i++) {
        if (str_eq(d->models[i].model, model))
            return &d->models[i];
    }
    d->models[d->models_count] = (struct report_calls){ .model = model };
    return &d->models[d->models_count++];
}

/* By insertion: the rows came nearly in this order. */
static void models_sort(struct daily *d)
{
    for (size_t i = 1; i < d->models_count; i++) {
        struct report_calls moving = d->models[i];
        size_t at = i;
        for (; at > 0 && d->models[at - 1].cost < moving.cost; at--)
            d->models[at] = d->models[at - 1];
        d->models[at] = moving;
    }
}

static void models_sum(struct daily *d)
{
    for (size_t i = 0; i < d->ledger->calls_count; i++) {
        const struct report_calls *c = &d->ledger->calls[i];
        calls_add(model_find(d, c->model), c);
        calls_add(&d->calls, c);
    }
    models_sort(d);
}

/* ---- savings, repriced ---- */

static struct daily_repriced reprice(const struct daily *d, const struct price_table *prices)
{
    struct daily_repriced r = { 0 };

    for (size_t i = 0; i < d->ledger->calls_count; i++) {
        const struct report_calls *c = &d->ledger->calls[i];
        const struct price *price = price_find(prices, d->baseline, c->utc_day * USEC_PER_DAY);
        int64_t compared = price ? c->comparable : 0;
        r.left_out += c->calls - compared;
        if (compared == 0)
            continue;
        r.compared += compared;
        r.cost = cost_add(r.cost, c->comparable_cost);
        r.baseline_cost = cost_add(r.baseline_cost, price_cost(price, &c->usage));
    }
    r.is_priced = r.compared > 0;
    r.savings = r.baseline_cost - r.cost;
    r.percentage = daily_share(r.savings, r.baseline_cost);
    return r;
}

/* ---- savings, measured ---- */

/* "gpt-4o-mini/canary" is the arm canary of gpt-4o-mini. */
static str experiment_of(str label)
{
    for (size_t i = label.len; i > 0; i--) {
        if (label.ptr[i - 1] == '/')
            return str_slice(label, 0, i - 1);
    }
    return STR("");
}

static str arm_of(str label)
{
    size_t prefix = experiment_of(label).len;

    return prefix < label.len && label.ptr[prefix] == '/' ? str_slice(label, prefix + 1, label.len)
                                                          : label;
}

/* Arms that keep the old configuration. */
static bool arm_is_control(str arm)
{
    static const str names[] = { { "control", 7 }, { "baseline", 8 }, { "holdback", 8 } };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(arm, names[i]))
            return true;
    }
    return false;
}

/* The controls of one experiment, as one arm. */
static void controls_sum(const struct report_parts *arms, str experiment, struct daily_measure *out)
{
    int64_t k = 0, n = 0;

    for (size_t i = 0; i < arms->count; i++) {
        const struct report_part *arm = &arms->items[i];
        if (!arm_is_control(arm_of(arm->name)) || !str_eq(experiment_of(arm->name), experiment))
            continue;
        moments_merge(&out->control_dollars, &arm->priced);
        k += arm->succeeded;
        n += arm->queries;
    }
    out->control = daily_rate_of(k, n);
}

static void measure_compare(struct daily_measure *m)
{
    const struct compare_options options = { .alpha = DAILY_ALPHA };
    double base = moments_mean(&m->control_dollars);

    m->saved = stats_compare(&m->treated_dollars, &m->control_dollars, &options);
    m->saved_percentage = base > 0 ? 100 * (base - moments_mean(&m->treated_dollars)) / base : 0;
}

static void measures_make(struct daily *d)
{
    const struct report_parts *arms = &d->ledger->parts[REPORT_ARM];

    for (size_t i = 0; i < arms->count; i++) {
        const struct report_part *arm = &arms->items[i];
        struct daily_measure m = { .label = arm->name,
                                   .experiment = experiment_of(arm->name),
                                   .arm = arm_of(arm->name),
                                   .treated = daily_rate_of(arm->succeeded, arm->queries),
                                   .treated_dollars = arm->priced };
        if (arm->name.len == 0 || arm_is_control(m.arm))
            continue; /* queries of no arm are no experiment */
        controls_sum(arms, m.experiment, &m);
        if (m.control.n == 0)
            continue;
        measure_compare(&m);
        d->measures[d->measures_count++] = m;
    }
}

/* ---- the whole ---- */

static nano_usd average_of(const struct report_part *total)
{
    int64_t n = total->priced.n;

    if (n == 0)
        return COST_UNPRICED;
    return total->priced_cost / n + (total->priced_cost % n >= n - n / 2);
}

enum err daily_make(struct daily *out, const struct daily_options *options,
                    const struct ledger_report *ledger, struct arena *arena)
{
    struct daily d = {
        .day = options->day,
        .baseline = options->baseline,
        .is_simulated = options->is_simulated,
        .ledger = ledger,
        .average = average_of(&ledger->total),
        .success = daily_rate_of(ledger->total.succeeded, ledger->total.queries),
        .hrm = confidence_of(&ledger->total.hrm),
        .trm = confidence_of(&ledger->total.trm),
        .config = options->config,
        .activity = options->activity,
        .latency = daily_latency_of(ledger->total.latency),
        .models = ARENA_ARRAY(arena, ledger->calls_count + 1, struct report_calls),
        .measures = ARENA_ARRAY(arena, ledger->parts[REPORT_ARM].count + 1, struct daily_measure),
    };

    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    models_sum(&d);
    d.repriced = reprice(&d, options->prices);
    measures_make(&d);
    daily_bars_make(&d, arena);
    daily_calibrations_make(&d);
    daily_kpis_make(&d);
    daily_recommend(&d, arena);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = d;
    return OK;
}

/* ---- formats ---- */

const char *daily_title(const struct daily *d)
{
    return d->day.days > 1 ? "Cost Report" : "Daily Cost Report";
}

static const struct {
    const char *name;
    void (*write)(const struct daily *d, struct buf *out);
} formats[DAILY_FORMAT_COUNT] = {
    [DAILY_TEXT] = { "text", daily_write_text },
    [DAILY_JSON] = { "json", daily_write_json },
    [DAILY_CSV] = { "csv", daily_write_csv },
    [DAILY_HTML] = { "html", daily_write_html },
};

bool daily_format_find(str name, enum daily_format *out)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (str_eq(name, str_from(formats[i].name))) {
            *out = (enum daily_format)i;
            return true;
        }
    }
    return false;
}

void daily_write(const struct daily *d, enum daily_format format, struct buf *out)
{
    formats[format].write(d, out);
}

/* ---- all of it ---- */

static enum err report_make(const struct daily_request *request, struct arena *arena,
                            struct buf *out, char out_why[256])
{
    const struct report_span span = { request->day.from, request->day.to, request->is_simulated };
    struct daily_options options = {
        .day = request->day,
        .baseline =
            request->baseline.len > 0 ? request->baseline : request->config->report.baseline,
        .is_simulated = request->is_simulated,
        .prices = &request->config->prices,
        .config = request->config,
    };
    struct ledger_report ledger;
    struct daily d;
    enum err e = store_read_report(request->directory, &span, arena, &ledger, out_why);

    if (e == OK)
        e = daily_activity_read(request->directory, &request->day, &options.activity, out_why);
    if (e != OK)
        return e;
    e = daily_make(&d, &options, &ledger, arena);
    if (e == OK)
        daily_write(&d, request->format, out);
    if (e == OK && out->failed)
        e = WEIR_NO_MEMORY;
    if (e != OK)
        snprintf(out_why, 256, "the report does not fit the memory of one");
    return e;
}

enum err daily_report(const struct daily_request *request, struct buf *out, char out_why[256])
{
    struct arena arena;

    arena_init(&arena, MEMORY_MAX);
    enum err e = report_make(request, &arena, out, out_why);
    arena_fini(&arena);
    return e;
}
