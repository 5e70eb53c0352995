/*
 * counts - what happened in a simulation: by the minute, by reason, by outcome, by
 * variant. Pure; not thread-safe.
 */
#ifndef SIMULATE_COUNTS_H
#define SIMULATE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaigns/campaign.h"
#include "campaigns/disposition.h"
#include "compliance/reason.h"
#include "simulate/scene.h"
#include "simulate/store.h"
#include "simulate/talk.h"

enum { RUN_OUTCOMES_MAX = 24, RUN_REASONS_MAX = 64 };

struct run_minute {
    uint32_t calls, answered, machines, refused;
    uint32_t open; /* most at once */
};

struct run_name { /* how often something of that name */
    char name[32];
    int64_t n;
};

/* One more of it, in the order of their first; those that find no room are not counted.
 */
void run_name_count(struct run_name *list, size_t *n, size_t max, const char *name);

struct run_line { /* a trunk */
    int64_t calls, peak;
};

struct run_reason {
    enum reason reason;
    int64_t n;
};

struct run_reasons { /* in the order of severity */
    size_t n;
    struct run_reason at[RUN_REASONS_MAX];
};

/* What became of the people of one variant, as the campaign's report counts it. */
struct run_variant {
    int64_t contacts, calls, answered, shorts, completed, opt_outs;
};

struct run_counts {
    struct run_minute *minutes; /* owned; from first_ms on */
    size_t minute_count;        /* up to the last call's end */
    int64_t first_minute_ms;
    int64_t calls, ends[DISPOSITIONS];
    int64_t answered, machines;             /* by anybody; by a machine */
    int64_t machine_people, people_machine; /* taken for a person; people for a machine */
    int64_t opt_outs, callbacks, recordings, messages, transfers;
    int64_t recognised, understood;  /* recordings: sent to recognition; understood */
    int64_t submitted, commands;     /* to the jobs: recordings; what was keyed in */
    int64_t data[TALK_DATA_RESULTS]; /* requests to tables, by their result */
    int64_t unserved; /* calls that asked for an agent where there are none */
    int64_t talk_ms;
    struct run_name
        outcomes[RUN_OUTCOMES_MAX]; /* of flows, in the order of their first */
    size_t outcome_count;
    struct run_variant variants[VARIANTS_MAX];        /* of the document's */
    struct run_line lines[CAMPAIGN_TRUNKS_MAX];       /* of the scene's trunks */
    struct run_reasons refusals;                      /* verdicts */
    int64_t first_call_ms, last_call_ms, last_end_ms; /* 0 none */
    int64_t peak_open, peak_ms;
    int64_t budget_ms; /* from then on the budget has no room for a call; 0: it has */
};

void run_counts_init(struct run_counts *counts, const struct scene *scene);
void run_counts_free(struct run_counts *counts);

/* A memory_refused_fn; arg: the struct run_counts. */
void run_count_refusal(void *arg, int64_t at_ms, enum reason reason);

/* A call that went out, with how it will have ended; machine: one answered. */
struct run_call {
    int64_t sent_ms;
    const struct sim_ending *end;
    uint8_t variant;
    bool machine, first; /* first: of its contact in this simulation */
};
void run_count_call(struct run_counts *c, const struct run_call *call);
/* Its flow; message: the one for machines, which says nothing of the variant. */
void run_count_talk(struct run_counts *c, uint8_t variant, bool message,
                    const struct talk *t);
void run_count_open(struct run_counts *c, int64_t now_ms, size_t open);

#endif
