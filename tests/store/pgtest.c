#include "store/pgtest.h"

#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/migrate.h"
#include "base/program.h"
#include "base/redis.h"
#include "base/str.h"
#include "cli/private_servers.h"

enum { SKIP = 77, FILES_OPEN = 16, RESTART_MS = 20000 };

static struct private_servers servers;
static char temp_dir[64];
static pid_t owner;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void stop(void)
{
    if (getpid() != owner) /* a forked child of the test */
        return;
    /* Nothing is kept: the quick way down. */
    servers.pg.stop_signal = SIGQUIT;
    private_servers_stop(&servers);
    nftw(temp_dir, remove_one, FILES_OPEN, FTW_DEPTH | FTW_PHYS);
}

static void give_up(const char *what, const char *why)
{
    bool ci = str_is(getenv("CI"), "true");

    fprintf(stderr, "%s: %s: %s\n", ci ? "FAILED" : "SKIPPED", what, why);
    exit(ci ? 1 : SKIP);
}

static void must(int err, const char *what, const char *why)
{
    if (!err)
        return;
    fprintf(stderr, "pgtest: %s: %s\n", what, why);
    exit(1);
}

void pgtest_start(enum pgtest_parts parts)
{
    struct errtext e = {0};
    struct pg *pg = NULL;
    int applied = 0;

    program_init_libraries();
    snprintf(temp_dir, sizeof(temp_dir), "/tmp/furrow-test-XXXXXX");
    if (!mkdtemp(temp_dir) || chmod(temp_dir, 0755))
        must(1, "temp directory", temp_dir);
    owner = getpid();
    atexit(stop);
    must(private_servers_init(&servers, temp_dir, &e), "directories", e.text);
    if (private_servers_start(&servers, parts != PGTEST_REDIS, parts != PGTEST_POSTGRES,
                              &e))
        give_up("private servers", e.text);
    setenv("REDIS_URL", servers.redis_url, 1);
    setenv("FURROW_DATA_DIR", temp_dir, 1);
    if (parts == PGTEST_REDIS)
        return;
    must(pg_open(&pg, &(struct pg_options){.url = servers.database_url, .name = "pgtest"},
                 &e),
         "connect", e.text);
    must(migrate_run(pg, &applied, &e), "migrate", e.text);
    pg_close(pg);
    setenv("DATABASE_URL", servers.database_url, 1);
}

const char *pgtest_url(void)
{
    return servers.database_url;
}

const char *pgtest_redis_url(void)
{
    return servers.redis_url;
}

static void redis_path(char out[600], const char *name)
{
    snprintf(out, 600, "%s/%s", servers.redis_data, name);
}

void pgtest_redis_save(void)
{
    char from[600], to[600];
    struct errtext e = {0};
    struct redis *r = NULL;

    must(redis_open(&r, servers.redis_url, &e), "redis", e.text);
    must(redis_cmd(r, NULL, "SAVE"), "SAVE", redis_error(r));
    redis_close(r);
    redis_path(from, "dump.rdb");
    redis_path(to, "kept.rdb");
    must(rename(from, to), "keep the RDB", to);
}

void pgtest_redis_restore(void)
{
    char log[600], from[600], to[600];
    struct redis *r = NULL;
    int status = 0;

    must(kill(servers.redis.pid, SIGKILL), "kill", "redis");
    must(waitpid(servers.redis.pid, &status, 0) != servers.redis.pid, "wait", "redis");
    redis_path(log, "appendonlydir");
    redis_path(from, "kept.rdb");
    redis_path(to, "dump.rdb");
    nftw(log, remove_one, FILES_OPEN, FTW_DEPTH | FTW_PHYS);
    must(rename(from, to), "put the RDB back", to);
    /* With its log on, Redis reads the log alone, and there is none. */
    for (int i = 0; servers.redis.argv[i]; i++)
        if (str_is(servers.redis.argv[i], "--appendonly"))
            servers.redis.argv[i + 1] = "no";
    must(service_start(&servers.redis), "start", "redis");
    int64_t end_ms = mono_ms() + RESTART_MS;
    while (redis_open(&r, servers.redis_url, NULL)) {
        must(mono_ms() > end_ms, "start", "redis");
        poll(NULL, 0, 5);
    }
    must(redis_cmd(r, NULL, "PING"), "PING", redis_error(r));
    redis_close(r);
}

const char *pgtest_dir(void)
{
    return temp_dir;
}

static struct pg *open_as(const char *role)
{
    struct errtext e = {0};
    struct pg *pg = NULL;

    must(pg_open(&pg,
                 &(struct pg_options){
                     .url = servers.database_url, .role = role, .name = "pgtest"},
                 &e),
         "connect", e.text);
    return pg;
}

struct pg *pgtest_open(void)
{
    return open_as("furrow_app");
}

struct pg *pgtest_open_super(void)
{
    return open_as(NULL);
}

int64_t pgtest_i64(struct pg *pg, int tenant_id, const char *sql)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    must(pg_begin(pg, tenant_id), "begin", pg_error(pg));
    must(pg_run(pg, &res, sql, NULL), sql, pg_error(pg));
    must(pg_commit(pg), "commit", pg_error(pg));
    return PQntuples(res) > 0 ? pg_i64(res, 0, 0) : 0;
}

void pgtest_run(struct pg *pg, int tenant_id, const char *sql)
{
    (void)pgtest_i64(pg, tenant_id, sql);
}
