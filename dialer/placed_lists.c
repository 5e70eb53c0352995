/* Placed calls together: counted, asked of their switches, taken back, ended. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dialer/dialer.h"
#include "dialer/placed_inside.h"
#include "dialer/trunk.h"

static struct call *find(const struct dialer *d, const struct uuid *id)
{
    return id_table_find(&d->placed->calls, id);
}

bool placed_has(const struct dialer *d, const struct uuid *attempt)
{
    return find(d, attempt) != NULL;
}

size_t placed_count(const struct dialer *d)
{
    return d->placed->calls.count;
}

static size_t count(const struct dialer *d, bool adopted, int slot, int64_t trunk_id,
                    int64_t campaign_id)
{
    const struct call *c = NULL;
    size_t n = 0;

    for (size_t at = 0; (c = id_table_next(&d->placed->calls, &at));)
        n += (!adopted || (c->adopted && c->row.slot == slot)) &&
             (!trunk_id || c->row.trunk_id == trunk_id) &&
             (!campaign_id || c->row.campaign_id == campaign_id);
    return n;
}

size_t placed_count_adopted(const struct dialer *d, int slot)
{
    return count(d, true, slot, 0, 0);
}

size_t placed_count_trunk(const struct dialer *d, int64_t trunk_id)
{
    return count(d, false, 0, trunk_id, 0);
}

size_t placed_count_campaign(const struct dialer *d, int64_t campaign_id)
{
    return count(d, false, 0, 0, campaign_id);
}

void placed_doubt(struct dialer *d, const struct uuid *attempt)
{
    struct call *c = find(d, attempt);

    if (c)
        c->ask_at_ms = mono_ms();
}

void placed_recall(struct dialer *d, int64_t campaign_id)
{
    struct call *c = NULL;

    for (size_t at = 0; (c = id_table_next(&d->placed->calls, &at));)
        if (c->row.campaign_id == campaign_id && c->trunk->ops->recall && !c->settling &&
            !c->ended)
            c->trunk->ops->recall(c->trunk, &c->row.id);
}

void placed_resync(struct dialer *d, const char *trunk_kind)
{
    struct call *c = NULL;
    size_t n = 0;

    for (size_t at = 0; (c = id_table_next(&d->placed->calls, &at));)
        if (!c->settling && !c->ended && strcmp(c->trunk->ops->kind, trunk_kind) == 0) {
            c->ask_at_ms = mono_ms();
            /* A request may be on its way at this moment: absent once is not enough. */
            c->unconfirmed |= c->state == ATTEMPT_RELEASED;
            c->resynced = true;
            n++;
        }
    if (n > 0)
        log_info("placed", "trunk_kind=%s attempts=%zu asked of the switch", trunk_kind,
                 n);
}

void placed_switch_restarted(struct dialer *d, const char *trunk_kind)
{
    struct call *c = NULL;

    for (size_t at = 0; (c = id_table_next(&d->placed->calls, &at));) {
        if (!c->resynced || !c->told || c->settling || c->ended ||
            strcmp(c->trunk->ops->kind, trunk_kind) != 0)
            continue;
        c->unconfirmed = false;
        c->ask_at_ms = mono_ms();
    }
}

void placed_hang_up_all(struct dialer *d)
{
    struct call *c = NULL;

    for (size_t at = 0; (c = id_table_next(&d->placed->calls, &at));)
        if (!c->settling && !c->ended)
            c->trunk->ops->hang_up(c->trunk, &c->row.id);
}
