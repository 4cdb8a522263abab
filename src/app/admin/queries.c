/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queries: GET /admin/v1/queries, newest first, and GET /admin/v1/queries/ID with the calls.
 *
 *     ?limit=50&before=q…&since=2026-11-24&model=&domain=&strategy=&tenant=&arm=&result=ok|failed|FAULT
 */
#include "app/admin/reader.h"

#include "base/utc.h"
#include "edge/store/store.h"

#define LIMIT_DEFAULT 50

static void one_answer(struct reading *r, str text)
{
    int64_t id;
    bool is_found = false;

    if (!ledger_id_parse(text, &id)) {
        reading_refuse(r, 404, "unknown_query", "a query's id is q and 16 hexadecimal digits");
    } else if (browse_query(r->browser, id, r->body, &is_found) != OK) {
        reading_store_failed(r, browser_message(r->browser));
    } else if (!is_found) {
        reading_refuse(
            r, 404, "unknown_query",
            "no such query is in the ledger (what has just ended comes within a second)");
    }
}

static bool names_read(struct reading *r, struct browse_filter *f)
{
    const struct {
        const char *name;
        str *to;
    } names[] = {
        { "model", &f->model },   { "domain", &f->domain }, { "strategy", &f->strategy },
        { "tenant", &f->tenant }, { "arm", &f->arm },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!reading_param(r, names[i].name, names[i].to))
            return false;
    }
    return true;
}

static bool result_read(struct reading *r, struct browse_filter *f)
{
    str result;

    if (!reading_param(r, "result", &result))
        return false;
    if (str_eq_nocase(result, STR("ok")))
        f->outcome = BROWSE_SUCCEEDED;
    else if (str_eq_nocase(result, STR("failed")))
        f->outcome = BROWSE_FAILED;
    else
        f->fault = result;
    return true;
}

static bool bad(struct reading *r, const char *message)
{
    reading_refuse(r, 400, "bad_request", message);
    return false;
}

static bool place_read(struct reading *r, struct browse_filter *f)
{
    str limit, before, since;
    int64_t number;

    if (!reading_param(r, "limit", &limit) || !reading_param(r, "before", &before) ||
        !reading_param(r, "since", &since))
        return false;
    f->limit = LIMIT_DEFAULT;
    if (limit.len > 0) {
        if (!str_to_i64(limit, &number) || number < 1 || number > BROWSE_LIMIT_MAX)
            return bad(r, "limit must be a whole number from 1 to 200");
        f->limit = (size_t)number;
    }
    if (before.len > 0 && !ledger_id_parse(before, &f->before))
        return bad(r, "before must be the id of a query");
    if (since.len > 0 && !utc_parse(since, &f->since))
        return bad(r, "since must be an instant or a date, as 2026-11-24T12:00:00Z");
    return true;
}

void queries_answer(struct reading *r, str rest)
{
    struct browse_filter filter = { .limit = LIMIT_DEFAULT };
    struct browse_page page;
    char id[20];

    if (rest.len > 0) {
        one_answer(r, rest);
        return;
    }
    if (!place_read(r, &filter) || !names_read(r, &filter) || !result_read(r, &filter))
        return;
    buf_add(r->body, STR("{\"object\":\"list\",\"data\":["));
    if (browse_queries(r->browser, &filter, r->body, &page) != OK) {
        reading_store_failed(r, browser_message(r->browser));
        return;
    }
    buf_add_char(r->body, ']');
    json_key(r->body, "next");
    if (page.next == 0)
        buf_add(r->body, STR("null"));
    else
        json_write_str(r->body, ledger_id_format(page.next, id));
    json_member_bool(r->body, "cut", page.is_cut);
    buf_add_char(r->body, '}');
    r->fresh = NSEC_PER_SEC;
}
