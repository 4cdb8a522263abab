/* SPDX-License-Identifier: Apache-2.0 */
/*
 * candidates: answers to the whole question: verified, voted, and rated; the best is kept.
 */
#include "core/reason/reason_internal.h"

/* Below this many answers a share says nothing. */
#define VOTES_MIN 3

void candidate_vote(struct reason *r, str answer)
{
    if (r->vote_count < ARRAY_LEN(r->votes))
        r->votes[r->vote_count++] = answer_canonical(r->arena, answer);
}

static size_t votes_for(const struct reason *r, str canonical)
{
    size_t n = 0;

    for (size_t i = 0; i < r->vote_count; i++)
        n += str_eq(r->votes[i], canonical);
    return n;
}

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
    str leader = { 0 };

    for (size_t i = 0; i < r->vote_count; i++) {
        size_t n = votes_for(r, r->votes[i]);
        if (n > first) {
            first = n;
            leader = r->votes[i];
        }
    }
    for (size_t i = 0; i < r->vote_count; i++) {
        size_t n = votes_for(r, r->votes[i]);
        if (n > second && !str_eq(r->votes[i], leader))
            second = n;
    }
    if (r->vote_count > 1) {
        s.vote_share = (double)first / (double)r->vote_count;
        s.margin = (double)(first - second) / (double)r->vote_count;
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

    if (r->vote_count >= VOTES_MIN)
        share = (double)votes_for(r, c->canonical) / (double)r->vote_count;
    c->confidence = confidence_combine(&s, share);
}

struct candidate candidate_make(struct reason *r, const struct reply *reply, double worst_sub)
{
    struct candidate c = { .answer = reply->answer,
                           .stated = reply->stated,
                           .worst_sub = worst_sub,
                           .agreement = NOT_AVAILABLE,
                           .confidence = NOT_AVAILABLE };

    c.canonical = answer_canonical(r->arena, c.answer);
    /* The spec was tried when the machine opened, so that only memory can fail: no verdict then. */
    IGNORE(verifier_check(&r->verifier, c.answer, r->arena, &c.verdict, &c.why));
    candidate_vote(r, c.answer);
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
