/* SPDX-License-Identifier: Apache-2.0 */
/* words: one word of a text with its hash, for features, grams and domains. */
#ifndef WEIR_CORE_ROUTE_WORDS_H
#define WEIR_CORE_ROUTE_WORDS_H

#include "core/route/route_internal.h"

struct word {
    uint32_t hash;
    uint32_t hash_without_last; /* for plurals */
    uint32_t digits;
    uint32_t capitals; /* ASCII */
    uint32_t foreign; /* bytes beyond ASCII */
    bool has_underscore;
    size_t start;
    size_t end;
};

/* The word that begins at `at`, where a word's byte must stand. */
static inline struct word word_read(str text, size_t at)
{
    struct word word = { .hash = WORD_HASH_EMPTY, .start = at };

    for (; at < text.len; at++) {
        unsigned char raw = (unsigned char)text.ptr[at];
        unsigned char byte = route_word_bytes[raw];
        if (byte == 0)
            break;
        word.hash_without_last = word.hash;
        word.hash = word_hash_add(word.hash, byte);
        word.digits += byte == '0';
        word.capitals += byte != raw && byte != '0';
        word.foreign += byte >= 0x80;
        word.has_underscore |= byte == '_';
    }
    word.end = at;
    return word;
}

/* The kinds of the word, or of its singular. */
static inline unsigned word_kinds(str text, const struct word *word)
{
    unsigned kinds = lexicon_kinds(word->hash);

    if (kinds == 0 && (text.ptr[word->end - 1] | 0x20) == 's')
        kinds = lexicon_kinds(word->hash_without_last);
    return kinds;
}

#endif
