/*
 * What the ledger does in SQL stands here on arrays; what it does by pure functions
 * (hopper, zone_open, compliance_check, attempt_refusal_next_ms, settle) is called.
 * Contacts wait in heaps, one for each priority of each zone group. A contact that left
 * the heap by the way (another number of its person was talked to) is dropped when it
 * comes to the top.
 */
#include "simulate/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/attempt_store_refuse.h"
#include "campaigns/budget.h"
#include "campaigns/call_store.h"
#include "campaigns/hopper.h"
#include "campaigns/settle.h"
#include "campaigns/zone_open.h"
#include "compliance/facts_store.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)
enum { CALLS_USUAL = 64, ASK_AGAIN_MS = 1000 };

enum final_kind {
    FINAL_NOT,
    FINAL_DISPOSITION,
    FINAL_OPTED_OUT,
    FINAL_REFUSED,
    FINAL_OTHER
};

struct contact {
    int64_t due_ms;
    uint32_t newest; /* of its calls + 1; 0 none */
    int32_t priority;
    uint16_t attempts, reason;
    uint8_t state, final, last; /* last: disposition + 1 */
    bool dnc_tenant, dnc_campaign;
    int32_t dnc_day;
};

/* A call of the simulation. */
struct past {
    int64_t at_ms;
    uint32_t before; /* + 1; 0 none */
    uint32_t intent; /* its place in the batch + 1; 0: released */
    uint8_t outcome;
    bool open;
};

struct waiting {
    int64_t due_ms;
    uint32_t person;
};

struct bucket {
    uint32_t zone;
    int priority;
    size_t n, size;
    struct waiting *heap;
};

struct zone_state {
    bool open;
    int64_t until_ms, look_ms; /* look again then */
};

struct memory {
    const struct scene *scene;
    bool block;
    memory_refused_fn *refused;
    void *arg;
    struct contact *contacts;
    struct past *past;
    size_t past_count, past_size;
    struct bucket *buckets;
    size_t bucket_count;
    struct zone_state *zones;
    struct hopper_bucket *ready; /* room for every bucket */
    struct compliance_call *calls;
    size_t calls_size;
    struct budget_spent spent;
    int64_t open; /* calls under way */
};

/* ---- heaps ---- */

static bool is_before(const struct waiting *a, const struct waiting *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->person < b->person;
}

static void heap_push(struct bucket *b, struct waiting w)
{
    if (b->n == b->size) {
        b->size = b->size ? 2 * b->size : 64;
        b->heap = xrealloc(b->heap, b->size * sizeof(*b->heap));
    }
    size_t i = b->n++;
    for (; i > 0 && is_before(&w, &b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = w;
}

static void heap_pop(struct bucket *b)
{
    struct waiting last = b->heap[--b->n];
    size_t i = 0;

    for (size_t child = 1; child < b->n; i = child, child = 2 * i + 1) {
        if (child + 1 < b->n && is_before(&b->heap[child + 1], &b->heap[child]))
            child++;
        if (!is_before(&b->heap[child], &last))
            break;
        b->heap[i] = b->heap[child];
    }
    if (b->n > 0)
        b->heap[i] = last;
}

static struct bucket *bucket_find(struct memory *m, uint32_t zone, int priority)
{
    for (size_t i = 0; i < m->bucket_count; i++)
        if (m->buckets[i].zone == zone && m->buckets[i].priority == priority)
            return &m->buckets[i];
    return NULL;
}

static struct bucket *bucket_of(struct memory *m, uint32_t zone, int priority)
{
    struct bucket *b = bucket_find(m, zone, priority);

    if (b)
        return b;
    size_t n = ++m->bucket_count;
    m->buckets = xrealloc(m->buckets, n * sizeof(*m->buckets));
    m->ready = xrealloc(m->ready, n * sizeof(*m->ready));
    m->buckets[n - 1] = (struct bucket){.zone = zone, .priority = priority};
    return &m->buckets[n - 1];
}

static const struct scene_group *group_of(const struct memory *m, uint32_t person)
{
    return &m->scene->groups[m->scene->people[person].group];
}

static void wait_until(struct memory *m, uint32_t person, int64_t due_ms)
{
    struct contact *k = &m->contacts[person];

    k->state = MEMORY_PENDING;
    k->due_ms = due_ms;
    heap_push(bucket_of(m, group_of(m, person)->zone, k->priority),
              (struct waiting){due_ms, person});
}

/* The earliest one that still waits here; NULL: nobody does. */
static const struct waiting *bucket_top(const struct memory *m, struct bucket *b)
{
    while (b->n > 0) {
        const struct contact *k = &m->contacts[b->heap[0].person];
        if (k->state == MEMORY_PENDING && k->due_ms == b->heap[0].due_ms)
            return &b->heap[0];
        heap_pop(b);
    }
    return NULL;
}

/* ---- history ---- */

static struct past *newest(struct memory *m, uint32_t person)
{
    return &m->past[m->contacts[person].newest - 1];
}

static void remember(struct memory *m, uint32_t person, int64_t at_ms, uint32_t intent)
{
    struct contact *k = &m->contacts[person];

    if (m->past_count == m->past_size) {
        m->past_size = m->past_size ? 2 * m->past_size : 4096;
        m->past = xrealloc(m->past, m->past_size * sizeof(*m->past));
    }
    m->past[m->past_count++] = (struct past){.at_ms = at_ms,
                                             .before = k->newest,
                                             .intent = intent,
                                             .outcome = (uint8_t)facts_outcome(""),
                                             .open = true};
    k->newest = (uint32_t)m->past_count;
}

static void add_call(struct memory *m, size_t *n, struct compliance_call call)
{
    if (*n == m->calls_size) {
        m->calls_size = m->calls_size ? 2 * m->calls_size : CALLS_USUAL;
        m->calls = xrealloc(m->calls, m->calls_size * sizeof(*m->calls));
    }
    size_t at = (*n)++;
    for (; at > 0 && m->calls[at - 1].at_ms > call.at_ms; at--)
        m->calls[at] = m->calls[at - 1];
    m->calls[at] = call;
}

/* Calls to one number of the person at hand. own: the place + 1 of the attempt at hand
 * in its batch, whose elders count as open; 0: every one does. */
static void add_calls(struct memory *m, size_t *n, uint32_t person, uint32_t own,
                      bool other)
{
    for (uint32_t at = m->contacts[person].newest; at; at = m->past[at - 1].before) {
        const struct past *p = &m->past[at - 1];
        if (own && p->intent && (p->intent >= own))
            continue;
        add_call(m, n,
                 (struct compliance_call){.at_ms = p->at_ms,
                                          .campaign_id = m->scene->campaign_id,
                                          .open = p->open,
                                          .outcome = (enum outcome)p->outcome,
                                          .other_number = other});
    }
}

static void judge(struct memory *m, uint32_t person, uint32_t own, int64_t now_ms,
                  struct verdict *out)
{
    const struct contact *k = &m->contacts[person];
    struct compliance_facts facts = group_of(m, person)->facts;
    uint32_t other = m->scene->people[person].next_number;
    size_t n = 0;

    if (k->newest || other != person) {
        for (size_t i = 0; i < facts.call_count; i++)
            add_call(m, &n, facts.calls[i]);
        add_calls(m, &n, person, own, false);
        for (; other != person; other = m->scene->people[other].next_number)
            add_calls(m, &n, other, own, true);
        facts.calls = m->calls;
        facts.call_count = n;
    }
    facts.reserved_agent |= m->scene->doc->mode.kind != MODE_FIXED;
    facts.dnc_campaign |= k->dnc_campaign;
    if (k->dnc_tenant && !facts.dnc_tenant) {
        facts.dnc_tenant = true;
        facts.dnc_added_day = k->dnc_day;
    }
    compliance_check(m->scene->doc->policy, &facts, now_ms, out);
}

/* Nothing that happens in a simulation takes it away; a call under way ends. */
static bool only_data_helps(enum reason reason)
{
    enum reason_class class = reason_class(reason);

    return class == REASON_DATA || (class == REASON_CAP && reason != REASON_IN_FLIGHT &&
                                    reason != REASON_PARTY_IN_FLIGHT);
}

/* Of the person's numbers that are held, those that no other is before any more. */
static void let_next_number(struct memory *m, uint32_t person, int64_t now_ms)
{
    const struct scene_person *people = m->scene->people;

    for (uint32_t i = people[person].next_number; i != person;
         i = people[i].next_number) {
        const struct contact *k = &m->contacts[i];
        bool before = false;

        if (k->state != MEMORY_PENDING || k->due_ms < ATTEMPT_HELD_MS)
            continue;
        for (uint32_t o = people[i].next_number; o != i; o = people[o].next_number)
            before |=
                people[o].rank < people[i].rank && m->contacts[o].state != MEMORY_FINAL;
        if (!before)
            wait_until(m, i, now_ms);
    }
}

static void refuse(struct memory *m, uint32_t person, const struct verdict *v,
                   int64_t now_ms)
{
    struct contact *k = &m->contacts[person];
    int64_t next_ms = attempt_refusal_next_ms(v, now_ms);

    if (m->refused)
        m->refused(m->arg, now_ms, v->reason);
    k->reason = (uint16_t)v->reason;
    if (next_ms == 0) {
        k->state = MEMORY_FINAL;
        k->final = FINAL_REFUSED;
        k->due_ms = now_ms;
        let_next_number(m, person, now_ms);
    } else if (m->block && only_data_helps(v->reason)) {
        k->state = MEMORY_BLOCKED;
    } else {
        wait_until(m, person, next_ms);
    }
}

/* ---- claim ---- */

static const struct zone_state *zone_at(struct memory *m, uint32_t zone, int64_t now_ms)
{
    const struct scene *s = m->scene;
    const struct scene_zone *z = &s->zones[zone];
    struct zone_state *state = &m->zones[zone];

    if (now_ms < state->look_ms)
        return state;
    state->open = zone_is_open(s->doc->policy, z->region, z->names, z->name_count,
                               s->holidays, s->holiday_count, now_ms, &state->until_ms);
    /* What does not change for days is looked at again within the hour. */
    state->look_ms = state->until_ms > now_ms ? state->until_ms : now_ms + HOUR_MS;
    return state;
}

static size_t find_ready(struct memory *m, int64_t now_ms, int64_t *next_due_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < m->bucket_count; i++) {
        struct bucket *b = &m->buckets[i];
        const struct waiting *top = bucket_top(m, b);
        int64_t due_ms = 0;

        if (!top)
            continue;
        const struct zone_state *zone = zone_at(m, b->zone, now_ms);
        m->ready[n] = (struct hopper_bucket){.zone_group = m->scene->zones[b->zone].id,
                                             .priority = b->priority,
                                             .first_due_ms = top->due_ms,
                                             .until_ms = zone->until_ms,
                                             .open = zone->open};
        if (hopper_is_ready(&m->ready[n], now_ms, &due_ms))
            n++;
        else if (due_ms > 0 && (*next_due_ms == 0 || due_ms < *next_due_ms))
            *next_due_ms = due_ms;
    }
    hopper_sort(m->ready, n);
    return n;
}

static struct bucket *bucket_ready(struct memory *m, const struct hopper_bucket *ready)
{
    for (size_t i = 0; i < m->bucket_count; i++)
        if (m->scene->zones[m->buckets[i].zone].id == ready->zone_group &&
            m->buckets[i].priority == ready->priority)
            return &m->buckets[i];
    return NULL;
}

/* Who is picked, before anybody is judged. */
static size_t pick(struct memory *m, int64_t now_ms, size_t max, size_t ready,
                   struct sim_attempt *out)
{
    size_t n = 0;

    for (size_t i = 0; i < ready && n < max; i++) {
        struct bucket *b = bucket_ready(m, &m->ready[i]);
        const struct waiting *top = NULL;

        while (b && n < max && (top = bucket_top(m, b)) && top->due_ms <= now_ms) {
            uint32_t person = top->person;
            heap_pop(b);
            m->contacts[person].state = MEMORY_CALLING;
            out[n++] = (struct sim_attempt){.person = person,
                                            .number = m->contacts[person].attempts + 1};
        }
    }
    return n;
}

/* How many calls it has room for beside those under way. */
static int64_t budget_left(const struct memory *m)
{
    const struct budget *b = &m->scene->doc->budget;
    struct budget_spent all = m->spent, one = {0};

    if (!b->stated)
        return INT64_MAX;
    budget_set_aside(b, &one, 0);
    all.calls += m->open * one.calls;
    all.seconds += m->open * one.seconds;
    all.micros += m->open * one.micros;
    return budget_room(b, &all);
}

static int claim(void *store, int64_t now_ms, size_t max, struct sim_attempt *out,
                 struct sim_claimed *result)
{
    struct memory *m = store;
    struct verdict v;

    *result = (struct sim_claimed){0};
    int64_t room = budget_left(m);
    if (room == 0) {
        *result = (struct sim_claimed){.next_due_ms = now_ms + ASK_AGAIN_MS,
                                       .budget_spent = true};
        return 0;
    }
    max = room < (int64_t)max ? (size_t)room : max;
    size_t ready = find_ready(m, now_ms, &result->next_due_ms);
    size_t n = pick(m, now_ms, max, ready, out);
    result->looked_at = n;
    if (n > 0) /* behind them there may be more */
        result->next_due_ms = now_ms;
    /* Nobody's intent is written before all were judged. */
    for (size_t i = 0; i < n; i++) {
        judge(m, out[i].person, 0, now_ms, &v);
        if (v.allow)
            out[result->intents++] = out[i];
        else
            refuse(m, out[i].person, &v, now_ms);
    }
    for (size_t i = 0; i < result->intents; i++)
        remember(m, out[i].person, now_ms, (uint32_t)i + 1);
    m->open += (int64_t)result->intents;
    return 0;
}

/* ---- release, end ---- */

static int release(void *store, int64_t now_ms, const struct sim_attempt *attempts,
                   size_t n, bool *go)
{
    struct memory *m = store;
    struct verdict *verdicts = xcalloc(n + 1, sizeof(*verdicts));

    for (size_t i = 0; i < n; i++)
        judge(m, attempts[i].person, (uint32_t)i + 1, now_ms, &verdicts[i]);
    for (size_t i = 0; i < n; i++) {
        struct past *p = newest(m, attempts[i].person);

        go[i] = verdicts[i].allow;
        if (go[i]) {
            p->intent = 0;
            p->at_ms = now_ms;
        } else { /* withdrawn: never a call */
            m->contacts[attempts[i].person].newest = p->before;
            m->open--;
            refuse(m, attempts[i].person, &verdicts[i], now_ms);
        }
    }
    free(verdicts);
    return 0;
}

static void settle_others(struct memory *m, uint32_t person)
{
    for (uint32_t i = m->scene->people[person].next_number; i != person;
         i = m->scene->people[i].next_number) {
        if (m->contacts[i].state != MEMORY_PENDING &&
            m->contacts[i].state != MEMORY_BLOCKED)
            continue;
        m->contacts[i].state = MEMORY_FINAL;
        m->contacts[i].final = FINAL_OTHER;
    }
}

/* When calls to the number were answered, the newest first. */
static size_t answers_of(const struct memory *m, uint32_t person,
                         int64_t out[RETRY_ANSWERS_MAX])
{
    const struct compliance_facts *facts = &group_of(m, person)->facts;
    size_t n = 0;

    for (uint32_t at = m->contacts[person].newest; at && n < RETRY_ANSWERS_MAX;
         at = m->past[at - 1].before)
        if (m->past[at - 1].outcome == OUTCOME_CONVERSATION)
            out[n++] = m->past[at - 1].at_ms;
    for (size_t i = facts->call_count; i > 0 && n < RETRY_ANSWERS_MAX; i--)
        if (facts->calls[i - 1].outcome == OUTCOME_CONVERSATION &&
            !facts->calls[i - 1].other_number)
            out[n++] = facts->calls[i - 1].at_ms;
    return n;
}

static void settle(const struct memory *m, uint32_t person,
                   const struct sim_ending *ending, struct settlement *out)
{
    const struct scene *s = m->scene;
    int64_t answers_ms[RETRY_ANSWERS_MAX];
    int number = m->contacts[person].attempts; /* this one is counted */
    struct settle_facts facts = {
        .state = ATTEMPT_ENDED,
        .disposition = ending->disposition,
        .attempt_number = number,
        .ended_ms = ending->ended_ms,
        .opted_out = ending->opted_out,
        .callback_ms = ending->callback_ms,
        .seed = retry_seed(s->campaign_id, s->people[person].id, number),
        .answers_ms = answers_ms};

    if (settle_needs_rules(&facts) &&
        retry_wants_answers(&s->doc->retry, ending->disposition))
        facts.answer_count = answers_of(m, person, answers_ms);
    if (facts.answer_count > 0)
        facts.zone = s->zones[group_of(m, person)->zone].clock;
    settle_contact(&facts, &s->doc->retry, out);
}

static void note_call(struct memory *m, uint32_t person, const struct sim_ending *ending)
{
    struct contact *k = &m->contacts[person];
    struct past *p = newest(m, person);

    p->open = false;
    p->outcome = (uint8_t)facts_outcome(disposition_name(ending->disposition));
    k->attempts++;
    k->last = (uint8_t)(ending->disposition + 1);
    if (ending->opted_out_of_all) {
        k->dnc_tenant = true;
        k->dnc_day = (int32_t)(ending->opt_out_ms / DAY_MS);
    } else if (ending->opted_out) {
        k->dnc_campaign = true;
    }
    m->open--;
    if (m->scene->doc->budget.stated)
        budget_add(&m->scene->doc->budget, &m->spent,
                   ending->answered_ms > 0 ? ending->ended_ms - ending->answered_ms : 0);
}

static int end(void *store, const struct sim_attempt *attempt,
               const struct sim_ending *ending)
{
    struct memory *m = store;
    struct contact *k = &m->contacts[attempt->person];
    struct settlement s;

    note_call(m, attempt->person, ending);
    settle(m, attempt->person, ending, &s);
    /* Who was promised a call keeps the place until somebody was talked to. */
    if (s.callback)
        k->priority = CALLBACK_PRIORITY;
    else if (s.next_ms > 0 && k->priority < CALLBACK_PRIORITY)
        k->priority = m->scene->people[attempt->person].base_priority + s.shift;
    if (s.next_ms > 0) {
        wait_until(m, attempt->person, s.next_ms);
        return 0;
    }
    k->state = MEMORY_FINAL;
    k->final = ending->opted_out ? FINAL_OPTED_OUT : FINAL_DISPOSITION;
    if (ending->opted_out || ending->disposition == DISPOSITION_COMPLETED)
        settle_others(m, attempt->person);
    else
        let_next_number(m, attempt->person, ending->ended_ms);
    return 0;
}

const struct sim_store_ops memory_ops = {claim, release, end};

/* ---- the whole ---- */

struct memory *memory_new(const struct scene *scene, bool block,
                          memory_refused_fn *refused, void *arg)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    *m = (struct memory){
        .scene = scene,
        .block = block,
        .refused = refused,
        .arg = arg,
        .contacts = xcalloc(scene->people_count + 1, sizeof(struct contact)),
        .zones = xcalloc(scene->zone_count + 1, sizeof(struct zone_state))};
    for (size_t i = 0; i < scene->people_count; i++) {
        const struct scene_person *p = &scene->people[i];

        m->contacts[i].priority = p->priority;
        m->contacts[i].attempts = (uint16_t)p->attempts;
        wait_until(m, (uint32_t)i, p->due_ms);
    }
    return m;
}

void memory_free(struct memory *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->bucket_count; i++)
        free(m->buckets[i].heap);
    free(m->buckets);
    free(m->ready);
    free(m->contacts);
    free(m->past);
    free(m->zones);
    free(m->calls);
    free(m);
}

static const char *final_text(const struct contact *k)
{
    switch ((enum final_kind)k->final) {
    case FINAL_DISPOSITION:
        return disposition_name((enum disposition)(k->last - 1));
    case FINAL_OPTED_OUT:
        return "opted_out";
    case FINAL_REFUSED:
        return reason_name((enum reason)k->reason);
    case FINAL_OTHER:
        return ATTEMPT_FINAL_OTHER_NUMBER;
    case FINAL_NOT:
        break;
    }
    return "";
}

struct memory_contact memory_contact(const struct memory *m, size_t person)
{
    const struct contact *k = &m->contacts[person];

    return (struct memory_contact){
        .state = (enum memory_state)k->state,
        .final = final_text(k),
        .last_disposition =
            k->last ? disposition_name((enum disposition)(k->last - 1)) : "",
        .blocked = k->state == MEMORY_BLOCKED ? (enum reason)k->reason : REASON_ALLOW,
        .attempts = k->attempts,
        .priority = k->priority,
        .due_ms = k->due_ms};
}
