/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_fuzz: any bytes as a journal. The reader ends, uses up every byte, gives only records that encode to themselves,
 * and finds the same whole or through a small window; a query's records make a row.
 */
#include <stdlib.h>
#include <string.h>

#include "edge/store/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t encode(uint8_t *out, const struct record *r)
{
    switch (r->type) {
    case RECORD_GROUP:
        return record_put_group(out, r->group_bytes);
    case RECORD_BEGIN:
        return record_put_begin(out, &r->begin);
    case RECORD_CALL_BEGIN:
        return record_put_call_begin(out, &r->call_begin);
    case RECORD_CALL_DONE:
        return record_put_call_done(out, &r->call_done);
    case RECORD_END:
        return record_put_end(out, &r->end);
    case RECORD_ROUTE:
        return record_put_route(out, &r->route);
    case RECORD_LABEL:
        return record_put_label(out, &r->label);
    }
    abort();
}

/* Texts of unknown faults and long forms of integers may shorten once, and version 1 becomes 2; then the bytes stay. */
static void check_stable(const struct record *r)
{
    uint8_t first[RECORD_BYTES_MAX], second[RECORD_BYTES_MAX];
    struct record again;
    size_t first_len = encode(first, r), second_len;

    assert(record_length(first) == first_len);
    bool is_sound = record_decode(first, &again);
    assert(is_sound);
    assert(again.type == r->type && record_query(&again) == record_query(r));
    second_len = encode(second, &again);
    assert(second_len == first_len && memcmp(first, second, first_len) == 0);
}

struct outcome {
    size_t found;
    size_t corrupt;
};

static struct outcome read_whole(const uint8_t *data, size_t size)
{
    struct record_reader reader = { .bytes = data, .len = size, .is_final = true };
    struct outcome outcome = { 0 };
    struct record r;

    for (;;) {
        enum record_step step = record_next(&reader, &r);
        assert(reader.at <= size);
        if (step == RECORD_STEP_MORE)
            break;
        if (step == RECORD_STEP_CORRUPT) {
            outcome.corrupt++;
            continue;
        }
        assert(reader.record_at + record_length(data + reader.record_at) == reader.at);
        outcome.found++;
        check_stable(&r);
    }
    assert(reader.at == size);
    return outcome;
}

/* As the importer does: a window, moved on by what was used up. */
static struct outcome read_windows(const uint8_t *data, size_t size)
{
    struct record_reader reader = { 0 };
    struct outcome outcome = { 0 };
    size_t base = 0;
    struct record r;

    do {
        reader.bytes = data + base;
        reader.len = size - base < RECORD_BYTES_MAX ? size - base : RECORD_BYTES_MAX;
        reader.at = 0;
        reader.is_final = base + reader.len == size;
        for (enum record_step step; (step = record_next(&reader, &r)) != RECORD_STEP_MORE;) {
            outcome.found += step == RECORD_STEP_FOUND;
            outcome.corrupt += step == RECORD_STEP_CORRUPT;
        }
        assert(reader.at > 0 || reader.is_final);
        base += reader.at;
    } while (base < size);
    return outcome;
}

static void check_row(const uint8_t *data, size_t size)
{
    struct record_reader reader = { .bytes = data, .len = size, .is_final = true };
    struct row_space space = { 0 };
    struct row_query row;
    uint8_t *bytes = malloc(size + 1);
    size_t len = 0;
    int64_t id = 0;
    struct record r;

    assert(bytes);
    for (enum record_step step; (step = record_next(&reader, &r)) != RECORD_STEP_MORE;) {
        if (step == RECORD_STEP_CORRUPT || r.type == RECORD_GROUP)
            continue;
        if (len == 0)
            id = record_query(&r);
        if (record_query(&r) != id)
            continue;
        size_t record_len = record_length(data + reader.record_at);
        memcpy(bytes + len, data + reader.record_at, record_len);
        len += record_len;
    }
    enum err e = row_assemble(&space, bytes, len, &row);
    assert(e == OK);
    assert(row.calls_count == (int64_t)row.calls_len);
    free(space.calls);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = read_whole(data, size);
    struct outcome windows = read_windows(data, size);

    assert(whole.found == windows.found && whole.corrupt == windows.corrupt);
    check_row(data, size);
    return 0;
}
