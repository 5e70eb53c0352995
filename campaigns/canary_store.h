/*
 * canary_store - how the canary of a campaign stands. A claim asks how many calls it may
 * still place and holds the answer until its transaction ends, so that several dialers
 * together never place more; the sweep judges, pauses the campaign that failed and says
 * why. Resuming it is a person's word: then it goes on without a canary.
 *
 * A canary is of a campaign, not of each of its runs; it begins anew when its rule is
 * changed, and when a campaign whose canary failed is started again.
 *
 * In the caller's transaction unless it says otherwise. Errors are pg.h's.
 */
#ifndef CAMPAIGNS_CANARY_STORE_H
#define CAMPAIGNS_CANARY_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "campaigns/canary.h"

struct pg;

enum canary_state {
    CANARY_NOT_BEGUN,
    CANARY_TRIAL,
    CANARY_PASSED,
    CANARY_FAILED,
    CANARY_OVERRULED,
    CANARY_STATES,
};
const char *canary_state_name(enum canary_state s); /* "trial"; "" not begun */

struct canary_row {
    enum canary_state state;
    struct canary_count count; /* of a trial */
    int64_t judged_at_ms;      /* 0 not yet */
    char verdict[CANARY_WHY_MAX];
};

/* For a claim: how many more calls may begin; INT64_MAX any number. */
NODISCARD int canary_take(struct pg *pg, int64_t campaign_id,
                          const struct canary_rule *rule, int64_t now_ms, int64_t *room);

/* Judges the trial of a running campaign when it is time: passed, or failed and paused.
 * Nothing when another process is at it. A transaction of its own when none is open. */
NODISCARD int canary_check(struct pg *pg, int tenant_id, int64_t campaign_id,
                           const struct canary_rule *rule, int64_t now_ms);

/* Its trial begins anew; for a changed rule. */
NODISCARD int canary_forget(struct pg *pg, int64_t campaign_id);
/* A person's word about a campaign whose canary failed: on it goes, or once more from the
 * start. Nothing for other campaigns. */
NODISCARD int canary_overrule(struct pg *pg, int64_t campaign_id, int64_t now_ms);
NODISCARD int canary_again(struct pg *pg, int64_t campaign_id);

/* A transaction of its own when none is open. */
NODISCARD int canary_load(struct pg *pg, int tenant_id, int64_t campaign_id,
                          struct canary_row *out);

#endif
