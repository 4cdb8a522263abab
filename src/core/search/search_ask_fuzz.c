/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: an owner driven by bytes. The first eight are the seed of its configuration; each further one is
 * something to do, its high bits which ticket and how much. The books must hold, and the log must replay. */
#include "core/search/search_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum act {
    ACT_ASK,
    ACT_TELL_VALUE,
    ACT_TELL_CHILDREN,
    ACT_TELL_END,
    ACT_DROP,
    ACT_AGAIN,
    ACT_WRONG
};

static void tell(struct world *w, uint32_t at, enum act act, unsigned amount)
{
    struct search_child children[WORLD_CHILDREN];
    struct search_result result = { .value = SEARCH_NO_VALUE, .children = children };

    if (act != ACT_TELL_CHILDREN)
        result.value = amount / 8.0;
    if (act == ACT_TELL_CHILDREN)
        result.child_count = amount % (WORLD_CHILDREN + 1);
    for (size_t i = 0; i < result.child_count; i++)
        children[i] =
            (struct search_child){ .value = amount % 2 && !world_is_adaptive(w) ? SEARCH_NO_VALUE
                                                                                : (double)i / 8,
                                   .prior = (double)(amount + i),
                                   .key = (amount + i) % 5,
                                   .tag = ++w->next_tag,
                                   .is_terminal = i == 3 };
    result.is_terminal = act == ACT_TELL_END;
    result.is_closed = amount == 6;
    CHECK(world_tell(w, at, &result));
}

/* False when nothing is left to do. */
static bool act(struct world *w, uint8_t byte)
{
    const struct search_result wrong = { .value = 1.5 };
    uint32_t at = w->open_count > 0 ? (byte >> 4) % w->open_count : 0;
    enum act what = (enum act)(byte & 7);
    uint64_t hash;

    if (what == ACT_ASK || what > ACT_WRONG || w->open_count == 0)
        return world_ask(w) || w->open_count > 0;
    switch (what) {
    case ACT_TELL_VALUE:
    case ACT_TELL_CHILDREN:
    case ACT_TELL_END:
        tell(w, at, what, (byte >> 4) % 8);
        break;
    case ACT_DROP:
        world_drop(w, at);
        break;
    case ACT_AGAIN:
    case ACT_WRONG:
    case ACT_ASK:
        hash = search_hash(w->tree);
        CHECK_ERR(search_tell(w->tree, what == ACT_AGAIN ? w->closed : w->open[at].id, &wrong),
                  what == ACT_AGAIN ? OK : CALLER_BAD_REQUEST);
        CHECK(search_hash(w->tree) == hash);
        break;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct search_config c;
    struct buf log = { 0 };
    struct search_tree *again;
    struct arena arena;
    uint64_t seed = 0;
    struct world w;

    for (size_t i = 0; i < 8 && i < size; i++)
        seed |= (uint64_t)data[i] << 8 * i;
    c = world_config(seed);
    c.nodes_max = c.nodes_max > 200 ? 200 : c.nodes_max;
    c.log = &log;
    arena_init(&arena, (size_t)8 << 20);
    check_failures = 0;
    if (!world_open(&w, &c, seed))
        abort();
    for (size_t i = 8; i < size && i < 200 && act(&w, data[i]); i++) {
    }
    world_check(&w);
    CHECK_ERR(search_replay(&again, &arena, buf_str(&log)), OK);
    CHECK(search_hash(again) == search_hash(w.tree));
    if (check_failures > 0)
        abort();
    world_close(&w);
    arena_fini(&arena);
    buf_fini(&log);
    return 0;
}
