/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_schedule: is the answer a feasible schedule of a job shop, and short enough?
 *
 * Checked in this order, and the first violation is named: it can be read; each operation is there once; a job's
 * operations follow each other; a machine does one thing at a time; the end. The bound itself is not
 * named, because it may be the optimum that is asked for.
 */
#include "core/reason/verifier_internal.h"

#define JOBS_MAX 64
#define OPERATIONS_MAX 512
#define TIME_MAX INT64_C(1000000000000) /* of a start or a duration, so that sums fit */

struct operation {
    int64_t job; /* both counted from 1, as in the answer */
    int64_t index;
    int64_t machine;
    int64_t duration;
    int64_t start;
    bool is_placed;
};

struct shop {
    struct operation *operations; /* job by job, in order */
    size_t count;
    size_t first[JOBS_MAX + 1]; /* of each job's operations; then count */
    size_t jobs;
    int64_t makespan;
};

static bool time_read(struct json v, int64_t *out)
{
    int64_t time;

    if (!json_i64(v, &time) || time < 0 || time > TIME_MAX)
        return false;
    *out = time;
    return true;
}

static size_t operations_count(struct json jobs)
{
    size_t count = 0;

    for (struct json_iter it = json_iter(jobs); json_next(&it);)
        count += json_count(it.value);
    return count;
}

static bool job_read(struct shop *shop, struct json job)
{
    size_t first = shop->count;

    if (!json_is(job, JSON_ARRAY) || json_count(job) == 0 || shop->jobs == JOBS_MAX)
        return false;
    shop->first[shop->jobs++] = first;
    for (struct json_iter it = json_iter(job); json_next(&it);) {
        struct operation o = { .job = (int64_t)shop->jobs,
                               .index = (int64_t)(shop->count - first) + 1 };
        if (!json_is(it.value, JSON_ARRAY) || json_count(it.value) != 2 ||
            !json_i64(json_at(it.value, 0), &o.machine) ||
            !time_read(json_at(it.value, 1), &o.duration))
            return false;
        shop->operations[shop->count++] = o;
    }
    return true;
}

static enum err shop_read(struct arena *arena, str text, struct shop *out)
{
    static const str names[] = { { "jobs", 4 }, { "makespan", 8 } };
    struct shop shop = { 0 };
    struct json spec;
    enum err e = spec_object(arena, text, names, ARRAY_LEN(names), &spec);

    if (e != OK)
        return e;
    struct json jobs = json_get(spec, STR("jobs"));
    if (!json_is(jobs, JSON_ARRAY) || !time_read(json_get(spec, STR("makespan")), &shop.makespan))
        return CALLER_BAD_REQUEST;
    size_t count = operations_count(jobs);
    if (count == 0 || count > OPERATIONS_MAX)
        return CALLER_BAD_REQUEST;
    shop.operations = ARENA_ARRAY(arena, count, struct operation);
    if (!shop.operations)
        return WEIR_NO_MEMORY;
    for (struct json_iter it = json_iter(jobs); json_next(&it);) {
        if (!job_read(&shop, it.value))
            return CALLER_BAD_REQUEST;
    }
    shop.first[shop.jobs] = shop.count;
    *out = shop;
    return OK;
}

/* The operation that an element of the answer names; NULL when there is none. */
static struct operation *operation_find(const struct shop *shop, int64_t job, int64_t index)
{
    if (job < 1 || job > (int64_t)shop->jobs || index < 1)
        return NULL;
    size_t first = shop->first[job - 1];
    if (index > (int64_t)(shop->first[job] - first))
        return NULL;
    return &shop->operations[first + (size_t)index - 1];
}

/* Each of the following gives the first violation that it finds, else the empty text. */

static str place_all(struct arena *arena, struct shop *shop, struct json list)
{
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        int64_t job, index, start;
        if (!json_i64(json_get(it.value, STR("job")), &job) ||
            !json_i64(json_get(it.value, STR("operation")), &index) ||
            !time_read(json_get(it.value, STR("start")), &start))
            return arena_printf(arena,
                                "\"%.*s\" does not state job, operation and start as whole numbers "
                                "from 1, 1 and 0 on.",
                                STR_ARG(finding_quote(json_raw(it.value))));
        struct operation *o = operation_find(shop, job, index);
        if (!o)
            return arena_printf(arena, "There is no operation %" PRId64 " of job %" PRId64 ".",
                                index, job);
        if (o->is_placed)
            return arena_printf(arena, "Operation %" PRId64 " of job %" PRId64 " stands twice.",
                                index, job);
        o->start = start;
        o->is_placed = true;
    }
    for (size_t i = 0; i < shop->count; i++) {
        const struct operation *o = &shop->operations[i];
        if (!o->is_placed)
            return arena_printf(arena, "Operation %" PRId64 " of job %" PRId64 " is missing.",
                                o->index, o->job);
    }
    return (str){ 0 };
}

static int64_t end_of(const struct operation *o)
{
    return o->start + o->duration;
}

static str find_disorder(struct arena *arena, const struct shop *shop)
{
    for (size_t i = 1; i < shop->count; i++) {
        const struct operation *before = &shop->operations[i - 1], *o = &shop->operations[i];
        if (before->job == o->job && o->start < end_of(before))
            return arena_printf(arena,
                                "Operation %" PRId64 " of job %" PRId64
                                " starts before the one before it has ended.",
                                o->index, o->job);
    }
    return (str){ 0 };
}

static str find_overlap(struct arena *arena, const struct shop *shop)
{
    for (size_t i = 0; i < shop->count; i++) {
        for (size_t k = i + 1; k < shop->count; k++) {
            const struct operation *a = &shop->operations[i], *b = &shop->operations[k];
            if (a->machine != b->machine || a->start >= end_of(b) || b->start >= end_of(a))
                continue;
            return arena_printf(arena,
                                "On machine %" PRId64 ", operation %" PRId64 " of job %" PRId64
                                " and operation %" PRId64 " of job %" PRId64 " overlap.",
                                a->machine, a->index, a->job, b->index, b->job);
        }
    }
    return (str){ 0 };
}

static str find_lateness(struct arena *arena, const struct shop *shop)
{
    int64_t end = 0;

    for (size_t i = 0; i < shop->count; i++)
        end = end_of(&shop->operations[i]) > end ? end_of(&shop->operations[i]) : end;
    if (end <= shop->makespan)
        return (str){ 0 };
    return arena_printf(arena, "It ends at %" PRId64 ", which is too late.", end);
}

enum err verify_schedule(struct arena *arena, const struct verifier *v, str answer,
                         struct finding *out)
{
    struct shop shop;
    struct json list;
    struct json_error error = { 0 };
    enum err e = shop_read(arena, v->spec, &shop);

    if (e != OK)
        return e;
    e = json_parse(arena, finding_json(answer), &list, &error);
    if (e == WEIR_NO_MEMORY)
        return e;
    if (e != OK) {
        finding_refuse(out,
                       arena_printf(arena, "The answer is not JSON: %s at byte %zu.",
                                    error.what ? error.what : "it cannot be read", error.offset));
        return OK;
    }
    if (json_is(list, JSON_OBJECT))
        list = json_get(list, STR("schedule"));
    if (!json_exists(list) || !json_is(list, JSON_ARRAY)) {
        finding_refuse(out, STR("The answer is not a JSON array of operations."));
        return OK;
    }
    str why = place_all(arena, &shop, list);
    if (why.len == 0)
        why = find_disorder(arena, &shop);
    if (why.len == 0)
        why = find_overlap(arena, &shop);
    if (why.len == 0)
        why = find_lateness(arena, &shop);
    out->verdict = VERDICT_PASS;
    if (why.len > 0)
        finding_refuse(out, why);
    return OK;
}
