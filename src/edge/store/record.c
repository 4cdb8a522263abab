/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: encoding and decoding of journal records (see record.h for the form). Pure; nothing is allocated.
 */
#include "edge/store/record.h"

#include <string.h>

/* A route is the longest: its features, five texts, four integers, five doubles, two lengths and a byte. */
_Static_assert(RECORD_HEADER_BYTES + LEDGER_FEATURES_MAX + 5 * (1 + RECORD_TEXT_MAX) + 4 * 10 +
                       5 * 8 + 3 <=
                   RECORD_BYTES_MAX,
               "every record fits");

/* What follows the latency in an END. */
enum { END_HAS_RAW = 1, END_IS_CALIBRATED = 2, END_HAS_ANSWER = 4, END_FLAGS = 7 };

/* ---- putting ---- */

struct put {
    uint8_t *start;
    uint8_t *at;
};

static void put_u8(struct put *p, uint8_t v)
{
    *p->at++ = v;
}

static void put_u16(struct put *p, size_t v)
{
    put_u8(p, (uint8_t)(v & 0xff));
    put_u8(p, (uint8_t)(v >> 8 & 0xff));
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

static void put_bytes(struct put *p, str bytes)
{
    size_t len = bytes.len <= LEDGER_FEATURES_MAX ? bytes.len : 0;

    put_u16(p, len);
    if (len > 0)
        memcpy(p->at, bytes.ptr, len);
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

uint32_t record_checksum(const uint8_t *bytes)
{
    return record_crc32c(bytes + RECORD_HEADER_BYTES, record_length(bytes) - RECORD_HEADER_BYTES,
                         record_crc32c(bytes, 4, 0));
}

static size_t put_finish(struct put *p)
{
    size_t total = (size_t)(p->at - p->start);
    size_t payload = total - RECORD_HEADER_BYTES;

    assert(total <= RECORD_BYTES_MAX);
    p->start[0] = (uint8_t)(payload & 0xff);
    p->start[1] = (uint8_t)(payload >> 8);
    p->at = p->start + 4;
    put_u32(p, record_checksum(p->start));
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
    if (q->key.len > 0)
        put_text(&p, q->key);
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
    put_i64(&p, c->started_us);
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

/* A byte when there is nothing to say, as with every plain query. */
static void put_end_answer(struct put *p, const struct ledger_end *e)
{
    bool has_raw =
        e->raw.hrm_confidence >= 0 || e->raw.trm_confidence >= 0 || e->raw.confidence >= 0;

    put_u8(p, (uint8_t)((has_raw ? END_HAS_RAW : 0) | (e->is_calibrated ? END_IS_CALIBRATED : 0) |
                        (e->answer_hash != 0 ? END_HAS_ANSWER : 0)));
    if (has_raw) {
        put_double(p, e->raw.hrm_confidence);
        put_double(p, e->raw.trm_confidence);
        put_double(p, e->raw.confidence);
    }
    if (e->answer_hash != 0)
        put_i64(p, (int64_t)e->answer_hash);
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
    put_end_answer(&p, e);
    return put_finish(&p);
}

size_t record_put_route(uint8_t *out, const struct ledger_route *r)
{
    struct put p = put_start(out, RECORD_ROUTE);

    put_i64(&p, r->query);
    put_text(&p, r->scorer);
    put_double(&p, r->score);
    put_i64(&p, r->seed_score);
    put_i64(&p, r->words_score);
    put_text(&p, r->strategy);
    put_text(&p, r->model);
    put_double(&p, r->propensity);
    put_double(&p, r->epsilon);
    put_u8(&p, r->is_explored);
    put_text(&p, r->domain);
    put_double(&p, r->domain_probability);
    put_double(&p, r->quality);
    put_i64(&p, r->cost);
    put_text(&p, r->reasons);
    put_bytes(&p, r->features);
    return put_finish(&p);
}

size_t record_put_label(uint8_t *out, const struct ledger_label *label)
{
    struct put p = put_start(out, RECORD_LABEL);

    put_i64(&p, label->query);
    put_u8(&p, (uint8_t)label->source);
    put_double(&p, label->value);
    put_u8(&p, label->is_noisy);
    put_i64(&p, label->labelled);
    put_text(&p, label->text);
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

static str get_bytes(struct get *g)
{
    size_t len = get_u8(g);

    len |= (size_t)get_u8(g) << 8;
    if (len > LEDGER_FEATURES_MAX || len > (size_t)(g->end - g->at)) {
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
    if (g->at == g->end)
        return;
    q->key = get_text(g);
    if (q->key.len == 0)
        g->failed = true; /* who has none says nothing */
}

static void get_call_begin(struct get *g, struct ledger_call *c, unsigned version)
{
    c->query = get_i64(g);
    c->number = get_number(g);
    c->role = get_text(g);
    c->model = get_text(g);
    c->provider = get_text(g);
    c->reserved = get_i64(g);
    c->started_us = version >= 3 ? get_i64(g) : -1;
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

static void get_end_answer(struct get *g, struct ledger_end *e)
{
    uint8_t flags = get_u8(g);

    if ((flags & ~END_FLAGS) != 0)
        g->failed = true;
    e->is_calibrated = (flags & END_IS_CALIBRATED) != 0;
    e->raw = LEDGER_RAW_NONE;
    if (flags & END_HAS_RAW) {
        e->raw.hrm_confidence = get_double(g);
        e->raw.trm_confidence = get_double(g);
        e->raw.confidence = get_double(g);
    }
    if (flags & END_HAS_ANSWER)
        e->answer_hash = (uint64_t)get_i64(g);
}

static void get_end(struct get *g, struct ledger_end *e, unsigned version)
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
    if (version >= 2)
        get_end_answer(g, e);
    else /* nothing was calibrated then */
        e->raw = (struct ledger_raw){ e->hrm_confidence, e->trm_confidence, e->confidence };
}

static void get_route(struct get *g, struct ledger_route *r)
{
    r->query = get_i64(g);
    r->scorer = get_text(g);
    r->score = get_double(g);
    r->seed_score = get_int(g);
    r->words_score = get_int(g);
    r->strategy = get_text(g);
    r->model = get_text(g);
    r->propensity = get_double(g);
    r->epsilon = get_double(g);
    r->is_explored = get_bool(g);
    r->domain = get_text(g);
    r->domain_probability = get_double(g);
    r->quality = get_double(g);
    r->cost = get_i64(g);
    r->reasons = get_text(g);
    r->features = get_bytes(g);
}

static void get_label(struct get *g, struct ledger_label *label)
{
    label->query = get_i64(g);
    uint8_t source = get_u8(g);
    label->value = get_double(g);
    label->is_noisy = get_bool(g);
    label->labelled = get_i64(g);
    label->text = get_text(g);
    if (source >= LABEL_SOURCE_COUNT || !(label->value >= 0 && label->value <= 1))
        g->failed = true;
    else
        label->source = (enum ledger_source)source;
}

size_t record_length(const uint8_t *bytes)
{
    return RECORD_HEADER_BYTES + ((size_t)bytes[0] | (size_t)bytes[1] << 8);
}

enum record_type record_type(const uint8_t *bytes)
{
    return (enum record_type)bytes[2];
}

bool record_decode(const uint8_t *bytes, struct record *out)
{
    struct get g = { bytes + RECORD_HEADER_BYTES, bytes + record_length(bytes), false };
    struct record r;

    memset(&r, 0, sizeof(r));
    r.type = record_type(bytes);
    switch (r.type) {
    case RECORD_GROUP:
        r.group_bytes = get_u32(&g);
        break;
    case RECORD_BEGIN:
        get_begin(&g, &r.begin);
        break;
    case RECORD_CALL_BEGIN:
        get_call_begin(&g, &r.call_begin, bytes[3]);
        break;
    case RECORD_CALL_DONE:
        get_call_done(&g, &r.call_done);
        break;
    case RECORD_END:
        get_end(&g, &r.end, bytes[3]);
        break;
    case RECORD_ROUTE:
        get_route(&g, &r.route);
        break;
    case RECORD_LABEL:
        get_label(&g, &r.label);
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
    case RECORD_ROUTE:
        return r->route.query;
    case RECORD_LABEL:
        return r->label.query;
    }
    return 0;
}
