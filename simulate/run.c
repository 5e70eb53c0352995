#include "simulate/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/settle.h"
#include "contacts/tz.h"
#include "simulate/answer.h"
#include "simulate/lines.h"
#include "simulate/talk.h"

#define NEVER INT64_MAX
enum { LOOK_MS = 100, RINGING_MS = 400 };

/* What a call that asks for an agent goes on with. */
struct queued {
    struct talk talk;
    struct talk_wait *wait;
    json_t *contact;
};

/* What of a call is next. Only where agents are booked there is more than the last. */
enum stage { ANSWERS, IS_HEARD, CONNECTS, LEAVES, GOES_ON };

/* A call under way: what it will have come to, or until it asks for an agent. */
struct ending {
    int64_t at_ms; /* of its next stage */
    struct sim_attempt attempt;
    struct sim_ending end;
    struct queued *queued; /* owned; NULL: GOES_ON is its end */
    int64_t sent_ms;
    int64_t heard_ms;             /* it is known to be a machine then; 0 never */
    int64_t connects_ms, left_ms; /* its agent; connects 0: never */
    int64_t wrap_up_ms;
    int line;
    enum stage stage;
    bool machine, hears_flow;
    uint64_t order; /* of two at once the older goes first */
};

struct run {
    const struct scene *scene;
    const struct run_options *o;
    struct run_counts *counts;
    struct lines lines;
    int64_t now_ms;
    int64_t due_ms;      /* somebody may be due then; NEVER: a call must end first */
    int64_t look_ms;     /* when nobody was due, the next look is not before */
    bool idle;           /* nobody was due */
    struct ending *heap; /* by their end */
    size_t n, size;
    uint64_t order;
    uint8_t *languages; /* of each person, as remembered now */
    char tags[SCENE_LANGUAGES_MAX][SCENE_LANGUAGE_MAX];
    size_t tag_count;
};

/* ---- calls under way ---- */

static bool ends_before(const struct ending *a, const struct ending *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void push(struct run *r, struct ending e)
{
    if (r->n == r->size) {
        r->size = r->size ? 2 * r->size : 256;
        r->heap = xrealloc(r->heap, r->size * sizeof(*r->heap));
    }
    e.order = r->order++;
    size_t i = r->n++;
    for (; i > 0 && ends_before(&e, &r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = e;
}

static struct ending pop(struct run *r)
{
    struct ending top = r->heap[0], last = r->heap[--r->n];
    size_t i = 0;

    for (size_t child = 1; child < r->n; i = child, child = 2 * i + 1) {
        if (child + 1 < r->n && ends_before(&r->heap[child + 1], &r->heap[child]))
            child++;
        if (!ends_before(&r->heap[child], &last))
            break;
        r->heap[i] = r->heap[child];
    }
    if (r->n > 0)
        r->heap[i] = last;
    return top;
}

/* ---- one call ---- */

static json_t *contact_of(const struct scene *s, const struct scene_person *p,
                          uint8_t variant)
{
    char number[PHONE_TEXT_MAX];
    json_t *contact = p->attrs ? json_loads(s->texts + p->attrs, 0, NULL) : NULL;

    if (!json_is_object(contact)) {
        json_decref(contact);
        contact = json_object();
    }
    json_object_set_new(contact, "phone", json_string(phone_text(p->phone, number)));
    json_object_set_new(contact, "region",
                        json_string(s->zones[s->groups[p->group].zone].region));
    if (s->doc->variants.n > 0)
        json_object_set_new(contact, "variant",
                            json_string(s->doc->variants.at[variant].name));
    return contact;
}

/* What was said up to now; the call is over, or it is kept until an agent is there. */
static void note_talk(struct run *r, struct ending *u, const struct talk *t,
                      struct talk_wait *wait, json_t *contact)
{
    struct sim_ending *e = &u->end;

    if (t->language[0])
        r->languages[u->attempt.person] =
            scene_language(r->tags, &r->tag_count, t->language);
    if (wait) {
        u->queued = xcalloc(1, sizeof(*u->queued));
        *u->queued = (struct queued){*t, wait, json_incref(contact)};
        e->ended_ms = talk_asked(wait).since_ms;
        return;
    }
    e->ended_ms = t->end_ms;
    e->faulted = strcmp(t->outcome, "failed") == 0;
    e->opted_out = t->opted_out;
    e->opted_out_of_all = t->opted_out_of_all;
    e->opt_out_ms = t->opt_out_ms;
    e->callback_ms = t->callback_ms;
    run_count_talk(r->counts, u->attempt.variant, e->disposition == DISPOSITION_MESSAGE,
                   t);
}

static bool has_agents(const struct run *r)
{
    return r->o->desk || r->o->books;
}

/* From when the flow begins; message: the one for machines. */
static int talk(struct run *r, struct ending *u, const struct network_party *party,
                const struct answer *answer)
{
    const struct scene *s = r->scene;
    const struct scene_person *p = &s->people[u->attempt.person];
    const struct scene_flow *flow =
        answer->message ? &s->message : scene_flow_of(s, u->attempt.variant);
    json_auto_t *contact =
        flow->asks_contact ? contact_of(s, p, u->attempt.variant) : NULL;
    const struct talk_start start = {.prog = flow->prog,
                                     .answered_ms = u->end.answered_ms,
                                     .begins_ms = answer->at_ms,
                                     .tenant = s->tenant_id,
                                     .phone = p->phone,
                                     .seed = party->key,
                                     .language = r->tags[r->languages[u->attempt.person]],
                                     .contact = contact,
                                     .tables = r->o->tables};
    struct talk_wait *wait = NULL;
    struct talk t;

    int err = talk_run(&start, party, &t, has_agents(r) ? &wait : NULL);
    if (!err)
        note_talk(r, u, &t, wait, contact);
    return err;
}

/* Somebody or something has answered: who, as far as the campaign asks, and then its
 * flow. */
static int converse(struct run *r, struct ending *u)
{
    const struct machine_rule *rule = &r->scene->doc->machine;
    struct sim_ending *e = &u->end;
    const struct network_party party = network_party(
        r->o->network, r->o->seed, r->scene->people[u->attempt.person].phone,
        u->attempt.number, u->machine);
    struct answer answer = {.flow = true, .at_ms = e->answered_ms};

    if (rule->action != MACHINE_NOT_ASKED) {
        const struct network_voice voice = party_voice(&party, e->answered_ms);
        answer_listen(rule, &voice, e->answered_ms,
                      party_leaves_ms(&party, e->answered_ms), &answer);
        bool taken = answer.verdict == MACHINE_MACHINE;
        u->heard_ms = taken ? answer.heard_ms : 0;
        u->hears_flow = rule->action == MACHINE_AS_HUMAN;
        r->counts->people_machine += taken && !u->machine;
        r->counts->machine_people +=
            u->machine && answer.verdict != MACHINE_OPEN && !taken;
        if (taken && rule->action != MACHINE_AS_HUMAN)
            e->disposition = answer.message ? DISPOSITION_MESSAGE : DISPOSITION_MACHINE;
    }
    e->ended_ms = answer.at_ms;
    return answer.flow ? talk(r, u, &party, &answer) : 0;
}

static int hour_of(const struct run *r, uint32_t person, int64_t at_ms)
{
    const struct scene *s = r->scene;
    const struct tz_zone *clock = s->zones[s->groups[s->people[person].group].zone].clock;
    int64_t local_s = at_ms / 1000 + (clock ? tz_offset_s(clock, at_ms) : 0);

    return (int)(local_s / 3600 % NETWORK_HOURS);
}

static int64_t stage_ms(const struct ending *u)
{
    switch (u->stage) {
    case ANSWERS:
        return u->end.answered_ms;
    case IS_HEARD:
        return u->heard_ms;
    case CONNECTS:
        return u->connects_ms;
    case LEAVES:
        return u->left_ms;
    case GOES_ON:
        break;
    }
    return u->end.ended_ms;
}

/* Until its end, or until it asks for an agent; before that to its other stages. */
static void under_way(struct run *r, struct ending *u, enum stage stage)
{
    const struct scene_person *person = &r->scene->people[u->attempt.person];
    struct sim_ending *e = &u->end;

    if (!u->queued && e->answered_ms && e->ended_ms <= e->answered_ms)
        e->ended_ms = e->answered_ms + 1;
    if (!u->queued)
        run_count_call(r->counts, &(struct run_call){.sent_ms = u->sent_ms,
                                                     .end = e,
                                                     .variant = u->attempt.variant,
                                                     .machine = u->machine,
                                                     .first = u->attempt.number ==
                                                              person->attempts + 1});
    u->stage = stage;
    u->at_ms = stage_ms(u);
    push(r, *u);
}

static int send(struct run *r, int line, const struct sim_attempt *a)
{
    struct ending u = {.attempt = *a, .line = line};
    struct network_call call;
    int err = 0;

    u.sent_ms = lines_send(&r->lines, line, r->now_ms);
    network_dial(r->o->network, r->o->seed, r->scene->people[a->person].phone, a->number,
                 hour_of(r, a->person, u.sent_ms), r->scene->doc->ring_timeout_s, &call);
    u.machine = call.machine;
    u.end = (struct sim_ending){
        .ringing_ms =
            u.sent_ms + (call.ring_ms < RINGING_MS ? call.ring_ms / 2 : RINGING_MS),
        .ended_ms = u.sent_ms + call.ring_ms,
        .disposition = call.disposition};
    if (call.disposition == DISPOSITION_COMPLETED)
        u.end.answered_ms = u.end.ended_ms;
    if (call.disposition == DISPOSITION_COMPLETED)
        err = converse(r, &u);
    under_way(r, &u, r->o->books && u.end.answered_ms ? ANSWERS : GOES_ON);
    return err;
}

/* ---- agents ---- */

/* How long it would take with an agent; a machine hangs up by itself. */
static struct desk_ask ask_of(const struct run *r, const struct queued *q,
                              int64_t leaves_ms)
{
    const struct network *n = r->o->network;
    const struct talk_asked asked = talk_asked(q->wait);
    struct network_party party = talk_party(q->wait);
    struct desk_ask ask = {.now_ms = r->now_ms,
                           .max_wait_ms = asked.max_ms,
                           .patience_ms = party_span_ms(&party, &n->patience),
                           .connect_ms = party_span_ms(&party, &n->agent_answers),
                           .talk_ms = party_span_ms(&party, &n->talk),
                           .wrap_up_ms = party_span_ms(&party, &n->wrap_up)};
    int64_t stays_ms = leaves_ms - r->now_ms;

    if (stays_ms < ask.connect_ms + ask.talk_ms)
        ask.talk_ms = stays_ms > ask.connect_ms ? stays_ms - ask.connect_ms : 0;
    return ask;
}

/* Of a booked call: when its agent is there, and until when. */
static int take(struct run *r, struct ending *u, struct desk_served *out)
{
    int64_t leaves_ms = talk_asked(u->queued->wait).leaves_ms;
    const struct desk_ask ask = ask_of(r, u->queued, leaves_ms);
    bool taken = false;

    int err = r->o->store->agents->take(r->o->store_arg, &u->attempt, r->now_ms, &taken);
    *out = (struct desk_served){.at_ms = r->now_ms, .result = IVR_LEFT_FULL};
    if (err || !taken)
        return err;
    u->wrap_up_ms = ask.wrap_up_ms;
    u->connects_ms = r->now_ms + ask.connect_ms;
    u->left_ms = u->connects_ms + ask.talk_ms;
    if (leaves_ms <= u->connects_ms) {
        u->connects_ms = 0;
        u->left_ms = leaves_ms;
    }
    *out = (struct desk_served){.at_ms = u->left_ms, .result = IVR_LEFT_SERVED};
    return 0;
}

/* It asks for an agent: what comes of that, and how the call goes on. */
static int serve(struct run *r, struct ending *u)
{
    struct queued *q = u->queued;
    enum stage next = GOES_ON;
    struct desk_served served = {0};
    struct talk_wait *wait = NULL;
    int err = 0;

    if (r->o->books) {
        err = take(r, u, &served);
        if (served.result == IVR_LEFT_SERVED)
            next = u->connects_ms ? CONNECTS : LEAVES;
    } else {
        const struct desk_ask ask = ask_of(r, q, talk_asked(q->wait).leaves_ms);
        desk_ask(r->o->desk, &ask, &served);
    }
    u->queued = NULL;
    const struct talk_left left = {served.at_ms, served.hung_up, served.result};
    if (err)
        talk_drop(q->wait);
    else
        err = talk_resume(q->wait, &left, &q->talk, &wait);
    if (!err)
        note_talk(r, u, &q->talk, wait, q->contact);
    json_decref(q->contact);
    free(q);
    under_way(r, u, next);
    return err;
}

/* The store is told of a stage; the next one. */
static int pass(struct run *r, struct ending *u, enum stage *next)
{
    const struct sim_agent_ops *agents = r->o->store->agents;
    void *store = r->o->store_arg;

    *next = GOES_ON;
    switch (u->stage) {
    case ANSWERS:
        *next = u->heard_ms ? IS_HEARD : GOES_ON;
        return agents->answered(store, &u->attempt, &u->end);
    case IS_HEARD:
        return agents->machine(store, &u->attempt, u->hears_flow, r->now_ms);
    case CONNECTS:
        *next = LEAVES;
        return agents->connected(store, &u->attempt,
                                 r->now_ms - u->end.answered_ms <= MODE_CONNECT_MS,
                                 r->now_ms);
    case LEAVES:
        return agents->left(store, &u->attempt, u->wrap_up_ms, r->now_ms);
    case GOES_ON:
        break;
    }
    return 0;
}

static int go_on(struct run *r, struct ending *u)
{
    enum stage next;
    int err = pass(r, u, &next);

    u->stage = next;
    u->at_ms = stage_ms(u);
    push(r, *u);
    return err;
}

/* ---- the clock ---- */

static void plan(struct run *r, const struct sim_claimed *c)
{
    r->look_ms = r->now_ms + (r->o->look_ms > 0 ? r->o->look_ms : LOOK_MS);
    r->idle = c->looked_at == 0 && !c->budget_spent;
    if (c->budget_spent) {
        r->due_ms = NEVER; /* until a call ends and costs less than was set aside */
        r->counts->budget_ms = r->counts->budget_ms ? r->counts->budget_ms : r->now_ms;
        return;
    }
    r->counts->budget_ms = 0; /* a call cost less than was set aside */
    if (!r->idle)
        r->due_ms = r->now_ms;
    else if (c->next_due_ms == 0)
        r->due_ms = NEVER;
    else
        r->due_ms = c->next_due_ms > r->look_ms ? c->next_due_ms : r->look_ms;
}

static int claim(struct run *r)
{
    struct sim_attempt attempts[LINES_BATCH_MAX];
    struct sim_claimed claimed = {0};
    bool go[LINES_BATCH_MAX];
    size_t max = 0;
    int line = lines_next(&r->lines, r->now_ms, &max);

    if (line < 0)
        return EPROTO; /* it was said that one is ready */
    int err = r->o->store->claim(r->o->store_arg, r->now_ms, max, attempts, &claimed);
    lines_claimed(&r->lines, line, claimed.intents);
    if (!err && claimed.intents > 0)
        err = r->o->store->release(r->o->store_arg, r->now_ms, attempts, claimed.intents,
                                   go);
    for (size_t i = 0; !err && i < claimed.intents; i++)
        if (go[i])
            err = send(r, line, &attempts[i]);
    run_count_open(r->counts, r->now_ms, r->n);
    plan(r, &claimed);
    return err;
}

/* Before when whose call has ended so is not due again; NEVER: not at all. A contact's
 * own best hour is the store's to know: it may be later. */
static int64_t due_after(const struct run *r, const struct ending *e)
{
    struct settle_facts facts = {.state = ATTEMPT_ENDED,
                                 .disposition = e->end.disposition,
                                 .attempt_number = e->attempt.number,
                                 .ended_ms = e->end.ended_ms,
                                 .opted_out = e->end.opted_out,
                                 .callback_ms = e->end.callback_ms};
    struct settlement s;

    facts.seed = retry_seed(r->scene->campaign_id, r->scene->people[e->attempt.person].id,
                            facts.attempt_number);
    settle_contact(&facts, &r->scene->doc->retry, &s);
    /* Another number of the person may have its turn. */
    if (s.next_ms == 0 &&
        r->scene->people[e->attempt.person].next_number != e->attempt.person)
        return r->now_ms;
    return s.next_ms > 0 ? s.next_ms : NEVER;
}

static int end_call(struct run *r)
{
    struct ending e = pop(r);
    int64_t again_ms = r->now_ms;

    if (e.stage != GOES_ON)
        return go_on(r, &e);
    if (e.queued)
        return serve(r, &e);
    lines_end(&r->lines, e.line);
    r->counts->last_end_ms = r->now_ms;
    /* Nobody else was due: this contact may be. */
    if (r->idle && (again_ms = due_after(r, &e)) < r->look_ms)
        again_ms = r->look_ms;
    if ((r->idle || r->due_ms == NEVER) && again_ms < r->due_ms)
        r->due_ms = again_ms;
    return r->o->store->end(r->o->store_arg, &e.attempt, &e.end);
}

/* When a trunk is ready and somebody may be due; NEVER: a call must end first. */
static int64_t claim_at(const struct run *r)
{
    if (r->due_ms >= r->scene->to_ms)
        return NEVER;
    int64_t at_ms =
        lines_ready_ms(&r->lines, r->due_ms > r->now_ms ? r->due_ms : r->now_ms);
    return at_ms < r->scene->to_ms ? at_ms : NEVER;
}

static int work(struct run *r)
{
    int err = 0;

    while (!err) {
        int64_t end_ms = r->n > 0 ? r->heap[0].at_ms : NEVER;
        int64_t at_ms = claim_at(r);
        bool ends = end_ms <= at_ms;

        if (ends && end_ms == NEVER)
            break;
        int64_t next_ms = ends ? end_ms : at_ms;
        if (next_ms > r->now_ms && r->o->progress)
            r->o->progress(r->o->progress_arg, next_ms, r->counts, r->n);
        r->now_ms = next_ms;
        err = ends ? end_call(r) : claim(r);
    }
    return err;
}

int run_simulation(const struct scene *scene, const struct run_options *options,
                   struct run_counts *counts)
{
    struct run r = {.scene = scene,
                    .o = options,
                    .counts = counts,
                    .now_ms = scene->from_ms,
                    .due_ms = scene->from_ms,
                    .languages = xcalloc(scene->people_count + 1, 1),
                    .tag_count = scene->language_count};

    memcpy(r.tags, scene->languages, sizeof(r.tags));
    for (size_t i = 0; i < scene->people_count; i++)
        r.languages[i] = scene->people[i].language;
    lines_init(&r.lines, scene, options->network);
    int err = work(&r);
    for (size_t i = 0; i < r.lines.n; i++)
        counts->lines[i] = (struct run_line){r.lines.at[i].calls, r.lines.at[i].peak};
    for (size_t i = 0; i < r.n; i++) /* after an error */
        if (r.heap[i].queued) {
            talk_drop(r.heap[i].queued->wait);
            json_decref(r.heap[i].queued->contact);
            free(r.heap[i].queued);
        }
    free(r.heap);
    free(r.languages);
    return err;
}
