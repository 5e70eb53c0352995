/* audit_verify: everything of the decision log that can be computed again. */
#include "compliance/audit_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pg.h"
#include "base/xalloc.h"
#include "compliance/audit.h"
#include "compliance/pack_store.h"

struct verify {
    struct pg *pg;
    int tenant_id;
    bool again;
    audit_finding_fn *each;
    void *arg;
    void (*progress)(void *arg, int64_t rows);
    struct audit_counts *out;
    uint8_t previous[SHA256_BYTES];
    struct inputs_bodies bodies;
};

static void found(struct verify *v, const char *kind, const char *what,
                  const char *detail)
{
    v->out->wrong++;
    v->each(v->arg, kind, what, detail);
}

static void found_segment(struct verify *v, int number, const char *detail)
{
    char what[32];

    snprintf(what, sizeof(what), "segment %d", number);
    found(v, "segment", what, detail);
}

/* The segment against itself and the one before. */
static int check_chain(struct verify *v, const PGresult *res, int number)
{
    size_t n = (size_t)pg_i64(res, 0, 0);
    CLEANUP(free_cleanup) struct uuid *ids = xcalloc(n + 1, sizeof(*ids));
    CLEANUP(free_cleanup) uint8_t *hashes = xcalloc(n + 1, SHA256_BYTES);
    struct audit_segment s = {.number = number, .n = n, .ids = ids, .hashes = hashes};
    uint8_t stated[SHA256_BYTES], is[SHA256_BYTES];

    int err = pg_bytes(res, 0, 1, (uint8_t *)ids, n * sizeof(*ids));
    if (!err)
        err = pg_bytes(res, 0, 2, hashes, n * SHA256_BYTES);
    if (!err)
        err = pg_bytes(res, 0, 3, s.previous, SHA256_BYTES);
    if (!err)
        err = pg_bytes(res, 0, 4, stated, SHA256_BYTES);
    if (err == EBADMSG) {
        found_segment(v, number, "its ids and hashes do not fit together");
        return 0;
    }
    audit_segment_hash(&s, is);
    if (memcmp(is, stated, sizeof(is)) != 0)
        found_segment(v, number, "its hash is not that of what it holds");
    if (memcmp(s.previous, v->previous, sizeof(s.previous)) != 0)
        found_segment(v, number, "it does not follow the segment before");
    memcpy(v->previous, stated, sizeof(stated));
    audit_hex_text(stated, sizeof(stated), v->out->head);
    return err;
}

static int check_again(struct verify *v, const char *id, const char *text)
{
    struct audit_row row;
    struct verdict verdict;
    char detail[160];

    if (audit_row_read(text, &row)) {
        found(v, "unreadable", id, "its text cannot be read");
        return 0;
    }
    int err = audit_row_again(&row, inputs_body, &v->bodies, &verdict);
    v->out->again++;
    if (err == EILSEQ) {
        snprintf(detail, sizeof(detail), "it says %s, its inputs give %s",
                 reason_name(row.reason), reason_name(verdict.reason));
        found(v, "verdict", id, detail);
    } else if (err == ESTALE) {
        snprintf(detail, sizeof(detail),
                 "it says %s; by this machine's time zone data, not that of the day, its "
                 "inputs give %s",
                 reason_name(row.reason), reason_name(verdict.reason));
        v->out->other_tzdata++;
        v->each(v->arg, "tzdata", id, detail);
    } else if (err) {
        found(v, "unreadable", id,
              err == ENOENT ? "a rule pack or the policy of that day is not on file"
                            : "its inputs cannot be read");
    }
    return 0;
}

/* A row says when it was decided, and its seal when it was sealed: the two bind each
 * other to ten minutes. Not by a virtual clock, nor by one that the gate itself refused.
 */
#define BY_REAL_CLOCK(condition)                                                         \
    "coalesce(" condition                                                                \
    " AND d.inputs->>'clock' = 'real' AND NOT d.reasons && ARRAY[705], false)"
_Static_assert(REASON_CLOCK_UNTRUSTED == 705, "written in BY_REAL_CLOCK");
/* Everything committed had been sealed long after that: it was written later than it
 * says. */
#define BACKDATED(sealed_at)                                                             \
    BY_REAL_CLOCK("d.decided_at < " sealed_at " - interval '10 minutes'")
/* The seal says that it is older than the row. */
#define SEALED_BEFORE BY_REAL_CLOCK("d.decided_at > s.sealed_at + interval '10 minutes'")
static const char backdated[] =
    "it was written after what it says was its time had been sealed";

static int check_rows(struct verify *v, int number)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    int err = 0;

    pg_arg_i64(&a, v->tenant_id);
    pg_arg_i64(&a, number);
    err = pg_run(
        v->pg, &res,
        "SELECT i.id, d.id IS NULL, d.id IS NOT NULL AND "
        "sha256(convert_to(furrow_decision_text(d), 'UTF8')) IS DISTINCT FROM "
        "substring(s.row_hashes FROM (i.at::int - 1) * 32 + 1 FOR 32), coalesce((d.xid, "
        "d.id) <= lag((d.xid, d.id)) OVER (PARTITION BY d.id IS NULL ORDER BY i.at), "
        "false) OR d.xid >= s.below OR d.xid < b.below, " BACKDATED(
            "b.sealed_at") ", " SEALED_BEFORE
                           ", furrow_decision_text(d) FROM audit_segments s CROSS JOIN "
                           "LATERAL "
                           "(SELECT coalesce(max(p.below), '0') AS below, "
                           "max(p.sealed_at) AS sealed_at FROM "
                           "audit_segments p WHERE p.tenant_id = $1 AND p.segment < "
                           "s.segment AND p.below < "
                           "s.below) b CROSS JOIN LATERAL unnest(s.row_ids) WITH "
                           "ORDINALITY i(id, at) LEFT "
                           "JOIN decisions d ON d.id = i.id AND d.tenant_id = $1 WHERE "
                           "s.tenant_id = $1 AND "
                           "s.segment = $2 ORDER BY i.at",
        &a);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        const char *id = pg_text(res, i, 0);
        v->out->rows++;
        if (pg_bool(res, i, 1))
            found(v, "removed", id, "it was sealed and is gone");
        else if (pg_bool(res, i, 2))
            found(v, "altered", id, "it is not what was sealed");
        else if (pg_bool(res, i, 3))
            found(v, "reordered", id, "it does not stand where its transaction was");
        else if (pg_bool(res, i, 4))
            found(v, "inserted", id, backdated);
        else if (pg_bool(res, i, 5))
            found(v, "segment", id, "its segment says that it was sealed before that");
        if (!pg_bool(res, i, 1) && v->again)
            err = check_again(v, id, pg_text(res, i, 6));
    }
    return err;
}

/* Rows of transactions that were sealed, in no segment. */
static int check_inserted(struct verify *v)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, v->tenant_id);
    int err =
        pg_run(v->pg, &res,
               "WITH line AS (SELECT max(below) AS below FROM audit_segments WHERE "
               "tenant_id = $1), "
               "sealed AS MATERIALIZED (SELECT unnest(row_ids) AS id FROM audit_segments "
               "WHERE tenant_id "
               "= $1) SELECT d.id FROM decisions d, line WHERE d.tenant_id = $1 AND "
               "d.xid < line.below "
               "AND NOT EXISTS (SELECT FROM sealed s WHERE s.id = d.id) ORDER BY d.id",
               &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        found(v, "inserted", pg_text(res, i, 0), "no segment of its time holds it");
    PQclear(res);
    res = NULL;
    if (!err)
        err =
            pg_run(v->pg, &res,
                   "WITH line AS (SELECT max(below) AS below, max(sealed_at) AS sealed "
                   "FROM audit_segments WHERE tenant_id = $1) SELECT d.id FROM decisions "
                   "d, line WHERE d.tenant_id = $1 AND d.xid >= line.below "
                   "AND " BACKDATED("line.sealed") " ORDER BY d.id",
                   &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        found(v, "inserted", pg_text(res, i, 0), backdated);
    return err;
}

/* Every released attempt has the decision that let it go: a log that was emptied is not
 * sound because nothing is left in it. */
static int check_calls(struct verify *v)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, v->tenant_id);
    int err =
        pg_run(v->pg, &res,
               "SELECT a.id FROM attempts a WHERE a.tenant_id = $1 AND a.released_at IS "
               "NOT NULL AND NOT EXISTS (SELECT FROM decisions d WHERE d.attempt_id = "
               "a.id AND d.tenant_id = $1 AND d.stage = 2 AND d.reason = 0 AND d.phone = "
               "a.phone) ORDER BY a.id",
               &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        found(v, "unproved", pg_text(res, i, 0),
              "this attempt was let go, and no decision says why");
    PQclear(res);
    res = NULL;
    if (!err)
        err =
            pg_run(v->pg, &res,
                   "SELECT max(id::text) FROM decisions WHERE tenant_id = $1 AND stage = "
                   "2 AND attempt_id IS NOT NULL GROUP BY attempt_id HAVING count(*) > 1 "
                   "ORDER BY 1",
                   &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        found(v, "inserted", pg_text(res, i, 0),
              "its attempt has another decision to let it go");
    return err;
}

/* Packs and policies by the content that their hashes name. */
static int check_bodies(struct verify *v)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, v->tenant_id);
    int err =
        pg_run(v->pg, &res,
               "SELECT 'pack', sha256 FROM pack_bodies WHERE sha256 <> "
               "encode(sha256(convert_to(body, 'UTF8')), 'hex') UNION ALL SELECT "
               "'policy', sha256 FROM policy_bodies WHERE tenant_id = $1 AND sha256 "
               "<> encode(sha256(convert_to(body, 'UTF8')), 'hex')",
               &a);
    for (int i = 0; !err && i < PQntuples(res); i++)
        found(v, pg_text(res, i, 0), pg_text(res, i, 1),
              "its stored text is not what its hash says");
    return err;
}

static int count_unsealed(struct verify *v)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, v->tenant_id);
    int err =
        pg_run(v->pg, &res,
               "SELECT count(*), furrow_ms(min(decided_at)) FROM decisions WHERE "
               "tenant_id = $1 AND xid >= coalesce("
               "(SELECT max(below) FROM audit_segments WHERE tenant_id = $1), '0'::xid8)",
               &a);
    if (err)
        return err;
    v->out->unsealed = pg_i64(res, 0, 0);
    v->out->unsealed_since_ms = pg_i64(res, 0, 1);
    return 0;
}

static void found_gone(struct verify *v, int from, int to)
{
    char what[48];

    if (from == to) {
        found_segment(v, from, "it is gone");
        return;
    }
    snprintf(what, sizeof(what), "segments %d to %d", from, to);
    found(v, "segment", what, "they are gone");
}

static int check_segment(struct verify *v, int number)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, v->tenant_id);
    pg_arg_i64(&a, number);
    int err = pg_run(
        v->pg, &res,
        "SELECT cardinality(row_ids), decode(replace(array_to_string(row_ids, ''), "
        "'-', ''), 'hex'), row_hashes, previous, hash, EXISTS (SELECT FROM "
        "audit_segments p WHERE p.tenant_id = $1 AND p.segment = $2 - 1 AND (p.below > "
        "s.below OR p.sealed_at > s.sealed_at)), s.sealed_at > now() + "
        "interval '10 minutes', s.below > pg_snapshot_xmax(pg_current_snapshot()) FROM "
        "audit_segments s WHERE tenant_id = $1 AND segment = $2",
        &a);
    if (!err && pg_bool(res, 0, 5))
        found_segment(v, number, "it says that it was sealed before the one before it");
    if (!err && pg_bool(res, 0, 6))
        found_segment(v, number, "it says that it was sealed in the future");
    if (!err && pg_bool(res, 0, 7))
        found_segment(
            v, number,
            "it covers transactions that this server has not begun: its line was moved, "
            "or the data came from another server by pg_dump");
    if (!err)
        err = check_chain(v, res, number);
    if (!err)
        err = check_rows(v, number);
    if (!err && v->progress)
        v->progress(v->arg, v->out->rows);
    return err;
}

static int verify(struct verify *v, const char *head)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, v->tenant_id);
    /* One look at everything: what is sealed meanwhile is not half seen. */
    int err =
        pg_run(v->pg, NULL, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", NULL);
    if (!err)
        err = pg_run(v->pg, &res,
                     "SELECT segment FROM audit_segments WHERE tenant_id = $1 ORDER BY 1",
                     &a);
    int last = 0;
    for (int i = 0; !err && i < PQntuples(res); i++) {
        int number = (int)pg_i64(res, i, 0);
        if (number > last + 1)
            found_gone(v, last + 1, number - 1);
        err = check_segment(v, number);
        last = number;
        v->out->segments++;
    }
    if (!err && last > 0)
        err = check_inserted(v);
    if (!err)
        err = check_calls(v);
    if (!err)
        err = check_bodies(v);
    if (!err)
        err = count_unsealed(v);
    if (!err && head && strcmp(head, v->out->head) != 0)
        found(v, "head", head,
              "the newest segment has another hash: segments were cut off");
    return err;
}

int audit_verify(struct pg *pg, int tenant_id, const char *head, bool again,
                 audit_finding_fn *each, void *arg,
                 void (*progress)(void *arg, int64_t rows), struct audit_counts *out)
{
    struct verify v = {.pg = pg,
                       .tenant_id = tenant_id,
                       .again = again,
                       .each = each,
                       .arg = arg,
                       .progress = progress,
                       .bodies = {.pg = pg, .tenant_id = tenant_id},
                       .out = out};

    *out = (struct audit_counts){0};
    int err = pg_run(pg, NULL, "BEGIN", NULL);
    struct pg_args a = {0};
    pg_arg_i64(&a, tenant_id);
    if (err)
        return err;
    err = pg_run(pg, NULL, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                 NULL);
    if (!err)
        err = pg_run(pg, NULL, "SELECT set_config('furrow.tenant', $1, true)", &a);
    if (!err)
        err = verify(&v, head);
    inputs_bodies_free(&v.bodies);
    return pg_end(pg, err);
}
