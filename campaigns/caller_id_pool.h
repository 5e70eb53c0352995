/*
 * caller_id_pool - which number of a pool a call shows. Pure: the same numbers, the same
 * callee and the same instant give the same choice.
 *
 * A number in quarantine or over its cap is never chosen. Of the others: the nearest to
 * the callee (its area code before its state before its country), then the healthiest,
 * in steps of ten points, then the least used, then the smallest. Which are bad enough
 * for quarantine is decided here, when is caller_id_store.h's.
 */
#ifndef CAMPAIGNS_CALLER_ID_POOL_H
#define CAMPAIGNS_CALLER_ID_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attrs.h"

struct doc_reader;

enum { CALLER_ID_POOL_MAX = 64, CALLER_ID_WHY_MAX = 160, CALLER_ID_SHORT_S = 6 };

/* "caller_ids" of a campaign's document. */
struct caller_id_rule {
    char pool[CALLER_ID_POOL_MAX]; /* "": no pool, one number for all calls */
    bool local_presence;
    int days;                               /* health is counted over so many days */
    int min_calls;                          /* and says nothing before so many calls */
    double min_answer_rate, max_short_rate; /* worse than these is quarantined */
    int quarantine_h;
};

struct caller_id {
    int64_t phone;
    int daily_cap;                   /* in any 24 hours; 0 none */
    int used;                        /* calls of the last 24 hours */
    int64_t calls, answered, shorts; /* of its health; shorts: over within six seconds */
    int64_t held_until_ms;           /* in quarantine until then; 0 never was */
    int64_t free_at_ms;              /* when a spent cap has room again; 0 unknown */
};

void caller_id_rule_default(struct caller_id_rule *out);
/* The document's part, what is wrong with it as issues. */
void caller_id_rule_read(struct doc_reader *r, json_t *value, const char *pointer,
                         struct caller_id_rule *out);

/* 3 the same area (North America: area code; else two digits after the country code), 2
 * the same state or province, 1 the same country, 0 none of these. */
int caller_id_nearness(int64_t caller, int64_t callee);

/* 0 to 100: of a hundred calls so many were answered and lasted; -1 too few to tell. */
int caller_id_score(const struct caller_id *c, const struct caller_id_rule *rule);

/* True with a sentence: quarantine it. */
bool caller_id_is_bad(const struct caller_id *c, const struct caller_id_rule *rule,
                      char why[CALLER_ID_WHY_MAX]);

/* How many more calls the pool can show at now_ms; at most most. */
size_t caller_id_room(const struct caller_id *pool, size_t n, int64_t now_ms,
                      size_t most);
/* Counts the call as a use. NULL: none is left. */
const struct caller_id *caller_id_choose(struct caller_id *pool, size_t n,
                                         const struct caller_id_rule *rule,
                                         int64_t callee, int64_t now_ms);

/* Why the pool has no room, and when (0 unknown) it has again. */
int64_t caller_id_explain(const struct caller_id *pool, size_t n,
                          const struct caller_id_rule *rule, int64_t now_ms,
                          char why[CALLER_ID_WHY_MAX]);

#endif
