#include "simulate/talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
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
    struct talk_start start;
    struct network_party party;
    struct talk *out;
    bool has_agents;
    bool asks; /* for one */
    struct talk_asked asked;
    struct ivr_arena *arena; /* of the newest step */
    struct ivr_out step;
    struct ivr_keys keys;
    int64_t now_ms;
    int64_t gone_ms;          /* the party hangs up then; INT64_MAX: not by itself */
    int err;                  /* of the tables */
    struct table_result data; /* of the newest request; the input borrows it */
    unsigned recorded;        /* recordings of this call that hold words … */
    uint64_t sent;            /* … and of which the pipeline is known; bits */
    char session[48], phone[24], ref[64];
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

/* The state's variables may lie in the arena of the step before, which goes after this
 * one: *out is a copy of its own. */
static int copy_state(const struct ivr_state *s, struct ivr_arena *arena,
                      const struct ivr_state **out)
{
    const uint8_t *bytes = NULL;
    size_t len = 0;

    *out = s;
    if (!s || s->var_count == 0)
        return 0;
    int err = ivr_state_write(s, arena, &bytes, &len);
    return err ? err : ivr_state_read(bytes, len, arena, out);
}

static int step(struct call *c, const struct ivr_input *in)
{
    const struct ivr_env env = {.now_ms = c->now_ms,
                                .seed = c->start.seed,
                                .tenant = c->start.tenant,
                                .session = c->session,
                                .phone = c->phone,
                                .dialled = "",
                                .language = c->start.language,
                                .contact = c->start.contact,
                                .caps = IVR_CAP_ALL};
    const struct ivr_state *state = NULL;
    struct ivr_arena *arena = NULL;
    struct ivr_out out;

    int err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = copy_state(c->arena ? c->step.state : NULL, arena, &state);
    if (!err)
        err = ivr_step(c->start.prog, &env, state, in, arena, &out);
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
    int64_t ms = prompt_ms(c->party.network, p);

    if (!c->party.machine && party_draw(&c->party, c->party.network->hang_up) &&
        c->now_ms + ms / 2 < c->gone_ms)
        c->gone_ms = c->now_ms + ms / 2;
    pass(c, ms);
}

/* ---- what is asked ---- */

static size_t entry_of(struct call *c, const struct ivr_collect *k,
                       char out[IVR_DIGITS_MAX])
{
    char key = party_key(&c->party);
    size_t n = 0, want = k->min > 1 ? (size_t)k->min : 1;

    if (!key)
        return 0;
    if (want == 1) {
        out[n++] = key;
    } else {
        for (; n < want && n < IVR_DIGITS_MAX - 1; n++)
            out[n] = party_digit(&c->party);
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
    int64_t think_ms = party_span_ms(&c->party, &c->party.network->think);

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

/* What becomes of it after the call; at once, for the worker's share is short. */
static void recognise(struct call *c, const char *pipeline)
{
    const struct network *n = c->party.network;

    if (str_is(pipeline, "none"))
        return;
    bool understood = party_draw(&c->party, n->understood);
    c->out->recognised++;
    c->out->understood += understood;
    if (understood && str_is(pipeline, "callback"))
        c->out->callback_ms = c->now_ms + party_span_ms(&c->party, &n->call_in);
}

/* Later ones have none: they count as sent. */
static uint64_t recording_bit(unsigned recording)
{
    return recording < 64 ? UINT64_C(1) << recording : 0;
}

static void record(struct call *c, const struct ivr_record *r, struct ivr_input *in)
{
    const struct network *n = c->party.network;
    bool speaks = !c->party.machine && party_draw(&c->party, n->speak);
    int64_t spoken_ms = speaks ? party_span_ms(&c->party, &n->speech) : 0;
    int64_t silence_ms = r->silence_ms > 0 ? r->silence_ms : SILENCE_MS;
    int64_t began_ms = c->now_ms;

    snprintf(c->ref, sizeof(c->ref), "%s-%u", c->session, c->recorded);
    in->kind = IVR_IN_RECORDED;
    in->recorded.ref = c->ref;
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
    if (spoken_ms == 0)
        return;
    const char *pipeline = r->pipeline ? r->pipeline : "none";
    c->out->recordings++;
    if (!str_is(pipeline, "none"))
        c->sent |= recording_bit(c->recorded);
    c->recorded++;
    recognise(c, pipeline);
}

static void dial(struct call *c, const char *to, int64_t max_ms, struct ivr_input *in)
{
    int64_t talk_ms = party_span_ms(&c->party, &c->party.network->talk);

    in->kind = IVR_IN_DIAL_ENDED;
    in->dialled.result = IVR_DIALLED_FAILED;
    if (strncmp(to, "ext:", 4) != 0 || c->party.machine)
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

/* NULL: a mock is the answer, or nothing. */
static int ask_table(struct call *c, const struct ivr_data *d, struct ivr_input *in)
{
    const struct talk_tables *tables = c->start.tables;
    int err = 0;

    table_result_free(&c->data);
    if (tables) {
        err = tables->run(tables->arg, d, c->now_ms, &c->data);
    } else {
        c->data.result = d->mock ? IVR_DATA_DONE : IVR_DATA_NONE;
        c->data.row = d->mock ? xstrdup(d->mock) : NULL;
    }
    *in = table_result_input(&c->data, in->token);
    c->out->data[c->data.result]++;
    return err;
}

static void ask_for_agent(struct call *c, const struct ivr_effect *fx)
{
    c->asks = c->has_agents;
    c->asked = (struct talk_asked){.since_ms = c->now_ms,
                                   .max_ms = fx->enqueue.max_wait_ms,
                                   .leaves_ms = c->gone_ms};
    c->out->unserved += !c->has_agents;
}

/* ---- what is noted ---- */

/* A recording of this call that goes nowhere yet, for its pipeline; twice is once. */
static void submit(struct call *c, const struct ivr_submit *s)
{
    size_t len = strlen(c->session);
    int64_t number = 0;

    if (!s->recording || !s->recording[0]) {
        c->out->commands++;
        return;
    }
    if (strncmp(s->recording, c->session, len) != 0 || s->recording[len] != '-' ||
        !str_to_i64(s->recording + len + 1, &number) || number < 0 ||
        number >= c->recorded)
        return;
    uint64_t bit = recording_bit((unsigned)number);
    if (!bit || (c->sent & bit))
        return;
    c->sent |= bit;
    c->out->submitted++;
    recognise(c, s->pipeline);
}

static void note(struct call *c, const struct ivr_effect *fx)
{
    struct talk *out = c->out;

    if (fx->kind == IVR_FX_SMS) {
        out->messages++;
    } else if (fx->kind == IVR_FX_SUBMIT) {
        submit(c, &fx->submit);
    } else if (fx->kind == IVR_FX_CALLBACK) {
        if (!fx->callback.to || str_is(fx->callback.to, c->phone))
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
        ask_for_agent(c, fx);
        in->kind = IVR_IN_QUEUE_LEFT;
        in->left.result = IVR_LEFT_FULL; /* nobody is logged in */
        return true;
    case IVR_FX_HTTP:
        ask(c, &fx->http, in);
        return true;
    case IVR_FX_DATA:
        c->err = ask_table(c, &fx->data, in);
        return true;
    case IVR_FX_SMS:
    case IVR_FX_SUBMIT:
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

/* The notes of a sprint count even when nobody hears its prompts any more, and what it
 * does to a table: they are in its commit. */
static bool sprint(struct call *c, struct ivr_input *in)
{
    bool answered = false;

    for (size_t i = 0; i < c->step.effect_count; i++) {
        const struct ivr_effect *fx = &c->step.effects[i];
        bool row = fx->kind == IVR_FX_SMS || fx->kind == IVR_FX_SUBMIT ||
                   fx->kind == IVR_FX_CALLBACK || fx->kind == IVR_FX_OPT_OUT ||
                   fx->kind == IVR_FX_LANG || fx->kind == IVR_FX_DATA;
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

/* From this input on, until it is over or asks for an agent. */
static int run(struct call *c, struct ivr_input in)
{
    for (int i = 0; i < SPRINTS_MAX; i++) {
        int err = step(c, &in);
        if (err)
            return err;
        in = (struct ivr_input){.kind = IVR_IN_DEADLINE, .token = c->step.state->seq};
        bool answered = sprint(c, &in);
        if (c->err || c->step.state->status != IVR_WAITING)
            return c->err;
        if (is_gone(c) && in.kind != IVR_IN_DATA_DONE) {
            c->asks = false;
            return hang_up(c, &in);
        }
        if (c->asks)
            return 0;
        in.token = c->step.state->seq;
        if (!answered)
            c->now_ms = c->step.state->wait.deadline_at_ms;
    }
    c->gone_ms = c->now_ms;
    return hang_up(c, &in);
}

/* ---- one call ---- */

struct talk_wait {
    struct call call;
};

/* The call is moved to *waiting, or its end is told. */
static int settle(struct call *c, int err, struct talk_wait **waiting)
{
    if (!err && c->asks) {
        *waiting = xcalloc(1, sizeof(**waiting));
        (*waiting)->call = *c;
        return 0;
    }
    if (!err)
        str_cut(c->out->outcome, sizeof(c->out->outcome),
                c->step.state->status == IVR_ENDED ? c->step.state->outcome : "hung_up");
    c->out->end_ms = c->now_ms;
    ivr_arena_free(c->arena);
    table_result_free(&c->data);
    return err;
}

int talk_run(const struct talk_start *start, const struct network_party *party,
             struct talk *out, struct talk_wait **waiting)
{
    struct call c = {.start = *start,
                     .party = *party,
                     .out = out,
                     .has_agents = waiting != NULL,
                     .now_ms = start->begins_ms,
                     .gone_ms = party_leaves_ms(party, start->answered_ms)};

    *out = (struct talk){0};
    if (waiting)
        *waiting = NULL;
    snprintf(c.session, sizeof(c.session), "sim-%016llx",
             (unsigned long long)start->seed);
    if (start->phone > 0)
        phone_text(start->phone, c.phone);
    return settle(&c, run(&c, (struct ivr_input){.kind = IVR_IN_START}), waiting);
}

int talk_resume(struct talk_wait *w, const struct talk_left *left, struct talk *out,
                struct talk_wait **waiting)
{
    struct call c = w->call;
    struct ivr_input in = {.kind = IVR_IN_QUEUE_LEFT, .token = c.step.state->seq};
    int err = 0;

    free(w);
    *waiting = NULL;
    c.out = out;
    c.asks = false;
    c.now_ms = left->at_ms < c.gone_ms ? left->at_ms : c.gone_ms;
    if (left->hung_up)
        c.gone_ms = c.now_ms;
    in.left.result = left->result;
    in.left.waited_ms = c.now_ms - c.asked.since_ms;
    in.left.agent = left->result == IVR_LEFT_SERVED ? "agent" : "";
    err = is_gone(&c) ? hang_up(&c, &in) : run(&c, in);
    return settle(&c, err, waiting);
}

void talk_drop(struct talk_wait *w)
{
    if (w) {
        ivr_arena_free(w->call.arena);
        table_result_free(&w->call.data);
    }
    free(w);
}

struct talk_asked talk_asked(const struct talk_wait *w)
{
    return w->call.asked;
}

struct network_party talk_party(const struct talk_wait *w)
{
    return w->call.party;
}
