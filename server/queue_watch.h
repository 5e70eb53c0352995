/*
 * queue_watch - fetches a call out of its hold music once an agent is free for it, by the
 * provider's REST API: the call is sent to the address that it would have asked next.
 * Without it (no answer, no token) it asks by itself a few seconds later.
 *
 * One thread, which looks twice a second at the tenants whose calls wait here.
 */
#ifndef SERVER_QUEUE_WATCH_H
#define SERVER_QUEUE_WATCH_H

struct queue_watch;
struct server;

struct queue_watch *queue_watch_new(struct server *s);
void queue_watch_free(struct queue_watch *w); /* NULL is allowed */

/* A call of that tenant waits. Any thread. */
void queue_watch_tell(struct queue_watch *w, int tenant_id);

#endif
