/* SPDX-License-Identifier: Apache-2.0 */
/* route_internal: what the files of core/route share: the tables that tools/route-tables makes of words.txt. */
#ifndef WEIR_CORE_ROUTE_ROUTE_INTERNAL_H
#define WEIR_CORE_ROUTE_ROUTE_INTERNAL_H

#include "core/route/route.h"

/* ---- the rules' keywords as one automaton: a bit for each letter of each keyword ---- */
enum rule { RULE_MULTI_STEP, RULE_CONSTRAINTS, RULE_AMBIGUITY, RULE_OPTIMISATION, RULE_COUNT };

/* Two words of 64 bits that are shifted and masked together; gcc's and clang's vectors do so in one register. */
typedef uint64_t rule_bits __attribute__((vector_size(16)));
struct rule_letter { /* where a byte stands in keywords */
    rule_bits first; /* at their beginning */
    rule_bits later;
};
struct rule_keyword {
    const char *text;
    enum rule rule;
    uint8_t word; /* its last letter's bit: word and position */
    uint8_t bit;
};
extern const struct rule_letter route_rule_letters[256]; /* by byte, in either case */
extern const struct rule_keyword route_rule_keywords[];
extern const size_t route_rule_keyword_count;

/* ---- words and their kinds ---- */
/* By byte: 0 outside words, else what a word is hashed from: letters in lower case, every digit as '0'. */
extern const uint8_t route_word_bytes[256];

enum word_kind { /* bits of lexicon_slot.kinds */
                 WORD_REASONING = 1 << 0,
                 WORD_PLANNING = 1 << 1,
                 WORD_CONSTRAINT = 1 << 2,
                 WORD_MATHEMATICS = 1 << 3,
                 WORD_TACTICAL = 1 << 4,
                 WORD_CYBERSECURITY = 1 << 5,
                 WORD_STEM = 1 << 6,
                 WORD_STRONG = 1 << 7, /* of its domain */
};
#define LEXICON_KINDS 4
#define LEXICON_DOMAINS 3
#define LEXICON_SLOTS 2048u /* a power of two; free slots have no kinds */

struct lexicon_slot {
    uint32_t hash; /* of the word in lower case */
    uint8_t kinds;
};
extern const struct lexicon_slot route_lexicon[LEXICON_SLOTS];
extern const int
    route_domain_sizes[LEXICON_DOMAINS]; /* words of each domain, in the order of their bits */
extern const int route_domain_vocabulary; /* words of any of them */

/* FNV-1a of 32 bits over a word in lower case. */
#define WORD_HASH_EMPTY UINT32_C(0x811c9dc5)
static inline uint32_t word_hash_add(uint32_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT32_C(0x01000193);
}

/* The kinds of a word by its hash; 0 for one that is in no list. */
static inline unsigned lexicon_kinds(uint32_t hash)
{
    for (uint32_t at = hash % LEXICON_SLOTS; route_lexicon[at].kinds != 0;
         at = (at + 1) % LEXICON_SLOTS)
        if (route_lexicon[at].hash == hash)
            return route_lexicon[at].kinds;
    return 0;
}

#endif
