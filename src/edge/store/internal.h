/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/internal: what the files of edge/store share: the segments of the journals, the importer, the database driver.
 *
 * Threads: a ledger (journal.c) is used by its worker only. A segment is written by that worker and read by the importer, up to
 * `committed`. The importer and the database belong to the store thread (before it starts and after it ends: to store_open()
 * and store_close()).
 */
#ifndef WEIR_EDGE_STORE_INTERNAL_H
#define WEIR_EDGE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "edge/store/record.h"
#include "edge/store/store.h"

#define STORE_PATH_MAX ((size_t)1024)
#define STORE_WORKERS_MAX 256u
#define CORRUPT_SUFFIX ".corrupt" /* of a segment that is kept aside */

/* ---- segments: journal-<worker>-<sequence>.wj ---- */

struct segment {
    struct link link; /* in store->segments, in the order they were opened */
    unsigned worker;
    uint64_t sequence;
    _Atomic uint64_t committed; /* bytes that may be read */
    _Atomic bool is_closed; /* the worker is done with it */
    /* The importer's own: */
    int fd; /* -1: not open */
    uint64_t limit; /* `committed`, as of the start of the pass */
    uint64_t imported; /* bytes used up */
    unsigned pins; /* queries with a record here whose row is not committed to the database yet */
    bool is_corrupt;
};

/* No query that started at `since` or later has an id below: an id begins with the milliseconds of a clock at its query's start. */
int64_t ledger_id_floor(usec_utc since);

/* ---- rows ---- */

struct row_call {
    struct ledger_call begin;
    struct ledger_call_end done; /* of an interrupted call: its cost is the reserve */
    bool is_done;
    bool is_interrupted;
};

struct row_query {
    struct ledger_query begin;
    struct ledger_end end;
    bool has_route;
    struct ledger_route route;
    int64_t calls_count; /* as stored with the query */
    int64_t input_tokens;
    int64_t output_tokens;
    nano_usd cost;
    struct row_call *calls;
    size_t calls_len;
    const struct ledger_label *labels; /* of rows that were read; labels are written apart */
    size_t labels_len;
};

/* Memory for the calls of a row, used again for the next; free(calls) at the end. */
struct row_space {
    struct row_call *calls;
    size_t cap;
};
/* `bytes` are whole sound records of one query, its BEGIN first. Without an END it is interrupted, and so is a call without one. The row
 * points into the space and the bytes. */
NODISCARD enum err row_assemble(struct row_space *space, const uint8_t *bytes, size_t len,
                                struct row_query *out);

/* ---- sqlite.c ---- */

struct database;
enum database_mode { DATABASE_WRITE, DATABASE_READ };

/* Opens directory/ledger.db, migrated when writing. `out_why` gets a sentence on failure. */
NODISCARD enum err database_open(struct database **out, str directory, enum database_mode mode,
                                 bool sync_power, char out_why[256]);
void database_close(struct database *db); /* NULL is a no-op */
NODISCARD enum err database_begin(struct database *db);
/* A query that is there already stays as it is. */
NODISCARD enum err database_insert(struct database *db, const struct row_query *q);
/* Replaces an older label of the same query and source; a newer one stays. */
NODISCARD enum err database_label(struct database *db, const struct ledger_label *label);
NODISCARD enum err database_commit(struct database *db);
void database_rollback(struct database *db);
NODISCARD enum err database_id_max(struct database *db, int64_t *out); /* 0 when empty */
const char *database_message(const struct database *db); /* of the last failure */
/* Someone else holds the database: the same connection may succeed later. */
bool database_is_busy(const struct database *db);

/* Walks queries, oldest first, each with its calls, route and labels; texts are the walk's until the next row. What belongs to a query that does
 * not exist goes to its on_stray. All callbacks may be NULL. One consistent view of the database. */
enum database_scope {
    SCOPE_ALL,
    SCOPE_SAMPLES, /* queries with a route or a label; their calls are left out, and so is what strays */
};
struct database_visitor {
    enum database_scope scope;
    /* Only what has an id in (id_after, id_last]; 0 and 0: everything. */
    int64_t id_after, id_last;
    void (*on_query)(void *ctx, const struct row_query *q);
    void (*on_stray_call)(void *ctx, const struct row_call *c);
    void (*on_stray_route)(void *ctx, const struct ledger_route *r);
    void (*on_stray_label)(void *ctx, const struct ledger_label *label);
    void *ctx;
};
NODISCARD enum err database_walk(struct database *db, usec_utc since,
                                 const struct database_visitor *visitor);
/* The same inside a transaction of the caller's. */
NODISCARD enum err database_walk_rows(struct database *db, usec_utc since,
                                      const struct database_visitor *visitor);

/* Queries with ids in (done, last] are not in the rollups yet: they are of a ledger from before these were kept. */
struct rollup_state {
    int64_t done, last;
};
static inline bool rollup_is_pending(const struct rollup_state *state, int64_t id)
{
    return id > state->done && id <= state->last;
}
/* As it stands now: another process may have moved it. */
NODISCARD enum err database_rollup_read(struct database *db, struct rollup_state *out);
NODISCARD enum err database_pending(struct database *db, int64_t *out_rows);
/* Rolls up some queries that are pending, in a transaction of its own; *out_rows: how many; *out_is_done: none is left. */
NODISCARD enum err database_roll_up(struct database *db, int64_t rows_max, int64_t *out_rows,
                                    bool *out_is_done);

/* ---- import.c ---- */

struct importer;

struct importer_counts {
    uint64_t queries; /* rows handed to the database, */
    uint64_t labels; /* and labels */
    uint64_t gaps; /* places where a journal was broken */
    uint64_t strays; /* records of no open query: of queries imported before */
    int64_t id_max; /* of all records seen but labels: those name what others say are queries */
};

NODISCARD enum err importer_open(struct importer **out, struct store *s, bool sync_power,
                                 char out_why[256]);
void importer_close(struct importer *imp); /* NULL is a no-op */
/* One pass over all segments; deletes those that are done with. */
NODISCARD enum err importer_run(struct importer *imp, char out_why[256]);
/* Writes every open query as interrupted; for when no record can follow. */
NODISCARD enum err importer_interrupt(struct importer *imp, char out_why[256]);
/* Rolls up some queries of a ledger from before rollups were kept; *out_is_done: that was all. */
NODISCARD enum err importer_roll_up(struct importer *imp, int64_t rows_max, int64_t *out_rows,
                                    bool *out_is_done, char out_why[256]);
NODISCARD enum err importer_backlog(struct importer *imp, int64_t *out_rows,
                                    char out_why[256]); /* how many those are */
const struct importer_counts *importer_counts(const struct importer *imp);

/* ---- read.c: what verify, export and training begin with ---- */

NODISCARD enum err directory_find(str directory, char out_why[256]);
/* Finds the directory, imports the journals that no running server is at (*out_is_live: one is), opens the database for reading. out_why gets a
 * sentence on failure. */
NODISCARD enum err directory_read(str directory, struct database **out, bool *out_is_live,
                                  char out_why[256]);
/* database_walk() with a sentence for people. */
NODISCARD enum err database_visit(struct database *db, usec_utc since,
                                  const struct database_visitor *visitor, char out_why[256]);

/* ---- export.c: a query as JSON ---- */
void export_query_members(
    struct buf *out, const struct row_query *q); /* without braces, and without what is elsewhere */
void export_query_write(struct buf *out,
                        const struct row_query *q); /* whole, with route, labels and calls */

/* ---- store.c ---- */

struct store {
    char directory[STORE_PATH_MAX];
    struct store_options options; /* defaults filled in; its directory is empty, see above */
    int lock_fd;
    struct importer *importer;
    pthread_t thread;
    bool has_thread;
    bool has_mutex;

    pthread_mutex_t mutex; /* over all below that is not atomic */
    pthread_cond_t wake;
    struct link segments;
    bool is_stopping;
    bool is_urgent; /* import now: a worker is at the journals' limit, or a probe waits */
    bool has_backlog; /* the store thread's own: queries are not rolled up yet */
    int64_t id_floor[STORE_WORKERS_MAX]; /* ids of the worker's next ledger are above */

    _Atomic bool is_idle; /* the thread sleeps until a commit wakes it */
    _Atomic uint64_t journal_bytes; /* of all segments */
    _Atomic uint64_t next_sequence;
    _Atomic uint64_t import_failures;
    _Atomic bool is_refusing; /* the newest write into the directory failed */
    _Atomic uint64_t probes_asked;
    _Atomic uint64_t probes_done;
};

/* Called by ledgers. */
void store_wake_if_idle(struct store *s);
void store_wake_urgently(struct store *s);
void store_segment_add(struct store *s, struct segment *segment);
/* How a write into the directory ended; cheap while nothing changes. */
void store_wrote(struct store *s, bool is_done);
/* NULL when there is no memory. */
struct segment *segment_new(unsigned worker, uint64_t sequence);
/* False when the name is none of a segment. */
bool segment_name_parse(str name, unsigned *out_worker, uint64_t *out_sequence);
/* directory/journal-….wj; false when it is too long. */
bool segment_path(const struct store *s, const struct segment *segment, const char *suffix,
                  char out[STORE_PATH_MAX]);
/* The store without its thread, for `weir ledger verify`: lock, recovery, nothing running. WEIR_OVERLOADED: another process holds the lock. */
NODISCARD enum err store_recover(struct store **out, const struct store_options *options,
                                 char out_why[256]);
void store_free(struct store *s); /* without draining; NULL is a no-op */

#endif
