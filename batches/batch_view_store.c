#include "batches/batch_view_store.h"
#include "base/json_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

/* The value in the first cell. ENOENT: no row, or null. */
static int read_json(struct pg *pg, int tenant_id, const char *sql,
                     const struct pg_args *a, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, pg_run(pg, &res, sql, a));
    if (err)
        return err;
    if (PQntuples(res) == 0 || pg_is_null(res, 0, 0))
        return ENOENT;
    *out = json_loads(pg_text(res, 0, 0), 0, NULL);
    return *out ? 0 : EPROTO;
}

int batch_list(struct pg *pg, int tenant_id, int64_t phone, int limit, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, phone);
    pg_arg_i64(&a, limit);
    return read_json(
        pg, tenant_id,
        "SELECT coalesce(json_agg(q), '[]') FROM (SELECT b.number, b.batch_id, b.gtin, "
        "p.gln, b.batch_number, b.event, b.quantity_kg, b.variety, b.grade AS "
        "quality_grade, b.origin, b.farmer, b.status, c.label AS container, b.spent_at "
        "IS "
        "NOT NULL AS spent, b.created_at FROM batches b LEFT JOIN places p ON p.id = "
        "b.farm LEFT JOIN aggregations g ON g.child = b.id AND g.is_active LEFT JOIN "
        "containers c ON c.id = g.container WHERE $1::bigint = 0 OR b.phone = $1 ORDER "
        "BY "
        "b.created_at DESC, b.number DESC LIMIT $2) q",
        &a, out);
}

/* As lot_find finds it. */
#define NAMED(parameter)                                                                 \
    "(SELECT id FROM batches WHERE batch_id = upper(" parameter ") OR gtin = " parameter \
    " OR batch_number = upper(" parameter ") OR number = CASE WHEN " parameter           \
    " ~ '^[0-9]{1,9}$' THEN " parameter "::bigint END ORDER BY batch_id = "              \
    "upper(" parameter ") DESC, created_at DESC LIMIT 1)"

int batch_show(struct pg *pg, int tenant_id, const char *named, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_text(&a, named);
    return read_json(
        pg, tenant_id,
        "SELECT to_jsonb(b) - '{id,tenant_id,recording_id,call_id,phone,farm,created_by,"
        "verified_by,verification_token}'::text[] || jsonb_build_object('gln', p.gln, "
        "'farm', p.name, 'latitude', p.latitude, 'longitude', p.longitude, 'container', "
        "c.label, 'sscc', c.sscc, 'verified_by', v.name, 'parents', (SELECT "
        "coalesce(jsonb_agg(o.batch_id ORDER BY o.number), '[]') FROM batch_parents x "
        "JOIN batches o ON o.id = x.parent WHERE x.child = b.id), 'children', (SELECT "
        "coalesce(jsonb_agg(o.batch_id ORDER BY o.number), '[]') FROM batch_parents x "
        "JOIN batches o ON o.id = x.child WHERE x.parent = b.id), 'events', (SELECT "
        "coalesce(jsonb_agg(jsonb_build_object('event_time', e.event_time, 'event_type', "
        "e.event_type, 'biz_step', e.biz_step, 'event_hash', e.event_hash) ORDER BY "
        "e.event_time, e.id), '[]') FROM epcis_event_batches x JOIN epcis_events e ON "
        "e.id = x.event_id WHERE x.batch = b.id)) FROM batches b LEFT JOIN places p ON "
        "p.id = b.farm LEFT JOIN aggregations g ON g.child = b.id AND g.is_active LEFT "
        "JOIN containers c ON c.id = g.container LEFT JOIN callers v ON v.id = "
        "b.verified_by WHERE b.id = " NAMED("$1::text"),
        &a, out);
}

int batch_events(struct pg *pg, int tenant_id, const char *named, int limit, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_text(&a, named);
    pg_arg_i64(&a, limit);
    return read_json(
        pg, tenant_id,
        "WITH b AS (SELECT " NAMED(
            "$1") " AS id) SELECT CASE WHEN $1::text IS NOT NULL "
                  "AND b.id IS NULL THEN NULL ELSE (SELECT "
                  "coalesce(json_agg(json_build_object("
                  "'event_hash', q.event_hash, 'event', q.event) ORDER BY q.event_time, "
                  "q.id), "
                  "'[]') FROM (SELECT e.* FROM epcis_events e WHERE $1::text IS NULL OR "
                  "EXISTS "
                  "(SELECT FROM epcis_event_batches x WHERE x.event_id = e.id AND "
                  "x.batch = b.id) "
                  "ORDER BY e.event_time DESC, e.id DESC LIMIT $2) q) END FROM b",
        &a, out);
}

/* --- what a program is told -------------------------------------------------------- */

/* "Successfully commissioned 5 bags of Yirgacheffe from Abebe" */
static json_t *message_of(const json_t *o)
{
    const char *event = json_text(o, "event"), *from = json_text(o, "origin");
    double quantity = json_number_value(json_object_get(o, "quantity"));
    struct buf b = {0};

    if (str_is(event, "commission"))
        buf_printf(&b, "Successfully commissioned %g %s of %s%s%s", quantity,
                   json_text(o, "unit"), json_text(o, "variety"), *from ? " from " : "",
                   from);
    else
        buf_printf(&b, "Successfully recorded the %s of %s", event,
                   json_text(o, "batch_id"));
    json_t *text = json_string(b.data);
    buf_free(&b);
    return text;
}

int command_answer(struct pg *pg, int tenant_id, const struct uuid *id, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_uuid(&a, id);
    int err = read_json(
        pg, tenant_id,
        "SELECT jsonb_build_object('event', m.event, 'id', b.number, 'batch_id', "
        "coalesce(b.batch_id, e.event->>'furrow:container'), 'gtin', b.gtin, 'gln', "
        "p.gln, "
        "'batch_number', b.batch_number, 'quantity', b.quantity, 'unit', b.unit, "
        "'quantity_kg', coalesce(m.quantity_kg, b.quantity_kg), 'origin', b.origin, "
        "'farmer', b.farmer, 'variety', b.variety, 'processing_method', "
        "b.processing_method, 'quality_grade', b.grade, 'created_at', b.created_at, "
        "'status', b.status, 'verification_token', b.verification_token, "
        "'verification_expires_at', b.verification_expires_at, 'credential_issued', "
        "false, 'epcis_event', e.event) FROM commands m LEFT JOIN batches b ON b.id = "
        "m.batch LEFT JOIN places p ON p.id = b.farm LEFT JOIN LATERAL (SELECT event "
        "FROM "
        "epcis_events WHERE command_id = m.id LIMIT 1) e ON true WHERE (m.id = $1 "
        "OR m.recording_id = $1) AND m.state = 'done'",
        &a, out);
    if (!err)
        json_object_set_new(*out, "message", message_of(*out));
    return err;
}
