/*
 * trial - the canary of a simulated campaign: how many calls it may place before it is
 * judged, and the judgement, by the campaign's rule (canary.h). Judged as each of its
 * calls ends. Pure; not thread-safe.
 */
#ifndef SIMULATE_TRIAL_H
#define SIMULATE_TRIAL_H

#include <stddef.h>
#include <stdint.h>

#include "campaigns/canary.h"
#include "simulate/scene.h"
#include "simulate/store.h"

struct trial {
    const struct canary_rule *rule;
    enum canary_verdict verdict; /* GOOD where there is none */
    struct canary_count count;
    int64_t judged_ms; /* 0 not, or not in this simulation */
    char why[CANARY_WHY_MAX];
};

void trial_init(struct trial *t, const struct scene *scene);
/* How many more calls may begin; INT64_MAX any number. */
int64_t trial_room(const struct trial *t);
void trial_placed(struct trial *t, size_t calls);
void trial_withdrawn(struct trial *t);
void trial_ended(struct trial *t, const struct sim_ending *ending);

#endif
