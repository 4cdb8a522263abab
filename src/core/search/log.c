/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: what happened to a tree, as bytes, and a tree again from them.
 *
 *     header   "weirsrch", version, the configuration
 *     'A'      an ask: ends visited again, the edge it came to + 1 (0: none), the want
 *     'R'      a step of search_run(): the edge it came to, the want + 1 and the result, or 0: an end again
 *     'T'      a tell: ticket, result
 *     'D'      a drop: ticket
 *     'G'      a tag: node, tag
 *
 * Numbers are varints of seven bits, low first, but for seeds, keys and doubles, which are 8 bytes, low first. Choices
 * are made again and compared with what was recorded, so that a replay is the same tree or an error.
 */
#include "base/varint.h"
#include "core/search/search_internal.h"

#define LOG_MAGIC "weirsrch"
#define LOG_VERSION 1

enum result_bit { RESULT_VALUE = 1, RESULT_TERMINAL = 2, RESULT_CLOSED = 4 };
enum child_bit { CHILD_VALUE = 1, CHILD_TERMINAL = 2, CHILD_PRIOR = 4, CHILD_KEY = 8 };

/* ---- writing ---- */

static void put_word(struct buf *b, uint64_t x)
{
    for (int i = 0; i < 8; i++)
        buf_add_char(b, (char)(x >> (8 * i) & 0xff));
}

static void put_double(struct buf *b, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    put_word(b, bits);
}

static void put_child(struct buf *b, const struct search_child *child)
{
    uint32_t value;
    bool has_value = value_from_double(child->value, &value);

    varint_add(b, (has_value ? CHILD_VALUE : 0u) | (child->is_terminal ? CHILD_TERMINAL : 0u) |
                      (child->prior > 0 ? CHILD_PRIOR : 0u) | (child->key != 0 ? CHILD_KEY : 0u));
    if (has_value)
        varint_add(b, value);
    if (child->prior > 0)
        put_double(b, child->prior);
    if (child->key != 0)
        put_word(b, child->key);
    varint_add(b, child->tag);
}

static void put_result(struct buf *b, const struct search_result *result)
{
    uint32_t value;
    bool has_value = value_from_double(result->value, &value);

    varint_add(b, (has_value ? RESULT_VALUE : 0u) | (result->is_terminal ? RESULT_TERMINAL : 0u) |
                      (result->is_closed ? RESULT_CLOSED : 0u));
    if (has_value)
        varint_add(b, value);
    varint_add(b, result->child_count);
    for (size_t i = 0; i < result->child_count; i++)
        put_child(b, &result->children[i]);
}

/* The configuration's numbers in the order of the header. */
#define CONFIG_DOUBLES 9
static void config_doubles(struct search_config *c, double *out[CONFIG_DOUBLES])
{
    double *const all[CONFIG_DOUBLES] = {
        &c->exploration,       &c->widening_factor, &c->widening_exponent,
        &c->prior.beta_a,      &c->prior.beta_b,    &c->prior.mean,
        &c->prior.mean_weight, &c->prior.variance,  &c->prior.variance_weight,
    };

    memcpy(out, all, sizeof(all));
}

void log_open(struct search_tree *t)
{
    struct buf *b = t->config.log;
    double *doubles[CONFIG_DOUBLES];

    if (!b)
        return;
    buf_add(b, STR(LOG_MAGIC));
    varint_add(b, LOG_VERSION);
    varint_add(b, t->config.policy);
    varint_add(b, t->config.choice);
    varint_add(b, (t->config.has_two_players ? 1u : 0u) | (t->config.has_transpositions ? 2u : 0u));
    put_word(b, t->config.seed);
    varint_add(b, t->config.nodes_max);
    varint_add(b, t->config.tickets_max);
    varint_add(b, t->config.depth_max);
    config_doubles(&t->config, doubles);
    for (int i = 0; i < CONFIG_DOUBLES; i++)
        put_double(b, *doubles[i]);
}

void log_ask(struct search_tree *t, uint32_t revisits, const struct walk *w)
{
    struct buf *b = t->config.log;

    if (!b)
        return;
    buf_add_char(b, 'A');
    varint_add(b, revisits);
    varint_add(b, w ? w->path[w->depth] + UINT64_C(1) : 0);
    varint_add(b, w ? w->want : 0);
}

void log_run(struct search_tree *t, const struct walk *w, const struct search_result *result)
{
    struct buf *b = t->config.log;

    if (!b)
        return;
    buf_add_char(b, 'R');
    varint_add(b, w->path[w->depth]);
    varint_add(b, result ? w->want + 1u : 0);
    if (result)
        put_result(b, result);
}

void log_tell(struct search_tree *t, uint64_t ticket, const struct search_result *result)
{
    if (!t->config.log)
        return;
    buf_add_char(t->config.log, 'T');
    varint_add(t->config.log, ticket);
    put_result(t->config.log, result);
}

void log_drop(struct search_tree *t, uint64_t ticket)
{
    if (!t->config.log)
        return;
    buf_add_char(t->config.log, 'D');
    varint_add(t->config.log, ticket);
}

void log_tag(struct search_tree *t, uint32_t node, uint32_t tag)
{
    if (!t->config.log)
        return;
    buf_add_char(t->config.log, 'G');
    varint_add(t->config.log, node);
    varint_add(t->config.log, tag);
}

/* ---- reading ---- */

struct reader {
    str log;
    size_t at;
    bool failed; /* sticky: what is read then is 0 */
    struct search_child children[SEARCH_CHILDREN_MAX];
};

static uint8_t get_byte(struct reader *r)
{
    if (r->at == r->log.len) {
        r->failed = true;
        return 0;
    }
    return (uint8_t)r->log.ptr[r->at++];
}

static uint64_t get_varint(struct reader *r)
{
    str rest = str_slice(r->log, r->at, r->log.len);
    uint64_t x = 0;

    if (!varint_take(&rest, &x)) {
        r->failed = true;
        return 0;
    }
    r->at = r->log.len - rest.len;
    return x;
}

static uint32_t get_u32(struct reader *r)
{
    uint64_t x = get_varint(r);

    if (x > UINT32_MAX)
        r->failed = true;
    return r->failed ? 0 : (uint32_t)x;
}

static uint64_t get_word(struct reader *r)
{
    uint64_t x = 0;

    for (int i = 0; i < 8; i++)
        x |= (uint64_t)get_byte(r) << 8 * i;
    return x;
}

static double get_double(struct reader *r)
{
    uint64_t bits = get_word(r);
    double x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

static double get_value(struct reader *r)
{
    return value_to_double(get_u32(r)); /* its range is checked with the result */
}

static struct search_child get_child(struct reader *r)
{
    struct search_child child = { .value = SEARCH_NO_VALUE };
    uint32_t bits = get_u32(r);

    if (bits & CHILD_VALUE)
        child.value = get_value(r);
    if (bits & CHILD_PRIOR)
        child.prior = get_double(r);
    if (bits & CHILD_KEY)
        child.key = get_word(r);
    child.is_terminal = bits & CHILD_TERMINAL;
    child.tag = get_u32(r);
    return child;
}

static struct search_result get_result(struct reader *r)
{
    struct search_result result = { .value = SEARCH_NO_VALUE, .children = r->children };
    uint32_t bits = get_u32(r);

    if (bits & RESULT_VALUE)
        result.value = get_value(r);
    result.is_terminal = bits & RESULT_TERMINAL;
    result.is_closed = bits & RESULT_CLOSED;
    uint32_t count = get_u32(r);
    r->failed |= count > SEARCH_CHILDREN_MAX;
    for (uint32_t i = 0; i < count && !r->failed; i++)
        r->children[result.child_count++] = get_child(r);
    return result;
}

static bool get_config(struct reader *r, struct search_config *c)
{
    double *doubles[CONFIG_DOUBLES];

    for (size_t i = 0; i < sizeof(LOG_MAGIC) - 1; i++)
        r->failed |= get_byte(r) != (uint8_t)LOG_MAGIC[i];
    r->failed |= get_varint(r) != LOG_VERSION;
    uint32_t policy = get_u32(r), choice = get_u32(r), flags = get_u32(r);
    c->policy = (enum search_policy)(policy < SEARCH_POLICY_COUNT ? policy : SEARCH_POLICY_COUNT);
    c->choice = (enum search_choice)(choice < SEARCH_CHOICE_COUNT ? choice : SEARCH_CHOICE_COUNT);
    c->has_two_players = flags & 1;
    c->has_transpositions = flags & 2;
    c->seed = get_word(r);
    c->nodes_max = get_u32(r);
    c->tickets_max = get_u32(r);
    c->depth_max = get_u32(r);
    config_doubles(c, doubles);
    for (int i = 0; i < CONFIG_DOUBLES; i++)
        *doubles[i] = get_double(r);
    return !r->failed;
}

/* ---- replaying ---- */

static bool replay_ask(struct search_tree *t, struct reader *r)
{
    struct search_ticket ticket;
    uint32_t revisits = get_u32(r), revisited = 0;
    uint64_t edge = get_varint(r);
    uint32_t want = get_u32(r);

    if (r->failed)
        return false;
    if (!ask_counting(t, &ticket, &revisited))
        return edge == 0 && revisits == revisited;
    return edge == ticket.path[ticket.depth] + UINT64_C(1) && want == ticket.want &&
           revisits == revisited;
}

static bool replay_run(struct search_tree *t, struct reader *r)
{
    struct walk w;
    uint32_t edge = get_u32(r), want = get_u32(r);

    if (r->failed)
        return false;
    walk_restart(&w);
    enum walk_end end = walk_down(t, WALK_TO_ROLL_OUT, &w);
    if (w.path[w.depth] != edge)
        return false;
    if (want == 0) {
        if (end == WALK_REVISITS)
            walk_revisit(t, &w);
        return end == WALK_REVISITS;
    }
    const struct search_result result = get_result(r);
    if (r->failed || end != WALK_WANTS || want != w.want + 1u || !result_is_valid(t, &result))
        return false;
    result_absorb(t, w.path, w.depth, w.want, &result);
    return true;
}

static bool replay_tell(struct search_tree *t, struct reader *r)
{
    uint64_t ticket = get_varint(r);
    const struct search_result result = get_result(r);

    return !r->failed && ticket_is_open(t, ticket) && search_tell(t, ticket, &result) == OK;
}

static bool replay_record(struct search_tree *t, struct reader *r)
{
    uint64_t ticket;
    uint32_t node, tag;

    switch (get_byte(r)) {
    case 'A':
        return replay_ask(t, r);
    case 'R':
        return replay_run(t, r);
    case 'T':
        return replay_tell(t, r);
    case 'D':
        ticket = get_varint(r);
        if (r->failed || !ticket_is_open(t, ticket))
            return false;
        search_drop(t, ticket);
        return true;
    case 'G':
        node = get_u32(r);
        tag = get_u32(r);
        if (r->failed || node >= search_node_count(t))
            return false;
        search_tag_set(t, node, tag);
        return true;
    default:
        return false;
    }
}

enum err search_replay(struct search_tree **out, struct arena *arena, str log)
{
    struct reader r = { .log = log };
    struct search_config config = { 0 };
    struct search_tree *t;

    if (!get_config(&r, &config))
        return CALLER_BAD_REQUEST;
    enum err e = search_open(&t, arena, &config);
    if (e != OK)
        return e;
    while (r.at < log.len)
        if (!replay_record(t, &r))
            return CALLER_BAD_REQUEST;
    *out = t;
    return OK;
}
