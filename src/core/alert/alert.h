/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert: rules over windows of metrics, and which messages they are worth. Pure: the owner says what time it is, reads the
 * metrics, keeps the state and delivers the messages.
 *
 *     inactive --> pending --> firing --> inactive
 *         ^-----------'  'for' was not reached           resolved: clear of the threshold for keep_firing
 *
 * An instance is one rule on one series (an arm, a domain). Instances that belong together form a group; a group
 * becomes a message to a receiver after group_wait, then at most every group_interval, and again after
 * repeat_interval while it fires.
 *
 * A caller may rely on: the same calls give the same transitions and messages; no 'resolved' is sent to a receiver that
 * was not sent its 'firing'; a message is due until alert_sent() says that it is in the outbox, so that a crash between
 * the two repeats the question and never loses the answer; a clock that steps back delays and never repeats.
 *
 * May include: base, core/json.
 */
#ifndef WEIR_CORE_ALERT_ALERT_H
#define WEIR_CORE_ALERT_ALERT_H

#include "base/arena.h"
#include "base/base.h"
#include "core/json/json.h"

/* ---- what can be watched: a closed table, so that a typing error in a rule is an error when it is loaded ---- */

enum alert_side { ALERT_BELOW, ALERT_ABOVE }; /* which side of a threshold is bad */
enum alert_unit { ALERT_UNIT_RATIO, ALERT_UNIT_USD, ALERT_UNIT_MS, ALERT_UNIT_COUNT };

/* clang-format off */
#define ALERT_METRIC_TABLE(X)                                                                        \
    X(ALERT_SUCCESS_RATE,   "success_rate",        ALERT_BELOW, ALERT_UNIT_RATIO, "success rate")         \
    X(ALERT_ERROR_RATE,     "error_rate",          ALERT_ABOVE, ALERT_UNIT_RATIO, "error rate")           \
    X(ALERT_HRM_CONFIDENCE, "hrm_confidence_mean", ALERT_BELOW, ALERT_UNIT_RATIO, "HRM confidence")       \
    X(ALERT_TRM_CONFIDENCE, "trm_confidence_mean", ALERT_BELOW, ALERT_UNIT_RATIO, "TRM confidence")       \
    X(ALERT_COST,           "cost_per_query",      ALERT_ABOVE, ALERT_UNIT_USD,   "cost per query")       \
    X(ALERT_LATENCY_P95,    "latency_p95",         ALERT_ABOVE, ALERT_UNIT_MS,    "95th percentile of latency") \
    X(ALERT_CALIBRATION,    "calibration_ece",     ALERT_ABOVE, ALERT_UNIT_RATIO, "calibration error")    \
    X(ALERT_UNPRICED,       "unpriced_calls",      ALERT_ABOVE, ALERT_UNIT_COUNT, "calls without a price") \
    X(ALERT_DEAD_LETTERS,   "dead_letters",        ALERT_ABOVE, ALERT_UNIT_COUNT, "messages that could not be delivered")
/* clang-format on */

enum alert_metric {
#define X(id, name, side, unit, text) id,
    ALERT_METRIC_TABLE(X)
#undef X
        ALERT_METRIC_COUNT
};
struct alert_metric_info {
    const char *name;
    enum alert_side side;
    enum alert_unit unit;
    const char *text; /* for people, lower case */
};
const struct alert_metric_info *alert_metric_info(enum alert_metric m);
bool alert_metric_find(str name, enum alert_metric *out);

/* ---- rules ---- */

enum alert_severity { ALERT_INFO, ALERT_WARNING, ALERT_CRITICAL, ALERT_SEVERITY_COUNT };
const char *alert_severity_name(enum alert_severity s); /* "info", "warning", "critical" */
bool alert_severity_find(str name, enum alert_severity *out);

#define ALERT_BY_ARM 1u
#define ALERT_BY_DOMAIN 2u

#define ALERT_NAME_MAX 64
#define ALERT_RULES_MAX 64
#define ALERT_INSTANCES_MAX 1024
#define ALERT_SILENCES_MAX 256
#define ALERT_INHIBITIONS_MAX 16
#define ALERT_RECEIVERS_MAX 16
#define ALERT_MATCHERS_MAX 4

/* Burn rate: how fast the error budget of an objective is used up, over a long and a short window at once. */
struct alert_burn {
    double objective; /* success that is promised, (0, 1); 0: no burn-rate rule */
    double factor; /* times the budget's even pace */
    nsec short_window; /* alert_rule.window is the long one */
    int64_t bad_min; /* failures in the long window, below which nothing is said */
};

struct alert_rule {
    str name; /* unique, at most ALERT_NAME_MAX bytes of [a-z0-9_] */
    enum alert_metric metric;
    enum alert_severity severity;
    double threshold;
    double clear; /* the level that ends it (hysteresis); on the good side of threshold or equal */
    nsec window; /* that the metric is read over, > 0 */
    nsec pending; /* bad for so long before it fires: 'for' */
    nsec keep_firing; /* good for so long before it resolves */
    int64_t n_min; /* observations in the window, below which nothing is decided */
    unsigned by; /* ALERT_BY_…: a series each */
    struct alert_burn burn; /* metric must be ALERT_ERROR_RATE */
    str runbook; /* a link; may be empty */
};
/* The seed's six thresholds (confidence .80 and .75, success .95, cost $.005, latency 2000 ms, errors .05), three burn-rate pairs on a
 * 99 % objective, and three about weir itself. Static. */
const struct alert_rule *alert_rules_default(size_t *out_count);
/* NULL when the rule is sound, else what is wrong with it, in words. */
const char *alert_rule_fault(const struct alert_rule *r);

/* ---- series and their readings ---- */

struct alert_labels { /* of one series; empty: over all */
    str arm;
    str domain;
};
struct alert_reading {
    int64_t n; /* observations in the window */
    int64_t bad; /* failures among them; for burn rates */
    double value; /* in the metric's unit; meaningful when n > 0 */
};
/* Where readings come from. Both are called inside alert_evaluate() only. */
struct alert_source {
    void *ctx;
    /* Fills at most max series for a by mask, gives their number. */
    size_t (*series)(void *ctx, unsigned by, struct alert_labels *out, size_t max);
    bool (*read)(void *ctx, enum alert_metric metric, const struct alert_labels *labels,
                 nsec window, struct alert_reading *out);
};

/* ---- the machine ---- */

/* A firing alert whose series no longer has readings goes on firing for this long: no data is no success. */
#define ALERT_SILENT_MAX (15 * 60 * NSEC_PER_SEC)

enum alert_state { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING, ALERT_STATE_COUNT };
const char *alert_state_name(enum alert_state s);

struct alert_instance {
    uint64_t fingerprint; /* of rule and labels; 0: a free place */
    uint64_t group; /* the fingerprint of rule and arm */
    size_t rule;
    char arm[ALERT_NAME_MAX];
    char domain[ALERT_NAME_MAX];
    enum alert_state state;
    usec_utc since; /* entered the state */
    usec_utc fired; /* the last time that it began to fire */
    usec_utc good_since; /* while firing: clear of the threshold since; 0: it is not */
    usec_utc silent_since; /* no reading since; 0: there is one */
    usec_utc ended; /* when it last resolved; 0: never */
    double value; /* last reading */
    int64_t n;
    uint32_t told; /* a bit for each receiver that was sent its firing and not yet its end */
    bool is_seen; /* by the evaluation under way */
};

struct alert_transition {
    usec_utc at;
    const struct alert_instance *instance;
    enum alert_state from, to;
    bool is_for_want_of_data; /* it ended because its series went away */
};

struct alert_matcher { /* label = value; "*" at the end of value stands for anything */
    char label[16]; /* "alertname", "severity", "arm", "domain" */
    char value[ALERT_NAME_MAX];
    bool is_negative;
};
struct alert_silence {
    uint64_t id; /* > 0 */
    struct alert_matcher matchers[ALERT_MATCHERS_MAX]; /* all must hold; at least one */
    size_t matcher_count;
    usec_utc starts, ends;
    char author[ALERT_NAME_MAX];
    char comment[128];
};
/* While an alert that matches source fires, alerts that match target and have equal labels are not sent. */
struct alert_inhibition {
    struct alert_matcher source, target;
    bool same_arm, same_domain;
};

struct alert_receiver {
    str name; /* a channel's */
    enum alert_severity severity_min;
    bool sends_resolved;
};

struct alert_policy {
    const struct alert_rule *rules;
    size_t rule_count;
    const struct alert_receiver *receivers;
    size_t receiver_count;
    const struct alert_inhibition *inhibitions;
    size_t inhibition_count;
    nsec group_wait; /* 30 s */
    nsec group_interval; /* 5 min */
    nsec repeat_interval; /* 4 h */
};
struct alert_policy alert_policy_default(void); /* without receivers */

struct alert_machine; /* the state: instances, groups' times, the notification log, silences */

/* The policy must outlive the machine. Everything is in the arena. WEIR_CONFIG for too many or unsound rules. */
NODISCARD enum err alert_open(struct alert_machine **out, struct arena *arena,
                              const struct alert_policy *policy);
/* Reads every rule once; transitions are reported in the order of the rules. Calls with a `now` before the last one's are taken as
 * at the last one's. */
void alert_evaluate(struct alert_machine *m, usec_utc now, const struct alert_source *source,
                    void (*on_transition)(void *ctx, const struct alert_transition *t), void *ctx);
size_t alert_count(const struct alert_machine *m, enum alert_state state);
/* Instances that are not forgotten: pending, firing, or ended and a receiver does not know yet; NULL past the end. */
const struct alert_instance *alert_at(const struct alert_machine *m, size_t i);
const struct alert_rule *alert_rule_of(const struct alert_machine *m,
                                       const struct alert_instance *i);
str alert_receiver_name(const struct alert_machine *m, size_t receiver);
/* Series that could not be watched because ALERT_INSTANCES_MAX others were, since the start. */
uint64_t alert_overflow(const struct alert_machine *m);

/* ---- silences ---- */
/* CALLER_BAD_REQUEST (no matcher, unknown label, ends before it starts, no author), WEIR_OVERLOADED (too many). *out_id is new and
 * never used before in this state. */
NODISCARD enum err alert_silence_add(struct alert_machine *m, const struct alert_silence *silence,
                                     uint64_t *out_id);
/* Ends it at `now`; false when there is none that has not ended. */
bool alert_silence_end(struct alert_machine *m, uint64_t id, usec_utc now);
const struct alert_silence *alert_silence_at(const struct alert_machine *m,
                                             size_t i); /* NULL past the end */
bool alert_is_silenced(const struct alert_machine *m, const struct alert_instance *i, usec_utc now,
                       uint64_t *out_id);
bool alert_is_inhibited(const struct alert_machine *m, const struct alert_instance *i);

/* ---- messages ---- */
#define ALERT_MESSAGE_ALERTS_MAX 32

struct alert_message_item {
    const struct alert_instance *instance;
    bool is_resolved;
};
struct alert_message {
    size_t receiver;
    size_t rule; /* a group is a rule on one arm */
    uint64_t group; /* stable: the fingerprint of rule and arm */
    uint64_t
        generation; /* of this message within the group and receiver; with group: an idempotency key */
    struct alert_message_item items[ALERT_MESSAGE_ALERTS_MAX];
    size_t count; /* > 0 */
    size_t left_out; /* firing ones beyond the limit */
};
/* The next message that is due; false: none. Ask again after alert_sent(). */
bool alert_due(const struct alert_machine *m, usec_utc now, struct alert_message *out);
/* The message is durably in the outbox. */
void alert_sent(struct alert_machine *m, usec_utc now, const struct alert_message *message);

/* ---- what survives a restart ---- */
/* JSON: {"version":1,"now":…,"instances":[…],"log":[…],"silences":[…]}. */
void alert_state_write(const struct alert_machine *m, struct buf *out);
/* Into a machine that was just opened; instances and log rows of rules or receivers that are no longer there are dropped.
 * CALLER_BAD_REQUEST, and the machine as it was, when it is no such text. */
NODISCARD enum err alert_state_read(struct alert_machine *m, str text);

/* ---- words ---- */
/* "success rate 93.10 % < 95.00 % over 10 min (n = 1,204), arm canary". In the arena. */
str alert_sentence(const struct alert_machine *m, const struct alert_instance *i,
                   struct arena *arena);

#endif
