/* SPDX-License-Identifier: Apache-2.0 */
/* admin: health and metrics, on a listener that is not the public one. */
#include "app/gateway/gateway_internal.h"
#include "app/health/health.h"
#include "edge/http/server.h"
#include "edge/telemetry/metrics.h"

void admin_on_request(void *ctx, struct exchange *x)
{
    const struct admin *admin = ctx;
    str path = exchange_path(x);
    str json = STR("application/json");

    if (str_eq(path, STR("/healthz"))) {
        exchange_respond(x, 200, json, NULL, 0, STR("{\"status\":\"ok\"}"));
    } else if (str_eq(path, STR("/readyz"))) {
        const struct ready_question question = { admin->health, admin->is_draining, true };
        struct buf body = { 0 };
        int status = ready_answer(&question, x, &body);
        exchange_respond(x, status, json, NULL, 0, buf_str(&body));
        buf_fini(&body);
    } else if (str_eq(path, STR("/metrics"))) {
        struct buf body = { 0 };
        struct health_report report;
        health_read(admin->health, &report);
        metrics_write(&body, admin->shards, admin->shard_count);
        health_metrics_write(&report, &body);
        exchange_respond(x, 200, STR("text/plain; version=0.0.4; charset=utf-8"), NULL, 0,
                         buf_str(&body));
        buf_fini(&body);
    } else if (str_eq(path, STR("/openapi.yaml"))) {
        exchange_respond(x, 200, STR("application/yaml"), NULL, 0, gateway_openapi[0]);
    } else if (admin->on_api && str_starts(path, STR("/admin/v1/"))) {
        admin->on_api(admin->api, x);
    } else if (str_eq(path, STR("/")) || str_starts(path, STR("/admin/v1/"))) {
        exchange_respond(x, 501, json, NULL, 0,
                         STR("{\"error\":{\"message\":\"not supported yet\"}}"));
    } else {
        exchange_respond(x, 404, json, NULL, 0,
                         STR("{\"error\":{\"message\":\"there is nothing at this path\"}}"));
    }
}
