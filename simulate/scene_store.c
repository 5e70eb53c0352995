#include "simulate/scene_store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/budget_store.h"
#include "campaigns/campaign_trunk_store.h"
#include "campaigns/canary_store.h"
#include "campaigns/limit_store.h"
#include "campaigns/quarantine_store.h"
#include "compliance/dnc_list.h"
#include "compliance/facts_store.h"
#include "simulate/scene_store_inside.h"

#define DAY_MS (INT64_C(86400) * 1000)

static int read_counts(struct pg *pg, struct scene *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, s->campaign_id);
    int err = pg_run(pg, &res,
                     "SELECT count(*) FILTER (WHERE state = 'final'), count(*) FILTER "
                     "(WHERE state = 'calling') FROM campaign_contacts WHERE campaign_id "
                     "= $1 AND state <> 'pending'",
                     &a);
    if (err)
        return err;
    s->final_contacts = pg_i64(res, 0, 0);
    s->calling_contacts = pg_i64(res, 0, 1);
    return 0;
}

static int set_span(const struct scene_options *o, struct scene *s, struct errtext *e)
{
    int64_t longest_ms = SCENE_DAYS_MAX * DAY_MS;

    s->from_ms = o->from_ms < s->doc->start_at_ms ? s->doc->start_at_ms : o->from_ms;
    s->to_ms = o->to_ms ? o->to_ms : s->from_ms + longest_ms;
    if (s->doc->end_at_ms && s->doc->end_at_ms < s->to_ms)
        s->to_ms = s->doc->end_at_ms;
    if (s->to_ms <= s->from_ms)
        return errtext_set(e, EINVAL, 0, 0,
                           "there is nothing to simulate: it ends before it begins (the "
                           "campaign's own start and end count as well)");
    if (s->to_ms - s->from_ms > longest_ms)
        return errtext_set(e, EINVAL, 0, 0, "a simulation spans at most %d days",
                           SCENE_DAYS_MAX);
    return 0;
}

/* The smaller of two limits of which 0 is none. */
static double smaller(double a, double b)
{
    if (a <= 0 || b <= 0)
        return a > b ? a : b;
    return a < b ? a : b;
}

/* Of the tenant, and of the caller ID; in transactions of their own. */
static int read_limits(struct pg *pg, struct scene *s)
{
    const char *const owners[] = {"", s->doc->caller_id};

    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        struct limit_row limit = {0};
        if (i > 0 && owners[i][0] == '\0')
            continue;
        int err = limit_load(pg, s->tenant_id, owners[i], &limit);
        if (err)
            return err;
        s->cps = smaller(s->cps, limit.cps);
        s->channels = (int)smaller(s->channels, limit.max_concurrent);
    }
    return 0;
}

static int read_trunks(struct pg *pg, const struct campaign_row *row, struct scene *s)
{
    struct campaign_trunk_row trunks[CAMPAIGN_TRUNKS_MAX];
    double cps = 0;
    int channels = 0;

    int err = campaign_trunks_load(pg, s->tenant_id, row->id, trunks, &s->trunk_count);
    for (size_t i = 0; !err && i < s->trunk_count; i++) {
        struct scene_trunk *t = &s->trunks[i];

        *t = (struct scene_trunk){.cps = trunks[i].trunk.cps,
                                  .channels = trunks[i].trunk.max_channels,
                                  .weight = trunks[i].weight,
                                  .priority = trunks[i].priority};
        str_cut(t->name, sizeof(t->name), trunks[i].trunk.name);
        cps += t->cps;
        channels += t->channels;
        if (!(t->cps > 0 && t->channels > 0))
            return EPROTO; /* the schema sees to it */
    }
    s->cps = smaller(s->cps, smaller(s->doc->pacing.cps, cps));
    s->channels =
        (int)smaller(s->channels, smaller(s->doc->pacing.max_concurrent, channels));
    return err;
}

/* One that failed, or is under way, begins anew. */
static int read_canary(struct pg *pg, struct scene *s)
{
    struct canary_row row = {0};
    int err = s->doc->canary.calls > 0
                  ? canary_load(pg, s->tenant_id, s->campaign_id, &row)
                  : 0;

    s->canary_over = row.state == CANARY_PASSED || row.state == CANARY_OVERRULED;
    return err;
}

static int read_agents(struct pg *pg, struct scene *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    if (s->doc->mode.kind == MODE_FIXED)
        return 0;
    pg_arg_text(&a, s->doc->mode.queue);
    int err = pg_run(pg, &res, "SELECT count(*) FROM agents WHERE queue = $1", &a);
    if (!err)
        s->agents = (int)pg_i64(res, 0, 0);
    return err;
}

/* What is in quarantine already, and what the lists are called. */
static int read_quarantine(struct pg *pg, struct scene *s)
{
    int64_t held[CAMPAIGN_LISTS_MAX];
    size_t n = 0;

    int err = quarantine_variants(pg, s->campaign_id, s->doc, &s->held_variants);
    if (!err)
        err = quarantine_lists(pg, s->campaign_id, s->doc, held, &n);
    for (size_t i = 0; !err && i < s->list_count; i++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        struct pg_args a = {0};

        pg_arg_i64(&a, s->lists[i].id);
        err = pg_run(pg, &res, "SELECT name FROM lists WHERE id = $1", &a);
        if (!err && PQntuples(res) > 0)
            str_cut(s->lists[i].name, sizeof(s->lists[i].name), pg_text(res, 0, 0));
        for (size_t k = 0; k < n; k++)
            if (held[k] == s->lists[i].id)
                s->held_lists |= 1u << i;
    }
    return err;
}

static int load(struct pg *pg, const struct campaign_row *row,
                const struct scene_options *o, struct scene_source *out,
                struct errtext *e)
{
    struct scene *s = &out->scene;
    struct scene_parts *p = out->parts;

    int err = set_span(o, s, e);
    if (!err)
        err = read_trunks(pg, row, s);
    if (!err)
        err =
            facts_holidays(pg, s->tenant_id, s->from_ms, &p->holidays, &s->holiday_count);
    s->holidays = p->holidays;
    if (!err)
        err = scene_read_flows(pg, row, s, p, e);
    if (!err)
        err = scene_read_tables(pg, s, p, e);
    if (!err)
        err = read_counts(pg, s);
    if (!err)
        err = read_agents(pg, s);
    if (!err)
        err = read_canary(pg, s);
    int64_t open = 0;
    if (!err)
        err = budget_load(pg, s->tenant_id, row->id, &s->doc->budget, &s->spent, &open);
    if (!err)
        err = scene_read_people(pg, row, s, p);
    if (!err)
        err = read_quarantine(pg, s);
    if (!err)
        err = scene_read_facts(pg, s, p);
    if (!err && s->doc->caller_ids.pool[0])
        err = scene_read_callers(pg, s, p);
    if (err || o->people == 0)
        return err;
    if (s->people_count == 0)
        return errtext_set(e, EINVAL, 0, 0,
                           "nobody of the list waits who could be copied: import some "
                           "contacts first (furrow contacts import)");
    scene_invent_people(s, p, (size_t)o->people);
    return 0;
}

int scene_load(struct pg *pg, int tenant_id, const struct campaign_row *row,
               const struct scene_options *options, struct scene_source *out,
               struct errtext *e)
{
    struct dnc_lists *lists = dnc_lists_of_process();

    *out = (struct scene_source){
        .scene = {.tenant_id = tenant_id, .campaign_id = row->id, .language_count = 1},
        .parts = xcalloc(1, sizeof(*out->parts))};
    if (lists)
        dnc_lists_pin_all(lists, mono_ms(), out->parts->lists, SCENE_DNC_LISTS_MAX,
                          &out->parts->list_count);
    int err = campaign_doc_get(pg, tenant_id, row->id, &out->scene.doc);
    if (err == EINVAL)
        errtext_set(e, err, 0, 0,
                    "the campaign's rules cannot be read by this build (furrow campaign "
                    "change writes others)");
    if (!err)
        err = read_limits(pg, &out->scene);
    if (!err)
        err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, load(pg, row, options, out, e));
    if (err)
        errtext_set(e, err, 0, 0, "%s", pg_error(pg)); /* the first text stays */
    if (err)
        scene_free(out);
    return err;
}

void scene_free(struct scene_source *s)
{
    struct scene_parts *p = s->parts;

    if (!p)
        return;
    for (size_t i = 0; i < p->list_count; i++)
        dnc_lists_unpin(dnc_lists_of_process(), p->lists[i]);
    for (size_t i = 0; i < p->set_count; i++)
        facts_free(p->sets[i]);
    ivr_arena_free(p->arena);
    buf_free(&p->texts);
    flow_texts_free(&p->flows);
    json_decref(p->table_names);
    table_memory_free(&p->tables);
    free(p->sets);
    free(p->rows);
    free(p->groups.at);
    free(p->persons.at);
    free(p->scene_groups);
    free(p->zones);
    free(p->people);
    free(p->holidays);
    free(p->callers);
    free(p->uses);
    free(p);
    *s = (struct scene_source){0};
}
