/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c: the checksum of journal records, four bytes a step (slicing, Kounavis and Berry 2008).
 *
 * A CRC table is linear: the entry of a byte is the exclusive or of the entries of its bits. So eight constants a table suffice, and the
 * compiler builds the 1,024 entries.
 */
#include "edge/store/record.h"

/* clang-format off */
#define BIT(i, n, value) (((i) >> (n) & 1) ? (value) : 0)
#define T0(i) (BIT(i, 0, 0xf26b8303u) ^ BIT(i, 1, 0xe13b70f7u) ^ BIT(i, 2, 0xc79a971fu) ^ BIT(i, 3, 0x8ad958cfu) ^ \
               BIT(i, 4, 0x105ec76fu) ^ BIT(i, 5, 0x20bd8edeu) ^ BIT(i, 6, 0x417b1dbcu) ^ BIT(i, 7, 0x82f63b78u))
#define T1(i) (BIT(i, 0, 0x13a29877u) ^ BIT(i, 1, 0x274530eeu) ^ BIT(i, 2, 0x4e8a61dcu) ^ BIT(i, 3, 0x9d14c3b8u) ^ \
               BIT(i, 4, 0x3fc5f181u) ^ BIT(i, 5, 0x7f8be302u) ^ BIT(i, 6, 0xff17c604u) ^ BIT(i, 7, 0xfbc3faf9u))
#define T2(i) (BIT(i, 0, 0xa541927eu) ^ BIT(i, 1, 0x4f6f520du) ^ BIT(i, 2, 0x9edea41au) ^ BIT(i, 3, 0x38513ec5u) ^ \
               BIT(i, 4, 0x70a27d8au) ^ BIT(i, 5, 0xe144fb14u) ^ BIT(i, 6, 0xc76580d9u) ^ BIT(i, 7, 0x8b277743u))
#define T3(i) (BIT(i, 0, 0xdd45aab8u) ^ BIT(i, 1, 0xbf672381u) ^ BIT(i, 2, 0x7b2231f3u) ^ BIT(i, 3, 0xf64463e6u) ^ \
               BIT(i, 4, 0xe964b13du) ^ BIT(i, 5, 0xd725148bu) ^ BIT(i, 6, 0xaba65fe7u) ^ BIT(i, 7, 0x52a0c93fu))
#define ROW4(T, i) T(i), T((i) + 1), T((i) + 2), T((i) + 3)
#define ROW16(T, i) ROW4(T, i), ROW4(T, (i) + 4), ROW4(T, (i) + 8), ROW4(T, (i) + 12)
#define ROW64(T, i) ROW16(T, i), ROW16(T, (i) + 16), ROW16(T, (i) + 32), ROW16(T, (i) + 48)
#define ROW256(T) { ROW64(T, 0), ROW64(T, 64), ROW64(T, 128), ROW64(T, 192) }
/* clang-format on */

static const uint32_t table[4][256] = { ROW256(T0), ROW256(T1), ROW256(T2), ROW256(T3) };

uint32_t record_crc32c(const uint8_t *bytes, size_t len, uint32_t crc)
{
    crc = ~crc;
    for (; len >= 4; bytes += 4, len -= 4) {
        crc ^= (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
               (uint32_t)bytes[3] << 24;
        crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^ table[1][crc >> 16 & 0xff] ^
              table[0][crc >> 24];
    }
    for (; len > 0; bytes++, len--)
        crc = crc >> 8 ^ table[0][(crc ^ *bytes) & 0xff];
    return ~crc;
}
