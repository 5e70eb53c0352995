/*
 * voice_session_store - calls whose flow a provider asks for, request by request
 * (rows of voice_sessions and ivr_sessions). In the caller's transaction of that tenant;
 * errors are pg.h's, and as stated.
 */
#ifndef CAMPAIGNS_VOICE_SESSION_STORE_H
#define CAMPAIGNS_VOICE_SESSION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"
#include "base/sha256.h"
#include "base/uuid.h"

struct pg;

enum { VOICE_NAME_MAX = 160, VOICE_PROVIDER_ID_MAX = 128 };

struct voice_session {
    struct uuid call;
    int tenant_id;
    int64_t account_id; /* 0: of a contract without an account */
    char provider_call_id[VOICE_PROVIDER_ID_MAX];
    bool inbound;
    int64_t flow_revision_id;
    char flow_sha256[SHA256_TEXT_MAX];
    int64_t phone; /* 0 withheld */
    char dialled[64], language[16];
    int tz_min;
    int64_t campaign_id, callback_campaign_id; /* 0 none */
    json_t *contact, *results;
    char recording[VOICE_NAME_MAX];
    char *document;
    int64_t queued_at_ms; /* 0: it waits in no queue */
    char queue[64];       /* that it waits in; "" none */
    int queue_priority;
    char agent[64];               /* whose phone rings, or who talks with it; "" nobody */
    int64_t begun_at_ms;          /* of a call that we placed: when it was up */
    bool ended;                   /* the call is over */
    int64_t redirect_revision_id; /* it is to go on in that flow; 0: nobody asks that */
    /* Of ivr_sessions; NULL before the first step. */
    uint8_t *state;
    size_t state_len;
};
void voice_session_free(struct voice_session *s); /* for CLEANUP too */

/* EEXIST: that call, or another of that provider's id, has one. Spoils the transaction.
 */
NODISCARD int voice_session_add(struct pg *pg, const struct voice_session *s,
                                int64_t now_ms);
/* Locks it until the transaction ends: the requests of a call come one by one. ENOENT:
 * that account has no such call. */
NODISCARD int voice_session_find(struct pg *pg, int64_t account_id,
                                 const struct uuid *call, struct voice_session *out);
NODISCARD int voice_session_find_provider(struct pg *pg, int64_t account_id,
                                          const char *provider_call_id,
                                          struct voice_session *out);
/* It is over, and another call may have the provider's id of it. */
NODISCARD int voice_session_set_aside(struct pg *pg, const struct uuid *call);
/* Writes document, recording, the queue's and the agent's part, results and ended. */
NODISCARD int voice_session_write(struct pg *pg, const struct voice_session *s,
                                  int64_t now_ms);

/* Of many calls at once: asked with pg_ask() and answered when its turn comes. Who is
 * found is locked, and read into out[i]; who is locked already is not waited for and,
 * like one that is not there, has found[i] false. */
struct voice_named {
    int64_t account_id;
    struct uuid call;
};
NODISCARD int voice_sessions_ask(struct pg *pg, const struct voice_named *calls,
                                 size_t n);
NODISCARD int voice_sessions_answer(struct pg *pg, size_t n, struct voice_session *out,
                                    bool *found);
/* New ones, with their documents and results, each as by voice_session_add and
 * voice_session_write; and known ones that wait in no queue and go on: what a step
 * changes of them. Sent with the next statement, which returns the error. n may be 0. */
NODISCARD int voice_sessions_add(struct pg *pg, int tenant_id,
                                 const struct voice_session *const *all, size_t n,
                                 int64_t now_ms);
NODISCARD int voice_sessions_write(struct pg *pg, const struct voice_session *const *all,
                                   size_t n, int64_t now_ms);

/* A call that the dialer has placed over that account: what its flow begins with. ENOENT:
 * no such attempt, or it is over. */
struct voice_attempt {
    int64_t campaign_id, contact_id, phone, flow_revision_id;
    int64_t machine_flow_revision_id; /* speaks to a machine; 0: none does */
    int slot;
};
NODISCARD int voice_attempt_find(struct pg *pg, int64_t account_id,
                                 const struct uuid *attempt, struct voice_attempt *out);

/* A call at a provider, for who looks from outside. */
struct voice_live {
    struct uuid call;
    int64_t account_id, phone; /* phone 0 withheld */
    char account[64];          /* its name */
    char provider_call_id[VOICE_PROVIDER_ID_MAX];
    char queue[64], agent[64]; /* "" none */
    bool inbound;
    int64_t begun_at_ms;
};
/* Those that are up as far as is known, the oldest first, at most 1000. In a transaction
 * of its own. *out: free(). */
NODISCARD int voice_calls_live(struct pg *pg, int tenant_id, struct voice_live **out,
                               size_t *n);
/* By our id or the provider's. ENOENT: no such call, as is one that nobody has taken yet.
 * In a transaction of its own. */
NODISCARD int voice_call_named(struct pg *pg, int tenant_id, const char *name,
                               struct voice_live *out);

/* A call that waits in a queue while an agent of it is free for it. */
struct voice_waiting {
    struct uuid call;
    int64_t account_id;
    char provider_call_id[VOICE_PROVIDER_ID_MAX];
    char next_url[1024]; /* what it asks for next */
};
/* At most max, the first of each queue first. In a transaction of its own. */
NODISCARD int voice_calls_due(struct pg *pg, int tenant_id, int64_t now_ms,
                              struct voice_waiting *out, size_t max, size_t *n);

/* Where the recording of that name will be found. */
NODISCARD int voice_recording_at(struct pg *pg, const char *name, const char *location);
/* Recordings whose end nobody has told, of calls that were over before before_ms, end as
 * lost_media; one that is told of after all is finished then. *n: how many. Transactions
 * of its own. */
NODISCARD int voice_recordings_lose(struct pg *pg, int tenant_id, int64_t before_ms,
                                    int64_t now_ms, size_t *n);
/* Calls that are over while the word that would have ended their flow never came: those
 * that a dialer has placed, whose attempt ended before before_ms, by what the provider
 * answered it, without a request since; and calls in without a request since silent_ms.
 * Their flow was hung up on. *n: how many. A transaction of its own. */
NODISCARD int voice_calls_lose(struct pg *pg, int tenant_id, int64_t before_ms,
                               int64_t silent_ms, size_t *n);
/* Through which account the call ran; 0: a contract without one answered it. ENOENT: it
 * ran at no provider. */
NODISCARD int voice_account_of_call(struct pg *pg, const struct uuid *call, int64_t *out);

#endif
