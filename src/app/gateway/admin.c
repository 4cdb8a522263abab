/* SPDX-License-Identifier: Apache-2.0 */
/* admin: health and metrics, on a listener that is not the public one. */
#include "app/gateway/gateway_internal.h"
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
        exchange_respond(x, admin->is_draining ? 503 : 200, json, NULL, 0,
                         admin->is_draining ? STR("{\"status\":\"stopping\"}")
                                            : STR("{\"status\":\"ready\"}"));
    } else if (str_eq(path, STR("/metrics"))) {
        struct buf body = { 0 };
        metrics_write(&body, admin->shards, admin->shard_count);
        exchange_respond(x, 200, STR("text/plain; version=0.0.4; charset=utf-8"), NULL, 0,
                         buf_str(&body));
        buf_fini(&body);
    } else if (str_eq(path, STR("/openapi.yaml"))) {
        exchange_respond(x, 200, STR("application/yaml"), NULL, 0, gateway_openapi[0]);
    } else if (admin->on_rest) {
        admin->on_rest(admin->rest, x);
    } else {
        exchange_respond(x, 404, json, NULL, 0,
                         STR("{\"error\":{\"message\":\"there is nothing at this path\"}}"));
    }
}
