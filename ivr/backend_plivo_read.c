/* Plivo's requests, read. */
#include <errno.h>
#include <string.h>

#include "ivr/backend_plivo.h"

static int read_keys(struct reading *r)
{
    return reading_keys_or_words(r, reading_field(r, "Digits"),
                                 reading_field(r, "Speech"));
}

/* The file is there: the host's to know, no news to the flow. */
static int read_recording(struct reading *r)
{
    int64_t ms = 0;

    if (reading_seconds(r, "RecordingDuration", &ms))
        return EBADMSG;
    int err = reading_recording(r);
    return err ? err : reading_recorded_aside(r, ms);
}

static int read_dialled(struct reading *r)
{
    static const struct meaning ends[] = {
        {"completed", IVR_DIALLED_COMPLETED, 16},
        {"busy", IVR_DIALLED_BUSY, 17},
        {"no-answer", IVR_DIALLED_NO_ANSWER, 19},
        {"timeout", IVR_DIALLED_NO_ANSWER, 19},
        {"cancel", IVR_DIALLED_NO_ANSWER, 0},
        {"failed", IVR_DIALLED_FAILED, 0},
        {NULL, 0, 0},
    };
    const char *status = reading_field(r, "DialStatus");
    const struct meaning *end = status ? meaning_of(ends, status) : NULL;
    int64_t ms = 0;

    if (!end || reading_seconds(r, "DialBLegDuration", &ms))
        return EBADMSG;
    struct ivr_input *in = reading_input(r, IVR_IN_DIAL_ENDED);
    in->dialled.result = (enum ivr_dialled)end->result;
    in->dialled.cause = end->cause;
    in->dialled.talked_ms = end->result == IVR_DIALLED_COMPLETED ? ms : 0;
    return 0;
}

static int read_confirm(struct reading *r)
{
    struct doc d;

    if (!r->word.key)
        return EBADMSG;
    int err = reading_aside(r, &d);
    if (err)
        return err;
    plivo_confirm(&d, r->word.key);
    return doc_end(&d, &r->out->document);
}

static int read_rung(struct reading *r)
{
    return reading_rung(r, read_dialled);
}

/* What the agent's phone does: it is answered, then the key is pressed where one is asked
 * for. An answer of ours is not looked at. */
static int read_agent(struct reading *r)
{
    const char *what = reading_field(r, "DialAction");
    struct doc d;

    if (!what)
        return EBADMSG;
    if (strcmp(what, "connected") == 0 || (!r->word.key && strcmp(what, "answer") == 0))
        r->out->agent = IVR_AGENT_CONNECTED;
    int err = reading_aside(r, &d);
    return err ? err : doc_end(&d, &r->out->document);
}

static int read_status(struct reading *r)
{
    static const struct meaning ends[] = {
        {"completed", 0, 16}, {"busy", 0, 17},   {"no-answer", 0, 19}, {"timeout", 0, 19},
        {"cancel", 0, 16},    {"failed", 0, 41}, {NULL, 0, 0},
    };

    return reading_status(r, ends);
}

int plivo_request(const struct ivr_request *req, const struct ivr_call_ctx *ctx,
                  const struct ivr_state *state, struct ivr_arena *arena,
                  struct ivr_parsed *out)
{
    static const struct reader list[] = {
        {"keys", read_keys},
        {"recording", read_recording},
        {"talk_recording", reading_recording},
        {"dialled", read_dialled},
        {"confirm", read_confirm},
        {"rung", read_rung},
        {"agent", read_agent},
        {"status", read_status},
        {NULL, NULL},
    };

    return reading_run(&plivo_words, list, req, ctx, state, arena, out);
}
