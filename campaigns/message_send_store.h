/*
 * message_send_store - a message on its way to the provider: what is sent, whether the
 * day's cap lets it, and what came of it. All run in the caller's transaction of that
 * tenant, which ends before the provider is asked. Errors are pg.h's, and as stated.
 */
#ifndef CAMPAIGNS_MESSAGE_SEND_STORE_H
#define CAMPAIGNS_MESSAGE_SEND_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct message_settings;
struct pg;

struct message_due {
    struct uuid id;
    int64_t phone;
    char *body;   /* owned */
    bool due;     /* it has not left yet, as far as anybody knows, and may */
    bool stopped; /* an opt-out stops it, and it is no answer to one */
    bool reply;
};
/* Locks the row, and the number as opt-outs do: what it says of them holds until the
 * commit, and is to be acted upon at once after it. ENOENT: there is none; else
 * message_due_free(). */
NODISCARD int message_load(struct pg *pg, int tenant_id, const struct uuid *id,
                           struct message_due *out);
void message_due_free(struct message_due *m); /* for CLEANUP */

/* What is written before the provider is asked: its reports may come before its answer.
 */
struct message_begun {
    const struct message_settings *settings; /* NULL: the worker's own account */
    const char *provider;                    /* its kind, for people to read */
    const char *encoding;
    int segments;
    int64_t price_micros; /* what it should cost; 0: not known */
};
/* Counts it into the day, once a day. *over: the cap is reached (answers to people are
 * counted, and sent all the same); nothing is written then, and *until_ms is the day's
 * end. Parallel calls never pass the cap together. */
NODISCARD int message_begin(struct pg *pg, int tenant_id, const struct message_due *m,
                            const struct message_begun *b, int64_t now_ms, bool *over,
                            int64_t *until_ms);
/* It waits: a job of its own tries it again at until_ms. */
NODISCARD int message_wait(struct pg *pg, int tenant_id, const struct message_due *m,
                           int64_t until_ms, int64_t now_ms);

struct message_outcome {
    const char *state; /* sent, failed, refused */
    const char *provider_id, *error;
    int64_t price_micros; /* what the provider says it costs; 0: it does not */
    const char *currency;
    bool certain; /* it has not left: the day's cap and the cost do without it */
};
/* A state that a report has brought meanwhile stays. */
NODISCARD int message_finish(struct pg *pg, const struct uuid *id,
                             const struct message_outcome *o, int64_t now_ms);

#endif
