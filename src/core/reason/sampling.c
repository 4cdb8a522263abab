/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampling: adaptive self-consistency. Samples alternate between two formats, worked steps and a program, because one
 * prompt that agrees with itself is right less often than two formats that agree. They are asked in the
 * smallest batches that could settle the vote, and stop when the leader is the majority with stop_probability:
 *
 *     P(p > 1/2 | a, b) = sum over k <= a of C(a + b + 1, k) / 2^(a + b + 1)
 *
 * where a votes are for the leader and b for the runner-up (the Beta posterior of a uniform prior, as a tail of
 * the binomial distribution). Four that agree settle it at .95.
 *
 * What was told is counted in the order of asking, so that the order of telling changes nothing.
 */
#include <math.h>

#include "core/reason/reason_internal.h"

_Static_assert(REASON_SAMPLES_MAX <= 54,
               "sums and products of binomial coefficients fit in 64 bits");

double vote_majority(int a, int b)
{
    int n = a + b + 1;
    uint64_t term = 1, sum = 0; /* C(n, k), and the sum so far */

    assert(a >= 0);
    assert(b >= 0);
    assert(n <= REASON_SAMPLES_MAX + 1);
    for (int k = 0; k <= a; k++) {
        sum += term;
        term = term * (uint64_t)(n - k) / (uint64_t)(k + 1);
    }
    return ldexp((double)sum, -n);
}

/* ---- samples ---- */

static bool sample_ask(struct reason *r)
{
    enum reason_role role = r->sample_count % 2 == 0 ? ROLE_DIRECT : ROLE_PROGRAM;
    uint32_t id = reason_queue(
        r, &(struct call_plan){
               .role = role,
               .label = arena_printf(r->arena, "sample %d (%s)", r->sample_count + 1,
                                     role == ROLE_DIRECT ? "steps" : "program"),
               .parent = r->last_id,
               .values.at = { [SLOT_QUESTION] = r->question, [SLOT_FORMAT] = r->format },
           });

    if (id == 0)
        return false;
    r->samples[r->sample_count++] = (struct sample){ .id = id, .role = role };
    return true;
}

void sample_read(struct reason *r, struct sample *s, const struct reply *reply)
{
    str answer = reply->answer;
    double stated = reply->stated;

    s->is_told = true;
    if (s->role == ROLE_PROGRAM) {
        s->opinion = opinion_read(r->arena, reply);
        answer = s->opinion.answer;
        /* The model's number was for its own result, not for what its expression really gives. */
        if (answer.ptr != reply->answer.ptr)
            stated = NOT_AVAILABLE;
    }
    if (reply->fault != OK)
        r->fault = reply->fault;
    if (!reply_may_improve(reply))
        r->is_hopeless = true;
    if (answer.len > 0)
        s->candidate = candidate_judge(r, answer, stated);
}

static int samples_told(struct reason *r)
{
    int told = 0;

    for (int i = 0; i < r->sample_count; i++) {
        struct sample *s = &r->samples[i];
        struct call_slot *slot = reason_slot(r, s->id);
        if (!s->is_told && slot->state == CALL_TOLD) {
            slot->is_used = true;
            sample_read(r, s, &slot->reply);
        }
        told += s->is_told;
    }
    return told;
}

/* ---- the vote ---- */

struct group {
    int first; /* sample that stands for it */
    int votes;
    int by_format[2]; /* steps, program */
    double stated; /* sum over those that state something */
    int stated_count;
};
struct poll {
    struct group groups[REASON_SAMPLES_MAX];
    int count;
    int leader; /* -1: no votes */
    int a, b; /* votes of the leader and of the runner-up */
};

bool samples_agree(struct reason *r, const struct sample *a, const struct sample *b)
{
    return forms_agree(r->arena, a->candidate.canonical, b->candidate.canonical) ||
           (a->opinion.has_value &&
            answer_states(r->arena, b->candidate.answer, a->opinion.value)) ||
           (b->opinion.has_value && answer_states(r->arena, a->candidate.answer, b->opinion.value));
}

/* A refused answer cannot be the right one, and prose never agrees: neither votes. */
static bool has_vote(const struct sample *s)
{
    return s->candidate.verdict != VERDICT_FAIL && form_is_comparable(s->candidate.canonical);
}

static double group_stated(const struct group *g)
{
    return g->stated_count > 0 ? g->stated / g->stated_count : NOT_AVAILABLE;
}

static void poll_add(struct reason *r, struct poll *poll, int sample)
{
    const struct sample *s = &r->samples[sample];
    int i = 0;

    while (i < poll->count && !samples_agree(r, &r->samples[poll->groups[i].first], s))
        i++;
    if (i == poll->count)
        poll->groups[poll->count++] = (struct group){ .first = sample };
    struct group *g = &poll->groups[i];
    g->votes++;
    g->by_format[s->role == ROLE_PROGRAM]++;
    if (s->candidate.stated >= 0.0) {
        g->stated += s->candidate.stated;
        g->stated_count++;
    }
    candidate_vote(r, r->samples[g->first].candidate.canonical);
}

/* Counts all samples again; the machine's votes are those before the samples and theirs. */
static struct poll poll_count(struct reason *r)
{
    struct poll poll = { .leader = -1 };

    r->votes = *r->votes_before;
    for (int i = 0; i < r->sample_count; i++) {
        if (has_vote(&r->samples[i]))
            poll_add(r, &poll, i);
    }
    for (int i = 0; i < poll.count; i++) {
        const struct group *g = &poll.groups[i];
        bool leads =
            g->votes > poll.a ||
            (g->votes == poll.a && group_stated(g) > group_stated(&poll.groups[poll.leader]));
        if (leads) {
            poll.b = poll.a;
            poll.a = g->votes;
            poll.leader = i;
        } else if (g->votes > poll.b) {
            poll.b = g->votes;
        }
    }
    return poll;
}

/* How surely one format's own leader is this group: 1, or shared among those that lead together. */
static double leads_format(const struct poll *poll, int group, int format)
{
    int most = 0, sharing = 0;

    for (int i = 0; i < poll->count; i++) {
        int votes = poll->groups[i].by_format[format];
        if (votes > most) {
            most = votes;
            sharing = 0;
        }
        sharing += votes == most;
    }
    if (most == 0)
        return NOT_AVAILABLE;
    return poll->groups[group].by_format[format] == most ? 1.0 / sharing : 0.0;
}

static struct candidate leader_of(struct reason *r, const struct poll *poll)
{
    const struct group *g = &poll->groups[poll->leader];
    struct candidate c = r->samples[g->first].candidate;
    double steps = leads_format(poll, poll->leader, 0);
    double program = leads_format(poll, poll->leader, 1);

    c.stated = group_stated(g);
    c.agreement = steps >= 0.0 && program >= 0.0 ? steps * program : NOT_AVAILABLE;
    candidate_rate(r, &c);
    return c;
}

/* Where nothing can be compared, the answer that is worth most by itself. */
static struct candidate best_alone(struct reason *r)
{
    struct candidate best = { .confidence = NOT_AVAILABLE };

    for (int i = 0; i < r->sample_count; i++) {
        struct candidate c = r->samples[i].candidate;
        if (c.answer.len == 0)
            continue;
        candidate_rate(r, &c);
        if (best.answer.len == 0 || c.confidence > best.confidence)
            best = c;
    }
    return best;
}

static bool is_settled(const struct reason *r, const struct poll *poll)
{
    return vote_majority(poll->a, poll->b) >= r->config.self_consistency.stop_probability;
}

/* The best so far: the vote's leader, unless what came before the samples is worth more and the vote is open. */
static void adopt(struct reason *r, const struct poll *poll)
{
    struct candidate c = poll->leader >= 0 ? leader_of(r, poll) : best_alone(r);

    if (arena_failed(r->arena) || c.answer.len == 0)
        return;
    if (r->before.answer.len > 0) {
        candidate_rate(r, &r->before);
        if (!is_settled(r, poll) && r->before.confidence > c.confidence)
            c = r->before;
    }
    r->best = c;
}

static bool adopt_verified(struct reason *r)
{
    for (int i = 0; i < r->sample_count; i++) {
        if (r->samples[i].candidate.verdict != VERDICT_PASS)
            continue;
        r->best = r->samples[i].candidate;
        candidate_rate(r, &r->best);
        return true;
    }
    return false;
}

/* ---- asking on ---- */

/* Why no further sample is worth its price; NULL when one is. */
static const char *halt_of(const struct reason *r, const struct poll *poll)
{
    int left = r->config.self_consistency.samples_max - r->sample_count;

    if (is_settled(r, poll))
        return "vote settled";
    if (r->sample_count == 0)
        return NULL;
    if (r->is_hopeless)
        return "samples failed";
    if (left == 0)
        return "samples used up";
    if (poll->leader < 0 && r->best.answer.len > 0 && r->best.verdict != VERDICT_FAIL)
        return "nothing to compare";
    /* Nobody can catch up with the leader, so that more samples would not change the answer. */
    if (poll->b + left < poll->a)
        return "vote decided";
    return NULL;
}

/* The fewest samples that settle the vote if all are for the leader. */
static int batch_size(const struct reason *r, const struct poll *poll)
{
    int left = r->config.self_consistency.samples_max - r->sample_count;
    int n = 1;

    while (n < left &&
           vote_majority(poll->a + n, poll->b) < r->config.self_consistency.stop_probability)
        n++;
    return n;
}

static bool samples_open(struct reason *r)
{
    r->samples = ARENA_ARRAY(r->arena, REASON_SAMPLES_MAX, struct sample);
    r->votes_before = ARENA_NEW(r->arena, struct votes);
    if (!r->samples || !r->votes_before)
        return false;
    *r->votes_before = r->votes;
    r->before = r->best;
    return true;
}

static enum state sampling_end(struct reason *r, const char *halt, bool has_settled)
{
    if (r->strategy == REASON_FULL_STACK)
        return full_after_vote(r, halt, has_settled);
    return r->best.answer.len > 0 ? reason_finish(r, halt) : reason_fail(r, r->fault);
}

enum state sampling_step(struct reason *r)
{
    if (!r->samples && !samples_open(r))
        return STATE_SAMPLING; /* the arena failed */
    bool all_told = samples_told(r) == r->sample_count;
    struct poll poll = poll_count(r);

    if (adopt_verified(r))
        return reason_finish(r, "verified");
    adopt(r, &poll);
    if (!all_told)
        return STATE_SAMPLING;
    const char *halt = halt_of(r, &poll);
    if (halt)
        return sampling_end(r, halt, is_settled(r, &poll));
    for (int n = batch_size(r, &poll); n > 0; n--) {
        if (!sample_ask(r))
            return reason_finish(r, "call limit");
    }
    return STATE_SAMPLING;
}
