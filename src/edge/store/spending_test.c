/* SPDX-License-Identifier: Apache-2.0 */
/* spending_test: what keys used, as the ledger has it: what counts, in which slot, since when. */
#include "edge/store/spending.h"

#include "edge/store/store_world.h"

#define SECOND INT64_C(1000000)
#define HALF_HOUR (1800 * SECOND)

struct seen {
    struct spending rows[16];
    char keys[16][16];
    size_t count;
};

static void on_row(void *ctx, const struct spending *row)
{
    struct seen *s = ctx;

    if (s->count == ARRAY_LEN(s->rows))
        return;
    CHECK_STR(row->tenant, STR("acme"));
    s->rows[s->count] = *row;
    snprintf(s->keys[s->count], sizeof(s->keys[0]), "%.*s", STR_ARG(row->key));
    s->count++;
}

static struct seen spending_of(const struct world *w, usec_utc since, usec_utc now)
{
    struct seen seen = { .count = 0 };
    char why[256] = "";

    CHECK_ERR(store_read_spending(str_from(w->directory), since, now, on_row, &seen, why), OK);
    return seen;
}

static const struct spending *row_of(const struct seen *s, const char *key, usec_utc at)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->keys[i], key) == 0 && s->rows[i].at == at)
            return &s->rows[i];
    }
    CHECK_STR(str_from(key), STR("a key with such a row"));
    return &s->rows[0];
}

/* A query of one call that costs CALL_COST for 120 tokens. */
static void asked(struct world *w, str key, usec_utc started, enum err fault)
{
    const struct ledger_query q = {
        .id = ledger_query_id(w->ledger), .started = started, .tenant = STR("acme"), .key = key
    };
    const struct ledger_end e = { .id = q.id, .fault = fault, .raw = LEDGER_RAW_NONE };

    ledger_begin(w->ledger, &q);
    if (fault != POLICY_LIMIT && fault != POLICY_QUOTA) {
        call_begin(w->ledger, q.id, 1);
        if (fault != WEIR_INTERRUPTED)
            call_done(w->ledger, q.id, 1);
    }
    if (fault != WEIR_INTERRUPTED)
        ledger_end(w->ledger, &e);
}

static void what_counts_is_counted_once(void)
{
    struct world w;
    /* Whole half hours, so that what is old has a known slot. */
    usec_utc now = (usec_utc)time(NULL) * SECOND / HALF_HOUR * HALF_HOUR;
    usec_utc old = now - 6 * HALF_HOUR;

    world_init(&w);
    REQUIRE(world_open(&w));
    asked(&w, STR("k1"), now - SECOND, OK);
    asked(&w, STR("k1"), now - SECOND + 999999, CALLER_GONE);
    asked(&w, STR("k1"), now - 2 * SECOND, OK);
    asked(&w, STR("k1"), old, OK);
    asked(&w, STR("k1"), old + HALF_HOUR - 1, PROVIDER_CUT);
    asked(&w, STR("k1"), old - 1, OK);
    asked(&w, STR("k2"), now - SECOND, OK);
    asked(&w, STR("k2"), now - SECOND, POLICY_LIMIT);
    asked(&w, STR("k2"), now - SECOND, POLICY_QUOTA);
    asked(&w, STR(""), now - SECOND, OK);
    asked(&w, STR("k3"), now - SECOND, WEIR_INTERRUPTED);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);

    struct seen s = spending_of(&w, 0, now);
    CHECK_INT(s.count, 6);
    const struct spending *r = row_of(&s, "k1", now - SECOND);
    CHECK(r->requests == 2 && r->tokens == 240 && r->cost == 2 * CALL_COST);
    CHECK_INT(row_of(&s, "k1", now - 2 * SECOND)->requests, 1);
    r = row_of(&s, "k1", old);
    CHECK(r->requests == 2 && r->cost == 2 * CALL_COST);
    CHECK_INT(row_of(&s, "k1", old - HALF_HOUR)->requests, 1);
    CHECK_INT(row_of(&s, "k2", now - SECOND)->requests, 1);
    r = row_of(&s, "k3", now - SECOND); /* what was interrupted costs its reserve */
    CHECK(r->requests == 1 && r->tokens == 0 && r->cost == 5000);
    CHECK_INT(spending_of(&w, old, now).count, 5);
    CHECK_INT(spending_of(&w, now - SECOND, now).count, 3);
    world_fini(&w);
}

/* Rows are passed over by their ids, whose clock may be behind the one of the start. */
static void an_id_may_be_older_than_its_query(void)
{
    usec_utc started = (usec_utc)time(NULL) * SECOND + 30 * SECOND;
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    asked(&w, STR("k1"), started, OK);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);
    CHECK_INT(spending_of(&w, started, started).count, 1);
    CHECK_INT(spending_of(&w, started + 1, started).count, 0);
    world_fini(&w);
}

static void a_missing_ledger_is_said(void)
{
    struct seen seen = { .count = 0 };
    char why[256] = "";

    CHECK_ERR(store_read_spending(STR("/nowhere/at/all"), 0, 0, on_row, &seen, why), WEIR_STORE);
    CHECK(strstr(why, "/nowhere/at/all") != NULL);
}

TESTS(TEST(what_counts_is_counted_once), TEST(an_id_may_be_older_than_its_query),
      TEST(a_missing_ledger_is_said))
