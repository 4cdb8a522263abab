/* SPDX-License-Identifier: Apache-2.0 */
/*
 * domain: what a question is about, when its request does not say. A multinomial naive Bayes whose training set is the
 * lexicon itself: a domain's text is as if drawn from its own words, each once, plus SMOOTHING of every other word of
 * the vocabulary; a generic text draws from the whole vocabulary evenly. Words of no list say nothing.
 */
#include <math.h>

#include "core/route/words.h"

#define SMOOTHING 0.05
#define GENERIC_PRIOR 0.4 /* the others share the rest */
#define SURE 0.65 /* below this the guess is generic */

static const char *const names[LEXICON_DOMAINS] = { "tactical", "cybersecurity", "stem" };

struct word_counts {
    int of_domain[LEXICON_DOMAINS];
    int known; /* of any domain */
};

static void words_count(str text, struct word_counts *out)
{
    for (size_t at = 0; at < text.len;) {
        if (route_word_bytes[(unsigned char)text.ptr[at]] == 0) {
            at++;
            continue;
        }
        struct word word = word_read(text, at);
        unsigned kinds = word_kinds(text, &word) / WORD_TACTICAL;
        int weight = kinds & (WORD_STRONG / WORD_TACTICAL) ? 2 : 1;
        for (int d = 0; d < LEXICON_DOMAINS; d++)
            out->of_domain[d] += (int)(kinds >> d & 1) * weight;
        out->known += kinds != 0 ? weight : 0;
        at = word.end;
    }
}

/* The log probability of the counted words under a domain. */
static double words_log(const struct word_counts *counts, int d)
{
    double total = route_domain_sizes[d] + SMOOTHING * route_domain_vocabulary;
    int own = counts->of_domain[d];

    return own * log((1 + SMOOTHING) / total) + (counts->known - own) * log(SMOOTHING / total);
}

struct domain_guess route_domain_guess(str question)
{
    struct word_counts counts = { .known = 0 };
    double generic, sum = 1;
    int best = 0;
    double logs[LEXICON_DOMAINS];

    words_count(str_slice(question, 0, ROUTE_QUESTION_BYTES_MAX), &counts);
    generic = log(GENERIC_PRIOR) - counts.known * log(route_domain_vocabulary);
    for (int d = 0; d < LEXICON_DOMAINS; d++) {
        logs[d] = log((1 - GENERIC_PRIOR) / LEXICON_DOMAINS) + words_log(&counts, d);
        if (logs[d] > logs[best])
            best = d;
    }
    /* Relative to the best, so that a long text does not underflow. */
    double top = fmax(logs[best], generic);
    sum = exp(generic - top);
    for (int d = 0; d < LEXICON_DOMAINS; d++)
        sum += exp(logs[d] - top);
    double probability = exp(logs[best] - top) / sum;
    if (probability >= SURE)
        return (struct domain_guess){ str_from(names[best]), probability };
    return (struct domain_guess){ STR("generic"), exp(generic - top) / sum };
}
