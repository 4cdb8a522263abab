/* SPDX-License-Identifier: Apache-2.0 */
/* document: the key table as Markdown. */
#include "edge/config/internal.h"

static const char *const type_names[KEY_TYPE_COUNT] = {
    [KEY_TEXT] = "text",
    [KEY_BOOL] = "true or false",
    [KEY_INTEGER] = "whole number",
    [KEY_NUMBER] = "number",
    [KEY_SECONDS] = "number",
    [KEY_BYTES] = "whole number",
    [KEY_DOLLARS] = "decimal number",
    [KEY_CHOICE] = "one of",
    [KEY_DURABILITY] = "one of",
    [KEY_SYNC] = "one of",
    [KEY_ADDRESS] = "address",
    [KEY_URL] = "URL",
    [KEY_SECRET] = "secret",
    [KEY_SECRETS] = "list of secrets",
    [KEY_TEXTS] = "list",
    [KEY_DURATION] = "time",
    [KEY_FILE] = "path",
    [KEY_DAY] = "date",
    [KEY_PRICE] = "decimal number",
    [KEY_SHARE] = "share",
};

static void choices_print(const char *choices, struct buf *out)
{
    str rest = str_from(choices), choice;

    for (bool is_first = true; str_next(&rest, ' ', &choice); is_first = false)
        buf_printf(out, "%s`%.*s`", is_first ? " " : ", ", STR_ARG(choice));
}

static void type_print(const struct config_key *key, struct buf *out)
{
    buf_printf(out, "%s", type_names[key->type]);
    if (key->choices)
        choices_print(key->choices, out);
    if (key->range)
        buf_printf(out, " in %s", key->range);
    if (key->unit)
        buf_printf(out, ", %s", key->unit);
}

static const char *effect_text(enum key_effect effect)
{
    switch (effect) {
    case EFFECT:
        return "";
    case NONE_YET:
    case NONE_YET_WHEN_TRUE:
        return " **No effect yet.**";
    }
    return "";
}

static void row_print(const struct config_key *key, struct buf *out)
{
    buf_printf(out, "| `%s` | ", key->path);
    type_print(key, out);
    if (key->fallback)
        buf_printf(out, " | `%s`", key->fallback);
    else
        buf_printf(out, " | %s", key->is_required ? "required" : "none");
    buf_printf(out, " | %s | %s.%s |\n", key->reload == RELOAD ? "yes" : "restart", key->text,
               effect_text(key->effect));
}

/* The part of a path that heads its table: "hrm" of "hrm.h_module_layers"; empty for the rest. */
static str section_of(const struct config_key *key)
{
    str path = str_from(key->path);
    size_t dot = str_find_char(path, '.');

    return str_slice(path, 0, dot == STR_NPOS ? 0 : dot);
}

static bool section_was_before(const struct config_key *keys, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_eq(section_of(&keys[i]), section_of(&keys[at])))
            return true;
    return false;
}

static void section_print(const struct config_key *keys, size_t n, str section, struct buf *out)
{
    if (section.len > 0)
        buf_printf(out, "\n## `%.*s`\n\n", STR_ARG(section));
    else
        buf_add(out, STR("\n## At the top\n\n"));
    buf_add(out, STR("| Key | Value | Default | Reload | Meaning |\n|---|---|---|---|---|\n"));
    for (size_t i = 0; i < n; i++)
        if (str_eq(section_of(&keys[i]), section))
            row_print(&keys[i], out);
}

void config_document(struct buf *out)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);

    buf_add(
        out,
        STR("# Configuration\n\n"
            "Written by the program from its table of keys; do not edit.\n\n"
            "A configuration is a YAML file: ./weir.yaml, else /etc/weir/weir.yaml, else the "
            "defaults below. `*` stands for a name that you choose, `prices[]` for each entry "
            "of the file that `prices` names. `rollout-file` and `experiment-file` stand for whole "
            "files, which `weir rollout start` and `weir experiment start` take. The provider "
            "`openai` (https://api.openai.com/v1, "
            "env:OPENAI_API_KEY, json_schema) exists unless you define it yourself. "
            "Reload says which values a running weir takes from a changed file, on SIGHUP or "
            "`POST /admin/v1/config/reload`; the others wait for a restart, and it names them then "
            "([resilience.md](resilience.md)).\n"));
    for (size_t i = 0; i < n; i++)
        if (!section_was_before(keys, i))
            section_print(keys, n, section_of(&keys[i]), out);
}
