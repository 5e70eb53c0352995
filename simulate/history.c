#include "simulate/history.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "compliance/facts_store.h"

enum { CALLS_USUAL = 64, CALLS_FIRST = 4096 };

void history_init(struct history *h, const struct scene *scene)
{
    *h = (struct history){.scene = scene,
                          .newest = xcalloc(scene->people_count + 1, sizeof(*h->newest))};
}

void history_deinit(struct history *h)
{
    free(h->at);
    free(h->newest);
    free(h->calls);
    *h = (struct history){0};
}

void history_add(struct history *h, uint32_t person, int64_t at_ms, uint32_t intent,
                 uint32_t use)
{
    if (h->n == h->size) {
        h->size = h->size ? 2 * h->size : CALLS_FIRST;
        h->at = xrealloc(h->at, h->size * sizeof(*h->at));
    }
    h->at[h->n++] = (struct history_call){.at_ms = at_ms,
                                          .before = h->newest[person],
                                          .intent = intent,
                                          .use = use,
                                          .outcome = (uint8_t)facts_outcome(""),
                                          .open = true};
    h->newest[person] = (uint32_t)h->n;
}

struct history_call *history_newest(struct history *h, uint32_t person)
{
    return &h->at[h->newest[person] - 1];
}

void history_drop_newest(struct history *h, uint32_t person)
{
    h->newest[person] = history_newest(h, person)->before;
}

/* ---- what the gate and the rules are told ---- */

/* Oldest first, as facts have them. */
static void add_call(struct history *h, size_t *n, struct compliance_call call)
{
    if (*n == h->calls_size) {
        h->calls_size = h->calls_size ? 2 * h->calls_size : CALLS_USUAL;
        h->calls = xrealloc(h->calls, h->calls_size * sizeof(*h->calls));
    }
    size_t at = (*n)++;
    for (; at > 0 && h->calls[at - 1].at_ms > call.at_ms; at--)
        h->calls[at] = h->calls[at - 1];
    h->calls[at] = call;
}

static void add_calls(struct history *h, size_t *n, uint32_t person, uint32_t own,
                      bool other)
{
    for (uint32_t at = h->newest[person]; at; at = h->at[at - 1].before) {
        const struct history_call *p = &h->at[at - 1];
        if (own && p->intent && (p->intent >= own))
            continue;
        add_call(h, n,
                 (struct compliance_call){.at_ms = p->at_ms,
                                          .campaign_id = h->scene->campaign_id,
                                          .open = p->open,
                                          .outcome = (enum outcome)p->outcome,
                                          .other_number = other});
    }
}

void history_tell(struct history *h, uint32_t person, uint32_t own,
                  struct compliance_facts *facts)
{
    uint32_t other = h->scene->people[person].next_number;
    size_t n = 0;

    if (!h->newest[person] && other == person)
        return;
    for (size_t i = 0; i < facts->call_count; i++)
        add_call(h, &n, facts->calls[i]);
    add_calls(h, &n, person, own, false);
    for (; other != person; other = h->scene->people[other].next_number)
        add_calls(h, &n, other, own, true);
    facts->calls = h->calls;
    facts->call_count = n;
}

/* Also when nobody was there for them. */
static bool was_answered(enum outcome outcome)
{
    return outcome == OUTCOME_CONVERSATION || outcome == OUTCOME_ABANDONED;
}

size_t history_answers(const struct history *h, uint32_t person,
                       int64_t out[RETRY_ANSWERS_MAX])
{
    const struct compliance_facts *facts =
        &h->scene->groups[h->scene->people[person].group].facts;
    size_t n = 0;

    for (uint32_t at = h->newest[person]; at && n < RETRY_ANSWERS_MAX;
         at = h->at[at - 1].before)
        if (was_answered((enum outcome)h->at[at - 1].outcome))
            out[n++] = h->at[at - 1].at_ms;
    for (size_t i = facts->call_count; i > 0 && n < RETRY_ANSWERS_MAX; i--)
        if (was_answered(facts->calls[i - 1].outcome) &&
            !facts->calls[i - 1].other_number)
            out[n++] = facts->calls[i - 1].at_ms;
    return n;
}
