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

TESTS(TEST(every_metric_is_read), TEST(a_summary_is_of_the_window),
      TEST(recent_slots_come_oldest_first), TEST(windows_equal_a_naive_sum),
      TEST(quantiles_are_near), TEST(series_are_what_was_seen), TEST(arms_are_bounded),
      TEST(what_a_client_left_is_not_judged), TEST(calibration_is_the_distance_by_tenths))
