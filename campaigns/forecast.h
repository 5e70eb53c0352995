/*
 * forecast - what a campaign will come to, before a call is placed: the real gate, retry
 * rules and pacing on a virtual clock. Pure: the same input gives the same forecast.
 *
 * The model. People of whom the gate cannot tell one from another are one group. Time
 * runs in steps of at most a minute, cut where a calling window opens or closes, and
 * skipped while nobody can be called. In a step the hopper's order holds: higher priority
 * first, then the zone that closes first, then who waits longest. Each of them is judged
 * by compliance_check at that instant, with the calls that the forecast placed as its
 * history; who is refused waits as a refused contact waits. A step places as many calls
 * as the rate allows and the channels hold at the mean length of a call. Outcomes come in
 * the stated shares, evenly spread; retries follow the campaign's rules. A pool of
 * caller-ids has room as its daily caps allow (forecast_pool.h). Opt-outs, callbacks and
 * other campaigns on the same trunk are left out; variants are not told apart, a canary
 * passes at once, and nothing goes into quarantine.
 */
#ifndef CAMPAIGNS_FORECAST_H
#define CAMPAIGNS_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/budget.h"
#include "campaigns/forecast_pool.h"
#include "campaigns/retry.h"
#include "compliance/check.h"

enum {
    FORECAST_DAYS_MAX = 60,
    FORECAST_REASONS_MAX = 64,
    FORECAST_CPS_UNLIMITED = 100, /* where neither rate nor channels are limited */
};

/* What calls come to. */
struct forecast_rates {
    double share[DISPOSITIONS]; /* add up to 1 */
    double talk_s, ring_s;      /* of an answered call; of any, until its answer or end */
    int64_t measured_calls;     /* of the campaign itself; 0: assumed */
};

/* The default assumption: 35 % answer, 45 % do not, 12 % are busy, 3 % decline, 5 % are
 * no number any more; an answered call takes 60 s after 12 s of ringing. */
void forecast_rates_default(struct forecast_rates *out);
/* Makes answered calls this share of all; the others keep their proportions. */
void forecast_rates_set_answered(struct forecast_rates *r, double share);

struct forecast_group {
    struct compliance_facts facts; /* of one of them; arrays borrowed */
    size_t zone;                   /* index into the input's zones */
    int64_t count;
    int priority, attempts; /* attempts so far in the campaign */
    int base_priority;      /* where a retry's rule counts from */
    int64_t due_ms;
};

struct forecast_zone {
    int id; /* zone group */
    char region[PHONE_REGION_MAX];
    const char *const *names; /* borrowed; none: unknown */
    size_t name_count;
};

struct forecast_input {
    const struct policy *policy;
    const struct retry_rules *retry;
    struct budget budget;
    struct budget_spent spent; /* so far */
    struct forecast_pool pool; /* of caller-ids */
    struct forecast_rates rates;
    double cps;   /* of campaign and trunk, the smaller; 0 no limit */
    int channels; /* the same */
    int ring_timeout_s;
    int64_t from_ms, to_ms; /* at most FORECAST_DAYS_MAX apart */
    const struct compliance_holiday *holidays;
    size_t holiday_count;
    const struct forecast_zone *zones;
    size_t zone_count;
    const struct forecast_group *groups;
    size_t group_count;
};

struct forecast_reason {
    enum reason reason;
    int64_t contacts;
};

struct forecast_reasons { /* in the order of severity */
    size_t n;
    struct forecast_reason at[FORECAST_REASONS_MAX];
};

struct forecast_hour {
    int64_t at_ms;
    int64_t open;     /* contacts that are left in zones whose window is open within it */
    int64_t dialable; /* those of them that are due within it, before it is dialled */
    int64_t calls, answered;
    int64_t left; /* at its end: neither final nor blocked */
};

struct forecast {
    int64_t contacts;
    int64_t allowed_now;             /* at from */
    struct forecast_reasons now;     /* the others at from, by primary reason */
    struct forecast_reasons never;   /* of them and later: final by a rule */
    struct forecast_reasons blocked; /* cannot be called until data changes */
    int64_t calls, ends[DISPOSITIONS], finals[DISPOSITIONS];
    int64_t reached;           /* contacts called at least once in the forecast */
    int64_t left;              /* neither final nor blocked at the end */
    int64_t first_ms, last_ms; /* calls; 0 none */
    int64_t half_ms, most_ms;  /* half and 90 % of those that can be called were called
                                  once; 0 not reached */
    int64_t done_ms;           /* when nobody was left; 0: that did not come before to */
    int64_t budget_ms;         /* when the budget had no room for a call more; 0 it had */
    struct budget_spent spent;
    int64_t pool_ms;   /* when the caller-ids' daily caps were first reached; 0 never */
    double per_second; /* the pace that rate and channels allow together */
    bool paced_by_channels;
    struct forecast_hour *hours; /* owned; from the hour of from to the last call's */
    size_t hour_count;
    int64_t *dialable;      /* owned; [zone * hour_stride + hour] */
    size_t hour_stride;     /* at least hour_count */
    int64_t *zone_contacts; /* owned; of each zone */
};

/* *out is the caller's to forecast_free(). */
void forecast_run(const struct forecast_input *in, struct forecast *out);
void forecast_free(struct forecast *f);

#endif
