/* SPDX-License-Identifier: Apache-2.0 */
/* weir check: validates the configuration. */
#include "app/cli/cli.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/config/rollout.h"

static void print_json(const struct config_issues *issues)
{
    struct buf out = { 0 };

    buf_printf(&out, "{\"ok\":%s,\"errors\":[", issues->errors == 0 ? "true" : "false");
    for (int warnings = 0; warnings < 2; warnings++) {
        for (size_t i = 0; i < issues->count; i++) {
            const struct config_issue *issue = &issues->items[i];
            if (issue->is_warning != (warnings == 1))
                continue;
            json_comma(&out);
            buf_add_char(&out, '{');
            json_member_str(&out, "file", issue->file);
            json_member_i64(&out, "line", issue->line);
            json_member_i64(&out, "column", issue->column);
            json_member_str(&out, "message", issue->message);
            buf_add_char(&out, '}');
        }
        buf_add(&out, warnings == 0 ? STR("],\"warnings\":[") : STR("]}\n"));
    }
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
}

/* A rollout's or an experiment's file, beside the configuration that the gateway runs; own: NULL when none was named. */
static enum err plan_check(const struct cli_args *args, const struct config *own, str path,
                           struct config_issues *issues)
{
    struct rollout_file *rollout = NULL;
    struct experiment_file *experiment = NULL;
    enum err e = cli_has(args, "rollout") ? rollout_file_load(path, own, &rollout, issues)
                                          : experiment_file_load(path, own, &experiment, issues);

    rollout_file_close(rollout);
    experiment_file_close(experiment);
    return e;
}

static enum err file_check(const struct cli_args *args, str path, struct config_issues *issues)
{
    bool is_plan = cli_has(args, "rollout") || cli_has(args, "experiment");
    struct config *config = NULL;

    if (is_plan && !cli_has(args, "config"))
        return plan_check(args, NULL, path, issues);
    enum err e = config_load(is_plan ? cli_value(args, "config") : path, &config, issues);
    if (is_plan && e == OK) {
        config_issues_fini(issues); /* its warnings are not asked for */
        e = plan_check(args, config, path, issues);
    }
    config_close(config);
    return e;
}

static str path_of(const struct cli_args *args)
{
    static const char *const names[] = { "rollout", "experiment", "config" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (cli_has(args, names[i]))
            return cli_value(args, names[i]);
    }
    return args->word_count == 1 ? args->words[0] : config_default_path();
}

static int run(const struct cli_args *args)
{
    struct config_issues issues;
    str path = path_of(args);

    if (cli_has(args, "document")) {
        struct buf text = { 0 };
        config_document(&text);
        fwrite(text.ptr, 1, text.len, stdout);
        buf_fini(&text);
        return EXIT_DONE;
    }
    enum err e = file_check(args, path, &issues);
    if (cli_has(args, "json")) {
        print_json(&issues);
    } else {
        for (size_t i = 0; i < issues.count; i++)
            cli_issue_print(stdout, &issues.items[i]);
        if (e == OK)
            printf("%.*s is valid\n",
                   STR_ARG(path.len > 0 ? path : STR("the built-in configuration")));
    }
    config_issues_fini(&issues);
    return e == OK ? EXIT_DONE : EXIT_USAGE;
}

static const struct cli_option options[] = {
    { "config", "FILE",
      "the file to check; else ./weir.yaml, /etc/weir/weir.yaml, the built-in defaults; beside "
      "--rollout or --experiment what the gateway runs, which no arm may contradict" },
    { "rollout", "FILE", "check a rollout's file instead, with its canary's configuration" },
    { "experiment", "FILE", "check an experiment's file instead, with its arms' configurations" },
    { "json", NULL, "one JSON value on stdout: ok, errors, warnings" },
    { "document", NULL, "print the table of all keys as Markdown instead" },
    { NULL, NULL, NULL },
};

const struct cli_command command_check = {
    "check", "", "validates the configuration", "weir check --config config/production.yaml",
    options, run
};
