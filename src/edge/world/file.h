/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: a whole file into memory.
 *
 * May include: base.
 */
#ifndef WEIR_EDGE_WORLD_FILE_H
#define WEIR_EDGE_WORLD_FILE_H

#include "base/base.h"

#define FILE_BYTES_MAX ((size_t)256 << 20)

/* Appends the file's bytes to *out, which the caller finishes also after a failure. WEIR_IO with a sentence that starts
 * with the path; WEIR_NO_MEMORY (also past FILE_BYTES_MAX). */
NODISCARD enum err file_load(str path, struct buf *out, char out_why[256]);

#endif
