/* SPDX-License-Identifier: Apache-2.0 */
/* judge: what is made of what was seen, and how it is told. Pure. */
#include <stdio.h>

#include "app/health/health.h"
#include "base/utc.h"
#include "core/json/json.h"
#include "core/telemetry/metric.h"

/* A store thread that does not answer for so long is stuck, or gone. */
#define STORE_PATIENCE (5 * NSEC_PER_SEC)
/* The last part of the spill: better unready a moment too early than with queries that are refused. */
#define SPILL_MARGIN 64

/* clang-format off */
static const char *const state_names[] = {
    [HEALTH_READY] = "ready",         [HEALTH_STARTING] = "starting",
    [HEALTH_NOT_READY] = "not_ready", [HEALTH_STOPPING] = "stopping",
};
/* clang-format on */

const char *health_state_name(enum health_state state)
{
    return state_names[state];
}

bool health_ledger_judge(uint64_t journal_bytes, uint64_t journal_bytes_max, bool is_writable,
                         nsec waited, char detail[200])
{
    bool is_full = journal_bytes >= journal_bytes_max - journal_bytes_max / SPILL_MARGIN;

    if (waited > STORE_PATIENCE)
        snprintf(detail, 200, "the store thread has not answered for %" PRId64 " s",
                 waited / NSEC_PER_SEC);
    else if (!is_writable)
        snprintf(detail, 200, "its directory cannot be written: disk full, read-only or gone");
    else if (is_full)
        snprintf(detail, 200,
                 "the spill is full (%" PRIu64 " of %" PRIu64
                 " bytes): the database takes no rows; see ledger.journal_max_bytes",
                 journal_bytes, journal_bytes_max);
    else
        snprintf(detail, 200, "takes rows; %" PRIu64 " bytes wait for the database", journal_bytes);
    return waited <= STORE_PATIENCE && is_writable && !is_full;
}

enum health_state health_judge(const struct health_part *parts, size_t count)
{
    enum health_state state = HEALTH_READY;

    for (size_t i = 0; i < count; i++) {
        if (!parts[i].is_required || (parts[i].is_known && parts[i].is_ok))
            continue;
        if (parts[i].is_known)
            return HEALTH_NOT_READY; /* known to be broken says more than not known */
        state = HEALTH_STARTING;
    }
    return state;
}

static void part_write(const struct health_part *part, bool has_details, struct buf *out)
{
    char since[UTC_TEXT_MAX];

    buf_add_char(out, '{');
    json_member_str(out, "name", str_from(part->name));
    json_member_bool(out, "ok", part->is_ok);
    json_member_bool(out, "required", part->is_required);
    json_member_str(out, "since", utc_format(part->since, since));
    if (has_details)
        json_member_str(out, "detail", str_from(part->detail));
    buf_add_char(out, '}');
}

void health_write(const struct health_report *report, enum health_show show, bool has_details,
                  struct buf *out)
{
    bool has_parts = show == HEALTH_SHOW_ALL || report->state == HEALTH_NOT_READY ||
                     report->state == HEALTH_STARTING;
    buf_add_char(out, '{');
    json_member_str(out, "status", str_from(health_state_name(report->state)));
    if (has_parts) {
        json_key(out, "parts");
        buf_add_char(out, '[');
        for (size_t i = 0; i < HEALTH_PART_COUNT; i++) {
            const struct health_part *part = &report->parts[i];
            if (show == HEALTH_SHOW_FAULTS && (part->is_ok || !part->is_required))
                continue;
            json_comma(out);
            part_write(part, has_details, out);
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

void health_walk(const struct health_report *report, const struct metric_sink *sink)
{
    static const struct metric_family ready = {
        "weir_ready", METRIC_GAUGE, "", "Whether a part that readiness looks at can be used."
    };

    metric_family_put(sink, &ready);
    for (size_t i = 0; i < HEALTH_PART_COUNT; i++) {
        struct metric_point p = { .labels = { { "part", str_from(report->parts[i].name) } },
                                  .label_count = 1,
                                  .value = report->parts[i].is_ok,
                                  .is_integer = true };
        metric_point_put(sink, &p);
    }
}
