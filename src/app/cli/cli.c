/* SPDX-License-Identifier: Apache-2.0 */
/* cli: finds the command, reads its options by its table, writes help. */
#include "app/cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edge/config/config.h"

/* clang-format off */
static const struct cli_command *const commands[] = {
    &command_serve,
    &command_ask,
    &command_check,
    &command_price,
    &command_tokens,
    &command_key,
    &command_ledger,
    &command_eval,
    &command_stats,
    &command_score,
    &command_train,
    &command_replay,
    &command_report,
    &command_bucket,
    &command_smoke,
    &command_rollout,
    &command_experiment,
    &command_alert,
    &command_top,
    &command_simulate,
    &command_upstream,
    &command_man,
    &command_completion,
};
/* clang-format on */

const struct cli_command *const *cli_commands(size_t *out_count)
{
    *out_count = ARRAY_LEN(commands);
    return commands;
}

static size_t option_count(const struct cli_command *command)
{
    size_t n = 0;

    while (command->options[n].name)
        n++;
    assert(n <= CLI_OPTIONS_MAX);
    return n;
}

static size_t option_index(const struct cli_option *options, const char *name)
{
    for (size_t i = 0; options[i].name; i++) {
        if (strcmp(options[i].name, name) == 0)
            return i;
    }
    assert(false);
    return 0;
}

str cli_value(const struct cli_args *args, const char *option)
{
    return args->values[option_index(args->options, option)];
}

bool cli_has(const struct cli_args *args, const char *option)
{
    return cli_value(args, option).ptr != NULL;
}

str cli_value_or(const struct cli_args *args, const char *option, str fallback)
{
    return cli_has(args, option) ? cli_value(args, option) : fallback;
}

int cli_usage_error(const char *command, const char *fmt, ...)
{
    va_list list;

    va_start(list, fmt);
    fprintf(stderr, "weir %s: ", command);
    vfprintf(stderr, fmt, list);
    fprintf(stderr, "\n");
    va_end(list);
    return EXIT_USAGE;
}

bool cli_integer(const struct cli_args *args, const char *command, const char *option, int64_t min,
                 int64_t max, int64_t *out)
{
    str text = cli_value(args, option);
    int64_t value;

    if (!text.ptr)
        return true;
    if (!str_to_i64(text, &value) || value < min || value > max) {
        cli_usage_error(command,
                        "--%s must be an integer from %" PRId64 " to %" PRId64 ", not '%.*s'",
                        option, min, max, STR_ARG(text));
        return false;
    }
    *out = value;
    return true;
}

#define HELP_COLUMN 26

static void help_command(const struct cli_command *command)
{
    bool has_options = command->options[0].name != NULL;

    printf("weir %s%s%s%s\n\n%s\n%s", command->name, command->words[0] ? " " : "", command->words,
           has_options ? " [options]" : "", command->summary, has_options ? "\nOptions:\n" : "");
    for (const struct cli_option *o = command->options; o->name; o++) {
        int used = printf("  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        bool is_long = used > HELP_COLUMN;
        printf("%s%*s%s\n", is_long ? "\n" : "", HELP_COLUMN + 1 - (is_long ? 0 : used), "",
               o->help);
    }
    printf("\nExample:\n  %s\n", command->example);
}

static void help_all(FILE *out)
{
    fprintf(out,
            "weir %s: an LLM gateway and reasoning engine\n\nUsage: weir COMMAND "
            "[options]\n\nCommands:\n",
            WEIR_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n'weir COMMAND --help' says more, with an example.\n");
}

static int command_run(const struct cli_command *command, int argc, char **argv)
{
    struct option longs[CLI_OPTIONS_MAX + 2] = { 0 };
    struct cli_args args = { .options = command->options };
    size_t n = option_count(command);

    for (size_t i = 0; i < n; i++)
        longs[i] =
            (struct option){ command->options[i].name,
                             command->options[i].value ? required_argument : no_argument, NULL, 0 };
    longs[n] = (struct option){ "help", no_argument, NULL, 0 };
    opterr = 0;
    optind = 1;
    for (;;) {
        int index = 0;
        int c = getopt_long(argc, argv, ":", longs, &index);
        if (c == -1)
            break;
        if (c == ':')
            return cli_usage_error(command->name, "%s needs a value; see 'weir %s --help'",
                                   argv[optind - 1], command->name);
        if (c != 0)
            return cli_usage_error(command->name, "unknown option '%s'; see 'weir %s --help'",
                                   argv[optind - 1], command->name);
        if ((size_t)index == n) {
            help_command(command);
            return EXIT_DONE;
        }
        args.values[index] = optarg ? str_from(optarg) : STR("");
    }
    for (int i = optind; i < argc; i++) {
        if (args.word_count == CLI_WORDS_MAX)
            return cli_usage_error(command->name, "too many arguments");
        args.words[args.word_count++] = str_from(argv[i]);
    }
    return command->run(&args);
}

void cli_issue_print(FILE *out, const struct config_issue *issue)
{
    fprintf(out, "%.*s:", STR_ARG(issue->file));
    if (issue->line > 0)
        fprintf(out, "%d:%d:", issue->line, issue->column);
    fprintf(out, " %s%.*s\n", issue->is_warning ? "warning: " : "", STR_ARG(issue->message));
}

int cli_config_load(const struct cli_args *args, bool with_warnings, struct config **out)
{
    struct config_issues issues;
    str path = cli_value(args, "config");
    enum err e = config_load(path.ptr ? path : config_default_path(), out, &issues);

    for (size_t i = 0; i < issues.count; i++) {
        if (with_warnings || !issues.items[i].is_warning)
            cli_issue_print(stderr, &issues.items[i]);
    }
    config_issues_fini(&issues);
    return e == OK ? EXIT_DONE : EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        help_all(stderr);
        return EXIT_USAGE;
    }
    str name = str_from(argv[1]);
    if (str_eq(name, STR("--help")) || str_eq(name, STR("help")) || str_eq(name, STR("-h"))) {
        help_all(stdout);
        return EXIT_DONE;
    }
    if (str_eq(name, STR("--version")) || str_eq(name, STR("version"))) {
        printf("weir %s\n", WEIR_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_eq(name, str_from(commands[i]->name)))
            return command_run(commands[i], argc - 1, argv + 1);
    }
    const char *nearest = "";
    size_t best = 4;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        size_t distance = str_distance(name, str_from(commands[i]->name));
        if (distance < best) {
            best = distance;
            nearest = commands[i]->name;
        }
    }
    fprintf(stderr, "weir: unknown command '%s'%s%s%s; see 'weir --help'\n", argv[1],
            nearest[0] ? "; did you mean '" : "", nearest, nearest[0] ? "'?" : "");
    return EXIT_USAGE;
}
