/*
 * campaign_store - campaigns in Postgres: create, find, move through the life
 * cycle, fill campaign_contacts from the list, planned starts, completion.
 *
 * Unless it says otherwise a function is one transaction of one tenant. Errors
 * are pg.h's; those with a struct errtext say what a person should know.
 */
#ifndef CAMPAIGNS_CAMPAIGN_STORE_H
#define CAMPAIGNS_CAMPAIGN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/campaign.h"
#include "campaigns/lifecycle.h"

struct pg;

struct campaign_row {
    int64_t id;
    int tenant_id;
    char name[CAMPAIGN_NAME_MAX];
    enum campaign_state state;
    int64_t list_id, trunk_id, flow_revision_id;
    int64_t machine_flow_revision_id; /* what a machine hears; 0 none */
    int revision;                     /* of its document, from 1 */
    char stop_reason[200];
    int64_t created_at_ms, started_at_ms, ended_at_ms, changed_at_ms; /* 0 null */
};

/* Validates the text, finds list, trunk and the flow's newest revision (pinned
 * from now on), writes a draft. EINVAL: issues. EEXIST: the name is taken. */
NODISCARD int campaign_create(struct pg *pg, int tenant_id, const char *text, size_t len,
                              int64_t now_ms, struct campaign_row *out,
                              struct campaign_issues *issues);

/* ENOENT names the campaigns there are, nearest first. */
NODISCARD int campaign_find(struct pg *pg, int tenant_id, const char *name,
                            struct campaign_row *out, struct errtext *e);
/* state CAMPAIGN_STATES: all. *out: free(). Ordered by priority, then id. */
NODISCARD int campaign_list(struct pg *pg, int tenant_id, enum campaign_state state,
                            struct campaign_row **out, size_t *n);
/* As its author wrote it; *out: free(). */
NODISCARD int campaign_text(struct pg *pg, int tenant_id, int64_t campaign_id,
                            char **out);

/* The parsed document as it stands now, kept on the connection. Borrowed until
 * pg_close, also after it was changed. Runs inside the caller's transaction; outside of
 * one it makes its own. ENOENT: no such campaign. EINVAL: a stored document that this
 * build cannot read (logged). */
NODISCARD int campaign_doc_get(struct pg *pg, int tenant_id, int64_t campaign_id,
                               const struct campaign_doc **out);

/* Another document for the campaign: the next release and the next claim obey it, and who
 * waits because a rule refused is looked at again. Its name, list, flow and trunk stay.
 * EINVAL: issues. */
NODISCARD int campaign_change(struct pg *pg, const struct campaign_row *row,
                              const char *text, size_t len, int64_t now_ms,
                              struct campaign_issues *issues);

/* Every document the campaign has had, the present one last. */
struct campaign_revision {
    int revision;
    int64_t from_ms, until_ms; /* it held then; until 0: it does now */
    char *text;
};
/* *out: campaign_revisions_free(). */
NODISCARD int campaign_revisions(struct pg *pg, const struct campaign_row *row,
                                 struct campaign_revision **out, size_t *n);
void campaign_revisions_free(struct campaign_revision *list, size_t n);

/* Locks the row and moves it if lifecycle.h allows; EPERM with the explanation
 * otherwise. reason may be NULL. row, may be NULL, is filled in. */
NODISCARD int campaign_command(struct pg *pg, int tenant_id, int64_t campaign_id,
                               enum campaign_command command, const char *reason,
                               int64_t now_ms, struct campaign_row *row,
                               struct errtext *e);

/* In the caller's transaction, before a row that hangs on the campaign: whoever changes a
 * campaign takes it first. Not running, or held by somebody: *running is false. */
NODISCARD int campaign_lock_running(struct pg *pg, int64_t campaign_id, bool *running);

/* Copies up to max contacts of the list that are not in campaign_contacts yet.
 * Call it again until *added < max; safe while an import into the list runs and
 * from several processes at once. *loading: an import into the list is running. */
NODISCARD int campaign_populate(struct pg *pg, int tenant_id, int64_t campaign_id,
                                size_t max, int64_t now_ms, size_t *added, bool *loading);

/* Contacts that wait, by zone group: what the hopper could pick, and why it is
 * dry when it is. */
struct campaign_zone {
    int zone_group;
    char region[8];
    char *zones;             /* comma-separated names; inside the array's block */
    int64_t due, waiting;    /* next_attempt_at reached, not yet */
    int64_t next_attempt_ms; /* the nearest one that is not due yet; 0 none */
};
/* *out: free(), one block. */
NODISCARD int campaign_zones(struct pg *pg, int tenant_id, int64_t campaign_id,
                             int64_t now_ms, struct campaign_zone **out, size_t *n);

/* Completes running campaigns whose end has come, or whose contacts are all
 * populated and final (unless keep_open). *completed counts. For the sweep. */
NODISCARD int campaign_complete_due(struct pg *pg, int tenant_id, int64_t now_ms,
                                    size_t *completed);

/* Planned starts that are due: each fires once, unique on (campaign, instant),
 * whoever sees it first; of several missed ones the latest. A campaign that is
 * draft or done starts; one that runs goes on; a paused, stopped or faulted one
 * is left to people. *fired counts starts. For the sweep. */
NODISCARD int campaign_fire_due(struct pg *pg, int tenant_id, int64_t now_ms,
                                size_t *fired);

#endif
