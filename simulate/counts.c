#include "simulate/counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

#define MINUTE_MS INT64_C(60000)
enum { SHORT_MS = CALLER_ID_SHORT_S * 1000 };

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

void run_name_count(struct run_name *list, size_t *n, size_t max, const char *name)
{
    size_t i = 0;

    while (i < *n && strcmp(list[i].name, name) != 0)
        i++;
    if (i == max)
        return;
    if (i == *n) {
        str_cut(list[i].name, sizeof(list[i].name), name);
        ++*n;
    }
    list[i].n++;
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

void run_count_call(struct run_counts *c, const struct run_call *call)
{
    const struct sim_ending *e = call->end;
    struct run_variant *v = &c->variants[call->variant];

    c->calls++;
    c->ends[e->disposition]++;
    v->contacts += call->first;
    v->calls++;
    if (!c->first_call_ms || call->sent_ms < c->first_call_ms)
        c->first_call_ms = call->sent_ms;
    if (call->sent_ms > c->last_call_ms)
        c->last_call_ms = call->sent_ms;
    minute_at(c, call->sent_ms)->calls++;
    if (e->answered_ms == 0)
        return;
    c->answered++;
    if (e->disposition == DISPOSITION_COMPLETED) { /* else it was heard to be a machine */
        v->answered++;
        v->shorts += e->ended_ms - e->answered_ms < SHORT_MS;
    }
    c->talk_ms += e->ended_ms - e->answered_ms;
    c->machines += call->machine;
    minute_at(c, e->answered_ms)->answered++;
    minute_at(c, e->answered_ms)->machines += call->machine;
}

void run_count_talk(struct run_counts *c, uint8_t variant, bool message,
                    const struct talk *t)
{
    struct run_variant *v = &c->variants[variant];

    c->opt_outs += t->opted_out;
    c->callbacks += t->callback_ms > 0;
    c->recordings += t->recordings;
    c->recognised += t->recognised;
    c->understood += t->understood;
    c->messages += t->messages;
    c->transfers += t->transfers;
    c->unserved += t->unserved > 0;
    c->submitted += t->submitted;
    c->commands += t->commands;
    for (size_t i = 0; i < TALK_DATA_RESULTS; i++)
        c->data[i] += t->data[i];
    v->completed += !message && str_is(t->outcome, "completed");
    v->opt_outs += str_is(t->outcome, "opted_out");
    run_name_count(c->outcomes, &c->outcome_count, RUN_OUTCOMES_MAX, t->outcome);
}

void run_count_open(struct run_counts *c, int64_t now_ms, size_t open)
{
    struct run_minute *minute = minute_at(c, now_ms);

    if (open > minute->open)
        minute->open = (uint32_t)open;
    if ((int64_t)open > c->peak_open) {
        c->peak_open = (int64_t)open;
        c->peak_ms = now_ms;
    }
}
