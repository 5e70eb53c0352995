/*
 * text_call - the flow of a call whose phone is a program (a page, a chat): session →
 * input → engine → commit, in the transaction of one request, so that any server may
 * serve any request and each step is durable before its answer leaves. Words are taken in
 * place of keys; what is said is text. What the answer looks like is the contract's
 * (server/ivr_simulator.c).
 *
 * Memory: what a step puts out lives until text_call_close(). Errors: an errno; the
 * request is then undone. Thread: the request's.
 */
#ifndef SERVER_TEXT_CALL_H
#define SERVER_TEXT_CALL_H

#include "base/str.h"
#include "campaigns/program_store.h"
#include "campaigns/table.h"
#include "campaigns/text_call_store.h"
#include "server/server.h"

struct text_call {
    struct server *server;
    struct pg *pg; /* in a transaction of the tenant */
    int64_t now_ms;
    struct text_call_row row;
    struct program *program;
    struct ivr_arena *arena;
    const struct ivr_state *state; /* NULL before START */
    struct ivr_out out;            /* of this request, with all that is heard */
    struct table_result data;
    char id[UUID_TEXT_MAX], phone[PHONE_TEXT_MAX];
    /* What the last feed came to: */
    bool not_taken;   /* it is asked again, for what was given is none */
    bool transferred; /* the party is to be put through; the call is over here */
};

/* A call of that number by the newest revision of the flow. wanted: how the program would
 * call it, or ""; its public id is another when that is taken. ENOENT: no such flow. */
NODISCARD int text_call_begin(struct text_call *c, int tenant_id, const char *flow,
                              const char *caller_number, const char *wanted);
/* One that there is; the row stays locked. ENOENT. c->row.ended: nothing more can be
 * fed. */
NODISCARD int text_call_open(struct text_call *c, int tenant_id, const char *public_id);
void text_call_close(struct text_call *c); /* for CLEANUP too */

/* One key. *collected: it is one of an entry that goes on, kept in row.input_buffer, and
 * nothing else has happened. */
NODISCARD int text_call_key(struct text_call *c, char key, bool *collected);
NODISCARD int text_call_say(struct text_call *c, const char *words);
NODISCARD int text_call_silence(struct text_call *c);
NODISCARD int text_call_hang_up(struct text_call *c);
/* The row as it is now; after the last of these. */
NODISCARD int text_call_keep(struct text_call *c);

/* The texts of one part of what is heard, with a space between. */
void text_call_heard(const struct text_call *c, enum ivr_part part, struct buf *out);
/* The effect that ends the call, or NULL. */
const struct ivr_effect *text_call_end(const struct text_call *c);
/* How many keys the waiting node takes; false: it waits for none. */
bool text_call_entry(const struct text_call *c, struct ivr_collect *out);

/* Calls of the tenant whose silence has lasted too long: asked once whether anybody is
 * there, then ended, as their flows say. */
void text_calls_sweep(struct server *s, int tenant_id);

#endif
