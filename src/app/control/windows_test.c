/* SPDX-License-Identifier: Apache-2.0 */
#include "app/control/windows.h"

#include "base/rng.h"
#include "test/check.h"

#define SECOND NSEC_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define START (1000 * HOUR)

static const struct feed_fact good = { .cost = 2000000,
                                       .latency = 900 * NSEC_PER_MS,
                                       .hrm_confidence = 0.875f,
                                       .trm_confidence = 0.75f,
                                       .confidence = -1,
                                       .verdict = -1,
                                       .domain = FEED_DOMAIN_STEM,
                                       .flags = FEED_ANSWERED };

static struct alert_reading read_of(const struct windows *w, nsec now, enum alert_metric metric,
                                    const char *arm, const char *domain, nsec window)
{
    struct alert_labels labels = { str_from(arm), str_from(domain) };
    struct alert_reading reading = { .n = -1 };

    CHECK(windows_read(w, now, metric, &labels, window, &reading));
    return reading;
}

static struct windows *opened(void)
{
    struct windows *w = NULL;

    CHECK_ERR(windows_open(&w), OK);
    assert(w);
    return w;
}

static void every_metric_is_read(void)
{
    struct windows *w = opened();
    struct feed_fact f = good;

    for (int i = 0; i < 8; i++)
        windows_add(w, START, STR("a"), &f);
    f.flags = FEED_FAILED;
    f.cost = COST_UNPRICED;
    f.hrm_confidence = f.trm_confidence = -1;
    f.latency = 30 * SECOND;
    f.verdict = 0; /* it failed: it is not wrong besides */
    windows_add(w, START, STR("a"), &f);
    f = good;
    f.verdict = 0;
    windows_add(w, START, STR("a"), &f);

    struct alert_reading r = read_of(w, START, ALERT_SUCCESS_RATE, "a", "", MINUTE);
    CHECK(r.n == 10 && r.bad == 2);
    CHECK_NEAR(r.value, 0.8, 1e-12);
    r = read_of(w, START, ALERT_ERROR_RATE, "a", "stem", MINUTE);
    CHECK(r.n == 10 && r.bad == 1);
    CHECK_NEAR(r.value, 0.1, 1e-12);
    r = read_of(w, START, ALERT_HRM_CONFIDENCE, "", "", MINUTE);
    CHECK_INT(r.n, 9);
    CHECK_NEAR(r.value, 0.875, 1e-9);
    r = read_of(w, START, ALERT_TRM_CONFIDENCE, "", "", MINUTE);
    CHECK_NEAR(r.value, 0.75, 1e-9);
    r = read_of(w, START, ALERT_COST, "", "", MINUTE);
    CHECK_INT(r.n, 9);
    CHECK_NEAR(r.value, 0.002, 1e-12);
    r = read_of(w, START, ALERT_UNPRICED, "", "", MINUTE);
    CHECK(r.n == 10 && r.bad == 1);
    CHECK_NEAR(r.value, 1, 0);
    r = read_of(w, START, ALERT_LATENCY_P95, "", "", MINUTE);
    CHECK_NEAR(r.value, 30000, 1400);
    CHECK_INT(read_of(w, START, ALERT_ERROR_RATE, "b", "", MINUTE).n, 0);
    CHECK_INT(read_of(w, START, ALERT_ERROR_RATE, "a", "generic", MINUTE).n, 0);
    struct alert_reading untouched = { .n = 7 };
    CHECK(!windows_read(w, START, ALERT_DEAD_LETTERS, &(struct alert_labels){ .arm = { 0 } },
                        MINUTE, &untouched));
    CHECK_INT(untouched.n, 7);
    windows_close(w);
}

/* n and sums of every window length equal those of a list of what was added. */
static void windows_equal_a_naive_sum(void)
{
    enum { MANY = 3000 };
    static nsec at[MANY];
    struct windows *w = opened();
    struct rng rng;
    nsec now = START + 17;
    const struct {
        nsec window, width;
    } cases[] = { { 30 * SECOND, SECOND }, { 60 * SECOND, SECOND }, { 61 * SECOND, MINUTE },
                  { 10 * MINUTE, MINUTE }, { HOUR, MINUTE },        { 6 * HOUR, HOUR },
                  { 48 * HOUR, HOUR },     { 72 * HOUR, 6 * HOUR } };

    rng_init(&rng, 4);
    for (int i = 0; i < MANY; i++) {
        now +=
            (nsec)rng_below(&rng, i % 10 == 0 ? (uint64_t)(20 * MINUTE) : (uint64_t)(2 * SECOND));
        at[i] = now;
        windows_add(w, now, STR(""), &good);
        for (size_t c = 0; c < ARRAY_LEN(cases) && i % 50 == 0; c++) {
            int64_t slots =
                cases[c].window / cases[c].width + (cases[c].window % cases[c].width != 0);
            int64_t first = now / cases[c].width - slots + 1, n = 0;
            for (int k = 0; k <= i; k++)
                n += at[k] / cases[c].width >= first;
            CHECK_INT(read_of(w, now, ALERT_ERROR_RATE, "default", "", cases[c].window).n, n);
        }
    }
    CHECK_INT(read_of(w, now + 200 * HOUR, ALERT_ERROR_RATE, "", "", 72 * HOUR).n, 0);
    windows_close(w);
}

/* A slot begins at its first nanosecond and ends before the next one's; what is late goes where it belongs. */
static void slots_have_sharp_edges(void)
{
    const nsec edge = START / HOUR * HOUR + HOUR;
    static const struct {
        nsec at; /* from the edge */
        int64_t last_second, last_minute; /* counts, seen from the edge's own slots */
    } rows[] = {
        { -1, 0, 0 },     { 0, 1, 1 },       { SECOND - 1, 2, 2 },
        { SECOND, 2, 3 }, { -SECOND, 2, 3 }, { 0, 3, 4 },
    };
    struct windows *w = opened();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        windows_add(w, edge + rows[i].at, STR(""), &good);
        CHECK_INT(read_of(w, edge, ALERT_ERROR_RATE, "", "", SECOND).n, rows[i].last_second);
        CHECK_INT(read_of(w, edge, ALERT_ERROR_RATE, "", "", 61 * SECOND).n -
                      read_of(w, edge - 1, ALERT_ERROR_RATE, "", "", MINUTE + SECOND).n,
                  rows[i].last_minute);
    }
    windows_close(w);
}

static void quantiles_are_near(void)
{
    struct windows *w = opened();
    struct feed_fact f = good;

    for (int ms = 1; ms <= 4000; ms++) {
        f.latency = ms * NSEC_PER_MS;
        windows_add(w, START, STR("a"), &f);
    }
    CHECK_NEAR(read_of(w, START, ALERT_LATENCY_P95, "a", "", MINUTE).value, 3800, 40);
    windows_close(w);
}

static void series_are_what_was_seen(void)
{
    struct windows *w = opened();
    struct alert_labels out[8];
    struct feed_fact f = good;

    CHECK_INT(windows_series(w, START, 0, out, 8), 1);
    CHECK(out[0].arm.len == 0 && out[0].domain.len == 0);
    CHECK_INT(windows_series(w, START, ALERT_BY_ARM, out, 8), 0);
    windows_add(w, START, STR("r/canary"), &f);
    f.domain = FEED_DOMAIN_GENERIC;
    windows_add(w, START, STR("r/canary"), &f);
    windows_add(w, START, STR(""), &f);
    CHECK_INT(windows_series(w, START, ALERT_BY_ARM, out, 8), 2);
    CHECK_STR(out[0].arm, STR("r/canary"));
    CHECK_STR(out[1].arm, STR("default"));
    CHECK_INT(windows_series(w, START, ALERT_BY_DOMAIN, out, 8), 2);
    CHECK_INT(windows_series(w, START, ALERT_BY_ARM | ALERT_BY_DOMAIN, out, 8), 3);
    CHECK_INT(windows_series(w, START, ALERT_BY_ARM | ALERT_BY_DOMAIN, out, 2), 2);
    CHECK_INT(windows_series(w, START + 121 * HOUR, ALERT_BY_ARM, out, 8), 0);
    windows_close(w);
}

/* A new arm takes the place of the one that was silent for longest, and nothing of that one is left in it. */
static void arms_are_bounded(void)
{
    struct windows *w = opened();
    char label[WINDOWS_LABEL_MAX];

    for (int i = 0; i <= WINDOWS_ARMS_MAX; i++) {
        snprintf(label, sizeof(label), "arm-%d", i);
        windows_add(w, START + i, str_from(label), &good);
    }
    CHECK_INT(read_of(w, START, ALERT_ERROR_RATE, "arm-0", "", MINUTE).n, 0);
    CHECK_INT(read_of(w, START, ALERT_ERROR_RATE, "arm-1", "", MINUTE).n, 1);
    CHECK_INT(read_of(w, START, ALERT_ERROR_RATE, label, "", MINUTE).n, 1);
    CHECK_INT(read_of(w, START, ALERT_ERROR_RATE, "", "", MINUTE).n, WINDOWS_ARMS_MAX);
    windows_close(w);
}

static void what_a_client_left_is_not_judged(void)
{
    struct windows *w = opened();
    struct feed_fact f = good;

    f.flags = FEED_GONE;
    windows_add(w, START, STR("a"), &f);
    CHECK_INT(read_of(w, START, ALERT_ERROR_RATE, "", "", MINUTE).n, 0);
    windows_close(w);
}

static void calibration_is_the_distance_by_tenths(void)
{
    struct windows *w = opened();
    struct feed_fact f = good;

    f.flags = FEED_ANSWERED | FEED_IS_CALIBRATED;
    for (int i = 0; i < 10; i++) {
        f.confidence = 0.9f;
        f.verdict = i < 6 ? 1 : 0;
        windows_add(w, START, STR("a"), &f);
        f.confidence = 0.25f;
        f.verdict = i < 2 ? 1 : 0;
        windows_add(w, START, STR("a"), &f);
    }
    f.flags = FEED_ANSWERED; /* a raw signal promises nothing */
    windows_add(w, START, STR("a"), &f);
    struct alert_reading r = read_of(w, START, ALERT_CALIBRATION, "", "", MINUTE);
    CHECK_INT(r.n, 20);
    CHECK_NEAR(r.value, (3.0 + 0.5) / 20, 1e-5);
    windows_close(w);
}

static void a_summary_is_of_the_window(void)
{
    struct windows *w = opened();
    struct feed_fact bad = good;
    struct windows_summary s;

    bad.flags = FEED_FAILED;
    bad.cost = COST_UNPRICED;
    bad.trm_confidence = -1;
    bad.hrm_confidence = 0.125f;
    windows_add(w, START, STR("a"), &good);
    windows_add(w, START + 2 * MINUTE, STR("a"), &good);
    windows_add(w, START + 2 * MINUTE, STR("b"), &bad);
    bad = good;
    bad.verdict = 0;
    windows_add(w, START + 2 * MINUTE, STR("b"), &bad);

    windows_summarise(w, START + 2 * MINUTE, &(struct alert_labels){ .arm = { 0 } }, MINUTE, &s);
    CHECK(s.n == 3 && s.failed == 1 && s.wrong == 1 && s.priced == 2 && s.unpriced == 1);
    CHECK(s.hrm_n == 3 && s.trm_n == 2);
    CHECK_NEAR(s.hrm, (2 * 0.875 + 0.125) / 3, 1e-9);
    CHECK_NEAR(s.trm, 0.75, 1e-9);
    CHECK_NEAR(s.cost_usd, 0.004, 1e-12);
    for (size_t i = 0; i < WINDOWS_QUANTILES; i++)
        CHECK_NEAR(s.latency_ms[i], 900, 40);
    windows_summarise(w, START + 2 * MINUTE, &(struct alert_labels){ .arm = STR("a") }, HOUR, &s);
    CHECK(s.n == 2 && s.failed == 0);
    windows_summarise(w, START + 200 * HOUR, &(struct alert_labels){ .arm = { 0 } }, MINUTE, &s);
    CHECK(s.n == 0 && s.latency_ms[0] <= 0);
    windows_close(w);
}

static void recent_slots_come_oldest_first(void)
{
    struct windows *w = opened();
    struct windows_summary s[WINDOWS_RECENT_MAX];

    windows_add(w, START, STR("a"), &good);
    windows_add(w, START + 58 * MINUTE, STR("a"), &good);
    windows_add(w, START + 59 * MINUTE, STR("b"), &good);
    windows_add(w, START + 59 * MINUTE + SECOND, STR("a"), &good);
    windows_recent(w, START + 59 * MINUTE + SECOND, WINDOWS_MINUTES, 60, s);
    CHECK(s[0].n == 1 && s[1].n == 0 && s[58].n == 1 && s[59].n == 2);
    windows_recent(w, START + 60 * MINUTE, WINDOWS_MINUTES, 60, s);
    CHECK(s[0].n == 0 && s[58].n == 2 && s[59].n == 0);
    windows_recent(w, START + 59 * MINUTE + SECOND, WINDOWS_SECONDS, 2, s);
    CHECK(s[0].n == 1 && s[1].n == 1);
    windows_close(w);
}

/* ---- saved and restored ---- */

static const enum alert_metric metrics[] = { ALERT_SUCCESS_RATE,   ALERT_ERROR_RATE,
                                             ALERT_HRM_CONFIDENCE, ALERT_TRM_CONFIDENCE,
                                             ALERT_COST,           ALERT_LATENCY_P95,
                                             ALERT_CALIBRATION,    ALERT_UNPRICED };
static const nsec spans[] = { 30 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, 72 * HOUR };

static void are_equal(const struct windows *a, const struct windows *b, nsec now, const char *arm,
                      const char *domain)
{
    for (size_t m = 0; m < ARRAY_LEN(metrics); m++) {
        for (size_t s = 0; s < ARRAY_LEN(spans); s++) {
            struct alert_reading x = read_of(a, now, metrics[m], arm, domain, spans[s]);
            struct alert_reading y = read_of(b, now, metrics[m], arm, domain, spans[s]);
            CHECK(x.n == y.n && x.bad == y.bad);
            CHECK_NEAR(y.value, x.value, 0);
        }
    }
}

/* Traffic of some days, with every kind of fact, that ends about `now`. */
static struct windows *busy(uint64_t seed, nsec now)
{
    static const char *const arms[] = { "", "r/canary", "r/control" };
    struct windows *w = opened();
    struct rng rng;

    rng_init(&rng, seed);
    for (int i = 400; i > 0; i--) {
        struct feed_fact f = good;
        nsec at = now - (nsec)i * (nsec)i * 3 * SECOND; /* up to 5.5 days ago */
        f.domain = (uint8_t)rng_below(&rng, 2);
        f.latency = (nsec)rng_below(&rng, 90 * (uint64_t)SECOND);
        f.cost = rng_below(&rng, 4) == 0 ? COST_UNPRICED : (nano_usd)rng_below(&rng, 9000000);
        f.confidence = rng_below(&rng, 3) == 0 ? -1 : (float)rng_unit(&rng);
        f.verdict = rng_below(&rng, 3) == 0 ? -1 : (float)rng_below(&rng, 2);
        f.hrm_confidence = rng_below(&rng, 3) == 0 ? -1 : (float)rng_unit(&rng);
        f.trm_confidence = rng_below(&rng, 3) == 0 ? -1 : (float)rng_unit(&rng);
        f.flags = (uint8_t)((rng_below(&rng, 5) == 0 ? FEED_FAILED : FEED_ANSWERED) |
                            (rng_below(&rng, 2) == 0 ? FEED_IS_CALIBRATED : 0));
        windows_add(w, at, str_from(arms[rng_below(&rng, 3)]), &f);
    }
    return w;
}

static void a_restart_forgets_nothing(void)
{
    const nsec now = START + 77 * SECOND;

    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct windows *w = busy(seed, now), *back = opened();
        struct buf bytes = { 0 }, again = { 0 };
        struct alert_labels series[16], series_back[16];
        windows_save(w, now, &bytes);
        CHECK_ERR(windows_restore(back, now, buf_str(&bytes)), OK);
        for (nsec later = now; later < now + 80 * HOUR; later = later * 2 - now + MINUTE) {
            are_equal(w, back, later, "", "");
            are_equal(w, back, later, "r/canary", "");
            are_equal(w, back, later, "default", "generic");
        }
        size_t n = windows_series(w, now, ALERT_BY_ARM | ALERT_BY_DOMAIN, series, 16);
        CHECK_INT(windows_series(back, now, ALERT_BY_ARM | ALERT_BY_DOMAIN, series_back, 16), n);
        for (size_t i = 0; i < n; i++)
            CHECK(str_eq(series[i].arm, series_back[i].arm) &&
                  str_eq(series[i].domain, series_back[i].domain));
        windows_save(back, now, &again);
        CHECK(str_eq(buf_str(&bytes), buf_str(&again)));
        windows_add(w, now + MINUTE, STR("r/canary"), &good); /* and both go on alike */
        windows_add(back, now + MINUTE, STR("r/canary"), &good);
        are_equal(w, back, now + MINUTE, "", "");
        windows_close(w);
        windows_close(back);
        buf_fini(&bytes);
        buf_fini(&again);
    }
}

/* Restored long after, what is too old reads as zero as it would have. */
static void what_is_older_than_its_window_is_gone(void)
{
    struct windows *w = busy(9, START), *back = opened();
    struct buf bytes = { 0 };

    windows_save(w, START, &bytes);
    CHECK_ERR(windows_restore(back, START + 3 * HOUR, buf_str(&bytes)), OK);
    are_equal(w, back, START + 3 * HOUR, "", "");
    CHECK_INT(read_of(back, START + 3 * HOUR, ALERT_ERROR_RATE, "", "", HOUR).n, 0);
    CHECK(read_of(back, START + 3 * HOUR, ALERT_ERROR_RATE, "", "", 6 * HOUR).n > 0);
    CHECK_INT(read_of(back, START + 200 * HOUR, ALERT_ERROR_RATE, "", "", 72 * HOUR).n, 0);
    windows_close(w);
    windows_close(back);
    buf_fini(&bytes);
}

/* When the clock went back while weir was down, what lies ahead is left out: it would count twice when its time comes. */
static void what_lies_ahead_is_left_out(void)
{
    struct windows *w = opened(), *back = opened();
    struct buf bytes = { 0 };

    for (int i = 0; i < 10; i++)
        windows_add(w, START - i * HOUR, STR("a"), &good);
    windows_save(w, START, &bytes);
    CHECK_ERR(windows_restore(back, START - 5 * HOUR, buf_str(&bytes)), OK);
    CHECK_INT(read_of(back, START - 5 * HOUR, ALERT_ERROR_RATE, "a", "", 48 * HOUR).n, 5);
    CHECK_INT(read_of(back, START, ALERT_ERROR_RATE, "a", "", 48 * HOUR).n, 5);
    CHECK_INT(read_of(back, START, ALERT_ERROR_RATE, "a", "", HOUR).n, 0);
    windows_close(w);
    windows_close(back);
    buf_fini(&bytes);
}

/* Makes the checksum right. */
static void seal(struct buf *bytes)
{
    uint64_t sum = str_hash(str_slice(buf_str(bytes), 0, bytes->len - 8));

    for (size_t i = 0; i < 8; i++)
        bytes->ptr[bytes->len - 8 + i] = (char)(sum >> 8 * i & 0xff);
}

/* Until when an arm is among the series is kept too: five days after its last query. */
static void an_arm_ages_while_nobody_runs(void)
{
    struct windows *w = opened(), *back = opened(), *early = opened();
    struct buf bytes = { 0 };
    struct alert_labels out[2];

    windows_add(w, START, STR("a"), &good);
    windows_save(w, START + 100 * HOUR, &bytes);
    CHECK_ERR(windows_restore(back, START + 101 * HOUR, buf_str(&bytes)), OK);
    CHECK_INT(windows_series(back, START + 119 * HOUR, ALERT_BY_ARM, out, 2), 1);
    CHECK_INT(windows_series(back, START + 121 * HOUR, ALERT_BY_ARM, out, 2), 0);
    CHECK_ERR(windows_restore(early, START - 50 * HOUR, buf_str(&bytes)), OK); /* it went back */
    CHECK_INT(windows_series(early, START + 71 * HOUR, ALERT_BY_ARM, out, 2), 0);
    windows_close(w);
    windows_close(back);
    windows_close(early);
    buf_fini(&bytes);
}

/* The oldest slot that a ring still holds is the window's as well. */
static void the_oldest_slot_is_kept(void)
{
    struct windows *w = opened(), *back = opened();
    struct buf bytes = { 0 };

    windows_add(w, START, STR("a"), &good);
    windows_save(w, START + 47 * HOUR, &bytes);
    CHECK_ERR(windows_restore(back, START + 47 * HOUR, buf_str(&bytes)), OK);
    CHECK_INT(read_of(w, START + 47 * HOUR, ALERT_ERROR_RATE, "", "", 48 * HOUR).n, 1);
    are_equal(w, back, START + 47 * HOUR, "", "");
    CHECK_INT(read_of(back, START + 47 * HOUR, ALERT_ERROR_RATE, "", "", 48 * HOUR).n, 1);
    CHECK_INT(read_of(back, START + 48 * HOUR, ALERT_ERROR_RATE, "", "", 48 * HOUR).n, 0);
    windows_close(w);
    windows_close(back);
    buf_fini(&bytes);
}

static void makes_sense(const struct windows *w)
{
    for (size_t s = 0; s < ARRAY_LEN(spans); s++) {
        struct alert_reading rate = read_of(w, START, ALERT_SUCCESS_RATE, "", "", spans[s]);
        struct alert_reading late = read_of(w, START, ALERT_LATENCY_P95, "", "", spans[s]);
        CHECK(rate.value >= 0 && rate.value <= 1 && rate.bad >= 0 && rate.bad <= rate.n);
        CHECK(late.n == 0 || late.value > 0); /* every query has a latency */
    }
}

/* With the checksum right: what is short or long is refused, and of what is changed only what still makes sense is taken. */
static void nonsense_is_refused(void)
{
    static const char flips[] = { 1, 2, 0x40, 0x7f, (char)0x80, (char)0xff };
    struct windows *w = busy(5, START);
    struct buf whole = { 0 }, bytes = { 0 };

    windows_save(w, START, &whole);
    for (size_t i = 0; i < whole.len; i += i < 64 || i + 64 > whole.len ? 1 : 1 + whole.len / 499) {
        struct windows *back = opened();
        buf_reset(&bytes);
        buf_add(&bytes, str_slice(buf_str(&whole), 0, i));
        buf_add(&bytes, STR("12345678"));
        seal(&bytes);
        if (i != whole.len - 8)
            CHECK_ERR(windows_restore(back, START, buf_str(&bytes)), WEIR_STORE);
        for (size_t k = 0; k < sizeof(flips); k++) {
            buf_reset(&bytes);
            buf_add(&bytes, buf_str(&whole));
            bytes.ptr[i] ^= flips[k];
            seal(&bytes);
            windows_close(back);
            back = opened();
            if (windows_restore(back, START, buf_str(&bytes)) == OK)
                makes_sense(back);
        }
        windows_close(back);
    }
    size_t label = str_find(buf_str(&whole), STR("r/canary"));
    REQUIRE(label != STR_NPOS);
    whole.ptr[label] = '\0'; /* a label that cannot be */
    seal(&whole);
    struct windows *back = opened();
    CHECK_ERR(windows_restore(back, START, buf_str(&whole)), WEIR_STORE);
    windows_close(back);
    windows_close(w);
    buf_fini(&whole);
    buf_fini(&bytes);
}

static void damaged_documents_are_refused(void)
{
    struct windows *w = busy(3, START), *back = opened();
    struct buf bytes = { 0 };

    windows_save(w, START, &bytes);
    for (size_t i = 0; i < bytes.len; i += 1 + bytes.len / 997) {
        bytes.ptr[i] ^= 0x10;
        CHECK_ERR(windows_restore(back, START, buf_str(&bytes)), WEIR_STORE);
        bytes.ptr[i] ^= 0x10;
        CHECK_ERR(windows_restore(back, START, str_slice(buf_str(&bytes), 0, i)), WEIR_STORE);
    }
    bytes.ptr[sizeof("weir-windows") - 1]++; /* another version, whatever its checksum */
    seal(&bytes);
    CHECK_ERR(windows_restore(back, START, buf_str(&bytes)), WEIR_STORE);
    CHECK_INT(windows_series(back, START, ALERT_BY_ARM, &(struct alert_labels){ .arm = { 0 } }, 1),
              0);
    windows_close(w);
    windows_close(back);
    buf_fini(&bytes);
}

TESTS(TEST(every_metric_is_read), TEST(a_summary_is_of_the_window),
      TEST(recent_slots_come_oldest_first), TEST(windows_equal_a_naive_sum),
      TEST(slots_have_sharp_edges), TEST(quantiles_are_near), TEST(series_are_what_was_seen),
      TEST(arms_are_bounded), TEST(what_a_client_left_is_not_judged),
      TEST(calibration_is_the_distance_by_tenths), TEST(a_restart_forgets_nothing),
      TEST(what_is_older_than_its_window_is_gone), TEST(what_lies_ahead_is_left_out),
      TEST(an_arm_ages_while_nobody_runs), TEST(the_oldest_slot_is_kept), TEST(nonsense_is_refused),
      TEST(damaged_documents_are_refused))
