/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf: writes and reads the wire format of Protocol Buffers, as much of it as OTLP needs: varints, fixed 64 bits, and what
 * has a length. https://protobuf.dev/programming-guides/encoding/
 *
 * A message within a message is written in place and moved up when its length takes more than the byte that was left for it.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_TELEMETRY_PROTOBUF_H
#define WEIR_CORE_TELEMETRY_PROTOBUF_H

#include "base/base.h"

void protobuf_u64(struct buf *out, uint32_t field, uint64_t value); /* varint; also enum and bool */
void protobuf_fixed64(struct buf *out, uint32_t field, uint64_t value);
void protobuf_double(struct buf *out, uint32_t field, double value);
void protobuf_bytes(struct buf *out, uint32_t field,
                    str bytes); /* also string: the caller's is UTF-8 */
void protobuf_text(struct buf *out, uint32_t field,
                   str text); /* bytes that are not UTF-8 become U+FFFD */

/* Repeated fixed 64 bits, packed. */
void protobuf_packed(struct buf *out, uint32_t field, const uint64_t *values, size_t n);
void protobuf_packed_double(struct buf *out, uint32_t field, const double *values, size_t n);

/* Around what belongs to a message. */
size_t protobuf_begin(struct buf *out, uint32_t field); /* what protobuf_end() needs */
void protobuf_end(struct buf *out, size_t mark);

struct protobuf_field {
    uint32_t number;
    uint64_t value; /* varint and fixed */
    str bytes; /* of what has a length */
};
/* Takes the next field off *rest; false at the end and at what is malformed (*out_bad). */
bool protobuf_next(str *rest, struct protobuf_field *out, bool *out_bad);

#endif
