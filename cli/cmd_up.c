/*
 * furrow up - everything on one machine until stopped: private Postgres and Redis
 * (unless DATABASE_URL and REDIS_URL name others), migrations, the local speech
 * service (unless FURROW_ASR_URL names another), dialers, workers, the server.
 *
 * One thread: start in order, tend every 200 ms, stop in the reverse order.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/migrate.h"
#include "base/pg.h"
#include "base/program.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "cli/groups.h"
#include "cli/private_servers.h"

enum { OURS_MAX = 20, TEND_MS = 200, READY_MS = 15000, GRACE_MS = 15000 };

struct up_options {
    const char *dir, *ready_file;
    int64_t dialers, workers;
    bool databases_only, no_server, no_asr;
};

struct up {
    struct up_options options;
    struct private_servers servers;
    bool private_pg, private_redis;
    char bin[PATH_MAX];
    struct service ours[OURS_MAX];
    size_t count;
    char *texts[OURS_MAX * 2]; /* owned strings behind argv and log_path */
    size_t text_count;
    char asr_port_file[512], server_port_file[512];
};

static char *keep(struct up *u, char *text)
{
    if (u->text_count == ARRAY_LEN(u->texts))
        abort();
    u->texts[u->text_count++] = text;
    return text;
}

static int migrate(const struct up *u, struct errtext *e)
{
    struct pg *pg = NULL;
    int applied = 0;

    int err = pg_open(
        &pg,
        &(struct pg_options){.url = getenv("DATABASE_URL"), .name = "furrow-migrate"}, e);
    if (!err)
        err = migrate_run(pg, &applied, e);
    pg_close(pg);
    if (!err && applied > 0 && u->private_pg)
        fprintf(stderr, "database: %d migrations applied\n", applied);
    return err;
}

/* A program of ours beside this one; false when it was not built. */
static bool add(struct up *u, const char *name, int number, const char *const *extra)
{
    char *program = keep(u, xasprintf("%s/%s", u->bin, name));

    if (access(program, X_OK) != 0 || u->count == OURS_MAX)
        return false;
    struct service *s = &u->ours[u->count++];
    *s = (struct service){.name = name, .stop_signal = SIGTERM, .stop_ms = GRACE_MS};
    s->argv[0] = program;
    for (size_t i = 0; extra && extra[i] && i + 2 < SERVICE_ARGS_MAX; i++)
        s->argv[i + 1] = extra[i];
    s->log_path =
        keep(u, number > 0 ? xasprintf("%s/%s-%d.log", u->servers.log_dir, name, number)
                           : xasprintf("%s/%s.log", u->servers.log_dir, name));
    if (u->servers.user.name[0] && service_user_reaches(&u->servers.user, u->bin))
        s->user = &u->servers.user;
    return true;
}

static int read_port(struct service *s, const char *file, int *port, struct errtext *e)
{
    int64_t end_ms = mono_ms() + READY_MS;

    for (;;) {
        CLEANUP(free_cleanup) char *text = NULL;
        int64_t v = 0;
        if (!files_read(file, 64, &text, NULL) && str_to_i64(str_trim(text), &v)) {
            *port = (int)v;
            return 0;
        }
        if (mono_ms() > end_ms || service_tend(s, mono_ms()))
            return errtext_set(e, ETIMEDOUT, 0, 0, "%s did not start; see %s", s->name,
                               s->log_path);
        poll(NULL, 0, 50);
    }
}

static int start_asr(struct up *u, struct errtext *e)
{
    char url[64];
    int port = 0;

    if (u->options.no_asr || getenv("FURROW_ASR_URL"))
        return 0;
    snprintf(u->asr_port_file, sizeof(u->asr_port_file), "%s/asr.port",
             u->servers.sockets);
    unlink(u->asr_port_file);
    char *log = keep(u, xasprintf("%s/asr-requests.jsonl", u->servers.log_dir));
    const char *const extra[] = {"--port",        "0", "--port-file", u->asr_port_file,
                                 "--request-log", log, NULL};
    if (!add(u, "furrow-asr-local", 0, extra))
        return 0; /* not built: recordings will wait for a person */
    struct service *s = &u->ours[u->count - 1];
    int err = service_start(s);
    if (!err)
        err = read_port(s, u->asr_port_file, &port, e);
    if (err)
        return err;
    /* It keeps its port when it is started again. */
    s->argv[2] = keep(u, xasprintf("%d", port));
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    setenv("FURROW_ASR_URL", url, 1);
    return 0;
}

static int start_server(struct up *u, struct errtext *e)
{
    char url[64];
    int port = 0;

    if (u->options.no_server)
        return 0;
    snprintf(u->server_port_file, sizeof(u->server_port_file), "%s/server.port",
             u->servers.sockets);
    unlink(u->server_port_file);
    setenv("FURROW_PORT_FILE", u->server_port_file, 1);
    if (!add(u, "furrow-server", 0, NULL))
        return errtext_set(e, ENOENT, 0, 0, "furrow-server is not built: './run build'");
    int err = service_start(&u->ours[u->count - 1]);
    if (!err)
        err = read_port(&u->ours[u->count - 1], u->server_port_file, &port, e);
    if (err)
        return err;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    setenv("FURROW_SERVER_URL", url, 1);
    return 0;
}

static int start_many(struct up *u, const char *name, int64_t n, struct errtext *e)
{
    for (int i = 1; i <= n; i++) {
        if (!add(u, name, n > 1 ? i : 0, NULL))
            return errtext_set(e, ENOENT, 0, 0, "%s is not built: './run build'", name);
        int err = service_start(&u->ours[u->count - 1]);
        if (err)
            return errtext_set(e, err, 0, 0, "%s: %s", name, strerror(err));
    }
    return 0;
}

static int start_all(struct up *u, struct errtext *e)
{
    const char *database_url = getenv("DATABASE_URL");
    const char *redis_url = getenv("REDIS_URL");

    u->private_pg = !database_url || !*database_url;
    u->private_redis = !redis_url || !*redis_url;
    int err = private_servers_start(&u->servers, u->private_pg, u->private_redis, e);
    if (err)
        return err;
    if (u->private_pg)
        setenv("DATABASE_URL", u->servers.database_url, 1);
    if (u->private_redis)
        setenv("REDIS_URL", u->servers.redis_url, 1);
    setenv("FURROW_DATA_DIR", u->servers.dir, 1);
    err = migrate(u, e);
    if (err || u->options.databases_only)
        return err;
    err = start_asr(u, e);
    if (!err)
        err = start_server(u, e);
    if (!err)
        err = start_many(u, "furrow-worker", u->options.workers, e);
    if (!err)
        err = start_many(u, "furrow-dialer", u->options.dialers, e);
    return err;
}

static void stop_all(struct up *u)
{
    for (size_t i = u->count; i > 0; i--)
        service_signal_stop(&u->ours[i - 1]);
    for (size_t i = u->count; i > 0; i--)
        service_wait_stop(&u->ours[i - 1]);
    private_servers_stop(&u->servers);
    for (size_t i = 0; i < u->text_count; i++)
        free(u->texts[i]);
}

static int write_ready(const struct up *u, struct errtext *e)
{
    static const char *const names[] = {"DATABASE_URL", "REDIS_URL", "FURROW_DATA_DIR",
                                        "FURROW_SERVER_URL", "FURROW_ASR_URL"};
    CLEANUP(buf_free) struct buf b = {0};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getenv(names[i]))
            buf_printf(&b, "export %s='%s'\n", names[i], getenv(names[i]));
    buf_printf(&b, "export FURROW_LOG_DIR='%s'\n", u->servers.log_dir);
    for (size_t i = 0; i < u->count; i++)
        buf_printf(&b, "# pid %s %d\n", u->ours[i].name, (int)u->ours[i].pid);
    fputs("ready; in another shell:\n", stderr);
    fputs(b.data, stdout);
    fflush(stdout);
    if (!u->options.ready_file)
        return 0;
    int err = files_write_atomic(u->options.ready_file, b.data, b.len);
    return err ? errtext_set(e, err, 0, 0, "%s: %s", u->options.ready_file, strerror(err))
               : 0;
}

static void tend_one(struct service *s)
{
    if (!s->name || !service_tend(s, mono_ms()))
        return;
    bool killed = WIFSIGNALED(s->status);
    fprintf(stderr, "%s %s %d; it is started again (its words: %s)\n", s->name,
            killed ? "was killed by signal" : "ended with code",
            killed ? WTERMSIG(s->status) : WEXITSTATUS(s->status), s->log_path);
}

static void tend_until_stopped(struct up *u)
{
    struct pollfd stop = {.fd = program_stop_fd(), .events = POLLIN};

    while (!atomic_load(program_stop_flag())) {
        poll(&stop, 1, TEND_MS);
        if (atomic_load(program_stop_flag()))
            break;
        if (u->private_pg)
            tend_one(&u->servers.pg);
        if (u->private_redis)
            tend_one(&u->servers.redis);
        for (size_t i = 0; i < u->count; i++)
            tend_one(&u->ours[i]);
    }
}

static int parse(struct up_options *o, int argc, char **argv)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"ready-file", required_argument, NULL, 'r'},
                                            {"dialers", required_argument, NULL, 'D'},
                                            {"workers", required_argument, NULL, 'W'},
                                            {"databases-only", no_argument, NULL, 'o'},
                                            {"no-server", no_argument, NULL, 's'},
                                            {"no-asr", no_argument, NULL, 'a'},
                                            {0}};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'd')
            o->dir = optarg;
        if (c == 'r')
            o->ready_file = optarg;
        if ((c == 'D' &&
             (!str_to_i64(optarg, &o->dialers) || o->dialers < 0 || o->dialers > 8)) ||
            (c == 'W' &&
             (!str_to_i64(optarg, &o->workers) || o->workers < 0 || o->workers > 8)))
            return cli_usage("--%s wants a number from 0 to 8, got '%s'",
                             c == 'D' ? "dialers" : "workers", optarg);
        o->databases_only |= c == 'o';
        o->no_server |= c == 's';
        o->no_asr |= c == 'a';
        if (c == '?')
            return CLI_USAGE;
    }
    return optind < argc ? cli_usage("unexpected argument '%s'", argv[optind]) : CLI_OK;
}

/* One `up` per directory; the lock ends with the process. */
static int lock_dir(const struct up *u)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/up.lock", u->servers.dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB))
        return cli_fail(
            "another 'furrow up' already runs in %s; stop it first or use --dir",
            u->servers.dir);
    return CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct up u = {
        .options = {.dir = cli->config.common.data_dir, .dialers = 1, .workers = 1}};
    struct errtext e = {0};

    int code = parse(&u.options, argc, argv);
    if (code)
        return code;
    ssize_t n = readlink("/proc/self/exe", u.bin, sizeof(u.bin) - 1);
    if (n <= 0)
        return cli_fail("/proc/self/exe: %s", strerror(errno));
    u.bin[n] = '\0';
    dirname(u.bin);
    if (private_servers_init(&u.servers, u.options.dir, &e))
        return cli_fail("%s", e.text);
    code = lock_dir(&u);
    if (code)
        return code;
    program_watch_signals();
    fprintf(stderr, "starting in %s …\n", u.servers.dir);
    int err = start_all(&u, &e);
    if (!err)
        err = write_ready(&u, &e);
    if (!err)
        tend_until_stopped(&u);
    fputs("stopping …\n", stderr);
    stop_all(&u);
    if (u.options.ready_file)
        unlink(u.options.ready_file);
    fputs("stopped\n", stderr);
    return err ? cli_fail("%s", e.text) : CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "",
     .arguments =
         "[--dir DIR] [--dialers N] [--workers N] [--databases-only] [--no-server]\n"
         "                 [--no-asr] [--ready-file FILE]",
     .about = "Run everything on this machine until Ctrl-C: a private Postgres and Redis "
              "below DIR\n"
              "(default: data_dir, 'var'), the local speech service, the server, "
              "workers, dialers.\n"
              "Data stays for the next start. DATABASE_URL, REDIS_URL and FURROW_ASR_URL "
              "name\n"
              "servers of your own; those are then neither started nor stopped. A "
              "process that dies\n"
              "is started again. Logs are in DIR/log. Prints the environment other "
              "commands need.",
     .example = "furrow up --workers 2",
     .run = run},
};

const struct cli_group cmd_up = {.name = "up",
                                 .about = "run everything on this machine until stopped",
                                 .verbs = verbs,
                                 .verb_count = ARRAY_LEN(verbs)};
