/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of alert share; nobody else includes it. */
#ifndef WEIR_CORE_ALERT_ALERT_INTERNAL_H
#define WEIR_CORE_ALERT_ALERT_INTERNAL_H

#include "core/alert/alert.h"

#define LOG_ROWS_MAX 1024

/* The notification log: when a group was last sent to a receiver. */
struct log_row {
    uint64_t group; /* 0: a free place */
    size_t receiver;
    usec_utc sent;
    uint64_t generation;
};

struct alert_machine {
    struct alert_policy policy;
    usec_utc now; /* of the last evaluation */
    struct alert_instance *instances; /* ALERT_INSTANCES_MAX places */
    struct log_row *log; /* LOG_ROWS_MAX places */
    struct alert_silence *silences; /* ALERT_SILENCES_MAX places */
    size_t silence_count;
    uint64_t silence_last; /* the newest id given */
    uint64_t overflow;
};

/* Of a rule's name and the labels that count; never 0. */
uint64_t alert_fingerprint(str rule, str arm, str domain);
/* Sets what identifies an instance, and nothing else. */
void alert_name(struct alert_machine *m, struct alert_instance *i, size_t rule, str arm,
                str domain);
bool alert_matches(const struct alert_machine *m, const struct alert_matcher *matcher,
                   const struct alert_instance *i);
/* The place of this instance, or a free one with the fingerprint not yet set; NULL: no place is left. */
struct alert_instance *alert_place(struct alert_machine *m, uint64_t fingerprint);
/* Forgets instances that are over and of which every receiver knows. */
void alert_forget(struct alert_machine *m);
const struct log_row *alert_log_find(const struct alert_machine *m, uint64_t group,
                                     size_t receiver);
/* The row, or the place for it: a free one, else that of the row sent longest ago. */
struct log_row *alert_log_place(struct alert_machine *m, uint64_t group, size_t receiver);

/* Cuts to what fits; the text is always ended by a NUL. */
void alert_copy(char *out, size_t size, str s);

static inline usec_utc usec_of(nsec duration)
{
    return duration / NSEC_PER_USEC;
}

#endif
