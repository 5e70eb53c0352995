#include "campaigns/campaign_budget.h"

#include <math.h>

#include "base/str.h"
#include "campaigns/budget.h"
#include "campaigns/doc_reader.h"

/* As a person writes it. */
struct written {
    int64_t calls;
    double minutes, money, call_price, minute_price;
    int increment_s, call_s;
    char currency[BUDGET_CURRENCY_MAX];
};

#define IN(member) .offset = offsetof(struct written, member)

static const struct doc_field fields[] = {
    {.key = "calls",
     .kind = DOC_INT64,
     IN(calls),
     .min = 1,
     .max = 1e12,
     .hint = "calls in all; leave it out for no limit"},
    {.key = "minutes",
     .kind = DOC_NUMBER,
     IN(minutes),
     .min = 0.1,
     .max = 1e9,
     .hint = "minutes of talk in all, as they are billed; leave it out for no limit"},
    {.key = "money",
     .kind = DOC_NUMBER,
     IN(money),
     .min = 0.01,
     .max = 1e9,
     .hint = "in all, by 'call_price' and 'minute_price'; leave it out for no limit"},
    {.key = "call_price",
     .kind = DOC_NUMBER,
     IN(call_price),
     .max = 1e6,
     .hint = "of each call, answered or not, e.g. 0.01"},
    {.key = "minute_price",
     .kind = DOC_NUMBER,
     IN(minute_price),
     .max = 1e6,
     .hint = "of a minute of talk, e.g. 0.035"},
    {.key = "increment_s",
     .kind = DOC_INT,
     IN(increment_s),
     .min = 1,
     .max = 3600,
     .hint =
         "talk is billed in parts of so many seconds: 60, 6 or 1 as the carrier says"},
    {.key = "call_s",
     .kind = DOC_INT,
     IN(call_s),
     .min = 1,
     .max = 86400,
     .hint = "how long a call may take: so much is set aside while it lives"},
    {.key = "currency",
     .kind = DOC_TEXT,
     IN(currency),
     .size = BUDGET_CURRENCY_MAX,
     .hint = "only shown, e.g. \"ETB\""},
};

static int64_t micros(double money)
{
    return llround(money * 1e6);
}

void campaign_read_budget(struct doc_reader *r, json_t *value, const char *pointer,
                          void *owner)
{
    struct written w = {.increment_s = BUDGET_INCREMENT_S, .call_s = BUDGET_CALL_S};
    struct budget *out = owner;
    size_t before = r->issues->found;

    doc_read_object(r, value, pointer, fields, ARRAY_LEN(fields), &w);
    if (r->issues->found != before)
        return;
    if (w.calls == 0 && w.minutes <= 0 && w.money <= 0) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, "state 'calls', 'minutes' or 'money'",
                  "this budget limits nothing");
        return;
    }
    if (w.money > 0 && w.call_price <= 0 && w.minute_price <= 0) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, "add 'minute_price' or 'call_price'",
                  "'money' needs a price, or nothing would ever be spent");
        return;
    }
    *out = (struct budget){.stated = true,
                           .calls = w.calls,
                           .seconds = llround(w.minutes * 60),
                           .micros = micros(w.money),
                           .call_micros = micros(w.call_price),
                           .minute_micros = micros(w.minute_price),
                           .increment_s = w.increment_s,
                           .call_s = w.call_s};
    str_cut(out->currency, sizeof(out->currency), w.currency);
    /* One call must fit, or the campaign could never call. */
    if (budget_room(out, &(struct budget_spent){0}) == 0)
        doc_issue(r, pointer, JSON_PLACE_VALUE,
                  "raise the budget, or lower 'call_s', what is set aside for a call",
                  "not one call of %d s fits into this budget", out->call_s);
}
