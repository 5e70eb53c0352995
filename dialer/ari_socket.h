/*
 * ari_socket - one WebSocket of one Stasis application, kept up for as long as it is
 * wanted: ping, silence is a dead socket, reconnect with jittered back-off. Texts come
 * whole. Uses libwebsockets on the loop that is passed.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_ARI_SOCKET_H
#define DIALER_ARI_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "base/attrs.h"
#include "base/errors.h"

struct lws_context;
struct ari_socket;

/* The library itself. EINVAL with a text: it cannot run on libuv, and what to install. */
NODISCARD int ari_library_new(struct lws_context **out, uv_loop_t *loop, bool tls,
                              struct errtext *e);
/* Sockets first. Returns when its handles have been handed back to the loop, which it
 * runs for that. NULL is allowed. */
void ari_library_free(struct lws_context *library, uv_loop_t *loop);

struct ari_socket_ops {
    void (*up)(void *arg);   /* connected: events flow from now on */
    void (*down)(void *arg); /* they no longer do; it is being connected again */
    void (*text)(void *arg, const char *text, size_t len);
    /* The text that leaves now, borrowed until the next call; NULL: none. May be NULL
     * itself for a socket that only listens. */
    const char *(*next)(void *arg, size_t *len);
};

struct ari_socket_options {  /* texts are copied */
    const char *host, *path; /* path with the query */
    const char *name;        /* of the application, for the log */
    const char *user, *secret;
    int port;
    bool tls;
    int ping_s, dead_s; /* 0: 15 and 30 */
    const struct ari_socket_ops *ops;
    void *arg;
};

void ari_socket_open(struct ari_socket **out, struct lws_context *library,
                     uv_loop_t *loop, const struct ari_socket_options *options);
bool ari_socket_is_up(const struct ari_socket *s); /* NULL: no */
/* There are texts to be sent: ops->next is asked for them, later, as the connection takes
 * them. One that was handed out may have left, whatever becomes of the connection. */
void ari_socket_send(struct ari_socket *s);
/* Tells nothing any more. Not from inside its ops. NULL is allowed. */
void ari_socket_close(struct ari_socket *s);

#endif
