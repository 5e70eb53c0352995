/*
 * hook_time - how long the database may take for a webhook. Somebody listens to the
 * answer of a live call's: it has hook_answer_ms from when the request came, whatever it
 * waits for; the others have hook_statement_ms for each statement. The connections of the
 * hook pools have what a live call's usually has.
 */
#ifndef SERVER_HOOK_TIME_H
#define SERVER_HOOK_TIME_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/pg.h"
#include "server/server.h"

struct pg_options;

/* What the pools' connections are opened with: a statement's limit, and for how long they
 * are held by whoever says nothing. */
void hook_time_usual(const struct server_config *c, struct pg_options *out);
/* Is there no time left to ask the database for a live call? */
bool hook_is_late(const struct request *req);

/* How long it may take to find whose request it is (hook_accounts_find): of a live call's
 * time half of what is left, so that it can be served in the other half. */
int hook_find_ms(const struct request *req, bool heard);
/* A connection for that request. heard: somebody listens to its answer. */
struct pg *hook_take(struct pg_pool *pool, const struct request *req, bool heard);
/* In its transaction: what is left of the request's time is the limit of each statement.
 * Costs nothing where that is about what is usual. */
NODISCARD int hook_limit(struct pg *pg, const struct request *req, bool heard);

#endif
