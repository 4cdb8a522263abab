/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompts: texts by role with {slots}. A brace that does not open a lower-case name is plain text,
 * so that prompts can show JSON.
 */
#include <string.h>

#include "core/reason/reason_internal.h"

#define SLOT(name) (1u << (name))

static const str slot_names[SLOT_NAMES] = {
    [SLOT_QUESTION] = { "question", 8 }, [SLOT_CONTEXT] = { "context", 7 },
    [SLOT_FEEDBACK] = { "feedback", 8 }, [SLOT_ANSWER] = { "answer", 6 },
    [SLOT_FORMAT] = { "format", 6 },
};

/* clang-format off */
static const struct {
    const char *name;
    unsigned required;
    unsigned allowed; /* besides the required ones */
} roles[ROLE_COUNT] = {
    [ROLE_DIRECT]    = { "direct",    SLOT(SLOT_QUESTION),                                           SLOT(SLOT_FORMAT) },
    [ROLE_PLAN]      = { "plan",      SLOT(SLOT_QUESTION) | SLOT(SLOT_CONTEXT),                      SLOT(SLOT_FORMAT) },
    [ROLE_SOLVE]     = { "solve",     SLOT(SLOT_QUESTION) | SLOT(SLOT_CONTEXT),                      SLOT(SLOT_FORMAT) },
    [ROLE_CHECK]     = { "check",     SLOT(SLOT_QUESTION) | SLOT(SLOT_ANSWER),                       SLOT(SLOT_CONTEXT) | SLOT(SLOT_FORMAT) },
    [ROLE_SYNTHESIS] = { "synthesis", SLOT(SLOT_QUESTION) | SLOT(SLOT_CONTEXT),                      SLOT(SLOT_FORMAT) },
    [ROLE_PROGRAM]   = { "program",   SLOT(SLOT_QUESTION),                                           SLOT(SLOT_FORMAT) },
    [ROLE_REFINE]    = { "refine",    SLOT(SLOT_QUESTION) | SLOT(SLOT_ANSWER) | SLOT(SLOT_FEEDBACK), SLOT(SLOT_FORMAT) },
    [ROLE_STEP]      = { "step",      SLOT(SLOT_QUESTION) | SLOT(SLOT_CONTEXT),                      SLOT(SLOT_FORMAT) },
};
/* clang-format on */

const char *reason_role_name(enum reason_role role)
{
    return roles[role].name;
}

/* Cuts the text up to the next slot off *rest. The slot's name is empty at the end of the text. */
static str next_piece(str *rest, str *out_name)
{
    for (size_t i = 0; i < rest->len; i++) {
        size_t n = i + 1;
        if (rest->ptr[i] != '{')
            continue;
        while (n < rest->len && rest->ptr[n] >= 'a' && rest->ptr[n] <= 'z')
            n++;
        if (n == i + 1 || n == rest->len || rest->ptr[n] != '}')
            continue;
        str piece = str_slice(*rest, 0, i);
        *out_name = str_slice(*rest, i + 1, n);
        *rest = str_slice(*rest, n + 1, rest->len);
        return piece;
    }
    str piece = *rest;
    *out_name = (str){ 0 };
    *rest = (str){ 0 };
    return piece;
}

/* SLOT_NAMES for an unknown name. */
static enum prompt_slot slot_find(str name)
{
    for (size_t i = 0; i < SLOT_NAMES; i++) {
        if (str_eq(slot_names[i], name))
            return (enum prompt_slot)i;
    }
    return SLOT_NAMES;
}

static str without_version(str text)
{
    if (!str_starts(text, STR("# version:")))
        return text;
    size_t line = str_find_char(text, '\n');
    return str_slice(text, line == STR_NPOS ? text.len : line + 1, text.len);
}

static enum err text_check(struct arena *arena, enum reason_role role, str text, str *out_what)
{
    unsigned seen = 0;
    str rest = without_version(text), name;

    for (;;) {
        (void)next_piece(&rest, &name);
        if (name.len == 0)
            break;
        enum prompt_slot slot = slot_find(name);
        unsigned bit = slot == SLOT_NAMES ? 0 : SLOT(slot);
        if (!(bit & (roles[role].required | roles[role].allowed))) {
            *out_what = arena_printf(arena, "prompt %s: {%.*s} is not a slot of it",
                                     roles[role].name, STR_ARG(name));
            return WEIR_CONFIG;
        }
        seen |= bit;
    }
    for (size_t i = 0; i < SLOT_NAMES; i++) {
        if (roles[role].required & SLOT(i) & ~seen) {
            *out_what = arena_printf(arena, "prompt %s: the slot {%.*s} is missing",
                                     roles[role].name, STR_ARG(slot_names[i]));
            return WEIR_CONFIG;
        }
    }
    return OK;
}

enum err reason_prompts_init(struct arena *arena, const str texts[ROLE_COUNT],
                             const struct reason_prompts **out, str *out_what)
{
    struct reason_prompts *prompts = ARENA_NEW(arena, struct reason_prompts);

    str *copies = ARENA_ARRAY(arena, ROLE_COUNT, str);

    if (!prompts || !copies)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        enum err e = text_check(arena, (enum reason_role)i, texts[i], out_what);
        if (e != OK)
            return e;
        copies[i] = arena_str(arena, texts[i]);
    }
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    prompts->texts = copies;
    *out = prompts;
    return OK;
}

const struct reason_prompts *reason_prompts_builtin(void)
{
    static const struct reason_prompts builtin = { reason_prompts_files };

    return &builtin;
}

uint64_t reason_prompts_hash(const struct reason_prompts *prompts)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < ROLE_COUNT; i++)
        hash = (hash ^ str_hash(prompts->texts[i])) * UINT64_C(0x9E3779B97F4A7C15) + i;
    return hash;
}

static void append(char *out, size_t *len, str s)
{
    if (s.len > 0)
        memcpy(out + *len, s.ptr, s.len);
    *len += s.len;
}

str prompt_render(struct arena *arena, const struct reason_prompts *prompts, enum reason_role role,
                  const struct prompt_values *values)
{
    str body = str_trim(without_version(prompts->texts[role]));
    size_t size = body.len, len = 0;
    str rest = body, name;

    do {
        (void)next_piece(&rest, &name);
        enum prompt_slot slot = slot_find(name);
        if (slot != SLOT_NAMES && !size_add(size, values->at[slot].len, &size))
            return (str){ 0 };
    } while (name.len > 0);
    char *out = arena_alloc(arena, size);
    if (!out)
        return (str){ 0 };
    rest = body;
    do {
        append(out, &len, next_piece(&rest, &name));
        enum prompt_slot slot = slot_find(name);
        if (slot != SLOT_NAMES)
            append(out, &len, values->at[slot]);
    } while (name.len > 0);
    return (str){ out, len };
}
