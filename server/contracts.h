/* contracts - the route tables of systems whose users change their base URL only; one
 * file each. */
#ifndef SERVER_CONTRACTS_H
#define SERVER_CONTRACTS_H

#include "server/http_server.h"

extern const struct contract contract_plivo_ivr;     /* contract_plivo_ivr.c */
extern const struct contract contract_ivr_simulator; /* contract_ivr_simulator.c */
extern const struct contract contract_voice_ledger;  /* contract_voice_ledger.c */

#endif
