/*
 * hook_many - webhooks of calls that come at the same time, served in one transaction:
 * what they ask is read for all of them, each takes its step, and the rows of all are
 * written with one statement a table; the answers leave once it is on the disk. So a
 * webhook costs the database a few rows instead of many statements.
 *
 * It serves what most are: first requests of calls in, and plain steps
 * (call_step_is_plain). All else is served by its own handler: an effect that is a row,
 * a queue, an API, a hang-up, two requests of one call, somebody else at work on it.
 * When anything fails, all are, so that one that is wrong spoils none.
 */
#ifndef SERVER_HOOK_MANY_H
#define SERVER_HOOK_MANY_H

#include "server/http_server.h"

/* Of /hooks/{hook}/voice and /hooks/{hook}/voice/{call}/{token}/{wait}. */
route_many_fn hook_voice_many;

#endif
