/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label: what is said about an answer, into the ledger: by the request's verifier as the query settles, by a client's feedback
 * whenever it comes.
 */
#include "app/engine/engine_internal.h"

/* Only these say that an answer is right; the others state conditions that a wrong answer may meet, or look for phrases. */
static bool verifier_is_sure(enum verifier_kind kind)
{
    switch (kind) {
    case VERIFY_ARITHMETIC:
    case VERIFY_EXACT:
    case VERIFY_NUMBER:
    case VERIFY_GAME24:
    case VERIFY_SCHEDULE:
        return true;
    case VERIFY_NONE:
    case VERIFY_REGEX:
    case VERIFY_JSON_SCHEMA:
    case VERIFY_RUBRIC:
        break;
    }
    return false;
}

double label_verdict_of(const struct query *q)
{
    double verdict = q->best.signals.verifier;

    if (!q->best.has_answer || verdict < 0)
        return -1;
    return verdict > 0.5 ? 1 : 0;
}

bool label_is_noisy(const struct query *q, double verdict)
{
    return verdict > 0 && !verifier_is_sure(q->verifier.kind); /* what fails a condition is wrong */
}

void label_verdict(struct query *q)
{
    double verdict = label_verdict_of(q);

    if (verdict < 0)
        return;
    struct ledger_label label = { .query = q->id,
                                  .source = LABEL_VERIFIER,
                                  .value = verdict,
                                  .is_noisy = label_is_noisy(q, verdict),
                                  .labelled = world_wall() };
    ledger_label(q->engine->ledger, &label);
}

/* ---- feedback ---- */

void feedback_put(struct engine *e, struct feedback *f)
{
    struct ledger_label label = { .query = f->query,
                                  .source = LABEL_FEEDBACK,
                                  .value = f->value,
                                  .labelled = world_wall(),
                                  .text = f->text };

    ledger_label(e->ledger, &label);
    list_add_tail(&e->feedback, &f->link);
}

void feedback_finish(struct engine *e, enum err committed)
{
    struct link all;

    link_init(&all);
    list_take(&all, &e->feedback);
    for (struct link *l = list_pop(&all); l; l = list_pop(&all)) {
        struct feedback *f = CONTAINER_OF(l, struct feedback, link);
        f->on_done(f, committed); /* the owner may free it */
    }
}
