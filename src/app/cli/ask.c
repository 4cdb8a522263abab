/* SPDX-License-Identifier: Apache-2.0 */
/* weir ask: one query through the configured pipeline, without a server. */
#include "app/cli/cli.h"

#include <math.h>
#include <unistd.h>

#include "app/engine/engine.h"
#include "app/engine/stack.h"
#include "base/glyph.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/store/store.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define ARENA_BYTES ((size_t)256 << 20)

struct ask {
    struct config *config;
    struct store *store;
    struct stack stack;
    struct log log;
    struct arena arena;
    struct query query;
    struct chat_request request;
    struct chat_message message;
    bool is_done;
};

static void on_finish(struct query *q)
{
    struct ask *ask = q->ctx;

    ask->is_done = true;
    world_stop(ask->stack.world);
}

/* ---- what people see ---- */

/* Model output on a terminal: nothing in it can move the cursor or turn the direction of the rest. */
static void print_safe(str text, size_t max)
{
    bool keeps_lines = max == SIZE_MAX;

    text = str_slice(text, 0, max);
    for (struct glyph g; glyph_next(&text, &g);) {
        bool is_shown = g.kind == GLYPH_PLAIN || g.kind == GLYPH_UNSEEN ||
                        (keeps_lines && str_eq(g.bytes, STR("\n")));
        if (is_shown)
            fwrite(g.bytes.ptr, 1, g.bytes.len, stdout);
        else
            putchar(' ');
    }
}

static void print_call(const struct query *q, const struct call_trace *call, int depth)
{
    char cost[32];
    str price = cost_format(call->cost, cost);

    printf("%*s%s #%u %.*s  %s  %" PRId64 "+%" PRId64 " tokens%s  %.*s  %" PRId64 " ms%s\n",
           depth * 3, "", depth > 0 ? "└─" : "──", call->number, STR_ARG(call->label),
           call->fault == OK ? "ok" : err_info(call->fault)->name, call->usage.input,
           call->usage.output, call->usage.is_estimated ? " (estimated)" : "", STR_ARG(price),
           call->took / NSEC_PER_MS, call->attempts > 1 ? " (retried)" : "");
    if (call->text.len > 0) {
        printf("%*s   ", depth * 3, "");
        print_safe(str_trim(call->text), 160);
        printf("%s\n", call->text.len > 160 ? "…" : "");
    }
    for (const struct call_trace *child = q->trace; child; child = child->next) {
        if (child->parent == call->number)
            print_call(q, child, depth + 1);
    }
}

static void print_trace(const struct query *q)
{
    printf("\ncalls:\n");
    for (const struct call_trace *call = q->trace; call; call = call->next) {
        if (call->parent == 0)
            print_call(q, call, 0);
    }
}

static void print_confidence(const char *name, double value)
{
    if (value >= 0)
        printf("  %s %.2f", name, value);
}

static void print_confidences(const struct query *q)
{
    bool is_mapped = fabs(q->best.confidence - q->best.raw_confidence) > 1e-12;

    if (q->best.confidence < 0)
        return;
    printf("confidence (%s)", q->best.is_calibrated ? "calibrated: a probability"
                              : is_mapped           ? "by other answers' labels, uncalibrated"
                                                    : "raw, uncalibrated");
    print_confidence("answer", q->best.confidence);
    print_confidence("hrm", q->best.hrm_confidence);
    print_confidence("trm", q->best.trm_confidence);
    if (is_mapped)
        print_confidence("raw", q->best.raw_confidence);
    printf("  stopped: %s\n", q->best.halt ? q->best.halt : "");
}

/* What was decided before the first call, and why. */
static void print_decision(const struct query *q)
{
    const struct decision *d = q->decision;

    if (!d)
        return;
    printf("domain ");
    print_safe(q->domain, 200);
    if (d->domain_probability >= 0)
        printf(" (guessed, %.2f)", d->domain_probability);
    printf("  route %.*s", STR_ARG(d->scorer));
    if (d->score >= 0)
        printf(" %.2f", d->score);
    if (d->is_explored)
        printf(" (explored)");
    printf(":");
    for (size_t i = 0; i < d->reason_count; i++) {
        printf("%s ", i > 0 ? ";" : "");
        print_safe(d->reasons[i], 200);
    }
    printf("\n");
}

static void print_people(const struct ask *ask, bool with_trace)
{
    const struct query *q = &ask->query;
    char cost[32];
    str price = cost_format(q->cost, cost);

    if (q->fault == OK) {
        if (q->is_simulated)
            printf("[simulated] ");
        print_safe(q->best.answer, SIZE_MAX);
        printf("\n\n");
    }
    printf("strategy %s  model %.*s  calls %u  tokens %" PRId64 "+%" PRId64
           "  cost %.*s  latency %" PRId64 " ms\n",
           q->route.is_plain ? "plain" : reason_strategy_name(q->route.strategy), STR_ARG(q->model),
           q->calls, q->usage.input, q->usage.output, STR_ARG(price), q->took / NSEC_PER_MS);
    print_decision(q);
    if (q->fault == OK)
        print_confidences(q);
    if (with_trace)
        print_trace(q);
}

/* ---- what programs read ---- */

static void print_json_trace(struct buf *out, const struct query *q)
{
    json_key(out, "trace");
    buf_add_char(out, '[');
    for (const struct call_trace *call = q->trace; call; call = call->next) {
        json_comma(out);
        buf_add_char(out, '{');
        json_member_i64(out, "number", call->number);
        json_member_i64(out, "parent", call->parent);
        json_member_str(out, "label", call->label);
        json_member_str(out, "result", str_from(err_info(call->fault)->name));
        json_member_i64(out, "input_tokens", call->usage.input);
        json_member_i64(out, "output_tokens", call->usage.output);
        if (call->cost != COST_UNPRICED)
            json_member_i64(out, "cost_nano_usd", call->cost);
        json_member_i64(out, "attempts", call->attempts);
        json_member_double(out, "latency_ms", (double)(call->took / NSEC_PER_USEC) / 1e3);
        json_member_str(out, "text", call->text);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void print_json(struct ask *ask, bool with_trace)
{
    struct query *q = &ask->query;
    struct buf out = { 0 };
    str report = query_report(q, &ask->arena);

    buf_add_char(&out, '{');
    if (q->fault == OK)
        json_member_str(&out, "answer", q->best.answer);
    else
        buf_add(&out, STR("\"answer\":null"));
    json_member_bool(&out, "success", q->fault == OK);
    if (q->fault != OK)
        json_member_str(&out, "error", str_from(err_info(q->fault)->name));
    if (report.len > 2) { /* its members, in ours */
        buf_add_char(&out, ',');
        buf_add(&out, str_slice(report, 1, report.len - 1));
    }
    if (with_trace)
        print_json_trace(&out, q);
    buf_add(&out, STR("}\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

/* ---- the run ---- */

static int ask_open(struct ask *ask, const struct cli_args *args)
{
    char why[256] = "";
    int status = cli_config_load(args, true, &ask->config);

    if (status != EXIT_DONE)
        return status;
    enum err e = stack_store_open(&ask->store, ask->config, cli_value(args, "ledger"), why);
    if (e == OK)
        e = stack_open(&ask->stack, ask->store, ask->config, &ask->log, 0, NULL);
    if (e == OK)
        return EXIT_DONE;
    fprintf(stderr,
            "weir ask: %s%s%s\n(a running gateway holds its ledger: ask through it, or give this "
            "question a ledger of its own "
            "with --ledger DIR)\n",
            err_info(e)->text, why[0] ? ": " : "", why);
    return EXIT_UNREACHABLE;
}

static int strategy_unknown(struct ask *ask, str strategy)
{
    str names = STR("auto");

    for (int i = 0; i < REASON_STRATEGY_COUNT; i++)
        names = arena_printf(&ask->arena, "%.*s, %s", STR_ARG(names),
                             reason_strategy_name((enum reason_strategy)i));
    return cli_usage_error("ask", "--strategy %.*s: there are %.*s", STR_ARG(strategy),
                           STR_ARG(names));
}

static int route(struct ask *ask, const struct cli_args *args)
{
    struct query *q = &ask->query;
    str strategy = cli_has(args, "strategy") ? cli_value(args, "strategy") : STR("auto");
    str name = arena_printf(&ask->arena, "weir/%.*s", STR_ARG(strategy));
    enum err e = route_find(ask->config, name, &q->route);

    if (e != OK)
        return strategy_unknown(ask, strategy);
    q->requested_model = name;
    q->model_override = cli_value(args, "model");
    if (q->model_override.len > 0 && !config_model_find(ask->config, q->model_override))
        return cli_usage_error("ask", "--model %.*s: %s", STR_ARG(q->model_override),
                               err_info(CALLER_UNKNOWN_MODEL)->text);
    q->domain = cli_value(args, "domain"); /* none: guessed */
    return EXIT_DONE;
}

static int perform(struct ask *ask, const struct cli_args *args)
{
    struct query *q = &ask->query;
    int status = route(ask, args);

    if (status != EXIT_DONE)
        return status;
    ask->message = (struct chat_message){ "user", args->words[0] };
    ask->request = (struct chat_request){ .model = q->requested_model,
                                          .n = 1,
                                          .temperature = -1,
                                          .messages = &ask->message,
                                          .message_count = 1 };
    q->arena = &ask->arena;
    q->chat = &ask->request;
    q->ctx = ask;
    q->on_finish = on_finish;
    query_start(ask->stack.engine, q);
    world_run(ask->stack.world);
    assert(ask->is_done);
    if (cli_has(args, "json"))
        print_json(ask, cli_has(args, "trace"));
    else
        print_people(ask, cli_has(args, "trace"));
    if (q->fault == OK)
        return EXIT_DONE;
    fprintf(stderr, "weir ask: %s (%s)%s%.*s\n", err_info(q->fault)->text, err_info(q->fault)->name,
            q->fault_message.len > 0 ? ": " : "", STR_ARG(q->fault_message));
    return err_info(q->fault)->blames_provider ? EXIT_UNREACHABLE : EXIT_CHECK_FAILED;
}

static int run(const struct cli_args *args)
{
    struct ask ask = { .log = { LOG_WARNING, STDERR_FILENO } };

    if (args->word_count != 1)
        return cli_usage_error("ask",
                               "give one question, in quotes: weir ask \"What is 12 * 34?\"");
    arena_init(&ask.arena, ARENA_BYTES);
    int status = ask_open(&ask, args);
    if (status == EXIT_DONE)
        status = perform(&ask, args);
    stack_close(&ask.stack);
    store_close(ask.store);
    config_close(ask.config);
    arena_fini(&ask.arena);
    return status;
}

static const struct cli_option options[] = {
    { "domain", "tactical|cybersecurity|stem|generic|D",
      "what it is about; D: one of your own; else it is guessed" },
    { "strategy", "auto|direct|hrm|trm|hrm_trm|self_consistency|cascade|mcts|full_stack",
      "how it is answered; auto: as configured and routed" },
    { "model", "M", "another configured model" },
    { "trace", NULL, "also print the tree of calls" },
    { "ledger", "DIR", "the ledger's directory (ledger.directory)" },
    { "config", "FILE",
      "configuration; else ./weir.yaml, /etc/weir/weir.yaml, the built-in defaults" },
    { "json", NULL, "one JSON value on stdout" },
    { NULL, NULL, NULL },
};

const struct cli_command command_ask = {
    "ask",
    "QUESTION",
    "asks one question through the configured pipeline",
    "weir ask \"A shirt costs $40 less 15 %. What does it cost?\" --domain stem --trace",
    options,
    run
};
