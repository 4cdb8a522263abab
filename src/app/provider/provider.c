/* SPDX-License-Identifier: Apache-2.0 */
/* provider: options, opening and closing, paths, and the table of modes. */
#include "app/provider/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/provider/provider_internal.h"
#include "app/recording/recording.h"
#include "base/rng.h"

#define EXCHANGE_ARENA_MAX ((size_t)64 << 20) /* a document of a body at the server's limit fits */
#define ARENA_MAX ((size_t)1 << 30) /* a script */

/* clang-format off */
const struct mode provider_modes[] = {
    [PROVIDER_MODE_ECHO]     = { "echo",     false, "weir-echo",      NULL,          echo_answer,      echo_write_models },
    [PROVIDER_MODE_SIM]      = { "sim",      false, "weir-simulated", NULL,          simulated_answer, simulated_write_models },
    [PROVIDER_MODE_RECORDED] = { "recorded", true,  "weir-recorded",  recorded_load, recorded_answer,  recorded_write_models },
    [PROVIDER_MODE_SCRIPT]   = { "script",   true,  "weir-script",    script_load,   script_answer,    script_write_models },
};
#define MODE_COUNT ARRAY_LEN(provider_modes)

static const struct {
    const char *name;
    size_t offset; /* of the int64_t in struct provider_options */
    int64_t min;
    int64_t max;
} integer_options[] = {
    { "delay-ms",          offsetof(struct provider_options, delay_ms),          0, PROVIDER_DELAY_MS_MAX },
    { "deltas",            offsetof(struct provider_options, deltas),            1, PROVIDER_DELTAS_MAX },
    { "delta-interval-ms", offsetof(struct provider_options, delta_interval_ms), 0, PROVIDER_DELAY_MS_MAX },
};

static const struct {
    const char *name;
    size_t offset; /* of the double in struct provider_options */
    double max; /* from 0 */
} number_options[] = {
    { "time-scale", offsetof(struct provider_options, time_scale), 1000.0 },
    { "fault-rate", offsetof(struct provider_options, fault_rate), 1.0 },
};
/* clang-format on */

struct provider_options provider_options_default(void)
{
    return (struct provider_options){ .mode = PROVIDER_MODE_ECHO,
                                      .listen = STR("127.0.0.1:0"),
                                      .deltas = 8,
                                      .time_scale = 1.0,
                                      .seed = 1 };
}

enum err provider_mode_parse(str text, struct provider_options *out, char out_why[160])
{
    size_t colon = str_find_char(text, ':');
    bool has_path = colon != STR_NPOS;
    str name = has_path ? str_slice(text, 0, colon) : text;
    str path = has_path ? str_slice(text, colon + 1, text.len) : (str){ 0 };

    for (size_t i = 0; i < MODE_COUNT; i++) {
        const struct mode *mode = &provider_modes[i];
        if (!str_eq(name, str_from(mode->name)))
            continue;
        if (mode->takes_path != has_path || (has_path && path.len == 0)) {
            snprintf(out_why, 160, "mode %s %s", mode->name,
                     mode->takes_path ? "needs a path behind a colon" : "takes no path");
            return CALLER_BAD_REQUEST;
        }
        out->mode = (enum provider_mode)i;
        out->path = path;
        return OK;
    }
    snprintf(out_why, 160, "unknown mode \"%.*s\": echo, sim, recorded:DIR or script:FILE",
             (int)(name.len < 40 ? name.len : 40), name.ptr ? name.ptr : "");
    return CALLER_BAD_REQUEST;
}

static enum err options_check(const struct provider_options *options, char out_why[256])
{
    const char *base = (const char *)options;

    for (size_t i = 0; i < ARRAY_LEN(integer_options); i++) {
        int64_t value;
        memcpy(&value, base + integer_options[i].offset, sizeof value);
        if (value < integer_options[i].min || value > integer_options[i].max) {
            snprintf(out_why, 256, "%s must be between %" PRId64 " and %" PRId64,
                     integer_options[i].name, integer_options[i].min, integer_options[i].max);
            return CALLER_BAD_REQUEST;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(number_options); i++) {
        double value;
        memcpy(&value, base + number_options[i].offset, sizeof value);
        if (!(value >= 0.0 && value <= number_options[i].max)) {
            snprintf(out_why, 256, "%s must be between 0 and %g", number_options[i].name,
                     number_options[i].max);
            return CALLER_BAD_REQUEST;
        }
    }
    return OK;
}

const struct mode *provider_mode_of(const struct provider *p)
{
    return &provider_modes[p->options.mode];
}

/* ---- small answers ---- */

str request_id_format(const struct provider *p, char out[REQUEST_ID_MAX])
{
    /* The mixing is a bijection, so that ids of one provider never repeat. */
    int len = snprintf(out, REQUEST_ID_MAX, "req_%016" PRIx64,
                       rng_mix(p->counts.requests ^ (p->options.seed << 40)));

    return (str){ out, (size_t)len };
}

void respond_json(struct provider *p, struct exchange *x, int status, str body)
{
    char id[REQUEST_ID_MAX];
    struct answer_header headers[] = {
        { STR("x-request-id"), request_id_format(p, id) },
        { STR("x-weir-simulated"), STR("true") },
    };
    size_t count = p->options.mode == PROVIDER_MODE_SIM ? 2 : 1;

    p->counts.answered++;
    exchange_respond(x, status, STR("application/json"), headers, count, body);
}

void respond_error(struct provider *p, struct exchange *x, int status, enum err fault, str message,
                   str param)
{
    buf_reset(&p->body);
    chat_error_write(&p->body, fault, message, param);
    respond_json(p, x, status, buf_str(&p->body));
}

bool request_read(struct provider *p, struct exchange *x, struct chat_request *out)
{
    struct chat_error error = { 0 };
    enum err e = chat_request_parse(exchange_arena(x), exchange_body(x), out, &error);

    if (e == OK)
        return true;
    str message = error.message.len > 0 ? error.message : str_from(err_info(e)->text);
    respond_error(p, x, err_info(e)->http_status, e, message, error.param);
    return false;
}

str last_user_content(const struct chat_request *request)
{
    for (size_t i = request->message_count; i > 0; i--) {
        if (strcmp(request->messages[i - 1].role, "user") == 0)
            return request->messages[i - 1].content;
    }
    return (str){ 0 };
}

void model_write(struct buf *out, str name)
{
    json_comma(out);
    buf_add(out, STR("{\"id\":"));
    json_write_str(out, name);
    buf_add(out, STR(",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"weir\"}"));
}

/* ---- paths ---- */

static void answer_models(struct provider *p, struct exchange *x)
{
    buf_reset(&p->body);
    buf_add(&p->body, STR("{\"object\":\"list\",\"data\":["));
    provider_mode_of(p)->write_models(p, &p->body);
    buf_add(&p->body, STR("]}"));
    respond_json(p, x, 200, buf_str(&p->body));
}

static void answer_counts(struct provider *p, struct exchange *x)
{
    buf_reset(&p->body);
    buf_printf(&p->body,
               "{\"requests\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"gone\":%" PRIu64
               ",\"cut\":%" PRIu64 ",\"open\":%zu}",
               p->counts.requests, p->counts.answered, p->counts.gone, p->counts.cut, p->open);
    respond_json(p, x, 200, buf_str(&p->body));
}

static void answer_chat(struct provider *p, struct exchange *x)
{
    p->counts.requests++;
    provider_mode_of(p)->answer(p, x);
}

/* Only a script's author knows what other APIs would say. */
static void answer_script(struct provider *p, struct exchange *x)
{
    p->counts.requests++;
    if (p->script)
        script_answer(p, x);
    else
        respond_error(p, x, 404, CALLER_UNKNOWN_PATH,
                      STR("only a script (--mode script:FILE) answers at this path"), (str){ 0 });
}

static const struct {
    const char *path; /* without /v1 */
    const char *method;
    void (*answer)(struct provider *p, struct exchange *x);
} paths[] = {
    { "/chat/completions", "POST", answer_chat },
    { "/messages", "POST", answer_script },
    { "/responses", "POST", answer_script },
    { "/embeddings", "POST", answer_script },
    { "/models", "GET", answer_models },
    { "/weir/provider", "GET", answer_counts },
    { "/weir/provider/requests", "GET", answer_seen },
};

static void on_request(void *ctx, struct exchange *x)
{
    struct provider *p = ctx;
    str path = exchange_path(x);

    if (str_starts(path, STR("/v1/")))
        path = str_slice(path, STR("/v1").len, path.len);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (!str_eq(path, str_from(paths[i].path)))
            continue;
        if (str_eq(exchange_method(x), str_from(paths[i].method)))
            paths[i].answer(p, x);
        else
            respond_error(p, x, 405, CALLER_BAD_METHOD, STR("this path does not take this method"),
                          (str){ 0 });
        return;
    }
    respond_error(p, x, 404, CALLER_UNKNOWN_PATH, STR("there is nothing at this path"), (str){ 0 });
}

/* ---- lifecycle ---- */

static enum err start(struct provider *p, char out_why[256])
{
    char why[160] = "";
    const struct mode *mode = provider_mode_of(p);

    if (mode->load) {
        enum err e = mode->load(p, out_why);
        if (e != OK)
            return e;
    }
    struct server_options options = { .listen = p->options.listen,
                                      .reuse_port = p->options.reuse_port,
                                      .limits = server_limits_default(),
                                      .arena_max_bytes = EXCHANGE_ARENA_MAX,
                                      .on_request = on_request,
                                      .ctx = p };
    enum err e = server_open(&p->server, p->world, &options, why);
    if (e != OK)
        snprintf(out_why, 256, "%s", why);
    return e;
}

enum err provider_open(struct provider **out, struct world *w,
                       const struct provider_options *options, char out_why[256])
{
    enum err e = options_check(options, out_why);

    if (e != OK)
        return e;
    assert((size_t)options->mode < MODE_COUNT);
    struct provider *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(out_why, 256, "out of memory");
        return WEIR_NO_MEMORY;
    }
    p->world = w;
    link_init(&p->plays);
    arena_init(&p->arena, ARENA_MAX);
    p->options = *options;
    p->options.path = arena_str(&p->arena, options->path);
    p->options.listen = arena_str(&p->arena, options->listen);
    out_why[0] = '\0';
    e = arena_failed(&p->arena) ? WEIR_NO_MEMORY : start(p, out_why);
    if (e != OK) {
        if (out_why[0] == '\0')
            snprintf(out_why, 256, "%s", err_info(e)->text);
        provider_close(p);
        return e;
    }
    *out = p;
    return OK;
}

uint16_t provider_port(const struct provider *p)
{
    return server_port(p->server);
}

struct provider_counts provider_counts(const struct provider *p)
{
    return p->counts;
}

void provider_close(struct provider *p)
{
    if (!p)
        return;
    while (!list_empty(&p->plays))
        play_cancel(CONTAINER_OF(p->plays.next, struct play, link));
    server_close(p->server);
    buf_fini(&p->body);
    buf_fini(&p->piece);
    buf_fini(&p->seen);
    recording_close(p->recorded);
    arena_fini(&p->arena);
    free(p);
}
