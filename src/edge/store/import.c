/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: from the journals to the database.
 *
 * A query's records gather, as bytes, in an open query until its end is read; then it waits in a batch, which goes to the database in
 * one transaction. A label waits there alone, whatever became of its query. Nothing is read while a full batch cannot be written, so memory is bounded by the batch and the queries that
 * really are open; the journals hold the rest. A segment is deleted when all of it was read, its worker is done with it and
 * no query with a record in it is still open or in the batch.
 */
#include "edge/store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"

#define BATCH_QUERIES ((size_t)2000)
#define WINDOW_BYTES ((size_t)64 << 10)
#define BUCKETS_FIRST ((size_t)1024)
#define SPARE_QUERIES_MAX ((size_t)4096)
#define SPARE_BYTES_MAX ((size_t)2048)

_Static_assert(WINDOW_BYTES >= 2 * RECORD_BYTES_MAX, "a window holds any record");

/* A query, or in the batch one label. */
struct open_query {
    struct open_query *next; /* in its bucket, or of the spare ones */
    int64_t id;
    uint8_t *bytes; /* its records, one after the other */
    size_t len;
    size_t cap;
    struct segment **pins; /* the segments that hold its records */
    size_t pins_len;
    size_t pins_cap;
};

struct importer {
    struct store *store;
    bool sync_power;
    struct database *db; /* NULL after a failure: opened anew by the next batch */
    uint8_t *window;
    struct open_query **buckets;
    size_t bucket_count; /* a power of two */
    size_t open_count;
    struct open_query *batch[BATCH_QUERIES];
    size_t batch_len;
    struct open_query *spare;
    size_t spare_count;
    struct row_space space; /* of the query that is being assembled */
    struct importer_counts counts;
};

/* ---- open queries ---- */

static void query_free(struct open_query *q)
{
    free(q->bytes);
    free(q->pins);
    free(q);
}

/* Its row is in the database: its segments need it no longer. */
static void query_release(struct importer *imp, struct open_query *q)
{
    for (size_t i = 0; i < q->pins_len; i++)
        q->pins[i]->pins--;
    if (imp->spare_count >= SPARE_QUERIES_MAX || q->cap > SPARE_BYTES_MAX) {
        query_free(q);
        return;
    }
    q->len = q->pins_len = 0;
    q->next = imp->spare;
    imp->spare = q;
    imp->spare_count++;
}

static struct open_query *query_new(struct importer *imp, int64_t id)
{
    struct open_query *q = imp->spare;

    if (q) {
        imp->spare = q->next;
        imp->spare_count--;
    } else {
        q = calloc(1, sizeof(*q));
        if (!q)
            return NULL;
    }
    q->id = id;
    q->next = NULL;
    return q;
}

/* The link that points to the query, or to the NULL where it would be. */
static struct open_query **query_link(struct importer *imp, int64_t id)
{
    struct open_query **link =
        &imp->buckets[rng_mix((uint64_t)id) & (uint64_t)(imp->bucket_count - 1)];

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

static enum err map_grow(struct importer *imp)
{
    size_t old_count = imp->bucket_count;
    struct open_query **old = imp->buckets;
    struct open_query **bigger = calloc(old_count * 2, sizeof(struct open_query *));

    if (!bigger)
        return WEIR_NO_MEMORY;
    imp->buckets = bigger;
    imp->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct open_query *q = old[i];
            struct open_query **link;
            old[i] = q->next;
            link = query_link(imp, q->id);
            q->next = NULL;
            *link = q;
        }
    }
    free(old);
    return OK;
}

static enum err query_pin(struct open_query *q, struct segment *segment)
{
    if (q->pins_len > 0 && q->pins[q->pins_len - 1] == segment)
        return OK;
    if (q->pins_len == q->pins_cap) {
        size_t cap = q->pins_cap > 0 ? q->pins_cap * 2 : 2;
        struct segment **bigger = realloc(q->pins, cap * sizeof(struct segment *));
        if (!bigger)
            return WEIR_NO_MEMORY;
        q->pins = bigger;
        q->pins_cap = cap;
    }
    q->pins[q->pins_len++] = segment;
    segment->pins++;
    return OK;
}

static enum err query_append(struct open_query *q, const uint8_t *bytes, size_t len)
{
    if (q->len + len > q->cap) {
        size_t cap = q->cap > 0 ? q->cap * 2 : 512;
        while (cap < q->len + len)
            cap *= 2;
        uint8_t *bigger = realloc(q->bytes, cap);
        if (!bigger)
            return WEIR_NO_MEMORY;
        q->bytes = bigger;
        q->cap = cap;
    }
    memcpy(q->bytes + q->len, bytes, len);
    q->len += len;
    return OK;
}

/* ---- the batch ---- */

static bool is_label(const struct open_query *q)
{
    return record_type(q->bytes) == RECORD_LABEL;
}

/* A query before its labels, which then need not wait for it. */
static int query_order(const void *a, const void *b)
{
    const struct open_query *const *x = a;
    const struct open_query *const *y = b;

    if ((*x)->id != (*y)->id)
        return (*x)->id > (*y)->id ? 1 : -1;
    return is_label(*x) - is_label(*y);
}

static enum err item_insert(struct importer *imp, const struct open_query *q)
{
    struct row_query row;
    struct record r;

    if (is_label(q)) {
        bool is_sound = record_decode(q->bytes, &r);
        assert(is_sound); /* it was, when it was read */
        return database_label(imp->db, &r.label);
    }
    enum err e = row_assemble(&imp->space, q->bytes, q->len, &row);
    return e == OK ? database_insert(imp->db, &row) : e;
}

static enum err batch_insert(struct importer *imp)
{
    enum err e = database_begin(imp->db);

    for (size_t i = 0; e == OK && i < imp->batch_len; i++)
        e = item_insert(imp, imp->batch[i]);
    return e == OK ? database_commit(imp->db) : e;
}

/* Everything in the batch is in the database, or still in the batch. */
static enum err batch_flush(struct importer *imp, char out_why[256])
{
    enum err e;

    if (imp->batch_len == 0)
        return OK;
    if (!imp->db) {
        e = database_open(&imp->db, str_from(imp->store->directory), DATABASE_WRITE,
                          imp->sync_power, out_why);
        if (e != OK)
            return e;
    }
    /* Both tables then grow at their ends. */
    qsort(imp->batch, imp->batch_len, sizeof(struct open_query *), query_order);
    e = batch_insert(imp);
    if (e != OK) {
        database_rollback(imp->db);
        snprintf(out_why, 256, "ledger.db: %s",
                 e == WEIR_NO_MEMORY ? "out of memory" : database_message(imp->db));
        if (!database_is_busy(imp->db)) {
            database_close(imp->db);
            imp->db = NULL;
        }
        return e;
    }
    for (size_t i = 0; i < imp->batch_len; i++) {
        if (is_label(imp->batch[i]))
            imp->counts.labels++;
        else
            imp->counts.queries++;
        query_release(imp, imp->batch[i]);
    }
    imp->batch_len = 0;
    return OK;
}

/* ---- reading a segment ---- */

static enum err label_take(struct importer *imp, struct segment *segment, int64_t id,
                           const uint8_t *bytes)
{
    struct open_query *q = query_new(imp, id);

    if (!q)
        return WEIR_NO_MEMORY;
    enum err e = query_append(q, bytes, record_length(bytes));
    if (e == OK)
        e = query_pin(q, segment);
    if (e != OK) {
        query_free(q);
        return e;
    }
    imp->batch[imp->batch_len++] = q;
    return OK;
}

static enum err importer_take(struct importer *imp, struct segment *segment, const struct record *r,
                              const uint8_t *bytes)
{
    int64_t id = record_query(r);
    struct open_query **link = query_link(imp, id);
    struct open_query *q = *link;
    enum err e;

    if (r->type == RECORD_LABEL)
        return label_take(imp, segment, id, bytes);
    if (id > imp->counts.id_max)
        imp->counts.id_max = id;
    if (!q && r->type != RECORD_BEGIN) {
        imp->counts.strays++;
        return OK;
    }
    if (q && q->len > 0 && r->type == RECORD_BEGIN)
        return OK; /* a group that was written twice */
    if (!q) {
        if (imp->open_count >= imp->bucket_count) {
            e = map_grow(imp);
            if (e != OK)
                return e;
            link = query_link(imp, id);
        }
        q = query_new(imp, id);
        if (!q)
            return WEIR_NO_MEMORY;
        *link = q;
        imp->open_count++;
    }
    e = query_pin(q, segment);
    if (e == OK)
        e = query_append(q, bytes, record_length(bytes));
    if (e == OK && r->type == RECORD_END) {
        *link = q->next;
        imp->open_count--;
        imp->batch[imp->batch_len++] = q;
    }
    return e;
}

static void segment_broken(struct importer *imp, struct segment *segment)
{
    segment->is_corrupt = true;
    imp->counts.gaps++;
}

/* Takes what the window holds. *out_is_torn: a group begins that the file does not hold to its end. */
static enum err window_import(struct importer *imp, struct segment *segment,
                              struct record_reader *reader, bool *out_is_torn, char out_why[256])
{
    for (;;) {
        struct record r;
        enum err e;
        switch (record_next(reader, &r)) {
        case RECORD_STEP_MORE:
            return OK;
        case RECORD_STEP_CORRUPT:
            segment_broken(imp, segment);
            continue;
        case RECORD_STEP_FOUND:
            break;
        }
        if (r.type == RECORD_GROUP) {
            *out_is_torn = r.group_bytes > segment->limit - segment->imported - reader->at;
            if (*out_is_torn)
                return OK;
            continue;
        }
        e = importer_take(imp, segment, &r, reader->bytes + reader->record_at);
        if (e != OK) {
            reader->at = reader->record_at;
            snprintf(out_why, 256, "out of memory");
            return e;
        }
        if (imp->batch_len == BATCH_QUERIES) {
            e = batch_flush(imp, out_why);
            if (e != OK)
                return e;
        }
    }
}

static enum err segment_read(const struct importer *imp, struct segment *segment, size_t *out_len,
                             char out_why[256])
{
    char path[STORE_PATH_MAX];
    uint64_t left = segment->limit - segment->imported;
    ssize_t n;

    if (segment->fd < 0 && segment_path(imp->store, segment, "", path))
        segment->fd = open(path, O_RDONLY | O_CLOEXEC);
    do {
        n = segment->fd < 0
                ? -1
                : pread(segment->fd, imp->window, left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES,
                        (off_t)segment->imported);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        snprintf(out_why, 256, "a journal cannot be read: %s", strerror(errno));
        return WEIR_IO;
    }
    *out_len = (size_t)n;
    return OK;
}

static enum err segment_import(struct importer *imp, struct segment *segment, char out_why[256])
{
    struct record_reader reader = { .bytes = imp->window };

    while (segment->imported < segment->limit) {
        bool is_torn = false;
        enum err e = segment_read(imp, segment, &reader.len, out_why);
        if (e != OK)
            return e;
        reader.at = 0;
        reader.is_final = segment->imported + reader.len == segment->limit;
        e = window_import(imp, segment, &reader, &is_torn, out_why);
        segment->imported += reader.at;
        if (e != OK)
            return e;
        if (is_torn) {
            segment->imported = segment->limit;
        } else if (reader.at == 0 && !reader.is_final) {
            /* The file is shorter than it was. */
            segment_broken(imp, segment);
            segment->imported = segment->limit;
        }
    }
    /* Less than a group's head may be a group that hardly began. */
    if (reader.gap_bytes >= RECORD_GROUP_BYTES)
        segment_broken(imp, segment);
    return OK;
}

/* ---- passes ---- */

/* When a segment is in the list, what its worker wrote before it is final: so records are read in the order they were written. */
static void segments_snapshot(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    for (struct link *l = s->segments.next; l != &s->segments; l = l->next) {
        struct segment *segment = CONTAINER_OF(l, struct segment, link);
        segment->limit = atomic_load(&segment->committed);
    }
    pthread_mutex_unlock(&s->mutex);
}

/* The segment after `segment` (NULL: the first), or NULL. Only the importer removes segments, so the walk is safe. */
static struct segment *segment_next(struct store *s, const struct segment *segment)
{
    struct link *next;

    pthread_mutex_lock(&s->mutex);
    next = segment ? segment->link.next : s->segments.next;
    pthread_mutex_unlock(&s->mutex);
    return next == &s->segments ? NULL : CONTAINER_OF(next, struct segment, link);
}

/* A broken one is kept aside for people to look at. */
static void segment_delete(struct store *s, struct segment *segment)
{
    char path[STORE_PATH_MAX], aside[STORE_PATH_MAX];
    bool is_gone = false;

    if (segment_path(s, segment, "", path) && segment_path(s, segment, CORRUPT_SUFFIX, aside))
        is_gone =
            (segment->is_corrupt ? rename(path, aside) : unlink(path)) == 0 || errno == ENOENT;
    if (!is_gone)
        return; /* a later pass tries again */
    if (segment->fd >= 0)
        close(segment->fd);
    atomic_fetch_sub(&s->journal_bytes, atomic_load(&segment->committed));
    pthread_mutex_lock(&s->mutex);
    list_remove(&segment->link);
    pthread_mutex_unlock(&s->mutex);
    free(segment);
}

static bool segment_is_done(const struct segment *segment)
{
    return atomic_load(&segment->is_closed) && segment->pins == 0 &&
           segment->imported == atomic_load(&segment->committed);
}

enum err importer_run(struct importer *imp, char out_why[256])
{
    struct store *s = imp->store;
    enum err e = batch_flush(imp, out_why);

    segments_snapshot(s);
    for (struct segment *segment = NULL; e == OK && (segment = segment_next(s, segment)) != NULL;)
        e = segment_import(imp, segment, out_why);
    if (e == OK)
        e = batch_flush(imp, out_why);
    for (struct segment *next, *segment = segment_next(s, NULL); segment; segment = next) {
        next = segment_next(s, segment);
        if (segment_is_done(segment))
            segment_delete(s, segment);
    }
    return e;
}

enum err importer_interrupt(struct importer *imp, char out_why[256])
{
    enum err e = batch_flush(imp, out_why);

    for (size_t i = 0; e == OK && i < imp->bucket_count; i++) {
        while (e == OK && imp->buckets[i]) {
            struct open_query *q = imp->buckets[i];
            imp->buckets[i] = q->next;
            imp->open_count--;
            imp->batch[imp->batch_len++] = q;
            if (imp->batch_len == BATCH_QUERIES)
                e = batch_flush(imp, out_why);
        }
    }
    return e == OK ? batch_flush(imp, out_why) : e;
}

enum err importer_roll_up(struct importer *imp, int64_t rows_max, int64_t *out_rows,
                          bool *out_is_done, char out_why[256])
{
    enum err e = WEIR_STORE;

    snprintf(out_why, 256, "ledger.db is not open");
    if (!imp->db)
        return e; /* the next batch opens it */
    e = database_roll_up(imp->db, rows_max, out_rows, out_is_done);
    if (e != OK)
        snprintf(out_why, 256, "ledger.db: %s",
                 e == WEIR_NO_MEMORY ? "out of memory" : database_message(imp->db));
    return e;
}

enum err importer_backlog(struct importer *imp, int64_t *out_rows, char out_why[256])
{
    enum err e = database_pending(imp->db, out_rows);

    if (e != OK)
        snprintf(out_why, 256, "ledger.db: %s", database_message(imp->db));
    return e;
}

const struct importer_counts *importer_counts(const struct importer *imp)
{
    return &imp->counts;
}

/* ---- life ---- */

enum err importer_open(struct importer **out, struct store *s, bool sync_power, char out_why[256])
{
    struct importer *imp = calloc(1, sizeof(*imp));
    enum err e = WEIR_NO_MEMORY;

    snprintf(out_why, 256, "out of memory");
    if (!imp)
        return e;
    imp->store = s;
    imp->sync_power = sync_power;
    imp->bucket_count = BUCKETS_FIRST;
    imp->buckets = calloc(BUCKETS_FIRST, sizeof(struct open_query *));
    imp->window = malloc(WINDOW_BYTES);
    if (imp->buckets && imp->window)
        e = database_open(&imp->db, str_from(s->directory), DATABASE_WRITE, sync_power, out_why);
    if (e == OK) {
        e = database_id_max(imp->db, &imp->counts.id_max);
        if (e != OK)
            snprintf(out_why, 256, "ledger.db: %s", database_message(imp->db));
    }
    if (e != OK) {
        importer_close(imp);
        return e;
    }
    out_why[0] = '\0';
    *out = imp;
    return OK;
}

void importer_close(struct importer *imp)
{
    if (!imp)
        return;
    database_close(imp->db);
    for (size_t i = 0; imp->buckets && i < imp->bucket_count; i++) {
        while (imp->buckets[i]) {
            struct open_query *q = imp->buckets[i];
            imp->buckets[i] = q->next;
            query_free(q);
        }
    }
    for (size_t i = 0; i < imp->batch_len; i++)
        query_free(imp->batch[i]);
    while (imp->spare) {
        struct open_query *q = imp->spare;
        imp->spare = q->next;
        query_free(q);
    }
    free(imp->buckets);
    free(imp->window);
    free(imp->space.calls);
    free(imp);
}
