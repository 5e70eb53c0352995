/*
 * ledger_move - one move of an attempt on its way through the database's door, under the
 * attempt's own key. Moves that wait behind one another are written together.
 *
 * Thread: the loop's.
 */
#ifndef DIALER_LEDGER_MOVE_H
#define DIALER_LEDGER_MOVE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "campaigns/attempt_store.h"
#include "dialer/db.h"

struct dialer;

struct ledger_move {
    struct dialer *dialer; /* the one who asks; not used here */
    int tenant_id;
    struct attempt_move move;
    bool gives; /* the pacing slots back; not used here */
};

/* db_submit's errors; otherwise done gets m, which it owns. */
NODISCARD int ledger_move_submit(struct db *db, struct ledger_move *m, db_done_fn *done);

/* A call with agents was heard to be answered by a machine (agent_call_machine), between
 * its moves. What cannot be written is logged: the call counts as a person's then. */
void ledger_note_machine(struct db *db, int tenant_id, const struct uuid *call,
                         bool hears_flow);

#endif
