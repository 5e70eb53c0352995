/*
 * plivo_ivr - handlers of the contract plivo-ivr: a company's menu of one digit at Plivo.
 * Menus are rows, compiled to a published flow (campaigns/menu_flow.h); calls run on the
 * flow engine as those of server/voice.h do.
 */
#ifndef SERVER_PLIVO_IVR_H
#define SERVER_PLIVO_IVR_H

#include "campaigns/menu_flow.h"
#include "server/contract.h"

struct server;

/* plivo_ivr_setup.c */
route_fn plivo_ivr_index, plivo_ivr_echo, plivo_ivr_health, plivo_ivr_setup_db;
/* plivo_ivr_menus.c */
route_fn plivo_ivr_seed_menus, plivo_ivr_menus, plivo_ivr_change_menu;
/* plivo_ivr_log.c */
route_fn plivo_ivr_log_call, plivo_ivr_call_logs, plivo_ivr_call_history;
/* plivo_ivr_caller.c */
route_fn plivo_ivr_start_session, plivo_ivr_get_session, plivo_ivr_update_session;
/* plivo_ivr_webhook.c */
route_fn plivo_ivr_answer, plivo_ivr_handle_input, plivo_ivr_act, plivo_ivr_hangup;
route_fn plivo_ivr_shed;

struct menu_settings plivo_ivr_settings(const struct server *s);
/* Hang-ups that were told while the database was away: writes them to the log. Of the
 * program's main thread, every few seconds. */
void plivo_ivr_late_hangups(struct server *s);

#endif
