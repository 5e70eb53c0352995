/* How fast a runner may go, and which of a campaign's runners goes. */
#include <math.h>

#include "base/clock.h"
#include "base/log.h"
#include "campaigns/campaign_trunks.h"
#include "dialer/dialer.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/runner.h"
#include "dialer/trunk.h"

enum {
    SENT_MEMORY = 1000, /* calls after which the past counts half */
    CATCH_UP_MS = 100,  /* what a late loop may make good of its share */
};
/* Seconds of calling to keep in stock; with what is claimed meanwhile well below the
 * life of a permit. */
static const double stock_s = 0.8;

/* As its health allows. */
static double trunk_rate(const struct runner *r)
{
    int percent = pacing_percent(r->sweep->dialer->pacing, r->trunk->row.id);

    return r->trunk->row.cps * percent / 100;
}

static void lower(double *cps, double limit)
{
    if (limit > 0 && limit < *cps)
        *cps = limit;
}

static bool is_usable(const struct runner *r)
{
    return r->running && r->trunk && r->trunk->ops->is_ready(r->trunk) &&
           !pacing_holds(r->sweep->dialer->pacing, r->trunk->row.id);
}

/* Of the campaign's own rate, among the trunks that share its calls now. */
static double trunk_share(const struct runner *r)
{
    double all = 0;

    for (const struct runner *o = r->sweep->runners; o; o = o->next)
        if (o->facts.id == r->facts.id && (o == r || is_usable(o)) &&
            o->facts.trunk_priority == r->facts.trunk_priority)
            all += o->facts.trunk_weight;
    return r->facts.trunk_weight / all;
}

static double own_rate(const struct runner *r)
{
    double cps = trunk_rate(r);

    lower(&cps, r->facts.cps * trunk_share(r));
    lower(&cps, r->facts.caller_id.cps);
    lower(&cps, r->facts.tenant.cps);
    lower(&cps, r->trunk->row.account_cps);
    lower(&cps, (double)r->sweep->dialer->config.max_cps);
    return cps * r->sweep->business_per_real;
}

/* Calls per real second that are this campaign's: what those of higher priority on the
 * same trunk leave, shared with its equals. */
static double rate_of(const struct runner *r)
{
    double rate = trunk_rate(r) * r->sweep->business_per_real, own = own_rate(r);
    int equals = 1;

    for (const struct runner *o = r->sweep->runners; o; o = o->next) {
        if (o == r || o->trunk != r->trunk || !o->running ||
            !(o->active || o->n > 0 || o->claiming))
            continue;
        if (o->facts.priority > r->facts.priority)
            rate -= own_rate(o);
        else if (o->facts.priority == r->facts.priority)
            equals++;
    }
    rate /= equals;
    return (rate < own ? rate : own) * r->sweep->news.share;
}

/* Where dialers have different weights each keeps to its part of the pace: tokens are
 * given to whoever asks first. What it may send and does not is lost to the pace only
 * until the others hear that it cannot. */
int64_t runner_share_wait_ms(const struct runner *r)
{
    double left = r->share_at_ms - (double)mono_ms();

    return r->sweep->news.share < 1 && left > 0 ? (int64_t)ceil(left) : 0;
}

void runner_share_used(struct runner *r)
{
    double now = (double)mono_ms(), rate = rate_of(r);

    if (r->share_at_ms < now - CATCH_UP_MS)
        r->share_at_ms = now - CATCH_UP_MS;
    if (rate > 0)
        r->share_at_ms += 1000 / rate;
}

/* Its part of a limit on calls at once; at least one. */
static int64_t share_of(const struct runner *r, int limit)
{
    double part = floor(limit * r->sweep->news.share + 0.5);

    return part > 1 ? (int64_t)part : 1;
}

static int64_t campaign_stock(const struct runner *r)
{
    int64_t n = 0;

    for (const struct runner *o = r->sweep->runners; o; o = o->next)
        n += o->facts.id == r->facts.id ? (int64_t)o->n : 0;
    return n;
}

static int64_t room_of(const struct runner *r)
{
    const struct dialer *d = r->sweep->dialer;
    int64_t stock = 0;

    for (const struct runner *o = r->sweep->runners; o; o = o->next)
        stock += o->trunk == r->trunk ? (int64_t)o->n : 0;
    int64_t room = share_of(r, r->trunk->row.max_channels) - stock -
                   (int64_t)placed_count_trunk(d, r->trunk->row.id);
    if (r->facts.max_concurrent > 0) {
        int64_t own = share_of(r, r->facts.max_concurrent) - campaign_stock(r) -
                      (int64_t)placed_count_campaign(d, r->facts.id);
        room = own < room ? own : room;
    }
    int64_t live = sweep_room(r->sweep) - stock;
    return live < room ? live : room;
}

size_t runner_want(const struct runner *r)
{
    double rate = rate_of(r);
    double target = floor(rate * stock_s);

    if (rate <= 0 || (double)runner_share_wait_ms(r) > stock_s * 1000)
        return 0;
    target = target < 1 ? 1 : target > STOCK_MAX ? STOCK_MAX : target;
    if ((double)r->n * 2 > target)
        return 0;
    int64_t n = (int64_t)target - (int64_t)r->n, room = room_of(r);
    n = n < room ? n : room;
    return n > 0 ? (size_t)n : 0;
}

/* ---- which of a campaign's trunks ---- */

static bool wants(const struct runner *r)
{
    return mono_ms() >= r->claim_at_ms && runner_want(r) > 0;
}

bool runner_may(const struct runner *r)
{
    struct trunk_standing all[CAMPAIGN_TRUNKS_MAX];
    int n = 0, own = 0;

    if (r->facts.trunk_count < 2)
        return true;
    for (const struct runner *o = r->sweep->runners; o; o = o->next) {
        if (o->facts.id != r->facts.id || n == CAMPAIGN_TRUNKS_MAX)
            continue;
        if (o->claiming)
            return false; /* shares are of what it leaves */
        own = o == r ? n : own;
        all[n] = (struct trunk_standing){.weight = o->facts.trunk_weight,
                                         .priority = o->facts.trunk_priority,
                                         .usable = is_usable(o),
                                         .sent = o->sent};
        all[n].wants = all[n].usable && wants(o);
        n++;
    }
    return campaign_trunk_may(all, n, own);
}

/* The past counts half in time, so that shares are those of lately. */
void runner_count_sent(struct runner *r, size_t claimed)
{
    r->sent += (double)claimed;
    if (r->sent < SENT_MEMORY)
        return;
    for (struct runner *o = r->sweep->runners; o; o = o->next)
        if (o->facts.id == r->facts.id)
            o->sent /= 2;
}

/* Counted anew for all when a trunk comes back, so that it does not have to catch up. */
void runner_look_at_use(struct runner *r)
{
    bool usable = is_usable(r);

    if (usable == r->usable || r->facts.trunk_count < 2)
        return;
    r->usable = usable;
    if (!usable)
        log_warn("sweep",
                 "campaign=%lld trunk=%s state=passed-over its calls go over the "
                 "campaign's other trunks",
                 (long long)r->facts.id, LOG_ESC(r->facts.trunk.name));
    for (struct runner *o = r->sweep->runners; o && usable; o = o->next)
        if (o->facts.id == r->facts.id)
            o->sent = 0;
}
