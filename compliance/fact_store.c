#include "compliance/fact_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "compliance/fact_json_store.h"
#include "compliance/facts_store.h"

/* ---- changes ---- */

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

int fact_change_add(struct pg *pg, int tenant_id, const struct fact_change *c,
                    int64_t now_ms, int64_t *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, c->kind);
    pg_arg_text(&a, c->what);
    pg_arg_text(&a, or_empty(c->subject));
    pg_arg_text(&a, or_empty(c->source));
    pg_arg_text(&a, or_empty(c->by_user));
    pg_arg_text(&a, or_empty(c->note));
    pg_arg_ms(&a, now_ms);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, &res,
                 "INSERT INTO fact_changes (tenant_id, kind, what, subject, source, "
                 "by_user, note, at) VALUES ($1, $2, $3, $4, $5, $6, $7, furrow_ts($8)) "
                 "RETURNING id",
                 &a);
    if (!err)
        *id = pg_i64(res, 0, 0);
    return pg_end_own(pg, own, err);
}

int fact_change_end(struct pg *pg, int tenant_id, int64_t id, int64_t rows,
                    int64_t rejected, int64_t now_ms)
{
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, id);
    pg_arg_i64(&a, rows);
    pg_arg_i64(&a, rejected);
    pg_arg_ms(&a, now_ms);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, NULL,
                 "UPDATE fact_changes SET row_count = $2, rejected = $3, finished_at = "
                 "furrow_ts($4) WHERE id = $1 AND finished_at IS NULL",
                 &a);
    return pg_end_own(pg, own, err);
}

int fact_change_list(struct pg *pg, int tenant_id, const char *kind, int max,
                     json_t **out)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, or_empty(kind));
    pg_arg_i64(&a, max);
    return fact_json_rows(pg, tenant_id,
                          "SELECT row_to_json(q) FROM (SELECT id, kind, what, subject, "
                          "source, by_user, note, furrow_ms(at) AS at_ms, row_count AS "
                          "rows, rejected, furrow_ms(finished_at) AS finished_ms FROM "
                          "fact_changes WHERE tenant_id = $1 AND ($2 = '' OR kind = $2) "
                          "ORDER BY id DESC LIMIT $3) q",
                          &a, out);
}

/* ---- rows of files ---- */

enum { ARRAYS = 8 };

struct arrays {
    struct buf at[ARRAYS];
    size_t n;
};

static void free_arrays(struct arrays *a)
{
    for (size_t i = 0; i < a->n; i++)
        buf_free(&a->at[i]);
}

typedef int64_t(number_of_fn)(const struct fact_row *row);
typedef const char *(text_of_fn)(const struct fact_row *row);

static void put_numbers(struct arrays *a, struct pg_args *args,
                        const struct fact_row *rows, size_t n, number_of_fn *number_of)
{
    CLEANUP(free_cleanup) int64_t *v = xcalloc(n + 1, sizeof(*v));
    struct buf *b = &a->at[a->n++];

    for (size_t i = 0; i < n; i++)
        v[i] = number_of(&rows[i]);
    pg_array_i64(b, v, n);
    pg_arg_text(args, b->data);
}

static void put_texts(struct arrays *a, struct pg_args *args, const struct fact_row *rows,
                      size_t n, text_of_fn *text_of)
{
    CLEANUP(free_cleanup) const char **v = xcalloc(n + 1, sizeof(*v));
    struct buf *b = &a->at[a->n++];

    for (size_t i = 0; i < n; i++)
        v[i] = text_of(&rows[i]);
    pg_array_text(b, v, n);
    pg_arg_text(args, b->data);
}

static int64_t phone_of(const struct fact_row *r)
{
    return r->phone;
}
static int64_t hit_of(const struct fact_row *r)
{
    return r->hit;
}
static int64_t line_of(const struct fact_row *r)
{
    return r->line;
}
static int64_t answer_of(const struct fact_row *r)
{
    return r->answer;
}
static int64_t confirmed_of(const struct fact_row *r)
{
    return r->confirmed;
}
static int64_t checked_of(const struct fact_row *r)
{
    return r->checked_at_ms;
}
static int64_t expires_of(const struct fact_row *r)
{
    return r->expires_at_ms;
}
static int64_t given_of(const struct fact_row *r)
{
    return r->given_at_ms;
}
static int64_t revoked_of(const struct fact_row *r)
{
    return r->revoked_at_ms;
}
static const char *list_of(const struct fact_row *r)
{
    return r->list;
}
static const char *region_of(const struct fact_row *r)
{
    return r->region;
}
static const char *zones_of_row(const struct fact_row *r)
{
    return r->zones;
}
static const char *level_of(const struct fact_row *r)
{
    return r->level ? consent_level_name(r->level) : "";
}
static const char *seller_of(const struct fact_row *r)
{
    return r->seller;
}
static const char *purpose_of(const struct fact_row *r)
{
    return r->purpose;
}
static const char *evidence_of(const struct fact_row *r)
{
    return r->evidence;
}

/* Of one number a file may say several things: the newest counts, of equally new ones
 * the one that forbids more. */
#define NEWER                                                                            \
    "WHERE w.checked_at < excluded.checked_at OR (w.checked_at = excluded.checked_at "   \
    "AND "

static int write_washes(struct pg *pg, struct pg_args *args, struct arrays *a,
                        const struct fact_row *rows, size_t n, PGresult **res)
{
    put_texts(a, args, rows, n, list_of);
    put_numbers(a, args, rows, n, hit_of);
    put_numbers(a, args, rows, n, checked_of);
    put_numbers(a, args, rows, n, expires_of);
    return pg_run(
        pg, res,
        "INSERT INTO washes AS w (tenant_id, change_id, phone, list, hit, checked_at, "
        "expires_at) SELECT DISTINCT ON (v.phone, v.list) $1::int, $2::bigint, v.phone, "
        "v.list, v.hit = 1, furrow_ts(v.checked), furrow_ts(v.expires) FROM "
        "unnest($3::bigint[], $4::text[], $5::int[], $6::bigint[], $7::bigint[]) "
        "v(phone, "
        "list, hit, checked, expires) ORDER BY v.phone, v.list, v.checked DESC, v.hit "
        "DESC, v.expires ON CONFLICT (tenant_id, phone, list) DO UPDATE SET hit = "
        "excluded.hit, checked_at = excluded.checked_at, expires_at = "
        "excluded.expires_at, change_id = excluded.change_id " NEWER
        "(w.hit, w.expires_at) IS DISTINCT FROM (excluded.hit, excluded.expires_at))",
        args);
}

static int write_line_types(struct pg *pg, struct pg_args *args, struct arrays *a,
                            const struct fact_row *rows, size_t n, PGresult **res)
{
    put_numbers(a, args, rows, n, line_of);
    put_numbers(a, args, rows, n, checked_of);
    return pg_run(
        pg, res,
        "INSERT INTO line_types AS w (tenant_id, change_id, phone, line, checked_at) "
        "SELECT DISTINCT ON (v.phone) $1::int, $2::bigint, v.phone, v.line, "
        "furrow_ts(v.checked) FROM unnest($3::bigint[], $4::int[], $5::bigint[]) "
        "v(phone, "
        "line, checked) ORDER BY v.phone, v.checked DESC, v.line ON CONFLICT (tenant_id, "
        "phone) DO UPDATE SET line = excluded.line, checked_at = excluded.checked_at, "
        "change_id = excluded.change_id " NEWER "w.line <> excluded.line)",
        args);
}

static int write_reassigned(struct pg *pg, struct pg_args *args, struct arrays *a,
                            const struct fact_row *rows, size_t n, PGresult **res)
{
    put_numbers(a, args, rows, n, answer_of);
    put_numbers(a, args, rows, n, checked_of);
    return pg_run(
        pg, res,
        "INSERT INTO reassigned_numbers AS w (tenant_id, change_id, phone, answer, "
        "checked_at) SELECT DISTINCT ON (v.phone) $1::int, $2::bigint, v.phone, "
        "v.answer, "
        "furrow_ts(v.checked) FROM unnest($3::bigint[], $4::int[], $5::bigint[]) "
        "v(phone, "
        "answer, checked) ORDER BY v.phone, v.checked DESC, v.answer = 2 DESC, v.answer "
        "DESC ON CONFLICT (tenant_id, phone) DO UPDATE SET answer = excluded.answer, "
        "checked_at = excluded.checked_at, change_id = excluded.change_id " NEWER
        "w.answer <> excluded.answer)",
        args);
}

/* An address without a date says nothing against what is dated. */
static int write_places(struct pg *pg, struct pg_args *args, struct arrays *a,
                        const struct fact_row *rows, size_t n, PGresult **res)
{
    put_texts(a, args, rows, n, region_of);
    put_texts(a, args, rows, n, zones_of_row);
    put_numbers(a, args, rows, n, confirmed_of);
    put_numbers(a, args, rows, n, checked_of);
    return pg_run(
        pg, res,
        "INSERT INTO number_places AS w (tenant_id, change_id, phone, region, zones, "
        "confirmed, said_at) SELECT DISTINCT ON (v.phone) $1::int, $2::bigint, v.phone, "
        "v.region, string_to_array(v.zones, ' '), v.confirmed = 1, "
        "furrow_ts(nullif(v.said, 0)) FROM unnest($3::bigint[], $4::text[], $5::text[], "
        "$6::int[], $7::bigint[]) v(phone, region, zones, confirmed, said) ORDER BY "
        "v.phone, v.said DESC, v.confirmed ON CONFLICT (tenant_id, phone) DO UPDATE SET "
        "region = excluded.region, zones = excluded.zones, confirmed = "
        "excluded.confirmed, said_at = excluded.said_at, change_id = excluded.change_id "
        "WHERE coalesce(excluded.said_at, '-infinity') >= coalesce(w.said_at, "
        "'-infinity') AND (w.region, w.zones, w.confirmed, w.said_at) IS DISTINCT FROM "
        "(excluded.region, excluded.zones, excluded.confirmed, excluded.said_at)",
        args);
}

/* ---- consents ---- */

/* Takes back what was given until then; where nothing was, the word itself is kept, so
 * that nobody calls on a later import of an older consent. */
static int write_revocations(struct pg *pg, struct pg_args *args, int64_t *revoked)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    int err = pg_run(
        pg, &res,
        "WITH v AS MATERIALIZED (SELECT phone, max(revoked) AS revoked, max(evidence) AS "
        "evidence FROM unnest($3::bigint[], $4::text[], $5::bigint[], $6::bigint[], "
        "$7::text[], $8::text[], $9::text[]) r(phone, level, given, revoked, seller, "
        "purpose, evidence) WHERE revoked > 0 GROUP BY phone), taken AS (UPDATE consents "
        "c SET revoked_at = furrow_ts(v.revoked), revoked_note = 'import ' || $2::bigint "
        "FROM v WHERE c.tenant_id = $1::int AND c.phone = v.phone AND c.revoked_at IS "
        "NULL AND c.given_at <= furrow_ts(v.revoked) RETURNING c.phone), kept AS (INSERT "
        "INTO consents (tenant_id, change_id, phone, level, evidence, given_at, "
        "revoked_at, revoked_note) SELECT $1::int, $2::bigint, v.phone, 'express', "
        "v.evidence, furrow_ts(v.revoked), furrow_ts(v.revoked), 'import ' || "
        "$2::bigint || ': no consent was on file' FROM v WHERE v.phone NOT IN (SELECT "
        "phone FROM taken) AND NOT EXISTS (SELECT FROM consents c WHERE c.tenant_id = "
        "$1::int AND c.phone = v.phone AND c.revoked_at >= furrow_ts(v.revoked)) "
        "RETURNING phone) SELECT (SELECT count(*) FROM taken) + (SELECT count(*) FROM "
        "kept)",
        args);
    if (!err)
        *revoked += pg_i64(res, 0, 0);
    return err;
}

static int write_consents(struct pg *pg, struct pg_args *args, struct arrays *a,
                          const struct fact_row *rows, size_t n, PGresult **res,
                          int64_t *revoked)
{
    put_texts(a, args, rows, n, level_of);
    put_numbers(a, args, rows, n, given_of);
    put_numbers(a, args, rows, n, revoked_of);
    put_texts(a, args, rows, n, seller_of);
    put_texts(a, args, rows, n, purpose_of);
    put_texts(a, args, rows, n, evidence_of);
    int err = pg_run(
        pg, res,
        "INSERT INTO consents (tenant_id, change_id, phone, level, given_at, seller, "
        "purpose, evidence) SELECT DISTINCT $1::int, $2::bigint, v.phone, v.level, "
        "furrow_ts(v.given), v.seller, v.purpose, v.evidence FROM unnest($3::bigint[], "
        "$4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[]) "
        "v(phone, level, given, revoked, seller, purpose, evidence) WHERE v.level <> '' "
        "AND NOT EXISTS (SELECT FROM consents c WHERE c.tenant_id = $1::int AND c.phone "
        "= v.phone AND c.level = v.level AND c.given_at = furrow_ts(v.given) AND "
        "c.seller = v.seller AND c.purpose = v.purpose AND c.evidence = v.evidence)",
        args);
    return err ? err : write_revocations(pg, args, revoked);
}

static int write_rows(struct pg *pg, enum fact_kind kind, struct pg_args *args,
                      struct arrays *a, const struct fact_row *rows, size_t n,
                      PGresult **res, int64_t *revoked)
{
    switch (kind) {
    case FACT_WASH:
        return write_washes(pg, args, a, rows, n, res);
    case FACT_LINE_TYPE:
        return write_line_types(pg, args, a, rows, n, res);
    case FACT_REASSIGNED:
        return write_reassigned(pg, args, a, rows, n, res);
    case FACT_PLACE:
        return write_places(pg, args, a, rows, n, res);
    case FACT_CONSENT:
        return write_consents(pg, args, a, rows, n, res, revoked);
    case FACT_KINDS:
        break;
    }
    return EINVAL;
}

static int lock_rows(struct pg *pg, int tenant_id, const struct fact_row *rows, size_t n)
{
    CLEANUP(free_cleanup) int64_t *phones = xcalloc(n + 1, sizeof(*phones));

    for (size_t i = 0; i < n; i++)
        phones[i] = rows[i].phone;
    return facts_lock_numbers(pg, tenant_id, phones, n);
}

int fact_write(struct pg *pg, int tenant_id, enum fact_kind kind,
               const struct fact_row *rows, size_t n, int64_t change_id,
               struct fact_counts *counts)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct arrays arrays = {0};
    struct pg_args args = {0};
    int64_t revoked = 0, ends = 0;
    bool own = false;

    if (n == 0)
        return 0;
    if (n > FACT_BATCH)
        return EINVAL;
    pg_arg_i64(&args, tenant_id);
    pg_arg_i64(&args, change_id);
    put_numbers(&arrays, &args, rows, n, phone_of);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err) {
        err = lock_rows(pg, tenant_id, rows, n);
        if (!err)
            err = write_rows(pg, kind, &args, &arrays, rows, n, &res, &revoked);
        err = pg_end_own(pg, own, err);
    }
    free_arrays(&arrays);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++)
        ends += kind == FACT_CONSENT && !rows[i].level;
    int64_t written = pg_affected(res);
    counts->written += written;
    counts->known += (int64_t)n - ends - written;
    counts->revoked += revoked;
    return 0;
}
