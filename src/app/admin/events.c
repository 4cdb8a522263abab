/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: GET /admin/v1/events: server-sent events for those who look. Once a second, while anybody does, the controller's snapshot is
 * taken and encoded once; each viewer is sent the same bytes. Who does not take them is cut off: a browser comes back by itself.
 */
#include "app/admin/dashboard_internal.h"

#include "core/http/sse.h"

#define TICK NSEC_PER_SEC

struct viewer {
    struct link link;
    struct dashboard *dashboard;
    struct exchange *exchange;
};

/* The viewer's memory is its exchange's: nothing of it is used behind this. */
static void viewer_end(struct viewer *v, bool is_whole)
{
    struct exchange *x = v->exchange;

    list_remove(&v->link);
    v->dashboard->viewers.count--;
    if (is_whole)
        exchange_end(x);
    else
        exchange_abort(x);
}

static void on_gone(void *ctx)
{
    viewer_end(ctx, false);
}

static void event_make(struct dashboard *d)
{
    struct viewers *v = &d->viewers;

    buf_reset(&v->snapshot);
    buf_reset(&v->event);
    controller_snapshot_write(d->options.controller, &v->snapshot);
    if (!v->snapshot.failed)
        sse_event_write(&v->event, buf_str(&v->snapshot));
}

static void on_tick(struct timer *t)
{
    struct dashboard *d = CONTAINER_OF(t, struct dashboard, viewers.tick);
    struct viewers *v = &d->viewers;

    if (v->count == 0)
        return; /* the next viewer starts it again */
    event_make(d);
    for (struct link *l = v->list.next, *next; l != &v->list; l = next) {
        struct viewer *viewer = CONTAINER_OF(l, struct viewer, link);
        next = l->next;
        if (!exchange_write(viewer->exchange, buf_str(&v->event)))
            viewer_end(viewer, false);
    }
    timer_start(d->options.world, t, TICK, on_tick);
}

void events_answer(struct dashboard *d, struct exchange *x)
{
    static const struct answer_header headers[] = {
        { { "Cache-Control", 13 }, { "no-store", 8 } },
        { { "X-Accel-Buffering", 17 }, { "no", 2 } }, /* nginx in front would hold events back */
    };
    struct viewers *v = &d->viewers;
    struct viewer *viewer;

    if (!str_eq(exchange_method(x), STR("GET"))) {
        dashboard_refuse(x, &refusal_method);
        return;
    }
    viewer = v->count < VIEWERS_MAX ? ARENA_NEW(exchange_arena(x), struct viewer) : NULL;
    if (!viewer) {
        dashboard_refuse(x, &refusal_busy);
        return;
    }
    *viewer = (struct viewer){ .dashboard = d, .exchange = x };
    list_add_tail(&v->list, &viewer->link);
    v->count++;
    exchange_begin(x, 200, STR("text/event-stream"), headers, ARRAY_LEN(headers));
    exchange_watch(x, viewer, on_gone, NULL);
    event_make(d);
    IGNORE(exchange_write(x, buf_str(&v->event))); /* the first never fills a queue */
    if (!timer_is_running(&v->tick))
        timer_start(d->options.world, &v->tick, TICK, on_tick);
}

void events_init(struct dashboard *d)
{
    link_init(&d->viewers.list);
}

void events_fini(struct dashboard *d)
{
    struct viewers *v = &d->viewers;

    timer_cancel(d->options.world, &v->tick);
    while (!list_empty(&v->list))
        viewer_end(CONTAINER_OF(v->list.next, struct viewer, link), true);
    buf_fini(&v->event);
    buf_fini(&v->snapshot);
}
