/*
 * contact_import_store_batch - one batch from memory into the database.
 *
 *   ask the database about suspects → take ids → COPY what is new → update what is
 *   there (when asked to) → rejects → how far the file was read → commit
 *
 * Rows are sent in the order of their numbers, which the index on them likes, with
 * ids in the order of the file, in COPY's binary format.
 */
#include "contacts/contact_import_batch_store.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "contacts/reject_file.h"

#define CONTACT_COLUMNS                                                                  \
    "(id, tenant_id, list_id, phone, number_type, zone_group, import_id, region, "       \
    "attrs, person, person_rank)"

enum { WIRE_PIECE = 128 * 1024, CONTACT_FIELDS = 11 };

/* ---- errors ---- */

int batch_database_error(struct pg *pg, int err, struct errtext *e)
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
    return errtext_set(e, state && strcmp(state, "23505") == 0 ? EEXIST : EPROTO, 0, 0,
                       "the database refused: %.200s", text);
}

/* ---- COPY ---- */

static int copy_begin(struct pg *pg, const char *sql, struct errtext *e)
{
    PGresult *res = PQexec(pg_conn(pg), sql);
    int err = PQresultStatus(res) == PGRES_COPY_IN ? 0 : copy_failed(pg, res, e);

    PQclear(res);
    return err;
}

static int copy_send(struct pg *pg, const char *data, size_t len, struct errtext *e)
{
    if (len > 0 && PQputCopyData(pg_conn(pg), data, (int)len) != 1)
        return copy_failed(pg, NULL, e);
    return 0;
}

static int copy_end(struct pg *pg, struct errtext *e)
{
    PGconn *conn = pg_conn(pg);
    PGresult *res = NULL;
    int err = 0;

    if (PQputCopyEnd(conn, NULL) != 1)
        return copy_failed(pg, NULL, e);
    while ((res = PQgetResult(conn)) != NULL) {
        if (!err && PQresultStatus(res) != PGRES_COMMAND_OK)
            err = copy_failed(pg, res, e);
        PQclear(res);
    }
    return err;
}

int batch_copy(struct pg *pg, const char *sql, const struct buf *data, struct errtext *e)
{
    int err = copy_begin(pg, sql, e);

    for (size_t at = 0; !err && at < data->len; at += WIRE_PIECE)
        err = copy_send(pg, data->data + at,
                        data->len - at < WIRE_PIECE ? data->len - at : WIRE_PIECE, e);
    return err ? err : copy_end(pg, e);
}

/* ---- the binary format ---- */

static char *put_len(char *p, uint32_t len)
{
    uint32_t wire = htonl(len);

    memcpy(p, &wire, sizeof(wire));
    return p + sizeof(wire);
}

static char *put_i64(char *p, int64_t v)
{
    uint64_t wire = htobe64((uint64_t)v);

    p = put_len(p, sizeof(wire));
    memcpy(p, &wire, sizeof(wire));
    return p + sizeof(wire);
}

static char *put_i32(char *p, int32_t v)
{
    return put_len(put_len(p, 4), (uint32_t)v);
}

static char *put_i16(char *p, int v)
{
    uint16_t wire = htons((uint16_t)v);

    p = put_len(p, sizeof(wire));
    memcpy(p, &wire, sizeof(wire));
    return p + sizeof(wire);
}

static char *put_text(char *p, const char *s, size_t len)
{
    p = put_len(p, (uint32_t)len);
    if (len > 0)
        memcpy(p, s, len);
    return p + len;
}

/* A contact with its id; room for it is there. */
static char *put_contact(char *p, const struct batch_target *t,
                         const struct import_batch *b, const struct batch_row *row,
                         int64_t id)
{
    uint16_t fields = htons(CONTACT_FIELDS);

    memcpy(p, &fields, sizeof(fields));
    p = put_i64(p + sizeof(fields), id);
    p = put_i32(p, t->tenant_id);
    p = put_i64(p, t->list_id);
    p = put_i64(p, row->phone);
    p = put_i16(p, row->type);
    p = put_i32(p, row->group);
    p = put_i64(p, t->import_id);
    p = put_text(p, row->region, strlen(row->region));
    p = put_len(p, row->attrs_len + 1);
    *p++ = 1; /* jsonb's version */
    memcpy(p, b->text.data + row->attrs, row->attrs_len);
    p += row->attrs_len;
    p = row->person_len ? put_text(p, b->text.data + row->person, row->person_len)
                        : put_len(p, UINT32_MAX);
    return put_i16(p, row->rank);
}

static size_t contact_room(const struct batch_row *row)
{
    return 128 + (size_t)row->attrs_len + row->person_len;
}

static bool is_sent(const struct batch_row *row, bool existing)
{
    return row->fate == (existing ? ROW_EXISTING : ROW_NEW);
}

/* New rows, or the existing ones (their ids are then of no meaning). */
static int copy_contacts(const struct batch_target *t, const struct import_batch *b,
                         const int64_t *ids, bool existing, const char *sql,
                         struct errtext *e)
{
    static const char begin[19] = "PGCOPY\n\377\r\n\0";
    size_t cap = WIRE_PIECE, used = sizeof(begin);
    CLEANUP(free_cleanup) char *wire = xmalloc(cap);
    int err = copy_begin(t->pg, sql, e);

    memcpy(wire, begin, sizeof(begin));
    for (size_t i = 0; !err && i < b->n; i++) {
        const struct batch_row *row = &b->rows[b->keys[i].row];

        if (!is_sent(row, existing))
            continue;
        if (used + contact_room(row) > cap) {
            err = copy_send(t->pg, wire, used, e);
            used = 0;
            if (contact_room(row) > cap)
                wire = xrealloc(wire, cap = contact_room(row));
        }
        used = (size_t)(put_contact(wire + used, t, b, row, ids[b->keys[i].row]) - wire);
    }
    if (!err)
        err = copy_send(t->pg, wire, used, e);
    if (!err)
        err = copy_send(t->pg, "\377\377", 2, e);
    return err ? err : copy_end(t->pg, e);
}

/* ---- ids ---- */

/* Numbers of the sequence, in the order of the file. Usually they are one stretch;
 * when somebody else took some from the middle, each is asked for. */
static int take_ids(const struct batch_target *t, struct import_batch *b, int64_t *ids,
                    size_t n, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL, *each = NULL;
    struct pg_args a = {0};
    size_t taken = 0;

    pg_arg_i64(&a, (int64_t)n);
    int err = pg_run(t->pg, &res,
                     "SELECT min(v), max(v) FROM (SELECT nextval('contacts_id_seq') AS v "
                     "FROM generate_series(1, $1::int)) q",
                     &a);
    if (err)
        return batch_database_error(t->pg, err, e);
    int64_t first = pg_i64(res, 0, 0);
    bool one_stretch = pg_i64(res, 0, 1) - first + 1 == (int64_t)n;
    if (!one_stretch)
        err = pg_run(t->pg, &each,
                     "SELECT nextval('contacts_id_seq') FROM generate_series(1, $1::int)",
                     &a);
    if (err)
        return batch_database_error(t->pg, err, e);
    for (size_t i = 0; i < b->n; i++) {
        if (b->rows[i].fate != ROW_NEW)
            continue;
        ids[i] = one_stretch ? first + (int64_t)taken : pg_i64(each, (int)taken, 0);
        taken++;
        if (!b->first_id)
            b->first_id = ids[i];
        b->last_id = ids[i];
    }
    return 0;
}

/* ---- dedupe ---- */

void batch_clear(struct import_batch *b)
{
    b->n = b->reject_count = b->text.len = 0;
    b->records = b->imported = b->updated = b->first_id = b->last_id = 0;
    b->last = false;
    memset(b->by_reason, 0, sizeof(b->by_reason));
}

void batch_free(struct import_batch *b)
{
    free(b->rows);
    free(b->keys);
    free(b->rejects);
    buf_free(&b->text);
    *b = (struct import_batch){0};
}

uint32_t batch_text(struct import_batch *b, const char *s, size_t len)
{
    size_t at = b->text.len;

    buf_add(&b->text, s, len);
    buf_add(&b->text, "", 1);
    return (uint32_t)at;
}

struct batch_row *batch_add_row(struct import_batch *b)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 4096;
        b->rows = xrealloc(b->rows, b->cap * sizeof(*b->rows));
        b->keys = xrealloc(b->keys, b->cap * sizeof(*b->keys));
    }
    b->rows[b->n] = (struct batch_row){0};
    return &b->rows[b->n++];
}

void batch_add_reject(struct import_batch *b, const struct batch_reject *reject)
{
    if (b->reject_count == b->reject_cap) {
        b->reject_cap = b->reject_cap ? b->reject_cap * 2 : 1024;
        b->rejects = xrealloc(b->rejects, b->reject_cap * sizeof(*b->rejects));
    }
    b->rejects[b->reject_count++] = *reject;
}

static int by_phone(const void *a, const void *b)
{
    const struct batch_key *x = a, *y = b;

    if (x->phone != y->phone)
        return x->phone < y->phone ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

void batch_mark(struct import_batch *b, struct number_filter *filter)
{
    for (size_t i = 0; i < b->n; i++)
        b->keys[i] = (struct batch_key){b->rows[i].phone, (uint32_t)i};
    if (b->n > 0)
        qsort(b->keys, b->n, sizeof(*b->keys), by_phone);
    for (size_t i = 0; i < b->n; i++) {
        struct batch_row *row = &b->rows[b->keys[i].row];

        if (i > 0 && b->keys[i - 1].phone == row->phone)
            row->fate = ROW_DUPLICATE;
        else
            row->fate = number_filter_add(filter, row->phone) ? ROW_SUSPECT : ROW_NEW;
    }
}

/* Which suspects are in the list, and from this import or from before. */
static int ask_database(const struct batch_target *t, struct import_batch *b,
                        struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(buf_free) struct buf array = {0};
    CLEANUP(free_cleanup) int64_t *asked = xcalloc(b->n + 1, sizeof(*asked));
    struct pg_args a = {0};
    size_t n = 0;
    int k = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct batch_row *row = &b->rows[b->keys[i].row];

        if (row->fate == ROW_SUSPECT || (t->ask_all && row->fate == ROW_NEW)) {
            row->fate = ROW_SUSPECT;
            asked[n++] = row->phone;
        }
    }
    if (n == 0)
        return 0;
    pg_array_i64(&array, asked, n);
    pg_arg_i64(&a, t->list_id);
    pg_arg_text(&a, array.data);
    pg_arg_i64(&a, t->import_id);
    int err = pg_run(t->pg, &res,
                     "SELECT phone, import_id IS NOT DISTINCT FROM $3::bigint FROM "
                     "contacts WHERE list_id = $1 AND phone = ANY ($2::bigint[]) ORDER "
                     "BY phone",
                     &a);
    if (err)
        return batch_database_error(t->pg, err, e);
    for (size_t i = 0; i < b->n; i++) {
        struct batch_row *row = &b->rows[b->keys[i].row];

        if (row->fate != ROW_SUSPECT)
            continue;
        while (k < PQntuples(res) && pg_i64(res, k, 0) < row->phone)
            k++;
        row->fate = ROW_NEW;
        if (k < PQntuples(res) && pg_i64(res, k, 0) == row->phone)
            row->fate = pg_bool(res, k, 1) ? ROW_DUPLICATE : ROW_EXISTING;
    }
    return 0;
}

/* ---- writing ---- */

#define STAGING                                                                          \
    "CREATE TEMP TABLE IF NOT EXISTS import_staging (LIKE contacts) ON COMMIT DELETE "   \
    "ROWS; TRUNCATE import_staging"

static int run(const struct batch_target *t, const char *sql, const struct pg_args *a,
               struct errtext *e)
{
    int err = pg_run(t->pg, NULL, sql, a);

    return err ? batch_database_error(t->pg, err, e) : 0;
}

static int stage(const struct batch_target *t, const struct import_batch *b,
                 const int64_t *ids, bool existing, struct errtext *e)
{
    int err = pg_script(t->pg, STAGING);

    if (err)
        return batch_database_error(t->pg, err, e);
    return copy_contacts(
        t, b, ids, existing,
        "COPY import_staging " CONTACT_COLUMNS " FROM STDIN (FORMAT binary)", e);
}

/* Somebody else put one of these numbers into the list meanwhile (a callback). */
static int write_by_staging(const struct batch_target *t, struct import_batch *b,
                            const int64_t *ids, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int k = 0, err = stage(t, b, ids, false, e);

    if (!err)
        err = run(t,
                  "INSERT INTO contacts " CONTACT_COLUMNS
                  " OVERRIDING SYSTEM VALUE SELECT id, tenant_id, list_id, phone, "
                  "number_type, zone_group, import_id, region, attrs, person, "
                  "person_rank FROM import_staging ON CONFLICT (phone, list_id) DO "
                  "NOTHING",
                  NULL, e);
    if (err)
        return err;
    err = pg_run(t->pg, &res,
                 "SELECT s.phone FROM import_staging s WHERE NOT EXISTS (SELECT FROM "
                 "contacts c WHERE c.id = s.id) ORDER BY s.phone",
                 NULL);
    if (err)
        return batch_database_error(t->pg, err, e);
    for (size_t i = 0; i < b->n; i++) {
        struct batch_row *row = &b->rows[b->keys[i].row];

        while (k < PQntuples(res) && pg_i64(res, k, 0) < row->phone)
            k++;
        if (row->fate == ROW_NEW && k < PQntuples(res) && pg_i64(res, k, 0) == row->phone)
            row->fate = ROW_EXISTING;
    }
    return 0;
}

static size_t count_fate(const struct import_batch *b, enum row_fate fate)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        n += b->rows[i].fate == fate;
    return n;
}

static int write_new(const struct batch_target *t, struct import_batch *b, int64_t *ids,
                     struct errtext *e)
{
    size_t n = count_fate(b, ROW_NEW);
    struct errtext why = {0};

    if (n == 0)
        return 0;
    int err = take_ids(t, b, ids, n, e);
    if (!err)
        err = run(t, "SAVEPOINT rows", NULL, e);
    if (err)
        return err;
    err = copy_contacts(t, b, ids, false,
                        "COPY contacts " CONTACT_COLUMNS " FROM STDIN (FORMAT binary)",
                        &why);
    if (err == EEXIST) {
        err = run(t, "ROLLBACK TO rows", NULL, e);
        return err ? err : write_by_staging(t, b, ids, e);
    }
    return err ? errtext_set(e, err, 0, 0, "%s", why.text) : 0;
}

/* What the contacts were is kept, so that the import can be undone. */
static int write_updates(const struct batch_target *t, const struct import_batch *b,
                         const int64_t *ids, struct errtext *e)
{
    struct pg_args a = {0};

    if (!t->update || count_fate(b, ROW_EXISTING) == 0)
        return 0;
    pg_arg_i64(&a, t->import_id);
    int err = stage(t, b, ids, true, e);
    if (!err)
        err = run(t,
                  "INSERT INTO import_updates (tenant_id, import_id, contact_id, attrs, "
                  "person, person_rank) SELECT c.tenant_id, $1, c.id, c.attrs, c.person, "
                  "c.person_rank FROM import_staging s JOIN contacts c USING (phone, "
                  "list_id)",
                  &a, e);
    if (!err)
        err = run(t,
                  "UPDATE contacts c SET attrs = c.attrs || s.attrs, person = "
                  "coalesce(s.person, c.person), person_rank = CASE WHEN s.person IS "
                  "NULL THEN c.person_rank ELSE s.person_rank END FROM import_staging s "
                  "WHERE c.phone = s.phone AND c.list_id = s.list_id",
                  NULL, e);
    return err;
}

/* ---- rejects ---- */

static int by_line(const void *a, const void *b)
{
    const struct batch_reject *x = a, *y = b;

    return (x->line > y->line) - (x->line < y->line);
}

static void reject_duplicates(const struct batch_target *t, struct import_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct batch_row *row = &b->rows[i];

        if (row->fate == ROW_NEW)
            b->imported++;
        else if (row->fate == ROW_EXISTING && t->update)
            b->updated++;
        else
            batch_add_reject(b, &(struct batch_reject){
                                    .line = row->line,
                                    .column = row->column,
                                    .hint = import_reason_hint(IMPORT_DUPLICATE, ""),
                                    .value = row->written,
                                    .reason = IMPORT_DUPLICATE});
    }
    if (b->reject_count)
        qsort(b->rejects, b->reject_count, sizeof(*b->rejects), by_line);
    for (size_t i = 0; i < b->reject_count; i++)
        b->by_reason[b->rejects[i].reason]++;
}

static void add_copy_text(struct buf *out, const char *s)
{
    for (; *s; s++) {
        const char *escape = *s == '\\'   ? "\\\\"
                             : *s == '\t' ? "\\t"
                             : *s == '\n' ? "\\n"
                             : *s == '\r' ? "\\r"
                                          : NULL;
        buf_add(out, escape ? escape : s, escape ? 2 : 1);
    }
}

static int write_rejects(const struct batch_target *t, const struct import_batch *b,
                         struct errtext *e)
{
    CLEANUP(buf_free) struct buf out = {0};

    for (size_t i = 0; i < b->reject_count; i++) {
        const struct batch_reject *r = &b->rejects[i];
        char value[REJECT_VALUE_MAX + 1];

        reject_value(b->text.data + r->value, value);
        buf_printf(&out, "%d\t%" PRId64 "\t%" PRId64 "\t", t->tenant_id, t->import_id,
                   r->line);
        add_copy_text(&out, r->column);
        buf_add(&out, "\t", 1);
        add_copy_text(&out, value);
        buf_printf(&out, "\t%s\n", import_reason_name(r->reason));
    }
    if (out.len == 0)
        return 0;
    return batch_copy(t->pg,
                      "COPY import_rejects (tenant_id, import_id, line, column_name, "
                      "value, reason) FROM STDIN",
                      &out, e);
}

static int hand_out_rejects(const struct batch_target *t, const struct import_batch *b,
                            struct errtext *e)
{
    CLEANUP(free_cleanup)
    struct import_reject *all = xcalloc(b->reject_count + 1, sizeof(*all));

    if (!t->rejects)
        return 0;
    for (size_t i = 0; i < b->reject_count; i++)
        all[i] = (struct import_reject){.line = b->rejects[i].line,
                                        .column = b->rejects[i].column,
                                        .value = b->text.data + b->rejects[i].value,
                                        .reason = b->rejects[i].reason,
                                        .hint = b->rejects[i].hint};
    return t->rejects(t->rejects_arg, all, b->reject_count, b->last, e);
}

/* ---- the whole ---- */

static int note_progress(const struct batch_target *t, const struct import_batch *b,
                         struct errtext *e)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, t->import_id);
    pg_arg_i64(&a, b->records);
    pg_arg_i64(&a, b->imported);
    pg_arg_i64(&a, b->updated);
    pg_arg_i64(&a, (int64_t)b->reject_count);
    pg_arg_i64(&a, b->end.bytes);
    pg_arg_i64(&a, b->end.line);
    pg_arg_i64(&a, (int64_t)b->end.hash);
    pg_arg_i64(&a, b->first_id);
    pg_arg_i64(&a, b->last_id);
    pg_arg_ms(&a, b->last ? b->finished_at_ms : 0);
    return run(t,
               "UPDATE imports SET rows_read = rows_read + $2, imported = imported + $3, "
               "updated = updated + $4, rejected = rejected + $5, read_bytes = $6, "
               "read_line = $7, read_hash = $8, first_contact_id = least("
               "first_contact_id, nullif($9::bigint, 0)), last_contact_id = greatest("
               "last_contact_id, nullif($10::bigint, 0)), finished_at = furrow_ts($11), "
               "state = CASE WHEN $11::bigint IS NULL THEN 'running' ELSE 'done' END "
               "WHERE id = $1",
               &a, e);
}

static int write_all(const struct batch_target *t, struct import_batch *b,
                     struct errtext *e)
{
    CLEANUP(free_cleanup) int64_t *ids = xcalloc(b->n + 1, sizeof(*ids));
    int err = ask_database(t, b, e);

    if (!err)
        err = write_new(t, b, ids, e);
    if (!err)
        err = write_updates(t, b, ids, e);
    if (err)
        return err;
    reject_duplicates(t, b);
    err = write_rejects(t, b, e);
    if (!err)
        err = hand_out_rejects(t, b, e);
    if (!err && !t->dry_run)
        err = note_progress(t, b, e);
    return err;
}

/* A crash of the database's machine may lose the last batches as a whole: the import
 * goes on from where it then stands. Only the last one waits for the disk. */
static int begin(const struct batch_target *t, const struct import_batch *b,
                 struct errtext *e)
{
    int err = pg_begin(t->pg, t->tenant_id);

    if (!err && !b->last)
        err = pg_run(t->pg, NULL, "SET LOCAL synchronous_commit = off", NULL);
    /* The table grows under the plan that asks for known numbers. */
    if (!err)
        err = pg_run(t->pg, NULL, "SET LOCAL enable_seqscan = off", NULL);
    if (!err)
        err = pg_run(t->pg, NULL, "SET LOCAL plan_cache_mode = force_custom_plan", NULL);
    return err ? batch_database_error(t->pg, err, e) : 0;
}

int batch_write(const struct batch_target *t, struct import_batch *b, struct errtext *e)
{
    int err = t->dry_run ? 0 : begin(t, b, e);

    if (!err)
        err = write_all(t, b, e);
    if (!err && !t->dry_run) {
        err = pg_commit(t->pg);
        return err ? batch_database_error(t->pg, err, e) : 0;
    }
    if (err && PQstatus(pg_conn(t->pg)) == CONNECTION_OK)
        pg_rollback(t->pg);
    return err;
}
