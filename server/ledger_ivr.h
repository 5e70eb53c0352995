/*
 * ledger_ivr - calls of the contract voice-ledger at Twilio: who is registered is greeted
 * and recorded, and what was said takes the way of every recording. The flow is a
 * published one (the sample voice-ledger); each request is a step of it, committed before
 * the document leaves.
 */
#ifndef SERVER_LEDGER_IVR_H
#define SERVER_LEDGER_IVR_H

#include "batches/caller_store.h"
#include "server/contract.h"
#include "server/voice.h"

struct server;
struct pg;

/* ledger_ivr.c */
route_fn ledger_ivr_language, ledger_ivr_language_selected;
route_fn ledger_ivr_incoming, ledger_ivr_recording, ledger_ivr_recording_status;
route_fn ledger_ivr_status, ledger_ivr_act, ledger_ivr_health;
route_fn ledger_ivr_shed;
/* The account that is configured. ENOENT, EINVAL with a text. */
NODISCARD int ledger_ivr_init(struct server *s, struct pg *pg, struct errtext *e);

/* ---- ledger_ivr_call.c: one request about a call ---- */

struct ledger_turn {
    struct hook hook;
    struct voice_call voice;
    struct caller caller;
    char record_url[512], status_url[512], lang[4];
};

/* In the transaction. Fills resp, or *words that are said before a hang-up. */
typedef int(ledger_fn)(struct ledger_turn *t, const char **words, struct response *resp);
/* Believes the request (else 403) and runs fn. sorry: the words when it cannot be done
 * now; NULL: nobody listens, and it is a 503, or 400 when its parameters are no text. */
void ledger_take(const struct request *req, ledger_fn *fn, const char *sorry,
                 struct response *resp);
/* One for which there is no time: sorry is said, once it is believed as far as can be
 * known without the database. */
void ledger_shed(const struct request *req, const char *sorry, struct response *resp);

/* Parts of ledger_fn's: */
const char *ledger_param(const struct ledger_turn *t, const char *name);
/* The call's session, opened. ENOENT: there is none. */
NODISCARD int ledger_find(struct ledger_turn *t);
/* A call, from its start. */
NODISCARD int ledger_begin(struct ledger_turn *t);
bool ledger_is_recording(const struct ledger_turn *t); /* it waits for a recording */
/* The recording lies at url: its row, its job, and the flow goes on. */
NODISCARD int ledger_recorded(struct ledger_turn *t, const char *url);
NODISCARD int ledger_answer(struct ledger_turn *t, struct response *resp);
void ledger_say(const char *words, struct response *resp);

#endif
