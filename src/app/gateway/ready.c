/* SPDX-License-Identifier: Apache-2.0 */
/* ready: GET /readyz, the same on both listeners but for the details, which are the operators'. */
#include "app/gateway/gateway_internal.h"

#include "app/health/health.h"

/* `?verbose` as Kubernetes' own components have it, or a client that asks for JSON by its name. */
static bool wants_all(const struct exchange *x)
{
    str query = exchange_query(x), accept = exchange_header(x, STR("accept")), pair = { 0 };

    while (str_next(&query, '&', &pair)) {
        if (str_eq(pair, STR("verbose")) || str_starts(pair, STR("verbose=")))
            return true;
    }
    return str_find(accept, STR("application/json")) != STR_NPOS;
}

int ready_answer(const struct ready_question *question, const struct exchange *x, struct buf *body)
{
    struct health_report report;

    health_read(question->health, &report);
    if (question->is_draining)
        report.state = HEALTH_STOPPING;
    health_write(&report, wants_all(x) ? HEALTH_SHOW_ALL : HEALTH_SHOW_FAULTS,
                 question->has_details, body);
    return report.state == HEALTH_READY ? 200 : 503;
}
