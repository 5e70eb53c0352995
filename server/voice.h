/*
 * voice - the flow of a call at a provider, one request at a time: session → input →
 * engine → commit → document. All of it happens in the request's transaction
 * (server/hook.h), so that each step is durable before its answer leaves, and a request
 * told twice is one step.
 *
 * Memory: what a step puts out lives until voice_close(). Errors: an errno; the hook then
 * undoes the request and apologises.
 */
#ifndef SERVER_VOICE_H
#define SERVER_VOICE_H

#include <errno.h>

#include "campaigns/call_effects.h"
#include "campaigns/call_store.h"
#include "campaigns/program_store.h"
#include "campaigns/table.h"
#include "campaigns/voice_session_store.h"
#include "ivr/document.h"
#include "server/hook.h"

struct voice_call {
    struct hook *hook;
    struct voice_session session;
    const struct ivr_backend *backend;
    struct program *program;
    struct ivr_arena *arena;
    const struct ivr_state *state; /* NULL before START */
    const struct ivr_state *kept;  /* at START: where an earlier call dropped, or NULL */
    uint32_t seq;                  /* at START: of the flow before */
    struct ivr_out out;            /* of the last step of this request */
    bool submitted; /* a step of this request has left a command to the jobs */
    bool stepped;
    struct table_result data; /* of the last step, when it waits for one */
    bool dials_numbers; /* transfers to numbers, too: an operator has written them */
    char id[UUID_TEXT_MAX], phone[PHONE_TEXT_MAX];
    char prefix[2 * PROVIDER_URL_MAX + 64];
    struct ivr_document_ctx document;
    struct ivr_call_ctx ctx;
    char agent_to[48]; /* "ext:2001": whose phone is to ring; "" nobody's */
    char hold_url[3 * PROVIDER_URL_MAX];
    char note_code[32], note_detail[96]; /* a warning for the next step's events */
};

/* What a request that is served with others (server/hook_many.h) reads and writes, once
 * for all of them. Of a request that wants more than one plain step every function here
 * fails with VOICE_ALONE, and has changed nothing but *v. */
enum { VOICE_ALONE = EXDEV };
struct voice_gather {
    struct call_ask *ask; /* of a call that begins; NULL: of one that is known */
    struct call_start start;
    bool stepped, ends;
    struct call_step step;
    struct call_effects effects; /* call_effects_free() */
    struct call_end end;
};

/* "twiml" or "plivo"; NULL: its calls cannot be answered here. */
const struct ivr_backend *voice_backend(enum provider_kind kind);

/* v->session is filled in: loads its flow and state. voice_close() in any case. */
NODISCARD int voice_open(struct voice_call *v, struct hook *h);
void voice_close(struct voice_call *v); /* for CLEANUP too */

/* What the request to one of the flow's own addresses says. */
NODISCARD int voice_request(struct voice_call *v, const char *token, const char *wait,
                            struct ivr_parsed *out);
/* One step, committed within the transaction, and those that follow from it by
 * themselves. ENODATA: no answer to the wait at hand; nothing has changed. */
NODISCARD int voice_feed(struct voice_call *v, const struct ivr_input *in);
/* The end of the recording that was begun last: its row, and where it is found. */
NODISCARD int voice_recorded(struct voice_call *v, const struct ivr_parsed *p);
/* Is it to go on in another flow, which whoever serves it is to take up first? */
bool voice_is_redirected(const struct voice_call *v);
/* It leaves its flow where it is, and goes on in that one from its beginning: in the
 * language, and with the steps counted on, so that nothing that was to lead on in the old
 * one is taken for the new one's. */
NODISCARD int voice_redirect(struct voice_call *v);
/* Has the wait at hand lasted longer than the flow allows? Then DEADLINE is its input. */
bool voice_is_overdue(const struct voice_call *v);
/* The provider says that the call is over. */
NODISCARD int voice_hung_up(struct voice_call *v, int cause);
/* The document of the last step, and the session as it is now. */
NODISCARD int voice_answer(struct voice_call *v, struct response *resp);

/* For a phone that is not the caller's: p->document, and the session as it is now. */
NODISCARD int voice_answer_aside(struct voice_call *v, const struct ivr_parsed *p,
                                 struct response *resp);
void voice_note(struct voice_call *v, const char *code, const char *detail);

/* ---- voice_queue.c: agents for calls that wait ---- */

/* The flow has come to a queue. *leaves: it does not wait there, and *in says so. */
NODISCARD int voice_queue_enter(struct voice_call *v, const struct ivr_effect *fx,
                                struct ivr_input *in, bool *leaves);
/* A request of a call that waits: p becomes what is to be done then, with an agent whose
 * phone rings, or without. */
NODISCARD int voice_queue_look(struct voice_call *v, const char *token, const char *wait,
                               struct ivr_parsed *p);
/* What became of the agent whose phone rang. */
NODISCARD int voice_queue_agent(struct voice_call *v, enum ivr_agent_news news);
/* The call waits no more: whoever is with it is free. */
NODISCARD int voice_queue_left(struct voice_call *v);

/* The call's language now; "" not known. Borrowed from v. */
const char *voice_language(const struct voice_call *v);

/* ---- voice_words.c ---- */

/* A spoken apology and a hang-up, in the language that the call is known to be in
 * (server/call_languages.h). It cannot fail, and asks no database. */
void voice_apologise(const struct hook *h, struct response *resp);
/* The document alone. Of the account's recorded apologies that of the language, else the
 * provider's own voice if it has one for it, else our own, else English. */
void voice_sorry(const struct hook *h, const char *language, struct buf *out);
/* An ivr_media_fn whose arg is the hook: recorded prompts, by their hash. */
int voice_media(const struct ivr_prompt *p, char *uri, size_t size, void *arg);
/* What who waits hears, a few seconds of it; NULL: silence. Is url. */
const char *voice_hold_url(const struct hook *h, char *url, size_t size);
/* The provider's id of the call that the request is about; "" none. Borrowed. */
const char *voice_provider_call(const struct hook *h);

/* ---- route_hook_voice.c ---- */

/* A number with or without its plus, or with one that came as a space; 0: withheld, or no
 * number. */
int64_t voice_phone(const char *text);
int64_t voice_caller(const struct hook *h); /* whose number calls */
/* As its own handler would serve it, but gathered: */
/* the first request of a call in, with its call_ask; one that a document led to, with
 * its session in *v. */
NODISCARD int voice_gather_in(struct voice_call *v, struct hook *h,
                              struct response *resp);
NODISCARD int voice_gather_act(struct voice_call *v, struct hook *h,
                               struct response *resp);

#endif
