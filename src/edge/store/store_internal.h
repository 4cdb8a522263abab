/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share; nobody else includes it. */
#ifndef WEIR_EDGE_STORE_STORE_INTERNAL_H
#define WEIR_EDGE_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/list.h"
#include "edge/store/journal.h"
#include "edge/store/store.h"

#define SEGMENT_BYTES_DEFAULT ((size_t)16 << 20)
#define JOURNAL_BYTES_DEFAULT (UINT64_C(4) << 30)
#define IMPORT_INTERVAL_DEFAULT (100 * NSEC_PER_MS)
#define WORKERS_MAX 256

/* ---- database.c: the SQLite driver ---- */
struct database;

/* A finished query with its calls, ready to be a row. */
struct imported_call {
    struct ledger_call begin;
    struct ledger_call_end end;
    bool has_end;
    char text[3 * JOURNAL_TEXT_MAX];
};

struct imported {
    struct link link;
    struct imported *hash_next;
    struct segment *segment; /* that holds its begin record */
    struct ledger_query begin;
    struct ledger_end end;
    struct imported_call *calls;
    uint32_t call_count;
    char text[6 * JOURNAL_TEXT_MAX];
};

NODISCARD enum err database_open(struct database **out, str directory, bool sync_power,
                                 bool read_only, char out_why[256]);
void database_close(struct database *d);
NODISCARD enum err database_begin(struct database *d);
NODISCARD enum err
database_insert(struct database *d,
                const struct imported *q); /* a query that is already there stays as it is */
NODISCARD enum err database_commit(struct database *d);
void database_rollback(struct database *d);
int64_t database_last_id(struct database *d);
NODISCARD enum err database_verify(struct database *d, struct ledger_check *out,
                                   void (*on_mismatch)(void *ctx, str sentence), void *ctx);
NODISCARD enum err database_export(struct database *d, usec_utc since,
                                   void (*on_line)(void *ctx, str line), void *ctx);

/* ---- import.c: from journals to the database ---- */
struct import;

NODISCARD enum err import_open(struct import **out, struct database *d, str directory);
void import_close(struct import *i);
/* Adds a segment to be read; old ones (of an earlier process) end where their bytes end. */
NODISCARD enum err import_segment_add(struct import *i, unsigned worker, unsigned sequence);
/* Finds the segments that an earlier process left. */
NODISCARD enum err import_find(struct import *i);
/* Reads what is new, inserts what is finished, deletes segments that are wholly imported. WEIR_STORE when the database refused: nothing is
 * lost, call again. is_last: nothing more will be written; unfinished queries become WEIR_INTERRUPTED. */
NODISCARD enum err import_pass(struct import *i, bool is_last);
int64_t import_last_id(const struct import *i);
/* Calls out for segments whose journal broke before its end. */
uint32_t import_broken(const struct import *i);
uint64_t import_bytes(const struct import *i); /* of segments that are still there */

#endif
