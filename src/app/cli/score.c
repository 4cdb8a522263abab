/* SPDX-License-Identifier: Apache-2.0 */
/* weir score: what a scorer says of each line of the standard input. */
#include <stdlib.h>
#include <string.h>

#include "app/cli/cli.h"
#include "core/json/json.h"
#include "core/route/route.h"
#include "edge/world/file.h"

#define MODEL_ARENA_MAX ((size_t)256 << 20)
#define LINE_BYTES_MAX ((size_t)64 << 20)

struct scoring {
    enum route_scorer scorer;
    str domain;
    bool has_domain;
    bool as_json;
    int threshold; /* hundredths */
    const struct route_model *model; /* of learned_v1 */
    struct route_features features;
    struct buf out;
};

/* ---- the rules ---- */

static const struct {
    const char *name;
    size_t offset;
} rules[] = {
    { "multi_step", offsetof(struct rule_score, multi_step) },
    { "constraints", offsetof(struct rule_score, constraints) },
    { "ambiguity", offsetof(struct rule_score, ambiguity) },
    { "questions", offsetof(struct rule_score, questions) },
    { "optimisation", offsetof(struct rule_score, optimisation) },
};

static int rule_value(const struct rule_score *score, size_t i)
{
    int value;

    memcpy(&value, (const char *)score + rules[i].offset, sizeof(value));
    return value;
}

static void hundredths_write(struct buf *out, int value)
{
    buf_printf(out, "%d.%02d", value / 100, value % 100);
}

static void rule_line(struct scoring *s, str line)
{
    struct rule_score score = s->scorer == ROUTE_SEED_V1 ? route_score_seed(line, s->domain)
                                                         : route_score_words(line, s->domain);
    bool use_mcts = route_should_use_mcts(score.total, s->threshold);

    if (!s->as_json) {
        hundredths_write(&s->out, score.total);
        buf_add(&s->out, use_mcts ? STR("  mcts ") : STR("       "));
        for (size_t i = 0; i < ARRAY_LEN(rules); i++)
            if (rule_value(&score, i) > 0)
                buf_printf(&s->out, " %s %d.%02d", rules[i].name, rule_value(&score, i) / 100,
                           rule_value(&score, i) % 100);
        buf_add_char(&s->out, '\n');
        return;
    }
    buf_add(&s->out, STR("{\"score\":"));
    hundredths_write(&s->out, score.total);
    buf_add(&s->out, STR(",\"features\":{"));
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        json_key(&s->out, rules[i].name);
        hundredths_write(&s->out, rule_value(&score, i));
    }
    buf_add_char(&s->out, '}');
    json_member_bool(&s->out, "use_mcts", use_mcts);
    buf_add(&s->out, STR("}\n"));
}

/* ---- the learned scorer ---- */

static const char *const reason_kinds[] = { [ROUTE_REASON_FEATURE] = "feature",
                                            [ROUTE_REASON_WORDS] = "words",
                                            [ROUTE_REASON_DOMAIN] = "domain" };

static void learned_write(struct scoring *s, const struct learned_score *score, str domain)
{
    struct buf *out = &s->out;

    buf_add_char(out, '{');
    json_member_double(out, "score", score->gain);
    json_member_double(out, "log_odds", score->log_odds);
    json_member_double(out, "weak_success", score->weak_success);
    json_member_str(out, "domain", domain);
    json_member_bool(out, "domain_guessed", !s->has_domain);
    json_key(out, "features");
    buf_add_char(out, '{');
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        json_member_double(out, route_feature_name(i), (double)s->features.dense[i]);
    buf_add_char(out, '}');
    json_key(out, "reasons");
    buf_add_char(out, '[');
    for (size_t i = 0; i < score->reason_count; i++) {
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "kind", str_from(reason_kinds[score->reasons[i].kind]));
        json_member_str(out, "name", score->reasons[i].name);
        json_member_double(out, "contribution", score->reasons[i].contribution);
        buf_add_char(out, '}');
    }
    buf_add(out, STR("]}\n"));
}

static void learned_line(struct scoring *s, str line)
{
    const struct route_context context = { .turns = 0 };
    str domain = s->has_domain ? s->domain : route_domain_guess(line).domain;
    struct learned_score score;

    route_features_read(&s->features, line, &context);
    route_score_learned(s->model, &s->features, line, domain, &score);
    if (s->as_json) {
        learned_write(s, &score, domain);
        return;
    }
    buf_printf(&s->out, "%.4f  weak %.3f  %.*s%s ", score.gain, score.weak_success, STR_ARG(domain),
               s->has_domain ? "" : " (guessed)");
    for (size_t i = 0; i < score.reason_count; i++)
        buf_printf(&s->out, " %s'%.*s' %+.2f",
                   score.reasons[i].kind == ROUTE_REASON_WORDS ? "words " : "",
                   STR_ARG(score.reasons[i].name), score.reasons[i].contribution);
    buf_add_char(&s->out, '\n');
}

/* ---- the command ---- */

static int lines_score(struct scoring *s)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t got;
    int status = EXIT_DONE;

    if (!s->as_json)
        printf(s->scorer == ROUTE_LEARNED_V1 ? "gain    weak right  domain  reasons (log odds)\n"
                                             : "score        found\n");
    while (status == EXIT_DONE && (got = getline(&line, &cap, stdin)) > 0) {
        str text = { line, (size_t)got };
        if (text.len > 0 && text.ptr[text.len - 1] == '\n')
            text.len--;
        if (text.len > LINE_BYTES_MAX) {
            status = cli_usage_error("score", "a line is longer than 64 MiB");
            break;
        }
        buf_reset(&s->out);
        if (s->scorer == ROUTE_LEARNED_V1)
            learned_line(s, text);
        else
            rule_line(s, text);
        if (s->out.failed || fwrite(s->out.ptr, 1, s->out.len, stdout) != s->out.len)
            status = EXIT_UNREACHABLE;
    }
    free(line);
    buf_fini(&s->out);
    return fflush(stdout) == 0 ? status : EXIT_UNREACHABLE;
}

static int model_load(struct arena *arena, str path, const struct route_model **out)
{
    struct buf text = { 0 };
    char why[256] = "";
    str what = STR("");
    enum err e = file_load(path, &text, why);

    if (e != OK) {
        fprintf(stderr, "weir score: %s\n", why);
    } else {
        e = route_model_read(arena, buf_str(&text), out, &what);
        if (e != OK)
            fprintf(stderr, "%.*s: %.*s\n", STR_ARG(path),
                    STR_ARG(what.len > 0 ? what : str_from(err_info(e)->text)));
    }
    buf_fini(&text);
    if (e == OK)
        return EXIT_DONE;
    return e == WEIR_IO ? EXIT_UNREACHABLE : EXIT_USAGE;
}

/* "0.8" → 80, exactly: the scorers count in hundredths. */
static bool threshold_read(const struct cli_args *args, int *out)
{
    str text = cli_value(args, "threshold");
    double value, hundredths;

    if (!text.ptr)
        return true;
    if (str_to_double(text, &value) && value >= 0 && value <= 1) {
        hundredths = value * 100;
        *out = (int)(hundredths + 0.5);
        if (hundredths - *out < 1e-9 && *out - hundredths < 1e-9)
            return true;
    }
    cli_usage_error("score", "--threshold must be from 0 to 1 in hundredths, like 0.8, not '%.*s'",
                    STR_ARG(text));
    return false;
}

static int scoring_init(const struct cli_args *args, struct arena *arena, struct scoring *s)
{
    str scorer = cli_value(args, "scorer"), path = cli_value(args, "model-file");

    if (!scorer.ptr || !route_scorer_find(scorer, &s->scorer))
        return cli_usage_error("score", "--scorer must be seed_v1, words_v1 or learned_v1");
    if (!threshold_read(args, &s->threshold))
        return EXIT_USAGE;
    if (s->scorer != ROUTE_LEARNED_V1)
        return EXIT_DONE;
    if (!path.ptr)
        return cli_usage_error("score", "learned_v1 needs --model-file; 'weir train' makes one");
    int status = model_load(arena, path, &s->model);
    if (status == EXIT_DONE && !route_model_has_scorer(s->model))
        return cli_usage_error("score",
                               "%.*s has no scorer, only what arms did: it was trained from too "
                               "few labelled answers of its two models",
                               STR_ARG(path));
    return status;
}

static int run(const struct cli_args *args)
{
    struct scoring s = { .domain = cli_value(args, "domain"),
                         .has_domain = cli_has(args, "domain"),
                         .as_json = cli_has(args, "json"),
                         .threshold = ROUTE_MCTS_THRESHOLD };
    struct arena arena;

    arena_init(&arena, MODEL_ARENA_MAX);
    int status = scoring_init(args, &arena, &s);
    if (status == EXIT_DONE)
        status = lines_score(&s);
    arena_fini(&arena);
    return status;
}

static const struct cli_option options[] = {
    { "scorer", "seed_v1|words_v1|learned_v1", "needed" },
    { "domain", "D", "of all lines; learned_v1 guesses it when it is not given" },
    { "model-file", "FILE", "of learned_v1, from 'weir train'" },
    { "threshold", "T", "from which the rules ask for tree search, in hundredths (0.8)" },
    { "json", NULL, "one JSON value a line: score, features" },
    { NULL, NULL, NULL },
};

const struct cli_command command_score = {
    "score",
    "",
    "scores the questions on standard input, one a line",
    "echo 'First sort, then merge: what must be proved?' | weir score --scorer seed_v1 "
    "--domain stem",
    options,
    run
};
