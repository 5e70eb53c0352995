/*
 * authorise - whose key a request came with, and whether it may what the route's scope
 * asks: keys of `furrow key`, and the one that the voice API had where it was before.
 * Any thread.
 */
#ifndef SERVER_AUTHORISE_H
#define SERVER_AUTHORISE_H

#include "server/http_server.h"

/* The authorise of http_server_options, of a server: tenant and name of the key are in
 * *req then. ENOENT: no such key; ENOKEY: nor any other; EACCES: not that scope; EBUSY:
 * in *wait_s seconds again; else pg.h's. */
NODISCARD int server_authorise(struct request *req, const char *key, const char *scope,
                               int *wait_s);

#endif
