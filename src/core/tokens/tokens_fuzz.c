/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of counting: the first byte chooses the encoding and seeds the splits, the rest is a text of any bytes. Pieces put
 * together are the text; the count is that of the definition, of the cleaned text, and of a stream; never above the bytes.
 */
#include "base/rng.h"
#include "core/tokens/tokens_world_test.h"

#define TEXT_BYTES_MAX 4096
#define ARENA_MAX ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* By the definition; -1 when a piece is too long to wait for. */
static int64_t count_slowly(const struct token_world *w, str text)
{
    int64_t sum = 0;

    for (size_t at = 0; at < text.len;) {
        struct token_piece piece =
            token_piece_read(w->table.encoding, str_slice(text, at, text.len));
        must(piece.bytes.ptr == text.ptr + at && piece.bytes.len > 0);
        must(piece.bytes.len <= text.len - at);
        at += piece.bytes.len;
        if (piece.bytes.len > 100)
            sum = -1;
        if (sum >= 0)
            sum += world_piece_count(w, piece.bytes);
    }
    return sum;
}

static int64_t count_streamed(const struct token_world *w, str text, struct rng *rng)
{
    struct arena arena;
    struct token_stream stream;
    int64_t count = -1;

    arena_init(&arena, ARENA_MAX);
    token_stream_init(&stream, &w->table, &arena);
    for (size_t at = 0; at < text.len;) {
        size_t len = 1 + rng_below(rng, 300);
        must(token_stream_feed(&stream, str_slice(text, at, at + len)) == OK);
        at += len;
    }
    must(token_stream_count(&stream, &count) == OK);
    arena_fini(&arena);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct token_world w;
    struct arena arena;
    struct rng rng;
    uint8_t clean[3 * TEXT_BYTES_MAX];
    int64_t whole = -1, cleaned = -1;

    if (size < 1 || size > TEXT_BYTES_MAX)
        return 0;
    must(world_open(&w, data[0] & 1 ? TOKEN_O200K_BASE : TOKEN_CL100K_BASE));
    rng_init(&rng, data[0]);
    str text = { (const char *)data + 1, size - 1 };
    str proper = { (const char *)clean, token_text_clean(text, clean) };
    arena_init(&arena, ARENA_MAX);
    must(token_count(&w.table, text, &arena, &whole) == OK);
    must(token_count(&w.table, proper, &arena, &cleaned) == OK);
    must(str_is_utf8(proper) && str_is_utf8(text) == str_eq(text, proper));
    must(whole == cleaned && whole <= (int64_t)proper.len);
    must(count_streamed(&w, text, &rng) == whole);
    int64_t slow = count_slowly(&w, proper);
    must(slow < 0 || slow == whole);
    arena_fini(&arena);
    world_close(&w);
    return 0;
}
