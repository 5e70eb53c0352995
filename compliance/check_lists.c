/* Suppression: the tenant's own list, lists that must be asked, washes. */
#include <string.h>

#include "compliance/look.h"
#include "contacts/tz.h"

/* The anniversary of 29 February is 1 March: suppressed for longer. */
static int64_t anniversary(int64_t day, int years)
{
    int y, m, d;

    tz_day_date(day, &y, &m, &d);
    return tz_day_number(y + years, m,
                         d); /* 29 February of no leap year is the day after */
}

static bool own_entry_holds(const struct look *l)
{
    if (!l->f->dnc_tenant)
        return false;
    if (l->p->internal_years <= 0 || l->f->dnc_added_day == 0)
        return true;
    return windows_first_day(&l->windows, l->now_ms) <
           anniversary(l->f->dnc_added_day, l->p->internal_years);
}

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static enum reason hit_reason(const char *name)
{
    if (begins(name, "protected."))
        return REASON_NUMBER_PROTECTED;
    if (begins(name, "seller."))
        return REASON_DNC_SELLER;
    if (begins(name, "litigator"))
        return REASON_LITIGATOR;
    if (strlen(name) > 2 && name[2] == '-')
        return REASON_DNC_STATE;
    return REASON_DNC_NATIONAL;
}

static const struct compliance_list *list_of(const struct compliance_facts *f,
                                             const char *name)
{
    for (size_t i = 0; i < f->list_count; i++)
        if (strcmp(f->lists[i].name, name) == 0)
            return &f->lists[i];
    return NULL;
}

/* Age in whole days, as the rules count them: a copy of the 1st is 31 days old on the
 * 32nd. */
static bool is_stale(const struct compliance_list *list, int max_age_days, int64_t now_ms)
{
    return list->obtained_at_ms > 0 && max_age_days > 0 &&
           now_ms / DAY_MS - list->obtained_at_ms / DAY_MS > max_age_days;
}

static void look_at_list(struct look *l, const char *name, int max_age_days,
                         const struct pack *pack, const struct pack_row *row)
{
    const struct compliance_list *list = list_of(l->f, name);

    if (strcmp(name, "tenant.internal") == 0)
        return; /* asked always, and of the ledger */
    if (!list || list->state == LIST_MISSING) {
        look_answer(l, name, pack, row, REASON_DNC_LIST_MISSING);
        return;
    }
    if (list->state == LIST_CORRUPT) {
        look_answer(l, name, pack, row, REASON_DNC_LIST_CORRUPT);
        return;
    }
    bool stale = list->state == LIST_STALE || is_stale(list, max_age_days, l->now_ms);
    if (stale)
        look_answer(l, name, pack, row, REASON_DNC_LIST_STALE);
    if (list->state == LIST_HIT)
        look_answer(l, name, pack, row, hit_reason(name));
    else if (!stale)
        look_answer(l, name, pack, row, REASON_ALLOW);
}

static void look_at_wash(struct look *l, const char *name, const struct pack *pack,
                         const struct pack_row *row)
{
    const struct compliance_wash *found = NULL;

    for (size_t i = 0; i < l->f->wash_count; i++)
        if (strcmp(l->f->washes[i].name, name) == 0)
            found = &l->f->washes[i];
    if (!found || (found->expires_at_ms > 0 && found->expires_at_ms <= l->now_ms))
        look_answer(l, name, pack, row, REASON_WASH_EXPIRED);
    if (found && found->hit)
        look_answer(l, name, pack, row, hit_reason(name));
    else if (found && found->expires_at_ms > l->now_ms)
        look_answer(l, name, pack, row, REASON_ALLOW);
}

static int smaller_age(int a, int b)
{
    if (a <= 0 || b <= 0)
        return a > b ? a : b;
    return a < b ? a : b;
}

void look_at_suppression(struct look *l)
{
    look_answer(l, "tenant.internal", NULL, NULL,
                own_entry_holds(l) ? REASON_DNC_INTERNAL : REASON_ALLOW);
    look_answer(l, "campaign.list", NULL, NULL,
                l->f->dnc_campaign ? REASON_DNC_CAMPAIGN : REASON_ALLOW);
    for (size_t i = 0; i < l->p->list_count; i++)
        look_at_list(l, l->p->lists[i], l->p->list_max_age_days, NULL, NULL);
    for (size_t i = 0; i < l->p->wash_count; i++)
        look_at_wash(l, l->p->washes[i], NULL, NULL);
    for (size_t i = 0; i < l->pack_count; i++) {
        for (size_t k = 0; k < l->packs[i]->row_count; k++) {
            const struct pack_row *row = &l->packs[i]->rows[k];
            if ((row->kind != PACK_DNC && row->kind != PACK_WASH) ||
                !look_row_holds(l, row))
                continue;
            if (row->kind == PACK_DNC)
                look_at_list(l, row->list,
                             smaller_age(row->max_age_days, l->p->list_max_age_days),
                             l->packs[i], row);
            else
                look_at_wash(l, row->list, l->packs[i], row);
        }
    }
}
