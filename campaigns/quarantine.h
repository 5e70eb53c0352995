/*
 * quarantine - which variant of a campaign, and which of its lists, is so bad that it
 * should rest. Pure: the rule and the judgement from counts; what a hold does is
 * quarantine_store.h's. Of caller-ids the same is caller_id_pool.h's.
 *
 * A variant is compared with the others that are not held, on calls answered by people.
 * It is bad when its calls are short (over within six seconds, as on a bad prompt), or
 * end by a fault of the flow, `ratio` times as often, and the difference of the two
 * shares is at least four standard errors (pooled); from `min_calls` on its own side and
 * on the others'. Four, and not two, because the question is asked again every half
 * minute. It is bad on its own when its faults are surely above `max_fault_rate`. The
 * last variant that is left is never held.
 *
 * A list is bad when, of at least `min_numbers` numbers of it that a call told something
 * about, surely more than `max_bad_rate` do not exist or cannot be reached, each number
 * taken by its latest call. Calls that failed on the network's side tell nothing.
 *
 * Surely: the lower end of Wilson's interval of three standard errors is above the rate.
 */
#ifndef CAMPAIGNS_QUARANTINE_H
#define CAMPAIGNS_QUARANTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct doc_reader;

enum { QUARANTINE_SHORT_S = 6, QUARANTINE_WHY_MAX = 160 };

/* "quarantine" of a campaign's document. */
struct quarantine_rules {
    bool variants, lists; /* asked for */
    int min_calls;        /* answered, before anything is concluded of a variant */
    double ratio;         /* so many times worse than the others */
    double max_fault_rate;
    int min_numbers; /* heard of, before anything is concluded of a list */
    double max_bad_rate;
};

struct variant_count {
    int64_t answered, shorts, faults; /* shorts and faults: of answered */
};

struct list_count {
    int64_t numbers, bad; /* bad: of numbers */
};

/* Only the newest so many calls of so many days are looked at. */
enum { QUARANTINE_CALLS = 10000, QUARANTINE_DAYS = 30 };

void quarantine_rules_default(struct quarantine_rules *out);
/* The document's part, what is wrong with it as issues. */
void quarantine_rules_read(struct doc_reader *r, json_t *value, const char *pointer,
                           struct quarantine_rules *out);

/* True with a sentence's part: hold it. others: those not held, together. */
bool quarantine_variant_is_bad(const struct quarantine_rules *rules,
                               const struct variant_count *own,
                               const struct variant_count *others,
                               char why[QUARANTINE_WHY_MAX]);
/* Of all n but i, and but those that are held; *any: there are such. */
struct variant_count quarantine_others(const struct variant_count *all, size_t n,
                                       size_t i, unsigned held, bool *any);
bool quarantine_list_is_bad(const struct quarantine_rules *rules,
                            const struct list_count *list, char why[QUARANTINE_WHY_MAX]);

#endif
