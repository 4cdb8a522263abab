/* SPDX-License-Identifier: Apache-2.0 */
/* config's tests of route.model: a file that training wrote is read, anything else is refused at its place. */
#include <stdlib.h>
#include <unistd.h>

#include "core/route/route_train.h"
#include "edge/config/config_check.h"

enum { ROWS = 40 };

/* The file of a model of the fewest rows that make one; another seed makes another one. */
static bool model_write(struct buf *out, uint64_t seed)
{
    struct route_row rows[ROWS];
    struct arena arena;
    const struct route_model *model = NULL;
    struct route_train_report report;
    char ids[ROWS][8], prompts[ROWS][40];
    struct route_run runs[ROWS];

    for (size_t i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof(ids[i]), "q%zu", i);
        snprintf(prompts[i], sizeof(prompts[i]), "What is %zu plus %" PRIu64 "?", i * 37 % 11,
                 seed);
        rows[i] = (struct route_row){ .id = str_from(ids[i]),
                                      .domain = STR("stem"),
                                      .prompt = str_from(prompts[i]),
                                      .weak_right = i % 3 == 0,
                                      .strong_right = i % 4 != 0,
                                      .weak_cost = 10,
                                      .strong_cost = 100 };
        runs[i] = (struct route_run){ .domain = STR("stem"),
                                      .strategy = STR("direct"),
                                      .model = STR("weak"),
                                      .is_right = i % 3 == 0,
                                      .cost = 10,
                                      .latency_ms = 1,
                                      .raw_confidence = i % 3 == 0 ? 0.9 : 0.2 };
    }
    const struct route_training training = { rows, ROWS, runs, ROWS };
    const struct route_train_options options = {
        .weak_model = STR("weak"), .strong_model = STR("strong"), .seed = seed, .folds = 2
    };
    arena_init(&arena, (size_t)64 << 20);
    enum err e = route_train(&arena, &training, &options, &model, &report);
    if (e == OK)
        route_model_write(model, out);
    arena_fini(&arena);
    CHECK_ERR(e, OK);
    return e == OK && !out->failed;
}

static void file_put(const char *path, str text)
{
    FILE *file = fopen(path, "wb");

    CHECK(file && fwrite(text.ptr, 1, text.len, file) == text.len);
    if (file)
        fclose(file);
}

static void trained_models_are_read(void)
{
    char directory[] = "/tmp/weir-config-XXXXXX", yaml[64], json[64];
    struct buf text = { 0 }, other = { 0 };

    REQUIRE(mkdtemp(directory) && model_write(&text, 1) && model_write(&other, 2));
    snprintf(yaml, sizeof(yaml), "%s/a.yaml", directory);
    snprintf(json, sizeof(json), "%s/router.json", directory);
    file_put(yaml, STR("model: weak\nroute: {scorer: learned_v1, model: router.json}\n"));
    file_put(json, buf_str(&text));
    struct loaded l = load_file(yaml);
    REQUIRE(l.e == OK && l.c->route.model);
    CHECK_STR(route_model_facts(l.c->route.model)->strong_model, STR("strong"));
    /* Its calibration is what strategies get. */
    CHECK(config_reason(l.c).confidences == route_model_confidence(l.c->route.model));
    CHECK(config_reason(l.c).confidences != NULL);
    uint64_t hash = l.c->hash;
    unload(&l);

    file_put(json, buf_str(&other));
    l = load_file(yaml);
    CHECK(l.e == OK && l.c->hash != hash);
    unload(&l);

    /* Cut anywhere, or empty, it is none. */
    for (size_t len = 0; len < text.len; len += text.len / 7) {
        file_put(json, str_slice(buf_str(&text), 0, len));
        l = load_file(yaml);
        CHECK(l.e != OK &&
              strstr(l.first, "2:36 route.model is not what `weir train` of this version "
                              "writes: ") == l.first);
        unload(&l);
    }
    /* In a fallback it is not even looked for. */
    IGNORE(unlink(json) != 0);
    l = load_file(yaml);
    CHECK(strstr(l.first, "2:36 route.model cannot be read from '") == l.first);
    unload(&l);
    snprintf(json, sizeof(json), "%s/main.yaml", directory);
    file_put(json, STR("model: weak\nroute: {fallback: a.yaml}\n"));
    l = load_file(json);
    CHECK(l.e == OK && l.c->route.fallback && !l.c->route.fallback->route.model);
    unload(&l);
    IGNORE(unlink(json) != 0);
    IGNORE(unlink(yaml) != 0);
    CHECK(rmdir(directory) == 0);
    buf_fini(&text);
    buf_fini(&other);
}

TESTS(TEST(trained_models_are_read))
