#include "compliance/audit_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/audit.h"
#include "compliance/pack_store.h"

/* ---- sealing ---- */

struct seal {
    struct pg *pg;
    int tenant_id;
    int64_t now_ms;
    char from[32], below[32]; /* transactions, [from, below) */
    struct audit_segment last;
};

static int begin_seal(struct seal *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, s->tenant_id);
    int err =
        pg_run(s->pg, NULL,
               "SELECT pg_advisory_xact_lock(hashtextextended('furrow audit', $1))", &a);
    if (!err)
        err = pg_run(
            s->pg, &res,
            "SELECT coalesce(max(below), '0')::text, "
            "pg_snapshot_xmin(pg_current_snapshot())::text, coalesce(max(segment), 0), "
            "(SELECT hash FROM audit_segments WHERE tenant_id = $1 ORDER BY segment DESC "
            "LIMIT 1) FROM audit_segments WHERE tenant_id = $1",
            &a);
    if (err)
        return err;
    str_cut(s->from, sizeof(s->from), pg_text(res, 0, 0));
    str_cut(s->below, sizeof(s->below), pg_text(res, 0, 1));
    s->last.number = (int)pg_i64(res, 0, 2);
    return s->last.number ? pg_bytes(res, 0, 3, s->last.hash, SHA256_BYTES) : 0;
}

static int write_segment(struct seal *s, const PGresult *rows, int from, int n)
{
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc((size_t)n, sizeof(*ids));
    CLEANUP(free_cleanup) uint8_t *hashes = xcalloc((size_t)n, SHA256_BYTES);
    CLEANUP(buf_free) struct buf array = {0};
    struct audit_segment next = {
        .number = s->last.number + 1, .n = (size_t)n, .ids = ids, .hashes = hashes};
    struct pg_args a = {0};
    int err = 0;

    memcpy(next.previous, s->last.hash, SHA256_BYTES);
    for (int i = 0; !err && i < n; i++) {
        err = pg_uuid(rows, from + i, 0, &ids[i]);
        if (!err)
            err = pg_bytes(rows, from + i, 1, hashes + (size_t)i * SHA256_BYTES,
                           SHA256_BYTES);
    }
    if (err)
        return err;
    audit_segment_hash(&next, next.hash);
    pg_array_uuid(&array, ids, (size_t)n);
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_i64(&a, next.number);
    pg_arg_text(&a, s->below);
    pg_arg_text(&a, array.data);
    pg_arg_bytes(&a, hashes, (size_t)n * SHA256_BYTES);
    pg_arg_bytes(&a, next.previous, SHA256_BYTES);
    pg_arg_bytes(&a, next.hash, SHA256_BYTES);
    pg_arg_ms(&a, s->now_ms);
    err = pg_run(
        s->pg, NULL,
        "INSERT INTO audit_segments (tenant_id, segment, below, row_ids, row_hashes, "
        "previous, hash, sealed_at) VALUES ($1, $2, $3::xid8, $4::uuid[], $5, $6, $7, "
        "furrow_ts($8))",
        &a);
    next.ids = NULL;
    next.hashes = NULL;
    s->last = next;
    return err;
}

static int seal(struct seal *s, int64_t *rows)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    int err = begin_seal(s);
    if (err)
        return err;
    pg_arg_i64(&a, s->tenant_id);
    pg_arg_text(&a, s->from);
    pg_arg_text(&a, s->below);
    err = pg_run(
        s->pg, &res,
        "SELECT d.id, sha256(convert_to(furrow_decision_text(d), 'UTF8')) FROM decisions "
        "d WHERE d.tenant_id = $1 AND d.xid >= $2::xid8 AND d.xid < $3::xid8 ORDER BY "
        "d.xid, d.id",
        &a);
    int n = err ? 0 : PQntuples(res);
    for (int at = 0; !err && at < n; at += AUDIT_SEGMENT_ROWS)
        err = write_segment(s, res, at,
                            n - at < AUDIT_SEGMENT_ROWS ? n - at : AUDIT_SEGMENT_ROWS);
    *rows = n;
    return err;
}

int audit_seal(struct pg *pg, int tenant_id, int64_t now_ms, int64_t *rows)
{
    struct seal s = {.pg = pg, .tenant_id = tenant_id, .now_ms = now_ms};

    *rows = 0;
    int err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, seal(&s, rows));
    return err;
}

/* ---- a bundle ---- */

static int add_rows(struct pg *pg, int tenant_id, int64_t phone, json_t *decisions)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    int err = pg_run(pg, &res,
                     "SELECT furrow_decision_text(d), s.segment, "
                     "array_position(s.row_ids, d.id) - 1 FROM "
                     "decisions d JOIN audit_segments s ON s.tenant_id = $1 AND "
                     "s.row_ids @> ARRAY[d.id] WHERE "
                     "d.tenant_id = $1 AND d.phone = $2 ORDER BY s.segment, 3",
                     &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        json_array_append_new(decisions,
                              json_pack("{s:s, s:I, s:I}", "text", pg_text(res, i, 0),
                                        "segment", (json_int_t)pg_i64(res, i, 1),
                                        "position", (json_int_t)pg_i64(res, i, 2)));
    return err;
}

static int add_segments(struct pg *pg, int tenant_id, int64_t phone, json_t *segments)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    int err = pg_run(pg, &res,
                     "SELECT segment, to_json(row_ids), encode(row_hashes, 'hex'), "
                     "encode(previous, 'hex'), "
                     "encode(hash, 'hex') FROM audit_segments s WHERE tenant_id = $1 AND "
                     "EXISTS (SELECT FROM "
                     "decisions d WHERE d.tenant_id = $1 AND d.phone = $2 AND s.row_ids "
                     "@> ARRAY[d.id]) ORDER "
                     "BY segment",
                     &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        json_array_append_new(segments,
                              json_pack("{s:I, s:o, s:s, s:s, s:s}", "segment",
                                        (json_int_t)pg_i64(res, i, 0), "ids",
                                        json_loads(pg_text(res, i, 1), 0, NULL), "hashes",
                                        pg_text(res, i, 2), "previous",
                                        pg_text(res, i, 3), "hash", pg_text(res, i, 4)));
    return err;
}

static void add_body(struct inputs_bodies *bodies, const char *hash, json_t *packs)
{
    if (!hash || json_object_get(packs, hash))
        return;
    json_t *body = inputs_body(hash, bodies);
    if (body)
        json_object_set_new(packs, hash, body);
}

/* Packs, and policies beside them: both by hash. */
static void add_packs(struct inputs_bodies *bodies, const json_t *decisions,
                      json_t *packs)
{
    size_t i = 0, k = 0;
    json_t *d = NULL, *pack = NULL;

    json_array_foreach(decisions, i, d)
    {
        struct audit_row row;
        if (audit_row_read(json_string_value(json_object_get(d, "text")), &row))
            continue;
        json_auto_t *inputs = json_loads(row.inputs, 0, NULL);
        add_body(bodies, json_string_value(json_object_get(inputs, "policy")), packs);
        json_array_foreach(json_object_get(inputs, "packs"), k, pack)
            add_body(bodies, json_string_value(json_array_get(pack, 1)), packs);
    }
}

/* What else is on file of the number, as rows. */
static int add_evidence(struct pg *pg, int tenant_id, int64_t phone, json_t *bundle)
{
    static const struct {
        const char *key, *sql;
    } parts[] = {
        {"consents",
         "SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (SELECT level, seller, "
         "evidence, given_at, revoked_at FROM consents WHERE tenant_id = $1 AND phone "
         "= $2 ORDER BY id) q"},
        {"do_not_call",
         "SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (SELECT campaign_id, "
         "topic, source, added_at, removed_at FROM dnc_entries WHERE tenant_id = $1 AND "
         "phone = $2 ORDER BY id) q"},
        {"calls",
         "SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (SELECT id, number, "
         "state, "
         "released_at, answered_at, ended_at, disposition FROM attempts WHERE tenant_id "
         "= $1 AND phone = $2 ORDER BY id) q"},
        {"recordings",
         "SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (SELECT r.id, "
         "r.call_id, r.state, r.sha256 FROM recordings r "
         "JOIN calls c ON c.id = r.call_id WHERE c.tenant_id = $1 AND c.phone = $2 "
         "ORDER BY r.id) q"},
    };
    int err = 0;

    for (size_t i = 0; !err && i < ARRAY_LEN(parts); i++) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        struct pg_args a = {0};
        pg_arg_i64(&a, tenant_id);
        pg_arg_i64(&a, phone);
        err = pg_run(pg, &res, parts[i].sql, &a);
        if (!err)
            json_object_set_new(bundle, parts[i].key,
                                json_loads(pg_text(res, 0, 0), 0, NULL));
    }
    return err;
}

int audit_bundle(struct pg *pg, int tenant_id, int64_t phone, json_t **out)
{
    struct inputs_bodies bodies = {.pg = pg, .tenant_id = tenant_id};
    json_t *decisions = json_array(), *segments = json_array(), *packs = json_object();
    json_t *bundle = json_pack("{s:i, s:I, s:o, s:o, s:o}", "furrow_audit", 1, "phone",
                               (json_int_t)phone, "decisions", decisions, "segments",
                               segments, "packs", packs);

    int err = pg_begin(pg, tenant_id);
    if (!err) {
        err = add_rows(pg, tenant_id, phone, decisions);
        if (!err && json_array_size(decisions) == 0)
            err = ENOENT;
        if (!err)
            err = add_segments(pg, tenant_id, phone, segments);
        if (!err)
            err = add_evidence(pg, tenant_id, phone, bundle);
        if (!err)
            add_packs(&bodies, decisions, packs);
        inputs_bodies_free(&bodies);
        err = pg_end(pg, err);
    }
    if (err)
        json_decref(bundle);
    else
        *out = bundle;
    return err;
}
