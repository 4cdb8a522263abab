/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: the ledger. Each worker appends records to a journal of its own and commits them in groups, with one
 * write(2) a turn; the store thread imports finished queries from the journals into SQLite, which is what people and
 * reports read. A stalled or locked database therefore never stalls serving: the journal is the spill.
 *
 *     ledger_begin -> ledger_call_begin -> (commit) ... call runs ... -> ledger_call_end -> ledger_end -> (commit) -> answer's last byte
 *
 * A caller may rely on:
 *   - what was appended before a ledger_commit() that gave OK survives kill -9 (and, with sync_power, power loss);
 *   - after a crash, store_open() (or `weir ledger verify`) imports every journal left behind, each query once; queries and calls
 *     without an end become rows with fault WEIR_INTERRUPTED, calls at their reserved cost;
 *   - importing the same journal twice changes nothing;
 *   - a label may come long after its query, in another journal, or for a query that is not there: it is kept. Of one
 *     source the newest label holds, in whatever order they are imported.
 *
 * May include: base, core/json, core/money, core/route, core/stats.
 */
#ifndef WEIR_EDGE_STORE_STORE_H
#define WEIR_EDGE_STORE_STORE_H

#include "base/base.h"
#include "core/money/money.h"

struct route_features;
struct store;
struct ledger; /* one worker's writer */

struct store_options {
    str directory; /* created when missing, mode 0700: ledger.db, journal-*.wj, lock */
    bool sync_power; /* fdatasync with each commit, synchronous=FULL */
    bool
        relaxed; /* commits may be deferred up to 50 ms: faster, the last moments may be lost in a crash */
    size_t segment_bytes; /* journal rotation; 0: 16 MiB */
    uint64_t
        journal_bytes_max; /* of all segments; past it ledger_commit gives WEIR_STORE; 0: 4 GiB */
    nsec import_interval; /* 0: 100 ms */
};

/* Takes the directory's lock (WEIR_STORE when another process holds it; out_why says so), recovers, starts the store thread. OK with a
 * sentence in out_why (else it is empty): a journal left behind was broken; what could be read was imported, the file is kept. */
NODISCARD enum err store_open(struct store **out, const struct store_options *options,
                              char out_why[256]);
void store_close(
    struct store *s); /* every ledger must be closed; imports everything first; NULL is a no-op */

/* For metrics, alerts and readiness; from any thread. */
struct store_health {
    uint64_t journal_bytes; /* not yet imported, or not yet deleted */
    uint64_t journal_bytes_max; /* past it commits are refused */
    uint64_t import_failures; /* attempts that the database refused, since the start */
    bool is_writable; /* the newest commit or probe could write; true before the first */
    uint64_t probes_asked, probes_done; /* see store_probe() */
};
void store_health_read(const struct store *s, struct store_health *out);
/* Asks the store thread to write a small file into the directory and to remove it. Returns at once: probes_done follows when the
 * thread lives and the disk answers. A request made while another waits is the same one. From any thread. */
void store_probe(struct store *s);

NODISCARD enum err ledger_open(struct ledger **out, struct store *s,
                               unsigned worker); /* worker < 256 */
void ledger_close(struct ledger *l);

/* A query's id: 63 bits, unique in the directory for ever, growing with time: 42 bits of milliseconds, 8 of worker, 13 of sequence; never goes
 * back when the clock does. As text: "q" and 16 hex digits. */
int64_t ledger_query_id(struct ledger *l);
str ledger_id_format(int64_t id, char out[20]);
bool ledger_id_parse(str text, int64_t *out);

struct ledger_query {
    int64_t id;
    usec_utc started;
    str tenant; /* any of these may be empty; each is cut at 200 bytes */
    str domain;
    str requested_model; /* what the client asked for */
    str strategy; /* "plain", "direct", "hrm_trm", … */
    str arm;
    bool is_stream;
    nano_usd reserved; /* worst case; COST_UNPRICED when unknown */
    str key; /* its id, never the key itself; empty: none */
};

struct ledger_call {
    int64_t query;
    uint32_t number; /* 1.. within the query */
    str role; /* "plain", "plan", "solve", … */
    str model;
    str provider;
    nano_usd reserved;
    int64_t started_us; /* since its query started; negative: unknown */
};

struct ledger_call_end {
    int64_t query;
    uint32_t number;
    enum err fault;
    int http_status;
    int attempts;
    struct usage usage;
    nano_usd cost; /* or COST_UNPRICED */
    nano_usd price_input; /* per token, as applied; -1 when unpriced */
    nano_usd price_output;
    nano_usd price_cached;
    int64_t latency_us;
    int64_t first_byte_us;
    bool is_simulated;
};

/* Confidences as they were before calibration: what a calibration is made from. Negative: none. */
struct ledger_raw {
    double hrm_confidence;
    double trm_confidence;
    double confidence;
};
#define LEDGER_RAW_NONE ((struct ledger_raw){ -1, -1, -1 })

struct ledger_end {
    int64_t id;
    enum err fault; /* OK: success */
    int http_status; /* that the client was given */
    bool is_truncated; /* a stream that broke off */
    str model; /* that answered */
    double hrm_confidence; /* negative: none */
    double trm_confidence;
    double confidence;
    int64_t latency_us;
    struct ledger_raw raw;
    bool is_calibrated; /* `confidence` is a calibrated probability */
    uint64_t
        answer_hash; /* of the canonical answer; 0: none. Equal answers of two queries have equal hashes */
};

#define LEDGER_TEXT_MAX ((size_t)200) /* bytes of any text in the ledger; longer ones are cut */
#define LEDGER_FEATURES_MAX ((size_t)900) /* bytes of packed features */

/* What was decided about a query before its first call, and from what. */
struct ledger_route {
    int64_t query;
    str scorer; /* "none", "seed_v1", "words_v1", "learned_v1"; "named": the request named the strategy */
    double score; /* negative: none */
    int seed_score; /* what seed_v1 and words_v1 score, whoever decided; hundredths, negative: unknown */
    int words_score;
    str strategy; /* the arm that was chosen: this and the model */
    str model;
    double propensity; /* P(this arm was chosen), (0, 1]; negative: unknown */
    double epsilon; /* share of exploration, [0, 1] */
    bool is_explored; /* the arm was drawn, not thought best */
    str domain;
    double
        domain_probability; /* that the domain was guessed right; negative: the request named it */
    double quality; /* estimated P(the answer is right); negative: unknown */
    nano_usd cost; /* estimated; COST_UNPRICED: unknown */
    str reasons; /* for people, cut at 200 bytes */
    str features; /* features_pack() of the question; empty: none, also when longer than LEDGER_FEATURES_MAX */
};

enum ledger_source { LABEL_VERIFIER, LABEL_FEEDBACK, LABEL_AUDIT, LABEL_SOURCE_COUNT };
const char *ledger_source_name(enum ledger_source source); /* "verifier", … */
bool ledger_source_find(str name, enum ledger_source *out);

/* What somebody says afterwards about the answer of a query. */
struct ledger_label {
    int64_t query;
    enum ledger_source source;
    double value; /* [0, 1]: how right the answer was */
    bool is_noisy; /* its source may itself be wrong: an audit by another model */
    usec_utc labelled; /* when */
    str text; /* may be empty; cut at 200 bytes */
};

/* Append to the group in memory; a failure (memory, limit) is sticky until the next commit, which reports it. */
void ledger_begin(struct ledger *l, const struct ledger_query *q);
void ledger_call_begin(struct ledger *l, const struct ledger_call *c);
void ledger_route(struct ledger *l, const struct ledger_route *r); /* after its query's begin */
void ledger_label(struct ledger *l, const struct ledger_label *label); /* value in [0, 1] */
void ledger_call_done(struct ledger *l, const struct ledger_call_end *c);
void ledger_end(struct ledger *l, const struct ledger_end *e);
bool ledger_is_dirty(const struct ledger *l); /* something waits for a commit */
/* One write of all that was appended. WEIR_STORE: the disk is full or failing; what was appended stays in memory (bounded) and
 * goes with the next commit. */
NODISCARD enum err ledger_commit(struct ledger *l);

/* ---- reading, for the CLI: from another process also while a server runs ---- */
struct ledger_check {
    int64_t rows; /* queries */
    int64_t calls;
    int64_t interrupted;
    int64_t unpriced; /* calls */
    int64_t sum_nano_usd; /* of priced calls */
    int64_t routes;
    int64_t labels;
    int64_t
        labels_unknown; /* of them: of queries that are not there, because they were deleted, or never were */
    int64_t mismatches;
    int64_t rollup_mismatches; /* of them: tables of rollups that are not the sums of the rows */
    bool is_live; /* a server holds the directory: journals were left alone */
};
/* Imports left journals when no server runs; then checks the ledger against itself: each query's cost is the sum of its calls, its call count
 * right, each call's cost = usage × its price, routes belong to queries and make sense, the rollups are the sums of the rows, from the quarter hour of the
 * earliest query on: older rows were deleted, and their sums are kept. on_mismatch gets a sentence each. */
NODISCARD enum err store_verify(str directory, struct ledger_check *out,
                                void (*on_mismatch)(void *ctx, str sentence), void *ctx,
                                char out_why[256]);
/* Imports left journals when no server runs, too. JSON Lines, a query a line with its calls, route and labels:
 * {"id","started","tenant",…,"route":{…} or null,"labels":[…],"calls":[…]}; oldest first. */
NODISCARD enum err store_export(str directory, usec_utc since, void (*on_line)(void *ctx, str line),
                                void *ctx, char out_why[256]);

/* ---- reading, for training ---- */

/* A query that was routed, labelled, or both. */
struct ledger_sample {
    int64_t id;
    usec_utc started;
    str domain;
    str strategy; /* the arm: of the route when there is one, else what ran */
    str model;
    const struct ledger_route *route; /* NULL: none was recorded */
    const struct route_features
        *features; /* NULL: none, or of another version of weir's features */
    enum err fault; /* OK: it was answered */
    nano_usd cost; /* or COST_UNPRICED */
    int64_t latency_us;
    double confidence; /* negative: none */
    bool is_calibrated;
    struct ledger_raw raw;
    uint64_t answer_hash; /* 0: none */
    const struct ledger_label *labels; /* at most one of each source */
    size_t label_count;
};
/* The label that counts: what is not noisy before what is, then feedback before verifier before audit. That a model, asked again
 * in an audit, repeats itself is none. NULL: nobody has said anything. */
const struct ledger_label *ledger_sample_label(const struct ledger_sample *s);
/* Imports left journals when no server runs; then each sample whose query started at `since` or later, oldest first. What a sample points
 * to is the reader's until on_sample returns. */
NODISCARD enum err store_read_routes(str directory, usec_utc since,
                                     void (*on_sample)(void *ctx, const struct ledger_sample *s),
                                     void *ctx, char out_why[256]);

#endif
