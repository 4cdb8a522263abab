/* SPDX-License-Identifier: Apache-2.0 */
/* model: which encoding a model's texts are cut by, from its name. */
#include "core/tokens/tokens.h"

/* OpenAI's families, as tiktoken's model table has them; the first that a name begins with holds. */
static const struct {
    const char *family;
    enum token_encoding encoding;
} families[] = {
    { "gpt-5", TOKEN_O200K_BASE },
    { "gpt-4.5", TOKEN_O200K_BASE },
    { "gpt-4.1", TOKEN_O200K_BASE },
    { "gpt-4o", TOKEN_O200K_BASE },
    { "chatgpt-4o", TOKEN_O200K_BASE },
    { "o1", TOKEN_O200K_BASE },
    { "o3", TOKEN_O200K_BASE },
    { "o4-mini", TOKEN_O200K_BASE },
    { "gpt-4", TOKEN_CL100K_BASE },
    { "gpt-3.5", TOKEN_CL100K_BASE },
    { "gpt-35", TOKEN_CL100K_BASE },
    { "text-embedding-3", TOKEN_CL100K_BASE },
    { "text-embedding-ada-002", TOKEN_CL100K_BASE },
};

/* "gpt-4" is a family of gpt-4 and gpt-4-turbo, not of gpt-40. */
static bool is_of(str model, str family)
{
    if (!str_starts(model, family))
        return false;
    return model.len == family.len || model.ptr[family.len] == '-' || model.ptr[family.len] == '.';
}

bool token_encoding_of_model(str model, enum token_encoding *out)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (is_of(model, str_from(families[i].family))) {
            *out = families[i].encoding;
            return true;
        }
    }
    return false;
}
