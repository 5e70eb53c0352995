/*
 * http_allow - whether a request may have what its route does, by the route's scope.
 * Any thread.
 */
#ifndef SERVER_HTTP_ALLOW_H
#define SERVER_HTTP_ALLOW_H

#include "server/http_server.h"

/* May ask a database (SCOPE_API). False: the answer is in resp. */
bool http_is_allowed(const struct http_server_options *o, const struct route *r,
                     struct request *req, struct response *resp);

/* Whether it says "Bearer " and that token; no time tells how much of it. A token of ""
 * nobody has. authorization: the header, or NULL. */
bool http_bearer_is(const char *authorization, const char *token);

#endif
