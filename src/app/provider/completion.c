/* SPDX-License-Identifier: Apache-2.0 */
/* completion: a chat completion in OpenAI's shapes, from prebuilt parts. */
#include "app/provider/provider_internal.h"

static void write_id(struct buf *out, const struct completion *c)
{
    static const char digits[] = "0123456789abcdef";
    char id[16];

    for (size_t i = 0; i < sizeof id; i++)
        id[i] = digits[(c->number >> (60 - 4 * i)) & 15];
    buf_add(out, STR("\"id\":\"chatcmpl-"));
    buf_add(out, (str){ id, sizeof id });
}

static void write_usage(struct buf *out, const struct completion *c)
{
    buf_add(out, STR("\"usage\":{\"prompt_tokens\":"));
    buf_add_i64(out, c->prompt_tokens);
    buf_add(out, STR(",\"completion_tokens\":"));
    buf_add_i64(out, c->completion_tokens);
    buf_add(out, STR(",\"total_tokens\":"));
    buf_add_i64(out, c->prompt_tokens + c->completion_tokens);
    buf_add(out, STR(",\"prompt_tokens_details\":{\"cached_tokens\":0}}"));
}

void completion_write(struct buf *out, const struct completion *c)
{
    buf_add_char(out, '{');
    write_id(out, c);
    buf_add(out, STR("\",\"object\":\"chat.completion\",\"created\":"));
    buf_add_i64(out, c->created);
    buf_add(out, STR(",\"model\":"));
    json_write_str(out, c->model);
    buf_add(out,
            STR(",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"));
    json_write_str(out, c->text);
    buf_add(out, STR(",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\""));
    buf_add(out, str_from(c->finish));
    buf_add(out, STR("\"}],"));
    write_usage(out, c);
    buf_add(out, STR(",\"system_fingerprint\":\""));
    buf_add(out, str_from(c->fingerprint));
    buf_add(out, STR("\"}"));
}

void completion_write_event_head(struct buf *out, const struct completion *c)
{
    buf_add(out, STR("data: {"));
    write_id(out, c);
    buf_add(out, STR("\",\"object\":\"chat.completion.chunk\",\"created\":"));
    buf_add_i64(out, c->created);
    buf_add(out, STR(",\"model\":"));
    json_write_str(out, c->model);
    buf_add(out, STR(",\"system_fingerprint\":\""));
    buf_add(out, str_from(c->fingerprint));
    buf_add(out, STR("\",\"choices\":["));
}

void completion_write_delta(struct buf *out, str event_head, str delta, bool is_first)
{
    buf_add(out, event_head);
    buf_add(out, is_first ? STR("{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":")
                          : STR("{\"index\":0,\"delta\":{\"content\":"));
    json_write_str(out, delta);
    buf_add(out, STR("},\"logprobs\":null,\"finish_reason\":null}]}\n\n"));
}

void completion_write_end(struct buf *out, const struct completion *c, str event_head,
                          bool include_usage)
{
    buf_add(out, event_head);
    buf_add(out, STR("{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\""));
    buf_add(out, str_from(c->finish));
    buf_add(out, STR("\"}]}\n\n"));
    if (include_usage) {
        buf_add(out, event_head);
        buf_add(out, STR("],"));
        write_usage(out, c);
        buf_add(out, STR("}\n\n"));
    }
    buf_add(out, STR("data: [DONE]\n\n"));
}

/* The first place at or after `at` that does not stand inside a UTF-8 sequence. */
static size_t boundary(str text, size_t at)
{
    while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80)
        at++;
    return at;
}

str text_part(str text, size_t i, size_t n)
{
    assert(n > 0);
    assert(i < n);
    /* Texts are at most some megabytes and n at most DELTAS_MAX: the products fit in 64 bits. */
    size_t from = boundary(text, text.len * i / n);
    size_t to = boundary(text, text.len * (i + 1) / n);
    return str_slice(text, from, to);
}
