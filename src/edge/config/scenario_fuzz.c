/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes give a sound scenario or errors; nothing is read but the bytes. */
#include "edge/config/scenario.h"

#include <math.h>

#include "edge/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As in config_fuzz.c. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

static void sound(const struct scenario *s)
{
    double hours = 0, shares = 0;

    for (size_t h = 0; h < SCENARIO_HOURS; h++)
        hours += s->traffic.hours[h];
    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        shares += s->traffic.shares[d];
    assert(fabs(hours - SCENARIO_HOURS) < 1e-6 && fabs(shares - 1) < 1e-3);
    assert(s->traffic.per_second > 0 && s->traffic.open > 0 && s->window > 0);
    assert(s->tick >= NSEC_PER_MS && s->event_count <= SCENARIO_EVENTS_MAX);
    assert(s->rollout && s->name.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_issues issues;
    struct scenario *s = NULL;
    enum err e =
        scenario_load_text(STR("fuzz.yaml"), (str){ (const char *)data, size }, false, &s, &issues);

    assert((e == OK) == (s != NULL));
    assert((e == OK) == (issues.errors == 0));
    if (s)
        sound(s);
    scenario_close(s);
    config_issues_fini(&issues);
    return 0;
}
