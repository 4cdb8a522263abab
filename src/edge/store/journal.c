/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: a worker's writer. Records gather in one buffer; a commit is one pwrite(2) of the buffer, headed by its group record.
 *
 * A group is always written at the offset where the last whole group ended, so a write that failed half-way leaves nothing
 * behind that a later one does not overwrite: it is truncated away at once, and were that to fail too, the next commit writes over it.
 *
 *     append ... append -> [ group | record | record | ... ] -- pwrite at `written` --> committed += length
 */
#include "edge/store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* New queries and calls are refused past the first, ends of known ones past the second: an outcome is worth more than a start. */
#define GROUP_BYTES_BEGIN_MAX ((size_t)1 << 20)
#define GROUP_BYTES_MAX ((size_t)8 << 20)
#define GROUP_BYTES_FIRST ((size_t)64 << 10)
#define RELAXED_DELAY (50 * NSEC_PER_MS)
#define RELAXED_BYTES_MAX ((size_t)256 << 10)

#define ID_MS_SHIFT 21
#define ID_WORKER_SHIFT 13
#define ID_SLACK_MS 60000
#define ID_SEQUENCE_MASK ((INT64_C(1) << ID_WORKER_SHIFT) - 1)

struct ledger {
    struct store *store;
    unsigned worker;
    int fd; /* -1: the next commit opens a segment */
    struct segment *segment; /* of fd; owned by the store */
    uint64_t written; /* bytes of whole groups in the segment */
    uint8_t *group;
    size_t len; /* starts at RECORD_GROUP_BYTES, the room of the group's record */
    size_t cap;
    enum err failure; /* sticky until the next commit */
    nsec last_write;
    int64_t id_last;
};

static nsec now_monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (nsec)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

enum err ledger_open(struct ledger **out, struct store *s, unsigned worker)
{
    struct ledger *l;

    assert(worker < STORE_WORKERS_MAX);
    l = calloc(1, sizeof(*l));
    if (!l)
        return WEIR_NO_MEMORY;
    l->group = malloc(GROUP_BYTES_FIRST);
    if (!l->group) {
        free(l);
        return WEIR_NO_MEMORY;
    }
    l->store = s;
    l->worker = worker;
    l->fd = -1;
    l->len = RECORD_GROUP_BYTES;
    l->cap = GROUP_BYTES_FIRST;
    pthread_mutex_lock(&s->mutex);
    l->id_last = s->id_floor[worker];
    pthread_mutex_unlock(&s->mutex);
    *out = l;
    return OK;
}

/* The importer may now finish and delete the segment; from here on it is not ours. */
static void segment_leave(struct ledger *l)
{
    if (l->fd < 0)
        return;
    close(l->fd);
    l->fd = -1;
    atomic_store(&l->segment->is_closed, true);
    l->segment = NULL;
    store_wake_if_idle(l->store);
}

static enum err group_write(struct ledger *l);

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    if (ledger_is_dirty(l))
        IGNORE(group_write(l)); /* nobody is left to tell: these records were never acknowledged */
    segment_leave(l);
    pthread_mutex_lock(&l->store->mutex);
    if (l->id_last > l->store->id_floor[l->worker])
        l->store->id_floor[l->worker] = l->id_last;
    pthread_mutex_unlock(&l->store->mutex);
    free(l->group);
    free(l);
}

int64_t ledger_query_id(struct ledger *l)
{
    struct timespec t;
    int64_t now_ms, last_ms = l->id_last >> ID_MS_SHIFT;

    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / NSEC_PER_MS;
    if (now_ms > last_ms)
        l->id_last = now_ms << ID_MS_SHIFT | (int64_t)l->worker << ID_WORKER_SHIFT;
    else if ((l->id_last & ID_SEQUENCE_MASK) < ID_SEQUENCE_MASK &&
             (l->id_last >> ID_WORKER_SHIFT & 0xff) == l->worker)
        l->id_last++;
    else /* the clock stepped back, or this millisecond is used up: borrow the next */
        l->id_last = (last_ms + 1) << ID_MS_SHIFT | (int64_t)l->worker << ID_WORKER_SHIFT;
    return l->id_last;
}

int64_t ledger_id_floor(usec_utc since)
{
    int64_t ms = since / 1000 - ID_SLACK_MS;

    return ms <= 0 ? 0 : ms >= INT64_MAX >> ID_MS_SHIFT ? INT64_MAX : ms << ID_MS_SHIFT;
}

str ledger_id_format(int64_t id, char out[20])
{
    int len = snprintf(out, 20, "q%016" PRIx64, (uint64_t)id);

    return (str){ out, (size_t)len };
}

/* clang-format off */
static const char *const source_names[LABEL_SOURCE_COUNT] = {
    [LABEL_VERIFIER] = "verifier", [LABEL_FEEDBACK] = "feedback", [LABEL_AUDIT] = "audit",
};
/* clang-format on */

const char *ledger_source_name(enum ledger_source source)
{
    return source_names[source];
}

bool ledger_source_find(str name, enum ledger_source *out)
{
    for (size_t i = 0; i < LABEL_SOURCE_COUNT; i++) {
        if (str_eq(name, str_from(source_names[i]))) {
            *out = (enum ledger_source)i;
            return true;
        }
    }
    return false;
}

bool ledger_id_parse(str text, int64_t *out)
{
    uint64_t v = 0;

    if (text.len != 17 || text.ptr[0] != 'q')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    if (v > INT64_MAX)
        return false;
    *out = (int64_t)v;
    return true;
}

/* ---- appending ---- */

/* Room for one more record, or NULL and a sticky failure. */
static uint8_t *group_room(struct ledger *l, size_t bytes_max)
{
    if (l->len + RECORD_BYTES_MAX <= l->cap)
        return l->group + l->len;
    if (l->len + RECORD_BYTES_MAX > bytes_max) {
        l->failure = WEIR_STORE;
        return NULL;
    }
    uint8_t *bigger = realloc(l->group, l->cap * 2);
    if (!bigger) {
        l->failure = WEIR_NO_MEMORY;
        return NULL;
    }
    l->group = bigger;
    l->cap *= 2;
    return l->group + l->len;
}

/* After a refused start no further start is taken in this group; ends are. */
static uint8_t *room_for_start(struct ledger *l)
{
    if (l->failure == OK && l->len > GROUP_BYTES_BEGIN_MAX)
        l->failure = WEIR_STORE;
    return l->failure == OK ? group_room(l, GROUP_BYTES_MAX) : NULL;
}

void ledger_begin(struct ledger *l, const struct ledger_query *q)
{
    uint8_t *at = room_for_start(l);

    if (at)
        l->len += record_put_begin(at, q);
}

void ledger_call_begin(struct ledger *l, const struct ledger_call *c)
{
    uint8_t *at = room_for_start(l);

    if (at)
        l->len += record_put_call_begin(at, c);
}

void ledger_route(struct ledger *l, const struct ledger_route *r)
{
    uint8_t *at = room_for_start(l);

    if (at)
        l->len += record_put_route(at, r);
}

/* Refused like a start: whoever labels can do so again, an outcome that finds no room is lost. */
void ledger_label(struct ledger *l, const struct ledger_label *label)
{
    uint8_t *at;

    assert(label->value >= 0 && label->value <= 1);
    assert(label->source < LABEL_SOURCE_COUNT);
    at = room_for_start(l);
    if (at)
        l->len += record_put_label(at, label);
}

void ledger_call_done(struct ledger *l, const struct ledger_call_end *c)
{
    uint8_t *at = group_room(l, GROUP_BYTES_MAX);

    if (at)
        l->len += record_put_call_done(at, c);
}

void ledger_end(struct ledger *l, const struct ledger_end *e)
{
    uint8_t *at = group_room(l, GROUP_BYTES_MAX);

    if (at)
        l->len += record_put_end(at, e);
}

bool ledger_is_dirty(const struct ledger *l)
{
    return l->len > RECORD_GROUP_BYTES || l->failure != OK;
}

/* ---- committing ---- */

/* After a rename or a power loss the name must be there, too. */
static bool directory_sync(const struct store *s)
{
    int fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_done = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return is_done;
}

static bool segment_enter(struct ledger *l)
{
    struct store *s = l->store;
    struct segment *segment =
        segment_new(l->worker, atomic_fetch_add(&s->next_sequence, UINT64_C(1)));
    char path[STORE_PATH_MAX];

    if (!segment)
        return false;
    if (segment_path(s, segment, "", path))
        l->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (l->fd >= 0 && s->options.sync_power && !directory_sync(s)) {
        close(l->fd);
        unlink(path);
        l->fd = -1;
    }
    if (l->fd < 0) {
        free(segment);
        return false;
    }
    l->segment = segment;
    l->written = 0;
    store_segment_add(s, segment);
    return true;
}

/* All of it, or false with nothing counted. */
static bool write_whole(int fd, const uint8_t *bytes, size_t len, uint64_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return true;
}

static enum err group_write(struct ledger *l)
{
    struct store *s = l->store;

    if (l->len == RECORD_GROUP_BYTES)
        return OK;
    if (atomic_load_explicit(&s->journal_bytes, memory_order_relaxed) + l->len >
        s->options.journal_bytes_max) {
        /* A segment of ours that is left can be deleted, once it is imported. */
        if (l->written > 0)
            segment_leave(l);
        l->written = 0;
        store_wake_urgently(s);
        return WEIR_STORE;
    }
    if (l->fd < 0 && !segment_enter(l))
        return WEIR_STORE;
    record_put_group(l->group, (uint32_t)(l->len - RECORD_GROUP_BYTES));
    if (!write_whole(l->fd, l->group, l->len, l->written)) {
        if (ftruncate(l->fd, (off_t)l->written) != 0)
            segment_leave(
                l); /* readers stop at `committed`; recovery takes the torn group for what it is */
        return WEIR_STORE;
    }
    if (s->options.sync_power && fdatasync(l->fd) != 0) {
        /* What the kernel kept of it is unknown: write it anew, in another file. */
        segment_leave(l);
        return WEIR_STORE;
    }
    l->written += l->len;
    atomic_fetch_add_explicit(&s->journal_bytes, l->len, memory_order_relaxed);
    atomic_store(&l->segment->committed, l->written);
    l->len = RECORD_GROUP_BYTES;
    if (l->written >= s->options.segment_bytes)
        segment_leave(l);
    else
        store_wake_if_idle(s);
    return OK;
}

enum err ledger_commit(struct ledger *l)
{
    enum err failure = l->failure;

    if (!ledger_is_dirty(l))
        return OK;
    if (l->store->options.relaxed && failure == OK && l->len < RELAXED_BYTES_MAX) {
        nsec now = now_monotonic();
        if (now - l->last_write < RELAXED_DELAY)
            return OK;
        l->last_write = now;
    }
    enum err e = group_write(l);
    store_wrote(l->store, e == OK);
    l->failure = OK;
    return e != OK ? e : failure;
}
