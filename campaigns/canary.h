/*
 * canary - a campaign places a few calls first; only when these went well it goes on.
 * Pure: the rule, and the judgement from counts. When it is asked is canary_store.h's.
 *
 * Judged once so many calls are over, or earlier when it is certain that they cannot be
 * good any more. A call counts as failed when it never reached a telephone, was cut by a
 * fault or was lost (bad_number, unreachable, congestion, config, failed, unknown); busy,
 * unanswered and declined ones reached one. No statistics: the rates of these calls are
 * compared with the rule as they are.
 */
#ifndef CAMPAIGNS_CANARY_H
#define CAMPAIGNS_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct doc_reader;

enum { CANARY_CALLS_MAX = 100000, CANARY_SHORT_S = 6, CANARY_WHY_MAX = 120 };

/* "canary" of a campaign's document. */
struct canary_rule {
    int calls;                               /* so many first; 0: no canary */
    double min_answer_rate, max_failed_rate; /* of the calls */
    double max_short_rate, max_fault_rate;   /* of the answered ones */
};

/* Of the calls that the canary placed. */
struct canary_count {
    int64_t placed, open; /* open: not over yet, of placed */
    int64_t answered, failed;
    int64_t shorts; /* answered, over within CANARY_SHORT_S */
    int64_t faults; /* answered, and the flow could not go on */
};

enum canary_verdict { CANARY_WAIT, CANARY_GOOD, CANARY_BAD };

void canary_rule_default(struct canary_rule *out);
/* The document's part, what is wrong with it as issues. */
void canary_rule_read(struct doc_reader *r, json_t *value, const char *pointer,
                      struct canary_rule *out);

bool canary_rule_is_equal(const struct canary_rule *a, const struct canary_rule *b);

/* How many more calls it may place. */
int64_t canary_room(const struct canary_rule *rule, const struct canary_count *n);

/* why: a sentence's part, of GOOD and BAD. */
enum canary_verdict canary_judge(const struct canary_rule *rule,
                                 const struct canary_count *n, char why[CANARY_WHY_MAX]);

#endif
