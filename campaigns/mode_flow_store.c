#include "campaigns/mode_flow_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/campaign.h"
#include "campaigns/campaign_event_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/flow_store.h"
#include "campaigns/subflow_store.h"
#include "campaigns/variant_store.h"

/* ---- what is wrong ---- */

static void say_silence(const struct flow_row *flow, const struct mode_silence *s,
                        struct mode_flow_fault *out)
{
    snprintf(out->text, sizeof(out->text),
             "flow '%s', node '%s'%s%s%s: by the exit '%s' the call ends without a word",
             flow->name, s->node, s->flow[0] ? " of its sub-flow '" : "", s->flow,
             s->flow[0] ? "'" : "", s->exit);
}

int mode_flow_check(struct pg *pg, int tenant_id, int64_t revision_id, const char *queue,
                    struct mode_flow_fault *out)
{
    CLEANUP(free_cleanup) char *source = NULL;
    CLEANUP(flow_texts_free)
    struct flow_texts texts = {.pg = pg, .tenant_id = tenant_id};
    struct mode_silence silence = {0};
    struct flow_row flow;

    *out = (struct mode_flow_fault){0};
    int err = flow_load(pg, tenant_id, revision_id, &flow, &source);
    if (!err)
        err = flow_texts_hold(&texts, revision_id);
    if (err)
        return err;
    const struct mode_flow f = {
        .source = source, .queue = queue, .resolve = flow_resolve, .arg = &texts};
    out->no_queue = !mode_flow_leads_to(&f);
    out->silent = mode_flow_is_silent(&f, &silence);
    if (texts.err)
        return texts.err;
    if (out->silent)
        say_silence(&flow, &silence, out);
    if (out->no_queue)
        snprintf(out->text, sizeof(out->text), "flow '%s' has no queue node for '%s'",
                 flow.name, queue);
    return 0;
}

static int flow_of(struct pg *pg, int64_t campaign_id, int64_t *revision_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    int err =
        pg_run(pg, &res, "SELECT flow_revision_id FROM campaigns WHERE id = $1", &a);
    if (!err)
        *revision_id = PQntuples(res) > 0 ? pg_i64(res, 0, 0) : 0;
    return err;
}

int mode_flow_check_campaign(struct pg *pg, int tenant_id, int64_t campaign_id,
                             const struct campaign_doc *doc, struct mode_flow_fault *out)
{
    int64_t all[1 + VARIANTS_MAX] = {0};
    size_t n = 0;

    *out = (struct mode_flow_fault){0};
    if (doc->mode.kind == MODE_FIXED)
        return 0;
    int err = flow_of(pg, campaign_id, &all[0]);
    if (!err && doc->variants.n > 0)
        err = variant_revisions(pg, tenant_id, campaign_id, &all[1], &n);
    for (size_t i = 0; !err && i <= n && !out->no_queue && !out->silent; i++)
        if (all[i])
            err = mode_flow_check(pg, tenant_id, all[i], doc->mode.queue, out);
    return err;
}

/* ---- while it runs ---- */

#define KEEP_KEY "campaign_mode_flows"

/* Campaigns whose flows were in order as of a flow revision, the newest then. */
struct kept {
    struct {
        int64_t campaign_id, as_of;
    } * at;
    size_t n;
};

static void free_kept(void *data)
{
    struct kept *k = data;

    free(k->at);
    free(k);
}

static int64_t *as_of(struct pg *pg, int64_t campaign_id)
{
    struct kept *k = pg_kept(pg, KEEP_KEY);

    if (!k) {
        k = xcalloc(1, sizeof(*k));
        pg_keep(pg, KEEP_KEY, k, free_kept);
    }
    for (size_t i = 0; i < k->n; i++)
        if (k->at[i].campaign_id == campaign_id)
            return &k->at[i].as_of;
    k->at = xrealloc(k->at, (k->n + 1) * sizeof(*k->at));
    k->at[k->n].campaign_id = campaign_id;
    k->at[k->n].as_of = -1;
    return &k->at[k->n++].as_of;
}

static int newest(struct pg *pg, int64_t *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int err = pg_run(pg, &res, "SELECT coalesce(max(id), 0) FROM flow_revisions", NULL);

    if (!err)
        *id = pg_i64(res, 0, 0);
    return err;
}

static int hold(struct pg *pg, int tenant_id, int64_t campaign_id,
                const struct mode_flow_fault *fault, int64_t now_ms)
{
    char text[CAMPAIGN_EVENT_TEXT_MAX];
    bool running = false;

    int err = campaign_lock_running(pg, campaign_id, &running);
    if (err || !running)
        return err;
    err = campaign_command(pg, tenant_id, campaign_id, CAMPAIGN_PAUSE, fault->text,
                           now_ms, NULL, NULL);
    snprintf(text, sizeof(text), "paused: %.230s", fault->text);
    if (!err)
        err = campaign_event_add(pg, campaign_id, now_ms, text);
    if (!err)
        log_warn("campaign", "id=%lld paused: %s", (long long)campaign_id,
                 LOG_ESC(fault->text));
    return err;
}

int mode_flow_watch(struct pg *pg, int tenant_id, int64_t campaign_id,
                    const struct campaign_doc *doc, int64_t now_ms)
{
    struct mode_flow_fault fault;
    int64_t id = 0;

    if (doc->mode.kind == MODE_FIXED)
        return 0;
    int err = newest(pg, &id);
    if (err || *as_of(pg, campaign_id) == id)
        return err;
    err = mode_flow_check_campaign(pg, tenant_id, campaign_id, doc, &fault);
    if (err)
        return err;
    if (fault.no_queue || fault.silent)
        return hold(pg, tenant_id, campaign_id, &fault, now_ms);
    *as_of(pg, campaign_id) = id;
    return 0;
}
