/* Claims: attempts for the stock, with their permits, on a database thread. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/placed.h"
#include "dialer/runner.h"

enum {
    CLAIM_IDLE_MS = 1000, /* between two looks at a campaign with nothing due */
    CLAIM_SOON_MS = 100,  /* the least of them */
};

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

static void plan_next_claim(struct runner *r, const struct claim *c)
{
    int64_t now = mono_ms(), delay = CLAIM_IDLE_MS;

    r->active = c->claimed > 0;
    runner_count_sent(r, c->claimed);
    if (c->claimed > 0 || c->looked_at > 0) {
        r->claim_at_ms = now;
        return;
    }
    if (c->next_due_ms > 0)
        delay = clock_real_delay_ms(c->next_due_ms - clock_now_ms());
    delay = delay < CLAIM_SOON_MS ? CLAIM_SOON_MS : delay;
    r->claim_at_ms = now + (delay > CLAIM_IDLE_MS ? CLAIM_IDLE_MS : delay);
}

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
            runner_withdraw(r, &item, false, "the campaign does not run any more");
    }
    free_claim(c);
    runner_pump(r);
}

void runner_claim(struct runner *r)
{
    struct dialer *d = r->sweep->dialer;
    size_t n = 0;

    if (!r->running || r->claiming || r->sweep->tidying || !sweep_may_send(r->sweep) ||
        mono_ms() < r->claim_at_ms || (n = runner_want(r)) == 0 || !runner_may(r))
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
