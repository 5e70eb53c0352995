/*
 * contact_import_store - the writing half of contacts/contact_store.h.
 */
#include "contacts/contact_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/number_filter.h"
#include "contacts/reject_file.h"
#include "contacts/zone_group_store.h"

enum { GROUPS = 8192, REJECT_FLUSH_BYTES = 256 * 1024, LOCK_SPACE = 0x4655524D };

/* Zone groups this import has met: an open-addressed table. */
struct group {
    char region[PHONE_REGION_MAX];
    const struct zone_set *zones;
    int64_t id; /* 0: free */
};

struct contact_import {
    struct pg *copy; /* as furrow_import: the transaction of the import */
    struct pg *meta; /* as furrow_app */
    int tenant_id;
    int64_t list_id, import_id, now_ms;
    bool dry_run, open;
    struct number_filter *filter;
    struct group groups[GROUPS];
    size_t group_count;
    struct buf rows, rejects;
};

/* ---- errors ---- */

static int database_error(struct pg *pg, int err, struct errtext *e)
{
    if (err == ENOSPC)
        return errtext_set(e, err, 0, 0, "the database's disk is full (%s)",
                           pg_error(pg));
    return errtext_set(e, err, 0, 0, "the database refused: %s", pg_error(pg));
}

/* COPY has its own results, which base/pg does not see. */
static int copy_failed(struct pg *pg, const PGresult *res, struct errtext *e)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (!text)
        text = PQerrorMessage(pg_conn(pg));
    if (PQstatus(pg_conn(pg)) != CONNECTION_OK)
        return errtext_set(e, ECONNRESET, 0, 0, "the connection to the database is lost");
    if (state && strcmp(state, "53100") == 0)
        return errtext_set(e, ENOSPC, 0, 0, "the database's disk is full (%s)", text);
    return errtext_set(e, EPROTO, 0, 0, "the database refused: %.200s", text);
}

/* ---- COPY ---- */

static int copy_in(struct pg *pg, const char *sql, const struct buf *data,
                   struct errtext *e)
{
    enum { PIECE = 256 * 1024 };
    PGconn *conn = pg_conn(pg);
    int err = 0;

    PGresult *res = PQexec(conn, sql);
    if (PQresultStatus(res) != PGRES_COPY_IN)
        err = copy_failed(pg, res, e);
    PQclear(res);
    for (size_t at = 0; !err && at < data->len; at += PIECE) {
        size_t n = data->len - at < PIECE ? data->len - at : PIECE;

        if (PQputCopyData(conn, data->data + at, (int)n) != 1)
            err = copy_failed(pg, NULL, e);
    }
    if (!err && PQputCopyEnd(conn, NULL) != 1)
        err = copy_failed(pg, NULL, e);
    if (err)
        return err;
    while ((res = PQgetResult(conn)) != NULL) {
        if (!err && PQresultStatus(res) != PGRES_COMMAND_OK)
            err = copy_failed(pg, res, e);
        PQclear(res);
    }
    return err;
}

static void put_text(struct buf *b, const char *s, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        const char *escape = s[i] == '\\'   ? "\\\\"
                             : s[i] == '\t' ? "\\t"
                             : s[i] == '\n' ? "\\n"
                             : s[i] == '\r' ? "\\r"
                                            : NULL;
        if (!escape)
            continue;
        buf_add(b, s + from, i - from);
        buf_add(b, escape, 2);
        from = i + 1;
    }
    buf_add(b, s + from, len - from);
}

static void put_i64(struct buf *b, int64_t v)
{
    char text[24];
    char *p = text + sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    *--p = '\t';
    do {
        *--p = (char)('0' + u % 10);
    } while (u /= 10);
    if (v < 0)
        *--p = '-';
    buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

/* ---- zone groups ---- */

/* Groups are committed at once, on the other connection: two imports must not wait
 * for each other because both met a new one. */
static int group_of(struct contact_import *ci, const struct import_row *row, int64_t *id,
                    struct errtext *e)
{
    uintptr_t h = (uintptr_t)row->zones >> 3;

    for (const char *p = row->phone.region; *p; p++)
        h = h * 31 + (unsigned char)*p;
    struct group *g = &ci->groups[h % GROUPS];
    while (g->id && (g->zones != row->zones || strcmp(g->region, row->phone.region) != 0))
        g = &ci->groups[(size_t)(g - ci->groups + 1) % GROUPS];
    *id = g->id;
    if (g->id)
        return 0;
    int err = 0;
    if (ci->dry_run)
        *id = 1; /* the row is rolled back; no group is made for it */
    else
        err = zone_group_id(ci->meta, ci->tenant_id, row->phone.region, row->zones,
                            ci->now_ms, id);
    if (err)
        return database_error(ci->meta, err, e);
    if (ci->group_count < GROUPS / 2) {
        ci->group_count++;
        g->zones = row->zones;
        g->id = *id;
        memcpy(g->region, row->phone.region, sizeof(g->region));
    }
    return 0;
}

/* ---- dedupe ---- */

static int ask_database(struct contact_import *ci, const int64_t *asked, size_t n,
                        PGresult **res, struct errtext *e)
{
    CLEANUP(buf_free) struct buf array = {0};
    struct pg_args a = {0};

    pg_array_i64(&array, asked, n);
    pg_arg_i64(&a, ci->list_id);
    pg_arg_text(&a, array.data);
    int err = pg_run(ci->copy, res,
                     "SELECT phone FROM contacts WHERE list_id = $1 AND phone = "
                     "ANY ($2::bigint[]) ORDER BY phone",
                     &a);
    return err ? database_error(ci->copy, err, e) : 0;
}

static int by_phone(const void *a, const void *b)
{
    const struct import_row *x = *(struct import_row *const *)a;
    const struct import_row *y = *(struct import_row *const *)b;

    if (x->phone.e164 != y->phone.e164)
        return x->phone.e164 < y->phone.e164 ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* suspects are rows whose number the filter may have seen: one row a number,
 * sorted by it. */
static int settle_suspects(struct contact_import *ci, struct import_row **suspects,
                           size_t n, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) int64_t *asked = xcalloc(n, sizeof(*asked));
    int k = 0;

    for (size_t i = 0; i < n; i++)
        asked[i] = suspects[i]->phone.e164;
    int err = ask_database(ci, asked, n, &res, e);
    for (size_t i = 0; !err && i < n; i++) {
        while (k < PQntuples(res) && pg_i64(res, k, 0) < asked[i])
            k++;
        suspects[i]->duplicate = k < PQntuples(res) && pg_i64(res, k, 0) == asked[i];
    }
    return err;
}

/* Of one number within these rows the first counts. A number that the filter has
 * not seen is surely new and goes in without a question. */
static int mark_duplicates(struct contact_import *ci, struct import_row *rows, size_t n,
                           struct errtext *e)
{
    CLEANUP(free_cleanup) struct import_row **suspects = xcalloc(n, sizeof(void *));
    CLEANUP(free_cleanup) struct import_row **sorted = xcalloc(n, sizeof(void *));
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        sorted[i] = &rows[i];
    qsort(sorted, n, sizeof(void *), by_phone);
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && sorted[i - 1]->phone.e164 == sorted[i]->phone.e164;

        sorted[i]->duplicate = again;
        if (!again && number_filter_add(ci->filter, sorted[i]->phone.e164))
            suspects[count++] = sorted[i];
    }
    if (!count)
        return 0;
    return settle_suspects(ci, suspects, count, e);
}

/* ---- the sink ---- */

int contact_import_rows(struct contact_import *ci, struct import_row *rows, size_t n,
                        struct errtext *e)
{
    int err = mark_duplicates(ci, rows, n, e);

    ci->rows.len = 0;
    for (size_t i = 0; !err && i < n; i++) {
        int64_t group = 0;

        if (rows[i].duplicate)
            continue;
        err = group_of(ci, &rows[i], &group, e);
        put_i64(&ci->rows, ci->tenant_id);
        put_i64(&ci->rows, ci->list_id);
        put_i64(&ci->rows, rows[i].phone.e164);
        put_i64(&ci->rows, rows[i].phone.type);
        put_i64(&ci->rows, group);
        put_i64(&ci->rows, ci->import_id);
        buf_puts(&ci->rows, rows[i].phone.region);
        buf_add(&ci->rows, "\t", 1);
        put_text(&ci->rows, rows[i].attrs, rows[i].attrs_len);
        buf_add(&ci->rows, "\n", 1);
    }
    if (err || ci->rows.len == 0)
        return err;
    return copy_in(ci->copy,
                   "COPY contacts (tenant_id, list_id, phone, number_type, zone_group, "
                   "import_id, region, attrs) FROM STDIN",
                   &ci->rows, e);
}

static int flush_rejects(struct contact_import *ci, struct errtext *e)
{
    int err = 0;

    if (ci->rejects.len)
        err = copy_in(ci->copy,
                      "COPY import_rejects (tenant_id, import_id, line, column_name, "
                      "value, reason) FROM STDIN",
                      &ci->rejects, e);
    ci->rejects.len = 0;
    return err;
}

int contact_import_rejects(struct contact_import *ci, const struct import_reject *rejects,
                           size_t n, struct errtext *e)
{
    for (size_t i = 0; i < n; i++) {
        char value[REJECT_VALUE_MAX + 1];

        reject_value(rejects[i].value, value);
        put_i64(&ci->rejects, ci->tenant_id);
        put_i64(&ci->rejects, ci->import_id);
        put_i64(&ci->rejects, rejects[i].line);
        put_text(&ci->rejects, rejects[i].column, strlen(rejects[i].column));
        buf_add(&ci->rejects, "\t", 1);
        put_text(&ci->rejects, value, strlen(value));
        buf_printf(&ci->rejects, "\t%s\n", import_reason_name(rejects[i].reason));
    }
    return ci->rejects.len > REJECT_FLUSH_BYTES ? flush_rejects(ci, e) : 0;
}

/* ---- begin ---- */

static json_t *mapping_of(const struct columns *columns)
{
    json_t *map = json_object();

    for (size_t i = 0; i < columns->n; i++)
        json_object_set_new(map, i == columns->phone ? "phone" : columns->at[i].key,
                            json_string(columns->at[i].name));
    return map;
}

static int insert_list(struct contact_import *ci, const struct contact_import_options *o)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0}, b = {0};
    int err = 0;

    pg_arg_i64(&a, ci->tenant_id);
    pg_arg_text(&a, o->list);
    pg_arg_ms(&a, o->now_ms);
    pg_arg_i64(&b, ci->tenant_id);
    pg_arg_text(&b, o->list);
    if (!o->dry_run)
        err = pg_run(ci->meta, NULL,
                     "INSERT INTO lists (tenant_id, name, created_at) VALUES ($1, $2, "
                     "furrow_ts($3)) ON CONFLICT DO NOTHING",
                     &a);
    if (!err)
        err = pg_run(ci->meta, &res,
                     "SELECT id FROM lists WHERE tenant_id = $1 AND name = $2", &b);
    if (!err && PQntuples(res))
        ci->list_id = pg_i64(res, 0, 0);
    return err;
}

static int insert_import(struct contact_import *ci,
                         const struct contact_import_options *o,
                         const struct columns *columns)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    json_auto_t *map = mapping_of(columns);
    CLEANUP(free_cleanup) char *mapping = json_dumps(map, JSON_COMPACT);
    struct pg_args a = {0};

    pg_arg_i64(&a, ci->tenant_id);
    pg_arg_i64(&a, ci->list_id);
    pg_arg_text(&a, o->file_name);
    pg_arg_text(&a, mapping);
    pg_arg_ms(&a, o->now_ms);
    int err = pg_run(ci->meta, &res,
                     "INSERT INTO imports (tenant_id, list_id, file_name, state, "
                     "mapping, started_at) VALUES ($1, $2, $3, 'running', $4, "
                     "furrow_ts($5)) RETURNING id",
                     &a);
    if (!err)
        ci->import_id = pg_i64(res, 0, 0);
    return err;
}

static int insert_rows(struct contact_import *ci, const struct contact_import_options *o,
                       const struct columns *columns, struct errtext *e)
{
    int err = pg_begin(ci->meta, ci->tenant_id);

    if (!err)
        err = insert_list(ci, o);
    if (!err && !o->dry_run)
        err = insert_import(ci, o, columns);
    err = pg_end(ci->meta, err);
    return err ? database_error(ci->meta, err, e) : 0;
}

/* One import at a time into a list. With the lock held, a row that still says
 * 'running' belongs to one that died. */
static int lock_list(struct contact_import *ci, const char *list, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0}, b = {0};

    pg_arg_i64(&a, LOCK_SPACE);
    pg_arg_i64(&a, ci->list_id);
    int err = pg_run(ci->copy, &res,
                     "SELECT pg_try_advisory_xact_lock($1::int, ($2::bigint & "
                     "2147483647)::int)",
                     &a);
    if (err)
        return database_error(ci->copy, err, e);
    if (!pg_bool(res, 0, 0))
        return errtext_set(e, EAGAIN, 0, 0,
                           "another import into the list '%.80s' is running; wait for "
                           "it to end",
                           list);
    if (ci->dry_run)
        return 0;
    pg_arg_i64(&b, ci->list_id);
    pg_arg_i64(&b, ci->import_id);
    err = pg_run(ci->copy, NULL,
                 "UPDATE imports SET state = 'failed', error = 'interrupted' WHERE "
                 "list_id = $1 AND id < $2 AND state = 'running'",
                 &b);
    return err ? database_error(ci->copy, err, e) : 0;
}

/* The numbers the list has already go into the filter, streamed. */
static int load_filter(struct contact_import *ci, struct errtext *e)
{
    PGconn *conn = pg_conn(ci->copy);
    char sql[120], *line = NULL;
    int err = 0;

    snprintf(sql, sizeof(sql),
             "COPY (SELECT phone FROM contacts WHERE list_id = %" PRId64 ") TO STDOUT",
             ci->list_id);
    PGresult *res = PQexec(conn, sql);
    if (PQresultStatus(res) != PGRES_COPY_OUT)
        err = copy_failed(ci->copy, res, e);
    PQclear(res);
    while (!err && PQgetCopyData(conn, &line, 0) > 0) {
        number_filter_add(ci->filter, strtoll(line, NULL, 10));
        PQfreemem(line);
    }
    while (!err && (res = PQgetResult(conn)) != NULL) {
        if (!err && PQresultStatus(res) != PGRES_COMMAND_OK)
            err = copy_failed(ci->copy, res, e);
        PQclear(res);
    }
    return err;
}

static int open_both(struct contact_import *ci, const char *url, struct errtext *e)
{
    int err = pg_open(
        &ci->meta,
        &(struct pg_options){.url = url, .role = "furrow_app", .name = "furrow-import"},
        e);
    if (err)
        return err;
    return pg_open(&ci->copy,
                   &(struct pg_options){
                       .url = url, .role = "furrow_import", .name = "furrow-import-copy"},
                   e);
}

int contact_import_begin(struct contact_import **out,
                         const struct contact_import_options *o,
                         const struct columns *columns, struct errtext *e)
{
    struct contact_import *ci = xcalloc(1, sizeof(*ci));

    ci->tenant_id = o->tenant_id;
    ci->now_ms = o->now_ms;
    ci->dry_run = o->dry_run;
    ci->filter = number_filter_new();
    int err = open_both(ci, o->database_url, e);
    if (!err)
        err = insert_rows(ci, o, columns, e);
    if (!err) {
        err = pg_begin(ci->copy, ci->tenant_id);
        /* The table grows under the plan that asks for known numbers. */
        if (!err)
            err = pg_run(ci->copy, NULL, "SET LOCAL enable_seqscan = off", NULL);
        if (!err)
            err = pg_run(ci->copy, NULL, "SET LOCAL plan_cache_mode = force_custom_plan",
                         NULL);
        if (err)
            database_error(ci->copy, err, e);
    }
    ci->open = !err;
    if (!err)
        err = lock_list(ci, o->list, e);
    if (!err)
        err = load_filter(ci, e);
    if (err) {
        if (e)
            contact_import_fail(ci, e->text, o->now_ms);
        contact_import_free(ci);
        return err;
    }
    *out = ci;
    return 0;
}

/* ---- end ---- */

static int finish_row(struct contact_import *ci, const struct import_counts *counts,
                      int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, ci->import_id);
    pg_arg_i64(&a, counts->rows_read);
    pg_arg_i64(&a, counts->imported);
    pg_arg_i64(&a, counts->rejected);
    pg_arg_ms(&a, now_ms);
    return pg_run(ci->copy, NULL,
                  "UPDATE imports SET state = 'done', rows_read = $2, imported = $3, "
                  "rejected = $4, finished_at = furrow_ts($5) WHERE id = $1",
                  &a);
}

int contact_import_commit(struct contact_import *ci, const struct import_counts *counts,
                          int64_t now_ms, struct errtext *e)
{
    int err = flush_rejects(ci, e);

    if (err)
        return err;
    if (ci->dry_run) {
        pg_rollback(ci->copy);
        ci->open = false;
        return 0;
    }
    err = finish_row(ci, counts, now_ms);
    if (!err)
        err = pg_commit(ci->copy);
    if (err)
        return database_error(ci->copy, err, e);
    ci->open = false;
    return 0;
}

void contact_import_fail(struct contact_import *ci, const char *why, int64_t now_ms)
{
    struct pg_args a = {0};

    /* The end of the connection is the end of whatever COPY was going on. */
    pg_close(ci->copy);
    ci->copy = NULL;
    ci->open = false;
    if (ci->dry_run || !ci->import_id || !ci->meta)
        return;
    pg_arg_i64(&a, ci->import_id);
    pg_arg_text(&a, why);
    pg_arg_ms(&a, now_ms);
    int err = pg_begin(ci->meta, ci->tenant_id);
    if (!err)
        err = pg_run(ci->meta, NULL,
                     "UPDATE imports SET state = 'failed', error = $2, finished_at = "
                     "furrow_ts($3) WHERE id = $1 AND state = 'running'",
                     &a);
    /* When the database is away the next import of the list marks the row. */
    err = pg_end(ci->meta, err);
    (void)err;
}

void contact_import_free(struct contact_import *ci)
{
    if (!ci)
        return;
    if (ci->open && ci->copy)
        pg_rollback(ci->copy);
    pg_close(ci->copy);
    pg_close(ci->meta);
    number_filter_free(ci->filter);
    buf_free(&ci->rows);
    buf_free(&ci->rejects);
    free(ci);
}

int64_t contact_import_id(const struct contact_import *ci)
{
    return ci->import_id;
}
