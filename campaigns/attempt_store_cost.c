#include "campaigns/attempt_store_cost.h"

#include <stdlib.h>

#include "campaigns/budget_store.h"

static int by_campaign(const void *a, const void *b)
{
    const struct attempt_cost *x = a, *y = b;

    return (x->campaign_id > y->campaign_id) - (x->campaign_id < y->campaign_id);
}

int attempt_book_costs(struct pg *pg, struct attempt_cost *list, size_t n)
{
    int err = 0;

    qsort(list, n, sizeof(*list), by_campaign);
    for (size_t i = 0, end = 0; !err && i < n; i = end) {
        struct budget_spent sum = {0};

        for (end = i; end < n && list[end].campaign_id == list[i].campaign_id; end++) {
            if (list[end].unseen)
                budget_set_aside(list[end].budget, &sum, list[end].talk_ms);
            else
                budget_add(list[end].budget, &sum, list[end].talk_ms);
        }
        err = budget_book(pg, list[i].campaign_id, &sum);
    }
    return err;
}
