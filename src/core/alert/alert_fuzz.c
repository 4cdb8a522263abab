/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a state: refused, or read into a machine that writes a state which reads back as itself. */
#include "core/alert/alert.h"

static const struct alert_receiver receivers[] = { { { "pager", 5 }, ALERT_CRITICAL, true },
                                                   { { "chat", 4 }, ALERT_INFO, true } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alert_policy policy = alert_policy_default();
    struct alert_machine *m, *again;
    struct arena arena;
    struct alert_message message;

    policy.receivers = receivers;
    policy.receiver_count = ARRAY_LEN(receivers);
    arena_init(&arena, (size_t)64 << 20);
    if (alert_open(&m, &arena, &policy) == OK && alert_open(&again, &arena, &policy) == OK &&
        alert_state_read(m, (str){ (const char *)data, size }) == OK) {
        struct buf out = { 0 }, twice = { 0 };
        alert_state_write(m, &out);
        enum err e = alert_state_read(again, buf_str(&out));
        assert(e == OK);
        alert_state_write(again, &twice);
        assert(str_eq(buf_str(&out), buf_str(&twice)));
        for (int i = 0; i < 64 && alert_due(m, INT64_MAX / 2, &message); i++)
            alert_sent(m, INT64_MAX / 2, &message);
        buf_fini(&out);
        buf_fini(&twice);
    }
    arena_fini(&arena);
    return 0;
}
