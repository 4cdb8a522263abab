/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-tokens: how fast texts are counted: bench-tokens TABLE FILE…  For each file one line of JSON: the best of several
 * runs on one thread, file in memory, in megabytes (10^6 bytes) a second, as a whole text and as a stream in parts of 64 bytes.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/tokens/tokens.h"

#define RUNS 7
#define PART_BYTES 64
#define FILE_MAX ((size_t)1 << 30)

static bool read_all(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    size_t n = 1;

    out->max = FILE_MAX;
    while (file && n > 0) {
        char *at = buf_reserve(out, 1 << 16);
        n = at ? fread(at, 1, 1 << 16, file) : 0;
        out->len += n;
    }
    if (!file)
        return false;
    fclose(file);
    return !out->failed;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static enum err count_stream(const struct token_table *table, str text, struct arena *arena,
                             int64_t *out)
{
    struct token_stream stream;
    enum err e = OK;

    token_stream_init(&stream, table, arena);
    for (size_t at = 0; at < text.len && e == OK; at += PART_BYTES)
        e = token_stream_feed(&stream, str_slice(text, at, at + PART_BYTES));
    return e == OK ? token_stream_count(&stream, out) : e;
}

/* The best run's seconds; the count of all runs must be one. */
static bool measure(const struct token_table *table, str text, bool as_stream, double *out_best,
                    int64_t *out_count)
{
    double best = 0;

    for (int i = 0; i < RUNS; i++) {
        struct arena arena;
        int64_t count = 0;
        arena_init(&arena, FILE_MAX);
        double start = seconds();
        enum err e = as_stream ? count_stream(table, text, &arena, &count)
                               : token_count(table, text, &arena, &count);
        double took = seconds() - start;
        arena_fini(&arena);
        if (e != OK)
            return false;
        best = i == 0 || took < best ? took : best;
        *out_count = count;
    }
    *out_best = best;
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int main(int argc, char **argv)
{
    struct buf content = { 0 };
    struct token_table table;

    if (argc < 3 || !read_all(argv[1], &content) ||
        token_table_init(&table, buf_str(&content)) != OK) {
        fprintf(stderr, "bench-tokens TABLE FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct buf text = { 0 };
        double whole, stream;
        int64_t count, streamed;
        if (!read_all(argv[i], &text) || !measure(&table, buf_str(&text), false, &whole, &count) ||
            !measure(&table, buf_str(&text), true, &stream, &streamed) || count != streamed)
            return 1;
        double megabytes = (double)text.len / 1e6;
        printf("{\"tool\":\"weir\",\"encoding\":\"%s\",\"text\":\"%s\",\"bytes\":%zu,\"tokens\":"
               "%" PRId64 ",\"mb_per_s\":%.1f,\"stream_mb_per_s\":%.1f}\n",
               token_encoding_name(table.encoding), base_name(argv[i]), text.len, count,
               megabytes / whole, megabytes / stream);
        buf_fini(&text);
    }
    buf_fini(&content);
    return 0;
}
