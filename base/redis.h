/*
 * redis - one blocking Redis connection with reconnect (workers, CLI, server),
 * and the URL parser that the dialer's async connection shares.
 *
 * Redis is speed, never truth: every caller must be able to go on, slower or
 * paused, when it gets ECONNRESET. A struct redis belongs to one thread. After
 * a loss the next call connects again, with a back-off.
 */
#ifndef BASE_REDIS_H
#define BASE_REDIS_H

#include <stdbool.h>

#include <hiredis/hiredis.h>

#include "base/attrs.h"
#include "base/errors.h"

/* redis://[:password@]host[:port][/db] or unix:///path.sock[?db=N] */
struct redis_address {
    char host[256]; /* "" for a unix socket */
    int port;
    char path[256]; /* "" for TCP */
    char password[128];
    int db;
};
NODISCARD int redis_address_parse(const char *url, struct redis_address *out,
                                  struct errtext *e);

struct redis;

NODISCARD int redis_open(struct redis **out, const char *url, struct errtext *e);
/* Connects with the first command: Redis may be away. EINVAL: no such URL. */
NODISCARD int redis_open_later(struct redis **out, const char *url, struct errtext *e);
void redis_close(struct redis *r);
/* printf-like as in hiredis (%s, %b). *out is the caller's to free, may be NULL.
 * ECONNRESET: no connection. EPROTO: Redis answered an error (redis_error).
 * Blocking commands (XREADGROUP BLOCK) must wait less than timeout_ms. */
NODISCARD int redis_cmd(struct redis *r, redisReply **out, const char *fmt, ...);
NODISCARD int redis_cmd_argv(struct redis *r, redisReply **out, int argc,
                             const char **argv, const size_t *lengths);
void redis_set_timeout(struct redis *r, int timeout_ms); /* default 5000 */
const char *redis_error(const struct redis *r);
/* Redis' run_id: another one is another process, whose data may be of another day. */
enum { REDIS_RUN_ID_MAX = 64 };
NODISCARD int redis_run_id(struct redis *r, char out[REDIS_RUN_ID_MAX]);
/* How often it has connected; more than before: the server may be another. */
unsigned redis_connects(const struct redis *r);
redisContext *
redis_context(struct redis *r); /* for pipelining; NULL when away; borrowed */

void redis_reply_free(redisReply **reply); /* for CLEANUP */

#endif
