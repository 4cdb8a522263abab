/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach: which providers have answered lately, as the calls of queries show it: noted by the workers, read by whoever judges
 * readiness. Only success is evidence: that one call found nobody does not mean that nobody is there.
 *
 * A caller may rely on: neither side waits, locks or allocates; while a provider answers all the time its line is written a few
 * times a second, not with every call.
 *
 * May include: base, edge/config.
 */
#ifndef WEIR_APP_ENGINE_REACH_H
#define WEIR_APP_ENGINE_REACH_H

#include "base/base.h"

struct config;
struct config_provider;
struct reach;

#define REACH_NEVER INT64_MIN

/* One entry for each provider of the configuration, which must outlive it. */
NODISCARD enum err reach_open(struct reach **out, const struct config *config);
void reach_close(struct reach *r); /* NULL is a no-op */

/* Anything but silence and a refused key is an answer: the provider is there. */
bool reach_is_answer(int http_status);
/* How a call ended; http_status 0: nobody answered. A provider of another configuration (a canary's) counts for ours where address and
 * key are the same. now: monotonic. A NULL reach is a no-op. */
void reach_note(struct reach *r, const struct config_provider *provider, int http_status, nsec now);
/* When a provider, by its index in the configuration, answered last; REACH_NEVER. */
nsec reach_last(const struct reach *r, size_t provider);

#endif
