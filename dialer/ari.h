/*
 * ari - one Asterisk: events over a WebSocket (libwebsockets on the dialer's loop),
 * commands over REST (dialer/web.h). Holds two Stasis applications: furrow-<inst>-<slot>
 * for calls out, and furrow-<inst>-in for calls in while it has the advisory lock.
 *
 * Ping every 15 s, 30 s of silence is a dead socket; reconnects with jittered back-off
 * and then resyncs (placed_resync, its own inbound calls), because events are never
 * replayed. ApplicationReplaced: another process has our slot; originating stops.
 * Only channels with our own prefix are ever touched.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_ARI_H
#define DIALER_ARI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/errors.h"

struct dialer;
struct agent_line;
struct ari;

/* Starts connecting; d->config has ari_url, ari_user, ari_secret. EINVAL: a bad URL. */
NODISCARD int ari_new(struct ari **out, struct dialer *d, struct errtext *e);
void ari_close(struct ari *a); /* NULL is allowed */
/* Events of our own application flow: calls may go out. */
bool ari_is_ready(const struct ari *a);

/* Open lines of agents (ari_line.c): those that this dialer is to hold, once a second. */
void ari_lines_want(struct ari *a, const struct agent_line *all, size_t n);
/* The dialer ends: they are hung up, those with a call after it. */
void ari_lines_end(struct ari *a); /* NULL is allowed */
bool ari_lines_are_over(const struct ari *a);

#endif
