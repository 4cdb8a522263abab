/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sha256: SHA-256 (FIPS 180-4). Pure and portable; no branch and no place in memory depends on the bytes, only on their number.
 *
 * Text may come in any number of parts; the digest is that of the parts joined.
 *
 * Includes nothing but base.h.
 */
#ifndef WEIR_BASE_SHA256_H
#define WEIR_BASE_SHA256_H

#include "base/base.h"

#define SHA256_BYTES 32
#define SHA256_BLOCK 64

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[SHA256_BLOCK]; /* the last length % SHA256_BLOCK bytes are waiting in it */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, str bytes);
/* The digest of everything added; s may then only be initialised again. */
void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES]);

#endif
