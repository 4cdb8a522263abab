/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mcts: tree search over steps of reasoning. A node is the steps so far; one call proposes several next steps or
 * final answers at once, each with a value; a final answer is an end, and the verifier's verdict is its
 * value where there is one. core/search decides where to look; here looks become calls and replies children.
 *
 * Several looks are under way at once. Equal proposals beside each other are one; nodes of one depth after which the
 * model states the same situation are one, and so are equal answers. Any moment has the best answer so far; when
 * the calls end before there is one, the last call asks for it at the end of the best line.
 */
#include <string.h>

#include "core/reason/reason_internal.h"
#include "core/search/search.h"

#define LOOKS_AT_ONCE 4 /* more would be faster, but choose each with less known */
#define PROPOSALS_MAX 8 /* of one reply */
#define STEP_BYTES_MAX 1000
#define FAILURES_MAX 4 /* looks in a row that brought nothing */
/* A node at which looks keep failing is given up: after two replies without proposals, or four faults. */
#define NODE_FAILURES_MAX 4
#define REFUSALS_MAX 3 /* the latest, told to the model */
#define SIBLINGS_MAX 16 /* told to the model, so that it proposes something else */
#define PIECES_MAX (2 * (REASON_DEPTH_MAX + SIBLINGS_MAX + REFUSALS_MAX) + 8)
#define VALUE_UNSAID 0.5
/* A node with N observations considers its best sqrt(N) children and asks for more when it has fewer. */
#define WIDENING_FACTOR 1.0
#define WIDENING_EXPONENT 0.5

/* What a node stands for; its tag is the record's index. Record 0 is the root's. */
struct step_record {
    str text; /* as later calls see it */
    str form; /* by which equal ones are found */
    uint32_t call; /* that proposed it */
    int failures; /* looks that brought nothing; a reply without proposals counts twice */
};

struct look {
    uint32_t call; /* 0: free */
    struct search_ticket ticket;
};

struct text_search {
    struct search_tree *tree;
    struct step_record *records;
    uint32_t record_count;
    uint32_t records_max;
    struct look looks[LOOKS_AT_ONCE];
    int open; /* looks under way */
    int fresh; /* nodes that could be gone on from and that nobody looked at yet */
    int calls; /* made for looks */
    int failures; /* in a row */
    uint32_t closing; /* the call for an answer at the end of the best line; 0: none */
    str refusals[REFUSALS_MAX]; /* a ring */
    size_t refusal_count;
};

/* ---- opening ---- */

static const enum search_policy policies[REASON_POLICY_COUNT] = {
    [REASON_POLICY_UCB1] = SEARCH_UCB1,
    [REASON_POLICY_PUCT] = SEARCH_PUCT,
    [REASON_POLICY_AB_MCTS] = SEARCH_AB_BETA,
};

static bool search_begin(struct reason *r)
{
    struct text_search *s = ARENA_NEW(r->arena, struct text_search);
    struct search_config config = search_config_default();

    if (!s)
        return false;
    config.policy = policies[r->config.mcts.policy];
    config.seed = r->config.seed;
    config.nodes_max = (uint32_t)r->config.mcts.simulation_budget * PROPOSALS_MAX + 1;
    config.tickets_max = LOOKS_AT_ONCE;
    config.depth_max = (uint32_t)r->config.mcts.max_tree_depth;
    config.exploration = r->config.mcts.exploration_constant;
    config.widening_factor = WIDENING_FACTOR;
    config.widening_exponent = WIDENING_EXPONENT;
    config.has_transpositions = r->config.mcts.policy != REASON_POLICY_AB_MCTS;
    s->records_max = config.nodes_max;
    s->records = ARENA_ARRAY(r->arena, s->records_max, struct step_record);
    s->record_count = 1;
    s->fresh = 1;
    if (!s->records || search_open(&s->tree, r->arena, &config) != OK)
        return false;
    r->search = s;
    return true;
}

static struct step_record *record_at(const struct text_search *s, uint32_t node)
{
    return &s->records[search_node_at(s->tree, node).tag];
}

/* ---- asking ---- */

struct pieces {
    str at[PIECES_MAX];
    size_t count;
};

static void add(struct pieces *p, str piece)
{
    if (p->count < PIECES_MAX)
        p->at[p->count++] = piece;
}

static void add_line(struct pieces *p, str line)
{
    add(p, STR("\n- "));
    add(p, line);
}

static str join(struct arena *arena, const struct pieces *p)
{
    size_t len = 0, n = 0;

    for (size_t i = 0; i < p->count; i++)
        len += p->at[i].len; /* bounded by STEP_BYTES_MAX each */
    char *out = arena_alloc(arena, len);
    if (!out)
        return (str){ 0 };
    for (size_t i = 0; i < p->count; i++) {
        if (p->at[i].len > 0)
            memcpy(out + n, p->at[i].ptr, p->at[i].len);
        n += p->at[i].len;
    }
    return (str){ out, n };
}

static void add_siblings(const struct text_search *s, uint32_t node, struct pieces *p)
{
    uint32_t at = SEARCH_NONE;

    for (size_t n = 0; n < SIBLINGS_MAX && search_child_next(s->tree, node, &at); n++) {
        add(p, n == 0 ? STR("\nProposed already; propose others:\n- ") : STR("\n- "));
        add(p, record_at(s, at)->text);
    }
}

/* What a call at the end of this path is told. */
static str context_of(struct reason *r, const uint32_t *path, uint32_t depth, bool must_answer)
{
    const struct text_search *s = r->search;
    struct pieces p = { .count = 0 };
    size_t refusals = s->refusal_count < REFUSALS_MAX ? s->refusal_count : REFUSALS_MAX;

    add(&p, depth > 0 ? STR("Steps so far:") : STR("No step was taken yet."));
    for (uint32_t i = 1; i <= depth; i++)
        add_line(&p, record_at(s, path[i])->text);
    add_siblings(s, path[depth], &p);
    if (refusals > 0)
        add(&p, STR("\nFinal answers that were refused:"));
    for (size_t i = 0; i < refusals; i++)
        add_line(&p, s->refusals[i]);
    if (must_answer)
        add(&p, STR("\nNo steps are left: every proposal must be a final answer."));
    return join(r->arena, &p);
}

static uint32_t ask_at(struct reason *r, const uint32_t *path, uint32_t depth, bool must_answer)
{
    return reason_queue(r,
                        &(struct call_plan){
                            .role = ROLE_STEP,
                            .label = arena_printf(r->arena, "step %" PRIu32 " (look %d)", depth + 1,
                                                  r->search->calls + 1),
                            .parent = record_at(r->search, path[depth])->call,
                            .values.at = { [SLOT_QUESTION] = r->question,
                                           [SLOT_CONTEXT] = context_of(r, path, depth, must_answer),
                                           [SLOT_FORMAT] = r->format },
                        });
}

static bool is_last(const struct reason *r, uint32_t depth)
{
    return depth + 1 >= (uint32_t)r->config.mcts.max_tree_depth;
}

/* Takes a ticket and makes its call; false when there is none. While others are under way only fresh nodes are looked
 * at: a node is not widened, nor an end visited again, just because what it should be compared with is not known yet. */
static bool look_ask(struct reason *r)
{
    struct text_search *s = r->search;
    struct look look = { 0 };
    size_t i = 0;

    if (s->open > 0 && s->fresh <= 0)
        return false;
    while (i < ARRAY_LEN(s->looks) && s->looks[i].call != 0)
        i++;
    if (i == ARRAY_LEN(s->looks) || !search_ask(s->tree, &look.ticket))
        return false;
    uint32_t depth = look.ticket.depth;
    look.call = ask_at(r, look.ticket.path, depth, is_last(r, depth));
    if (look.call == 0) {
        search_drop(s->tree, look.ticket.id);
        return false;
    }
    s->looks[i] = look;
    s->calls++;
    s->open++;
    s->fresh -= look.ticket.want != SEARCH_WIDEN;
    return true;
}

/* Looks that did not leave yet stay at home. */
static void looks_abandon(struct reason *r)
{
    struct text_search *s = r->search;

    for (size_t i = 0; i < ARRAY_LEN(s->looks); i++) {
        struct look *look = &s->looks[i];
        if (look->call == 0 || reason_slot(r, look->call)->state != CALL_QUEUED)
            continue;
        reason_slot(r, look->call)->state = CALL_DROPPED;
        search_drop(s->tree, look->ticket.id);
        *look = (struct look){ 0 };
        s->open--;
    }
}

/* The call for an answer at the end of the best line. */
static bool closing_ask(struct reason *r)
{
    uint32_t path[REASON_DEPTH_MAX + 2] = { SEARCH_ROOT };
    size_t n = search_best_line(r->search->tree, path + 1, REASON_DEPTH_MAX);

    r->search->closing = ask_at(r, path, (uint32_t)n, true);
    return r->search->closing != 0;
}

/* ---- hearing ---- */

struct proposal {
    str step;
    str state; /* the situation after it; empty: unsaid */
    str answer; /* empty: a step */
    double value; /* NOT_AVAILABLE: unsaid */
};

static struct proposal proposal_read(struct arena *arena, struct json object)
{
    struct proposal p = { .value = reply_member_probability(arena, object, STR("value")) };

    IGNORE(!reply_member_text(arena, object, STR("step"), &p.step));
    IGNORE(!reply_member_text(arena, object, STR("state"), &p.state));
    IGNORE(!reply_member_text(arena, object, STR("answer"), &p.answer));
    p.step = str_slice(p.step, 0, STEP_BYTES_MAX);
    p.state = str_slice(p.state, 0, STEP_BYTES_MAX);
    return p;
}

static size_t proposals_read(struct arena *arena, const struct reply *reply,
                             struct proposal out[PROPOSALS_MAX])
{
    size_t n = 0;

    if (!reply->is_json) {
        /* A model that forgets the form usually gives its answer. */
        if (reply->answer.len > 0)
            out[n++] = (struct proposal){ .answer = reply->answer, .value = reply->stated };
        return n;
    }
    struct json list = json_get(reply->root, STR("proposals"));
    if (!json_exists(list) || !json_is(list, JSON_ARRAY)) {
        out[0] = proposal_read(arena, reply->root);
        return out[0].step.len > 0 || out[0].answer.len > 0;
    }
    for (struct json_iter it = json_iter(list); json_next(&it) && n < PROPOSALS_MAX;) {
        struct proposal p = json_is(it.value, JSON_OBJECT) ? proposal_read(arena, it.value)
                                                           : (struct proposal){ 0 };
        if (p.step.len > 0 || p.answer.len > 0)
            out[n++] = p;
    }
    return n;
}

static void refusal_note(struct text_search *s, str why)
{
    if (why.len > 0)
        s->refusals[s->refusal_count++ % REFUSALS_MAX] = str_slice(why, 0, STEP_BYTES_MAX);
}

/* A final answer: its value is the verdict where there is one. */
static double answer_judge(struct reason *r, const struct proposal *p, struct step_record *out)
{
    const struct reply reply = { .answer = p->answer, .stated = p->value };
    struct candidate c = candidate_make(r, &reply, NOT_AVAILABLE);

    candidate_offer(r, &c);
    out->text = str_slice(p->answer, 0, STEP_BYTES_MAX);
    out->form = arena_printf(r->arena, "= %.*s", STR_ARG(c.canonical));
    switch (c.verdict) {
    case VERDICT_PASS:
        return 1.0;
    case VERDICT_FAIL:
        refusal_note(r->search, c.why);
        return 0.0;
    case VERDICT_UNKNOWN:
        break;
    }
    return p->value >= 0.0 ? p->value : VALUE_UNSAID;
}

static bool is_known(const struct text_search *s, uint32_t node, str form, uint32_t first_new)
{
    uint32_t at = SEARCH_NONE;

    while (search_child_next(s->tree, node, &at)) {
        if (str_eq(record_at(s, at)->form, form))
            return true;
    }
    for (uint32_t i = first_new; i < s->record_count; i++) {
        if (str_eq(s->records[i].form, form))
            return true;
    }
    return false;
}

/* A step and the situation after it; where that is stated, it says what the node is. */
static void step_describe(struct arena *arena, const struct proposal *p, struct step_record *out)
{
    out->text = p->step;
    out->form = text_canonical(arena, p->step);
    if (p->state.len == 0)
        return;
    out->text = arena_printf(arena, "%.*s -> %.*s", STR_ARG(p->step), STR_ARG(p->state));
    out->form = arena_printf(arena, "-> %.*s", STR_ARG(text_canonical(arena, p->state)));
}

/* Nodes with equal keys are one. A step alone does not say what it led to. */
static uint64_t key_of(const struct proposal *p, str form)
{
    bool is_state = p->answer.len > 0 || p->state.len > 0;

    return is_state ? str_hash(form) | 1 : 0;
}

/* The best first, because a node considers its first children first; equal ones stay in their order. */
static void children_sort(struct search_child *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct search_child c = list[i];
        size_t k = i;
        for (; k > 0 && list[k - 1].value < c.value; k--)
            list[k] = list[k - 1];
        list[k] = c;
    }
}

static size_t children_make(struct reason *r, const struct look *look, const struct proposal *list,
                            size_t count, struct search_child out[PROPOSALS_MAX])
{
    struct text_search *s = r->search;
    uint32_t node = look->ticket.node, first_new = s->record_count;
    size_t n = 0;

    for (size_t i = 0; i < count && s->record_count < s->records_max; i++) {
        const struct proposal *p = &list[i];
        struct step_record record = { .call = look->call };
        bool is_end = p->answer.len > 0;
        double value = p->value >= 0.0 ? p->value : VALUE_UNSAID;
        if (is_end)
            value = answer_judge(r, p, &record);
        else if (is_last(r, look->ticket.depth))
            continue;
        else
            step_describe(r->arena, p, &record);
        if (record.form.len == 0 || is_known(s, node, record.form, first_new))
            continue;
        out[n++] = (struct search_child){ .value = value,
                                          .prior = value,
                                          .key = key_of(p, record.form),
                                          .tag = s->record_count,
                                          .is_terminal = is_end };
        s->records[s->record_count++] = record;
        s->fresh += !is_end;
    }
    children_sort(out, n);
    return n;
}

/* What a look that brought children, or none, tells the tree. */
static struct search_result result_of(const struct text_search *s, const struct look *look,
                                      const struct search_child *children, size_t count)
{
    struct search_result result = { .value = SEARCH_NO_VALUE,
                                    .children = children,
                                    .child_count = count };

    if (count == 0) {
        /* Nothing new will come from here; and what led nowhere at all is worth nothing. */
        result.is_closed = true;
        result.is_terminal = search_node_at(s->tree, look->ticket.node).child_count == 0;
        result.value = result.is_terminal ? 0.0 : SEARCH_NO_VALUE;
    } else if (look->ticket.want == SEARCH_EVALUATE) {
        result.value = children[0].value; /* the best: a node is worth what can be made of it */
    }
    return result;
}

static void look_told(struct reason *r, struct look *look, const struct reply *reply)
{
    struct text_search *s = r->search;
    struct proposal list[PROPOSALS_MAX];
    struct search_child children[PROPOSALS_MAX];
    size_t count = reply->fault == OK ? proposals_read(r->arena, reply, list) : 0;
    struct step_record *record = record_at(s, look->ticket.node);

    if (count == 0)
        record->failures += reply->fault == OK ? 2 : 1;
    if (reply->fault != OK)
        r->fault = reply->fault;
    if (!reply_may_improve(reply))
        r->is_hopeless = true;
    s->failures = count > 0 ? 0 : s->failures + 1;
    struct search_result result =
        result_of(s, look, children, children_make(r, look, list, count, children));
    bool is_given_up = record->failures >= NODE_FAILURES_MAX;
    if ((count == 0 && !is_given_up) || search_tell(s->tree, look->ticket.id, &result) != OK) {
        search_drop(s->tree, look->ticket.id);
        s->fresh += look->ticket.want != SEARCH_WIDEN;
    }
    *look = (struct look){ 0 };
    s->open--;
}

static void looks_told(struct reason *r)
{
    struct text_search *s = r->search;

    for (size_t i = 0; i < ARRAY_LEN(s->looks); i++) {
        struct look *look = &s->looks[i];
        if (look->call == 0 || reason_slot(r, look->call)->state != CALL_TOLD)
            continue;
        reason_slot(r, look->call)->is_used = true;
        look_told(r, look, &reason_slot(r, look->call)->reply);
    }
}

static void closing_told(struct reason *r, const struct reply *reply)
{
    struct proposal list[PROPOSALS_MAX];
    size_t count = reply->fault == OK ? proposals_read(r->arena, reply, list) : 0;
    struct step_record unused;

    if (reply->fault != OK)
        r->fault = reply->fault;
    for (size_t i = 0; i < count; i++) {
        if (list[i].answer.len > 0)
            (void)answer_judge(r, &list[i], &unused);
    }
}

/* ---- the step ---- */

/* Why the best answer needs no further look; NULL when it does. */
static const char *sufficiency(const struct reason *r)
{
    if (r->best.verdict == VERDICT_PASS)
        return "verified";
    /* Only a calibrated value may end a search early; a raw one would end it at the first proud proposal. */
    if (r->config.confidences && r->best.verdict != VERDICT_FAIL &&
        confidence_is_met(r, r->best.confidence, r->config.trm.confidence_threshold))
        return "confident";
    return NULL;
}

/* No look is under way and none will be: the last call goes for an answer when there is none. */
static enum state search_close(struct reason *r, const char *halt)
{
    const struct text_search *s = r->search;

    if (s->closing == 0 && r->best.answer.len == 0 && !r->is_hopeless && closing_ask(r))
        return STATE_SEARCHING;
    if (s->closing != 0) {
        struct call_slot *slot = reason_slot(r, s->closing);
        if (slot->state != CALL_TOLD)
            return STATE_SEARCHING;
        slot->is_used = true;
        closing_told(r, &slot->reply);
    }
    if (r->best.answer.len == 0)
        return reason_fail(r, r->fault);
    const char *enough = sufficiency(r);
    return reason_finish(r, enough ? enough : halt);
}

enum state mcts_step_searching(struct reason *r)
{
    if (!r->search && !search_begin(r))
        return reason_fail(r, WEIR_NO_MEMORY);
    struct text_search *s = r->search;
    looks_told(r);
    const char *enough = sufficiency(r);
    if (enough)
        return reason_finish(r, enough);
    bool has_failed = r->is_hopeless || s->failures >= FAILURES_MAX;
    if (has_failed || r->is_hurried)
        looks_abandon(r);
    /* One call is kept for the answer while there is none. */
    int most = r->config.mcts.simulation_budget - (r->best.answer.len > 0 ? 0 : 1);
    while (!has_failed && !r->is_hurried && s->calls < most && look_ask(r))
        continue;
    if (s->open > 0)
        return STATE_SEARCHING;
    return search_close(r, has_failed         ? "search failed"
                           : s->calls >= most ? "simulations used up"
                           : r->is_hurried    ? "budget"
                                              : "tree exhausted");
}
