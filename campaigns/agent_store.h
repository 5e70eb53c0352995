/*
 * agent_store - agents: who they are, where their phone rings, in which queue, and in
 * which state (campaigns/mode.h). What reserves them for calls and counts abandoned ones
 * is agent_store_book.c and agent_store_call.c.
 *
 * Each function is one transaction of one tenant. Errors are pg.h's; those with a struct
 * errtext say what a person should know.
 */
#ifndef CAMPAIGNS_AGENT_STORE_H
#define CAMPAIGNS_AGENT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/mode.h"

struct pg;

enum { AGENT_NAME_MAX = 64, AGENT_EXTENSION_MAX = 32, AGENT_NOTE_MAX = 120 };

struct agent_row {
    int64_t id;
    char name[AGENT_NAME_MAX], extension[AGENT_EXTENSION_MAX], queue[MODE_QUEUE_MAX];
    int wrap_up_s;
    bool confirm; /* press a key before they are put through */
    bool line;    /* their phone stays connected between calls: agent_store_line.h */
    enum agent_state state;
    char after_call[16]; /* "" none: the state that was ordered for then */
    char note[AGENT_NOTE_MAX];
    int64_t since_ms;
};

/* name, extension, queue, wrap_up_s, confirm of row. EEXIST: name or extension is taken.
 */
NODISCARD int agent_add(struct pg *pg, int tenant_id, const struct agent_row *row,
                        int64_t now_ms, struct errtext *e);
/* EBUSY: a call is theirs. */
NODISCARD int agent_remove(struct pg *pg, int tenant_id, const char *name,
                           struct errtext *e);
/* queue NULL: all. By queue and name. *out: free(). */
NODISCARD int agent_list(struct pg *pg, int tenant_id, const char *queue, int64_t now_ms,
                         struct agent_row **out, size_t *n);
/* The note of an agent whose open line is not up yet. */
#define AGENT_LINE_RINGS "their line rings"

/* *out as it is afterwards; out->after_call is set when it acts after the call that is
 * theirs. EPERM: not from that state. */
NODISCARD int agent_command(struct pg *pg, int tenant_id, const char *name,
                            enum agent_order order, int64_t now_ms, struct agent_row *out,
                            struct errtext *e);
/* A login with an open line: no calls until a dialer has it up. */
NODISCARD int agent_login_line(struct pg *pg, int tenant_id, const char *name,
                               int64_t now_ms, struct agent_row *out, struct errtext *e);

/* How far a campaign is from its limit, this period of each anchor. */
struct agent_limits {
    struct mode_rules rules;
    int64_t unbacked; /* in flight */
    struct mode_period periods[MODE_ANCHORS];
    int64_t credit[MODE_ANCHORS]; /* unbacked calls that may be in flight */
};
NODISCARD int agent_limits_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                                int64_t now_ms, struct agent_limits *out);

#endif
