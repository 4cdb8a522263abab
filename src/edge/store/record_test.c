/* SPDX-License-Identifier: Apache-2.0 */
/* record_test: the journal's bytes: round trips, every prefix, every flipped bit. */
#include <math.h>

#include "edge/store/store_world.h"

static struct ledger_query a_query(void)
{
    return (struct ledger_query){ .id = INT64_MAX,
                                  .started = 1767225600000001,
                                  .tenant = STR("acme"),
                                  .domain = STR(""),
                                  .requested_model = STR("weir/auto"),
                                  .strategy = STR("hrm_trm"),
                                  .arm = STR("b"),
                                  .is_stream = true,
                                  .reserved = COST_UNPRICED };
}

static struct ledger_call_end a_done(void)
{
    return (struct ledger_call_end){ .query = 7,
                                     .number = UINT32_MAX,
                                     .fault = PROVIDER_CUT,
                                     .http_status = 502,
                                     .attempts = 3,
                                     .usage = { 100, 20, 50, 10, 5, true, false },
                                     .cost = 123456789,
                                     .price_input = 2500,
                                     .price_output = 10000,
                                     .price_cached = -1,
                                     .latency_us = 12345,
                                     .first_byte_us = 678,
                                     .is_simulated = true };
}

static void checksum_is_the_standard_one(void)
{
    CHECK(record_crc32c((const uint8_t *)"123456789", 9, 0) == 0xe3069283u);
    CHECK(record_crc32c((const uint8_t *)"", 0, 0) == 0);
    /* In two steps as in one. */
    CHECK(record_crc32c((const uint8_t *)"6789", 4,
                        record_crc32c((const uint8_t *)"12345", 5, 0)) == 0xe3069283u);
}

static void begins_round_trip(void)
{
    struct ledger_query q = a_query();
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;

    size_t len = record_put_begin(bytes, &q);
    CHECK_INT(record_length(bytes), len);
    REQUIRE(record_decode(bytes, &r));
    CHECK_INT(r.type, RECORD_BEGIN);
    CHECK(record_query(&r) == INT64_MAX);
    CHECK(r.begin.started == q.started && r.begin.reserved == COST_UNPRICED && r.begin.is_stream);
    CHECK_STR(r.begin.tenant, q.tenant);
    CHECK_STR(r.begin.domain, q.domain);
    CHECK_STR(r.begin.requested_model, q.requested_model);
    CHECK_STR(r.begin.strategy, q.strategy);
    CHECK_STR(r.begin.arm, q.arm);
    CHECK_INT(r.begin.key.len, 0);
    /* Who has no key pays nothing for it. */
    q.key = STR("0a1b2c3d");
    CHECK_INT(record_put_begin(bytes, &q), len + 9);
    REQUIRE(record_decode(bytes, &r));
    CHECK_STR(r.begin.key, q.key);
    CHECK(r.begin.reserved == COST_UNPRICED);
}

static void calls_round_trip(void)
{
    struct ledger_call c = { 7, 3, STR("solve"), STR("gpt-4o"), STR("openai"), 42, 77 };
    struct ledger_call_end d = a_done();
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;

    record_put_call_begin(bytes, &c);
    REQUIRE(record_decode(bytes, &r));
    CHECK(r.type == RECORD_CALL_BEGIN && r.call_begin.query == 7 && r.call_begin.number == 3);
    CHECK_STR(r.call_begin.role, c.role);
    CHECK_STR(r.call_begin.model, c.model);
    CHECK_STR(r.call_begin.provider, c.provider);
    CHECK(r.call_begin.reserved == 42 && r.call_begin.started_us == 77);

    /* Before version 3 nobody said when it began: the last byte, which says 77, was not there. */
    bytes[0] = (uint8_t)(bytes[0] - 2);
    bytes[3] = 2;
    REQUIRE(record_decode(bytes, &r));
    CHECK(r.call_begin.reserved == 42 && r.call_begin.started_us == -1);

    record_put_call_done(bytes, &d);
    REQUIRE(record_decode(bytes, &r));
    CHECK(r.type == RECORD_CALL_DONE && r.call_done.number == UINT32_MAX);
    CHECK_ERR(r.call_done.fault, PROVIDER_CUT);
    CHECK(r.call_done.http_status == 502 && r.call_done.attempts == 3);
    CHECK(r.call_done.usage.input == 100 && r.call_done.usage.output == 20 &&
          r.call_done.usage.cached == 50 && r.call_done.usage.cache_write == 10 &&
          r.call_done.usage.reasoning == 5 && r.call_done.usage.is_known &&
          !r.call_done.usage.is_estimated);
    CHECK(r.call_done.cost == 123456789 && r.call_done.price_input == 2500 &&
          r.call_done.price_output == 10000 && r.call_done.price_cached == -1);
    CHECK(r.call_done.latency_us == 12345 && r.call_done.first_byte_us == 678 &&
          r.call_done.is_simulated);
}

static void ends_round_trip(void)
{
    struct ledger_end e = { .id = -5,
                            .http_status = 200,
                            .is_truncated = true,
                            .model = STR("m"),
                            .hrm_confidence = 0.25,
                            .trm_confidence = -1,
                            .confidence = 1e-300,
                            .latency_us = INT64_MIN,
                            .raw = { 0.5, -1, 0.75 },
                            .is_calibrated = true,
                            .answer_hash = UINT64_MAX };
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;

    record_put_end(bytes, &e);
    REQUIRE(record_decode(bytes, &r));
    CHECK(r.type == RECORD_END && r.end.id == -5 && r.end.http_status == 200);
    CHECK_ERR(r.end.fault, OK);
    CHECK(r.end.is_truncated && r.end.latency_us == INT64_MIN);
    CHECK_NEAR(r.end.hrm_confidence, 0.25, 0);
    CHECK_NEAR(r.end.trm_confidence, -1, 0);
    CHECK_NEAR(r.end.confidence, 1e-300, 0);
    CHECK_NEAR(r.end.raw.hrm_confidence, 0.5, 0);
    CHECK_NEAR(r.end.raw.trm_confidence, -1, 0);
    CHECK_NEAR(r.end.raw.confidence, 0.75, 0);
    CHECK(r.end.is_calibrated && r.end.answer_hash == UINT64_MAX);
    for (int fault = 1; fault < ERR_COUNT; fault++) {
        e.fault = (enum err)fault;
        record_put_end(bytes, &e);
        REQUIRE(record_decode(bytes, &r));
        CHECK_ERR(r.end.fault, e.fault);
    }
}

/* What is not there takes a byte in all: no plain query has any of it. */
static void ends_without_an_answer_are_short(void)
{
    struct ledger_end e = { .id = 1, .raw = LEDGER_RAW_NONE };
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;
    size_t none = record_put_end(bytes, &e);

    REQUIRE(record_decode(bytes, &r));
    CHECK(r.end.raw.hrm_confidence < 0 && r.end.raw.trm_confidence < 0 && r.end.raw.confidence < 0);
    CHECK(!r.end.is_calibrated && r.end.answer_hash == 0);
    e.is_calibrated = true;
    CHECK_INT(record_put_end(bytes, &e), none);
    e.answer_hash = 1;
    CHECK_INT(record_put_end(bytes, &e), none + 1);
    const struct ledger_raw raws[] = { { 0, -1, -1 }, { -1, 0, -1 }, { -1, -1, 0 } };
    for (size_t i = 0; i < ARRAY_LEN(raws); i++) {
        e.raw = raws[i];
        CHECK_INT(record_put_end(bytes, &e), none + 1 + 24);
        REQUIRE(record_decode(bytes, &r));
        CHECK(memcmp(&r.end.raw, &raws[i], sizeof(raws[i])) == 0);
    }
    bytes[none - 1] |= 8; /* a flag of nobody's */
    CHECK(!record_decode(bytes, &r));
}

/* Version 1 had nothing behind the latency, and what it calls confidence was raw. */
static void ends_of_version_1_are_read(void)
{
    struct ledger_end e = { .id = 1,
                            .hrm_confidence = 0.25,
                            .trm_confidence = -1,
                            .confidence = 0.5,
                            .latency_us = 7,
                            .raw = LEDGER_RAW_NONE };
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record_reader reader = { .bytes = bytes, .is_final = true };
    struct record r;

    reader.len = record_put_end_version_1(bytes, &e);
    REQUIRE(record_next(&reader, &r) == RECORD_STEP_FOUND);
    CHECK_INT(reader.at, reader.len);
    CHECK(r.end.latency_us == 7 && !r.end.is_calibrated && r.end.answer_hash == 0);
    CHECK_NEAR(r.end.raw.hrm_confidence, 0.25, 0);
    CHECK_NEAR(r.end.raw.trm_confidence, -1, 0);
    CHECK_NEAR(r.end.raw.confidence, 0.5, 0);
}

static void routes_round_trip(void)
{
    char features[LEDGER_FEATURES_MAX + 1];
    struct ledger_route route = { .query = 9,
                                  .scorer = STR("learned_v1"),
                                  .score = 0.125,
                                  .seed_score = 100,
                                  .words_score = -1,
                                  .strategy = STR("cascade"),
                                  .model = STR("gpt-4o-mini"),
                                  .propensity = 0.975,
                                  .epsilon = 0.05,
                                  .is_explored = true,
                                  .domain = STR("stem"),
                                  .domain_probability = -1,
                                  .quality = 0.8,
                                  .cost = COST_UNPRICED,
                                  .reasons = STR("digits +0.42"),
                                  .features = { features, LEDGER_FEATURES_MAX } };
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;

    for (size_t i = 0; i < sizeof(features); i++)
        features[i] = (char)(i * 7);
    record_put_route(bytes, &route);
    REQUIRE(record_decode(bytes, &r));
    CHECK(r.type == RECORD_ROUTE && record_query(&r) == 9);
    CHECK_STR(r.route.scorer, route.scorer);
    CHECK_STR(r.route.strategy, route.strategy);
    CHECK_STR(r.route.model, route.model);
    CHECK_STR(r.route.domain, route.domain);
    CHECK_STR(r.route.reasons, route.reasons);
    CHECK_STR(r.route.features, route.features);
    CHECK_NEAR(r.route.score, 0.125, 0);
    CHECK(r.route.seed_score == 100 && r.route.words_score == -1);
    CHECK_NEAR(r.route.propensity, 0.975, 0);
    CHECK_NEAR(r.route.epsilon, 0.05, 0);
    CHECK_NEAR(r.route.domain_probability, -1, 0);
    CHECK_NEAR(r.route.quality, 0.8, 0);
    CHECK(r.route.is_explored && r.route.cost == COST_UNPRICED);
    route.features.len++; /* too many are none: half of them would be wrong ones */
    record_put_route(bytes, &route);
    REQUIRE(record_decode(bytes, &r));
    CHECK_INT(r.route.features.len, 0);
}

static void labels_round_trip(void)
{
    struct ledger_label label = { .query = INT64_MAX,
                                  .source = LABEL_AUDIT,
                                  .value = 0.25,
                                  .is_noisy = true,
                                  .labelled = 1767225600000001,
                                  .text = STR("the strong model says 41") };
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;

    record_put_label(bytes, &label);
    REQUIRE(record_decode(bytes, &r));
    CHECK(r.type == RECORD_LABEL && record_query(&r) == INT64_MAX);
    CHECK(r.label.source == LABEL_AUDIT && r.label.is_noisy);
    CHECK(r.label.labelled == label.labelled);
    CHECK_NEAR(r.label.value, 0.25, 0);
    CHECK_STR(r.label.text, label.text);
    for (int i = 0; i < LABEL_SOURCE_COUNT; i++) {
        enum ledger_source source = LABEL_SOURCE_COUNT;
        CHECK(ledger_source_find(str_from(ledger_source_name((enum ledger_source)i)), &source));
        CHECK_INT(source, i);
    }
    enum ledger_source source = LABEL_AUDIT;
    CHECK(!ledger_source_find(STR("rumour"), &source) && source == LABEL_AUDIT);

    size_t at = RECORD_HEADER_BYTES + 10; /* of the source */
    bytes[at] = LABEL_SOURCE_COUNT;
    CHECK(!record_decode(bytes, &r));
    bytes[at] = LABEL_VERIFIER;
    CHECK(record_decode(bytes, &r));
    static const double senseless[] = { -0.001, 1.001, (double)NAN, (double)INFINITY };
    for (size_t i = 0; i < ARRAY_LEN(senseless); i++) {
        memcpy(bytes + at + 1, &senseless[i], sizeof(double));
        CHECK(!record_decode(bytes, &r));
    }
}

/* At 200 bytes, and not within a character. */
static void texts_are_cut(void)
{
    char text[300];
    struct ledger_query q = a_query();
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;

    memset(text, 'x', sizeof(text));
    q.tenant = q.domain = q.strategy = q.arm = q.requested_model = (str){ text, sizeof(text) };
    record_put_begin(bytes, &q);
    REQUIRE(record_decode(bytes, &r));
    CHECK_INT(r.begin.arm.len, 200);
    memcpy(text + 198, "\xe2\x82\xac", 3); /* its last byte would be the 201st */
    record_put_begin(bytes, &q);
    REQUIRE(record_decode(bytes, &r));
    CHECK_INT(r.begin.arm.len, 198);
    q.tenant.len = 201;
    record_put_begin(bytes, &q);
    REQUIRE(record_decode(bytes, &r));
    CHECK_INT(r.begin.tenant.len, 198);
}

/* Three records, one of each of these. */
static size_t three_records(uint8_t *out, size_t starts[4])
{
    struct ledger_query q = a_query();
    struct ledger_call_end d = a_done();
    struct ledger_end e = { .id = 9, .http_status = 200, .model = STR("m"), .raw = { -1, 0, 1 } };

    starts[0] = 0;
    starts[1] = record_put_begin(out, &q);
    starts[2] = starts[1] + record_put_call_done(out + starts[1], &d);
    starts[3] = starts[2] + record_put_end(out + starts[2], &e);
    return starts[3];
}

static void prefixes_give_whole_records_only(void)
{
    uint8_t bytes[3 * RECORD_BYTES_MAX];
    size_t starts[4], size = three_records(bytes, starts);

    for (size_t n = 0; n <= size; n++) {
        for (int is_final = 0; is_final < 2; is_final++) {
            struct record_reader reader = { .bytes = bytes, .len = n, .is_final = is_final };
            struct record r;
            size_t found = 0, whole = 0;
            enum record_step step;
            while (whole < 3 && n >= starts[whole + 1])
                whole++;
            while ((step = record_next(&reader, &r)) == RECORD_STEP_FOUND)
                found++;
            CHECK_INT(step, RECORD_STEP_MORE);
            CHECK_INT(found, whole);
            CHECK_INT(reader.at, is_final ? n : starts[whole]);
            CHECK_INT(reader.gap_bytes, is_final ? n - starts[whole] : 0);
        }
    }
}

/* A version that this build does not know, and one that knew no such record. */
static void other_versions_are_not_read(void)
{
    static const struct {
        enum record_type type;
        uint8_t version;
        bool is_known;
    } cases[] = {
        { RECORD_END, 0, false },          { RECORD_END, 1, true },
        { RECORD_END, 3, true },           { RECORD_END, 4, false },
        { RECORD_LABEL, 1, false },        { RECORD_LABEL, 2, true },
        { RECORD_ROUTE, 1, false },        { RECORD_ROUTE, 2, true },
        { (enum record_type)8, 2, false }, { (enum record_type)0, 2, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        /* Its header alone: what may be a record is waited for. */
        const uint8_t header[] = { 40, 0, (uint8_t)cases[i].type, cases[i].version, 0, 0, 0, 0 };
        struct record_reader reader = { .bytes = header, .len = sizeof(header) };
        struct record r;
        CHECK_INT(record_next(&reader, &r), RECORD_STEP_MORE);
        CHECK((reader.at == 0) == cases[i].is_known);
    }
}

static void flipped_bits_lose_their_record_only(void)
{
    uint8_t bytes[3 * RECORD_BYTES_MAX];
    size_t starts[4], size = three_records(bytes, starts);

    for (size_t bit = 0; bit < size * 8; bit++) {
        struct record_reader reader = { .bytes = bytes, .len = size, .is_final = true };
        struct record r;
        size_t found = 0, gaps = 0, broken = 0;
        while (bit / 8 >= starts[broken + 1])
            broken++;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        for (enum record_step step; (step = record_next(&reader, &r)) != RECORD_STEP_MORE;) {
            found += step == RECORD_STEP_FOUND;
            gaps += step == RECORD_STEP_CORRUPT;
        }
        CHECK_INT(found, 2);
        CHECK_INT(gaps, broken == 2 ? 0 : 1);
        CHECK_INT(reader.gap_bytes, broken == 2 ? starts[3] - starts[2] : 0);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* A payload with a right checksum that no writer writes. */
static void senseless_payloads_are_refused(void)
{
    static const struct {
        const char *what;
        size_t len;
        uint8_t payload[24];
    } cases[] = {
        { "nothing", 0, { 0 } },
        { "an integer of eleven bytes",
          11,
          { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 } },
        { "an integer past 64 bits", 10, { 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 } },
        { "a text that is longer than the rest", 3, { 2, 2, 9 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t bytes[64] = { (uint8_t)cases[i].len, 0, RECORD_CALL_BEGIN, RECORD_VERSION };
        struct record r;
        memcpy(bytes + RECORD_HEADER_BYTES, cases[i].payload, cases[i].len);
        if (record_decode(bytes, &r))
            check_note(__FILE__, __LINE__, cases[i].what);
    }
    /* One byte too many behind a sound payload, and a boolean that is none. */
    struct ledger_query q = a_query();
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record r;
    size_t len = record_put_begin(bytes, &q);
    bytes[0]++;
    CHECK(!record_decode(bytes, &r));
    bytes[0]--;
    CHECK(record_decode(bytes, &r));
    bytes[len - 11] = 2; /* is_stream, before the ten bytes of INT64_MIN */
    CHECK(!record_decode(bytes, &r));
}

TESTS(TEST(checksum_is_the_standard_one), TEST(begins_round_trip), TEST(calls_round_trip),
      TEST(ends_round_trip), TEST(ends_without_an_answer_are_short),
      TEST(ends_of_version_1_are_read), TEST(routes_round_trip), TEST(labels_round_trip),
      TEST(texts_are_cut), TEST(other_versions_are_not_read),
      TEST(prefixes_give_whole_records_only), TEST(flipped_bits_lose_their_record_only),
      TEST(senseless_payloads_are_refused))
