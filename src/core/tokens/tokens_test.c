/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of counting with a small vocabulary: merging beside its definition, streams beside whole texts, limits, bad tables. */
#include "base/rng.h"
#include "core/tokens/tokens_world_test.h"

#define ARENA_MAX ((size_t)64 << 20)
#define ROUNDS 400

static int64_t count(const struct token_world *w, str text)
{
    struct arena arena;
    int64_t got = -1;

    arena_init(&arena, ARENA_MAX);
    CHECK_ERR(token_count(&w->table, text, &arena, &got), OK);
    arena_fini(&arena);
    return got;
}

static void counts(void)
{
    static const struct {
        const char *text;
        int64_t tokens;
    } cases[] = {
        { "", 0 },
        { "the", 1 },
        { "the the", 2 },
        { "abc", 1 },
        { "aaa", 2 },
        { "aaaaaaaaaaaaaaaaaa", 2 },
        { "inginginging", 1 }, /* longer than a slot */
        { "inginginginging", 5 }, /* no merge leads there from its parts */
        { "1234", 2 },
        { "<|endoftext|>", 13 },
        { "\xFF", 1 }, /* U+FFFD is a token here */
        { "\xE4\xB8", 1 }, /* and so it is not the token of these two bytes and nothing else */
        { "\xE4\xB8\xE4\xB8\xAD", 2 },
    };
    struct token_world w;

    REQUIRE(world_open(&w, TOKEN_O200K_BASE));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t got = count(&w, str_from(cases[i].text));
        if (got != cases[i].tokens)
            fprintf(stderr, "'%s'\n", cases[i].text);
        CHECK_INT(got, cases[i].tokens);
    }
    world_close(&w);
}

static void finds_every_token_and_no_other(void)
{
    struct token_world w;

    REQUIRE(world_open(&w, TOKEN_CL100K_BASE));
    for (size_t i = 0; i < w.count; i++) {
        const uint8_t *bytes = (const uint8_t *)w.tokens[i].ptr;
        CHECK_INT(token_rank(&w.table, bytes, w.tokens[i].len), i);
    }
    static const char *const others[] = { "thx",
                                          "xx",
                                          "aaaaa",
                                          "aaaaaaaaa",
                                          "unreachable piecf",
                                          "anreachable piece",
                                          "unreachable pieces" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        CHECK_INT(token_rank(&w.table, (const uint8_t *)others[i], strlen(others[i])),
                  TOKEN_NO_RANK);
    /* Zero bytes are bytes: a key does not stand for two lengths. */
    CHECK_INT(token_rank(&w.table, (const uint8_t *)"a\0", 2), TOKEN_NO_RANK);
    CHECK_INT(token_rank(&w.table, (const uint8_t *)"\0\0", 2), TOKEN_NO_RANK);
    world_close(&w);
}

/* "a" and "a", NUL have one key; here they also meet in one slot. */
static void tells_lengths_apart(void)
{
    _Alignas(8) static const uint8_t slot[16] = { 'a', 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1 };
    static const uint8_t filter[1] = { 0xFF };
    const struct token_table table = { .filter = filter,
                                       .filter_shift = 29,
                                       .slots = slot,
                                       .slot_count = 1,
                                       .probe_max = 1,
                                       .token_bytes_max = 8 };

    CHECK_INT(token_rank(&table, (const uint8_t *)"a", 1), 5);
    CHECK_INT(token_rank(&table, (const uint8_t *)"a\0", 2), TOKEN_NO_RANK);
    CHECK_INT(token_rank(&table, (const uint8_t *)"a\0\0\0\0", 5), TOKEN_NO_RANK);
}

static str random_text(struct rng *rng, char *out, size_t len, const char *alphabet)
{
    size_t letters = strlen(alphabet);

    for (size_t i = 0; i < len; i++)
        out[i] = alphabet[rng_below(rng, letters)];
    return (str){ out, len };
}

/* Pieces on both sides of the length from which the tree is used. */
static void merges_as_defined(void)
{
    static const char *const alphabets[] = { "a", "ab", "abc", "theing", "zin" };
    struct token_world w;
    struct rng rng;

    rng_init(&rng, 5);
    REQUIRE(world_open(&w, TOKEN_O200K_BASE));
    for (int i = 0; i < ROUNDS; i++) {
        char text[300];
        size_t len = 1 + rng_below(&rng, i % 4 == 0 ? 299 : 90);
        str piece = random_text(&rng, text, len, alphabets[i % 5]);
        CHECK_INT(count(&w, piece), world_piece_count(&w, piece));
    }
    world_close(&w);
}

static int64_t count_stream(const struct token_world *w, str text, struct rng *rng, size_t most)
{
    struct arena arena;
    struct token_stream stream;
    int64_t got = -1, before = 0;

    arena_init(&arena, ARENA_MAX);
    token_stream_init(&stream, &w->table, &arena);
    for (size_t at = 0; at < text.len;) {
        size_t len = 1 + rng_below(rng, most);
        CHECK_ERR(token_stream_feed(&stream, str_slice(text, at, at + len)), OK);
        at += len;
        CHECK(stream.settled >= before);
        before = stream.settled;
        if (rng_below(rng, 50) ==
            0) { /* asking changes nothing, and is right for what came so far */
            CHECK_ERR(token_stream_count(&stream, &got), OK);
            CHECK_INT(got, count(w, str_slice(text, 0, at)));
        }
    }
    CHECK_ERR(token_stream_count(&stream, &got), OK);
    CHECK(stream.settled <= got);
    arena_fini(&arena);
    return got;
}

static void streams_count_as_whole_texts(void)
{
    static const char *const alphabets[] = {
        "the in ab  \n", "a", "A'sRe \n/!", "\xE4\xB8\xAD\xC5\xBF' a", "\n ", "12 \xF0\x9F\x98\x80"
    };
    struct rng rng;

    rng_init(&rng, 7);
    for (int i = 0; i < ROUNDS; i++) {
        struct token_world w;
        char bytes[2000];
        REQUIRE(world_open(&w, i % 2 ? TOKEN_O200K_BASE : TOKEN_CL100K_BASE));
        str text = random_text(&rng, bytes, 1 + rng_below(&rng, sizeof(bytes)), alphabets[i % 6]);
        CHECK_INT(count_stream(&w, text, &rng, i % 3 ? 40 : 700), count(&w, text));
        world_close(&w);
    }
}

static void one_long_piece(void)
{
    const size_t len = (size_t)1 << 20;
    struct token_world w;
    struct rng rng;
    char *text = malloc(len);

    rng_init(&rng, 1);
    REQUIRE(text && world_open(&w, TOKEN_O200K_BASE));
    memset(text, 'a', len);
    CHECK_INT(count(&w, (str){ text, len }), len / 16);
    CHECK_INT(count(&w, (str){ text, len - 1 }), len / 16 - 1 + 4);
    CHECK_INT(count_stream(&w, (str){ text, len }, &rng, 1 << 16), len / 16);
    world_close(&w);
    free(text);
}

static void refuses_without_memory(void)
{
    struct token_world w;
    struct arena arena;
    struct token_stream stream;
    char text[4000];
    int64_t got = -7;

    REQUIRE(world_open(&w, TOKEN_O200K_BASE));
    memset(text, 'a', sizeof(text));
    arena_init(&arena, 1000);
    CHECK_ERR(token_count(&w.table, (str){ text, 64 }, &arena, &got), OK); /* needs none */
    CHECK_INT(got, 4);
    CHECK_ERR(token_count(&w.table, (str){ text, sizeof(text) }, &arena, &got), WEIR_NO_MEMORY);
    CHECK_INT(got, 4);
    arena_fini(&arena);
    memset(text, 0xFF, sizeof(text));
    CHECK_ERR(token_count(&w.table, (str){ text, sizeof(text) }, &arena, &got), WEIR_NO_MEMORY);
    arena_fini(&arena);

    memset(text, 'a', sizeof(text));
    token_stream_init(&stream, &w.table, &arena);
    CHECK_ERR(token_stream_feed(&stream, (str){ text, sizeof(text) }), WEIR_NO_MEMORY);
    CHECK_ERR(token_stream_feed(&stream, STR("a")), WEIR_NO_MEMORY);
    CHECK_ERR(token_stream_count(&stream, &got), WEIR_NO_MEMORY);
    CHECK_INT(got, 4);
    arena_fini(&arena);
    world_close(&w);
}

/* Every header that does not fit is refused, and the table stays as it was. */
static void refuses_bad_tables(void)
{
    static const struct {
        size_t at;
        uint32_t value;
    } faults[] = {
        { 0, 0x72696577 + 1 },
        { 4, 0 },
        { 8, 0x04030201 },
        { 12, TOKEN_ENCODING_COUNT },
        { 20, 0 },
        { 20, WORLD_SLOTS - 1 },
        { 20, UINT32_MAX },
        { 32, WORLD_LONGS + 1 },
        { 32, UINT32_MAX },
        { 36, WORLD_FILTER_LOG2 + 1 },
        { 36, 2 },
        { 36, 33 },
        { 36, UINT32_MAX },
    };
    struct token_world w;
    struct token_table table = { .slot_count = 77 };

    REQUIRE(world_open(&w, TOKEN_O200K_BASE));
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        uint32_t kept;
        memcpy(&kept, w.bytes + faults[i].at, 4);
        world_u32(w.bytes + faults[i].at, faults[i].value);
        CHECK_ERR(token_table_init(&table, (str){ (char *)w.bytes, WORLD_BYTES }), WEIR_CONFIG);
        world_u32(w.bytes + faults[i].at, kept);
    }
    for (size_t len = 0; len < WORLD_BYTES; len = len * 3 + 1)
        CHECK_ERR(token_table_init(&table, (str){ (char *)w.bytes, len }), WEIR_CONFIG);
    CHECK_INT(table.slot_count, 77);
    world_close(&w);
}

/* Slots full of anything give some count, and end; the sanitizers watch what is read. */
static void survives_damaged_tables(void)
{
    struct rng rng;
    str text =
        STR("the inginging unreachable inginginging zzzz aaaaaaaaaaaaaaaaa\n\n 123abcabcabcabc");

    rng_init(&rng, 3);
    for (int i = 0; i < 40; i++) {
        struct token_world w;
        REQUIRE(world_open(&w, TOKEN_CL100K_BASE));
        size_t flips = i < 20 ? 3000 : WORLD_SLOTS * 16;
        for (size_t k = 0; k < flips; k++)
            w.bytes[64 + rng_below(&rng, WORLD_SLOTS * 16)] = (uint8_t)rng_u64(&rng);
        if (i == 39) /* no slot is empty, and every probe allowed */
            memset(w.bytes + 64, 0x55, WORLD_SLOTS * 16);
        if (i % 2 == 1) /* a filter that lets all pass */
            memset(w.bytes + WORLD_FILTER, 0xFF, (1 << WORLD_FILTER_LOG2) / 8);
        world_u32(w.bytes + 24, UINT32_MAX);
        world_u32(w.bytes + 28, UINT32_MAX);
        REQUIRE(token_table_init(&w.table, (str){ (char *)w.bytes, WORLD_BYTES }) == OK);
        int64_t got = count(&w, text);
        CHECK(got > 0 && got <= (int64_t)text.len);
        world_close(&w);
    }
}

/* A damaged slot with the right key and a place beyond the long tokens: the place is not followed. */
static void reads_no_token_beyond_the_table(void)
{
    struct token_world w;
    str token = STR("unreachable piece");

    REQUIRE(world_open(&w, TOKEN_O200K_BASE));
    for (size_t i = 0; i < WORLD_SLOTS; i++) {
        uint8_t *slot = w.bytes + 64 + i * 16;
        if (slot[12] > 8)
            world_u32(slot + 12, 0xFFFFFF00u | slot[12]);
    }
    CHECK_INT(token_rank(&w.table, (const uint8_t *)token.ptr, token.len), TOKEN_NO_RANK);
    world_close(&w);
}

/* Two texts may have one hash: the bytes decide. */
static void compares_long_tokens(void)
{
    struct token_world w;
    str token = STR("unreachable piece");

    REQUIRE(world_open(&w, TOKEN_O200K_BASE));
    for (size_t i = WORLD_BYTES - WORLD_LONGS; i + token.len <= WORLD_BYTES; i++) {
        if (memcmp(w.bytes + i, token.ptr, token.len) == 0)
            w.bytes[i + token.len - 1] = 'E';
    }
    CHECK_INT(token_rank(&w.table, (const uint8_t *)token.ptr, token.len), TOKEN_NO_RANK);
    world_close(&w);
}

/* The memory for cleaning grows between pieces that are no text. */
static void cleans_pieces_of_growing_length(void)
{
    struct token_world w;
    char text[6000];

    REQUIRE(world_open(&w, TOKEN_O200K_BASE));
    memset(text, 0xFF, sizeof(text));
    text[1700] = 'a';
    CHECK_INT(count(&w, (str){ text, sizeof(text) }), sizeof(text));
    world_close(&w);
}

static void names(void)
{
    enum token_encoding encoding = TOKEN_CL100K_BASE;

    CHECK(token_encoding_parse(STR("o200k_base"), &encoding));
    CHECK_INT(encoding, TOKEN_O200K_BASE);
    CHECK(token_encoding_parse(str_from(token_encoding_name(TOKEN_CL100K_BASE)), &encoding));
    CHECK_INT(encoding, TOKEN_CL100K_BASE);
    CHECK(!token_encoding_parse(STR("o200k"), &encoding));
    CHECK_INT(encoding, TOKEN_CL100K_BASE);
}

static void models_have_their_encodings(void)
{
    static const struct {
        const char *model;
        int encoding; /* -1: nobody knows */
    } cases[] = {
        { "gpt-4o", TOKEN_O200K_BASE },
        { "gpt-4o-mini", TOKEN_O200K_BASE },
        { "gpt-4o-2024-08-06", TOKEN_O200K_BASE },
        { "gpt-4.1-nano", TOKEN_O200K_BASE },
        { "gpt-5.1", TOKEN_O200K_BASE },
        { "o1", TOKEN_O200K_BASE },
        { "o3-mini", TOKEN_O200K_BASE },
        { "gpt-4", TOKEN_CL100K_BASE },
        { "gpt-4-turbo", TOKEN_CL100K_BASE },
        { "gpt-3.5-turbo", TOKEN_CL100K_BASE },
        { "gpt-35-turbo", TOKEN_CL100K_BASE },
        { "text-embedding-3-small", TOKEN_CL100K_BASE },
        { "gpt-40", -1 },
        { "o10", -1 },
        { "claude-sonnet-4", -1 },
        { "", -1 },
        { "my-gpt-4o", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum token_encoding encoding = TOKEN_ENCODING_COUNT;
        bool is_known = token_encoding_of_model(str_from(cases[i].model), &encoding);
        CHECK_INT(is_known ? (int)encoding : -1, cases[i].encoding);
    }
}

TESTS(TEST(counts), TEST(finds_every_token_and_no_other), TEST(tells_lengths_apart),
      TEST(merges_as_defined), TEST(streams_count_as_whole_texts), TEST(one_long_piece),
      TEST(refuses_without_memory), TEST(refuses_bad_tables), TEST(survives_damaged_tables),
      TEST(reads_no_token_beyond_the_table), TEST(compares_long_tokens),
      TEST(cleans_pieces_of_growing_length), TEST(names), TEST(models_have_their_encodings))
