/*
 * A request locks the rows it may mean, in the order of their ids, before it looks: two
 * calls that want the last seat come one after the other, and the second finds none.
 */
#include "campaigns/table_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"

static int def_of_row(const PGresult *res, int row, int col, struct table_def *def)
{
    json_t *columns = json_loads(pg_text(res, row, col), 0, NULL);
    int err = table_def_read(def, columns);

    json_decref(columns);
    return err;
}

/* ENOENT. */
static int find_table(struct pg *pg, int tenant_id, const char *name, int64_t *id,
                      struct table_def *def)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    int err = pg_run(
        pg, &res,
        "SELECT id, columns FROM data_tables WHERE tenant_id = $1 AND name = $2", &a);
    if (err)
        return err;
    if (PQntuples(res) == 0)
        return ENOENT;
    *id = pg_i64(res, 0, 0);
    return def_of_row(res, 0, 1, def);
}

/* ---- what flows do ---- */

struct work {
    struct pg *pg;
    int tenant_id;
    int64_t table_id, now_ms;
    struct table_def def;
    struct table_request request;
    struct table_result *out;
};

static void give_row(struct work *w, const json_t *row)
{
    w->out->result = IVR_DATA_DONE;
    if (!w->out->row)
        w->out->row = table_row_shown(&w->def, row);
}

static int insert(struct work *w)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    json_t *row = table_row_new(&w->request, &w->def);
    CLEANUP(free_cleanup) char *key = table_row_key(&w->def, row);
    CLEANUP(free_cleanup) char *cells = json_dumps(row, JSON_COMPACT);

    pg_arg_i64(&a, w->tenant_id);
    pg_arg_i64(&a, w->table_id);
    pg_arg_text(&a, key);
    pg_arg_text(&a, cells);
    int err =
        pg_run(w->pg, &res,
               "INSERT INTO data_rows (tenant_id, table_id, key, cells) VALUES ($1, "
               "$2, $3, $4) ON CONFLICT DO NOTHING RETURNING id",
               &a);
    if (!err && PQntuples(res) > 0)
        give_row(w, row);
    json_decref(row);
    return err;
}

static int change_row(struct work *w, int64_t id, json_t *row)
{
    struct pg_args a = {0};

    int err = table_row_change(&w->request, &w->def, row);
    if (err) {
        log_warn("table", "row=%lld a number would grow too large", (long long)id);
        w->out->result = IVR_DATA_FAILED;
        return 0;
    }
    CLEANUP(free_cleanup) char *cells = json_dumps(row, JSON_COMPACT);
    pg_arg_i64(&a, id);
    pg_arg_text(&a, cells);
    err = pg_run(w->pg, NULL, "UPDATE data_rows SET cells = $2 WHERE id = $1", &a);
    if (!err)
        give_row(w, row);
    return err;
}

static int delete_row(struct work *w, int64_t id, const json_t *row)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(w->pg, NULL, "DELETE FROM data_rows WHERE id = $1", &a);
    if (!err)
        give_row(w, row);
    return err;
}

/* *right: it is the row's secret. What is wrong is counted, and counts on after the call
 * and in every other. */
static int guess(struct work *w, int64_t id, const json_t *row, int tries,
                 int64_t tried_at_ms, bool *right)
{
    const char *hash = json_string_value(json_object_get(row, w->request.secret->name));
    bool locked = tries >= TABLE_TRIES && w->now_ms - tried_at_ms < TABLE_LOCKED_MS;
    struct pg_args a = {0};

    *right = !locked && hash && table_secret_is(hash, w->request.guess);
    if (locked) {
        w->out->result = IVR_DATA_LOCKED;
        return 0;
    }
    if (*right && tries == 0)
        return 0;
    pg_arg_i64(&a, id);
    pg_arg_i64(&a, *right ? 0 : tries % TABLE_TRIES + 1);
    pg_arg_ms(&a, w->now_ms);
    return pg_run(
        w->pg, NULL,
        "UPDATE data_rows SET tries = $2, tried_at = furrow_ts($3) WHERE id = $1", &a);
}

static int touch(struct work *w, const PGresult *res, int i, bool *fits)
{
    json_t *row = json_loads(pg_text(res, i, 1), 0, NULL);
    int64_t id = pg_i64(res, i, 0);
    int err = 0;

    *fits = table_row_fits(&w->request, row);
    if (*fits && w->request.secret)
        err = guess(w, id, row, (int)pg_i64(res, i, 2), pg_i64(res, i, 3), fits);
    if (!err && *fits && w->request.op == IVR_DATA_FIND)
        give_row(w, row);
    else if (!err && *fits && w->request.op == IVR_DATA_UPDATE)
        err = change_row(w, id, row);
    else if (!err && *fits)
        err = delete_row(w, id, row);
    json_decref(row);
    return err;
}

static int candidates(struct work *w, PGresult **res)
{
    CLEANUP(free_cleanup) char *equal = json_dumps(w->request.equal, JSON_COMPACT);
    CLEANUP(free_cleanup) char *key = table_row_key(&w->def, w->request.equal);
    struct pg_args a = {0};
    bool reads = w->request.op == IVR_DATA_FIND && !w->request.secret;

    pg_arg_i64(&a, w->table_id);
    pg_arg_text(&a, equal);
    pg_arg_i64(&a, TABLE_TOUCHED_MAX);
    pg_arg_text(&a, key);
    /* By its key a row is found without a look into the others. */
#define FOUND                                                                            \
    "SELECT id, cells, tries, furrow_ms(tried_at) FROM data_rows WHERE table_id = $1 "   \
    "AND cells @> $2::jsonb AND ($4::text IS NULL OR key = $4) ORDER BY id LIMIT $3"
    return pg_run(w->pg, res, reads ? FOUND : FOUND " FOR UPDATE", &a);
#undef FOUND
}

static int run_request(struct work *w)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    if (w->request.op == IVR_DATA_INSERT)
        return insert(w);
    int err = candidates(w, &res);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        bool fits = false;
        err = touch(w, res, i, &fits);
        if (w->out->result == IVR_DATA_FAILED || w->out->result == IVR_DATA_LOCKED ||
            (fits && w->request.op == IVR_DATA_FIND))
            break;
    }
    return err;
}

int table_run(struct pg *pg, int tenant_id, const struct ivr_data *d, int64_t now_ms,
              struct table_result *out)
{
    struct work w = {.pg = pg, .tenant_id = tenant_id, .now_ms = now_ms, .out = out};
    struct errtext e = {0};

    table_result_free(out);
    out->result = IVR_DATA_NONE;
    int err = find_table(pg, tenant_id, d->table, &w.table_id, &w.def);
    if (err == ENOENT)
        errtext_set(&e, ENOENT, 0, 0, "there is no such table");
    else if (err)
        return err;
    else
        err = table_request_read(&w.request, &w.def, d, &e);
    if (err) {
        log_warn("table", "tenant=%d table=%s refused=%s", tenant_id, LOG_ESC(d->table),
                 e.text);
        out->result = IVR_DATA_FAILED;
        err = 0;
    } else {
        err = run_request(&w);
    }
    table_request_free(&w.request);
    return err;
}

/* ---- what people do ---- */

static int make_table(struct pg *pg, int tenant_id, const char *name,
                      const struct table_def *def, bool replace, int64_t now_ms,
                      int64_t *id, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    json_t *columns = table_def_json(def);
    CLEANUP(free_cleanup) char *text = json_dumps(columns, JSON_COMPACT);
    struct table_def was;
    struct pg_args a = {0};

    json_decref(columns);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    pg_arg_text(&a, text);
    pg_arg_ms(&a, now_ms);
    int err = pg_run(pg, NULL,
                     "INSERT INTO data_tables (tenant_id, name, columns, created_at) "
                     "VALUES ($1, $2, $3, furrow_ts($4)) ON CONFLICT DO NOTHING",
                     &a);
    if (!err)
        err = find_table(pg, tenant_id, name, id, &was);
    if (err)
        return err;
    json_t *now = table_def_json(def), *before = table_def_json(&was);
    bool same = json_equal(now, before);
    json_decref(now);
    json_decref(before);
    if (same)
        return 0;
    if (!replace)
        return errtext_set(e, EEXIST, 0, 0,
                           "table '%s' has other columns; --replace makes it anew", name);
    struct pg_args b = {0};
    pg_arg_i64(&b, *id);
    pg_arg_text(&b, text);
    return pg_run(pg, NULL, "UPDATE data_tables SET columns = $2 WHERE id = $1", &b);
}

static void hash_secrets(const struct table_def *def, json_t *row)
{
    char hash[TABLE_HASH_MAX];

    for (size_t i = 0; i < def->n; i++) {
        const json_t *cell = json_object_get(row, def->columns[i].name);
        if (def->columns[i].type != TABLE_SECRET || !json_is_string(cell))
            continue;
        table_secret_hash(json_string_value(cell), hash);
        json_object_set_new(row, def->columns[i].name, json_string(hash));
    }
}

static int put_row(struct pg *pg, int tenant_id, int64_t id, const struct table_def *def,
                   json_t *row, struct table_counts *counts)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    hash_secrets(def, row);
    CLEANUP(free_cleanup) char *key = table_row_key(def, row);
    CLEANUP(free_cleanup) char *cells = json_dumps(row, JSON_COMPACT);
    pg_arg_i64(&a, tenant_id);
    pg_arg_i64(&a, id);
    pg_arg_text(&a, key);
    pg_arg_text(&a, cells);
    int err =
        pg_run(pg, &res,
               "INSERT INTO data_rows (tenant_id, table_id, key, cells) VALUES ($1, "
               "$2, $3, $4) ON CONFLICT (table_id, key) DO UPDATE SET cells = "
               "excluded.cells, tries = 0, tried_at = NULL RETURNING xmax = 0",
               &a);
    if (!err && pg_bool(res, 0, 0))
        counts->added++;
    else
        counts->changed++;
    return err;
}

static int import(struct pg *pg, int tenant_id, const char *name,
                  const struct table_def *def, json_t *rows, bool replace, int64_t now_ms,
                  struct table_counts *counts, struct errtext *e)
{
    int64_t id = 0;
    struct pg_args a = {0};

    int err = make_table(pg, tenant_id, name, def, replace, now_ms, &id, e);
    if (!err && replace) {
        CLEANUP(pg_result_free) PGresult *res = NULL;
        pg_arg_i64(&a, id);
        err = pg_run(pg, &res, "DELETE FROM data_rows WHERE table_id = $1", &a);
        counts->removed = err ? 0 : pg_affected(res);
    }
    for (size_t i = 0; !err && i < json_array_size(rows); i++)
        err = put_row(pg, tenant_id, id, def, json_array_get(rows, i), counts);
    return err;
}

int table_import(struct pg *pg, int tenant_id, const char *name,
                 const struct table_def *def, json_t *rows, bool replace, int64_t now_ms,
                 struct table_counts *counts, struct errtext *e)
{
    bool own = false;

    *counts = (struct table_counts){0};
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(
            pg, own, import(pg, tenant_id, name, def, rows, replace, now_ms, counts, e));
    if (err)
        errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return err;
}

int table_list(struct pg *pg, int tenant_id, json_t **out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    int err =
        pg_run_alone(pg, tenant_id, &res,
                     "SELECT t.name, t.columns, (SELECT count(*) FROM data_rows r "
                     "WHERE r.table_id = t.id) FROM data_tables t WHERE t.tenant_id "
                     "= $1 ORDER BY t.name",
                     &a);
    if (err)
        return err;
    *out = json_array();
    for (int i = 0; i < PQntuples(res); i++)
        json_array_append_new(*out, json_pack("{s:s, s:o, s:I}", "name",
                                              pg_text(res, i, 0), "columns",
                                              json_loads(pg_text(res, i, 1), 0, NULL),
                                              "rows", (json_int_t)pg_i64(res, i, 2)));
    return 0;
}

static int read_rows(struct pg *pg, int64_t id, const struct table_def *def, json_t *rows)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(pg, &res,
                     "SELECT cells FROM data_rows WHERE table_id = $1 ORDER BY id", &a);
    for (int i = 0; !err && i < PQntuples(res); i++) {
        json_t *row = json_loads(pg_text(res, i, 0), 0, NULL);
        for (size_t c = 0; c < def->n; c++)
            if (def->columns[c].type == TABLE_SECRET)
                json_object_set_new(row, def->columns[c].name, json_null());
        json_array_append_new(rows, row);
    }
    return err;
}

int table_show(struct pg *pg, int tenant_id, const char *name, json_t **out,
               struct errtext *e)
{
    struct table_def def;
    int64_t id = 0;
    bool own = false;

    json_t *rows = json_array();
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err) {
        err = find_table(pg, tenant_id, name, &id, &def);
        if (!err)
            err = read_rows(pg, id, &def, rows);
        err = pg_end_own(pg, own, err);
    }
    if (!err)
        *out = json_pack("{s:o, s:O}", "columns", table_def_json(&def), "rows", rows);
    else
        errtext_set(e, err, 0, 0, err == ENOENT ? "there is no table '%s'" : "%s",
                    err == ENOENT ? name : pg_error(pg));
    json_decref(rows);
    return err;
}

int table_remove(struct pg *pg, int tenant_id, const char *name, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    int err =
        pg_run_alone(pg, tenant_id, &res,
                     "DELETE FROM data_tables WHERE tenant_id = $1 AND name = $2", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_affected(res) > 0
               ? 0
               : errtext_set(e, ENOENT, 0, 0, "there is no table '%s'", name);
}

int table_is_there(struct pg *pg, int tenant_id, const char *name, bool *out)
{
    struct table_def def;
    int64_t id;

    int err = find_table(pg, tenant_id, name, &id, &def);
    *out = !err;
    return err == ENOENT ? 0 : err;
}

int table_count(struct pg *pg, int tenant_id, const char *name, int64_t *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, name);
    int err = pg_run(pg, &res,
                     "SELECT count(*) FROM data_rows r JOIN data_tables t ON t.id = "
                     "r.table_id WHERE t.tenant_id = $1 AND t.name = $2",
                     &a);
    *out = err ? 0 : pg_i64(res, 0, 0);
    return err;
}
