/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that browse share; nobody else includes it. */
#ifndef WEIR_EDGE_STORE_BROWSE_INTERNAL_H
#define WEIR_EDGE_STORE_BROWSE_INTERNAL_H

#include "edge/store/browse.h"
#include "edge/store/sqlite_internal.h"

struct browser {
    struct database *db;
};

#endif
