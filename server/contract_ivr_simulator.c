/* The phone simulator of an airline: JSON in and out, called by pages of any origin. */
#include "server/contracts.h"
#include "server/ivr_simulator.h"

enum { BODY_MAX = 16384 };

static const struct route routes[] = {
    {"GET", "/", SCOPE_OPEN, 0, ivr_simulator_status, NULL},
    {"POST", "/ivr/start", SCOPE_OPEN, BODY_MAX, ivr_simulator_start, NULL},
    {"POST", "/ivr/dtmf", SCOPE_OPEN, BODY_MAX, ivr_simulator_dtmf, NULL},
    {"POST", "/ivr/process_voice", SCOPE_OPEN, BODY_MAX, ivr_simulator_voice, NULL},
    {"POST", "/ivr/end", SCOPE_OPEN, BODY_MAX, ivr_simulator_end, NULL},
    {"POST", "/ivr/poll", SCOPE_OPEN, BODY_MAX, ivr_simulator_poll, NULL},
    {"GET", "/phone", SCOPE_OPEN, 0, ivr_simulator_phone, NULL},
};

const struct contract contract_ivr_simulator = {
    .name = "ivr-simulator",
    .errors = ERRORS_DETAIL,
    .cross_origin = true,
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
};
