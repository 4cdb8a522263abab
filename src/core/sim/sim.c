/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: every random draw is a hash of named inputs, so there is no state: what a draw may depend on is
 * what is mixed into its seed.
 *
 *     own luck       seed, model, whole prompt, and at temperature > 0 the salt
 *     shared luck    seed, the expression alone: the same for every model, prompt and sample
 *     delivery       seed, model, arrival: latency and faults
 */
#include "core/sim/sim.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "core/sim/sim_internal.h"

/* clang-format off */
static const struct sim_profile profiles[] = {
    /* model                  skill  verbosity  first token ms, sigma  tokens/s  price */
    { "gpt-4o-mini",           0.90, 2,         350.0, 0.35,           90.0,     SIM_PRICE_SMALL },
    { "gpt-4o",                0.97, 2,         480.0, 0.40,           70.0,     SIM_PRICE_LARGE },
    { "smollm2-135m-instruct", 0.45, 1,          60.0, 0.20,          120.0,     SIM_PRICE_FREE },
};
static const struct sim_profile profile_default =
    { "default",               0.80, 1,         300.0, 0.30,           80.0,     SIM_PRICE_SMALL };

/* The longest first token, in medians: a lognormal tail without end would hold a test up for ever. */
#define FIRST_TOKEN_MEDIANS_MAX 20.0
#define BYTES_PER_TOKEN 4
#define PROMPT_TOKENS_FIXED 7 /* roles and separators of a chat prompt */

static const struct {
    enum err fault;
    unsigned weight; /* of a hundred */
} faults[] = {
    { PROVIDER_RATE_LIMITED, 30 },
    { PROVIDER_OVERLOADED,   20 },
    { PROVIDER_FAILED,       20 },
    { PROVIDER_CUT,          15 },
    { PROVIDER_GARBAGE,      10 },
    { PROVIDER_FIRST_BYTE,    5 },
};

static const char *const canned[] = {
    "simulated answer: the first of the two readings fits the question better.",
    "simulated answer: it depends on one condition that the question leaves open.",
    "simulated answer: yes, with the usual exception.",
    "simulated answer: no, and a small counterexample shows it.",
    "simulated answer: the order of the steps matters more than their number.",
    "simulated answer: both choices lead to the same result.",
};

static const char *const fillers[] = {
    "simulated working: the given quantities are named first.",
    "simulated working: the operations are applied in their usual order.",
};
/* clang-format on */

/* Numbers that a hasty calculation is off by. */
static const int64_t slips[] = { 1, -1, 10, -10, 2, -2, 100, 9 };

/* What a request comes down to before it is put into words. */
struct thought {
    const struct sim_profile *profile;
    struct sim_expression expression;
    bool has_arithmetic;
    bool is_right;
    bool is_sound; /* verdict on an answer that the prompt proposes */
    int64_t slip; /* 0 when right */
    struct sim_number value;
    const char *sentence;
    double confidence;
};

/* A model's name up to an optional snapshot date: the profile's name itself or followed by "-20…". */
static bool profile_matches(const struct sim_profile *profile, str model)
{
    str name = str_from(profile->model);

    if (!str_starts(model, name))
        return false;
    str rest = str_slice(model, name.len, model.len);
    return rest.len == 0 || str_starts(rest, STR("-20"));
}

const struct sim_profile *sim_profile_find(str model)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        if (profile_matches(&profiles[i], model))
            return &profiles[i];
    }
    return &profile_default;
}

const struct sim_profile *sim_profiles(size_t *out_count)
{
    *out_count = ARRAY_LEN(profiles);
    return profiles;
}

static uint64_t mix(uint64_t hash, uint64_t part)
{
    return rng_mix(hash ^ rng_mix(part + UINT64_C(0x51D)));
}

/* The text behind the last "Question:", where prompt templates put what is really asked; examples of
 * arithmetic stand before it. */
static str question_of(str prompt)
{
    str rest = prompt;
    size_t at;

    while ((at = str_find_nocase(rest, STR("question:"))) != STR_NPOS)
        rest = str_slice(rest, at + STR("question:").len, rest.len);
    return rest;
}

/* Whether the answer that a checking prompt proposes is the value. */
static bool proposal_is(str question, struct sim_number value)
{
    char number[SIM_NUMBER_MAX];
    size_t at = str_find_nocase(question, STR("answer:"));

    if (at == STR_NPOS)
        return true;
    str proposed = str_trim(str_slice(question, at + STR("answer:").len, question.len));
    str line;
    if (!str_next(&proposed, '\n', &line))
        return false;
    return str_eq(str_trim(line), sim_number_format(value, number));
}

static struct rng luck_of(const struct sim_request *request)
{
    uint64_t hash = mix(mix(request->seed, str_hash(request->model)), str_hash(request->prompt));
    struct rng luck;

    if (request->temperature > 0.0)
        hash = mix(hash, request->salt);
    rng_init(&luck, hash);
    return luck;
}

static void solve(struct thought *t, const struct sim_request *request, str question,
                  struct rng *luck)
{
    struct rng shared;
    struct sim_number wrong, right = t->expression.value;

    rng_init(&shared, mix(request->seed, str_hash((str){ t->expression.text, t->expression.len })));
    struct rng *decider = rng_unit(luck) < SIM_SHARED_LUCK ? &shared : luck;
    t->is_right = rng_unit(decider) < t->profile->skill;
    t->slip = t->is_right ? 0 : slips[rng_below(decider, ARRAY_LEN(slips))];
    t->value = right;
    /* Beside the largest integers there may be no room for a slip; the answer is then right after all. */
    if (sim_number_add(right, (struct sim_number){ t->slip, 1 }, &wrong)) {
        t->value = wrong;
    } else {
        t->is_right = true;
        t->slip = 0;
    }
    t->is_sound = !t->is_right || proposal_is(question, right);
    /* Wrong answers are stated a little less boldly, with much overlap, as real models do. */
    double boldness = (t->is_right ? 0.90 : 0.78) + 0.07 * rng_normal(luck);
    t->confidence = boldness > 0.99 ? 0.99 : boldness < 0.30 ? 0.30 : boldness;
}

static struct thought think(const struct sim_request *request)
{
    struct thought t = { .profile = sim_profile_find(request->model), .is_sound = true };
    struct rng luck = luck_of(request);
    str question = question_of(request->prompt);

    t.has_arithmetic = sim_expression_find(question, &t.expression);
    t.sentence = canned[rng_below(&luck, ARRAY_LEN(canned))];
    t.confidence = 0.40 + 0.40 * rng_unit(&luck);
    if (t.has_arithmetic)
        solve(&t, request, question, &luck);
    return t;
}

/* ---- in words ---- */

static void write_answer(struct buf *out, const struct thought *t)
{
    char number[SIM_NUMBER_MAX];

    buf_add(out, t->has_arithmetic ? sim_number_format(t->value, number) : str_from(t->sentence));
}

static void write_answer_string(struct buf *out, const struct thought *t)
{
    buf_add_char(out, '"');
    write_answer(out, t);
    buf_add_char(out, '"');
}

/* The expression whose value the answer is, slip included, so that the two agree. */
static void write_expression(struct buf *out, const struct thought *t)
{
    buf_add_char(out, '"');
    if (t->has_arithmetic)
        buf_add(out, (str){ t->expression.text, t->expression.len });
    if (t->has_arithmetic && t->slip != 0)
        buf_printf(out, "%+" PRId64, t->slip);
    buf_add_char(out, '"');
}

static void write_steps(struct buf *out, const struct thought *t)
{
    buf_add_char(out, '"');
    for (int i = 0; i < t->profile->verbosity; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", fillers[(size_t)i % ARRAY_LEN(fillers)]);
    buf_add_char(out, '"');
}

static void write_confidence(struct buf *out, const struct thought *t)
{
    buf_printf(out, "%.2f", t->confidence);
}

static void write_sound(struct buf *out, const struct thought *t)
{
    buf_add(out, t->is_sound ? STR("true") : STR("false"));
}

static void write_problem(struct buf *out, const struct thought *t)
{
    buf_add(out, t->is_sound ? STR("\"\"") : STR("\"simulated check: the value differs\""));
}

static void write_no_subquestions(struct buf *out, const struct thought *t)
{
    (void)t;
    buf_add(out, STR("[]"));
}

/* Members that an answer may have, in the order in which a model would think of them. */
static const struct {
    const char *quoted_name;
    void (*write)(struct buf *out, const struct thought *t);
} members[] = {
    { "\"steps\"", write_steps },
    { "\"reasoning\"", write_steps },
    { "\"program\"", write_expression },
    { "\"problem\"", write_problem },
    { "\"sound\"", write_sound },
    { "\"expression\"", write_expression },
    { "\"answer\"", write_answer_string },
    { "\"confidence\"", write_confidence },
    { "\"subquestions\"", write_no_subquestions },
};

/* The last member of a nested object would be taken for one of the answer's own: a plan's schema
 * describes "expression" inside of "subquestions". A plan therefore has no expression. */
static bool is_wanted(size_t member, str form)
{
    if (members[member].write == write_expression &&
        str_find(form, STR("\"subquestions\"")) != STR_NPOS)
        return false;
    return str_find(form, str_from(members[member].quoted_name)) != STR_NPOS;
}

static void write_object(struct buf *out, const struct thought *t, str form)
{
    bool is_first = true;

    buf_add_char(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!is_wanted(i, form))
            continue;
        buf_printf(out, "%s%s: ", is_first ? "" : ", ", members[i].quoted_name);
        members[i].write(out, t);
        is_first = false;
    }
    if (is_first) {
        buf_add(out, STR("\"answer\": "));
        write_answer_string(out, t);
        buf_add(out, STR(", \"confidence\": "));
        write_confidence(out, t);
    }
    buf_add_char(out, '}');
}

static void write_plain(struct buf *out, const struct thought *t)
{
    if (!t->has_arithmetic) {
        write_answer(out, t);
        return;
    }
    for (int i = 0; i < t->profile->verbosity; i++)
        buf_printf(out, "%s\n", fillers[(size_t)i % ARRAY_LEN(fillers)]);
    buf_add(out, STR("Answer: "));
    write_answer(out, t);
}

/* ---- delivery ---- */

static enum err draw_fault(struct rng *delivery, double rate)
{
    uint64_t ticket = rng_below(delivery, 100);

    if (!(rng_unit(delivery) < rate))
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        if (ticket < faults[i].weight)
            return faults[i].fault;
        ticket -= faults[i].weight;
    }
    return PROVIDER_FAILED;
}

static bool has_text(enum err fault)
{
    return fault == OK || fault == PROVIDER_CUT;
}

static void deliver(const struct sim_request *request, const struct sim_profile *profile,
                    struct sim_answer *out)
{
    struct rng delivery;

    rng_init(&delivery, mix(mix(request->seed, str_hash(request->model)), ~request->arrival));
    double medians = exp(profile->first_token_sigma * rng_normal(&delivery));
    if (medians > FIRST_TOKEN_MEDIANS_MAX)
        medians = FIRST_TOKEN_MEDIANS_MAX;
    out->first_token = (nsec)(profile->first_token_ms * medians * (double)NSEC_PER_MS);
    out->per_token = (nsec)((double)NSEC_PER_SEC / profile->tokens_per_second);
    out->fault = draw_fault(&delivery, request->fault_rate);
}

static int64_t estimate_tokens(size_t bytes)
{
    return (int64_t)((bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

enum err sim_ask(struct arena *arena, const struct sim_request *request, struct sim_answer *out)
{
    struct thought t = think(request);
    struct sim_answer answer = { .has_arithmetic = t.has_arithmetic, .is_right = t.is_right };
    struct buf text = { 0 };

    deliver(request, t.profile, &answer);
    answer.prompt_tokens = estimate_tokens(request->prompt.len) + PROMPT_TOKENS_FIXED;
    if (has_text(answer.fault)) {
        bool asks_json = request->wants_json || request->schema.len > 0 ||
                         str_find(request->prompt, STR("JSON")) != STR_NPOS;
        if (asks_json)
            write_object(&text, &t, request->schema.len > 0 ? request->schema : request->prompt);
        else
            write_plain(&text, &t);
        answer.text = arena_str(arena, buf_str(&text));
        answer.completion_tokens = estimate_tokens(text.len);
    }
    bool failed = text.failed || arena_failed(arena);
    buf_fini(&text);
    if (failed)
        return WEIR_NO_MEMORY;
    *out = answer;
    return OK;
}
