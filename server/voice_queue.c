/*
 * A call at a provider in a queue node. The queue is ours, the one that calls on Asterisk
 * wait in too (campaigns/agent_store_book.h): at the node, and each time the provider
 * asks on, the call asks for an agent; who was found has their phone rung by the document
 * that answers. A call of a campaign whose agents are all taken does not wait: then the
 * law wants the flow's message at once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "campaigns/agent_store_book.h"
#include "server/queue_watch.h"
#include "server/voice.h"

enum { CONFIRM_KEY = '1' };

enum found { FOUND_AGENT, FOUND_WAIT, FOUND_NOBODY };

static int take(struct voice_call *v, struct agent_taken *taken, enum found *found)
{
    struct voice_session *s = &v->session;
    const struct agent_ask ask = {.call = s->call,
                                  .queue = s->queue,
                                  .priority = s->queue_priority,
                                  .since_ms = s->queued_at_ms};

    int err = agent_take(v->hook->pg, s->tenant_id, &ask, v->hook->now_ms, taken);
    v->document.agent = NULL;
    if (err == ENODATA) {
        *found = taken->waits && taken->logged_in > 0 ? FOUND_WAIT : FOUND_NOBODY;
        if (*found == FOUND_WAIT)
            queue_watch_tell(v->hook->server->queue_watch, s->tenant_id);
        return 0;
    }
    if (err)
        return err;
    *found = FOUND_AGENT;
    str_cut(s->agent, sizeof(s->agent), taken->name);
    snprintf(v->agent_to, sizeof(v->agent_to), "ext:%s", taken->extension);
    v->document.agent = v->agent_to;
    v->document.agent_key = taken->confirm ? CONFIRM_KEY : '\0';
    log_info("voice", "call=%s queue=%s agent=%s state=ringing", v->id, LOG_ESC(s->queue),
             LOG_ESC(taken->name));
    return 0;
}

static void leave(const struct voice_call *v, enum ivr_left result, struct ivr_input *in)
{
    *in = (struct ivr_input){.kind = IVR_IN_QUEUE_LEFT, .token = v->state->seq};
    in->left.result = result;
    in->left.waited_ms = v->hook->now_ms - v->session.queued_at_ms;
}

int voice_queue_enter(struct voice_call *v, const struct ivr_effect *fx,
                      struct ivr_input *in, bool *leaves)
{
    struct voice_session *s = &v->session;
    struct agent_taken taken = {0};
    enum found found = FOUND_NOBODY;
    int err = 0;

    if (!s->queued_at_ms)
        s->queued_at_ms = v->hook->now_ms;
    str_cut(s->queue, sizeof(s->queue), fx->enqueue.queue);
    s->queue_priority = fx->enqueue.priority;
    *leaves = !v->document.sip_domain;
    if (*leaves) { /* their phones cannot be reached from there */
        voice_note(v, "queue_refused", "the account has no sip_domain");
        leave(v, IVR_LEFT_FAILED, in);
        return 0;
    }
    err = take(v, &taken, &found);
    *leaves = !err && found == FOUND_NOBODY;
    if (*leaves)
        leave(v, IVR_LEFT_FULL, in);
    return err;
}

int voice_queue_look(struct voice_call *v, const char *token, const char *wait,
                     struct ivr_parsed *p)
{
    struct agent_taken taken = {0};
    enum found found = FOUND_NOBODY;

    if (v->hook->gather)
        return VOICE_ALONE;
    if (p->kind == IVR_PARSED_INPUT && p->input.kind != IVR_IN_QUEUE_NEWS)
        return 0; /* it leaves by itself */
    int err = take(v, &taken, &found);
    if (err)
        return err;
    switch (found) {
    case FOUND_AGENT:
        return voice_request(v, token, wait, p);
    case FOUND_NOBODY:
        p->kind = IVR_PARSED_INPUT;
        leave(v, IVR_LEFT_FULL, &p->input);
        return 0;
    case FOUND_WAIT:
        if (p->kind == IVR_PARSED_INPUT) {
            p->input.news.position = taken.position;
            p->input.news.wait_ms = taken.wait_ms;
        }
        return 0;
    }
    return 0;
}

int voice_queue_agent(struct voice_call *v, enum ivr_agent_news news)
{
    struct voice_session *s = &v->session;
    const int64_t now_ms = v->hook->now_ms;
    int err = 0;

    if (!s->agent[0] || news == IVR_AGENT_NO_NEWS)
        return 0;
    if (v->hook->gather)
        return VOICE_ALONE;
    if (news == IVR_AGENT_CONNECTED) {
        log_info("voice", "call=%s queue=%s agent=%s state=talking", v->id,
                 LOG_ESC(s->queue), LOG_ESC(s->agent));
        return agent_connected(v->hook->pg, s->tenant_id, &s->call,
                               now_ms - s->begun_at_ms <= MODE_CONNECT_MS, now_ms);
    }
    /* Somebody else, if there is one. */
    log_warn("voice", "call=%s queue=%s agent=%s state=no-answer", v->id,
             LOG_ESC(s->queue), LOG_ESC(s->agent));
    err = agent_left(v->hook->pg, s->tenant_id, &s->call, true, now_ms);
    s->agent[0] = '\0';
    return err;
}

int voice_queue_left(struct voice_call *v)
{
    struct voice_session *s = &v->session;

    if (v->hook->gather)
        return VOICE_ALONE;
    s->queue[0] = s->agent[0] = '\0';
    v->document.agent = NULL;
    return agent_left(v->hook->pg, s->tenant_id, &s->call, false, v->hook->now_ms);
}
