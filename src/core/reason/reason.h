/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reason: strategies as ask–tell machines. A strategy is pure: no clock, no socket, no allocation
 * outside its arena. Its owner asks which model calls to make now, performs them, and tells the
 * outcomes in any order, each once or twice (the second is ignored). At any moment it has a best answer.
 *
 *     direct, hrm (plan, solve, check, synthesise), trm (refine on outside feedback), hrm_trm,
 *     self_consistency (samples of two formats until the vote is settled), cascade (a stronger model where
 *     cheap ones disagree), mcts (tree search over steps), full_stack (hrm_trm and what its result calls for)
 *
 * A caller may rely on: reason_ask() never exceeds the budget that it is given (calls and, by
 * max_tokens, output tokens); every machine ends after finitely many tells whatever the model says; a
 * failed call never yields a confidence; the same seed, asks and tells give the same machine.
 *
 * May include: base, core/json, core/stats, core/calibration, core/search.
 */
#ifndef WEIR_CORE_REASON_REASON_H
#define WEIR_CORE_REASON_REASON_H

#include "base/arena.h"
#include "base/base.h"
#include "core/json/json.h"

struct confidence_table; /* core/calibration */

enum reason_strategy {
    REASON_DIRECT,
    REASON_HRM,
    REASON_TRM,
    REASON_HRM_TRM,
    REASON_SELF_CONSISTENCY,
    REASON_CASCADE,
    REASON_MCTS,
    REASON_FULL_STACK,
    REASON_STRATEGY_COUNT
};
const char *
reason_strategy_name(enum reason_strategy s); /* "direct", "hrm", …, "self_consistency" */
bool reason_strategy_find(str name, enum reason_strategy *out);

/* ---- prompts: versioned data files, one role each (config/prompts/ROLE.txt), {question}-style slots ---- */
struct reason_prompts; /* see reason_prompts_init */
enum reason_role {
    ROLE_DIRECT, /* answer the question */
    ROLE_PLAN, /* hrm's first call: answer at once, or a DAG of sub-questions */
    ROLE_SOLVE, /* one sub-question */
    ROLE_CHECK, /* is the synthesis sound? else replan */
    ROLE_SYNTHESIS, /* the answer from the sub-answers */
    ROLE_PROGRAM, /* the same question in a program-like format (an independent second opinion) */
    ROLE_REFINE, /* trm: a rewrite given outside feedback */
    ROLE_STEP, /* mcts: next steps or final answers after the steps so far, each with a value */
    ROLE_COUNT
};
const char *reason_role_name(enum reason_role role);
/* Texts by role; each holds the slots its role needs ({question}, {context}, {feedback}, {answer}, {format}).
 * A file's first line may be "# version: N". CONFIG error text in *out_what when a slot is missing or unknown. */
NODISCARD enum err reason_prompts_init(struct arena *arena, const str texts[ROLE_COUNT],
                                       const struct reason_prompts **out, str *out_what);
/* The prompts compiled in (the same as config/prompts/). Never fails. */
const struct reason_prompts *reason_prompts_builtin(void);
uint64_t reason_prompts_hash(const struct reason_prompts *prompts);

/* How the tree search chooses: by upper confidence bounds, by those with the model's values as priors, or by adaptive
 * branching (Thompson sampling of wider or deeper). */
enum reason_policy {
    REASON_POLICY_UCB1,
    REASON_POLICY_PUCT,
    REASON_POLICY_AB_MCTS,
    REASON_POLICY_COUNT
};
const char *reason_policy_name(enum reason_policy p); /* "ucb1", "puct", "ab_mcts" */
bool reason_policy_find(str name, enum reason_policy *out);

#define REASON_SAMPLES_MAX 32
#define REASON_DEPTH_MAX 64
#define REASON_SIMULATIONS_MAX 1000

/* ---- what is fixed for all queries of a configuration ---- */
/* The parts of self_consistency and mcts may be zero: their defaults act then. */
struct reason_config {
    double temperature; /* [0, 2] */
    struct {
        int h_module_layers; /* plan → check → replan cycles, 1..10 */
        int l_module_iterations; /* attempts per sub-question, 1..20 */
        double confidence_threshold; /* halts at, (0, 1] */
        int max_decomposition_depth; /* recursion, 1..8 */
    } hrm;
    struct {
        int max_refinement_iterations; /* 1..20 */
        double convergence_threshold; /* stops below this change, [0, 1] */
        double confidence_threshold; /* halts at, (0, 1] */
        double min_improvement_delta; /* a rewrite must gain, [0, 1] */
    } trm;
    struct {
        int samples_max; /* 1..REASON_SAMPLES_MAX; 0: 8 */
        double stop_probability; /* that the leader is the majority, (.5, 1); 0: .95 */
    } self_consistency;
    struct {
        bool
            has_peer; /* REASON_MODEL_PEER may be asked; else the second opinion is the main model's program */
        bool has_strong; /* REASON_MODEL_STRONG may be asked */
    } cascade;
    struct {
        double exploration_constant; /* (0, 10]; 0: 1.414 */
        int max_tree_depth; /* steps, 1..REASON_DEPTH_MAX; 0: 10 */
        int simulation_budget; /* calls of the search, 1..REASON_SIMULATIONS_MAX; 0: 100 */
        enum reason_policy policy;
        double value_auroc; /* measured, of the model's value of a step; 0: not measured */
    } mcts;
    uint64_t seed; /* of what is drawn; the owner derives it from the query's id */
    uint32_t max_tokens; /* output tokens per call */
    bool
        use_json_schema; /* structured output through response_format; else the prompt alone asks for JSON */
    const struct reason_prompts *prompts;
    /* Calibrates confidences; NULL: raw values act. It must outlive the machine. */
    const struct confidence_table *confidences;
    str model; /* the main model's name, a part of the calibration's key */
};

/* ---- outside feedback ---- */
enum verifier_kind {
    VERIFY_NONE,
    VERIFY_ARITHMETIC,
    VERIFY_REGEX,
    VERIFY_EXACT,
    VERIFY_JSON_SCHEMA,
    VERIFY_NUMBER,
    VERIFY_GAME24,
    VERIFY_SCHEDULE,
    VERIFY_RUBRIC
};
struct verifier {
    enum verifier_kind kind;
    /* arithmetic: an expression whose value is the answer ("12*(3+4)")
     * regex: POSIX extended, whole answer
     * exact: the key
     * json_schema: JSON text
     * number: {"value": 254.8, "tolerance": 0.5, "relative": 0.01, "unit": "m"}, all but value optional; the wider
     *     tolerance counts; an answer without a unit is taken in this one, a convertible one is converted, another refused
     * game24: "4 9 10 13": an expression of + - * / ( ) that uses each number once and is 24
     * schedule: {"jobs": [[[machine, duration], …], …], "makespan": 11}: the answer is [{"job": 1, "operation": 1,
     *     "start": 0}, …], counted from 1, perhaps within {"schedule": …}; feasible, and ends by the makespan
     * rubric: {"need": 3, "points": [{"name": …, "any": ["isolat", …]}, …], "never": ["pay the ransom"]}: phrases
     *     of need points and none of never, whatever their case */
    str spec;
};
enum verdict { VERDICT_UNKNOWN, VERDICT_PASS, VERDICT_FAIL };
/* Does a verifier of this kind hold the answer itself? It then must not be given to a strategy in an evaluation. A
 * kind that does not know it states conditions: regex, json_schema, game24, schedule. */
bool verifier_knows_answer(enum verifier_kind kind);
/* From {"kind": "number", "spec": string or JSON value}. CALLER_BAD_REQUEST with a sentence in *out_what, in the arena;
 * the spec has then been tried, so that verifier_check can only fail for memory. */
NODISCARD enum err verifier_parse(struct arena *arena, struct json value, struct verifier *out,
                                  str *out_what);
/* out_why: a sentence for the model ("12 is not a number between …"), in the arena. Bad spec: CALLER_BAD_REQUEST. */
NODISCARD enum err verifier_check(const struct verifier *v, str answer, struct arena *arena,
                                  enum verdict *out, str *out_why);

/* ---- canonical answers ---- */
/* Numbers as exact rationals with units ("$1,200.50" → "2401/2 usd", "50%" → "1/2"), choice letters ("(B)" → "choice:b"),
 * JSON values, code literals, else normalised text (case, spaces, articles at the ends, final punctuation).
 * Two answers are the same iff their canonical forms are equal bytes. Empty only for an answer without content. */
str answer_canonical(struct arena *arena, str answer);
/* The final answer inside a model's output: a JSON object's "answer" (also inside a ``` fence), \boxed{…}, "Answer: …",
 * else the last line. */
str answer_extract(struct arena *arena, str text);

/* ---- the machine ---- */
struct reason_message {
    const char *role; /* "system", "user", "assistant" */
    str content;
};

struct reason_question {
    const struct reason_message
        *messages; /* as the caller sent them; the last user message is the question */
    size_t message_count;
    str domain; /* may be empty */
    struct verifier verifier;
};

struct reason_budget {
    int calls; /* that may still be started */
    int64_t tokens; /* that may still be spent, input and output together */
    nano_usd cost; /* that may still be spent; INT64_MAX when unlimited */
    nsec time; /* that is left */
};

#define REASON_CALLS_AT_ONCE 8

/* Which of the query's models a call goes to; the owner knows their names. */
enum reason_model_class {
    REASON_MODEL_MAIN, /* the query's own, usually a cheap one */
    REASON_MODEL_PEER, /* another cheap one, of another family: its errors are its own */
    REASON_MODEL_STRONG,
    REASON_MODEL_CLASS_COUNT
};

struct reason_call {
    uint32_t id; /* unique within the machine */
    enum reason_role role;
    enum reason_model_class model;
    str label; /* for the trace: "plan", "solve q2 (try 1)" */
    uint32_t parent; /* id of the call that caused it; 0 for none (ids start at 1) */
    const struct reason_message *messages;
    size_t message_count;
    double temperature;
    uint32_t max_tokens;
    str schema_name; /* empty: plain text wanted */
    str schema; /* JSON Schema text */
};

struct reason_outcome {
    enum err fault; /* OK, or why there is no text */
    str text; /* copied by the machine */
    bool is_truncated; /* finish reason "length" */
};

/* Raw signals in [0, 1]; a negative value means: not available. */
struct signals {
    double stated; /* the model's own number */
    double vote_share; /* of the leading canonical answer among all candidates */
    double margin; /* leading minus second share */
    double agreement; /* across formats, or across models */
    double worst_sub; /* the least confident sub-question */
    double verifier; /* 1 passed, 0 failed */
    double stability; /* 1 - change over refinements */
};

struct reason_best {
    bool has_answer;
    str answer; /* for people, in the machine's arena */
    str canonical;
    struct signals signals;
    /* In [0, 1]; negative: none. Calibrated where the configuration's table can, else the raw combination of the signals. */
    double hrm_confidence;
    double trm_confidence; /* after refinement */
    double confidence; /* of the answer: the last stage's */
    double raw_confidence; /* of the answer, before calibration: what calibrations are trained on */
    bool is_calibrated; /* confidence is a calibrated probability */
    enum err fault; /* why there is no answer */
    int rounds; /* refinements made */
    const char *
        halt; /* why it stopped: "confident", "same answer twice", "no outside feedback", "converged", "budget", … */
};

struct reason;

/* Everything is copied into the arena, which must outlive the machine. CALLER_EMPTY_QUESTION, WEIR_NO_MEMORY,
 * CALLER_BAD_REQUEST (bad verifier). */
NODISCARD enum err reason_open(struct reason **out, struct arena *arena,
                               enum reason_strategy strategy, const struct reason_config *config,
                               const struct reason_question *question);
/* Calls to start now, at most REASON_CALLS_AT_ONCE; 0 while it only waits for tells, when done, or when the budget forbids
 * (it then ends once nothing is under way). Strings live in the arena. */
size_t reason_ask(struct reason *r, const struct reason_budget *left,
                  struct reason_call out[REASON_CALLS_AT_ONCE]);
void reason_tell(struct reason *r, uint32_t id, const struct reason_outcome *outcome);
bool reason_done(const struct reason *r);
struct reason_best reason_best(const struct reason *r);

#endif
