/*
 * A runner is one running campaign on one of its trunks, in this process. It holds a
 * stock of attempts whose permits were minted, at most what the pace can send before they
 * die, and asks pacing for the first of them; GO sends it. The stock's head stays while
 * it is being asked for. Whatever cannot be sent is withdrawn: the contact waits again,
 * no call is lost.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_trunks.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/live.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/sweep_parts.h"
#include "dialer/trunk.h"

enum {
    STOCK_MAX = 256,
    CLAIM_IDLE_MS = 1000,  /* between two looks at a campaign with nothing due */
    CLAIM_SOON_MS = 100,   /* the least of them */
    NEXT_NUMBER_MS = 25,   /* another number of the pool may have room */
    FULL_RETRY_MS = 250,   /* another dialer's call may end */
    NO_ROOM_MS = 5,        /* until a request of ours is answered */
    SENT_MEMORY = 1000,    /* calls after which the past counts half */
    PERMIT_MARGIN_MS = 50, /* do not bother with a permit that is about to die */
    CATCH_UP_MS = 100,     /* what a late loop may make good of its share */
};
/* Seconds of calling to keep in stock; with what is claimed meanwhile well below the
 * life of a permit. */
static const double stock_s = 0.8;

struct item {
    struct attempt_row row;
    struct permit *permit;
    int64_t got_at_ms;          /* monotonic, just after it was minted */
    struct limit_row caller_id; /* of the pool's number that it shows; id 0: none */
};

struct runner {
    struct runner *next;
    struct sweep *sweep;
    struct campaign_facts facts;
    struct trunk *trunk; /* NULL: it cannot be opened */
    bool running, claiming, taking, trunk_held, closing;
    bool active; /* the last claim found something */
    bool usable; /* as it was last said, where the campaign has several trunks */
    double sent; /* claimed over this trunk; for the shares of several */
    unsigned seen;
    struct item stock[STOCK_MAX];
    size_t n;
    int64_t claim_at_ms, take_at_ms; /* monotonic */
    double share_at_ms; /* the same: when its share of the pace lets the next one go */
    uv_timer_t timer;
};

/* ---- stock ---- */

static struct pacing_ask ask_of(const struct runner *r, const struct item *item)
{
    const struct dialer_config *all = &r->sweep->dialer->config;
    const struct campaign_facts *f = &r->facts;
    const struct trunk_row *trunk = &r->trunk->row;
    const struct limit_row *shown = f->pooled ? &item->caller_id : &f->caller_id;

    return (struct pacing_ask){
        .attempt = item->row.id,
        .at = {[PACING_TRUNK] = {trunk->id, trunk->cps, trunk->max_channels},
               [PACING_CAMPAIGN] = {f->id, f->cps, f->max_concurrent},
               [PACING_CALLER_ID] = {shown->id, shown->cps, shown->max_concurrent},
               [PACING_TENANT] = {f->tenant_id, f->tenant.cps, f->tenant.max_concurrent},
               [PACING_ACCOUNT] = {trunk->account_id, trunk->account_cps, 0},
               [PACING_ALL] = {1, (double)all->max_cps, (int)all->max_calls}}};
}

static struct item pop(struct runner *r)
{
    struct item first = r->stock[0];

    r->n--;
    memmove(r->stock, r->stock + 1, r->n * sizeof(r->stock[0]));
    return first;
}

/* The next one may show another number of the pool, with room. */
static void rotate(struct runner *r)
{
    struct item first = pop(r);

    r->stock[r->n++] = first;
}

static void withdraw(struct runner *r, struct item *item, bool has_slots,
                     const char *note)
{
    permit_free(item->permit);
    placed_withdraw(r->sweep->dialer, &item->row, has_slots, note);
}

/* All but a head that is being asked for. */
static void withdraw_all(struct runner *r, const char *note)
{
    size_t keep = r->taking ? 1 : 0;

    for (size_t i = keep; i < r->n; i++)
        withdraw(r, &r->stock[i], false, note);
    if (r->n > keep)
        r->n = keep;
}

static int64_t life_ms(const struct item *item)
{
    return item->got_at_ms + PERMIT_TTL_MS - PERMIT_MARGIN_MS - mono_ms();
}

static bool is_live(const struct item *item)
{
    return life_ms(item) > 0 && permit_is_live(item->permit, mono_ms(), clock_now_ms());
}

/* ---- pace ---- */

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
static int64_t share_wait_ms(const struct runner *r)
{
    double left = r->share_at_ms - (double)mono_ms();

    return r->sweep->news.share < 1 && left > 0 ? (int64_t)ceil(left) : 0;
}

static void share_used(struct runner *r)
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

/* How many to claim now. */
static size_t want(const struct runner *r)
{
    double rate = rate_of(r);
    double target = floor(rate * stock_s);

    if (rate <= 0 || (double)share_wait_ms(r) > stock_s * 1000)
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
    return mono_ms() >= r->claim_at_ms && want(r) > 0;
}

static bool trunk_may(const struct runner *r)
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
static void count_sent(struct runner *r, size_t claimed)
{
    r->sent += (double)claimed;
    if (r->sent < SENT_MEMORY)
        return;
    for (struct runner *o = r->sweep->runners; o; o = o->next)
        if (o->facts.id == r->facts.id)
            o->sent /= 2;
}

/* Counted anew for all when a trunk comes back, so that it does not have to catch up. */
static void look_at_use(struct runner *r)
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

/* ---- claim and release ---- */

struct claim {
    struct dialer *dialer;
    struct runner *runner; /* it lives while claiming */
    int64_t campaign_id, trunk_id;
    int tenant_id, slot;
    size_t max, claimed;
    int64_t next_due_ms;
    size_t looked_at;
    bool released; /* the gate's transaction is known to be committed */
    struct attempt_row *rows;
    struct permit **permits;
    struct limit_row *limits; /* of the numbers they show; NULL: no pool */
    int64_t got_at_ms;
};

/* Read before the release: what nobody can pace is not sent. */
static int read_limits(struct pg *pg, struct claim *c)
{
    CLEANUP(free_cleanup) struct limit_row *all = NULL;
    size_t n = 0;

    int err = limit_list(pg, c->tenant_id, &all, &n);
    for (size_t i = 0; !err && i < c->claimed; i++)
        for (size_t k = 0; k < n; k++)
            if (all[k].caller_id[0] && str_is(all[k].caller_id, c->rows[i].caller_id))
                c->limits[i] = all[k];
    return err;
}

static int run_claim(struct pg *pg, void *arg)
{
    struct claim *c = arg;
    struct attempt_claim_result result = {0};

    int err = attempt_claim_over(pg, c->tenant_id, c->campaign_id, c->trunk_id, c->slot,
                                 clock_now_ms(), c->max, c->rows, &result);
    if (err)
        return err;
    c->claimed = result.intents;
    c->looked_at = result.looked_at;
    c->next_due_ms = result.next_due_ms;
    if (c->claimed == 0)
        return 0;
    if (c->limits && (err = read_limits(pg, c)))
        return err;
    err = attempt_release(pg, c->tenant_id, c->rows, c->claimed, clock_now_ms(),
                          c->permits);
    c->got_at_ms = mono_ms();
    c->released = err == 0;
    return err;
}

static void free_claim(struct claim *c)
{
    free(c->rows);
    free(c->permits);
    free(c->limits);
    free(c);
}

static struct runner *find_runner(const struct sweep *s, int64_t campaign_id,
                                  int64_t trunk_id)
{
    for (struct runner *r = s->runners; r; r = r->next)
        if (r->facts.id == campaign_id && r->facts.trunk.id == trunk_id)
            return r;
    return NULL;
}

static void plan_next_claim(struct runner *r, const struct claim *c)
{
    int64_t now = mono_ms(), delay = CLAIM_IDLE_MS;

    r->active = c->claimed > 0;
    count_sent(r, c->claimed);
    if (c->claimed > 0 || c->looked_at > 0) {
        r->claim_at_ms = now;
        return;
    }
    if (c->next_due_ms > 0)
        delay = clock_real_delay_ms(c->next_due_ms - clock_now_ms());
    delay = delay < CLAIM_SOON_MS ? CLAIM_SOON_MS : delay;
    r->claim_at_ms = now + (delay > CLAIM_IDLE_MS ? CLAIM_IDLE_MS : delay);
}

static void pump_take(struct runner *r);

static void on_claimed(int err, void *arg)
{
    struct claim *c = arg;
    struct dialer *d = c->dialer;
    struct sweep *s = d->sweep;
    struct runner *r = c->runner;

    s->claims--;
    r->claiming = false;
    if (err) {
        /* Claims whose commit was lost are intents that nobody knows of. */
        s->tidy |= c->claimed == 0 && err != ECANCELED;
        log_debug("sweep", "campaign=%lld err=%d claim or release failed",
                  (long long)c->campaign_id, err);
        r->claim_at_ms = mono_ms() + CLAIM_IDLE_MS;
    } else {
        plan_next_claim(r, c);
    }
    for (size_t i = 0; i < c->claimed; i++) {
        struct item item = {
            .row = c->rows[i], .permit = c->permits[i], .got_at_ms = c->got_at_ms};
        if (c->limits)
            item.caller_id = c->limits[i];
        if (!c->released)
            placed_withdraw(d, &item.row, false, "the release failed");
        else if (item.permit && r->running && !s->stopping && r->n < STOCK_MAX)
            r->stock[r->n++] = item;
        else if (item.permit)
            withdraw(r, &item, false, "the campaign does not run any more");
    }
    free_claim(c);
    pump_take(r);
}

static void pump_claim(struct runner *r)
{
    struct dialer *d = r->sweep->dialer;
    size_t n = 0;

    if (!r->running || r->claiming || r->sweep->tidying || !sweep_may_send(r->sweep) ||
        mono_ms() < r->claim_at_ms || (n = want(r)) == 0 || !trunk_may(r))
        return;
    struct claim *c = xcalloc(1, sizeof(*c));
    *c = (struct claim){.dialer = d,
                        .runner = r,
                        .campaign_id = r->facts.id,
                        .trunk_id = r->facts.trunk.id,
                        .tenant_id = r->facts.tenant_id,
                        .slot = d->slot,
                        .max = n,
                        .rows = xcalloc(n, sizeof(struct attempt_row)),
                        .permits = xcalloc(n, sizeof(struct permit *)),
                        .limits = r->facts.pooled ? xcalloc(n, sizeof(struct limit_row))
                                                  : NULL};
    if (db_submit(d->db, DB_TRY, (uint64_t)r->facts.id, run_claim, on_claimed, c)) {
        free_claim(c);
        return;
    }
    r->claiming = true;
    r->sweep->claims++;
}

/* ---- take and send ---- */

static void on_timer(uv_timer_t *timer)
{
    pump_take(timer->data);
}

static void take_later(struct runner *r, int64_t ms)
{
    r->take_at_ms = mono_ms() + ms;
    if (!r->closing)
        uv_timer_start(&r->timer, on_timer, (uint64_t)ms, 0);
}

/* The pinned one of its variant, or the campaign's. */
static int64_t revision_of(const struct runner *r, const struct attempt_row *row)
{
    return row->flow_revision_id ? row->flow_revision_id : r->facts.flow_revision_id;
}

static void send_head(struct runner *r)
{
    struct item item = pop(r);

    if (!r->running || !sweep_may_send(r->sweep) || !r->trunk->ops->is_ready(r->trunk)) {
        withdraw(r, &item, true, "calls were held just before it went out");
        return;
    }
    placed_send(r->sweep->dialer,
                &(struct placed_order){.row = item.row,
                                       .permit = item.permit,
                                       .trunk = r->trunk,
                                       .flow_revision_id = revision_of(r, &item.row),
                                       .machine = r->facts.machine,
                                       .has_agents = r->facts.has_agents,
                                       .machine_flow_revision_id =
                                           r->facts.machine_flow_revision_id,
                                       .ring_timeout_s = r->facts.ring_timeout_s});
}

static void on_taken(enum pacing_result result, int64_t retry_ms, void *arg)
{
    struct runner *r = arg; /* it lives while taking */

    r->taking = false;
    switch (result) {
    case PACING_GO:
        share_used(r);
        send_head(r);
        break;
    case PACING_WAIT:
    case PACING_HELD:
        if (retry_ms > life_ms(&r->stock[0])) {
            /* The pace is slower than a permit lives: come back in time for it. */
            withdraw_all(r, "the pace does not allow it in time");
            r->claim_at_ms = mono_ms() + (retry_ms > 300 ? retry_ms - 300 : 0);
        } else {
            take_later(r, retry_ms);
        }
        break;
    case PACING_FULL:
        if (r->facts.pooled)
            rotate(r);
        take_later(r, r->facts.pooled ? NEXT_NUMBER_MS : FULL_RETRY_MS);
        break;
    case PACING_AWAY:
        take_later(r, retry_ms > 0 ? retry_ms : FULL_RETRY_MS);
        break;
    }
    pump_take(r);
}

static void pump_take(struct runner *r)
{
    if (r->taking)
        return;
    if (!r->running)
        withdraw_all(r, "the campaign does not run any more");
    while (r->n > 0 && !is_live(&r->stock[0])) {
        struct item item = pop(r);
        withdraw(r, &item, false, "its permit ran out before it could be sent");
    }
    if (r->n == 0 || !r->running || !sweep_may_send(r->sweep) ||
        mono_ms() < r->take_at_ms)
        return;
    int64_t wait_ms = share_wait_ms(r);
    if (r->trunk && !r->trunk->ops->has_room(r->trunk) && wait_ms < NO_ROOM_MS)
        wait_ms = NO_ROOM_MS;
    if (wait_ms > 0) {
        take_later(r, wait_ms);
        return;
    }
    struct pacing_ask ask = ask_of(r, &r->stock[0]);
    r->taking = true;
    pacing_take(r->sweep->dialer->pacing, &ask, on_taken, r);
}

/* ---- the runners together ---- */

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void sort_in(struct sweep *s, struct runner *r)
{
    struct runner **at = &s->runners;

    while (*at && (*at)->facts.priority >= r->facts.priority)
        at = &(*at)->next;
    r->next = *at;
    *at = r;
}

void runner_update(struct sweep *s, const struct campaign_facts *f)
{
    struct runner *r = find_runner(s, f->id, f->trunk.id);
    struct errtext e = {0};

    if (!r) {
        r = xcalloc(1, sizeof(*r));
        r->sweep = s;
        r->facts = *f;
        uv_timer_init(s->dialer->loop, &r->timer);
        r->timer.data = r;
        sort_in(s, r);
        r->usable = true;
        lives_warm(s->dialer->lives, f->tenant_id, f->flow_revision_id);
        if (f->machine_flow_revision_id)
            lives_warm(s->dialer->lives, f->tenant_id, f->machine_flow_revision_id);
        for (size_t i = 0; i < f->variant_count; i++)
            lives_warm(s->dialer->lives, f->tenant_id, f->variants[i]);
        log_info("sweep", "campaign=%lld name=%s state=running trunk=%s",
                 (long long)f->id, LOG_ESC(f->name), LOG_ESC(f->trunk.name));
    }
    bool complained = r->trunk_held && !r->trunk;
    /* What was picked and released by the rules before is picked again by these. */
    if (r->facts.revision != f->revision)
        withdraw_all(r, "the campaign's rules were changed");
    r->facts = *f;
    r->seen = s->seen;
    if (trunks_get(s->dialer, &f->trunk, &r->trunk, &e)) {
        r->trunk = NULL;
        r->running = false;
        r->trunk_held = true;
        if (!complained)
            log_error("sweep", "campaign=%lld no calls: %s", (long long)f->id, e.text);
        return;
    }
    r->running = true;
}

void runners_retire(struct sweep *s, bool all)
{
    for (struct runner **at = &s->runners; *at;) {
        struct runner *r = *at;
        if (all || r->seen != s->seen) {
            if (r->running)
                log_info("sweep", "campaign=%lld state=not-running here",
                         (long long)r->facts.id);
            if (r->running && !all)
                placed_recall(s->dialer, r->facts.id);
            r->running = false;
            withdraw_all(r, "the campaign does not run any more");
        }
        if (r->running || r->n > 0 || r->claiming || r->taking ||
            (!all && r->seen == s->seen)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->closing = true;
        uv_close((uv_handle_t *)&r->timer, on_closed);
    }
}

static void look_at_trunk(struct runner *r)
{
    bool held = !r->trunk->ops->is_ready(r->trunk);

    if (held == r->trunk_held)
        return;
    r->trunk_held = held;
    if (held)
        log_warn("sweep", "campaign=%lld trunk=%s state=held the trunk is not ready",
                 (long long)r->facts.id, LOG_ESC(r->trunk->row.name));
    else
        log_info("sweep", "campaign=%lld trunk=%s state=ready", (long long)r->facts.id,
                 LOG_ESC(r->trunk->row.name));
}

void runners_tick(struct sweep *s, bool kicked)
{
    for (struct runner *r = s->runners; r; r = r->next) {
        if (!r->trunk)
            continue;
        if (r->running) {
            look_at_trunk(r);
            look_at_use(r);
        }
        if (kicked && r->take_at_ms - mono_ms() > 0 && r->n > 0)
            r->take_at_ms = mono_ms();
        pump_take(r);
        if (!r->trunk_held)
            pump_claim(r);
    }
}

bool runners_are_idle(const struct sweep *s)
{
    for (const struct runner *r = s->runners; r; r = r->next)
        if (r->n > 0 || r->claiming || r->taking)
            return false;
    return true;
}

bool runners_know(const struct sweep *s, const struct uuid *attempt)
{
    for (const struct runner *r = s->runners; r; r = r->next)
        for (size_t i = 0; i < r->n; i++)
            if (memcmp(&r->stock[i].row.id, attempt, sizeof(*attempt)) == 0)
                return true;
    return false;
}
