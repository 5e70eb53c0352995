/*
 * plivo_ivr_session - what Redis keeps of the contract plivo-ivr: live calls
 * (ivr:session:<CallUUID>) and sessions of callers (ivr:caller:<caller id>), each for
 * session_ttl seconds from its last write; hang-ups that could not be written. All of it
 * may be lost: the truth is in Postgres (campaigns/call_log_store.h).
 *
 * Errors: ENOENT none, ECONNRESET and EPROTO Redis cannot be asked.
 */
#ifndef SERVER_PLIVO_IVR_SESSION_H
#define SERVER_PLIVO_IVR_SESSION_H

#include "campaigns/call_log_store.h"

struct server;

NODISCARD int hot_call_find(struct server *s, int tenant_id, const char *uuid,
                            struct menu_call *out);
/* Failure is logged: the next request reads the row instead. */
void hot_call_write(struct server *s, int tenant_id, const struct menu_call *c);
void hot_call_forget(struct server *s, const char *uuid);

/* *out: the session, the caller's. */
NODISCARD int hot_caller_find(struct server *s, int tenant_id, const char *caller_id,
                              json_t **out);
void hot_caller_write(struct server *s, int tenant_id, const char *caller_id,
                      const json_t *session);

/* {"tenant", "uuid", "cause", "duration", "at_ms"}: kept until it is taken. The session
 * of that call is kept with it. */
NODISCARD int late_hangup_keep(struct server *s, const json_t *end);
/* The oldest one, which stays until late_hangup_done(). */
NODISCARD int late_hangup_next(struct server *s, json_t **out);
void late_hangup_done(struct server *s);

#endif
