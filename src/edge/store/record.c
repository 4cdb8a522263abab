/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: encoding and decoding of journal records (see record.h for the form). Pure; nothing is allocated.
 */
#include "edge/store/record.h"

#include <string.h>

/* Five texts, two long integers and a byte are the longest payload. */
_Static_assert(RECORD_HEADER_BYTES + 5 * (1 + RECORD_TEXT_MAX) + 16 * 10 + 3 * 8 <=
                   RECORD_BYTES_MAX,
               "every record fits");

/* ---- putting ---- */

struct put {
    uint8_t *start;
    uint8_t *at;
};

static void put_u8(struct put *p, uint8_t v)
{
    *p->at++ = v;
}

static void put_u32(struct put *p, uint32_t v)
{
    for (int shift = 0; shift < 32; shift += 8)
        put_u8(p, (uint8_t)(v >> shift & 0xff));
}

static void put_i64(struct put *p, int64_t v)
{
    uint64_t zigzag = (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);

    for (; zigzag >= 0x80; zigzag >>= 7)
        put_u8(p, (uint8_t)((zigzag & 0x7f) | 0x80));
    put_u8(p, (uint8_t)zigzag);
}

static void put_double(struct put *p, double v)
{
    memcpy(p->at, &v, sizeof(v));
    p->at += sizeof(v);
}

/* Cut at 200 bytes, never within a character. */
static void put_text(struct put *p, str s)
{
    size_t len = s.len;

    if (len > RECORD_TEXT_MAX) {
        len = RECORD_TEXT_MAX;
        while (len > 0 && ((uint8_t)s.ptr[len] & 0xc0) == 0x80)
            len--;
    }
    put_u8(p, (uint8_t)len);
    if (len > 0)
        memcpy(p->at, s.ptr, len);
    p->at += len;
}

static void put_fault(struct put *p, enum err fault)
{
    put_text(p, fault == OK ? STR("") : str_from(err_info(fault)->name));
}

static struct put put_start(uint8_t *out, enum record_type type)
{
    out[2] = (uint8_t)type;
    out[3] = RECORD_VERSION;
    return (struct put){ out, out + RECORD_HEADER_BYTES };
}

static uint32_t checksum(const uint8_t *bytes, size_t payload)
{
    return record_crc32c(bytes + RECORD_HEADER_BYTES, payload, record_crc32c(bytes, 4, 0));
}

static size_t put_finish(struct put *p)
{
    size_t total = (size_t)(p->at - p->start);
    size_t payload = total - RECORD_HEADER_BYTES;

    assert(total <= RECORD_BYTES_MAX);
    p->start[0] = (uint8_t)(payload & 0xff);
    p->start[1] = (uint8_t)(payload >> 8);
    p->at = p->start + 4;
    put_u32(p, checksum(p->start, payload));
    return total;
}

size_t record_put_group(uint8_t *out, uint32_t group_bytes)
{
    struct put p = put_start(out, RECORD_GROUP);

    put_u32(&p, group_bytes);
    return put_finish(&p);
}

size_t record_put_begin(uint8_t *out, const struct ledger_query *q)
{
    struct put p = put_start(out, RECORD_BEGIN);

    put_i64(&p, q->id);
    put_i64(&p, q->started);
    put_text(&p, q->tenant);
    put_text(&p, q->domain);
    put_text(&p, q->requested_model);
    put_text(&p, q->strategy);
    put_text(&p, q->arm);
    put_u8(&p, q->is_stream);
    put_i64(&p, q->reserved);
    return put_finish(&p);
}

size_t record_put_call_begin(uint8_t *out, const struct ledger_call *c)
{
    struct put p = put_start(out, RECORD_CALL_BEGIN);

    put_i64(&p, c->query);
    put_i64(&p, c->number);
    put_text(&p, c->role);
    put_text(&p, c->model);
    put_text(&p, c->provider);
    put_i64(&p, c->reserved);
    return put_finish(&p);
}

size_t record_put_call_done(uint8_t *out, const struct ledger_call_end *c)
{
    struct put p = put_start(out, RECORD_CALL_DONE);

    put_i64(&p, c->query);
    put_i64(&p, c->number);
    put_fault(&p, c->fault);
    put_i64(&p, c->http_status);
    put_i64(&p, c->attempts);
    put_i64(&p, c->usage.input);
    put_i64(&p, c->usage.output);
    put_i64(&p, c->usage.cached);
    put_i64(&p, c->usage.cache_write);
    put_i64(&p, c->usage.reasoning);
    put_u8(&p, c->usage.is_known);
    put_u8(&p, c->usage.is_estimated);
    put_i64(&p, c->cost);
    put_i64(&p, c->price_input);
    put_i64(&p, c->price_output);
    put_i64(&p, c->price_cached);
    put_i64(&p, c->latency_us);
    put_i64(&p, c->first_byte_us);
    put_u8(&p, c->is_simulated);
    return put_finish(&p);
}

size_t record_put_end(uint8_t *out, const struct ledger_end *e)
{
    struct put p = put_start(out, RECORD_END);

    put_i64(&p, e->id);
    put_fault(&p, e->fault);
    put_i64(&p, e->http_status);
    put_u8(&p, e->is_truncated);
    put_text(&p, e->model);
    put_double(&p, e->hrm_confidence);
    put_double(&p, e->trm_confidence);
    put_double(&p, e->confidence);
    put_i64(&p, e->latency_us);
    return put_finish(&p);
}

/* ---- getting ---- */

struct get {
    const uint8_t *at;
    const uint8_t *end;
    bool failed; /* sticky: the payload ended too early or holds what no writer writes */
};

static uint8_t get_u8(struct get *g)
{
    if (g->at == g->end) {
        g->failed = true;
        return 0;
    }
    return *g->at++;
}

static bool get_bool(struct get *g)
{
    uint8_t v = get_u8(g);

    if (v > 1)
        g->failed = true;
    return v == 1;
}

static uint32_t get_u32(struct get *g)
{
    uint32_t v = 0;

    for (int shift = 0; shift < 32; shift += 8)
        v |= (uint32_t)get_u8(g) << shift;
    return v;
}

static int64_t get_i64(struct get *g)
{
    uint64_t zigzag = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_u8(g);
        if (shift == 63 && byte > 1)
            break;
        zigzag |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (int64_t)(zigzag >> 1 ^ ((zigzag & 1) ? UINT64_MAX : 0));
    }
    g->failed = true;
    return 0;
}

static int get_int(struct get *g)
{
    int64_t v = get_i64(g);

    if (v < INT_MIN || v > INT_MAX) {
        g->failed = true;
        return 0;
    }
    return (int)v;
}

static uint32_t get_number(struct get *g)
{
    int64_t v = get_i64(g);

    if (v < 0 || v > UINT32_MAX) {
        g->failed = true;
        return 0;
    }
    return (uint32_t)v;
}

static double get_double(struct get *g)
{
    double v = 0;

    if ((size_t)(g->end - g->at) < sizeof(v)) {
        g->failed = true;
        return 0;
    }
    memcpy(&v, g->at, sizeof(v));
    g->at += sizeof(v);
    return v;
}

static str get_text(struct get *g)
{
    size_t len = get_u8(g);

    if (len > RECORD_TEXT_MAX || len > (size_t)(g->end - g->at)) {
        g->failed = true;
        return STR("");
    }
    const char *ptr = (const char *)g->at;
    g->at += len;
    return (str){ ptr, len };
}

/* A name that this build does not know (a journal of another version) is a fault all the same. */
static enum err get_fault(struct get *g)
{
    str name = get_text(g);
    char text[RECORD_TEXT_MAX + 1];

    if (name.len == 0)
        return OK;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    enum err fault = err_from_name(text);
    return fault == ERR_COUNT ? WEIR_DEFECT : fault;
}

static void get_begin(struct get *g, struct ledger_query *q)
{
    q->id = get_i64(g);
    q->started = get_i64(g);
    q->tenant = get_text(g);
    q->domain = get_text(g);
    q->requested_model = get_text(g);
    q->strategy = get_text(g);
    q->arm = get_text(g);
    q->is_stream = get_bool(g);
    q->reserved = get_i64(g);
}

static void get_call_begin(struct get *g, struct ledger_call *c)
{
    c->query = get_i64(g);
    c->number = get_number(g);
    c->role = get_text(g);
    c->model = get_text(g);
    c->provider = get_text(g);
    c->reserved = get_i64(g);
}

static void get_call_done(struct get *g, struct ledger_call_end *c)
{
    c->query = get_i64(g);
    c->number = get_number(g);
    c->fault = get_fault(g);
    c->http_status = get_int(g);
    c->attempts = get_int(g);
    c->usage.input = get_i64(g);
    c->usage.output = get_i64(g);
    c->usage.cached = get_i64(g);
    c->usage.cache_write = get_i64(g);
    c->usage.reasoning = get_i64(g);
    c->usage.is_known = get_bool(g);
    c->usage.is_estimated = get_bool(g);
    c->cost = get_i64(g);
    c->price_input = get_i64(g);
    c->price_output = get_i64(g);
    c->price_cached = get_i64(g);
    c->latency_us = get_i64(g);
    c->first_byte_us = get_i64(g);
    c->is_simulated = get_bool(g);
}

static void get_end(struct get *g, struct ledger_end *e)
{
    e->id = get_i64(g);
    e->fault = get_fault(g);
    e->http_status = get_int(g);
    e->is_truncated = get_bool(g);
    e->model = get_text(g);
    e->hrm_confidence = get_double(g);
    e->trm_confidence = get_double(g);
    e->confidence = get_double(g);
    e->latency_us = get_i64(g);
}

size_t record_length(const uint8_t *bytes)
{
    return RECORD_HEADER_BYTES + ((size_t)bytes[0] | (size_t)bytes[1] << 8);
}

bool record_decode(const uint8_t *bytes, struct record *out)
{
    struct get g = { bytes + RECORD_HEADER_BYTES, bytes + record_length(bytes), false };
    struct record r;

    memset(&r, 0, sizeof(r));
    r.type = (enum record_type)bytes[2];
    switch (r.type) {
    case RECORD_GROUP:
        r.group_bytes = get_u32(&g);
        break;
    case RECORD_BEGIN:
        get_begin(&g, &r.begin);
        break;
    case RECORD_CALL_BEGIN:
        get_call_begin(&g, &r.call_begin);
        break;
    case RECORD_CALL_DONE:
        get_call_done(&g, &r.call_done);
        break;
    case RECORD_END:
        get_end(&g, &r.end);
        break;
    }
    if (g.failed || g.at != g.end)
        return false;
    *out = r;
    return true;
}

int64_t record_query(const struct record *r)
{
    switch (r->type) {
    case RECORD_GROUP:
        return 0;
    case RECORD_BEGIN:
        return r->begin.id;
    case RECORD_CALL_BEGIN:
        return r->call_begin.query;
    case RECORD_CALL_DONE:
        return r->call_done.query;
    case RECORD_END:
        return r->end.id;
    }
    return 0;
}

/* ---- reading a window ---- */

/* A record may begin here, as far as the header (or what there is of it) says. */
static bool header_is_plausible(const uint8_t *bytes, size_t len)
{
    if (len >= 2 && record_length(bytes) > RECORD_BYTES_MAX)
        return false;
    if (len >= 3 && (bytes[2] < RECORD_GROUP || bytes[2] > RECORD_END))
        return false;
    return len < 4 || bytes[3] == RECORD_VERSION;
}

static bool record_is_sound(const uint8_t *bytes)
{
    uint32_t want = (uint32_t)bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 |
                    (uint32_t)bytes[7] << 24;

    return checksum(bytes, record_length(bytes) - RECORD_HEADER_BYTES) == want;
}

enum record_step record_next(struct record_reader *reader, struct record *out)
{
    while (reader->at < reader->len) {
        const uint8_t *bytes = reader->bytes + reader->at;
        size_t left = reader->len - reader->at;

        if (header_is_plausible(bytes, left)) {
            bool is_whole = left >= RECORD_HEADER_BYTES && left >= record_length(bytes);
            if (!is_whole && !reader->is_final)
                return RECORD_STEP_MORE;
            if (is_whole && record_is_sound(bytes) && record_decode(bytes, out)) {
                if (reader->gap_bytes > 0) {
                    reader->gap_bytes = 0;
                    return RECORD_STEP_CORRUPT;
                }
                reader->record_at = reader->at;
                reader->at += record_length(bytes);
                return RECORD_STEP_FOUND;
            }
        }
        reader->at++;
        reader->gap_bytes++;
    }
    return RECORD_STEP_MORE;
}
