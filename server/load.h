/*
 * load - whether furrow-server has more to do than it can, in words and names, for health
 * and metrics; and what it takes on. Any thread; asks no database.
 */
#ifndef SERVER_LOAD_H
#define SERVER_LOAD_H

#include "server/server.h"

enum { LOAD_TROUBLE_MAX = 240 };
/* Requests other than probes were shed in the last five seconds: true, and out says which
 * and why; else it is "". Without quotes. */
bool load_trouble(const struct request *req, char out[LOAD_TROUBLE_MAX]);
/* "rest", "callback", "voice", "probe". */
const char *load_class_name(enum http_class class);
/* As configured: some threads are always left for what is more urgent. */
struct http_limits load_limits(const struct server_config *c);

#endif
