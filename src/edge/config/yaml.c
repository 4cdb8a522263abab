/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml: a text to a tree, with libfyaml's event parser. Only what a configuration needs: one
 * document of mappings, lists and scalars. Anchors, aliases, tags, duplicate keys, keys that are not
 * scalars, and depth are refused here, at their place, while events arrive: nothing of an input's
 * shape is ever expanded, and libfyaml builds no tree of its own.
 */
#include "edge/config/internal.h"

#include <libfyaml.h>
#include <string.h>

struct level {
    struct yaml_node *node; /* a mapping or a list that is still open */
    bool has_key; /* a mapping's key was read, its value was not */
    str key;
    int key_line, key_column;
};

struct builder {
    struct arena *arena;
    struct config_issues *issues;
    const struct config_file *file;
    struct yaml_node *root;
    struct level levels[YAML_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    size_t documents;
};

static enum err refuse(struct builder *b, const struct yaml_node *at, const char *why)
{
    struct config_place place = place_of(at);

    place.file = b->file;
    issue_add(b->issues, &place, "%s", why);
    return CALLER_BAD_REQUEST;
}

/* Control characters but tab and line ends are no YAML; libfyaml is not asked about them. */
static enum err text_check(struct builder *b, str text)
{
    struct yaml_node at = { .line = 1, .column = 1 };

    if (text.len > CONFIG_FILE_BYTES_MAX)
        return refuse(b, NULL, "the file is larger than 1 MiB");
    if (!str_is_utf8(text))
        return refuse(b, NULL, "the file is not valid UTF-8");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F)
            return refuse(b, &at, "control characters are not allowed");
        at.column++;
        if (c == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    return OK;
}

static enum err key_take(struct builder *b, struct level *level, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR)
        return refuse(b, node, "a key must be a plain name");
    if (node->text.len == 0)
        return refuse(b, node, "a key must not be empty");
    if (node->text.len > YAML_KEY_BYTES_MAX)
        return refuse(b, node, "a key must not be longer than 200 bytes");
    const struct yaml_node *first = yaml_get(level->node, node->text);
    if (first) {
        struct config_place place = place_of(node);
        str shown = issue_text(&b->issues->arena, node->text);
        issue_add(b->issues, &place, "duplicate key '%.*s'; it stands on line %d already",
                  STR_ARG(shown), first->key_line);
        return CALLER_BAD_REQUEST;
    }
    level->has_key = true;
    level->key = node->text;
    level->key_line = node->line;
    level->key_column = node->column;
    return OK;
}

static enum err node_attach(struct builder *b, struct yaml_node *node)
{
    if (b->depth == 0) {
        b->root = node;
        return OK;
    }
    struct level *level = &b->levels[b->depth - 1];
    struct yaml_node *parent = level->node;
    if (parent->kind == YAML_MAPPING && !level->has_key)
        return key_take(b, level, node);
    if (parent->count == YAML_ENTRIES_MAX)
        return refuse(b, node, "more than 4096 entries");
    if (parent->kind == YAML_MAPPING) {
        node->key = level->key;
        node->key_line = level->key_line;
        node->key_column = level->key_column;
        level->has_key = false;
    }
    /* An omitted value has no place of its own: its key's place stands for it. */
    if (node->line == 0) {
        node->line = parent->kind == YAML_MAPPING ? node->key_line : parent->line;
        node->column = parent->kind == YAML_MAPPING ? node->key_column : parent->column;
    }
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    return OK;
}

static void scalar_read(struct fy_token *token, struct arena *arena, struct yaml_node *node)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : NULL;
    enum fy_scalar_style style = token ? fy_scalar_token_get_style(token) : FYSS_PLAIN;

    node->text = arena_str(arena, (str){ text, text ? len : 0 });
    node->is_null = style == FYSS_PLAIN && (node->text.len == 0 || str_eq(node->text, STR("~")) ||
                                            str_eq(node->text, STR("null")));
    /* libfyaml's mark is behind the quote; a reader looks for the quote. */
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && node->column > 1)
        node->column--;
}

struct node_tokens {
    enum yaml_kind kind;
    const struct fy_token *anchor, *tag;
    struct fy_token *value; /* a scalar's */
};

static enum err node_take(struct builder *b, struct fy_event *event,
                          const struct node_tokens *tokens)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    struct yaml_node *node = ARENA_NEW(b->arena, struct yaml_node);

    if (!node)
        return refuse(b, NULL, "out of memory");
    node->kind = tokens->kind;
    node->file = b->file;
    if (mark) {
        node->line = mark->line + 1;
        node->column = mark->column + 1;
    }
    if (tokens->anchor)
        return refuse(b, node, "anchors are not allowed");
    if (tokens->tag)
        return refuse(b, node, "tags are not allowed");
    if (++b->nodes > YAML_NODES_MAX)
        return refuse(b, node, "more than 65536 values");
    if (tokens->kind == YAML_SCALAR)
        scalar_read(tokens->value, b->arena, node);
    enum err e = node_attach(b, node);
    if (e != OK || tokens->kind == YAML_SCALAR)
        return e;
    if (b->depth == YAML_DEPTH_MAX)
        return refuse(b, node, "nested more than 16 levels deep");
    b->levels[b->depth++] = (struct level){ .node = node };
    return OK;
}

static enum err document_start(struct builder *b, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    struct yaml_node at = { .line = mark ? mark->line + 1 : 1,
                            .column = mark ? mark->column + 1 : 1 };

    if (++b->documents > 1)
        return refuse(b, &at, "more than one document");
    return OK;
}

static enum err event_take(struct builder *b, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    struct yaml_node at = { .line = mark ? mark->line + 1 : 0,
                            .column = mark ? mark->column + 1 : 0 };

    switch (event->type) {
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        return OK;
    case FYET_DOCUMENT_START:
        return document_start(b, event);
    case FYET_ALIAS:
        /* The mark is behind the asterisk. */
        if (at.column > 1)
            at.column--;
        return refuse(b, &at, "aliases are not allowed");
    case FYET_SCALAR:
        return node_take(b, event,
                         &(struct node_tokens){ .kind = YAML_SCALAR,
                                                .anchor = event->scalar.anchor,
                                                .tag = event->scalar.tag,
                                                .value = event->scalar.value });
    case FYET_SEQUENCE_START:
        return node_take(b, event,
                         &(struct node_tokens){ .kind = YAML_SEQUENCE,
                                                .anchor = event->sequence_start.anchor,
                                                .tag = event->sequence_start.tag });
    case FYET_MAPPING_START:
        return node_take(b, event,
                         &(struct node_tokens){ .kind = YAML_MAPPING,
                                                .anchor = event->mapping_start.anchor,
                                                .tag = event->mapping_start.tag });
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        assert(b->depth > 0);
        b->depth--;
        return OK;
    }
    return OK;
}

/* What libfyaml says about the first syntax error. */
static enum err syntax_refuse(struct builder *b, struct fy_diag *diag)
{
    void *position = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &position);
    struct yaml_node at = { .line = error ? error->line : 0, .column = error ? error->column : 0 };
    str shown = issue_text(&b->issues->arena, str_from(error ? error->msg : "no valid YAML"));

    if (at.line < 1 || at.column < 1)
        at.line = at.column = 0;
    struct config_place place = place_of(&at);
    place.file = b->file;
    issue_add(b->issues, &place, "syntax: %.*s", STR_ARG(shown));
    return CALLER_BAD_REQUEST;
}

static enum err events_read(struct builder *b, str text, struct fy_diag *diag)
{
    struct fy_parse_cfg config = { .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE |
                                            FYPCF_DEFAULT_VERSION_1_2,
                                   .diag = diag };
    struct fy_parser *parser = fy_parser_create(&config);
    struct fy_event *event;
    enum err e = OK;

    if (!parser || fy_parser_set_string(parser, text.ptr, text.len) != 0) {
        fy_parser_destroy(parser);
        return refuse(b, NULL, "out of memory");
    }
    while (e == OK && (event = fy_parser_parse(parser)) != NULL) {
        e = event_take(b, event);
        fy_parser_event_free(parser, event);
    }
    if (e == OK && fy_parser_get_stream_error(parser))
        e = syntax_refuse(b, diag);
    fy_parser_destroy(parser);
    return e;
}

enum err yaml_parse(struct arena *arena, const struct config_file *file, str text,
                    struct config_issues *issues, struct yaml_node **out)
{
    struct builder b = { .arena = arena, .issues = issues, .file = file };
    struct fy_diag_cfg diag_config;
    enum err e = text_check(&b, text);

    if (e != OK)
        return e;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    diag_config.colorize = false;
    struct fy_diag *diag = fy_diag_create(&diag_config);
    if (!diag)
        return refuse(&b, NULL, "out of memory");
    fy_diag_set_collect_errors(diag, true);
    if (text.len > 0)
        e = events_read(&b, text, diag);
    fy_diag_destroy(diag);
    if (e != OK)
        return e;
    if (!b.root || b.root->is_null) {
        b.root = ARENA_NEW(arena, struct yaml_node);
        if (b.root)
            *b.root =
                (struct yaml_node){ .kind = YAML_MAPPING, .file = file, .line = 1, .column = 1 };
    }
    if (arena_failed(arena))
        return refuse(&b, NULL, "out of memory");
    *out = b.root;
    return OK;
}

struct yaml_node *yaml_get(const struct yaml_node *node, str key)
{
    if (!node || node->kind != YAML_MAPPING)
        return NULL;
    for (struct yaml_node *child = node->first; child; child = child->next)
        if (str_eq(child->key, key))
            return child;
    return NULL;
}
