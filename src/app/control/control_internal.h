/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of control share; nobody else includes it. */
#ifndef WEIR_APP_CONTROL_CONTROL_INTERNAL_H
#define WEIR_APP_CONTROL_CONTROL_INTERNAL_H

#include "app/control/controller.h"
#include "app/control/units.h"
#include "app/control/windows.h"
#include "app/engine/arms.h"
#include "app/engine/feed.h"
#include "base/arena.h"
#include "core/alert/alert.h"
#include "core/alert/wire.h"
#include "core/change/rollout.h"
#include "core/json/json.h"
#include "core/stats/stats.h"
#include "edge/config/config.h"
#include "edge/config/rollout.h"
#include "edge/http/server.h"
#include "edge/notify/notify.h"
#include "edge/store/control.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define CONTROL_TURN (200 * NSEC_PER_MS)
#define CHECKPOINT_EVERY (5 * NSEC_PER_SEC)
#define EXPERIMENTS_MAX 16 /* kept, of which ARMS_EXPERIMENTS_MAX run */

/* ---- alerts: alerting.c ---- */
#define DEAD_MARKS_MAX 32

struct alerting {
    struct arena arena; /* of the machine */
    struct alert_machine *machine;
    struct buf committed; /* its state as it was last written */
    nsec next; /* evaluation */
    nsec saved;
    bool has_changed; /* since the transaction began */
    enum err fault; /* of the transaction */
    struct { /* when dead letters were found */
        nsec at;
        int64_t count;
    } dead[DEAD_MARKS_MAX];
    size_t dead_count;
    int64_t dead_known; /* -1: not counted yet */
};

/* ---- a rollout that is or was served: rollout_live.c ---- */
struct live_rollout {
    struct live_rollout *older;
    struct rollout_file *file;
    struct engine_profile *canary; /* NULL: its configuration could not be loaded again */
    char labels[ROLLOUT_ARM_COUNT][WINDOWS_LABEL_MAX];
    uint32_t number; /* in this process; of facts */
    int64_t after; /* the sequence of events behind which its rows are */
    struct rollout machine;
    struct units units; /* of the phase */
    int64_t units_phase;
    struct rollout_decision last; /* of the last tick; its row has been dealt with */
    uint32_t alarms_told; /* bits by metric */
    bool
        is_suspended; /* it goes back, but that cannot be written: nobody is served by it meanwhile */
    bool is_outrun; /* somebody else moves it: this process only looks on */
    uint64_t gone; /* outcomes that the client did not wait for */
    nsec saved;
};

/* ---- experiments: experiment_live.c ---- */
struct arm_counts {
    int64_t exposures;
    int64_t outcomes;
    int64_t errors;
    struct moments success, cost, latency, hrm, trm; /* dollars, milliseconds */
};
struct live_experiment {
    struct experiment_file *file;
    struct engine_profile *profiles[EXPERIMENT_ARMS_MAX];
    char labels[EXPERIMENT_ARMS_MAX][WINDOWS_LABEL_MAX];
    uint32_t number;
    bool is_running;
    int64_t generation;
    usec_utc started, stopped;
    struct arm_counts arms[EXPERIMENT_ARMS_MAX];
    struct units units;
};

struct arms_kept {
    struct arms_kept *next;
    struct arms arms;
};

struct controller {
    struct controller_options options;
    struct control_store *store;
    struct windows *windows;
    struct notify *notify; /* NULL: no channels */
    struct timer turn;
    nsec now; /* of this turn; monotonic */
    usec_utc wall;
    nsec pruned; /* the outbox */
    uint64_t dropped_told;
    struct alerting alerting;
    struct live_rollout *rollout; /* the current one, those before it behind; NULL: none */
    struct live_experiment *experiments[EXPERIMENTS_MAX];
    size_t experiment_count;
    bool experiments_changed;
    nsec experiments_saved;
    uint32_t numbers; /* given out */
    struct arms_kept *arms; /* all that were published, newest first */
};

/* ---- controller.c ---- */
/* Logs a failure of the store; gives the fault on. */
enum err store_failed(struct controller *c, const char *what, enum err e);
/* Publishes who runs under what, as it is now. */
void arms_update(struct controller *c);
void controller_clock(struct controller *c);

/* ---- alerting.c ---- */
NODISCARD enum err alerting_open(struct controller *c);
void alerting_close(struct controller *c);
void alerting_turn(struct controller *c);
/* For changes from outside a turn: begin, change the machine, end. On a fault the machine is as it was. */
NODISCARD enum err alerting_begin(struct controller *c);
NODISCARD enum err alerting_end(struct controller *c);

/* A message that is no rule's: a rollout moved. Inside a transaction of the caller's, who wakes the channels afterwards. */
struct page {
    const char *name; /* "rollout_rolled_back" */
    enum alert_severity severity;
    str subject; /* the rollout */
    str arm;
    str sentence;
    str key; /* unique to the event */
    bool is_change; /* nobody need act */
};
NODISCARD enum err page_add(struct controller *c, const struct page *page);
void channels_wake(struct controller *c);

/* ---- rollout_live.c ---- */
NODISCARD enum err rollout_restore_all(struct controller *c, char out_why[256]);
void rollouts_close(struct controller *c);
void rollout_fact(struct controller *c, const struct feed_fact *fact);
uint64_t rollout_hash_now(const struct controller *c, const struct live_rollout *l);
/* A live rollout of a loaded file, which it then owns; a draft. */
NODISCARD enum err live_rollout_open(struct controller *c, struct rollout_file *file,
                                     struct live_rollout **out);
void live_rollout_close(struct live_rollout *l);

/* ---- rollout_move.c ---- */
void rollout_turn(struct controller *c);
/* Commits the row with a checkpoint, applies it and publishes. On a fault nothing has changed. */
NODISCARD enum err rollout_commit(struct controller *c, struct live_rollout *l,
                                  const struct rollout_row *row);
NODISCARD enum err rollout_save(struct controller *c, struct live_rollout *l);

struct rollout_start {
    str path;
    str actor, note;
    bool supersedes; /* one that is under way */
};
enum start_result { START_DONE, START_BAD_FILE, START_UNDER_WAY, START_FAILED };
/* issues are initialised, the caller's to end; out_why: a sentence. */
enum start_result rollout_begin(struct controller *c, const struct rollout_start *start,
                                struct config_issues *issues, char out_why[256]);

/* ---- rollout_status.c ---- */
void rollout_status_write(const struct controller *c, const struct live_rollout *l,
                          struct buf *out);

/* ---- experiment_live.c ---- */
NODISCARD enum err experiments_restore(struct controller *c, char out_why[256]);
void experiments_close(struct controller *c);
void experiment_fact(struct controller *c, const struct feed_fact *fact);
void experiments_turn(struct controller *c);
struct live_experiment *experiment_by_name(const struct controller *c, str name);
enum start_result experiment_begin(struct controller *c, const struct rollout_start *start,
                                   struct config_issues *issues, char out_why[256]);
NODISCARD enum err experiment_end(struct controller *c, struct live_experiment *x,
                                  const struct rollout_start *who);
void experiment_status_write(const struct live_experiment *x, struct buf *out);

/* ---- keys.c ---- */
NODISCARD enum err keys_restore(struct controller *c, char out_why[256]);

/* ---- api.c ---- */
void api_answer(struct exchange *x, int status, const struct buf *body);
struct api_error {
    int status;
    const char *code;
    str message;
};
void api_refuse(struct exchange *x, const struct api_error *error);
/* What every path may answer. */
extern const struct api_error api_unknown_path, api_bad_method, api_store_fault;
/* The body's members, where it has any; false having answered. */
struct api_request {
    str actor, reason, file;
    bool supersede;
    int64_t generation; /* of If-Match; -1: none */
    struct json body;
};
bool api_read(struct exchange *x, struct api_request *out);
void api_issues(struct exchange *x, const struct config_issues *issues);
void api_rollouts(struct controller *c, struct exchange *x, str rest);
void api_experiments(struct controller *c, struct exchange *x, str rest);
void api_alerts(struct controller *c, struct exchange *x, str rest);
void api_silences(struct controller *c, struct exchange *x, str rest);
void api_outbox(struct controller *c, struct exchange *x, str rest);
void api_keys(struct controller *c, struct exchange *x, str rest);
/* Writes {"object":"list","data":[…]} of the events of a kind and subject after a sequence. */
NODISCARD enum err api_events(struct controller *c, str kind, str subject, int64_t after,
                              struct buf *out);

#endif
