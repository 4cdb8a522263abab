/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ranks: finds the files that tools/setup-tokens made and maps them, so that processes share one copy in memory and only what is
 * used of it is read.
 *
 * A file must not be changed while it is mapped; tools/setup-tokens replaces it whole.
 *
 * May include: base, core/tokens.
 */
#ifndef WEIR_EDGE_RANKS_RANKS_H
#define WEIR_EDGE_RANKS_RANKS_H

#include "core/tokens/tokens.h"

struct ranks;

/*
 * Maps DIRECTORY/ENCODING.bin. With no directory (ptr NULL) the first that is there, seen from the running program's own
 * directory: ../tokens (a build), ../share/weir (an installation), then /usr/share/weir. WEIR_IO when there is none or it
 * cannot be read; WEIR_CONFIG when it is not this encoding's table; WEIR_NO_MEMORY.
 */
NODISCARD enum err ranks_open(struct ranks **out, str directory, enum token_encoding encoding);
void ranks_close(struct ranks *ranks); /* no table of it may be in use; NULL is a no-op */
const struct token_table *ranks_table(const struct ranks *ranks);

#endif
