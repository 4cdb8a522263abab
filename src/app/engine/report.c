/* SPDX-License-Identifier: Apache-2.0 */
/* report: the `weir` member of an answer. */
#include "app/engine/engine.h"

#include <math.h>

#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/store/store.h"

static void add_share(struct buf *out, const char *name, double value)
{
    if (value >= 0) { /* four decimals say more than a raw signal knows */
        json_member_double(out, name, round(value * 1e4) / 1e4);
    } else {
        json_member_null(out, name);
    }
}

/* What was decided and why. A plain query has nothing to decide. */
static void add_route(struct buf *out, const struct query *q)
{
    const struct decision *d = q->decision;

    json_key(out, "route");
    buf_add_char(out, '{');
    json_member_str(out, "scorer", d ? d->scorer : STR("named"));
    add_share(out, "score", d ? d->score : -1);
    json_key(out, "reasons");
    buf_add_char(out, '[');
    if (!d)
        json_write_str(out, str_from(q->route.reason));
    for (size_t i = 0; d && i < d->reason_count; i++) {
        json_comma(out);
        json_write_str(out, d->reasons[i]);
    }
    buf_add_char(out, ']');
    add_share(out, "propensity", d ? d->propensity : -1);
    json_member_bool(out, "explored", d && d->is_explored);
    buf_add_char(out, '}');
}

/* null: the request named the domain, or nobody asked for one. */
static void add_domain_guess(struct buf *out, const struct query *q)
{
    json_key(out, "domain_guess");
    if (!q->decision || q->decision->domain_probability < 0) {
        buf_add(out, STR("null"));
        return;
    }
    buf_add_char(out, '{');
    add_share(out, "probability", q->decision->domain_probability);
    buf_add_char(out, '}');
}

static void add_cost(struct buf *out, nano_usd cost)
{
    char decimal[32];

    if (cost == COST_UNPRICED) {
        buf_add(out, STR(",\"cost_usd\":null,\"cost_nano_usd\":null,\"unpriced\":true"));
        return;
    }
    json_key(out, "cost_usd");
    buf_add(out, cost_decimal(cost, decimal));
    json_member_i64(out, "cost_nano_usd", cost);
}

str query_report(const struct query *q, struct arena *arena)
{
    struct buf out = { .max = (size_t)1 << 20 };
    char id[20];

    buf_add_char(&out, '{');
    json_member_str(&out, "query_id", ledger_id_format(q->id, id));
    json_member_str(&out, "strategy",
                    q->route.is_plain ? STR("plain")
                                      : str_from(reason_strategy_name(q->route.strategy)));
    json_member_str(&out, "model", q->model);
    json_member_str(&out, "domain", q->domain);
    add_domain_guess(&out, q);
    add_route(&out, q);
    json_member_str_or_null(&out, "arm", q->arm);
    if (q->arm_share > 0)
        json_member_double(&out, "arm_share", q->arm_share);
    add_share(&out, "hrm_confidence", q->best.hrm_confidence);
    add_share(&out, "trm_confidence", q->best.trm_confidence);
    json_key(&out, "confidence");
    buf_add_char(&out, '{');
    add_share(&out, "value", q->best.confidence);
    json_member_bool(&out, "calibrated", q->best.is_calibrated);
    add_share(&out, "raw", q->best.raw_confidence);
    buf_add_char(&out, '}');
    if (q->best.halt)
        json_member_str(&out, "halt", str_from(q->best.halt));
    json_member_i64(&out, "calls", q->calls);
    json_key(&out, "tokens");
    buf_printf(
        &out,
        "{\"input\":%" PRId64 ",\"output\":%" PRId64 ",\"cached\":%" PRId64 ",\"estimated\":%s}",
        q->usage.input, q->usage.output, q->usage.cached, q->usage.is_estimated ? "true" : "false");
    add_cost(&out, q->cost);
    json_member_double(&out, "latency_ms", (double)(q->took / NSEC_PER_USEC) / 1e3);
    json_member_bool(&out, "simulated", q->is_simulated);
    buf_add_char(&out, '}');
    str text = out.failed ? (str){ NULL, 0 } : arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return text;
}
