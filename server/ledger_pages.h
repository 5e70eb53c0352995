/* ledger_pages - pages of the voice ledger: verification of a batch, and registrations.
 */
#ifndef SERVER_LEDGER_PAGES_H
#define SERVER_LEDGER_PAGES_H

#include "server/http_server.h"

enum { LEDGER_FORM_MAX = 16384 };

route_fn route_verify_page;
route_fn route_verify;
route_fn route_verify_success;
route_fn route_registrations;
route_fn route_registration_approve;
route_fn route_registration_reject;

#endif
