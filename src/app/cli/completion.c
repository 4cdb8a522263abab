/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir completion: a script for bash, zsh or fish that completes weir's commands, their words and their
 * options. It is printed from the table of commands, so it knows exactly what this weir knows.
 */
#include "app/cli/cli.h"

#include <string.h>

/* ---- what the tables say ---- */

/* What may stand at one place of the command line. */
struct place {
    char words[512]; /* separated by single spaces */
    bool files;
    bool directories;
};

/* The part of an alternative that is typed as it is: "start" of "start FILE", "recorded:" of "recorded:DIR". */
static str literal_part(str alternative)
{
    size_t n = 0;

    while (n < alternative.len &&
           strchr("abcdefghijklmnopqrstuvwxyz0123456789_-:", alternative.ptr[n]) != NULL)
        n++;
    return str_slice(alternative, 0, n);
}

static void place_add_word(struct place *place, str word)
{
    size_t used = strlen(place->words);

    assert(used + word.len + 2 <= sizeof(place->words));
    snprintf(place->words + used, sizeof(place->words) - used, "%s%.*s", used > 0 ? " " : "",
             STR_ARG(word));
}

/* "FILE", and "start FILE" whose file comes a place later: where words are wanted, files then are offered too. */
static void place_add(struct place *place, str alternative)
{
    str word = literal_part(alternative);
    str rest = str_slice(alternative, word.len, alternative.len);

    if (word.len > 0)
        place_add_word(place, word);
    if (word.len > 0 && !str_starts(rest, STR(" ")))
        return;
    place->files |= str_find(rest, STR("FILE")) != STR_NPOS;
    place->directories |= str_find(rest, STR("DIR")) != STR_NPOS;
}

static struct place place_of(const char *form)
{
    struct place place = { 0 };
    str rest = str_from(form), alternative;

    while (str_next(&rest, '|', &alternative))
        place_add(&place, str_trim(alternative));
    return place;
}

/* Text inside single quotes: some characters get a backslash, an apostrophe is replaced. */
static void print_quoted(const char *text, const char *backslashed, const char *apostrophe)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs(apostrophe, stdout);
        else if (strchr(backslashed, *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

/* ---- bash ---- */

static void bash_files(const struct place *place)
{
    if (place->files || place->directories)
        printf(" files=%s", place->files ? "-f" : "-d");
    puts(" ;;");
}

static void bash_command(const struct cli_command *command)
{
    struct place first = place_of(command->words);

    for (const struct cli_option *o = command->options; o->name; o++) {
        if (!o->value)
            continue;
        struct place value = place_of(o->value);
        printf("        %s:--%s)", command->name, o->name);
        if (value.words[0] != '\0')
            printf(" words='%s'", value.words);
        bash_files(&value);
    }
    printf("        %s:*) words='--help", command->name);
    for (const struct cli_option *o = command->options; o->name; o++)
        printf(" --%s", o->name);
    printf("%s%s'", first.words[0] != '\0' ? " " : "", first.words);
    bash_files(&first);
}

static void bash_print(const struct cli_command *const *commands, size_t count)
{
    puts("# Completes weir in bash. To install it:\n"
         "#   weir completion bash > ~/.local/share/bash-completion/completions/weir\n"
         "_weir()\n"
         "{\n"
         "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words= "
         "files=\n"
         "    # --option=value comes as three words.\n"
         "    [[ $current == = ]] && current=\n"
         "    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}\n"
         "    ((COMP_CWORD > 1)) && before=${COMP_WORDS[1]}:$before\n"
         "    case $before in");
    for (size_t i = 0; i < count; i++)
        bash_command(commands[i]);
    printf("        *:*) ;;\n        *) words='help version --help --version");
    for (size_t i = 0; i < count; i++)
        printf(" %s", commands[i]->name);
    puts("' ;;\n"
         "    esac\n"
         "    mapfile -t COMPREPLY < <(\n"
         "        compgen -W \"$words\" -- \"$current\"\n"
         "        [[ $files ]] && compgen \"$files\" -- \"$current\"\n"
         "    )\n"
         "    # Outside a completion compopt only complains.\n"
         "    [[ $files ]] && compopt -o filenames 2>/dev/null\n"
         "    [[ ${COMPREPLY[0]-} == *: ]] && compopt -o nospace 2>/dev/null\n"
         "    return 0\n"
         "}\n"
         "complete -F _weir weir");
}

/* ---- zsh ---- */

static void zsh_text(const char *text)
{
    print_quoted(text, "[]:\\", "'\\''");
}

static void zsh_action(const struct place *place)
{
    if (place->words[0] != '\0') {
        printf("(");
        zsh_text(place->words);
        printf(")");
    } else if (place->files) {
        printf("_files");
    } else if (place->directories) {
        printf("_files -/");
    } else {
        /* Only the user knows; said so, but not in the way of an option. */
        printf("_guard \"^-*\" value");
    }
}

/* Of an option: a word or a file, at one place. Colons would end the action. */
static void zsh_value_action(const struct place *place)
{
    if (place->words[0] == '\0' || !(place->files || place->directories)) {
        zsh_action(place);
        return;
    }
    printf("{compadd - ");
    zsh_text(place->words);
    printf("; _files%s}", place->files ? "" : " -/");
}

static void zsh_command(const struct cli_command *command)
{
    struct place first = place_of(command->words);

    printf("        %s)\n            _arguments", command->name);
    for (const struct cli_option *o = command->options; o->name; o++) {
        printf(" \\\n                '--%s%s[", o->name, o->value ? "=" : "");
        zsh_text(o->help);
        printf("]");
        if (o->value) {
            struct place value = place_of(o->value);
            printf(":");
            zsh_text(o->value);
            printf(":");
            zsh_value_action(&value);
        }
        printf("'");
    }
    printf(" \\\n                '--help[says more, with an example]'");
    if (command->words[0] != '\0') {
        printf(" \\\n                '1:");
        zsh_text(command->words);
        printf(":");
        zsh_action(&first);
        printf("'");
    }
    if (first.words[0] != '\0' && first.files)
        printf(" \\\n                '*:FILE:_files'");
    printf("\n            ;;\n");
}

static void zsh_print(const struct cli_command *const *commands, size_t count)
{
    puts("#compdef weir\n"
         "# Completes weir in zsh. To install it, into any directory of $fpath:\n"
         "#   weir completion zsh > ~/.zfunc/_weir\n"
         "_weir()\n"
         "{\n"
         "    if ((CURRENT == 2)); then\n"
         "        local -a commands\n"
         "        commands=(");
    for (size_t i = 0; i < count; i++) {
        printf("            '%s:", commands[i]->name);
        zsh_text(commands[i]->summary);
        printf("'\n");
    }
    puts("            'help:lists the commands'\n"
         "            'version:prints the version'\n"
         "        )\n"
         "        _describe -t commands command commands\n"
         "        _arguments '--help[lists the commands]' '--version[prints the version]'\n"
         "        return\n"
         "    fi\n"
         "    shift words\n"
         "    ((CURRENT--))\n"
         "    case $words[1] in");
    for (size_t i = 0; i < count; i++)
        zsh_command(commands[i]);
    puts("    esac\n"
         "}\n"
         "# Found through $fpath, this file is the body of the function; sourced, it defines it.\n"
         "if [[ $funcstack[1] == _weir ]]; then\n"
         "    _weir \"$@\"\n"
         "else\n"
         "    compdef _weir weir\n"
         "fi");
}

/* ---- fish ---- */

static void fish_help(const char *text)
{
    printf(" -d '");
    print_quoted(text, "\\", "\\'");
    printf("'\n");
}

/* Of several -a the last holds; folders are among files. */
static void fish_place(const struct place *place)
{
    bool only_directories = place->directories && !place->files;

    if (place->words[0] != '\0' || only_directories)
        printf(" -a '%s%s%s'", place->words, place->words[0] != '\0' && only_directories ? " " : "",
               only_directories ? "(__fish_complete_directories)" : "");
    if (place->files)
        printf(" -F");
}

static void fish_command(const struct cli_command *command)
{
    struct place first = place_of(command->words);
    char condition[96];

    snprintf(condition, sizeof(condition), "complete -c weir -n '__fish_seen_subcommand_from %s'",
             command->name);
    for (const struct cli_option *o = command->options; o->name; o++) {
        printf("%s -l %s", condition, o->name);
        if (o->value) {
            struct place value = place_of(o->value);
            printf(value.files ? " -r" : " -x");
            fish_place(&value);
        }
        fish_help(o->help);
    }
    printf("%s -l help", condition);
    fish_help("says more, with an example");
    if (first.words[0] != '\0' || first.files || first.directories) {
        printf("%s", condition);
        fish_place(&first);
        printf("\n");
    }
}

static void fish_print(const struct cli_command *const *commands, size_t count)
{
    puts("# Completes weir in fish. To install it:\n"
         "#   weir completion fish > ~/.config/fish/completions/weir.fish\n"
         "complete -c weir -f\n"
         "complete -c weir -n __fish_use_subcommand -l help -d 'lists the commands'\n"
         "complete -c weir -n __fish_use_subcommand -l version -d 'prints the version'\n"
         "complete -c weir -n __fish_use_subcommand -a help -d 'lists the commands'\n"
         "complete -c weir -n __fish_use_subcommand -a version -d 'prints the version'");
    for (size_t i = 0; i < count; i++) {
        printf("complete -c weir -n __fish_use_subcommand -a %s", commands[i]->name);
        fish_help(commands[i]->summary);
    }
    for (size_t i = 0; i < count; i++)
        fish_command(commands[i]);
}

/* ---- the command ---- */

static const struct {
    str name;
    void (*print)(const struct cli_command *const *commands, size_t count);
} shells[] = {
    { { "bash", 4 }, bash_print },
    { { "zsh", 3 }, zsh_print },
    { { "fish", 4 }, fish_print },
};

static int run(const struct cli_args *args)
{
    size_t count;
    const struct cli_command *const *commands = cli_commands(&count);

    if (args->word_count == 1) {
        for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
            if (str_eq(args->words[0], shells[i].name)) {
                shells[i].print(commands, count);
                return EXIT_DONE;
            }
        }
    }
    return cli_usage_error("completion", "give one shell: bash, zsh or fish");
}

static const struct cli_option options[] = {
    { NULL, NULL, NULL },
};

const struct cli_command command_completion = {
    "completion",
    "bash|zsh|fish",
    "prints a script that completes weir's words in a shell",
    "source <(weir completion bash)",
    options,
    run
};
