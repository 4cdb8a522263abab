/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens: how many tokens a text is in OpenAI's encodings o200k_base and cl100k_base.
 *
 * A text is cut into pieces by the encoding's published pattern, and each piece is merged, pair by pair, lowest rank first,
 * leftmost first among equals (byte pair encoding). The counts are those of tiktoken's encode_ordinary(): what looks like
 * a special token ("<|endoftext|>") is text like any other.
 *
 * Bytes that are no UTF-8 count as Python's decode("utf-8", errors="replace") would have them: each maximal part of a
 * sequence that cannot go on is one U+FFFD.
 *
 * A caller may rely on: a count is never above the bytes (after that replacement); cutting a stream elsewhere never changes
 * its count; time is linear in the text but for a factor log n in pieces without a place to cut; no table, however
 * damaged, leads to a read outside it.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_TOKENS_TOKENS_H
#define WEIR_CORE_TOKENS_TOKENS_H

#include "base/arena.h"
#include "base/base.h"

enum token_encoding { TOKEN_O200K_BASE, TOKEN_CL100K_BASE, TOKEN_ENCODING_COUNT };

/* "o200k_base"; never NULL for an enumerator. */
const char *token_encoding_name(enum token_encoding encoding);
/* False for a name that is not one of the two. */
bool token_encoding_parse(str name, enum token_encoding *out);

/* Of an OpenAI model, by its family's name; false when nobody knows. */
bool token_encoding_of_model(str model, enum token_encoding *out);

/* An encoding's ranks, in memory of the caller's (a mapped file of tools/setup-tokens); read only, shared by threads. */
struct token_table {
    enum token_encoding encoding;
    const uint8_t *slots; /* slot_count of 16 bytes */
    const uint32_t *pairs; /* rank of the two bytes i >> 8 and i & 255 */
    const uint8_t *filter; /* one bit for each value of a hash: no token has it, or one may */
    const uint8_t *longs; /* the bytes of tokens that have no room in a slot */
    uint32_t slot_count;
    uint32_t probe_max;
    uint32_t token_bytes_max;
    uint32_t longs_len;
    uint32_t filter_shift; /* 0 to 29: what a hash of 32 bits loses to be a bit's place */
};

/*
 * Reads the header; the rest is looked at when it is needed. bytes must be aligned to 8 and outlive the table. WEIR_CONFIG
 * when this is no table, one of another version or byte order, or its length is not what the header says.
 */
NODISCARD enum err token_table_init(struct token_table *table, str bytes);

/*
 * Counts a whole text. Pieces of more than 64 bytes, and those that are no UTF-8, take memory of the arena: at most 26
 * bytes for a byte of the longest piece (84 where it is no UTF-8), and as much again for its predecessors.
 * WEIR_NO_MEMORY when the arena is at its ceiling; CALLER_TOO_LARGE for 1 GiB and more.
 */
NODISCARD enum err token_count(const struct token_table *table, str text, struct arena *arena,
                               int64_t *out_count);

/* Memory for merging that grows as needed; private to the module. */
struct token_scratch {
    struct arena *arena;
    uint32_t *words;
    size_t cap; /* bytes of a piece for which words has room */
    uint8_t *clean;
    size_t clean_cap;
};

/* A text that arrives in parts. */
struct token_stream {
    const struct token_table *table;
    struct token_scratch scratch;
    uint8_t *pending; /* what a later byte could still join */
    size_t pending_len;
    size_t pending_cap;
    size_t due; /* length of pending at which it is worth looking for whole pieces again */
    int64_t settled; /* tokens before pending */
    enum err result; /* sticky */
};

/* The stream's memory is the arena's, which must outlive it; there is nothing to end. */
void token_stream_init(struct token_stream *stream, const struct token_table *table,
                       struct arena *arena);
/* WEIR_NO_MEMORY or CALLER_TOO_LARGE as above, of the piece that is not yet whole; then every later call fails too. */
NODISCARD enum err token_stream_feed(struct token_stream *stream, str bytes);
/*
 * The count as if the stream ended here; it may go on. Takes time for what is pending (usually less than 512 bytes), so
 * ask at the end or now and then, not at every byte.
 */
NODISCARD enum err token_stream_count(struct token_stream *stream, int64_t *out_count);

#endif
