/* SPDX-License-Identifier: Apache-2.0 */
/* top_view: what `weir top` shows, as spans of text at places: made from the admin API's answers, without a terminal. */
#ifndef WEIR_APP_CLI_TOP_VIEW_H
#define WEIR_APP_CLI_TOP_VIEW_H

#include "base/arena.h"
#include "core/json/json.h"
#include "edge/screen/screen.h"

struct top_span {
    int row, column;
    enum screen_style style;
    str text;
};

#define TOP_SPANS_MAX 2048

struct top_frame {
    struct arena *arena; /* of the texts */
    int rows, columns;
    int row; /* where the next section begins */
    size_t count;
    struct top_span spans[TOP_SPANS_MAX];
};

enum top_page { TOP_OVERVIEW, TOP_ROLLOUT, TOP_TRAFFIC, TOP_ALERTS, TOP_PAGE_COUNT };

struct top_state {
    int rows, columns;
    enum top_page page;
    bool is_utf8; /* else bars and lines are drawn in ASCII */
    bool is_paused;
    bool has_keys; /* the last row says which keys there are */
    str address;
    str problem; /* why the figures are not new; empty: they are */
};

/* The answers of /admin/v1/overview, of the current one in /admin/v1/rollouts and of /admin/v1/alerts; any may be missing. */
struct top_data {
    struct json overview, rollout, alerts;
};

/* Composes anew. What does not fit is left out, from the end. Texts of the gateway lose what could move a cursor. */
void top_compose(struct top_frame *f, const struct top_state *state, const struct top_data *data);
/* As lines of plain text, without styles. */
void top_frame_text(const struct top_frame *f, struct buf *out);

/* Clean of control characters, of marks of direction and of what is no UTF-8: each byte or character of these becomes '?'. */
str top_clean(struct arena *arena, str text);

#endif
