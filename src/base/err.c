/* SPDX-License-Identifier: Apache-2.0 */
/* err: the faults table as data. */
#include "base/err.h"

#include <assert.h>
#include <strings.h>

static const struct err_info infos[ERR_COUNT] = { [OK] = { "OK", 200, false, false, "", "ok" },
#define X(name, status, retryable, blames, type, text)                                             \
    [name] = { #name, status, retryable, blames, type, text },
                                                  ERR_TABLE(X)
#undef X
};

const struct err_info *err_info(enum err e)
{
    assert(e < ERR_COUNT);
    return &infos[e];
}

enum err err_from_name(const char *name)
{
    for (unsigned i = 0; i < ERR_COUNT; i++) {
        if (strcasecmp(infos[i].name, name) == 0)
            return (enum err)i;
    }
    return ERR_COUNT;
}
