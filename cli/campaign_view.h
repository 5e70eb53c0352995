/*
 * campaign_view - what `campaign report`, `campaign watch` and `run` show of a
 * campaign: its report as text, JSON and CSV, and a snapshot of it at work.
 */
#ifndef CLI_CAMPAIGN_VIEW_H
#define CLI_CAMPAIGN_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/attrs.h"
#include "campaigns/agent_store.h"
#include "campaigns/campaign_store.h"
#include "campaigns/campaign_trunk_store.h"
#include "campaigns/canary_store.h"
#include "campaigns/quarantine_store.h"
#include "campaigns/report_store.h"

struct cli;

/* A campaign as it stands at one instant, and what its hopper could do then. */
struct campaign_snapshot {
    struct campaign_row row;
    const struct campaign_doc *doc; /* borrowed from the connection */
    struct report report;
    struct campaign_zone *zones;
    size_t zone_count;
    int64_t now_ms;
    int64_t due_open, due_closed; /* contacts whose time has come, by their window */
    int64_t waiting;              /* contacts whose time has not come */
    int64_t next_open_ms;         /* when the first closed window opens; 0 unknown */
    struct budget_spent spent;    /* without what lives */
    int64_t budget_room;          /* calls that may still begin; INT64_MAX any number */
    struct canary_row canary;
    struct quarantine_hold *holds; /* what is in quarantine */
    size_t hold_count;
    int64_t next_due_ms;        /* the nearest retry inside an open window; 0 none */
    struct agent_limits limits; /* of a campaign with agents, and those by state: */
    int agents[AGENT_STATES];
    char no_caller_id[CALLER_ID_WHY_MAX];  /* why no number of the pool may show; "" */
    char no_line[CAMPAIGN_TRUNKS_WHY_MAX]; /* why no trunk takes a call; "" */
};

/* Errors are pg.h's. snapshot_free() also after an error. */
NODISCARD int snapshot_load(struct cli *cli, int64_t campaign_id, int64_t now_ms,
                            struct campaign_snapshot *out);
void snapshot_free(struct campaign_snapshot *s);

/* Nothing lives and nothing comes due before the windows of all that is left have
 * closed and opened again. */
bool snapshot_is_windows_closed(const struct campaign_snapshot *s);

/* Why no call begins at this moment, in one sentence; "" when calls may begin. */
enum { SNAPSHOT_WHY_MAX = 200 };
const char *snapshot_why_dry(const struct campaign_snapshot *s,
                             char out[SNAPSHOT_WHY_MAX]);

void report_print(const struct campaign_row *row, const struct report *r, FILE *to);
void report_print_csv(const struct report *r, FILE *to);
/* The caller owns the reference. */
json_t *report_to_json(const struct campaign_row *row, const struct report *r);

#endif
