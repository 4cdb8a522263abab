/* SPDX-License-Identifier: Apache-2.0 */
/* What rollout.c, experiment.c and scenario.c share: a file of their kind from its bytes to its tree, and issues back to places. */
#ifndef WEIR_EDGE_CONFIG_ROLLOUT_INTERNAL_H
#define WEIR_EDGE_CONFIG_ROLLOUT_INTERNAL_H

#include "edge/config/internal.h"
#include "edge/config/rollout.h"

/* Whether configurations of arms are loaded too, and what they must not contradict: see config_arm_load(). */
struct plan_arms {
    bool are_loaded;
    bool are_checked;
    const struct config *own;
};
/* Texts are kept in the holder's arena, through which the key table writes them; it is no configuration. */
struct plan_build {
    struct config_build build;
    struct plan_arms arms;
    struct config_snapshot holder;
    struct config_file file;
};
/* Whether the text is a mapping, in build.root; path and text are copied. */
bool plan_open(struct plan_build *p, str path, str text, struct config_issues *issues);
/* The same of a part of a file that was parsed already. */
void plan_open_part(struct plan_build *p, struct yaml_node *part, struct config_issues *issues);
/* What the result of a plan keeps of it; text may be NULL. */
struct plan_kept {
    struct arena *arena;
    str *path, *text;
};
/* Ends p, with its issues in order; kept NULL: there was no memory for a result. OK when the result may be used, else
 * CALLER_BAD_REQUEST; the arena is the result's in both cases. */
NODISCARD enum err plan_end(struct plan_build *p, str text, const struct plan_kept *kept);

/* Reads path for plan_open(); false having said why not. */
bool plan_text_read(str path, struct buf *out, struct config_issues *issues);
/* The configuration that a node names, seen from the plan's file; NULL having said what is wrong. */
struct config *plan_profile_load(struct plan_build *p, const struct yaml_node *node);
/* The last issues of a specification, each at its node: "steps.1.time_min" is `min` of the second of `steps`; names that the
 * file calls otherwise come from renames (pairs, NULL at the end). */
void plan_issues_place(struct plan_build *p, const struct change_issues *issues,
                       const char *const (*renames)[2]);

/* rollout_file_load() of a part of a file that was parsed already, without the canary's configuration; latency_max: when
 * queries are given up, 0: unknown. Issues are initialised. */
NODISCARD enum err rollout_part_load(struct yaml_node *part, nsec latency_max,
                                     struct rollout_file **out, struct config_issues *issues);

#endif
