/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varint: unsigned integers in as few bytes as they need: seven bits a byte, low first, the top bit saying that more follow
 * (LEB128; the varints of Protocol Buffers).
 *
 * May include: base.
 */
#ifndef WEIR_BASE_VARINT_H
#define WEIR_BASE_VARINT_H

#include "base/str.h"

#define VARINT_BYTES_MAX 10 /* of 64 bits */

/* In its shortest form; how many bytes it took, 1 to 10. */
size_t varint_write(uint8_t out[VARINT_BYTES_MAX], uint64_t v);
void varint_add(struct buf *out, uint64_t v);

/* Takes one off the text. False, and nothing is taken, when it is cut or longer than 64 bits. */
bool varint_take(str *rest, uint64_t *out);
/* The same; false also of a form that is not the shortest, so that equal values are equal bytes. */
bool varint_take_shortest(str *rest, uint64_t *out);

#endif
