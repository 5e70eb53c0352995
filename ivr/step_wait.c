/* Nodes that wait for the call: recordings, transfers, queues. And to which node an input
 * goes. */
#include <inttypes.h>
#include <string.h>

#include "ivr/step.h"

enum { MINUTE_MS = 60000 };

/* ---- record, voicemail ---- */

void enter_record(struct sprint *sp, const struct node *n)
{
    static const enum ivr_finish finish[] = {IVR_FINISH_NONE, IVR_FINISH_ANY,
                                             IVR_FINISH_STAR, IVR_FINISH_HASH};

    if (!(sp->env->caps & IVR_CAP_RECORD)) {
        node_fail(sp, n, "no_recording_here", "");
        return;
    }
    if (!speak(sp, &n->prompt, false)) {
        node_fail(sp, n, "prompt_missing", sp->s.lang);
        return;
    }
    struct ivr_effect *fx = effect(sp, IVR_FX_RECORD);
    if (!fx)
        return;
    fx->record =
        (struct ivr_record){.max_ms = n->max_ms,
                            .silence_ms = n->silence_ms,
                            .finish = finish[n->finish_any],
                            .beep = n->beep,
                            .purpose = n->kind == NODE_RECORD ? "record" : "voicemail",
                            .pipeline = words_pipeline[n->pipeline],
                            .on_done_sms = n->on_done_sms,
                            .node = n->id,
                            .step = sp->s.total_steps};
    sprint_wait(sp, IVR_WAIT_RECORDING, n->max_ms);
}

static void resume_record(struct sprint *sp, const struct node *n,
                          const struct ivr_input *in)
{
    static const char *const exits[] = {"recorded", "empty", "failed"};

    if (in->kind != IVR_IN_RECORDED ||
        (unsigned)in->recorded.result >= ARRAY_LEN(exits)) {
        take_exit(sp, n, "failed", "deadline");
        return;
    }
    const char *exit = exits[in->recorded.result];
    const char *ref = arena_text(sp->arena, given(in->recorded.ref));
    event(sp, IVR_EV_RESULT, *n->into ? n->into : n->id, ref, exit);
    if (sp->err)
        return;
    if (*n->into && in->recorded.result == IVR_RECORDED_OK) {
        struct ivr_value v = value_text(ref);
        set_var(sp, n->into, &v, false);
    }
    take_exit(sp, n, exit, given(in->recorded.reason));
}

/* ---- transfer ---- */

static bool is_destination(const char *to)
{
    size_t len = strlen(to);

    if (len == 0 || len > 128 || strpbrk(to, " \t\r\n\"<>,;"))
        return false;
    return (strncmp(to, "ext:", 4) == 0 && to[4]) ||
           (strncmp(to, "sip:", 4) == 0 && to[4]) ||
           (*to == '+' && len >= 8 && len <= 16 &&
            strspn(to + 1, "0123456789") == len - 1);
}

void enter_transfer(struct sprint *sp, const struct node *n)
{
    bool faulty = false;
    const char *to = render(sp, &n->to, TEMPLATE_TEXT, &faulty);
    const char *from = to ? render(sp, &n->from, TEMPLATE_TEXT, NULL) : NULL;

    if (!from)
        return;
    if (!(sp->env->caps & IVR_CAP_TRANSFER)) {
        node_fail(sp, n, "no_transfer_here", "");
        return;
    }
    if (faulty || !is_destination(to)) {
        node_fail(sp, n, "bad_destination", to);
        return;
    }
    if (!speak(sp, &n->prompt, false)) {
        node_fail(sp, n, "prompt_missing", sp->s.lang);
        return;
    }
    struct ivr_effect *fx = effect(sp, IVR_FX_DIAL);
    if (!fx)
        return;
    fx->dial.to = to;
    fx->dial.from = from;
    fx->dial.ring_ms = n->ring_ms;
    fx->dial.max_ms = n->max_ms;
    fx->dial.record = n->record;
    fx->dial.confirm_key = *n->confirm_key;
    sprint_wait(sp, IVR_WAIT_DIAL, n->ring_ms + n->max_ms);
}

static void resume_transfer(struct sprint *sp, const struct node *n,
                            const struct ivr_input *in)
{
    static const char *const exits[] = {"completed", "busy", "no_answer", "failed"};

    if (in->kind != IVR_IN_DIAL_ENDED ||
        (unsigned)in->dialled.result >= ARRAY_LEN(exits)) {
        take_exit(sp, n, "failed", "deadline");
        return;
    }
    const char *exit = exits[in->dialled.result];
    const char *talked = arena_printf(sp->arena, "%" PRId64, in->dialled.talked_ms);
    event(sp, IVR_EV_RESULT, n->id, talked, exit);
    take_exit(sp, n, exit, arena_printf(sp->arena, "cause %d", in->dialled.cause));
}

/* ---- queue ---- */

static void ask_queue(struct sprint *sp, const struct node *n)
{
    struct ivr_effect *fx = effect(sp, IVR_FX_ENQUEUE);

    if (!fx)
        return;
    fx->enqueue.queue = n->queue;
    fx->enqueue.priority = (int)n->priority;
    fx->enqueue.max_wait_ms = n->wait_ms;
    fx->enqueue.exit_key = *n->exit_key;
    fx->enqueue.announce_ms = n->announce.n > 0 ? n->inter_ms : 0;
    /* Once an agent answers, the talk itself is bounded by the call. */
    sprint_wait(sp, IVR_WAIT_QUEUE, sp->s.hard_stop_at_ms - sp->env->now_ms);
}

void enter_queue(struct sprint *sp, const struct node *n)
{
    if (!(sp->env->caps & IVR_CAP_QUEUE)) {
        node_fail(sp, n, "no_queue_here", "");
        return;
    }
    if (!speak(sp, &n->prompt, false)) {
        node_fail(sp, n, "prompt_missing", sp->s.lang);
        return;
    }
    ask_queue(sp, n);
}

static void set_number(struct sprint *sp, const char *variable, int64_t number)
{
    struct ivr_value v = value_int(number);

    if (*variable && !sp->err)
        set_var(sp, variable, &v, false);
}

/* People count in minutes, and a promise is better too long than too short. */
static int64_t whole_minutes(int64_t ms)
{
    return ms > 0 ? (ms + MINUTE_MS - 1) / MINUTE_MS : 1;
}

/* What cannot be said in this language is left out: the wait is what matters. */
static void announce(struct sprint *sp, const struct node *n, const struct ivr_input *in)
{
    set_number(sp, n->into, in->news.position);
    set_number(sp, n->wait_into, whole_minutes(in->news.wait_ms));
    if (!sp->err)
        speak(sp, &n->announce, false);
    ask_queue(sp, n);
}

static void resume_queue(struct sprint *sp, const struct node *n,
                         const struct ivr_input *in)
{
    static const char *const exits[] = {"served", "timeout", "full", "left_by_key",
                                        "failed"};

    if (in->kind == IVR_IN_QUEUE_NEWS) {
        announce(sp, n, in);
        return;
    }
    if (in->kind != IVR_IN_QUEUE_LEFT || (unsigned)in->left.result >= ARRAY_LEN(exits)) {
        take_exit(sp, n, "timeout", "deadline");
        return;
    }
    const char *exit = exits[in->left.result];
    event(sp, IVR_EV_RESULT, n->id,
          arena_printf(sp->arena, "%" PRId64, in->left.waited_ms), exit);
    take_exit(sp, n, exit, given(in->left.agent));
}

void node_resume(struct sprint *sp, const struct node *n, const struct ivr_input *in)
{
    switch (sp->s.wait.kind) {
    case IVR_WAIT_KEYS:
        resume_keys(sp, n, in);
        return;
    case IVR_WAIT_RECORDING:
        resume_record(sp, n, in);
        return;
    case IVR_WAIT_DIAL:
        resume_transfer(sp, n, in);
        return;
    case IVR_WAIT_QUEUE:
        resume_queue(sp, n, in);
        return;
    case IVR_WAIT_HTTP:
        resume_api(sp, n, in);
        return;
    case IVR_WAIT_DATA:
        resume_data(sp, n, in);
        return;
    case IVR_WAIT_NONE:
        break;
    }
}
