/*
 * placed - the attempts of this dialer from release to end: what the trunk says of
 * them becomes moves in the ledger (attempt_move) and live calls (live_start).
 * After a start, a reconnect or a lost reply the truth is asked from the switch.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_PLACED_H
#define DIALER_PLACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"
#include "campaigns/attempt_store.h"
#include "campaigns/machine.h"
#include "campaigns/machine_rule.h"
#include "dialer/live.h"
#include "dialer/pacing.h"

struct dialer;
struct permit;
struct trunk;

struct placed *placed_new(void);
void placed_free(struct placed *p); /* NULL is allowed */
/* Every quarter of a second or so: asks the switch what is to be asked. */
void placed_tick(struct dialer *d);

/* A released attempt that has its pacing slots. Takes the permit over. From here on
 * placed ends the attempt and gives the slots back, whatever happens. */
struct placed_order {
    struct attempt_row row;
    struct permit *permit;
    struct trunk *trunk;
    int64_t flow_revision_id;
    int ring_timeout_s;
    struct machine_rule machine; /* asked only where the trunk can listen */
    bool has_agents;             /* its campaign's calls are placed for them */
    int64_t machine_flow_revision_id;
};
void placed_send(struct dialer *d, const struct placed_order *order);

/* Provably not sent: moves intent or released to withdrawn and gives the slots back.
 * has_slots: pacing was asked for them. note: a literal. */
void placed_withdraw(struct dialer *d, const struct attempt_row *row, bool has_slots,
                     const char *note);
/* One that nobody of this process holds: withdrawn only while it is still an intent. */
void placed_withdraw_intent(struct dialer *d, const struct attempt_row *row,
                            const char *note);

/* An open attempt of a process that is gone: hung up if the switch still has it, and
 * ended. Not false: it is known already, nothing was done. */
NODISCARD bool placed_adopt(struct dialer *d, const struct attempt_row *row,
                            struct trunk *trunk);
size_t placed_count_adopted(const struct dialer *d, int slot);
/* Calls that ring or talk over a trunk, or of a campaign, in this process. */
size_t placed_count_trunk(const struct dialer *d, int64_t trunk_id);
size_t placed_count_campaign(const struct dialer *d, int64_t campaign_id);
/* live.h's word that a flow has ended. */
void placed_live_ended(struct dialer *d, const struct live_result *result);
/* The end of a drain: every call is hung up. */
void placed_hang_up_all(struct dialer *d);

/* What the switch says; unknown ids are ignored (logged at debug). */
void placed_ringing(struct dialer *d, const struct uuid *attempt);
void placed_answered(struct dialer *d, const struct uuid *attempt);
/* Of a call that the trunk listens to: the other side speaks, is silent, a machine's tone
 * was heard. at_ms: business time. */
void placed_talk(struct dialer *d, const struct uuid *attempt, bool talking,
                 int64_t at_ms);
void placed_beep(struct dialer *d, const struct uuid *attempt, int64_t at_ms);
/* Of a trunk whose switch listens itself. */
void placed_answered_by(struct dialer *d, const struct uuid *attempt,
                        enum machine_verdict who);
/* Of a call whose flow runs in furrow-server; before placed_ended. */
void placed_flow_said(struct dialer *d, const struct uuid *attempt, bool opted_out,
                      int64_t callback_at_ms);
/* Its switch is to be asked of it, soon. */
void placed_doubt(struct dialer *d, const struct uuid *attempt);
/* The campaign has stopped here: calls of it that only wait at a switch are taken back.
 */
void placed_recall(struct dialer *d, int64_t campaign_id);

struct placed_end {
    bool was_up, we_hung_up, ring_timeout;
    int cause, tech_cause;   /* Q.850, SIP; 0 unknown */
    const char *dial_status; /* ARI's last Dial event; NULL none */
    const char *note;        /* for `furrow why`; copied; NULL none */
};
void placed_ended(struct dialer *d, const struct uuid *attempt,
                  const struct placed_end *end);

/* The trunk lost its events (socket down, Asterisk restarted) and has them again: every
 * open attempt of that trunk kind is asked of the switch. */
void placed_resync(struct dialer *d, const char *trunk_kind);
/* After placed_resync: the switch had restarted, so what it carried before is gone and to
 * be absent once is enough. */
void placed_switch_restarted(struct dialer *d, const char *trunk_kind);
/* The switch has been away for so long that nobody waits for its word any more: what was
 * answered has ended, what may have been called is unknown. */
void placed_switch_lost(struct dialer *d, const char *trunk_kind);
bool placed_has(const struct dialer *d, const struct uuid *attempt);
size_t placed_count(const struct dialer *d);

#endif
