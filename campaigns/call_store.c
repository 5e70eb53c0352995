/*
 * call_store - calls, their ends, their recordings, inbound numbers. A step's commit is
 * in call_store_step.c, callbacks are in call_store_callback.c.
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
#include "campaigns/kept_call_store.h"
#include "compliance/facts_store.h"
#include "contacts/phone.h"
#include "contacts/tz.h"
#include "contacts/zone_group_store.h"
#include "contacts/zones.h"

/* ---- begin ---- */

/* The call's row, and what its flow begins with: nothing of it when there is no such
 * revision. Where an earlier call in dropped is taken with it, for an hour
 * (kept_call_store.h). Outbound the contact is known; inbound the newest contact of that
 * number is the person, as far as anybody knows. */
#define BEGIN_SQL(contact, variant)                                                      \
    "WITH f AS (SELECT id, source, sha256 FROM flow_revisions WHERE id = $8::bigint), "  \
    "made AS (INSERT INTO calls (id, tenant_id, direction, campaign_id, contact_id, "    \
    "phone, extension, flow_revision_id, slot, started_at) SELECT $1::uuid, $2::int, "   \
    "$3::text, $4::bigint, $5::bigint, $6::bigint, $7::text, f.id, $9::int, "            \
    "furrow_ts($10::bigint) FROM f ON CONFLICT (id) DO NOTHING), gone AS (DELETE FROM "  \
    "kept_calls k WHERE $3::text = 'in' AND k.phone = $6::bigint AND "                   \
    "k.flow_revision_id = $8::bigint RETURNING k.state, k.at) SELECT f.source, "         \
    "f.sha256, coalesce((SELECT h.language FROM caller_history h WHERE h.phone = "       \
    "$6::bigint), ''), k.attrs, k.region, (SELECT z.zones[1] FROM zone_groups z WHERE "  \
    "z.id = k.zone_group), " variant ", k.id IS NOT NULL, (SELECT g.state FROM gone g "  \
    "WHERE g.at > furrow_ts($10::bigint) - interval '1 hour') FROM f LEFT JOIN LATERAL " \
    "(SELECT k.id, k.attrs, k.region, k.zone_group FROM contacts k WHERE " contact       \
    ") k ON true"

static const char begin_out_sql[] = BEGIN_SQL(
    "k.id = $5::bigint", "(SELECT a.variant FROM attempts a WHERE a.id = $1::uuid)");
static const char begin_in_sql[] =
    BEGIN_SQL("k.phone = $6::bigint ORDER BY k.id DESC LIMIT 1", "NULL");

enum { COL_SOURCE, COL_SHA256, COL_LANGUAGE, COL_ATTRS, COL_REGION, COL_ZONE };
enum { COL_VARIANT = COL_ZONE + 1, COL_FOUND, COL_KEPT };

static int write_and_read(struct pg *pg, const struct call_start *s, PGresult **res)
{
    const char *sql = s->contact_id > 0 ? begin_out_sql : begin_in_sql;
    struct pg_args a = {0};

    pg_arg_uuid(&a, &s->id);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_text(&a, s->inbound ? "in" : "out");
    pg_arg_id(&a, s->campaign_id);
    pg_arg_id(&a, s->contact_id);
    pg_arg_id(&a, s->phone);
    pg_arg_text(&a, s->extension);
    pg_arg_i64(&a, s->flow_revision_id);
    pg_arg_i64(&a, s->slot);
    pg_arg_ms(&a, s->at_ms);
    return pg_run_own(pg, s->tenant_id, res, sql, &a);
}

static int tz_min_of(const char *zone, int64_t at_ms)
{
    const struct tz_zone *tz = NULL;

    return zone[0] && tz_find(zone, &tz) == 0 ? tz_offset_s(tz, at_ms) / 60 : 0;
}

/* From that row's attributes, region, zone, variant and whether there is one. */
static int make_contact(const PGresult *res, int row, int col, int64_t phone,
                        int64_t at_ms, struct call_context *out)
{
    const bool found = pg_bool(res, row, col + COL_FOUND - COL_ATTRS);
    struct phone parsed = {0};
    char number[PHONE_TEXT_MAX] = "";

    if (phone > 0) {
        (void)phone_from_e164(phone, &parsed);
        phone_text(phone, number);
    }
    if (found) {
        out->tz_min = tz_min_of(pg_text(res, row, col + COL_ZONE - COL_ATTRS), at_ms);
    } else if (phone > 0) {
        const struct zone_set *zones = zones_of(phone, parsed.type);
        out->tz_min = zones->n > 0 ? tz_min_of(zones->names[0], at_ms) : 0;
    }
    out->contact = found ? json_loads(pg_text(res, row, col), 0, NULL) : NULL;
    if (!json_is_object(out->contact)) {
        json_decref(out->contact);
        out->contact = json_object();
    }
    const char *region =
        found ? pg_text(res, row, col + COL_REGION - COL_ATTRS) : parsed.region;
    const char *variant = pg_text(res, row, col + COL_VARIANT - COL_ATTRS);
    if (json_object_set_new(out->contact, "phone", json_string(number)) ||
        json_object_set_new(out->contact, "region", json_string(region)))
        return ENOMEM;
    if (found && variant[0] &&
        json_object_set_new(out->contact, "variant", json_string(variant)))
        return ENOMEM;
    return 0;
}

static int read_context(const PGresult *res, int row, const struct call_start *start,
                        const char *source, struct call_context *out)
{
    struct call_context c = {0};

    c.flow_source = xstrdup(source);
    str_cut(c.flow_sha256, sizeof(c.flow_sha256), pg_text(res, row, COL_SHA256));
    str_cut(c.language, sizeof(c.language), pg_text(res, row, COL_LANGUAGE));
    int err = make_contact(res, row, COL_ATTRS, start->phone, start->at_ms, &c);
    if (!err)
        err = pg_bytes_dup(res, row, COL_KEPT, &c.kept, &c.kept_len);
    if (err)
        call_context_free(&c);
    else
        *out = c;
    return err;
}

int call_begin(struct pg *pg, const struct call_start *start, struct call_context *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = write_and_read(pg, start, &res);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    return err ? err : read_context(res, 0, start, pg_text(res, 0, COL_SOURCE), out);
}

/* The same for many calls out. A revision's text comes with the first of its calls. The
 * OFFSETs keep the calls outside: each row is found by its key, whatever the planner
 * believes of a table. */
static const char begin_many_sql[] =
    "WITH q AS MATERIALIZED (SELECT q.*, f.source, f.sha256 FROM unnest($2::uuid[], "
    "$3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "
    "$8::bigint[]) WITH ORDINALITY q(id, campaign, contact, phone, revision, slot, "
    "at_ms, n) CROSS JOIN LATERAL (SELECT f.source, f.sha256 FROM flow_revisions f WHERE "
    "f.id = q.revision OFFSET 0) f), made AS (INSERT INTO calls (id, tenant_id, "
    "direction, campaign_id, contact_id, phone, flow_revision_id, slot, started_at) "
    "SELECT q.id, $1::int, 'out', q.campaign, q.contact, q.phone, q.revision, q.slot, "
    "furrow_ts(q.at_ms) FROM q ON CONFLICT (id) DO NOTHING) SELECT CASE WHEN "
    "lag(q.revision) OVER (ORDER BY q.n) IS DISTINCT FROM q.revision THEN q.source END, "
    "q.sha256, coalesce((SELECT h.language FROM caller_history h WHERE h.phone = "
    "q.phone), ''), k.attrs, k.region, (SELECT z.zones[1] FROM zone_groups z WHERE z.id "
    "= k.zone_group), (SELECT a.variant FROM attempts a WHERE a.id = q.id), k.id IS NOT "
    "NULL, NULL::bytea, q.n - 1, q.revision FROM q LEFT JOIN LATERAL (SELECT k.id, "
    "k.attrs, k.region, k.zone_group FROM contacts k WHERE k.id = q.contact OFFSET 0) k "
    "ON true ORDER BY q.n";
enum { COL_N = COL_KEPT + 1, COL_REVISION };

/* Of calls that begin; the last is only of calls in. */
enum start_column {
    START_ID,
    START_CAMPAIGN,
    START_CONTACT,
    START_PHONE,
    START_REVISION,
    START_SLOT,
    START_AT,
    START_EXTENSION,
    START_COLUMNS
};

static void put_starts(struct pg_column *c, const struct call_start *const *starts,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct call_start *s = starts[i];
        pg_column_uuid(&c[START_ID], &s->id);
        pg_column_id(&c[START_CAMPAIGN], s->campaign_id);
        pg_column_id(&c[START_CONTACT], s->contact_id);
        pg_column_id(&c[START_PHONE], s->phone);
        pg_column_i64(&c[START_REVISION], s->flow_revision_id);
        pg_column_i64(&c[START_SLOT], s->slot);
        pg_column_i64(&c[START_AT], s->at_ms);
    }
}

static int ask_many(struct pg *pg, const struct call_start *const *starts, size_t n,
                    PGresult **res)
{
    struct pg_column c[START_COLUMNS] = {0};
    struct pg_args a = {0};
    int tenant_id = starts[0]->tenant_id;

    put_starts(c, starts, n);
    pg_arg_i64(&a, tenant_id);
    for (size_t i = 0; i < START_EXTENSION; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_run_own(pg, tenant_id, res, begin_many_sql, &a);
    pg_columns_free(c, START_COLUMNS);
    return err;
}

/* Of a revision, in an earlier row: rows come in the order of the calls. */
static const char *text_before(const PGresult *res, int row)
{
    int first = 0;

    while (pg_i64(res, first, COL_REVISION) != pg_i64(res, row, COL_REVISION))
        first++;
    return pg_text(res, first, COL_SOURCE);
}

int calls_begin(struct pg *pg, const struct call_start *const *starts, size_t n,
                struct call_context *out, int *errs)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    for (size_t i = 0; i < n; i++) {
        out[i] = (struct call_context){0};
        errs[i] = ENOENT;
    }
    int err = n > 0 ? ask_many(pg, starts, n, &res) : 0;
    for (int row = 0; !err && n > 0 && row < PQntuples(res); row++) {
        int64_t i = pg_i64(res, row, COL_N);
        if (i < 0 || i >= (int64_t)n || errs[i] != ENOENT)
            err = EPROTO;
        else
            errs[i] = read_context(res, row, starts[i], text_before(res, row), &out[i]);
    }
    for (size_t i = 0; err && i < n; i++)
        call_context_free(&out[i]);
    return err;
}

void call_context_free(struct call_context *c)
{
    json_decref(c->contact);
    free(c->flow_source);
    free(c->kept);
    *c = (struct call_context){0};
}

/* ---- many that begin ---- */

static const char ask_sql[] =
    "WITH q AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) "
    "WITH ORDINALITY q(account_id, phone, name, dialled, n)), d AS MATERIALIZED (SELECT "
    "u.dialled, x.callback_campaign_id, r.id, r.sha256 FROM (SELECT DISTINCT dialled "
    "FROM q) u, LATERAL (SELECT x.flow_id, x.callback_campaign_id FROM extensions x "
    "WHERE x.number = u.dialled AND NOT x.missed_call LIMIT 1) x, LATERAL (SELECT r.id, "
    "r.sha256 FROM flow_revisions r WHERE r.flow_id = x.flow_id ORDER BY r.revision DESC "
    "LIMIT 1) r) SELECT q.n, d.id, coalesce(d.callback_campaign_id, 0), d.sha256, "
    "coalesce((SELECT h.language FROM caller_history h WHERE h.phone = q.phone), ''), "
    "k.attrs, k.region, (SELECT z.zones[1] FROM zone_groups z WHERE z.id = "
    "k.zone_group), NULL, k.id IS NOT NULL FROM q JOIN d USING (dialled) LEFT JOIN "
    "LATERAL (SELECT k.id, k.attrs, k.region, k.zone_group FROM contacts k WHERE k.phone "
    "= q.phone ORDER BY k.id DESC LIMIT 1) k ON true WHERE NOT EXISTS (SELECT FROM "
    "voice_sessions s WHERE s.account_id = q.account_id AND s.provider_call_id = q.name) "
    "AND NOT EXISTS (SELECT FROM kept_calls g WHERE g.phone = q.phone AND "
    "g.flow_revision_id = d.id)";

static int read_ask(const PGresult *res, int row, struct call_ask *ask)
{
    ask->flow_revision_id = pg_i64(res, row, 1);
    ask->callback_campaign_id = pg_i64(res, row, 2);
    str_cut(ask->context.flow_sha256, sizeof(ask->context.flow_sha256),
            pg_text(res, row, 3));
    str_cut(ask->context.language, sizeof(ask->context.language), pg_text(res, row, 4));
    return make_contact(res, row, 5, ask->phone, ask->at_ms, &ask->context);
}

int calls_ask(struct pg *pg, const struct call_ask *asks, size_t n)
{
    enum { ACCOUNT, PHONE, NAME, DIALLED, COLUMNS };
    struct pg_column c[COLUMNS] = {0};
    struct pg_args a = {0};

    for (size_t i = 0; i < n; i++) {
        pg_column_i64(&c[ACCOUNT], asks[i].account_id);
        pg_column_id(&c[PHONE], asks[i].phone);
        pg_column_text(&c[NAME], asks[i].provider_call_id);
        pg_column_text(&c[DIALLED], asks[i].dialled + (asks[i].dialled[0] == '+'));
    }
    for (size_t i = 0; i < COLUMNS; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_ask(pg, ask_sql, &a);
    pg_columns_free(c, COLUMNS);
    return err;
}

int calls_answer(struct pg *pg, struct call_ask *asks, size_t n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_answer(pg, &res);
    for (size_t i = 0; i < n; i++)
        asks[i].alone = true;
    for (int row = 0; !err && row < PQntuples(res); row++) {
        int64_t i = pg_i64(res, row, 0) - 1;
        if (i < 0 || i >= (int64_t)n || !asks[i].alone)
            return EPROTO;
        err = read_ask(res, row, &asks[i]);
        asks[i].alone = err != 0;
    }
    return err;
}

int calls_add(struct pg *pg, const struct call_start *const *starts, size_t n)
{
    struct pg_column c[START_COLUMNS] = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    put_starts(c, starts, n);
    for (size_t i = 0; i < n; i++)
        pg_column_text(&c[START_EXTENSION], starts[i]->extension);
    pg_arg_i64(&a, starts[0]->tenant_id);
    for (size_t i = 0; i < START_COLUMNS; i++)
        pg_arg_column(&a, &c[i]);
    int err = pg_run_later(
        pg,
        "INSERT INTO calls (id, tenant_id, direction, campaign_id, contact_id, phone, "
        "extension, flow_revision_id, slot, started_at) SELECT v.id, $1::int, 'in', "
        "v.campaign, v.contact, v.phone, v.extension, v.revision, v.slot, "
        "furrow_ts(v.at_ms) FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], "
        "$5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[]) v(id, "
        "campaign, contact, phone, revision, slot, at_ms, extension)",
        &a);
    pg_columns_free(c, START_COLUMNS);
    return err;
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
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err
               : pg_end_own(pg, own,
                            end_recording(pg, tenant_id, name, state, duration_ms, error,
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
    bool own = false;
    int err = pg_begin_own(pg, end->tenant_id, &own);
    return err ? err : pg_end_own(pg, own, finish(pg, end, results));
}

int calls_finish(struct pg *pg, const struct call_end *const *ends, size_t n)
{
    enum { ID, AT, OUTCOME, RESULTS, COLUMNS };
    struct pg_column c[COLUMNS] = {0};
    struct pg_args a = {0};

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        CLEANUP(free_cleanup)
        char *results =
            ends[i]->results ? json_dumps(ends[i]->results, JSON_COMPACT) : NULL;
        pg_column_uuid(&c[ID], &ends[i]->id);
        pg_column_i64(&c[AT], ends[i]->at_ms);
        pg_column_text(&c[OUTCOME], ends[i]->outcome);
        pg_column_text(&c[RESULTS], results);
    }
    for (size_t i = 0; i < COLUMNS; i++)
        pg_arg_column(&a, &c[i]);
    /* IS TRUE: found by their keys, not by the index of all that are open. */
    int err = pg_run_later(
        pg,
        "UPDATE calls c SET ended_at = furrow_ts(v.at_ms), outcome = v.outcome, results "
        "= coalesce(v.results::jsonb, c.results) FROM unnest($1::uuid[], $2::bigint[], "
        "$3::text[], $4::text[]) v(id, at_ms, outcome, results) WHERE c.id = v.id AND "
        "(c.ended_at IS NULL) IS TRUE",
        &a);
    pg_columns_free(c, COLUMNS);
    return err;
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
                                "IS NULL AND ($1::int < 0 OR slot = $1::int) AND NOT "
                                "EXISTS (SELECT FROM provider_calls p WHERE "
                                "p.attempt_id = calls.id) ORDER BY id",
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
                                "r.state = 'live' AND r.source NOT IN ('twilio', "
                                "'plivo') AND (r.call_id = $1 OR ($1::uuid IS "
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
    bool own = false;

    if (dialled[0] == '+')
        dialled++;
    int err = find_tenant(pg, dialled, &x.tenant_id);
    if (!err)
        err = pg_begin_own(pg, x.tenant_id, &own);
    if (err)
        return err;
    err = pg_end_own(pg, own, read_extension(pg, dialled, &x));
    if (!err)
        *out = x;
    return err;
}
