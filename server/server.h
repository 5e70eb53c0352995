/* server - furrow-server's configuration and what its handlers share. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/config.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "server/contract.h"

struct pg_pool;
struct programs;
struct hook_accounts;
struct call_languages;
struct api_calls;
struct queue_watch;
struct spoken;
struct flow_secrets;
struct redis_pool;

/* Of each contract. */
struct contract_config {
    char host[512], listen[64], tenant[64];
    char public_url[256];
    char token[256];
    char origins[1024];
};

struct plivo_ivr_config {
    char auth_token[256]; /* signs webhooks; "" they are not signed */
    char sales_number[32], support_number[32];
    int64_t timeout_s, max_retries, session_ttl_s;
};

struct ledger_config {
    char account[64], flow[64];
    char auth_token[256]; /* signs webhooks where there is no account */
};

struct server_config {
    struct config_common common;
    char listen_address[64];
    int64_t port, threads;
    int64_t hook_answer_ms, hook_statement_ms, api_statement_ms;
    struct class_config {
        int64_t waiting, after_ms;
    } shed_rest, shed_callback, shed_voice;
    char port_file[512];
    char media_token[256], metrics_token[256];
    char trusted_proxies[512];
    int64_t voice_wait_s;
    char voice_ledger_api_key[256];
    char asr_url[256];
    char profile[32];
    char contract_names[128];
    struct contract_config contracts[CONTRACTS];
    int64_t ivr_simulator_caller_limit;
    char secrets_file[512];
    char api_hosts[512]; /* as campaigns/flow_api.h has it */
    int64_t api_threads, recording_wait_s;
    struct plivo_ivr_config plivo_ivr;
    struct ledger_config ledger;
};

struct server {
    struct server_config config;
    struct pg_pool *pool;
    struct pg_pool *flush;     /* one, of the thread of http_server_options.flush */
    struct pg_pool *hook_pool; /* of requests of providers: nobody else makes them wait */
    struct pg_pool *many_pool; /* of those that are served many at once */
    struct redis_pool *redis;
    struct hook_accounts *accounts;
    struct uuid ledger_account; /* its webhooks' name; zero: none */
    struct programs *programs;  /* flows of calls at providers */
    struct call_languages *languages;
    struct api_calls *api_calls;
    struct queue_watch *queue_watch;
    struct spoken *spoken;
    struct flow_secrets *secrets; /* of API nodes */
    struct secret_keys keys;      /* none: accounts at providers cannot be used */
    int64_t started_ms;           /* monotonic */
};

extern const struct config_table server_config_table;

/* One per file. */
route_fn route_healthz, route_readyz, route_readyz_shed; /* route_health.c */
route_fn route_metrics, route_metrics_shed;              /* route_metrics.c */
route_fn route_prompt, route_recording;                  /* route_media.c */
route_fn route_opt_out, route_sms_in;                    /* route_opt_outs.c */
route_fn route_hook_message, route_hook_sms;             /* route_hook_messages.c */

/* route_hook_voice.c */
route_fn route_hook_voice_in, route_hook_voice_out, route_hook_voice_act;
route_fn route_hook_voice_shed;
route_fn route_hook_status_in, route_hook_status_out; /* route_hook_status.c */

#endif
