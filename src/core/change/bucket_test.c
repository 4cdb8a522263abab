/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket's tests: SHA-256 against FIPS 180-4's examples, GrowthBook's vectors, exact shares, and the properties that
 * assignment rests on: uniform, independent across salts, monotone under ramps.
 */
#include "core/change/bucket.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/sha256.h"
#include "test/check.h"

#define UNITS 100000

static str unit_name(char out[32], size_t i)
{
    return (str){ out, (size_t)snprintf(out, 32, "conversation-%zu", i) };
}

static str digest_hex(const struct sha256 *s, char out[2 * SHA256_BYTES + 1])
{
    struct sha256 copy = *s;
    uint8_t digest[SHA256_BYTES];

    sha256_end(&copy, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return (str){ out, 2 * SHA256_BYTES };
}

static void digests_are_those_of_fips(void)
{
    static const struct {
        const char *text;
        size_t times;
        const char *want;
    } rows[] = {
        { "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
          "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
          1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
        { "a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sha256 s;
        char hex[2 * SHA256_BYTES + 1];
        sha256_init(&s);
        for (size_t j = 0; j < rows[i].times; j++)
            sha256_add(&s, str_from(rows[i].text));
        CHECK_STR(digest_hex(&s, hex), str_from(rows[i].want));
    }
}

static void parts_give_the_digest_of_the_whole(void)
{
    char text[300], whole[2 * SHA256_BYTES + 1], parts[2 * SHA256_BYTES + 1];
    struct rng rng;

    rng_init(&rng, 7);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)rng_u64(&rng);
    for (size_t len = 0; len <= sizeof(text); len++) {
        str rest = { text, len };
        struct sha256 a, b;
        sha256_init(&a);
        sha256_init(&b);
        sha256_add(&a, rest);
        while (rest.len > 0) {
            size_t part = 1 + rng_below(&rng, rest.len);
            sha256_add(&b, str_slice(rest, 0, part));
            rest = str_slice(rest, part, rest.len);
        }
        CHECK_STR(digest_hex(&b, parts), digest_hex(&a, whole));
    }
}

/* The bytes hashed are salt, 0x1f, unit and nothing else: sha256("s\x1fu") begins with these. */
static void a_bucket_is_the_top_of_the_digest(void)
{
    struct bucket b = bucket_of(BUCKET_WEIR, STR("s"), STR("u"));
    struct sha256 s;
    uint8_t digest[SHA256_BYTES];
    uint64_t want = 0;

    sha256_init(&s);
    sha256_add(&s, STR("s\x1fu"));
    sha256_end(&s, digest);
    for (size_t i = 0; i < 8; i++)
        want = want * 256 + digest[i];
    CHECK(b.hash == want);
    CHECK(b.hash != bucket_of(BUCKET_WEIR, STR("su"), STR("")).hash);
    CHECK(b.hash != bucket_of(BUCKET_WEIR, STR(""), STR("su")).hash);
}

static void growthbook_gives_its_published_values(void)
{
    CHECK_INT(bucket_of(BUCKET_GROWTHBOOK_V2, STR("seed"), STR("a")).position, 50500);
    CHECK_INT(bucket_of(BUCKET_GROWTHBOOK_V2, STR("seed"), STR("a")).hash, 505);
    CHECK_INT(bucket_of(BUCKET_GROWTHBOOK_V2, STR("seed"), STR("b")).position, 269600);
}

static void positions_are_exact(void)
{
    char name[32];

    for (size_t i = 0; i < UNITS; i++) {
        struct bucket b = bucket_of(BUCKET_WEIR, STR("exact"), unit_name(name, i));
        CHECK(b.position == (uint32_t)(((unsigned __int128)b.hash * SHARE_WHOLE) >> 64));
    }
}

static void shares_are_parsed_exactly(void)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {
        { "0.1", 100000 },
        { "0.07", 70000 },
        { "0.005", 5000 },
        { "7%", 70000 },
        { "0.5%", 5000 },
        { "100%", 1000000 },
        { "1", 1000000 },
        { "1.000000", 1000000 },
        { "0", 0 },
        { "0%", 0 },
        { "0.000001", 1 },
        { "0.0001%", 1 },
        { "0.29", 290000 },
        { "00.5", 500000 },
        { "0.12345600", 123456 },
        { "100.0000%", 1000000 },
        { "1.000001", -1 },
        { "100.0001%", -1 },
        { "0.0000001", -1 },
        { "0.00001%", -1 },
        { "2", -1 },
        { "-0.1", -1 },
        { "+0.1", -1 },
        { "", -1 },
        { "%", -1 },
        { ".", -1 },
        { ".5", -1 },
        { "5.", -1 },
        { "0.1.2", -1 },
        { "1e-1", -1 },
        { "0,1", -1 },
        { " 0.1", -1 },
        { "10 %", -1 },
        { "1%%", -1 },
        { "99999999999999999999", -1 },
        { "0.00000000000000000000000000000000001", -1 },
        { "0x1", -1 },
        { "nan", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t got = 77;
        bool is_ok = share_parse(str_from(rows[i].text), &got);
        if (is_ok != (rows[i].want >= 0))
            fprintf(stderr, "row '%s'\n", rows[i].text);
        CHECK(is_ok == (rows[i].want >= 0));
        CHECK_INT(got, is_ok ? rows[i].want : 77);
    }
}

static void a_share_prints_back(void)
{
    char out[16];
    uint32_t got;

    CHECK_STR(share_format(70000, out), STR("7%"));
    CHECK_STR(share_format(5000, out), STR("0.5%"));
    CHECK_STR(share_format(0, out), STR("0%"));
    CHECK_STR(share_format(SHARE_WHOLE, out), STR("100%"));
    for (uint32_t ppm = 0; ppm <= SHARE_WHOLE; ppm += 7) {
        REQUIRE(share_parse(share_format(ppm, out), &got));
        CHECK_INT(got, ppm);
    }
}

static void ranges_are_half_open(void)
{
    struct share_range range = { 100, 200 }, empty = { 150, 150 };

    CHECK(!share_range_holds(range, 99));
    CHECK(share_range_holds(range, 100));
    CHECK(share_range_holds(range, 199));
    CHECK(!share_range_holds(range, 200));
    CHECK(!share_range_holds(empty, 150));
    CHECK(!share_range_overlaps(range, (struct share_range){ 200, 300 }));
    CHECK(!share_range_overlaps(range, (struct share_range){ 0, 100 }));
    CHECK(share_range_overlaps(range, (struct share_range){ 199, 300 }));
    CHECK(share_range_overlaps(range, (struct share_range){ 0, 101 }));
    CHECK(share_range_overlaps(range, (struct share_range){ 120, 130 }));
    CHECK(!share_range_overlaps(range, empty));
    CHECK(!share_range_overlaps(empty, range));
}

/* Chi-square over 1,000 cells: 999 degrees of freedom, standard deviation 44.7; five of them away is 1,222. */
static void buckets_are_uniform(void)
{
    static const enum bucket_scheme schemes[] = { BUCKET_WEIR, BUCKET_GROWTHBOOK_V2 };
    char name[32];

    for (size_t s = 0; s < ARRAY_LEN(schemes); s++) {
        int counts[1000] = { 0 };
        double chi = 0, expected = UNITS / 1000.0;
        for (size_t i = 0; i < UNITS; i++)
            counts[bucket_of(schemes[s], STR("uniform"), unit_name(name, i)).position / 1000]++;
        for (size_t i = 0; i < ARRAY_LEN(counts); i++)
            chi += (counts[i] - expected) * (counts[i] - expected) / expected;
        CHECK_NEAR(chi, 999, 223);
    }
}

/* A table of 10 x 10 cells for two salts: chi-square with 81 degrees of freedom, standard deviation 12.7. */
static void salts_are_independent(void)
{
    static const char *const salts[] = { "a", "b", "a/1/variant", "a/1/inclusion", "a/2/variant" };
    char name[32];

    for (size_t s = 1; s < ARRAY_LEN(salts); s++) {
        int cells[10][10] = { 0 }, rows[10] = { 0 }, columns[10] = { 0 };
        double chi = 0;
        for (size_t i = 0; i < UNITS; i++) {
            str unit = unit_name(name, i);
            size_t a = bucket_of(BUCKET_WEIR, str_from(salts[s - 1]), unit).position / 100000;
            size_t b = bucket_of(BUCKET_WEIR, str_from(salts[s]), unit).position / 100000;
            cells[a][b]++;
            rows[a]++;
            columns[b]++;
        }
        for (size_t i = 0; i < 100; i++) {
            double expected = (double)rows[i / 10] * columns[i % 10] / UNITS;
            double off = cells[i / 10][i % 10] - expected;
            chi += off * off / expected;
        }
        CHECK_NEAR(chi, 81, 64);
    }
}

/* Growing [0, share) keeps whom it had, and holds the share: within five standard deviations. */
static void ramps_move_nobody_who_is_in(void)
{
    static const uint32_t ramp[] = { 0, 5000, 70000, 100000, 290000, 500000, 999999, SHARE_WHOLE };
    size_t counts[ARRAY_LEN(ramp)] = { 0 };
    char name[32];

    for (size_t i = 0; i < UNITS; i++) {
        uint32_t at = bucket_of(BUCKET_WEIR, STR("ramp"), unit_name(name, i)).position;
        bool was_in = false;
        for (size_t r = 0; r < ARRAY_LEN(ramp); r++) {
            bool is_in = share_range_holds((struct share_range){ 0, ramp[r] }, at);
            CHECK(is_in || !was_in);
            was_in = is_in;
            counts[r] += is_in;
        }
        CHECK(was_in);
    }
    CHECK_INT(counts[0], 0);
    for (size_t r = 0; r < ARRAY_LEN(ramp); r++) {
        double p = ramp[r] / (double)SHARE_WHOLE;
        double off = (double)counts[r] - p * UNITS;
        CHECK(off * off <= 25 * p * (1 - p) * UNITS + 1);
    }
}

static void schemes_have_names(void)
{
    enum bucket_scheme scheme = BUCKET_WEIR;

    CHECK(bucket_scheme_find(STR("growthbook_v2"), &scheme) && scheme == BUCKET_GROWTHBOOK_V2);
    CHECK(bucket_scheme_find(STR("weir"), &scheme) && scheme == BUCKET_WEIR);
    CHECK(!bucket_scheme_find(STR("growthbook"), &scheme));
    CHECK_STR(str_from(bucket_scheme_name(BUCKET_GROWTHBOOK_V2)), STR("growthbook_v2"));
}

static void names_cannot_make_salts_ambiguous(void)
{
    struct bucket_salt salt;
    char longest[BUCKET_NAME_MAX + 1];

    memset(longest, 'x', sizeof(longest));
    CHECK(bucket_name_is_valid((str){ longest, BUCKET_NAME_MAX }));
    CHECK(!bucket_name_is_valid((str){ longest, BUCKET_NAME_MAX + 1 }));
    CHECK(bucket_name_is_valid(STR("mcts_validation-2.1")));
    CHECK(!bucket_name_is_valid(STR("")));
    CHECK(!bucket_name_is_valid(STR("a/b")));
    CHECK(!bucket_name_is_valid(STR("a b")));
    CHECK(!bucket_name_is_valid((str){ "a\0b", 3 }));
    CHECK(!bucket_name_is_valid(STR("a\x1f")));
    bucket_salt_init(&salt, STR("mcts"), STR(""), STR("variant"));
    CHECK_STR(bucket_salt_str(&salt), STR("mcts//variant"));
    bucket_salt_init(&salt, (str){ longest, BUCKET_NAME_MAX }, (str){ longest, BUCKET_NAME_MAX },
                     STR("inclusion"));
    CHECK_INT(salt.length, 2 * BUCKET_NAME_MAX + 11);
    CHECK(str_ends(bucket_salt_str(&salt), STR("x/inclusion")));
}

static void the_first_unit_that_is_present_counts(void)
{
    struct unit_ids ids = { STR("c"), STR("u"), STR("t"), STR("r") };

    CHECK_STR(unit_pick(&ids).id, STR("c"));
    ids.conversation = STR("");
    CHECK_INT(unit_pick(&ids).kind, UNIT_USER);
    CHECK_STR(unit_pick(&ids).id, STR("u"));
    ids.user = (str){ 0 };
    CHECK_STR(unit_pick(&ids).id, STR("t"));
    ids.tenant = STR("");
    CHECK_STR(unit_pick(&ids).id, STR("r"));
    CHECK_STR(str_from(unit_kind_name(unit_pick(&ids).kind)), STR("request"));
    ids.request = STR("");
    CHECK_INT(unit_pick(&ids).kind, UNIT_NONE);
    CHECK_STR(unit_pick(&ids).id, STR(""));
}

TESTS(TEST(digests_are_those_of_fips), TEST(parts_give_the_digest_of_the_whole),
      TEST(a_bucket_is_the_top_of_the_digest), TEST(growthbook_gives_its_published_values),
      TEST(positions_are_exact), TEST(shares_are_parsed_exactly), TEST(a_share_prints_back),
      TEST(ranges_are_half_open), TEST(buckets_are_uniform), TEST(salts_are_independent),
      TEST(ramps_move_nobody_who_is_in), TEST(schemes_have_names),
      TEST(names_cannot_make_salts_ambiguous), TEST(the_first_unit_that_is_present_counts))
