/* SPDX-License-Identifier: Apache-2.0 */
/* wire_channel: what each kind of channel needs. */
#include <string.h>

#include "core/alert/wire_internal.h"

#define PAGERDUTY_KEY_BYTES 32
#define SECRET_BYTES_MIN 16

static bool is_http(str url)
{
    return str_starts(url, STR("http://")) || str_starts(url, STR("https://"));
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t wire_secret_decode(str secret, uint8_t out[WIRE_SECRET_BYTES_MAX])
{
    uint32_t bits = 0;
    size_t n = 0;
    int held = 0;

    if (!str_starts(secret, STR("whsec_")))
        return 0;
    secret = str_slice(secret, STR("whsec_").len, secret.len);
    while (str_ends(secret, STR("=")))
        secret.len--;
    for (size_t i = 0; i < secret.len; i++) {
        int value = base64_value(secret.ptr[i]);
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (n == WIRE_SECRET_BYTES_MAX)
            return 0;
        out[n++] = (uint8_t)(bits >> held);
    }
    return n;
}

static const char *webhook_fault(const struct wire_channel *c)
{
    uint8_t bytes[WIRE_SECRET_BYTES_MAX];

    if (!is_http(c->url))
        return "a webhook needs a url that begins with http:// or https://";
    if (c->secret_count == 0)
        return "a webhook needs a secret: whsec_ and base64 of at least 16 bytes";
    for (size_t i = 0; i < c->secret_count; i++) {
        if (wire_secret_decode(c->secrets[i], bytes) < SECRET_BYTES_MIN)
            return "a webhook's secret is whsec_ and base64 of 16 to 128 bytes";
    }
    explicit_bzero(bytes, sizeof(bytes));
    return NULL;
}

const char *wire_channel_fault(const struct wire_channel *c)
{
    switch (c->kind) {
    case WIRE_SLACK:
        return is_http(c->url) ? NULL : "slack needs the url of an incoming webhook";
    case WIRE_PAGERDUTY:
        if (c->url.len > 0 && !is_http(c->url))
            return "pagerduty's url begins with https://";
        return c->secret_count == 1 && c->secrets[0].len == PAGERDUTY_KEY_BYTES
                   ? NULL
                   : "pagerduty needs a routing key of 32 characters as its secret";
    case WIRE_WEBHOOK:
        return webhook_fault(c);
    case WIRE_ALERTMANAGER:
        return is_http(c->url) ? NULL : "alertmanager needs a url such as http://127.0.0.1:9093";
    case WIRE_EMAIL:
        if (!str_starts(c->url, STR("smtp://")) && !str_starts(c->url, STR("smtps://")))
            return "email needs a url such as smtp://mail.example.org:587";
        return c->from.len > 0 && c->to_count > 0 ? NULL : "email needs from and to";
    case WIRE_KIND_COUNT:
        break;
    }
    return "unknown kind";
}
