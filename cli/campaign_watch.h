/* campaign_watch - what `furrow campaign watch` shows: a campaign at work, as lines for
 * people and as JSON for programs. */
#ifndef CLI_CAMPAIGN_WATCH_H
#define CLI_CAMPAIGN_WATCH_H

#include <stdio.h>

#include <jansson.h>

#include "base/attrs.h"
#include "campaigns/watch_store.h"
#include "cli/campaign_view.h"

struct campaign_watch {
    struct campaign_snapshot at;
    struct watch_recent recent;
    int dialers;    /* alive */
    char held[400]; /* what the live ones say why they place no calls; "" they do */
    int64_t calling_off_ms; /* since when the kill switch is thrown; 0 it is not */
    char calling_note[256];
};

/* Errors are pg.h's. watch_free() also after an error. */
NODISCARD int campaign_watch_load(struct cli *cli, int64_t campaign_id, int64_t now_ms,
                                  struct campaign_watch *out);
void campaign_watch_free(struct campaign_watch *w);

void campaign_watch_print(const struct campaign_watch *w, FILE *to);
/* The caller owns the reference. */
json_t *campaign_watch_to_json(const struct campaign_watch *w);

/* At the pace of its last minutes, else of its whole life; 0: there is no pace yet. */
int64_t campaign_watch_seconds_left(const struct campaign_watch *w);

#endif
