/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features: what a route was decided from, in few bytes and exactly, so that training sees what the decision saw. Pure.
 *
 *     packed = version:u8  dense count:u8  a bit for each dense feature: is it not zero?  the features that are not, as
 *              float32  gram count:LEB128  the lowest bucket, then each one's distance to the one before less 1, as LEB128
 *
 * All little-endian. Of a gram its bucket is kept, not where its words stood: the question itself is not in the ledger. 4096 buckets of which 512 are taken are at most 512 + 31 bytes, since distances of 128 and more, which need
 * two bytes, fit into 4096 at most 31 times.
 */
#ifndef WEIR_EDGE_STORE_FEATURES_H
#define WEIR_EDGE_STORE_FEATURES_H

#include "core/route/route.h"
#include "edge/store/store.h"

/* The length. A dense feature that is not finite is packed as zero. */
size_t features_pack(uint8_t out[LEDGER_FEATURES_MAX], const struct route_features *features);
/* Grams come sorted by bucket, of no length. False when the bytes are not what features_pack() of this version of weir gives; *out is
 * untouched then. */
bool features_unpack(str packed, struct route_features *out);

#endif
