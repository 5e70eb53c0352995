/*
 * retry - when a contact is called again after an attempt ended so or so. Pure.
 *
 * One rule a disposition; what a campaign does not state is in
 * retry_rules_default(). The compliance rules hold besides: they may move the
 * next attempt further out, never nearer. The ledger and the forecast both ask
 * retry_plan().
 */
#ifndef CAMPAIGNS_RETRY_H
#define CAMPAIGNS_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/disposition.h"

struct tz_zone; /* contacts/tz.h */

/* Where the contact stands once it is due again. */
enum retry_order {
    RETRY_WHEN_DUE, /* among the others, by the time at which they came due */
    RETRY_FRONT,    /* before everybody who is not called back */
    RETRY_BACK,     /* when nobody else is due */
};

/* At what time of day. */
enum retry_hour {
    RETRY_AFTER_DELAY,
    RETRY_BEST_HOUR, /* not before the delay; then in the hour of the contact's own day in
                        which it answered most often */
};

struct retry_rule {
    int max_attempts;    /* the contact is final once it had so many attempts and the
                            latest ended so; 1 means no retry */
    int64_t delay_s;     /* after its first attempt */
    double backoff;      /* each further delay is so many times longer; 1 or more */
    int64_t max_delay_s; /* and never longer than this */
    double jitter;       /* then up to this share of it longer or shorter; 0 exact */
    enum retry_order order;
    enum retry_hour hour;
};

struct retry_rules {
    int max_attempts; /* for every disposition together */
    struct retry_rule by[DISPOSITIONS];
};

void retry_rules_default(struct retry_rules *out);

enum retry_outcome {
    RETRY_AGAIN, /* *delay_s is set */
    RETRY_FINAL,
};

/* attempt_number: 1 for the contact's first attempt in the campaign, the one
 * that has just ended. The delay is the one without jitter. */
enum retry_outcome retry_next(const struct retry_rules *rules, enum disposition d,
                              int attempt_number, int64_t *delay_s);

/* ---- the whole rule: retry_rule.c ---- */

enum {
    RETRY_ANSWERS_MAX = 50, /* the newest so many say which hour is the best */
    RETRY_SHIFT = 15,       /* in priority, to the front or to the back */
};

/* An attempt that has ended, and what is known of whom it called. */
struct retry_ended {
    enum disposition how;
    int attempt_number; /* as of retry_next() */
    int64_t at_ms;
    uint64_t seed; /* retry_seed(); 0: no jitter, which is its middle */
    /* Asked only when retry_wants_answers(): when calls that were answered went out, at
     * most RETRY_ANSWERS_MAX of them, newest first, this one included; and the number's
     * zone, NULL unknown. */
    const int64_t *answers_ms;
    size_t answer_count;
    const struct tz_zone *zone;
};

struct retry_plan {
    enum retry_outcome outcome;
    int64_t at_ms; /* RETRY_AGAIN: due then */
    int shift;     /* and so far before (behind) its own place in the hopper */
};

/* The same for the same contact and attempt, whoever asks; never 0. */
uint64_t retry_seed(int64_t campaign_id, int64_t contact_id, int attempt_number);
bool retry_wants_answers(const struct retry_rules *rules, enum disposition how);
void retry_plan(const struct retry_rules *rules, const struct retry_ended *ended,
                struct retry_plan *out);

/* The hour (0 to 23) of the wall clock in which most of them lie, of two the one of the
 * newest; -1 when there are none. */
int retry_best_hour(const struct tz_zone *zone, const int64_t *answers_ms, size_t n);

#endif
