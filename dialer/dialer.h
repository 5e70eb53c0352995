/*
 * dialer - furrow-dialer's configuration and what hangs off its one loop.
 *
 * The loop owns everything here; database threads (dialer/db.h) and libuv's pool see
 * only what they are handed. Nothing on the loop may block over 5 ms.
 */
#ifndef DIALER_DIALER_H
#define DIALER_DIALER_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/config.h"
#include "base/pg.h"
#include "base/uuid.h"

struct ari;
struct db;
struct lives;
struct pacing;
struct placed;
struct prompts;
struct sweep;
struct trunks;
struct web;

struct dialer_config {
    struct config_common common;
    char ari_url[256]; /* http://127.0.0.1:8088/ari; "" no Asterisk */
    char ari_user[64], ari_secret[128];
    bool ari_http_only;  /* no requests over the WebSocket */
    char ari_media[256]; /* how Asterisk finds prompts: "" a folder on the same
                            host, else the base URL of furrow-server */
    char ari_extension_endpoint[128]; /* "PJSIP/{number}": where ext:NNN rings */
    char asr_url[256];                /* only told to children, unused here */
    int64_t db_threads, tick_ms, max_live_calls, drain_s;
    int64_t ari_lost_s; /* away for so long, its calls are over for the ledger */
    int64_t node_weight, node_priority; /* beside other dialers: slot_store.h */
    int64_t max_cps, max_calls;         /* of all dialers together; 0 no limit */
    int64_t max_recording_backlog;      /* finished but not fetched yet; 0 no limit */
    int64_t max_asr_backlog, max_sms_backlog; /* due jobs; 0 no limit */
    int64_t record_wait_ms;    /* for the row of a recording, before it may begin */
    int64_t recording_look_ms; /* between two looks for abandoned recordings */
    char secrets_file[512];    /* {secret:NAME} of API nodes: NAME = value lines */
    char api_hosts[512];       /* that API nodes may ask: campaigns/flow_api.h */
};

struct dialer {
    struct dialer_config config;
    uv_loop_t *loop;
    char installation[INSTALLATION_ID_MAX];
    struct uuid holder; /* of the node slot */
    int slot;
    bool slot_held; /* false: lease lost, nothing goes out */
    bool stopping;
    struct db *db;
    struct web *web;
    struct pacing *pacing;
    struct prompts *prompts;
    struct lives *lives;
    struct placed *placed;
    struct sweep *sweep;
    struct trunks *trunks;
    struct ari *ari; /* NULL: none configured */
};

extern const struct config_table dialer_config_table;

/* Begins the end: no new calls, those that are up may finish for drain_s. A second
 * call hurries. The program leaves with exit_code. */
void dialer_stop(struct dialer *d, int exit_code);

#endif
