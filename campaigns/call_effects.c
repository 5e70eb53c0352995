#include "campaigns/call_effects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

static const char *keep(const struct call_effects *e, const char *text)
{
    return e->keep && text ? e->keep(e->arg, text) : text;
}

static void put(json_t *data, const char *key, const char *value)
{
    if (value && value[0] != '\0')
        json_object_set_new(data, key, json_string(value));
}

static void add_events(struct call_effects *e, const struct ivr_out *out,
                       struct call_step *step)
{
    size_t n = out->event_count;

    e->events = xcalloc(n + 2, sizeof(*e->events)); /* a warning, and the end */
    for (size_t i = 0; i < n; i++) {
        const struct ivr_event *ev = &out->events[i];
        json_t *data = json_object();
        put(data, "flow", ev->flow);
        put(data, "name", ev->name);
        put(data, "value", ev->value);
        put(data, "category", ev->category);
        e->events[i] = (struct call_event){
            .kind = ivr_event_name(ev->kind), .node = keep(e, ev->node), .data = data};
    }
    if (e->note_code[0] != '\0') {
        json_t *data = json_object();
        put(data, "name", e->note_code);
        put(data, "value", e->note_detail);
        e->events[n++] = (struct call_event){
            .kind = ivr_event_name(IVR_EV_WARNING), .node = "", .data = data};
    }
    step->events = e->events;
    step->event_count = n;
}

static void add_submit(struct call_effects *e, const struct ivr_submit *s,
                       const char *lang, struct call_step *step)
{
    struct call_submit *row = &e->submits[step->submit_count++];

    *row = (struct call_submit){.recording = keep(e, s->recording),
                                .pipeline = keep(e, s->pipeline),
                                .intent = keep(e, s->intent),
                                .entities = keep(e, s->entities),
                                .node = keep(e, s->node),
                                .language = keep(e, lang)};
}

static void add_sms(struct call_effects *e, const struct ivr_effect *fx,
                    struct call_step *step)
{
    const char *to = fx->sms.to;
    struct call_sms *sms = &e->sms[step->sms_count];
    char key[UUID_TEXT_MAX + 24];

    if (!to || to[0] != '+' || !str_to_i64(to + 1, &sms->phone) || sms->phone <= 0) {
        str_cut(e->note_code, sizeof(e->note_code), "sms_refused");
        str_cut(e->note_detail, sizeof(e->note_detail), "not a number to send to");
        return;
    }
    snprintf(key, sizeof(key), "%s-%d-%zu", e->call, step->seq, step->sms_count + 1);
    sms->language = keep(e, fx->sms.lang);
    sms->text = keep(e, fx->sms.text);
    sms->dedupe_key = xstrdup(key);
    step->sms_count++;
}

/* Another number than the party's is asked for by itself. */
static void add_callback(struct call_effects *e, const struct ivr_effect *fx,
                         struct call_step *step)
{
    const char *to = fx->callback.to;
    int64_t phone = 0;

    if (e->inbound && !e->callback_campaign_id)
        return;
    step->callback_at_ms = fx->callback.at_ms;
    step->callback_campaign_id = e->callback_campaign_id;
    if (to && to[0] == '+' && str_to_i64(to + 1, &phone) && phone > 0 &&
        phone != step->phone)
        step->callback_to = phone;
}

static void add_recording(struct call_effects *e, const struct ivr_record *r,
                          const char *lang, struct call_step *step)
{
    e->row = (struct call_recording){.id = uuid_v7(step->at_ms),
                                     .name = keep(e, e->recording),
                                     .source = e->source,
                                     .location = keep(e, e->location),
                                     .node = keep(e, r->node),
                                     .language = keep(e, lang),
                                     .pipeline = keep(e, r->pipeline),
                                     .on_done_sms = keep(e, r->on_done_sms)};
    step->recording = &e->row;
}

static void add_data(struct call_effects *e, const struct ivr_data *d,
                     struct call_step *step)
{
    e->data = (struct ivr_data){.op = d->op,
                                .table = keep(e, d->table),
                                .where = keep(e, d->where),
                                .change = keep(e, d->change),
                                .mock = keep(e, d->mock)};
    step->data = &e->data;
    e->data_result.result = IVR_DATA_FAILED; /* until it is done */
    step->data_result = &e->data_result;
}

static void add_effect(struct call_effects *e, const struct ivr_effect *fx,
                       const struct ivr_out *out, struct call_step *step)
{
    switch (fx->kind) {
    case IVR_FX_SMS:
        add_sms(e, fx, step);
        break;
    case IVR_FX_SUBMIT:
        add_submit(e, &fx->submit, out->state->lang, step);
        break;
    case IVR_FX_RECORD:
        add_recording(e, &fx->record, out->state->lang, step);
        break;
    case IVR_FX_OPT_OUT:
        step->opt_out = keep(e, fx->opt_out.scope);
        step->opt_out_source = "keypress";
        break;
    case IVR_FX_LANG:
        step->language = keep(e, fx->lang.tag);
        break;
    case IVR_FX_CALLBACK:
        add_callback(e, fx, step);
        break;
    case IVR_FX_DATA:
        add_data(e, &fx->data, step);
        break;
    case IVR_FX_PROMPT: /* these are the phone's */
    case IVR_FX_COLLECT:
    case IVR_FX_DIAL:
    case IVR_FX_ENQUEUE:
    case IVR_FX_HTTP:
    case IVR_FX_HANGUP:
        break;
    }
}

void call_effects_fill(struct call_effects *e, const struct ivr_out *out,
                       struct call_step *step)
{
    e->sms = xcalloc(out->effect_count + 1, sizeof(*e->sms));
    step->sms = e->sms;
    e->submits = xcalloc(out->effect_count + 1, sizeof(*e->submits));
    step->submits = e->submits;
    for (size_t i = 0; i < out->effect_count; i++)
        add_effect(e, &out->effects[i], out, step);
    add_events(e, out, step);
}

void call_effects_free(struct call_effects *e)
{
    for (struct call_event *ev = e->events; ev && ev->data; ev++)
        json_decref(ev->data);
    for (struct call_sms *sms = e->sms; sms && sms->dedupe_key; sms++)
        free((char *)(uintptr_t)sms->dedupe_key);
    table_result_free(&e->data_result);
    free(e->events);
    free(e->sms);
    free(e->submits);
    e->events = NULL;
    e->sms = NULL;
    e->submits = NULL;
}
