/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens_driver: counts many texts with one table: tokens_driver TABLE <texts
 *
 * A text on stdin is its length in four bytes, little-endian, and its bytes. For each, a line: the count of the whole text and
 * that of a stream which was cut at random.
 */
#include <stdio.h>

#include "base/rng.h"
#include "core/tokens/tokens.h"

#define ARENA_MAX ((size_t)1 << 30)

static bool read_all(FILE *file, struct buf *out)
{
    out->max = ARENA_MAX;
    for (;;) {
        char *at = buf_reserve(out, 1 << 16);
        size_t n = at ? fread(at, 1, 1 << 16, file) : 0;
        if (n == 0)
            return at && feof(file);
        out->len += n;
    }
}

static enum err count_stream(const struct token_table *table, struct rng *rng, str text,
                             int64_t *out)
{
    struct arena arena;
    struct token_stream stream;
    size_t most = 1 + rng_below(rng, 600);
    enum err e = OK;

    arena_init(&arena, ARENA_MAX);
    token_stream_init(&stream, table, &arena);
    while (text.len > 0 && e == OK) {
        str part = str_slice(text, 0, 1 + rng_below(rng, most));
        e = token_stream_feed(&stream, part);
        text = str_slice(text, part.len, text.len);
    }
    if (e == OK)
        e = token_stream_count(&stream, out);
    arena_fini(&arena);
    return e;
}

static enum err count_whole(const struct token_table *table, str text, int64_t *out)
{
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    enum err e = token_count(table, text, &arena, out);
    arena_fini(&arena);
    return e;
}

static int count_all(const struct token_table *table, str texts)
{
    struct rng rng;

    rng_init(&rng, 1);
    while (texts.len >= 4) {
        const uint8_t *head = (const uint8_t *)texts.ptr;
        size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        str text = str_slice(texts, 4, 4 + len);
        int64_t whole = -1, streamed = -1;
        if (count_whole(table, text, &whole) != OK ||
            count_stream(table, &rng, text, &streamed) != OK)
            return 1;
        printf("%" PRId64 " %" PRId64 "\n", whole, streamed);
        texts = str_slice(texts, 4 + len, texts.len);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct buf content = { 0 }, texts = { 0 };
    struct token_table table;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;

    if (!file || !read_all(file, &content) || token_table_init(&table, buf_str(&content)) != OK ||
        !read_all(stdin, &texts)) {
        fprintf(stderr, "tokens_driver TABLE <texts\n");
        return 2;
    }
    fclose(file);
    int status = count_all(&table, buf_str(&texts));
    buf_fini(&content);
    buf_fini(&texts);
    return status;
}
