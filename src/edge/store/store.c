/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: the ledger's directory: its lock, recovery, the store thread.
 *
 * The thread sleeps without a timer while nothing is new; the first commit after that wakes it. It then lets import_interval
 * pass, so that under load a pass takes many queries at once. A database that refuses is tried again with growing pauses.
 */
#include "edge/store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT_BYTES_DEFAULT ((size_t)16 << 20)
#define JOURNAL_BYTES_DEFAULT (UINT64_C(4) << 30)
#define IMPORT_INTERVAL_DEFAULT (100 * NSEC_PER_MS)
#define BACKOFF_MAX (2 * NSEC_PER_SEC)
#define ROLL_UP_ROWS 10000 /* some 50 ms */
#define CLOSE_ATTEMPTS                                                                             \
    10 /* with 200 ms of waiting for a lock each; then the journals are left for the next start */

/* ---- segments ---- */

struct segment *segment_new(unsigned worker, uint64_t sequence)
{
    struct segment *segment = calloc(1, sizeof(*segment));

    if (!segment)
        return NULL;
    link_init(&segment->link);
    segment->worker = worker;
    segment->sequence = sequence;
    segment->fd = -1;
    return segment;
}

bool segment_path(const struct store *s, const struct segment *segment, const char *suffix,
                  char out[STORE_PATH_MAX])
{
    int len = snprintf(out, STORE_PATH_MAX, "%s/journal-%03u-%010" PRIu64 ".wj%s", s->directory,
                       segment->worker, segment->sequence, suffix);

    return len > 0 && (size_t)len < STORE_PATH_MAX;
}

bool segment_name_parse(str name, unsigned *out_worker, uint64_t *out_sequence)
{
    str rest, worker_text, sequence_text, more;
    uint64_t worker, sequence;

    if (!str_starts(name, STR("journal-")) || !str_ends(name, STR(".wj")) ||
        name.len < sizeof("journal-.wj"))
        return false;
    rest = str_slice(name, sizeof("journal-") - 1, name.len - 3);
    if (!str_next(&rest, '-', &worker_text) || !str_next(&rest, '-', &sequence_text) ||
        str_next(&rest, '-', &more) || !str_to_u64(worker_text, &worker) ||
        !str_to_u64(sequence_text, &sequence) || worker >= STORE_WORKERS_MAX)
        return false;
    *out_worker = (unsigned)worker;
    *out_sequence = sequence;
    return true;
}

void store_segment_add(struct store *s, struct segment *segment)
{
    pthread_mutex_lock(&s->mutex);
    list_add_tail(&s->segments, &segment->link);
    pthread_mutex_unlock(&s->mutex);
}

/* ---- waking and waiting ---- */

void store_wake_if_idle(struct store *s)
{
    if (!atomic_load(&s->is_idle) || !atomic_exchange(&s->is_idle, false))
        return;
    pthread_mutex_lock(&s->mutex);
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
}

void store_wake_urgently(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    s->is_urgent = true;
    atomic_store(&s->is_idle, false);
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
}

void store_wrote(struct store *s, bool is_done)
{
    /* Looked at first, so that workers do not take the line from each other with every commit. */
    if (atomic_load_explicit(&s->is_refusing, memory_order_relaxed) == is_done)
        atomic_store(&s->is_refusing, !is_done);
}

static bool segments_have_news(const struct store *s)
{
    for (const struct link *l = s->segments.next; l != &s->segments; l = l->next) {
        const struct segment *segment = CONTAINER_OF_CONST(l, struct segment, link);
        if (segment->imported != atomic_load(&segment->committed) ||
            (atomic_load(&segment->is_closed) && segment->pins == 0))
            return true;
    }
    return false;
}

/* Waits until the time has passed, or until there is a hurry. The mutex is held. */
static void store_pause(struct store *s, nsec pause, bool may_hurry)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(pause / NSEC_PER_SEC);
    until.tv_nsec += (long)(pause % NSEC_PER_SEC);
    if (until.tv_nsec >= NSEC_PER_SEC) {
        until.tv_nsec -= (long)NSEC_PER_SEC;
        until.tv_sec++;
    }
    while (!s->is_stopping && !(may_hurry && s->is_urgent))
        if (pthread_cond_timedwait(&s->wake, &s->mutex, &until) == ETIMEDOUT)
            break;
}

/* False when the store is stopping. */
static bool store_wait(struct store *s, nsec backoff)
{
    bool is_stopping;

    pthread_mutex_lock(&s->mutex);
    if (backoff > 0) {
        store_pause(s, backoff, false);
    } else {
        atomic_store(&s->is_idle, true);
        if (s->has_backlog || segments_have_news(s))
            atomic_store(&s->is_idle, false);
        while (atomic_load(&s->is_idle) && !s->is_stopping && !s->is_urgent)
            pthread_cond_wait(&s->wake, &s->mutex);
        atomic_store(&s->is_idle, false);
        store_pause(s, s->options.import_interval, true);
    }
    s->is_urgent = false;
    is_stopping = s->is_stopping;
    pthread_mutex_unlock(&s->mutex);
    return !is_stopping;
}

/* A chunk at most between two imports: what is new goes before what is old. */
static void backlog_shrink(struct store *s)
{
    char why[256];
    int64_t rows;
    bool is_done;

    if (importer_roll_up(s->importer, ROLL_UP_ROWS, &rows, &is_done, why) == OK)
        s->has_backlog = !is_done;
}

/* ---- probes ---- */

void store_probe(struct store *s)
{
    if (atomic_load(&s->probes_asked) != atomic_load(&s->probes_done))
        return;
    atomic_fetch_add(&s->probes_asked, UINT64_C(1));
    store_wake_urgently(s);
}

/* By its path, as the next segment will be: a directory that was moved away is not there, whatever is still open in it. */
static bool probe_write(const struct store *s)
{
    static const char bytes[4096] = "written by weir to see whether it can write; may be deleted\n";
    char path[STORE_PATH_MAX + 8];

    snprintf(path, sizeof(path), "%s/probe", s->directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool is_done = write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes);
    close(fd);
    return unlink(path) == 0 && is_done;
}

static void probe_answer(struct store *s)
{
    uint64_t asked = atomic_load(&s->probes_asked);

    if (asked == atomic_load(&s->probes_done))
        return;
    store_wrote(s, probe_write(s));
    atomic_store(&s->probes_done, asked);
}

static void *store_thread(void *arg)
{
    struct store *s = arg;
    nsec backoff = 0;

    s->has_backlog = true;
    backlog_shrink(s);
    while (store_wait(s, backoff)) {
        char why[256];
        probe_answer(s);
        if (importer_run(s->importer, why) == OK) {
            backoff = 0;
            if (s->has_backlog)
                backlog_shrink(s);
            continue;
        }
        atomic_fetch_add(&s->import_failures, UINT64_C(1));
        backoff = backoff > 0 ? backoff * 2 : s->options.import_interval;
        if (backoff > BACKOFF_MAX)
            backoff = BACKOFF_MAX;
    }
    return NULL;
}

/* ---- opening ---- */

static enum err directory_make(const struct store *s, char out_why[256])
{
    char path[STORE_PATH_MAX];

    memcpy(path, s->directory, sizeof(path));
    for (char *slash = path + 1; *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        IGNORE(mkdir(path, 0700)); /* the last one tells */
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        snprintf(out_why, 256, "%.180s cannot be created: %s", path, strerror(errno));
        return WEIR_STORE;
    }
    return OK;
}

/* WEIR_OVERLOADED: another process has it. */
static enum err directory_lock(struct store *s, char out_why[256])
{
    char path[STORE_PATH_MAX + 8];

    snprintf(path, sizeof(path), "%s/lock", s->directory);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return OK;
    if (s->lock_fd >= 0 && errno == EWOULDBLOCK) {
        snprintf(out_why, 256, "another process holds %.200s", path);
        return WEIR_OVERLOADED;
    }
    snprintf(out_why, 256, "%.180s cannot be locked: %s", path, strerror(errno));
    return WEIR_STORE;
}

static int segment_order(const void *a, const void *b)
{
    const struct segment *const *x = a;
    const struct segment *const *y = b;

    if ((*x)->worker != (*y)->worker)
        return (*x)->worker < (*y)->worker ? -1 : 1;
    return ((*x)->sequence > (*y)->sequence) - ((*x)->sequence < (*y)->sequence);
}

struct segment_list {
    struct store *store;
    struct segment **items;
    size_t len;
    size_t cap;
};

static enum err segment_list_add(struct segment_list *list, str name)
{
    unsigned worker;
    uint64_t sequence;
    char path[STORE_PATH_MAX];
    struct stat info;

    /* A broken one that was kept aside: no new one may take its name. */
    if (str_ends(name, STR(CORRUPT_SUFFIX)) &&
        segment_name_parse(str_slice(name, 0, name.len - strlen(CORRUPT_SUFFIX)), &worker,
                           &sequence) &&
        sequence >= atomic_load(&list->store->next_sequence))
        atomic_store(&list->store->next_sequence, sequence + 1);
    if (!segment_name_parse(name, &worker, &sequence))
        return OK;
    if (list->len == list->cap) {
        size_t cap = list->cap > 0 ? list->cap * 2 : 64;
        struct segment **bigger = realloc(list->items, cap * sizeof(struct segment *));
        if (!bigger)
            return WEIR_NO_MEMORY;
        list->items = bigger;
        list->cap = cap;
    }
    struct segment *segment = segment_new(worker, sequence);
    if (!segment)
        return WEIR_NO_MEMORY;
    if (!segment_path(list->store, segment, "", path) || stat(path, &info) != 0) {
        bool is_foreign = errno == ENOENT; /* a name that is not written as ours are */
        free(segment);
        return is_foreign ? OK : WEIR_IO;
    }
    list->items[list->len++] = segment;
    atomic_store(&segment->committed, (uint64_t)info.st_size);
    atomic_store(&segment->is_closed, true);
    return OK;
}

/* Finds the segments that an earlier process left behind. */
static enum err segments_find(struct store *s, char out_why[256])
{
    struct segment_list list = { .store = s };
    DIR *directory = opendir(s->directory);
    enum err e = directory ? OK : WEIR_IO;

    for (const struct dirent *entry; e == OK && (entry = readdir(directory)) != NULL;)
        e = segment_list_add(&list, str_from(entry->d_name));
    if (e != OK)
        snprintf(out_why, 256, "%.180s cannot be read: %s", s->directory, strerror(errno));
    if (directory)
        closedir(directory);
    if (e == OK && list.len > 0)
        qsort(list.items, list.len, sizeof(struct segment *), segment_order);
    for (size_t i = 0; i < list.len; i++) {
        struct segment *segment = list.items[i];
        if (segment->sequence >= atomic_load(&s->next_sequence))
            atomic_store(&s->next_sequence, segment->sequence + 1);
        atomic_fetch_add(&s->journal_bytes, atomic_load(&segment->committed));
        list_add_tail(&s->segments, &segment->link);
    }
    free(list.items);
    return e;
}

/* Imports all that is there; no record can follow. */
static enum err store_drain(struct store *s, char out_why[256])
{
    enum err e = importer_run(s->importer, out_why);

    if (e == OK)
        e = importer_interrupt(s->importer, out_why);
    return e == OK ? importer_run(s->importer, out_why) : e;
}

static enum err store_init(struct store *s, const struct store_options *options, char out_why[256])
{
    pthread_condattr_t attributes;

    if (options->directory.len == 0 || options->directory.len > STORE_PATH_MAX - 64) {
        snprintf(out_why, 256, "the ledger's directory has no name, or one that is too long");
        return WEIR_STORE;
    }
    memcpy(s->directory, options->directory.ptr, options->directory.len);
    s->options = *options;
    s->options.directory = STR("");
    if (s->options.segment_bytes == 0)
        s->options.segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (s->options.journal_bytes_max == 0)
        s->options.journal_bytes_max = JOURNAL_BYTES_DEFAULT;
    if (s->options.import_interval <= 0)
        s->options.import_interval = IMPORT_INTERVAL_DEFAULT;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&s->mutex, NULL);
    s->has_mutex = true;
    return OK;
}

enum err store_recover(struct store **out, const struct store_options *options, char out_why[256])
{
    struct store *s = calloc(1, sizeof(*s));
    enum err e;

    out_why[0] = '\0';
    if (!s) {
        snprintf(out_why, 256, "out of memory");
        return WEIR_NO_MEMORY;
    }
    s->lock_fd = -1;
    link_init(&s->segments);
    atomic_store(&s->next_sequence, UINT64_C(1));
    e = store_init(s, options, out_why);
    if (e == OK)
        e = directory_make(s, out_why);
    if (e == OK)
        e = directory_lock(s, out_why);
    if (e == OK)
        e = segments_find(s, out_why);
    if (e == OK)
        e = importer_open(&s->importer, s, s->options.sync_power, out_why);
    if (e == OK)
        e = store_drain(s, out_why);
    if (e != OK) {
        store_free(s);
        return e;
    }
    const struct importer_counts *counts = importer_counts(s->importer);
    for (size_t i = 0; i < STORE_WORKERS_MAX; i++)
        s->id_floor[i] = counts->id_max;
    if (counts->gaps > 0)
        snprintf(out_why, 256, "journals were broken in %" PRIu64 " places: see %.150s/*.corrupt",
                 counts->gaps, s->directory);
    *out = s;
    return OK;
}

/* Signals are for the threads that ask for them. */
static bool thread_start(struct store *s)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->has_thread = pthread_create(&s->thread, NULL, store_thread, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->has_thread;
}

enum err store_open(struct store **out, const struct store_options *options, char out_why[256])
{
    struct store *s;
    enum err e = store_recover(&s, options, out_why);

    if (e != OK)
        return e == WEIR_NO_MEMORY ? e : WEIR_STORE;
    if (!thread_start(s)) {
        snprintf(out_why, 256, "no thread can be started");
        store_free(s);
        return WEIR_STORE;
    }
    *out = s;
    return OK;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    importer_close(s->importer);
    for (struct link *l; (l = list_pop(&s->segments)) != NULL;) {
        struct segment *segment = CONTAINER_OF(l, struct segment, link);
        if (segment->fd >= 0)
            close(segment->fd);
        free(segment);
    }
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    if (s->has_mutex) {
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->mutex);
    }
    free(s);
}

void store_close(struct store *s)
{
    char why[256];

    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    s->is_stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    for (int i = 0; i < CLOSE_ATTEMPTS; i++) {
        if (store_drain(s, why) == OK)
            break;
        usleep(50 * 1000);
    }
    store_free(s);
}

void store_health_read(const struct store *s, struct store_health *out)
{
    *out = (struct store_health){
        .journal_bytes = atomic_load(&s->journal_bytes),
        .journal_bytes_max = s->options.journal_bytes_max,
        .import_failures = atomic_load(&s->import_failures),
        .is_writable = !atomic_load(&s->is_refusing),
        .probes_asked = atomic_load(&s->probes_asked),
        .probes_done = atomic_load(&s->probes_done),
    };
}
