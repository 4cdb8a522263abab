/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf: see protobuf.h. */
#include "core/telemetry/protobuf.h"

#include <string.h>

#include "base/varint.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 };

static void add_tag(struct buf *out, uint32_t field, enum wire wire)
{
    varint_add(out, ((uint64_t)field << 3) | (uint64_t)wire);
}

static void add_fixed64(struct buf *out, uint64_t v)
{
    char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(v >> (8 * i));
    buf_add(out, (str){ bytes, sizeof(bytes) });
}

void protobuf_u64(struct buf *out, uint32_t field, uint64_t value)
{
    add_tag(out, field, WIRE_VARINT);
    varint_add(out, value);
}

void protobuf_fixed64(struct buf *out, uint32_t field, uint64_t value)
{
    add_tag(out, field, WIRE_FIXED64);
    add_fixed64(out, value);
}

void protobuf_double(struct buf *out, uint32_t field, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    protobuf_fixed64(out, field, bits);
}

void protobuf_packed(struct buf *out, uint32_t field, const uint64_t *values, size_t n)
{
    add_tag(out, field, WIRE_LENGTH);
    varint_add(out, n * sizeof(*values));
    for (size_t i = 0; i < n; i++)
        add_fixed64(out, values[i]);
}

void protobuf_packed_double(struct buf *out, uint32_t field, const double *values, size_t n)
{
    uint64_t bits;

    add_tag(out, field, WIRE_LENGTH);
    varint_add(out, n * sizeof(*values));
    for (size_t i = 0; i < n; i++) {
        memcpy(&bits, &values[i], sizeof(bits));
        add_fixed64(out, bits);
    }
}

void protobuf_bytes(struct buf *out, uint32_t field, str bytes)
{
    add_tag(out, field, WIRE_LENGTH);
    varint_add(out, bytes.len);
    buf_add(out, bytes);
}

/* The bytes of the character that a text begins with; 0: it begins with none. */
static size_t character_length(str text)
{
    for (size_t n = 1; n <= 4 && n <= text.len; n++)
        if (str_is_utf8(str_slice(text, 0, n)))
            return n;
    return 0;
}

void protobuf_text(struct buf *out, uint32_t field, str text)
{
    if (str_is_utf8(text)) {
        protobuf_bytes(out, field, text);
        return;
    }
    size_t mark = protobuf_begin(out, field);
    while (text.len > 0) {
        size_t n = character_length(text);
        buf_add(out, n > 0 ? str_slice(text, 0, n) : STR("\xEF\xBF\xBD"));
        text = str_slice(text, n > 0 ? n : 1, text.len);
    }
    protobuf_end(out, mark);
}

size_t protobuf_begin(struct buf *out, uint32_t field)
{
    add_tag(out, field, WIRE_LENGTH);
    buf_add_char(out, 0); /* most lengths take a byte */
    return out->len;
}

void protobuf_end(struct buf *out, size_t mark)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t length = out->len - mark, n = varint_write(bytes, length);

    if (out->failed || !buf_reserve(out, n))
        return;
    if (n > 1)
        memmove(out->ptr + mark + n - 1, out->ptr + mark, length);
    memcpy(out->ptr + mark - 1, bytes, n);
    out->len += n - 1;
}

/* ---- reading ---- */

static bool take_fixed(str *rest, size_t bytes, uint64_t *out)
{
    uint64_t v = 0;

    if (rest->len < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)rest->ptr[i] << (8 * i);
    *rest = str_slice(*rest, bytes, rest->len);
    *out = v;
    return true;
}

static bool take_length(str *rest, str *out)
{
    uint64_t length;

    if (!varint_take(rest, &length) || length > rest->len)
        return false;
    *out = str_slice(*rest, 0, (size_t)length);
    *rest = str_slice(*rest, (size_t)length, rest->len);
    return true;
}

static bool take_value(str *rest, unsigned wire, struct protobuf_field *out)
{
    switch (wire) {
    case WIRE_VARINT:
        return varint_take(rest, &out->value);
    case WIRE_FIXED64:
        return take_fixed(rest, 8, &out->value);
    case WIRE_LENGTH:
        return take_length(rest, &out->bytes);
    case WIRE_FIXED32:
        return take_fixed(rest, 4, &out->value);
    default: /* groups were given up before OTLP was made; this is a number, not an enum */
        return false;
    }
}

bool protobuf_next(str *rest, struct protobuf_field *out, bool *out_bad)
{
    struct protobuf_field field = { 0 };
    uint64_t tag;

    *out_bad = false;
    if (rest->len == 0)
        return false;
    if (!varint_take(rest, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX ||
        !take_value(rest, (unsigned)(tag & 7), &field)) {
        *out_bad = true;
        return false;
    }
    field.number = (uint32_t)(tag >> 3);
    *out = field;
    return true;
}
