/*
 * private_servers - the Postgres and Redis that `furrow up` keeps under its
 * directory: unix sockets only, an unprivileged user when started as root, data
 * kept between runs.
 */
#ifndef CLI_PRIVATE_SERVERS_H
#define CLI_PRIVATE_SERVERS_H

#include "base/attrs.h"
#include "base/errors.h"
#include "cli/service.h"

struct private_servers {
    char dir[400];     /* absolute */
    char sockets[108]; /* short enough for a unix socket's name */
    char pg_data[440], redis_data[440], pg_log[440], redis_log[440], log_dir[440];
    char redis_socket[140];
    char database_url[512], redis_url[256];
    char bin_dir[256]; /* of initdb and postgres */
    struct service_user user;
    struct service pg, redis;
};

/* Fills paths and makes the directories. When dir cannot be entered by the
 * unprivileged user (a repository below /root), another one below /var/lib is
 * taken and s->dir says which. */
NODISCARD int private_servers_init(struct private_servers *s, const char *dir,
                                   struct errtext *e);
/* Starts what is not given from outside (a NULL *_url means: start ours), waits
 * until they answer, makes the database. initdb takes some seconds the first time. */
NODISCARD int private_servers_start(struct private_servers *s, bool want_pg,
                                    bool want_redis, struct errtext *e);
void private_servers_stop(struct private_servers *s);

#endif
