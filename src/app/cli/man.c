/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir man: the manual page, printed from the table of commands so that it describes exactly this weir.
 * It is written in the man(7) macros that mandoc and groff share.
 */
#include "app/cli/cli.h"

/* Changes with WEIR_VERSION; a page must bear a date, and one of the build would make builds differ. */
#define PAGE_DATE "2026-11-24"

#define SOURCE_COLUMNS 72

struct entry {
    const char *term;
    const char *text;
};

/* clang-format off */
static const struct { int code; const char *text; } exits[] = {
    { EXIT_DONE,         "Done." },
    { EXIT_CHECK_FAILED, "A check that was asked for failed." },
    { EXIT_USAGE,        "Wrong usage or configuration." },
    { EXIT_UNREACHABLE,  "Something needed cannot be reached." },
    { EXIT_DEFECT,       "A defect of weir itself." },
};
/* clang-format on */

static const char description[] =
    "weir answers questions through models that speak OpenAI's wire format: as a gateway for any "
    "OpenAI client "
    "(weir serve), or from the command line (weir ask). For each question it runs a strategy under "
    "caps on calls, "
    "tokens, dollars and time, and records every call and what it cost in a ledger.";

static const char conventions[] = "Results go to standard output, progress and messages to "
                                  "standard error. With --json, standard output holds "
                                  "nothing but JSON.";

static const struct entry environment[] = {
    { "OPENAI_API_KEY", "The key of the provider openai, unless the configuration defines that "
                        "provider itself. A configuration names any other variable as env:NAME." },
    { "http_proxy, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY",
      "Proxies for calls to providers. This machine is never reached through one." },
    { "NO_COLOR", "When it is set, nothing is coloured." },
    { "no_proxy, NO_PROXY", "Hosts that are reached without a proxy." },
    { "TZ", "Of no effect: days are UTC's, or those of weir report --tz." },
    { "WEIR_ADMIN_KEY",
      "The key of a gateway's admin listener (server.admin_key), for commands that "
      "talk to one whose configuration they are not given." },
    { "USER", "Who operates a rollout, an experiment or a silence, unless --actor says it." },
};

static const struct entry files[] = {
    { "./weir.yaml, /etc/weir/weir.yaml",
      "The configuration when no --config is given: the first of the two that exists, else the "
      "built-in defaults." },
    { "./weir-ledger", "The ledger's directory, unless the configuration or --ledger names "
                       "another." },
};

/* What roff would read as its own: the escape, a hyphen that must stay one, a mark that makes a line a request. */
static void print_text(str text, bool begins_line)
{
    if (begins_line && text.len > 0 && (text.ptr[0] == '.' || text.ptr[0] == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\')
            fputs("\\e", stdout);
        else if (text.ptr[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text.ptr[i]);
    }
}

/* A paragraph, in source lines that are not too long. */
static void print_filled(const char *text)
{
    str rest = str_from(text), word;
    size_t column = 0;

    while (str_next(&rest, ' ', &word)) {
        bool breaks = column > 0 && column + 1 + word.len > SOURCE_COLUMNS;
        if (column > 0)
            putchar(breaks ? '\n' : ' ');
        column = (breaks ? 0 : column + 1) + word.len;
        print_text(word, column == word.len);
    }
    putchar('\n');
}

/* The fonts of a form (app/cli/cli.h): typed as it is in bold, standing for something in italics, signs between upright. */
static char font_of(char c)
{
    if ((c >= 'A' && c <= 'Z') || c == '_')
        return 'I';
    return c == '|' || c == ' ' || c == '[' || c == ']' ? 'R' : 'B';
}

/* "verify|export", "recorded:DIR" */
static void print_form(const char *form)
{
    str rest = str_from(form);

    while (rest.len > 0) {
        size_t n = 1;
        while (n < rest.len && font_of(rest.ptr[n]) == font_of(rest.ptr[0]))
            n++;
        printf("\\f%c", font_of(rest.ptr[0]));
        print_text(str_slice(rest, 0, n), false);
        rest = str_slice(rest, n, rest.len);
    }
    fputs("\\fR", stdout);
}

static void print_option(const struct cli_option *option)
{
    printf(".TP\n\\fB\\-\\-");
    print_text(str_from(option->name), false);
    printf("\\fR");
    if (option->value) {
        putchar(' ');
        print_form(option->value);
    }
    putchar('\n');
    print_filled(option->help);
}

/* The help shows an example two columns in, and a further line of it brings those two itself. */
static void print_example(const char *example)
{
    str rest = str_from(example), line;

    printf(".PP\nExample:\n.PP\n.RS 4\n.EX\n");
    while (str_next(&rest, '\n', &line)) {
        print_text(str_starts(line, STR("  ")) ? str_slice(line, 2, line.len) : line, true);
        putchar('\n');
    }
    printf(".EE\n.RE\n");
}

static void print_command(const struct cli_command *command)
{
    printf(".SS weir %s\n\\fBweir %s\\fR", command->name, command->name);
    if (command->words[0] != '\0') {
        putchar(' ');
        print_form(command->words);
    }
    printf("%s\n.PP\n", command->options[0].name ? " [\\fIoptions\\fR]" : "");
    print_filled(command->summary);
    for (const struct cli_option *o = command->options; o->name; o++)
        print_option(o);
    print_example(command->example);
}

static void print_entries(const char *title, const struct entry *entries, size_t count)
{
    printf(".SH %s\n", title);
    for (size_t i = 0; i < count; i++) {
        printf(".TP\n\\fB");
        print_text(str_from(entries[i].term), false);
        printf("\\fR\n");
        print_filled(entries[i].text);
    }
}

static void print_exits(void)
{
    printf(".SH EXIT STATUS\n");
    for (size_t i = 0; i < ARRAY_LEN(exits); i++)
        printf(".TP\n\\fB%d\\fR\n%s\n", exits[i].code, exits[i].text);
}

static int run(const struct cli_args *args)
{
    size_t count;
    const struct cli_command *const *commands = cli_commands(&count);

    if (args->word_count > 0)
        return cli_usage_error("man", "takes no words");
    printf(".\\\" Printed by 'weir man' from its table of commands; do not edit.\n"
           ".TH WEIR 1 " PAGE_DATE " \"weir " WEIR_VERSION "\" \"User Commands\"\n"
           ".SH NAME\nweir \\- an LLM gateway and reasoning engine\n"
           ".SH SYNOPSIS\n\\fBweir\\fR \\fIcommand\\fR [\\fIoptions\\fR]\n.br\n"
           "\\fBweir\\fR \\fIcommand\\fR \\fB\\-\\-help\\fR\n.br\n"
           "\\fBweir \\-\\-help\\fR | \\fB\\-\\-version\\fR\n"
           ".SH DESCRIPTION\n");
    print_filled(description);
    printf(".PP\n");
    print_filled(conventions);
    printf(".SH COMMANDS\n");
    for (size_t i = 0; i < count; i++)
        print_command(commands[i]);
    print_exits();
    print_entries("ENVIRONMENT", environment, ARRAY_LEN(environment));
    print_entries("FILES", files, ARRAY_LEN(files));
    return EXIT_DONE;
}

static const struct cli_option options[] = {
    { NULL, NULL, NULL },
};

const struct cli_command command_man = {
    "man", "", "prints the manual page", "weir man > weir.1 && man ./weir.1", options, run
};
