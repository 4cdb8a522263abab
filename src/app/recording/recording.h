/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recording: what real models once answered, read from a folder: DIR/questions.jsonl ({id, prompt} and more a
 * line) and DIR/answers/MODEL.jsonl ({id, output, prompt_tokens, completion_tokens}, perhaps {correct}).
 *
 * A caller may rely on: everything is in memory once it is open and never changes; a question is found by its id or
 * its whole text in constant time; models stand in the order of their names; an answer to a question that is not in the
 * folder is left out.
 *
 * May include: base, core/json, edge/world.
 */
#ifndef WEIR_APP_RECORDING_RECORDING_H
#define WEIR_APP_RECORDING_RECORDING_H

#include "base/arena.h"
#include "base/base.h"

#define RECORDING_MODELS_MAX 64
#define RECORDING_QUESTIONS_MAX 200000

struct recorded_question {
    str id;
    str text; /* the prompt, trimmed */
    str core; /* the question proper, without heading and instruction */
};

struct recorded_answer {
    str output; /* ptr NULL: this model has no answer to the question */
    int64_t prompt_tokens;
    int64_t completion_tokens;
    bool is_labelled; /* somebody judged it: */
    bool is_correct;
};

struct recorded_model {
    str name; /* of its file */
    struct recorded_answer *answers; /* one a question, in the questions' order */
};

struct recording;

/* WEIR_CONFIG (the content of a file; FILE:LINE), WEIR_IO, WEIR_NO_MEMORY, with a sentence in out_why. */
NODISCARD enum err recording_open(struct recording **out, str folder, char out_why[256]);
void recording_close(struct recording *r); /* NULL is a no-op */

#define RECORDING_NONE SIZE_MAX
size_t recording_question_count(const struct recording *r);
const struct recorded_question *recording_question(const struct recording *r, size_t index);
/* Indices, or RECORDING_NONE. */
size_t recording_find_id(const struct recording *r, str id);
/* The question that a prompt is, or else the longest one that stands inside of it (this looks at each), so that a prompt template
 * around a question does no harm. */
size_t recording_find_prompt(const struct recording *r, str prompt);

size_t recording_model_count(const struct recording *r);
const struct recorded_model *recording_model(const struct recording *r, size_t index);
/* By the file's name, else the first dated snapshot of a family: "gpt-4o" finds "gpt-4o-2024-08-06", not
 * "gpt-4o-mini-…". NULL: none. */
const struct recorded_model *recording_find_model(const struct recording *r, str name);

/* The same from texts, a line at a time, for what reads no folder: first the questions, once, then each model's answers.
 * On WEIR_CONFIG *out_line is the line that is none. */
NODISCARD enum err recording_new(struct recording **out);
NODISCARD enum err recording_read_questions(struct recording *r, str text, size_t *out_line);
NODISCARD enum err recording_read_answers(struct recording *r, str model, str text,
                                          size_t *out_line);

#endif
