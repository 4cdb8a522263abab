/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: the part of an address behind the question mark (application/x-www-form-urlencoded, WHATWG URL).
 *
 * May include: base.
 */
#ifndef WEIR_APP_ADMIN_PARAMS_H
#define WEIR_APP_ADMIN_PARAMS_H

#include "base/arena.h"

/* The first value of a name, decoded, in the arena; empty where there is none. False when what stands there is not well-formed: a '%'
 * without two digits behind it, or bytes that are not UTF-8. */
bool param_read(str query, str name, struct arena *arena, str *out);

#endif
