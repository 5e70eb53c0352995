/*
 * campaign - the campaign document: what to call, with which flow, over which
 * trunk, when, how fast and how often. docs/campaigns.md is its reference.
 *
 * A campaign's document is changed as a whole (campaign_change()), and counts its
 * revisions: a parsed one may be kept with its number. Pure; a struct campaign_doc is
 * read-only after parsing and may be shared by threads.
 */
#ifndef CAMPAIGNS_CAMPAIGN_H
#define CAMPAIGNS_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/budget.h"
#include "campaigns/caller_id_pool.h"
#include "campaigns/campaign_lists.h"
#include "campaigns/canary.h"
#include "campaigns/cohort.h"
#include "campaigns/machine_rule.h"
#include "campaigns/mode.h"
#include "campaigns/quarantine.h"
#include "campaigns/retry.h"
#include "campaigns/schedule.h"

struct policy; /* compliance/policy.h */

enum {
    CAMPAIGN_NAME_MAX = 64,
    CAMPAIGN_CALLER_ID_MAX = 64,
    CAMPAIGN_TRUNKS_MAX = 8,
    CAMPAIGN_TOPIC_MAX = 64,
    CAMPAIGN_TEXT_LIMIT = 1024 * 1024, /* bytes of a document */
};

struct campaign_pacing {
    double cps;         /* calls per second of this campaign; 0: as the trunk allows */
    int max_concurrent; /* open attempts of this campaign; 0: as the trunk allows */
};

struct campaign_trunk {
    char name[128];
    int weight;   /* its share among those of the same priority */
    int priority; /* 0 first; a higher one is used while no lower one can be */
};

enum campaign_each_run {
    CAMPAIGN_RUN_NEW,      /* a planned start calls who is not final yet */
    CAMPAIGN_RUN_EVERYONE, /* it calls everyone on the list again */
};

enum campaign_numbers {
    CAMPAIGN_NUMBERS_IN_TURN,    /* a person's next number is called while the one before
                                    waits for its retry */
    CAMPAIGN_NUMBERS_ONE_BY_ONE, /* once the one before is final */
};

struct campaign_doc {
    char name[CAMPAIGN_NAME_MAX];
    char list[128], flow[128], trunk[128]; /* by name; the first of lists and trunks */
    struct campaign_lists lists;
    struct campaign_trunk trunks[CAMPAIGN_TRUNKS_MAX];
    size_t trunk_count;                     /* at least 1 */
    char caller_id[CAMPAIGN_CALLER_ID_MAX]; /* "" as the trunk has it */
    struct caller_id_rule caller_ids;       /* instead of caller_id */
    struct variant_rules variants;
    struct machine_rule machine;    /* when a machine answers */
    char topic[CAMPAIGN_TOPIC_MAX]; /* what people may leave as one; "" none */
    struct policy *policy;          /* owned; never NULL */
    struct campaign_pacing pacing;
    struct mode_rules mode;
    int ring_timeout_s;
    struct retry_rules retry;
    struct budget budget;
    struct quarantine_rules quarantine;
    struct canary_rule canary;      /* calls before all the others */
    int64_t start_at_ms, end_at_ms; /* business time; 0 not stated */
    bool has_schedule;
    struct schedule schedule;
    enum campaign_each_run each_run;
    enum campaign_numbers numbers; /* of one person */
    bool keep_open; /* waits for callbacks: never done because it is empty */
    int priority;   /* higher first when campaigns share a trunk; 0 usual */
};

/* One thing wrong with a document. */
struct campaign_issue {
    char pointer[160]; /* JSON Pointer */
    int line, column;
    char text[200]; /* what is wrong */
    char hint[160]; /* what to write instead; may be "" */
};

enum { CAMPAIGN_ISSUES_MAX = 32 };

struct campaign_issues {
    size_t n; /* kept */
    size_t found;
    struct campaign_issue at[CAMPAIGN_ISSUES_MAX];
};

/* *out is the caller's to campaign_doc_free(). EINVAL: issues say everything
 * that is wrong, in the order of the text; EMSGSIZE over CAMPAIGN_TEXT_LIMIT. */
NODISCARD int campaign_doc_parse(struct campaign_doc **out, const char *text, size_t len,
                                 struct campaign_issues *issues);
void campaign_doc_free(struct campaign_doc *doc); /* NULL is allowed */

/* The latest instant in (after_ms, now_ms] at which the document plans a start
 * (its cron instants between start and end; without a schedule, its start).
 * ENODATA: none. */
NODISCARD int campaign_doc_due(const struct campaign_doc *doc, int64_t after_ms,
                               int64_t now_ms, int64_t *planned_ms);
/* The next one after now_ms; ENODATA: none. */
NODISCARD int campaign_doc_next_start(const struct campaign_doc *doc, int64_t now_ms,
                                      int64_t *planned_ms);

#endif
