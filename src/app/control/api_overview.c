/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_overview: what happens now, from the windows in memory: GET /admin/v1/overview, and the smaller snapshot that viewers
 * are sent while they look. What was before that is in the ledger.
 */
#include "app/control/control_internal.h"

#include <math.h>

#define SERIES_MAX (WINDOWS_ARMS_MAX + FEED_DOMAIN_COUNT)

static const struct {
    const char *name;
    nsec width;
} windows[] = {
    { "10s", 10 * NSEC_PER_SEC },        { "1m", 60 * NSEC_PER_SEC },
    { "10m", 600 * NSEC_PER_SEC },       { "1h", 3600 * NSEC_PER_SEC },
    { "24h", 24 * 3600 * NSEC_PER_SEC },
};

/* Of nothing there is no mean: null. */
static void member_mean(struct buf *out, const char *name, double value, int64_t n)
{
    json_member_double(out, name, n > 0 ? value : NAN);
}

/* Members only: the caller writes the braces, and what it is of. */
static void summary_members(struct buf *out, const struct windows_summary *s)
{
    static const char *const quantiles[WINDOWS_QUANTILES] = { "p50", "p90", "p95", "p99" };

    json_member_i64(out, "n", s->n);
    json_member_i64(out, "failed", s->failed);
    json_member_i64(out, "wrong", s->wrong);
    member_mean(out, "success_rate", (double)(s->n - s->failed - s->wrong) / (double)s->n, s->n);
    member_mean(out, "error_rate", (double)s->failed / (double)s->n, s->n);
    json_member_i64(out, "priced", s->priced);
    json_member_i64(out, "unpriced", s->unpriced);
    json_member_double(out, "cost_usd", s->cost_usd);
    member_mean(out, "cost_per_query_usd", s->cost_usd / (double)s->priced, s->priced);
    json_member_i64(out, "hrm_n", s->hrm_n);
    member_mean(out, "hrm_confidence", s->hrm, s->hrm_n);
    json_member_i64(out, "trm_n", s->trm_n);
    member_mean(out, "trm_confidence", s->trm, s->trm_n);
    json_key(out, "latency_ms");
    buf_add_char(out, '{');
    for (size_t i = 0; i < WINDOWS_QUANTILES; i++)
        member_mean(out, quantiles[i], s->latency_ms[i], s->n);
    buf_add_char(out, '}');
}

static void windows_write(const struct controller *c, struct buf *out)
{
    const struct alert_labels all = { .arm = { 0 } };
    struct windows_summary s;

    json_key(out, "windows");
    buf_add_char(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        windows_summarise(c->windows, windows_now(c), &all, windows[i].width, &s);
        json_key(out, windows[i].name);
        buf_add_char(out, '{');
        json_member_double(out, "seconds", (double)windows[i].width / (double)NSEC_PER_SEC);
        summary_members(out, &s);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

/* The last hour by arm or by domain. */
static void series_write(const struct controller *c, const char *name, unsigned by, struct buf *out)
{
    struct alert_labels labels[SERIES_MAX];
    struct windows_summary s;
    size_t n = windows_series(c->windows, windows_now(c), by, labels, ARRAY_LEN(labels));

    json_key(out, name);
    buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        windows_summarise(c->windows, windows_now(c), &labels[i], 3600 * NSEC_PER_SEC, &s);
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "name", by == ALERT_BY_ARM ? labels[i].arm : labels[i].domain);
        summary_members(out, &s);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void minutes_write(const struct controller *c, struct buf *out)
{
    struct windows_summary s[WINDOWS_RECENT_MAX];
    int64_t minute = windows_now(c) / (60 * NSEC_PER_SEC) * 60;

    windows_recent(c->windows, windows_now(c), WINDOWS_MINUTES, ARRAY_LEN(s), s);
    json_key(out, "minutes");
    buf_add_char(out, '[');
    for (size_t i = 0; i < ARRAY_LEN(s); i++) {
        json_comma(out);
        buf_add_char(out, '{');
        json_member_i64(out, "at", minute - 60 * (int64_t)(ARRAY_LEN(s) - 1 - i));
        summary_members(out, &s[i]);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* ---- what is under way ---- */

static void rollout_write(const struct controller *c, struct buf *out)
{
    const struct live_rollout *l = c->rollout;

    json_key(out, "rollout");
    if (!l) {
        buf_add(out, STR("null"));
        return;
    }
    buf_add_char(out, '{');
    json_member_str(out, "name", l->machine.spec->id);
    json_member_str(out, "state", str_from(rollout_state_name(l->machine.place.state)));
    json_member_i64(out, "step", (int64_t)l->machine.place.step + 1);
    json_member_i64(out, "steps", (int64_t)l->machine.spec->step_count);
    json_member_i64(out, "generation", l->machine.generation);
    json_member_i64(out, "sequence", l->machine.sequence);
    json_member_str(out, "holds", rollout_holds(c, l));
    buf_add_char(out, '}');
}

static void state_write(const struct controller *c, struct buf *out)
{
    size_t running = 0;

    rollout_write(c, out);
    for (size_t i = 0; i < c->experiment_count; i++)
        running += c->experiments[i]->is_running;
    json_member_i64(out, "experiments_running", (int64_t)running);
    json_member_i64(out, "alerts_firing", (int64_t)alert_count(c->alerting.machine, ALERT_FIRING));
    json_member_i64(out, "alerts_pending",
                    (int64_t)alert_count(c->alerting.machine, ALERT_PENDING));
    json_member_i64(out, "dead_letters", c->alerting.dead_known > 0 ? c->alerting.dead_known : 0);
    json_member_i64(out, "facts_dropped", (int64_t)c->dropped_told);
}

void controller_snapshot_write(struct controller *c, struct buf *out)
{
    controller_clock(c);
    buf_add_char(out, '{');
    json_member_i64(out, "at_us", c->wall);
    state_write(c, out);
    windows_write(c, out);
    buf_add_char(out, '}');
}

void api_overview(struct controller *c, struct exchange *x, str rest)
{
    struct buf body = { 0 };

    if (rest.len > 0 || !str_eq(exchange_method(x), STR("GET"))) {
        api_refuse(x, rest.len > 0 ? &api_unknown_path : &api_bad_method);
        return;
    }
    buf_add_char(&body, '{');
    json_member_i64(&body, "at_us", c->wall);
    state_write(c, &body);
    windows_write(c, &body);
    series_write(c, "domains", ALERT_BY_DOMAIN, &body);
    series_write(c, "arms", ALERT_BY_ARM, &body);
    minutes_write(c, &body);
    buf_add_char(&body, '}');
    api_answer(x, 200, &body);
    buf_fini(&body);
}
