/*
 * What the ledger does in SQL stands here on arrays; what it does by pure functions
 * (hopper, zone_open, compliance_check, attempt_refusal_next_ms, settle) is called.
 */
#include "simulate/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/attempt_store_refuse.h"
#include "campaigns/budget.h"
#include "campaigns/call_store.h"
#include "campaigns/quarantine_store.h"
#include "campaigns/settle.h"
#include "compliance/facts_store.h"
#include "simulate/desk.h"
#include "simulate/history.h"
#include "simulate/holds.h"
#include "simulate/lines.h"
#include "simulate/pool.h"
#include "simulate/trial.h"
#include "simulate/waiting.h"

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)
#define OWED_MS (30 * DAY_MS)
enum { ASK_AGAIN_MS = 1000, AGENT_AGAIN_MS = 250 };

enum final_kind {
    FINAL_NOT,
    FINAL_DISPOSITION,
    FINAL_OPTED_OUT,
    FINAL_REFUSED,
    FINAL_OTHER
};

struct contact {
    int64_t due_ms;
    int32_t priority;
    uint16_t attempts, reason;
    uint8_t state, final, last; /* last: disposition + 1 */
    bool dnc_tenant, dnc_campaign;
    int32_t dnc_day;
    int32_t abandoned_s; /* since the beginning, the latest call without an agent, + 1 */
};

struct memory {
    const struct scene *scene;
    bool block;
    memory_refused_fn *refused;
    void *arg;
    struct contact *contacts;
    struct history history;
    struct waiting *waiting;
    struct trial trial;
    struct holds holds;
    bool put_aside;        /* somebody was met of a list in quarantine */
    struct pool *pool;     /* NULL: one number for all calls */
    struct desk *desk;     /* of a campaign with a mode; NULL: always an agent */
    struct desk_book book; /* of the claim at hand */
    struct budget_spent spent;
    int64_t open; /* calls under way */
};

/* ---- who waits ---- */

static const struct scene_group *group_of(const struct memory *m, uint32_t person)
{
    return &m->scene->groups[m->scene->people[person].group];
}

static void wait_until(struct memory *m, uint32_t person, int64_t due_ms)
{
    struct contact *k = &m->contacts[person];

    k->state = MEMORY_PENDING;
    k->due_ms = due_ms;
    waiting_add(m->waiting, person, k->priority, due_ms);
}

/* ---- quarantine ---- */

/* A waiting_aside_fn. Promised calls are kept. */
static bool set_aside(void *arg, uint32_t person)
{
    struct memory *m = arg;
    struct contact *k = &m->contacts[person];

    if (k->priority >= CALLBACK_PRIORITY || !holds_person(&m->holds, person))
        return false;
    k->due_ms = QUARANTINE_HELD_MS;
    m->put_aside = true;
    return true;
}

static void set_all_aside(struct memory *m)
{
    for (size_t i = 0; i < m->scene->people_count; i++)
        if (m->contacts[i].state == MEMORY_PENDING)
            (void)set_aside(m, (uint32_t)i);
}

/* ---- the gate ---- */

/* What the gate is told of agents. */
struct agents_facts {
    bool backed;
    struct compliance_abandon abandon[MODE_ANCHORS];
};

/* own: as history_tell(). agents: of a campaign whose calls are booked, else NULL. */
static void judge(struct memory *m, uint32_t person, uint32_t own, int64_t now_ms,
                  const struct agents_facts *agents, struct verdict *out)
{
    const struct contact *k = &m->contacts[person];
    struct compliance_facts facts = group_of(m, person)->facts;

    history_tell(&m->history, person, own, &facts);
    if (agents) {
        facts.reserved_agent = agents->backed;
        facts.abandon = agents->abandon;
        facts.abandon_count = MODE_ANCHORS;
    } else {
        facts.reserved_agent |= m->scene->doc->mode.kind != MODE_FIXED;
    }
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

        if (k->state != MEMORY_PENDING || k->due_ms < ATTEMPT_HELD_MS ||
            k->due_ms >= QUARANTINE_HELD_MS)
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

/* An agent, for they were left without one lately. */
static bool is_owed(const struct memory *m, uint32_t person, int64_t now_ms)
{
    int64_t of_s = m->contacts[person].abandoned_s;

    return of_s > 0 && of_s - 1 > (now_ms - m->scene->from_ms - OWED_MS) / 1000;
}

static void make_intent(struct memory *m, int64_t now_ms, struct sim_attempt *a,
                        size_t place)
{
    uint32_t use =
        m->pool ? pool_take(m->pool, m->scene->people[a->person].phone, now_ms) : 0;
    int64_t unbacked = 0;

    history_add(&m->history, a->person, now_ms, (uint32_t)place + 1, use);
    if (m->desk)
        a->handle =
            desk_book(m->desk, now_ms, mode_gives_agent(&m->book.room, place, &unbacked),
                      is_owed(m, a->person, now_ms));
}

/* Nobody's intent is written before all were judged. */
static void judge_picked(struct memory *m, int64_t now_ms, struct sim_attempt *out,
                         size_t n, struct sim_claimed *result)
{
    struct verdict v;

    for (size_t i = 0; i < n; i++) {
        struct agents_facts agents = {0};
        int64_t unbacked = 0;

        agents.backed = mode_gives_agent(&m->book.room, result->intents, &unbacked);
        memcpy(agents.abandon, m->book.abandon, sizeof(agents.abandon));
        for (int k = 0; k < MODE_ANCHORS; k++)
            agents.abandon[k].unbacked += unbacked;
        judge(m, out[i].person, 0, now_ms, m->desk ? &agents : NULL, &v);
        if (v.allow)
            out[result->intents++] = out[i];
        else
            refuse(m, out[i].person, &v, now_ms);
    }
    for (size_t i = 0; i < result->intents; i++)
        make_intent(m, now_ms, &out[i], i);
}

/* For how many of max calls there are agents, and numbers to show; at 0, when it is worth
 * asking again. */
static int find_means(struct memory *m, int64_t now_ms, size_t *max, int64_t *again_ms)
{
    int err = m->desk ? desk_look(m->desk, now_ms, *max, &m->book) : 0;

    if (err)
        return err;
    if (m->desk) {
        size_t room = (size_t)m->book.room.backed + (size_t)m->book.room.unbacked;
        *max = room < *max ? room : *max;
        if (room == 0)
            *again_ms = now_ms + AGENT_AGAIN_MS;
    }
    if (m->pool && *max > 0)
        *max = pool_room(m->pool, now_ms, *max, again_ms);
    return 0;
}

/* Before anybody is judged. */
static size_t pick(struct memory *m, int64_t now_ms, size_t max, struct sim_attempt *out,
                   int64_t *next_due_ms)
{
    uint32_t people[LINES_BATCH_MAX];
    size_t n =
        waiting_take(m->waiting, now_ms, max < LINES_BATCH_MAX ? max : LINES_BATCH_MAX,
                     people, next_due_ms);

    for (size_t i = 0; i < n; i++) {
        struct contact *k = &m->contacts[people[i]];

        k->state = MEMORY_CALLING;
        out[i] = (struct sim_attempt){.person = people[i],
                                      .number = k->attempts + 1,
                                      .variant = holds_variant(&m->holds, people[i])};
    }
    return n;
}

static int claim(void *store, int64_t now_ms, size_t max, struct sim_attempt *out,
                 struct sim_claimed *result)
{
    struct memory *m = store;

    *result = (struct sim_claimed){0};
    if (holds_check(&m->holds, now_ms))
        set_all_aside(m);
    int64_t room = budget_left(m);
    if (room == 0) {
        *result = (struct sim_claimed){.next_due_ms = now_ms + ASK_AGAIN_MS,
                                       .budget_spent = true};
        return 0;
    }
    max = room < (int64_t)max ? (size_t)room : max;
    room = trial_room(&m->trial);
    if (room == 0) { /* it waits for its judgement, or the campaign was paused by it */
        result->next_due_ms = m->trial.verdict == CANARY_WAIT ? now_ms + ASK_AGAIN_MS : 0;
        return 0;
    }
    max = room < (int64_t)max ? (size_t)room : max;
    int err = find_means(m, now_ms, &max, &result->next_due_ms);
    if (err || max == 0)
        return err;
    m->put_aside = false;
    size_t n = pick(m, now_ms, max, out, &result->next_due_ms);
    result->looked_at = n;
    if (n > 0 || m->put_aside) /* behind them there may be more */
        result->next_due_ms = now_ms;
    judge_picked(m, now_ms, out, n, result);
    m->open += (int64_t)result->intents;
    trial_placed(&m->trial, result->intents);
    return 0;
}

/* ---- release, end ---- */

static int release(void *store, int64_t now_ms, const struct sim_attempt *attempts,
                   size_t n, bool *go)
{
    struct memory *m = store;
    struct verdict *verdicts = xcalloc(n + 1, sizeof(*verdicts));
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        struct agents_facts agents;

        if (m->desk)
            err = desk_gate(m->desk, attempts[i].handle, now_ms, &agents.backed,
                            agents.abandon);
        judge(m, attempts[i].person, (uint32_t)i + 1, now_ms, m->desk ? &agents : NULL,
              &verdicts[i]);
    }
    for (size_t i = 0; !err && i < n; i++) {
        struct history_call *p = history_newest(&m->history, attempts[i].person);

        go[i] = verdicts[i].allow;
        if (go[i]) {
            p->intent = 0;
            p->at_ms = now_ms;
        } else { /* withdrawn: never a call */
            if (m->pool)
                pool_give_back(m->pool, p->use);
            if (m->desk)
                desk_withdraw(m->desk, attempts[i].handle, now_ms);
            history_drop_newest(&m->history, attempts[i].person);
            trial_withdrawn(&m->trial);
            m->open--;
            refuse(m, attempts[i].person, &verdicts[i], now_ms);
        }
    }
    free(verdicts);
    return err;
}

static void settle_others(struct memory *m, uint32_t person, int64_t at_ms)
{
    for (uint32_t i = m->scene->people[person].next_number; i != person;
         i = m->scene->people[i].next_number) {
        if (m->contacts[i].state != MEMORY_PENDING &&
            m->contacts[i].state != MEMORY_BLOCKED)
            continue;
        m->contacts[i].state = MEMORY_FINAL;
        m->contacts[i].due_ms = at_ms;
        m->contacts[i].final = FINAL_OTHER;
    }
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
        facts.answer_count = history_answers(&m->history, person, answers_ms);
    if (facts.answer_count > 0)
        facts.zone = s->zones[group_of(m, person)->zone].clock;
    settle_contact(&facts, &s->doc->retry, out);
}

/* abandoned: it was answered, and there was no agent. */
static void note_call(struct memory *m, uint32_t person, const struct sim_ending *ending,
                      bool abandoned)
{
    struct contact *k = &m->contacts[person];
    struct history_call *p = history_newest(&m->history, person);
    int64_t talk_ms =
        ending->answered_ms > 0 ? ending->ended_ms - ending->answered_ms : 0;

    if (m->pool)
        pool_ended(m->pool, p->use, ending->disposition, talk_ms);
    p->open = false;
    p->outcome = (uint8_t)facts_outcome(
        abandoned ? "abandoned" : disposition_name(ending->disposition));
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
        budget_add(&m->scene->doc->budget, &m->spent, talk_ms);
}

static int end(void *store, const struct sim_attempt *attempt,
               const struct sim_ending *ending)
{
    struct memory *m = store;
    struct contact *k = &m->contacts[attempt->person];
    struct settlement s;

    int64_t abandoned_ms = 0;
    int err = m->desk
                  ? desk_over(m->desk, attempt->handle, ending->ended_ms, &abandoned_ms)
                  : 0;

    if (err)
        return err;
    if (abandoned_ms)
        k->abandoned_s = (int32_t)((abandoned_ms - m->scene->from_ms) / 1000 + 1);
    trial_ended(&m->trial, ending);
    holds_ended(&m->holds, attempt, ending);
    note_call(m, attempt->person, ending, abandoned_ms > 0);
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
    k->due_ms = ending->ended_ms;
    k->final = ending->opted_out ? FINAL_OPTED_OUT : FINAL_DISPOSITION;
    if (ending->opted_out || ending->disposition == DISPOSITION_COMPLETED)
        settle_others(m, attempt->person, ending->ended_ms);
    else
        let_next_number(m, attempt->person, ending->ended_ms);
    return 0;
}

/* ---- agents ---- */

static int answered(void *store, const struct sim_attempt *attempt,
                    const struct sim_ending *ending)
{
    desk_answered(((struct memory *)store)->desk, attempt->handle, ending->answered_ms);
    return 0;
}

static int machine(void *store, const struct sim_attempt *attempt, bool hears_flow,
                   int64_t now_ms)
{
    desk_machine(((struct memory *)store)->desk, attempt->handle, hears_flow, now_ms);
    return 0;
}

static int take(void *store, const struct sim_attempt *attempt, int64_t now_ms,
                bool *taken)
{
    return desk_take(((struct memory *)store)->desk, attempt->handle, now_ms, taken);
}

static int connected(void *store, const struct sim_attempt *attempt, bool in_time,
                     int64_t now_ms)
{
    return desk_connected(((struct memory *)store)->desk, attempt->handle, in_time,
                          now_ms);
}

static int left(void *store, const struct sim_attempt *attempt, int64_t wrap_up_ms,
                int64_t now_ms)
{
    desk_left(((struct memory *)store)->desk, attempt->handle, wrap_up_ms, now_ms);
    return 0;
}

static const struct sim_agent_ops agent_ops = {answered, machine, take, connected, left};

const struct sim_store_ops memory_ops = {claim, release, end, &agent_ops};

/* ---- the whole ---- */

static bool still_waits(const void *arg, uint32_t person, int64_t due_ms)
{
    const struct memory *m = arg;
    const struct contact *k = &m->contacts[person];

    return k->state == MEMORY_PENDING && k->due_ms == due_ms;
}

struct memory *memory_new(const struct scene *scene, struct desk *desk, bool block,
                          memory_refused_fn *refused, void *arg)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    *m = (struct memory){.scene = scene,
                         .desk = desk && desk_books(desk) ? desk : NULL,
                         .block = block,
                         .refused = refused,
                         .arg = arg,
                         .contacts =
                             xcalloc(scene->people_count + 1, sizeof(struct contact)),
                         .waiting = waiting_new(scene, still_waits, set_aside, m),
                         .spent = scene->spent,
                         .pool = scene->doc->caller_ids.pool[0] ? pool_new(scene) : NULL};
    history_init(&m->history, scene);
    trial_init(&m->trial, scene);
    holds_init(&m->holds, scene);
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
    waiting_free(m->waiting);
    history_deinit(&m->history);
    holds_deinit(&m->holds);
    pool_free(m->pool);
    free(m->contacts);
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

const struct trial *memory_trial(const struct memory *m)
{
    return &m->trial;
}

const struct holds *memory_holds(const struct memory *m)
{
    return &m->holds;
}

const struct pool *memory_pool(const struct memory *m)
{
    return m->pool;
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
