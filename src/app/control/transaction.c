/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction: how the controller writes control.db: never for long, and only while it is the one that may.
 *
 * A lock that somebody else holds is waited for once a turn, shortly: the loop has an admin listener to serve. What could not be
 * written stays as it is in memory and is due again in the next turn, in the same order.
 *
 * A controller takes the next term when it opens. A transaction begins by reading the term: when it is another one, another process
 * has taken over (the directory's lock file was replaced under a process that stood still), and this one writes nothing more.
 */
#include "app/control/control_internal.h"

#include <stdio.h>

#define PATIENCE_OPENING_MS 5000
#define PATIENCE_TURN_MS 50
#define PATIENCE_REQUEST_MS 250
#define LOCK_TOLD_EVERY (10 * NSEC_PER_SEC)

static const char term_key[] = "controller.term";

/* 0: nobody has had one. */
static enum err term_read(struct controller *c, int64_t *out)
{
    struct buf text = { 0 };
    bool is_found = false;
    int64_t term = 0;
    enum err e = control_get(c->store, str_from(term_key), &text, &is_found);

    if (e == OK && is_found && !str_to_i64(buf_str(&text), &term))
        term = 0; /* damaged: whoever opens next has the first again, and it is not ours */
    if (e == OK)
        *out = term;
    buf_fini(&text);
    return e;
}

enum err term_take(struct controller *c, char out_why[256])
{
    char text[24];
    int64_t last = 0;

    control_set_patience(c->store, PATIENCE_OPENING_MS);
    enum err e = control_begin(c->store);
    if (e == OK)
        e = term_read(c, &last);
    if (e == OK) {
        snprintf(text, sizeof(text), "%" PRId64, last + 1);
        e = control_put(c->store, str_from(term_key), str_from(text));
    }
    if (e == OK)
        e = control_commit(c->store);
    if (e == OK)
        c->term = last + 1;
    else
        snprintf(out_why, 256, "control.db: %s", control_message(c->store));
    control_rollback(c->store); /* what is committed stays */
    return e;
}

void transaction_patience(struct controller *c, enum control_patience patience)
{
    static const int milliseconds[] = { [PATIENCE_OPENING] = PATIENCE_OPENING_MS,
                                        [PATIENCE_TURN] = PATIENCE_TURN_MS,
                                        [PATIENCE_REQUEST] = PATIENCE_REQUEST_MS };

    c->has_waited = false;
    control_set_patience(c->store, milliseconds[patience]);
}

static enum err term_check(struct controller *c)
{
    int64_t term = 0;
    enum err e = term_read(c, &term);

    if (e != OK || term == c->term)
        return e;
    c->is_outrun = true;
    char found[24], expected[24];
    snprintf(found, sizeof(found), "%" PRId64, term);
    snprintf(expected, sizeof(expected), "%" PRId64, c->term);
    LOG(c->options.log, LOG_ERROR,
        "another process has taken over control.db; this one writes nothing more: end it",
        LOG_TEXT("term", str_from(found)), LOG_TEXT("expected", str_from(expected)));
    return WEIR_INTERRUPTED;
}

enum err transaction_begin(struct controller *c)
{
    if (c->is_outrun)
        return WEIR_INTERRUPTED;
    if (c->has_waited)
        return WEIR_STORE; /* in this turn already: nobody waits twice */
    enum err e = control_begin(c->store);
    if (e != OK) {
        c->has_waited = control_is_locked(c->store);
        return e;
    }
    e = term_check(c);
    if (e != OK)
        control_rollback(c->store);
    return e;
}

enum err transaction_end(struct controller *c, const char *what, enum err e)
{
    if (e == OK)
        e = control_commit(c->store);
    if (e != OK) {
        control_rollback(c->store);
        return store_failed(c, what, e);
    }
    if (c->locked_since != 0) {
        c->locked_since = 0;
        LOG(c->options.log, LOG_INFO, "control.db is written again",
            LOG_TEXT("what", str_from(what)));
    }
    return OK;
}

enum err store_failed(struct controller *c, const char *what, enum err e)
{
    if (e == WEIR_INTERRUPTED)
        return e; /* said when it was found */
    if (control_is_locked(c->store)) {
        if (c->locked_since != 0 && c->now - c->locked_since < LOCK_TOLD_EVERY)
            return e;
        c->locked_since = c->now;
    }
    LOG(c->options.log, LOG_ERROR, "control.db cannot be written", LOG_TEXT("what", str_from(what)),
        LOG_TEXT("fault", str_from(err_info(e)->text)),
        LOG_TEXT("why", str_from(control_message(c->store))));
    return e;
}
