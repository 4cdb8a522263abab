/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages: captured prompts and answers in the shapes that tools show as a talk. A prompt is a JSON array of messages, or the
 * body of a request that has one; what is neither (because it was cut) is shown as one text.
 *
 * May include: base, core/json.
 */
#ifndef WEIR_CORE_TELEMETRY_MESSAGES_H
#define WEIR_CORE_TELEMETRY_MESSAGES_H

#include "base/base.h"

/* OpenTelemetry's: [{"role":"user","parts":[{"type":"text","content":"…"}]}]; nothing for an empty text. */
void messages_write_parts(struct buf *out, str captured);
void messages_write_answer_parts(struct buf *out, str text);

/* OpenAI's, which LangSmith shows: [{"role":"user","content":"…"}]; always an array. */
void messages_write_plain(struct buf *out, str captured);

#endif
