/* SPDX-License-Identifier: Apache-2.0 */
/*
 * candidates: answers to the whole question: verified, voted, and rated; the best is kept.
 */
#include "core/reason/reason_internal.h"

/* Below this many answers a share says nothing. */
#define VOTES_MIN 3
#define COMPARABLE_BYTES_MAX 64

/* ---- votes ---- */

/* Of the first vote that agrees; votes.distinct when none does. */
static size_t vote_find(const struct reason *r, str canonical)
{
    size_t i = 0;

    while (i < r->votes.distinct && !forms_agree(r->arena, r->votes.at[i].canonical, canonical))
        i++;
    return i;
}

void candidate_vote(struct reason *r, str canonical)
{
    size_t i = vote_find(r, canonical);

    r->votes.total++;
    if (i == VOTES_MAX)
        return;
    if (i == r->votes.distinct)
        r->votes.at[r->votes.distinct++] = (struct vote){ .canonical = canonical };
    r->votes.at[i].count++;
}

size_t votes_for(const struct reason *r, str canonical)
{
    size_t i = vote_find(r, canonical);

    return i < r->votes.distinct ? r->votes.at[i].count : 0;
}

/* ---- candidates ---- */

struct signals candidate_signals(const struct reason *r, const struct candidate *c)
{
    struct signals s = { .stated = c->stated,
                         .vote_share = NOT_AVAILABLE,
                         .margin = NOT_AVAILABLE,
                         .agreement = c->agreement,
                         .worst_sub = c->worst_sub,
                         .verifier = NOT_AVAILABLE,
                         .stability = NOT_AVAILABLE };
    size_t first = 0, second = 0;

    for (size_t i = 0; i < r->votes.distinct; i++) {
        size_t n = r->votes.at[i].count;
        second = n > first ? first : n > second ? n : second;
        first = n > first ? n : first;
    }
    if (r->votes.total > 1) {
        s.vote_share = (double)first / (double)r->votes.total;
        s.margin = (double)(first - second) / (double)r->votes.total;
    }
    if (c->verdict != VERDICT_UNKNOWN)
        s.verifier = c->verdict == VERDICT_PASS ? 1.0 : 0.0;
    if (r->rounds > 0)
        s.stability = 1.0 - (double)r->changes / (double)r->rounds;
    return s;
}

void candidate_rate(struct reason *r, struct candidate *c)
{
    struct signals s = candidate_signals(r, c);
    double share = NOT_AVAILABLE;

    if (r->votes.total >= VOTES_MIN)
        share = (double)votes_for(r, c->canonical) / (double)r->votes.total;
    c->confidence = confidence_combine(&s, share);
}

struct candidate candidate_judge(struct reason *r, str answer, double stated)
{
    struct candidate c = { .answer = answer,
                           .canonical = answer_canonical(r->arena, answer),
                           .stated = stated,
                           .worst_sub = NOT_AVAILABLE,
                           .agreement = NOT_AVAILABLE,
                           .confidence = NOT_AVAILABLE };

    /* The spec was tried when the machine opened, so that only memory can fail: no verdict then. */
    IGNORE(verifier_check(&r->verifier, c.answer, r->arena, &c.verdict, &c.why));
    return c;
}

struct candidate candidate_make(struct reason *r, const struct reply *reply, double worst_sub)
{
    struct candidate c = candidate_judge(r, reply->answer, reply->stated);

    c.worst_sub = worst_sub;
    candidate_vote(r, c.canonical);
    candidate_rate(r, &c);
    return c;
}

void candidate_offer(struct reason *r, const struct candidate *c)
{
    /* Without memory its canonical form may be missing. */
    if (arena_failed(r->arena))
        return;
    if (r->best.answer.len > 0)
        candidate_rate(r, &r->best);
    if (r->best.answer.len == 0 || c->confidence >= r->best.confidence)
        r->best = *c;
}

/* ---- opinions in a program-like format ---- */

bool form_is_comparable(str canonical)
{
    return canonical.len > 0 && canonical.len <= COMPARABLE_BYTES_MAX;
}

/* "6*7 = 42" is 6*7. */
static str left_side(str expression)
{
    size_t at = str_find_char(expression, '=');

    return at == STR_NPOS ? expression : str_trim(str_slice(expression, 0, at));
}

struct opinion opinion_read(struct arena *arena, const struct reply *reply)
{
    struct opinion opinion = { .answer = reply->answer };

    if (reply->fault != OK)
        return (struct opinion){ 0 };
    opinion.has_value = reply->expression.len > 0 &&
                        arithmetic_evaluate(left_side(reply->expression), NULL, &opinion.value);
    if (opinion.has_value && !answer_states(arena, reply->answer, opinion.value))
        opinion.answer = rational_text(arena, opinion.value);
    bool is_said = reply->is_json || reply->stated >= 0.0 || opinion.has_value;
    return is_said ? opinion : (struct opinion){ 0 };
}

bool opinion_agrees(struct arena *arena, const struct opinion *opinion, str answer)
{
    if (opinion->has_value && answer_states(arena, answer, opinion->value))
        return true;
    return answer_agrees(arena, answer, opinion->answer);
}
