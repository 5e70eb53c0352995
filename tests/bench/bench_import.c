/*
 * bench_import [ROWS] - rows a second of an import, beside what Postgres' own COPY
 * takes for the same rows in the same run; and how memory grows with the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "contacts/contact_store.h"
#include "contacts/tz.h"
#include "store/pgtest.h"

/* Rows as a file would have them, made on the fly so that no disk is measured. */
struct maker {
    int64_t made, rows;
    char line[160];
    size_t at, len;
};

static size_t make_line(struct maker *m)
{
    int64_t i = m->made++;
    int64_t n = (i * 7919 + 13) % 60000000; /* every number once, in no order */

    if (i == 0)
        return (size_t)snprintf(m->line, sizeof(m->line),
                                "first_name,phone,village,crop,language\n");
    return (size_t)snprintf(m->line, sizeof(m->line),
                            "Abebe %" PRId64 ",+2519%08" PRId64
                            ",\"Yirgacheffe, kebele %" PRId64 "\",coffee,en\n",
                            i, 10000000 + n, i % 97);
}

static ssize_t take(void *arg, void *buf, size_t size)
{
    struct maker *m = arg;
    char *p = buf;
    size_t done = 0;

    while (done < size) {
        if (m->at == m->len) {
            if (m->made > m->rows)
                break;
            m->len = make_line(m);
            m->at = 0;
        }
        size_t n = m->len - m->at < size - done ? m->len - m->at : size - done;
        memcpy(p + done, m->line + m->at, n);
        m->at += n;
        done += n;
    }
    return (ssize_t)done;
}

static int rows(void *arg, struct import_row *r, size_t n, struct errtext *e)
{
    return arg ? contact_import_rows(arg, r, n, e) : 0;
}

static int rejects(void *arg, const struct import_reject *r, size_t n, struct errtext *e)
{
    return arg ? contact_import_rejects(arg, r, n, e) : 0;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_import: %s: %s\n", what, why);
    exit(1);
}

static long rss_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static const struct import_sink sink = {.rows = rows, .rejects = rejects};

/* Seconds; list NULL: parsed only. */
static double import(int64_t count, int threads, const char *list)
{
    struct maker m = {.rows = count};
    const struct import_options options = {.region = "ET", .threads = threads};
    struct contact_import *ci = NULL;
    struct import *im = NULL;
    struct import_counts n;
    struct errtext e = {0};
    int64_t started_us = mono_us();

    int err = import_open(&im, take, &m, &options, &e);
    if (!err && list)
        err = contact_import_begin(
            &ci,
            &(struct contact_import_options){.database_url = pgtest_url(),
                                             .tenant_id = 1,
                                             .list = list,
                                             .file_name = "bench",
                                             .now_ms = clock_real_ms()},
            import_columns(im), &e);
    if (!err)
        err = import_run(im, &sink, ci, NULL, &n, &e);
    if (!err && list)
        err = contact_import_commit(ci, &n, clock_real_ms(), &e);
    if (err || n.imported != count)
        fail("import", err ? e.text : "rows are missing");
    contact_import_free(ci);
    import_free(im);
    return (double)(mono_us() - started_us) / 1e6;
}

static void report(const char *what, int64_t count, int threads, double seconds)
{
    printf("{\"bench\":\"import\",\"what\":\"%s\",\"rows\":%" PRId64
           ",\"threads\":%d,\"seconds\":%.3f,\"rows_per_s\":%.0f,\"max_rss_kib\":%ld}\n",
           what, count, threads, seconds, (double)count / seconds, rss_kib());
    fflush(stdout);
}

#define COLUMNS                                                                          \
    "tenant_id, list_id, phone, number_type, zone_group, import_id, region, attrs"

static void expect(PGresult *res, ExecStatusType status)
{
    if (PQresultStatus(res) != status)
        fail("copy", PQresultErrorMessage(res));
    PQclear(res);
}

static void copy_out(PGconn *conn, const char *list, struct buf *data)
{
    char sql[300], *line = NULL;
    int n = 0;

    snprintf(sql, sizeof(sql),
             "COPY (SELECT " COLUMNS " FROM contacts WHERE list_id = (SELECT id FROM "
             "lists WHERE name = '%s')) TO STDOUT",
             list);
    expect(PQexec(conn, sql), PGRES_COPY_OUT);
    while ((n = PQgetCopyData(conn, &line, 0)) > 0) {
        buf_add(data, line, (size_t)n);
        PQfreemem(line);
    }
    expect(PQgetResult(conn), PGRES_COMMAND_OK);
    PQclear(PQgetResult(conn));
}

/* The rows as the import left them, as psql's \copy would put them into a table of
 * the same columns and indexes: the most that Postgres can take. */
static double plain_copy(const char *list)
{
    enum { PIECE = 64 * 1024 };
    CLEANUP(buf_free) struct buf data = {0};
    struct pg *super = pgtest_open_super();
    PGconn *conn = pg_conn(super);

    copy_out(conn, list, &data);
    pgtest_run(super, 0, "CREATE TABLE plain (LIKE contacts INCLUDING ALL)");
    int64_t started_us = mono_us();
    expect(PQexec(conn, "COPY plain (" COLUMNS ") FROM STDIN"), PGRES_COPY_IN);
    for (size_t at = 0; at < data.len; at += PIECE)
        PQputCopyData(conn, data.data + at,
                      (int)(data.len - at < PIECE ? data.len - at : PIECE));
    PQputCopyEnd(conn, NULL);
    expect(PQgetResult(conn), PGRES_COMMAND_OK);
    PQclear(PQgetResult(conn));
    double seconds = (double)(mono_us() - started_us) / 1e6;
    pgtest_run(super, 0, "DROP TABLE plain");
    pg_close(super);
    return seconds;
}

static void zone_lookups(void)
{
    enum { COUNT = 2000000 };
    const struct tz_zone *zone = NULL;
    int64_t sum = 0, started_us = mono_us();

    if (tz_find("America/New_York", &zone))
        fail("tz", "no zone");
    for (int i = 0; i < COUNT; i++)
        sum += tz_offset_s(zone, INT64_C(1795500000000) + (int64_t)i * 60000);
    double seconds = (double)(mono_us() - started_us) / 1e6;
    printf("{\"bench\":\"import\",\"what\":\"zone_lookup\",\"lookups\":%d,"
           "\"ns_each\":%.1f,\"check\":%" PRId64 "}\n",
           COUNT, seconds * 1e9 / COUNT, sum);
}

int main(int argc, char **argv)
{
    int64_t count = 300000;

    if (argc > 1 && (!str_to_i64(argv[1], &count) || count < 1000 || count > 50000000))
        fail("ROWS", "1000 to 50000000");
    pgtest_start(PGTEST_POSTGRES);
    report("parse_only", count / 3, 1, import(count / 3, 1, NULL));
    report("parse_only", count, 2, import(count, 2, NULL));
    report("import", count / 3, 2, import(count / 3, 2, "third"));
    report("import", count, 2, import(count, 2, "whole"));
    report("plain_copy", count, 1, plain_copy("whole"));
    zone_lookups();
    return 0;
}
