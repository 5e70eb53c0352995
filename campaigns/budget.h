/*
 * budget - what a campaign may spend in calls, minutes and money. Pure: the ledger and
 * the forecast reckon with the same functions.
 *
 * A call that is not over yet is reckoned with what it may come to, call_s of talk or
 * what it has talked already, whichever is more: so the budget is kept although nobody
 * knows how long a call will be. What is unknown counts as spent.
 */
#ifndef CAMPAIGNS_BUDGET_H
#define CAMPAIGNS_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

enum {
    BUDGET_CURRENCY_MAX = 8,
    BUDGET_CALL_S = 120,     /* set aside for a call, unless stated */
    BUDGET_INCREMENT_S = 60, /* talk is billed in such parts, unless stated */
    BUDGET_TEXT_MAX = 160,
};

struct budget {
    bool stated;
    int64_t calls, seconds, micros;     /* limits; 0: none */
    int64_t call_micros, minute_micros; /* prices */
    int increment_s, call_s;
    char currency[BUDGET_CURRENCY_MAX];
};

struct budget_spent {
    int64_t calls, seconds, micros; /* seconds as billed */
};

/* One call more, that was answered for talk_ms; 0: not answered. */
void budget_add(const struct budget *b, struct budget_spent *s, int64_t talk_ms);
/* One that is not over, answered for talked_ms so far. */
void budget_set_aside(const struct budget *b, struct budget_spent *s, int64_t talked_ms);

/* How many calls may begin beside what is spent and set aside; INT64_MAX: any number. */
int64_t budget_room(const struct budget *b, const struct budget_spent *s);

bool budget_is_equal(const struct budget *a, const struct budget *b);

/* "900 of 1000 calls, 12 of 60 minutes, ETB 3.20 of 50.00": what is limited. */
const char *budget_text(const struct budget *b, const struct budget_spent *s,
                        char out[BUDGET_TEXT_MAX]);

#endif
