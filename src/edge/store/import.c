/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: from journals to the database.
 *
 * Per worker the segments are read in order. A query's records are gathered until its end record, then it waits in
 * `finished` for the transaction that inserts it. A segment's file goes when it was read whole, nothing that began in it is
 * still unfinished or uncommitted, and every older segment of its worker has gone: so whatever may still be needed
 * after a crash is still there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/store/store_internal.h"

#define READ_BYTES ((size_t)64 << 10)
#define TRANSACTION_QUERIES 2000u
#define CALLS_MAX 4096u

struct segment {
    struct link link;
    unsigned worker;
    unsigned sequence;
    int fd;
    off_t offset; /* everything before it was read */
    uint32_t pending; /* queries that began in it and are not committed */
    bool is_closed; /* a newer one follows, or its process has gone */
    bool is_read;
};

struct import {
    struct database *database;
    char directory[3072];
    struct link workers[WORKERS_MAX]; /* segments, oldest first */
    struct imported **open; /* hash table of unfinished queries, by id */
    size_t open_slots; /* a power of two */
    size_t open_count;
    struct link finished;
    uint32_t finished_count;
    int64_t last_id;
    uint32_t broken;
    struct buf buffer;
};

/* ---- unfinished queries ---- */

static size_t slot_of(const struct import *i, int64_t id)
{
    return ((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (i->open_slots - 1);
}

static struct imported **open_find(struct import *i, int64_t id)
{
    struct imported **at = &i->open[slot_of(i, id)];

    while (*at && (*at)->begin.id != id)
        at = &(*at)->hash_next;
    return at;
}

/* Keeps a copy of a record's text with the query. */
static str keep(char *store, size_t *used, str s)
{
    if (s.len > 0)
        memcpy(store + *used, s.ptr, s.len);
    str kept = { store + *used, s.len };
    *used += s.len;
    return kept;
}

static void imported_free(struct imported *q)
{
    free(q->calls);
    free(q);
}

static enum err on_begin(struct import *i, struct segment *segment,
                         const struct ledger_query *begin)
{
    if (*open_find(i, begin->id))
        return OK; /* the same journal twice */
    struct imported *q = calloc(1, sizeof(*q));
    if (!q)
        return WEIR_NO_MEMORY;
    size_t used = 0;
    q->begin = *begin;
    q->begin.tenant = keep(q->text, &used, begin->tenant);
    q->begin.domain = keep(q->text, &used, begin->domain);
    q->begin.requested_model = keep(q->text, &used, begin->requested_model);
    q->begin.strategy = keep(q->text, &used, begin->strategy);
    q->begin.arm = keep(q->text, &used, begin->arm);
    q->end.model = (str){ q->text + used, 0 };
    q->segment = segment;
    segment->pending++;
    struct imported **at = open_find(i, begin->id);
    q->hash_next = *at;
    *at = q;
    i->open_count++;
    if (begin->id > i->last_id)
        i->last_id = begin->id;
    return OK;
}

static struct imported_call *call_find(struct imported *q, uint32_t number)
{
    for (uint32_t n = q->call_count; n > 0; n--) {
        if (q->calls[n - 1].begin.number == number)
            return &q->calls[n - 1];
    }
    return NULL;
}

static enum err on_call_begin(struct import *i, const struct ledger_call *begin)
{
    struct imported *q = *open_find(i, begin->query);

    if (!q || call_find(q, begin->number) || q->call_count == CALLS_MAX)
        return OK;
    if ((q->call_count & (q->call_count - 1)) == 0) { /* full at each power of two */
        size_t cap = q->call_count == 0 ? 1 : (size_t)q->call_count * 2;
        struct imported_call *grown = realloc(q->calls, cap * sizeof(*grown));
        if (!grown)
            return WEIR_NO_MEMORY;
        q->calls = grown;
    }
    struct imported_call *c = &q->calls[q->call_count++];
    *c = (struct imported_call){ .begin = *begin };
    size_t used = 0;
    keep(c->text, &used, begin->role);
    keep(c->text, &used, begin->model);
    keep(c->text, &used, begin->provider);
    return OK;
}

static void on_call_end(struct import *i, const struct ledger_call_end *end)
{
    struct imported *q = *open_find(i, end->query);
    struct imported_call *c = q ? call_find(q, end->number) : NULL;

    if (!c || c->has_end)
        return;
    c->end = *end;
    c->has_end = true;
}

/* Its calls' texts stand where the array was when it stopped growing. */
static void texts_settle(struct imported *q)
{
    for (uint32_t n = 0; n < q->call_count; n++) {
        struct imported_call *c = &q->calls[n];
        const char *at = c->text;
        c->begin.role.ptr = at;
        c->begin.model.ptr = at + c->begin.role.len;
        c->begin.provider.ptr = at + c->begin.role.len + c->begin.model.len;
    }
}

static void finish(struct import *i, struct imported **at)
{
    struct imported *q = *at;

    *at = q->hash_next;
    i->open_count--;
    texts_settle(q);
    for (uint32_t n = 0; n < q->call_count; n++) {
        struct imported_call *c = &q->calls[n];
        if (c->has_end)
            continue;
        c->end = (struct ledger_call_end){ .fault = WEIR_INTERRUPTED,
                                           .cost = c->begin.reserved,
                                           .usage = { .is_estimated = true },
                                           .price_input = -1,
                                           .price_output = -1,
                                           .price_cached = -1 };
    }
    list_add_tail(&i->finished, &q->link);
    i->finished_count++;
}

static void on_end(struct import *i, const struct ledger_end *end)
{
    struct imported **at = open_find(i, end->id);
    struct imported *q = *at;

    if (!q)
        return;
    char *text = q->text + (q->end.model.ptr - q->text);
    size_t used = 0;
    str model = keep(text, &used, end->model);
    q->end = *end;
    q->end.model = model;
    finish(i, at);
}

static void finish_interrupted(struct import *i)
{
    for (size_t slot = 0; slot < i->open_slots; slot++) {
        while (i->open[slot]) {
            struct imported *q = i->open[slot];
            q->end = (struct ledger_end){ .id = q->begin.id,
                                          .fault = WEIR_INTERRUPTED,
                                          .hrm_confidence = -1,
                                          .trm_confidence = -1,
                                          .confidence = -1 };
            finish(i, &i->open[slot]);
        }
    }
}

/* ---- segments ---- */

static void segment_path(const struct import *i, const struct segment *s, char out[4096])
{
    snprintf(out, 4096, "%s/journal-%u-%u.wj", i->directory, s->worker, s->sequence);
}

enum err import_segment_add(struct import *i, unsigned worker, unsigned sequence)
{
    char path[4096];
    struct segment *s = calloc(1, sizeof(*s));

    if (!s)
        return WEIR_NO_MEMORY;
    s->worker = worker;
    s->sequence = sequence;
    segment_path(i, s, path);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) {
        free(s);
        return WEIR_IO;
    }
    struct link *segments = &i->workers[worker];
    struct link *before = segments; /* kept in the order of sequence */
    while (before->prev != segments &&
           CONTAINER_OF(before->prev, struct segment, link)->sequence > sequence)
        before = before->prev;
    list_add_tail(before, &s->link);
    if (before == segments && s->link.prev != segments)
        CONTAINER_OF(s->link.prev, struct segment, link)->is_closed = true;
    return OK;
}

enum err import_find(struct import *i)
{
    DIR *dir = opendir(i->directory);
    unsigned worker, sequence;
    int end = 0;

    if (!dir)
        return WEIR_IO;
    enum err e = OK;
    for (const struct dirent *entry; e == OK && (entry = readdir(dir)) != NULL;) {
        if (sscanf(entry->d_name, "journal-%u-%u.wj%n", &worker, &sequence, &end) == 2 &&
            worker < WORKERS_MAX && entry->d_name[end] == '\0')
            e = import_segment_add(i, worker, sequence);
    }
    closedir(dir);
    return e;
}

static enum err record_take(struct import *i, struct segment *s, const struct journal_record *r)
{
    switch (r->kind) {
    case JOURNAL_BEGIN:
        return on_begin(i, s, &r->begin);
    case JOURNAL_CALL_BEGIN:
        return on_call_begin(i, &r->call_begin);
    case JOURNAL_CALL_END:
        on_call_end(i, &r->call_end);
        return OK;
    case JOURNAL_END:
        on_end(i, &r->end);
        return OK;
    }
    return OK;
}

/* Reads at most one buffer; *out_more says that there may be more. */
static enum err segment_read(struct import *i, struct segment *s, bool *out_more)
{
    ssize_t n = pread(s->fd, i->buffer.ptr, i->buffer.cap, s->offset);
    str bytes = { i->buffer.ptr, n > 0 ? (size_t)n : 0 };
    size_t taken = 0;
    enum err e = OK;

    *out_more = false;
    if (n < 0)
        return errno == EINTR ? OK : WEIR_IO;
    if (s->offset == 0) {
        if (bytes.len < JOURNAL_MAGIC_BYTES)
            return OK;
        if (!str_starts(bytes, STR(JOURNAL_MAGIC))) {
            s->is_read = true;
            i->broken++;
            return OK;
        }
        taken = JOURNAL_MAGIC_BYTES;
    }
    while (e == OK) {
        struct journal_record record;
        size_t used;
        enum journal_read found = journal_read(str_slice(bytes, taken, bytes.len), &record, &used);
        if (found == JOURNAL_BROKEN) {
            s->is_read = true;
            i->broken++;
            break;
        }
        if (found == JOURNAL_MORE) {
            *out_more = bytes.len == i->buffer.cap;
            break;
        }
        e = record_take(i, s, &record);
        if (e == OK)
            taken += used;
    }
    s->offset += (off_t)taken;
    return e;
}

static void segment_drop(struct import *i, struct segment *s)
{
    char path[4096];

    segment_path(i, s, path);
    unlink(path);
    close(s->fd);
    list_remove(&s->link);
    free(s);
}

static void segments_drop(struct import *i)
{
    for (size_t w = 0; w < WORKERS_MAX; w++) {
        while (!list_empty(&i->workers[w])) {
            struct segment *oldest = CONTAINER_OF(i->workers[w].next, struct segment, link);
            if (!oldest->is_closed || !oldest->is_read || oldest->pending > 0)
                break;
            segment_drop(i, oldest);
        }
    }
}

/* ---- passes ---- */

/* Inserts all that is finished in one transaction; on a refusal everything stays for the next time. */
static enum err finished_insert(struct import *i)
{
    if (list_empty(&i->finished))
        return OK;
    enum err e = database_begin(i->database);
    if (e != OK)
        return e;
    for (struct link *l = i->finished.next; e == OK && l != &i->finished; l = l->next)
        e = database_insert(i->database, CONTAINER_OF(l, struct imported, link));
    if (e == OK)
        e = database_commit(i->database);
    if (e != OK) {
        database_rollback(i->database);
        return e;
    }
    for (struct link *l = list_pop(&i->finished); l; l = list_pop(&i->finished)) {
        struct imported *q = CONTAINER_OF(l, struct imported, link);
        q->segment->pending--;
        imported_free(q);
    }
    i->finished_count = 0;
    return OK;
}

static enum err segment_follow(struct import *i, struct segment *s, bool is_last)
{
    bool was_closed = s->is_closed || is_last;
    bool more = true;
    enum err e = OK;

    while (e == OK && more && !s->is_read) {
        e = segment_read(i, s, &more);
        if (e == OK && i->finished_count >= TRANSACTION_QUERIES)
            e = finished_insert(i);
    }
    if (e == OK && was_closed)
        s->is_read = true; /* nothing can follow; a torn tail is no record */
    return e;
}

enum err import_pass(struct import *i, bool is_last)
{
    enum err e = OK;

    for (size_t w = 0; e == OK && w < WORKERS_MAX; w++) {
        for (struct link *l = i->workers[w].next; e == OK && l != &i->workers[w]; l = l->next) {
            struct segment *s = CONTAINER_OF(l, struct segment, link);
            if (!s->is_read)
                e = segment_follow(i, s, is_last);
            if (is_last)
                s->is_closed = true;
        }
    }
    if (e == OK && is_last)
        finish_interrupted(i);
    if (e == OK)
        e = finished_insert(i);
    if (e == OK)
        segments_drop(i);
    return e;
}

int64_t import_last_id(const struct import *i)
{
    return i->last_id;
}

uint32_t import_broken(const struct import *i)
{
    return i->broken;
}

uint64_t import_bytes(const struct import *i)
{
    uint64_t total = 0;
    struct stat st;

    for (size_t w = 0; w < WORKERS_MAX; w++) {
        for (const struct link *l = i->workers[w].next; l != &i->workers[w]; l = l->next) {
            if (fstat(CONTAINER_OF_CONST(l, struct segment, link)->fd, &st) == 0)
                total += (uint64_t)st.st_size;
        }
    }
    return total;
}

enum err import_open(struct import **out, struct database *d, str directory)
{
    struct import *i = calloc(1, sizeof(*i));

    if (!i)
        return WEIR_NO_MEMORY;
    i->database = d;
    i->open_slots = 4096;
    i->open = calloc(i->open_slots, sizeof(*i->open));
    link_init(&i->finished);
    for (size_t w = 0; w < WORKERS_MAX; w++)
        link_init(&i->workers[w]);
    if (!i->open || !buf_reserve(&i->buffer, READ_BYTES) || directory.len >= sizeof(i->directory)) {
        import_close(i);
        return WEIR_NO_MEMORY;
    }
    memcpy(i->directory, directory.ptr, directory.len);
    *out = i;
    return OK;
}

void import_close(struct import *i)
{
    if (!i)
        return;
    for (size_t w = 0; w < WORKERS_MAX; w++) {
        for (struct link *l = list_pop(&i->workers[w]); l; l = list_pop(&i->workers[w])) {
            struct segment *s = CONTAINER_OF(l, struct segment, link);
            close(s->fd);
            free(s);
        }
    }
    for (struct link *l = list_pop(&i->finished); l; l = list_pop(&i->finished))
        imported_free(CONTAINER_OF(l, struct imported, link));
    for (size_t slot = 0; i->open && slot < i->open_slots; slot++) {
        while (i->open[slot]) {
            struct imported *q = i->open[slot];
            i->open[slot] = q->hash_next;
            imported_free(q);
        }
    }
    free(i->open);
    buf_fini(&i->buffer);
    free(i);
}
