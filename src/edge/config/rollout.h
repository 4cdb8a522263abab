/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout: files of rollouts and of experiments: YAML through the same key table as the configuration, so that errors say
 * file, line and column, and unknown keys the nearest known one.
 *
 * A caller may rely on: a file that was loaded is sound (rollout_spec_check, experiment_prepare) and its configurations
 * were loaded whole; it never changes; the text it was made from is kept, so that it can be made again.
 *
 * May include: base, core/alert, core/change, edge/config.
 */
#ifndef WEIR_EDGE_CONFIG_ROLLOUT_H
#define WEIR_EDGE_CONFIG_ROLLOUT_H

#include "base/arena.h"
#include "base/base.h"
#include "core/alert/alert.h"
#include "core/change/experiment.h"
#include "core/change/rollout.h"

struct config;
struct config_issues;

/* NAME/ARM is a label of series and alerts, so both must fit there. */
#define ROLLOUT_LABEL_MAX (ALERT_NAME_MAX - 1)

struct rollout_file {
    str path; /* as it was named; `canary` is seen from it */
    str text;
    struct rollout_spec spec; /* spec.id is its name */
    struct config *canary; /* the new configuration; NULL when only the text was read */
};
/* Reads path, and the canary's configuration. OK with the file on the heap, else CALLER_BAD_REQUEST with at least one error
 * in issues, which are initialised here. own: the gateway's configuration; where an arm's says something else about what belongs to
 * the process (it would have no effect), that is an error. NULL, when it is not known: where it says something else than the
 * file that it extends. */
NODISCARD enum err rollout_file_load(str path, const struct config *own, struct rollout_file **out,
                                     struct config_issues *issues);
/* The same of a text, without that check; with_canary false reads no other file. */
NODISCARD enum err rollout_file_load_text(str path, str text, bool with_canary,
                                          struct rollout_file **out, struct config_issues *issues);
void rollout_file_close(struct rollout_file *f); /* NULL is a no-op */

struct experiment_file {
    str path;
    str text;
    struct experiment experiment; /* prepared */
    struct config
        *profiles[EXPERIMENT_ARMS_MAX]; /* of each arm; NULL: what holds without the experiment */
};
NODISCARD enum err experiment_file_load(str path, const struct config *own,
                                        struct experiment_file **out, struct config_issues *issues);
NODISCARD enum err experiment_file_load_text(str path, str text, bool with_profiles,
                                             struct experiment_file **out,
                                             struct config_issues *issues);
void experiment_file_close(struct experiment_file *f);

#endif
