/* Runners: their stock, taking and sending, and all of them together. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "dialer/dialer.h"
#include "dialer/live.h"
#include "dialer/pacing.h"
#include "dialer/placed.h"
#include "dialer/runner.h"
#include "dialer/trunk.h"

enum {
    NEXT_NUMBER_MS = 25,   /* another number of the pool may have room */
    FULL_RETRY_MS = 250,   /* another dialer's call may end */
    NO_ROOM_MS = 5,        /* until a request of ours is answered */
    PERMIT_MARGIN_MS = 50, /* do not bother with a permit that is about to die */
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

void runner_withdraw(struct runner *r, struct item *item, bool has_slots,
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
        runner_withdraw(r, &r->stock[i], false, note);
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

/* ---- take and send ---- */

static void on_timer(uv_timer_t *timer)
{
    runner_pump(timer->data);
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
        runner_withdraw(r, &item, true, "calls were held just before it went out");
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
        runner_share_used(r);
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
    runner_pump(r);
}

void runner_pump(struct runner *r)
{
    if (r->taking)
        return;
    if (!r->running)
        withdraw_all(r, "the campaign does not run any more");
    while (r->n > 0 && !is_live(&r->stock[0])) {
        struct item item = pop(r);
        runner_withdraw(r, &item, false, "its permit ran out before it could be sent");
    }
    if (r->n == 0 || !r->running || !sweep_may_send(r->sweep) ||
        mono_ms() < r->take_at_ms)
        return;
    int64_t wait_ms = runner_share_wait_ms(r);
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

static struct runner *find_runner(const struct sweep *s, int64_t campaign_id,
                                  int64_t trunk_id)
{
    for (struct runner *r = s->runners; r; r = r->next)
        if (r->facts.id == campaign_id && r->facts.trunk.id == trunk_id)
            return r;
    return NULL;
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
            runner_look_at_use(r);
        }
        if (kicked && r->take_at_ms - mono_ms() > 0 && r->n > 0)
            r->take_at_ms = mono_ms();
        runner_pump(r);
        if (!r->trunk_held)
            runner_claim(r);
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
