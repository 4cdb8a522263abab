/* SPDX-License-Identifier: Apache-2.0 */
/* openai_write: what weir itself says in OpenAI's dialect: calls, replies, their streams, errors. */
#include "core/dialect/wire_internal.h"

/* OpenAI's reasoning models refuse max_tokens; servers older than they know nothing else. */
const char *limit_name(str model)
{
    static const char *const families[] = { "o1", "o3", "o4", "gpt-5" };

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (str_starts(model, str_from(families[i])))
            return "max_completion_tokens";
    }
    return "max_tokens";
}

static void messages_write(struct buf *out, const struct chat_call *call)
{
    json_key(out, "messages");
    buf_add_char(out, '[');
    for (size_t i = 0; i < call->message_count; i++) {
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "role", str_from(call->messages[i].role));
        json_member_str(out, "content", call->messages[i].content);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void chat_call_write(struct buf *out, const struct chat_call *call)
{
    buf_add_char(out, '{');
    json_member_str(out, "model", call->model);
    messages_write(out, call);
    if (call->temperature >= 0)
        json_member_double(out, "temperature", call->temperature);
    if (call->max_tokens > 0)
        json_member_i64(out, limit_name(call->model), call->max_tokens);
    if (call->schema_name.len > 0) {
        buf_add(out, STR(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"));
        json_member_str(out, "name", call->schema_name);
        json_member_bool(out, "strict", true);
        json_key(out, "schema");
        buf_add(out, call->schema);
        buf_add(out, STR("}}"));
    }
    if (call->stream)
        buf_add(out, STR(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
    buf_add_char(out, '}');
}

void usage_write(struct buf *out, const struct usage *u)
{
    int64_t total;

    if (!i64_add(u->input, u->output, &total))
        total = INT64_MAX;
    json_key(out, "usage");
    buf_add_char(out, '{');
    json_member_i64(out, "prompt_tokens", u->input);
    json_member_i64(out, "completion_tokens", u->output);
    json_member_i64(out, "total_tokens", total);
    buf_add(out, STR(",\"prompt_tokens_details\":{"));
    json_member_i64(out, "cached_tokens", u->cached);
    if (u->cache_write > 0)
        json_member_i64(out, "cache_write_tokens", u->cache_write);
    buf_add(out, STR("},\"completion_tokens_details\":{"));
    json_member_i64(out, "reasoning_tokens", u->reasoning);
    buf_add(out, STR("}}"));
}

static bool has_usage(const struct usage *u)
{
    return u->is_known || u->is_estimated || u->input > 0 || u->output > 0;
}

static void head_write(struct buf *out, const struct chat_reply *reply, const char *object)
{
    buf_add_char(out, '{');
    json_member_str(out, "id", reply->id);
    json_member_str(out, "object", str_from(object));
    json_member_i64(out, "created", reply->created);
    json_member_str(out, "model", reply->model);
}

static void weir_write(struct buf *out, const struct chat_reply *reply)
{
    if (reply->weir.len == 0)
        return;
    json_key(out, "weir");
    buf_add(out, reply->weir);
}

void chat_reply_write(struct buf *out, const struct chat_reply *reply)
{
    head_write(out, reply, "chat.completion");
    buf_add(out, STR(",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\""));
    json_member_str(out, "content", reply->content);
    buf_add(out, STR(",\"refusal\":null},\"logprobs\":null"));
    json_member_str(out, "finish_reason", str_from(reply->finish));
    buf_add(out, STR("}]"));
    if (has_usage(&reply->usage))
        usage_write(out, &reply->usage);
    weir_write(out, reply);
    buf_add_char(out, '}');
}

static void chunk_open(struct buf *out, const struct chat_reply *reply)
{
    buf_add(out, STR("data: "));
    head_write(out, reply, "chat.completion.chunk");
}

/* A chunk of the first choice. With usage asked for, every chunk names it, and all but the last say null. */
static void delta_open(struct buf *out, const struct chat_reply *reply, bool include_usage)
{
    chunk_open(out, reply);
    if (include_usage)
        buf_add(out, STR(",\"usage\":null"));
    buf_add(out, STR(",\"choices\":[{\"index\":0,\"delta\":{"));
}

void chat_reply_write_events(struct buf *out, const struct chat_reply *reply, bool include_usage)
{
    delta_open(out, reply, include_usage);
    buf_add(out, STR("\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"));
    if (reply->content.len > 0) {
        delta_open(out, reply, include_usage);
        json_member_str(out, "content", reply->content);
        buf_add(out, STR("},\"finish_reason\":null}]}\n\n"));
    }
    delta_open(out, reply, include_usage);
    buf_add_char(out, '}');
    json_member_str(out, "finish_reason", str_from(reply->finish));
    buf_add(out, STR("}]"));
    weir_write(out, reply);
    buf_add(out, STR("}\n\n"));
    if (include_usage) {
        chunk_open(out, reply);
        buf_add(out, STR(",\"choices\":[]"));
        usage_write(out, &reply->usage);
        buf_add(out, STR("}\n\n"));
    }
    buf_add(out, STR("data: [DONE]\n\n"));
}

/* Clients wait and try again, or give up, by what OpenAI calls these two. */
static const char *error_code(enum err fault)
{
    if (fault == POLICY_LIMIT)
        return "rate_limit_exceeded";
    return fault == POLICY_QUOTA ? "insufficient_quota" : err_info(fault)->name;
}

void chat_error_write(struct buf *out, enum err fault, str message, str param)
{
    const struct err_info *info = err_info(fault);

    buf_add(out, STR("{\"error\":{"));
    json_member_str(out, "message", message.len > 0 ? message : str_from(info->text));
    json_member_str(out, "type", str_from(info->type));
    json_key(out, "param");
    if (param.len > 0)
        json_write_str(out, param);
    else
        buf_add(out, STR("null"));
    json_key(out, "code");
    buf_add_char(out, '"');
    lower_write(out, error_code(fault));
    buf_add(out, STR("\"}}"));
}
