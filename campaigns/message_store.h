/*
 * message_store - messages (SMS) to people: queued with what made them necessary, what
 * the provider reports of them, and what people write back. Sending them:
 * campaigns/message_send_store.h.
 *
 * All run in the caller's transaction of that tenant, or in one of their own. Errors are
 * pg.h's, and as stated.
 */
#ifndef CAMPAIGNS_MESSAGE_STORE_H
#define CAMPAIGNS_MESSAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/message_state.h"
#include "compliance/opt_out_words.h"

struct pg;

/* Of this kind are answers to what a person wrote; also who said STOP gets them. */
#define MESSAGE_REPLY "reply"

struct message_new {
    const char *dedupe_key; /* a second one with it is nothing new */
    int64_t phone;          /* 0: nobody to send to; then nothing is written */
    const char *language;   /* NULL: none */
    const char *kind;       /* receipt, error, flow, reply, test */
    const char *body;       /* UTF-8 */
    const struct uuid *call_id, *recording_id; /* NULL: of none */
};
/* The row and its job `sms`. */
NODISCARD int message_queue(struct pg *pg, int tenant_id, const struct message_new *m,
                            int64_t now_ms);

struct message_report {
    struct uuid id;          /* of the message */
    int64_t account_id;      /* whose report it is */
    const char *provider_id; /* NULL: it names none */
    const char *error;       /* why it did not arrive; NULL: not said */
    enum message_state state;
    int64_t price_micros; /* of the whole message; 0: not said */
    const char *currency; /* with a price, e.g. "USD" */
    bool opted_out; /* it did not arrive because the person said STOP to the provider */
};
/* A delivery report; *changed (NULL allowed) says whether the state did. States never go
 * back in rank, but what was only our own belief (the provider's answer never came) gives
 * way to any report. A report may come before the provider's answer to the request was
 * seen: the message is then sent, and no second time. Who opted out at the
 * provider is added to the do-not-call list, as by a STOP. ENOENT: that account sent no
 * such message. */
NODISCARD int message_report(struct pg *pg, int tenant_id, const struct message_report *r,
                             int64_t now_ms, bool *changed);
/* By the provider's own id, where its reports name nothing else. ENOENT: that account
 * sent no such message, or its answer to the request was not seen yet. */
NODISCARD int message_by_provider_id(struct pg *pg, int tenant_id, int64_t account_id,
                                     const char *provider_id, struct uuid *out);

/* No more messages or calls to that number, of the whole tenant (source "sms"). */
NODISCARD int message_stop(struct pg *pg, int tenant_id, int64_t phone, const char *note,
                           int64_t now_ms);

struct message_in {
    int64_t from;            /* e164 of who wrote */
    const char *text;        /* UTF-8 */
    const char *provider_id; /* the same twice gets one answer; NULL: it has none */
    const char *language;    /* the person's; NULL: as known from calls, else English */
    /* What the provider itself understood and acted upon (Twilio's OptOutType); NONE:
     * nothing, and the text decides. Where it says so it has answered the person. */
    enum message_word provider_word;
};
/* What it means, and that is done: STOP adds the number to the do-not-call list (source
 * "sms") of the whole tenant, START takes that, and only that, away again, HELP says who
 * we are. Queues one answer, kind MESSAGE_REPLY; none to a STOP of who had said so
 * before, and to who asks again and again one in ten minutes, so that two machines never
 * answer each other for ever. *out is which. */
NODISCARD int message_received(struct pg *pg, int tenant_id, const struct message_in *in,
                               int64_t now_ms, enum message_word *out);

#endif
