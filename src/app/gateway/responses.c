/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responses: the door of POST /v1/responses. A model of a provider that has this API is relayed untouched; other models and strategies
 * are asked in chat completions, for text only, and what they answer is translated back.
 */
#include "app/gateway/door.h"

static enum err admit(struct visit *v, struct chat_error *error)
{
    return visit_relay_or_translate(v, API_RESPONSES, &face_responses, error);
}

const struct door door_responses = { .names_events = true,
                                     .face = &face_responses,
                                     .admit = admit };
