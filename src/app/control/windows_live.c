/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows_live: the windows of this gateway, in control.db (parts "windows"): written every minute, and at the end, so that after a
 * crash the last minute is missing at most, and read at the start.
 *
 * Their clock is the wall's at the start plus what the monotonic clock says since: slots of before a restart are where they belong,
 * and setting the wall's clock moves nothing while weir runs.
 */
#include "app/control/control_internal.h"

#define SAVE_EVERY (60 * NSEC_PER_SEC)
#define WINDOWS_KEY STR("windows")

nsec windows_now(const struct controller *c)
{
    return c->now + c->windows_shift;
}

static void on_part(void *ctx, int64_t number, str bytes)
{
    struct controller *c = ctx;
    enum err e = number == 0 ? windows_restore(c->windows, windows_now(c), bytes) : OK;

    if (e != OK)
        LOG(c->options.log, LOG_ERROR,
            "the windows in control.db cannot be read (damaged, or of another version); they begin "
            "empty",
            LOG_TEXT("fault", str_from(err_info(e)->text)));
}

enum err windows_live_open(struct controller *c)
{
    c->windows_shift = c->wall * NSEC_PER_USEC - c->now;
    c->windows_saved = c->now - SAVE_EVERY + CHECKPOINT_EVERY; /* the first one soon */
    enum err e = windows_open(&c->windows);
    if (e == OK && control_parts(c->store, WINDOWS_KEY, on_part, c) != OK)
        IGNORE(store_failed(c, "windows", WEIR_STORE)); /* empty, then */
    return e;
}

void windows_live_save(struct controller *c)
{
    struct buf bytes = { 0 };
    enum err e = transaction_begin(c);

    if (e == OK) {
        windows_save(c->windows, windows_now(c), &bytes);
        e = bytes.failed ? WEIR_NO_MEMORY
                         : control_part_put(c->store, WINDOWS_KEY, 0, buf_str(&bytes));
    }
    buf_fini(&bytes);
    if (transaction_end(c, "windows", e) != OK)
        return; /* again in the next turn */
    c->windows_changed = false;
    c->windows_saved = c->now;
}

void windows_turn(struct controller *c)
{
    if (c->windows_changed && c->now - c->windows_saved >= SAVE_EVERY)
        windows_live_save(c);
}
