/* SPDX-License-Identifier: Apache-2.0 */
/* otlp: attributes, resources, and what an answer means. */
#include "core/telemetry/otlp.h"

#include "core/telemetry/otlp_internal.h"
#include "core/telemetry/protobuf.h"

/* Fields of KeyValue, AnyValue, Resource, InstrumentationScope, Export…ServiceResponse, Export…PartialSuccess. */
enum {
    KEY_VALUE_KEY = 1,
    KEY_VALUE_VALUE = 2,
    ANY_STRING = 1,
    ANY_BOOL = 2,
    ANY_INT = 3,
    ANY_DOUBLE = 4,
    RESOURCE_ATTRIBUTES = 1,
    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
    RESPONSE_PARTIAL_SUCCESS = 1,
    PARTIAL_REJECTED = 1,
};

/* ---- attributes ---- */

struct open_value {
    size_t pair, any;
};

static struct open_value value_begin(const struct otlp_place *place, str name)
{
    struct open_value open = { .pair = protobuf_begin(place->out, place->field) };

    protobuf_bytes(place->out, KEY_VALUE_KEY, name);
    open.any = protobuf_begin(place->out, KEY_VALUE_VALUE);
    return open;
}

static void value_end(const struct otlp_place *place, struct open_value open)
{
    protobuf_end(place->out, open.any);
    protobuf_end(place->out, open.pair);
}

void otlp_add_str(const struct otlp_place *place, str name, str value)
{
    struct open_value open = value_begin(place, name);

    protobuf_text(place->out, ANY_STRING, value);
    value_end(place, open);
}

static void add_varint(const struct otlp_place *place, str name, uint32_t field, uint64_t value)
{
    struct open_value open = value_begin(place, name);

    protobuf_u64(place->out, field, value);
    value_end(place, open);
}

void otlp_add_i64(const struct otlp_place *place, str name, int64_t value)
{
    add_varint(place, name, ANY_INT, (uint64_t)value);
}

void otlp_add_double(const struct otlp_place *place, str name, double value)
{
    struct open_value open = value_begin(place, name);

    protobuf_double(place->out, ANY_DOUBLE, value);
    value_end(place, open);
}

void otlp_add_bool(const struct otlp_place *place, str name, bool value)
{
    add_varint(place, name, ANY_BOOL, value);
}

/* ---- who speaks ---- */

void otlp_add_resource(struct buf *out, const struct otlp_resource *resource)
{
    const struct otlp_place place = { out, RESOURCE_ATTRIBUTES };
    size_t message = protobuf_begin(out, 1);

    otlp_add_str(&place, STR("service.name"), resource->service);
    otlp_add_str(&place, STR("service.version"), resource->version);
    otlp_add_str(&place, STR("telemetry.sdk.name"), STR("weir"));
    otlp_add_str(&place, STR("telemetry.sdk.language"), STR("c"));
    otlp_add_str(&place, STR("telemetry.sdk.version"), resource->version);
    for (size_t i = 0; i < resource->attribute_count; i++)
        otlp_add_str(&place, resource->attributes[i].name, resource->attributes[i].value);
    protobuf_end(out, message);
}

void otlp_add_scope(struct buf *out, const struct otlp_resource *resource)
{
    size_t message = protobuf_begin(out, 1);

    protobuf_text(out, SCOPE_NAME, STR("weir"));
    protobuf_text(out, SCOPE_VERSION, resource->version);
    protobuf_end(out, message);
}

/* ---- answers ---- */

/* The value of a number in a message; 0 when it is not there. */
static int64_t number_in(str message, uint32_t number)
{
    struct protobuf_field field;
    int64_t found = 0;
    bool is_bad;

    while (protobuf_next(&message, &field, &is_bad))
        if (field.number == number)
            found = (int64_t)field.value;
    return is_bad ? 0 : found;
}

static int64_t rejected_in(str body)
{
    struct protobuf_field field;
    int64_t rejected = 0;
    bool is_bad;

    while (protobuf_next(&body, &field, &is_bad))
        if (field.number == RESPONSE_PARTIAL_SUCCESS)
            rejected = number_in(field.bytes, PARTIAL_REJECTED);
    return is_bad || rejected < 0 ? 0 : rejected;
}

enum otlp_verdict otlp_verdict_of(int http_status, str body, int64_t *out_rejected)
{
    *out_rejected = 0;
    if (http_status >= 200 && http_status < 300) {
        *out_rejected = rejected_in(body);
        return OTLP_TAKEN;
    }
    return http_status == 429 || (http_status >= 502 && http_status <= 504) ? OTLP_RETRY
                                                                            : OTLP_REFUSED;
}
