/* SPDX-License-Identifier: Apache-2.0 */
/* varint: see varint.h. */
#include "base/varint.h"

size_t varint_write(uint8_t out[VARINT_BYTES_MAX], uint64_t v)
{
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)((v & 0x7f) | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

void varint_add(struct buf *out, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];

    buf_add(out, (str){ (const char *)bytes, varint_write(bytes, v) });
}

bool varint_take(str *rest, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < rest->len && i < VARINT_BYTES_MAX; i++) {
        uint8_t byte = (uint8_t)rest->ptr[i];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte & 0x80)
            continue;
        *out = v;
        *rest = str_slice(*rest, i + 1, rest->len);
        return true;
    }
    return false;
}

bool varint_take_shortest(str *rest, uint64_t *out)
{
    str left = *rest;

    if (!varint_take(&left, out))
        return false;
    size_t taken = rest->len - left.len;
    if (taken > 1 && rest->ptr[taken - 1] == 0)
        return false;
    *rest = left;
    return true;
}
