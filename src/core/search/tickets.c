/* SPDX-License-Identifier: Apache-2.0 */
/* tickets: asking, telling, dropping. A ticket keeps the path that was walked, whose edges carry it as unobserved. */
#include "core/search/search_internal.h"

#define REVISITS_MAX 256 /* of ends, in one ask */
#define BLOCKED_MAX 8 /* walks that end at what is pending, in one ask */
#define SLOT_BITS 12

_Static_assert(SEARCH_TICKETS_MAX == 1 << SLOT_BITS, "a ticket's id names its slot");

/* ---- what is under way ---- */

static void path_unobserved_add(struct search_tree *t, const uint32_t *path, uint32_t depth, int by)
{
    for (uint32_t d = 0; d <= depth; d++) {
        uint16_t *edge = &t->edge_unobserved[path[d]];
        uint16_t *state = &t->unobserved[state_of(t, path[d])];
        *edge = (uint16_t)(*edge + by);
        if (state != edge)
            *state = (uint16_t)(*state + by);
    }
}

static uint8_t pending_flag(const struct search_tree *t, enum search_want want)
{
    if (t->is_adaptive)
        return 0; /* any number of new children may be under way */
    return want == SEARCH_WIDEN ? NODE_WIDENING : NODE_PENDING;
}

static uint32_t *slot_path(const struct search_tree *t, uint32_t slot)
{
    return t->paths + (size_t)slot * (t->config.depth_max + 1);
}

/* One is free. */
static struct search_ticket ticket_open(struct search_tree *t, const struct walk *w)
{
    uint32_t slot = t->free_slots[t->config.tickets_max - ++t->open];
    uint32_t *path = slot_path(t, slot);
    uint32_t state = state_of(t, w->path[w->depth]);

    for (uint32_t d = 0; d <= w->depth; d++)
        path[d] = w->path[d];
    t->slots[slot] = (struct ticket_slot){ .id = ++t->sequence << SLOT_BITS | slot,
                                           .depth = w->depth,
                                           .want = w->want };
    t->flags[state] |= pending_flag(t, w->want);
    path_unobserved_add(t, path, w->depth, 1);
    return (struct search_ticket){
        .id = t->slots[slot].id, .want = w->want, .node = state, .depth = w->depth, .path = path
    };
}

static struct ticket_slot *slot_find(const struct search_tree *t, uint64_t ticket)
{
    uint32_t slot = (uint32_t)(ticket & (SEARCH_TICKETS_MAX - 1));

    if (ticket == 0 || slot >= t->config.tickets_max || t->slots[slot].id != ticket)
        return NULL;
    return &t->slots[slot];
}

static void ticket_close(struct search_tree *t, struct ticket_slot *s)
{
    uint32_t slot = (uint32_t)(s - t->slots);
    const uint32_t *path = slot_path(t, slot);
    uint32_t state = state_of(t, path[s->depth]);

    t->flags[state] = (uint8_t)(t->flags[state] & ~pending_flag(t, s->want));
    path_unobserved_add(t, path, s->depth, -1);
    s->id = 0;
    t->free_slots[t->config.tickets_max - t->open--] = slot;
}

bool ticket_is_open(const struct search_tree *t, uint64_t ticket)
{
    return slot_find(t, ticket) != NULL;
}

uint32_t search_open_tickets(const struct search_tree *t)
{
    return t->open;
}

/* ---- asking ---- */

/* Walks until one wants a look. A blocked walk is counted as under way while the others are tried, so
 * that they go elsewhere. */
static enum walk_end walk_until_wanted(struct search_tree *t, struct walk *w, uint32_t *revisits)
{
    uint32_t paths[BLOCKED_MAX][SEARCH_DEPTH_MAX + 1], depths[BLOCKED_MAX], blocked = 0;
    enum walk_end end;

    do {
        walk_restart(w);
        end = walk_down(t, WALK_TO_ASK, w);
        if (end == WALK_REVISITS) {
            walk_revisit(t, w);
            ++*revisits;
        } else if (end == WALK_BLOCKED) {
            depths[blocked] = w->depth;
            memcpy(paths[blocked], w->path, (w->depth + 1) * sizeof(w->path[0]));
            path_unobserved_add(t, paths[blocked++], w->depth, 1);
        }
    } while ((end == WALK_REVISITS && *revisits < REVISITS_MAX) ||
             (end == WALK_BLOCKED && blocked < BLOCKED_MAX));
    while (blocked-- > 0)
        path_unobserved_add(t, paths[blocked], depths[blocked], -1);
    return end;
}

bool ask_counting(struct search_tree *t, struct search_ticket *out, uint32_t *revisits)
{
    struct walk w;

    *revisits = 0;
    if (t->open == t->config.tickets_max)
        return false;
    enum walk_end end = walk_until_wanted(t, &w, revisits);
    log_ask(t, *revisits, end == WALK_WANTS ? &w : NULL);
    if (end != WALK_WANTS)
        return false;
    *out = ticket_open(t, &w);
    return true;
}

bool search_ask(struct search_tree *t, struct search_ticket *out)
{
    uint32_t revisits;

    return ask_counting(t, out, &revisits);
}

/* ---- telling ---- */

static bool is_value_or_none(double value)
{
    uint32_t exact;

    return value == SEARCH_NO_VALUE || value_from_double(value, &exact);
}

bool result_is_valid(const struct search_tree *t, const struct search_result *result)
{
    if (!is_value_or_none(result->value) || result->child_count > SEARCH_CHILDREN_MAX)
        return false;
    for (size_t i = 0; i < result->child_count; i++) {
        const struct search_child *child = &result->children[i];
        if (!is_value_or_none(child->value) || !(child->prior >= 0 && child->prior <= 1e6))
            return false;
        if (t->is_adaptive && child->value == SEARCH_NO_VALUE)
            return false;
    }
    return true;
}

/* May these children be added, or did another look bring them already? */
static bool is_welcome(const struct search_tree *t, uint32_t state, enum search_want want)
{
    return !(t->flags[state] & NODE_TERMINAL) && t->depth[state] < t->config.depth_max &&
           (t->is_adaptive || want == SEARCH_WIDEN || t->child_count[state] == 0);
}

void result_absorb(struct search_tree *t, const uint32_t *path, uint32_t depth,
                   enum search_want want, const struct search_result *result)
{
    uint32_t state = state_of(t, path[depth]), exact;
    struct tally tally = { 0 };

    if (result->is_terminal && t->child_count[state] == 0)
        t->flags[state] |= NODE_TERMINAL;
    if (!t->is_adaptive && value_from_double(result->value, &exact)) {
        tally_add(&tally, exact);
        node_own_set(t, state, exact);
    }
    bool fits = true;
    if (result->child_count > 0 && is_welcome(t, state, want))
        fits = node_children_add(t, state, result->children, result->child_count, &tally);
    if (result->is_closed && fits)
        t->flags[state] |= NODE_CLOSED;
    path_backup(t, path, depth, &tally);
}

enum err search_tell(struct search_tree *t, uint64_t ticket, const struct search_result *result)
{
    struct ticket_slot *s = slot_find(t, ticket);

    if (!s)
        return OK;
    if (!result_is_valid(t, result))
        return CALLER_BAD_REQUEST;
    log_tell(t, ticket, result);
    const uint32_t *path = slot_path(t, (uint32_t)(s - t->slots));
    enum search_want want = s->want;
    uint32_t depth = s->depth;
    ticket_close(t, s); /* its path stays readable until the next ask */
    result_absorb(t, path, depth, want, result);
    return OK;
}

void search_drop(struct search_tree *t, uint64_t ticket)
{
    struct ticket_slot *s = slot_find(t, ticket);

    if (!s)
        return;
    log_drop(t, ticket);
    ticket_close(t, s);
}
