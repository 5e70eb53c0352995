/*
 * call_log_store - the log of calls that menus answered, and what such a call needs from
 * one request to the next (rows of call_logs; the flow's state is in ivr_sessions);
 * entries written by hand; what is known of a caller; sessions of callers without a call.
 *
 * In the caller's transaction of that tenant unless said otherwise; errors are pg.h's,
 * and as stated.
 */
#ifndef CAMPAIGNS_CALL_LOG_STORE_H
#define CAMPAIGNS_CALL_LOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/uuid.h"

struct pg;

enum { MENU_CALL_UUID_MAX = 129, MENU_NUMBER_MAX = 65 };

/* A call in menus. */
struct menu_call {
    char uuid[MENU_CALL_UUID_MAX];
    char from[MENU_NUMBER_MAX], to[MENU_NUMBER_MAX];
    struct uuid call;
    int64_t flow_revision_id;
    char flow_sha256[SHA256_TEXT_MAX];
    char current[32];      /* menu id; "" none yet */
    json_t *path, *inputs; /* [menu_id], [{menu_id, digit, timestamp}] */
    json_t *seen;          /* [[nonce, sha256 of the request]] */
    char *document;        /* the last answer */
    int64_t begun_ms, changed_ms;
    bool ended;
    uint8_t *state; /* the flow's; NULL before the first step */
    size_t state_len;
};
void menu_call_free(struct menu_call *c); /* for CLEANUP too */

/* EEXIST: there is a call, or an entry, of that uuid. */
NODISCARD int menu_call_add(struct pg *pg, int tenant_id, const struct menu_call *c,
                            int64_t now_ms);
/* Locks its flow's state until the transaction ends. ENOENT: there is none, or it is an
 * entry written by hand. */
NODISCARD int menu_call_find(struct pg *pg, const char *uuid, struct menu_call *out);
/* Adds what is new to path, inputs and seen, as they are in the row, which c has then;
 * writes current and document when the call has moved. ENOENT: it has ended. */
struct menu_news {
    const json_t *path, *inputs, *seen; /* to be added; NULL nothing */
    bool moved;
};
NODISCARD int menu_call_write(struct pg *pg, struct menu_call *c,
                              const struct menu_news *news, int64_t now_ms);
/* Another call may have that uuid: the one that is over is kept under "uuid#id". */
NODISCARD int menu_call_set_aside(struct pg *pg, const char *uuid);

/* The carrier says that it is over: the log's end, and the caller's history, once.
 * duration_s < 0: not told. *first: it was not told before. ENOENT as menu_call_find. */
struct menu_end {
    const char *uuid, *cause;
    int64_t phone; /* 0 withheld */
    int duration_s;
    int64_t at_ms;
};
NODISCARD int menu_call_end(struct pg *pg, int tenant_id, const struct menu_end *end,
                            bool *first);

/* ---- over HTTP; each one transaction ---- */

/* row: {"call_uuid" or null, "from_number", "to_number", "duration", "call_status",
 * "hangup_cause", "menu_path", "user_inputs"}. *out: the entry as it stands now, the
 * caller's. EEXIST: that uuid is used. */
NODISCARD int call_log_add(struct pg *pg, int tenant_id, const json_t *row,
                           int64_t now_ms, json_t **out);
enum { CALL_LOGS_MAX = 100 };
/* The newest first, at most CALL_LOGS_MAX; digits: of the number that called; NULL: all.
 */
NODISCARD int call_log_list(struct pg *pg, int tenant_id, const char *digits,
                            json_t **out);
/* {"first_call_at", "last_call_at", "total_calls", "total_duration", "average_duration",
 * "is_returning_caller", "preferred_language", "last_menu_completed", "extra_data"};
 * null: never heard of. */
NODISCARD int caller_history_find(struct pg *pg, int tenant_id, int64_t phone,
                                  json_t **out);

/* The session of a caller id, written whole; now the time until which it holds. */
NODISCARD int caller_session_write(struct pg *pg, int tenant_id, const char *caller_id,
                                   const json_t *session, int64_t now_ms,
                                   int64_t expires_ms);
/* ENOENT: there is none, or it has expired. */
NODISCARD int caller_session_find(struct pg *pg, int tenant_id, const char *caller_id,
                                  int64_t now_ms, json_t **out);

#endif
