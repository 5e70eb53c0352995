/* What the sweep does in the database for every tenant: see sweep_parts.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/agent_store_book.h"
#include "campaigns/budget_store.h"
#include "campaigns/campaign_check_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/campaign_trunk_store.h"
#include "campaigns/kept_call_store.h"
#include "campaigns/slot_store.h"
#include "campaigns/variant_store.h"
#include "compliance/audit_store.h"
#include "dialer/sweep_parts.h"

enum { POPULATE_BATCH = 2000, POPULATE_BATCHES = 5 }; /* a pass must not last long */

static int make_partitions(struct pg *pg)
{
    struct pg_args a = {0};

    pg_arg_ms(&a, clock_now_ms());
    int err = pg_run(pg, NULL,
                     "SELECT furrow_make_month(p, date_trunc('month', furrow_ts($1), "
                     "'UTC') + make_interval(months => m)) FROM unnest(ARRAY['attempts', "
                     "'calls', 'call_steps', 'decisions']) p, generate_series(1, 2) m",
                     &a);
    if (err && err != ECONNRESET) {
        log_warn("sweep", "partitions of the next months: %s", LOG_ESC(pg_error(pg)));
        err = 0;
    }
    return err;
}

static int populate(struct pg *pg, const struct campaign_row *row)
{
    size_t added = POPULATE_BATCH;
    bool loading = false;
    int err = 0;

    for (int i = 0; !err && added == POPULATE_BATCH && i < POPULATE_BATCHES; i++)
        err = campaign_populate(pg, row->tenant_id, row->id, POPULATE_BATCH,
                                clock_now_ms(), &added, &loading);
    return err;
}

static int read_facts(struct pg *pg, const struct campaign_row *row,
                      struct campaign_facts *f)
{
    const struct campaign_doc *doc = NULL;

    int err = campaign_doc_get(pg, row->tenant_id, row->id, &doc);
    if (!err)
        err = limit_load(pg, row->tenant_id, "", &f->tenant);
    if (!err && doc->caller_id[0])
        err = limit_load(pg, row->tenant_id, doc->caller_id, &f->caller_id);
    if (!err && doc->variants.n > 0)
        err = variant_revisions(pg, row->tenant_id, row->id, f->variants,
                                &f->variant_count);
    if (err)
        return err;
    f->id = row->id;
    f->tenant_id = row->tenant_id;
    f->flow_revision_id = row->flow_revision_id;
    f->machine = doc->machine;
    f->has_agents = doc->mode.kind != MODE_FIXED;
    f->machine_flow_revision_id = row->machine_flow_revision_id;
    f->revision = row->revision;
    f->priority = doc->priority;
    f->pooled = doc->caller_ids.pool[0] != '\0';
    f->cps = doc->pacing.cps;
    f->max_concurrent = doc->pacing.max_concurrent;
    f->ring_timeout_s = doc->ring_timeout_s;
    str_cut(f->name, sizeof(f->name), row->name);
    return 0;
}

static void add_facts(struct maintenance *m, const struct campaign_facts *f)
{
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 16;
        m->campaigns = xrealloc(m->campaigns, m->cap * sizeof(*m->campaigns));
    }
    m->campaigns[m->n++] = *f;
}

static int add_campaign(struct pg *pg, struct maintenance *m,
                        const struct campaign_row *row)
{
    struct campaign_trunk_row trunks[CAMPAIGN_TRUNKS_MAX];
    struct campaign_facts f = {0};
    size_t n = 0;

    int err = populate(pg, row);
    if (!err)
        err = campaign_check(pg, row->tenant_id, row->id, clock_now_ms());
    if (!err)
        err = read_facts(pg, row, &f);
    if (!err)
        err = campaign_trunks_load(pg, row->tenant_id, row->id, trunks, &n);
    if (err == ECONNRESET)
        return err;
    if (err) {
        log_warn("sweep", "campaign=%lld err=%d passed over: %s", (long long)row->id, err,
                 LOG_ESC(pg_error(pg)));
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        f.trunk = trunks[i].trunk;
        f.trunk_weight = trunks[i].weight;
        f.trunk_priority = trunks[i].priority;
        f.trunk_count = (int)n;
        add_facts(m, &f);
    }
    return 0;
}

static int count_backlog(struct pg *pg, int tenant_id, int64_t backlog[BACKLOGS])
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_begin(pg, tenant_id);
    if (!err)
        err =
            pg_run(pg, &res,
                   "SELECT (SELECT count(*) FROM recordings WHERE state = 'finished'), "
                   "count(*) FILTER (WHERE kind = 'asr'), count(*) FILTER (WHERE kind = "
                   "'sms') FROM jobs WHERE kind IN ('asr', 'sms') AND finished_at IS "
                   "NULL AND run_at <= clock_timestamp()",
                   NULL);
    for (int i = 0; !err && i < BACKLOGS; i++)
        backlog[i] += pg_i64(res, 0, i);
    return pg_end(pg, err);
}

/* Calls do not wait for it: what is not sealed now is sealed by the next look. */
static int seal_decisions(struct pg *pg, int tenant_id)
{
    int64_t rows = 0;
    int err = audit_seal(pg, tenant_id, clock_now_ms(), &rows);

    if (err && err != ECONNRESET) {
        log_warn("sweep", "tenant=%d decisions are not sealed: %s", tenant_id,
                 LOG_ESC(pg_error(pg)));
        err = 0;
    }
    return err;
}

static int run_tenant(struct pg *pg, struct maintenance *m, int tenant_id)
{
    CLEANUP(free_cleanup) struct campaign_row *rows = NULL;
    size_t n = 0, count = 0;

    int err = campaign_fire_due(pg, tenant_id, clock_now_ms(), &count);
    if (!err && count > 0)
        log_info("sweep", "tenant=%d planned_starts=%zu", tenant_id, count);
    if (!err)
        err = campaign_list(pg, tenant_id, CAMPAIGN_RUNNING, &rows, &n);
    for (size_t i = 0; !err && i < n; i++)
        err = add_campaign(pg, m, &rows[i]);
    if (!err)
        err = campaign_complete_due(pg, tenant_id, clock_now_ms(), &count);
    if (!err && count > 0)
        log_info("sweep", "tenant=%d completed_campaigns=%zu", tenant_id, count);
    if (!err)
        err = budget_pause_spent(pg, tenant_id, clock_now_ms(), &count);
    if (!err)
        err = kept_call_forget(pg, tenant_id, clock_now_ms());
    if (!err)
        err = agent_tidy(pg, tenant_id, clock_now_ms(), &count);
    if (!err && m->has_switch)
        err = agent_lines(pg, tenant_id, m->slot, &m->lines, &m->line_count);
    if (!err)
        err = count_backlog(pg, tenant_id, m->backlog);
    return err ? err : seal_decisions(pg, tenant_id);
}

int maintenance_run(struct pg *pg, struct maintenance *m)
{
    static _Thread_local int tenants[TENANTS_MAX];
    size_t n = 0;

    const struct slot_words words = {.held = m->held,
                                     .ready = m->ready,
                                     .has_switch = m->has_switch,
                                     .weight = m->weight,
                                     .priority = m->priority};
    int err = slot_say(pg, "dialer", m->slot, &m->holder, &words, &m->news);
    if (!err || err == EACCES) /* the renewal sees to that */
        err = pg_tenants(pg, tenants, TENANTS_MAX, &n);
    if (!err && m->partitions)
        err = make_partitions(pg);
    for (size_t i = 0; !err && i < n; i++)
        err = run_tenant(pg, m, tenants[i]);
    return err;
}
