/*
 * campaign_event_store - what happened to a campaign beside its document: its canary was
 * judged, a variant or a list went into quarantine or came out. For `campaign history`.
 */
#ifndef CAMPAIGNS_CAMPAIGN_EVENT_STORE_H
#define CAMPAIGNS_CAMPAIGN_EVENT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

struct pg;

enum { CAMPAIGN_EVENT_TEXT_MAX = 240, CAMPAIGN_EVENTS_SHOWN = 500 };

struct campaign_event {
    int64_t at_ms;
    char text[CAMPAIGN_EVENT_TEXT_MAX];
};

/* In the caller's transaction. Errors are pg.h's. */
NODISCARD int campaign_event_add(struct pg *pg, int64_t campaign_id, int64_t at_ms,
                                 const char *text);
/* The latest CAMPAIGN_EVENTS_SHOWN of them, oldest first; one transaction of its own.
 * *out: free(). */
NODISCARD int campaign_event_list(struct pg *pg, int tenant_id, int64_t campaign_id,
                                  struct campaign_event **out, size_t *n);

#endif
