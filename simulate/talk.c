#include "simulate/talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "ivr/backend.h"

enum {
    SPRINTS_MAX = 500,
    HTTP_MS = 300,
    DIAL_RING_MS = 3000,
    KEY_MS = 400,      /* between two keys of an entry */
    SILENCE_MS = 2000, /* ends a recording of a node that states none */
    CAUSE_NORMAL = 16,
};

struct call {
    const struct talk_start *start;
    struct network_party *party;
    struct talk *out;
    struct ivr_arena *arena; /* of the newest step */
    struct ivr_out step;
    struct ivr_keys keys;
    int64_t now_ms;
    int64_t gone_ms; /* the party hangs up then; INT64_MAX: not by itself */
    char session[48], phone[24];
};

static bool is_gone(const struct call *c)
{
    return c->now_ms >= c->gone_ms;
}

/* Time passes, but not past the moment at which the party hangs up. */
static void pass(struct call *c, int64_t ms)
{
    c->now_ms = c->gone_ms - c->now_ms < ms ? c->gone_ms : c->now_ms + ms;
}

static int step(struct call *c, const struct ivr_input *in)
{
    const struct ivr_env env = {.now_ms = c->now_ms,
                                .seed = c->start->seed,
                                .tenant = c->start->tenant,
                                .session = c->session,
                                .phone = c->phone,
                                .dialled = "",
                                .language = c->start->language,
                                .contact = c->start->contact,
                                .caps = IVR_CAP_ALL & ~(uint32_t)IVR_CAP_QUEUE};
    struct ivr_arena *arena = NULL;
    struct ivr_out out;

    int err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = ivr_step(c->start->prog, &env, c->arena ? c->step.state : NULL, in, arena,
                       &out);
    if (!err && out.verdict != IVR_OK)
        err = EPROTO;
    if (err) {
        ivr_arena_free(arena);
        return err;
    }
    ivr_arena_free(c->arena);
    c->arena = arena;
    c->step = out;
    return 0;
}

/* ---- what is heard ---- */

static int64_t prompt_ms(const struct network *n, const struct ivr_prompt *p)
{
    if (p->asset && p->asset[0])
        return (int64_t)(n->asset_s * 1000);
    size_t characters = 0;
    for (const char *at = p->text ? p->text : ""; *at; at++)
        characters += ((unsigned char)*at & 0xc0) != 0x80;
    return (int64_t)((double)characters * n->char_ms);
}

static void hear(struct call *c, const struct ivr_prompt *p)
{
    int64_t ms = prompt_ms(c->party->network, p);

    if (!c->party->machine && party_draw(c->party, c->party->network->hang_up) &&
        c->now_ms + ms / 2 < c->gone_ms)
        c->gone_ms = c->now_ms + ms / 2;
    pass(c, ms);
}

/* ---- what is asked ---- */

static size_t entry_of(struct call *c, const struct ivr_collect *k,
                       char out[IVR_DIGITS_MAX])
{
    char key = party_key(c->party);
    size_t n = 0, want = k->min > 1 ? (size_t)k->min : 1;

    if (!key)
        return 0;
    if (want == 1) {
        out[n++] = key;
    } else {
        for (; n < want && n < IVR_DIGITS_MAX - 1; n++)
            out[n] = party_digit(c->party);
    }
    if (want > 1 && k->finish && k->finish[0] && (int)n < k->own_max)
        out[n++] = k->finish[0];
    return n;
}

static void collect(struct call *c, const struct ivr_collect *k, struct ivr_input *in)
{
    uint32_t token = c->step.state->seq;
    char entry[IVR_DIGITS_MAX];
    size_t n = entry_of(c, k, entry);
    int64_t think_ms = party_span_ms(c->party, &c->party->network->think);

    ivr_keys_clear(&c->keys);
    ivr_keys_arm(&c->keys, k, false, c->now_ms);
    for (size_t i = 0; i < n; i++) {
        int64_t wait_ms = i == 0 ? think_ms : KEY_MS;
        if (c->now_ms + wait_ms >= c->keys.due_at_ms)
            break;
        pass(c, wait_ms);
        if (is_gone(c))
            return;
        ivr_keys_press(&c->keys, entry[i], c->now_ms);
        if (ivr_keys_take(&c->keys, c->now_ms, token, in))
            return;
    }
    pass(c, c->keys.due_at_ms - c->now_ms);
    if (!ivr_keys_take(&c->keys, c->keys.due_at_ms, token, in))
        in->kind = IVR_IN_NO_INPUT;
}

static void record(struct call *c, const struct ivr_record *r, struct ivr_input *in)
{
    const struct network *n = c->party->network;
    bool speaks = !c->party->machine && party_draw(c->party, n->speak);
    int64_t spoken_ms = speaks ? party_span_ms(c->party, &n->speech) : 0;
    int64_t silence_ms = r->silence_ms > 0 ? r->silence_ms : SILENCE_MS;
    int64_t began_ms = c->now_ms;

    in->kind = IVR_IN_RECORDED;
    in->recorded.ref = c->session;
    in->recorded.reason = "silence";
    if (r->max_ms > 0 && spoken_ms + silence_ms > r->max_ms) {
        in->recorded.reason = "max";
        spoken_ms = spoken_ms < r->max_ms ? spoken_ms : r->max_ms;
        silence_ms = r->max_ms - spoken_ms;
    }
    pass(c, spoken_ms + silence_ms);
    if (is_gone(c)) {
        in->recorded.reason = "hangup";
        if (c->now_ms - began_ms < spoken_ms)
            spoken_ms = c->now_ms - began_ms;
    }
    in->recorded.duration_ms = spoken_ms;
    in->recorded.result = spoken_ms > 0 ? IVR_RECORDED_OK : IVR_RECORDED_EMPTY;
    c->out->recordings += spoken_ms > 0;
}

static void dial(struct call *c, const char *to, int64_t max_ms, struct ivr_input *in)
{
    int64_t talk_ms = party_span_ms(c->party, &c->party->network->talk);

    in->kind = IVR_IN_DIAL_ENDED;
    in->dialled.result = IVR_DIALLED_FAILED;
    if (strncmp(to, "ext:", 4) != 0 || c->party->machine)
        return;
    talk_ms = max_ms > 0 && talk_ms > max_ms ? max_ms : talk_ms;
    pass(c, DIAL_RING_MS + talk_ms);
    in->dialled.result = IVR_DIALLED_COMPLETED;
    in->dialled.talked_ms = talk_ms;
    in->dialled.cause = CAUSE_NORMAL;
    c->out->transfers++;
}

static void ask(struct call *c, const struct ivr_http *h, struct ivr_input *in)
{
    in->kind = IVR_IN_HTTP_DONE;
    pass(c, HTTP_MS);
    in->http.result = h->mock_body ? IVR_HTTP_ANSWERED : IVR_HTTP_FAILED;
    in->http.status = h->mock_status;
    in->http.body = h->mock_body;
    in->http.body_len = h->mock_body ? strlen(h->mock_body) : 0;
}

/* ---- what is noted ---- */

static void note(struct call *c, const struct ivr_effect *fx)
{
    struct talk *out = c->out;

    if (fx->kind == IVR_FX_SMS) {
        out->messages++;
    } else if (fx->kind == IVR_FX_CALLBACK) {
        out->callback_ms = fx->callback.at_ms;
    } else if (fx->kind == IVR_FX_LANG) {
        str_cut(out->language, sizeof(out->language), fx->lang.tag);
    } else if (fx->kind == IVR_FX_OPT_OUT) {
        out->opted_out = true;
        out->opted_out_of_all |= !str_is(fx->opt_out.scope, "campaign");
        out->opt_out_ms = c->now_ms;
    }
}

/* One effect; true: it is answered by *in. */
static bool carry_out(struct call *c, const struct ivr_effect *fx, struct ivr_input *in)
{
    switch (fx->kind) {
    case IVR_FX_PROMPT:
        hear(c, &fx->prompt);
        return false;
    case IVR_FX_COLLECT:
        collect(c, &fx->collect, in);
        return true;
    case IVR_FX_RECORD:
        record(c, &fx->record, in);
        return true;
    case IVR_FX_DIAL:
        dial(c, fx->dial.to ? fx->dial.to : "", fx->dial.max_ms, in);
        return true;
    case IVR_FX_ENQUEUE:
        in->kind = IVR_IN_QUEUE_LEFT;
        in->left.result = IVR_LEFT_FAILED;
        return true;
    case IVR_FX_HTTP:
        ask(c, &fx->http, in);
        return true;
    case IVR_FX_SMS:
    case IVR_FX_CALLBACK:
    case IVR_FX_OPT_OUT:
    case IVR_FX_LANG:
        note(c, fx);
        return false;
    case IVR_FX_HANGUP:
        break;
    }
    return false;
}

/* The notes of a sprint count even when nobody hears its prompts any more. */
static bool sprint(struct call *c, struct ivr_input *in)
{
    bool answered = false;

    for (size_t i = 0; i < c->step.effect_count; i++) {
        const struct ivr_effect *fx = &c->step.effects[i];
        bool row = fx->kind == IVR_FX_SMS || fx->kind == IVR_FX_CALLBACK ||
                   fx->kind == IVR_FX_OPT_OUT || fx->kind == IVR_FX_LANG;
        if (!answered && (row || !is_gone(c)))
            answered = carry_out(c, fx, in);
    }
    return answered;
}

/* As the live host says it: a recording's end first, then the hang-up. */
static int hang_up(struct call *c, const struct ivr_input *answer)
{
    struct ivr_input in = {.kind = IVR_IN_RECORDED, .token = c->step.state->seq};
    int err = 0;

    if (c->step.state->wait.kind == IVR_WAIT_RECORDING) {
        in.recorded.result = IVR_RECORDED_EMPTY;
        in.recorded.ref = c->session;
        in.recorded.reason = "hangup";
        err = step(c, answer->kind == IVR_IN_RECORDED ? answer : &in);
        for (size_t i = 0; !err && i < c->step.effect_count; i++)
            note(c, &c->step.effects[i]);
    }
    if (err || c->step.state->status != IVR_WAITING)
        return err;
    in = (struct ivr_input){.kind = IVR_IN_HANGUP, .token = c->step.state->seq};
    in.hangup.cause = CAUSE_NORMAL;
    err = step(c, &in);
    for (size_t i = 0; !err && i < c->step.effect_count; i++)
        note(c, &c->step.effects[i]);
    return err;
}

static int run(struct call *c)
{
    struct ivr_input in = {.kind = IVR_IN_START};

    for (int i = 0; i < SPRINTS_MAX; i++) {
        int err = step(c, &in);
        if (err)
            return err;
        in = (struct ivr_input){.kind = IVR_IN_DEADLINE, .token = c->step.state->seq};
        bool answered = sprint(c, &in);
        if (c->step.state->status != IVR_WAITING)
            return 0;
        if (is_gone(c))
            return hang_up(c, &in);
        in.token = c->step.state->seq;
        if (!answered)
            c->now_ms = c->step.state->wait.deadline_at_ms;
    }
    c->gone_ms = c->now_ms;
    return hang_up(c, &in);
}

int talk_run(const struct talk_start *start, struct network_party *party,
             struct talk *out)
{
    struct call c = {.start = start,
                     .party = party,
                     .out = out,
                     .now_ms = start->answered_ms,
                     .gone_ms = INT64_MAX};

    *out = (struct talk){0};
    if (party->machine)
        c.gone_ms =
            start->answered_ms + party_span_ms(party, &party->network->machine_listens);
    snprintf(c.session, sizeof(c.session), "sim-%016llx",
             (unsigned long long)start->seed);
    if (start->phone > 0)
        phone_text(start->phone, c.phone);
    int err = run(&c);
    if (!err)
        str_cut(out->outcome, sizeof(out->outcome),
                c.step.state->status == IVR_ENDED ? c.step.state->outcome : "hung_up");
    out->end_ms = c.now_ms;
    ivr_arena_free(c.arena);
    return err;
}
