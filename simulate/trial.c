#include "simulate/trial.h"

enum { SHORT_MS = CANARY_SHORT_S * 1000 };

void trial_init(struct trial *t, const struct scene *scene)
{
    bool over = scene->doc->canary.calls == 0 || scene->canary_over;

    *t = (struct trial){.rule = &scene->doc->canary,
                        .verdict = over ? CANARY_GOOD : CANARY_WAIT};
}

int64_t trial_room(const struct trial *t)
{
    switch (t->verdict) {
    case CANARY_GOOD:
        return INT64_MAX;
    case CANARY_WAIT:
        return canary_room(t->rule, &t->count);
    case CANARY_BAD:
        break;
    }
    return 0;
}

void trial_placed(struct trial *t, size_t calls)
{
    if (t->verdict != CANARY_WAIT)
        return;
    t->count.placed += (int64_t)calls;
    t->count.open += (int64_t)calls;
}

void trial_withdrawn(struct trial *t)
{
    if (t->verdict != CANARY_WAIT)
        return;
    t->count.placed--;
    t->count.open--;
}

/* As canary_store.c counts them. */
static bool has_failed(enum disposition how)
{
    return how == DISPOSITION_BAD_NUMBER || how == DISPOSITION_UNREACHABLE ||
           how == DISPOSITION_CONGESTION || how == DISPOSITION_CONFIG ||
           how == DISPOSITION_FAILED || how == DISPOSITION_UNKNOWN;
}

void trial_ended(struct trial *t, const struct sim_ending *e)
{
    bool answered = e->disposition == DISPOSITION_COMPLETED;

    if (t->verdict != CANARY_WAIT)
        return;
    t->count.open--;
    t->count.answered += answered;
    t->count.failed += has_failed(e->disposition);
    t->count.shorts += answered && e->ended_ms - e->answered_ms < SHORT_MS;
    t->count.faults += answered && e->faulted;
    t->verdict = canary_judge(t->rule, &t->count, t->why);
    if (t->verdict != CANARY_WAIT)
        t->judged_ms = e->ended_ms;
}
