/* What each kind of node does when a call comes to it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ivr/number.h"
#include "ivr/step.h"

enum { CALLBACK_FURTHEST_S = 30 * 86400 };

static void enter_say(struct sprint *sp, const struct node *n)
{
    if (speak(sp, &n->prompt, n->barge_in))
        take_exit(sp, n, "done", "");
    else
        node_fail(sp, n, "prompt_missing", sp->s.lang);
}

static bool case_holds(struct sprint *sp, const struct node_case *c,
                       const struct ivr_value *on)
{
    if (c->when) {
        struct ivr_value v = evaluate(sp, c->when);
        return value_is_true(&v);
    }
    for (size_t i = 0; i < c->n; i++)
        if (value_compare(&c->values[i], on) == 0)
            return true;
    return false;
}

static void enter_branch(struct sprint *sp, const struct node *n)
{
    struct ivr_value on = n->on ? evaluate(sp, n->on) : value_null();
    const char *operand = value_to_text(&on, sp->arena);

    if (!operand) {
        sp->err = ENOMEM;
        return;
    }
    for (size_t i = 0; i < n->case_count; i++) {
        if (case_holds(sp, &n->cases[i], &on)) {
            take_exit(sp, n, n->cases[i].exit, operand);
            return;
        }
    }
    /* Without cases the exits' names are what `on` may read. */
    bool named = n->case_count == 0 && on.type != IVR_FAULT && node_has_exit(n, operand);
    take_exit(sp, n, named ? operand : "default", operand);
}

static void enter_set(struct sprint *sp, const struct node *n)
{
    for (size_t i = 0; i < n->set_count && !sp->err && sp->expr.fuel >= 0; i++) {
        const struct assignment *a = &n->set[i];
        struct ivr_value v = a->literal;

        if (a->is_template && template_is_expr(&a->text)) {
            v = evaluate(sp, a->text.parts[0].expr);
        } else if (a->is_template) {
            const char *text = render(sp, &a->text, TEMPLATE_TEXT, NULL);
            v = value_text(text ? text : "");
        }
        set_var(sp, a->name, &v, false);
    }
    if (n->scope != SCOPE_NONE)
        opt_out(sp, n->scope);
    take_exit(sp, n, "done", "");
}

static void enter_subflow(struct sprint *sp, const struct node *n)
{
    if (sp->s.depth == IVR_MAX_DEPTH) {
        node_fail(sp, n, "limit", "depth");
        return;
    }
    sp->s.depth++;
    *sprint_frame(sp) = (struct ivr_frame){n->flow, sp->prog->flows[n->flow]->entry, 0};
    sp->s.wait.media_node = IVR_NO_NODE;
}

static void enter_hangup(struct sprint *sp, const struct node *n)
{
    const char *outcome = *n->outcome           ? n->outcome
                          : sp->party_gone      ? "hung_up"
                          : sp->s.on_error_used ? "failed"
                                                : "completed";

    if (!speak(sp, &n->prompt, false))
        event(sp, IVR_EV_WARNING, "goodbye_not_said", sp->s.lang, "");
    if (n->scope != SCOPE_NONE)
        opt_out(sp, n->scope);
    const char *details =
        n->has_details ? render(sp, &n->details, TEMPLATE_JSON, NULL) : "";
    sprint_end(sp, words_reason[n->reason], outcome);
    if (details && sp->effect_count > 0 &&
        sp->effects[sp->effect_count - 1].kind == IVR_FX_HANGUP)
        sp->effects[sp->effect_count - 1].hangup.details = details;
}

/* +251911234567; what a person may be sent to. */
static bool is_number_of_phone(const char *text)
{
    size_t len = strlen(text);

    return *text == '+' && len >= 8 && len <= 16 &&
           strspn(text + 1, "0123456789") == len - 1;
}

/* The node's `to`, or the other party. NULL: none that can be used. */
static const char *recipient(struct sprint *sp, const struct node *n)
{
    bool faulty = false;
    const char *to =
        n->has_to ? render(sp, &n->to, TEMPLATE_TEXT, &faulty) : sp->env->phone;

    return to && !faulty && is_number_of_phone(to) ? to : NULL;
}

static void refuse(struct sprint *sp, const struct node *n, const char *why)
{
    event(sp, IVR_EV_WARNING, "refused", why, "");
    take_exit(sp, n, "refused", why);
}

static void enter_sms(struct sprint *sp, const struct node *n)
{
    const char *to = recipient(sp, n);
    struct growing g = {.arena = sp->arena};
    const char *lang = "";

    if (sp->err)
        return;
    if (!(sp->env->caps & IVR_CAP_SMS) || !to) {
        refuse(sp, n, to ? "no_sms_here" : "no_number");
        return;
    }
    for (size_t i = 0; i < n->text.n; i++) {
        const struct variant *v = pick_variant(sp, n->text.list[i], sp->s.lang, false);
        if (!v) {
            refuse(sp, n, "no_text");
            return;
        }
        const char *text = render(sp, &v->text, TEMPLATE_TEXT, NULL);
        growing_puts(&g, text ? text : "");
        lang = v->lang;
    }
    const char *text = growing_text(&g);
    struct ivr_effect *fx = text ? effect(sp, IVR_FX_SMS) : NULL;
    if (!fx) {
        sp->err = ENOMEM;
        return;
    }
    fx->sms.to = to;
    fx->sms.lang = lang;
    fx->sms.text = text;
    take_exit(sp, n, "queued", "");
}

/* ---- submit ---- */

static void enter_submit(struct sprint *sp, const struct node *n)
{
    bool faulty = false;
    const char *recording = "", *entities = "{}";

    if (n->has_recording)
        recording = render(sp, &n->recording, TEMPLATE_TEXT, &faulty);
    else if (n->entities.n > 0)
        entities = render(sp, &n->entities, TEMPLATE_JSON, &faulty);
    if (!recording || !entities)
        return; /* ENOMEM */
    if (faulty || (n->has_recording && !*recording)) {
        node_fail(sp, n, "nothing_to_submit", "");
        return;
    }
    struct ivr_effect *fx = effect(sp, IVR_FX_SUBMIT);
    if (!fx)
        return;
    fx->submit = (struct ivr_submit){.recording = recording,
                                     .pipeline = words_pipeline[n->pipeline],
                                     .intent = words_intent[n->intent],
                                     .entities = entities,
                                     .node = n->id};
    event(sp, IVR_EV_RESULT, n->id,
          n->has_recording ? recording : words_intent[n->intent], "submitted");
    take_exit(sp, n, "done", "");
}

/* ---- callback ---- */

static bool take_number(const char **text, int digits, int low, int high, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, ++*text) {
        if (**text < '0' || **text > '9')
            return false;
        *out = *out * 10 + (**text - '0');
    }
    return *out >= low && *out <= high;
}

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "0930" or "930", as it is keyed in: to "09:30". */
static bool read_keyed_time(const char *text, char out[6])
{
    size_t n = strlen(text);

    if ((n != 3 && n != 4) || strspn(text, "0123456789") != n)
        return false;
    snprintf(out, 6, "%s%.*s:%s", n == 3 ? "0" : "", (int)n - 2, text, text + n - 2);
    return true;
}

/* "2026-11-26 09:30", or "09:30" for its next time; on the contact's clock. */
static bool read_instant(const char *text, int64_t now_ms, int tz_min, int64_t *at_ms)
{
    int year = 0, month = 0, day = 0, hour = 0, minute = 0;
    bool dated = strlen(text) == 16;
    const int64_t zone_ms = (int64_t)tz_min * 60000, day_ms = 86400000;

    if (dated && (!take_number(&text, 4, 1970, 9999, &year) || *text++ != '-' ||
                  !take_number(&text, 2, 1, 12, &month) || *text++ != '-' ||
                  !take_number(&text, 2, 1, 31, &day) || (*text != ' ' && *text != 'T')))
        return false;
    text += dated;
    if (!take_number(&text, 2, 0, 23, &hour) || *text++ != ':' ||
        !take_number(&text, 2, 0, 59, &minute) || *text)
        return false;
    int64_t of_day_ms = ((int64_t)hour * 60 + minute) * 60000;
    if (dated) {
        *at_ms = days_from_civil(year, month, day) * day_ms + of_day_ms - zone_ms;
        return true;
    }
    int64_t local_ms = now_ms + zone_ms;
    *at_ms = local_ms - local_ms % day_ms + of_day_ms - zone_ms;
    if (*at_ms <= now_ms)
        *at_ms += day_ms;
    return true;
}

static bool callback_time(struct sprint *sp, const struct node *n, int64_t *at_ms)
{
    int64_t now_ms = sp->env->now_ms;

    if (n->has_at) {
        bool faulty = false;
        const char *text = render(sp, &n->at, TEMPLATE_TEXT, &faulty);
        struct ivr_value v;
        char keyed[6];
        if (!text || faulty)
            return false;
        if (read_keyed_time(text, keyed))
            return read_instant(keyed, now_ms, sp->env->tz_min, at_ms);
        if (value_parse_number(text, &v) && v.type == IVR_INT)
            *at_ms = v.i;
        else if (!read_instant(text, now_ms, sp->env->tz_min, at_ms))
            return false;
    } else {
        struct ivr_value v = evaluate(sp, n->in_s);
        if (v.type != IVR_INT || v.i < 1 || v.i > CALLBACK_FURTHEST_S)
            return false;
        *at_ms = now_ms + v.i * 1000;
    }
    return *at_ms > now_ms && *at_ms - now_ms <= CALLBACK_FURTHEST_S * INT64_C(1000);
}

/* To the first instant from *at_ms on at which the party may be called. */
static bool move_into_open_hours(const struct ivr_env *env, int64_t *at_ms)
{
    for (size_t i = 0; env->open && i < env->open_count; i++) {
        if (*at_ms >= env->open[i].until_ms)
            continue;
        if (*at_ms < env->open[i].from_ms)
            *at_ms = env->open[i].from_ms;
        return true;
    }
    return !env->open;
}

static bool has_exit(const struct node *n, const char *name)
{
    for (size_t i = 0; i < n->exit_count; i++)
        if (strcmp(n->exits[i].name, name) == 0)
            return true;
    return false;
}

static void callback_asked(struct sprint *sp, const struct node *n, int64_t at_ms,
                           bool moved)
{
    const char *when = arena_printf(sp->arena, "%" PRId64, at_ms);
    const char *exit = moved && has_exit(n, "moved") ? "moved" : "scheduled";

    event(sp, IVR_EV_RESULT, "callback_at", when, moved ? "moved" : "scheduled");
    if (*n->into) {
        const struct ivr_value v = {.type = IVR_INT, .i = at_ms};
        set_var(sp, n->into, &v, false);
    }
    take_exit(sp, n, exit, when ? when : "");
}

static void enter_callback(struct sprint *sp, const struct node *n)
{
    int64_t at_ms = 0, asked_ms = 0;
    const char *to = recipient(sp, n);

    if (sp->err)
        return;
    if (!(sp->env->caps & IVR_CAP_CALLBACK) || !to) {
        refuse(sp, n, to ? "no_callback_here" : "no_number");
        return;
    }
    if (sp->s.opted_out) {
        refuse(sp, n, "opted_out");
        return;
    }
    if (sp->s.callback_asked) {
        take_exit(sp, n, "duplicate", "");
        return;
    }
    if (!callback_time(sp, n, &at_ms)) {
        refuse(sp, n, "bad_time");
        return;
    }
    asked_ms = at_ms;
    if (!move_into_open_hours(sp->env, &at_ms)) {
        refuse(sp, n, "no_open_hours");
        return;
    }
    struct ivr_effect *fx = effect(sp, IVR_FX_CALLBACK);
    if (!fx)
        return;
    fx->callback.at_ms = at_ms;
    fx->callback.to = to;
    fx->callback.flow = n->flow_name;
    sp->s.callback_asked = true;
    callback_asked(sp, n, at_ms, at_ms != asked_ms);
}

void node_enter(struct sprint *sp, const struct node *n)
{
    switch (n->kind) {
    case NODE_PLAY:
    case NODE_SAY:
        enter_say(sp, n);
        return;
    case NODE_COLLECT:
    case NODE_LANGUAGE:
        enter_keys(sp, n);
        return;
    case NODE_BRANCH:
        enter_branch(sp, n);
        return;
    case NODE_API:
        enter_api(sp, n);
        return;
    case NODE_DATA:
        enter_data(sp, n);
        return;
    case NODE_SET:
        enter_set(sp, n);
        return;
    case NODE_RECORD:
    case NODE_VOICEMAIL:
        enter_record(sp, n);
        return;
    case NODE_TRANSFER:
        enter_transfer(sp, n);
        return;
    case NODE_QUEUE:
        enter_queue(sp, n);
        return;
    case NODE_CALLBACK:
        enter_callback(sp, n);
        return;
    case NODE_SMS:
        enter_sms(sp, n);
        return;
    case NODE_SUBMIT:
        enter_submit(sp, n);
        return;
    case NODE_SUBFLOW:
        enter_subflow(sp, n);
        return;
    case NODE_HANGUP:
        enter_hangup(sp, n);
        return;
    case NODE_KINDS:
        break;
    }
}
