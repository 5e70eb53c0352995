/*
 * report_store - what a campaign has come to, counted by SQL from the rows each
 * time it is asked for; nothing is kept in counters. Feeds `campaign report`,
 * `campaign watch` and the demo's table.
 */
#ifndef CAMPAIGNS_REPORT_STORE_H
#define CAMPAIGNS_REPORT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct pg;

struct report_count {
    char name[48];
    int64_t count;
};

enum { REPORT_ROWS_MAX = 48 };
struct report_group {
    size_t n;
    struct report_count rows[REPORT_ROWS_MAX]; /* most frequent first */
};

struct report {
    /* contacts = pending + calling + the sum of finals; always. */
    int64_t contacts, pending, calling, final;
    struct report_group finals;   /* by how they ended */
    int64_t refused;              /* contacts that some verdict refused at least once */
    struct report_group refusals; /* these contacts by their first reason's name */
    struct report_group waiting;  /* pending contacts by the latest refusal's name */

    /* attempted = answered + the other dispositions + open. */
    int64_t attempted;                /* attempts that count as calls */
    int64_t attempted_contacts;       /* contacts with at least one of them */
    struct report_group dispositions; /* of attempted ones that are over */
    int64_t open;                     /* of attempted ones, still alive */
    int64_t withdrawn;                /* never sent; not in attempted */
    int64_t answered;                 /* by people */
    int64_t machine, message; /* by machines: nothing was left there, a message was */
    int64_t busy, no_answer, failed; /* failed: all other ends */
    int64_t retried;                 /* number above 1 */
    struct report_group outcomes;    /* answered calls by the flow's outcome */
    int64_t opt_outs;                /* DNC entries made by calls of the campaign */

    int64_t recordings;
    struct report_group recording_states;
    int64_t transcribed, understood, batches;
    struct report_group intents;
    int64_t sms, sms_sent, sms_failed; /* messages of its calls */
    struct report_group jobs;          /* of its recordings and messages, "kind state" */

    int64_t live_calls;       /* ringing or answered now */
    int64_t started_last_min; /* attempts released in the last business minute */
    int64_t first_attempt_ms, last_attempt_ms; /* business time, 0 none */
};

/* One read-only transaction, so the figures belong together. */
NODISCARD int report_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                          int64_t now_ms, struct report *out);

#endif
