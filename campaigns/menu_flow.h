/*
 * menu_flow - menus of one digit, given as rows, as a flow document of ours
 * (docs/flows.md). Pure.
 *
 * A row is an object of menu_id, parent_menu_id, message, audio_url, language, voice,
 * max_digits, timeout, digit_actions {digits: menu_id}, invalid_input_menu_id,
 * timeout_menu_id, action_type (menu, transfer, hangup, phone_readback), action_config
 * {transfer_number, timeout}, is_active, priority. A call begins in "main_menu", else in
 * the active menu with choices that has no parent and the lowest priority.
 *
 * A wrong digit says the message of the invalid-input menu (or goes there, when it has
 * choices of its own) and offers the menu again; no digit does the same with the timeout
 * menu; both together at most max_retries times a call, then the end. Choices that lead
 * to menus that are not active are wrong digits.
 */
#ifndef CAMPAIGNS_MENU_FLOW_H
#define CAMPAIGNS_MENU_FLOW_H

#include <jansson.h>

#include "base/attrs.h"
#include "base/errors.h"

enum { MENU_ID_MAX = 31, MENUS_MAX = 70 };

struct menu_settings {
    const char *flow_name;
    int max_retries, timeout_s;                /* of rows that say none */
    const char *sales_number, *support_number; /* of sales_transfer, support_transfer
                                                  where the row has none; "" none */
};

/* The published menu and its four neighbours. The caller's. */
json_t *menu_samples(const struct menu_settings *s);

/* Is it a row that can be stored? Fills in what is left out. EINVAL: e says why. */
NODISCARD int menu_check(json_t *row, const struct menu_settings *s, struct errtext *e);

/* *source: the flow's text, free(). ENOENT: there is no menu to begin with. */
NODISCARD int menu_flow(const json_t *rows, const struct menu_settings *s, char **source);

/* The menu that a call stands in at that node of the flow; NULL: in none. */
const char *menu_of_node(const char *node);

#endif
