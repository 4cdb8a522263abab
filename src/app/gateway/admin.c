/* SPDX-License-Identifier: Apache-2.0 */
/* admin: health and metrics, on a listener that is not the public one. */
#include "app/gateway/gateway_internal.h"
#include "app/health/health.h"
#include "edge/http/server.h"

/* In the form that whoever scrapes it asks for. */
static void respond_metrics(const struct admin *admin, struct exchange *x)
{
    struct buf body = { 0 };
    struct metric_text text = { .format = metric_text_wanted(exchange_header(x, STR("accept"))),
                                .out = &body };
    struct metric_sink sink = metric_text_sink(&text);

    measure_walk(&admin->measure, &sink);
    metric_text_end(&text);
    exchange_respond(x, body.failed ? 503 : 200, metric_text_type(text.format), NULL, 0,
                     body.failed ? STR("") : buf_str(&body));
    buf_fini(&body);
}

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
        respond_metrics(admin, x);
    } else if (str_eq(path, STR("/openapi.yaml"))) {
        exchange_respond(x, 200, STR("application/yaml"), NULL, 0, gateway_openapi[0]);
    } else if (admin->on_rest) {
        admin->on_rest(admin->rest, x);
    } else {
        exchange_respond(x, 404, json, NULL, 0,
                         STR("{\"error\":{\"message\":\"there is nothing at this path\"}}"));
    }
}
