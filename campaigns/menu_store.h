/*
 * menu_store - menus of one digit as rows, and the revision that a call of them runs.
 * Each function is a transaction of its own unless the caller has one open; errors are
 * pg.h's, and as stated.
 */
#ifndef CAMPAIGNS_MENU_STORE_H
#define CAMPAIGNS_MENU_STORE_H

#include <jansson.h>

#include "base/attrs.h"
#include "campaigns/flow_store.h"
#include "campaigns/menu_flow.h"

struct pg;

/* [{"menu_id", …}] by priority; *out is the caller's. */
NODISCARD int menu_list(struct pg *pg, int tenant_id, json_t **out);
/* Instead of all that there are. rows: each passed menu_check(). */
NODISCARD int menu_replace(struct pg *pg, int tenant_id, const json_t *rows,
                           int64_t now_ms);
/* Of one menu, with other values; row passed menu_check(). ENOENT: there is none. */
NODISCARD int menu_write(struct pg *pg, int tenant_id, const json_t *row, int64_t now_ms);

/* The published flow of the rows as they are now: published anew when they have changed.
 * ENOENT: there is no menu to begin with. EBADMSG: the rows make no flow (logged), and
 * none was published before. */
NODISCARD int menu_publish(struct pg *pg, int tenant_id, const struct menu_settings *s,
                           int64_t now_ms, struct flow_row *out);

#endif
