/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reason_internal: the machine behind reason.h, shared by its files.
 *
 * Its calls live in slots (queued, asked, told, dropped). reason_tell() only records a reply in its
 * slot; the steps decide. Each state has one step, which reads what was told, queues calls, and
 * names the next state; the states and their allowed successors are drawn in reason.c.
 *
 * May include: base, core/json, core/calibration, core/search.
 */
#ifndef WEIR_CORE_REASON_REASON_INTERNAL_H
#define WEIR_CORE_REASON_REASON_INTERNAL_H

#include "core/json/json.h"
#include "core/reason/answer_internal.h"
#include "core/reason/reason.h"

#define CALLS_MAX 64 /* of one machine, whatever the model says; samples and a search come on top */
#define NODES_MAX 32 /* sub-questions of one plan with all its parts, the question included */
#define SUBQUESTIONS_MAX 8 /* of one plan or one split */
#define OPENING_ATTEMPTS_MAX 2 /* for a call without which there is no answer */
#define REPLY_BYTES_MAX ((size_t)256 << 10)
#define NOT_AVAILABLE (-1.0)

/* ---- prompts ---- */
enum prompt_slot {
    SLOT_QUESTION,
    SLOT_CONTEXT,
    SLOT_FEEDBACK,
    SLOT_ANSWER,
    SLOT_FORMAT,
    SLOT_NAMES
};
struct prompt_values {
    str at[SLOT_NAMES];
};
struct reason_prompts {
    const str *texts; /* ROLE_COUNT of them, version lines included */
};
extern const str reason_prompts_files[ROLE_COUNT]; /* generated from config/prompts */
/* The role's text with its slots filled; empty when the arena failed. */
str prompt_render(struct arena *arena, const struct reason_prompts *prompts, enum reason_role role,
                  const struct prompt_values *values);

/* ---- replies ---- */
enum soundness { SOUND_UNSAID, SOUND_YES, SOUND_NO };
struct reply {
    enum err fault;
    bool is_json; /* root may be read */
    struct json root;
    str answer; /* empty: none */
    double stated; /* NOT_AVAILABLE: none */
    str expression;
    str problem;
    enum soundness sound;
};
/* Never fails: what cannot be read is absent. Strings are in the arena or point into the outcome's text. */
struct reply reply_parse(struct arena *arena, const struct reason_outcome *outcome);
/* A member as text: a string unescaped, another scalar or container as it is written; false when absent, null or empty. */
bool reply_member_text(struct arena *arena, struct json object, str name, str *out);
/* A member as a probability, also as 85 or "85%"; NOT_AVAILABLE for anything else. */
double reply_member_probability(struct arena *arena, struct json object, str name);
/* The "answer" of a JSON object in the text, also of a broken or unfinished one. */
bool reply_answer(struct arena *arena, str text, str *out);

/* ---- verifiers ---- */
/* What a verifier lets the model know of the answer's form, in the arena; never the answer. May be empty. */
str verifier_format(struct arena *arena, const struct verifier *v);

/* ---- confidence ---- */
/* The raw combination of signals; own_share is the answer's own vote share. NOT_AVAILABLE when nothing is known. */
double confidence_combine(const struct signals *signals, double own_share);
struct reason;
/* Raw values in, calibrated out where the configuration has a table that knows the question's kind; else as they are. */
double confidence_calibrated(const struct reason *r, double raw, bool *out_is_calibrated);
double confidence_gain(const struct reason *r, double from, double to);
/* Is a threshold met by this raw value? With a table, only by its rule; without one, when the raw value is there. */
bool confidence_is_met(const struct reason *r, double raw, double threshold);

/* ---- the machine ---- */
enum state {
    STATE_OPENING,
    STATE_PLANNING,
    STATE_SOLVING,
    STATE_SYNTHESIS,
    STATE_CHECKING,
    STATE_JUDGING,
    STATE_REFINING,
    STATE_SAMPLING,
    STATE_PAIRING,
    STATE_DECIDING,
    STATE_SEARCHING,
    STATE_CHOOSING,
    STATE_DONE,
    STATE_COUNT
};

enum call_state { CALL_QUEUED, CALL_ASKED, CALL_TOLD, CALL_DROPPED };
struct call_slot {
    enum call_state state;
    bool is_used; /* a step has read the reply */
    int node; /* the sub-question it belongs to; 0 for the question itself */
    struct reason_call call;
    struct reply reply;
};

/* Slots come in chunks, so that most machines stay small and a slot never moves. */
#define SLOTS_PER_CHUNK 16
#define SLOTS_MAX (2 * CALLS_MAX + REASON_SIMULATIONS_MAX + 1)
#define SLOT_CHUNKS_MAX ((SLOTS_MAX + SLOTS_PER_CHUNK - 1) / SLOTS_PER_CHUNK)

enum node_state { NODE_WAITING, NODE_ASKED, NODE_SPLIT, NODE_SOLVED, NODE_FAILED };
struct node {
    enum node_state state;
    str id;
    str question;
    str expression; /* over ids; empty: ask the model */
    uint32_t needs; /* bits of node indices */
    int parent; /* node index; the root is 0 */
    int depth;
    int attempts;
    bool is_joining; /* split, and the synthesis of its parts was queued */
    str answer;
    double confidence; /* NOT_AVAILABLE: none */
    str feedback; /* for the next attempt */
    uint32_t cause; /* id of the call that asked for it */
};

struct candidate { /* confidences are raw */
    str answer; /* empty: there is none */
    str canonical;
    double stated;
    double worst_sub;
    double agreement;
    enum verdict verdict;
    str why; /* the verifier's sentence */
    double confidence;
};

/* Answers that agree, and how many gave them. */
#define VOTES_MAX 64 /* distinct ones; what is beyond counts for none of them */
struct vote {
    str canonical;
    size_t count;
};
struct votes {
    struct vote at[VOTES_MAX];
    size_t distinct;
    size_t total;
};

/* An answer in a program-like format. */
struct opinion {
    str answer; /* empty: none */
    bool has_value; /* it was computed by the evaluator */
    struct rational value;
};

/* One of several independent answers to the whole question. */
struct sample {
    uint32_t id; /* of its call */
    enum reason_role role; /* ROLE_DIRECT or ROLE_PROGRAM */
    bool is_told;
    struct candidate candidate; /* its answer is empty while there is none */
    struct opinion opinion; /* of a program */
};

struct text_search; /* mcts.c */

/* Whose confidence the best answer's is; DIRECT: neither's. */
enum stage { STAGE_DIRECT, STAGE_HRM, STAGE_TRM };

struct reason {
    struct arena *arena;
    enum reason_strategy strategy;
    struct reason_config config;
    const struct reason_message *messages;
    size_t message_count;
    size_t question_at; /* index of the message that is the question */
    str question;
    str domain;
    struct verifier verifier;
    str format; /* what the answer must look like, for the prompts */

    enum state state;
    enum stage stage;
    struct call_slot *chunks[SLOT_CHUNKS_MAX]; /* made as they are needed; see reason_slot() */
    size_t slot_count;
    size_t slots_max;
    uint32_t current; /* id of the one call that a single-call state waits for; 0: none yet */
    uint32_t last_id; /* the call told last in a single-call state, parent of the next */
    int attempts; /* in this state */
    bool is_hurried; /* the budget leaves one call: join what there is */

    struct node nodes[NODES_MAX];
    int node_count;
    int cycles; /* plans made */
    str plan_context; /* what the last cycle found wrong */
    str facts; /* the sub-answers, for synthesis and check */

    struct candidate best;
    struct candidate fresh; /* the candidate that is being checked */
    struct votes votes; /* for answers to the whole question */
    double hrm_confidence;
    double trm_confidence;

    struct opinion opinion; /* trm: the answer in another format */
    str feedback; /* outside feedback on the best answer */
    str tried[CALLS_MAX + 1]; /* canonical forms of the answers that refinement has seen */
    size_t tried_count;
    int rounds;
    int changes; /* rounds whose answer differed from the one before */

    struct sample *samples; /* REASON_SAMPLES_MAX, from sampling's start on */
    int sample_count; /* asked */
    struct votes *votes_before; /* sampling */
    struct candidate before; /* the best when sampling started; may be empty */
    struct sample pair[2]; /* cascade: the main model's answer and the second one */
    struct text_search *search;
    bool is_hopeless; /* a call failed in a way that the next would too */
    bool has_chosen; /* full_stack: its first part has ended */

    enum err fault;
    const char *halt;
};

/* A new call of a machine. */
struct call_plan {
    enum reason_role role;
    enum reason_model_class model;
    str label;
    uint32_t parent;
    int node;
    bool is_apart; /* a sub-question: without the caller's conversation, system messages excepted */
    bool may_split; /* its answer may be sub-questions */
    struct prompt_values values;
};
/* calls.c */
struct call_slot *reason_slot(const struct reason *r, uint32_t id); /* 1..slot_count */
/* How many slots the machine may have: full_stack's first part may not use up what its second one needs. */
size_t calls_limit(const struct reason *r);
size_t reason_count_calls(const struct reason *r, enum call_state state);
/* Queues a call; its id, or 0 when the machine has no calls left (it then ends). */
uint32_t reason_queue(struct reason *r, const struct call_plan *plan);
/* Hands queued calls out, oldest first: how many. */
size_t reason_hand_out(struct reason *r, int calls, int64_t tokens,
                       struct reason_call out[REASON_CALLS_AT_ONCE]);
/* The reply to r->current, once; NULL while there is none. Clears r->current. */
const struct reply *reason_take(struct reason *r);
/* Ends the machine, or full_stack's first part. */
enum state reason_finish(struct reason *r, const char *halt);
enum state reason_fail(struct reason *r, enum err fault);

/* candidates.c */
/* A candidate for the whole question: verified, voted, its confidence combined. */
struct candidate candidate_make(struct reason *r, const struct reply *reply, double worst_sub);
/* Verified, no more. */
struct candidate candidate_judge(struct reason *r, str answer, double stated);
void candidate_vote(struct reason *r, str canonical);
void candidate_rate(struct reason *r, struct candidate *c);
struct signals candidate_signals(const struct reason *r, const struct candidate *c);
/* Keeps the better of the best and this one; on a tie the later. */
void candidate_offer(struct reason *r, const struct candidate *c);
size_t votes_for(const struct reason *r, str canonical);
/* Longer canonical forms are prose, and two pieces of prose always differ: their disagreement says nothing. */
bool form_is_comparable(str canonical);
/* The answer of a program-like reply. What the evaluator computes stands above what the model says, and the last line of
 * ramblings is no opinion. */
struct opinion opinion_read(struct arena *arena, const struct reply *reply);
bool opinion_agrees(struct arena *arena, const struct opinion *opinion, str answer);

/* May the same call, made again, end better? */
bool reply_may_improve(const struct reply *reply);

/* plan.c: the tree of sub-questions. */
/* Adds the sub-questions of a reply below a node. How many were added: 0 or at least 2. */
int plan_split(struct reason *r, int parent, const struct reply *reply, uint32_t cause);
void plan_reset(struct reason *r);
bool plan_children_settled(const struct reason *r, int parent);
bool plan_needs_settled(const struct reason *r, int node);
/* "id: question = answer" lines of the solved children of a node, or of what a node needs. */
str plan_facts(struct reason *r, int parent, uint32_t only);
double plan_worst(const struct reason *r, int parent);
/* Computes a node's expression from the answers it needs. */
bool plan_compute(struct reason *r, int node);

/* sampling.c: also what cascade needs of it. */
/* P(the leader is the majority) given its votes and the runner-up's; a + b <= REASON_SAMPLES_MAX. */
double vote_majority(int a, int b);
void sample_read(struct reason *r, struct sample *s, const struct reply *reply);
bool samples_agree(struct reason *r, const struct sample *a, const struct sample *b);

/* full.c: what follows a vote. */
enum state full_after_vote(struct reason *r, const char *halt, bool has_settled);

/* Steps, by file. */
enum state direct_step_opening(struct reason *r);
enum state hrm_step_planning(struct reason *r);
enum state hrm_step_solving(struct reason *r);
enum state hrm_step_synthesis(struct reason *r);
enum state hrm_step_checking(struct reason *r);
enum state trm_step_judging(struct reason *r);
enum state trm_step_refining(struct reason *r);
enum state sampling_step(struct reason *r);
enum state cascade_step_pairing(struct reason *r);
enum state cascade_step_deciding(struct reason *r);
enum state mcts_step_searching(struct reason *r);
enum state full_step_choosing(struct reason *r);

#endif
