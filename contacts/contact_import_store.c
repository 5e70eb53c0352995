/*
 * contact_import_store - the writing half of contacts/contact_store.h: which import
 * this is, batches being filled, and the thread that writes the one before.
 *
 * Two batches: `filling` belongs to the caller's thread; the other one is empty, or
 * belongs to the writer's thread from hand_over() until wait_writer() says that it is
 * done. The mutex guards the three fields named above it.
 */
#include "contacts/contact_store.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/contact_import_batch_store.h"
#include "contacts/number_filter.h"
#include "contacts/reject_file.h"
#include "contacts/zone_group_store.h"

enum { GROUPS = 8192, LOCK_SPACE = 0x4655524D, LOCK_WAIT_MS = 2000, PERSON_LIMIT = 200 };

/* Zone groups this import has met: an open-addressed table. */
struct group {
    char region[PHONE_REGION_MAX];
    const struct zone_set *zones;
    int64_t id; /* 0: free */
};

struct contact_import {
    struct pg *copy; /* as furrow_import; the writer's while it runs */
    struct pg *meta; /* as furrow_app; the caller's */
    struct contact_import_options options;
    const struct columns *columns;
    int tenant_id;
    int64_t list_id, import_id, now_ms;
    bool dry_run, resumes;
    struct record_position resume_at;
    struct number_filter *filter;
    struct group groups[GROUPS];
    size_t group_count;
    struct import_counts total; /* committed, earlier runs included */

    struct batch_target target;
    struct import_batch *filling, *written;

    pthread_t writer;
    bool writer_started;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool handed, over; /* handed: `written` is the writer's */
    int writer_err;
    struct errtext writer_e;
};

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
        return batch_database_error(ci->meta, err, e);
    if (ci->group_count < GROUPS / 2) {
        ci->group_count++;
        g->zones = row->zones;
        g->id = *id;
        memcpy(g->region, row->phone.region, sizeof(g->region));
    }
    return 0;
}

/* ---- the writer's thread ---- */

static void *write_stage(void *arg)
{
    struct contact_import *ci = arg;

    pthread_mutex_lock(&ci->lock);
    while (!ci->over) {
        if (!ci->handed) {
            pthread_cond_wait(&ci->changed, &ci->lock);
            continue;
        }
        struct errtext e = {0};
        pthread_mutex_unlock(&ci->lock);
        int err = batch_write(&ci->target, ci->written, &e);
        pthread_mutex_lock(&ci->lock);
        ci->handed = false;
        ci->writer_err = err;
        ci->writer_e = e;
        pthread_cond_broadcast(&ci->changed);
    }
    pthread_mutex_unlock(&ci->lock);
    return NULL;
}

static void add_written(struct contact_import *ci, const struct import_batch *b)
{
    ci->total.rows_read += b->records;
    ci->total.imported += b->imported;
    ci->total.updated += b->updated;
    ci->total.rejected += (int64_t)b->reject_count;
    for (int i = 0; i < IMPORT_REASONS; i++)
        ci->total.by_reason[i] += b->by_reason[i];
    ci->total.bytes = b->end.bytes;
}

/* Until the batch that was handed over is in the database. */
static int wait_writer(struct contact_import *ci, struct errtext *e)
{
    pthread_mutex_lock(&ci->lock);
    while (ci->handed)
        pthread_cond_wait(&ci->changed, &ci->lock);
    int err = ci->writer_err;
    pthread_mutex_unlock(&ci->lock);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", ci->writer_e.text);
    add_written(ci, ci->written);
    batch_clear(ci->written);
    return 0;
}

/* The batch is sorted while the one before it is still being written. */
static int hand_over(struct contact_import *ci, struct errtext *e)
{
    batch_mark(ci->filling, ci->filter);
    int err = wait_writer(ci, e);
    if (err)
        return err;
    pthread_mutex_lock(&ci->lock);
    struct import_batch *b = ci->filling;
    ci->filling = ci->written;
    ci->written = b;
    ci->handed = true;
    pthread_cond_broadcast(&ci->changed);
    pthread_mutex_unlock(&ci->lock);
    return 0;
}

static void stop_writer(struct contact_import *ci)
{
    if (!ci->writer_started)
        return;
    pthread_mutex_lock(&ci->lock);
    while (ci->handed)
        pthread_cond_wait(&ci->changed, &ci->lock);
    ci->over = true;
    pthread_cond_broadcast(&ci->changed);
    pthread_mutex_unlock(&ci->lock);
    pthread_join(ci->writer, NULL);
    ci->writer_started = false;
}

/* ---- the sink ---- */

/* The person's key: the file's, or, of a row with several numbers, the row itself. */
static void put_person(struct contact_import *ci, struct import_batch *b,
                       const struct import_row *row, struct batch_row *out)
{
    char key[64];
    const char *person = row->person;
    size_t len = strnlen(person, PERSON_LIMIT);

    if (len == 0 && row->one_of_several) {
        snprintf(key, sizeof(key), "row:%" PRId64 ":%" PRId64, ci->import_id, row->line);
        person = key;
        len = strlen(key);
    }
    while (len > 0 && !str_is_utf8(person, len))
        len--;
    out->person = batch_text(b, person, len);
    out->person_len = (uint32_t)len;
}

int contact_import_rows(struct contact_import *ci, struct import_row *rows, size_t n,
                        struct errtext *e)
{
    struct import_batch *b = ci->filling;

    for (size_t i = 0; i < n; i++) {
        int64_t group = 0;
        int err = group_of(ci, &rows[i], &group, e);

        if (err)
            return err;
        struct batch_row *row = batch_add_row(b);
        row->phone = rows[i].phone.e164;
        row->line = rows[i].line;
        row->column = rows[i].column;
        row->group = (int32_t)group;
        row->type = (uint8_t)rows[i].phone.type;
        row->rank = (uint8_t)rows[i].rank;
        memcpy(row->region, rows[i].phone.region, sizeof(row->region));
        /* Of one record with several numbers the columns are kept once. */
        if (i > 0 && rows[i].line == rows[i - 1].line)
            row->attrs = row[-1].attrs;
        else
            row->attrs = batch_text(b, rows[i].attrs, rows[i].attrs_len);
        row->attrs_len = (uint32_t)rows[i].attrs_len;
        row->written = batch_text(b, rows[i].written, strlen(rows[i].written));
        put_person(ci, b, &rows[i], row);
    }
    return 0;
}

int contact_import_rejects(struct contact_import *ci, const struct import_reject *rejects,
                           size_t n, struct errtext *e)
{
    (void)e;
    for (size_t i = 0; i < n; i++)
        batch_add_reject(
            ci->filling,
            &(struct batch_reject){
                .line = rejects[i].line,
                .column = rejects[i].column,
                .hint = rejects[i].hint,
                .value = batch_text(ci->filling, rejects[i].value,
                                    strnlen(rejects[i].value, REJECT_VALUE_MAX)),
                .reason = rejects[i].reason});
    return 0;
}

int contact_import_reached(struct contact_import *ci, const struct record_position *at,
                           int64_t records, struct errtext *e)
{
    struct import_batch *b = ci->filling;

    b->end = *at;
    b->records += records;
    size_t rows = ci->options.batch_rows ? ci->options.batch_rows : BATCH_ROWS;
    if (b->n < rows && b->reject_count < rows && b->text.len < BATCH_BYTES)
        return 0;
    return hand_over(ci, e);
}

/* ---- begin ---- */

/* *made: the list did not exist. */
static int find_list(struct contact_import *ci, bool *made)
{
    CLEANUP(pg_result_free) PGresult *inserted = NULL, *res = NULL;
    struct pg_args a = {0}, b = {0};
    int err = 0;

    pg_arg_i64(&a, ci->tenant_id);
    pg_arg_text(&a, ci->options.list);
    pg_arg_ms(&a, ci->now_ms);
    pg_arg_i64(&b, ci->tenant_id);
    pg_arg_text(&b, ci->options.list);
    if (!ci->dry_run)
        err = pg_run(ci->meta, &inserted,
                     "INSERT INTO lists (tenant_id, name, created_at) VALUES ($1, $2, "
                     "furrow_ts($3)) ON CONFLICT DO NOTHING",
                     &a);
    if (!err)
        err = pg_run(ci->meta, &res,
                     "SELECT id FROM lists WHERE tenant_id = $1 AND name = $2", &b);
    if (err)
        return err;
    *made = inserted ? pg_affected(inserted) > 0 : PQntuples(res) == 0;
    if (PQntuples(res))
        ci->list_id = pg_i64(res, 0, 0);
    return 0;
}

static int insert_import(struct contact_import *ci)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    json_auto_t *map = columns_json(ci->columns);
    CLEANUP(free_cleanup) char *mapping = json_dumps(map, JSON_COMPACT);
    struct pg_args a = {0};

    pg_arg_i64(&a, ci->tenant_id);
    pg_arg_i64(&a, ci->list_id);
    pg_arg_text(&a, ci->options.file_name);
    pg_arg_text(&a, mapping);
    pg_arg_ms(&a, ci->now_ms);
    pg_arg_text(&a, ci->options.settings ? ci->options.settings : "{}");
    int err = pg_run(ci->meta, &res,
                     "INSERT INTO imports (tenant_id, list_id, file_name, state, "
                     "mapping, started_at, options) VALUES ($1, $2, $3, 'running', $4, "
                     "furrow_ts($5), $6) RETURNING id",
                     &a);
    if (!err)
        ci->import_id = pg_i64(res, 0, 0);
    return err;
}

/* The last import of this file into the list, when it was cut off in the middle and
 * meant the same. */
static int find_cut_off(struct contact_import *ci)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    json_auto_t *map = columns_json(ci->columns);
    CLEANUP(free_cleanup) char *mapping = json_dumps(map, JSON_COMPACT);
    struct pg_args a = {0};

    if (ci->dry_run || ci->options.restart || !ci->list_id)
        return 0;
    pg_arg_i64(&a, ci->list_id);
    pg_arg_text(&a, ci->options.file_name);
    pg_arg_text(&a, mapping);
    pg_arg_text(&a, ci->options.settings ? ci->options.settings : "{}");
    int err = pg_run(ci->meta, &res,
                     "SELECT id, read_bytes, read_line, read_hash, rows_read, imported, "
                     "updated, rejected FROM imports WHERE id = (SELECT max(id) FROM "
                     "imports WHERE list_id = $1 AND file_name = $2) AND state IN "
                     "('running', 'failed') AND read_bytes > 0 AND mapping = $3::jsonb "
                     "AND options = $4::jsonb",
                     &a);
    if (err || PQntuples(res) == 0)
        return err;
    ci->resumes = true;
    ci->import_id = pg_i64(res, 0, 0);
    ci->resume_at = (struct record_position){.bytes = pg_i64(res, 0, 1),
                                             .line = pg_i64(res, 0, 2),
                                             .hash = (uint64_t)pg_i64(res, 0, 3)};
    ci->total = (struct import_counts){.rows_read = pg_i64(res, 0, 4),
                                       .imported = pg_i64(res, 0, 5),
                                       .updated = pg_i64(res, 0, 6),
                                       .rejected = pg_i64(res, 0, 7)};
    return 0;
}

static int make_list(struct contact_import *ci, bool *made, struct errtext *e)
{
    int err = pg_begin(ci->meta, ci->tenant_id);

    if (!err)
        err = find_list(ci, made);
    err = pg_end(ci->meta, err);
    return err ? batch_database_error(ci->meta, err, e) : 0;
}

/* One import at a time into a list, for as long as the connection lives. The server
 * needs a moment to notice that an importer was killed. */
static int lock_list(struct contact_import *ci, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    char wait[64];

    snprintf(wait, sizeof(wait), "SET lock_timeout = %d", LOCK_WAIT_MS);
    int err = pg_run(ci->copy, NULL, wait, NULL);
    if (err)
        return batch_database_error(ci->copy, err, e);
    pg_arg_i64(&a, LOCK_SPACE);
    pg_arg_i64(&a, ci->list_id);
    err = pg_run(ci->copy, &res,
                 "SELECT pg_advisory_lock($1::int, ($2::bigint & 2147483647)::int)", &a);
    if (err && strcmp(pg_sqlstate(ci->copy), "55P03") == 0)
        return errtext_set(e, EAGAIN, 0, 0,
                           "another import into the list '%.80s' is running; wait for "
                           "it to end",
                           ci->options.list);
    if (!err)
        err = pg_run(ci->copy, NULL, "RESET lock_timeout", NULL);
    return err ? batch_database_error(ci->copy, err, e) : 0;
}

/* With the lock held, a row that still says 'running' belongs to one that died. */
static int note_dead(struct contact_import *ci)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, ci->list_id);
    return pg_run(ci->meta, NULL,
                  "UPDATE imports SET state = 'failed', error = 'interrupted' WHERE "
                  "list_id = $1 AND state = 'running'",
                  &a);
}

static int open_import(struct contact_import *ci, bool afresh, struct errtext *e)
{
    struct pg_args a = {0};
    int err = pg_begin(ci->meta, ci->tenant_id);

    if (!err && !ci->dry_run)
        err = note_dead(ci);
    if (!err && !afresh)
        err = find_cut_off(ci);
    if (!err && !ci->dry_run && !ci->resumes)
        err = insert_import(ci);
    if (!err && ci->resumes) {
        pg_arg_i64(&a, ci->import_id);
        err = pg_run(ci->meta, NULL,
                     "UPDATE imports SET state = 'running', error = NULL WHERE id = $1",
                     &a);
    }
    err = pg_end(ci->meta, err);
    return err ? batch_database_error(ci->meta, err, e) : 0;
}

static int open_both(struct contact_import *ci, struct errtext *e)
{
    const char *url = ci->options.database_url;
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

static int start_writer(struct contact_import *ci, bool list_is_new, struct errtext *e)
{
    ci->target = (struct batch_target){.pg = ci->copy,
                                       .tenant_id = ci->tenant_id,
                                       .list_id = ci->list_id,
                                       .import_id = ci->import_id,
                                       .now_ms = ci->now_ms,
                                       .ask_all = !list_is_new,
                                       .update = ci->options.update,
                                       .dry_run = ci->dry_run,
                                       .rejects = ci->options.rejects,
                                       .rejects_arg = ci->options.rejects_arg};
    int err = ci->dry_run ? pg_begin(ci->copy, ci->tenant_id) : 0;
    if (err)
        return batch_database_error(ci->copy, err, e);
    err = pthread_create(&ci->writer, NULL, write_stage, ci);
    if (err)
        return errtext_set(e, err, 0, 0, "no threads: %s", strerror(err));
    ci->writer_started = true;
    return 0;
}

int contact_import_begin(struct contact_import **out,
                         const struct contact_import_options *o,
                         const struct columns *columns, struct errtext *e)
{
    struct contact_import *ci = xcalloc(1, sizeof(*ci));
    bool list_is_new = false;

    ci->options = *o;
    ci->columns = columns;
    ci->tenant_id = o->tenant_id;
    ci->now_ms = o->now_ms;
    ci->dry_run = o->dry_run;
    ci->filter = number_filter_new();
    ci->filling = xcalloc(1, sizeof(*ci->filling));
    ci->written = xcalloc(1, sizeof(*ci->written));
    pthread_mutex_init(&ci->lock, NULL);
    pthread_cond_init(&ci->changed, NULL);
    int err = open_both(ci, e);
    if (!err)
        err = make_list(ci, &list_is_new, e);
    if (!err)
        err = lock_list(ci, e);
    if (!err)
        err = open_import(ci, false, e);
    if (!err)
        err = start_writer(ci, list_is_new, e);
    if (err) {
        contact_import_free(ci);
        return err;
    }
    *out = ci;
    return 0;
}

bool contact_import_resumes(const struct contact_import *ci, struct record_position *at)
{
    *at = ci->resume_at;
    return ci->resumes;
}

int contact_import_afresh(struct contact_import *ci, const struct columns *columns,
                          struct errtext *e)
{
    ci->columns = columns;
    ci->resumes = false;
    ci->total = (struct import_counts){0};
    int err = open_import(ci, true, e);
    ci->target.import_id = ci->import_id;
    return err;
}

static int earlier_reject(const struct contact_reject *r, void *arg)
{
    struct contact_import *ci = arg;
    struct import_reject reject = {
        .line = r->line, .column = r->column, .value = r->value};

    if (import_reason_find(r->reason, &reject.reason))
        return 0;
    reject.hint = import_reason_hint(reject.reason, r->value);
    ci->total.by_reason[reject.reason]++;
    return ci->options.rejects
               ? ci->options.rejects(ci->options.rejects_arg, &reject, 1, false, NULL)
               : 0;
}

int contact_import_earlier_rejects(struct contact_import *ci, struct errtext *e)
{
    int err = contact_rejects(ci->meta, ci->tenant_id, ci->import_id, earlier_reject, ci);

    return err ? batch_database_error(ci->meta, err, e) : 0;
}

/* ---- end ---- */

int contact_import_commit(struct contact_import *ci, struct import_counts *counts,
                          int64_t now_ms, struct errtext *e)
{
    ci->filling->last = true;
    ci->filling->finished_at_ms = now_ms;
    if (ci->filling->end.bytes == 0)
        ci->filling->end = ci->resume_at;
    int err = hand_over(ci, e);
    if (!err)
        err = wait_writer(ci, e);
    if (err)
        return err;
    stop_writer(ci);
    if (ci->dry_run)
        pg_rollback(ci->copy);
    *counts = ci->total;
    return 0;
}

int64_t contact_import_fail(struct contact_import *ci, const char *why, int64_t now_ms)
{
    struct pg_args a = {0};

    stop_writer(ci);
    if (!ci->dry_run && !ci->writer_err && ci->written->records)
        add_written(ci, ci->written); /* it was being written when the file failed */
    pg_close(ci->copy);
    ci->copy = NULL;
    if (ci->dry_run || !ci->import_id || !ci->meta)
        return 0;
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
    return ci->total.imported + ci->total.updated;
}

void contact_import_free(struct contact_import *ci)
{
    if (!ci)
        return;
    stop_writer(ci);
    pg_close(ci->copy);
    pg_close(ci->meta);
    number_filter_free(ci->filter);
    batch_free(ci->filling);
    batch_free(ci->written);
    free(ci->filling);
    free(ci->written);
    pthread_cond_destroy(&ci->changed);
    pthread_mutex_destroy(&ci->lock);
    free(ci);
}

int64_t contact_import_id(const struct contact_import *ci)
{
    return ci->dry_run ? 0 : ci->import_id;
}
