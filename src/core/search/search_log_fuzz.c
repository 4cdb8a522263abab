/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as the log of a tree. What replays is a tree whose own log replays to it again. */
#include "core/search/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct search_tree *tree;
    struct search_ticket ticket;

    arena_init(&arena, (size_t)1 << 20);
    if (search_replay(&tree, &arena, (str){ (const char *)data, size }) == OK) {
        assert(search_node_count(tree) >= 1);
        for (uint32_t n = 0; n < search_node_count(tree); n++) {
            const struct search_node x = search_node_at(tree, n);
            assert(x.state <= n);
            assert(x.visits == 0 || (x.mean >= 0 && x.mean <= 1));
            assert(x.unobserved <= search_open_tickets(tree));
        }
        if (search_ask(tree, &ticket)) {
            search_drop(tree, ticket.id);
            assert(search_path(tree, ticket.node, (uint32_t[SEARCH_DEPTH_MAX + 1]){ 0 }) ==
                   ticket.depth + 1);
        }
    }
    arena_fini(&arena);
    return 0;
}
