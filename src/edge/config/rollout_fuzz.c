/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes give a sound rollout or errors, a sound experiment or errors; nothing is read but the bytes. */
#include "edge/config/rollout.h"

#include "edge/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As in config_fuzz.c. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

static void rollout_try(str text)
{
    struct config_issues issues;
    struct rollout_file *f = NULL;
    struct rollout machine;
    struct arena arena;
    struct change_issues found = { .arena = &arena };
    enum err e = rollout_file_load_text(STR("fuzz.yaml"), text, false, &f, &issues);

    assert((e == OK) == (f != NULL));
    assert((e == OK) == (issues.errors == 0));
    arena_init(&arena, (size_t)1 << 16);
    if (f) {
        enum err sound = rollout_init(&machine, &f->spec, &found);
        assert(sound == OK);
    }
    arena_fini(&arena);
    rollout_file_close(f);
    config_issues_fini(&issues);
}

static void experiment_try(str text)
{
    struct config_issues issues;
    struct experiment_file *f = NULL;
    enum err e = experiment_file_load_text(STR("fuzz.yaml"), text, false, &f, &issues);

    assert((e == OK) == (f != NULL));
    assert((e == OK) == (issues.errors == 0));
    if (f) {
        struct experiment_assignment a = experiment_assign(&f->experiment, STR("unit"));
        assert(a.arm < (int)f->experiment.arm_count);
    }
    experiment_file_close(f);
    config_issues_fini(&issues);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = { (const char *)data, size };

    rollout_try(text);
    experiment_try(text);
    return 0;
}
