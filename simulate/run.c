#include "simulate/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/settle.h"
#include "contacts/tz.h"
#include "simulate/talk.h"

#define MINUTE_MS INT64_C(60000)
#define NEVER     INT64_MAX
enum { STOCK_MAX = 256, LOOK_MS = 100, RINGING_MS = 400 };
static const double stock_s = 0.8;

/* A call under way: what it will have come to. */
struct ending {
    struct sim_attempt attempt;
    struct sim_ending end;
    uint64_t order; /* of two that end at once the older goes first */
};

struct run {
    const struct scene *scene;
    const struct run_options *o;
    struct run_counts *counts;
    int64_t now_ms, claim_ms; /* the next claim; NEVER: a call must end first */
    int64_t look_ms;          /* when nobody was due, the next look is not before */
    double tat_ms, interval_ms;
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
    return a->end.ended_ms != b->end.ended_ms ? a->end.ended_ms < b->end.ended_ms
                                              : a->order < b->order;
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

/* ---- counting ---- */

static struct run_minute *minute_at(struct run_counts *c, int64_t at_ms)
{
    size_t i = at_ms > c->first_minute_ms
                   ? (size_t)((at_ms - c->first_minute_ms) / MINUTE_MS)
                   : 0;

    if (i >= c->minute_count) {
        c->minutes = xrealloc(c->minutes, (i + 1) * sizeof(*c->minutes));
        memset(&c->minutes[c->minute_count], 0,
               (i + 1 - c->minute_count) * sizeof(*c->minutes));
        c->minute_count = i + 1;
    }
    return &c->minutes[i];
}

static void count_outcome(struct run_counts *c, const char *name)
{
    size_t i = 0;

    while (i < c->outcome_count && strcmp(c->outcomes[i].name, name) != 0)
        i++;
    if (i == RUN_OUTCOMES_MAX)
        return;
    if (i == c->outcome_count) {
        str_cut(c->outcomes[i].name, sizeof(c->outcomes[i].name), name);
        c->outcome_count++;
    }
    c->outcomes[i].n++;
}

void run_count_refusal(void *arg, int64_t at_ms, enum reason reason)
{
    struct run_counts *c = arg;
    struct run_reasons *list = &c->refusals;
    size_t i = 0;

    minute_at(c, at_ms)->refused++;
    while (i < list->n && reason_rank(list->at[i].reason) < reason_rank(reason))
        i++;
    if (i < list->n && list->at[i].reason == reason) {
        list->at[i].n++;
        return;
    }
    if (list->n == RUN_REASONS_MAX)
        return;
    memmove(&list->at[i + 1], &list->at[i], (list->n - i) * sizeof(list->at[0]));
    list->at[i] = (struct run_reason){reason, 1};
    list->n++;
}

static void count_sent(struct run_counts *c, int64_t sent_ms, const struct sim_ending *e,
                       bool machine)
{
    c->calls++;
    c->ends[e->disposition]++;
    if (!c->first_call_ms)
        c->first_call_ms = sent_ms;
    if (sent_ms > c->last_call_ms)
        c->last_call_ms = sent_ms;
    minute_at(c, sent_ms)->calls++;
    if (e->answered_ms == 0)
        return;
    c->talk_ms += e->ended_ms - e->answered_ms;
    c->machines += machine;
    minute_at(c, e->answered_ms)->answered++;
    minute_at(c, e->answered_ms)->machines += machine;
}

static void count_talk(struct run_counts *c, const struct talk *t)
{
    c->opt_outs += t->opted_out;
    c->callbacks += t->callback_ms > 0;
    c->recordings += t->recordings;
    c->messages += t->messages;
    c->transfers += t->transfers;
    count_outcome(c, t->outcome);
}

static void count_open(struct run *r)
{
    struct run_minute *minute = minute_at(r->counts, r->now_ms);

    if (r->n > minute->open)
        minute->open = (uint32_t)r->n;
    if ((int64_t)r->n > r->counts->peak_open) {
        r->counts->peak_open = (int64_t)r->n;
        r->counts->peak_ms = r->now_ms;
    }
}

/* ---- one call ---- */

static json_t *contact_of(const struct scene *s, const struct scene_person *p)
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
    return contact;
}

static int talk(struct run *r, const struct sim_attempt *a, bool machine,
                struct sim_ending *e)
{
    const struct scene *s = r->scene;
    const struct scene_person *p = &s->people[a->person];
    struct network_party party =
        network_party(r->o->network, r->o->seed, p->phone, a->number, machine);
    json_auto_t *contact = s->flow_asks_contact ? contact_of(s, p) : NULL;
    const struct talk_start start = {.prog = s->prog,
                                     .answered_ms = e->answered_ms,
                                     .tenant = s->tenant_id,
                                     .phone = p->phone,
                                     .seed = party.key,
                                     .language = r->tags[r->languages[a->person]],
                                     .contact = contact};
    struct talk t;

    int err = talk_run(&start, &party, &t);
    if (err)
        return err;
    e->ended_ms = t.end_ms > e->answered_ms ? t.end_ms : e->answered_ms + 1;
    e->opted_out = t.opted_out;
    e->opted_out_of_all = t.opted_out_of_all;
    e->opt_out_ms = t.opt_out_ms;
    e->callback_ms = t.callback_ms;
    if (t.language[0])
        r->languages[a->person] = scene_language(r->tags, &r->tag_count, t.language);
    count_talk(r->counts, &t);
    return 0;
}

static int hour_of(const struct run *r, uint32_t person, int64_t at_ms)
{
    const struct scene *s = r->scene;
    const struct tz_zone *clock = s->zones[s->groups[s->people[person].group].zone].clock;
    int64_t local_s = at_ms / 1000 + (clock ? tz_offset_s(clock, at_ms) : 0);

    return (int)(local_s / 3600 % NETWORK_HOURS);
}

static int send(struct run *r, const struct sim_attempt *a)
{
    struct ending under_way = {.attempt = *a};
    struct sim_ending *e = &under_way.end;
    struct network_call call;
    int err = 0;

    r->tat_ms = r->tat_ms > (double)r->now_ms ? r->tat_ms : (double)r->now_ms;
    int64_t sent_ms = (int64_t)ceil(r->tat_ms);
    r->tat_ms += r->interval_ms;
    network_dial(r->o->network, r->o->seed, r->scene->people[a->person].phone, a->number,
                 hour_of(r, a->person, sent_ms), r->scene->doc->ring_timeout_s, &call);
    *e = (struct sim_ending){
        .ringing_ms =
            sent_ms + (call.ring_ms < RINGING_MS ? call.ring_ms / 2 : RINGING_MS),
        .ended_ms = sent_ms + call.ring_ms,
        .disposition = call.disposition};
    if (call.disposition == DISPOSITION_COMPLETED) {
        e->answered_ms = e->ended_ms;
        err = talk(r, a, call.machine, e);
    }
    count_sent(r->counts, sent_ms, e, call.machine);
    if (!err)
        push(r, under_way);
    return err;
}

/* ---- the clock ---- */

static size_t wanted(const struct run *r)
{
    double n = floor(stock_s * 1000 / r->interval_ms);
    size_t room =
        (size_t)r->scene->channels > r->n ? (size_t)r->scene->channels - r->n : 0;

    n = n < 1 ? 1 : n > STOCK_MAX ? STOCK_MAX : n;
    return (size_t)n < room ? (size_t)n : room;
}

static void plan(struct run *r, const struct sim_claimed *c)
{
    int64_t paced_ms = (int64_t)ceil(r->tat_ms);

    r->look_ms = r->now_ms + (r->o->look_ms > 0 ? r->o->look_ms : LOOK_MS);
    r->idle = c->looked_at == 0 && !c->budget_spent;
    if (c->budget_spent) {
        r->claim_ms = NEVER; /* until a call ends and costs less than was set aside */
        r->counts->budget_ms = r->counts->budget_ms ? r->counts->budget_ms : r->now_ms;
    } else if (!r->idle)
        r->claim_ms = paced_ms > r->now_ms ? paced_ms : r->now_ms;
    else if (c->next_due_ms == 0)
        r->claim_ms = NEVER;
    else
        r->claim_ms = c->next_due_ms > r->look_ms ? c->next_due_ms : r->look_ms;
}

static int claim(struct run *r)
{
    struct sim_attempt attempts[STOCK_MAX];
    struct sim_claimed claimed = {0};
    bool go[STOCK_MAX];
    size_t max = wanted(r);

    if (max == 0) {
        r->claim_ms = NEVER;
        r->idle = false;
        return 0;
    }
    int err = r->o->store->claim(r->o->store_arg, r->now_ms, max, attempts, &claimed);
    if (!err && claimed.intents > 0)
        err = r->o->store->release(r->o->store_arg, r->now_ms, attempts, claimed.intents,
                                   go);
    for (size_t i = 0; !err && i < claimed.intents; i++)
        if (go[i])
            err = send(r, &attempts[i]);
    count_open(r);
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
    int64_t paced_ms = (int64_t)ceil(r->tat_ms), again_ms = r->now_ms;

    r->counts->last_end_ms = r->now_ms;
    /* Nobody else was due: this contact may be. No channel was free: one is. */
    if (r->idle && (again_ms = due_after(r, &e)) < r->look_ms)
        again_ms = r->look_ms;
    if (again_ms < paced_ms)
        again_ms = paced_ms;
    if (again_ms < r->now_ms)
        again_ms = r->now_ms;
    if ((r->idle || r->claim_ms == NEVER) && again_ms < r->claim_ms)
        r->claim_ms = again_ms;
    return r->o->store->end(r->o->store_arg, &e.attempt, &e.end);
}

static int work(struct run *r)
{
    int err = 0;

    while (!err) {
        int64_t end_ms = r->n > 0 ? r->heap[0].end.ended_ms : NEVER;
        int64_t at_ms = r->claim_ms < r->scene->to_ms ? r->claim_ms : NEVER;
        bool ends = end_ms <= at_ms;

        if (ends && end_ms == NEVER)
            break;
        int64_t next_ms = ends ? end_ms : at_ms;
        if (next_ms > r->now_ms && r->o->progress)
            r->o->progress(r->o->progress_arg, r->now_ms, r->counts, r->n);
        r->now_ms = next_ms;
        err = ends ? end_call(r) : claim(r);
    }
    return err;
}

void run_counts_init(struct run_counts *counts, const struct scene *scene)
{
    *counts = (struct run_counts){.first_minute_ms =
                                      scene->from_ms - scene->from_ms % MINUTE_MS};
}

void run_counts_free(struct run_counts *counts)
{
    free(counts->minutes);
    *counts = (struct run_counts){0};
}

int run_simulation(const struct scene *scene, const struct run_options *options,
                   struct run_counts *counts)
{
    struct run r = {.scene = scene,
                    .o = options,
                    .counts = counts,
                    .now_ms = scene->from_ms,
                    .claim_ms = scene->from_ms,
                    .interval_ms = 1000 / scene->cps,
                    .languages = xcalloc(scene->people_count + 1, 1),
                    .tag_count = scene->language_count};

    memcpy(r.tags, scene->languages, sizeof(r.tags));
    for (size_t i = 0; i < scene->people_count; i++)
        r.languages[i] = scene->people[i].language;
    int err = work(&r);
    free(r.heap);
    free(r.languages);
    return err;
}
