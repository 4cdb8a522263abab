/* SPDX-License-Identifier: Apache-2.0 */
/* script: plays prepared answers in order, so that a client's behaviour under every fault can be tested. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/provider/provider_internal.h"
#include "edge/world/file.h"

#define ANSWERS_MAX 10000
#define HEADERS_MAX 12
#define BODY_BYTES_MAX ((int64_t)64 << 20)
#define NOT_GIVEN INT64_MIN

struct script_answer {
    int64_t status;
    int64_t delay_ms;
    int64_t stall_ms;
    int64_t stall_after_bytes;
    int64_t stall_after_events;
    int64_t cut_after_bytes; /* -1: before the head */
    int64_t cut_after_events;
    int64_t drip_bytes;
    int64_t drip_ms;
    int64_t repeat; /* 0: for ever */
    str content_type;
    str body;
    bool has_events;
    struct answer_header headers[HEADERS_MAX];
    size_t header_count;
};

struct script {
    struct script_answer *answers[ANSWERS_MAX];
    size_t count;
    size_t at; /* the answer in use */
    int64_t used; /* times in a row */
};

/* clang-format off */
static const struct {
    const char *name;
    size_t offset;
    int64_t min;
    int64_t max;
} integers[] = {
    { "status",             offsetof(struct script_answer, status),             200, 599 },
    { "delay_ms",           offsetof(struct script_answer, delay_ms),           0,   PROVIDER_DELAY_MS_MAX },
    { "stall_ms",           offsetof(struct script_answer, stall_ms),           0,   PROVIDER_DELAY_MS_MAX },
    { "stall_after_bytes",  offsetof(struct script_answer, stall_after_bytes),  0,   BODY_BYTES_MAX },
    { "stall_after_events", offsetof(struct script_answer, stall_after_events), 0,   BODY_BYTES_MAX },
    { "cut_after_bytes",    offsetof(struct script_answer, cut_after_bytes),    -1,  BODY_BYTES_MAX },
    { "cut_after_events",   offsetof(struct script_answer, cut_after_events),   0,   BODY_BYTES_MAX },
    { "drip_bytes",         offsetof(struct script_answer, drip_bytes),         1,   BODY_BYTES_MAX },
    { "drip_ms",            offsetof(struct script_answer, drip_ms),            0,   PROVIDER_DELAY_MS_MAX },
    { "repeat",             offsetof(struct script_answer, repeat),             0,   1000000000 },
};
/* clang-format on */

/* One line while it is read. */
struct line_reader {
    struct arena *arena; /* of the script */
    struct arena *scratch; /* of the line */
    struct script_answer *answer;
    const char *what; /* is wrong */
};

static bool wrong(struct line_reader *r, const char *what)
{
    r->what = what;
    return false;
}

static bool take_integer(struct line_reader *r, size_t row, struct json value)
{
    int64_t number;

    if (!json_i64(value, &number) || number < integers[row].min || number > integers[row].max)
        return wrong(r, "a number is out of its range");
    memcpy((char *)r->answer + integers[row].offset, &number, sizeof number);
    return true;
}

static bool take_headers(struct line_reader *r, struct json value)
{
    struct json_iter it = json_iter(value);

    if (!json_is(value, JSON_OBJECT))
        return wrong(r, "headers is no object");
    while (json_next(&it)) {
        str text;
        if (!json_str(it.value, r->scratch, &text))
            return wrong(r, "a header is no string");
        text = arena_str(r->arena, text);
        if (str_eq_nocase(it.name, STR("content-type"))) {
            r->answer->content_type = text;
            continue;
        }
        if (r->answer->header_count == HEADERS_MAX)
            return wrong(r, "there are more than 12 headers");
        r->answer->headers[r->answer->header_count++] =
            (struct answer_header){ arena_str(r->arena, it.name), text };
    }
    return true;
}

/* A string's text, or any other value as it is written. */
static str bytes_of(struct line_reader *r, struct json value)
{
    str text;

    return json_str(value, r->scratch, &text) ? text : json_raw(value);
}

static bool take_body(struct line_reader *r, struct json value)
{
    r->answer->body = arena_str(r->arena, bytes_of(r, value));
    return true;
}

/* Writes the events out and turns places counted in events into places in bytes. */
static bool take_events(struct line_reader *r, struct json value)
{
    struct script_answer *a = r->answer;
    struct json_iter it = json_iter(value);
    struct buf out = { .max = (size_t)BODY_BYTES_MAX };

    if (!json_is(value, JSON_ARRAY))
        return wrong(r, "events is no array");
    for (int64_t done = 0;; done++) {
        if (done == a->stall_after_events)
            a->stall_after_bytes = (int64_t)out.len;
        if (done == a->cut_after_events)
            a->cut_after_bytes = (int64_t)out.len;
        if (!json_next(&it))
            break;
        buf_add(&out, STR("data: "));
        buf_add(&out, bytes_of(r, it.value));
        buf_add(&out, STR("\n\n"));
    }
    a->has_events = true;
    a->body = arena_str(r->arena, buf_str(&out));
    bool is_whole = !out.failed;
    buf_fini(&out);
    return is_whole || wrong(r, "the events are too long");
}

static bool take_member(struct line_reader *r, str name, struct json value)
{
    if (str_eq(name, STR("headers")))
        return take_headers(r, value);
    if (str_eq(name, STR("body")))
        return take_body(r, value);
    if (str_eq(name, STR("events")))
        return true; /* last, since places are counted in them */
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        if (str_eq(name, str_from(integers[i].name)))
            return take_integer(r, i, value);
    }
    return wrong(r, "there is an unknown member");
}

static bool take_line(struct line_reader *r, str line)
{
    struct json object;
    struct script_answer *a = r->answer;

    if (json_parse(r->scratch, line, &object, NULL) != OK || !json_is(object, JSON_OBJECT))
        return wrong(r, "it is no JSON object");
    *a = (struct script_answer){ .status = 200,
                                 .stall_after_bytes = NOT_GIVEN,
                                 .stall_after_events = NOT_GIVEN,
                                 .cut_after_bytes = NOT_GIVEN,
                                 .cut_after_events = NOT_GIVEN,
                                 .repeat = 1 };
    struct json events = json_get(object, STR("events"));
    if (json_exists(events) && json_exists(json_get(object, STR("body"))))
        return wrong(r, "it has both a body and events");
    for (struct json_iter it = json_iter(object); json_next(&it);) {
        if (!take_member(r, it.name, it.value))
            return false;
    }
    if (json_exists(events) && !take_events(r, events))
        return false;
    if (a->content_type.len == 0)
        a->content_type = a->has_events ? STR("text/event-stream") : STR("application/json");
    return true;
}

enum err script_load(struct provider *p, char out_why[256])
{
    struct buf file = { 0 };
    struct script *script = ARENA_NEW(&p->arena, struct script);
    enum err e = script ? file_load(p->options.path, &file, out_why) : WEIR_NO_MEMORY;
    str rest = buf_str(&file), line;

    for (size_t number = 1; e == OK && str_next(&rest, '\n', &line); number++) {
        struct arena scratch;
        if (str_trim(line).len == 0)
            continue;
        arena_init(&scratch, (size_t)64 << 20);
        struct line_reader reader = { &p->arena, &scratch,
                                      ARENA_NEW(&p->arena, struct script_answer), NULL };
        if (!reader.answer) {
            e = WEIR_NO_MEMORY;
        } else if (script->count == ANSWERS_MAX || !take_line(&reader, str_trim(line))) {
            snprintf(out_why, 256, "line %zu of the script: %s", number,
                     reader.what ? reader.what : "there are too many lines");
            e = WEIR_CONFIG;
        } else {
            script->answers[script->count++] = reader.answer;
        }
        arena_fini(&scratch);
    }
    buf_fini(&file);
    if (e == OK && arena_failed(&p->arena))
        e = WEIR_NO_MEMORY;
    if (e == OK && script->count == 0) {
        snprintf(out_why, 256, "the script has no answers");
        e = WEIR_CONFIG;
    }
    if (e == OK)
        p->script = script;
    return e;
}

/* ---- playing ---- */

static const struct script_answer *next_answer(struct script *s)
{
    const struct script_answer *a = s->answers[s->at];

    s->used++;
    if (a->repeat > 0 && s->used >= a->repeat) {
        s->used = 0;
        s->at = (s->at + 1) % s->count;
    }
    return a;
}

/* "@date+N" as the HTTP date that lies N seconds ahead; other values as they are. */
static str header_value(struct arena *arena, str value)
{
    static const str mark = { "@date+", 6 };
    char date[64];
    int64_t ahead;
    struct tm parts;

    if (!str_starts(value, mark) || !str_to_i64(str_slice(value, mark.len, value.len), &ahead))
        return value;
    if (ahead < 0 || ahead > 86400)
        return value;
    time_t when = (time_t)(world_wall() / 1000000 + ahead);
    if (!gmtime_r(&when, &parts))
        return value;
    size_t len = strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return arena_str(arena, (str){ date, len });
}

/* A place in the body, or the default where none was given. */
static size_t place(int64_t bytes, size_t len, size_t otherwise)
{
    if (bytes < 0)
        return otherwise;
    return (size_t)bytes < len ? (size_t)bytes : len;
}

static void set_body(struct play *play, const struct script_answer *a)
{
    size_t len = a->body.len;
    size_t stall_at = place(a->stall_after_bytes, len, 0);
    nsec stall = a->stall_ms * NSEC_PER_MS;

    play->is_cut = a->cut_after_bytes != NOT_GIVEN;
    play->is_cut_before_head = a->cut_after_bytes == -1;
    play->is_whole = !play->is_cut && !a->has_events && stall == 0 && a->drip_bytes == 0;
    play->body = a->body;
    play->body_wait = stall_at == 0 ? stall : 0;
    play->produce = play_produce_bytes;
    play->bytes = (struct bytes_source){ .bytes = a->body,
                                         .end = place(a->cut_after_bytes, len, len),
                                         .stall_at = stall_at,
                                         .stall = stall,
                                         .drip_bytes = (size_t)a->drip_bytes,
                                         .drip = a->drip_ms * NSEC_PER_MS };
}

void script_answer(struct provider *p, struct exchange *x)
{
    const struct script_answer *a = next_answer(p->script);
    struct play *play = play_new(p, x);

    seen_note(p, x);
    if (!play)
        return;
    play->status = (int)a->status;
    play->content_type = a->content_type;
    for (size_t i = 0; i < a->header_count; i++)
        play_add_header(play, a->headers[i].name,
                        header_value(exchange_arena(x), a->headers[i].value));
    play->head_wait = a->delay_ms * NSEC_PER_MS;
    set_body(play, a);
    play_start(play);
}

void script_write_models(const struct provider *p, struct buf *out)
{
    model_write(out, str_from(provider_mode_of(p)->name));
}
