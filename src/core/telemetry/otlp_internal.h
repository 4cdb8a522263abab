/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of OTLP share: attributes, resources. Field numbers are opentelemetry-proto's. */
#ifndef WEIR_CORE_TELEMETRY_OTLP_INTERNAL_H
#define WEIR_CORE_TELEMETRY_OTLP_INTERNAL_H

#include "core/telemetry/otlp.h"

/* A KeyValue in the given field; a text that is not UTF-8 is mended. */
struct otlp_place {
    struct buf *out;
    uint32_t field;
};
void otlp_add_str(const struct otlp_place *place, str name, str value);
void otlp_add_i64(const struct otlp_place *place, str name, int64_t value);
void otlp_add_double(const struct otlp_place *place, str name, double value);
void otlp_add_bool(const struct otlp_place *place, str name, bool value);

/* Resource in field 1. */
void otlp_add_resource(struct buf *out, const struct otlp_resource *resource);
/* InstrumentationScope in field 1. */
void otlp_add_scope(struct buf *out, const struct otlp_resource *resource);

static inline uint64_t otlp_unix_nano(usec_utc t)
{
    return t > 0 ? (uint64_t)t * 1000 : 0;
}

#endif
