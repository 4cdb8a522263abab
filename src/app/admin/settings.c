/* SPDX-License-Identifier: Apache-2.0 */
/* settings: GET /admin/v1/config: the configuration that holds, without its secrets. */
#include "app/admin/dashboard_internal.h"

void settings_answer(struct dashboard *d, struct exchange *x)
{
    const struct refusal failed = { 500, "too_large", "the answer is too large" };
    struct buf body = { 0 };

    if (!str_eq(exchange_path(x), STR("/admin/v1/config"))) {
        dashboard_refuse(x, &refusal_path);
        return;
    }
    if (!str_eq(exchange_method(x), STR("GET"))) {
        dashboard_refuse(x, &refusal_method);
        return;
    }
    config_effective_write(d->options.config, d->options.config_now(d->options.reload), &body);
    if (body.failed)
        dashboard_refuse(x, &failed);
    else
        dashboard_answer(x, 200, buf_str(&body));
    buf_fini(&body);
}
