/*
 * document - what a host of the document back ends (twiml, plivo) needs besides
 * ivr/backend.h: what a document is made from, and the way back from a provider's
 * request to an input.
 *
 * The host answers each request of the provider with one document:
 *   - the first request of a call: step with START, render;
 *   - a request to one of the document's own URLs: request(), then by out->kind
 *       INPUT     ivr_step(), render its effects; at IVR_STALE, IVR_WRONG_WAIT and
 *                 IVR_OVER render the last step's again;
 *       DOCUMENT  send out->document;
 *       NOTHING   render the last step's effects again;
 *   - whatever goes wrong: apology(). It cannot fail.
 *
 * Those URLs have the form
 *
 *     {action_prefix}/{token}/{wait}
 *
 * token: the step's seq, decimal. wait: a word and its arguments, 1 to 80 of the
 * characters a-z 0-9 _ and -; it is this module's own, the host hands it back as it
 * came. Both are one path segment. All are POSTed.
 *
 * Rules for the host. A DIAL is a request to the gate: one that the gate refuses is never
 * rendered, but answered by the host itself with DIAL_ENDED. An HTTP that is answered at
 * once is stepped before anything is rendered; while it is out, the provider asks again
 * and again (wait word "http…") and hears hold_url. Each such request differs from the
 * one before, so that a request that is told twice can be known for the same.
 *
 * A queue is the host's: the caller hears hold_url and the provider asks again every few
 * seconds (wait word "hold…"). At an ENQUEUE and at each of those requests (a DOCUMENT or
 * QUEUE_NEWS with queued_at_ms) the host looks for an agent. Is there one, it puts their
 * address into the context and renders, or calls request(), again: the agent's phone then
 * rings. When nobody can be waited for it sends QUEUE_LEFT. What becomes of the agent is
 * told by ivr_parsed.agent; the end of their talk is QUEUE_LEFT. QUEUE_NEWS has position
 * 0: the host fills it in. SMS, callbacks and the like are rows, no part of a document.
 * Prompts that end a call are heard before it is hung up.
 *
 * Memory, errors and threads as ivr.h. render and request: EINVAL without
 * ctx->document; EMSGSIZE: more than the provider takes.
 */
#ifndef IVR_DOCUMENT_H
#define IVR_DOCUMENT_H

#include "ivr/backend.h"

enum {
    IVR_WAIT_WORD_MAX = 80,
    IVR_FIELD_MAX = 2048, /* a longer value of a field that is read is EBADMSG */
    IVR_FIELDS_MAX = 256, /* of one request; more is EBADMSG */
};

/*
 * The media function of ivr_call_ctx gives https URLs here. Is there none (ENOENT) for a
 * text, the provider's own voice speaks it if it has one for that very language; else the
 * prompt has no media, and MEDIA_FAILED follows. It may be NULL: no recorded audio then.
 */
struct ivr_document_ctx {
    const char *action_prefix; /* "https://voice.example.org/hooks/7/voice/01a2", no '/'
                                  at the end; XML escaping is done here */
    const char *keys_url; /* where keys are sent instead, by every menu alike: the host
                             knows whose they are and what they answer; NULL */
    /* Of recordings, likewise: what is said when they are over, and of their states. */
    const char *record_url, *record_status_url;
    int record_pause_s; /* silence before the tone */
    /* Heard after a recording that never came, before the flow is asked; NULL: nothing.
     */
    const struct ivr_prompt *unrecorded;
    const char *hold_url;  /* a few seconds of music for HTTP and queues; NULL: silence */
    const char *tone_url;  /* what who answers hears until they press confirm_key;
                              NULL: the provider says it in English */
    const char *caller_id; /* E.164, of a transfer that names none; NULL: the caller's */
    const char *sip_domain; /* ext:2001 is sip:2001@sip_domain; NULL: cannot be dialled */
    const char *agent; /* who takes the call that waits in a queue, as the `to` of a DIAL;
                          NULL: nobody yet */
    char agent_key;    /* they press it before they are put through; 0: none */
    int64_t now_ms;    /* of the request */
    int64_t queued_at_ms; /* the call is in a queue since then and stays there: as
                             request() gave it with QUEUE_NEWS; else 0 */
    bool unanswered;      /* a call in that is not taken yet: a hang-up before
                             anything is heard refuses it */
};

/* A decoded form parameter. */
struct ivr_field {
    const char *name, *value; /* never NULL */
};

struct ivr_request {
    const char *token, *wait; /* the two last segments of the URL */
    const struct ivr_field *fields;
    size_t n;
};

struct doc_words; /* inside ivr/ */

struct ivr_document_ops {
    const char *provider; /* "Twilio" */
    /* Languages it speaks by itself, NULL-terminated; for ivr_env.voices. */
    const char *const *voices;
    /*
     * state: the call's, never NULL. ctx: as for render; what it has of now_ms must be
     * true. EBADMSG: no request that a document of ours leads to.
     *
     * What comes: keys, the end of a recording, of a transfer, of a wait in a queue; a
     * prompt that had no media; the wait word "status", which no document uses: the host
     * may give {action_prefix}/0/status to the provider as the call's status callback,
     * and gets HANGUP with a Q.850 cause once the call is over, else NOTHING.
     */
    int (*request)(const struct ivr_request *req, const struct ivr_call_ctx *ctx,
                   const struct ivr_state *state, struct ivr_arena *arena,
                   struct ivr_parsed *out);
    /* A spoken apology and a hang-up; English when the provider does not speak lang.
     * Static. */
    const char *(*apology)(const char *lang);
    /* The same with words of the host's: what lies at url is heard, then a hang-up. */
    int (*farewell)(const char *url, struct ivr_arena *arena, const char **document);
    const struct doc_words *words;
};

#endif
