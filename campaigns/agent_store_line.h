/*
 * agent_store_line - open lines: agents whose phone stays connected between calls. Login
 * gives such an agent a line, an id of its own each time, and no calls until a dialer has
 * it up; a logout, or the agent's hanging up, takes it away. One dialer has each line,
 * the one that asked first; a line of a dialer that is gone is given to another.
 *
 * Each function is one transaction of one tenant. Errors are pg.h's.
 */
#ifndef CAMPAIGNS_AGENT_STORE_LINE_H
#define CAMPAIGNS_AGENT_STORE_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/agent_store.h"

struct pg;

/* Why a line is lost: notes of the agent, who is logged out by it. */
#define AGENT_LINE_HUNG_UP    "hung up the line"
#define AGENT_LINE_UNANSWERED "did not answer the line"

struct agent_line {
    struct uuid line;
    int tenant_id;
    char name[AGENT_NAME_MAX], extension[AGENT_EXTENSION_MAX];
};

/* The lines that the dialer of this slot is to hold: its own, and after this those that
 * nobody has. *all grows: free(). */
NODISCARD int agent_lines(struct pg *pg, int tenant_id, int slot, struct agent_line **all,
                          size_t *n);
/* It is being rung (again): no calls until it is up. */
NODISCARD int agent_line_rings(struct pg *pg, int tenant_id, const struct uuid *line,
                               int64_t now_ms);
/* It is up: calls may be placed for them. */
NODISCARD int agent_line_up(struct pg *pg, int tenant_id, const struct uuid *line,
                            int64_t now_ms);
/* why: a literal from above. Logged out; after their call, while one is theirs. */
NODISCARD int agent_line_lost(struct pg *pg, int tenant_id, const struct uuid *line,
                              const char *why, int64_t now_ms);

#endif
