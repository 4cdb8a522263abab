/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes give a snapshot without errors, or errors without a snapshot; nothing is read but the bytes. */
#include "edge/config/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_text text = { .name = STR("fuzz.yaml"), .text = { (const char *)data, size } };
    struct config_issues issues;
    struct config *c = NULL;
    enum err e = config_load_text(&text, &c, &issues);

    assert((e == OK) == (c != NULL));
    assert((e == OK) == (issues.errors == 0));
    for (size_t i = 0; i < issues.count; i++) {
        assert(issues.items[i].message.len > 0);
        assert(issues.items[i].line >= 0 && issues.items[i].column >= 0);
    }
    if (c) {
        assert(config_model_find(c, c->model));
        assert(c->hash != 0 && c->prices.count > 0);
    }
    config_close(c);
    config_issues_fini(&issues);
    return 0;
}
