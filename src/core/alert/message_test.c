/* SPDX-License-Identifier: Apache-2.0 */
/* message's tests: exact times of messages, silences, restarts, and a seeded swarm against a twin. */
#include "base/rng.h"
#include "core/alert/alert_world.h"

/* ---- messages ---- */

static void messages_keep_the_group_s_times(void)
{
    struct world w;
    size_t firing, resolved;

    world_open(&w, &success_rule, 1);
    w.series = 2;
    w.readings[1] = (struct alert_reading){ .n = 1000, .value = 0.99 };
    set(&w, 0.5);
    tick(&w, START);
    tick(&w, START + MIN(2)); /* fires */
    CHECK_INT(deliver(&w, START + MIN(2) + SEC(29), &firing, &resolved), 0);
    CHECK_INT(deliver(&w, START + MIN(2) + SEC(30), &firing, &resolved), 3); /* every receiver */
    CHECK_INT(firing, 3);
    CHECK_INT(deliver(&w, START + HOUR(4), &firing, &resolved), 0);
    CHECK_INT(deliver(&w, START + HOUR(4) + MIN(2) + SEC(30), &firing, &resolved), 3); /* repeat */
    set(&w, 0.99);
    usec_utc t = START + HOUR(4) + MIN(3);
    tick(&w, t);
    tick(&w, t + MIN(5)); /* ends; the last message is 5 min 30 s ago */
    CHECK_INT(deliver(&w, t + MIN(5), &firing, &resolved), 2); /* mail does not want ends */
    CHECK_INT(resolved, 2);
    CHECK_INT(firing, 0);
    CHECK(alert_at(w.m, 0) == NULL); /* and is forgotten */
    CHECK_INT(deliver(&w, t + HOUR(9), &firing, &resolved), 0);
    world_close(&w);
}

static void an_end_is_not_told_to_whom_the_beginning_was_not(void)
{
    struct world w;
    size_t firing, resolved;

    world_open(&w, &success_rule, 1);
    set(&w, 0.5);
    tick(&w, START);
    tick(&w, START + MIN(2));
    set(&w, 0.99);
    tick(&w, START + MIN(2) + SEC(1));
    tick(&w, START + MIN(7) + SEC(1));
    CHECK_INT(w.last_to, ALERT_INACTIVE); /* it came and went before anybody was told */
    CHECK_INT(deliver(&w, START + HOUR(1), &firing, &resolved), 0);
    world_close(&w);
}

static void changes_wait_for_the_interval(void)
{
    struct alert_rule rule = success_rule;
    struct world w;
    size_t firing, resolved;

    rule.pending = 0;
    rule.keep_firing = 0;
    world_open(&w, &rule, 1);
    set(&w, 0.5);
    tick(&w, START);
    CHECK_INT(deliver(&w, START + SEC(30), &firing, &resolved), 3);
    set(&w, 0.99);
    tick(&w, START + SEC(60));
    CHECK_INT(deliver(&w, START + SEC(329), &firing, &resolved), 0);
    set(&w, 0.5); /* back before its end was told: nothing has changed for the receivers */
    tick(&w, START + SEC(330));
    CHECK_INT(deliver(&w, START + SEC(331), &firing, &resolved), 0);
    set(&w, 0.99);
    tick(&w, START + SEC(332));
    CHECK_INT(deliver(&w, START + SEC(333), &firing, &resolved), 2);
    set(&w, 0.5); /* and soon again: the pace is kept */
    tick(&w, START + SEC(340));
    CHECK_INT(deliver(&w, START + SEC(600), &firing, &resolved),
              1); /* mail, which heard of no end, 570 s ago */
    CHECK_INT(deliver(&w, START + SEC(633), &firing, &resolved), 2);
    world_close(&w);
}

static void what_joins_a_group_is_told_with_it(void)
{
    struct alert_rule rule = success_rule;
    struct world w;
    size_t firing, resolved;

    rule.pending = 0;
    rule.by = ALERT_BY_DOMAIN;
    world_open(&w, &rule, 1);
    w.are_domains = true;
    w.series = 2;
    w.readings[1] = w.readings[0];
    set(&w, 0.5);
    tick(&w, START);
    CHECK_INT(deliver(&w, START + SEC(30), &firing, &resolved), 3);
    CHECK_INT(firing, 3);
    w.readings[1].value = 0.5;
    tick(&w, START + SEC(40));
    CHECK_INT(deliver(&w, START + SEC(329), &firing, &resolved), 0);
    CHECK_INT(deliver(&w, START + SEC(330), &firing, &resolved), 3);
    CHECK_INT(firing, 6);
    world_close(&w);
}

static void clearing_begins_anew_with_each_firing(void)
{
    struct alert_rule rule = success_rule;
    struct world w;
    size_t firing, resolved;

    rule.pending = 0;
    world_open(&w, &rule, 1);
    set(&w, 0.5);
    tick(&w, START);
    CHECK_INT(deliver(&w, START + SEC(30), &firing, &resolved), 3);
    set(&w, 0.99);
    tick(&w, START + SEC(40));
    tick(&w, START + SEC(340)); /* over, and not told yet: the instance is kept */
    set(&w, 0.5);
    tick(&w, START + SEC(341));
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 1);
    set(&w, 0.99);
    tick(&w, START + SEC(400));
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 1);
    tick(&w, START + SEC(700));
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 0);
    world_close(&w);
}

static void severities_choose_receivers(void)
{
    struct alert_rule rule = success_rule;
    struct world w;
    size_t firing, resolved;

    rule.severity = ALERT_WARNING;
    rule.pending = 0;
    world_open(&w, &rule, 1);
    set(&w, 0.5);
    tick(&w, START);
    CHECK_INT(deliver(&w, START + MIN(1), &firing, &resolved), 2); /* not the pager */
    world_close(&w);
}

/* ---- silences and inhibition ---- */

static struct alert_silence silence_of(const char *label, const char *value, usec_utc starts,
                                       usec_utc ends)
{
    struct alert_silence s = { .matcher_count = 1, .starts = starts, .ends = ends };

    snprintf(s.matchers[0].label, sizeof(s.matchers[0].label), "%s", label);
    snprintf(s.matchers[0].value, sizeof(s.matchers[0].value), "%s", value);
    snprintf(s.author, sizeof(s.author), "ada");
    return s;
}

static void a_silence_mutes_until_it_ends(void)
{
    static const struct {
        const char *label, *value;
        bool is_negative, mutes;
    } rows[] = {
        { "alertname", "success_low", false, true }, { "alertname", "success*", false, true },
        { "alertname", "cost*", false, false },      { "arm", "baseline", false, true },
        { "arm", "baseline", true, false },          { "arm", "canary", true, true },
        { "severity", "critical", false, true },     { "domain", "", false, true },
    };
    struct alert_rule rule = success_rule;

    rule.pending = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        size_t firing, resolved;
        uint64_t id = 0;
        world_open(&w, &rule, 1);
        struct alert_silence s = silence_of(rows[i].label, rows[i].value, START, START + HOUR(1));
        s.matchers[0].is_negative = rows[i].is_negative;
        CHECK_ERR(alert_silence_add(w.m, &s, &id), OK);
        CHECK_INT(id, 1);
        set(&w, 0.5);
        tick(&w, START);
        CHECK_INT(deliver(&w, START + MIN(1), &firing, &resolved), rows[i].mutes ? 0 : 3);
        CHECK_INT(deliver(&w, START + HOUR(1), &firing, &resolved), rows[i].mutes ? 3 : 0);
        world_close(&w);
    }
}

static void silences_are_checked_and_end_early(void)
{
    struct world w;
    uint64_t id = 0;

    world_open(&w, &success_rule, 1);
    struct alert_silence s = silence_of("nonsense", "x", START, START + HOUR(1));
    CHECK_ERR(alert_silence_add(w.m, &s, &id), CALLER_BAD_REQUEST);
    s = silence_of("arm", "x", START, START);
    CHECK_ERR(alert_silence_add(w.m, &s, &id), CALLER_BAD_REQUEST);
    s = silence_of("arm", "x", START, START + HOUR(1));
    s.author[0] = '\0';
    CHECK_ERR(alert_silence_add(w.m, &s, &id), CALLER_BAD_REQUEST);
    s = silence_of("arm", "x", START, START + HOUR(1));
    s.matcher_count = 0;
    CHECK_ERR(alert_silence_add(w.m, &s, &id), CALLER_BAD_REQUEST);
    s.matcher_count = 1;
    for (size_t i = 0; i < ALERT_SILENCES_MAX; i++)
        CHECK_ERR(alert_silence_add(w.m, &s, &id), OK);
    CHECK_ERR(alert_silence_add(w.m, &s, &id), WEIR_OVERLOADED);
    CHECK(alert_silence_end(w.m, 7, START + MIN(1)));
    CHECK(!alert_silence_end(w.m, 7, START + MIN(2)));
    tick(&w, START + MIN(2));
    CHECK_ERR(alert_silence_add(w.m, &s, &id), OK); /* in the place of the one that ended */
    CHECK_INT(id, ALERT_SILENCES_MAX + 1);
    world_close(&w);
}

static void a_rollback_mutes_its_arm_s_warnings(void)
{
    struct alert_rule rules[2] = { success_rule, success_rule };
    static const struct alert_inhibition inhibition = {
        .source = { "severity", "critical", false },
        .target = { "severity", "warning", false },
        .same_arm = true,
    };
    struct world w;
    size_t firing, resolved;

    rules[0].pending = rules[1].pending = 0;
    rules[1].name = STR("also_low");
    rules[1].severity = ALERT_WARNING;
    rules[1].threshold = 0.98;
    rules[1].clear = 0.985;
    world_open(&w, rules, 2);
    w.policy.inhibitions = &inhibition;
    w.policy.inhibition_count = 1;
    REQUIRE(alert_open(&w.m, &w.arena, &w.policy) == OK);
    w.series = 2;
    set(&w, 0.5); /* baseline: both fire */
    w.readings[1] =
        (struct alert_reading){ .n = 100, .value = 0.97 }; /* canary: the warning alone */
    tick(&w, START);
    CHECK_INT(alert_count(w.m, ALERT_FIRING), 3);
    CHECK_INT(deliver(&w, START + MIN(1), &firing, &resolved), 5);
    CHECK_INT(firing,
              5); /* critical to three, the canary's warning to two, baseline's warning to nobody */
    world_close(&w);

    /* Two that would each mute the other are both heard. */
    static const struct alert_inhibition mutual = { .source = { "severity", "critical", false },
                                                    .target = { "alertname", "*", false } };
    rules[1].severity = ALERT_CRITICAL;
    world_open(&w, rules, 2);
    w.policy.inhibitions = &mutual;
    w.policy.inhibition_count = 1;
    REQUIRE(alert_open(&w.m, &w.arena, &w.policy) == OK);
    set(&w, 0.5);
    tick(&w, START);
    CHECK_INT(deliver(&w, START + MIN(1), &firing, &resolved), 6);
    world_close(&w);
}

/* ---- restarts ---- */

static struct buf state_of(const struct world *w)
{
    struct buf out = { 0 };

    alert_state_write(w->m, &out);
    return out;
}

static void a_restart_neither_repeats_nor_loses(void)
{
    struct world w;
    size_t firing, resolved;
    uint64_t id;

    world_open(&w, &success_rule, 1);
    struct alert_silence s = silence_of("arm", "canary", START, START + HOUR(1));
    REQUIRE(alert_silence_add(w.m, &s, &id) == OK);
    set(&w, 0.5);
    tick(&w, START);
    tick(&w, START + MIN(2));
    struct alert_message before, after;
    REQUIRE(alert_due(w.m, START + MIN(3), &before));
    struct buf unsent = state_of(&w); /* the crash comes between the question and alert_sent() */
    CHECK_INT(deliver(&w, START + MIN(3), &firing, &resolved), 3);
    struct buf sent = state_of(&w);

    REQUIRE(alert_open(&w.m, &w.arena, &w.policy) == OK);
    CHECK_ERR(alert_state_read(w.m, buf_str(&unsent)), OK);
    REQUIRE(alert_due(w.m, START + MIN(3), &after));
    CHECK(before.group == after.group && before.generation == after.generation);
    CHECK_INT(before.receiver, after.receiver);

    REQUIRE(alert_open(&w.m, &w.arena, &w.policy) == OK);
    CHECK_ERR(alert_state_read(w.m, buf_str(&sent)), OK);
    CHECK_INT(deliver(&w, START + MIN(4), &firing, &resolved), 0);
    CHECK_INT(alert_silence_at(w.m, 0)->id, id);
    struct buf again = state_of(&w);
    CHECK_STR(buf_str(&again), buf_str(&sent)); /* a fixed point */
    buf_fini(&unsent);
    buf_fini(&sent);
    buf_fini(&again);
    world_close(&w);
}

static void broken_states_change_nothing(void)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"version\":2,\"now\":1,\"silence_last\":0,\"instances\":[],\"log\":[],\"silences\":[]}",
        "{\"version\":1,\"now\":-1,\"silence_last\":0,\"instances\":[],\"log\":[],\"silences\":[]}",
        "{\"version\":1,\"now\":1,\"silence_last\":0,\"instances\":[{}],\"log\":[],\"silences\":[]"
        "}",
        "{\"version\":1,\"now\":1,\"silence_last\":0,\"instances\":{},\"log\":[],\"silences\":[]}",
        "{\"version\":1,\"now\":1,\"silence_last\":0,\"instances\":[],\"log\":[{\"group\":"
        "\"0000000000000000\","
        "\"receiver\":\"chat\",\"sent\":1,\"generation\":1}],\"silences\":[]}",
    };
    struct world w;

    world_open(&w, &success_rule, 1);
    set(&w, 0.5);
    tick(&w, START);
    struct buf before = state_of(&w);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        CHECK_ERR(alert_state_read(w.m, str_from(texts[i])), CALLER_BAD_REQUEST);
    struct buf after = state_of(&w);
    CHECK_STR(buf_str(&after), buf_str(&before));
    buf_fini(&before);
    buf_fini(&after);
    world_close(&w);
}

static void what_the_configuration_no_longer_has_is_dropped(void)
{
    struct world w;
    size_t firing, resolved;

    world_open(&w, &success_rule, 1);
    set(&w, 0.5);
    tick(&w, START);
    tick(&w, START + MIN(2));
    CHECK_INT(deliver(&w, START + MIN(3), &firing, &resolved), 3);
    struct buf state = state_of(&w);
    w.policy.receiver_count = 1;
    REQUIRE(alert_open(&w.m, &w.arena, &w.policy) == OK);
    CHECK_ERR(alert_state_read(w.m, buf_str(&state)), OK);
    CHECK_INT(alert_at(w.m, 0)->told, 1);
    struct alert_rule other = success_rule;
    other.name = STR("another");
    w.policy.rules = &other;
    REQUIRE(alert_open(&w.m, &w.arena, &w.policy) == OK);
    CHECK_ERR(alert_state_read(w.m, buf_str(&state)), OK);
    CHECK(alert_at(w.m, 0) == NULL);
    buf_fini(&state);
    world_close(&w);
}

static void sentences_say_what_fell_and_how_far(void)
{
    struct world w;

    world_open(&w, &success_rule, 1);
    set(&w, 0.931);
    tick(&w, START);
    tick(&w, START + MIN(2));
    CHECK_STR(alert_sentence(w.m, alert_at(w.m, 0), &w.arena),
              STR("success rate 93.10 % < 95.00 % over 10 min (n = 1000), arm baseline"));
    world_close(&w);
}

/* ---- a swarm: random readings, crashes at random instants, a twin that never crashes ---- */

struct heard { /* by receiver and series */
    bool is_firing[3][4];
    usec_utc last[3][4];
};

static void hear(struct world *w, usec_utc now, struct heard *heard, bool records)
{
    struct alert_message message;

    while (alert_due(w->m, now, &message)) {
        CHECK(message.count > 0);
        for (size_t i = 0; i < message.count && records; i++) {
            const struct alert_message_item *item = &message.items[i];
            size_t series = 0;
            for (size_t k = 0; k < 4; k++) {
                if (strcmp(item->instance->arm, arms[k]) == 0)
                    series = k;
            }
            bool *is_firing = &heard->is_firing[message.receiver][series];
            CHECK(!item->is_resolved || *is_firing); /* never an end without a beginning */
            *is_firing = !item->is_resolved;
            usec_utc *last = &heard->last[message.receiver][series];
            CHECK(*last == 0 || now - *last >= MIN(5));
            *last = now;
        }
        alert_sent(w->m, now, &message);
    }
}

static void swarm(uint64_t seed)
{
    struct world w, twin;
    struct heard heard = { 0 };
    struct rng rng;

    rng_init(&rng, seed);
    world_open(&w, &success_rule, 1);
    world_open(&twin, &success_rule, 1);
    w.series = twin.series = 4;
    usec_utc now = START;
    for (int step = 0; step < 400; step++) {
        now += SEC(5 + rng_below(&rng, 120));
        for (size_t i = 0; i < 4; i++) {
            if (rng_below(&rng, 8) == 0)
                w.readings[i] = (struct alert_reading){ .n = (int64_t)rng_below(&rng, 400),
                                                        .value = 0.90 + 0.1 * rng_unit(&rng) };
            w.is_absent[i] = rng_below(&rng, 30) == 0;
        }
        memcpy(twin.readings, w.readings, sizeof(w.readings));
        memcpy(twin.is_absent, w.is_absent, sizeof(w.is_absent));
        tick(&w, now);
        tick(&twin, now);
        hear(&w, now, &heard, true);
        hear(&twin, now, &heard, false);
        if (rng_below(&rng, 10) == 0) {
            struct buf state = state_of(&w);
            arena_fini(&w.arena);
            REQUIRE(alert_open(&w.m, &w.arena, &w.policy) == OK);
            CHECK_ERR(alert_state_read(w.m, buf_str(&state)), OK);
            buf_fini(&state);
        }
    }
    struct buf a = state_of(&w), b = state_of(&twin);
    CHECK_INT(alert_count(w.m, ALERT_FIRING), alert_count(twin.m, ALERT_FIRING));
    CHECK_INT(a.len, b.len); /* places may differ after a restart, their content not */
    /* When all is well for long enough everybody has heard of every end that they want to hear. */
    for (int k = 0; k < 40; k++) {
        now += MIN(5);
        for (size_t i = 0; i < 4; i++) {
            w.readings[i] = (struct alert_reading){ .n = 100, .value = 1 };
            w.is_absent[i] = false;
        }
        tick(&w, now);
        hear(&w, now, &heard, true);
    }
    for (size_t i = 0; i < 4; i++)
        CHECK(!heard.is_firing[0][i] && !heard.is_firing[1][i]);
    CHECK(alert_at(w.m, 0) == NULL);
    buf_fini(&a);
    buf_fini(&b);
    world_close(&w);
    world_close(&twin);
}

static void swarms_hear_every_beginning_and_end_once(void)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        swarm(seed);
}

TESTS(TEST(messages_keep_the_group_s_times), TEST(an_end_is_not_told_to_whom_the_beginning_was_not),
      TEST(changes_wait_for_the_interval), TEST(severities_choose_receivers),
      TEST(what_joins_a_group_is_told_with_it), TEST(clearing_begins_anew_with_each_firing),
      TEST(a_silence_mutes_until_it_ends), TEST(silences_are_checked_and_end_early),
      TEST(a_rollback_mutes_its_arm_s_warnings), TEST(a_restart_neither_repeats_nor_loses),
      TEST(broken_states_change_nothing), TEST(what_the_configuration_no_longer_has_is_dropped),
      TEST(sentences_say_what_fell_and_how_far), TEST(swarms_hear_every_beginning_and_end_once))
