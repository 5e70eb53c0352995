/*
 * command_store - a command, spoken or typed, is done once: the batch and its event, a
 * question after what is missing, or a refusal with its reason. A second run with the
 * same source and key changes nothing.
 *
 * Whoever is asked has five minutes to answer by message or by calling again; the answer
 * completes the command.
 *
 * In the caller's transaction of that tenant, or in one of their own. Errors are pg.h's,
 * and as stated.
 */
#ifndef BATCHES_COMMAND_STORE_H
#define BATCHES_COMMAND_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "batches/batch_rules.h"
#include "batches/command.h"
#include "batches/lot_store.h"
#include "batches/refusal.h"
#include "batches/understanding.h"

struct pg;

/* "/register [language] NAME" is no command of the ledger: who writes it asks to be let
 * in. */
enum command_state { COMMAND_DONE, COMMAND_ASKS, COMMAND_REFUSED, COMMAND_REGISTERED };

struct command_in {
    const char *source;            /* voice, sms, cli, api */
    const char *key;               /* of that source; the same is the same command */
    int64_t phone;                 /* 0 withheld */
    const char *language;          /* "" not known */
    const char *text;              /* as it was said or typed; "" not known */
    const struct understanding *u; /* of the text */
    const struct uuid *recording_id, *call_id; /* NULL none */
    int64_t said_ms;
};

struct command_result {
    struct uuid id;
    bool fresh; /* done now, not before: only then are batch, why and token filled */
    enum command_state state;
    char language[3];   /* in which to answer; "" not known */
    struct batch batch; /* COMMAND_DONE: for the receipt */
    struct refusal why; /* else */
    bool quiet;         /* too much of theirs was refused: say nothing more for now */
    bool approved;      /* COMMAND_REGISTERED: and was let in before */
    bool new_batch;     /* it may be verified, by the token */
    char token[LOT_TOKEN_MAX];
    int64_t token_until_ms;
};

NODISCARD int command_run(struct pg *pg, int tenant_id, const struct command_in *in,
                          int64_t now_ms, struct command_result *out);

struct command_letter { /* a message that somebody wrote */
    int64_t phone;
    const char *text;
    const char *key; /* the provider's id of it; NULL: it has none */
};
/* A typed command, or an answer that is waited for, is kept and a job `batch` is made of
 * it. *taken: it was one of these. */
NODISCARD int command_receive(struct pg *pg, int tenant_id,
                              const struct command_letter *letter, int64_t now_ms,
                              bool *taken);

struct command_row {
    char source[8], key[200], language[3];
    char text[1024];
    int64_t phone, said_ms;
};
/* What was kept. ENOENT. */
NODISCARD int command_load(struct pg *pg, int tenant_id, const struct uuid *id,
                           struct command_row *out);
/* Whether an answer of that number is waited for at that instant. */
NODISCARD int command_is_asked(struct pg *pg, int tenant_id, int64_t phone, int64_t at_ms,
                               bool *out);

#endif
