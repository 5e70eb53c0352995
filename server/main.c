/*
 * furrow-server - HTTP for the outside: health, metrics, media. Threads: the
 * main thread waits for the stop signal and renews the node slot; libmicrohttpd's
 * pool runs the handlers, which take Postgres connections from a pool.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/program.h"
#include "campaigns/api_key_store.h"
#include "campaigns/slot_store.h"
#include "server/server.h"

enum { RENEW_MS = 5000, POOL_SIZE = 4, JSON_BODY_MAX = 16384 };

static const struct config_option options[] = {
    CONFIG_COMMON(struct server_config, common),
    {.name = "listen_address",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, listen_address),
     .initial = "127.0.0.1",
     .help = "IPv4 address to listen on."},
    {.name = "port",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, port),
     .min = 0,
     .max = 65535,
     .initial = "8085",
     .help = "Port; 0 takes any free one."},
    {.name = "port_file",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, port_file),
     .initial = "",
     .help = "Write the port here once listening."},
    {.name = "threads",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, threads),
     .min = 1,
     .max = 64,
     .initial = "4",
     .help = "Handler threads."},
    {.name = "media_token",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, media_token),
     .initial = "",
     .secret = true,
     .help = "Bearer token for recordings; without one they are served to anybody who "
             "reaches the port."},
};

const struct config_table server_config_table = {.program = "furrow-server",
                                                 .options = options,
                                                 .count = ARRAY_LEN(options),
                                                 .struct_size =
                                                     sizeof(struct server_config)};

static const struct route routes[] = {
    {"GET", "/healthz", SCOPE_OPEN, 0, route_healthz, NULL},
    {"GET", "/readyz", SCOPE_OPEN, 0, route_readyz, NULL},
    {"GET", "/metrics", SCOPE_OPEN, 0, route_metrics, NULL},
    {"GET", "/prompts/{file}", SCOPE_OPEN, 0, route_prompt, NULL},
    {"GET", "/recordings/{sha256}", SCOPE_MEDIA, 0, route_recording, NULL},
    {"POST", "/v1/opt-outs", SCOPE_API, JSON_BODY_MAX, route_opt_out, "opt_outs"},
    {"POST", "/v1/sms/inbound", SCOPE_API, JSON_BODY_MAX, route_sms_in, "sms"},
};

static int authorise(struct request *req, const char *key, const char *scope)
{
    const struct server *s = req->app;
    struct pg *pg = pg_pool_take(s->pool);
    int err = api_key_find(pg, key, scope, &req->tenant_id, req->key_name);

    pg_pool_give(s->pool, pg);
    return err;
}

static int open_pool(struct server *s, struct errtext *e)
{
    const struct pg_options pg = {.url = s->config.common.database_url,
                                  .role = "furrow_app",
                                  .name = "furrow-server"};

    int err = pg_pool_new(&s->pool, &pg, POOL_SIZE, e);
    if (err)
        return err;
    struct pg *one = pg_pool_take(s->pool);
    err = clock_share(one, e);
    pg_pool_give(s->pool, one);
    return err;
}

static int write_port(const struct server *s, int port)
{
    char text[16];

    if (!s->config.port_file[0])
        return 0;
    int n = snprintf(text, sizeof(text), "%d\n", port);
    return files_write_atomic(s->config.port_file, text, (size_t)n);
}

/* Until the stop signal, the lease says that this server lives. */
static void serve(struct server *s)
{
    struct uuid holder = uuid_v7(clock_real_ms());
    struct pollfd stop = {.fd = program_stop_fd(), .events = POLLIN};
    char host[128] = "";
    int slot = -1;

    gethostname(host, sizeof(host) - 1);
    while (!atomic_load(program_stop_flag())) {
        struct pg *pg = pg_pool_take(s->pool);
        int err = slot < 0 ? slot_take(pg, "server", -1, &holder, host, getpid(), &slot)
                           : slot_renew(pg, "server", slot, &holder);
        pg_pool_give(s->pool, pg);
        if (err) {
            log_warn("server", "slot=%d err=%d the database does not answer", slot, err);
            slot = err == EACCES ? -1 : slot;
        }
        poll(&stop, 1, RENEW_MS);
    }
    struct pg *pg = pg_pool_take(s->pool);
    if (slot >= 0 && slot_give(pg, "server", slot, &holder))
        log_warn("server", "slot=%d could not be given back; it lapses", slot);
    pg_pool_give(s->pool, pg);
}

int main(int argc, char **argv)
{
    struct server s = {0};
    struct errtext e = {0};
    struct http_server *http = NULL;
    int code = 0;
    const struct program program = {
        .table = &server_config_table,
        .about = "health, metrics and media over HTTP",
        .example = "DATABASE_URL=… furrow-server --config /etc/furrow/server.conf",
        .common = &s.config.common};

    if (!program_start(&program, argc, argv, &s.config, &code))
        return code;
    program_watch_signals();
    s.started_ms = mono_ms();
    int err = open_pool(&s, &e);
    const struct http_server_options http_options = {.address = s.config.listen_address,
                                                     .port = (int)s.config.port,
                                                     .threads = (int)s.config.threads,
                                                     .media_token = s.config.media_token,
                                                     .authorise = authorise,
                                                     .routes = routes,
                                                     .route_count = ARRAY_LEN(routes),
                                                     .app = &s};
    if (!err)
        err = http_server_start(&http, &http_options, &e);
    if (!err && (err = write_port(&s, http_server_port(http))))
        errtext_set(&e, err, 0, 0, "%s: %s", s.config.port_file, strerror(err));
    if (!err) {
        log_info("server", "state=listening address=%s port=%d", s.config.listen_address,
                 http_server_port(http));
        serve(&s);
    } else {
        log_error("server", "%s", e.text);
    }
    http_server_stop(http);
    pg_pool_free(s.pool);
    log_info("server", "state=stopped");
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
