#include "campaigns/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "campaigns/attempt_store_refuse.h"
#include "campaigns/call_store.h"
#include "campaigns/due_heap.h"
#include "campaigns/zone_open.h"
#include "compliance/facts_store.h"
#include "contacts/tz.h"

enum { STEP_MS = 60000, CALLS_USUAL = 64 };
static const int64_t hour_ms = INT64_C(3600) * 1000;

/* ---- rates ---- */

void forecast_rates_default(struct forecast_rates *out)
{
    *out = (struct forecast_rates){.talk_s = 60,
                                   .ring_s = 12,
                                   .share = {[DISPOSITION_COMPLETED] = 0.35,
                                             [DISPOSITION_NO_ANSWER] = 0.45,
                                             [DISPOSITION_BUSY] = 0.12,
                                             [DISPOSITION_REJECTED] = 0.03,
                                             [DISPOSITION_BAD_NUMBER] = 0.05}};
}

void forecast_rates_set_answered(struct forecast_rates *r, double share)
{
    double others = 1 - r->share[DISPOSITION_COMPLETED];

    for (int d = 0; d < DISPOSITIONS; d++)
        if (d != DISPOSITION_COMPLETED && others > 0)
            r->share[d] *= (1 - share) / others;
    if (others <= 0)
        r->share[DISPOSITION_NO_ANSWER] = 1 - share;
    r->share[DISPOSITION_COMPLETED] = share;
}

/* ---- the run ---- */

/* A call that the forecast placed, and those before it: shared by all who had them. */
struct past {
    int64_t at_ms;
    enum outcome outcome;
    const struct past *before;
};

struct cohort {
    int64_t due_ms, count;
    const struct forecast_group *group;
    int attempts, priority;
    const struct past *past;
};

struct zone {
    bool open;
    int64_t until_ms; /* closes or opens then; 0 not within sixty days */
    int64_t left;
    int64_t due_by_hour; /* due up to the end of the hour last entered */
};

enum { PAST_BLOCK = 1024 };
struct past_block {
    struct past_block *next;
    size_t n;
    struct past at[PAST_BLOCK];
};

struct run {
    const struct forecast_input *in;
    struct forecast *out;
    int64_t now_ms, first_hour_ms;
    double budget; /* calls that may still be placed in this step */
    double placed; /* in this step */
    double carry[DISPOSITIONS];
    struct zone *zones;
    struct cohort *cohorts; /* every one that ever waited; of two due at once the older
                               goes first */
    size_t cohort_count, cohort_size;
    struct due_heaps waiting;
    int64_t *due; /* [zone * stride + hour]: contacts that become due in it */
    struct past_block *past;
    struct forecast_pool_run pool;
};

/* ---- counting ---- */

static void count_reason(struct forecast_reasons *list, enum reason reason, int64_t n)
{
    size_t i = 0;

    while (i < list->n && reason_rank(list->at[i].reason) < reason_rank(reason))
        i++;
    if (i < list->n && list->at[i].reason == reason) {
        list->at[i].contacts += n;
        return;
    }
    if (list->n == FORECAST_REASONS_MAX)
        return;
    memmove(&list->at[i + 1], &list->at[i], (list->n - i) * sizeof(list->at[0]));
    list->at[i] = (struct forecast_reason){reason, n};
    list->n++;
}

static void leave(struct run *r, size_t zone, int64_t n)
{
    r->out->left -= n;
    r->zones[zone].left -= n;
}

static size_t hour_of(const struct run *r, int64_t at_ms)
{
    return at_ms <= r->first_hour_ms ? 0 : (size_t)((at_ms - r->first_hour_ms) / hour_ms);
}

/* Adds n contacts to those that become due at due_ms; a negative n takes them off. */
static void count_due(struct run *r, size_t zone, int64_t due_ms, int64_t n)
{
    size_t hour = hour_of(r, due_ms);

    if (hour < r->out->hour_stride)
        r->due[zone * r->out->hour_stride + hour] += n;
    if (hour < r->out->hour_count) /* entered: it counts at once */
        r->zones[zone].due_by_hour += n;
}

static void push(struct run *r, struct cohort c)
{
    struct due_heap *h = due_heaps_get(&r->waiting, (uint32_t)c.group->zone, c.priority);

    if (r->cohort_count == r->cohort_size) {
        r->cohort_size = r->cohort_size ? 2 * r->cohort_size : 256;
        r->cohorts = xrealloc(r->cohorts, r->cohort_size * sizeof(*r->cohorts));
    }
    count_due(r, h->zone, c.due_ms, c.count);
    due_heap_push(h, (struct due_entry){c.due_ms, (uint32_t)r->cohort_count});
    r->cohorts[r->cohort_count++] = c;
}

/* ---- verdicts ---- */

static void judge(const struct cohort *c, const struct policy *policy, int64_t now_ms,
                  struct verdict *out)
{
    struct compliance_facts facts = c->group->facts;
    struct compliance_call few[CALLS_USUAL], *calls = few;
    size_t n = 0;

    for (const struct past *p = c->past; p; p = p->before)
        n++;
    if (n > 0) {
        if (facts.call_count + n > CALLS_USUAL)
            calls = xcalloc(facts.call_count + n, sizeof(*calls));
        if (facts.call_count > 0)
            memcpy(calls, facts.calls, facts.call_count * sizeof(*calls));
        size_t at = facts.call_count + n;
        for (const struct past *p = c->past; p; p = p->before)
            calls[--at] = (struct compliance_call){.at_ms = p->at_ms,
                                                   .campaign_id = facts.campaign_id,
                                                   .outcome = p->outcome};
        facts.calls = calls;
        facts.call_count += n;
    }
    /* How many agents there will be is not foreseen: each call finds one. */
    facts.reserved_agent = policy && policy->dial == DIAL_PREDICTIVE;
    compliance_check(policy, &facts, now_ms, out);
    if (calls != few)
        free(calls);
}

/* What a refusal does to them, as the ledger does it. */
static void refuse(struct run *r, struct cohort *c, const struct verdict *v)
{
    int64_t next_ms = attempt_refusal_next_ms(v, r->now_ms);

    if (next_ms == 0) {
        count_reason(&r->out->never, v->reason, c->count);
        leave(r, c->group->zone, c->count);
    } else if (reason_class(v->reason) == REASON_DATA ||
               reason_class(v->reason) == REASON_CAP) {
        count_reason(&r->out->blocked, v->reason, c->count);
        leave(r, c->group->zone, c->count);
    } else {
        c->due_ms = next_ms > c->due_ms ? next_ms : c->due_ms;
        push(r, *c);
    }
}

static void judge_all(struct run *r)
{
    for (size_t i = 0; i < r->in->group_count; i++) {
        const struct forecast_group *g = &r->in->groups[i];
        struct cohort c = {.due_ms = g->due_ms > r->now_ms ? g->due_ms : r->now_ms,
                           .count = g->count,
                           .group = g,
                           .priority = g->priority,
                           .attempts = g->attempts};
        struct verdict v;

        r->out->contacts += g->count;
        r->out->zone_contacts[g->zone] += g->count;
        r->out->left += g->count;
        r->zones[g->zone].left += g->count;
        judge(&c, r->in->policy, r->now_ms, &v);
        if (v.allow) {
            r->out->allowed_now += g->count;
            push(r, c);
        } else {
            count_reason(&r->out->now, v.reason, g->count);
            refuse(r, &c, &v);
        }
    }
}

/* ---- calls ---- */

static const struct past *remember(struct run *r, int64_t at_ms, enum disposition d,
                                   const struct past *before)
{
    if (!r->past || r->past->n == PAST_BLOCK) {
        struct past_block *b = xcalloc(1, sizeof(*b));
        b->next = r->past;
        r->past = b;
    }
    struct past *p = &r->past->at[r->past->n++];
    *p = (struct past){at_ms, facts_outcome(disposition_name(d)), before};
    return p;
}

/* n calls spread over the dispositions by their shares; what is left over from one time
 * counts the next, so that single calls come out right as well. */
static void spread(struct run *r, int64_t n, int64_t out[DISPOSITIONS])
{
    int64_t given = 0;

    for (int d = 0; d < DISPOSITIONS; d++) {
        r->carry[d] += (double)n * r->in->rates.share[d];
        out[d] = r->carry[d] >= 1 ? (int64_t)r->carry[d] : 0;
        given += out[d];
    }
    for (; given > n; given--) {
        int most = 0;
        for (int d = 1; d < DISPOSITIONS; d++)
            most = out[d] > out[most] ? d : most;
        out[most]--;
    }
    for (; given < n; given++) {
        int most = 0;
        for (int d = 1; d < DISPOSITIONS; d++)
            if (r->carry[d] - (double)out[d] > r->carry[most] - (double)out[most])
                most = d;
        out[most]++;
    }
    for (int d = 0; d < DISPOSITIONS; d++)
        r->carry[d] -= (double)out[d];
}

static double hold_s(const struct forecast_input *in, enum disposition d)
{
    if (d == DISPOSITION_COMPLETED)
        return in->rates.ring_s + in->rates.talk_s;
    return d == DISPOSITION_NO_ANSWER ? in->ring_timeout_s : in->rates.ring_s;
}

/* Newest first; how many. */
static size_t answers_of(const struct cohort *c, const struct past *past,
                         int64_t out[RETRY_ANSWERS_MAX])
{
    const struct compliance_facts *facts = &c->group->facts;
    size_t n = 0;

    for (const struct past *p = past; p && n < RETRY_ANSWERS_MAX; p = p->before)
        if (p->outcome == OUTCOME_CONVERSATION)
            out[n++] = p->at_ms;
    for (size_t i = facts->call_count; i > 0 && n < RETRY_ANSWERS_MAX; i--)
        if (facts->calls[i - 1].outcome == OUTCOME_CONVERSATION &&
            !facts->calls[i - 1].other_number)
            out[n++] = facts->calls[i - 1].at_ms;
    return n;
}

/* Of a delay with jitter everybody gets the middle. */
static void end_calls(struct run *r, const struct cohort *c, int64_t n, int64_t at_ms,
                      enum disposition d)
{
    const struct compliance_facts *facts = &c->group->facts;
    const struct past *past = remember(r, at_ms, d, c->past);
    int64_t answers_ms[RETRY_ANSWERS_MAX];
    struct retry_plan plan;
    struct retry_ended ended = {.how = d,
                                .attempt_number = c->attempts + 1,
                                .at_ms = at_ms + (int64_t)(hold_s(r->in, d) * 1000),
                                .answers_ms = answers_ms};

    r->out->ends[d] += n;
    for (int64_t i = 0; i < n && r->in->budget.stated; i++)
        budget_add(&r->in->budget, &r->out->spent,
                   d == DISPOSITION_COMPLETED ? (int64_t)(r->in->rates.talk_s * 1000)
                                              : 0);
    if (retry_wants_answers(r->in->retry, d)) {
        ended.answer_count = answers_of(c, past, answers_ms);
        if (facts->zone_count == 0 || tz_find(facts->zones[0], &ended.zone))
            ended.zone = NULL;
    }
    retry_plan(r->in->retry, &ended, &plan);
    if (plan.outcome == RETRY_FINAL) {
        r->out->finals[d] += n;
        leave(r, c->group->zone, n);
        return;
    }
    bool promised = c->priority >= CALLBACK_PRIORITY;
    push(r, (struct cohort){.due_ms = plan.at_ms,
                            .count = n,
                            .group = c->group,
                            .attempts = c->attempts + 1,
                            .priority = promised ? c->priority
                                                 : c->group->base_priority + plan.shift,
                            .past = past});
}

static void count_reached(struct run *r, const struct cohort *c, int64_t n, int64_t at_ms)
{
    struct forecast *f = r->out;

    if (c->past)
        return;
    f->reached += n;
    int64_t lost = 0;
    for (size_t i = 0; i < f->never.n; i++)
        lost += f->never.at[i].contacts;
    for (size_t i = 0; i < f->blocked.n; i++)
        lost += f->blocked.at[i].contacts;
    int64_t can = f->contacts - lost;
    if (!f->half_ms && f->reached * 2 >= can)
        f->half_ms = at_ms;
    if (!f->most_ms && f->reached * 10 >= can * 9)
        f->most_ms = at_ms;
}

static void place(struct run *r, const struct cohort *c, int64_t n)
{
    int64_t ends[DISPOSITIONS];
    int64_t at_ms = r->now_ms + (int64_t)(r->placed / r->out->per_second * 1000);
    struct forecast_hour *hour = &r->out->hours[hour_of(r, r->now_ms)];

    r->placed += (double)n;
    r->budget -= (double)n;
    forecast_pool_take(&r->pool, n);
    if (!r->out->first_ms)
        r->out->first_ms = at_ms;
    r->out->last_ms = r->now_ms + (int64_t)((r->placed - 1) / r->out->per_second * 1000);
    r->out->calls += n;
    hour->calls += n;
    count_reached(r, c, n, r->out->last_ms);
    spread(r, n, ends);
    hour->answered += ends[DISPOSITION_COMPLETED];
    for (int d = 0; d < DISPOSITIONS; d++)
        if (ends[d] > 0)
            end_calls(r, c, ends[d], at_ms, (enum disposition)d);
}

/* How many of n calls the campaign's budget has room for. */
static int64_t afford(struct run *r, int64_t n)
{
    int64_t room = budget_room(&r->in->budget, &r->out->spent);

    if (room == 0 && !r->out->budget_ms)
        r->out->budget_ms = r->now_ms;
    return n < room ? n : room;
}

/* Nor more than the caller-ids may show. */
static int64_t room_of(struct run *r)
{
    int64_t room = forecast_pool_room(&r->pool, r->now_ms);

    if (room == 0 && !r->out->pool_ms)
        r->out->pool_ms = r->now_ms;
    return room;
}

static void dial_bucket(struct run *r, size_t index)
{
    while (r->budget >= 1 && room_of(r) > 0 && afford(r, 1) > 0 &&
           r->waiting.at[index].n > 0 && r->waiting.at[index].at[0].due_ms <= r->now_ms) {
        struct cohort c = r->cohorts[due_heap_pop(&r->waiting.at[index]).id];
        struct verdict v;

        count_due(r, c.group->zone, c.due_ms, -c.count);
        judge(&c, r->in->policy, r->now_ms, &v);
        if (!v.allow) {
            refuse(r, &c, &v);
            continue;
        }
        int64_t n = (double)c.count <= r->budget ? c.count : (int64_t)r->budget;
        n = afford(r, n);
        n = n < room_of(r) ? n : room_of(r);
        place(r, &c, n);
        c.count -= n;
        if (c.count > 0)
            push(r, c);
    }
}

/* ---- time ---- */

static void look_at_zones(struct run *r)
{
    for (size_t i = 0; i < r->in->zone_count; i++) {
        const struct forecast_zone *z = &r->in->zones[i];
        struct zone *s = &r->zones[i];

        if (s->until_ms > r->now_ms)
            continue;
        s->open =
            zone_is_open(r->in->policy, z->region, z->names, z->name_count,
                         r->in->holidays, r->in->holiday_count, r->now_ms, &s->until_ms);
        if (s->until_ms <= r->now_ms) /* never changes: ask again in a day */
            s->until_ms = r->now_ms + 24 * hour_ms;
    }
}

struct ready {
    size_t index;
    int priority;
    int64_t until_ms, due_ms;
};

static int ready_order(const void *pa, const void *pb)
{
    const struct ready *a = pa, *b = pb;

    if (a->priority != b->priority)
        return a->priority < b->priority ? 1 : -1;
    if (a->until_ms != b->until_ms)
        return a->until_ms < b->until_ms ? -1 : 1;
    return (a->due_ms > b->due_ms) - (a->due_ms < b->due_ms);
}

/* Those that are due in open zones, in the hopper's order. When there are none,
 * *wake_ms is when that changes; 0 never. */
static size_t find_ready(const struct run *r, struct ready *out, int64_t *wake_ms)
{
    size_t n = 0;

    *wake_ms = 0;
    for (size_t i = 0; i < r->waiting.n; i++) {
        const struct due_heap *h = &r->waiting.at[i];
        const struct zone *z = &r->zones[h->zone];

        if (h->n == 0)
            continue;
        int64_t due_ms = h->at[0].due_ms;
        if (z->open && due_ms <= r->now_ms) {
            out[n++] = (struct ready){i, h->priority, z->until_ms, due_ms};
            continue;
        }
        int64_t at_ms = z->open && due_ms < z->until_ms ? due_ms : z->until_ms;
        if (*wake_ms == 0 || at_ms < *wake_ms)
            *wake_ms = at_ms;
    }
    qsort(out, n, sizeof(*out), ready_order);
    return n;
}

/* A zone whose window is open at some instant of the hour. */
static bool opens_within(const struct run *r, size_t zone, int64_t from_ms)
{
    const struct forecast_zone *z = &r->in->zones[zone];
    int64_t until_ms = 0;

    if (!policy_has_region(r->in->policy, z->region))
        return false;
    return zone_is_open(r->in->policy, z->region, z->names, z->name_count,
                        r->in->holidays, r->in->holiday_count, from_ms, &until_ms) ||
           (until_ms > 0 && until_ms < from_ms + hour_ms);
}

static void enter_hour(struct run *r)
{
    struct forecast *f = r->out;
    size_t h = f->hour_count++;
    struct forecast_hour *hour = &f->hours[h];

    hour->at_ms = r->first_hour_ms + (int64_t)h * hour_ms;
    int64_t look_ms = h == 0 ? r->in->from_ms : hour->at_ms;
    for (size_t i = 0; i < r->in->zone_count; i++) {
        r->zones[i].due_by_hour += r->due[i * f->hour_stride + h];
        if (r->zones[i].left == 0 || !opens_within(r, i, look_ms))
            continue;
        f->dialable[i * f->hour_stride + h] = r->zones[i].due_by_hour;
        hour->open += r->zones[i].left;
        hour->dialable += r->zones[i].due_by_hour;
    }
    hour->left = f->left;
}

static void set_now(struct run *r, int64_t now_ms)
{
    size_t last = hour_of(r, now_ms);

    r->now_ms = now_ms;
    while (r->out->hour_count <= last && r->out->hour_count < r->out->hour_stride)
        enter_hour(r);
    look_at_zones(r);
}

/* A minute, cut where a window opens or closes, and at the hour. */
static int64_t step_end(const struct run *r)
{
    int64_t end_ms = r->now_ms + STEP_MS;
    int64_t hour_end_ms =
        r->first_hour_ms + (int64_t)(hour_of(r, r->now_ms) + 1) * hour_ms;

    end_ms = hour_end_ms < end_ms ? hour_end_ms : end_ms;
    end_ms = r->in->to_ms < end_ms ? r->in->to_ms : end_ms;
    for (size_t i = 0; i < r->in->zone_count; i++)
        if (r->zones[i].until_ms < end_ms)
            end_ms = r->zones[i].until_ms;
    return end_ms;
}

static void run_all(struct run *r)
{
    CLEANUP(free_cleanup) struct ready *ready = NULL;
    double left_over = 0; /* of a call, from the step before */

    while (r->now_ms < r->in->to_ms && r->out->left > 0 && afford(r, 1) > 0) {
        int64_t wake_ms = 0;

        /* Retries that go to the front or to the back wait in heaps of their own. */
        ready = xrealloc(ready, (r->waiting.n + 1) * sizeof(*ready));
        size_t n = find_ready(r, ready, &wake_ms);
        if (n > 0 && room_of(r) == 0) {
            wake_ms = forecast_pool_wake(&r->pool);
            n = 0;
        }
        if (n == 0 && (wake_ms == 0 || wake_ms >= r->in->to_ms))
            break;
        if (n == 0) {
            left_over = 0;
            set_now(r, wake_ms);
            continue;
        }
        int64_t end_ms = step_end(r);
        r->placed = 0;
        r->budget = left_over + r->out->per_second * (double)(end_ms - r->now_ms) / 1000;
        for (size_t i = 0; i < n && r->budget >= 1; i++)
            dial_bucket(r, ready[i].index);
        left_over = r->budget < 1 ? r->budget : 0;
        r->out->hours[hour_of(r, r->now_ms)].left = r->out->left;
        if (r->out->left == 0)
            r->out->done_ms = r->out->last_ms ? r->out->last_ms : r->now_ms;
        set_now(r, end_ms);
    }
}

/* Calls a second that rate and channels allow together. */
static void set_pace(const struct forecast_input *in, struct forecast *out)
{
    double hold = 0;

    for (int d = 0; d < DISPOSITIONS; d++)
        hold += in->rates.share[d] * hold_s(in, (enum disposition)d);
    double by_channels = in->channels > 0 && hold > 0 ? in->channels / hold : 0;
    out->paced_by_channels = by_channels > 0 && (in->cps <= 0 || by_channels < in->cps);
    out->per_second = out->paced_by_channels ? by_channels : in->cps;
    if (out->per_second <= 0) /* no limit stated: what one dialer does */
        out->per_second = FORECAST_CPS_UNLIMITED;
}

static void free_run(struct run *r)
{
    due_heaps_deinit(&r->waiting);
    for (struct past_block *b = r->past, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(r->cohorts);
    free(r->zones);
    free(r->due);
}

void forecast_run(const struct forecast_input *in, struct forecast *out)
{
    struct run r = {.in = in,
                    .out = out,
                    .now_ms = in->from_ms,
                    .first_hour_ms = in->from_ms - in->from_ms % hour_ms};

    *out = (struct forecast){.spent = in->spent};
    set_pace(in, out);
    out->hour_stride = (size_t)((in->to_ms - r.first_hour_ms) / hour_ms) + 2;
    out->hours = xcalloc(out->hour_stride, sizeof(*out->hours));
    out->dialable =
        xcalloc(out->hour_stride * (in->zone_count + 1), sizeof(*out->dialable));
    out->zone_contacts = xcalloc(in->zone_count + 1, sizeof(*out->zone_contacts));
    r.due = xcalloc(out->hour_stride * (in->zone_count + 1), sizeof(*r.due));
    r.zones = xcalloc(in->zone_count + 1, sizeof(*r.zones));
    forecast_pool_begin(&r.pool, &in->pool, in->from_ms);
    judge_all(&r);
    set_now(&r, in->from_ms);
    run_all(&r);
    if (out->left == 0 && out->done_ms == 0)
        out->done_ms = in->from_ms;
    free_run(&r);
}

void forecast_free(struct forecast *f)
{
    free(f->hours);
    free(f->dialable);
    free(f->zone_contacts);
    *f = (struct forecast){0};
}
