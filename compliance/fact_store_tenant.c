/* Registrations and emergency orders of the tenant, and what is on file of one number. */
#include <errno.h>

#include "base/pg.h"
#include "base/str.h"
#include "compliance/fact_json_store.h"
#include "compliance/fact_store.h"
#include "compliance/facts_store.h"

int fact_json_rows(struct pg *pg, int tenant_id, const char *sql,
                   const struct pg_args *args, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_end_own(pg, own, pg_run(pg, &res, sql, args));
    if (err)
        return err;
    *out = json_array();
    for (int i = 0; i < PQntuples(res); i++) {
        json_t *row = json_loads(pg_text(res, i, 0), 0, NULL);
        json_array_append_new(*out, row ? row : json_null());
    }
    return 0;
}

/* ---- one number ---- */

#define OF_NUMBER "WHERE tenant_id = $1 AND phone = $2"

static const struct {
    const char *name, *sql;
} parts[] = {
    {"line_types", "SELECT row_to_json(q) FROM (SELECT CASE line WHEN 1 THEN 'mobile' "
                   "WHEN 2 THEN 'fixed' ELSE 'voip' END AS line, furrow_ms(checked_at) "
                   "AS checked_ms, change_id FROM line_types " OF_NUMBER ") q"},
    {"reassigned",
     "SELECT row_to_json(q) FROM (SELECT CASE answer WHEN 1 THEN 'no' WHEN 2 THEN 'yes' "
     "ELSE 'no_data' END AS answer, furrow_ms(checked_at) AS checked_ms, change_id FROM "
     "reassigned_numbers " OF_NUMBER ") q"},
    {"places",
     "SELECT row_to_json(q) FROM (SELECT region, array_to_string(zones, ' ') AS zones, "
     "confirmed, furrow_ms(said_at) AS said_ms, change_id FROM number_places " OF_NUMBER
     ") q"},
    {"washes",
     "SELECT row_to_json(q) FROM (SELECT list, hit, furrow_ms(checked_at) AS checked_ms, "
     "furrow_ms(expires_at) AS expires_ms, change_id FROM washes " OF_NUMBER
     " ORDER BY list) q"},
    {"consents",
     "SELECT row_to_json(q) FROM (SELECT level, furrow_ms(given_at) AS given_ms, seller, "
     "purpose, evidence, furrow_ms(revoked_at) AS revoked_ms, revoked_note, change_id "
     "FROM consents " OF_NUMBER " ORDER BY given_at, id) q"},
};

int fact_of_number(struct pg *pg, int tenant_id, int64_t phone, json_t **out)
{
    struct pg_args a = {0};
    json_t *all = json_object();
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, phone);
    int err = pg_begin_own(pg, tenant_id, &own);
    for (size_t i = 0; !err && i < ARRAY_LEN(parts); i++) {
        json_t *rows = NULL;
        err = fact_json_rows(pg, tenant_id, parts[i].sql, &a, &rows);
        if (!err)
            json_object_set_new(all, parts[i].name, rows);
    }
    err = pg_end_own(pg, own, err);
    if (err)
        json_decref(all);
    else
        *out = all;
    return err;
}

/* ---- registrations ---- */

/* In the caller's transaction. */
static int note_change(struct pg *pg, int tenant_id, const char *kind, const char *what,
                       const char *subject, const char *note, const char *by_user,
                       int64_t now_ms)
{
    const struct fact_change c = {.kind = kind,
                                  .what = what,
                                  .subject = subject,
                                  .source = "cli",
                                  .by_user = by_user,
                                  .note = note};
    int64_t id = 0;

    int err = fact_change_add(pg, tenant_id, &c, now_ms, &id);
    return err ? err : fact_change_end(pg, tenant_id, id, 1, 0, now_ms);
}

int registration_add(struct pg *pg, int tenant_id, const char *region, int64_t until_ms,
                     const char *note, const char *by_user, int64_t now_ms)
{
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, region);
    pg_arg_ms(&a, until_ms);
    pg_arg_text(&a, note ? note : "");
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    /* A shorter one may end what calls are released under. */
    err = facts_lock_switch(pg, tenant_id, true);
    if (!err)
        err = pg_run(pg, NULL,
                     "INSERT INTO registrations (tenant_id, region, until, note) VALUES "
                     "($1, $2, furrow_ts($3), $4) ON CONFLICT (tenant_id, region) DO "
                     "UPDATE SET until = excluded.until, note = excluded.note",
                     &a);
    if (!err)
        err = note_change(pg, tenant_id, "registration", "added", region, note, by_user,
                          now_ms);
    return pg_end_own(pg, own, err);
}

int registration_remove(struct pg *pg, int tenant_id, const char *region,
                        const char *note, const char *by_user, int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, region);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = facts_lock_switch(pg, tenant_id, true);
    if (!err)
        err =
            pg_run(pg, &res,
                   "DELETE FROM registrations WHERE tenant_id = $1 AND region = $2", &a);
    if (!err && pg_affected(res) == 0)
        err = ENOENT;
    if (!err)
        err = note_change(pg, tenant_id, "registration", "removed", region, note, by_user,
                          now_ms);
    return pg_end_own(pg, own, err);
}

int registration_list(struct pg *pg, int tenant_id, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    return fact_json_rows(pg, tenant_id,
                          "SELECT row_to_json(q) FROM (SELECT region, furrow_ms(until) "
                          "AS until_ms, note FROM registrations WHERE tenant_id = $1 "
                          "ORDER BY region) q",
                          &a, out);
}

/* ---- emergency orders ---- */

int emergency_add(struct pg *pg, int tenant_id, const char *region, int64_t from_ms,
                  int64_t until_ms, const char *note, const char *by_user, int64_t now_ms,
                  int64_t *id)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, region);
    pg_arg_ms(&a, from_ms);
    pg_arg_ms(&a, until_ms);
    pg_arg_text(&a, note ? note : "");
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = facts_lock_switch(pg, tenant_id, true);
    if (!err)
        err = pg_run(pg, &res,
                     "INSERT INTO emergency_blocks (tenant_id, region, from_at, "
                     "until_at, note) VALUES ($1, $2, furrow_ts($3), furrow_ts($4), $5) "
                     "RETURNING id",
                     &a);
    if (!err) {
        *id = pg_i64(res, 0, 0);
        err = note_change(pg, tenant_id, "emergency", "added", region, note, by_user,
                          now_ms);
    }
    return pg_end_own(pg, own, err);
}

int emergency_end(struct pg *pg, int tenant_id, int64_t id, const char *note,
                  const char *by_user, int64_t now_ms)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, id);
    pg_arg_ms(&a, now_ms);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    err = pg_run(pg, &res,
                 "UPDATE emergency_blocks SET until_at = furrow_ts($3) WHERE tenant_id = "
                 "$1 AND id = $2 AND (until_at IS NULL OR until_at > furrow_ts($3)) "
                 "RETURNING region",
                 &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (!err)
        err = note_change(pg, tenant_id, "emergency", "ended", pg_text(res, 0, 0), note,
                          by_user, now_ms);
    return pg_end_own(pg, own, err);
}

int emergency_list(struct pg *pg, int tenant_id, bool past, int64_t now_ms, json_t **out)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_bool(&a, past);
    pg_arg_ms(&a, now_ms);
    return fact_json_rows(pg, tenant_id,
                          "SELECT row_to_json(q) FROM (SELECT id, region, "
                          "furrow_ms(from_at) AS from_ms, furrow_ms(until_at) AS "
                          "until_ms, note FROM emergency_blocks WHERE tenant_id = $1 AND "
                          "($2::boolean OR until_at IS NULL OR until_at > "
                          "furrow_ts($3)) ORDER BY id) q",
                          &a, out);
}
