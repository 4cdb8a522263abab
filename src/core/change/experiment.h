/* SPDX-License-Identifier: Apache-2.0 */
/*
 * experiment: an A/B test: arms as overlays of the configuration, each with a share of the units.
 *
 * Two hashes decide. The first says whether a unit takes part: its position in the layer must lie in the experiment's
 * inclusion range; experiments of one layer own disjoint ranges, so that no unit is in two of them. The second, under a
 * salt of the experiment's own, says which arm: an arm owns the positions [start, start + share). Both ranges grow by
 * their ends only, so a ramp moves nobody who is already in.
 *
 *     position in the layer:     0 |----[ inclusion ]---------------| 1
 *     position in the variants:  0 |[ control >     [ mcts >        | 1      > is where an arm grows
 *
 * A caller may rely on: an assignment is a function of the experiment and the unit alone.
 *
 * May include: base, core/json, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_EXPERIMENT_H
#define WEIR_CORE_CHANGE_EXPERIMENT_H

#include "base/arena.h"
#include "base/base.h"
#include "core/change/bucket.h"
#include "core/change/issues.h"
#include "core/json/json.h"

#define EXPERIMENT_ARMS_MAX 8
#define EXPERIMENT_ARM_NONE (-1)

struct experiment_arm {
    str name;
    uint32_t start; /* parts per million */
    uint32_t share;
    str overlay; /* JSON object: the configuration keys that the arm sets; empty: none, the base configuration */
};

/* Filled by the caller (or experiment_read), then prepared. Texts are the caller's and must outlive it. */
struct experiment {
    str id; /* never changes: it is a part of the salts */
    str seed; /* may be empty; another seed deals the units anew */
    enum bucket_scheme
        scheme; /* growthbook_v2: the salt is the seed, or the id without one; no layer, no inclusion */
    str layer; /* empty: a layer of its own */
    struct share_range inclusion;
    struct experiment_arm arms[EXPERIMENT_ARMS_MAX]; /* the first is the control */
    size_t arm_count; /* 2..EXPERIMENT_ARMS_MAX */

    struct bucket_salt inclusion_salt; /* made by experiment_prepare */
    struct bucket_salt variant_salt;
};

/* Checks everything and makes the salts. CALLER_BAD_REQUEST with what is wrong in issues. */
NODISCARD enum err experiment_prepare(struct experiment *e, struct change_issues *issues);
/* Adds an issue for each pair whose inclusion ranges overlap in one layer, or whose ids are equal. All prepared. */
void experiments_check(const struct experiment *const *list, size_t count,
                       struct change_issues *issues);

/*
 * A JSON object: {"id": "mcts_validation", "seed": "1", "scheme": "weir", "layer": "reasoning", "inclusion": [0, 0.5],
 * "arms": [{"name": "control", "share": 0.05}, {"name": "mcts", "start": 0.5, "share": 0.05, "overlay": {"use_mcts": true}}]}
 * Only id, arms, name and share are needed. Shares are numbers (0.07) or texts ("7%"). Without a start, arm i of k starts
 * at i/k, so that each may grow to an equal part. Spans point into text, which must outlive out; it is prepared.
 */
NODISCARD enum err experiment_read(struct experiment *out, str text, struct change_issues *issues);

enum experiment_why {
    EXPERIMENT_NO_UNIT, /* nothing identifies the request */
    EXPERIMENT_NOT_INCLUDED, /* outside the inclusion range */
    EXPERIMENT_BETWEEN_ARMS, /* no arm owns its position */
    EXPERIMENT_ASSIGNED,
};
struct experiment_assignment {
    int arm; /* index, or EXPERIMENT_ARM_NONE */
    enum experiment_why why;
    struct bucket inclusion;
    struct bucket variant;
};
struct experiment_assignment experiment_assign(const struct experiment *e, str unit);
/* Why a unit is where it is, in a sentence with the salts, positions and ranges. */
void experiment_explain(const struct experiment *e, str unit, struct buf *out);

#endif
