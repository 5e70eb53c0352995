/*
 * sweep_parts - what sweep.c, runner*.c, maintenance.c and recovery.c share.
 * For these files alone.
 */
#ifndef DIALER_SWEEP_PARTS_H
#define DIALER_SWEEP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/agent_store_line.h"
#include "campaigns/attempt_store.h"
#include "campaigns/campaign.h"
#include "campaigns/limit_store.h"
#include "campaigns/slot_store.h"
#include "campaigns/trunk_store.h"
#include "dialer/sweep.h"

struct dialer;
struct pg;
struct trunk;

/* ---- maintenance.c: on a database thread ---- */

enum { TENANTS_MAX = 1024 };

/* A running campaign on one of its trunks, as the sweep needs it. */
struct campaign_facts {
    int64_t id, flow_revision_id;
    int tenant_id, priority, max_concurrent, ring_timeout_s;
    int revision; /* of its document */
    double cps;   /* 0: as the trunk */
    char name[CAMPAIGN_NAME_MAX];
    struct trunk_row trunk;
    int trunk_weight, trunk_priority, trunk_count;
    struct limit_row tenant, caller_id; /* id 0: none is set */
    bool pooled; /* each call shows a number of a pool; caller_id is not set */
    struct machine_rule machine;
    bool has_agents;
    int64_t machine_flow_revision_id;
    int64_t variants[VARIANTS_MAX]; /* flow revisions of its variants */
    size_t variant_count;
};

/* What waits behind the calls. */
enum backlog { BACKLOG_RECORDINGS, BACKLOG_ASR, BACKLOG_SMS, BACKLOGS };

struct maintenance {
    int slot;
    struct uuid holder;
    char held[120];         /* to be said of this node, with the next: */
    bool ready, has_switch; /* has_switch: one, and it is there */
    int weight, priority;
    struct slot_news news;    /* what was said to it */
    bool partitions;          /* look after them this time */
    struct agent_line *lines; /* that this node is to hold; free() */
    size_t line_count;
    struct campaign_facts *campaigns; /* free() */
    size_t n, cap;
    int64_t backlog[BACKLOGS]; /* recordings not fetched yet, due jobs */
};
/* One pass over every tenant; what fails for one campaign is logged and skipped. */
NODISCARD int maintenance_run(struct pg *pg, struct maintenance *m);

/* ---- recovery.c ---- */

struct recovery;
struct recovery *recovery_new(struct dialer *d); /* begins with our own slot */
void recovery_free(struct recovery *r);
/* Our own slot's leftovers are known: calls may go out. */
bool recovery_is_done(const struct recovery *r);
void recovery_tick(struct recovery *r); /* every second */
/* A claim's commit may have been lost: withdraws intents that nobody knows. Called
 * when no claim is under way. */
void recovery_tidy(struct recovery *r);
/* Leases of slots taken over from dead dialers; for the renewing work: copies. */
struct adopted_slot {
    int slot;
    struct uuid holder;
};
size_t recovery_slots(const struct recovery *r, struct adopted_slot *out, size_t max);

/* ---- sweep.c and runner.c ---- */

struct runner;

struct sweep {
    struct dialer *dialer;
    struct recovery *recovery;
    uv_timer_t timer;
    struct runner *runners; /* by priority, highest first */
    unsigned held;          /* why nothing goes out: bits, see sweep.c */
    bool stopping, maintaining, renewing, kicked;
    bool tidy, tidying;    /* a lost claim is to be looked for; it is being looked for */
    struct slot_news news; /* of this node beside the others */
    int64_t backlog[BACKLOGS];
    int64_t maintain_at_ms, renew_at_ms, second_at_ms, partitions_at_ms; /* monotonic */
    int64_t renewed_at_ms;
    size_t claims; /* under way */
    double business_per_real;
    unsigned seen; /* stamp of the latest maintenance */
};

bool sweep_may_send(const struct sweep *s);
/* How many more calls this process may hold. */
int64_t sweep_room(const struct sweep *s);
void runner_update(struct sweep *s, const struct campaign_facts *f);
/* Ends the runners that the last maintenance did not see; all of them when all. */
void runners_retire(struct sweep *s, bool all);
void runners_tick(struct sweep *s, bool kicked);
bool runners_are_idle(const struct sweep *s);
bool runners_know(const struct sweep *s, const struct uuid *attempt);

#endif
