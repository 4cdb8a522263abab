/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_schema: the tables, and the way to them from every older version.
 *
 * No index beside the primary keys: an import appends to each table but labels. Money is integer nano-dollars; NULL is 'unpriced'. A NULL
 * fault is success, a NULL confidence none.
 */
#include "edge/store/sqlite_internal.h"

#include <stdio.h>

/* The sums of rollup.h: in its order of numbers, names, sums and reals (sqlite_rollup.c). */
#define CREATE_ROLLUPS(create)                                                                     \
    create " rollup_queries ("                                                                     \
           " slot INTEGER NOT NULL," /* quarter hours since 1970, UTC, in which queries started */ \
           " is_simulated INTEGER NOT NULL,"                                                       \
           " tenant TEXT NOT NULL,"                                                                \
           " domain TEXT NOT NULL,"                                                                \
           " strategy TEXT NOT NULL,"                                                              \
           " arm TEXT NOT NULL,"                                                                   \
           " fault TEXT NOT NULL," /* empty: success */                                            \
           " model TEXT NOT NULL,"                                                                 \
           " queries INTEGER NOT NULL,"                                                            \
           " queries_only INTEGER NOT NULL," /* without calls of the other kind */                 \
           " unpriced_calls INTEGER NOT NULL,"                                                     \
           " cost_nano_usd INTEGER NOT NULL,"                                                      \
           " priced INTEGER NOT NULL,"                                                             \
           " priced_cost_nano_usd INTEGER NOT NULL,"                                               \
           " hrm INTEGER NOT NULL,"                                                                \
           " trm INTEGER NOT NULL,"                                                                \
           " confident INTEGER NOT NULL,"                                                          \
           " calibrated INTEGER NOT NULL,"                                                         \
           " routed INTEGER NOT NULL,"                                                             \
           " explored INTEGER NOT NULL,"                                                           \
           " usd_squared REAL NOT NULL," /* of each priced query's cost */                         \
           " hrm_sum REAL NOT NULL,"                                                               \
           " hrm_squared REAL NOT NULL,"                                                           \
           " trm_sum REAL NOT NULL,"                                                               \
           " trm_squared REAL NOT NULL,"                                                           \
           " latency BLOB NOT NULL," /* latency.c */                                               \
           " PRIMARY KEY (slot, is_simulated, tenant, domain, strategy, arm, fault, model)"        \
           ") WITHOUT ROWID;" create " rollup_calls ("                                             \
           " slot INTEGER NOT NULL,"                                                               \
           " is_simulated INTEGER NOT NULL,"                                                       \
           " model TEXT NOT NULL,"                                                                 \
           " provider TEXT NOT NULL,"                                                              \
           " domain TEXT NOT NULL,"                                                                \
           " calls INTEGER NOT NULL,"                                                              \
           " unpriced INTEGER NOT NULL,"                                                           \
           " cost_nano_usd INTEGER NOT NULL,"                                                      \
           " interrupted INTEGER NOT NULL,"                                                        \
           " interrupted_cost_nano_usd INTEGER NOT NULL,"                                          \
           " failed INTEGER NOT NULL,"                                                             \
           " failed_cost_nano_usd INTEGER NOT NULL,"                                               \
           " retried INTEGER NOT NULL,"                                                            \
           " retried_cost_nano_usd INTEGER NOT NULL,"                                              \
           " extra_attempts INTEGER NOT NULL,"                                                     \
           " estimated INTEGER NOT NULL,"                                                          \
           " comparable INTEGER NOT NULL,"                                                         \
           " comparable_cost_nano_usd INTEGER NOT NULL,"                                           \
           " input_tokens INTEGER NOT NULL,"                                                       \
           " output_tokens INTEGER NOT NULL,"                                                      \
           " cached_tokens INTEGER NOT NULL,"                                                      \
           " cache_write_tokens INTEGER NOT NULL,"                                                 \
           " cached_cost_nano_usd INTEGER NOT NULL,"                                               \
           " cached_saved_nano_usd INTEGER NOT NULL,"                                              \
           " PRIMARY KEY (slot, is_simulated, model, provider, domain)"                            \
           ") WITHOUT ROWID;" create " rollup_labels ("                                            \
           " slot INTEGER NOT NULL,"                                                               \
           " is_simulated INTEGER NOT NULL,"                                                       \
           " is_calibrated INTEGER NOT NULL,"                                                      \
           " bin INTEGER NOT NULL," /* of confidence, .05 wide; -1: the query has none */          \
           " source TEXT NOT NULL,"                                                                \
           " domain TEXT NOT NULL,"                                                                \
           " labels INTEGER NOT NULL,"                                                             \
           " are_right INTEGER NOT NULL,"                                                          \
           " value_sum INTEGER NOT NULL," /* in thousand-millionths, as the next */                \
           " confidence_sum INTEGER NOT NULL,"                                                     \
           " PRIMARY KEY (slot, is_simulated, is_calibrated, bin, source, domain)"                 \
           ") WITHOUT ROWID;"

const char sqlite_rollup_temporary[] = CREATE_ROLLUPS("CREATE TEMP TABLE");

/* migrations[n] takes a database from user_version n to n + 1. Never change one that was released. */
static const char *const migrations[] = {
    "CREATE TABLE queries ("
    " id INTEGER PRIMARY KEY," /* ledger_query_id() */
    " started INTEGER NOT NULL," /* microseconds since 1970, UTC */
    " tenant TEXT NOT NULL,"
    " domain TEXT NOT NULL,"
    " requested_model TEXT NOT NULL,"
    " strategy TEXT NOT NULL,"
    " arm TEXT NOT NULL,"
    " is_stream INTEGER NOT NULL,"
    " reserved_nano_usd INTEGER,"
    " fault TEXT," /* NULL: success */
    " http_status INTEGER NOT NULL,"
    " is_truncated INTEGER NOT NULL,"
    " model TEXT NOT NULL," /* that answered */
    " hrm_confidence REAL,"
    " trm_confidence REAL,"
    " confidence REAL,"
    " latency_us INTEGER NOT NULL,"
    " calls INTEGER NOT NULL,"
    " input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL,"
    " cost_nano_usd INTEGER" /* NULL: a call of it is unpriced */
    ");"
    "CREATE TABLE calls ("
    " query_id INTEGER NOT NULL,"
    " number INTEGER NOT NULL,"
    " role TEXT NOT NULL,"
    " model TEXT NOT NULL,"
    " provider TEXT NOT NULL,"
    " reserved_nano_usd INTEGER,"
    " is_interrupted INTEGER NOT NULL," /* no end was recorded: cost is the reserve */
    " fault TEXT,"
    " http_status INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL,"
    " cached_tokens INTEGER NOT NULL,"
    " cache_write_tokens INTEGER NOT NULL,"
    " reasoning_tokens INTEGER NOT NULL,"
    " is_usage_known INTEGER NOT NULL,"
    " is_usage_estimated INTEGER NOT NULL,"
    " cost_nano_usd INTEGER," /* NULL: unpriced */
    " price_input_nano_usd INTEGER,"
    " price_output_nano_usd INTEGER,"
    " price_cached_nano_usd INTEGER,"
    " latency_us INTEGER NOT NULL,"
    " first_byte_us INTEGER NOT NULL,"
    " is_simulated INTEGER NOT NULL,"
    " PRIMARY KEY (query_id, number)"
    ") WITHOUT ROWID;",

    /* Rows from before have no raw confidence of their own: theirs was never calibrated (sqlite_rows.c). */
    "ALTER TABLE queries ADD COLUMN raw_hrm_confidence REAL;"
    "ALTER TABLE queries ADD COLUMN raw_trm_confidence REAL;"
    "ALTER TABLE queries ADD COLUMN raw_confidence REAL;"
    "ALTER TABLE queries ADD COLUMN is_calibrated INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE queries ADD COLUMN answer_hash INTEGER;" /* of the canonical answer */
    "CREATE TABLE routes ("
    " query_id INTEGER PRIMARY KEY,"
    " scorer TEXT NOT NULL,"
    " score REAL," /* NULL: none */
    " seed_score INTEGER," /* hundredths */
    " words_score INTEGER,"
    " strategy TEXT NOT NULL,"
    " model TEXT NOT NULL,"
    " propensity REAL," /* NULL: unknown */
    " epsilon REAL NOT NULL,"
    " is_explored INTEGER NOT NULL,"
    " domain TEXT NOT NULL,"
    " domain_probability REAL," /* NULL: the request named the domain */
    " quality REAL," /* estimated */
    " cost_nano_usd INTEGER," /* estimated */
    " reasons TEXT NOT NULL,"
    " features BLOB NOT NULL" /* features.h; empty: none */
    ");"
    "CREATE TABLE labels ("
    " query_id INTEGER NOT NULL," /* may be of no query here */
    " source TEXT NOT NULL," /* verifier, feedback, audit */
    " value REAL NOT NULL,"
    " is_noisy INTEGER NOT NULL,"
    " labelled INTEGER NOT NULL," /* microseconds since 1970, UTC */
    " text TEXT NOT NULL,"
    " PRIMARY KEY (query_id, source)"
    ") WITHOUT ROWID;",

    /* Queries that are there already are rolled up later (sqlite_upkeep.c). */
    CREATE_ROLLUPS(
        "CREATE TABLE") "CREATE TABLE rollup_state (done INTEGER NOT NULL, last INTEGER NOT NULL);"
                        "INSERT INTO rollup_state SELECT coalesce(min(id) - 1, 0), "
                        "coalesce(max(id), 0) FROM queries;"
                        /* Whose labels came before them. */
                        "CREATE TABLE rollup_waiting (query_id INTEGER PRIMARY KEY);"
                        "INSERT INTO rollup_waiting SELECT DISTINCT query_id FROM labels"
                        " WHERE query_id > (SELECT last FROM rollup_state)"
                        " OR query_id <= (SELECT done FROM rollup_state);",

    "ALTER TABLE calls ADD COLUMN started_us INTEGER;", /* since its query started; NULL: unknown */

    "ALTER TABLE queries ADD COLUMN key_id TEXT NOT NULL DEFAULT '';" /* of the key that asked */
};

enum err database_migrate(struct database *db)
{
    int version = 0;
    enum err e = database_exec(db, "BEGIN IMMEDIATE");

    if (e == OK)
        e = database_version(db, &version);
    for (; e == OK && version < (int)ARRAY_LEN(migrations); version++) {
        char done[64];
        snprintf(done, sizeof(done), "PRAGMA user_version = %d", version + 1);
        e = database_exec(db, migrations[version]);
        if (e == OK)
            e = database_exec(db, done);
    }
    return e == OK ? database_exec(db, "COMMIT") : e;
}

/* A ledger of a later weir must not be written by this one. */
enum err database_check_version(struct database *db)
{
    int version = 0;
    enum err e = database_version(db, &version);

    if (e != OK || version == (int)ARRAY_LEN(migrations))
        return e;
    snprintf(db->message, sizeof(db->message), "its schema has version %d, this weir knows %d",
             version, (int)ARRAY_LEN(migrations));
    return WEIR_STORE;
}
