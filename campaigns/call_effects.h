/*
 * call_effects - what a step of the flow engine means for the database: its events, and
 * the rows that its effects stand for, as call_commit_step() takes them. Pure.
 */
#ifndef CAMPAIGNS_CALL_EFFECTS_H
#define CAMPAIGNS_CALL_EFFECTS_H

#include "campaigns/call_store.h"
#include "campaigns/table.h"
#include "ivr/ivr.h"

struct call_effects {
    /* Given: */
    const char *call;             /* the call's id */
    const char *recording;        /* name of the one that this step begins, if it does */
    const char *source;           /* of recordings: ari, simulated, a kind of provider */
    const char *location;         /* where it will be found; "" not known yet */
    bool inbound;                 /* then a callback needs: */
    int64_t callback_campaign_id; /* 0: none would call back */
    /* NULL: texts are borrowed from the step; else each is what this returns. */
    const char *(*keep)(void *arg, const char *text);
    void *arg;
    /* A warning of the host's, for the step's events; what is wrong with an effect
     * overwrites it. */
    char note_code[32], note_detail[96];

    /* Filled in, for the step to point into: */
    struct call_event *events;
    struct call_sms *sms;
    struct call_submit *submits;
    struct call_recording row;
    struct ivr_data data;
    struct table_result data_result; /* by call_commit_step() */
};

/* Adds to *step, whose ids, time and state the caller fills in, what the engine put out.
 */
void call_effects_fill(struct call_effects *e, const struct ivr_out *out,
                       struct call_step *step);
void call_effects_free(struct call_effects *e); /* for CLEANUP too */

#endif
