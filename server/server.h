/* server - furrow-server's configuration and what its handlers share. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/config.h"
#include "server/http_server.h"

struct pg_pool;

struct server_config {
    struct config_common common;
    char listen_address[64];
    int64_t port, threads;
    char port_file[512];
    char media_token[256];
};

struct server {
    struct server_config config;
    struct pg_pool *pool;
    int64_t started_ms; /* monotonic */
};

extern const struct config_table server_config_table;

/* One per file. */
route_fn route_healthz, route_readyz;   /* route_health.c */
route_fn route_metrics;                 /* route_metrics.c */
route_fn route_prompt, route_recording; /* route_media.c */
route_fn route_opt_out, route_sms_in;   /* route_opt_outs.c */

#endif
