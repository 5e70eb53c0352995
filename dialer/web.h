/*
 * web - HTTP client of the dialer's loop (curl_multi): ARI's REST and the API nodes
 * of flows. Never blocks; every request ends in exactly one done.
 * Thread: the loop's.
 */
#ifndef DIALER_WEB_H
#define DIALER_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/attrs.h"

struct web;

struct web_req { /* all of it is copied */
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const char *body;           /* NULL none */
    size_t body_len;
    const char *user, *password; /* Basic; NULL none */
    int timeout_ms;              /* 0: 10 s */
    size_t max_bytes;            /* of the answer; 0: 1 MiB */
    /* At most once on the wire. libcurl repeats a request by itself when a kept
     * connection turns out dead: of a body given once it has nothing to repeat, and what
     * has no body gets a connection of its own. (All of them with their own would not do:
     * Asterisk's listener lets ten wait, the next one's SYN is dropped and comes again a
     * second later.) */
    bool once;
    bool direct;      /* never through a proxy of the environment */
    bool public_only; /* as base/http.h has it */
};

struct web_resp {
    /* 0: status is set. ECONNREFUSED: nothing was sent. ETIMEDOUT, ECONNRESET: the peer
     * may have acted. EMSGSIZE. EINVAL: no URL. ECANCELED: closing; it may have acted. */
    int err;
    long status;
    const char *body; /* NUL-terminated, borrowed for the call */
    size_t len;
};
typedef void(web_done_fn)(const struct web_resp *resp, void *arg);

/* max_host: connections to one host at once (Asterisk allows 100 HTTP sessions). */
NODISCARD int web_new(struct web **out, uv_loop_t *loop, int max_host);
/* done is called later, never from inside; always exactly once when 0 was returned.
 * It leaves at the loop's next turn unless max_host requests to that host are open.
 * EINVAL: no URL; EAGAIN: too many requests wait; ECANCELED: closing. */
NODISCARD int web_send(struct web *w, const struct web_req *req, web_done_fn *done,
                       void *arg);
int web_max_host(const struct web *w);
/* Every open request is done with ECANCELED, from inside. Not from inside a done. NULL is
 * allowed; the loop must run once more to let the handles go. */
void web_close(struct web *w);

#endif
