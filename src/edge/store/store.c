/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: the ledger's directory: its lock, its writers (one a worker), and the store thread that imports.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "edge/store/store_internal.h"

#define GROUP_BYTES_MAX ((size_t)64 << 20)
#define KEPT_GROUP_BYTES ((size_t)256 << 10)
#define RELAXED_DELAY (50 * NSEC_PER_MS)
#define ID_SEQUENCE_BITS 13
#define ID_WORKER_BITS 8

struct store {
    struct store_options options;
    char directory[3072];
    int lock_fd;
    struct database *database;
    struct import *import;
    int64_t last_id; /* of earlier runs */

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct link added; /* segments for the store thread */
    bool is_stopping;
    atomic_uint_fast64_t journal_bytes; /* of all segments */
};

struct added_segment {
    struct link link;
    unsigned worker;
    unsigned sequence;
};

struct ledger {
    struct store *store;
    unsigned worker;
    unsigned sequence;
    int fd;
    uint64_t segment_bytes; /* written to the open segment */
    struct buf group;
    int64_t last_ms; /* of ids */
    int64_t last_number;
    nsec written; /* when, for relaxed */
};

static nsec now_monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (nsec)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static int64_t now_wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- ids ---- */

int64_t ledger_query_id(struct ledger *l)
{
    int64_t ms = now_wall_ms();

    if (ms > l->last_ms) {
        l->last_ms = ms;
        l->last_number = 0;
    } else if (++l->last_number == 1 << ID_SEQUENCE_BITS) {
        l->last_ms++;
        l->last_number = 0;
    }
    return l->last_ms << (ID_SEQUENCE_BITS + ID_WORKER_BITS) |
           (int64_t)l->worker << ID_SEQUENCE_BITS | l->last_number;
}

str ledger_id_format(int64_t id, char out[20])
{
    int n = snprintf(out, 20, "q%016" PRIx64, (uint64_t)id);

    return (str){ out, (size_t)n };
}

bool ledger_id_parse(str text, int64_t *out)
{
    uint64_t id = 0;

    if (text.len != 17 || text.ptr[0] != 'q')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (id > INT64_MAX)
        return false;
    *out = (int64_t)id;
    return true;
}

/* ---- writing ---- */

static enum err write_all(int fd, str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return WEIR_STORE;
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
    return OK;
}

static enum err segment_open(struct ledger *l)
{
    struct store *s = l->store;
    struct added_segment *added = calloc(1, sizeof(*added));
    char path[4096];

    if (!added)
        return WEIR_NO_MEMORY;
    snprintf(path, sizeof(path), "%s/journal-%u-%u.wj", s->directory, l->worker, l->sequence + 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, STR(JOURNAL_MAGIC)) != OK) {
        if (fd >= 0) {
            close(fd);
            unlink(path);
        }
        free(added);
        return WEIR_STORE;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    l->sequence++;
    l->segment_bytes = JOURNAL_MAGIC_BYTES;
    added->worker = l->worker;
    added->sequence = l->sequence;
    pthread_mutex_lock(&s->lock);
    list_add_tail(&s->added, &added->link);
    pthread_mutex_unlock(&s->lock);
    return OK;
}

enum err ledger_open(struct ledger **out, struct store *s, unsigned worker)
{
    struct ledger *l = calloc(1, sizeof(*l));

    if (!l)
        return WEIR_NO_MEMORY;
    assert(worker < WORKERS_MAX);
    l->store = s;
    l->worker = worker;
    l->fd = -1;
    l->group.max = GROUP_BYTES_MAX;
    l->last_ms = s->last_id >> (ID_SEQUENCE_BITS + ID_WORKER_BITS);
    l->last_number =
        (1 << ID_SEQUENCE_BITS) - 1; /* earlier runs may have used the whole millisecond */
    enum err e = segment_open(l);
    if (e != OK) {
        free(l);
        return e;
    }
    *out = l;
    return OK;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    IGNORE(ledger_commit(l));
    if (l->group.len > 0)
        IGNORE(write_all(l->fd, buf_str(&l->group))); /* relaxed: what was deferred */
    close(l->fd);
    buf_fini(&l->group);
    free(l);
}

void ledger_begin(struct ledger *l, const struct ledger_query *q)
{
    journal_write(&l->group, &(struct journal_record){ .kind = JOURNAL_BEGIN, .begin = *q });
}

void ledger_call_begin(struct ledger *l, const struct ledger_call *c)
{
    journal_write(&l->group,
                  &(struct journal_record){ .kind = JOURNAL_CALL_BEGIN, .call_begin = *c });
}

void ledger_call_done(struct ledger *l, const struct ledger_call_end *c)
{
    journal_write(&l->group, &(struct journal_record){ .kind = JOURNAL_CALL_END, .call_end = *c });
}

void ledger_end(struct ledger *l, const struct ledger_end *e)
{
    journal_write(&l->group, &(struct journal_record){ .kind = JOURNAL_END, .end = *e });
}

bool ledger_is_dirty(const struct ledger *l)
{
    return l->group.len > 0 || l->group.failed;
}

/* Writes the group; what a failed write left behind is cut off again, so that a later try does not
 * stand behind half a record. */
static enum err group_write(struct ledger *l)
{
    if (write_all(l->fd, buf_str(&l->group)) != OK) {
        if (ftruncate(l->fd, (off_t)l->segment_bytes) != 0) {
            /* The reader stops at the torn record; the next segment goes on after it. */
            IGNORE(segment_open(l));
        }
        return WEIR_STORE;
    }
    if (l->store->options.sync_power && fdatasync(l->fd) != 0)
        return WEIR_STORE;
    l->segment_bytes += l->group.len;
    atomic_fetch_add(&l->store->journal_bytes, l->group.len);
    return OK;
}

enum err ledger_commit(struct ledger *l)
{
    struct store *s = l->store;

    if (l->group.failed) {
        l->group.failed = false;
        return WEIR_STORE;
    }
    if (l->group.len == 0)
        return OK;
    if (atomic_load(&s->journal_bytes) > s->options.journal_bytes_max)
        return WEIR_STORE;
    if (s->options.relaxed) {
        nsec now = now_monotonic();
        if (now - l->written < RELAXED_DELAY && l->group.len < KEPT_GROUP_BYTES)
            return OK;
        l->written = now;
    }
    if (l->segment_bytes >= s->options.segment_bytes && segment_open(l) != OK)
        return WEIR_STORE;
    enum err e = group_write(l);
    if (e != OK)
        return e;
    if (l->group.cap > KEPT_GROUP_BYTES)
        buf_fini(&l->group);
    buf_reset(&l->group);
    return OK;
}

/* ---- the store thread ---- */

static void segments_take(struct store *s)
{
    struct link added;

    link_init(&added);
    pthread_mutex_lock(&s->lock);
    list_take(&added, &s->added);
    pthread_mutex_unlock(&s->lock);
    for (struct link *l = list_pop(&added); l; l = list_pop(&added)) {
        struct added_segment *a = CONTAINER_OF(l, struct added_segment, link);
        IGNORE(import_segment_add(s->import, a->worker, a->sequence));
        free(a);
    }
}

/* Sleeps for the interval, or until the store is closed; true then. */
static bool pause_for(struct store *s, nsec interval)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += interval / NSEC_PER_SEC;
    until.tv_nsec += interval % NSEC_PER_SEC;
    if (until.tv_nsec >= NSEC_PER_SEC) {
        until.tv_nsec -= NSEC_PER_SEC;
        until.tv_sec++;
    }
    pthread_mutex_lock(&s->lock);
    while (!s->is_stopping) {
        if (pthread_cond_timedwait(&s->wake, &s->lock, &until) == ETIMEDOUT)
            break;
    }
    bool is_stopping = s->is_stopping;
    pthread_mutex_unlock(&s->lock);
    return is_stopping;
}

static void *store_main(void *arg)
{
    struct store *s = arg;

    while (!pause_for(s, s->options.import_interval)) {
        segments_take(s);
        IGNORE(
            import_pass(s->import, false)); /* a refusal of the database: again at the next pass */
        atomic_store(&s->journal_bytes, import_bytes(s->import));
    }
    return NULL;
}

static enum err thread_start(struct store *s)
{
    pthread_condattr_t attributes;
    pthread_attr_t small;
    sigset_t all, before;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, (size_t)512 << 10);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->has_thread = pthread_create(&s->thread, &small, store_main, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&small);
    return s->has_thread ? OK : WEIR_IO;
}

/* ---- opening ---- */

static enum err directory_open(str directory, char path[3072], char why[256])
{
    if (directory.len == 0 || directory.len >= 3000) {
        snprintf(why, 256, "the ledger's directory has no usable name");
        return WEIR_STORE;
    }
    memcpy(path, directory.ptr, directory.len);
    path[directory.len] = '\0';
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        snprintf(why, 256, "%.180s cannot be created: %s", path, strerror(errno));
        return WEIR_STORE;
    }
    return OK;
}

/* The lock's descriptor; -1 with EWOULDBLOCK when another process holds it. */
static int lock_take(const char *directory)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/lock", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* Imports what an earlier process left behind. */
static enum err recover(struct store *s)
{
    enum err e = import_find(s->import);

    if (e == OK)
        e = import_pass(s->import, true);
    return e;
}

static enum err store_prepare(struct store *s, char why[256])
{
    enum err e = directory_open(s->options.directory, s->directory, why);

    if (e != OK)
        return e;
    s->lock_fd = lock_take(s->directory);
    if (s->lock_fd < 0) {
        snprintf(why, 256, "%.180s: %s", s->directory,
                 errno == EWOULDBLOCK ? "another weir holds this ledger" : strerror(errno));
        return WEIR_STORE;
    }
    e = database_open(&s->database, str_from(s->directory), s->options.sync_power, false, why);
    if (e == OK)
        e = import_open(&s->import, s->database, str_from(s->directory));
    if (e == OK)
        e = recover(s);
    if (e != OK && why[0] == '\0')
        snprintf(why, 256, "the journals in %.180s cannot be imported", s->directory);
    return e;
}

static void store_free(struct store *s)
{
    import_close(s->import);
    database_close(s->database);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static enum err store_new(struct store **out, const struct store_options *options, char why[256])
{
    struct store *s = calloc(1, sizeof(*s));

    if (!s)
        return WEIR_NO_MEMORY;
    s->options = *options;
    s->lock_fd = -1;
    if (s->options.segment_bytes == 0)
        s->options.segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (s->options.journal_bytes_max == 0)
        s->options.journal_bytes_max = JOURNAL_BYTES_DEFAULT;
    if (s->options.import_interval == 0)
        s->options.import_interval = IMPORT_INTERVAL_DEFAULT;
    link_init(&s->added);
    pthread_mutex_init(&s->lock, NULL);
    enum err e = store_prepare(s, why);
    if (e != OK) {
        store_free(s);
        return e;
    }
    *out = s;
    return OK;
}

enum err store_open(struct store **out, const struct store_options *options, char why[256])
{
    struct store *s;

    why[0] = '\0';
    enum err e = store_new(&s, options, why);
    if (e != OK)
        return e;
    s->last_id = database_last_id(s->database);
    if (import_last_id(s->import) > s->last_id)
        s->last_id = import_last_id(s->import);
    e = thread_start(s);
    if (e != OK) {
        store_free(s);
        return e;
    }
    *out = s;
    return OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    segments_take(s);
    IGNORE(import_pass(s->import, true)); /* what the database refuses stays in the journals */
    pthread_cond_destroy(&s->wake);
    store_free(s);
}

/* ---- reading ---- */

static bool is_held(const char *directory)
{
    int fd = lock_take(directory);

    if (fd < 0)
        return errno == EWOULDBLOCK;
    close(fd);
    return false;
}

/* Takes in what is left in journals, unless a process that runs will do it. */
static enum err catch_up(str directory, bool *out_is_live, uint32_t *out_broken, char why[256])
{
    char path[3072];
    struct stat st;
    struct store *s;

    *out_broken = 0;
    if (directory.len == 0 || directory.len >= sizeof(path)) {
        snprintf(why, 256, "the ledger's directory has no usable name");
        return WEIR_STORE;
    }
    memcpy(path, directory.ptr, directory.len);
    path[directory.len] = '\0';
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        snprintf(why, 256, "there is no ledger at %.200s", path);
        return WEIR_STORE;
    }
    *out_is_live = is_held(path);
    if (*out_is_live)
        return OK;
    enum err e = store_new(&s, &(struct store_options){ .directory = directory }, why);
    if (e != OK)
        return e;
    *out_broken = import_broken(s->import);
    store_free(s);
    return OK;
}

enum err store_verify(str directory, struct ledger_check *out,
                      void (*on_mismatch)(void *ctx, str sentence), void *ctx, char why[256])
{
    struct database *d;
    struct ledger_check check;
    bool is_live;
    uint32_t broken;

    why[0] = '\0';
    enum err e = catch_up(directory, &is_live, &broken, why);
    if (e == OK)
        e = database_open(&d, directory, false, true, why);
    if (e != OK)
        return e;
    e = database_verify(d, &check, on_mismatch, ctx);
    database_close(d);
    if (e != OK) {
        snprintf(why, 256, "the ledger's database cannot be read");
        return e;
    }
    if (broken > 0) {
        on_mismatch(
            ctx, STR("a journal was broken before its end: what stood behind the break is lost"));
        check.mismatches += broken;
    }
    check.is_live = is_live;
    *out = check;
    return OK;
}

enum err store_export(str directory, usec_utc since, void (*on_line)(void *ctx, str line),
                      void *ctx, char why[256])
{
    struct database *d;
    bool is_live;
    uint32_t broken;

    why[0] = '\0';
    enum err e = catch_up(directory, &is_live, &broken, why);
    if (e == OK)
        e = database_open(&d, directory, false, true, why);
    if (e != OK)
        return e;
    e = database_export(d, since, on_line, ctx);
    database_close(d);
    return e;
}
