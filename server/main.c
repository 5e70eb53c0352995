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
#include "base/content.h"
#include "base/files.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/program.h"
#include "campaigns/flow_api.h"
#include "campaigns/program_store.h"
#include "campaigns/provider_event_store.h"
#include "campaigns/slot_store.h"
#include "campaigns/voice_session_store.h"
#include "server/api_calls.h"
#include "server/authorise.h"
#include "server/call_languages.h"
#include "server/hook_accounts.h"
#include "server/hook_many.h"
#include "server/hook_url.h"
#include "server/ledger_ivr.h"
#include "server/load.h"
#include "server/mounts.h"
#include "server/plivo_ivr.h"
#include "server/pools.h"
#include "server/queue_watch.h"
#include "server/server.h"
#include "server/spoken.h"
#include "server/text_call.h"
#include "server/voice_upload.h"

enum {
    RENEW_MS = 5000,
    SILENCE_MS = 1000,    /* between two looks for calls that are silent */
    LOSE_MS = 10000,      /* between two looks for what no provider tells of … */
    LOSE_CALL_MS = 10000, /* … a call whose attempt is over so long, with its flow up */
    SILENT_CALL_MS = 24 * 3600 * 1000, /* … a call in that asks for nothing so long */
    LOSE_TENANTS_MAX = 4096,
    SWEEP_MS = 3600 * 1000,
    JSON_BODY_MAX = 16384,
    HOOK_BODY_MAX = 65536,
    HOOK_KEEP_MS = 2 * 24 * 3600 * 1000, /* what a provider may still tell again */
    HOOK_FORGET_MAX = 20000,
};

/* Where a contract is mounted, for whom, and who may do what. */
/* voice-ledger's is of all programs. */
#define CONTRACT_URL(id, prefix, its, env_name)                                          \
    {                                                                                    \
        .name = prefix "_public_url", .type = CONFIG_TEXT,                               \
        CONFIG_FIELD_AT(struct server_config, contracts[id].public_url), .initial = "",  \
        .is_url = true, .env = env_name,                                                 \
        .help =                                                                          \
            "By which " its                                                              \
            " is reached from outside, where it is not public_url with its base path."   \
    }

#define CONTRACT_OPTIONS(id, prefix, its)                                                \
    {.name = prefix "_host",                                                             \
     .type = CONFIG_TEXT,                                                                \
     CONFIG_FIELD_AT(struct server_config, contracts[id].host),                          \
     .initial = "",                                                                      \
     .help = "Host names at whose root " its " is, e.g. ivr.example.org; a proxy must "  \
             "pass Host on."},                                                           \
        {.name = prefix "_listen",                                                       \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(struct server_config, contracts[id].listen),                    \
         .initial = "",                                                                  \
         .help = "A listener of its own, at whose root " its " is, e.g. "                \
                 "127.0.0.1:8090; port 0 is any free one, written to port_file with "    \
                 "the contract's name behind it."},                                      \
        {.name = prefix "_tenant",                                                       \
         .type = CONFIG_TEXT,                                                            \
         CONFIG_FIELD_AT(struct server_config, contracts[id].tenant),                    \
         .initial = "default",                                                           \
         .help = "Tenant that " its " serves."},                                         \
    {                                                                                    \
        .name = prefix "_token", .type = CONFIG_TEXT,                                    \
        CONFIG_FIELD_AT(struct server_config, contracts[id].token), .initial = "",       \
        .secret = true,                                                                  \
        .help = "Bearer token (or X-API-Key) for what operators do in " its              \
                "; without one anybody who reaches the port may."                        \
    }

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
     .help = "Threads that handle requests, each with a connection to the database; half "
             "of them for the API and uploads."},
    {.name = "shed_rest_waiting",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, shed_rest.waiting),
     .min = 1,
     .max = 100000,
     .initial = "256",
     .help = "How many requests to the API, uploads may stand in line; more get 503 and "
             "Retry-After."},
    {.name = "shed_rest_after_ms",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, shed_rest.after_ms),
     .min = 10,
     .max = 60000,
     .initial = "2000",
     .help = "For how long they may, and what is more urgent than they."},
    {.name = "shed_callback_waiting",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, shed_callback.waiting),
     .min = 1,
     .max = 100000,
     .initial = "512",
     .help = "How many status callbacks and messages of providers may stand in line; "
             "more get 503: a provider that was asked to sends them again."},
    {.name = "shed_callback_after_ms",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, shed_callback.after_ms),
     .min = 10,
     .max = 60000,
     .initial = "3000",
     .help = "For how long they may, and what is more urgent than they."},
    {.name = "shed_voice_waiting",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, shed_voice.waiting),
     .min = 1,
     .max = 100000,
     .initial = "1024",
     .help = "How many webhooks of live calls may stand in line; the callers of more "
             "hear the apology."},
    {.name = "shed_voice_after_ms",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, shed_voice.after_ms),
     .min = 10,
     .max = 60000,
     .initial = "700",
     .help = "For how long they may, and what is more urgent than they."},
    {.name = "hook_answer_ms",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, hook_answer_ms),
     .min = 0,
     .max = 60000,
     .initial = "800",
     .help =
         "A webhook of a live call has so long from when it came, its waiting in line "
         "and all that the database does for it; then it is given up, and the caller "
         "hears the apology; 0: as long as it takes."},
    {.name = "hook_statement_ms",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, hook_statement_ms),
     .min = 0,
     .max = 60000,
     .initial = "3000",
     .help =
         "A statement of any other webhook that takes longer in the database is given "
         "up, and the provider told so; 0: none is."},
    {.name = "api_statement_ms",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, api_statement_ms),
     .min = 0,
     .max = 600000,
     .initial = "10000",
     .help =
         "A statement of any other request that takes longer in the database is given "
         "up, and a second later a database that says nothing: 503; 0: none is."},
    {.name = "media_token",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, media_token),
     .initial = "",
     .secret = true,
     .help = "Bearer token for recordings; without one they are served to anybody who "
             "reaches the port."},
    {.name = "metrics_token",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, metrics_token),
     .initial = "",
     .secret = true,
     .help =
         "Bearer token for /metrics by tenant and campaign; without it all tenants are "
         "counted together."},
    {.name = "voice_ledger_api_key",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, voice_ledger_api_key),
     .initial = "",
     .env = "VOICE_LEDGER_API_KEY",
     .secret = true,
     .help =
         "A key of the voice API beside those of 'furrow key': the one that clients of "
         "the system before have; of the tenant that voice-ledger serves."},
    {.name = "voice_wait_s",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, voice_wait_s),
     .min = 1,
     .max = 600,
     .initial = "60",
     .help =
         "How long a request to the voice API waits for what was said; then it is told "
         "where to ask."},
    {.name = "asr_url",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, asr_url),
     .initial = "",
     .help = "The worker's asr_url: only whether there is one is told by /voice/health."},
    {.name = "trusted_proxies",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, trusted_proxies),
     .initial = "",
     .help =
         "Addresses of proxies, e.g. 10.0.0.5, 192.168.0.0/16, whose X-Forwarded-Proto "
         "and X-Forwarded-Host are believed where public_url is not set."},
    {.name = "profile",
     .type = CONFIG_CHOICE,
     CONFIG_FIELD_AT(struct server_config, profile),
     .initial = "all",
     .choices = "all|plivo-ivr|ivr-simulator|voice-ledger",
     .help = "One contract alone, at the root; all: our own routes and every contract "
             "where it is mounted."},
    {.name = "contracts",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, contract_names),
     .initial = "plivo-ivr, ivr-simulator, voice-ledger",
     .help = "Contracts that are mounted below their base paths: /plivo-ivr, "
             "/ivr-simulator, /voice-ledger."},
    CONTRACT_OPTIONS(CONTRACT_PLIVO_IVR, "plivo_ivr", "plivo-ivr"),
    CONTRACT_URL(CONTRACT_PLIVO_IVR, "plivo_ivr", "plivo-ivr", "WEBHOOK_BASE_URL"),
    {.name = "plivo_ivr_auth_token",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, plivo_ivr.auth_token),
     .initial = "",
     .env = "PLIVO_AUTH_TOKEN",
     .secret = true,
     .help =
         "Plivo's token of the account: webhooks of plivo-ivr must be signed with it; "
         "without one anybody is believed."},
    {.name = "plivo_ivr_sales_number",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, plivo_ivr.sales_number),
     .initial = "",
     .env = "SALES_TRANSFER_NUMBER",
     .help = "Where the menu sales_transfer rings, if its row has no number."},
    {.name = "plivo_ivr_support_number",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, plivo_ivr.support_number),
     .initial = "",
     .env = "SUPPORT_TRANSFER_NUMBER",
     .help = "Where the menu support_transfer rings, if its row has no number."},
    {.name = "plivo_ivr_timeout_s",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, plivo_ivr.timeout_s),
     .min = 1,
     .max = 60,
     .initial = "5",
     .env = "DEFAULT_TIMEOUT",
     .help = "How long a menu waits for a digit, where its row does not say."},
    {.name = "plivo_ivr_max_retries",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, plivo_ivr.max_retries),
     .min = 0,
     .max = 20,
     .initial = "3",
     .env = "MAX_RETRIES",
     .help = "How often a call is offered a menu again after a wrong digit or silence."},
    {.name = "plivo_ivr_session_ttl_s",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, plivo_ivr.session_ttl_s),
     .min = 1,
     .max = 86400,
     .initial = "1800",
     .env = "SESSION_TTL",
     .help = "How long a session of plivo-ivr lives after its last change."},
    CONTRACT_OPTIONS(CONTRACT_IVR_SIMULATOR, "ivr_simulator", "ivr-simulator"),
    CONTRACT_URL(CONTRACT_IVR_SIMULATOR, "ivr_simulator", "ivr-simulator", NULL),
    {.name = "ivr_simulator_origins",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, contracts[CONTRACT_IVR_SIMULATOR].origins),
     .initial = "*",
     .help = "Origins of the pages that may call ivr-simulator, e.g. "
             "https://phone.example.org; * is all."},
    {.name = "ivr_simulator_caller_limit",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, ivr_simulator_caller_limit),
     .min = 0,
     .max = 100000,
     .initial = "120",
     .help =
         "Calls that one caller number may begin in a minute at ivr-simulator; 0 is no "
         "limit."},
    CONTRACT_OPTIONS(CONTRACT_VOICE_LEDGER, "voice_ledger", "voice-ledger"),
    {.name = "voice_ledger_origins",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, contracts[CONTRACT_VOICE_LEDGER].origins),
     .initial = "*",
     .help = "Origins of pages that may call voice-ledger, with a key of theirs, or *."},
    {.name = "voice_ledger_account",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, ledger.account),
     .initial = "",
     .help = "The tenant's Twilio account (furrow provider) whose webhooks voice-ledger "
             "answers: they must be signed. Empty: voice_ledger_auth_token counts, and "
             "recordings are fetched without a token."},
    {.name = "voice_ledger_auth_token",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, ledger.auth_token),
     .initial = "",
     .env = "TWILIO_AUTH_TOKEN",
     .secret = true,
     .help = "Without voice_ledger_account: Twilio's token that signs webhooks of "
             "voice-ledger; without either anybody is believed."},
    {.name = "voice_ledger_flow",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, ledger.flow),
     .initial = "voice-ledger",
     .help = "The flow of its calls; the sample of that name is published where the "
             "tenant has none."},
    {.name = "secrets_file",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, secrets_file),
     .initial = "",
     .help = "NAME = value lines for {secret:NAME} in the API nodes of flows."},
    {.name = "api_threads",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, api_threads),
     .min = 1,
     .max = 64,
     .initial = "8",
     .help = "Threads that carry out the API nodes of flows of calls at providers."},
    {.name = "recording_wait_s",
     .type = CONFIG_INT,
     CONFIG_FIELD_AT(struct server_config, recording_wait_s),
     .min = 1,
     .max = 86400,
     .initial = "600",
     .help =
         "Seconds after a call's end in which a provider may tell that a recording of "
         "it is there; then it is lost_media."},
    {.name = "api_hosts",
     .type = CONFIG_TEXT,
     CONFIG_FIELD_AT(struct server_config, api_hosts),
     .initial = "",
     .help =
         "Hosts and domains that the API nodes of flows may ask, e.g. "
         "crm.example.org, 10.0.0.5:8080. Empty: any, but none at a private address."},
};

const struct config_table server_config_table = {.program = "furrow-server",
                                                 .options = options,
                                                 .count = ARRAY_LEN(options),
                                                 .struct_size =
                                                     sizeof(struct server_config)};

/* The first ones are there wherever a contract stands alone, too. */
enum { EVERYWHERE = 4 };
#define VOICE_ROUTE    NULL, HTTP_VOICE, route_hook_voice_shed
#define VOICE_MANY     VOICE_ROUTE, hook_voice_many
#define CALLBACK_ROUTE NULL, HTTP_CALLBACK
static const struct route routes[] = {
    {"GET", "/healthz", SCOPE_OPEN, 0, route_healthz, NULL, HTTP_AT_ONCE},
    {"GET", "/readyz", SCOPE_OPEN, 0, route_readyz, NULL, HTTP_PROBE, route_readyz_shed},
    {"GET", "/metrics", SCOPE_OPEN, 0, route_metrics, NULL, HTTP_PROBE,
     route_metrics_shed},
    {"GET", "/prompts/{file}", SCOPE_OPEN, 0, route_prompt, CALLBACK_ROUTE},
    {"GET", "/recordings/{sha256}", SCOPE_MEDIA, 0, route_recording},
    {"POST", "/v1/opt-outs", SCOPE_API, JSON_BODY_MAX, route_opt_out, "opt_outs"},
    {"POST", "/hooks/{hook}/voice", SCOPE_OPEN, HOOK_BODY_MAX, route_hook_voice_in,
     VOICE_MANY},
    {"GET", "/hooks/{hook}/voice", SCOPE_OPEN, 0, route_hook_voice_in, VOICE_MANY},
    {"POST", "/hooks/{hook}/voice/{call}", SCOPE_OPEN, HOOK_BODY_MAX,
     route_hook_voice_out, VOICE_ROUTE},
    {"GET", "/hooks/{hook}/voice/{call}", SCOPE_OPEN, 0, route_hook_voice_out,
     VOICE_ROUTE},
    {"POST", "/hooks/{hook}/voice/{call}/{token}/{wait}", SCOPE_OPEN, HOOK_BODY_MAX,
     route_hook_voice_act, VOICE_MANY},
    {"GET", "/hooks/{hook}/voice/{call}/{token}/{wait}", SCOPE_OPEN, 0,
     route_hook_voice_act, VOICE_MANY},
    {"POST", "/hooks/{hook}/status", SCOPE_OPEN, HOOK_BODY_MAX, route_hook_status_in,
     CALLBACK_ROUTE},
    {"GET", "/hooks/{hook}/status", SCOPE_OPEN, 0, route_hook_status_in, CALLBACK_ROUTE},
    {"POST", "/hooks/{hook}/status/{attempt}", SCOPE_OPEN, HOOK_BODY_MAX,
     route_hook_status_out, CALLBACK_ROUTE},
    {"GET", "/hooks/{hook}/status/{attempt}", SCOPE_OPEN, 0, route_hook_status_out,
     CALLBACK_ROUTE},
    {"POST", "/hooks/{hook}/machine/{attempt}", SCOPE_OPEN, HOOK_BODY_MAX,
     route_hook_status_out, CALLBACK_ROUTE},
    {"GET", "/hooks/{hook}/machine/{attempt}", SCOPE_OPEN, 0, route_hook_status_out,
     CALLBACK_ROUTE},
    {"POST", "/hooks/{hook}/sms", SCOPE_OPEN, HOOK_BODY_MAX, route_hook_sms,
     CALLBACK_ROUTE},
    {"GET", "/hooks/{hook}/sms", SCOPE_OPEN, 0, route_hook_sms, CALLBACK_ROUTE},
    {"POST", "/hooks/{hook}/message", SCOPE_OPEN, HOOK_BODY_MAX, route_hook_message,
     CALLBACK_ROUTE},
    {"POST", "/hooks/{hook}/message/{id}", SCOPE_OPEN, HOOK_BODY_MAX, route_hook_message,
     CALLBACK_ROUTE},
    {"GET", "/hooks/{hook}/message/{id}", SCOPE_OPEN, 0, route_hook_message,
     CALLBACK_ROUTE},
    {"POST", "/v1/sms/inbound", SCOPE_API, JSON_BODY_MAX, route_sms_in, "sms"},
};

static const struct contract own = {.name = "furrow",
                                    .errors = ERRORS_CODED,
                                    .routes = routes,
                                    .route_count = ARRAY_LEN(routes)};
static const struct contract everywhere = {.name = "furrow",
                                           .errors = ERRORS_CODED,
                                           .routes = routes,
                                           .route_count = EVERYWHERE};

/* Without a key there are no accounts at providers; a wrong one is a mistake. */
static int read_keys(struct server *s, struct errtext *e)
{
    const struct config_common *c = &s->config.common;
    struct content content;

    int err = content_init(&content, c, e);
    if (err)
        return err;
    if (!hook_proxies_are_sound(s->config.trusted_proxies))
        return errtext_set(e, EINVAL, 0, 0,
                           "trusted_proxies '%s' is no list of addresses, e.g. "
                           "10.0.0.5, 192.168.0.0/16",
                           s->config.trusted_proxies);
    return c->secret_key[0]
               ? secret_keys_read(&s->keys, c->secret_key, c->secret_key_old, e)
               : 0;
}

static int write_port(const char *path, int port)
{
    char text[16];

    int n = snprintf(text, sizeof(text), "%d\n", port);
    return files_write_atomic(path, text, (size_t)n);
}

/* Of the main listener last: who waits for its file finds the others. */
static int write_ports(const struct server *s, const struct mounts *m,
                       const struct http_server *http, struct errtext *e)
{
    const char *file = s->config.port_file;
    char path[sizeof(s->config.port_file) + 40];
    int err = 0;

    for (size_t i = 0; !err && i < m->listener_count; i++) {
        int port = http_server_port(http, (int)i + 1);
        log_info("server", "state=listening contract=%s address=%s port=%d",
                 m->listener_contract[i]->name, m->listeners[i].address, port);
        snprintf(path, sizeof(path), "%s.%s", file, m->listener_contract[i]->name);
        err = file[0] ? write_port(path, port) : 0;
    }
    if (!err && file[0])
        err = write_port(file, http_server_port(http, 0));
    return err ? errtext_set(e, err, 0, 0, "%s: %s", file, strerror(err)) : 0;
}

/* Whoever runs it should know what is open. */
static void warn_of_open(const struct mounts *m)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct mount *mount = &m->list[i];
        bool operated = false, told = false;
        for (size_t k = 0; k < mount->contract->route_count; k++)
            operated |= mount->contract->routes[k].scope == SCOPE_OPERATOR;
        for (size_t k = 0; k < i; k++)
            told |= m->list[k].contract == mount->contract;
        if (operated && !told && (!mount->token || !mount->token[0]))
            log_warn("server",
                     "contract=%s has no token: what its operators do is open "
                     "to whoever reaches it",
                     mount->contract->name);
    }
}

static int build_mounts(struct server *s, struct mounts *m, struct errtext *e)
{
    struct pg *pg = pg_pool_take(s->pool);

    int err = mounts_build(m, &s->config, &own, &everywhere, pg, e);
    if (!err)
        err = ledger_ivr_init(s, pg, e);
    if (!err)
        warn_of_open(m);
    pg_pool_give(s->pool, pg);
    return err;
}

static void sweep_text_calls(struct server *s, const struct mounts *m)
{
    int done = 0;

    for (size_t i = 0; i < m->n; i++) {
        const struct mount *at = &m->list[i];
        if (at->contract == contracts[CONTRACT_IVR_SIMULATOR] && at->tenant_id != done) {
            text_calls_sweep(s, at->tenant_id);
            done = at->tenant_id;
        }
    }
}

/* Whose end was never told: calls first, then recordings, which end with their calls. */
static void lose_calls(struct server *s)
{
    static int tenants[LOSE_TENANTS_MAX];
    const int64_t now_ms = clock_now_ms();
    size_t n = 0, lost = 0, calls = 0;

    struct pg *pg = pg_pool_take(s->pool);
    int err = pg_tenants(pg, tenants, LOSE_TENANTS_MAX, &n);
    for (size_t i = 0; !err && i < n; i++) {
        err = voice_calls_lose(pg, tenants[i], now_ms - LOSE_CALL_MS,
                               now_ms - SILENT_CALL_MS, &calls);
        if (calls > 0)
            log_warn("server", "tenant=%d lost_calls=%zu their end was never told",
                     tenants[i], calls);
        if (!err)
            err = voice_recordings_lose(pg, tenants[i],
                                        now_ms - s->config.recording_wait_s * 1000,
                                        now_ms, &lost);
        if (lost > 0)
            log_warn("server", "tenant=%d lost_recordings=%zu their end was never told",
                     tenants[i], lost);
    }
    if (err)
        log_warn("server", "calls and recordings that are not told of: %s", pg_error(pg));
    pg_pool_give(s->pool, pg);
}

/* Renews the lease. What has to be forgotten is; what could not be told earlier is told.
 * False: the database does not answer. */
static bool renew(struct server *s, const struct uuid *holder, const char *host,
                  int *slot)
{
    struct pg *pg = pg_pool_take(s->pool);
    int forgotten = 0;

    int err = *slot < 0 ? slot_take(pg, "server", -1, holder, host, getpid(), slot)
                        : slot_renew(pg, "server", *slot, holder);
    if (!err && provider_event_forget(pg, clock_real_ms() - HOOK_KEEP_MS, HOOK_FORGET_MAX,
                                      &forgotten))
        log_warn("server", "what providers told long ago is not forgotten: %s",
                 pg_error(pg));
    pg_pool_give(s->pool, pg);
    if (err) {
        log_warn("server", "slot=%d err=%d the database does not answer", *slot, err);
        *slot = err == EACCES ? -1 : *slot;
    } else {
        plivo_ivr_late_hangups(s);
    }
    return !err;
}

/* Until the stop signal, the lease says that this server lives. */
static void serve(struct server *s, const struct mounts *m)
{
    struct uuid holder = uuid_v7(clock_real_ms());
    struct pollfd stop = {.fd = program_stop_fd(), .events = POLLIN};
    char host[128] = "";
    int64_t renew_ms = 0, sweep_ms = 0, lose_ms = 0;
    int slot = -1;
    bool there = false;

    gethostname(host, sizeof(host) - 1);
    while (!atomic_load(program_stop_flag())) {
        if (mono_ms() >= renew_ms) {
            there = renew(s, &holder, host, &slot);
            renew_ms = mono_ms() + RENEW_MS;
        }
        if (there)
            sweep_text_calls(s, m);
        if (there && mono_ms() >= lose_ms) {
            lose_calls(s);
            lose_ms = mono_ms() + LOSE_MS;
        }
        if (there && mono_ms() >= sweep_ms) {
            voice_uploads_sweep(s);
            sweep_ms = mono_ms() + SWEEP_MS;
        }
        poll(&stop, 1, SILENCE_MS);
    }
    struct pg *pg = pg_pool_take(s->pool);
    if (slot_give(pg, "server", -1, &holder))
        log_warn("server", "slot=%d could not be given back; it lapses", slot);
    pg_pool_give(s->pool, pg);
}

int main(int argc, char **argv)
{
    struct server s = {0};
    struct errtext e = {0};
    static struct mounts mounts;
    static const char *const flags[] = {"profile", NULL};
    struct http_server *http = NULL;
    char spool_dir[600];
    int code = 0;
    const struct program program = {
        .table = &server_config_table,
        .about = "health, metrics, media, webhooks and contracts over HTTP",
        .example = "DATABASE_URL=… furrow-server --profile plivo-ivr",
        .flags = flags,
        .common = &s.config.common};

    if (!program_start(&program, argc, argv, &s.config, &code))
        return code;
    program_watch_signals();
    s.started_ms = mono_ms();
    s.programs = programs_new();
    s.languages = call_languages_new();
    s.secrets = flow_secrets_read(s.config.secrets_file);
    int err = read_keys(&s, &e);
    if (!err)
        err = pools_open(&s, &e);
    if (!err)
        s.accounts = hook_accounts_new(s.hook_pool, &s.keys);
    if (!err)
        err = build_mounts(&s, &mounts, &e);
    if (!err)
        s.api_calls = api_calls_new(&s, (int)s.config.api_threads);
    if (!err)
        s.queue_watch = queue_watch_new(&s);
    if (!err)
        s.spoken = spoken_new(&s.config.common, &s.keys);
    snprintf(spool_dir, sizeof(spool_dir), "%s/uploads", s.config.common.data_dir);
    const struct http_server_options http_options = {.address = s.config.listen_address,
                                                     .port = (int)s.config.port,
                                                     .threads = (int)s.config.threads,
                                                     .limits = load_limits(&s.config),
                                                     .media_token = s.config.media_token,
                                                     .authorise = server_authorise,
                                                     .flush = pools_flush,
                                                     .spool_dir = spool_dir,
                                                     .mounts = mounts.list,
                                                     .mount_count = mounts.n,
                                                     .others = mounts.listeners,
                                                     .other_count = mounts.listener_count,
                                                     .app = &s};
    if (!err)
        err = http_server_start(&http, &http_options, &e);
    if (!err)
        err = write_ports(&s, &mounts, http, &e);
    if (!err) {
        log_info("server", "state=listening address=%s port=%d profile=%s",
                 s.config.listen_address, http_server_port(http, 0), s.config.profile);
        serve(&s, &mounts);
    } else {
        log_error("server", "%s", e.text);
    }
    http_server_stop(http);
    queue_watch_free(s.queue_watch);
    api_calls_free(s.api_calls);
    programs_free(s.programs);
    call_languages_free(s.languages);
    spoken_free(s.spoken);
    flow_secrets_free(s.secrets);
    hook_accounts_free(s.accounts);
    pools_close(&s);
    secret_keys_wipe(&s.keys);
    log_info("server", "state=stopped");
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
