/*
 * mode_flow_store - the published flows of a campaign with agents, by mode_flow.h: asked
 * when it is created and started, and again while it runs whenever a flow is published,
 * for a call takes the newest revision of a sub-flow.
 */
#ifndef CAMPAIGNS_MODE_FLOW_STORE_H
#define CAMPAIGNS_MODE_FLOW_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/mode_flow.h"

struct campaign_doc;
struct pg;

struct mode_flow_fault {
    bool no_queue, silent;
    char text[400]; /* names the flow, and what is wrong in it */
};

/* Of one revision. Inside the caller's transaction. Errors are pg.h's, and ENOENT. */
NODISCARD int mode_flow_check(struct pg *pg, int tenant_id, int64_t revision_id,
                              const char *queue, struct mode_flow_fault *out);
/* The first one of a campaign's flow and those of its variants; none when it has no
 * agents. Likewise. */
NODISCARD int mode_flow_check_campaign(struct pg *pg, int tenant_id, int64_t campaign_id,
                                       const struct campaign_doc *doc,
                                       struct mode_flow_fault *out);
/* Of one that runs: it is paused, with the reason in its history. Flows are read only
 * when one was published since this connection asked before. Likewise. */
NODISCARD int mode_flow_watch(struct pg *pg, int tenant_id, int64_t campaign_id,
                              const struct campaign_doc *doc, int64_t now_ms);

#endif
