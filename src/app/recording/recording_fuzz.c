/* SPDX-License-Identifier: Apache-2.0 */
/* recording_fuzz: any bytes as questions, a line of '%' and answers: no crash, and every question is found by its id. */
#include <stdlib.h>

#include "app/recording/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = { (const char *)data, size };
    size_t cut = str_find(text, STR("\n%\n")), line = 0;
    str questions = cut == STR_NPOS ? text : str_slice(text, 0, cut);
    str answers = str_slice(text, cut == STR_NPOS ? size : cut + 3, size);
    struct recording *r;

    if (recording_new(&r) != OK)
        return 0;
    enum err e = recording_read_questions(r, questions, &line);
    if (e == WEIR_CONFIG && line == 0)
        abort();
    for (size_t i = 0; i < recording_question_count(r); i++) {
        if (recording_find_id(r, recording_question(r, i)->id) != i ||
            recording_find_prompt(r, recording_question(r, i)->text) == RECORDING_NONE)
            abort();
    }
    if (e == OK)
        IGNORE(recording_read_answers(r, STR("m"), answers, &line));
    recording_close(r);
    return 0;
}
