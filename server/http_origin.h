/*
 * http_origin - pages of other origins that ask a contract
 * (https://fetch.spec.whatwg.org, CORS protocol): those that its mount names.
 */
#ifndef SERVER_HTTP_ORIGIN_H
#define SERVER_HTTP_ORIGIN_H

#include "server/http_server.h"

/* Adds what a page's browser wants to see. */
void origin_allow(const struct request *req, struct response *resp);
/* Whether it is a browser's question before the request itself, and its answer. */
bool origin_asks(const struct request *req);
void origin_answer(const struct request *req, struct response *resp);

#endif
