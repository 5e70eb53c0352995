/*
 * lifecycle - the states of a campaign and every legal move, as one table. Pure.
 *
 *   draft ── start ──▶ running ── complete ──▶ done
 *                       │ ▲  ╲
 *                 pause │ │   ╲── fault ──▶ faulted ── resume ──▶ running
 *                       ▼ │ resume
 *                      paused ── stop ──▶ stopped       (stop from every open state)
 *
 * Only a running campaign places calls. stopped and done may be started again:
 * contacts that are final stay final, so nobody is called twice for it. draft, stopped
 * and done may be archived; out of the archive a campaign comes back stopped.
 */
#ifndef CAMPAIGNS_LIFECYCLE_H
#define CAMPAIGNS_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"

enum campaign_state {
    CAMPAIGN_DRAFT,
    CAMPAIGN_RUNNING,
    CAMPAIGN_PAUSED,
    CAMPAIGN_STOPPED,  /* by a person */
    CAMPAIGN_DONE,     /* nothing is left to call, or its end has come */
    CAMPAIGN_FAULTED,  /* it cannot go on; stop_reason says why */
    CAMPAIGN_ARCHIVED, /* kept, out of the way; nothing starts it */
    CAMPAIGN_STATES,
};

enum campaign_command {
    CAMPAIGN_START,
    CAMPAIGN_PAUSE,
    CAMPAIGN_RESUME,
    CAMPAIGN_STOP,
    CAMPAIGN_COMPLETE, /* by the program, not by people */
    CAMPAIGN_FAULT,    /* likewise */
    CAMPAIGN_ARCHIVE,
    CAMPAIGN_RESTORE, /* from the archive */
    CAMPAIGN_COMMANDS,
};

const char *campaign_state_name(enum campaign_state s);
NODISCARD bool campaign_state_parse(const char *name, enum campaign_state *out);
const char *campaign_command_name(enum campaign_command c);

/* False when the move is illegal; *to is then untouched. */
NODISCARD bool lifecycle_move(enum campaign_state from, enum campaign_command command,
                              enum campaign_state *to);

/* "a draft campaign can be started or stopped, not paused" */
enum { LIFECYCLE_TEXT_MAX = 160 };
const char *lifecycle_explain(enum campaign_state from, enum campaign_command command,
                              char out[LIFECYCLE_TEXT_MAX]);

#endif
