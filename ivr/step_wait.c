/* Nodes that wait: what they ask for, and what they make of the answer. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ivr/step.h"
#include "ivr/words.h"

enum { MINUTE_MS = 60000, INTER_MS = 3000, SILENCE = 0x100, ATTEMPTS = 0xff };

static const char *given(const char *text)
{
    return text ? text : "";
}

/* ---- keys: collect and language ---- */

/*
 * Global keys; and cases of its own with a star or hash among the keys of a longer entry,
 * which end it at once as such a global key does.
 */
static const char *const *ending_keys(struct sprint *sp, const struct node *n,
                                      int *longest)
{
    const char *const *globals = global_keys(sp, longest);
    size_t count = 0, own = 0;

    for (size_t i = 0; n->kind == NODE_COLLECT && n->max > 1 && i < n->exit_count; i++)
        own += strpbrk(n->exits[i].name, "*#") != NULL;
    while (globals && globals[count])
        count++;
    if (!globals || own == 0)
        return globals;
    const char **all = arena_alloc(sp->arena, (count + own + 1) * sizeof(*all));
    if (!all) {
        sp->err = ENOMEM;
        return NULL;
    }
    memcpy(all, globals, count * sizeof(*all));
    for (size_t i = 0; i < n->exit_count; i++)
        if (strpbrk(n->exits[i].name, "*#"))
            all[count++] = n->exits[i].name;
    return all;
}

/* Words are read as English. A sensitive entry is not to be said aloud, nor told to
 * whoever recognises speech. */
static const char *hears(struct sprint *sp, const struct node *n)
{
    bool any = n->hearing_count > 0 || n->heard;

    for (int i = 0; i < sp->s.depth; i++)
        any = any || sp->prog->flows[sp->s.stack[i].flow]->global_word_count > 0;
    if (!any || n->sensitive || n->kind != NODE_COLLECT ||
        strncmp(sp->s.lang, "en", 2) != 0 || (sp->s.lang[2] && sp->s.lang[2] != '-'))
        return "";
    if (!sp->s.lang[2])
        return "en-US";
    const char *lang = arena_text(sp->arena, sp->s.lang);
    if (!lang)
        sp->err = ENOMEM;
    return lang ? lang : "";
}

static void ask_keys(struct sprint *sp, const struct node *n)
{
    int longest = 0;
    const char *const *globals = ending_keys(sp, n, &longest);
    struct ivr_effect *fx = globals ? effect(sp, IVR_FX_COLLECT) : NULL;

    if (!fx)
        return;
    fx->collect =
        (struct ivr_collect){.min = (int)n->min,
                             .max = (int)n->max > longest ? (int)n->max : longest,
                             .finish = n->finish,
                             .first_ms = n->first_ms,
                             .inter_ms = n->inter_ms,
                             .sensitive = n->sensitive,
                             .hears = hears(sp, n),
                             .own_max = (int)n->max,
                             .global_keys = globals};
    sprint_wait(sp, IVR_WAIT_KEYS, n->first_ms + fx->collect.max * n->inter_ms);
}

void ask_one_key(struct sprint *sp, int64_t first_ms)
{
    int longest = 0;
    const char *const *globals = global_keys(sp, &longest);
    struct ivr_effect *fx = globals ? effect(sp, IVR_FX_COLLECT) : NULL;

    if (!fx)
        return;
    fx->collect = (struct ivr_collect){.min = 1,
                                       .max = longest > 1 ? longest : 1,
                                       .finish = "",
                                       .first_ms = first_ms,
                                       .inter_ms = INTER_MS,
                                       .hears = "",
                                       .own_max = 1,
                                       .global_keys = globals};
    sprint_wait(sp, IVR_WAIT_KEYS, first_ms + fx->collect.max * INTER_MS);
}

static void choose(struct sprint *sp, const struct node *n, const char *lang,
                   const char *keys)
{
    struct ivr_effect *fx = effect(sp, IVR_FX_LANG);

    snprintf(sp->s.lang, sizeof(sp->s.lang), "%s", lang);
    if (fx)
        fx->lang.tag = lang;
    event(sp, IVR_EV_RESULT, "language", lang, "chosen");
    take_exit(sp, n, "chosen", keys);
}

/* Each language says its own: those that nobody here can speak are left out. */
static bool speak_each(struct sprint *sp, const struct node *n)
{
    size_t before = sp->effect_count;

    for (size_t i = 0; i < n->choice_count; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again = again || strcmp(n->choices[k].lang, n->choices[i].lang) == 0;
        if (!again)
            speak_in(sp, &n->prompt, n->barge_in, n->choices[i].lang);
    }
    return n->prompt.n == 0 || sp->effect_count > before;
}

void enter_keys(struct sprint *sp, const struct node *n)
{
    bool retry = sprint_frame(sp)->attempts > 0 && n->retry_prompt.n > 0;
    bool spoken = false;

    if (n->skip_if_known && sp->env->language && *sp->env->language &&
        strcmp(sp->env->language, sp->s.lang) == 0) {
        take_exit(sp, n, "chosen", "known");
        return;
    }
    sp->part = IVR_PART_ASKED;
    if (retry)
        spoken = speak(sp, &n->retry_prompt, n->barge_in);
    else if (n->in_each_language)
        spoken = speak_each(sp, n);
    else
        spoken = speak(sp, &n->prompt, n->barge_in);
    sp->part = IVR_PART_TOLD;
    if (spoken)
        ask_keys(sp, n);
    else
        node_fail(sp, n, "prompt_missing", sp->s.lang);
}

/* Silences in a row have the upper byte where they are counted apart. True: that was the
 * last one. */
static bool count_attempt(struct ivr_frame *f, const struct node *n, bool silence)
{
    unsigned silent = f->attempts / SILENCE, others = f->attempts % SILENCE;

    if (silence && n->silences > 0)
        silent++;
    else if (others < ATTEMPTS)
        others++;
    if (!silence)
        silent = 0;
    f->attempts = (uint16_t)(silent * SILENCE + others);
    return (n->attempts > 0 && others >= n->attempts) ||
           (n->silences > 0 && silent >= n->silences);
}

/* Once more, or the exit when that was the last attempt. */
static void try_again(struct sprint *sp, const struct node *n, const char *exit,
                      const char *operand, const struct prompts *why)
{
    if (count_attempt(sprint_frame(sp), n, strcmp(exit, "no_input") == 0)) {
        event(sp, IVR_EV_RESULT, *n->into ? n->into : n->id, operand, exit);
        take_exit(sp, n, exit, operand);
        return;
    }
    event(sp, IVR_EV_WARNING, exit, operand, "");
    sp->part = IVR_PART_NOT_TAKEN;
    if (!speak(sp, why, n->barge_in))
        node_fail(sp, n, "prompt_missing", sp->s.lang);
    sp->part = IVR_PART_TOLD;
    /* The loop enters the node again: same node, attempts kept. */
}

static bool is_valid(struct sprint *sp, const struct node *n, const char *digits)
{
    if (!n->valid)
        return true;
    sp->expr.digits = digits;
    struct ivr_value v = evaluate(sp, n->valid);
    sp->expr.digits = NULL;
    return value_is_true(&v);
}

static bool is_entry(const char *digits)
{
    size_t len = strlen(digits);

    return len <= IVR_DIGITS_MAX && strspn(digits, "0123456789*#") == len;
}

static void take_exit_by_entry(struct sprint *sp, const struct node *n, const char *exit,
                               const char *entry, const char *shown)
{
    /* A case's name would tell a sensitive entry. */
    event(sp, IVR_EV_RESULT, *n->into ? n->into : n->id, shown,
          n->sensitive ? "entered" : exit);
    /* Only an entry is kept, not the way back or to an agent. */
    bool kept = strcmp(exit, "any") == 0 || !exit[strspn(exit, "0123456789")];
    if (*n->into && kept && n->sensitive) {
        set_sensitive(sp, n->into, entry);
    } else if (*n->into && kept) {
        struct ivr_value v = value_text(entry);
        set_var(sp, n->into, &v, false);
    }
    take_exit(sp, n, exit, shown);
}

static void take_entry(struct sprint *sp, const struct node *n, const char *digits)
{
    int64_t len = (int64_t)strlen(digits);
    const char *shown = n->sensitive ? "" : digits;
    const char *exit = len > 0 && node_has_exit(n, digits) ? digits
                       : node_has_exit(n, "any")           ? "any"
                                                           : NULL;

    if (exit && strpbrk(exit, "*#")) {
        take_exit_by_entry(sp, n, exit, digits, shown);
        return;
    }
    if (!exit || len < n->min || len > n->max || !is_valid(sp, n, digits)) {
        try_again(sp, n, "invalid", shown, &n->invalid_prompt);
        return;
    }
    take_exit_by_entry(sp, n, exit, digits, shown);
}

/* ---- words in place of keys ---- */

static const char *exit_by_words(const struct node *n, const char *said)
{
    for (size_t i = 0; i < n->hearing_count; i++)
        if (words_have(said, n->hearings[i].patterns))
            return n->hearings[i].exit;
    return NULL;
}

/* Words that make an entry go by `any`; how long it is is not counted in keys. */
static bool take_heard(struct sprint *sp, const struct node *n, const char *said)
{
    if (!n->heard)
        return false;
    sp->expr.said = said;
    struct ivr_value v = evaluate(sp, n->heard);
    sp->expr.said = NULL;
    const char *entry = value_to_text(&v, sp->arena);
    if (!entry) {
        sp->err = ENOMEM;
        return true;
    }
    if (!*entry || strlen(entry) > IVR_DIGITS_MAX || sp->err)
        return false;
    if (!is_valid(sp, n, entry))
        try_again(sp, n, "invalid", n->sensitive ? "" : entry, &n->invalid_prompt);
    else
        take_exit_by_entry(sp, n, "any", entry, n->sensitive ? "" : entry);
    return true;
}

static void resume_said(struct sprint *sp, const struct node *n,
                        const struct ivr_input *in)
{
    const char *said = arena_text(sp->arena, given(in->said.text));
    const struct prompts *why =
        n->unheard_prompt.n > 0 ? &n->unheard_prompt : &n->invalid_prompt;

    if (!said) {
        sp->err = ENOMEM;
        return;
    }
    const char *exit = exit_by_words(n, said);
    if (exit && n->kind == NODE_COLLECT)
        take_exit_by_entry(sp, n, exit, exit, exit);
    else if (!take_global_words(sp, said) && !take_heard(sp, n, said) && !sp->err)
        try_again(sp, n, "invalid", "", why);
}

static void resume_keys(struct sprint *sp, const struct node *n,
                        const struct ivr_input *in)
{
    const char *digits = NULL;

    if (in->kind == IVR_IN_SAID) {
        resume_said(sp, n, in);
        return;
    }
    if (in->kind != IVR_IN_DIGITS ||
        (!*given(in->keys.digits) && !in->keys.finish && n->min > 0)) {
        try_again(sp, n, "no_input", "", &n->no_input_prompt);
        return;
    }
    digits = arena_text(sp->arena, given(in->keys.digits));
    if (!digits) {
        sp->err = ENOMEM;
        return;
    }
    if (!is_entry(digits)) {
        try_again(sp, n, "invalid", "", &n->invalid_prompt);
        return;
    }
    bool own = n->kind == NODE_COLLECT && node_has_exit(n, digits);
    for (size_t i = 0; n->kind == NODE_LANGUAGE && i < n->choice_count; i++) {
        if (strcmp(n->choices[i].keys, digits) == 0) {
            choose(sp, n, n->choices[i].lang, digits);
            return;
        }
    }
    if (!own && take_global(sp, digits))
        return;
    if (n->kind == NODE_COLLECT)
        take_entry(sp, n, digits);
    else
        try_again(sp, n, "invalid", digits, &n->invalid_prompt);
}

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

/* ---- api ---- */

/* Data must not name one of our secrets, nor add a header of its own. */
static bool is_header_value(const char *value)
{
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 && *p != '\t')
            return false;
    return true;
}

static bool adds_secret(const struct template_ *t, const char *value)
{
    size_t literal = 0, found = 0;

    for (size_t i = 0; i < t->n; i++)
        for (const char *p = t->parts[i].kind == PART_LITERAL ? t->parts[i].literal : "";
             (p = strstr(p, "{secret:"));)
            literal++, p++;
    for (const char *p = value; (p = strstr(p, "{secret:"));)
        found++, p++;
    return found != literal;
}

static const struct ivr_header *render_headers(struct sprint *sp, const struct node *n,
                                               bool *bad)
{
    struct ivr_header *list =
        arena_alloc(sp->arena, (n->header_count + 1) * sizeof(*list));

    if (!list)
        sp->err = ENOMEM;
    for (size_t i = 0; list && i < n->header_count; i++) {
        bool faulty = false;
        const char *value = render(sp, &n->headers[i].value, TEMPLATE_TEXT, &faulty);
        if (!value)
            return NULL;
        *bad = *bad || faulty || !is_header_value(value) ||
               adds_secret(&n->headers[i].value, value);
        list[i] = (struct ivr_header){n->headers[i].name, value};
    }
    return list;
}

void enter_api(struct sprint *sp, const struct node *n)
{
    bool url_bad = false, header_bad = false;
    const char *url = render(sp, &n->url, TEMPLATE_URL, &url_bad);
    const struct ivr_header *headers = url ? render_headers(sp, n, &header_bad) : NULL;
    const char *body = NULL;

    if (n->has_body && headers)
        body =
            render(sp, &n->body, n->body_is_json ? TEMPLATE_JSON : TEMPLATE_TEXT, NULL);
    if (sp->err)
        return;
    if (url_bad || header_bad || !(sp->env->caps & IVR_CAP_HTTP)) {
        const char *why = url_bad      ? "bad_url"
                          : header_bad ? "bad_header"
                                       : "no_http_here";
        event(sp, IVR_EV_WARNING, "not_sent", why, "");
        take_exit(sp, n, "http_error", why);
        return;
    }
    if (!speak(sp, &n->prompt, false)) {
        node_fail(sp, n, "prompt_missing", sp->s.lang);
        return;
    }
    struct ivr_effect *fx = effect(sp, IVR_FX_HTTP);
    if (!fx)
        return;
    fx->http = (struct ivr_http){.method = words_method[n->method],
                                 .url = url,
                                 .headers = headers,
                                 .header_count = n->header_count,
                                 .body = body,
                                 .timeout_ms = n->timeout_ms,
                                 .mock_body = n->mock_body,
                                 .mock_status = n->mock_status};
    sprint_wait(sp, IVR_WAIT_HTTP, n->timeout_ms);
}

static const json_t *follow(const json_t *j, const char *const *path)
{
    for (; j && *path; path++) {
        char *end = NULL;
        if (json_is_array(j))
            j = **path >= '0' && **path <= '9'
                    ? json_array_get(j, (size_t)strtoul(*path, &end, 10))
                    : NULL;
        else
            j = json_object_get(j, *path);
        if (end && *end)
            return NULL;
    }
    return j;
}

static bool extract(struct sprint *sp, const struct node *n, const json_t *body)
{
    for (size_t i = 0; i < n->extract_count; i++)
        if (!follow(body, n->extracts[i].path))
            return false;
    for (size_t i = 0; i < n->extract_count && !sp->err; i++) {
        struct ivr_value v = value_of_json(follow(body, n->extracts[i].path), sp->arena);
        set_var(sp, n->extracts[i].name, &v, false);
    }
    return true;
}

static const char *read_answer(struct sprint *sp, const struct node *n,
                               const struct ivr_input *in)
{
    json_t *body = NULL;
    json_error_t e;

    if (in->http.status < 200 || in->http.status > 299)
        return "http_error";
    if (n->extract_count == 0)
        return "ok";
    int err = value_load_json(&body, in->http.body ? in->http.body : "",
                              in->http.body ? in->http.body_len : 0,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
    if (err == ENOMEM)
        sp->err = ENOMEM;
    if (err)
        return "bad_body";
    bool good = extract(sp, n, body);
    json_decref(body);
    return good ? "ok" : "bad_body";
}

static void resume_api(struct sprint *sp, const struct node *n,
                       const struct ivr_input *in)
{
    const char *exit = "timeout";

    if (in->kind == IVR_IN_HTTP_DONE && in->http.result == IVR_HTTP_FAILED)
        exit = "http_error";
    else if (in->kind == IVR_IN_HTTP_DONE && in->http.result == IVR_HTTP_ANSWERED)
        exit = read_answer(sp, n, in);
    int status = in->kind == IVR_IN_HTTP_DONE ? in->http.status : 0;
    const char *text = arena_printf(sp->arena, "%d", status);
    event(sp, IVR_EV_RESULT, n->id, text, exit);
    take_exit(sp, n, exit, text ? text : "");
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
