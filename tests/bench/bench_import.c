/*
 * bench_import [ROWS] [NUMBERS] - a file of six columns becomes callable contacts,
 * beside psql's own \copy of the same file into a table with a primary key and one
 * unique index, in turns and in the same run; how memory grows with the file; and
 * NUMBERS telephone numbers of every region read by the fast way and by
 * libphonenumber, which must say the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "contacts/contact_store.h"
#include "contacts/tz.h"
#include "phone_compare.h"
#include "store/pgtest.h"

enum { TURNS = 3, THREADS = 2 };

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_import: %s: %s\n", what, why);
    exit(1);
}

/* ---- the file ---- */

static const char *csv_path(void)
{
    static char path[400];

    snprintf(path, sizeof(path), "%s/people.csv", pgtest_dir());
    return path;
}

/* Every number once, in no order. */
static int64_t write_csv(int64_t rows)
{
    FILE *f = fopen(csv_path(), "w");

    if (!f)
        fail(csv_path(), strerror(errno));
    fprintf(f, "first_name,last_name,phone,village,crop,language\n");
    for (int64_t i = 1; i <= rows; i++)
        fprintf(f,
                "Abebe %" PRId64 ",Tadesse,+2519%08" PRId64
                ",\"Yirgacheffe, kebele %" PRId64 "\",coffee,en\n",
                i, 10000000 + (i * 7919 + 13) % 60000000, i % 97);
    int64_t bytes = ftell(f);
    if (fclose(f))
        fail(csv_path(), strerror(errno));
    return bytes;
}

/* ---- the import ---- */

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
    return read(*(const int *)arg, buf, size);
}

static int rows(void *arg, struct import_row *r, size_t n, struct errtext *e)
{
    return arg ? contact_import_rows(arg, r, n, e) : 0;
}

static int rejects(void *arg, const struct import_reject *r, size_t n, struct errtext *e)
{
    return arg ? contact_import_rejects(arg, r, n, e) : 0;
}

static int reached(void *arg, const struct record_position *at, int64_t records,
                   struct errtext *e)
{
    return arg ? contact_import_reached(arg, at, records, e) : 0;
}

static const struct import_sink sink = {
    .rows = rows, .rejects = rejects, .reached = reached};

/* Seconds; list NULL: parsed only. */
static double import(int64_t count, int threads, const char *list)
{
    const struct import_options options = {.region = "ET", .threads = threads};
    struct contact_import *ci = NULL;
    struct import *im = NULL;
    struct import_counts n;
    struct errtext e = {0};
    int fd = open(csv_path(), O_RDONLY | O_CLOEXEC);
    int64_t started_us = mono_us();

    int err = import_open(&im, read_fd, &fd, &options, &e);
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
    double seconds = (double)(mono_us() - started_us) / 1e6;
    contact_import_free(ci);
    import_free(im);
    close(fd);
    return seconds;
}

static long rss_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void report(const char *what, int64_t count, int threads, double seconds)
{
    printf("{\"bench\":\"import\",\"what\":\"%s\",\"rows\":%" PRId64
           ",\"threads\":%d,\"seconds\":%.3f,\"rows_per_s\":%.0f,\"max_rss_kib\":%ld}\n",
           what, count, threads, seconds, (double)count / seconds, rss_kib());
    fflush(stdout);
}

/* ---- psql ---- */

static void psql(const char *command)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execlp("psql", "psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", pgtest_url(), "-c",
               command, (char *)NULL);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail("psql", command);
}

/* Seconds of \copy, the program's start included as the import's is. */
static double copy_by_psql(const char *phone_type)
{
    char sql[600];

    psql("DROP TABLE IF EXISTS plain");
    snprintf(sql, sizeof(sql),
             "CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
             "first_name text, last_name text, phone %s UNIQUE, village text, crop text, "
             "language text)",
             phone_type);
    psql(sql);
    psql("CHECKPOINT");
    snprintf(sql, sizeof(sql),
             "\\copy plain (first_name, last_name, phone, village, crop, language) from "
             "'%s' csv header",
             csv_path());
    int64_t started_us = mono_us();
    psql(sql);
    double seconds = (double)(mono_us() - started_us) / 1e6;
    psql("DROP TABLE plain");
    return seconds;
}

static double least(const double *v)
{
    double min = v[0];

    for (int i = 1; i < TURNS; i++)
        min = v[i] < min ? v[i] : min;
    return min;
}

/* In turns, so that whatever the machine does meanwhile happens to all. */
static void race(int64_t count, int64_t bytes)
{
    double ours[TURNS], text[TURNS], bigint[TURNS];
    char list[32];

    for (int i = 0; i < TURNS; i++) {
        text[i] = copy_by_psql("text");
        bigint[i] = copy_by_psql("bigint");
        psql("TRUNCATE contacts; CHECKPOINT");
        snprintf(list, sizeof(list), "turn %d", i);
        ours[i] = import(count, THREADS, list);
    }
    double s = least(ours);
    printf("{\"bench\":\"import\",\"what\":\"ratio_to_copy\",\"rows\":%" PRId64
           ",\"bytes\":%" PRId64 ",\"seconds\":%.3f,\"rows_per_s\":%.0f,"
           "\"copy_seconds\":%.3f,\"ratio\":%.2f,\"copy_phone_as_number_seconds\":%.3f,"
           "\"ratio_phone_as_number\":%.2f,\"turns\":%d,\"max_rss_kib\":%ld}\n",
           count, bytes, s, (double)count / s, least(text), s / least(text),
           least(bigint), s / least(bigint), TURNS, rss_kib());
    fflush(stdout);
}

/* ---- numbers ---- */

struct share {
    int64_t from, to;
    struct phone_comparison c;
    pthread_t thread;
};

static void *compare_share(void *arg)
{
    struct share *s = arg;

    for (int64_t i = s->from; i < s->to; i++) {
        struct phone_sample sample;

        sample_number(7, i, &sample);
        compare_one(&sample, &s->c);
    }
    return NULL;
}

static void compare_numbers(int64_t count)
{
    struct share shares[THREADS] = {0};
    struct phone_comparison all = {0};
    const char *difference = "";
    int64_t started_us = mono_us();

    for (int i = 0; i < THREADS; i++) {
        shares[i].from = count * i / THREADS;
        shares[i].to = count * (i + 1) / THREADS;
        if (pthread_create(&shares[i].thread, NULL, compare_share, &shares[i]))
            fail("numbers", "no threads");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(shares[i].thread, NULL);
        all.compared += shares[i].c.compared;
        all.valid += shares[i].c.valid;
        all.fast += shares[i].c.fast;
        all.different += shares[i].c.different;
        if (shares[i].c.different)
            difference = shares[i].c.first_difference;
    }
    printf("{\"bench\":\"import\",\"what\":\"numbers_compared\",\"numbers\":%" PRId64
           ",\"valid\":%" PRId64 ",\"by_the_fast_way\":%" PRId64 ",\"different\":%" PRId64
           ",\"seconds\":%.1f}\n",
           all.compared, all.valid, all.fast, all.different,
           (double)(mono_us() - started_us) / 1e6);
    if (all.different)
        fail("numbers", difference);
}

static void time_numbers(void)
{
    enum { COUNT = 2000000 };
    struct phone p;
    int64_t sum = 0, started_us = mono_us();

    for (int i = 0; i < COUNT; i++) {
        char text[24];
        int len = snprintf(text, sizeof(text), "+25191%07d", i);

        if (phone_parse(text, (size_t)len, NULL, &p) == PHONE_VALID)
            sum += p.e164 % 10;
    }
    printf("{\"bench\":\"import\",\"what\":\"number_fast\",\"ns_each\":%.1f,\"check\":"
           "%" PRId64 "}\n",
           (double)(mono_us() - started_us) * 1e3 / COUNT, sum);
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
    int64_t count = 1000000, numbers = 10000000;

    if (argc > 1 && (!str_to_i64(argv[1], &count) || count < 1000 || count > 50000000))
        fail("ROWS", "1000 to 50000000");
    if (argc > 2 && (!str_to_i64(argv[2], &numbers) || numbers < 0))
        fail("NUMBERS", "0 or more");
    pgtest_start(PGTEST_POSTGRES);
    write_csv(count / 4);
    import(count / 4, THREADS, "quarter");
    report("import_quarter", count / 4, THREADS, import(count / 4, THREADS, "again"));
    int64_t bytes = write_csv(count);
    report("parse_only", count, 1, import(count, 1, NULL));
    report("parse_only", count, THREADS, import(count, THREADS, NULL));
    race(count, bytes);
    time_numbers();
    zone_lookups();
    compare_numbers(numbers);
    return 0;
}
