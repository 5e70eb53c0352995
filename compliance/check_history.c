/*
 * Earlier calls: how often, how long not again, and what is under way. A rule of history
 * ends once and for all when nothing new happens, so each has one instant from which it
 * holds; a call in the future (a clock was set back) counts like one of now.
 */
#include <string.h>

#include "compliance/look.h"

static bool in_scope(const struct look *l, const struct compliance_call *c,
                     enum rule_scope scope)
{
    switch (scope) {
    case SCOPE_NUMBER:
        return !c->other_number;
    case SCOPE_PERSON:
        return true;
    case SCOPE_PERSON_DEBT:
        return !c->other_debt;
    case SCOPE_SUBJECT:
        return !c->other_subject;
    case SCOPE_CAMPAIGN:
        return !c->other_number && c->campaign_id == l->f->campaign_id;
    case SCOPES:
        break;
    }
    return true;
}

/* The instant at which it is days after that of a call in every zone. */
static int64_t days_after(const struct look *l, const struct compliance_call *c,
                          int64_t days)
{
    int64_t last_ms = INT64_MIN;

    if (l->windows.zone_count == 0)
        return (c->at_ms / DAY_MS + days) * DAY_MS; /* UTC's dates */
    for (size_t i = 0; i < l->windows.zone_count; i++) {
        const struct windows_zone *zone = &l->windows.zones[i];
        int64_t t =
            windows_zone_day_begins(zone, windows_zone_day(zone, c->at_ms) + days);
        last_ms = t > last_ms ? t : last_ms;
    }
    return last_ms;
}

/* From when on fewer than max calls count; INT64_MIN: already, INT64_MAX: never. */
static int64_t frequency_ends_ms(const struct look *l, const struct frequency_rule *r)
{
    int left = r->max;

    if (r->max == 0)
        return INT64_MAX;
    for (size_t i = l->f->call_count; i-- > 0;) {
        const struct compliance_call *c = &l->f->calls[i];
        if (!in_scope(l, c, r->scope) || (r->exclude & (1U << c->outcome)) || --left > 0)
            continue;
        if (r->span == 0)
            return INT64_MAX;
        return r->calendar ? days_after(l, c, r->span) : c->at_ms + r->span * SECOND_MS;
    }
    return INT64_MIN;
}

static int64_t cooldown_ends_ms(const struct look *l, const struct cooldown_rule *r)
{
    if (r->unless_agent && l->f->reserved_agent)
        return INT64_MIN;
    for (size_t i = l->f->call_count; i-- > 0;) {
        const struct compliance_call *c = &l->f->calls[i];
        uint32_t came_to = 1U << c->outcome | (c->said_no ? 1U << OUTCOME_REFUSED : 0);
        if (!in_scope(l, c, r->scope) || (r->after && !(r->after & came_to)))
            continue;
        if (!r->calendar)
            return c->at_ms + r->span * SECOND_MS;
        return days_after(l, c, r->span + (r->first_day_counts ? 0 : 1));
    }
    return INT64_MIN;
}

/* ---- every rule there is ---- */

typedef void(rule_fn)(const struct look *l, void *arg, const char *rule,
                      const struct pack *pack, const struct pack_row *row,
                      enum reason code, int64_t ends_ms);

static void each_of_policy(const struct look *l, rule_fn *each, void *arg)
{
    const struct policy *p = l->p;
    const struct frequency_rule simple[] = {
        {.code = REASON_FREQ_24H, .span = 86400, .max = p->max_24h},
        {.code = REASON_FREQ_7D, .span = 7 * 86400, .max = p->max_7d},
        {.code = REASON_FREQ_LIFETIME, .max = p->max_total, .scope = SCOPE_CAMPAIGN},
    };
    const struct cooldown_rule gap = {.code = REASON_COOLDOWN_RETRY,
                                      .span = p->min_gap_s};

    for (size_t i = 0; i < ARRAY_LEN(simple); i++)
        if (simple[i].max > 0) /* the policy's 0 is no limit */
            each(l, arg, "limits", NULL, NULL, simple[i].code,
                 frequency_ends_ms(l, &simple[i]));
    if (p->min_gap_s > 0)
        each(l, arg, "gap", NULL, NULL, gap.code, cooldown_ends_ms(l, &gap));
    for (size_t i = 0; i < p->frequency_count; i++)
        each(l, arg, "frequency", NULL, NULL, p->frequency[i].code,
             frequency_ends_ms(l, &p->frequency[i]));
    for (size_t i = 0; i < p->cooldown_count; i++)
        each(l, arg, "cooldown", NULL, NULL, p->cooldowns[i].code,
             cooldown_ends_ms(l, &p->cooldowns[i]));
    if (p->not_before_ms > 0)
        each(l, arg, "not_before", NULL, NULL, REASON_NOT_BEFORE, p->not_before_ms);
}

static void each_rule(const struct look *l, rule_fn *each, void *arg)
{
    each_of_policy(l, each, arg);
    for (size_t i = 0; i < l->pack_count; i++) {
        const struct pack *pack = l->packs[i];
        for (size_t k = 0; k < pack->row_count; k++) {
            const struct pack_row *row = &pack->rows[k];
            if ((row->kind != PACK_FREQUENCY && row->kind != PACK_COOLDOWN) ||
                !look_row_holds(l, row))
                continue;
            bool frequency = row->kind == PACK_FREQUENCY;
            each(l, arg, frequency ? "frequency" : "cooldown", pack, row,
                 frequency ? row->frequency.code : row->cooldown.code,
                 frequency ? frequency_ends_ms(l, &row->frequency)
                           : cooldown_ends_ms(l, &row->cooldown));
        }
    }
}

static void answer(const struct look *l, void *arg, const char *rule,
                   const struct pack *pack, const struct pack_row *row, enum reason code,
                   int64_t ends_ms)
{
    look_answer(arg, rule, pack, row, l->now_ms < ends_ms ? code : REASON_ALLOW);
}

void look_at_history(struct look *l)
{
    each_rule(l, answer, l);
    for (size_t i = 0; i < l->f->call_count; i++)
        if (l->f->calls[i].open)
            look_answer(l, "in_flight", NULL, NULL,
                        l->f->calls[i].other_number ? REASON_PARTY_IN_FLIGHT
                                                    : REASON_IN_FLIGHT);
}

static void latest(const struct look *l, void *arg, const char *rule,
                   const struct pack *pack, const struct pack_row *row, enum reason code,
                   int64_t ends_ms)
{
    int64_t *ms = arg;

    (void)l, (void)rule, (void)pack, (void)row, (void)code;
    if (ends_ms > *ms)
        *ms = ends_ms;
}

int64_t look_history_ends_ms(const struct look *l)
{
    int64_t ms = INT64_MIN;

    each_rule(l, latest, &ms);
    return ms;
}
