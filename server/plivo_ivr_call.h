/*
 * plivo_ivr_call - one request about a call in menus: session → input → engine → commit →
 * document. The session is read from Redis, else from its row; the step, the log and the
 * answer are one transaction, in which the step is refused when the session has moved on
 * meanwhile (the row is read then); Redis is written after it.
 */
#ifndef SERVER_PLIVO_IVR_CALL_H
#define SERVER_PLIVO_IVR_CALL_H

#include "campaigns/call_log_store.h"
#include "server/contract.h"
#include "server/voice.h"

/* A request about a call. Zero-initialise, then fill the first part. */
struct turn {
    const struct request *req; /* NULL: told long ago, only turn_hung_up() */
    const char *uuid;          /* CallUUID */
    const char *nonce;         /* of its signature; NULL: it is not signed */
    struct hook hook;          /* whose forms are what was sent */

    struct menu_call call;
    bool known;   /* there is a call, and call is it */
    bool changed; /* call has been written */
    struct voice_call voice;
    json_t *new_path, *new_inputs;
    const char *told_before; /* told twice: that answer, of call.seen; else NULL */
    char request_sha256[SHA256_TEXT_MAX];
};

/* In the transaction. Fills turn->call.document or *words, which are said before a
 * hang-up. An error: all is undone. */
typedef int(turn_fn)(struct turn *t, const char **words);

/* Answers with the document. sorry: the words when it cannot be done now. */
void turn_take(struct turn *t, turn_fn *fn, const char *sorry, struct response *resp);

/* Parts of turn_fn's: */
bool turn_is_over(const struct turn *t); /* no session, or it has ended or expired */
NODISCARD int turn_begin(struct turn *t, const char *from, const char *to);
NODISCARD int turn_keys(struct turn *t, const char *digits);
NODISCARD int turn_act(struct turn *t, const char *token, const char *wait);
NODISCARD int turn_hung_up(struct turn *t);
/* Was the nonce used in this call (t->known), for another request? */
bool turn_is_forged(struct turn *t);

/* The text as a document that says it and hangs up. */
void turn_say(const char *text, struct response *resp);

#endif
