/* SPDX-License-Identifier: Apache-2.0 */
/* The durability of rollouts: rows and checkpoints there and back, restarts at any moment, damage that is refused. */
#include "base/rng.h"
#include "core/change/rollout_rig_test.h"
#include "core/json/json.h"

static struct json parsed(struct arena *arena, const struct buf *text)
{
    struct json v = { 0 };

    CHECK_ERR(json_parse(arena, buf_str(text), &v, NULL), OK);
    return v;
}

/* One random thing that may happen to a rollout. */
static void happen(struct rig *rig, struct rng *rng)
{
    size_t kind = rng_below(rng, 20);

    rig->now += (int64_t)rng_below(rng, 4 * MINUTE);
    if (kind < 2)
        rig_operate(rig, (enum rollout_operation)(1 + rng_below(rng, ROLLOUT_OPERATION_COUNT - 2)));
    else if (kind < 4)
        rig_feed(rig, &(struct rig_feed){ (int)rng_below(rng, 400), (int)rng_below(rng, 30),
                                          (int)rng_below(rng, 60) });
    else if (kind == 4)
        rig->config_hash += rng_below(rng, 4) == 0;
    else
        rig_tick(rig);
}

static void check_same_row(const struct rollout_row *a, const struct rollout_row *b)
{
    CHECK_INT(a->sequence, b->sequence);
    CHECK_INT(a->time, b->time);
    CHECK_INT(a->generation, b->generation);
    CHECK_INT(a->from.state, b->from.state);
    CHECK_INT(a->from.step, b->from.step);
    CHECK_INT(a->to.state, b->to.state);
    CHECK_INT(a->to.step, b->to.step);
    CHECK_INT(a->reason, b->reason);
    CHECK_INT(a->refusal, b->refusal);
    CHECK_INT(a->guards, b->guards);
    CHECK(a->config_hash == b->config_hash);
}

static void rows_come_back(void)
{
    struct rig rig;
    struct rng rng;
    struct buf once = { 0 }, twice = { 0 };
    struct arena arena;

    rng_init(&rng, 21);
    rig_open(&rig, NULL);
    arena_init(&arena, 64 << 20);
    rig_operate(&rig, ROLLOUT_START);
    for (int i = 0; i < 600; i++)
        happen(&rig, &rng);
    REQUIRE(rig.row_count > 50);
    rig.rows[0].actor = STR("a \"quoted\" name\n");
    rig.rows[0].revision = STR("r41");
    rig.rows[0].note = STR("");
    for (size_t i = 0; i < rig.row_count; i++) {
        struct rollout_row back;
        buf_reset(&once);
        buf_reset(&twice);
        rollout_row_write(&rig.rows[i], STR("gpt-4o-mini"), &once);
        REQUIRE(rollout_row_read(&arena, parsed(&arena, &once), &back) == OK);
        rollout_row_write(&back, STR("gpt-4o-mini"), &twice);
        CHECK_STR(buf_str(&twice), buf_str(&once));
        check_same_row(&back, &rig.rows[i]);
    }
    buf_fini(&once);
    buf_fini(&twice);
    arena_fini(&arena);
    rig_close(&rig);
}

/* Whatever happened: only allowed moves, numbers without gaps, and rows that say what they did. */
static void every_move_is_legal(void)
{
    static const char *const legal[] = {
        "draft>running",   "draft>aborted",      "draft>superseded",  "running>running",
        "running>paused",  "running>baking",     "running>aborted",   "running>superseded",
        "paused>running",  "paused>paused",      "paused>baking",     "paused>completed",
        "paused>aborted",  "paused>superseded",  "baking>paused",     "baking>completed",
        "baking>aborted",  "baking>superseded",  "completed>aborted", "completed>superseded",
        "aborted>running", "aborted>superseded",
    };
    bool is_seen[ARRAY_LEN(legal)] = { false };
    struct rng rng;

    rng_init(&rng, 22);
    for (int run = 0; run < 200; run++) {
        struct rig rig;
        int n = run == 0 ? 0 : (int)rng_below(&rng, 200);
        rig_open(&rig, NULL);
        for (int i = 0; i < n; i++)
            happen(&rig, &rng);
        if (run % 2 == 0)
            rig_operate(&rig, ROLLOUT_SUPERSEDE);
        for (size_t i = 0; i < rig.row_count; i++) {
            const struct rollout_row *row = &rig.rows[i];
            char text[64];
            size_t found = 0;
            CHECK_INT(row->sequence, i + 1);
            if (row->refusal != ROLLOUT_ACCEPTED)
                continue;
            snprintf(text, sizeof(text), "%s>%s", rollout_state_name(row->from.state),
                     rollout_state_name(row->to.state));
            while (found < ARRAY_LEN(legal) && strcmp(text, legal[found]) != 0)
                found++;
            if (found == ARRAY_LEN(legal))
                fprintf(stderr, "%s\n", text);
            REQUIRE(found < ARRAY_LEN(legal));
            is_seen[found] = true;
            CHECK(row->to.step == row->from.step || row->to.step == row->from.step + 1 ||
                  row->operation != ROLLOUT_TICK);
        }
        rig_close(&rig);
    }
    for (size_t i = 0; i < ARRAY_LEN(legal); i++) {
        if (!is_seen[i])
            fprintf(stderr, "never seen: %s\n", legal[i]);
        CHECK(is_seen[i]);
    }
}

static void check_same_rollout(const struct rollout *a, const struct rollout *b)
{
    struct rollout x = *a, y = *b;
    struct buf one = { 0 }, two = { 0 };

    rollout_checkpoint(&x, &one);
    rollout_checkpoint(&y, &two);
    CHECK_STR(buf_str(&two), buf_str(&one));
    buf_fini(&one);
    buf_fini(&two);
}

/* At any moment: a checkpoint restores everything; an older one and the rows since restore the machine; rows alone do too. */
static void a_rollout_restores_at_any_moment(void)
{
    struct rng rng;

    rng_init(&rng, 23);
    for (int run = 0; run < 25; run++) {
        struct rig rig;
        struct arena arena;
        struct buf old = { 0 }, fresh = { 0 };
        struct rollout back;
        const char *what = NULL;
        rig_open(&rig, NULL);
        arena_init(&arena, 64 << 20);
        rig_operate(&rig, ROLLOUT_START);
        int n = (int)rng_below(&rng, 200);
        for (int i = 0; i < n; i++)
            happen(&rig, &rng);
        rollout_checkpoint(&rig.rollout, &old);
        n = (int)rng_below(&rng, 60);
        for (int i = 0; i < n; i++)
            happen(&rig, &rng);
        rollout_checkpoint(&rig.rollout, &fresh);

        REQUIRE(rollout_restore(&back, &rig.spec, parsed(&arena, &fresh), rig.rows, rig.row_count,
                                &what) == OK);
        check_same_rollout(&rig.rollout, &back);
        CHECK(back.is_restored);
        CHECK_INT(back.n_before[SIDE_CANARY], rig.rollout.sums.arms[SIDE_CANARY].outcomes);

        REQUIRE(rollout_restore(&back, &rig.spec, parsed(&arena, &old), rig.rows, rig.row_count,
                                &what) == OK);
        CHECK_INT(back.place.state, rig.rollout.place.state);
        CHECK_INT(back.place.step, rig.rollout.place.step);
        CHECK_INT(back.generation, rig.rollout.generation);
        CHECK_INT(back.sequence, rig.rollout.sequence);
        CHECK_INT(back.phase, rig.rollout.phase);

        REQUIRE(rollout_restore(&back, &rig.spec, (struct json){ 0 }, rig.rows, rig.row_count,
                                &what) == OK);
        CHECK_INT(back.place.state, rig.rollout.place.state);
        CHECK_INT(back.place.step, rig.rollout.place.step);
        CHECK_INT(back.reason, rig.rollout.reason);
        CHECK_INT(back.generation, rig.rollout.generation);
        CHECK_INT(back.attempt, rig.rollout.attempt);
        CHECK(back.config_hash == rig.rollout.config_hash);
        buf_fini(&old);
        buf_fini(&fresh);
        arena_fini(&arena);
        rig_close(&rig);
    }
}

/* Restores rig's rollout in place, as a process does that died just now. */
static void crash(struct rig *rig)
{
    struct arena arena;
    struct buf text = { 0 };
    const char *what = NULL;

    arena_init(&arena, 1 << 20);
    rollout_checkpoint(&rig->rollout, &text);
    CHECK_ERR(rollout_restore(&rig->rollout, &rig->spec, parsed(&arena, &text), rig->rows,
                              rig->row_count, &what),
              OK);
    arena_fini(&arena);
    buf_fini(&text);
}

static void a_restart_does_not_advance_on_old_data(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    for (int i = 0; i < 59; i++) {
        rig_feed(&rig, &(struct rig_feed){ 10, 0, 0 });
        rig_pass(&rig, MINUTE);
    }
    crash(&rig);
    rig_pass(&rig, MINUTE); /* the hour is over, everything was shown, and none of it is new */
    CHECK_INT(rig.last.hold, HOLD_FRESH_SAMPLES);
    rig_feed(&rig, &(struct rig_feed){ 199, 0, 0 });
    CHECK_INT(rig_tick(&rig), HOLD_FRESH_SAMPLES);
    rig_see(&rig, ARM_CANARY, &rig_good);
    CHECK_INT(rig_tick(&rig), HOLD_FRESH_SAMPLES);
    rig_see(&rig, ARM_CONTROL, &rig_good);
    CHECK_INT(rig_tick(&rig), HOLD_NONE);
    CHECK_INT(rig.rollout.place.step, 1);
    CHECK(!rig.rollout.is_restored); /* the next step knows nothing of it */
    CHECK_INT(rig.rollout.n_before[SIDE_CANARY] + rig.rollout.n_before[SIDE_CONTROL], 0);
    rig_close(&rig);
}

/* What was seen before the restart still counts against the canary. */
static void a_restart_forgets_no_harm(void)
{
    struct outcome broken = rig_good;
    struct rig rig;

    broken.is_success = false;
    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    for (int i = 0; i < 5; i++)
        rig_see(&rig, ARM_CANARY, &broken);
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    crash(&rig);
    rig.now += MINUTE;
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    crash(&rig);
    rig_pass(&rig, 14 * MINUTE); /* a quarter of an hour since the trip, over two restarts */
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    crash(&rig);
    CHECK_INT(rig_tick(&rig), HOLD_IDLE);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    rig_close(&rig);
}

/* Down for longer than a gap may be: that time was not watched. */
static void a_long_downtime_does_not_count(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    rig_feed(&rig, &(struct rig_feed){ 10, 0, 0 });
    rig_pass(&rig, 4 * MINUTE);
    crash(&rig);
    rig.now += MINUTE;
    rig_tick(&rig);
    CHECK_INT(rig.rollout.watched_us, 5 * MINUTE);
    crash(&rig);
    rig.now += 30 * 24 * HOUR;
    rig_tick(&rig);
    CHECK_INT(rig.rollout.watched_us, 5 * MINUTE);
    rig_close(&rig);
}

static void names_lead_back(void)
{
    enum rollout_state state = ROLLOUT_PAUSED;
    enum rollout_reason reason = ROLLOUT_FOR_GUARD;
    enum rollout_operation operation = ROLLOUT_RETRY;
    enum rollout_refusal refusal = ROLLOUT_NOT_ALLOWED;

    CHECK(!rollout_state_find(STR("idle"), &state) && state == ROLLOUT_PAUSED);
    CHECK(!rollout_reason_find(STR(""), &reason) && reason == ROLLOUT_FOR_GUARD);
    CHECK(!rollout_operation_find(STR("Start"), &operation) && operation == ROLLOUT_RETRY);
    CHECK(!rollout_refusal_find(STR("stale"), &refusal) && refusal == ROLLOUT_NOT_ALLOWED);
    for (size_t i = 0; i < ROLLOUT_STATE_COUNT; i++)
        CHECK(rollout_state_find(str_from(rollout_state_name((enum rollout_state)i)), &state) &&
              state == i);
    for (size_t i = 0; i < ROLLOUT_REASON_COUNT; i++) {
        CHECK(rollout_reason_find(str_from(rollout_reason_name((enum rollout_reason)i)), &reason) &&
              reason == i);
        CHECK(rollout_reason_text((enum rollout_reason)i)[0] != '\0');
    }
    for (size_t i = 0; i < ROLLOUT_OPERATION_COUNT; i++)
        CHECK(rollout_operation_find(str_from(rollout_operation_name((enum rollout_operation)i)),
                                     &operation) &&
              operation == i);
    for (size_t i = 0; i < ROLLOUT_REFUSAL_COUNT; i++)
        CHECK(rollout_refusal_find(str_from(rollout_refusal_name((enum rollout_refusal)i)),
                                   &refusal) &&
              refusal == i);
    for (size_t i = 0; i < ROLLOUT_ARM_COUNT; i++)
        CHECK(rollout_arm_name((enum rollout_arm)i)[0] != '\0');
    for (size_t i = 0; i < HOLD_COUNT; i++)
        CHECK(rollout_hold_name((enum rollout_hold)i)[0] != '\0');
}

/* ---- damage ---- */

static void replaced(struct buf *out, str text, const char *from, const char *to)
{
    size_t at = str_find(text, str_from(from));

    buf_reset(out);
    if (at == STR_NPOS)
        fprintf(stderr, "not in the text: %s\n", from);
    REQUIRE(at != STR_NPOS);
    buf_add(out, str_slice(text, 0, at));
    buf_add(out, str_from(to));
    buf_add(out, str_slice(text, at + strlen(from), text.len));
}

static void damaged_checkpoints_are_refused(void)
{
    static const char *const rows[][3] = {
        { "\"version\":1", "\"version\":2", "version" },
        { "\"rollout\":\"gpt", "\"rollout\":\"xpt", "another rollout" },
        { "\"specification\":\"", "\"specification\":\"0", "another specification" },
        { "\"sequence\":1", "\"sequence\":-1", "state" },
        { "\"generation\":1", "\"generation\":\"1\"", "state" },
        { "\"attempt\":1", "\"attempt\":0", "state" },
        { "\"phase\":1", "\"phase\":1e60", "state" },
        { "\"state\":\"running\"", "\"state\":\"ruining\"", "state" },
        { "\"state\":\"running\"", "\"state\":\"completed\"", "state" },
        { "\"state\":\"running\"", "\"state\":\"baking\"", "state" },
        { "\"step\":0", "\"step\":2", "state" },
        { "\"step\":0", "\"step\":3", "state" },
        { "\"step\":0", "\"step\":99999999999", "state" },
        { "\"reason\":\"started\"", "\"reason\":\"\"", "state" },
        { "\"configuration\":\"0", "\"configuration\":\"g", "state" },
        { "\"watched_us\":0", "\"watched_us\":-5", "counts" },
        { "\"late\":0", "\"late\":null", "counts" },
        { "\"exposures\":[", "\"exposures\":[1,", "counts" },
        { "\"last_tick\":1", "\"last_tick\":-1", "counts" },
        { "\"last_canary\":1", "\"last_canary\":\"1\",\"x\":1", "counts" },
        { "\"judges\":{", "\"judges\":[],\"x\":{", "counts" },
        { "\"verdict\":\"open\"", "\"verdict\":\"opened\"", "counts" },
        { "\"verdict\":\"open\"", "\"verdict\":\"none\"", "counts" },
        { "\"since\":1", "\"since\":-1", "counts" },
        { "\"canary\":[5,5]", "\"canary\":[6,5]", "counts" },
        { "\"canary\":[5,5]", "\"canary\":[5,6]", "counts" },
        { "\"canary\":[5,5]", "\"canary\":[5,4]", "counts" },
        { "\"canary\":[5,5]", "\"canary\":[4,5]", "counts" },
        { "\"canary\":[5,5]", "\"canary\":[5]", "counts" },
        { "\"control\":[0,0]", "\"control\":[1,0]", "counts" },
        { "\"blocks\":[0,0,0,0,0,0,", "\"blocks\":[1,0,1,0,0,0,", "counts" },
        { "\"blocks\":[0,0,0,0,0,0,", "\"blocks\":\"x\",\"y\":[0,0,0,0,0,0,", "counts" },
        { "\"sums\":{", "\"sums\":{\"x\":1},\"y\":{", "sums" },
    };
    struct outcome broken = rig_good;
    struct buf text = { 0 }, bad = { 0 };
    struct rig rig;

    broken.is_success = false;
    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    for (int i = 0; i < 5; i++)
        rig_see(&rig, ARM_CANARY, &broken);
    rig_tick(&rig);
    rollout_checkpoint(&rig.rollout, &text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rollout out = { .attempt = 77 };
        struct arena arena;
        const char *what = "";
        arena_init(&arena, 1 << 20);
        replaced(&bad, buf_str(&text), rows[i][0], rows[i][1]);
        enum err result = rollout_restore(&out, &rig.spec, parsed(&arena, &bad), NULL, 0, &what);
        if (result == OK || !strstr(what, rows[i][2]))
            fprintf(stderr, "row '%s': %s\n", rows[i][1], what);
        CHECK_ERR(result, CALLER_BAD_REQUEST);
        CHECK(strstr(what, rows[i][2]) != NULL);
        CHECK_INT(out.attempt, 77);
        arena_fini(&arena);
    }
    buf_fini(&text);
    buf_fini(&bad);
    rig_close(&rig);
}

static void a_checkpoint_belongs_to_its_specification(void)
{
    struct rollout out;
    struct arena arena;
    struct buf text = { 0 };
    const char *what = "";
    struct rig rig;

    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    arena_init(&arena, 1 << 20);
    rollout_checkpoint(&rig.rollout, &text);
    rig.spec.holdback++;
    CHECK_ERR(rollout_restore(&out, &rig.spec, parsed(&arena, &text), NULL, 0, &what),
              CALLER_BAD_REQUEST);
    CHECK(strstr(what, "another specification") != NULL);
    rig.spec.holdback--;
    CHECK_ERR(rollout_restore(&out, &rig.spec, parsed(&arena, &text), NULL, 0, &what), OK);
    arena_fini(&arena);
    buf_fini(&text);
    rig_close(&rig);
}

static void rows_that_do_not_follow_are_refused(void)
{
    struct rollout out;
    const char *what = NULL;
    struct rig rig;

    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    rig_operate(&rig, ROLLOUT_PAUSE);
    rig_operate(&rig, ROLLOUT_RESUME);
    CHECK_ERR(rollout_restore(&out, &rig.spec, (struct json){ 0 }, rig.rows + 1, 2, &what),
              CALLER_BAD_REQUEST);
    CHECK(what && strstr(what, "follow"));
    struct rollout_row swapped[3] = { rig.rows[0], rig.rows[2], rig.rows[1] };
    CHECK_ERR(rollout_restore(&out, &rig.spec, (struct json){ 0 }, swapped, 3, &what),
              CALLER_BAD_REQUEST);
    CHECK_ERR(rollout_restore(&out, &rig.spec, (struct json){ 0 }, rig.rows, 3, &what), OK);
    CHECK_INT(out.sequence, 3);
    rig.spec.step_count = 0;
    CHECK_ERR(rollout_restore(&out, &rig.spec, (struct json){ 0 }, rig.rows, 3, &what),
              CALLER_BAD_REQUEST);
    rig_close(&rig);
}

static void damaged_rows_are_refused(void)
{
    static const char *const rows[][2] = {
        { "\"version\":1", "\"version\":9" },
        { "\"sequence\":1", "\"sequence\":0" },
        { "\"time\":1", "\"time\":-1" },
        { "\"actor\":\"ada\"", "\"actor\":7" },
        { "\"note\":", "\"mote\":" },
        { "\"revision\":", "\"r\":" },
        { "\"generation\":1", "\"generation\":1.5" },
        { "\"attempt\":1", "\"attempt\":0" },
        { "\"operation\":\"start\"", "\"operation\":\"stert\"" },
        { "\"refusal\":\"accepted\"", "\"refusal\":true" },
        { "\"from\":{", "\"from\":7,\"x\":{" },
        { "\"to\":{\"state\":\"", "\"to\":{\"state\":\"x" },
        { "\"reason\":\"started\"", "\"reason\":\"start\"" },
        { "\"guards\":0", "\"guards\":64" },
        { "\"configuration\":\"", "\"configuration\":\"0" },
        { "\"evidence\":[", "\"evidence\":[1," },
        { "\"name\":\"success_rate\"", "\"name\":\"success\"" },
    };
    struct buf text = { 0 }, bad = { 0 };
    struct rig rig;

    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    rollout_row_write(&rig.rows[0], STR("gpt-4o-mini"), &text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rollout_row out = { .sequence = 77 };
        struct arena arena;
        arena_init(&arena, 1 << 20);
        replaced(&bad, buf_str(&text), rows[i][0], rows[i][1]);
        enum err result = rollout_row_read(&arena, parsed(&arena, &bad), &out);
        if (result == OK)
            fprintf(stderr, "row '%s'\n", rows[i][1]);
        CHECK_ERR(result, CALLER_BAD_REQUEST);
        CHECK_INT(out.sequence, 77);
        arena_fini(&arena);
    }
    buf_fini(&text);
    buf_fini(&bad);
    rig_close(&rig);
}

TESTS(TEST(rows_come_back), TEST(names_lead_back), TEST(every_move_is_legal),
      TEST(a_rollout_restores_at_any_moment), TEST(a_restart_does_not_advance_on_old_data),
      TEST(a_restart_forgets_no_harm), TEST(a_long_downtime_does_not_count),
      TEST(damaged_checkpoints_are_refused), TEST(a_checkpoint_belongs_to_its_specification),
      TEST(rows_that_do_not_follow_are_refused), TEST(damaged_rows_are_refused))
