/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: the tree of sub-questions. What a model plans is foreign: unknown and circular needs are
 * dropped, as are repeated ids, empty questions, and all beyond the limits. A plan of fewer than two
 * parts is none.
 */
#include <string.h>

#include "core/reason/reason_internal.h"

_Static_assert(NODES_MAX <= 32, "needs are bits of node indices");

static bool is_settled(const struct node *n)
{
    return n->state == NODE_SOLVED || n->state == NODE_FAILED;
}

void plan_reset(struct reason *r)
{
    memset(r->nodes, 0, sizeof(r->nodes));
    r->nodes[0] = (struct node){
        .state = NODE_SPLIT, .question = r->question, .parent = -1, .confidence = NOT_AVAILABLE
    };
    r->node_count = 1;
    r->facts = (str){ 0 };
}

/* The node of a name among [from, node_count); -1 when there is none. */
static int node_find(const struct reason *r, int from, str id)
{
    for (int i = from; i < r->node_count; i++) {
        if (str_eq(r->nodes[i].id, id))
            return i;
    }
    return -1;
}

/* One sub-question, an object or (from small models) just a string. */
static bool node_read(struct reason *r, int first, struct json item, struct node *out)
{
    str question = { 0 }, id = { 0 }, expression = { 0 };

    if (json_is(item, JSON_STRING))
        IGNORE(json_str(item, r->arena, &question));
    else
        IGNORE(json_str(json_get(item, STR("question")), r->arena, &question));
    question = str_trim(question);
    if (question.len == 0 || str_eq_nocase(question, str_trim(out->question)))
        return false;
    IGNORE(json_str(json_get(item, STR("id")), r->arena, &id));
    IGNORE(json_str(json_get(item, STR("expression")), r->arena, &expression));
    if (id.len == 0)
        id = arena_printf(r->arena, "q%d", r->node_count - first + 1);
    if (node_find(r, first, id) >= 0)
        return false;
    out->question = question;
    out->id = id;
    out->expression = str_trim(expression);
    return true;
}

static uint32_t needs_read(struct reason *r, int first, int self, struct json needs)
{
    uint32_t mask = 0;

    if (!json_is(needs, JSON_ARRAY))
        return 0;
    for (struct json_iter it = json_iter(needs); json_next(&it);) {
        str id;
        int found = json_str(it.value, r->arena, &id) ? node_find(r, first, id) : -1;
        if (found >= 0 && found != self)
            mask |= UINT32_C(1) << found;
    }
    return mask;
}

/* Kahn's order; where it gets stuck there is a cycle, and the first node in it loses its needs. */
static void break_cycles(struct reason *r, int first)
{
    uint32_t all = 0, placed = 0;

    for (int i = first; i < r->node_count; i++)
        all |= UINT32_C(1) << i;
    while (placed != all) {
        uint32_t before = placed;
        int stuck = -1;
        for (int i = first; i < r->node_count; i++) {
            uint32_t bit = UINT32_C(1) << i;
            if (placed & bit)
                continue;
            if ((r->nodes[i].needs & ~placed) == 0)
                placed |= bit;
            else if (stuck < 0)
                stuck = i;
        }
        if (placed == before && stuck >= 0)
            r->nodes[stuck].needs &= placed;
    }
}

int plan_split(struct reason *r, int parent, const struct reply *reply, uint32_t cause)
{
    int first = r->node_count;
    struct json list =
        reply->is_json ? json_get(reply->root, STR("subquestions")) : (struct json){ 0 };
    struct json items[SUBQUESTIONS_MAX];

    if (!reply->is_json || !json_is(list, JSON_ARRAY) ||
        r->nodes[parent].depth >= r->config.hrm.max_decomposition_depth)
        return 0;
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        struct node node = { .question = r->nodes[parent].question,
                             .parent = parent,
                             .depth = r->nodes[parent].depth + 1,
                             .confidence = NOT_AVAILABLE,
                             .cause = cause };
        if (r->node_count == NODES_MAX || r->node_count - first == SUBQUESTIONS_MAX)
            break;
        if (!node_read(r, first, it.value, &node))
            continue;
        items[r->node_count - first] = it.value;
        r->nodes[r->node_count++] = node;
    }
    if (r->node_count - first < 2) {
        r->node_count = first;
        return 0;
    }
    for (int i = first; i < r->node_count; i++)
        r->nodes[i].needs = needs_read(r, first, i, json_get(items[i - first], STR("needs")));
    break_cycles(r, first);
    return r->node_count - first;
}

bool plan_children_settled(const struct reason *r, int parent)
{
    for (int i = 1; i < r->node_count; i++) {
        if (r->nodes[i].parent == parent && !is_settled(&r->nodes[i]))
            return false;
    }
    return true;
}

bool plan_needs_settled(const struct reason *r, int node)
{
    for (int i = 1; i < r->node_count; i++) {
        if ((r->nodes[node].needs & (UINT32_C(1) << i)) && !is_settled(&r->nodes[i]))
            return false;
    }
    return true;
}

str plan_facts(struct reason *r, int parent, uint32_t only)
{
    str facts = { 0 };

    for (int i = 1; i < r->node_count; i++) {
        const struct node *n = &r->nodes[i];
        if (n->parent != parent || n->state != NODE_SOLVED || !(only & (UINT32_C(1) << i)))
            continue;
        facts = arena_printf(r->arena, "%.*s- %.*s: %.*s = %.*s\n", STR_ARG(facts), STR_ARG(n->id),
                             STR_ARG(n->question), STR_ARG(n->answer));
    }
    return facts;
}

double plan_worst(const struct reason *r, int parent)
{
    double worst = NOT_AVAILABLE;

    for (int i = 1; i < r->node_count; i++) {
        const struct node *n = &r->nodes[i];
        if (n->parent != parent)
            continue;
        /* A part without an answer is the weakest part there can be. */
        double confidence = n->state == NODE_FAILED ? 0.0 : n->confidence;
        if (confidence >= 0.0 && (worst < 0.0 || confidence < worst))
            worst = confidence;
    }
    return worst;
}

bool plan_compute(struct reason *r, int node)
{
    struct node *n = &r->nodes[node];
    struct variable items[NODES_MAX];
    struct variables variables = { items, 0 };
    struct rational value;
    double worst = NOT_AVAILABLE;

    if (n->expression.len == 0)
        return false;
    for (int i = 1; i < r->node_count; i++) {
        struct quantity q;
        const struct node *need = &r->nodes[i];
        if (!(n->needs & (UINT32_C(1) << i)))
            continue;
        /* A scaled unit (90 min as 5400 s) would change what the expression means. */
        if (need->state != NODE_SOLVED || !quantity_parse(r->arena, need->answer, &q) ||
            q.is_scaled)
            return false;
        items[variables.count++] = (struct variable){ need->id, q.value };
        if (need->confidence >= 0.0 && (worst < 0.0 || need->confidence < worst))
            worst = need->confidence;
    }
    if (!arithmetic_evaluate(n->expression, &variables, &value))
        return false;
    n->answer = rational_text(r->arena, value);
    n->confidence = worst;
    n->state = NODE_SOLVED;
    return true;
}
