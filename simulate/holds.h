/*
 * holds - the quarantine of a simulated campaign: which of its variants and lists rest,
 * by the campaign's rule (quarantine.h), judged each half minute in which it calls, from
 * the newest calls of the simulation. Nobody releases them in it. Pure; not thread-safe.
 */
#ifndef SIMULATE_HOLDS_H
#define SIMULATE_HOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaigns/quarantine.h"
#include "simulate/scene.h"
#include "simulate/store.h"

enum { HOLDS_MAX = VARIANTS_MAX + CAMPAIGN_LISTS_MAX };

struct hold { /* went into quarantine in the simulation */
    bool list;
    size_t which; /* index into the document's variants, or the scene's lists */
    int64_t at_ms;
    char why[QUARANTINE_WHY_MAX];
};

struct holds_call;

struct holds {
    const struct scene *scene;
    unsigned variants, lists; /* that rest now; bits */
    size_t n;
    struct hold at[HOLDS_MAX];
    /* Of the calls that count: */
    struct variant_count of_variant[VARIANTS_MAX];
    int64_t from_ms[VARIANTS_MAX]; /* what ended before led to a hold */
    struct list_count of_list[CAMPAIGN_LISTS_MAX];
    struct holds_call *calls; /* a ring of QUARANTINE_CALLS; NULL: no rule asks */
    size_t first, count;
    uint32_t ended;   /* calls up to now */
    uint32_t *latest; /* of each person, the last call that told something: its number,
                         from 1 */
    int64_t check_ms; /* not before */
};

void holds_init(struct holds *h, const struct scene *scene);
void holds_deinit(struct holds *h);
void holds_ended(struct holds *h, const struct sim_attempt *a,
                 const struct sim_ending *e);
/* Looks, when it is time; true: a list was put into quarantine. */
bool holds_check(struct holds *h, int64_t now_ms);
bool holds_person(const struct holds *h, uint32_t person); /* its list rests */
/* The variant of this person's next call. */
uint8_t holds_variant(const struct holds *h, uint32_t person);
/* What it is called. */
const char *holds_name(const struct holds *h, const struct hold *hold);

#endif
