/* SPDX-License-Identifier: Apache-2.0 */
/* control's tests: durability across reopening and kill -9, transactions, the outbox's order and idempotency. */
#include "edge/store/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/check.h"

struct place {
    char directory[64];
    struct control_store *s;
    char why[256];
};

static void place_open(struct place *p)
{
    memset(p, 0, sizeof(*p));
    snprintf(p->directory, sizeof(p->directory), "/tmp/weir-control-XXXXXX");
    if (!mkdtemp(p->directory) ||
        control_open(&p->s, str_from(p->directory), CONTROL_WRITE, p->why) != OK)
        abort();
}

static void place_reopen(struct place *p)
{
    control_close(p->s);
    p->s = NULL;
    CHECK_ERR(control_open(&p->s, str_from(p->directory), CONTROL_WRITE, p->why), OK);
}

static void place_close(struct place *p)
{
    static const char *const names[] = { "control.db", "control.db-wal", "control.db-shm" };

    control_close(p->s);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", p->directory, names[i]);
        IGNORE(unlink(path));
    }
    CHECK_INT(rmdir(p->directory), 0);
}

static bool has_document(struct place *p, const char *key, const char *want)
{
    struct buf text = { 0 };
    bool is_found = false;

    CHECK_ERR(control_get(p->s, str_from(key), &text, &is_found), OK);
    bool is_equal = is_found && str_eq(buf_str(&text), str_from(want));
    buf_fini(&text);
    return is_equal;
}

static bool has_key(struct place *p, const char *key)
{
    struct buf text = { 0 };
    bool is_found = false;

    CHECK_ERR(control_get(p->s, str_from(key), &text, &is_found), OK);
    buf_fini(&text);
    return is_found;
}

static void documents_are_replaced_and_kept(void)
{
    struct place p;

    place_open(&p);
    CHECK(!has_document(&p, "a", ""));
    CHECK_ERR(control_put(p.s, STR("a"), STR("{\"n\":1}")), OK);
    CHECK_ERR(control_put(p.s, STR("a"), STR("{\"n\":2}")), OK);
    CHECK_ERR(control_put(p.s, STR("b"), STR("")), OK);
    place_reopen(&p);
    CHECK(has_document(&p, "a", "{\"n\":2}"));
    CHECK(has_document(&p, "b", ""));
    place_close(&p);
}

static void a_transaction_is_whole_or_nothing(void)
{
    struct place p;
    int64_t sequence = 0;

    place_open(&p);
    CHECK_ERR(control_begin(p.s), OK);
    CHECK_ERR(control_put(p.s, STR("a"), STR("1")), OK);
    CHECK_ERR(control_append(p.s, &(struct control_event){ .kind = STR("k"), .text = STR("x") },
                             &sequence),
              OK);
    control_rollback(p.s);
    CHECK(!has_document(&p, "a", "1"));
    control_rollback(p.s); /* nothing is open: a no-op */
    CHECK_ERR(control_begin(p.s), OK);
    CHECK_ERR(control_begin(p.s), WEIR_STORE); /* not nested */
    CHECK(control_message(p.s)[0] != '\0');
    CHECK_ERR(control_put(p.s, STR("a"), STR("2")), OK);
    CHECK_ERR(control_commit(p.s), OK);
    CHECK(has_document(&p, "a", "2"));
    CHECK_ERR(control_begin(p.s), OK);
    CHECK_ERR(control_put(p.s, STR("a"), STR("3")), OK);
    place_reopen(&p); /* closed with one open */
    CHECK(has_document(&p, "a", "2"));
    place_close(&p);
}

struct seen {
    int64_t last;
    int n;
    char texts[256];
};

static void on_event(void *ctx, const struct control_event *event)
{
    struct seen *seen = ctx;

    CHECK(event->sequence > seen->last);
    seen->last = event->sequence;
    seen->n++;
    snprintf(seen->texts + strlen(seen->texts), sizeof(seen->texts) - strlen(seen->texts), "%.*s,",
             STR_ARG(event->text));
}

static void events_are_read_back_in_order(void)
{
    struct place p;
    int64_t sequences[4] = { 0 };
    static const char *const subjects[] = { "mini", "other", "mini", "mini" };

    place_open(&p);
    for (size_t i = 0; i < 4; i++) {
        char text[8];
        snprintf(text, sizeof(text), "%zu", i);
        struct control_event event = { .at = (usec_utc)i,
                                       .kind = STR("rollout"),
                                       .subject = str_from(subjects[i]),
                                       .text = str_from(text) };
        CHECK_ERR(control_append(p.s, &event, &sequences[i]), OK);
    }
    place_reopen(&p);
    struct seen all = { 0 }, mini = { 0 }, later = { 0 }, one = { 0 }, none = { 0 };
    CHECK_ERR(control_events(p.s, STR("rollout"), STR(""), 0, 100, on_event, &all), OK);
    CHECK_STR(str_from(all.texts), STR("0,1,2,3,"));
    CHECK_ERR(control_events(p.s, STR("rollout"), STR("mini"), 0, 100, on_event, &mini), OK);
    CHECK_STR(str_from(mini.texts), STR("0,2,3,"));
    CHECK_ERR(control_events(p.s, STR("rollout"), STR("mini"), sequences[0], 100, on_event, &later),
              OK);
    CHECK_STR(str_from(later.texts), STR("2,3,"));
    CHECK_ERR(control_events(p.s, STR("rollout"), STR("mini"), sequences[0], 1, on_event, &one),
              OK);
    CHECK_STR(str_from(one.texts), STR("2,"));
    CHECK_ERR(control_events(p.s, STR("alert"), STR(""), 0, 100, on_event, &none), OK);
    CHECK_INT(none.n, 0);
    place_close(&p);
}

static void outbox_put(struct place *p, const char *key, const char *channel)
{
    CHECK_ERR(outbox_add(p->s, &(struct outbox_message){ .key = str_from(key),
                                                         .channel = str_from(channel),
                                                         .body = str_from(key),
                                                         .created = 100,
                                                         .due = 200 }),
              OK);
}

static void on_message(void *ctx, const struct outbox_message *message)
{
    struct seen *seen = ctx;

    seen->n++;
    snprintf(seen->texts + strlen(seen->texts), sizeof(seen->texts) - strlen(seen->texts),
             "%.*s:%.*s,", STR_ARG(message->key), STR_ARG(message->error));
}

static void messages_leave_in_order_and_once(void)
{
    struct place p;
    struct outbox_message m = { 0 };
    struct buf space = { 0 };
    bool is_found = false;
    int64_t n = 0;

    place_open(&p);
    outbox_put(&p, "m1", "chat");
    outbox_put(&p, "m2", "chat");
    outbox_put(&p, "m1", "chat"); /* decided again after a crash */
    outbox_put(&p, "m3", "pager");
    CHECK_ERR(outbox_count(p.s, OUTBOX_PENDING, &n), OK);
    CHECK_INT(n, 3);
    CHECK_ERR(outbox_first(p.s, STR("chat"), &m, &space, &is_found), OK);
    REQUIRE(is_found);
    CHECK_STR(m.key, STR("m1"));
    CHECK_STR(m.channel, STR("chat"));
    CHECK_STR(m.body, STR("m1"));
    CHECK_INT(m.due, 200);
    m.attempts = 1;
    m.due = 900;
    m.error = STR("503");
    CHECK_ERR(outbox_update(p.s, &m), OK);
    place_reopen(&p);
    buf_reset(&space);
    CHECK_ERR(outbox_first(p.s, STR("chat"), &m, &space, &is_found), OK);
    CHECK_STR(m.key, STR("m1")); /* the next one waits behind it */
    CHECK_INT(m.attempts, 1);
    CHECK_INT(m.due, 900);
    CHECK_STR(m.error, STR("503"));
    m.state = OUTBOX_DEAD;
    CHECK_ERR(outbox_update(p.s, &m), OK);
    buf_reset(&space);
    CHECK_ERR(outbox_first(p.s, STR("chat"), &m, &space, &is_found), OK);
    CHECK_STR(m.key, STR("m2"));
    m.state = OUTBOX_SENT;
    m.error = STR("");
    CHECK_ERR(outbox_update(p.s, &m), OK);
    CHECK_ERR(outbox_first(p.s, STR("chat"), &m, &space, &is_found), OK);
    CHECK(!is_found);
    struct seen dead = { 0 };
    CHECK_ERR(outbox_each(p.s, OUTBOX_DEAD, 10, on_message, &dead), OK);
    CHECK_STR(str_from(dead.texts), STR("m1:503,"));
    CHECK_ERR(outbox_prune(p.s, 100), OK);
    CHECK_ERR(outbox_count(p.s, OUTBOX_SENT, &n), OK);
    CHECK_INT(n, 1); /* made at 100: not before */
    CHECK_ERR(outbox_prune(p.s, 101), OK);
    CHECK_ERR(outbox_count(p.s, OUTBOX_SENT, &n), OK);
    CHECK_INT(n, 0);
    CHECK_ERR(outbox_count(p.s, OUTBOX_DEAD, &n), OK);
    CHECK_INT(n, 1); /* dead ones and pending ones stay */
    outbox_put(&p, "m1", "chat");
    CHECK_ERR(outbox_count(p.s, OUTBOX_PENDING, &n), OK);
    CHECK_INT(n, 1);
    buf_fini(&space);
    place_close(&p);
}

/* A child writes pairs in transactions until it is killed; what it said to be committed is there, and pairs are whole. */
static void kill_loses_nothing_that_was_committed(void)
{
    struct place p;
    int pipes[2];

    place_open(&p);
    control_close(p.s);
    p.s = NULL;
    REQUIRE(pipe(pipes) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct control_store *s = NULL;
        if (control_open(&s, str_from(p.directory), CONTROL_WRITE, p.why) != OK)
            _exit(1);
        for (int32_t i = 1;; i++) {
            char text[16];
            int64_t sequence;
            snprintf(text, sizeof(text), "%d", i);
            struct control_event event = { .kind = STR("k"), .text = str_from(text) };
            if (control_begin(s) != OK || control_put(s, STR("n"), str_from(text)) != OK ||
                control_append(s, &event, &sequence) != OK || control_commit(s) != OK ||
                write(pipes[1], &i, sizeof(i)) != sizeof(i))
                _exit(1);
        }
    }
    int32_t told = 0;
    for (int i = 0; i < 40; i++)
        CHECK_INT(read(pipes[0], &told, sizeof(told)), sizeof(told));
    kill(child, SIGKILL);
    CHECK_INT(waitpid(child, NULL, 0), child);
    close(pipes[1]);
    while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
        continue;
    close(pipes[0]);
    CHECK_ERR(control_open(&p.s, str_from(p.directory), CONTROL_WRITE, p.why), OK);
    struct seen seen = { 0 };
    char last[16];
    CHECK_ERR(control_events(p.s, STR("k"), STR(""), 0, 1000000, on_event, &seen), OK);
    CHECK(seen.n >= told && seen.n <= told + 1);
    snprintf(last, sizeof(last), "%d", seen.n);
    CHECK(has_document(&p, "n", last));
    place_close(&p);
}

static void on_part(void *ctx, int64_t number, str bytes)
{
    struct seen *seen = ctx;

    CHECK(number > seen->last);
    seen->last = number;
    seen->n++;
    snprintf(seen->texts + strlen(seen->texts), sizeof(seen->texts) - strlen(seen->texts),
             "%d:%zu:%02x,", (int)number, bytes.len, bytes.len > 0 ? (uint8_t)bytes.ptr[0] : 0u);
}

static struct seen parts_of(struct place *p, const char *key)
{
    struct seen seen = { .last = -1 };

    CHECK_ERR(control_parts(p->s, str_from(key), on_part, &seen), OK);
    return seen;
}

static void parts_are_any_bytes_in_order(void)
{
    struct place p;

    place_open(&p);
    CHECK_ERR(control_part_put(p.s, STR("u.a"), 1, STR("\xff\0\x80")), OK);
    CHECK_ERR(control_part_put(p.s, STR("u.a"), 0, STR("\0")), OK);
    CHECK_ERR(control_part_put(p.s, STR("u.a"), 2, STR("")), OK);
    CHECK_ERR(control_part_put(p.s, STR("u.b"), 0, STR("b")), OK);
    CHECK_ERR(control_part_put(p.s, STR("v.a"), 0, STR("v")), OK);
    CHECK_ERR(control_part_put(p.s, STR("u.a"), 0, STR("zz")), OK); /* again: replaced */
    place_reopen(&p);
    CHECK_STR(str_from(parts_of(&p, "u.a").texts), STR("0:2:7a,1:3:ff,2:0:00,"));
    CHECK_INT(parts_of(&p, "u").n, 0);
    CHECK_ERR(control_parts_forget(p.s, STR("u."), STR("u.b")), OK);
    CHECK_INT(parts_of(&p, "u.a").n, 0);
    CHECK_INT(parts_of(&p, "u.b").n, 1);
    CHECK_INT(parts_of(&p, "v.a").n, 1);
    CHECK_ERR(control_parts_forget(p.s, STR("u."), STR("")), OK);
    CHECK_INT(parts_of(&p, "u.b").n, 0);
    place_close(&p);
}

/* Whoever may not wait is told at once that somebody else has it, and nothing is half done. */
static void a_lock_is_known_as_one(void)
{
    struct place p;
    struct control_store *other = NULL;

    place_open(&p);
    REQUIRE(control_open(&other, str_from(p.directory), CONTROL_WRITE, p.why) == OK);
    CHECK_ERR(control_begin(other), OK);
    control_set_patience(p.s, 0);
    CHECK(!control_is_locked(p.s));
    CHECK_ERR(control_begin(p.s), WEIR_STORE);
    CHECK(control_is_locked(p.s));
    CHECK_ERR(control_put(p.s, STR("a"), STR("1")), WEIR_STORE);
    CHECK(!has_document(&p, "a", "1")); /* reading goes on */
    control_rollback(other);
    CHECK_ERR(control_begin(p.s), OK);
    CHECK_ERR(control_begin(p.s), WEIR_STORE); /* of another kind */
    CHECK(!control_is_locked(p.s));
    CHECK_ERR(control_commit(p.s), OK);
    control_close(other);
    place_close(&p);
}

static void two_names_are_refused(void)
{
    struct place p;
    char path[128], second[128];
    struct control_store *s = NULL;

    place_open(&p);
    snprintf(path, sizeof(path), "%s/control.db", p.directory);
    snprintf(second, sizeof(second), "%s-second", p.directory);
    REQUIRE(link(path, second) == 0);
    CHECK_ERR(control_open(&s, str_from(p.directory), CONTROL_WRITE, p.why), WEIR_STORE);
    CHECK(s == NULL && strstr(p.why, "hard link"));
    CHECK_INT(unlink(second), 0);
    CHECK_ERR(control_open(&s, str_from(p.directory), CONTROL_WRITE, p.why), OK);
    control_close(s);
    place_close(&p);
}

static void what_cannot_be_opened_says_why(void)
{
    struct control_store *s = NULL;
    char why[256] = "";
    struct place p;

    CHECK_ERR(control_open(&s, STR("/nonexistent/place"), CONTROL_WRITE, why), WEIR_STORE);
    CHECK(why[0] != '\0' && s == NULL);
    place_open(&p);
    CHECK_ERR(control_put(p.s, STR("a"), STR("1")), OK);
    CHECK_ERR(control_open(&s, str_from(p.directory), CONTROL_READ, why), OK);
    CHECK_ERR(control_put(s, STR("a"), STR("2")), WEIR_STORE); /* a reader does not write */
    control_close(s);
    CHECK(has_document(&p, "a", "1"));
    place_close(&p);
}

static void a_probe_knows_whether_it_can_be_written(void)
{
    struct place p;
    struct control_store *other;
    struct rlimit limit, none;

    place_open(&p);
    CHECK_ERR(control_probe(p.s), OK);
    CHECK(!has_key(&p, "probe")); /* it writes only after a failure */
    /* Somebody else writes: no fault, and nothing to wait for. */
    REQUIRE(control_open(&other, str_from(p.directory), CONTROL_WRITE, p.why) == OK);
    CHECK_ERR(control_begin(other), OK);
    CHECK_ERR(control_probe(p.s), OK);
    CHECK_ERR(control_commit(other), OK);
    control_close(other);
    /* A full disk: noticed with the first write that fails, gone with the first that does not. */
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    none = (struct rlimit){ 0, limit.rlim_max };
    REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
    CHECK_ERR(control_put(p.s, STR("a"), STR("1")), WEIR_STORE);
    CHECK_ERR(control_probe(p.s), WEIR_STORE);
    CHECK_ERR(control_probe(p.s), WEIR_STORE);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK_ERR(control_probe(p.s), OK);
    CHECK(has_key(&p, "probe"));
    CHECK_ERR(control_probe(p.s), OK);
    place_close(&p);
}

TESTS(TEST(documents_are_replaced_and_kept), TEST(a_transaction_is_whole_or_nothing),
      TEST(events_are_read_back_in_order), TEST(messages_leave_in_order_and_once),
      TEST(kill_loses_nothing_that_was_committed), TEST(parts_are_any_bytes_in_order),
      TEST(a_lock_is_known_as_one), TEST(two_names_are_refused),
      TEST(what_cannot_be_opened_says_why), TEST(a_probe_knows_whether_it_can_be_written))
