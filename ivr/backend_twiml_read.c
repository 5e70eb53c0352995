/* Twilio's requests, read. */
#include <errno.h>
#include <string.h>

#include "ivr/backend_twiml.h"

static int read_keys(struct reading *r)
{
    const char *finish = reading_field(r, "FinishedOnKey");
    int err = reading_keys_or_words(r, reading_field(r, "Digits"),
                                    reading_field(r, "SpeechResult"));

    if (!err && r->out->input.kind == IVR_IN_DIGITS && finish && *finish && !finish[1])
        r->out->input.keys.finish = *finish;
    return err;
}

/* The file is ready, or will never be: the host's to know, no news to the flow. */
static int read_recording(struct reading *r)
{
    const char *status = reading_field(r, "RecordingStatus");
    int64_t ms = 0;

    if (!status || reading_seconds(r, "RecordingDuration", &ms))
        return EBADMSG;
    if (strcmp(status, "completed") == 0) {
        int err = reading_recording(r);
        return err ? err : reading_recorded_aside(r, ms);
    }
    if (strcmp(status, "absent") != 0)
        return 0;
    int err = reading_recorded_aside(r, 0);
    r->out->input.recorded.result = IVR_RECORDED_EMPTY;
    return err;
}

/* Of a transfer's talk: kept at the provider, no row of ours. */
static int read_talk_recording(struct reading *r)
{
    return reading_field(r, "RecordingStatus") ? reading_recording(r) : EBADMSG;
}

static int read_dialled(struct reading *r)
{
    static const struct meaning ends[] = {
        {"completed", IVR_DIALLED_COMPLETED, 16},
        {"answered", IVR_DIALLED_COMPLETED, 16},
        {"busy", IVR_DIALLED_BUSY, 17},
        {"no-answer", IVR_DIALLED_NO_ANSWER, 19},
        {"canceled", IVR_DIALLED_NO_ANSWER, 0},
        {"failed", IVR_DIALLED_FAILED, 0},
        {NULL, 0, 0},
    };
    const char *status = reading_field(r, "DialCallStatus");
    const char *bridged = reading_field(r, "DialBridged");
    const struct meaning *end = status ? meaning_of(ends, status) : NULL;
    int64_t ms = 0;

    if (!end || !bridged || reading_seconds(r, "DialCallDuration", &ms))
        return EBADMSG;
    struct ivr_input *in = reading_input(r, IVR_IN_DIAL_ENDED);
    in->dialled.result = (enum ivr_dialled)end->result;
    in->dialled.cause = end->cause;
    /* Somebody or something took it, but never pressed the key. */
    if (end->result == IVR_DIALLED_COMPLETED && strcmp(bridged, "false") == 0) {
        in->dialled.result = IVR_DIALLED_NO_ANSWER;
        in->dialled.cause = 19;
    }
    in->dialled.talked_ms = in->dialled.result == IVR_DIALLED_COMPLETED ? ms : 0;
    return 0;
}

/* ---- who takes a call, on their own phone ---- */

static int ask_for_key(struct reading *r, const char *then)
{
    struct doc d;

    int err = reading_aside(r, &d);
    if (err)
        return err;
    twiml_confirm(&d, then, r->word.key);
    return doc_end(&d, &r->out->document);
}

/* An empty document ends the whisper and joins the two. */
static int join(struct reading *r, bool joined)
{
    struct doc d;

    int err = reading_aside(r, &d);
    if (err)
        return err;
    if (!joined)
        twiml_words.hangup(&d, "normal", false);
    return doc_end(&d, &r->out->document);
}

static int is_the_key(const struct reading *r, bool *right)
{
    const char *digits = reading_field(r, "Digits");

    if (!r->word.key || !digits)
        return EBADMSG;
    *right = digits[0] == r->word.key && !digits[1];
    return 0;
}

static int read_confirm(struct reading *r)
{
    return r->word.key ? ask_for_key(r, "confirmed") : EBADMSG;
}

static int read_confirmed(struct reading *r)
{
    bool right = false;
    int err = is_the_key(r, &right);

    return err ? err : join(r, right);
}

static int read_agent(struct reading *r)
{
    if (r->word.key)
        return ask_for_key(r, "agent_ok");
    r->out->agent = IVR_AGENT_CONNECTED;
    return join(r, true);
}

static int read_agent_ok(struct reading *r)
{
    bool right = false;
    int err = is_the_key(r, &right);

    if (err)
        return err;
    r->out->agent = right ? IVR_AGENT_CONNECTED : IVR_AGENT_NO_NEWS;
    return join(r, right);
}

static int read_rung(struct reading *r)
{
    return reading_rung(r, read_dialled);
}

/* ---- the end ---- */

static int read_status(struct reading *r)
{
    static const struct meaning ends[] = {
        {"completed", 0, 16}, {"busy", 0, 17},   {"no-answer", 0, 19},
        {"canceled", 0, 16},  {"failed", 0, 41}, {NULL, 0, 0},
    };

    return reading_status(r, ends);
}

int twiml_request(const struct ivr_request *req, const struct ivr_call_ctx *ctx,
                  const struct ivr_state *state, struct ivr_arena *arena,
                  struct ivr_parsed *out)
{
    static const struct reader list[] = {
        {"keys", read_keys},
        {"recording", read_recording},
        {"talk_recording", read_talk_recording},
        {"dialled", read_dialled},
        {"confirm", read_confirm},
        {"confirmed", read_confirmed},
        {"rung", read_rung},
        {"agent", read_agent},
        {"agent_ok", read_agent_ok},
        {"status", read_status},
        {NULL, NULL},
    };

    return reading_run(&twiml_words, list, req, ctx, state, arena, out);
}
