/*
 * backend - between the engine's effects and inputs and one kind of phone.
 *
 * A back end does no I/O, holds no state and checks no signature. render() turns one
 * sprint's effects into what the host sends; parse() turns one message of the switch
 * (or one typed line) into an input, a key or nothing. There are two families:
 *   command back ends (ari, sim): render gives a list of commands; the host keeps
 *     timers, the key buffer (struct ivr_keys below) and playback ids;
 *   document back ends (twiml, plivo: providers that fetch XML): render gives one
 *     document that answers the provider's request. The list of commands is then empty
 *     and `document` is set; parse is NULL, ivr/document.h reads the requests.
 *
 * Memory and threads as ivr.h.
 */
#ifndef IVR_BACKEND_H
#define IVR_BACKEND_H

#include "ivr/ivr.h"

/* Finds what plays a prompt ("sound:prompts/ab12"), e.g. cached speech. ENOENT: there
 * is none; the command list then says so and the host sends MEDIA_FAILED. */
typedef int(ivr_media_fn)(const struct ivr_prompt *p, char *uri, size_t size, void *arg);

struct ivr_call_ctx {
    const char *channel; /* the switch's id of the call */
    const char *format;  /* of recordings, "wav16" */
    ivr_media_fn *media; /* may be NULL for sim */
    void *arg;
    const struct ivr_document_ctx *document; /* document back ends only, and needed */
};

enum ivr_command_kind {
    IVR_CMD_PLAY,       /* media in this order, as one queue */
    IVR_CMD_MEDIA_GONE, /* a prompt has no media: send MEDIA_FAILED, drop the rest */
    IVR_CMD_COLLECT,    /* after the last PLAY: arm the key buffer with effect->collect */
    IVR_CMD_RECORD,     /* after the last PLAY, as all that follow */
    IVR_CMD_DIAL,       /* request to the gate, then bridge */
    IVR_CMD_ENQUEUE,
    IVR_CMD_HTTP,      /* hand over */
    IVR_CMD_DATA,      /* done with the step's commit: feed what came of it */
    IVR_CMD_MOH_START, /* while an HTTP, DIAL or ENQUEUE is out; stop it at the next input
                        */
    IVR_CMD_ROW,       /* SMS, callback, opt-out, language: rows, already committed */
    IVR_CMD_HANGUP,
};

struct ivr_command {
    enum ivr_command_kind kind;
    const struct ivr_effect *effect; /* the whole story; NULL for MOH_START */
    const char *const *media;        /* PLAY */
    size_t media_count;
    bool bargeable;
    /* As a REST request where exactly one does it, percent encoded; "" otherwise. */
    const char *method, *request;
    const char *line; /* for a person: the transcript of sim; "" in other back ends */
};

struct ivr_rendered {
    const struct ivr_command *commands;
    size_t n;
    const char *document; /* NULL for command back ends; UTF-8 */
};

enum ivr_parsed_kind {
    IVR_PARSED_NOTHING, /* of no interest to the flow */
    IVR_PARSED_KEY,     /* give it to ivr_keys_press() */
    IVR_PARSED_INPUT,
    IVR_PARSED_DOCUMENT, /* asks for no step: answer with `document` */
};

/* Of a call in a queue whose agent is rung. */
enum ivr_agent_news {
    IVR_AGENT_NO_NEWS,
    IVR_AGENT_CONNECTED, /* they talk */
    IVR_AGENT_NO_ANSWER, /* not answered, or not confirmed: the call waits on */
};

struct ivr_parsed {
    enum ivr_parsed_kind kind;
    char key;
    struct ivr_input input;
    /* Document back ends: */
    const char *document;
    bool aside; /* the document is for somebody else's phone, not where the call is */
    /* Of RECORDED, at the provider; or NULL. With NOTHING and input.kind RECORDED: that
     * recording's own end, told beside the flow, which has gone on. */
    const char *recording_url, *recording_id;
    int64_t queued_at_ms; /* the call is in a queue since then, for ivr_document_ctx; 0 */
    enum ivr_agent_news agent;
};

struct ivr_document_ops;

struct ivr_backend {
    const char *name;
    uint32_t caps; /* enum ivr_cap */
    /* state: whose wait the message may answer; NULL before START. EBADMSG: not a
     * message of this kind. */
    int (*parse)(const char *bytes, size_t len, const struct ivr_state *state,
                 struct ivr_arena *arena, struct ivr_parsed *out);
    int (*render)(const struct ivr_out *step, const struct ivr_call_ctx *ctx,
                  struct ivr_arena *arena, struct ivr_rendered *out);
    const struct ivr_document_ops *document; /* NULL for command back ends */
};

/* "ari", "sim", "twiml", "plivo"; NULL when there is none of that name. */
const struct ivr_backend *ivr_backend_find(const char *name);

/* ---- the key buffer of command hosts ---- */

/*
 * Type-ahead and the two timers of an entry. Zero-initialise; one per call.
 * ivr_keys_press() at every key, at any time; ivr_keys_arm() when the prompts before a
 * COLLECT have ended (or a key has stopped them); ivr_keys_take() after each of these
 * and when due_at_ms has come: true gives the input and disarms.
 */
struct ivr_keys {
    char digits[IVR_DIGITS_MAX + 1];
    size_t n;
    bool armed, barged;
    const struct ivr_collect *collect; /* borrowed while armed */
    int64_t due_at_ms;                 /* when armed */
    char entry[IVR_DIGITS_MAX + 1];    /* what the last input points to */
};

void ivr_keys_press(struct ivr_keys *k, char key, int64_t now_ms);
void ivr_keys_arm(struct ivr_keys *k, const struct ivr_collect *collect, bool barged,
                  int64_t now_ms);
bool ivr_keys_take(struct ivr_keys *k, int64_t now_ms, uint32_t token,
                   struct ivr_input *out);
void ivr_keys_clear(struct ivr_keys *k); /* forget type-ahead, disarm */

#endif
