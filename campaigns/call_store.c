/*
 * call_store - calls, their ends, their recordings, inbound numbers, callbacks. A
 * step's commit is in call_store_step.c.
 */
#include "campaigns/call_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/job_store.h"
#include "compliance/facts_store.h"
#include "contacts/phone.h"
#include "contacts/tz.h"
#include "contacts/zone_group_store.h"
#include "contacts/zones.h"

/* ---- begin ---- */

static void arg_id(struct pg_args *a, int64_t id)
{
    if (id > 0)
        pg_arg_i64(a, id);
    else
        pg_arg_null(a);
}

static int insert_call(struct pg *pg, const struct call_start *s)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, &s->id);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_text(&a, s->inbound ? "in" : "out");
    arg_id(&a, s->campaign_id);
    arg_id(&a, s->contact_id);
    arg_id(&a, s->phone);
    pg_arg_text(&a, s->extension);
    pg_arg_i64(&a, s->flow_revision_id);
    pg_arg_i64(&a, s->slot);
    pg_arg_ms(&a, s->at_ms);
    return pg_run(pg, NULL,
                  "INSERT INTO calls (id, tenant_id, direction, campaign_id, contact_id, "
                  "phone, extension, flow_revision_id, slot, started_at) VALUES ($1, $2, "
                  "$3, $4, $5, $6, $7, $8, $9, furrow_ts($10)) ON CONFLICT (id) DO "
                  "NOTHING",
                  &a);
}

static int read_flow(struct pg *pg, int64_t revision_id, struct call_context *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, revision_id);
    int err =
        pg_run(pg, &res, "SELECT source, sha256 FROM flow_revisions WHERE id = $1", &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    out->flow_source = xstrdup(pg_text(res, 0, 0));
    str_cut(out->flow_sha256, sizeof(out->flow_sha256), pg_text(res, 0, 1));
    return 0;
}

static int read_language(struct pg *pg, int64_t phone, struct call_context *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, phone);
    int err =
        pg_run(pg, &res, "SELECT language FROM caller_history WHERE phone = $1", &a);
    if (!err && PQntuples(res) > 0)
        str_cut(out->language, sizeof(out->language), pg_text(res, 0, 0));
    return err;
}

static int tz_min_of(const char *zone, int64_t at_ms)
{
    const struct tz_zone *tz = NULL;

    return zone[0] && tz_find(zone, &tz) == 0 ? tz_offset_s(tz, at_ms) / 60 : 0;
}

/* Inbound: the newest contact of that number is the person, as far as anybody knows. */
static int read_contact(struct pg *pg, const struct call_start *s,
                        struct call_context *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct phone parsed = {0};
    struct pg_args a = {0};
    char number[PHONE_TEXT_MAX] = "";

    pg_arg_i64(&a, s->contact_id > 0 ? s->contact_id : s->phone);
    if (s->contact_id > 0)
        pg_arg_uuid(&a, &s->id);
    int err =
        pg_run(pg, &res,
               s->contact_id > 0
                   ? "SELECT k.attrs, k.region, z.zones[1], a.variant FROM contacts k "
                     "LEFT JOIN zone_groups z ON z.id = k.zone_group LEFT JOIN "
                     "attempts a ON a.id = $2 WHERE k.id = $1"
                   : "SELECT k.attrs, k.region, z.zones[1] FROM contacts k LEFT "
                     "JOIN zone_groups z ON z.id = k.zone_group WHERE k.phone = $1 "
                     "ORDER BY k.id DESC LIMIT 1",
               &a);
    if (err)
        return err;
    bool found = PQntuples(res) > 0;
    if (s->phone > 0) {
        (void)phone_from_e164(s->phone, &parsed);
        phone_text(s->phone, number);
    }
    if (found) {
        out->tz_min = tz_min_of(pg_text(res, 0, 2), s->at_ms);
    } else if (s->phone > 0) {
        const struct zone_set *zones = zones_of(s->phone, parsed.type);
        out->tz_min = zones->n > 0 ? tz_min_of(zones->names[0], s->at_ms) : 0;
    }
    out->contact = found ? json_loads(pg_text(res, 0, 0), 0, NULL) : NULL;
    if (!json_is_object(out->contact)) {
        json_decref(out->contact);
        out->contact = json_object();
    }
    if (json_object_set_new(out->contact, "phone", json_string(number)) ||
        json_object_set_new(out->contact, "region",
                            json_string(found ? pg_text(res, 0, 1) : parsed.region)))
        return ENOMEM;
    if (found && s->contact_id > 0 && pg_text(res, 0, 3)[0] &&
        json_object_set_new(out->contact, "variant", json_string(pg_text(res, 0, 3))))
        return ENOMEM;
    return 0;
}

int call_begin(struct pg *pg, const struct call_start *start, struct call_context *out)
{
    struct call_context c = {0};

    int err = pg_begin(pg, start->tenant_id);
    if (err)
        return err;
    err = read_flow(pg, start->flow_revision_id, &c);
    if (!err)
        err = insert_call(pg, start);
    if (!err && start->phone > 0)
        err = read_language(pg, start->phone, &c);
    if (!err)
        err = read_contact(pg, start, &c);
    err = pg_end(pg, err);
    if (err)
        call_context_free(&c);
    else
        *out = c;
    return err;
}

void call_context_free(struct call_context *c)
{
    json_decref(c->contact);
    free(c->flow_source);
    *c = (struct call_context){0};
}

/* ---- recordings ---- */

/* What was called lost after a crash may turn out finished: then it is fetched. An empty
 * one has a job too, which only deletes what Asterisk has kept of it. */
static int end_recording(struct pg *pg, int tenant_id, const char *name,
                         const char *state, int duration_ms, const char *error,
                         int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    json_auto_t *payload = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    pg_arg_text(&a, state);
    pg_arg_i64(&a, duration_ms);
    pg_arg_text(&a, error ? error : "");
    pg_arg_ms(&a, now_ms);
    int err = pg_run(
        pg, &res,
        "WITH ended AS (UPDATE recordings SET state = $2, duration_ms = "
        "nullif($3::int, 0), error = $4, finished_at = furrow_ts($5), updated_at = "
        "furrow_ts($5) WHERE name = $1 AND (state = 'live' OR (state = 'lost_media' AND "
        "$2 = 'finished')) RETURNING id, source) SELECT (SELECT id FROM ended WHERE $2 = "
        "'finished' OR ($2 = 'empty' AND source = 'ari')), EXISTS (SELECT FROM "
        "recordings WHERE name = $1)",
        &a);
    if (err)
        return err;
    if (!pg_bool(res, 0, 1))
        return ENOENT;
    if (pg_is_null(res, 0, 0))
        return 0;
    payload = json_pack("{s:i,s:s}", "v", 1, "recording_id", pg_text(res, 0, 0));
    return job_enqueue(pg, tenant_id, "recording.fetch", pg_text(res, 0, 0), payload,
                       now_ms, 0);
}

int call_recording_end(struct pg *pg, int tenant_id, const char *name, const char *state,
                       int duration_ms, const char *error, int64_t now_ms)
{
    static const char *const ends[] = {"finished", "empty", "lost_media", "failed"};
    size_t i = 0;

    while (i < ARRAY_LEN(ends) && strcmp(state, ends[i]) != 0)
        i++;
    if (i == ARRAY_LEN(ends))
        return EINVAL;
    int err = pg_begin(pg, tenant_id);
    return err ? err
               : pg_end(pg, end_recording(pg, tenant_id, name, state, duration_ms, error,
                                          now_ms));
}

/* ---- end ---- */

static int finish(struct pg *pg, const struct call_end *end, const char *results)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &end->id);
    pg_arg_ms(&a, end->at_ms);
    pg_arg_text(&a, end->outcome);
    pg_arg_text(&a, results);
    int err = pg_run(pg, &res,
                     "WITH ended AS (UPDATE calls SET ended_at = furrow_ts($2), outcome "
                     "= $3, results = coalesce($4::jsonb, results) WHERE id = $1 AND "
                     "ended_at IS NULL) SELECT FROM calls WHERE id = $1",
                     &a);
    return !err && PQntuples(res) == 0 ? ENOENT : err;
}

int call_finish(struct pg *pg, const struct call_end *end)
{
    CLEANUP(free_cleanup)
    char *results = end->results ? json_dumps(end->results, JSON_COMPACT) : NULL;

    if (end->results && !results)
        return EINVAL;
    int err = pg_begin(pg, end->tenant_id);
    return err ? err : pg_end(pg, finish(pg, end, results));
}

/* ---- after a crash ---- */

int call_list_open(struct pg *pg, int tenant_id, int slot, struct call_open **out,
                   size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct call_open *all = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, slot);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own,
                         pg_run(pg, &res,
                                "SELECT id, direction = 'in' FROM calls WHERE ended_at "
                                "IS NULL AND ($1::int < 0 OR slot = $1::int) ORDER BY id",
                                &a));
    if (err)
        return err;
    int rows = PQntuples(res);
    all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; !err && i < rows; i++) {
        all[i].tenant_id = tenant_id;
        all[i].inbound = pg_bool(res, i, 1);
        err = pg_uuid(res, i, 0, &all[i].id);
    }
    if (err)
        return err;
    *out = STEAL(all);
    *n = (size_t)rows;
    return 0;
}

int call_list_live_recordings(struct pg *pg, int tenant_id, const struct uuid *call,
                              struct call_live_recording **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct call_live_recording *all = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_uuid(&a, call);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own,
                         pg_run(pg, &res,
                                "SELECT r.name, r.call_id FROM recordings r WHERE "
                                "r.state = 'live' AND (r.call_id = $1 OR ($1::uuid IS "
                                "NULL AND NOT EXISTS (SELECT FROM calls c WHERE c.id = "
                                "r.call_id AND c.ended_at IS NULL))) ORDER BY r.id",
                                &a));
    if (err)
        return err;
    int rows = PQntuples(res);
    all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; !err && i < rows; i++) {
        str_cut(all[i].name, sizeof(all[i].name), pg_text(res, i, 0));
        err = pg_uuid(res, i, 1, &all[i].call_id);
    }
    if (err)
        return err;
    *out = STEAL(all);
    *n = (size_t)rows;
    return 0;
}

/* ---- inbound numbers ---- */

static int find_tenant(struct pg *pg, const char *dialled, int *tenant_id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, dialled);
    int err = pg_run(pg, &res, "SELECT furrow_extension_tenant($1)", &a);
    if (!err)
        *tenant_id = (int)pg_i64(res, 0, 0);
    return !err && *tenant_id == 0 ? ENOENT : err;
}

static int read_extension(struct pg *pg, const char *dialled, struct call_extension *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, dialled);
    int err = pg_run(pg, &res,
                     "SELECT r.id, x.callback_campaign_id, x.missed_call FROM extensions "
                     "x JOIN flow_revisions r ON r.flow_id = x.flow_id WHERE x.number = "
                     "$1 ORDER BY r.revision DESC LIMIT 1",
                     &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    out->flow_revision_id = pg_i64(res, 0, 0);
    out->callback_campaign_id = pg_i64(res, 0, 1);
    out->missed_call = pg_bool(res, 0, 2);
    return 0;
}

int call_find_extension(struct pg *pg, const char *dialled, struct call_extension *out)
{
    struct call_extension x = {0};

    if (dialled[0] == '+')
        dialled++;
    int err = find_tenant(pg, dialled, &x.tenant_id);
    if (!err)
        err = pg_begin(pg, x.tenant_id);
    if (err)
        return err;
    err = pg_end(pg, read_extension(pg, dialled, &x));
    if (!err)
        *out = x;
    return err;
}

/* ---- callbacks ---- */

struct callback {
    struct pg *pg;
    int tenant_id;
    int64_t campaign_id, phone, at_ms, now_ms, list_id, contact_id, zone_group;
};

static int find_list(struct callback *c)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, c->campaign_id);
    int err = pg_run(c->pg, &res, "SELECT list_id FROM campaigns WHERE id = $1", &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    c->list_id = pg_i64(res, 0, 0);
    return 0;
}

static int find_contact(struct callback *c)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, c->list_id);
    pg_arg_i64(&a, c->phone);
    int err = pg_run(c->pg, &res,
                     "SELECT id, zone_group FROM contacts WHERE list_id = $1 AND phone = "
                     "$2",
                     &a);
    if (!err && PQntuples(res) > 0) {
        c->contact_id = pg_i64(res, 0, 0);
        c->zone_group = pg_i64(res, 0, 1);
    }
    return err;
}

static int make_contact(struct callback *c)
{
    struct phone parsed = {0};
    struct pg_args a = {0};

    /* A number that cannot be is refused by the verdict, not here. */
    (void)phone_from_e164(c->phone, &parsed);
    int err = zone_group_id(c->pg, c->tenant_id, parsed.region,
                            zones_of(c->phone, parsed.type), c->now_ms, &c->zone_group);
    if (err)
        return err;
    pg_arg_i64(&a, c->tenant_id);
    pg_arg_i64(&a, c->list_id);
    pg_arg_i64(&a, c->phone);
    pg_arg_i64(&a, parsed.type);
    pg_arg_i64(&a, c->zone_group);
    pg_arg_text(&a, parsed.region);
    err = pg_run(c->pg, NULL,
                 "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
                 "zone_group, region) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT "
                 "(list_id, phone) DO NOTHING",
                 &a);
    return err ? err : find_contact(c);
}

/* An open request is a contact that is being called, or one that waits with the
 * priority of a callback. Whoever waits as usual, or is final, is asked for anew. */
static int write_request(struct callback *c, bool *duplicate)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, c->tenant_id);
    pg_arg_i64(&a, c->campaign_id);
    pg_arg_i64(&a, c->contact_id);
    pg_arg_i64(&a, CALLBACK_PRIORITY);
    pg_arg_ms(&a, c->at_ms);
    int err = pg_run(
        c->pg, &res,
        "INSERT INTO campaign_contacts AS k (tenant_id, campaign_id, contact_id, phone, "
        "zone_group, number_type, priority, next_attempt_at) SELECT $1, $2, id, phone, "
        "zone_group, number_type, $4, furrow_ts($5) FROM contacts WHERE id = $3 ON "
        "CONFLICT (campaign_id, contact_id) DO UPDATE SET state = "
        "'pending', attempts = CASE WHEN k.state = 'final' THEN 0 ELSE k.attempts END, "
        "priority = greatest(k.priority, excluded.priority), next_attempt_at = "
        "excluded.next_attempt_at, final = NULL, final_at = NULL WHERE k.state = 'final' "
        "OR (k.state = 'pending' AND k.priority < excluded.priority)",
        &a);
    if (!err)
        *duplicate = pg_affected(res) == 0;
    return err;
}

static int request(struct callback *c, bool *duplicate)
{
    int err = facts_lock_numbers(c->pg, c->tenant_id, &c->phone, 1);

    if (!err)
        err = find_list(c);
    if (!err)
        err = find_contact(c);
    if (!err && c->contact_id == 0)
        err = make_contact(c);
    return err ? err : write_request(c, duplicate);
}

int call_request_callback(struct pg *pg, int tenant_id, int64_t campaign_id,
                          int64_t phone, int64_t at_ms, int64_t now_ms, bool *duplicate)
{
    struct callback c = {.pg = pg,
                         .tenant_id = tenant_id,
                         .campaign_id = campaign_id,
                         .phone = phone,
                         .at_ms = at_ms,
                         .now_ms = now_ms};
    bool own = false, again = false;

    if (phone <= 0)
        return EINVAL;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, request(&c, &again));
    if (!err && duplicate)
        *duplicate = again;
    return err;
}
