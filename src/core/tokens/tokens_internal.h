/* SPDX-License-Identifier: Apache-2.0 */
/* tokens_internal: what the module's files share: characters, pieces, ranks, merging. */
#ifndef WEIR_CORE_TOKENS_TOKENS_INTERNAL_H
#define WEIR_CORE_TOKENS_TOKENS_INTERNAL_H

#include "core/tokens/tokens.h"

/*
 * The classes that the patterns tell apart, as sets of bits. A caseless letter (Lm, Lo) and a mark belong to an upper-case run and
 * to a lower-case run alike. tools/unicode-classes writes the table in this order.
 */
enum {
    CHAR_END = 0, /* behind the text */
    CHAR_UPPER = 1, /* Lu, Lt */
    CHAR_LOWER = 2, /* Ll */
    CHAR_CASELESS = 4, /* Lm, Lo */
    CHAR_MARK = 8, /* M */
    CHAR_NUMBER = 16, /* N */
    CHAR_SPACE = 32, /* White_Space but for the next */
    CHAR_NEWLINE = 64, /* CR, LF */
    CHAR_OTHER = 128
};

extern const uint8_t token_class_index[0x1100];
extern const uint8_t token_class_blocks[][256];

struct token_char {
    uint32_t code; /* U+FFFD where the bytes are no UTF-8 */
    uint32_t len; /* bytes that it takes here */
    bool is_invalid;
    bool is_cut; /* more bytes behind the text could have made it another character */
};

/* The first character of 1 byte or more. */
struct token_char token_char_read(const uint8_t *bytes, size_t len);
/* Copies with U+FFFD for what is no UTF-8; out has room for 3 bytes a byte. The bytes written. */
size_t token_text_clean(str text, uint8_t *out);

static inline uint8_t token_char_class(uint32_t code)
{
    return token_class_blocks[token_class_index[code >> 8]][code & 255];
}

struct token_piece {
    str bytes;
    bool is_open; /* what comes behind the text could change where this piece ends */
    bool has_invalid;
};

/* The piece at the beginning of text, which must not be empty: at least one byte. */
struct token_piece token_piece_read(enum token_encoding encoding, str text);

#define TOKEN_NO_RANK UINT32_MAX

/* The rank of 1 byte or more; TOKEN_NO_RANK when they are no token. */
uint32_t token_rank(const struct token_table *table, const uint8_t *bytes, size_t len);

#define TOKEN_PIECE_MAX ((size_t)1 << 30)

/* Tokens of a piece of valid UTF-8, 1 byte to TOKEN_PIECE_MAX. WEIR_NO_MEMORY. */
NODISCARD enum err token_piece_count(const struct token_table *table, struct token_scratch *scratch,
                                     str piece, int64_t *out_count);

#endif
