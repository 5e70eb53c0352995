/* ivr_simulator - handlers of the contract ivr-simulator. */
#ifndef SERVER_IVR_SIMULATOR_H
#define SERVER_IVR_SIMULATOR_H

#include "server/http_server.h"

/* ivr_simulator.c */
route_fn ivr_simulator_status, ivr_simulator_start, ivr_simulator_dtmf,
    ivr_simulator_voice, ivr_simulator_end, ivr_simulator_poll;
route_fn ivr_simulator_phone; /* ivr_simulator_phone.c: the page */

#endif
