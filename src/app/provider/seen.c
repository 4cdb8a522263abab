/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen: what a scripted provider saw of each request, in order: when it came, which model it asks for, the end of its key. Read by
 * those who test a client from both sides.
 */
#include "app/provider/provider_internal.h"

#define SEEN_BYTES_MAX ((size_t)4 << 20) /* what comes after is not noted */
#define KEY_BYTES_SHOWN 4

void seen_note(struct provider *p, const struct exchange *x)
{
    str key = exchange_header(x, STR("authorization"));
    struct scan scan = { .stream = false };
    struct buf *out = &p->seen;

    if (out->len >= SEEN_BYTES_MAX)
        return;
    bool is_chat = scan_request(exchange_body(x), &scan);
    buf_printf(out, "%s{\"at_ms\":%" PRId64 ",\"key\":", out->len > 0 ? "," : "",
               world_now(p->world) / NSEC_PER_MS);
    json_write_str(
        out, str_slice(key, key.len > KEY_BYTES_SHOWN ? key.len - KEY_BYTES_SHOWN : 0, key.len));
    buf_printf(out, ",\"model\":");
    json_write_str(out, is_chat ? scan.model : (str){ 0 });
    buf_printf(out, ",\"stream\":%s}", is_chat && scan.stream ? "true" : "false");
}

void answer_seen(struct provider *p, struct exchange *x)
{
    buf_reset(&p->body);
    buf_printf(&p->body, "{\"requests\":[%.*s]}", STR_ARG(buf_str(&p->seen)));
    respond_json(p, x, 200, buf_str(&p->body));
}
