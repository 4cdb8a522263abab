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
        is_suspended; /* it goes back, but that could not be written: nobody is served by it until somebody decides */
    bool is_outrun; /* somebody else moves it: this process only looks on */
    uint64_t gone; /* outcomes that the client did not wait for */
    nsec saved;
};

/* ---- experiments: experiment_live.c ---- */
struct arm_counts {
    int64_t exposures;
    int64_t outcomes;
    int64_t errors;
    struct moments measures[EXPERIMENT_MEASURE_COUNT];
};
/* A stretch of time with fixed shares; there is always one. */
struct experiment_epoch {
    usec_utc began;
    uint32_t shares[EXPERIMENT_ARMS_MAX]; /* parts per million */
    struct arm_counts arms[EXPERIMENT_ARMS_MAX];
};
#define EXPERIMENT_CELLS_MAX (EXPERIMENT_EPOCHS_MAX * EXPERIMENT_ARMS_MAX)
struct live_experiment {
    struct experiment_file *file;
    struct engine_profile *profiles[EXPERIMENT_ARMS_MAX];
    char labels[EXPERIMENT_ARMS_MAX][WINDOWS_LABEL_MAX];
    uint32_t number;
    bool is_running;
    int64_t generation;
    usec_utc started, stopped;
    struct experiment_epoch *epochs; /* the newest is last */
    size_t epoch_count;
    nsec looked; /* for new shares; monotonic */
    struct {
        bool is_known;
        size_t arm;
        usec_utc at;
    } best;
    struct units units; /* of the newest epoch */
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
    nsec windows_shift; /* what makes of `now` the clock of windows, which goes on over a restart */
    nsec windows_saved;
    bool windows_changed; /* since then */
    int64_t term; /* ours; see transaction.c */
    nsec locked_since; /* when it was last said; 0: control.db is not locked */
    bool has_waited; /* for a lock, in this turn */
    bool is_outrun; /* another process has the term: nothing is written any more */
    uint64_t dropped_told;
    struct alerting alerting;
    struct live_rollout *rollout; /* the current one, those before it behind; NULL: none */
    struct live_experiment *experiments[EXPERIMENTS_MAX];
    size_t experiment_count;
    bool experiments_changed;
    nsec experiments_saved;
    uint32_t numbers; /* given out */
};

/* ---- transaction.c ---- */
enum control_patience { PATIENCE_OPENING, PATIENCE_TURN, PATIENCE_REQUEST };

/* This process is from now on the one that writes. WEIR_STORE with a sentence. */
NODISCARD enum err term_take(struct controller *c, char out_why[256]);
/* How long what follows may wait for a lock, once. */
void transaction_patience(struct controller *c, enum control_patience patience);
/* WEIR_STORE: locked or failing, nothing is open; WEIR_INTERRUPTED: another process has taken over. */
NODISCARD enum err transaction_begin(struct controller *c);
/* Commits, or rolls back when e or the commit is a fault, which is logged and given on. */
NODISCARD enum err transaction_end(struct controller *c, const char *what, enum err e);
/* Logs a failure of the store; gives the fault on. */
enum err store_failed(struct controller *c, const char *what, enum err e);

/* ---- exposed.c ---- */
/* Inside a transaction: what units_part() gives. units_saved() is the caller's, after the commit. */
NODISCARD enum err units_put(struct controller *c, const struct units *u, str key);
/* Into an empty u. What cannot be read is logged and forgotten. */
void units_get(struct controller *c, struct units *u, str key);

/* ---- controller.c ---- */
/* Publishes who runs under what, as it is now. */
void arms_update(struct controller *c);
void controller_clock(struct controller *c);

/* ---- windows_live.c ---- */
NODISCARD enum err windows_live_open(struct controller *c);
nsec windows_now(const struct controller *c); /* their clock, of this turn */
void windows_turn(struct controller *c);
void windows_live_save(struct controller *c);

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
/* The units of the phase that the machine is in; those of another are forgotten. */
struct units *rollout_units(struct live_rollout *l);
#define ROLLOUT_UNITS_PREFIX STR("rollout.units.")
#define ROLLOUT_UNITS_KEY_MAX 160
str rollout_units_key(const struct live_rollout *l, char space[ROLLOUT_UNITS_KEY_MAX]);

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
/* What keeps it from moving: the name of a hold, or "outrun" when somebody else moves it. */
str rollout_holds(const struct controller *c, const struct live_rollout *l);
void rollout_status_write(const struct controller *c, const struct live_rollout *l,
                          struct buf *out);

/* ---- experiment_counts.c ---- */
NODISCARD enum err experiment_epoch_add(struct live_experiment *x,
                                        const struct experiment_epoch *epoch);
/* The experiment with the shares that hold now. */
struct experiment experiment_now(const struct live_experiment *x);
/* What was seen of a measure; cells are the caller's room. */
struct strata experiment_strata(const struct live_experiment *x, enum experiment_measure measure,
                                struct moments cells[EXPERIMENT_CELLS_MAX]);
void experiment_fact(struct controller *c, const struct feed_fact *fact);
void experiment_counts_write(const struct live_experiment *x, struct buf *out);
/* Into one that has its first epoch only; false, with nothing changed, for what is not this experiment's. */
bool experiment_counts_read(struct live_experiment *x, struct json value);
NODISCARD enum err experiment_counts_put(struct controller *c, const struct live_experiment *x);
void experiment_counts_restore(struct controller *c, struct arena *arena,
                               struct live_experiment *x);

/* ---- experiment_epochs.c ---- */
void experiment_look_turn(struct controller *c, struct live_experiment *x);
/* "stop: arm mcts is best in …"; the best must be known. */
void experiment_best_print(const struct live_experiment *x, struct buf *out);

/* ---- experiment_status.c ---- */
/* Log Bayes factor against the meant split, over all epochs; alarm at STATS_SRM_ALARM. */
double experiment_srm(const struct live_experiment *x);
void experiment_status_write(const struct live_experiment *x, struct buf *out);

/* ---- experiment_live.c ---- */
/* The list, one experiment's counts, an event and perhaps a page, together. */
NODISCARD enum err experiment_commit(struct controller *c, struct live_experiment *x,
                                     const char *operation, const struct rollout_start *who,
                                     const struct page *page);
NODISCARD enum err experiments_restore(struct controller *c, char out_why[256]);
void experiments_close(struct controller *c);
void experiments_turn(struct controller *c);
struct live_experiment *experiment_by_name(const struct controller *c, str name);
enum start_result experiment_begin(struct controller *c, const struct rollout_start *start,
                                   struct config_issues *issues, char out_why[256]);
NODISCARD enum err experiment_end(struct controller *c, struct live_experiment *x,
                                  const struct rollout_start *who);

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
extern const struct api_error api_unknown_path, api_bad_method;
/* Why control.db could not be read or written. */
const struct api_error *api_store_error(const struct controller *c);
/* A member with an instant as text; 0: null. */
void api_member_utc(struct buf *out, const char *name, usec_utc at);
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
void api_overview(struct controller *c, struct exchange *x, str rest);
/* Writes {"object":"list","data":[…]} of the events of a kind and subject after a sequence. */
NODISCARD enum err api_events(struct controller *c, str kind, str subject, int64_t after,
                              struct buf *out);
/* Answers with the events of a kind and, unless it is empty, a subject behind the one that ?after= names, oldest first, at most 1000. */
void api_history(struct controller *c, struct exchange *x, str kind, str name);

#endif
