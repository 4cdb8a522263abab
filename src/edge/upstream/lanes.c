/* SPDX-License-Identifier: Apache-2.0 */
/* lanes: see lanes.h. */
#include "edge/upstream/lanes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

struct lane {
    _Alignas(64) pthread_mutex_t lock; /* of the breaker */
    struct breaker breaker;
    _Atomic nsec rests_until; /* 0: it does not */
    uint64_t identity;
    unsigned key;
    char *names; /* the provider's, a NUL, the model's, a NUL */
    struct lane *next; /* newer lanes come first; never changes once the lane is found */
};

struct lanes {
    pthread_mutex_t lock; /* of the list */
    struct lane *first;
    size_t count;
};

enum err lanes_open(struct lanes **out)
{
    struct lanes *l = calloc(1, sizeof(*l));

    if (!l)
        return WEIR_NO_MEMORY;
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return WEIR_NO_MEMORY;
    }
    *out = l;
    return OK;
}

void lanes_close(struct lanes *l)
{
    if (!l)
        return;
    for (struct lane *lane = l->first, *next; lane; lane = next) {
        next = lane->next;
        pthread_mutex_destroy(&lane->lock);
        free(lane->names);
        free(lane);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static char *names_new(const struct lane_name *name)
{
    char *names = calloc(1, name->provider.len + name->model.len + 2);

    if (names && name->provider.len > 0)
        memcpy(names, name->provider.ptr, name->provider.len);
    if (names && name->model.len > 0)
        memcpy(names + name->provider.len + 1, name->model.ptr, name->model.len);
    return names;
}

static struct lane *lane_new(const struct lane_name *name)
{
    struct lane *lane = aligned_alloc(_Alignof(struct lane), sizeof(*lane));
    char *names = names_new(name);

    if (!lane || !names || pthread_mutex_init(&lane->lock, NULL) != 0) {
        free(lane);
        free(names);
        return NULL;
    }
    lane->breaker = (struct breaker){ .state = BREAKER_CLOSED };
    atomic_init(&lane->rests_until, 0);
    lane->identity = name->identity;
    lane->key = name->key;
    lane->names = names;
    lane->next = NULL;
    return lane;
}

struct lane *lanes_find(struct lanes *l, const struct lane_name *name)
{
    struct lane *lane = NULL;

    pthread_mutex_lock(&l->lock);
    for (lane = l->first; lane && lane->identity != name->identity;)
        lane = lane->next;
    if (!lane && l->count < LANES_MAX) {
        lane = lane_new(name);
        if (lane) {
            lane->next = l->first;
            l->first = lane;
            l->count++;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return lane;
}

bool lane_admit(struct lane *lane, const struct breaker_options *options, nsec now,
                bool has_alternative, struct breaker_ticket *out)
{
    if (!lane)
        return true;
    pthread_mutex_lock(&lane->lock);
    bool is_admitted = breaker_admit(&lane->breaker, options, now, has_alternative, out);
    pthread_mutex_unlock(&lane->lock);
    return is_admitted;
}

void lane_note(struct lane *lane, const struct breaker_options *options, nsec now,
               struct breaker_ticket ticket, bool is_fault)
{
    if (!lane)
        return;
    pthread_mutex_lock(&lane->lock);
    breaker_note(&lane->breaker, options, now, ticket, is_fault);
    pthread_mutex_unlock(&lane->lock);
}

void lane_forget(struct lane *lane, struct breaker_ticket ticket)
{
    if (!lane)
        return;
    pthread_mutex_lock(&lane->lock);
    breaker_forget(&lane->breaker, ticket);
    pthread_mutex_unlock(&lane->lock);
}

void lane_rest(struct lane *lane, nsec until)
{
    if (lane)
        atomic_store_explicit(&lane->rests_until, until, memory_order_relaxed);
}

bool lane_is_resting(const struct lane *lane, nsec now)
{
    return lane && now < atomic_load_explicit(&lane->rests_until, memory_order_relaxed);
}

/* ---- what operators see ---- */

/* The list as it is now: lanes are only ever added, in front. */
static struct lane *lanes_first(struct lanes *l)
{
    pthread_mutex_lock(&l->lock);
    struct lane *first = l->first;
    pthread_mutex_unlock(&l->lock);
    return first;
}

static struct breaker breaker_read(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    struct breaker breaker = lane->breaker;
    pthread_mutex_unlock(&lane->lock);
    return breaker;
}

static str lane_provider(const struct lane *lane)
{
    return str_from(lane->names);
}

static str lane_model(const struct lane *lane)
{
    return str_from(lane->names + strlen(lane->names) + 1);
}

static void point_put(const struct metric_sink *sink, struct lane *lane, double value)
{
    char key[16];

    snprintf(key, sizeof(key), "%u", lane->key);
    struct metric_point point = { .labels = { { "provider", lane_provider(lane) },
                                              { "model", lane_model(lane) },
                                              { "key", str_from(key) } },
                                  .label_count = 3,
                                  .value = value,
                                  .is_integer = true };
    metric_point_put(sink, &point);
}

void lanes_walk(struct lanes *l, const struct metric_sink *sink)
{
    static const struct metric_family state = { "weir_breaker_state", METRIC_GAUGE, "",
                                                "0 closed, 1 open, 2 half open, 3 ramp." };
    static const struct metric_family opened = { "weir_breaker_opened_total", METRIC_COUNTER, "",
                                                 "Times that a breaker opened." };
    struct lane *first = lanes_first(l);

    metric_family_put(sink, &state);
    for (struct lane *lane = first; lane; lane = lane->next)
        point_put(sink, lane, (double)breaker_read(lane).state);
    metric_family_put(sink, &opened);
    for (struct lane *lane = first; lane; lane = lane->next)
        point_put(sink, lane, (double)breaker_read(lane).opened);
}

static double seconds_until(nsec at, nsec now)
{
    return at > now ? (double)(at - now) / (double)NSEC_PER_SEC : 0;
}

void lanes_write(struct lanes *l, nsec now, struct buf *out)
{
    buf_add_char(out, '[');
    for (struct lane *lane = lanes_first(l); lane; lane = lane->next) {
        struct breaker breaker = breaker_read(lane);
        bool is_open = breaker.state == BREAKER_OPEN;
        nsec rests = atomic_load_explicit(&lane->rests_until, memory_order_relaxed);
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "provider", lane_provider(lane));
        json_member_str(out, "model", lane_model(lane));
        json_member_i64(out, "key", (int64_t)lane->key);
        json_member_str(out, "state", str_from(breaker_state_name(breaker.state)));
        json_member_i64(out, "score", breaker.score);
        json_member_i64(out, "opened", (int64_t)breaker.opened);
        json_member_double(out, "probe_in_seconds",
                           is_open ? seconds_until(breaker.until, now) : 0);
        json_member_double(out, "key_rests_seconds", seconds_until(rests, now));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}
