#include "server/voice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/flow_store.h"
#include "campaigns/kept_call_store.h"
#include "campaigns/provider_call_store.h"
#include "campaigns/voice_redirect_store.h"
#include "server/api_calls.h"
#include "server/call_languages.h"
#include "server/spoken.h"

enum { FIELDS_MAX = IVR_FIELDS_MAX, ANSWERS_MAX = 50, NOT_ACCEPTABLE = 21 };

const struct ivr_backend *voice_backend(enum provider_kind kind)
{
    return kind == PROVIDER_TWILIO  ? ivr_backend_find("twiml")
           : kind == PROVIDER_PLIVO ? ivr_backend_find("plivo")
                                    : NULL;
}

/* ---- opening ---- */

const char *voice_language(const struct voice_call *v)
{
    return v->state && v->state->lang[0] ? v->state->lang : v->session.language;
}

static void remember_language(const struct voice_call *v)
{
    call_languages_tell(v->hook->server->languages, v->session.account_id,
                        v->session.provider_call_id, voice_language(v));
}

static int load_program(struct voice_call *v)
{
    struct pg *pg = v->hook->pg;
    const struct voice_session *s = &v->session;
    CLEANUP(free_cleanup) char *source = NULL;
    struct flow_row row;

    v->program =
        programs_find(v->hook->server->programs, s->flow_sha256, s->flow_revision_id);
    if (v->program)
        return 0;
    if (v->hook->gather)
        return VOICE_ALONE;
    int err = flow_load(pg, s->tenant_id, s->flow_revision_id, &row, &source);
    const struct program_source of = {source, s->flow_sha256, s->flow_revision_id};
    return err ? err
               : programs_get(v->hook->server->programs, pg, s->tenant_id, &of,
                              &v->program);
}

int voice_open(struct voice_call *v, struct hook *h)
{
    struct voice_session *s = &v->session;

    v->hook = h;
    v->backend = voice_backend(h->provider.kind);
    if (!v->backend)
        return EPROTO;
    uuid_text(&s->call, v->id);
    if (s->phone)
        phone_text(s->phone, v->phone);
    snprintf(v->prefix, sizeof(v->prefix), "%s/voice/%s", h->base, v->id);
    v->document = (struct ivr_document_ctx){
        .action_prefix = v->prefix,
        /* Nobody waits in a step that is gathered. */
        .hold_url =
            h->gather ? NULL : voice_hold_url(h, v->hold_url, sizeof(v->hold_url)),
        .sip_domain =
            h->provider.settings.sip_domain[0] ? h->provider.settings.sip_domain : NULL,
        .now_ms = h->now_ms,
        .queued_at_ms = s->queued_at_ms,
        .unanswered = s->inbound && !s->state};
    v->ctx = (struct ivr_call_ctx){.channel = v->id,
                                   .format = "wav",
                                   .media = voice_media,
                                   .arg = h,
                                   .document = &v->document};
    int err = ivr_arena_new(&v->arena, NULL);
    if (!err)
        err = load_program(v);
    if (!err && s->state)
        err = ivr_state_read(s->state, s->state_len, v->arena, &v->state);
    remember_language(v);
    return err;
}

void voice_close(struct voice_call *v)
{
    ivr_arena_free(v->arena);
    table_result_free(&v->data);
    program_release(v->program);
    voice_session_free(&v->session);
    *v = (struct voice_call){0};
}

/* ---- what is said ---- */

static size_t add_fields(struct ivr_field *fields, size_t n, const struct form *f)
{
    for (size_t i = 0; i < f->n && n < FIELDS_MAX; i++)
        fields[n++] = (struct ivr_field){f->pairs[i].name.data, f->pairs[i].value.data};
    return n;
}

int voice_request(struct voice_call *v, const char *token, const char *wait,
                  struct ivr_parsed *out)
{
    struct ivr_field fields[FIELDS_MAX];
    struct ivr_request req = {.token = token, .wait = wait, .fields = fields};

    req.n = add_fields(fields, 0, &v->hook->body);
    req.n = add_fields(fields, req.n, &v->hook->query);
    *out = (struct ivr_parsed){0};
    int err = v->backend->document->request(&req, &v->ctx, v->state, v->arena, out);
    if (!err && out->queued_at_ms) {
        v->session.queued_at_ms = out->queued_at_ms;
        v->document.queued_at_ms = out->queued_at_ms;
    }
    return err;
}

/* ---- a step ---- */

static uint64_t seed_of(const struct uuid *id)
{
    uint64_t seed;

    memcpy(&seed, id->bytes + 8, sizeof(seed));
    return seed;
}

static struct ivr_env env_of(const struct voice_call *v)
{
    const struct voice_session *s = &v->session;
    const uint32_t not_here = v->hook->can_wait ? 0 : IVR_CAP_HTTP | IVR_CAP_QUEUE;

    return (struct ivr_env){.now_ms = v->hook->now_ms,
                            .seed = seed_of(&s->call),
                            .tz_min = s->tz_min,
                            .tenant = s->tenant_id,
                            .session = v->id,
                            .inbound = s->inbound,
                            .phone = v->phone,
                            .dialled = s->dialled,
                            .language = s->language,
                            .voices =
                                spoken_languages(v->hook->server->spoken, v->backend),
                            .contact = s->contact,
                            .caps = v->backend->caps & ~not_here,
                            .seq = v->seq,
                            .kept = v->kept};
}

static void remember(struct voice_call *v)
{
    struct voice_session *s = &v->session;

    if (!s->results)
        s->results = json_object();
    for (size_t i = 0; i < v->out.event_count; i++) {
        const struct ivr_event *ev = &v->out.events[i];
        if (ev->kind == IVR_EV_RESULT)
            json_object_set_new(
                s->results, ev->name,
                json_pack("{s:s?, s:s?}", "value", ev->value, "category", ev->category));
    }
    for (size_t i = 0; i < v->out.effect_count; i++)
        v->submitted |= v->out.effects[i].kind == IVR_FX_SUBMIT;
    for (size_t i = 0; i < v->out.effect_count; i++)
        if (v->out.effects[i].kind == IVR_FX_RECORD)
            snprintf(s->recording, sizeof(s->recording), "%s-%lu", v->id,
                     (unsigned long)v->out.effects[i].record.step);
}

static int finish(struct voice_call *v, const char *outcome)
{
    const struct call_end end = {.id = v->session.call,
                                 .tenant_id = v->session.tenant_id,
                                 .at_ms = v->hook->now_ms,
                                 .outcome = outcome,
                                 .results = v->session.results};

    if (!v->hook->gather)
        return call_finish(v->hook->pg, &end);
    v->hook->gather->end = end;
    v->hook->gather->ends = true;
    return 0;
}

/* Of a call that it has placed: what the flow came to, for the attempt's disposition. */
static int tell_dialer(const struct voice_call *v, const struct call_step *step)
{
    struct provider_call_news news = PROVIDER_CALL_NEWS;

    if (v->session.inbound)
        return 0;
    news.attempt = v->session.call;
    news.opted_out = step->opt_out != NULL;
    news.callback_at_ms = step->callback_at_ms;
    int err = provider_call_told(v->hook->pg, v->session.tenant_id, v->hook->provider.id,
                                 &news, v->hook->now_ms, NULL);
    return err == ENOENT ? 0 : err;
}

/* Borrows from e, and from v->arena. */
static int describe_step(struct voice_call *v, struct call_effects *e,
                         struct call_step *step)
{
    const struct voice_session *s = &v->session;
    const uint8_t *bytes;

    *e = (struct call_effects){.call = v->id,
                               .recording = s->recording,
                               .source = provider_kind_name(v->hook->provider.kind),
                               .location = "",
                               .inbound = s->inbound,
                               .callback_campaign_id = s->callback_campaign_id};
    *step = (struct call_step){.call_id = s->call,
                               .tenant_id = s->tenant_id,
                               .at_ms = v->hook->now_ms,
                               .phone = s->phone,
                               .campaign_id = s->campaign_id,
                               .seq = (int)v->out.state->seq,
                               .status = v->out.state->status == IVR_ENDED ? "ended"
                                                                           : "waiting"};
    int err = ivr_state_write(v->out.state, v->arena, &bytes, &step->state_len);
    if (err)
        return err;
    step->state = bytes;
    str_cut(e->note_code, sizeof(e->note_code), v->note_code);
    str_cut(e->note_detail, sizeof(e->note_detail), v->note_detail);
    v->note_code[0] = '\0';
    call_effects_fill(e, &v->out, step);
    if (e->note_code[0])
        log_warn("voice", "call=%s warning=%s detail=%s", v->id, e->note_code,
                 LOG_ESC(e->note_detail));
    return 0;
}

static int gather_step(struct voice_call *v)
{
    struct voice_gather *g = v->hook->gather;

    if (g->stepped)
        return VOICE_ALONE;
    g->stepped = true;
    int err = describe_step(v, &g->effects, &g->step);
    return err ? err : call_step_is_plain(&g->step) ? 0 : VOICE_ALONE;
}

static int commit_step(struct voice_call *v)
{
    CLEANUP(call_effects_free) struct call_effects e = {0};
    struct call_step step;

    int err = describe_step(v, &e, &step);
    if (err)
        return err;
    err = call_commit_step(v->hook->pg, &step);
    table_result_free(&v->data);
    v->data = e.data_result;
    e.data_result.row = NULL;
    return !err && (step.opt_out || step.callback_at_ms) ? tell_dialer(v, &step) : err;
}

static int commit(struct voice_call *v)
{
    int err = v->hook->gather ? gather_step(v) : commit_step(v);

    return !err && v->out.state->status == IVR_ENDED ? finish(v, v->out.state->outcome)
                                                     : err;
}

void voice_note(struct voice_call *v, const char *code, const char *detail)
{
    str_cut(v->note_code, sizeof(v->note_code), code);
    str_cut(v->note_detail, sizeof(v->note_detail), detail);
}

static bool is_in_queue(const struct voice_call *v)
{
    return v->state && v->state->wait.kind == IVR_WAIT_QUEUE;
}

static int step(struct voice_call *v, const struct ivr_input *in)
{
    const struct ivr_env env = env_of(v);
    const char *language = voice_language(v);
    bool left = is_in_queue(v) && in->kind != IVR_IN_QUEUE_NEWS;

    int err = ivr_step(program_of(v->program), &env, v->state, in, v->arena, &v->out);
    if (err)
        return err;
    if (v->out.verdict == IVR_CORRUPT || v->out.verdict == IVR_PIN_MISMATCH)
        return EPROTO;
    if (v->out.verdict != IVR_OK)
        return ENODATA;
    v->state = v->out.state;
    v->stepped = true;
    if (strcmp(language, voice_language(v)) != 0)
        remember_language(v);
    hook_after(v->hook, false); /* what an earlier step would have asked */
    if (in->kind != IVR_IN_QUEUE_NEWS)
        v->session.queued_at_ms = v->document.queued_at_ms = 0;
    remember(v);
    err = commit(v);
    return err || !left ? err : voice_queue_left(v);
}

/* Only extensions are dialled, as by the dialer: no flow calls past the gate. */
static bool is_refused(struct voice_call *v, const struct ivr_effect *fx,
                       struct ivr_input *in)
{
    if (v->dials_numbers && fx->dial.to[0] == '+')
        return false;
    if (strncmp(fx->dial.to, "ext:", 4) == 0 && v->document.sip_domain)
        return false;
    voice_note(v, "transfer_refused", "");
    in->kind = IVR_IN_DIAL_ENDED;
    in->dialled.result = IVR_DIALLED_FAILED;
    in->dialled.cause = NOT_ACCEPTABLE;
    return true;
}

static bool cannot_ask(struct voice_call *v, const struct ivr_effect *fx,
                       struct ivr_input *in)
{
    if (api_call_prepare(v, &fx->http))
        return false;
    in->kind = IVR_IN_HTTP_DONE;
    in->http.result = IVR_HTTP_FAILED;
    return true;
}

/* What the step asks for and is answered at once: then *in is that answer. */
static int answer_here(struct voice_call *v, struct ivr_input *in, bool *here)
{
    const bool gathers = v->hook->gather != NULL;
    int err = 0;

    *here = false;
    *in = (struct ivr_input){.token = v->state->seq};
    for (size_t i = 0; i < v->out.effect_count && !*here && !err; i++) {
        const struct ivr_effect *fx = &v->out.effects[i];
        if (gathers && (fx->kind == IVR_FX_HTTP || fx->kind == IVR_FX_ENQUEUE))
            err = VOICE_ALONE;
        else if (fx->kind == IVR_FX_DIAL)
            *here = is_refused(v, fx, in);
        else if (fx->kind == IVR_FX_HTTP)
            *here = cannot_ask(v, fx, in);
        else if (fx->kind == IVR_FX_ENQUEUE)
            err = voice_queue_enter(v, fx, in, here);
        else if (fx->kind == IVR_FX_DATA) {
            *here = true;
            *in = table_result_input(&v->data, v->state->seq);
        }
    }
    return err;
}

/* The step that an answer from here leads to. What was to be said before a table was
 * asked is said before what follows. */
static int step_on(struct voice_call *v, const struct ivr_input *in)
{
    const struct ivr_out before = v->out;

    int err = step(v, in);
    return err || in->kind != IVR_IN_DATA_DONE
               ? err
               : ivr_out_follow(&before, &v->out, v->arena);
}

int voice_feed(struct voice_call *v, const struct ivr_input *in)
{
    struct ivr_input next;
    bool here = false;

    int err = step(v, in);
    if (!err)
        err = answer_here(v, &next, &here);
    for (int i = 0; !err && here; i++) {
        err = i < ANSWERS_MAX ? step_on(v, &next) : ELOOP;
        if (!err)
            err = answer_here(v, &next, &here);
    }
    return err;
}

bool voice_is_redirected(const struct voice_call *v)
{
    return v->session.redirect_revision_id != 0 && !v->session.ended && v->state;
}

int voice_redirect(struct voice_call *v)
{
    struct voice_session *s = &v->session;
    const struct ivr_input in = {.kind = IVR_IN_START};
    int err = 0;

    if (v->hook->gather)
        return VOICE_ALONE;
    if (s->queue[0] || s->agent[0])
        err = voice_queue_left(v);
    s->queued_at_ms = v->document.queued_at_ms = 0;
    str_cut(s->language, sizeof(s->language), voice_language(v));
    if (!err)
        err = voice_redirect_take(v->hook->pg, s, v->hook->now_ms);
    if (err)
        return err;
    v->seq = v->state->seq;
    v->state = NULL;
    program_release(v->program);
    v->program = NULL;
    log_info("voice", "call=%s goes on in flow revision=%lld", v->id,
             (long long)s->flow_revision_id);
    err = load_program(v);
    return err ? err : voice_feed(v, &in);
}

bool voice_is_overdue(const struct voice_call *v)
{
    /* Of the other waits the provider itself says that they are over. */
    return v->state && v->state->status == IVR_WAITING &&
           v->state->wait.kind == IVR_WAIT_HTTP && v->state->wait.deadline_at_ms > 0 &&
           v->hook->now_ms >= v->state->wait.deadline_at_ms;
}

int voice_recorded(struct voice_call *v, const struct ivr_parsed *p)
{
    static const char *const ends[] = {"finished", "empty", "failed"};
    const char *name = p->input.recorded.ref;
    enum ivr_recorded result = p->input.recorded.result;
    int err = 0;

    if (v->hook->gather)
        return VOICE_ALONE;
    if (result == IVR_RECORDED_OK)
        err = voice_recording_at(v->hook->pg, name, p->recording_url);
    if (!err)
        err = call_recording_end(v->hook->pg, v->session.tenant_id, name, ends[result],
                                 (int)p->input.recorded.duration_ms,
                                 result == IVR_RECORDED_OK ? "" : "nothing was recorded",
                                 v->hook->now_ms);
    return err == ENOENT ? 0 : err; /* of no recording of ours: the flow decides */
}

/* As it was committed last: whoever calls again is asked whether to go on from there. */
static int keep_call(const struct voice_call *v)
{
    const struct voice_session *s = &v->session;
    const struct kept_call kept = {.call = s->call,
                                   .tenant_id = s->tenant_id,
                                   .phone = s->phone,
                                   .flow_revision_id = s->flow_revision_id,
                                   .state = s->state,
                                   .state_len = s->state_len};

    return kept_call_write(v->hook->pg, &kept, v->hook->now_ms);
}

int voice_hung_up(struct voice_call *v, int cause)
{
    struct ivr_input cut = {.kind = IVR_IN_RECORDED};
    struct ivr_input gone = {.kind = IVR_IN_HANGUP};

    if (v->hook->gather)
        return VOICE_ALONE;
    v->session.ended = true;
    if (!v->state || v->state->status == IVR_ENDED)
        return 0;
    const bool may_go_on = ivr_state_may_go_on(program_of(v->program), v->state);
    int err = 0;
    /* The recording's own end may still be told: its row waits for that. */
    if (v->state->wait.kind == IVR_WAIT_RECORDING) {
        cut.token = v->state->seq;
        cut.recorded.result = IVR_RECORDED_FAILED;
        cut.recorded.ref = v->session.recording;
        cut.recorded.reason = "hangup";
        err = step(v, &cut);
    }
    gone.token = v->state->seq;
    gone.hangup.cause = cause;
    if (!err && v->state->status != IVR_ENDED)
        err = step(v, &gone);
    if (err == ENODATA)
        err = 0;
    /* What the flow sends off by itself needs nobody to come back. */
    return err || !may_go_on || v->submitted ? err : keep_call(v);
}

/* ---- the answer ---- */

int voice_answer(struct voice_call *v, struct response *resp)
{
    struct voice_session *s = &v->session;
    struct ivr_rendered rendered = {0};

    if (v->stepped) {
        int err = v->backend->render(&v->out, &v->ctx, v->arena, &rendered);
        if (err)
            return err;
        free(s->document);
        s->document = xstrdup(rendered.document);
    }
    resp->status = 200;
    resp->content_type = "text/xml";
    if (s->document && s->document[0])
        buf_puts(&resp->body, s->document);
    else
        voice_sorry(v->hook, voice_language(v), &resp->body);
    return v->hook->gather ? 0 : voice_session_write(v->hook->pg, s, v->hook->now_ms);
}

int voice_answer_aside(struct voice_call *v, const struct ivr_parsed *p,
                       struct response *resp)
{
    if (v->hook->gather)
        return VOICE_ALONE;
    resp->status = 200;
    resp->content_type = "text/xml";
    buf_puts(&resp->body, p->document);
    return voice_session_write(v->hook->pg, &v->session, v->hook->now_ms);
}
