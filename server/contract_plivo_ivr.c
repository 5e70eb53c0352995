/* A company's one-digit menu at Plivo: webhooks, sessions, menus and logs over HTTP. */
#include "server/contracts.h"
#include "server/plivo_ivr.h"

enum { BODY_MAX = 65536, MENUS_BODY_MAX = 1 << 20 };

#define CALL_ROUTE NULL, HTTP_VOICE, plivo_ivr_shed

/* What carriers and probes ask is open (a configured token signs webhooks); the rest is
 * an operator's. */
static const struct route routes[] = {
    {"GET", "/", SCOPE_OPEN, 0, plivo_ivr_index, NULL, HTTP_AT_ONCE},
    {"GET", "/api", SCOPE_OPEN, 0, plivo_ivr_index, NULL, HTTP_AT_ONCE},
    {"GET", "/api/health", SCOPE_OPEN, 0, plivo_ivr_health, NULL},
    {"POST", "/api/webhook-test", SCOPE_OPEN, BODY_MAX, plivo_ivr_echo, NULL},
    {"POST", "/api/start-session", SCOPE_OPERATOR, BODY_MAX, plivo_ivr_start_session,
     NULL},
    {"GET", "/api/get-session", SCOPE_OPERATOR, 0, plivo_ivr_get_session, NULL},
    {"POST", "/api/update-session", SCOPE_OPERATOR, BODY_MAX, plivo_ivr_update_session,
     NULL},
    {"GET", "/api/setup-db", SCOPE_OPERATOR, 0, plivo_ivr_setup_db, NULL},
    {"POST", "/api/seed-menus", SCOPE_OPERATOR, MENUS_BODY_MAX, plivo_ivr_seed_menus,
     NULL},
    {"GET", "/api/menus", SCOPE_OPERATOR, 0, plivo_ivr_menus, NULL},
    {"PUT", "/api/menus/{menu_id}", SCOPE_OPERATOR, BODY_MAX, plivo_ivr_change_menu,
     NULL},
    {"POST", "/api/log-call", SCOPE_OPERATOR, BODY_MAX, plivo_ivr_log_call, NULL},
    {"GET", "/api/call-logs", SCOPE_OPERATOR, 0, plivo_ivr_call_logs, NULL},
    {"GET", "/api/call-history/{phone}", SCOPE_OPERATOR, 0, plivo_ivr_call_history, NULL},
    {"POST", "/api/answer", SCOPE_OPEN, BODY_MAX, plivo_ivr_answer, CALL_ROUTE},
    {"POST", "/api/handle-input", SCOPE_OPEN, BODY_MAX, plivo_ivr_handle_input,
     CALL_ROUTE},
    {"POST", "/api/call/{call}/{token}/{wait}", SCOPE_OPEN, BODY_MAX, plivo_ivr_act,
     CALL_ROUTE},
    {"POST", "/api/hangup", SCOPE_OPEN, BODY_MAX, plivo_ivr_hangup, NULL, HTTP_CALLBACK},
};

const struct contract contract_plivo_ivr = {
    .name = "plivo-ivr",
    .errors = ERRORS_TEXT,
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
};
