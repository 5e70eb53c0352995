#include "cli/private_servers.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/pg.h"
#include "base/redis.h"
#include "base/sha256.h"
#include "base/str.h"

enum { READY_MS = 30000, INITDB_MS = 120000, POLL_MS = 50, SOCKET_DIR_MAX = 80 };

/* Debian keeps server programs in /usr/lib/postgresql/<version>/bin. */
static int find_pg_bin(char *out, size_t size)
{
    int best = 0;

    DIR *d = opendir("/usr/lib/postgresql");
    for (const struct dirent *e; d && (e = readdir(d));) {
        int64_t version = 0;
        if (str_to_i64(e->d_name, &version) && version > best)
            best = (int)version;
    }
    if (d)
        closedir(d);
    if (best == 0)
        return ENOENT;
    snprintf(out, size, "/usr/lib/postgresql/%d/bin", best);
    return 0;
}

static int own_dir(const struct private_servers *s, const char *path, mode_t mode)
{
    int err = files_mkdirs(path);

    if (err)
        return err;
    if (s->user.name[0] && chown(path, s->user.uid, s->user.gid))
        return errno;
    return chmod(path, mode) ? errno : 0;
}

/* A name of its own for this directory, for places outside it. */
static void dir_tag(const char *dir, char out[9])
{
    uint8_t hash[SHA256_BYTES];
    char text[SHA256_TEXT_MAX];

    sha256_of(dir, strlen(dir), hash);
    sha256_text(hash, text);
    memcpy(out, text, 8);
    out[8] = '\0';
}

static int choose_dir(struct private_servers *s, const char *dir, struct errtext *e)
{
    char path[PATH_MAX], tag[9];

    int err = files_mkdirs(dir);
    if (err || !realpath(dir, path) || str_copy(s->dir, sizeof(s->dir), path))
        return errtext_set(e, err ? err : ENAMETOOLONG, 0, 0, "directory %s: %s", dir,
                           strerror(err ? err : ENAMETOOLONG));
    dir_tag(s->dir, tag);
    if (s->user.name[0] && !service_user_reaches(&s->user, s->dir)) {
        snprintf(s->dir, sizeof(s->dir), "/var/lib/furrow-%s", tag);
        err = files_mkdirs(s->dir);
        if (err)
            return errtext_set(e, err, 0, 0, "directory %s: %s", s->dir, strerror(err));
    }
    snprintf(s->sockets, sizeof(s->sockets), "/tmp/furrow-%s", tag);
    if (strlen(s->dir) + 5 < SOCKET_DIR_MAX)
        snprintf(s->sockets, sizeof(s->sockets), "%.80s/run", s->dir);
    return 0;
}

int private_servers_init(struct private_servers *s, const char *dir, struct errtext *e)
{
    *s = (struct private_servers){0};
    service_user_choose(&s->user);
    int err = choose_dir(s, dir, e);
    if (err)
        return err;
    snprintf(s->pg_data, sizeof(s->pg_data), "%s/postgres", s->dir);
    snprintf(s->redis_data, sizeof(s->redis_data), "%s/redis", s->dir);
    snprintf(s->log_dir, sizeof(s->log_dir), "%s/log", s->dir);
    snprintf(s->pg_log, sizeof(s->pg_log), "%s/log/postgres.log", s->dir);
    snprintf(s->redis_log, sizeof(s->redis_log), "%s/log/redis.log", s->dir);
    snprintf(s->redis_socket, sizeof(s->redis_socket), "%s/redis.sock", s->sockets);
    snprintf(s->database_url, sizeof(s->database_url),
             "host=%s user=furrow dbname=furrow", s->sockets);
    snprintf(s->redis_url, sizeof(s->redis_url), "unix://%s", s->redis_socket);
    err = own_dir(s, s->log_dir, 0755);
    if (!err)
        err = own_dir(s, s->sockets, 0700);
    if (!err)
        err = own_dir(s, s->pg_data, 0700);
    if (!err)
        err = own_dir(s, s->redis_data, 0700);
    static const char *const shared[] = {"media", "prompts", "slots", "uploads"};
    for (size_t i = 0; i < ARRAY_LEN(shared) && !err; i++) {
        char path[440];
        snprintf(path, sizeof(path), "%s/%s", s->dir, shared[i]);
        err = own_dir(s, path, 0755);
    }
    return err ? errtext_set(e, err, 0, 0, "directories below %s: %s", s->dir,
                             strerror(err))
               : 0;
}

static int init_database(struct private_servers *s, struct errtext *e)
{
    char version[512], initdb[300];

    snprintf(version, sizeof(version), "%s/PG_VERSION", s->pg_data);
    if (access(version, F_OK) == 0)
        return 0;
    snprintf(initdb, sizeof(initdb), "%s/initdb", s->bin_dir);
    struct service run = {.name = "initdb",
                          .log_path = s->pg_log,
                          .user = &s->user,
                          .stop_signal = SIGTERM,
                          .stop_ms = 5000,
                          .argv = {initdb, "-D", s->pg_data, "-U", "furrow", "-A",
                                   "trust", "-E", "UTF8", "--no-locale", "--no-sync"}};
    int err = service_run_once(&run, INITDB_MS);
    return err ? errtext_set(e, err, 0, 0, "initdb failed; its words are in %s",
                             s->pg_log)
               : 0;
}

static int wait_for_pg(struct private_servers *s, struct errtext *e)
{
    char url[200];
    int64_t end_ms = mono_ms() + READY_MS;

    snprintf(url, sizeof(url), "host=%s user=furrow dbname=postgres", s->sockets);
    while (PQping(url) != PQPING_OK) {
        if (mono_ms() > end_ms || service_tend(&s->pg, mono_ms()))
            return errtext_set(e, ETIMEDOUT, 0, 0, "PostgreSQL did not start; see %s",
                               s->pg_log);
        poll(NULL, 0, POLL_MS);
    }
    struct pg *pg = NULL;
    int err = pg_open(&pg, &(struct pg_options){.url = url, .name = "furrow-up"}, e);
    if (err)
        return err;
    err = pg_run(pg, NULL, "CREATE DATABASE furrow", NULL);
    if (err && strcmp(pg_sqlstate(pg), "42P04") == 0) /* it is there */
        err = 0;
    if (err)
        errtext_set(e, err, 0, 0, "CREATE DATABASE: %s", pg_error(pg));
    pg_close(pg);
    return err;
}

static int start_pg(struct private_servers *s, struct errtext *e)
{
    static char program[300];

    if (find_pg_bin(s->bin_dir, sizeof(s->bin_dir)))
        return errtext_set(
            e, ENOENT, 0, 0,
            "PostgreSQL is not installed: './run deps', or set DATABASE_URL");
    int err = init_database(s, e);
    if (err)
        return err;
    snprintf(program, sizeof(program), "%s/postgres", s->bin_dir);
    s->pg = (struct service){
        .name = "postgres",
        .log_path = s->pg_log,
        .user = &s->user,
        .stop_signal = SIGINT,
        .stop_ms = 20000,
        .argv = {program, "-D", s->pg_data, "-k", s->sockets, "-c",
                 "listen_addresses=", "-c", "max_connections=200", "-c",
                 "shared_buffers=128MB", "-c", "max_wal_size=2GB", "-c",
                 "log_min_messages=warning", "-c", "logging_collector=off"}};
    err = service_start(&s->pg);
    return err ? errtext_set(e, err, 0, 0, "postgres: %s", strerror(err))
               : wait_for_pg(s, e);
}

static int start_redis(struct private_servers *s, struct errtext *e)
{
    int64_t end_ms = mono_ms() + READY_MS;
    struct redis *r = NULL;

    s->redis = (struct service){
        .name = "redis",
        .log_path = s->redis_log,
        .user = &s->user,
        .stop_signal = SIGTERM,
        .stop_ms = 10000,
        .argv = {"redis-server", "--port", "0", "--unixsocket", s->redis_socket,
                 "--unixsocketperm", "700", "--dir", s->redis_data, "--appendonly", "yes",
                 "--appendfsync", "everysec", "--save", "", "--daemonize", "no"}};
    int err = service_start(&s->redis);
    if (err)
        return errtext_set(e, err, 0, 0, "redis-server: %s", strerror(err));
    while (redis_open(&r, s->redis_url, NULL)) {
        if (mono_ms() > end_ms || service_tend(&s->redis, mono_ms()))
            return errtext_set(e, ETIMEDOUT, 0, 0, "Redis did not start; see %s",
                               s->redis_log);
        poll(NULL, 0, POLL_MS);
    }
    redis_close(r);
    return 0;
}

int private_servers_start(struct private_servers *s, bool want_pg, bool want_redis,
                          struct errtext *e)
{
    int err = want_pg ? start_pg(s, e) : 0;

    if (!err && want_redis)
        err = start_redis(s, e);
    if (err)
        private_servers_stop(s);
    return err;
}

void private_servers_stop(struct private_servers *s)
{
    service_signal_stop(&s->redis);
    service_wait_stop(&s->redis);
    service_signal_stop(&s->pg);
    service_wait_stop(&s->pg);
}
