/* SPDX-License-Identifier: Apache-2.0 */
/*
 * play: one answer that takes time.
 *
 *     wait ----> head ----> wait ----> piece ----> … ----> end or cut
 *
 * One function advances, play_advance(); the timer, a client that takes bytes again, and the start call it. A
 * client that goes away ends the play at once, wherever it is.
 */
#include "app/provider/provider_internal.h"

#define WRITE_BYTES                                                                                \
    ((size_t)16 << 10) /* pieces that need no wait between them are joined up to this */

struct play *play_new(struct provider *p, struct exchange *x)
{
    struct play *play = ARENA_NEW(exchange_arena(x), struct play);

    if (!play) {
        respond_error(p, x, 503, WEIR_NO_MEMORY, str_from(err_info(WEIR_NO_MEMORY)->text),
                      (str){ 0 });
        return NULL;
    }
    play->provider = p;
    play->exchange = x;
    play->status = 200;
    play->content_type = STR("application/json");
    link_init(&play->link);
    play_add_header(play, STR("x-request-id"), request_id_format(p, play->request_id));
    if (p->options.mode == PROVIDER_MODE_SIM)
        play_add_header(play, STR("x-weir-simulated"), STR("true"));
    return play;
}

void play_add_header(struct play *play, str name, str value)
{
    if (play->header_count < PLAY_HEADERS_MAX)
        play->headers[play->header_count++] = (struct answer_header){ name, value };
}

/* The play is over; its memory goes with the exchange that the caller ends next. */
static struct exchange *play_finish(struct play *play)
{
    timer_cancel(play->provider->world, &play->timer);
    list_remove(&play->link);
    play->provider->open--;
    return play->exchange;
}

void play_cancel(struct play *play)
{
    exchange_abort(play_finish(play));
}

static void play_end(struct play *play)
{
    struct provider *p = play->provider;

    if (play->is_cut) {
        p->counts.cut++;
        exchange_abort(play_finish(play));
    } else {
        p->counts.answered++;
        exchange_end(play_finish(play));
    }
}

static void play_respond(struct play *play)
{
    play->provider->counts.answered++;
    exchange_respond(play_finish(play), play->status, play->content_type, play->headers,
                     play->header_count, play->body);
}

static void play_advance(struct play *play);

static void on_timer(struct timer *timer)
{
    play_advance(CONTAINER_OF(timer, struct play, timer));
}

static void on_gone(void *ctx)
{
    struct play *play = ctx;

    play->provider->counts.gone++;
    play_cancel(play);
}

static void on_drain(void *ctx)
{
    struct play *play = ctx;

    play->is_blocked = false;
    play_advance(play);
}

/* Takes one step: the head, or one write of the body; false when the play is over. */
static bool play_step(struct play *play, nsec *out_wait)
{
    struct buf *piece = &play->provider->piece;

    if (!play->has_begun) {
        if (play->is_cut_before_head) {
            play_end(play);
            return false;
        }
        if (play->is_whole) {
            play_respond(play);
            return false;
        }
        play->has_begun = true;
        exchange_begin(play->exchange, play->status, play->content_type, play->headers,
                       play->header_count);
        *out_wait = play->body_wait;
        return true;
    }
    bool is_more = true;
    buf_reset(piece);
    *out_wait = 0;
    while (is_more && *out_wait == 0 && piece->len < WRITE_BYTES)
        is_more = play->produce(play, piece, out_wait);
    if (piece->failed)
        play->is_cut = true;
    else if (piece->len > 0 && !exchange_write(play->exchange, buf_str(piece)))
        play->is_blocked = true;
    if (!is_more || piece->failed) {
        play_end(play);
        return false;
    }
    return true;
}

static void play_advance(struct play *play)
{
    while (!play->is_blocked && !timer_is_running(&play->timer)) {
        nsec wait = 0;
        if (!play_step(play, &wait))
            return;
        if (wait > 0)
            timer_start(play->provider->world, &play->timer, wait, on_timer);
    }
}

void play_start(struct play *play)
{
    struct provider *p = play->provider;

    assert(play->is_whole || play->is_cut_before_head || play->produce);
    list_add_tail(&p->plays, &play->link);
    p->open++;
    exchange_watch(play->exchange, play, on_gone, on_drain);
    if (play->head_wait > 0)
        timer_start(p->world, &play->timer, play->head_wait, on_timer);
    else
        play_advance(play);
}

/* ---- sources of bytes ---- */

bool play_produce_stream(struct play *play, struct buf *out, nsec *out_wait)
{
    struct stream_source *s = &play->stream;

    if (s->has_ended || s->sent >= s->deltas_max)
        return false;
    str delta = text_part(s->completion.text, s->sent, s->deltas);
    if (delta.len == 0 && s->pads)
        delta = STR(".");
    completion_write_delta(out, s->event_head, delta, s->sent == 0);
    s->sent++;
    *out_wait = s->interval;
    if (s->sent == s->deltas) {
        completion_write_end(out, &s->completion, s->event_head, s->include_usage);
        s->has_ended = true;
        *out_wait = 0;
    }
    return true;
}

bool play_produce_bytes(struct play *play, struct buf *out, nsec *out_wait)
{
    struct bytes_source *s = &play->bytes;

    if (s->at >= s->end)
        return false;
    size_t to = s->end;
    if (s->at < s->stall_at && s->stall_at < to)
        to = s->stall_at;
    if (s->drip_bytes > 0 && s->drip_bytes < to - s->at) {
        to = s->at + s->drip_bytes;
        *out_wait = s->drip;
    }
    buf_add(out, str_slice(s->bytes, s->at, to));
    s->at = to;
    if (to == s->stall_at)
        *out_wait += s->stall;
    return true;
}
