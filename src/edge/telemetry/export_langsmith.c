/* SPDX-License-Identifier: Apache-2.0 */
/* export_langsmith: traces to LangSmith: what the server can take is asked first, then as many requests as that needs. */
#include <stdlib.h>

#include "core/telemetry/langsmith.h"
#include "edge/config/config.h"
#include "edge/telemetry/exporter.h"

#define BODY_BYTES_MAX ((size_t)64 << 20)

struct langsmith {
    struct langsmith_options options;
    struct langsmith_info info;
    bool is_asked; /* what the server can take */
    struct buf info_url, batch_url, multipart_url;
    struct buf body;
};

static void headers_set(const struct exporter *x, struct post_request *request)
{
    const struct config *config = x->options.config;

    request->headers[request->header_count++] =
        (struct post_header){ STR("x-api-key"), config->langsmith.api_key };
    if (config->langsmith.workspace.len > 0)
        request->headers[request->header_count++] =
            (struct post_header){ STR("X-Tenant-Id"), config->langsmith.workspace };
}

/* Without an answer that says so, the defaults hold: the released clients do the same. */
static void info_ask(struct exporter *x, struct delivery *out)
{
    struct langsmith *l = x->state;
    struct post_request request = { .url = buf_str(&l->info_url), .method = STR("GET") };
    struct post_answer answer;

    headers_set(x, &request);
    l->info = langsmith_info_default();
    if (exporter_post(x, &request, &answer, out)) {
        l->is_asked = true;
        if (answer.status == 200)
            l->info = langsmith_info_read(buf_str(&answer.body));
    }
    buf_fini(&answer.body);
}

static enum langsmith_verdict post(struct exporter *x, struct delivery *out)
{
    struct langsmith *l = x->state;
    bool is_multipart = l->info.has_multipart;
    struct post_request request = {
        .url = buf_str(is_multipart ? &l->multipart_url : &l->batch_url),
        .content_type = is_multipart ? str_from(langsmith_multipart_type) : STR(""),
        .body = buf_str(&l->body),
    };
    struct post_answer answer;
    enum langsmith_verdict verdict = LANGSMITH_RETRY;

    headers_set(x, &request);
    if (exporter_post(x, &request, &answer, out)) {
        verdict = langsmith_verdict_of(answer.status, is_multipart);
        if (verdict != LANGSMITH_TAKEN)
            exporter_explain(x, out, &answer);
    }
    buf_fini(&answer.body);
    return verdict;
}

static enum sent sent_of(enum langsmith_verdict verdict)
{
    switch (verdict) {
    case LANGSMITH_TAKEN:
        return SENT_TAKEN;
    case LANGSMITH_TOO_LARGE:
        return SENT_TOO_LARGE;
    case LANGSMITH_RETRY:
    case LANGSMITH_NO_MULTIPART:
        return SENT_LATER;
    case LANGSMITH_REFUSED:
        break;
    }
    return SENT_REFUSED;
}

static enum sent send_traces(struct exporter *x, const struct trace *const *traces, size_t n,
                             struct delivery *out)
{
    struct langsmith *l = x->state;
    const struct langsmith_batch batch = { &l->options, &l->info, traces, n };
    struct langsmith_cursor at = { 0 };

    if (!l->is_asked)
        info_ask(x, out);
    for (;;) {
        struct langsmith_cursor from = at;
        buf_reset(&l->body);
        bool has_any = l->info.has_multipart ? langsmith_multipart_write(&l->body, &batch, &at)
                                             : langsmith_json_write(&l->body, &batch, &at);
        if (!has_any)
            return SENT_TAKEN;
        if (l->body.failed)
            return SENT_TOO_LARGE;
        enum langsmith_verdict verdict = post(x, out);
        if (verdict == LANGSMITH_NO_MULTIPART) { /* the same runs, the other way */
            l->info.has_multipart = false;
            at = from;
        } else if (verdict != LANGSMITH_TAKEN) {
            return sent_of(verdict);
        }
    }
}

static void close_state(void *state)
{
    struct langsmith *l = state;

    buf_fini(&l->info_url);
    buf_fini(&l->batch_url);
    buf_fini(&l->multipart_url);
    buf_fini(&l->body);
    free(l);
}

static const struct exporter_methods methods = {
    "langsmith", EXPORTER_BATCH_MAX, send_traces, NULL, NULL, NULL, close_state
};

enum err export_langsmith_open(struct exporter **out, const struct exporter_options *options)
{
    const struct config *config = options->config;

    if (!config->monitoring.langsmith_enabled || config->langsmith.api_key.len == 0)
        return OK;
    struct langsmith *l = calloc(1, sizeof(*l));
    if (!l)
        return WEIR_NO_MEMORY;
    l->options = (struct langsmith_options){ config->langsmith.project, config->telemetry.service,
                                             options->version };
    l->body.max = BODY_BYTES_MAX;
    buf_printf(&l->info_url, "%.*s/info", STR_ARG(config->langsmith.endpoint));
    buf_printf(&l->batch_url, "%.*s/runs/batch", STR_ARG(config->langsmith.endpoint));
    buf_printf(&l->multipart_url, "%.*s/runs/multipart", STR_ARG(config->langsmith.endpoint));
    return exporter_open(out, &methods, l, options);
}
