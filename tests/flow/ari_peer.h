/*
 * ari_peer - stands where Asterisk would and misbehaves on demand: HTTP and the event
 * WebSocket on one port of the loop under test. What it is asked is counted, what it
 * answers is decided by a function of the test.
 */
#ifndef TESTS_FLOW_ARI_PEER_H
#define TESTS_FLOW_ARI_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

struct ari_peer;

enum ari_peer_how { PEER_ANSWERS, PEER_IS_SILENT, PEER_CUTS };
struct ari_peer_reply {
    enum ari_peer_how how;
    int status;
    const char *body; /* borrowed until the next request; NULL none */
    size_t body_len;  /* of bytes that are no text; else 0 */
};
/* path with its query. */
typedef struct ari_peer_reply(ari_peer_fn)(struct ari_peer *p, const char *method,
                                           const char *path, const char *body);

struct ari_peer *ari_peer_new(uv_loop_t *loop, ari_peer_fn *answer);
/* On that port; 0 any. */
struct ari_peer *ari_peer_new_at(uv_loop_t *loop, ari_peer_fn *answer, int port);
int ari_peer_port(const struct ari_peer *p);
int ari_peer_sockets(const struct ari_peer *p);    /* open WebSockets */
int ari_peer_handshakes(const struct ari_peer *p); /* ever */
int ari_peer_pings(const struct ari_peer *p);
/* It takes requests over WebSockets, as Asterisk does from 22.4 on; before, and by itself
 * here, it ignores them. */
void ari_peer_speaks(struct ari_peer *p, bool speaks);
int ari_peer_spoken(const struct ari_peer *p);      /* requests that came so, ever */
int ari_peer_connections(const struct ari_peer *p); /* HTTP ones, ever */
void ari_peer_event(struct ari_peer *p, const char *json); /* to every socket */
/* To whoever has the application; false: nobody, and the event is lost for ever. */
bool ari_peer_event_to(struct ari_peer *p, const char *app, const char *json);
void ari_peer_cut(struct ari_peer *p); /* all sockets, at once */
/* What becomes of new connections: taken; closed at once; WebSockets closed when they ask
 * to be one. */
enum ari_peer_door { PEER_TAKES, PEER_SHUTS, PEER_SHUTS_LATE };
void ari_peer_door(struct ari_peer *p, enum ari_peer_door door);
void ari_peer_deaf(struct ari_peer *p); /* pings are not answered any more */
void ari_peer_close(struct ari_peer *p);

#endif
