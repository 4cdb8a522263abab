/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_internal: the checks behind verifier_check(), one for each kind, and what they share. A check
 * tries its whole spec whatever the answer is, so that a bad spec is found when it is first used.
 *
 * May include: base, core/json.
 */
#ifndef WEIR_CORE_REASON_VERIFIER_INTERNAL_H
#define WEIR_CORE_REASON_VERIFIER_INTERNAL_H

#include "core/json/json.h"
#include "core/reason/answer_internal.h"
#include "core/reason/reason.h"

struct finding {
    enum verdict verdict;
    str why; /* of a refusal, for the model: names the fault, never the answer; in the arena */
};

/* Each: OK and *out; CALLER_BAD_REQUEST for a bad spec; WEIR_NO_MEMORY where it notices (verifier_check looks too). */
NODISCARD enum err verify_arithmetic(struct arena *arena, const struct verifier *v, str answer,
                                     struct finding *out);
NODISCARD enum err verify_exact(struct arena *arena, const struct verifier *v, str answer,
                                struct finding *out);
NODISCARD enum err verify_number(struct arena *arena, const struct verifier *v, str answer,
                                 struct finding *out);
NODISCARD enum err verify_regex(struct arena *arena, const struct verifier *v, str answer,
                                struct finding *out);
NODISCARD enum err verify_json_schema(struct arena *arena, const struct verifier *v, str answer,
                                      struct finding *out);
NODISCARD enum err verify_game24(struct arena *arena, const struct verifier *v, str answer,
                                 struct finding *out);
NODISCARD enum err verify_schedule(struct arena *arena, const struct verifier *v, str answer,
                                   struct finding *out);
NODISCARD enum err verify_rubric(struct arena *arena, const struct verifier *v, str answer,
                                 struct finding *out);

/* What the answer must look like, in words for the model, without giving it away. */
str verify_number_format(struct arena *arena, const struct verifier *v);
str verify_game24_format(struct arena *arena, const struct verifier *v);

/* What the model of any answer may see of it again: its beginning. */
str finding_quote(str answer);
/* The answer is refused, and why. */
void finding_refuse(struct finding *out, str why);
/* The JSON inside a fence, else the text itself. */
str finding_json(str answer);

/* A spec that is a JSON object with these members only (a misspelt one would be a condition that nobody checks). */
NODISCARD enum err spec_object(struct arena *arena, str spec, const str *names, size_t count,
                               struct json *out);
bool spec_has_only(struct json object, const str *names, size_t count);

#endif
